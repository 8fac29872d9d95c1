//! What the best crew does differently.

use domain::ids::{AssetId, Code, EquipmentId, MaterialId};
use domain::kpi::Ratio;
use domain::performance::Performance;
use domain::schedule::ScheduleError;
use domain::statistics::{Effect, LEVEL, Rate, benjamini_hochberg, difference_of_means, rate_ratio};
use domain::weaving::StopKind;
use eventlog::Position;
use jiff::Timestamp;
use serde::Serialize;

use super::{compared, stop_rate};
use crate::AsOf;
use crate::operating::{ByShift, OperatingModels, OperatingRequest, operating};

/// Which crews.
#[derive(Clone, Debug)]
pub struct CrewRequest {
    /// By crew or by the shift's name.
    pub by: ByShift,
    /// Only this product: crews that weave other styles cannot be compared. All products, when absent.
    pub product: Option<MaterialId>,
    /// From this event time.
    pub from: Timestamp,
    /// To this event time.
    pub to: Timestamp,
    /// What was known.
    pub as_of: AsOf,
    /// The share of discoveries that may be false.
    pub false_discovery_rate: f64,
    /// A crew is ranked when it wove at least this many picks.
    pub min_picks: f64,
}

/// A crew.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CrewRecord {
    /// The crew, or the shift's name.
    pub crew: Code,
    /// Picks by the room for picks 织机效率: by this crews are ranked.
    pub loom_efficiency: Ratio,
    /// APT / PBT.
    pub availability: Ratio,
    /// What it did.
    pub figures: Performance,
    /// Set-points that were changed in its time.
    pub set_point_changes: u64,
    /// The latest positions that say so.
    pub positions: Vec<Position>,
}

/// What is different.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "what", content = "kind")]
pub enum Trait {
    /// Stops of a kind by 100,000 picks, by those of the others.
    Stops(StopKind),
    /// Seconds until somebody comes to a stop of a kind, less those of the others.
    Waiting(StopKind),
    /// Seconds of work on a stop of a kind, less those of the others.
    Repair(StopKind),
    /// Changes of set-points by hour of running, by those of the others.
    SetPointChanges,
}

/// A difference between the best crew and the others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// What is different.
    #[serde(flatten)]
    pub what: Trait,
    /// How much.
    pub effect: Effect,
    /// The probability adjusted for everything that was compared (Benjamini and Hochberg).
    pub q_value: f64,
    /// Whether it is a discovery at the asked rate.
    pub is_discovery: bool,
}

/// The crews, and what the best one does differently.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Crews {
    /// The crews, the best first; those with too few picks stand at the end.
    pub crews: Vec<CrewRecord>,
    /// What the first of them does differently from all others together, by adjusted probability; empty when there are not two to compare.
    pub differences: Vec<Difference>,
}

/// The crews of a window. `works_in` says whether an asset is in a part of the plant at a time.
///
/// # Errors
/// [`ScheduleError`] when a shift pattern cannot be worked out.
pub fn crews(
    models: OperatingModels<'_>,
    request: &CrewRequest,
    works_in: &dyn Fn(&AssetId, &EquipmentId, Timestamp) -> bool,
) -> Result<Crews, ScheduleError> {
    let by = if request.by == ByShift::Name { ByShift::Name } else { ByShift::Crew };
    let asked = OperatingRequest {
        assets: Vec::new(),
        from: request.from,
        to: request.to,
        as_of: request.as_of,
        by_asset: false,
        by_product: request.product.is_some(),
        by_shift: by,
    };
    let records = operating(models, &asked, works_in)?;
    let changes = changes_by_crew(models, request, by, works_in)?;
    let mut crews: Vec<CrewRecord> = Vec::new();
    for record in records {
        let crew = if by == ByShift::Name { record.key.shift_name } else { record.key.crew };
        let Some(crew) = crew.filter(|_| request.product.is_none() || record.key.product == request.product) else {
            continue;
        };
        let set_point_changes = changes.iter().filter(|changed| **changed == crew).count();
        crews.push(CrewRecord {
            crew,
            loom_efficiency: record.loom_efficiency,
            availability: record.availability,
            figures: record.figures,
            set_point_changes: u64::try_from(set_point_changes).unwrap_or(u64::MAX),
            positions: record.positions,
        });
    }
    let enough = |crew: &CrewRecord| crew.figures.picks > 0.0 && crew.figures.picks >= request.min_picks;
    crews.sort_by(|a, b| {
        let efficiency = |crew: &CrewRecord| crew.loom_efficiency.value().unwrap_or(-1.0);
        enough(b).cmp(&enough(a)).then(efficiency(b).total_cmp(&efficiency(a))).then_with(|| a.crew.cmp(&b.crew))
    });
    let compared = crews.iter().filter(|crew| enough(crew)).count();
    let differences = match crews.split_first() {
        Some((best, others)) if compared > 1 => differences(best, others, request.false_discovery_rate),
        _ => Vec::new(),
    };
    Ok(Crews { crews, differences })
}

/// The crew in whose time each set-point change of the window was made.
fn changes_by_crew(
    models: OperatingModels<'_>,
    request: &CrewRequest,
    by: ByShift,
    works_in: &dyn Fn(&AssetId, &EquipmentId, Timestamp) -> bool,
) -> Result<Vec<Code>, ScheduleError> {
    let turns = models.shifts.turns(request.from, request.to, request.as_of)?;
    let mut found = Vec::new();
    for asset in models.states.assets_with_set_points() {
        for fact in models.states.set_points(asset, request.as_of) {
            let Some(time) = fact.time.filter(|time| request.from <= *time && *time < request.to) else { continue };
            if request.product.is_some() && fact.value.product != request.product {
                continue;
            }
            let turn = turns.iter().rev().find(|turn| {
                let here = turn.equipment.as_ref().is_none_or(|equipment| works_in(asset, equipment, time));
                here && turn.from <= time && time < turn.to
            });
            found.extend(turn.map(|turn| if by == ByShift::Name { turn.name.clone() } else { turn.crew.clone() }));
        }
    }
    Ok(found)
}

fn differences(best: &CrewRecord, others: &[CrewRecord], false_discovery_rate: f64) -> Vec<Difference> {
    let rest = others.iter().fold(Performance::default(), |mut sum, crew| {
        sum += crew.figures;
        sum
    });
    let mut found: Vec<(Trait, Option<Effect>)> = Vec::new();
    for kind in [StopKind::Warp, StopKind::Weft, StopKind::Mechanical, StopKind::Other] {
        let (own, others) = (best.figures.stops(kind), rest.stops(kind));
        found.push((Trait::Stops(kind), compared(stop_rate(&best.figures, kind), stop_rate(&rest, kind))));
        found.push((Trait::Waiting(kind), difference_of_means(&own.waits, &others.waits, LEVEL)));
        found.push((Trait::Repair(kind), difference_of_means(&own.repairs, &others.repairs, LEVEL)));
    }
    let changes = |events: u64, figures: &Performance| Rate { events, exposure: figures.production_s / 3600.0 };
    let others_changed: u64 = others.iter().map(|crew| crew.set_point_changes).sum();
    let changed = rate_ratio(changes(best.set_point_changes, &best.figures), changes(others_changed, &rest), LEVEL);
    found.push((Trait::SetPointChanges, changed));
    let found: Vec<(Trait, Effect)> = found.into_iter().filter_map(|(what, effect)| Some((what, effect?))).collect();
    let p_values: Vec<f64> = found.iter().map(|(_, effect)| effect.p_value).collect();
    let adjusted = benjamini_hochberg(&p_values);
    let mut differences: Vec<Difference> = found
        .into_iter()
        .zip(adjusted)
        .map(|((what, effect), q_value)| Difference {
            what,
            effect,
            q_value,
            is_discovery: q_value <= false_discovery_rate,
        })
        .collect();
    differences.sort_by(|a, b| a.effect.p_value.total_cmp(&b.effect.p_value));
    differences
}
