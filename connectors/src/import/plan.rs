//! Planning: every row becomes events and readings, in event-time order, or a reject with its reason.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use domain::Event;
use eventlog::EventId;
use eventlog::frames::Reading;
use jiff::Timestamp;
use projections::Meta;
use serde::Serialize;
use serde_json::Value as Json;

use super::cell::Cell;
use super::compile::{Builtin, Origin};
use super::expression::{Expression, Fault, Node};
use super::files::{ImportError, RowRead, Rows};
use super::identity::Occurrences;
use super::lookup::{Grouped, Joined};
use super::mapping::{EventBlock, Mapping};
use super::readings::SignalBlock;
use super::run::{Phase, Progress};
use super::{MAX_EVENTS_PER_BATCH, MAX_ITEMS, MAX_READINGS_PER_BATCH};

/// Who imports, in the records.
const ACTOR: &str = "import";

/// Rows between two calls of the progress callback.
const PROGRESS_ROWS: u64 = 10_000;

/// An event that a row became.
#[derive(Clone, Debug)]
pub struct ImportEvent {
    /// What happened.
    pub event: Event,
    /// Its id, time, source and name there.
    pub meta: Meta,
    /// The file that it comes from.
    pub file: Arc<str>,
    /// The row of that file, from 1.
    pub row: u64,
}

/// A row that was not imported, or an event of a row that the log did not take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reject {
    /// The file.
    pub file: String,
    /// The row, from 1; a header does not count.
    pub row: u64,
    /// The line of the file that the row begins on; 0 where it is not known any more.
    pub line: u64,
    /// The block and field that is wrong, where one is.
    pub field: String,
    /// What is wrong.
    pub reason: String,
    /// The row as it stands in the file; empty where an event of it was refused later.
    pub raw: String,
}

/// What goes to a sink at once. Batches come in event-time order.
#[derive(Clone, Debug)]
pub enum Batch {
    /// At most [`MAX_EVENTS_PER_BATCH`] events.
    Events(Vec<ImportEvent>),
    /// At most [`MAX_READINGS_PER_BATCH`] readings.
    Readings(Vec<Reading>),
}

enum Planned {
    Event(Box<ImportEvent>),
    Reading(Reading),
}

struct Item {
    /// Nanoseconds since 1970; the least number for what has no time.
    at: i64,
    rank: u32,
    planned: Planned,
}

/// A planned import: everything that the files say, in the order in which it will be written.
pub struct Import {
    items: Vec<Item>,
    rejects: Vec<Reject>,
    rows: u64,
    skipped: u64,
}

impl Import {
    /// Rows that were read, also those that were filtered out or rejected.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows that the mapping's `input.when` left out.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Rows that could not be imported.
    pub fn rejects(&self) -> &[Reject] {
        &self.rejects
    }

    /// How many events and readings there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Takes the rejects out.
    pub fn take_rejects(&mut self) -> Vec<Reject> {
        std::mem::take(&mut self.rejects)
    }

    /// The batches, in event-time order: what has no time first, at equal times in the order of the mapping's blocks, readings last.
    pub fn into_batches(self) -> impl Iterator<Item = Batch> {
        let mut items = self.items.into_iter().peekable();
        std::iter::from_fn(move || match items.next()?.planned {
            Planned::Event(event) => {
                let mut batch = vec![*event];
                while batch.len() < MAX_EVENTS_PER_BATCH
                    && let Some(item) = items.next_if(|item| matches!(item.planned, Planned::Event(_)))
                    && let Planned::Event(event) = item.planned
                {
                    batch.push(*event);
                }
                Some(Batch::Events(batch))
            }
            Planned::Reading(reading) => {
                let mut batch = vec![reading];
                while batch.len() < MAX_READINGS_PER_BATCH
                    && let Some(item) = items.next_if(|item| matches!(item.planned, Planned::Reading(_)))
                    && let Planned::Reading(reading) = item.planned
                {
                    batch.push(reading);
                }
                Some(Batch::Readings(batch))
            }
        })
    }
}

/// Reads the files under the mapping. Files are read in the order given; groups need a pass over all of them before the one that makes events.
///
/// # Errors
/// [`ImportError`] when a file cannot be read, a column is not there, or there is too much. A bad row is no error: it becomes a [`Reject`].
pub fn plan(mapping: &Mapping, files: &[PathBuf], progress: &mut dyn FnMut(&Progress)) -> Result<Import, ImportError> {
    let first = files.first().ok_or(ImportError::NoFiles)?;
    let folder = first.parent().unwrap_or(Path::new(""));
    let joined =
        mapping.joins.iter().map(|join| join.load(folder, &mapping.input.missing)).collect::<Result<Vec<_>, _>>()?;
    let mut planner = Planner {
        mapping,
        joined,
        grouped: mapping.groups.iter().map(|_| Grouped::default()).collect(),
        meter: Meter::new(files, mapping.groups.is_empty(), progress),
        values: vec![None; mapping.slots.len()],
        before: None,
        occurrences: Occurrences::default(),
        rank: EventRanks::new(mapping),
        output: Output::default(),
    };
    if !mapping.groups.is_empty() {
        planner.pass(files, Planner::group)?;
        planner.occurrences = Occurrences::default();
    }
    planner.pass(files, Planner::emit)?;
    let mut output = planner.output;
    output.items.sort_by_key(|item| (item.at, item.rank));
    Ok(Import { items: output.items, rejects: output.rejects, rows: output.rows, skipped: output.skipped })
}

/// Where each block stands among things of the same time.
struct EventRanks {
    readings: u32,
}

impl EventRanks {
    /// The catalog's entries come before everything else of their time.
    const DEFINITION: u32 = 0;

    fn new(mapping: &Mapping) -> Self {
        Self { readings: Self::event(mapping.events.len()) }
    }

    fn event(block: usize) -> u32 {
        u32::try_from(block).unwrap_or(u32::MAX - 2) + 1
    }
}

#[derive(Default)]
struct Output {
    items: Vec<Item>,
    rejects: Vec<Reject>,
    rows: u64,
    skipped: u64,
    /// Keys of `once` blocks that an accepted row has used: block and key.
    once: HashSet<(usize, String)>,
    /// Which row made an event with an id.
    ids: HashMap<EventId, u64>,
    signals: HashMap<String, Arc<str>>,
    defined: HashSet<Arc<str>>,
}

struct Meter<'p> {
    progress: &'p mut dyn FnMut(&Progress),
    started: Instant,
    total: u64,
    before_file: u64,
    rows: u64,
}

impl<'p> Meter<'p> {
    fn new(files: &[PathBuf], one_pass: bool, progress: &'p mut dyn FnMut(&Progress)) -> Self {
        let bytes: u64 = files.iter().filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum();
        let total = if one_pass { bytes } else { bytes * 2 };
        Self { progress, started: Instant::now(), total, before_file: 0, rows: 0 }
    }

    fn row(&mut self, bytes: u64) {
        self.rows += 1;
        if self.rows.is_multiple_of(PROGRESS_ROWS) {
            self.tell(bytes);
        }
    }

    fn tell(&mut self, bytes: u64) {
        let done = self.before_file + bytes;
        (self.progress)(&Progress::new(Phase::Reading, done, self.total, self.started.elapsed()));
    }
}

struct Planner<'m, 'p> {
    mapping: &'m Mapping,
    joined: Vec<Joined>,
    grouped: Vec<Grouped>,
    meter: Meter<'p>,
    values: Vec<Option<Cell>>,
    before: Option<Vec<Option<Cell>>>,
    occurrences: Occurrences,
    rank: EventRanks,
    output: Output,
}

/// What one row becomes, before it is known that all of it is good.
#[derive(Default)]
struct RowOutput {
    items: Vec<Item>,
    once: Vec<(usize, String)>,
    ids: Vec<EventId>,
    defined: Vec<Arc<str>>,
}

type Step<'m, 'p> = fn(&mut Planner<'m, 'p>, &mut Rows<'m>, Result<bool, Fault>) -> Result<(), ImportError>;

impl<'m, 'p> Planner<'m, 'p> {
    fn pass(&mut self, files: &[PathBuf], step: Step<'m, 'p>) -> Result<(), ImportError> {
        for path in files {
            let mut rows = Rows::open(self.mapping, path)?;
            let mut kept: Vec<Option<Cell>> = vec![None; self.mapping.fields.len()];
            self.before = None;
            loop {
                let prepared = match rows.next(&mut self.values)? {
                    RowRead::End => break,
                    RowRead::Bad(reason) => Err(Fault::new("", reason)),
                    RowRead::Row => self.prepare(&rows, &mut kept),
                };
                step(self, &mut rows, prepared)?;
                self.remember();
                self.meter.row(rows.bytes());
            }
            self.meter.tell(rows.bytes());
            self.meter.before_file += rows.bytes();
        }
        Ok(())
    }

    /// Fills in identity, joins and fields. Answers whether the mapping takes the row.
    fn prepare(&mut self, rows: &Rows<'m>, kept: &mut [Option<Cell>]) -> Result<bool, Fault> {
        let mapping = self.mapping;
        if mapping.needs_content {
            let (content, occurrence) = self.occurrences.count(rows.digest());
            for (value, origin) in self.values.iter_mut().zip(mapping.slots.values()) {
                match origin {
                    Origin::Builtin(Builtin::Content) => *value = Some(Cell::Text(content.clone())),
                    Origin::Builtin(Builtin::Occurrence) => {
                        *value = Some(Cell::Integer(i64::try_from(occurrence).unwrap_or(i64::MAX)));
                    }
                    Origin::Builtin(Builtin::Repeated) => *value = Some(Cell::Boolean(occurrence > 1)),
                    _ => {}
                }
            }
        }
        for (join, joined) in mapping.joins.iter().zip(&self.joined) {
            join.apply(joined, &mut self.values)?;
        }
        for (field, kept) in mapping.fields.iter().zip(kept) {
            let before = self.before.as_deref();
            let set = field.set_when.as_ref().is_none_or(|when| when.holds(&self.values, before));
            if !field.when.holds(&self.values, before) {
                *kept = None;
            } else if set {
                *kept = field
                    .expression
                    .value(&self.values)
                    .map_err(|reason| Fault::new(format!("field {}", field.name), reason))?;
            }
            if let Some(value) = self.values.get_mut(field.slot) {
                value.clone_from(kept);
            }
        }
        Ok(mapping.when.holds(&self.values, self.before.as_deref()))
    }

    fn remember(&mut self) {
        if self.mapping.remembered.is_empty() {
            return;
        }
        let before = self.before.get_or_insert_with(|| vec![None; self.values.len()]);
        for slot in &self.mapping.remembered {
            if let (Some(to), Some(from)) = (before.get_mut(*slot), self.values.get(*slot)) {
                to.clone_from(from);
            }
        }
    }

    /// The first pass: a bad row is counted in nowhere, and rejected by the second pass.
    fn group(&mut self, _rows: &mut Rows<'m>, prepared: Result<bool, Fault>) -> Result<(), ImportError> {
        if prepared != Ok(true) {
            return Ok(());
        }
        for (group, grouped) in self.mapping.groups.iter().zip(&mut self.grouped) {
            // A fault of one group shows again where its missing value is needed; the row itself may still be good for other blocks.
            let _shown_later = group.add(grouped, &self.values, self.before.as_deref());
        }
        Ok(())
    }

    fn emit(&mut self, rows: &mut Rows<'m>, prepared: Result<bool, Fault>) -> Result<(), ImportError> {
        self.output.rows += 1;
        let made = match prepared {
            Ok(false) => {
                self.output.skipped += 1;
                return Ok(());
            }
            Ok(true) => self.row(rows),
            Err(fault) => Err(fault),
        };
        match made {
            Ok(row) => self.output.accept(row, rows.row),
            Err(fault) => self.output.rejects.push(Reject {
                file: rows.file.name.to_string(),
                row: rows.row,
                line: rows.line(),
                field: fault.field,
                reason: fault.reason,
                raw: rows.raw(),
            }),
        }
        if self.output.items.len() > MAX_ITEMS {
            return Err(ImportError::TooLarge { limit: MAX_ITEMS });
        }
        Ok(())
    }

    fn row(&mut self, rows: &Rows<'m>) -> Result<RowOutput, Fault> {
        let mapping = self.mapping;
        for (group, grouped) in mapping.groups.iter().zip(&self.grouped) {
            group.apply(grouped, &mut self.values);
        }
        let mut row = RowOutput::default();
        for (index, block) in mapping.events.iter().enumerate() {
            if block.each.is_empty() {
                self.event(index, block, rows, &mut row)?;
                continue;
            }
            for (column, slot) in &block.each {
                let value = self.values.get(*slot).cloned().flatten();
                self.set_builtin(Builtin::Each, Some(Cell::Text(column.clone())));
                self.set_builtin(Builtin::EachValue, value);
                self.event(index, block, rows, &mut row)?;
            }
        }
        for block in &mapping.readings {
            if !block.when.holds(&self.values, self.before.as_deref()) {
                continue;
            }
            let shared = block.shared(&self.values)?;
            for signal in &block.signals {
                let names = &mut self.output.signals;
                let intern = |name: String| match names.get(&name) {
                    Some(known) => Arc::clone(known),
                    None => {
                        let shared: Arc<str> = name.as_str().into();
                        names.insert(name, Arc::clone(&shared));
                        shared
                    }
                };
                let Some(reading) = signal.reading(&shared, &self.values, intern)? else { continue };
                self.define(signal, &reading.signal, rows, &mut row)?;
                let at = i64::try_from(reading.time.as_nanosecond()).unwrap_or(i64::MAX);
                row.items.push(Item { at, rank: self.rank.readings, planned: Planned::Reading(reading) });
            }
        }
        Ok(row)
    }

    fn set_builtin(&mut self, wanted: Builtin, cell: Option<Cell>) {
        for (value, origin) in self.values.iter_mut().zip(self.mapping.slots.values()) {
            if *origin == Origin::Builtin(wanted) {
                value.clone_from(&cell);
            }
        }
    }

    fn event(&self, index: usize, block: &EventBlock, rows: &Rows<'m>, row: &mut RowOutput) -> Result<(), Fault> {
        let values = self.values.as_slice();
        if !block.when.holds(values, self.before.as_deref()) {
            return Ok(());
        }
        let fault = |field: &str, reason: String| Fault::new(format!("{}.{field}", block.name), reason);
        let needed = |template: &super::template::Template, field: &str| {
            template.render(values).ok_or_else(|| fault(field, format!("{} is missing", template.names())))
        };
        let mut key = None;
        if let Some(once) = &block.once {
            let once = (index, needed(once, "once")?);
            if self.output.once.contains(&once) || row.once.contains(&once) {
                return Ok(());
            }
            key = Some(once.1.clone());
            row.once.push(once);
        }
        let external_id = match (&block.id, key) {
            (Some(id), _) => needed(id, "id")?,
            (None, Some(once)) => format!("{}:{once}", block.name),
            (None, None) => {
                let key = needed(&self.mapping.key, "id")?;
                match block.each.is_empty() {
                    true => format!("{}:{key}", block.name),
                    false => format!("{}:{key}:{}", block.name, self.builtin(Builtin::Each)),
                }
            }
        };
        let time = optional_time(block.time.as_ref(), values).map_err(|reason| fault("time", reason))?;
        let order = optional_time(block.order_time.as_ref(), values).map_err(|reason| fault("order_time", reason))?;
        let event =
            build(block.event_type, block.version, &block.fields, values).map_err(|fault| fault.under(&block.name))?;
        let meta = Meta::foreign(ACTOR, &self.mapping.source, &external_id, time);
        if let Some(earlier) = self.output.ids.get(&meta.id) {
            return Err(fault("id", format!("{external_id:?} is the id of another event already (row {earlier})")));
        }
        if row.ids.contains(&meta.id) {
            return Err(fault("id", format!("{external_id:?} is the id of another event of this row")));
        }
        row.ids.push(meta.id);
        row.items.push(Item {
            at: time.or(order).map_or(i64::MIN, nanoseconds),
            rank: EventRanks::event(index),
            planned: Planned::Event(Box::new(ImportEvent {
                event,
                meta,
                file: Arc::clone(&rows.file.name),
                row: rows.row,
            })),
        });
        Ok(())
    }

    fn builtin(&self, wanted: Builtin) -> String {
        let slot = self.mapping.slots.values().position(|origin| *origin == Origin::Builtin(wanted));
        slot.and_then(|slot| self.values.get(slot)).and_then(Option::as_ref).map(Cell::to_string).unwrap_or_default()
    }

    /// The catalog's entry of a signal, with its first reading. It has no time of its own: the files say when a signal was read, not when it came to be.
    fn define(
        &self,
        block: &SignalBlock,
        signal: &Arc<str>,
        rows: &Rows<'m>,
        row: &mut RowOutput,
    ) -> Result<(), Fault> {
        let Some(definition) = &block.definition else { return Ok(()) };
        if self.output.defined.contains(signal) || row.defined.contains(signal) {
            return Ok(());
        }
        let event =
            build("signal.defined", 1, definition, &self.values).map_err(|fault| fault.under("signal.defined"))?;
        let meta = Meta::foreign(ACTOR, &self.mapping.source, &format!("signal.defined:{signal}"), None);
        row.defined.push(Arc::clone(signal));
        row.items.push(Item {
            at: i64::MIN,
            rank: EventRanks::DEFINITION,
            planned: Planned::Event(Box::new(ImportEvent {
                event,
                meta,
                file: Arc::clone(&rows.file.name),
                row: rows.row,
            })),
        });
        Ok(())
    }
}

impl Output {
    fn accept(&mut self, row: RowOutput, number: u64) {
        self.items.extend(row.items);
        self.once.extend(row.once);
        self.defined.extend(row.defined);
        self.ids.extend(row.ids.into_iter().map(|id| (id, number)));
    }
}

fn optional_time(expression: Option<&Expression>, values: &[Option<Cell>]) -> Result<Option<Timestamp>, String> {
    match expression {
        None => Ok(None),
        Some(expression) => match expression.required(values)? {
            Cell::Time(time) => Ok(Some(time)),
            other => Err(format!("{other} is not a time")),
        },
    }
}

fn build(event_type: &str, version: u16, fields: &Node, values: &[Option<Cell>]) -> Result<Event, Fault> {
    let json = fields.json(values)?;
    decode(event_type, version, json).map_err(|reason| {
        // The payload is made once more for the message: rejects are rare, and a copy for each row is not.
        let Ok(json) = fields.json(values) else { return Fault::new("", reason) };
        let named = reason.split('`').nth(1).map(str::to_owned);
        let field = wrong_member(event_type, version, &json, &reason).or(named).unwrap_or_default();
        Fault::new(field, reason)
    })
}

fn decode(event_type: &str, version: u16, json: Json) -> Result<Event, String> {
    projections::event_from_value(event_type, version, json).map_err(|error| match error {
        domain::DecodeError::Payload { reason, .. } => reason,
        other => other.to_string(),
    })
}

/// The member that a payload fails for: without it, the payload fails for another reason or for none.
fn wrong_member(event_type: &str, version: u16, json: &Json, reason: &str) -> Option<String> {
    let members = json.as_object()?;
    let wrong = members.keys().find(|key| {
        let mut without = members.clone();
        without.remove(key.as_str());
        decode(event_type, version, Json::Object(without)).err().as_deref() != Some(reason)
    })?;
    Some(wrong.clone())
}

fn nanoseconds(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX)
}
