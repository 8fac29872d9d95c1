//! Curated knowledge and attached files. Articles are written, reviewed and superseded by the commands `article.draft`, `article.review` and `article.supersede`.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use domain::Text;
use domain::events::{ArticleKind, Attachment, FileAttached, SubjectKind};
use domain::ids::{ArticleId, AssetClass, Code, PersonId};
use domain::rules::Command;
use eventlog::EventId;
use jiff::Timestamp;
use projections::AsOf;
use projections::folds::articles::{ArticleQuery, ArticleView, Standing};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::commands::carry_out;
use super::common::{Asked, Page, offset, page_size, to_json, with};
use crate::auth::{Caller, Permission};
use crate::extract::Query;
use crate::problem::Problem;
use crate::server::App;

/// The most text that is read out of a file for the search, in bytes.
const MAX_TEXT_BYTES: usize = 256 * 1024;

/// The media type of PDF files.
const PDF: &str = "application/pdf";

/// Which pieces, and as known when.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ArticleParameters {
    /// Only of this kind: `article`, `procedure`, `rule` or `fmea`.
    #[param(value_type = Option<String>)]
    pub kind: Option<ArticleKind>,
    /// Only about this failure mode, defect or parameter.
    pub code: Option<String>,
    /// Only for assets of this class, those for all classes among them.
    pub class: Option<String>,
    /// Only with this standing: `draft`, `approved` or `superseded`.
    #[param(value_type = Option<String>)]
    pub standing: Option<Standing>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
    /// How many, up to 1000.
    pub limit: Option<usize>,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// As known when.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct KnownParameters {
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
}

impl KnownParameters {
    async fn known(self, app: &App) -> Result<Option<AsOf>, Problem> {
        known(app, Asked { as_of: self.as_of, min_position: self.min_position }).await
    }
}

async fn known(app: &App, asked: Asked) -> Result<Option<AsOf>, Problem> {
    asked.wait(app).await?;
    Ok(asked.position(app).await?.map(AsOf::through))
}

fn shown(view: &ArticleView<'_>) -> Result<Value, Problem> {
    let draft = &view.shown().drafted.value;
    let priorities: Vec<u16> = draft.rows.iter().map(domain::events::FmeaRow::risk_priority).collect();
    let shown = to_json(view)?;
    Ok(if priorities.is_empty() { shown } else { with(shown, [("risk_priorities", json!(priorities))]) })
}

/// Curated knowledge: what is approved, what waits for a review, what was superseded.
#[utoipa::path(get, path = "/api/v1/articles", tag = "knowledge", params(ArticleParameters), responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn articles(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<ArticleParameters>,
) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (limit, start) = (page_size(parameters.limit)?, offset(parameters.cursor.as_ref())?);
    let code = parameters.code.as_deref().map(Code::new).transpose();
    let class = parameters.class.as_deref().map(AssetClass::new).transpose();
    let query = ArticleQuery {
        kind: parameters.kind,
        code: code.map_err(|error| Problem::invalid("code", error))?,
        class: class.map_err(|error| Problem::invalid("class", error))?,
        standing: parameters.standing,
    };
    let asked = Asked { as_of: parameters.as_of, min_position: parameters.min_position };
    let Some(as_of) = known(&app, asked).await? else {
        return Ok(axum::Json(Page::of_offset(Vec::new(), start, limit)));
    };
    let items = app.engine.articles.read(|articles, _| {
        articles.find(&query, as_of).skip(start).take(limit + 1).map(|view| shown(&view)).collect::<Result<Vec<_>, _>>()
    })?;
    Ok(axum::Json(Page::of_offset(items, start, limit)))
}

/// One piece of knowledge with each of its revisions and reviews.
#[utoipa::path(get, path = "/api/v1/articles/{article}", tag = "knowledge", params(("article" = String, Path), KnownParameters),
    responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn article(
    State(app): State<App>,
    caller: Caller,
    Path(article): Path<String>,
    Query(parameters): Query<KnownParameters>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let id = ArticleId::new(&article).map_err(|error| Problem::invalid("article", error))?;
    let unknown = || Problem::not_found("article", &article);
    let as_of = parameters.known(&app).await?.ok_or_else(unknown)?;
    app.engine.articles.read(|articles, _| {
        let view = articles.article(&id, as_of).ok_or_else(unknown)?;
        let revisions =
            articles.revisions(&id, as_of).map(|revision| to_json(&revision)).collect::<Result<Vec<_>, _>>()?;
        Ok(axum::Json(with(shown(&view)?, [("revisions", json!(revisions))])))
    })
}

/// What a file is, and what it belongs to.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct FileParameters {
    /// Its name (`bearing.ogg`).
    pub name: String,
    /// What kind of thing it belongs to (`fault`, `lot`, `asset`, …). Without it the file is only stored, for an article that will name it.
    #[param(value_type = Option<String>)]
    pub kind: Option<SubjectKind>,
    /// That thing's id.
    pub id: Option<String>,
    /// What it shows.
    pub caption: Option<String>,
    /// The text that it holds, for the search; the text of text files and PDF files is read out of them.
    pub text: Option<String>,
    /// Who attached it.
    pub person: Option<String>,
    /// The idempotency key of the event.
    pub event: Option<uuid::Uuid>,
}

/// Stores a file (the body, with its content type) and attaches it to a thing.
#[utoipa::path(post, path = "/api/v1/files", tag = "knowledge", params(FileParameters),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, body = Object), (status = "4XX", body = Problem)))]
pub async fn attach(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<FileParameters>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, axum::Json<Value>), Problem> {
    caller.must(Permission::WriteEvents)?;
    let media_type = media_type(&headers)?;
    let subject = match (parameters.kind, &parameters.id) {
        (Some(kind), Some(id)) if !id.trim().is_empty() => Some((kind, id.clone())),
        (None, None) => None,
        _ => return Err(Problem::invalid("id", "kind and id name a thing together")),
    };
    let person = parameters.person.as_deref().map(PersonId::new).transpose();
    let person = person.map_err(|error| Problem::invalid("person", error))?;
    let text = match parameters.text {
        Some(text) => Some(text),
        None if media_type == PDF => crate::pdf::text(&body, MAX_TEXT_BYTES).await,
        None => text_in(&media_type, &body),
    };
    // Ordering: the file is durable before the event that names it is appended.
    let stored =
        app.engine.registry.artifacts().put(&parameters.name, body).await.map_err(|error| {
            if error.retryable() { Problem::internal(&error) } else { Problem::invalid("name", error) }
        })?;
    let attachment = Attachment {
        file: stored.artifact().clone(),
        media_type,
        caption: parameters.caption.as_deref().map(Text::guessed),
        text,
    };
    let shown = to_json(&attachment)?;
    let Some((kind, id)) = subject else {
        return Ok((StatusCode::CREATED, axum::Json(json!({"attachment": shown, "position": null}))));
    };
    let event = FileAttached { kind, id, attachment, person };
    let key = parameters.event.map_or_else(EventId::generate, EventId::new);
    let (status, logged) = carry_out(&app, &caller, Command::from(event), key, Timestamp::now()).await?;
    Ok((status, axum::Json(json!({"attachment": shown, "position": logged.first}))))
}

fn media_type(headers: &HeaderMap) -> Result<String, Problem> {
    let named = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = named.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let token = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    match essence.split_once('/') {
        Some((kind, subtype)) if token(kind) && token(subtype) && essence.len() <= 127 => Ok(essence),
        _ => Err(Problem::invalid("content-type", format!("{named:?} is no media type, such as image/jpeg"))),
    }
}

/// The text of a text file, as far as it is kept for the search.
fn text_in(media_type: &str, body: &[u8]) -> Option<String> {
    if !media_type.starts_with("text/") && media_type != "application/json" {
        return None;
    }
    let mut text = String::from_utf8_lossy(body.get(..MAX_TEXT_BYTES).unwrap_or(body)).into_owned();
    // A character that the limit cut in two is left out.
    if body.len() > MAX_TEXT_BYTES {
        text.truncate(text.trim_end_matches(char::REPLACEMENT_CHARACTER).len());
    }
    (!text.trim().is_empty()).then_some(text)
}

/// The files that were attached to a thing.
#[utoipa::path(get, path = "/api/v1/files/{kind}/{id}", tag = "knowledge", params(("kind" = String, Path), ("id" = String, Path), KnownParameters),
    responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn files(
    State(app): State<App>,
    caller: Caller,
    Path((kind, id)): Path<(String, String)>,
    Query(parameters): Query<KnownParameters>,
) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let items = match parameters.known(&app).await? {
        Some(as_of) => app
            .engine
            .articles
            .read(|articles, _| articles.files(&kind, &id, as_of).iter().map(to_json).collect::<Result<Vec<_>, _>>())?,
        None => Vec::new(),
    };
    Ok(axum::Json(Page { items, next_cursor: None }))
}

/// The bytes of a file that an article or an attachment names, by their SHA-256; checked before they are handed out.
#[utoipa::path(get, path = "/api/v1/files/{sha256}", tag = "knowledge", params(("sha256" = String, Path)),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>), (status = "4XX", body = Problem)))]
pub async fn file(State(app): State<App>, caller: Caller, Path(sha256): Path<String>) -> Result<Response, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let named = app.engine.articles.read(|articles, _| articles.attachment(&sha256, AsOf::LATEST).cloned());
    let attachment = named.ok_or_else(|| Problem::not_found("file", &sha256))?;
    let stored =
        app.engine.registry.artifacts().get(&attachment.file).await.map_err(|error| Problem::internal(&error))?;
    let media_type = HeaderValue::from_str(&attachment.media_type);
    let headers = [
        (header::CONTENT_TYPE, media_type.unwrap_or(HeaderValue::from_static("application/octet-stream"))),
        // What somebody uploaded is never a page of this server: it is saved, and runs nothing where a browser shows it all the same.
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'")),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=31536000, immutable")),
    ];
    Ok((headers, stored.bytes().clone()).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(value: &'static str) -> Option<String> {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(value))]);
        media_type(&headers).ok()
    }

    #[test]
    fn media_types_are_told_from_other_texts() {
        assert_eq!(typed("Image/JPEG"), Some("image/jpeg".to_owned()));
        assert_eq!(typed("text/plain; charset=utf-8"), Some("text/plain".to_owned()));
        for wrong in ["", "image", "/jpeg", "image/", "image/jp eg", "a/b/c"] {
            assert_eq!(typed(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_text_of_text_files_is_kept_up_to_a_limit_and_no_character_is_cut() {
        assert_eq!(text_in("text/plain", "断经".as_bytes()), Some("断经".to_owned()));
        assert_eq!(text_in("image/png", b"abc"), None);
        assert_eq!(text_in("text/plain", b"  \n"), None);
        let long = "经".repeat(MAX_TEXT_BYTES);
        let kept = text_in("text/markdown", long.as_bytes()).unwrap_or_default();
        assert!(kept.len() <= MAX_TEXT_BYTES && kept.len() > MAX_TEXT_BYTES - 4);
        assert!(kept.chars().all(|character| character == '经'));
    }
}
