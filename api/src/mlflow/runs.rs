//! Runs: their life, what they log, and searching them.

use axum::extract::State;
use domain::events::{DatasetInput, KeyValue, ModelOutput, RunStatus};
use domain::ids::LoggedModelId;
use serde_json::Value;
use tracking::{Batch, NewRun, RunSearch, RunUpdate};

use super::answer::{RunAnswer, RunInfo};
use super::caller::{Reader, Writer};
use super::error::MlflowError;
use super::experiments::view_type;
use super::request::{Arguments, Fields, invalid_value};
use super::{Answer, at_length, done, metrics, named, page};
use crate::server::App;

/// The tag that says which models a run logged, in the form of clients before MLflow 3.
const LOGGED_MODELS_TAG: &str = "mlflow.log-model.history";

/// A status, as a name or as a number.
fn status(fields: &Fields<'_>) -> Result<Option<RunStatus>, MlflowError> {
    let number = match fields.text("status") {
        Ok(None) => return Ok(None),
        Ok(Some("RUNNING")) => 1,
        Ok(Some("SCHEDULED")) => 2,
        Ok(Some("FINISHED")) => 3,
        Ok(Some("FAILED")) => 4,
        Ok(Some("KILLED")) => 5,
        Ok(Some(other)) => return Err(invalid_value("status", &Value::from(other))),
        Err(_) => fields.integer_within("status", 1..=5)?.unwrap_or_default(),
    };
    Ok(Some(match number {
        1 => RunStatus::Running,
        2 => RunStatus::Scheduled,
        3 => RunStatus::Finished,
        4 => RunStatus::Failed,
        _ => RunStatus::Killed,
    }))
}

/// `runs/create`
pub async fn create(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let new = NewRun {
        experiment: fields.experiment_id()?.unwrap_or_default(),
        user: fields.some_text("user_id")?.map(str::to_owned),
        started_ms: fields.integer("start_time")?,
        name: fields.some_text("run_name")?.map(str::to_owned),
        tags: fields.pairs("tags")?,
    };
    let run = app.engine.tracking.create_run(&caller.name, new).await?;
    named("run", &RunAnswer::begun(run))
}

/// `runs/get`
pub async fn get(State(app): State<App>, _: Reader, arguments: Arguments) -> Answer {
    let run = app.engine.tracking.run(arguments.fields().run_id()?)?;
    named("run", &RunAnswer::from(run))
}

/// `runs/update`
pub async fn update(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let id = fields.run_id()?;
    let update = RunUpdate {
        status: status(&fields)?,
        ended_ms: fields.integer("end_time")?,
        name: fields.text("run_name")?.map(str::to_owned),
    };
    let run = app.engine.tracking.update_run(&caller.name, id, update).await?;
    named("run_info", &RunInfo::from(run))
}

/// `runs/delete`
pub async fn delete(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    app.engine.tracking.delete_run(&caller.name, arguments.fields().run_id()?).await?;
    done()
}

/// `runs/restore`
pub async fn restore(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    app.engine.tracking.restore_run(&caller.name, arguments.fields().run_id()?).await?;
    done()
}

/// `runs/log-metric`
pub async fn log_metric(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let run = fields.run_id()?;
    app.engine.tracking.log_metric(&caller.name, run, metrics::point(&fields)?).await?;
    done()
}

/// `runs/log-parameter`
pub async fn log_parameter(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let run = fields.run_id()?;
    app.engine.tracking.log_param(&caller.name, run, fields.pair()?).await?;
    done()
}

/// `runs/set-tag`
pub async fn set_tag(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let run = fields.run_id()?;
    app.engine.tracking.set_tag(&caller.name, run, fields.pair()?).await?;
    done()
}

/// `runs/delete-tag`
pub async fn delete_tag(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let run = fields.run_id()?;
    app.engine.tracking.delete_tag(&caller.name, run, fields.required_text("key")?).await?;
    done()
}

/// `runs/log-batch`
pub async fn log_batch(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let run = fields.run_id()?;
    let batch = Batch {
        metrics: fields.objects("metrics")?.iter().map(metrics::point).collect::<Result<_, _>>()?,
        params: fields.pairs("params")?,
        tags: fields.pairs("tags")?,
    };
    app.engine.tracking.log_batch(&caller.name, run, batch).await?;
    done()
}

/// `runs/log-model`, from clients before MLflow 3: the description of the model is added to a list in a tag.
pub async fn log_model(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let (run, text) = (fields.run_id()?, fields.required_text("model_json")?);
    let Ok(Value::Object(model)) = serde_json::from_str::<Value>(text) else {
        let shown: String = text.chars().take(200).collect();
        return Err(MlflowError::invalid(format!("Malformed model info. \n {shown} \n is not a valid JSON.")));
    };
    let missing: Vec<_> = ["artifact_path", "flavors", "utc_time_created", "run_id"]
        .into_iter()
        .filter(|name| !model.contains_key(*name))
        .map(|name| format!("'{name}'"))
        .collect();
    if !missing.is_empty() {
        return Err(MlflowError::invalid(format!(
            "Model json is missing mandatory fields: {{{}}}",
            missing.join(", ")
        )));
    }
    let known = app.engine.tracking.run(run)?;
    let list = known.tags.iter().find(|tag| tag.key == LOGGED_MODELS_TAG).map(|tag| tag.value.as_str());
    let mut list: Vec<Value> = list.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    list.push(Value::Object(model));
    let tag = KeyValue { key: LOGGED_MODELS_TAG.to_owned(), value: Value::from(list).to_string() };
    app.engine.tracking.set_tag(&caller.name, run, tag).await?;
    done()
}

fn dataset_input(fields: &Fields<'_>) -> Result<DatasetInput, MlflowError> {
    let Some(dataset) = fields.object("dataset")? else { return Err(fields.missing("dataset")) };
    Ok(DatasetInput {
        name: dataset.required_text("name")?.to_owned(),
        digest: dataset.required_text("digest")?.to_owned(),
        source_type: dataset.required_text("source_type")?.to_owned(),
        source: dataset.required_text("source")?.to_owned(),
        schema: dataset.some_text("schema")?.map(str::to_owned),
        profile: dataset.some_text("profile")?.map(str::to_owned),
        tags: fields.pairs("tags")?,
    })
}

/// The id of a logged model in a request.
pub fn logged_model_id(text: &str) -> Result<LoggedModelId, MlflowError> {
    LoggedModelId::new(text).map_err(|error| MlflowError::invalid(format!("Invalid model ID: {error}")))
}

/// `runs/log-inputs`
pub async fn log_inputs(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let run = fields.run_id()?;
    let datasets = fields.objects("datasets")?.iter().map(dataset_input).collect::<Result<Vec<_>, _>>()?;
    let models = fields.objects("models")?;
    let models = models.iter().map(|model| logged_model_id(model.required_text("model_id")?));
    let models = models.collect::<Result<Vec<_>, _>>()?;
    app.engine.tracking.log_inputs(&caller.name, run, datasets, models).await?;
    done()
}

/// `runs/outputs`
pub async fn log_outputs(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let run = fields.run_id()?;
    fields.required_list("models")?;
    let models = fields.objects("models")?;
    let models = models.iter().map(|model| {
        let logged_model = logged_model_id(model.required_text("model_id")?)?;
        Ok(ModelOutput { logged_model, step: model.integer("step")?.unwrap_or_default() })
    });
    let models = models.collect::<Result<Vec<_>, MlflowError>>()?;
    app.engine.tracking.log_outputs(&caller.name, run, models).await?;
    done()
}

/// `runs/search`
pub async fn search(State(app): State<App>, _: Reader, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let search = RunSearch {
        experiments: fields.experiment_ids()?,
        filter: fields.text_or_empty("filter")?.to_owned(),
        view: view_type(&fields, "run_view_type")?,
        max_results: fields.integer("max_results")?,
        order_by: fields.owned_texts("order_by")?,
        page_token: fields.some_text("page_token")?.map(str::to_owned),
    };
    let found = at_length(|| app.engine.tracking.search_runs(&search))?;
    let runs: Vec<_> = found.items.into_iter().map(RunAnswer::from).collect();
    page("runs", &runs, found.next_page_token)
}
