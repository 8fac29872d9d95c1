//! Experiments.

use axum::extract::State;
use tracking::view::ViewType;
use tracking::{ExperimentSearch, NewExperiment};

use super::answer::{DatasetSummaryAnswer, ExperimentAnswer};
use super::caller::{Reader, Writer};
use super::error::MlflowError;
use super::request::{Arguments, Fields};
use super::{Answer, at_length, done, named, page, sources};
use crate::server::App;

/// Which stages a search looks at, as a name or as a number.
pub fn view_type(fields: &Fields<'_>, name: &str) -> Result<ViewType, MlflowError> {
    if let Some(word) = fields.text(name).ok().flatten() {
        match word {
            "ACTIVE_ONLY" => return Ok(ViewType::ActiveOnly),
            "DELETED_ONLY" => return Ok(ViewType::DeletedOnly),
            "ALL" => return Ok(ViewType::All),
            _ => {}
        }
    }
    Ok(match fields.integer_within(name, 1..=3)? {
        None | Some(1) => ViewType::ActiveOnly,
        Some(2) => ViewType::DeletedOnly,
        Some(_) => ViewType::All,
    })
}

/// `experiments/create`
pub async fn create(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let name = fields.required_text("name")?.to_owned();
    let location = fields.some_text("artifact_location")?.map(str::to_owned);
    let new = NewExperiment { name, artifact_location: location, tags: fields.pairs("tags")? };
    if let Some(location) = &new.artifact_location {
        sources::check_location(location)?;
    }
    let experiment = app.engine.tracking.create_experiment(&caller.name, new).await?;
    named("experiment_id", &experiment.id)
}

/// `experiments/get`
pub async fn get(State(app): State<App>, _: Reader, arguments: Arguments) -> Answer {
    let experiment = app.engine.tracking.experiment(&arguments.fields().required_experiment_id()?)?;
    named("experiment", &ExperimentAnswer::from(experiment))
}

/// `experiments/get-by-name`
pub async fn get_by_name(State(app): State<App>, _: Reader, arguments: Arguments) -> Answer {
    let experiment = app.engine.tracking.experiment_by_name(arguments.fields().required_text("experiment_name")?)?;
    named("experiment", &ExperimentAnswer::from(experiment))
}

/// `experiments/update`
pub async fn update(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let (id, name) = (fields.required_experiment_id()?, fields.required_text("new_name")?);
    app.engine.tracking.rename_experiment(&caller.name, &id, name).await?;
    done()
}

/// `experiments/delete`
pub async fn delete(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    app.engine.tracking.delete_experiment(&caller.name, &arguments.fields().required_experiment_id()?).await?;
    done()
}

/// `experiments/restore`
pub async fn restore(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    app.engine.tracking.restore_experiment(&caller.name, &arguments.fields().required_experiment_id()?).await?;
    done()
}

/// `experiments/set-experiment-tag`
pub async fn set_tag(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let id = fields.required_experiment_id()?;
    app.engine.tracking.set_experiment_tag(&caller.name, &id, fields.pair()?).await?;
    done()
}

/// `experiments/delete-experiment-tag`
pub async fn delete_tag(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let id = fields.required_experiment_id()?;
    app.engine.tracking.delete_experiment_tag(&caller.name, &id, fields.required_text("key")?).await?;
    done()
}

/// `experiments/search`
pub async fn search(State(app): State<App>, _: Reader, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let search = ExperimentSearch {
        filter: fields.text_or_empty("filter")?.to_owned(),
        view: view_type(&fields, "view_type")?,
        max_results: fields.integer("max_results")?,
        order_by: fields.owned_texts("order_by")?,
        page_token: fields.some_text("page_token")?.map(str::to_owned),
    };
    let found = at_length(|| app.engine.tracking.search_experiments(&search))?;
    let experiments: Vec<_> = found.items.into_iter().map(ExperimentAnswer::from).collect();
    page("experiments", &experiments, found.next_page_token)
}

/// `experiments/search-datasets`
pub async fn search_datasets(State(app): State<App>, _: Reader, arguments: Arguments) -> Answer {
    let ids = arguments.fields().experiment_ids()?;
    let summaries = at_length(|| app.engine.tracking.search_datasets(&ids))?;
    let summaries: Vec<_> = summaries.into_iter().map(DatasetSummaryAnswer::from).collect();
    page("dataset_summaries", &summaries, None)
}
