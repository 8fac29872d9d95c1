//! Rolls graded by the four-point system (ASTM D5430).

use domain::events::{InspectionRecorded, Verdict};
use domain::ids::{InspectionId, LotId};
use domain::weaving::{RollGrade, grade_roll};
use eventlog::Position;
use jiff::Timestamp;
use serde::Serialize;

use super::QualityModels;
use crate::folds::quality::QualityScope;
use crate::{AsOf, Fact};

/// A roll with its grade.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GradedRoll {
    /// The roll.
    pub lot: Option<LotId>,
    /// The inspection.
    pub inspection: InspectionId,
    /// When.
    pub time: Option<Timestamp>,
    /// What the inspector decided.
    pub verdict: Verdict,
    /// Length in metres: as measured, or as doffed.
    pub length_m: Option<f64>,
    /// Width in metres, as measured.
    pub width_m: Option<f64>,
    /// Defects.
    pub defects: u64,
    /// The grade; `None` where the area is not known.
    pub grade: Option<RollGrade>,
    /// Where the log says so.
    pub positions: Vec<Position>,
}

/// The rolls in a scope, by inspection in log order. A roll that was inspected again is graded again: both are shown.
pub fn grades(models: QualityModels<'_>, scope: &QualityScope, as_of: AsOf) -> Vec<GradedRoll> {
    let graded = |fact: &Fact<InspectionRecorded>| {
        let inspection = &fact.value;
        let roll = inspection.lot.as_ref().and_then(|lot| models.production.roll(lot, as_of));
        let (length_m, width_m) = (length_m(models, fact, as_of), measured_m(inspection, "width"));
        let defects = || inspection.defects.iter();
        let points = defects().map(|defect| {
            (defect.at_m, u32::from(defect.points.unwrap_or(0)).saturating_mul(defect.count.unwrap_or(1)))
        });
        GradedRoll {
            lot: inspection.lot.clone(),
            inspection: inspection.inspection.clone(),
            time: fact.time,
            verdict: inspection.verdict,
            length_m,
            width_m,
            defects: defects().map(|defect| u64::from(defect.count.unwrap_or(1))).sum(),
            grade: length_m.zip(width_m).and_then(|(length_m, width_m)| grade_roll(points, length_m, width_m)),
            positions: roll.map(|roll| roll.position).into_iter().chain([fact.position]).collect(),
        }
    };
    models.quality.inspections_in(scope, as_of).map(graded).collect()
}

/// The length of what was inspected, in metres: as measured, or as the roll was doffed.
pub(super) fn length_m(models: QualityModels<'_>, fact: &Fact<InspectionRecorded>, as_of: AsOf) -> Option<f64> {
    let doffed = || Some(models.production.roll(fact.value.lot.as_ref()?, as_of)?.value.length_m);
    measured_m(&fact.value, "length").or_else(doffed).filter(|length_m| *length_m > 0.0)
}

/// A length that was measured, in metres: under this name, or with the unit after it (`width_m`).
fn measured_m(inspection: &InspectionRecorded, name: &str) -> Option<f64> {
    let mut found = inspection.measurements.iter().filter(|measurement| {
        let characteristic = measurement.characteristic.as_str();
        characteristic == name || characteristic.strip_suffix("_m") == Some(name)
    });
    found.find_map(|measurement| measurement.unit.convert(measurement.value, &domain::Unit::metre()).ok())
}
