//! Models: what they are called, what is said about them, and their end.

use domain::Event;
use domain::events::{
    KeyValue, ModelDeleted, ModelDescribed, ModelRegistered, ModelRenamed, ModelTagRemoved, ModelTagSet,
};
use domain::ids::ModelName;
use domain::rules::{decide, judge_all};
use domain::values::Text;
use eventlog::Position;
use projections::AsOf;
use projections::folds::models::Models;
use uuid::Uuid;

use super::command::other_event;
use super::topic::Topic;
use super::{Registry, find_model, find_version};
use crate::commands::{Caller, NewModel, Registered, Subject, VersionRef};
use crate::error::RegistryError;
use crate::usage;

/// The longest name of a model, in bytes.
pub const MAX_NAME_BYTES: usize = 1_024;

/// The longest description, in bytes.
pub const MAX_DESCRIPTION_BYTES: usize = 1024 * 1024;

/// The longest key of a tag, in bytes.
pub const MAX_TAG_KEY_BYTES: usize = 1_024;

/// The longest value of a tag, in bytes.
pub const MAX_TAG_VALUE_BYTES: usize = 1024 * 1024;

/// The most tags that are set by one command.
pub const MAX_TAGS: usize = 256;

impl Registry {
    /// Registers a model under a name that no other model has.
    ///
    /// # Errors
    /// [`RegistryError::NameTaken`], [`RegistryError::Invalid`].
    pub async fn create_model(&self, caller: &Caller, new: &NewModel) -> Result<Registered, RegistryError> {
        check_new(new)?;
        let done = self.command(caller, Topic::names(), |models, _| create(models, new)).await?;
        registered(caller, &done.events, done.position)
    }

    /// Registers a model, or describes the one that is called so anew.
    ///
    /// # Errors
    /// [`RegistryError::Rejected`] when it is registered as made from something else.
    pub async fn register_model(&self, caller: &Caller, new: &NewModel) -> Result<Registered, RegistryError> {
        check_new(new)?;
        let ask = |models: &Models, _| {
            let Some(known) = models.find(&new.name, AsOf::LATEST) else { return create(models, new) };
            let again = registration(known.id(), known.name(), new);
            let described = described(known.id(), None, new.description.as_deref());
            let events: Vec<Event> =
                std::iter::once(again).chain(described).chain(tags(known.id(), None, &new.tags)).collect();
            judge_all(models.rules(), &events)?;
            Ok(events)
        };
        // The topic is the names alone, because the id follows from the decision; a model that is deleted meanwhile is registered in vain, which the rules call by name.
        let done = self.command(caller, Topic::names(), ask).await?;
        registered(caller, &done.events, done.position)
    }

    /// Calls a model otherwise from now on.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`], [`RegistryError::NameTaken`].
    pub async fn rename_model(
        &self,
        caller: &Caller,
        model: &ModelName,
        name: &str,
    ) -> Result<Position, RegistryError> {
        check_name(name)?;
        let ask = |models: &Models, _| {
            let known = find_model(models, model)?;
            if known.name() == name {
                return Ok(Vec::new());
            }
            free(models, name)?;
            Ok(decide(models.rules(), ModelRenamed { model: model.clone(), name: name.to_owned() }.into())?)
        };
        Ok(self.command(caller, Topic::model(model).and_names(), ask).await?.position)
    }

    /// Describes a model or a version anew, in words without a language.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`], [`RegistryError::Invalid`].
    pub async fn describe(
        &self,
        caller: &Caller,
        subject: &Subject,
        description: &str,
    ) -> Result<Position, RegistryError> {
        check_length("description", description, MAX_DESCRIPTION_BYTES)?;
        let Subject { model, version } = subject;
        let ask = |models: &Models, _| {
            must_have(models, subject)?;
            let description = description.to_owned();
            let described = ModelDescribed { model: model.clone(), version: *version, description };
            Ok(decide(models.rules(), described.into())?)
        };
        Ok(self.command(caller, Topic::model(model), ask).await?.position)
    }

    /// Sets tags of a model or a version.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`], [`RegistryError::Invalid`].
    pub async fn set_tags(
        &self,
        caller: &Caller,
        subject: &Subject,
        set: &[KeyValue],
    ) -> Result<Position, RegistryError> {
        check_tags(set)?;
        let ask = |models: &Models, _| {
            must_have(models, subject)?;
            let events: Vec<Event> = tags(&subject.model, subject.version, set).collect();
            judge_all(models.rules(), &events)?;
            Ok(events)
        };
        Ok(self.command(caller, Topic::model(&subject.model), ask).await?.position)
    }

    /// Takes a tag of a model or a version away. Nothing is to be done where there is none.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] for the model or version.
    pub async fn remove_tag(&self, caller: &Caller, subject: &Subject, key: &str) -> Result<Position, RegistryError> {
        let Subject { model, version } = subject;
        let ask = |models: &Models, _| {
            if !must_have(models, subject)?.has_tag(key) {
                return Ok(Vec::new());
            }
            let removed = ModelTagRemoved { model: model.clone(), version: *version, key: key.to_owned() };
            Ok(decide(models.rules(), removed.into())?)
        };
        Ok(self.command(caller, Topic::model(model), ask).await?.position)
    }

    /// Offers a model no longer, with all its versions. Its name is free then; its history stays.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`], [`RegistryError::InUse`].
    pub async fn delete_model(
        &self,
        caller: &Caller,
        model: &ModelName,
        reason: Option<Text>,
    ) -> Result<Position, RegistryError> {
        let ask = |models: &Models, _| {
            let known = find_model(models, model)?;
            let versions: Vec<u32> = known.versions().map(|version| version.number()).collect();
            usage::must_be_unused(models, known, &versions)?;
            Ok(decide(models.rules(), ModelDeleted { model: model.clone(), reason: reason.clone() }.into())?)
        };
        Ok(self.command(caller, Topic::model(model).and_gates(), ask).await?.position)
    }
}

/// What is there of a subject.
enum There<'a> {
    Model(projections::folds::models::ModelView<'a>),
    Version(projections::folds::models::VersionView<'a>),
}

impl There<'_> {
    fn has_tag(&self, key: &str) -> bool {
        match self {
            Self::Model(model) => model.tag(key).is_some(),
            Self::Version(version) => version.tag(key).is_some(),
        }
    }
}

fn must_have<'a>(models: &'a Models, subject: &Subject) -> Result<There<'a>, RegistryError> {
    match subject.version {
        Some(number) => find_version(models, &subject.model, &VersionRef::Number(number)).map(There::Version),
        None => find_model(models, &subject.model).map(There::Model),
    }
}

fn create(models: &Models, new: &NewModel) -> Result<Vec<Event>, RegistryError> {
    free(models, &new.name)?;
    let model = id_for(models, &new.name)?;
    let described = described(&model, None, new.description.as_deref());
    let events: Vec<Event> = std::iter::once(registration(&model, &new.name, new))
        .chain(described)
        .chain(tags(&model, None, &new.tags))
        .collect();
    judge_all(models.rules(), &events)?;
    Ok(events)
}

/// The id of a new model: its name, when that can be an id and never was one; otherwise a new one.
fn id_for(models: &Models, name: &str) -> Result<ModelName, RegistryError> {
    match ModelName::new(name) {
        Ok(id) if !models.is_known(&id) => Ok(id),
        _ => Ok(ModelName::new(&format!("rm-{}", Uuid::now_v7().simple()))?),
    }
}

fn free(models: &Models, name: &str) -> Result<(), RegistryError> {
    match models.by_name(name, AsOf::LATEST) {
        Some(other) => Err(RegistryError::NameTaken { name: name.to_owned(), model: other.id().clone() }),
        None => Ok(()),
    }
}

fn registration(model: &ModelName, name: &str, new: &NewModel) -> Event {
    let name = (model.as_str() != name).then(|| name.to_owned());
    ModelRegistered { model: model.clone(), name, kind: new.kind, description: new.text.clone() }.into()
}

pub(super) fn described(model: &ModelName, version: Option<u32>, description: Option<&str>) -> Option<Event> {
    let description = description.filter(|text| !text.is_empty())?.to_owned();
    Some(ModelDescribed { model: model.clone(), version, description }.into())
}

pub(super) fn tags(model: &ModelName, version: Option<u32>, tags: &[KeyValue]) -> impl Iterator<Item = Event> {
    tags.iter().map(move |tag| {
        let KeyValue { key, value } = tag.clone();
        ModelTagSet { model: model.clone(), version, key, value }.into()
    })
}

fn registered(caller: &Caller, events: &[Event], position: Position) -> Result<Registered, RegistryError> {
    match events.first() {
        Some(Event::ModelRegistered(registered)) => Ok(Registered { model: registered.model.clone(), position }),
        _ => Err(other_event(caller)),
    }
}

fn check_new(new: &NewModel) -> Result<(), RegistryError> {
    check_name(&new.name)?;
    if let Some(description) = &new.description {
        check_length("description", description, MAX_DESCRIPTION_BYTES)?;
    }
    check_tags(&new.tags)
}

fn check_name(name: &str) -> Result<(), RegistryError> {
    let invalid = |reason| Err(RegistryError::invalid("name", reason));
    if name.trim().is_empty() {
        return invalid("it is empty".to_owned());
    }
    if name.len() > MAX_NAME_BYTES {
        return invalid(format!("it is longer than {MAX_NAME_BYTES} bytes"));
    }
    if name.chars().any(char::is_control) {
        return invalid("it holds a control character".to_owned());
    }
    Ok(())
}

pub(super) fn check_tags(tags: &[KeyValue]) -> Result<(), RegistryError> {
    if tags.len() > MAX_TAGS {
        return Err(RegistryError::invalid("tags", format!("there may be {MAX_TAGS} at most")));
    }
    for (index, tag) in tags.iter().enumerate() {
        if tag.key.is_empty() {
            return Err(RegistryError::invalid(format!("tags[{index}].key"), "it is empty"));
        }
        check_length(&format!("tags[{index}].key"), &tag.key, MAX_TAG_KEY_BYTES)?;
        check_length(&format!("tags[{index}].value"), &tag.value, MAX_TAG_VALUE_BYTES)?;
    }
    Ok(())
}

pub(super) fn check_length(field: &str, text: &str, most: usize) -> Result<(), RegistryError> {
    if text.len() > most {
        return Err(RegistryError::invalid(field, format!("it has {} bytes, the limit is {most}", text.len())));
    }
    Ok(())
}
