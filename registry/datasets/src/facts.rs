//! What the log knew at `as_of` besides readings: read once, then asked for each row.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::Event;
use domain::events::{
    Disposition, InspectionRecorded, MachineState, Measurement, NonconformanceRaised, SetPointChanged, Verdict,
};
use domain::ids::{
    AssetClass, AssetId, Code, FaultId, InspectionId, LotId, MaterialId, NonconformanceId, OrderId, SignalId,
};
use domain::units::Unit;
use eventlog::{Direction, EventLog, Filter, Position, ReadError};
use jiff::Timestamp;
use projections::{Entry, filters};

use crate::error::DatasetError;
use crate::spec::{Assets, Feature, Label, RowEvent, Rows, Spec};
use crate::timeline::{Timeline, nanoseconds};

/// The records of one page.
const PAGE: usize = 4096;

/// How many of the last records are asked how far the log has seen.
const LAST_RECORDS: usize = 64;

/// What a signal was said to measure.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Definition {
    /// Since when, in nanoseconds since 1970. The first one counts from ever: nothing else is known of the time before.
    pub(crate) since_ns: i64,
    pub(crate) position: Position,
    pub(crate) asset: AssetId,
    pub(crate) quantity: Code,
    pub(crate) unit: Unit,
}

/// A fault of an asset.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    pub(crate) fault: FaultId,
    /// The last coding, and where it stands.
    pub(crate) coded: Option<(Position, Code)>,
}

/// An inspection, as recorded last.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Inspection {
    pub(crate) inspection: InspectionId,
    pub(crate) lot: Option<LotId>,
    pub(crate) verdict: Verdict,
    pub(crate) measurements: Vec<Measurement>,
}

/// A nonconformance with its last decision.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Nonconformance {
    pub(crate) inspection: Option<InspectionId>,
    pub(crate) lot: Option<LotId>,
    pub(crate) decided: Option<(Position, Disposition)>,
}

/// What happened to one asset.
#[derive(Clone, Debug, Default)]
pub(crate) struct AssetFacts {
    pub(crate) states: Timeline<MachineState>,
    pub(crate) set_points: BTreeMap<Code, Timeline<(f64, Unit)>>,
    pub(crate) set_point_changes: Timeline<Code>,
    pub(crate) products: Timeline<MaterialId>,
    pub(crate) faults: Timeline<Fault>,
    pub(crate) inspections: Timeline<Inspection>,
    pub(crate) nonconformances: Timeline<Nonconformance>,
    pub(crate) rolls: Timeline<LotId>,
}

impl AssetFacts {
    fn sort(&mut self) {
        self.states.sort();
        self.set_points.values_mut().for_each(Timeline::sort);
        self.set_point_changes.sort();
        self.products.sort();
        self.faults.sort();
        self.inspections.sort();
        self.nonconformances.sort();
        self.rolls.sort();
    }
}

/// Everything that a dataset needs besides readings.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// The assets of the dataset, by id.
    pub(crate) assets: BTreeMap<AssetId, AssetFacts>,
    /// Every definition of a signal that was bound to one of these assets at some time.
    pub(crate) definitions: BTreeMap<SignalId, Vec<Definition>>,
    /// Until when the future counts as observed, in nanoseconds since 1970.
    pub(crate) observed_ns: i64,
    /// Things without a time, which have no place in a row or label.
    pub(crate) without_time: u64,
}

impl Facts {
    /// Reads what was known at `as_of`.
    ///
    /// # Errors
    /// [`DatasetError`]: the log cannot be read, or an asset or class of the spec is not known.
    pub(crate) async fn gather(log: &dyn EventLog, spec: &Spec, as_of: Position) -> Result<Self, DatasetError> {
        let tail = log.tail();
        if as_of >= tail {
            return Err(DatasetError::Beyond { as_of, tail });
        }
        let mut gathering = Gathering::default();
        let filter = filters::types(&types_of(spec));
        let mut from = Position::START;
        'pages: loop {
            let page = log.read(from, Direction::Forward, filter.clone(), PAGE).await?;
            let next = page.next;
            for record in page {
                if record.position > as_of {
                    break 'pages;
                }
                gathering.take(&Entry::decode(record));
            }
            match next {
                Some(next) if next <= as_of => from = next,
                _ => break,
            }
        }
        let (recorded, newest) = seen(log, as_of).await?;
        let newest = newest.into_iter().chain(gathering.newest).max().unwrap_or(recorded);
        let observed = spec.observed_until.unwrap_or(newest.min(recorded));
        gathering.finish(spec, nanoseconds(observed))
    }
}

/// The record time of a position, and the newest event time among the records before it.
async fn seen(log: &dyn EventLog, as_of: Position) -> Result<(Timestamp, Option<Timestamp>), ReadError> {
    let mut recorded = None;
    let mut newest = None;
    let mut from = as_of;
    let mut rest = LAST_RECORDS;
    while rest > 0 {
        let page = log.read(from, Direction::Backward, Filter::all(), rest).await?;
        for record in &page {
            recorded = recorded.or(Some(record.record_time));
            newest = newest.max(record.event_time);
        }
        rest = rest.saturating_sub(page.len());
        match page.next {
            Some(next) => from = next,
            None => break,
        }
    }
    Ok((recorded.unwrap_or(Timestamp::UNIX_EPOCH), newest))
}

/// The types that a spec needs.
pub(crate) fn types_of(spec: &Spec) -> Vec<&'static str> {
    const FAULTS: [&str; 2] = ["fault.observed", "fault.coded"];
    const INSPECTIONS: [&str; 2] = ["inspection.recorded", "weaving.cloth_doffed"];
    const DECISIONS: [&str; 2] = ["nonconformance.raised", "nonconformance.decided"];
    let mut types = BTreeSet::from(["asset.registered", "signal.defined"]);
    if let Rows::Event { event } = spec.rows {
        match event {
            RowEvent::FaultObserved => types.extend(FAULTS),
            RowEvent::InspectionRecorded => types.extend(INSPECTIONS),
            RowEvent::ClothDoffed => types.extend(["weaving.cloth_doffed"]),
            RowEvent::SetPointChanged => types.extend(["asset.set_point_changed"]),
        }
    }
    for feature in &spec.features {
        match feature {
            Feature::Reading { .. } => {}
            Feature::State { .. } => types.extend(["asset.state_changed"]),
            Feature::SetPoint { .. } => types.extend(["asset.set_point_changed"]),
            Feature::Product { .. } => types.extend(["weaving.beam_mounted", "order.created", "order.started"]),
        }
    }
    for label in &spec.labels {
        match label {
            Label::FaultWithin { .. } | Label::FailureMode { .. } | Label::TimeToFault { .. } => types.extend(FAULTS),
            Label::Measurement { .. } | Label::Verdict { .. } => types.extend(INSPECTIONS),
            Label::Disposition { .. } => {
                types.extend(INSPECTIONS);
                types.extend(DECISIONS);
            }
            Label::Value { .. } => {}
        }
    }
    types.into_iter().collect()
}

/// A fact with its place in the log.
struct Told<T> {
    time: Option<Timestamp>,
    position: Position,
    value: T,
}

impl<T> Told<T> {
    fn of(entry: &Entry, value: T) -> Self {
        Self { time: entry.event_time, position: entry.position, value }
    }
}

#[derive(Default)]
struct Gathering {
    newest: Option<Timestamp>,
    classes: BTreeMap<AssetId, AssetClass>,
    definitions: BTreeMap<SignalId, Vec<Definition>>,
    states: Vec<Told<(AssetId, MachineState)>>,
    set_points: Vec<Told<SetPointChanged>>,
    mounted: Vec<Told<(AssetId, MaterialId)>>,
    ordered: HashMap<OrderId, Told<MaterialId>>,
    started: Vec<Told<(AssetId, OrderId)>>,
    /// The first observation of each fault that has a time, or else the first one.
    observed: BTreeMap<FaultId, Told<AssetId>>,
    coded: HashMap<FaultId, (Position, Code)>,
    inspections: BTreeMap<InspectionId, Told<InspectionRecorded>>,
    raised: BTreeMap<NonconformanceId, Told<NonconformanceRaised>>,
    decided: HashMap<NonconformanceId, (Position, Disposition)>,
    rolls: BTreeMap<LotId, Told<AssetId>>,
}

impl Gathering {
    fn take(&mut self, entry: &Entry) {
        self.newest = self.newest.max(entry.event_time);
        let Some(event) = entry.event() else { return };
        match event {
            Event::AssetRegistered(event) => {
                self.classes.insert(event.asset.clone(), event.class.clone());
            }
            Event::SignalDefined(event) => {
                let known = self.definitions.entry(event.signal.clone()).or_default();
                let since = nanoseconds(entry.event_time.unwrap_or(entry.record_time));
                known.push(Definition {
                    since_ns: if known.is_empty() { i64::MIN } else { since },
                    position: entry.position,
                    asset: event.asset.clone(),
                    quantity: event.quantity.clone(),
                    unit: event.unit.clone(),
                });
            }
            Event::MachineStateChanged(event) => {
                self.states.push(Told::of(entry, (event.asset.clone(), event.state)));
            }
            Event::SetPointChanged(event) => self.set_points.push(Told::of(entry, event.clone())),
            Event::BeamMounted(event) => {
                self.mounted.push(Told::of(entry, (event.asset.clone(), event.product.clone())));
            }
            Event::OrderCreated(event) => {
                self.ordered.insert(event.order.clone(), Told::of(entry, event.product.clone()));
            }
            Event::OrderStarted(event) => {
                if let Some(asset) = &event.asset {
                    self.started.push(Told::of(entry, (asset.clone(), event.order.clone())));
                }
            }
            Event::FaultObserved(event) => {
                let known = self.observed.get(&event.fault);
                if known.is_none_or(|known| known.time.is_none() && entry.event_time.is_some()) {
                    self.observed.insert(event.fault.clone(), Told::of(entry, event.asset.clone()));
                }
            }
            Event::FaultCoded(event) => {
                self.coded.insert(event.fault.clone(), (entry.position, event.mode.clone()));
            }
            Event::InspectionRecorded(event) => {
                self.inspections.insert(event.inspection.clone(), Told::of(entry, event.clone()));
            }
            Event::NonconformanceRaised(event) => {
                self.raised.insert(event.nonconformance.clone(), Told::of(entry, event.clone()));
            }
            Event::DispositionDecided(event) => {
                self.decided.insert(event.nonconformance.clone(), (entry.position, event.disposition));
            }
            Event::ClothDoffed(event) => {
                self.rolls.insert(event.roll.clone(), Told::of(entry, event.asset.clone()));
            }
            _ => {}
        }
    }

    fn finish(mut self, spec: &Spec, observed_ns: i64) -> Result<Facts, DatasetError> {
        let mut placing = Placing { assets: self.chosen(spec)?, without_time: 0 };
        let chosen: BTreeSet<AssetId> = placing.assets.keys().cloned().collect();
        self.definitions.retain(|_, versions| versions.iter().any(|one| chosen.contains(&one.asset)));
        for told in self.states {
            let (asset, state) = told.value;
            placing.put(&asset, told.time, |facts, time_ns| facts.states.add(time_ns, told.position, state));
        }
        for told in self.set_points {
            let SetPointChanged { asset, parameter, to, unit, .. } = told.value;
            placing.put(&asset, told.time, |facts, time_ns| {
                facts.set_point_changes.add(time_ns, told.position, parameter.clone());
                facts.set_points.entry(parameter).or_default().add(time_ns, told.position, (to, unit));
            });
        }
        for told in self.mounted {
            let (asset, product) = told.value;
            placing.put(&asset, told.time, |facts, time_ns| facts.products.add(time_ns, told.position, product));
        }
        for told in self.started {
            let (asset, order) = told.value;
            let Some(ordered) = self.ordered.get(&order) else { continue };
            // What an order is for is known once both events are.
            let position = told.position.max(ordered.position);
            let product = ordered.value.clone();
            placing.put(&asset, told.time, |facts, time_ns| facts.products.add(time_ns, position, product));
        }
        for (fault, told) in self.observed {
            let coded = self.coded.remove(&fault);
            let value = Fault { fault, coded };
            placing.put(&told.value, told.time, |facts, time_ns| facts.faults.add(time_ns, told.position, value));
        }
        let made_on = |lot: Option<&LotId>| lot.and_then(|lot| self.rolls.get(lot)).map(|told| told.value.clone());
        let inspected = |id: Option<&InspectionId>| id.and_then(|id| self.inspections.get(id)).map(|told| &told.value);
        for (id, told) in &self.raised {
            let NonconformanceRaised { asset, inspection, lot, .. } = &told.value;
            let of = inspected(inspection.as_ref());
            let lot = lot.clone().or_else(|| of.and_then(|of| of.lot.clone()));
            let asset = asset.clone().or_else(|| of.and_then(|of| of.asset.clone())).or_else(|| made_on(lot.as_ref()));
            let Some(asset) = asset else { continue };
            let decided = self.decided.get(id).copied();
            let value = Nonconformance { inspection: inspection.clone(), lot, decided };
            placing.put(&asset, told.time, |facts, time_ns| {
                facts.nonconformances.add(time_ns, told.position, value);
            });
        }
        for (id, told) in &self.inspections {
            let event = &told.value;
            let Some(asset) = event.asset.clone().or_else(|| made_on(event.lot.as_ref())) else { continue };
            let value = Inspection {
                inspection: id.clone(),
                lot: event.lot.clone(),
                verdict: event.verdict,
                measurements: event.measurements.clone(),
            };
            placing.put(&asset, told.time, |facts, time_ns| facts.inspections.add(time_ns, told.position, value));
        }
        for (roll, told) in &self.rolls {
            placing.put(&told.value, told.time, |facts, time_ns| {
                facts.rolls.add(time_ns, told.position, roll.clone());
            });
        }
        let Placing { mut assets, without_time } = placing;
        assets.values_mut().for_each(AssetFacts::sort);
        Ok(Facts { assets, definitions: self.definitions, observed_ns, without_time })
    }

    fn chosen(&self, spec: &Spec) -> Result<BTreeMap<AssetId, AssetFacts>, DatasetError> {
        let chosen: Vec<AssetId> = match &spec.assets {
            Assets::Ids(ids) => {
                if let Some(unknown) = ids.iter().find(|id| !self.classes.contains_key(*id)) {
                    let reason = format!("asset {unknown} was not registered at that position");
                    return Err(DatasetError::spec("assets.ids", reason));
                }
                ids.iter().cloned().collect()
            }
            Assets::Class(class) => {
                let of_class = self.classes.iter().filter(|(_, of)| *of == class);
                of_class.map(|(asset, _)| asset.clone()).collect()
            }
        };
        if chosen.is_empty() {
            let reason = "no asset of this class was registered at that position";
            return Err(DatasetError::spec("assets.class", reason));
        }
        Ok(chosen.into_iter().map(|asset| (asset, AssetFacts::default())).collect())
    }
}

/// Puts facts to the assets of the dataset.
struct Placing {
    assets: BTreeMap<AssetId, AssetFacts>,
    without_time: u64,
}

impl Placing {
    fn put(&mut self, asset: &AssetId, time: Option<Timestamp>, put: impl FnOnce(&mut AssetFacts, i64)) {
        let Some(facts) = self.assets.get_mut(asset) else { return };
        match time {
            Some(time) => put(facts, nanoseconds(time)),
            None => self.without_time += 1,
        }
    }
}
