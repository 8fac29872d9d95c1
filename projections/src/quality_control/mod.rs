//! Product quality 产品品质: control charts of what is inspected, grades of rolls, and what goes with a defect.
//!
//! Pure functions over read models at a position. An inspection counts at its event time; one without a time has no place on a chart, and is told.

mod causes;
mod charts;
mod grades;

#[cfg(test)]
mod tests;

pub use causes::{Cause, CauseRequest, Causes, Explained, Factor, causes};
pub use charts::{ChartError, ChartPoint, ChartRecord, ChartRequest, Measured, chart};
pub use grades::{GradedRoll, grades};

use domain::events::InspectionRecorded;
use domain::ids::{AssetId, MaterialId};

use crate::folds::control_limits::ControlLimits;
use crate::folds::production::Production;
use crate::folds::quality::Quality;
use crate::folds::shifts::Shifts;
use crate::folds::states::States;
use crate::{AsOf, Fact};

/// The read models that the answers come from.
#[derive(Clone, Copy)]
pub struct QualityModels<'a> {
    /// Inspections.
    pub quality: &'a Quality,
    /// Rolls: from which loom and beams.
    pub production: &'a Production,
    /// Frozen limits.
    pub limits: &'a ControlLimits,
    /// Set-points.
    pub states: &'a States,
    /// Who worked.
    pub shifts: &'a Shifts,
}

/// The asset of what was inspected: as the inspection says, or the roll's loom.
fn asset_of<'a>(models: QualityModels<'a>, fact: &'a Fact<InspectionRecorded>, as_of: AsOf) -> Option<&'a AssetId> {
    let inspection = &fact.value;
    inspection.asset.as_ref().or_else(|| Some(&models.production.roll(inspection.lot.as_ref()?, as_of)?.value.asset))
}

/// The product of what was inspected: as the inspection says, or the roll's style.
fn product_of<'a>(
    models: QualityModels<'a>,
    fact: &'a Fact<InspectionRecorded>,
    as_of: AsOf,
) -> Option<&'a MaterialId> {
    let inspection = &fact.value;
    let of_roll = || Some(&models.production.roll(inspection.lot.as_ref()?, as_of)?.value.product);
    inspection.product.as_ref().or_else(of_roll)
}
