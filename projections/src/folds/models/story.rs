//! Everything that was said about one model.

use std::collections::BTreeMap;

use domain::Event;
use domain::events::{ModelRegistered, ModelStageSet, ModelVersionCreated, ModelVersionEvaluated, Stage};
use domain::ids::{Code, ModelName, PersonId};
use domain::values::Text;
use serde::{Deserialize, Serialize};

use super::said::{Changes, Told};
use crate::Entry;

/// Somebody vouched for a version, or took that back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// Who.
    pub person: PersonId,
    /// Whether it was given; otherwise it was taken back.
    pub given: bool,
    /// What they looked at, or why they took it back.
    pub note: Option<Text>,
}

/// What was said about tags, by key; `None` where one was taken away.
pub(super) type Tags = BTreeMap<String, Told<Option<String>>>;

/// Everything that was said about a version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct VersionStory {
    /// A version is immutable: the first one counts.
    pub(super) created: Told<ModelVersionCreated>,
    pub(super) descriptions: Told<String>,
    pub(super) tags: Tags,
    pub(super) stages: Told<Stage>,
    pub(super) evaluations: Told<ModelVersionEvaluated>,
    pub(super) approvals: Told<Approval>,
    pub(super) deleted: Told<Option<Text>>,
    pub(super) changes: Changes,
}

/// Everything that was said about a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct ModelStory {
    pub(super) registered: Told<ModelRegistered>,
    pub(super) names: Told<String>,
    pub(super) descriptions: Told<String>,
    pub(super) tags: Tags,
    pub(super) versions: BTreeMap<u32, VersionStory>,
    pub(super) aliases: BTreeMap<Code, Told<Option<u32>>>,
    pub(super) deleted: Told<Option<Text>>,
    pub(super) changes: Changes,
}

/// The model whose story an event belongs to. Deployments have a story of their own.
pub(super) fn model_of(event: &Event) -> Option<&ModelName> {
    match event {
        Event::ModelRegistered(e) => Some(&e.model),
        Event::ModelRenamed(e) => Some(&e.model),
        Event::ModelDescribed(e) => Some(&e.model),
        Event::ModelTagSet(e) => Some(&e.model),
        Event::ModelTagRemoved(e) => Some(&e.model),
        Event::ModelVersionCreated(e) => Some(&e.model),
        Event::ModelVersionDeleted(e) => Some(&e.model),
        Event::ModelDeleted(e) => Some(&e.model),
        Event::AliasSet(e) => Some(&e.model),
        Event::AliasRemoved(e) => Some(&e.model),
        Event::ModelStageSet(e) => Some(&e.model),
        Event::ModelVersionEvaluated(e) => Some(&e.model),
        Event::ModelVersionApproved(e) => Some(&e.model),
        Event::ModelApprovalWithdrawn(e) => Some(&e.model),
        _ => None,
    }
}

impl ModelStory {
    /// Takes in an event of this model.
    pub(super) fn take(&mut self, entry: &Entry, event: &Event) {
        match event {
            Event::ModelRegistered(e) => {
                self.names.push(entry, e.name.clone().unwrap_or_else(|| e.model.to_string()));
                self.registered.push(entry, e.clone());
                self.changes.push(entry);
            }
            Event::ModelRenamed(e) => {
                self.names.push(entry, e.name.clone());
                self.changes.push(entry);
                // MLflow counts a rename as a change of each version, since a version is named by its model.
                self.versions.values_mut().for_each(|version| version.changes.push(entry));
            }
            Event::ModelDescribed(e) => match e.version {
                Some(version) => {
                    let version = self.version(version);
                    version.descriptions.push(entry, e.description.clone());
                    version.changes.push(entry);
                }
                None => {
                    self.descriptions.push(entry, e.description.clone());
                    self.changes.push(entry);
                }
            },
            Event::ModelTagSet(e) => self.tag(e.version, &e.key, entry, Some(e.value.clone())),
            Event::ModelTagRemoved(e) => self.tag(e.version, &e.key, entry, None),
            Event::ModelVersionCreated(e) => {
                let version = self.version(e.version);
                version.created.push(entry, e.clone());
                version.changes.push(entry);
                self.changes.push(entry);
            }
            Event::ModelVersionDeleted(e) => {
                self.unname(entry, |named| named == e.version);
                let version = self.version(e.version);
                version.deleted.push(entry, e.reason.clone());
                version.changes.push(entry);
                self.changes.push(entry);
            }
            Event::ModelDeleted(e) => {
                self.unname(entry, |_| true);
                self.deleted.push(entry, e.reason.clone());
                self.changes.push(entry);
            }
            Event::AliasSet(e) => self.aliases.entry(e.alias.clone()).or_default().push(entry, Some(e.version)),
            Event::AliasRemoved(e) => self.aliases.entry(e.alias.clone()).or_default().push(entry, None),
            Event::ModelStageSet(e) => self.stage(entry, e),
            Event::ModelVersionEvaluated(e) => self.version(e.version).evaluations.push(entry, e.clone()),
            Event::ModelVersionApproved(e) => {
                let approval = Approval { person: e.person.clone(), given: true, note: e.note.clone() };
                self.version(e.version).approvals.push(entry, approval);
            }
            Event::ModelApprovalWithdrawn(e) => {
                let approval = Approval { person: e.person.clone(), given: false, note: e.reason.clone() };
                self.version(e.version).approvals.push(entry, approval);
            }
            _ => {}
        }
    }

    fn version(&mut self, number: u32) -> &mut VersionStory {
        self.versions.entry(number).or_default()
    }

    fn tag(&mut self, version: Option<u32>, key: &str, entry: &Entry, value: Option<String>) {
        let tags = match version {
            Some(version) => &mut self.version(version).tags,
            None => &mut self.tags,
        };
        tags.entry(key.to_owned()).or_default().push(entry, value);
    }

    fn stage(&mut self, entry: &Entry, set: &ModelStageSet) {
        let archived = set.archives.iter().map(|version| (*version, Stage::Archived));
        for (version, stage) in archived.chain([(set.version, set.stage)]) {
            let version = self.version(version);
            version.stages.push(entry, stage);
            version.changes.push(entry);
        }
        self.changes.push(entry);
    }

    /// What is deleted has no names.
    fn unname(&mut self, entry: &Entry, gone: impl Fn(u32) -> bool) {
        for told in self.aliases.values_mut() {
            let named = told.last(crate::AsOf::LATEST).and_then(|said| said.value);
            if named.is_some_and(&gone) {
                told.push(entry, None);
            }
        }
    }
}
