//! Deployments: made, moved to other versions, moved back, ended.

use domain::Event;
use domain::events::{DeploymentRetired, Guarded, ModelDeployed};
use domain::ids::DeploymentId;
use domain::rules::{Command, RollBack, decide};
use eventlog::Position;
use projections::AsOf;
use projections::folds::models::{DeploymentView, Models};

use super::command::{Done, other_event};
use super::topic::Topic;
use super::{Registry, find_version, gates};
use crate::commands::{Caller, Decision, Deploy, Deployed, VersionRef};
use crate::error::RegistryError;

/// The greatest period of a deployment: one day.
pub const MAX_PERIOD_S: u32 = 86_400;

impl Registry {
    /// Lets a version run on its target from now on. A deployment that runs is moved to the version.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] for an unknown model or version, [`RegistryError::Rejected`] when the rules forbid it,
    /// [`RegistryError::Load`] when the version cannot be loaded.
    pub async fn deploy(&self, caller: &Caller, request: Deploy) -> Result<Deployed, RegistryError> {
        if request.period_s == 0 || request.period_s > MAX_PERIOD_S {
            return Err(RegistryError::invalid("period_s", format!("it must be from 1 to {MAX_PERIOD_S}")));
        }
        // What cannot be loaded must not be deployed.
        self.load(&request.model, &request.version).await?;
        let topic = Topic::deployment(&request.deployment).and_model(&request.model).and_gates();
        let ask = |models: &Models, next| {
            let found = find_version(models, &request.model, &request.version)?;
            let checked = gates::must_pass(models, next, found, &Guarded::Deployment)?;
            let version = found.number();
            let deploy = ModelDeployed {
                deployment: request.deployment.clone(),
                model: request.model.clone(),
                version,
                target: request.target.clone(),
                period_s: request.period_s,
                replaces: None,
                person: request.person.clone(),
                reason: request.reason.clone(),
                checked,
            };
            Ok(decide(models.rules(), Command::Deploy(deploy))?)
        };
        deployed(caller, self.command(caller, topic, ask).await?)
    }

    /// Ends a deployment.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`], or [`RegistryError::Rejected`] when it is retired already.
    pub async fn retire(
        &self,
        caller: &Caller,
        deployment: &DeploymentId,
        decision: Decision,
    ) -> Result<Position, RegistryError> {
        let retired = DeploymentRetired { deployment: deployment.clone(), reason: decision.reason };
        let ask = |models: &Models, _| {
            find_deployment(models, deployment)?;
            Ok(decide(models.rules(), retired.clone().into())?)
        };
        Ok(self.command(caller, Topic::deployment(deployment), ask).await?.position)
    }

    /// Moves a running deployment back to the version that ran before the present one. No gate is asked, because that version ran here before, and who is called at night
    /// must be able to go back to it; the gates that were not asked stand in the event.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`], or [`RegistryError::Rejected`] when it is retired or no version ran before.
    pub async fn roll_back(
        &self,
        caller: &Caller,
        deployment: &DeploymentId,
        decision: Decision,
    ) -> Result<Deployed, RegistryError> {
        let model =
            self.read(|models| find_deployment(models, deployment).map(|known| known.deployed.model.clone()))?;
        let back =
            RollBack { deployment: deployment.clone(), to: None, person: decision.person, reason: decision.reason };
        let ask = |models: &Models, next| {
            let mut events = decide(models.rules(), Command::RollBack(back.clone()))?;
            for event in &mut events {
                if let Event::ModelDeployed(deployed) = event {
                    let found = find_version(models, &deployed.model, &VersionRef::Number(deployed.version))?;
                    deployed.checked = gates::waived(models, next, found, &Guarded::Deployment);
                }
            }
            Ok(events)
        };
        // A deployment never changes its model.
        let topic = Topic::deployment(deployment).and_model(&model).and_gates();
        deployed(caller, self.command(caller, topic, ask).await?)
    }
}

fn find_deployment<'a>(models: &'a Models, deployment: &DeploymentId) -> Result<DeploymentView<'a>, RegistryError> {
    models.deployment(deployment, AsOf::LATEST).ok_or_else(|| RegistryError::not_found("deployment", deployment))
}

fn deployed(caller: &Caller, done: Done) -> Result<Deployed, RegistryError> {
    match done.events.first() {
        Some(Event::ModelDeployed(ModelDeployed { version, replaces, .. })) => {
            Ok(Deployed { version: *version, replaces: *replaces, position: done.position })
        }
        _ => Err(other_event(caller)),
    }
}
