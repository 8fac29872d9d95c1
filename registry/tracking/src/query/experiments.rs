//! The search of experiments.

use super::rows::ExperimentView;
use super::{MAX_RESULTS_DEFAULT, limit, view_name};
use crate::error::TrackingError;
use crate::search::{self, Entity, Filter, Order, PageToken, QueryDigest, Start};
use crate::state::State;
use crate::tracking::Tracking;
use crate::view::{Experiment, Found, ViewType};

/// A search of experiments.
#[derive(Clone, Debug, Default)]
pub struct ExperimentSearch {
    /// The conditions; every experiment fulfils the empty filter.
    pub filter: String,
    /// Which stages are looked at.
    pub view: ViewType,
    /// The most that are answered: 1 to [`MAX_RESULTS`](super::MAX_RESULTS); [`MAX_RESULTS_DEFAULT`] without it.
    pub max_results: Option<i64>,
    /// What to order by; the latest made come first without it.
    pub order_by: Vec<String>,
    /// Where to go on: what the page before said.
    pub page_token: Option<String>,
}

impl Tracking {
    /// Searches experiments.
    ///
    /// # Errors
    /// [`TrackingError::Invalid`] says what is wrong with the filter, the order, the number of results, or the page token.
    pub fn search_experiments(&self, search: &ExperimentSearch) -> Result<Found<Experiment>, TrackingError> {
        let limit = limit(search.max_results, MAX_RESULTS_DEFAULT)?;
        let filter = Filter::parse(Entity::Experiments, &search.filter)?;
        let order = Order::parse(Entity::Experiments, &search.order_by)?;
        let parts = ["experiments", &*search.filter, view_name(search.view)].into_iter();
        let digest = QueryDigest::of(parts.chain(search.order_by.iter().map(String::as_str)));
        let token = PageToken::decode(search.page_token.as_deref().unwrap_or_default(), &digest)?;
        self.read(|state| page(state, search.view, &filter, &order, token.as_ref(), limit, &digest))
    }
}

#[expect(clippy::too_many_arguments, reason = "the parts of one query, taken apart before the state is locked")]
fn page(
    state: &State,
    view: ViewType,
    filter: &Filter,
    order: &Order,
    token: Option<&PageToken>,
    limit: usize,
    digest: &QueryDigest,
) -> Result<Found<Experiment>, TrackingError> {
    let rows: Vec<ExperimentView<'_>> = state
        .experiments
        .iter()
        .filter(|row| view.includes(row.stage))
        .map(|row| ExperimentView { state, row })
        .collect();
    let last = token.and_then(|token| state.experiment(&token.last)).map(|row| ExperimentView { state, row });
    let start = match (&last, token) {
        (Some(last), _) => Start::After(last),
        (None, Some(token)) => Start::Offset(token.offset),
        (None, None) => Start::Beginning,
    };
    let found = search::page(&rows, filter, order, &start, limit);
    let items = found
        .rows
        .iter()
        .map(|view| Ok(state.view_experiment(view.row)?))
        .collect::<Result<Vec<_>, TrackingError>>()?;
    let shown = token.map_or(0, |token| token.offset);
    let next = items
        .last()
        .filter(|_| found.more)
        .map(|last| PageToken { offset: shown + items.len(), last: last.id.to_string() }.encode(digest));
    Ok(Found { next_page_token: next, items })
}
