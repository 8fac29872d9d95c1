//! What a label says of a row: what happened at the row's time or later, as it is known at `as_of`; null where that is not observed.

use domain::conversion::Conversion;
use domain::events::{Disposition, Verdict};
use domain::ids::Code;
use domain::units::Unit;
use std::collections::BTreeSet;

use crate::error::DatasetError;
use crate::facts::{AssetFacts, Fault, Inspection};
use crate::features::converted;
use crate::rows::{About, Row};
use crate::spec::Label;
use crate::table::Cell;
use crate::taken::Taken;
use crate::timeline::{Moment, span_ns};

/// What labels look at.
pub(crate) struct Ahead<'a> {
    pub(crate) facts: &'a AssetFacts,
    /// Until when the future is observed, in nanoseconds since 1970.
    pub(crate) observed_ns: i64,
}

impl Ahead<'_> {
    /// The cells of a label that is not made of readings: one, or two where it has a second column.
    ///
    /// # Errors
    /// [`DatasetError`].
    pub(crate) fn cells(&self, label: &Label, row: &Row, taken: &mut Taken) -> Result<[Option<Cell>; 2], DatasetError> {
        let one = |cell| Ok([cell, None]);
        match label {
            Label::FaultWithin { horizon_s, modes, .. } => one(self.fault_within(row, *horizon_s, modes, taken)?),
            Label::FailureMode { horizon_s, otherwise, .. } => {
                one(self.failure_mode(row, *horizon_s, otherwise, taken)?)
            }
            Label::TimeToFault { modes, unit, .. } => self.time_to_fault(row, modes, unit, taken),
            Label::Measurement { characteristic, unit, within_s, .. } => {
                let found = self.inspections(row, *within_s).find_map(|inspection| {
                    let mut measured = inspection.value.measurements.iter();
                    measured.find(|one| one.characteristic == *characteristic).map(|one| (inspection.position, one))
                });
                let Some((position, measured)) = found else { return one(None) };
                taken.label(position)?;
                one(converted(measured.value, &measured.unit, unit, taken))
            }
            Label::Verdict { within_s, .. } => {
                let Some(inspection) = self.inspections(row, *within_s).next() else { return one(None) };
                taken.label(inspection.position)?;
                one(Some(Cell::Text(verdict_name(inspection.value.verdict).into())))
            }
            Label::Disposition { within_s, .. } => one(self.disposition(row, *within_s, taken)?),
            Label::Value { .. } => one(None),
        }
    }

    fn fault_within(
        &self,
        row: &Row,
        horizon_s: u64,
        modes: &BTreeSet<Code>,
        taken: &mut Taken,
    ) -> Result<Option<Cell>, DatasetError> {
        let end_ns = row.time_ns.saturating_add(span_ns(horizon_s));
        let mut undecided = false;
        for fault in self.facts.faults.within(row.time_ns, end_ns) {
            take(fault, taken)?;
            match is_one_of(&fault.value, modes) {
                Some(true) => return Ok(Some(Cell::Boolean(true))),
                Some(false) => {}
                None => undecided = true,
            }
        }
        Ok((!undecided && end_ns <= self.observed_ns).then_some(Cell::Boolean(false)))
    }

    fn failure_mode(
        &self,
        row: &Row,
        horizon_s: u64,
        otherwise: &str,
        taken: &mut Taken,
    ) -> Result<Option<Cell>, DatasetError> {
        let end_ns = row.time_ns.saturating_add(span_ns(horizon_s));
        let Some(fault) = self.facts.faults.within(row.time_ns, end_ns).first() else {
            return Ok((end_ns <= self.observed_ns).then(|| Cell::Text(otherwise.into())));
        };
        take(fault, taken)?;
        Ok(fault.value.coded.as_ref().map(|(_, mode)| Cell::Text(mode.as_str().into())))
    }

    fn time_to_fault(
        &self,
        row: &Row,
        modes: &BTreeSet<Code>,
        unit: &Unit,
        taken: &mut Taken,
    ) -> Result<[Option<Cell>; 2], DatasetError> {
        let second = Unit::new("s").map_err(|error| DatasetError::spec("labels", error))?;
        let conversion = Conversion::between(&second, unit).map_err(|error| DatasetError::spec("labels", error))?;
        let from_row = |end_ns: i64, censored| {
            #[expect(clippy::cast_precision_loss, reason = "a time to a fault needs no nanoseconds")]
            let seconds = end_ns.saturating_sub(row.time_ns) as f64 / 1e9;
            Ok([Some(Cell::Float(conversion.apply(seconds))), Some(Cell::Boolean(censored))])
        };
        for fault in self.facts.faults.from(row.time_ns) {
            match is_one_of(&fault.value, modes) {
                Some(false) => {}
                Some(true) => {
                    take(fault, taken)?;
                    return from_row(fault.time_ns, false);
                }
                None => {
                    take(fault, taken)?;
                    return Ok([None, None]);
                }
            }
        }
        if self.observed_ns <= row.time_ns {
            return Ok([None, None]);
        }
        from_row(self.observed_ns, true)
    }

    fn inspections<'a>(&'a self, row: &'a Row, within_s: u64) -> impl Iterator<Item = &'a Moment<Inspection>> {
        let end_ns = row.time_ns.saturating_add(span_ns(within_s));
        let ahead = self.facts.inspections.within(row.time_ns, end_ns).iter();
        ahead.filter(move |inspection| match &row.about {
            About::Asset => true,
            About::Inspection(id, _) => inspection.value.inspection == *id,
            About::Roll(roll) => inspection.value.lot.as_ref() == Some(roll),
        })
    }

    fn disposition(&self, row: &Row, within_s: u64, taken: &mut Taken) -> Result<Option<Cell>, DatasetError> {
        let end_ns = row.time_ns.saturating_add(span_ns(within_s));
        let mut raised = self.facts.nonconformances.within(row.time_ns, end_ns).iter().filter(|raised| {
            let about = &raised.value;
            match &row.about {
                About::Asset => true,
                About::Inspection(id, lot) => {
                    about.inspection.as_ref() == Some(id) || (lot.is_some() && about.lot == *lot)
                }
                About::Roll(roll) => about.lot.as_ref() == Some(roll),
            }
        });
        let Some(raised) = raised.next() else { return Ok(None) };
        taken.label(raised.position)?;
        let Some((position, disposition)) = raised.value.decided else { return Ok(None) };
        taken.label(position)?;
        Ok(Some(Cell::Text(disposition_name(disposition).into())))
    }
}

/// Whether a fault is of one of the modes; `None` when nobody has coded it. Every fault is of none in particular.
fn is_one_of(fault: &Fault, modes: &BTreeSet<Code>) -> Option<bool> {
    if modes.is_empty() {
        return Some(true);
    }
    fault.coded.as_ref().map(|(_, mode)| modes.contains(mode))
}

/// A label depends on the observation and on the coding.
fn take(fault: &Moment<Fault>, taken: &mut Taken) -> Result<(), DatasetError> {
    taken.label(fault.position)?;
    match &fault.value.coded {
        Some((position, _)) => taken.label(*position),
        None => Ok(()),
    }
}

const fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Undecided => "undecided",
    }
}

const fn disposition_name(disposition: Disposition) -> &'static str {
    match disposition {
        Disposition::UseAsIs => "use_as_is",
        Disposition::Rework => "rework",
        Disposition::Downgrade => "downgrade",
        Disposition::Scrap => "scrap",
        Disposition::ReturnToSupplier => "return_to_supplier",
    }
}
