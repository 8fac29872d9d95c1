//! What a message needs to know of a model beyond the event: what it was called at that moment, whether it is a prompt, and what else its creation said.
//!
//! It is folded from the model's own stream up to the event, so that a message says the same however late it is sent.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use domain::Event;
use domain::events::{ModelRegistered, ModelTagSet, ModelVersionCreated, WebhookAction, WebhookEntity, WebhookTrigger};
use domain::ids::ModelName;
use eventlog::{Direction, EventLog, ReadError, Revision};
use jiff::Timestamp;
use projections::Entry;
use serde_json::{Value, json};

use crate::message::Notice;

/// The most models that are remembered; beyond it they are read again.
const MAX_REMEMBERED: usize = 1_024;
/// How much of a stream is read at once.
const PAGE: usize = 512;

const IS_PROMPT: &str = "mlflow.prompt.is_prompt";
const PROMPT_TYPE: &str = "_mlflow_prompt_type";
const PROMPT_TEXT: &str = "mlflow.prompt.text";

/// The types of the events that messages are about, or need to know of.
pub(crate) const TYPES: [&str; 10] = [
    "model.registered",
    "model.renamed",
    "model.described",
    "model.version_created",
    "model.tag_set",
    "model.tag_removed",
    "model.alias_set",
    "model.alias_removed",
    "warning.raised",
    "warning.cleared",
];

/// The models that a follower has met.
pub(crate) struct Contexts {
    log: Arc<dyn EventLog>,
    models: HashMap<ModelName, Context>,
}

/// What is known of a model before an event.
#[derive(Clone, Debug, Default)]
struct Context {
    registered: bool,
    name: String,
    prompt: bool,
    creation: Option<Creation>,
}

/// The command that created the model or the version, as long as its events go on: what it says beside the creation is no news of its own.
#[derive(Clone, Debug)]
struct Creation {
    version: Option<u32>,
    record_time: Timestamp,
    event_time: Option<Timestamp>,
}

impl Creation {
    fn of(entry: &Entry, version: Option<u32>) -> Self {
        Self { version, record_time: entry.record_time, event_time: entry.event_time }
    }

    /// Whether the entry, which follows in the stream, is of the same command.
    fn includes(&self, entry: &Entry) -> bool {
        let version = match entry.event() {
            Some(Event::ModelTagSet(event)) => event.version,
            Some(Event::ModelDescribed(event)) => event.version,
            _ => return false,
        };
        version == self.version && entry.record_time == self.record_time && entry.event_time == self.event_time
    }
}

/// What a creation said beside itself.
#[derive(Debug, Default)]
struct Beside {
    tags: BTreeMap<String, String>,
    description: Option<String>,
}

impl Contexts {
    pub(crate) fn new(log: Arc<dyn EventLog>) -> Self {
        Self { log, models: HashMap::new() }
    }

    /// Forgets everything: for when entries were left out.
    pub(crate) fn clear(&mut self) {
        self.models.clear();
    }

    /// What a receiver is told about an entry; nothing, when it is no news. Entries of [`TYPES`] come in log order.
    ///
    /// # Errors
    /// [`ReadError`] when the model's stream cannot be read.
    pub(crate) async fn notice(&mut self, entry: &Entry) -> Result<Option<Notice>, ReadError> {
        let Some(event) = entry.event() else { return Ok(None) };
        let Some(model) = model_of(event) else { return Ok(warning(event)) };
        let mut context = match self.models.remove(model) {
            Some(context) => context,
            None => self.context_before(entry).await?,
        };
        let notice = match event {
            Event::ModelRegistered(registered) if !context.registered => {
                let beside = self.beside(entry, &Creation::of(entry, None)).await?;
                Some(model_created(registered, beside))
            }
            Event::ModelVersionCreated(created) => {
                let beside = self.beside(entry, &Creation::of(entry, Some(created.version))).await?;
                Some(version_created(&context, created, beside))
            }
            other => context.small_notice(entry, other),
        };
        context.apply(entry, event);
        if self.models.len() >= MAX_REMEMBERED {
            self.models.clear();
        }
        self.models.insert(model.clone(), context);
        Ok(notice)
    }

    /// What was known of the entry's model before it.
    async fn context_before(&self, entry: &Entry) -> Result<Context, ReadError> {
        let mut context = Context::default();
        let mut from = Revision::START;
        loop {
            let page = self.log.read_stream(entry.stream.clone(), from, Direction::Forward, PAGE).await?;
            let next = page.next;
            for record in page {
                if record.revision >= entry.revision {
                    return Ok(context);
                }
                let earlier = Entry::decode(record);
                if let Some(event) = earlier.event() {
                    context.apply(&earlier, event);
                }
            }
            match next {
                Some(next) => from = next,
                None => return Ok(context),
            }
        }
    }

    /// What the command that made the entry said beside it.
    async fn beside(&self, entry: &Entry, creation: &Creation) -> Result<Beside, ReadError> {
        let mut beside = Beside::default();
        let mut from = entry.revision.next();
        loop {
            let page = self.log.read_stream(entry.stream.clone(), from, Direction::Forward, PAGE).await?;
            let next = page.next;
            for record in page {
                let later = Entry::decode(record);
                match later.event() {
                    Some(Event::ModelTagSet(event)) if creation.includes(&later) => {
                        beside.tags.insert(event.key.clone(), event.value.clone());
                    }
                    Some(Event::ModelDescribed(event)) if creation.includes(&later) => {
                        beside.description = Some(event.description.clone());
                    }
                    _ => return Ok(beside),
                }
            }
            match next {
                Some(next) => from = next,
                None => return Ok(beside),
            }
        }
    }
}

fn model_of(event: &Event) -> Option<&ModelName> {
    match event {
        Event::ModelRegistered(event) => Some(&event.model),
        Event::ModelRenamed(event) => Some(&event.model),
        Event::ModelDescribed(event) => Some(&event.model),
        Event::ModelVersionCreated(event) => Some(&event.model),
        Event::ModelTagSet(event) => Some(&event.model),
        Event::ModelTagRemoved(event) => Some(&event.model),
        Event::AliasSet(event) => Some(&event.model),
        Event::AliasRemoved(event) => Some(&event.model),
        _ => None,
    }
}

/// A warning is told as its event says it: once when it is raised, and once when it is over.
fn warning(event: &Event) -> Option<Notice> {
    let action = match event {
        Event::WarningRaised(_) => WebhookAction::Created,
        Event::WarningCleared(_) => WebhookAction::Deleted,
        _ => return None,
    };
    let data = serde_json::from_slice(&event.encode().ok()?).ok()?;
    Some(notice(WebhookEntity::Warning, action, data))
}

fn notice(entity: WebhookEntity, action: WebhookAction, data: Value) -> Notice {
    Notice { trigger: WebhookTrigger { entity, action }, data }
}

fn non_empty(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn model_created(event: &ModelRegistered, mut beside: Beside) -> Notice {
    let name = event.name.as_deref().unwrap_or(event.model.as_str());
    let description = beside.description.as_deref().or_else(|| non_empty(event.description.any()));
    let entity = if beside.tags.get(IS_PROMPT).is_some_and(|value| value == "true") {
        beside.tags.retain(|key, _| key != IS_PROMPT && key != PROMPT_TYPE);
        WebhookEntity::Prompt
    } else {
        WebhookEntity::RegisteredModel
    };
    let data = json!({ "name": name, "tags": beside.tags, "description": description });
    notice(entity, WebhookAction::Created, data)
}

fn version_created(context: &Context, event: &ModelVersionCreated, mut beside: Beside) -> Notice {
    let version = event.version.to_string();
    let note = event.note.as_ref().and_then(|note| non_empty(note.any()));
    let description = beside.description.as_deref().or(note);
    if context.prompt {
        let template = beside.tags.remove(PROMPT_TEXT);
        beside.tags.retain(|key, _| key != IS_PROMPT && key != PROMPT_TYPE);
        let data = json!({
            "name": context.name,
            "version": version,
            "template": template,
            "tags": beside.tags,
            "description": description,
        });
        return notice(WebhookEntity::PromptVersion, WebhookAction::Created, data);
    }
    let source = event.source.clone().unwrap_or_else(|| format!("models:/{}/{version}", context.name));
    let data = json!({
        "name": context.name,
        "version": version,
        "source": source,
        "run_id": event.run,
        "tags": beside.tags,
        "description": description,
    });
    notice(WebhookEntity::ModelVersion, WebhookAction::Created, data)
}

impl Context {
    fn either(&self, model: WebhookEntity, prompt: WebhookEntity) -> WebhookEntity {
        if self.prompt { prompt } else { model }
    }

    /// What is told about anything but a creation.
    fn small_notice(&self, entry: &Entry, event: &Event) -> Option<Notice> {
        use WebhookAction as A;
        use WebhookEntity as E;
        if self.creation.as_ref().is_some_and(|creation| creation.includes(entry)) {
            return None;
        }
        let name = &self.name;
        match event {
            Event::ModelTagSet(ModelTagSet { version: Some(version), key, value, .. }) => {
                let data = json!({ "name": name, "version": version.to_string(), "key": key, "value": value });
                Some(notice(self.either(E::ModelVersionTag, E::PromptVersionTag), A::Set, data))
            }
            Event::ModelTagSet(event) if self.prompt => {
                let data = json!({ "name": name, "key": event.key, "value": event.value });
                Some(notice(E::PromptTag, A::Set, data))
            }
            Event::ModelTagRemoved(event) => match event.version {
                Some(version) => {
                    let data = json!({ "name": name, "version": version.to_string(), "key": event.key });
                    Some(notice(self.either(E::ModelVersionTag, E::PromptVersionTag), A::Deleted, data))
                }
                None if self.prompt => {
                    Some(notice(E::PromptTag, A::Deleted, json!({ "name": name, "key": event.key })))
                }
                None => None,
            },
            Event::AliasSet(event) => {
                let data = json!({ "name": name, "alias": event.alias, "version": event.version.to_string() });
                Some(notice(self.either(E::ModelVersionAlias, E::PromptAlias), A::Created, data))
            }
            Event::AliasRemoved(event) => {
                let data = json!({ "name": name, "alias": event.alias });
                Some(notice(self.either(E::ModelVersionAlias, E::PromptAlias), A::Deleted, data))
            }
            _ => None,
        }
    }

    fn apply(&mut self, entry: &Entry, event: &Event) {
        match event {
            Event::ModelRegistered(event) => {
                if !self.registered {
                    self.name = event.model.as_str().to_owned();
                    self.creation = Some(Creation::of(entry, None));
                }
                if let Some(name) = &event.name {
                    self.name.clone_from(name);
                }
                self.registered = true;
            }
            Event::ModelVersionCreated(event) => self.creation = Some(Creation::of(entry, Some(event.version))),
            Event::ModelRenamed(event) => self.name.clone_from(&event.name),
            Event::ModelTagSet(event) if event.version.is_none() && event.key == IS_PROMPT => {
                self.prompt = event.value == "true";
            }
            Event::ModelTagRemoved(event) if event.version.is_none() && event.key == IS_PROMPT => self.prompt = false,
            _ => {}
        }
        let goes_on = self.creation.as_ref().is_some_and(|creation| creation.includes(entry));
        if !goes_on && !matches!(event, Event::ModelRegistered(_) | Event::ModelVersionCreated(_)) {
            self.creation = None;
        }
    }
}

#[cfg(test)]
#[path = "context_tests.rs"]
mod tests;
