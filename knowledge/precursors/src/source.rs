//! What is read of the log: readings of a signal, states of machines, alarms.

use std::collections::BTreeMap;

use domain::Event;
use domain::events::AlarmRaised;
use domain::ids::{AssetId, SignalId};
use eventlog::{
    Direction, EventLog, EventType, Filter, MAX_PAGE, Position, QueryItem, ReadError, ReadingsQuery, SignalReading, Tag,
};
use jiff::Timestamp;
use projections::{Entry, filters};

use crate::watch::Timeline;

/// The records that are read at once when it is looked back from the end: mostly a few are wanted.
const LOOK_BACK: usize = 32;

/// An instant as nanoseconds since 1970; `None` beyond the years that fit.
pub(crate) fn nanoseconds(time: Timestamp) -> Option<i64> {
    i64::try_from(time.as_nanosecond()).ok()
}

/// Nanoseconds since 1970 as an instant.
pub(crate) fn timestamp(time_ns: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(time_ns)).unwrap_or(Timestamp::MAX)
}

/// The value of a reading, when it is a good and finite number: no other one goes into a feature.
pub(crate) fn usable(reading: &SignalReading) -> Option<(i64, f64)> {
    let value = reading.value.as_f64().filter(|value| value.is_finite() && reading.status.is_good())?;
    Some((nanoseconds(reading.time)?, value))
}

/// Shows every usable reading of a signal from a time on that was known below a position, in the order in which the log learnt of them, as time, value and position. Ends
/// when `take` says false.
///
/// # Errors
/// [`ReadError`].
pub(crate) async fn each_reading(
    log: &dyn EventLog,
    signal: &SignalId,
    from: Timestamp,
    below: Position,
    mut take: impl FnMut(i64, f64, u64) -> bool,
) -> Result<(), ReadError> {
    let mut query = ReadingsQuery { from, below, ..ReadingsQuery::all(signal.as_str()) };
    loop {
        let page = log.readings(query.clone()).await?;
        for reading in &page.readings {
            if let Some((time_ns, value)) = usable(reading)
                && !take(time_ns, value, reading.address.position.get())
            {
                return Ok(());
            }
        }
        match page.next {
            Some(next) => query.start = next,
            None => return Ok(()),
        }
    }
}

/// The usable readings of a signal in a stretch of event time, its end included, that were known below a position, as time, value and position. Of more than `most` the newest by the log.
///
/// # Errors
/// [`ReadError`].
pub(crate) async fn readings_between(
    log: &dyn EventLog,
    signal: &SignalId,
    (from_ns, to_ns): (i64, i64),
    below: Position,
    most: usize,
) -> Result<Vec<(i64, f64, u64)>, ReadError> {
    let to = timestamp(to_ns.saturating_add(1));
    let mut query = ReadingsQuery { from: timestamp(from_ns), to, below, ..ReadingsQuery::all(signal.as_str()) };
    let mut found = Vec::new();
    loop {
        let page = log.readings(query.clone()).await?;
        let usable =
            page.readings.iter().filter_map(|reading| Some((usable(reading)?, reading.address.position.get())));
        found.extend(usable.map(|((time_ns, value), position)| (time_ns, value, position)));
        if found.len() > 2 * most {
            found.drain(..found.len() - most);
        }
        match page.next {
            Some(next) => query.start = next,
            None => break,
        }
    }
    let older = found.len().saturating_sub(most);
    Ok(found.split_off(older))
}

/// When an asset was running from a time on, as the log learnt of it below a position.
pub(crate) async fn states_since(
    log: &dyn EventLog,
    asset: &AssetId,
    from_ns: i64,
    below: Position,
) -> Result<Timeline, ReadError> {
    let mut timelines = BTreeMap::new();
    let Some(filter) = of_asset(asset, "asset.state_changed") else { return Ok(Timeline::default()) };
    let mut next = below.previous();
    while let Some(from) = next {
        let page = log.read(from, Direction::Backward, filter.clone(), LOOK_BACK).await?;
        next = page.next;
        let mut older = true;
        for record in page {
            let entry = Entry::decode(record);
            older &= entry.event_time.and_then(nanoseconds).is_none_or(|time_ns| time_ns < from_ns);
            note_state(&mut timelines, &entry);
        }
        // The last word before the time says how it began. A page of nothing but old changes ends it: late ones stand among newer ones.
        if older {
            break;
        }
    }
    Ok(timelines.remove(asset).unwrap_or_default())
}

/// Matches events of a type about an asset.
fn of_asset(asset: &AssetId, event_type: &str) -> Option<Filter> {
    let (tag, of_type) = (Tag::of("asset", asset.as_str()).ok()?, EventType::new(event_type).ok()?);
    Some(Filter { items: vec![QueryItem { types: vec![of_type], tags: vec![tag], ..QueryItem::default() }] })
}

/// Shows every entry that matches below a position, in log order.
pub(crate) async fn each_entry(
    log: &dyn EventLog,
    filter: Filter,
    below: Position,
    mut take: impl FnMut(&Entry),
) -> Result<(), ReadError> {
    let mut next = Some(Position::START);
    while let Some(from) = next.filter(|next| *next < below) {
        let page = log.read(from, Direction::Forward, filter.clone(), MAX_PAGE).await?;
        next = page.next;
        for record in page.into_iter().filter(|record| record.position < below) {
            take(&Entry::decode(record));
        }
    }
    Ok(())
}

/// When each asset was running, as the log learnt of it below a position.
pub(crate) async fn timelines(log: &dyn EventLog, below: Position) -> Result<BTreeMap<AssetId, Timeline>, ReadError> {
    let mut timelines: BTreeMap<AssetId, Timeline> = BTreeMap::new();
    let filter = filters::types(&["asset.state_changed"]);
    each_entry(log, filter, below, |entry| note_state(&mut timelines, entry)).await?;
    Ok(timelines)
}

/// Takes a change of a machine's state in.
pub(crate) fn note_state(timelines: &mut BTreeMap<AssetId, Timeline>, entry: &Entry) {
    if let Some(Event::MachineStateChanged(changed)) = entry.event()
        && let Some(time_ns) = entry.event_time.and_then(nanoseconds)
    {
        let timeline = timelines.entry(changed.asset.clone()).or_default();
        timeline.add(time_ns, entry.position.get(), changed.state);
    }
}

/// The alarms of an asset that were raised from a time on and known below a position, in log order: time, position and alarm.
pub(crate) async fn alarms_since(
    log: &dyn EventLog,
    asset: &AssetId,
    from_ns: i64,
    below: Position,
) -> Result<Vec<(i64, u64, AlarmRaised)>, ReadError> {
    let mut found = Vec::new();
    let Some(filter) = of_asset(asset, "alarm.raised") else { return Ok(found) };
    let mut next = below.previous();
    while let Some(from) = next {
        let page = log.read(from, Direction::Backward, filter.clone(), LOOK_BACK).await?;
        next = page.next;
        let mut older = 0;
        let records = page.len();
        for record in page {
            let entry = Entry::decode(record);
            let Some(time_ns) = entry.event_time.and_then(nanoseconds) else { continue };
            match entry.event() {
                Some(Event::AlarmRaised(alarm)) if time_ns >= from_ns => {
                    found.push((time_ns, entry.position.get(), alarm.clone()));
                }
                _ => older += 1,
            }
        }
        // A page of nothing but old alarms ends it: late ones stand among newer ones.
        if older == records {
            break;
        }
    }
    found.reverse();
    Ok(found)
}

/// The event time of the newest frame below a position; `None` without one.
pub(crate) async fn newest_frame(log: &dyn EventLog, below: Position) -> Result<Option<i64>, ReadError> {
    let Some(last) = below.previous() else { return Ok(None) };
    let page = log.read(last, Direction::Backward, readings_filter(), 1).await?;
    Ok(page.into_iter().next().and_then(|record| record.event_time).and_then(nanoseconds))
}

/// Matches frames of readings.
pub(crate) fn readings_filter() -> Filter {
    let categories = eventlog::Category::new("readings").into_iter().collect();
    Filter { items: vec![QueryItem { categories, ..QueryItem::default() }] }
}
