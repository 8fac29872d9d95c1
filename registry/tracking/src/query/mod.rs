//! Searches. They are answered from memory under one look at the state, and in pages.

mod datasets;
mod experiments;
mod history;
mod logged_models;
mod rows;
mod runs;
mod top;

pub use self::datasets::{MAX_EXPERIMENTS_OF_DATASETS, MAX_SUMMARIES};
pub use self::experiments::ExperimentSearch;
pub(crate) use self::history::Histories;
pub use self::history::{MAX_HISTORY, MAX_RUNS_OF_HISTORIES, MAX_SAMPLED_STEPS};
pub use self::logged_models::LoggedModelSearch;
pub use self::runs::RunSearch;
use crate::error::TrackingError;
use crate::search::SearchError;
use crate::view::ViewType;

/// How much a search answers when nobody says how much.
pub const MAX_RESULTS_DEFAULT: usize = 1_000;

/// How much a search of logged models answers when nobody says how much.
pub const MAX_RESULTS_DEFAULT_LOGGED_MODELS: usize = 100;

/// The most that a search answers.
pub const MAX_RESULTS: usize = 50_000;

impl From<SearchError> for TrackingError {
    fn from(error: SearchError) -> Self {
        Self::Invalid(error.to_string())
    }
}

fn limit(max_results: Option<i64>, default: usize) -> Result<usize, TrackingError> {
    let Some(wanted) = max_results else { return Ok(default) };
    let refused = |rule: &str| {
        Err(TrackingError::invalid(format!(
            "Invalid value {wanted} for parameter 'max_results' supplied. It must be {rule}"
        )))
    };
    match usize::try_from(wanted) {
        Ok(0) | Err(_) => refused("a positive integer"),
        Ok(most) if most > MAX_RESULTS => refused(&format!("at most {MAX_RESULTS}")),
        Ok(most) => Ok(most),
    }
}

fn view_name(view: ViewType) -> &'static str {
    match view {
        ViewType::ActiveOnly => "active",
        ViewType::DeletedOnly => "deleted",
        ViewType::All => "all",
    }
}
