//! Deployments: which version runs where, and which ran before.

use serde::{Deserialize, Serialize};

use super::{Aggregate, Contradiction, contradiction};
use crate::events::{Event, ModelDeployed, Target};
use crate::ids::{DeploymentId, ModelName};

/// How many moves between versions a deployment remembers, so that it can be rolled back.
pub const MAX_HISTORY: usize = 1024;

/// What a deployment was told to do last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The model.
    pub model: ModelName,
    /// The version.
    pub version: u32,
    /// Where.
    pub target: Target,
    /// Seconds between predictions for one asset.
    pub period_s: u32,
}

/// What is known of a deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Its id.
    pub id: String,
    /// What it was told last, once it was deployed.
    pub current: Option<Settings>,
    /// The versions that ran, in the order in which they began to, the present one last.
    pub history: Vec<u32>,
    /// Whether it runs no longer.
    pub retired: bool,
}

impl State {
    /// A deployment that was never made.
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), current: None, history: Vec::new(), retired: false }
    }

    /// The version that runs.
    pub fn running(&self) -> Option<u32> {
        self.current.as_ref().filter(|_| !self.retired).map(|settings| settings.version)
    }

    /// The model, target and period of what runs.
    pub fn settings(&self) -> Option<(ModelName, Target, u32)> {
        let settings = self.current.as_ref().filter(|_| !self.retired)?;
        Some((settings.model.clone(), settings.target.clone(), settings.period_s))
    }

    /// The version that ran before this one began to run last.
    pub fn before(&self, version: u32) -> Option<u32> {
        let began = self.history.iter().rposition(|known| *known == version)?;
        self.history.iter().take(began).rev().find(|known| **known != version).copied()
    }

    fn is(&self, deployment: &DeploymentId) -> bool {
        self.id == deployment.as_str()
    }

    fn bad_deploy(&self, deploy: &ModelDeployed) -> Option<Contradiction> {
        let id = &self.id;
        if self.retired {
            let reason = format!("deployment {id} is retired; a new one needs an id of its own");
            return contradiction("deployment.retired", reason, format!("部署 {id} 已停用，新部署须有新编号"));
        }
        let Some(current) = &self.current else {
            let replaces = deploy.replaces?;
            let reason = format!("deployment {id} is new, so that it cannot replace version {replaces}");
            return contradiction(
                "deployment.nothing_to_replace",
                reason,
                format!("部署 {id} 是新建的，没有可替换的版本 {replaces}"),
            );
        };
        if current.model != deploy.model {
            let reason = format!("deployment {id} runs model {}, not model {}", current.model, deploy.model);
            return contradiction(
                "deployment.other_model",
                reason,
                format!("部署 {id} 运行模型 {}，不是 {}", current.model, deploy.model),
            );
        }
        if current.target != deploy.target {
            let reason = format!("deployment {id} runs elsewhere; another target needs a deployment of its own");
            return contradiction(
                "deployment.other_target",
                reason,
                format!("部署 {id} 运行在其他对象上，新对象须另建部署"),
            );
        }
        let running = current.version;
        if deploy.replaces != Some(running) {
            let said = deploy.replaces.map_or_else(|| "no version".to_owned(), |version| format!("version {version}"));
            let reason = format!("deployment {id} runs version {running}, and {said} is said to be replaced");
            return contradiction(
                "deployment.replaces_other",
                reason,
                format!("部署 {id} 运行的是版本 {running}，与所述被替换版本不符"),
            );
        }
        None
    }

    fn not_running(&self) -> Option<Contradiction> {
        let id = &self.id;
        if self.retired {
            return contradiction(
                "deployment.retired_twice",
                format!("deployment {id} was retired before"),
                format!("部署 {id} 此前已停用"),
            );
        }
        if self.current.is_none() {
            return contradiction(
                "deployment.not_deployed",
                format!("deployment {id} was never made"),
                format!("部署 {id} 从未建立"),
            );
        }
        None
    }
}

impl Aggregate for State {
    fn evolve(mut self, event: &Event) -> Self {
        match event {
            Event::ModelDeployed(e) if self.is(&e.deployment) => {
                let (model, version, target, period_s) = (e.model.clone(), e.version, e.target.clone(), e.period_s);
                self.current = Some(Settings { model, version, target, period_s });
                if self.history.len() >= MAX_HISTORY {
                    self.history.remove(0);
                }
                self.history.push(version);
            }
            Event::DeploymentRetired(e) if self.is(&e.deployment) => self.retired = true,
            _ => {}
        }
        self
    }

    fn contradiction(&self, event: &Event) -> Option<Contradiction> {
        let id = &self.id;
        match event {
            Event::ModelDeployed(e) if self.is(&e.deployment) => self.bad_deploy(e),
            Event::DeploymentRetired(e) if self.is(&e.deployment) => self.not_running(),
            // A prediction that was under way when its version was replaced or retired is normal: the version only has to have run.
            Event::PredictionMade(e) if self.is(&e.deployment) && self.history.len() < MAX_HISTORY => {
                let model = self.current.as_ref().map(|settings| &settings.model);
                if model == Some(&e.model) && self.history.contains(&e.version) {
                    return None;
                }
                let reason = format!("version {} of model {} never ran in deployment {id}", e.version, e.model);
                contradiction(
                    "deployment.never_ran",
                    reason,
                    format!("模型 {} 的版本 {} 从未在部署 {id} 中运行", e.model, e.version),
                )
            }
            _ => None,
        }
    }
}
