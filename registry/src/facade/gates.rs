//! Gates before promotions, and what speaks for a version: evaluations and approvals.
//!
//! A promotion is checked on the read model at a position and appended on the condition that nothing of the model and of the gates was added since. When it is overtaken,
//! it is checked anew: it goes through only if it still passes.

use std::collections::{BTreeMap, BTreeSet};

use domain::events::{
    GateCheck, GateDefined, GateRemoved, Guarded, ModelApprovalWithdrawn, ModelVersionApproved, ModelVersionEvaluated,
};
use domain::ids::{Code, PersonId};
use domain::rules::decide;
use domain::rules::gate::{Candidate, Unmet, champion_alias, check, not_independent, stands_before};
use domain::values::Text;
use eventlog::Position;
use projections::AsOf;
use projections::folds::models::{Approval, Models, Said, VersionView};
use serde::Serialize;

use super::topic::Topic;
use super::versions::MAX_METRICS;
use super::{Registry, find_model, find_version};
use crate::commands::{Caller, VersionRef};
use crate::error::RegistryError;

/// The most requirements of a gate.
const MAX_REQUIREMENTS: usize = 64;

/// What stands before a promotion of a version, and what of it is not so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Promotion {
    /// The gates that stand before it.
    pub gates: Vec<Code>,
    /// The version to compare with.
    pub champion: Option<u32>,
    /// Whose approvals count.
    pub approved_by: Vec<PersonId>,
    /// What is asked for and is not so.
    pub unmet: Vec<Unmet>,
    /// The positions of the evaluations that were counted.
    pub evaluations: BTreeSet<u64>,
}

impl Registry {
    /// Puts a gate up, or defines it anew.
    ///
    /// # Errors
    /// [`RegistryError::Invalid`] names the field, [`RegistryError::NotFound`] for an unknown model.
    pub async fn define_gate(&self, caller: &Caller, gate: &GateDefined) -> Result<Position, RegistryError> {
        check_gate(gate)?;
        let ask = |models: &Models, _| {
            if let Some(model) = &gate.model {
                find_model(models, model)?;
            }
            Ok(decide(models.rules(), gate.clone().into())?)
        };
        Ok(self.command(caller, Topic::default().and_gates(), ask).await?.position)
    }

    /// Takes a gate down.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`].
    pub async fn remove_gate(
        &self,
        caller: &Caller,
        gate: &Code,
        reason: Option<Text>,
    ) -> Result<Position, RegistryError> {
        let ask = |models: &Models, _| {
            models.gate(gate, AsOf::LATEST).ok_or_else(|| RegistryError::not_found("gate", gate))?;
            Ok(decide(models.rules(), GateRemoved { gate: gate.clone(), reason: reason.clone() }.into())?)
        };
        Ok(self.command(caller, Topic::default().and_gates(), ask).await?.position)
    }

    /// Logs how a version did on a dataset.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`], [`RegistryError::Invalid`], [`RegistryError::Rejected`].
    pub async fn evaluate(
        &self,
        caller: &Caller,
        evaluated: &ModelVersionEvaluated,
    ) -> Result<Position, RegistryError> {
        if evaluated.dataset.trim().is_empty() {
            return Err(RegistryError::invalid("dataset", "it is empty"));
        }
        if evaluated.metrics.is_empty() || evaluated.metrics.len() > MAX_METRICS {
            return Err(RegistryError::invalid("metrics", format!("there must be 1 to {MAX_METRICS}")));
        }
        if let Some((name, _)) = evaluated.metrics.iter().find(|(_, value)| !value.is_finite()) {
            return Err(RegistryError::invalid(format!("metrics.{name}"), "it must be a finite number"));
        }
        let ask = |models: &Models, _| {
            find_version(models, &evaluated.model, &VersionRef::Number(evaluated.version))?;
            Ok(decide(models.rules(), evaluated.clone().into())?)
        };
        Ok(self.command(caller, Topic::model(&evaluated.model), ask).await?.position)
    }

    /// Vouches for a version that somebody else made.
    ///
    /// # Errors
    /// [`RegistryError::OwnApproval`], [`RegistryError::NotFound`], [`RegistryError::Rejected`].
    pub async fn approve(&self, caller: &Caller, approved: &ModelVersionApproved) -> Result<Position, RegistryError> {
        let ModelVersionApproved { model, version, person, .. } = approved;
        let ask = |models: &Models, _| {
            let created = find_version(models, model, &VersionRef::Number(*version))?.created();
            let author = created.value.author.as_ref();
            if let Some(reason) = not_independent(author, &created.actor, person, &caller.actor) {
                let (model, person) = (model.clone(), person.clone());
                return Err(RegistryError::OwnApproval { model, version: *version, person, reason });
            }
            Ok(decide(models.rules(), approved.clone().into())?)
        };
        Ok(self.command(caller, Topic::model(model), ask).await?.position)
    }

    /// Takes an approval back.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`], [`RegistryError::Rejected`] when there is none.
    pub async fn withdraw(
        &self,
        caller: &Caller,
        withdrawn: &ModelApprovalWithdrawn,
    ) -> Result<Position, RegistryError> {
        let ask = |models: &Models, _| {
            find_version(models, &withdrawn.model, &VersionRef::Number(withdrawn.version))?;
            Ok(decide(models.rules(), withdrawn.clone().into())?)
        };
        Ok(self.command(caller, Topic::model(&withdrawn.model), ask).await?.position)
    }
}

/// The approvals of a version that stand: of each person what was said last.
pub(crate) fn approvals<'a>(version: &VersionView<'a>) -> Vec<&'a Said<Approval>> {
    let mut last: BTreeMap<&PersonId, &Said<Approval>> = BTreeMap::new();
    for said in version.approvals() {
        last.insert(&said.value.person, said);
    }
    last.into_values().filter(|said| said.value.given).collect()
}

fn candidate<'a>(version: &VersionView<'a>) -> Candidate<'a> {
    let created = version.created();
    Candidate {
        version: version.number(),
        author: created.value.author.as_ref(),
        actor: &created.actor,
        evaluations: version.evaluations().iter().map(|said| (said.position.get(), &said.value)).collect(),
        approvals: approvals(version).into_iter().map(|said| (&said.value.person, said.actor.as_str())).collect(),
    }
}

/// What stands before a promotion of a version now, and what of it is not so.
pub fn standing(models: &Models, version: VersionView<'_>, promotion: &Guarded) -> Promotion {
    let new = candidate(&version);
    let mut found = Promotion {
        gates: Vec::new(),
        champion: None,
        approved_by: new.approved_by().into_iter().cloned().collect(),
        unmet: Vec::new(),
        evaluations: BTreeSet::new(),
    };
    for gate in before(models, version, promotion) {
        let champion = version.model().alias(champion_alias(gate)).and_then(|number| version.model().version(number));
        let checked = check(gate, &new, champion.as_ref().map(candidate).as_ref());
        found.gates.push(gate.gate.clone());
        found.champion = found.champion.or(champion.map(|champion| champion.number()));
        found.unmet.extend(checked.unmet);
        found.evaluations.extend(checked.evaluations);
    }
    found
}

fn before<'a>(
    models: &'a Models,
    version: VersionView<'a>,
    promotion: &'a Guarded,
) -> impl Iterator<Item = &'a GateDefined> {
    let gates = models.gates(AsOf::LATEST).map(|(gate, _)| gate);
    gates.filter(move |gate| stands_before(gate, version.model().id(), promotion))
}

/// What was checked, when gates stand before a promotion that a version passes.
pub(super) fn must_pass(
    models: &Models,
    next: Position,
    version: VersionView<'_>,
    promotion: &Guarded,
) -> Result<Option<GateCheck>, RegistryError> {
    let found = standing(models, version, promotion);
    if !found.unmet.is_empty() {
        let (model, version) = (version.model().id().clone(), version.number());
        return Err(RegistryError::GateRefused { model, version, unmet: found.unmet });
    }
    if found.gates.is_empty() {
        return Ok(None);
    }
    Ok(Some(GateCheck {
        position: known_to(next),
        gates: found.gates,
        champion: found.champion,
        approved_by: found.approved_by,
        evaluations: found.evaluations.into_iter().collect(),
        waived: Vec::new(),
    }))
}

/// What is not asked, when gates stand before a roll-back.
pub(super) fn waived(
    models: &Models,
    next: Position,
    version: VersionView<'_>,
    promotion: &Guarded,
) -> Option<GateCheck> {
    let waived: Vec<Code> = before(models, version, promotion).map(|gate| gate.gate.clone()).collect();
    (!waived.is_empty()).then(|| GateCheck {
        position: known_to(next),
        gates: Vec::new(),
        champion: None,
        approved_by: Vec::new(),
        evaluations: Vec::new(),
        waived,
    })
}

fn known_to(next: Position) -> u64 {
    next.previous().unwrap_or(Position::START).get()
}

fn check_gate(gate: &GateDefined) -> Result<(), RegistryError> {
    if gate.guards.is_empty() {
        return Err(RegistryError::invalid(
            "guards",
            "a gate stands before something: an alias, a stage or deployments",
        ));
    }
    if gate.approvals == 0 && gate.requires.is_empty() {
        return Err(RegistryError::invalid("approvals", "a gate asks for something: approvals or requirements"));
    }
    if gate.requires.len() > MAX_REQUIREMENTS {
        return Err(RegistryError::invalid("requires", format!("there may be {MAX_REQUIREMENTS} at most")));
    }
    for (index, wanted) in gate.requires.iter().enumerate() {
        let field = |name: &str| format!("requires[{index}].{name}");
        if wanted.dataset.trim().is_empty() {
            return Err(RegistryError::invalid(field("dataset"), "it is empty"));
        }
        if wanted.metric.trim().is_empty() {
            return Err(RegistryError::invalid(field("metric"), "it is empty"));
        }
        if wanted.threshold.is_some_and(|value| !value.is_finite()) {
            return Err(RegistryError::invalid(field("threshold"), "it must be a finite number"));
        }
        if wanted.beats_champion_by.is_some_and(|value| !value.is_finite()) {
            return Err(RegistryError::invalid(field("beats_champion_by"), "it must be a finite number"));
        }
    }
    Ok(())
}
