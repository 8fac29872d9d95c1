//! Models that runs logged, registered or not.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use domain::events::LoggedModelStatus;
use serde_json::Value;
use tracking::search::{DatasetFilter, LoggedModelOrder};
use tracking::{LoggedModelSearch, NewLoggedModel};

use super::answer::LoggedModelAnswer;
use super::caller::{Reader, Writer};
use super::error::MlflowError;
use super::request::{Arguments, Fields, InAddress, invalid_value};
use super::{Answer, artifacts, at_length, done, named, page, paths, sources};
use crate::server::App;

/// A status, as a name or as a number.
fn status(fields: &Fields<'_>) -> Result<LoggedModelStatus, MlflowError> {
    match fields.text("status") {
        Ok(None) => Err(fields.missing("status")),
        Ok(Some("LOGGED_MODEL_PENDING")) => Ok(LoggedModelStatus::Pending),
        Ok(Some("LOGGED_MODEL_READY")) => Ok(LoggedModelStatus::Ready),
        Ok(Some("LOGGED_MODEL_UPLOAD_FAILED")) => Ok(LoggedModelStatus::UploadFailed),
        Ok(Some(other)) => Err(invalid_value("status", &Value::from(other))),
        Err(_) => Ok(match fields.integer_within("status", 1..=3)? {
            Some(2) => LoggedModelStatus::Ready,
            Some(3) => LoggedModelStatus::UploadFailed,
            _ => LoggedModelStatus::Pending,
        }),
    }
}

/// `logged-models`
pub async fn create(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let new = NewLoggedModel {
        experiment: fields.required_experiment_id()?,
        name: fields.some_text("name")?.map(str::to_owned),
        model_type: fields.some_text("model_type")?.map(str::to_owned),
        run: fields.some_text("source_run_id")?.map(str::to_owned),
        params: fields.pairs("params")?,
        tags: fields.pairs("tags")?,
    };
    let model = app.engine.tracking.create_logged_model(&caller.name, new).await?;
    named("model", &LoggedModelAnswer::from(model))
}

/// `logged-models/ID`
pub async fn get(State(app): State<App>, _: Reader, InAddress(id): InAddress<String>, arguments: Arguments) -> Answer {
    let with_deleted = arguments.fields().boolean("allow_deleted")?.unwrap_or(false);
    let model = app.engine.tracking.logged_model(&id, with_deleted)?;
    named("model", &LoggedModelAnswer::from(model))
}

/// `logged-models/ID`, when it is complete or will never be.
pub async fn finalize(
    State(app): State<App>,
    Writer(caller): Writer,
    InAddress(id): InAddress<String>,
    arguments: Arguments,
) -> Answer {
    let model = app.engine.tracking.finalize_logged_model(&caller.name, &id, status(&arguments.fields())?).await?;
    named("model", &LoggedModelAnswer::from(model))
}

/// `logged-models/ID`, to be put aside.
pub async fn delete(State(app): State<App>, Writer(caller): Writer, InAddress(id): InAddress<String>) -> Answer {
    app.engine.tracking.delete_logged_model(&caller.name, &id).await?;
    done()
}

/// `logged-models/ID/params`
pub async fn log_params(
    State(app): State<App>,
    Writer(caller): Writer,
    InAddress(id): InAddress<String>,
    arguments: Arguments,
) -> Answer {
    app.engine.tracking.log_logged_model_params(&caller.name, &id, arguments.fields().pairs("params")?).await?;
    done()
}

/// `logged-models/ID/tags`
pub async fn set_tags(
    State(app): State<App>,
    Writer(caller): Writer,
    InAddress(id): InAddress<String>,
    arguments: Arguments,
) -> Answer {
    app.engine.tracking.set_logged_model_tags(&caller.name, &id, arguments.fields().pairs("tags")?).await?;
    done()
}

/// `logged-models/ID/tags/KEY`
pub async fn delete_tag(
    State(app): State<App>,
    Writer(caller): Writer,
    InAddress((id, key)): InAddress<(String, String)>,
) -> Answer {
    app.engine.tracking.delete_logged_model_tag(&caller.name, &id, &key).await?;
    done()
}

fn dataset(fields: &Fields<'_>) -> Result<DatasetFilter, MlflowError> {
    Ok(DatasetFilter {
        name: fields.text_or_empty("dataset_name")?.to_owned(),
        digest: fields.some_text("dataset_digest")?.map(str::to_owned),
    })
}

fn order(fields: &Fields<'_>) -> Result<LoggedModelOrder, MlflowError> {
    Ok(LoggedModelOrder {
        field_name: fields.required_text("field_name")?.to_owned(),
        // Upwards, unless the client says otherwise, as its protocol buffers have it.
        ascending: fields.boolean("ascending")?.unwrap_or(true),
        dataset_name: fields.some_text("dataset_name")?.map(str::to_owned),
        dataset_digest: fields.some_text("dataset_digest")?.map(str::to_owned),
    })
}

/// `logged-models/search`
pub async fn search(State(app): State<App>, _: Reader, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    fields.required_list("experiment_ids")?;
    let search = LoggedModelSearch {
        experiments: fields.experiment_ids()?,
        filter: fields.text_or_empty("filter")?.to_owned(),
        datasets: fields.objects("datasets")?.iter().map(dataset).collect::<Result<_, _>>()?,
        max_results: fields.integer("max_results")?,
        order_by: fields.objects("order_by")?.iter().map(order).collect::<Result<_, _>>()?,
        page_token: fields.some_text("page_token")?.map(str::to_owned),
    };
    let found = at_length(|| app.engine.tracking.search_logged_models(&search))?;
    let models: Vec<_> = found.items.into_iter().map(LoggedModelAnswer::from).collect();
    page("models", &models, found.next_page_token)
}

/// `logged-models/ID/artifacts/directories`
pub async fn list_files(
    State(app): State<App>,
    _: Reader,
    InAddress(id): InAddress<String>,
    arguments: Arguments,
) -> Answer {
    let folder = paths::safe_folder(arguments.fields().text_or_empty("artifact_directory_path")?)?.to_owned();
    let uri = app.engine.tracking.logged_model(&id, false)?.artifact_uri;
    artifacts::list_below(&app, &uri, &folder)
}

/// `logged-models/ID/artifacts/files`
pub async fn file(
    State(app): State<App>,
    _: Reader,
    InAddress(id): InAddress<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, MlflowError> {
    let arguments = Arguments::of_query(&query.unwrap_or_default());
    let Some(path) = arguments.fields().some_text("artifact_file_path")? else {
        return Err(MlflowError::invalid("Request must include the \"artifact_file_path\" query parameter."));
    };
    let path = paths::safe(path)?;
    let uri = app.engine.tracking.logged_model(&id, false)?.artifact_uri;
    artifacts::send(&app, &paths::join(&sources::own_folder(&uri)?, path)).await
}
