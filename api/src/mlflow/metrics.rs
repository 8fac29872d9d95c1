//! The history of metrics.

use axum::extract::{RawQuery, State};
use domain::events::{MetricPoint, Real};
use tracking::{MAX_HISTORY, MAX_RUNS_OF_HISTORIES};

use super::answer::MetricAnswer;
use super::caller::Reader;
use super::error::MlflowError;
use super::request::{Arguments, Fields};
use super::runs::logged_model_id;
use super::{Answer, page};
use crate::server::App;

/// The most points in one answer.
const MOST_POINTS: i64 = MAX_HISTORY as i64;

/// A point of a metric in a request.
pub fn point(fields: &Fields<'_>) -> Result<MetricPoint, MlflowError> {
    Ok(MetricPoint {
        key: fields.required_text("key")?.to_owned(),
        value: Real(fields.real("value")?.ok_or_else(|| fields.missing("value"))?),
        at_ms: fields.integer("timestamp")?.ok_or_else(|| fields.missing("timestamp"))?,
        step: fields.integer("step")?.unwrap_or_default(),
        logged_model: fields.some_text("model_id")?.map(logged_model_id).transpose()?,
        dataset: fields.some_text("dataset_name")?.map(str::to_owned),
        dataset_digest: fields.some_text("dataset_digest")?.map(str::to_owned),
    })
}

/// `metrics/get-history`
pub async fn history(State(app): State<App>, _: Reader, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let (run, key) = (fields.run_id()?, fields.required_text("metric_key")?);
    // None at all is how some clients write that they want all.
    let most = fields.integer("max_results")?.filter(|most| *most != 0).map(|most| most.min(MOST_POINTS));
    let found = app.engine.tracking.metric_history(run, key, most, fields.some_text("page_token")?).await?;
    let points: Vec<_> = found.points.into_iter().map(MetricAnswer::from).collect();
    page("metrics", &points, found.next_page_token)
}

/// `metrics/get-history-bulk`
pub async fn history_bulk(State(app): State<App>, _: Reader, RawQuery(query): RawQuery) -> Answer {
    let arguments = Arguments::of_query(&query.unwrap_or_default());
    let fields = arguments.fields();
    let mut runs = fields.texts("run_id")?;
    if runs.is_empty() {
        return Err(MlflowError::invalid("GetMetricHistoryBulk request must specify at least one run_id."));
    }
    if runs.len() > MAX_RUNS_OF_HISTORIES {
        return Err(MlflowError::invalid(format!(
            "GetMetricHistoryBulk request cannot specify more than {MAX_RUNS_OF_HISTORIES} run_ids. Received {} run_ids.",
            runs.len()
        )));
    }
    let Some(key) = fields.text("metric_key")? else {
        return Err(MlflowError::invalid("GetMetricHistoryBulk request must specify a metric_key."));
    };
    let most = fields.integer_within("max_results", 1..=i64::MAX)?.unwrap_or(MOST_POINTS).min(MOST_POINTS);
    let most = usize::try_from(most).unwrap_or(MAX_HISTORY);
    runs.sort_unstable();
    runs.dedup();
    let mut points = Vec::new();
    for run in runs {
        if points.len() >= most {
            break;
        }
        let found = app.engine.tracking.metric_history(run, key, Some(MOST_POINTS), None).await?;
        points.extend(found.points.into_iter().map(|point| MetricAnswer::of_run(run, point)));
    }
    points.truncate(most);
    page("metrics", &points, None)
}

/// `metrics/get-history-bulk-interval`: the same, at some steps that are spread evenly.
pub async fn history_bulk_interval(State(app): State<App>, _: Reader, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    fields.required_list("run_ids")?;
    let runs = fields.owned_texts("run_ids")?;
    let key = if runs.len() > MAX_RUNS_OF_HISTORIES { "" } else { fields.required_text("metric_key")? };
    let span = match (fields.integer("start_step")?, fields.integer("end_step")?) {
        (Some(start), Some(end)) => Some((start, end)),
        (None, None) => None,
        _ => {
            return Err(MlflowError::invalid(
                "If either start step or end step are specified, both must be specified.",
            ));
        }
    };
    let found = app.engine.tracking.sampled_histories(&runs, key, span, fields.integer("max_results")?).await?;
    let mut points = Vec::new();
    for history in found {
        points.extend(history.points.into_iter().map(|point| MetricAnswer::of_run(&history.run, point)));
    }
    page("metrics", &points, None)
}
