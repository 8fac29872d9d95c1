//! From readings in any order to columns.
//!
//! Readings arrive in patterns: many of one signal in a row, or all signals of one moment and then of the next. So the column of a reading is first
//! guessed from what came before, and looked up only where the guess is wrong. Nothing is sorted that is in order already.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::ops::Range;
use std::sync::Arc;

use super::check::unfit;
use super::fingerprint::Fingerprint;
use super::{
    Added, Builder, Frame, FrameError, MAX_SIGNAL_BYTES, MAX_TEXT_BYTES, Reading, StatusCode, Statuses, Value,
};

/// One signal and kind of value.
struct Group {
    signal: Arc<str>,
    kind: u8,
    rows: usize,
    /// The group that followed this one the last time.
    next: usize,
}

/// Which group each reading belongs to.
#[derive(Default)]
struct Groups {
    groups: Vec<Group>,
    by_address: HashMap<usize, usize, BuildHasherDefault<Fingerprint>>,
    by_name: HashMap<(Arc<str>, u8), usize>,
    last: usize,
}

/// Where a reading goes, and when it was taken.
#[derive(Clone, Copy)]
struct Row {
    time_ns: i64,
    reading: u32,
}

/// Sorts readings into columns.
pub(super) fn columns(readings: Vec<Reading>) -> Result<Frame, FrameError> {
    let mut groups = Groups::default();
    let mut placed = Vec::with_capacity(readings.len());
    for reading in &readings {
        let time_ns = checked(reading)?;
        placed.push((groups.find(reading), time_ns));
    }
    let order = groups.order();
    let mut starts = vec![0; order.len()];
    let mut start = 0;
    for group in &order {
        if let (Some(place), Some(group)) = (starts.get_mut(*group), groups.groups.get(*group)) {
            *place = start;
            start += group.rows;
        }
    }
    let mut rows = vec![Row { time_ns: 0, reading: 0 }; readings.len()];
    for ((group, time_ns), reading) in placed.into_iter().zip(0_u32..) {
        if let Some(place) = starts.get_mut(group) {
            if let Some(row) = rows.get_mut(*place) {
                *row = Row { time_ns, reading };
            }
            *place += 1;
        }
    }
    let mut builder = Builder::with_room(order.len(), 0, readings.len());
    let mut rest = rows.as_mut_slice();
    let mut first_row = 0;
    for group in order {
        let Some(group) = groups.groups.get(group) else { continue };
        let Some((rows, others)) = rest.split_at_mut_checked(group.rows) else { break };
        rest = others;
        add_column(&mut builder, (group, first_row), rows, &readings);
        first_row += u32::try_from(group.rows).unwrap_or(u32::MAX);
    }
    Ok(builder.finish())
}

/// The reading's time, when a frame can hold the reading.
fn checked(reading: &Reading) -> Result<i64, FrameError> {
    if reading.signal.is_empty() || reading.signal.len() > MAX_SIGNAL_BYTES {
        return Err(unfit(&reading.signal, "its id is empty or longer than 512 bytes"));
    }
    if matches!(&reading.value, Value::Text(text) if text.len() > MAX_TEXT_BYTES) {
        return Err(unfit(&reading.signal, "its text is longer than 64 KiB"));
    }
    // Second and nanosecond have the same sign, so that neither step overflows where the sum does not.
    let (second, nanosecond) = (reading.time.as_second(), i64::from(reading.time.subsec_nanosecond()));
    let time_ns = second.checked_mul(1_000_000_000).and_then(|time_ns| time_ns.checked_add(nanosecond));
    time_ns.ok_or_else(|| unfit(&reading.signal, "its time is outside the years 1678 to 2262"))
}

const fn kind(value: &Value) -> u8 {
    match value {
        Value::Boolean(_) => 0,
        Value::Integer(_) => 1,
        Value::Float(_) => 2,
        Value::Text(_) => 3,
    }
}

impl Groups {
    /// The group of the reading, which is counted.
    fn find(&mut self, reading: &Reading) -> usize {
        let kind = kind(&reading.value);
        let last = self.last;
        let next = self.groups.get(last).map_or(last, |last| last.next);
        let is = |group: usize, same: fn(&Arc<str>, &Arc<str>) -> bool| {
            self.groups.get(group).is_some_and(|group| group.kind == kind && same(&group.signal, &reading.signal))
        };
        // Addresses are compared before texts: most readings of a signal share its id.
        let found = if is(last, Arc::ptr_eq) {
            last
        } else if is(next, Arc::ptr_eq) || is(next, PartialEq::eq) {
            next
        } else if is(last, PartialEq::eq) {
            last
        } else {
            self.look_up(&reading.signal, kind)
        };
        if found != self.last
            && let Some(last) = self.groups.get_mut(self.last)
        {
            last.next = found;
        }
        if let Some(group) = self.groups.get_mut(found) {
            group.rows += 1;
        }
        self.last = found;
        found
    }

    fn look_up(&mut self, signal: &Arc<str>, kind: u8) -> usize {
        let next = self.groups.len();
        // The readings keep their signals while they are grouped, so that one address is one signal. An id is kept behind two counters, so that the
        // lowest bits of its address are free for the kind.
        let address = signal.as_ptr().addr() ^ usize::from(kind);
        if let Some(found) = self.by_address.get(&address) {
            return *found;
        }
        let found = *self.by_name.entry((Arc::clone(signal), kind)).or_insert(next);
        if found == next {
            self.groups.push(Group { signal: Arc::clone(signal), kind, rows: 0, next: 0 });
        }
        self.by_address.insert(address, found);
        found
    }

    /// The groups by signal and kind.
    fn order(&self) -> Vec<usize> {
        let key = |group: &usize| self.groups.get(*group).map(|group| (&*group.signal, group.kind));
        let mut order: Vec<usize> = (0..self.groups.len()).collect();
        if !order.is_sorted_by_key(key) {
            order.sort_unstable_by(|one, two| key(one).cmp(&key(two)));
        }
        order
    }
}

fn add_column(builder: &mut Builder, (group, first_row): (&Group, u32), rows: &mut [Row], readings: &[Reading]) {
    let reading = |row: &Row| readings.get(row.reading as usize);
    let key = |row: &Row| (row.time_ns, reading(row).and_then(|reading| reading.sequence));
    if !rows.is_sorted_by_key(key) {
        // The sort is stable: readings that share time and sequence keep the order in which they arrived.
        rows.sort_by_key(key);
    }
    let taken = || rows.iter().filter_map(reading);
    let times = add_times(builder, rows);
    let sequences = add_sequences(builder, taken);
    let values_from = add_values(builder, group.kind, taken);
    let statuses = statuses(rows.len(), taken);
    let column = Added { first_row, times, kind: group.kind, values_from, statuses };
    builder.add(Arc::clone(&group.signal), sequences, column);
}

/// Where the times stand: columns that were sampled together share them.
fn add_times(builder: &mut Builder, rows: &[Row]) -> Range<usize> {
    let times = rows.iter().map(|row| row.time_ns);
    let before = builder.last_times();
    let list = &mut builder.lists.times_ns;
    if list.get(before.clone()).unwrap_or_default().iter().copied().eq(times.clone()) {
        return before;
    }
    let start = list.len();
    list.extend(times);
    start..list.len()
}

fn add_sequences<'a, I: Iterator<Item = &'a Reading>>(builder: &mut Builder, taken: impl Fn() -> I) -> u32 {
    let counts = || taken().map(|reading| reading.sequence);
    if counts().all(|count| count.is_none()) {
        return 0;
    }
    let same = builder.last_sequences_if(|last| last.are(counts()));
    same.unwrap_or_else(|| builder.add_sequences(counts().collect::<Vec<_>>().into()))
}

fn statuses<'a, I: Iterator<Item = &'a Reading>>(rows: usize, taken: impl Fn() -> I) -> Statuses {
    let codes = || taken().map(|reading| reading.status);
    let first = codes().next().unwrap_or(StatusCode::GOOD);
    if codes().all(|code| code == first) {
        return Statuses::all(rows, first);
    }
    codes().collect::<Vec<_>>().into()
}

/// Appends the values, which all have this kind; answers where they stand.
fn add_values<'a, I: Iterator<Item = &'a Reading>>(builder: &mut Builder, kind: u8, taken: impl Fn() -> I) -> usize {
    let lists = &mut builder.lists;
    let start = lists.count(kind);
    macro_rules! gather {
        ($list:ident, $kind:ident, $value:ident => $copied:expr) => {
            lists.$list.extend(taken().filter_map(|reading| match &reading.value {
                Value::$kind($value) => Some($copied),
                _ => None,
            }))
        };
    }
    match kind {
        0 => gather!(booleans, Boolean, value => *value),
        1 => gather!(integers, Integer, value => *value),
        2 => gather!(floats, Float, value => *value),
        _ => gather!(texts, Text, value => Arc::clone(value)),
    }
    start
}
