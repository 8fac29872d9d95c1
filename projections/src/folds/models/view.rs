//! A model and its versions, as they were known at a position.

use domain::events::{ModelKind, ModelRegistered, ModelVersionCreated, ModelVersionEvaluated, Stage};
use domain::ids::{Code, ModelName};
use domain::values::Text;
use eventlog::Position;
use jiff::Timestamp;

use super::said::Said;
use super::story::{Approval, ModelStory, Tags, VersionStory};
use crate::AsOf;

/// A registered model, as it was known. Cheap to copy: it borrows.
#[derive(Clone, Copy, Debug)]
pub struct ModelView<'a> {
    id: &'a ModelName,
    story: &'a ModelStory,
    registered: &'a Said<ModelRegistered>,
    as_of: AsOf,
}

/// A version, as it was known. Cheap to copy: it borrows.
#[derive(Clone, Copy, Debug)]
pub struct VersionView<'a> {
    model: ModelView<'a>,
    number: u32,
    story: &'a VersionStory,
    created: &'a Said<ModelVersionCreated>,
}

fn tags_of(tags: &Tags, as_of: AsOf) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().filter_map(move |(key, told)| Some((key.as_str(), told.last(as_of)?.value.as_deref()?)))
}

fn tag_of<'a>(tags: &'a Tags, key: &str, as_of: AsOf) -> Option<&'a str> {
    tags.get(key)?.last(as_of)?.value.as_deref()
}

impl<'a> ModelView<'a> {
    /// The model, when it was registered then.
    pub(super) fn new(id: &'a ModelName, story: &'a ModelStory, as_of: AsOf) -> Option<Self> {
        let registered = story.registered.last(as_of)?;
        Some(Self { id, story, registered, as_of })
    }

    /// Its id, which it keeps for ever.
    pub const fn id(&self) -> &'a ModelName {
        self.id
    }

    /// What people call it.
    pub fn name(&self) -> &'a str {
        self.story.names.last(self.as_of).map_or(self.id.as_str(), |said| said.value.as_str())
    }

    /// What it is made from.
    pub const fn kind(&self) -> ModelKind {
        self.registered.value.kind
    }

    /// How it was registered last.
    pub const fn registered(&self) -> &'a Said<ModelRegistered> {
        self.registered
    }

    /// What it is for, in Chinese and English.
    pub const fn text(&self) -> &'a Text {
        &self.registered.value.description
    }

    /// What it is for, in words without a language, when somebody said so after it was registered.
    pub fn description(&self) -> Option<&'a str> {
        let said = self.story.descriptions.last(self.as_of)?;
        (said.position > self.registered.position).then_some(said.value.as_str())
    }

    /// Its tags, by key.
    pub fn tags(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        tags_of(&self.story.tags, self.as_of)
    }

    /// The value of a tag.
    pub fn tag(&self, key: &str) -> Option<&'a str> {
        tag_of(&self.story.tags, key, self.as_of)
    }

    /// When it came to be.
    pub fn created(&self) -> Timestamp {
        self.story.registered.first(self.as_of).unwrap_or(self.registered).since()
    }

    /// When it, or which versions it has, or their stages were changed last.
    pub fn updated(&self) -> Timestamp {
        self.story.changes.last(self.as_of).unwrap_or_else(|| self.created())
    }

    /// When and why it was deleted.
    pub fn deleted(&self) -> Option<&'a Said<Option<Text>>> {
        self.story.deleted.first(self.as_of)
    }

    /// A version, as long as it is offered.
    pub fn version(&self, number: u32) -> Option<VersionView<'a>> {
        self.version_ever(number).filter(|version| version.deleted().is_none())
    }

    /// A version, also when it is no longer offered.
    pub fn version_ever(&self, number: u32) -> Option<VersionView<'a>> {
        let story = self.story.versions.get(&number)?;
        Some(VersionView { model: *self, number, story, created: story.created.first(self.as_of)? })
    }

    /// The versions that are offered, lowest number first.
    pub fn versions(&self) -> impl DoubleEndedIterator<Item = VersionView<'a>> + use<'a> {
        self.versions_ever().filter(|version| version.deleted().is_none())
    }

    /// Every version that there ever was, lowest number first.
    pub fn versions_ever(&self) -> impl DoubleEndedIterator<Item = VersionView<'a>> + use<'a> {
        let model = *self;
        model.story.versions.iter().filter_map(move |(number, story)| {
            Some(VersionView { model, number: *number, story, created: story.created.first(model.as_of)? })
        })
    }

    /// The version with the greatest number that is offered.
    pub fn latest(&self) -> Option<VersionView<'a>> {
        self.versions().next_back()
    }

    /// The version that an alias names.
    pub fn alias(&self, alias: &str) -> Option<u32> {
        // An alias that is no code was never set.
        let alias = Code::new(alias).ok()?;
        self.story.aliases.get(&alias)?.last(self.as_of)?.value
    }

    /// The aliases, with the versions that they name and where the log says so.
    pub fn aliases(&self) -> impl Iterator<Item = (&'a Code, u32, Position)> + use<'a> {
        let as_of = self.as_of;
        self.story.aliases.iter().filter_map(move |(alias, told)| {
            let said = told.last(as_of)?;
            Some((alias, said.value?, said.position))
        })
    }

    /// What an alias named over time; `None` where it was taken away.
    pub fn alias_history(&self, alias: &Code) -> &'a [Said<Option<u32>>] {
        self.story.aliases.get(alias).map(|told| told.as_of(self.as_of)).unwrap_or_default()
    }

    /// Every alias that there ever was.
    pub fn aliases_ever(&self) -> impl Iterator<Item = &'a Code> + use<'a> {
        let as_of = self.as_of;
        let ever = self.story.aliases.iter().filter(move |(_, told)| told.first(as_of).is_some());
        ever.map(|(alias, _)| alias)
    }

    /// What it was called over time.
    pub fn names(&self) -> &'a [Said<String>] {
        self.story.names.as_of(self.as_of)
    }
}

impl<'a> VersionView<'a> {
    /// Its model.
    pub const fn model(&self) -> ModelView<'a> {
        self.model
    }

    /// Its number.
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// What the log says about it, its files and what it was made from included.
    pub const fn created(&self) -> &'a Said<ModelVersionCreated> {
        self.created
    }

    /// When it, its description or its stage was changed last.
    pub fn updated(&self) -> Timestamp {
        self.story.changes.last(self.model.as_of).unwrap_or_else(|| self.created.since())
    }

    /// What it is, in words without a language, when somebody said so.
    pub fn description(&self) -> Option<&'a str> {
        self.story.descriptions.last(self.model.as_of).map(|said| said.value.as_str())
    }

    /// Its tags, by key.
    pub fn tags(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        tags_of(&self.story.tags, self.model.as_of)
    }

    /// The value of a tag.
    pub fn tag(&self, key: &str) -> Option<&'a str> {
        tag_of(&self.story.tags, key, self.model.as_of)
    }

    /// Its stage.
    pub fn stage(&self) -> Stage {
        self.story.stages.last(self.model.as_of).map(|said| said.value).unwrap_or_default()
    }

    /// Its stages over time.
    pub fn stages(&self) -> &'a [Said<Stage>] {
        self.story.stages.as_of(self.model.as_of)
    }

    /// The aliases that name it.
    pub fn aliases(&self) -> impl Iterator<Item = &'a Code> + use<'a> {
        let number = self.number;
        self.model.aliases().filter(move |(_, named, _)| *named == number).map(|(alias, _, _)| alias)
    }

    /// How it did, in log order.
    pub fn evaluations(&self) -> &'a [Said<ModelVersionEvaluated>] {
        self.story.evaluations.as_of(self.model.as_of)
    }

    /// Who vouched for it and who took that back, in log order.
    pub fn approvals(&self) -> &'a [Said<Approval>] {
        self.story.approvals.as_of(self.model.as_of)
    }

    /// When and why it was deleted, alone or with its model.
    pub fn deleted(&self) -> Option<&'a Said<Option<Text>>> {
        self.story.deleted.first(self.model.as_of).or_else(|| self.model.deleted())
    }
}
