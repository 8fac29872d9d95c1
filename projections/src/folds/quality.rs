//! Product quality: inspections, nonconformances and what became of them.

use std::collections::BTreeMap;

use domain::Event;
use domain::events::{DispositionDecided, InspectionRecorded, NonconformanceRaised, Verdict};
use domain::ids::{AssetId, Code, LotId, MaterialId, NonconformanceId, OrderId};
use eventlog::{Digest, Filter, Position};
use serde::{Deserialize, Serialize};

use crate::{AsOf, Entry, Fact, Fold, History, filters, state_digest};

/// What inspections are to be looked at; an absent field leaves all in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QualityScope {
    /// Of this lot.
    pub lot: Option<LotId>,
    /// Of this order.
    pub order: Option<OrderId>,
    /// Of this asset.
    pub asset: Option<AssetId>,
    /// Of this product.
    pub product: Option<MaterialId>,
}

impl QualityScope {
    fn holds(&self, inspection: &InspectionRecorded) -> bool {
        fn is<T: PartialEq>(wanted: Option<&T>, actual: Option<&T>) -> bool {
            wanted.is_none() || wanted == actual
        }
        is(self.lot.as_ref(), inspection.lot.as_ref())
            && is(self.order.as_ref(), inspection.order.as_ref())
            && is(self.asset.as_ref(), inspection.asset.as_ref())
            && is(self.product.as_ref(), inspection.product.as_ref())
    }
}

/// Counts over inspections. Ratios are for the reader to make: numerators and denominators stand side by side.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct QualityTotals {
    /// Inspections, repeated rows included.
    pub inspections: u64,
    /// Of these, passed.
    pub passed: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Of these, rows that equal another one and have no identity of their own.
    pub repeated: u64,
    /// Defects.
    pub defects: u64,
    /// Penalty points (ASTM D5430).
    pub points: u64,
    /// Length of cloth that was inspected and of which length and width are known, in square metres.
    pub area_m2: f64,
    /// Points on that cloth.
    pub points_on_area: u64,
    /// Defects by kind.
    pub by_defect: BTreeMap<Code, u64>,
    /// The inspections that were counted.
    pub positions: Vec<Position>,
}

impl QualityTotals {
    /// Penalty points per 100 m² (ASTM D5430 by area), over the cloth whose area is known.
    pub fn points_per_100_m2(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a count of points is far below 2^52")]
        (self.area_m2 > 0.0).then(|| self.points_on_area as f64 * 100.0 / self.area_m2)
    }
}

/// A nonconformance with what became of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NonconformanceView<'a> {
    /// What was raised, as said last.
    pub raised: &'a Fact<NonconformanceRaised>,
    /// What was decided, as said last.
    pub decided: Option<&'a Fact<DispositionDecided>>,
    /// Every event of it that was known.
    pub positions: Vec<Position>,
}

/// Inspections and nonconformances.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// In log order; an inspection can be recorded again, and both count.
    inspections: History<InspectionRecorded>,
    by_lot: BTreeMap<LotId, Vec<u32>>,
    by_asset: BTreeMap<AssetId, Vec<u32>>,
    nonconformances: BTreeMap<NonconformanceId, (History<NonconformanceRaised>, History<DispositionDecided>)>,
}

impl Fold for Quality {
    const NAME: &'static str = "quality";
    const VERSION: u32 = 1;

    fn filter() -> Filter {
        filters::types(&["inspection.recorded", "nonconformance.raised", "nonconformance.decided"])
    }

    fn apply(&mut self, entry: &Entry) {
        match entry.event() {
            Some(Event::InspectionRecorded(event)) => {
                let index = u32::try_from(self.inspections.len()).unwrap_or(u32::MAX);
                if let Some(lot) = &event.lot {
                    self.by_lot.entry(lot.clone()).or_default().push(index);
                }
                if let Some(asset) = &event.asset {
                    self.by_asset.entry(asset.clone()).or_default().push(index);
                }
                self.inspections.push(entry, event.clone());
            }
            Some(Event::NonconformanceRaised(event)) => {
                let facts = self.nonconformances.entry(event.nonconformance.clone()).or_default();
                facts.0.push(entry, event.clone());
            }
            Some(Event::DispositionDecided(event)) => {
                let facts = self.nonconformances.entry(event.nonconformance.clone()).or_default();
                facts.1.push(entry, event.clone());
            }
            _ => {}
        }
    }

    fn digest(&self) -> Digest {
        state_digest(self)
    }
}

impl Quality {
    /// Every inspection that was known, in log order.
    pub fn inspections(&self, as_of: AsOf) -> &[Fact<InspectionRecorded>] {
        self.inspections.as_of(as_of)
    }

    /// The inspections in a scope, in log order.
    pub fn inspections_in<'a>(
        &'a self,
        scope: &'a QualityScope,
        as_of: AsOf,
    ) -> Box<dyn Iterator<Item = &'a Fact<InspectionRecorded>> + 'a> {
        let listed = match (&scope.lot, &scope.asset) {
            (Some(lot), _) => Some(self.by_lot.get(lot).map(Vec::as_slice).unwrap_or_default()),
            (None, Some(asset)) => Some(self.by_asset.get(asset).map(Vec::as_slice).unwrap_or_default()),
            (None, None) => None,
        };
        let known = self.inspections.as_of(as_of);
        match listed {
            Some(indexes) => {
                let facts = indexes.iter().filter_map(|index| known.get(usize::try_from(*index).ok()?));
                Box::new(facts.filter(|fact| scope.holds(&fact.value)))
            }
            None => Box::new(known.iter().filter(|fact| scope.holds(&fact.value))),
        }
    }

    /// Counts over a scope.
    pub fn totals(&self, scope: &QualityScope, as_of: AsOf) -> QualityTotals {
        let mut totals = QualityTotals::default();
        for fact in self.inspections_in(scope, as_of) {
            count(&mut totals, fact);
        }
        totals
    }

    /// Nonconformances that were known, by id.
    pub fn nonconformances(&self, as_of: AsOf) -> impl Iterator<Item = NonconformanceView<'_>> {
        self.nonconformances.values().filter_map(move |(raised, decided)| view(raised, decided, as_of))
    }

    /// A nonconformance, when it was known to be raised.
    pub fn nonconformance(&self, id: &NonconformanceId, as_of: AsOf) -> Option<NonconformanceView<'_>> {
        let (raised, decided) = self.nonconformances.get(id)?;
        view(raised, decided, as_of)
    }
}

fn view<'a>(
    raised: &'a History<NonconformanceRaised>,
    decided: &'a History<DispositionDecided>,
    as_of: AsOf,
) -> Option<NonconformanceView<'a>> {
    let mut positions: Vec<Position> = raised.as_of(as_of).iter().map(|fact| fact.position).collect();
    positions.extend(decided.as_of(as_of).iter().map(|fact| fact.position));
    positions.sort_unstable();
    Some(NonconformanceView { raised: raised.last(as_of)?, decided: decided.last(as_of), positions })
}

fn count(totals: &mut QualityTotals, fact: &Fact<InspectionRecorded>) {
    let inspection = &fact.value;
    totals.inspections += 1;
    totals.passed += u64::from(inspection.verdict == Verdict::Pass);
    totals.failed += u64::from(inspection.verdict == Verdict::Fail);
    totals.repeated += u64::from(inspection.repeated == Some(true));
    let mut points = 0;
    for defect in &inspection.defects {
        let number = u64::from(defect.count.unwrap_or(1));
        totals.defects += number;
        points += number * u64::from(defect.points.unwrap_or(0));
        *totals.by_defect.entry(defect.code.clone()).or_default() += number;
    }
    totals.points += points;
    if let Some(area_m2) = area_m2(inspection) {
        totals.area_m2 += area_m2;
        totals.points_on_area += points;
    }
    totals.positions.push(fact.position);
}

/// The area of what was inspected: its measured `length` × `width`, both in metres (a suffix such as `length_m` is understood).
fn area_m2(inspection: &InspectionRecorded) -> Option<f64> {
    let measured = |name: &str| {
        let mut found = inspection.measurements.iter().filter(|measurement| {
            let characteristic = measurement.characteristic.as_str();
            measurement.unit.as_str() == "m"
                && (characteristic == name || characteristic.strip_suffix("_m") == Some(name))
        });
        found.next().map(|measurement| measurement.value)
    };
    let area = measured("length")? * measured("width")?;
    (area > 0.0).then_some(area)
}
