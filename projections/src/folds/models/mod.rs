//! The registry's catalogue: models, versions, names, gates, deployments, and what they predicted last.
//!
//! It is the one fold of models: questions read it, the registry decides commands on it, and the reactor that predicts keeps a copy of it at its own place in the log.

mod deployments;
mod said;
mod story;
mod view;

use std::collections::BTreeMap;

use domain::Event;
use domain::events::GateDefined;
use domain::ids::{AssetClass, AssetId, Code, DeploymentId, ModelName};
use domain::rules::States;
use eventlog::{Digest, Filter, Position};
use serde::{Deserialize, Serialize};

use crate::{AsOf, Entry, Fold, History, filters, state_digest};

pub use deployments::{DeploymentChange, DeploymentView, LastPrediction, Ran};
pub use said::{Said, Told};
pub use story::Approval;
pub use view::{ModelView, VersionView};

use story::ModelStory;

/// Models with everything that became of them, gates and deployments.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Models {
    /// What the domain's rules know of models and deployments.
    rules: States,
    models: BTreeMap<ModelName, ModelStory>,
    /// Who was called so, in log order.
    named: BTreeMap<String, Vec<(Position, ModelName)>>,
    gates: BTreeMap<Code, Told<Option<GateDefined>>>,
    deployments: BTreeMap<DeploymentId, Told<DeploymentChange>>,
    classes: BTreeMap<AssetId, History<AssetClass>>,
    predictions: BTreeMap<DeploymentId, BTreeMap<AssetId, LastPrediction>>,
    prediction_counts: BTreeMap<ModelName, BTreeMap<u32, u64>>,
}

impl Fold for Models {
    const NAME: &'static str = "models";
    const VERSION: u32 = 2;

    fn filter() -> Filter {
        let mut filter = Self::decisions();
        filter.items.extend(filters::types(&["prediction.made"]).items);
        filter
    }

    fn apply(&mut self, entry: &Entry) {
        let Some(event) = entry.event() else { return };
        match event {
            Event::AssetRegistered(event) => {
                self.classes.entry(event.asset.clone()).or_default().push(entry, event.class.clone());
            }
            Event::PredictionMade(event) => self.predicted(entry, event),
            Event::GateDefined(event) => {
                self.gates.entry(event.gate.clone()).or_default().push(entry, Some(event.clone()));
            }
            Event::GateRemoved(event) => self.gates.entry(event.gate.clone()).or_default().push(entry, None),
            Event::ModelDeployed(deployed) => {
                let change = DeploymentChange::Deployed(Box::new(deployed.clone()));
                self.deployments.entry(deployed.deployment.clone()).or_default().push(entry, change);
                self.rules.evolve(event);
            }
            Event::DeploymentRetired(retired) => {
                let change = DeploymentChange::Retired { reason: retired.reason.clone() };
                self.deployments.entry(retired.deployment.clone()).or_default().push(entry, change);
                self.rules.evolve(event);
            }
            other => {
                if let Some(model) = story::model_of(other) {
                    self.take_name(entry.position, model, other);
                    self.models.entry(model.clone()).or_default().take(entry, other);
                    self.rules.evolve(other);
                }
            }
        }
    }

    fn digest(&self) -> Digest {
        state_digest(self)
    }
}

impl Models {
    /// The entries that decisions of the registry depend on: everything but what was predicted.
    pub fn decisions() -> Filter {
        filters::types(&[
            "asset.registered",
            "model.registered",
            "model.renamed",
            "model.described",
            "model.tag_set",
            "model.tag_removed",
            "model.version_created",
            "model.version_deleted",
            "model.deleted",
            "model.alias_set",
            "model.alias_removed",
            "model.stage_set",
            "model.version_evaluated",
            "model.version_approved",
            "model.approval_withdrawn",
            "gate.defined",
            "gate.removed",
            "deployment.deployed",
            "deployment.retired",
        ])
    }

    fn take_name(&mut self, position: Position, model: &ModelName, event: &Event) {
        let name = match event {
            Event::ModelRegistered(registered) => registered.name.as_deref().unwrap_or(registered.model.as_str()),
            Event::ModelRenamed(renamed) => renamed.name.as_str(),
            _ => return,
        };
        self.named.entry(name.to_owned()).or_default().push((position, model.clone()));
    }

    /// What the domain's rules know of models and deployments now: what commands are decided on.
    pub const fn rules(&self) -> &States {
        &self.rules
    }

    /// The model of this id, as long as it is offered.
    pub fn model(&self, id: &ModelName, as_of: AsOf) -> Option<ModelView<'_>> {
        self.model_ever(id, as_of).filter(|model| model.deleted().is_none())
    }

    /// The model of this id, also when it is no longer offered.
    pub fn model_ever(&self, id: &ModelName, as_of: AsOf) -> Option<ModelView<'_>> {
        let (id, story) = self.models.get_key_value(id)?;
        ModelView::new(id, story, as_of)
    }

    /// The model that is called so, as long as it is offered. Where several are, which the registry does not let happen, the one that was called so last.
    pub fn by_name(&self, name: &str, as_of: AsOf) -> Option<ModelView<'_>> {
        let called = self.named.get(name)?.iter().rev().filter(|(position, _)| as_of.includes(*position));
        called.filter_map(|(_, id)| self.model(id, as_of)).find(|model| model.name() == name)
    }

    /// The model that is called so, or else the one of this id.
    pub fn find(&self, name_or_id: &str, as_of: AsOf) -> Option<ModelView<'_>> {
        self.by_name(name_or_id, as_of)
            .or_else(|| ModelName::new(name_or_id).ok().and_then(|id| self.model(&id, as_of)))
    }

    /// Whether anything was ever said about a model of this id.
    pub fn is_known(&self, id: &ModelName) -> bool {
        self.models.contains_key(id)
    }

    /// Every model that is offered, by id.
    pub fn models(&self, as_of: AsOf) -> impl Iterator<Item = ModelView<'_>> {
        let all = self.models.iter().filter_map(move |(id, story)| ModelView::new(id, story, as_of));
        all.filter(|model| model.deleted().is_none())
    }

    /// A gate, as it was defined last, as long as it stands.
    pub fn gate(&self, gate: &Code, as_of: AsOf) -> Option<(&GateDefined, Position)> {
        let last = self.gates.get(gate)?.last(as_of)?;
        Some((last.value.as_ref()?, last.position))
    }

    /// Every gate that stands, by name.
    pub fn gates(&self, as_of: AsOf) -> impl Iterator<Item = (&GateDefined, Position)> {
        self.gates.keys().filter_map(move |gate| self.gate(gate, as_of))
    }

    /// How a gate was defined over time; `None` where it was taken down.
    pub fn gate_history(&self, gate: &Code, as_of: AsOf) -> &[Said<Option<GateDefined>>] {
        self.gates.get(gate).map(|told| told.as_of(as_of)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
