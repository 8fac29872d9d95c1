//! Webhooks: made, shown, changed, tested and deleted. Whoever may change models may do all of it; an address may hold a token of its receiver, so that nobody else sees it.

use ::webhooks::message::{TRIGGERS, action_name, entity_name};
use ::webhooks::{Change, NewWebhook, WebhookError};
use axum::extract::{Path, State};
use domain::events::{WebhookAction, WebhookEntity, WebhookStatus, WebhookTrigger};
use projections::folds::webhooks::Webhook;
use serde::Serialize;
use serde_json::{Value, json};
use tracking::search::{PageToken, QueryDigest};

use super::caller::Writer;
use super::error::MlflowError;
use super::request::{Arguments, Fields};
use super::{Answer, done, named, page};
use crate::server::App;

/// The most webhooks in one answer, and how many there are when nobody says.
const MOST: usize = 1_000;
const USUAL: usize = 100;

/// A webhook, in MLflow's form. Its secret is never shown.
#[derive(Debug, Serialize)]
struct WebhookAnswer<'a> {
    webhook_id: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    url: &'a str,
    events: Vec<Value>,
    status: &'static str,
    creation_timestamp: i64,
    last_updated_timestamp: i64,
}

impl<'a> WebhookAnswer<'a> {
    fn of(webhook: &'a Webhook) -> Self {
        let event = |trigger: &WebhookTrigger| {
            let (entity, action) = (entity_name(trigger.entity), action_name(trigger.action));
            json!({ "entity": entity.to_ascii_uppercase(), "action": action.to_ascii_uppercase() })
        };
        Self {
            webhook_id: webhook.id.as_str(),
            name: &webhook.name,
            description: webhook.description.as_deref().filter(|text| !text.is_empty()),
            url: &webhook.url,
            events: webhook.events.iter().map(event).collect(),
            status: match webhook.status {
                WebhookStatus::Active => "ACTIVE",
                WebhookStatus::Disabled => "DISABLED",
            },
            creation_timestamp: webhook.created.as_millisecond(),
            last_updated_timestamp: webhook.updated.as_millisecond(),
        }
    }
}

impl From<WebhookError> for MlflowError {
    fn from(error: WebhookError) -> Self {
        use super::error::Code;
        use WebhookError as E;
        match error {
            E::NotFound(_) => Self::not_found(error.to_string()),
            E::Invalid(_) | E::Address(_) => Self::invalid(error.to_string()),
            E::Busy(_) | E::NotVisible(_) => Self::new(Code::TemporarilyUnavailable, error.to_string()),
            E::Append(reason) => crate::problem::Problem::from(reason).into(),
            E::Read(reason) => reason.into(),
            other => Self::internal(&other),
        }
    }
}

/// `POST webhooks`
pub async fn create(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    fields.required_list("events")?;
    let new = NewWebhook {
        name: fields.required_text("name")?.to_owned(),
        description: fields.some_text("description")?.map(str::to_owned),
        url: fields.required_text("url")?.to_owned(),
        events: triggers(&fields)?,
        status: status(&fields)?.unwrap_or_default(),
        secret: fields.some_text("secret")?.map(str::to_owned),
    };
    let made = app.engine.webhooks.create(&caller.name, new).await?;
    named("webhook", &WebhookAnswer::of(&made))
}

/// `GET webhooks`
pub async fn list(State(app): State<App>, Writer(_): Writer, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let limit = fields.max_results(USUAL, MOST)?;
    let digest = QueryDigest::of(["webhooks"]);
    let token = PageToken::decode(fields.text_or_empty("page_token")?, &digest)?;
    let all = app.engine.webhooks.list();
    let start = token.map_or(0, |token| {
        let after_last = all.iter().position(|webhook| webhook.id.as_str() == token.last).map(|at| at + 1);
        after_last.unwrap_or(token.offset)
    });
    let rest = all.get(start..).unwrap_or_default();
    let shown = rest.get(..limit).unwrap_or(rest);
    let next = shown
        .last()
        .filter(|_| rest.len() > shown.len())
        .map(|last| PageToken { offset: start + shown.len(), last: last.id.as_str().to_owned() }.encode(&digest));
    page("webhooks", &shown.iter().map(WebhookAnswer::of).collect::<Vec<_>>(), next)
}

/// `GET webhooks/{id}`
pub async fn get(State(app): State<App>, Writer(_): Writer, Path(id): Path<String>) -> Answer {
    named("webhook", &WebhookAnswer::of(&app.engine.webhooks.get(&id)?))
}

/// `PATCH webhooks/{id}`
pub async fn update(
    State(app): State<App>,
    Writer(caller): Writer,
    Path(id): Path<String>,
    arguments: Arguments,
) -> Answer {
    let fields = arguments.fields();
    let owned = |name| Ok::<_, MlflowError>(fields.some_text(name)?.map(str::to_owned));
    let events = triggers(&fields)?;
    let change = Change {
        name: owned("name")?,
        description: owned("description")?,
        url: owned("url")?,
        events: (!events.is_empty()).then_some(events),
        status: status(&fields)?,
        secret: owned("secret")?,
    };
    let changed = app.engine.webhooks.update(&caller.name, &id, change).await?;
    named("webhook", &WebhookAnswer::of(&changed))
}

/// `DELETE webhooks/{id}`
pub async fn delete(State(app): State<App>, Writer(caller): Writer, Path(id): Path<String>) -> Answer {
    app.engine.webhooks.delete(&caller.name, &id).await?;
    done()
}

/// `POST webhooks/{id}/test`
pub async fn test(State(app): State<App>, Writer(_): Writer, Path(id): Path<String>, arguments: Arguments) -> Answer {
    let event = arguments.fields().object("event")?;
    let wanted = event.map(|event| trigger(&event)).transpose()?;
    let result = app.engine.webhooks.test(&id, wanted).await?;
    let mut said = json!({ "success": result.success });
    if let Some(fields) = said.as_object_mut() {
        let optional = [
            ("response_status", result.response_status.map(|status| json!(status))),
            ("response_body", result.response_body.map(|body| json!(body))),
            ("error_message", result.error_message.map(|message| json!(message))),
        ];
        fields.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    }
    named("result", &said)
}

fn triggers(fields: &Fields<'_>) -> Result<Vec<WebhookTrigger>, MlflowError> {
    fields.objects("events")?.iter().map(trigger).collect()
}

/// An event that a webhook is told of. Protocol buffers write names in capitals.
fn trigger(event: &Fields<'_>) -> Result<WebhookTrigger, MlflowError> {
    let (entity, action) = (event.required_text("entity")?, event.required_text("action")?);
    Ok(WebhookTrigger { entity: entity_of(entity)?, action: action_of(action)? })
}

fn entity_of(name: &str) -> Result<WebhookEntity, MlflowError> {
    let found =
        TRIGGERS.iter().map(|trigger| trigger.entity).find(|entity| entity_name(*entity).eq_ignore_ascii_case(name));
    found.ok_or_else(|| unknown("entity", name))
}

fn action_of(name: &str) -> Result<WebhookAction, MlflowError> {
    let found =
        TRIGGERS.iter().map(|trigger| trigger.action).find(|action| action_name(*action).eq_ignore_ascii_case(name));
    found.ok_or_else(|| unknown("action", name))
}

fn unknown(what: &str, name: &str) -> MlflowError {
    let shown: String = name.chars().take(80).collect();
    MlflowError::invalid(format!(
        "Invalid webhook {what}: '{shown}'. Webhooks are told of registered models, their versions, tags and aliases, and of prompts."
    ))
}

fn status(fields: &Fields<'_>) -> Result<Option<WebhookStatus>, MlflowError> {
    match fields.some_text("status")? {
        None => Ok(None),
        Some(text) if text.eq_ignore_ascii_case("ACTIVE") => Ok(Some(WebhookStatus::Active)),
        Some(text) if text.eq_ignore_ascii_case("DISABLED") => Ok(Some(WebhookStatus::Disabled)),
        Some(text) => {
            let shown: String = text.chars().take(80).collect();
            Err(MlflowError::invalid(format!("Invalid webhook status: '{shown}'. Valid values are: ACTIVE, DISABLED.")))
        }
    }
}
