//! The search of runs: over a million of them it is a scan of a few arrays.
//!
//! Conditions on metrics, and metrics to order by, are answered from columns where many runs are looked at. What a run is ordered by is first of all two numbers, which
//! nearly always decide; only where they are equal the rows themselves are compared. No more than a page is ever sorted.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use super::rows::{Keys, RunView, run_status};
use super::top::Top;
use super::{MAX_RESULTS_DEFAULT, limit, view_name};
use crate::error::TrackingError;
use crate::search::{Attribute, Entity, Field, Filter, Order, OrderKey, PageToken, QueryDigest, Row as _, Test, Value};
use crate::state::columns::Column;
use crate::state::rows::{RunKey, Slot, time_or_none};
use crate::state::texts::TextId;
use crate::state::{State, pairs};
use crate::tracking::Tracking;
use crate::view::{Found, Run, ViewType};

/// A search of runs.
#[derive(Clone, Debug, Default)]
pub struct RunSearch {
    /// The experiments that are looked at; those that are not known have no runs.
    pub experiments: Vec<String>,
    /// The conditions; every run fulfils the empty filter.
    pub filter: String,
    /// Which stages are looked at.
    pub view: ViewType,
    /// The most that are answered: 1 to [`MAX_RESULTS`](super::MAX_RESULTS); [`MAX_RESULTS_DEFAULT`] without it.
    pub max_results: Option<i64>,
    /// What to order by; the latest begun come first without it.
    pub order_by: Vec<String>,
    /// Where to go on: what the page before said.
    pub page_token: Option<String>,
}

/// Fewer runs than this are looked at without columns.
const MANY: usize = 2_000;

impl Tracking {
    /// Searches runs. Each page costs the same, however far behind it is; a run that begins meanwhile never makes another one appear twice.
    ///
    /// # Errors
    /// [`TrackingError::Invalid`] says what is wrong with the filter, the order, the number of results, an experiment's id, or the page token.
    pub fn search_runs(&self, search: &RunSearch) -> Result<Found<Run>, TrackingError> {
        let limit = limit(search.max_results, MAX_RESULTS_DEFAULT)?;
        let filter = Filter::parse(Entity::Runs, &search.filter)?;
        let order = Order::parse(Entity::Runs, &search.order_by)?;
        let parts = ["runs", &*search.filter, view_name(search.view)].into_iter();
        let lists = search.experiments.iter().chain(&search.order_by).map(String::as_str);
        let digest = QueryDigest::of(parts.chain(lists));
        let token = PageToken::decode(search.page_token.as_deref().unwrap_or_default(), &digest)?;
        for id in &search.experiments {
            if id.trim().parse::<i128>().is_err() {
                return Err(TrackingError::invalid(format!(
                    "Invalid experiment ID '{id}'. Experiment ID must be a valid integer."
                )));
            }
        }
        self.read(|state| {
            let scan = Scan { state, search, filter: &filter, order: &order };
            let (slots, more) = scan.page(token.as_ref(), limit);
            let shown = token.map_or(0, |token| token.offset);
            let rows = slots.iter().filter_map(|slot| state.run_at(*slot));
            let items = rows.map(|row| Ok(state.view_run(row)?)).collect::<Result<Vec<Run>, TrackingError>>()?;
            let next = items
                .last()
                .filter(|_| more)
                .map(|last| PageToken { offset: shown + items.len(), last: last.id.to_string() }.encode(&digest));
            Ok(Found { next_page_token: next, items })
        })
    }
}

/// One search over one state.
struct Scan<'a> {
    state: &'a State,
    search: &'a RunSearch,
    filter: &'a Filter,
    order: &'a Order,
}

/// A run that was found, with what orders it nearly always: the codes of its first two values.
#[derive(Clone, Copy)]
struct Ranked {
    first: u64,
    second: u64,
    slot: Slot,
    first_rank: u8,
    second_rank: u8,
}

impl Scan<'_> {
    /// The runs of a page, in order, and whether there are more behind them.
    fn page(&self, token: Option<&PageToken>, limit: usize) -> (Vec<Slot>, bool) {
        let state = self.state;
        let mut experiments: Vec<_> =
            self.search.experiments.iter().filter_map(|id| state.experiment_slot(id.trim())).collect();
        experiments.sort_unstable();
        experiments.dedup();
        let lists: Vec<&[Slot]> =
            experiments.iter().filter_map(|slot| state.experiment_at(*slot)).map(|row| &*row.runs).collect();
        let looked_at: usize = lists.iter().map(|list| list.len()).sum();
        // A column is made from all runs: it is worth that when a good part of them is looked at.
        let columns = looked_at >= MANY && looked_at >= state.runs.len() / 8;

        let fields = self.filter.clauses().iter().map(|clause| &clause.field);
        let keys = Keys::of(state, fields.chain(self.order.keys().iter().map(|key| &key.field)));
        let Some(conditions) = self.conditions(&keys, columns) else { return (Vec::new(), false) };
        let order = RunOrder::of(state, &keys, self.order.keys(), columns);
        let after = token.and_then(|token| state.run_slot(&token.last)).map(|slot| order.ranked(slot));
        let skipped = match (token, after) {
            (Some(token), None) => token.offset,
            _ => 0,
        };
        // One more than the page says whether there is another page.
        let kept = skipped.saturating_add(limit).saturating_add(1);
        let mut top = Top::new(kept, |a: &Ranked, b: &Ranked| order.compare(a, b));
        for slot in lists.into_iter().flatten().copied() {
            let Some(head) = state.heads.get(slot as usize) else { continue };
            if !self.search.view.includes(head.stage.stage()) || !conditions.hold(self.filter, state, &keys, slot) {
                continue;
            }
            let ranked = order.ranked(slot);
            if after.as_ref().is_none_or(|after| order.compare(&ranked, after).is_gt()) {
                top.push(ranked);
            }
        }
        let mut slots: Vec<Slot> = top.into_sorted().into_iter().skip(skipped).map(|ranked| ranked.slot).collect();
        let more = slots.len() > limit;
        slots.truncate(limit);
        (slots, more)
    }

    /// The filter, as far as columns answer it, and whether the rows must be asked too. `None` when no run can fulfil it.
    fn conditions(&self, keys: &Keys<'_>, columns: bool) -> Option<Conditions<'_>> {
        let mut conditions = Conditions { by_column: Vec::new(), by_row: false };
        for clause in self.filter.clauses() {
            match &clause.field {
                Field::Metric(key) if columns => {
                    let column = self.state.columns.get(&self.state.runs, keys.get(self.state, key)?);
                    conditions.by_column.push((column, &clause.test));
                }
                _ => conditions.by_row = true,
            }
        }
        Some(conditions)
    }
}

struct Conditions<'a> {
    by_column: Vec<(Arc<Column>, &'a Test)>,
    by_row: bool,
}

impl Conditions<'_> {
    fn hold(&self, filter: &Filter, state: &State, keys: &Keys<'_>, slot: Slot) -> bool {
        let columns =
            self.by_column.iter().all(|(column, test)| column.get(slot).is_some_and(|value| test.of_number(value)));
        columns && (!self.by_row || RunView::at(state, keys, slot).is_some_and(|view| filter.matches(&view)))
    }
}

/// Where the value of a key to order by comes from.
enum Source {
    Column(Arc<Column>),
    Metric(TextId),
    Tag(TextId),
    Param(TextId),
    Attribute(Attribute),
    /// No run has it.
    Nothing,
}

/// A value to order by.
enum Part<'a> {
    Number(f64),
    Text(Cow<'a, str>),
    NotANumber,
    Absent,
}

impl Part<'_> {
    fn number(number: f64) -> Self {
        if number.is_nan() { Self::NotANumber } else { Self::Number(number) }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Number(_) => 0,
            Self::Text(_) => TEXT,
            Self::NotANumber => 2,
            Self::Absent => 3,
        }
    }

    fn compare(&self, other: &Self, descending: bool) -> Ordering {
        let values = match (self, other) {
            (Self::Number(left), Self::Number(right)) => left.partial_cmp(right).unwrap_or(Ordering::Equal),
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            (left, right) => return left.rank().cmp(&right.rank()),
        };
        if descending { values.reverse() } else { values }
    }

    /// The rank, and a number that is less only where this comes first. Equal numbers of one rank mean equal values, but for texts.
    fn code(&self, descending: bool) -> (u8, u64) {
        let code = match self {
            Self::Number(number) => number_code(*number),
            Self::Text(text) => text_code(text.as_bytes()),
            Self::NotANumber | Self::Absent => return (self.rank(), 0),
        };
        (self.rank(), if descending { !code } else { code })
    }
}

/// The rank of texts, whose codes do not say everything.
const TEXT: u8 = 1;

/// The order of numbers as that of whole numbers (IEEE 754, total order; there is one zero).
fn number_code(number: f64) -> u64 {
    let bits = if number == 0.0 { 0 } else { number.to_bits() };
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// The first eight bytes of a text.
fn text_code(text: &[u8]) -> u64 {
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(text) {
        *to = *from;
    }
    u64::from_be_bytes(first)
}

/// As [`text_code`] of the eight digits.
fn hexadecimal_code(bytes: [u8; 4]) -> u64 {
    let mut text = [0; 8];
    for ([high, low], byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        let digit = |nibble: u8| nibble + if nibble < 10 { b'0' } else { b'a' - 10 };
        (*high, *low) = (digit(byte >> 4), digit(byte & 15));
    }
    u64::from_be_bytes(text)
}

/// An order of runs with everything looked up that does not depend on the run.
struct RunOrder<'a> {
    state: &'a State,
    keys: &'a Keys<'a>,
    sources: Vec<(Source, bool)>,
}

impl<'a> RunOrder<'a> {
    fn of(state: &'a State, keys: &'a Keys<'a>, order: &[OrderKey], columns: bool) -> Self {
        let id = |key: &str, source: fn(TextId) -> Source| keys.get(state, key).map_or(Source::Nothing, source);
        let source = |field: &Field| match field {
            Field::Metric(key) => match keys.get(state, key) {
                Some(id) if columns => Source::Column(state.columns.get(&state.runs, id)),
                Some(id) => Source::Metric(id),
                None => Source::Nothing,
            },
            Field::Tag(key) => id(key, Source::Tag),
            Field::Param(key) => id(key, Source::Param),
            Field::Attribute(attribute) => Source::Attribute(*attribute),
            Field::Dataset(_) => Source::Nothing,
        };
        Self { state, keys, sources: order.iter().map(|key| (source(&key.field), key.descending)).collect() }
    }

    fn ranked(&self, slot: Slot) -> Ranked {
        let code = |at: usize| {
            self.sources.get(at).map_or((0, 0), |(source, descending)| self.code(source, *descending, slot))
        };
        let ((first_rank, first), (second_rank, second)) = (code(0), code(1));
        Ranked { first, second, slot, first_rank, second_rank }
    }

    fn code(&self, source: &Source, descending: bool, slot: Slot) -> (u8, u64) {
        if let (Source::Attribute(Attribute::RunId), Some(RunKey::Hexadecimal([a, b, c, d, ..]))) =
            (source, self.state.runs.get(slot as usize).map(|row| &row.id))
        {
            let code = hexadecimal_code([*a, *b, *c, *d]);
            return (TEXT, if descending { !code } else { code });
        }
        self.part(source, slot).code(descending)
    }

    fn compare(&self, left: &Ranked, right: &Ranked) -> Ordering {
        let first = (left.first_rank, left.first).cmp(&(right.first_rank, right.first));
        // Texts that begin alike may differ, and then the second value must not decide.
        let second = if left.first_rank == TEXT {
            Ordering::Equal
        } else {
            (left.second_rank, left.second).cmp(&(right.second_rank, right.second))
        };
        first.then(second).then_with(|| self.compare_rows(left.slot, right.slot))
    }

    fn compare_rows(&self, left: Slot, right: Slot) -> Ordering {
        self.sources
            .iter()
            .map(|(source, descending)| match source {
                Source::Attribute(Attribute::RunId) => {
                    let ids = self.compare_ids(left, right);
                    if *descending { ids.reverse() } else { ids }
                }
                source => self.part(source, left).compare(&self.part(source, right), *descending),
            })
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }

    fn compare_ids(&self, left: Slot, right: Slot) -> Ordering {
        let id = |slot: Slot| self.state.runs.get(slot as usize).map(|row| &row.id);
        match (id(left), id(right)) {
            (Some(RunKey::Hexadecimal(left)), Some(RunKey::Hexadecimal(right))) => left.cmp(right),
            (Some(left), Some(right)) => left.to_string().cmp(&right.to_string()),
            (left, right) => left.is_some().cmp(&right.is_some()),
        }
    }

    fn part(&self, source: &Source, slot: Slot) -> Part<'a> {
        let state = self.state;
        let text = |id: TextId| Part::Text(Cow::Borrowed(state.texts.get(id)));
        let Some((head, row)) = state.run_at(slot) else { return Part::Absent };
        match source {
            Source::Column(column) => column.get(slot).map_or(Part::Absent, Part::number),
            Source::Metric(key) => {
                pairs::find(&row.metrics, *key).map_or(Part::Absent, |latest| Part::number(latest.value))
            }
            Source::Tag(key) => pairs::find(&row.tags, *key).map_or(Part::Absent, |pair| text(pair.value)),
            Source::Param(key) => pairs::find(&row.params, *key).map_or(Part::Absent, |pair| text(pair.value)),
            Source::Attribute(Attribute::StartTime) => match Value::time_ms(time_or_none(head.started_ms)) {
                Value::Number(number) => Part::number(number),
                _ => Part::Absent,
            },
            Source::Attribute(Attribute::RunName) => text(row.name),
            Source::Attribute(Attribute::UserId) => row.user.map_or(Part::Text(Cow::Borrowed("")), text),
            Source::Attribute(Attribute::Status) => Part::Text(Cow::Borrowed(run_status(head.status))),
            Source::Attribute(attribute) => {
                let view = RunView { state, keys: self.keys, head, row };
                match view.attribute(*attribute) {
                    Value::Absent => Part::Absent,
                    Value::Number(number) => Part::number(number),
                    Value::Text(text) => Part::Text(Cow::Owned(text.into_owned())),
                }
            }
            Source::Nothing => Part::Absent,
        }
    }
}
