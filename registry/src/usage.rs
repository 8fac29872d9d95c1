//! Who needs a version: what is needed is not deleted.

use domain::ids::{Code, DeploymentId};
use domain::rules::gate::champion_alias;
use projections::AsOf;
use projections::folds::models::{ModelView, Models};
use serde::Serialize;

use crate::error::RegistryError;

/// Who needs a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Use {
    /// A deployment runs it.
    #[error("deployment {deployment} runs version {version}")]
    Running {
        /// The deployment.
        deployment: DeploymentId,
        /// The version.
        version: u32,
    },
    /// A deployment would be rolled back to it.
    #[error("deployment {deployment} would be rolled back to version {version}")]
    Before {
        /// The deployment.
        deployment: DeploymentId,
        /// The version.
        version: u32,
    },
    /// A gate compares others with it.
    #[error("version {version} is the {alias} that gate {gate} compares with")]
    Champion {
        /// The gate.
        gate: Code,
        /// The alias that makes it the champion.
        alias: Code,
        /// The version.
        version: u32,
    },
}

/// Who needs one of these versions of a model now.
pub fn uses(models: &Models, model: ModelView<'_>, versions: &[u32]) -> Vec<Use> {
    let mut uses = Vec::new();
    for deployed in models.active().filter(|deployed| deployed.model == *model.id()) {
        let deployment = || deployed.deployment.clone();
        if versions.contains(&deployed.version) {
            uses.push(Use::Running { deployment: deployment(), version: deployed.version });
        }
        let before = models.rules().deployment(&deployed.deployment).and_then(|state| state.before(deployed.version));
        if let Some(version) = before.filter(|version| versions.contains(version)) {
            uses.push(Use::Before { deployment: deployment(), version });
        }
    }
    let gates = models.gates(AsOf::LATEST).map(|(gate, _)| gate);
    for gate in gates.filter(|gate| gate.model.as_ref().is_none_or(|guarded| guarded == model.id())) {
        let alias = champion_alias(gate);
        let named = model.aliases().find(|(known, version, _)| known.as_str() == alias && versions.contains(version));
        if let Some((alias, version, _)) = named {
            uses.push(Use::Champion { gate: gate.gate.clone(), alias: alias.clone(), version });
        }
    }
    uses
}

/// Refuses where somebody needs one of these versions.
pub(crate) fn must_be_unused(models: &Models, model: ModelView<'_>, versions: &[u32]) -> Result<(), RegistryError> {
    let by = uses(models, model, versions);
    if by.is_empty() { Ok(()) } else { Err(RegistryError::InUse { model: model.id().clone(), by }) }
}
