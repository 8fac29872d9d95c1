//! The way from a spec to a file.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::events::{Artifact, DatasetBuilt, DatasetColumn};
use domain::ids::{AssetId, DatasetId, SignalId};
use eventlog::{Digest, EventLog, Position};
use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::json;

use crate::aggregate::{Point, aggregate};
use crate::bindings::Bindings;
use crate::error::DatasetError;
use crate::facts::{AssetFacts, Facts, types_of};
use crate::features;
use crate::file::{File, FileSink, Forget};
use crate::labels::Ahead;
use crate::moments::Moments;
use crate::plan::Plan;
use crate::rows::{self, Row};
use crate::spec::Spec;
use crate::table::{Cell, Column};
use crate::taken::Taken;
use crate::timeline::{nanoseconds, span_ns};
use crate::window::Window;

/// The version of the builder. It is raised whenever the same log and spec give other bytes: a new release of the Parquet writer can do that too, and the test of the
/// golden digest says so.
pub const BUILDER: u32 = 1;

/// The name of a dataset's file.
pub const FILE_NAME: &str = "data.parquet";

/// The name that stands in files for what made them. It says no release: the bytes must not change with it.
const CREATED_BY: &str = "millwright-datasets version 1";

/// The cells of one group of rows, about.
const GROUP_CELLS: usize = 1_000_000;

/// The rows of one group.
const GROUP_ROWS: std::ops::RangeInclusive<usize> = 1024..=65_536;

/// Rows between two looks at whether the build goes on, and at whether others may run.
const ROWS_AT_ONCE: usize = 256;

/// A dataset that was built.
#[derive(Clone, Debug, PartialEq)]
pub struct Built {
    /// What was asked for.
    pub spec: Spec,
    /// The last position that it knows of.
    pub as_of: Position,
    /// How many rows it has.
    pub rows: u64,
    /// Its columns, in order.
    pub columns: Vec<DatasetColumn>,
    /// The digest of the file.
    pub sha256: Digest,
    /// The size of the file.
    pub bytes: u64,
    /// The first and the last position that it took something from.
    pub positions: Option<(Position, Position)>,
    /// The assets that it looked at, by id.
    pub assets: Vec<AssetId>,
    /// The signals that it looked at, by id.
    pub signals: Vec<SignalId>,
    /// Where the events stand that its labels came from, ascending.
    pub label_positions: Vec<Position>,
    /// The moments that it looked at: from the first one on, before the second one.
    pub span: (Timestamp, Timestamp),
    /// How many readings it took.
    pub readings: u64,
    /// What it met and left out, by reason.
    pub left_out: IndexMap<String, u64>,
}

/// What came of building a dataset again.
#[derive(Clone, Debug, PartialEq)]
pub struct Rebuilt {
    /// The digest that the event names.
    pub expected: String,
    /// The digest of the file that came out now.
    pub sha256: Digest,
    /// The rows that came out now.
    pub rows: u64,
    /// The readings that went in now; fewer than before where payloads have expired.
    pub readings: u64,
}

impl Rebuilt {
    /// Whether the same file came out.
    pub fn is_same(&self) -> bool {
        self.sha256.to_string() == self.expected
    }
}

/// Builds the file of a dataset as the log was known at a position, and hands its bytes to the sink.
///
/// The file is a function of the log up to `as_of`, the spec and [`BUILDER`]. Payloads that have expired meanwhile are not in the log any more, so that another file can come out then.
///
/// # Errors
/// [`DatasetError`]: the spec does not fit, it is too large, or the log or the sink failed.
pub async fn build(
    log: &dyn EventLog,
    spec: &Spec,
    as_of: Position,
    sink: &mut dyn FileSink,
) -> Result<Built, DatasetError> {
    spec.check()?;
    let facts = Facts::gather(log, spec, as_of).await?;
    rows::count(spec, facts.assets.values())?;
    let (plan, bindings) = Plan::of(spec, &facts)?;
    let signals: BTreeSet<SignalId> =
        bindings.values().flatten().flat_map(|bindings| bindings.signals.iter().cloned()).collect();
    let signals: Vec<SignalId> = signals.into_iter().collect();
    let columns: Vec<DatasetColumn> = plan.columns.iter().map(Column::described).collect();
    let group_rows = (GROUP_CELLS / plan.columns.len().max(1)).clamp(*GROUP_ROWS.start(), *GROUP_ROWS.end());
    let mut taken = Taken::default();
    taken.leave_out("without_time", facts.without_time);
    let file = File::begin(&plan.columns, CREATED_BY, sink)?;
    let mut build = Build {
        log,
        spec,
        as_of,
        observed_ns: facts.observed_ns,
        plan,
        taken,
        moments: Moments::new(spec.knowledge, as_of),
        file,
        group_rows,
        waiting: 0,
        rows: 0,
        points: Vec::new(),
        scratch: Vec::new(),
    };
    for (asset, of_asset) in &facts.assets {
        let bindings = bindings.get(asset).map(Vec::as_slice).unwrap_or_default();
        build.asset(asset, of_asset, bindings).await?;
    }
    build.finish(facts, columns, signals).await
}

/// Builds a dataset again, and says whether the same file comes out. Nothing is kept.
///
/// # Errors
/// [`DatasetError`]; also when another version of the builder had built it.
pub async fn rebuild(log: &dyn EventLog, built: &DatasetBuilt) -> Result<Rebuilt, DatasetError> {
    if built.builder != BUILDER {
        return Err(DatasetError::Builder { built: built.builder, here: BUILDER });
    }
    let spec = Spec::from_value(built.spec.clone())?;
    let again = build(log, &spec, Position::new(built.as_of), &mut Forget).await?;
    let expected = built.file.sha256.clone();
    Ok(Rebuilt { expected, sha256: again.sha256, rows: again.rows, readings: again.readings })
}

/// What the event says of a dataset that was built.
pub fn built_event(dataset: DatasetId, built: &Built) -> DatasetBuilt {
    DatasetBuilt {
        dataset,
        name: built.spec.name.clone(),
        spec: json!(built.spec),
        as_of: built.as_of.get(),
        builder: BUILDER,
        rows: built.rows,
        columns: built.columns.clone(),
        file: Artifact { name: FILE_NAME.to_owned(), sha256: built.sha256.to_string(), bytes: built.bytes },
        first_position: built.positions.map(|(first, _)| first.get()),
        last_position: built.positions.map(|(_, last)| last.get()),
        signals: built.signals.clone(),
        label_positions: built.label_positions.iter().map(|position| position.get()).collect(),
        projections: IndexMap::new(),
        assets: built.assets.clone(),
        from: Some(built.span.0),
        until: Some(built.span.1),
        readings: Some(built.readings),
        event_types: types_of(&built.spec).into_iter().map(str::to_owned).collect(),
        left_out: built.left_out.clone(),
    }
}

/// A build that is under way.
struct Build<'a> {
    log: &'a dyn EventLog,
    spec: &'a Spec,
    as_of: Position,
    observed_ns: i64,
    plan: Plan,
    taken: Taken,
    moments: Moments,
    file: File<'a>,
    group_rows: usize,
    /// The rows that are in the columns.
    waiting: usize,
    /// The rows that are in the file.
    rows: u64,
    points: Vec<Point>,
    scratch: Vec<f64>,
}

impl Build<'_> {
    async fn asset(&mut self, asset: &AssetId, facts: &AssetFacts, bindings: &[Bindings]) -> Result<(), DatasetError> {
        let mut windows: Vec<Window> = self
            .plan
            .quantities
            .iter()
            .zip(bindings)
            .map(|(quantity, bindings)| Window::new(asset, quantity, bindings.clone(), self.as_of))
            .collect();
        for span in &self.plan.spans {
            if let Some(window) = windows.get_mut(span.quantity) {
                window.reach(span.from_ns.min(0).saturating_neg(), span.to_ns.max(0));
            }
        }
        let id: Arc<str> = asset.as_str().into();
        let end_ns = nanoseconds(self.spec.to);
        for (index, row) in rows::rows(self.spec, facts).enumerate() {
            if index % ROWS_AT_ONCE == 0 {
                if self.file.is_cancelled() {
                    return Err(DatasetError::Sink(std::io::Error::other("nobody waits for the dataset any more")));
                }
                tokio::task::yield_now().await;
            }
            for window in &mut windows {
                window.cover(self.log, row.time_ns, end_ns, &mut self.taken).await?;
            }
            self.head(&id, &row);
            self.features(facts, &row, &mut windows).await?;
            self.labels(facts, &row, &mut windows)?;
            self.waiting += 1;
            if self.waiting == self.group_rows {
                self.write().await?;
            }
        }
        Ok(())
    }

    fn put(&mut self, column: usize, cell: Option<Cell>) {
        if let Some(column) = self.plan.columns.get_mut(column) {
            column.push(cell);
        }
    }

    fn head(&mut self, asset: &Arc<str>, row: &Row) {
        self.put(0, Some(Cell::Text(Arc::clone(asset))));
        self.put(1, Some(Cell::Integer(row.time_ns)));
        if let Some((id, position)) = &row.event {
            self.taken.event(*position);
            self.put(2, Some(Cell::Text(Arc::clone(id))));
            // Positions are far below 2^63.
            self.put(3, i64::try_from(position.get()).ok().map(Cell::Integer));
        }
    }

    async fn features(&mut self, facts: &AssetFacts, row: &Row, windows: &mut [Window]) -> Result<(), DatasetError> {
        let known = self.moments.known(self.log, row.time_ns).await?;
        for (index, feature) in self.spec.features.iter().enumerate() {
            if matches!(feature, crate::spec::Feature::Reading { .. }) {
                continue;
            }
            let cell = known.and_then(|known| features::cell(feature, facts, row.time_ns, known, &mut self.taken));
            if let Some(column) = self.plan.features.get(index).copied() {
                self.put(column, cell);
            }
        }
        self.spans(false, known, row, windows)
    }

    fn labels(&mut self, facts: &AssetFacts, row: &Row, windows: &mut [Window]) -> Result<(), DatasetError> {
        let ahead = Ahead { facts, observed_ns: self.observed_ns };
        for (index, label) in self.spec.labels.iter().enumerate() {
            if matches!(label, crate::spec::Label::Value { .. }) {
                continue;
            }
            let [cell, second] = ahead.cells(label, row, &mut self.taken)?;
            if let Some(column) = self.plan.labels.get(index).copied() {
                self.put(column, cell);
                if label.censored().is_some() {
                    self.put(column + 1, second);
                }
            }
        }
        self.spans(true, Some(self.as_of), row, windows)
    }

    /// The columns that are made of readings: of those before the row, or of those ahead of it.
    fn spans(
        &mut self,
        ahead: bool,
        known: Option<Position>,
        row: &Row,
        windows: &mut [Window],
    ) -> Result<(), DatasetError> {
        for span in self.plan.spans.iter().filter(|span| span.ahead == ahead) {
            let times = (row.time_ns.saturating_add(span.from_ns), row.time_ns.saturating_add(span.to_ns));
            let observed = !ahead || times.1 <= self.observed_ns;
            self.points.clear();
            if let (Some(known), true, Some(window)) = (known, observed, windows.get_mut(span.quantity)) {
                window.points(times, known, &span.unit, &mut self.points)?;
            }
            for (column, kind) in &span.columns {
                let value = observed.then(|| aggregate(*kind, &self.points, &mut self.scratch)).flatten();
                if let Some(column) = self.plan.columns.get_mut(*column) {
                    column.push(value.map(Cell::Float));
                }
            }
        }
        Ok(())
    }

    async fn write(&mut self) -> Result<(), DatasetError> {
        self.file.group(&self.plan.columns).await?;
        self.plan.columns.iter_mut().for_each(Column::clear);
        self.rows += self.waiting as u64;
        self.waiting = 0;
        Ok(())
    }

    async fn finish(
        mut self,
        facts: Facts,
        columns: Vec<DatasetColumn>,
        signals: Vec<SignalId>,
    ) -> Result<Built, DatasetError> {
        if self.waiting > 0 {
            self.write().await?;
        }
        let taken = &self.taken;
        let left_out = taken.left_out_by_reason();
        let positions = taken.first.zip(taken.last);
        let units: IndexMap<&str, &str> =
            columns.iter().filter_map(|column| Some((column.name.as_str(), column.unit.as_ref()?.as_str()))).collect();
        let lineage = vec![
            ("millwright.spec", json!(self.spec).to_string()),
            ("millwright.as_of", self.as_of.to_string()),
            ("millwright.builder", BUILDER.to_string()),
            ("millwright.units", json!(units).to_string()),
            ("millwright.positions", json!(positions.map(|(first, last)| [first.get(), last.get()])).to_string()),
            ("millwright.readings", taken.readings.to_string()),
            ("millwright.left_out", json!(left_out).to_string()),
        ];
        let written = self.file.finish(lineage).await?;
        Ok(Built {
            spec: self.spec.clone(),
            as_of: self.as_of,
            rows: self.rows,
            columns,
            sha256: written.sha256,
            bytes: written.bytes,
            positions,
            assets: facts.assets.into_keys().collect(),
            signals,
            label_positions: self.taken.labels.iter().copied().collect(),
            span: span(self.spec, self.observed_ns),
            readings: self.taken.readings,
            left_out,
        })
    }
}

/// The moments that a dataset looks at.
fn span(spec: &Spec, observed_ns: i64) -> (Timestamp, Timestamp) {
    let moment = |time_ns: i64| Timestamp::from_nanosecond(i128::from(time_ns)).unwrap_or(Timestamp::UNIX_EPOCH);
    let from_ns = nanoseconds(spec.from).saturating_sub(span_ns(spec.looks_back_s()));
    let to_ns = nanoseconds(spec.to);
    let until_ns = match spec.looks_ahead_s() {
        Some(ahead_s) => to_ns.saturating_add(span_ns(ahead_s)),
        None => to_ns.max(observed_ns),
    };
    (moment(from_ns), moment(until_ns))
}
