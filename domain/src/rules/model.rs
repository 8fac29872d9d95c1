//! Registered models: versions without gaps, names for versions that are there, approvals by others than the author; nothing of a deleted model changes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Aggregate, Contradiction, contradiction};
use crate::events::{Artifact, Event, ModelKind, ModelStageSet, ModelVersionCreated, Stage};
use crate::ids::{Code, ModelName, PersonId};

/// What is known of a version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// Whether it is no longer offered.
    pub deleted: bool,
    /// Its stage.
    pub stage: Stage,
    /// Who made it, when that is known to be a person.
    pub author: Option<PersonId>,
    /// Who vouches for it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub approved_by: BTreeSet<PersonId>,
}

/// What is known of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Its id.
    pub id: String,
    /// What it is made from, once it was registered.
    pub kind: Option<ModelKind>,
    /// Whether it is no longer offered.
    pub deleted: bool,
    /// Its versions by number, also those that are no longer offered.
    pub versions: BTreeMap<u32, Version>,
    /// What its aliases name.
    pub aliases: BTreeMap<Code, u32>,
}

impl State {
    /// A model that was never registered.
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), kind: None, deleted: false, versions: BTreeMap::new(), aliases: BTreeMap::new() }
    }

    /// The greatest version number that was ever used; 0 when there is none.
    pub fn last_version(&self) -> u32 {
        self.versions.last_key_value().map_or(0, |(version, _)| *version)
    }

    /// The version with the greatest number that is still offered.
    pub fn latest(&self) -> Option<u32> {
        self.versions.iter().rev().find(|(_, version)| !version.deleted).map(|(number, _)| *number)
    }

    /// The versions in a stage that are still offered, lowest number first.
    pub fn in_stage(&self, stage: Stage) -> impl Iterator<Item = u32> {
        let versions = self.versions.iter().filter(move |(_, version)| !version.deleted && version.stage == stage);
        versions.map(|(number, _)| *number)
    }

    fn is(&self, model: &ModelName) -> bool {
        self.id == model.as_str()
    }

    fn not_there(&self) -> Option<Contradiction> {
        let id = &self.id;
        if self.deleted {
            return contradiction("model.deleted", format!("model {id} was deleted"), format!("模型 {id} 已删除"));
        }
        if self.kind.is_none() {
            return contradiction(
                "model.not_registered",
                format!("model {id} was never registered"),
                format!("模型 {id} 从未注册"),
            );
        }
        None
    }

    fn no_version(&self, number: u32) -> Option<Contradiction> {
        let id = &self.id;
        match self.versions.get(&number) {
            Some(version) if !version.deleted => None,
            Some(_) => contradiction(
                "model.version_deleted",
                format!("version {number} of model {id} was deleted"),
                format!("模型 {id} 的版本 {number} 已删除"),
            ),
            None => contradiction(
                "model.no_such_version",
                format!("model {id} has no version {number}"),
                format!("模型 {id} 没有版本 {number}"),
            ),
        }
    }

    /// What stands against an event about a version, or about the model when no version is named.
    fn no_subject(&self, version: Option<u32>) -> Option<Contradiction> {
        match version {
            Some(version) => self.no_version(version),
            None => self.not_there(),
        }
    }

    fn bad_registration(&self, kind: ModelKind) -> Option<Contradiction> {
        let id = &self.id;
        if self.deleted {
            let reason = format!("model {id} was deleted; a new model needs an id of its own");
            return contradiction("model.deleted", reason, format!("模型 {id} 已删除，新模型须有新编号"));
        }
        if self.kind.is_some_and(|known| known != kind) {
            let reason = format!("model {id} was registered as made from something else");
            return contradiction("model.other_kind", reason, format!("模型 {id} 已注册为其他类型"));
        }
        None
    }

    fn bad_version(&self, version: u32, artifacts: &[Artifact]) -> Option<Contradiction> {
        let id = &self.id;
        if let Some(found) = self.not_there() {
            return Some(found);
        }
        if self.versions.contains_key(&version) {
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

    fn bad_dataset_digest(&self, sha256: Option<&String>) -> Option<Contradiction> {
        let wrong = sha256.filter(|sha256| !is_digest(sha256))?;
        let reason = format!("dataset_sha256 {wrong:?} is not 64 lower-case hexadecimal digits");
        contradiction("model.dataset_digest", reason, format!("dataset_sha256 {wrong:?} 不是 64 位小写十六进制"))
    }

    fn bad_approval(&self, number: u32, person: &PersonId) -> Option<Contradiction> {
        let id = &self.id;
        if let Some(found) = self.no_version(number) {
            return Some(found);
        }
        let version = self.versions.get(&number)?;
        if version.author.as_ref() == Some(person) {
            let reason = format!("{person} made version {number} of model {id}, and cannot approve it");
            return contradiction(
                "model.own_approval",
                reason,
                format!("{person} 是模型 {id} 版本 {number} 的作者，不能自行批准"),
            );
        }
        if version.approved_by.contains(person) {
            let reason = format!("{person} has approved version {number} of model {id} already");
            return contradiction(
                "model.approved_twice",
                reason,
                format!("{person} 已批准过模型 {id} 的版本 {number}"),
            );
        }
        None
    }

    fn bad_withdrawal(&self, number: u32, person: &PersonId) -> Option<Contradiction> {
        let id = &self.id;
        if let Some(found) = self.no_version(number) {
            return Some(found);
        }
        if self.versions.get(&number).is_some_and(|version| version.approved_by.contains(person)) {
            return None;
        }
        let reason = format!("{person} has not approved version {number} of model {id}");
        contradiction("model.not_approved", reason, format!("{person} 没有批准过模型 {id} 的版本 {number}"))
    }

    fn bad_stage(&self, set: &ModelStageSet) -> Option<Contradiction> {
        std::iter::once(&set.version).chain(&set.archives).find_map(|version| self.no_version(*version))
    }

    fn version_mut(&mut self, number: u32) -> Option<&mut Version> {
        self.versions.get_mut(&number)
    }

    fn created(&mut self, created: &ModelVersionCreated) {
        // A version does not change: what is said of it a second time does not count.
        self.versions
            .entry(created.version)
            .or_insert_with(|| Version { author: created.author.clone(), ..Version::default() });
    }

    fn delete_version(&mut self, number: u32) {
        self.aliases.retain(|_, version| *version != number);
        if let Some(version) = self.version_mut(number) {
            version.deleted = true;
        }
    }

    fn set_stage(&mut self, set: &ModelStageSet) {
        for number in &set.archives {
            if let Some(version) = self.version_mut(*number) {
                version.stage = Stage::Archived;
            }
        }
        if let Some(version) = self.version_mut(set.version) {
            version.stage = set.stage;
        }
    }
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl Aggregate for State {
    fn evolve(mut self, event: &Event) -> Self {
        match event {
            Event::ModelRegistered(e) if self.is(&e.model) => self.kind = Some(e.kind),
            Event::ModelVersionCreated(e) if self.is(&e.model) => self.created(e),
            Event::AliasSet(e) if self.is(&e.model) => {
                self.aliases.insert(e.alias.clone(), e.version);
            }
            Event::AliasRemoved(e) if self.is(&e.model) => {
                self.aliases.remove(&e.alias);
            }
            Event::ModelStageSet(e) if self.is(&e.model) => self.set_stage(e),
            Event::ModelVersionApproved(e) if self.is(&e.model) => {
                if let Some(version) = self.version_mut(e.version) {
                    version.approved_by.insert(e.person.clone());
                }
            }
            Event::ModelApprovalWithdrawn(e) if self.is(&e.model) => {
                if let Some(version) = self.version_mut(e.version) {
                    version.approved_by.remove(&e.person);
                }
            }
            Event::ModelVersionDeleted(e) if self.is(&e.model) => self.delete_version(e.version),
            Event::ModelDeleted(e) if self.is(&e.model) => {
                self.deleted = true;
                self.aliases.clear();
            }
            _ => {}
        }
        self
    }

    fn contradiction(&self, event: &Event) -> Option<Contradiction> {
        let id = &self.id;
        match event {
            Event::ModelRegistered(e) if self.is(&e.model) => self.bad_registration(e.kind),
            Event::ModelVersionCreated(e) if self.is(&e.model) => self.bad_version(e.version, &e.artifacts),
            // What is deleted with its model needs no rule for each of its versions.
            _ if self.deleted && about(event).is_some_and(|model| self.is(model)) => self.not_there(),
            Event::ModelDeployed(e) if self.is(&e.model) => self.no_version(e.version),
            Event::AliasSet(e) if self.is(&e.model) => self.no_version(e.version),
            Event::AliasRemoved(e) if self.is(&e.model) && !self.aliases.contains_key(&e.alias) => {
                let reason = format!("model {id} has no alias {}", e.alias);
                contradiction("model.no_such_alias", reason, format!("模型 {id} 没有别名 {}", e.alias))
            }
            Event::ModelRenamed(e) if self.is(&e.model) => self.not_there(),
            Event::ModelDescribed(e) if self.is(&e.model) => self.no_subject(e.version),
            Event::ModelTagSet(e) if self.is(&e.model) => self.no_subject(e.version),
            Event::ModelTagRemoved(e) if self.is(&e.model) => self.no_subject(e.version),
            Event::ModelStageSet(e) if self.is(&e.model) => self.bad_stage(e),
            Event::ModelVersionEvaluated(e) if self.is(&e.model) => {
                self.no_version(e.version).or_else(|| self.bad_dataset_digest(e.dataset_sha256.as_ref()))
            }
            Event::ModelVersionApproved(e) if self.is(&e.model) => self.bad_approval(e.version, &e.person),
            Event::ModelApprovalWithdrawn(e) if self.is(&e.model) => self.bad_withdrawal(e.version, &e.person),
            Event::ModelVersionDeleted(e) if self.is(&e.model) => self.no_version(e.version),
            Event::ModelDeleted(e) if self.is(&e.model) => self.not_there(),
            _ => None,
        }
    }
}

/// The model that an event changes or runs. What was predicted with it stays true.
fn about(event: &Event) -> Option<&ModelName> {
    match event {
        Event::ModelRenamed(e) => Some(&e.model),
        Event::ModelDescribed(e) => Some(&e.model),
        Event::ModelTagSet(e) => Some(&e.model),
        Event::ModelTagRemoved(e) => Some(&e.model),
        Event::AliasSet(e) => Some(&e.model),
        Event::AliasRemoved(e) => Some(&e.model),
        Event::ModelStageSet(e) => Some(&e.model),
        Event::ModelVersionEvaluated(e) => Some(&e.model),
        Event::ModelVersionApproved(e) => Some(&e.model),
        Event::ModelApprovalWithdrawn(e) => Some(&e.model),
        Event::ModelVersionDeleted(e) => Some(&e.model),
        Event::ModelDeleted(e) => Some(&e.model),
        Event::ModelDeployed(e) => Some(&e.model),
        _ => None,
    }
}
