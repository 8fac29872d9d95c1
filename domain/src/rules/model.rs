//! Registered models: versions without gaps, aliases that name versions that are there.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Aggregate, Contradiction, contradiction};
use crate::events::{Artifact, Event, ModelKind};
use crate::ids::{Code, ModelName};

/// What is known of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Its name.
    pub id: String,
    /// What it is made from, once it was registered.
    pub kind: Option<ModelKind>,
    /// Its versions.
    pub versions: BTreeSet<u32>,
    /// What its aliases name.
    pub aliases: BTreeMap<Code, u32>,
}

impl State {
    /// A model that was never registered.
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), kind: None, versions: BTreeSet::new(), aliases: BTreeMap::new() }
    }

    /// The greatest version number; 0 when there is none.
    pub fn last_version(&self) -> u32 {
        self.versions.last().copied().unwrap_or(0)
    }

    fn is(&self, model: &ModelName) -> bool {
        self.id == model.as_str()
    }

    fn no_version(&self, version: u32) -> Option<Contradiction> {
        let id = &self.id;
        if self.versions.contains(&version) {
            return None;
        }
        let reason = format!("model {id} has no version {version}");
        contradiction("model.no_such_version", reason, format!("模型 {id} 没有版本 {version}"))
    }

    fn bad_version(&self, version: u32, artifacts: &[Artifact]) -> Option<Contradiction> {
        let id = &self.id;
        if self.kind.is_none() {
            return contradiction(
                "model.not_registered",
                format!("model {id} was never registered"),
                format!("模型 {id} 从未注册"),
            );
        }
        if self.versions.contains(&version) {
            let reason = format!("version {version} of model {id} is there already: versions do not change");
            return contradiction(
                "model.version_exists",
                reason,
                format!("模型 {id} 的版本 {version} 已存在，版本不可更改"),
            );
        }
        let next = u64::from(self.last_version()) + 1;
        if u64::from(version) != next {
            let reason = format!("the next version of model {id} is {next}, not {version}");
            return contradiction(
                "model.version_gap",
                reason,
                format!("模型 {id} 的下一版本是 {next}，不是 {version}"),
            );
        }
        let wrong = artifacts.iter().find(|artifact| !is_digest(&artifact.sha256))?;
        let reason = format!("sha256 of artifact {:?} is not 64 lower-case hexadecimal digits", wrong.name);
        contradiction(
            "model.artifact_digest",
            reason,
            format!("文件 {:?} 的 sha256 不是 64 位小写十六进制", wrong.name),
        )
    }
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl Aggregate for State {
    fn evolve(mut self, event: &Event) -> Self {
        match event {
            Event::ModelRegistered(e) if self.is(&e.model) => self.kind = Some(e.kind),
            Event::ModelVersionCreated(e) if self.is(&e.model) => {
                self.versions.insert(e.version);
            }
            Event::AliasSet(e) if self.is(&e.model) => {
                self.aliases.insert(e.alias.clone(), e.version);
            }
            Event::AliasRemoved(e) if self.is(&e.model) => {
                self.aliases.remove(&e.alias);
            }
            _ => {}
        }
        self
    }

    fn contradiction(&self, event: &Event) -> Option<Contradiction> {
        let id = &self.id;
        match event {
            Event::ModelRegistered(e) if self.is(&e.model) && self.kind.is_some_and(|kind| kind != e.kind) => {
                let reason = format!("model {id} was registered as made from something else");
                contradiction("model.other_kind", reason, format!("模型 {id} 已注册为其他类型"))
            }
            Event::ModelVersionCreated(e) if self.is(&e.model) => self.bad_version(e.version, &e.artifacts),
            Event::AliasSet(e) if self.is(&e.model) => self.no_version(e.version),
            Event::AliasRemoved(e) if self.is(&e.model) && !self.aliases.contains_key(&e.alias) => {
                let reason = format!("model {id} has no alias {}", e.alias);
                contradiction("model.no_such_alias", reason, format!("模型 {id} 没有别名 {}", e.alias))
            }
            Event::ModelDeployed(e) if self.is(&e.model) => self.no_version(e.version),
            _ => None,
        }
    }
}
