//! The search of logged models.

use super::rows::ModelView;
use super::{MAX_RESULTS_DEFAULT_LOGGED_MODELS, limit};
use crate::error::TrackingError;
use crate::search::{self, DatasetFilter, Entity, Filter, LoggedModelOrder, Order, PageToken, QueryDigest, Start};
use crate::tracking::Tracking;
use crate::view::{Found, LoggedModel, Stage};

/// A search of logged models; deleted ones are never found.
#[derive(Clone, Debug, Default)]
pub struct LoggedModelSearch {
    /// The experiments that are looked at; those that are not known have no models.
    pub experiments: Vec<String>,
    /// The conditions; every model fulfils the empty filter.
    pub filter: String,
    /// The datasets that metrics must have been measured on.
    pub datasets: Vec<DatasetFilter>,
    /// The most that are answered: 1 to [`MAX_RESULTS`](super::MAX_RESULTS); [`MAX_RESULTS_DEFAULT_LOGGED_MODELS`] without it.
    pub max_results: Option<i64>,
    /// What to order by; the latest made come first without it.
    pub order_by: Vec<LoggedModelOrder>,
    /// Where to go on: what the page before said.
    pub page_token: Option<String>,
}

impl Tracking {
    /// Searches logged models.
    ///
    /// # Errors
    /// [`TrackingError::Invalid`] says what is wrong with the filter, the order, the datasets, the number of results, or the page token.
    pub fn search_logged_models(&self, search: &LoggedModelSearch) -> Result<Found<LoggedModel>, TrackingError> {
        let limit = limit(search.max_results, MAX_RESULTS_DEFAULT_LOGGED_MODELS)?;
        let filter = Filter::parse(Entity::LoggedModels, &search.filter)?.on_datasets(search.datasets.clone())?;
        let order = Order::of_logged_models(&search.order_by)?;
        let digest = digest(search);
        let token = PageToken::decode(search.page_token.as_deref().unwrap_or_default(), &digest)?;
        self.read(|state| {
            let mut experiments: Vec<_> =
                search.experiments.iter().filter_map(|id| state.experiment_slot(id.trim())).collect();
            experiments.sort_unstable();
            experiments.dedup();
            let slots = experiments.iter().filter_map(|slot| state.experiment_at(*slot)).flat_map(|row| &row.models);
            let rows: Vec<ModelView<'_>> = slots
                .filter_map(|slot| state.models.get(*slot as usize))
                .filter(|row| row.stage == Stage::Active)
                .map(|row| ModelView { state, row })
                .collect();
            let last = token.as_ref().and_then(|token| state.model(&token.last)).map(|row| ModelView { state, row });
            let start = match (&last, &token) {
                (Some(last), _) => Start::After(last),
                (None, Some(token)) => Start::Offset(token.offset),
                (None, None) => Start::Beginning,
            };
            let found = search::page(&rows, &filter, &order, &start, limit);
            let items = found
                .rows
                .iter()
                .map(|view| Ok(state.view_model(view.row)?))
                .collect::<Result<Vec<_>, TrackingError>>()?;
            let shown = token.as_ref().map_or(0, |token| token.offset);
            let next = items
                .last()
                .filter(|_| found.more)
                .map(|last| PageToken { offset: shown + items.len(), last: last.id.to_string() }.encode(&digest));
            Ok(Found { next_page_token: next, items })
        })
    }
}

fn digest(search: &LoggedModelSearch) -> QueryDigest {
    let mut parts = vec!["logged models", &*search.filter];
    parts.extend(search.experiments.iter().map(String::as_str));
    for dataset in &search.datasets {
        parts.extend(["on", &*dataset.name, dataset.digest.as_deref().unwrap_or_default()]);
    }
    for key in &search.order_by {
        let direction = if key.ascending { "ascending" } else { "descending" };
        let dataset = [&key.dataset_name, &key.dataset_digest].map(|text| text.as_deref().unwrap_or_default());
        parts.extend([&*key.field_name, direction]);
        parts.extend(dataset);
    }
    QueryDigest::of(parts)
}
