//! The rows of one asset.

use std::sync::Arc;

use domain::ids::{InspectionId, LotId};
use eventlog::Position;

use crate::error::DatasetError;
use crate::facts::AssetFacts;
use crate::spec::{MAX_ROWS, RowEvent, Rows, Spec};
use crate::timeline::{Timeline, nanoseconds, span_ns};

/// What a row is about, besides its asset.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum About {
    /// Nothing.
    Asset,
    /// This inspection, and what was inspected.
    Inspection(InspectionId, Option<LotId>),
    /// This roll.
    Roll(LotId),
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) time_ns: i64,
    /// The event that made it: its id and where it stands.
    pub(crate) event: Option<(Arc<str>, Position)>,
    pub(crate) about: About,
}

/// How many rows all assets have.
///
/// # Errors
/// [`DatasetError::TooLarge`].
pub(crate) fn count<'a>(spec: &Spec, assets: impl Iterator<Item = &'a AssetFacts>) -> Result<u64, DatasetError> {
    let (from_ns, to_ns) = (nanoseconds(spec.from), nanoseconds(spec.to));
    let mut rows: u64 = 0;
    for facts in assets {
        let of_asset = match spec.rows {
            Rows::Grid { period_s } => grid_rows(from_ns, to_ns, span_ns(period_s)),
            Rows::Event { event } => events(event, facts, from_ns, to_ns).len() as u64,
        };
        rows = rows.saturating_add(of_asset);
    }
    if rows > MAX_ROWS {
        return Err(DatasetError::TooLarge {
            what: format!("the rows ({rows})"),
            limit: MAX_ROWS,
            advice: "use a longer period, fewer assets or less time",
        });
    }
    Ok(rows)
}

fn grid_rows(from_ns: i64, to_ns: i64, period_ns: i64) -> u64 {
    u64::try_from(to_ns.saturating_sub(from_ns).saturating_sub(1).div_euclid(period_ns.max(1)).saturating_add(1))
        .unwrap_or(0)
}

/// The rows of an asset, in the order of their times, and of their positions where times are equal.
pub(crate) fn rows(spec: &Spec, facts: &AssetFacts) -> Box<dyn Iterator<Item = Row> + Send> {
    let (from_ns, to_ns) = (nanoseconds(spec.from), nanoseconds(spec.to));
    match spec.rows {
        Rows::Grid { period_s } => {
            let period_ns = span_ns(period_s);
            let count = i64::try_from(grid_rows(from_ns, to_ns, period_ns)).unwrap_or(i64::MAX);
            let row = move |index| Row { time_ns: from_ns + index * period_ns, event: None, about: About::Asset };
            Box::new((0..count).map(row))
        }
        Rows::Event { event } => Box::new(events(event, facts, from_ns, to_ns).into_iter()),
    }
}

fn events(event: RowEvent, facts: &AssetFacts, from_ns: i64, to_ns: i64) -> Vec<Row> {
    fn made<T>(timeline: &Timeline<T>, span: (i64, i64), row: impl Fn(&T) -> (Arc<str>, About)) -> Vec<Row> {
        let moments = timeline.within(span.0, span.1).iter();
        let made = moments.map(|moment| {
            let (id, about) = row(&moment.value);
            Row { time_ns: moment.time_ns, event: Some((id, moment.position)), about }
        });
        made.collect()
    }
    let span = (from_ns, to_ns);
    match event {
        RowEvent::FaultObserved => made(&facts.faults, span, |fault| (fault.fault.as_str().into(), About::Asset)),
        RowEvent::InspectionRecorded => made(&facts.inspections, span, |one| {
            let about = About::Inspection(one.inspection.clone(), one.lot.clone());
            (one.inspection.as_str().into(), about)
        }),
        RowEvent::ClothDoffed => made(&facts.rolls, span, |roll| (roll.as_str().into(), About::Roll(roll.clone()))),
        RowEvent::SetPointChanged => {
            made(&facts.set_point_changes, span, |parameter| (parameter.as_str().into(), About::Asset))
        }
    }
}
