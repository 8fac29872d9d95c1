//! Control charts of inspections.

use domain::Unit;
use domain::events::{FrozenLimits, InspectionRecorded};
use domain::ids::{AssetId, Code, MaterialId};
use domain::spc::attributes::overdispersion;
use domain::spc::{
    AttributeChart, AttributeLimits, Autocorrelation, Capability, CountedSubgroup, MeasuredSubgroup, NoLimits, Point,
    Rule, Signal, Specification, VariableLimits, autocorrelation, capability, residuals, signals,
};
use domain::statistics::{LEVEL, Summary};
use eventlog::Position;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{QualityModels, asset_of, product_of};
use crate::{AsOf, Fact};

/// What is charted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what", content = "code")]
pub enum Measured {
    /// A measured characteristic (`width`): X̄ with its spread, or individuals with moving ranges.
    Characteristic(Code),
    /// Defects of this kind, or of every kind without a code, by 100 metres of cloth: a u chart, or Laney's where counts vary more than by chance.
    Defects(Option<Code>),
    /// The share of inspections that failed, by day (UTC): a p chart, or Laney's.
    Failed,
}

impl Measured {
    /// The name under which limits are frozen.
    pub fn characteristic(&self) -> Option<Code> {
        match self {
            Self::Characteristic(code) => Some(code.clone()),
            Self::Defects(Some(code)) => Code::new(&format!("defects:{code}")).ok(),
            Self::Defects(None) => Code::new("defects").ok(),
            Self::Failed => Code::new("failed").ok(),
        }
    }
}

/// Which chart.
#[derive(Clone, Debug)]
pub struct ChartRequest {
    /// What is charted.
    pub measured: Measured,
    /// Of this product.
    pub product: Option<MaterialId>,
    /// From this asset.
    pub asset: Option<AssetId>,
    /// From this event time.
    pub from: Timestamp,
    /// To this event time.
    pub to: Timestamp,
    /// What was known.
    pub as_of: AsOf,
}

/// Why there is no chart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChartError {
    /// Phase I cannot be estimated, and no limits were frozen.
    #[error("no limits were frozen, and none can be estimated")]
    NoLimits(#[source] NoLimits),
    /// The frozen limits are those of another kind of chart.
    #[error("the limits at position {position} are not those of such a chart")]
    OtherLimits {
        /// Where they stand in the log.
        position: Position,
    },
}

/// A point of a chart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChartPoint {
    /// When: of a day, its beginning.
    pub time: Timestamp,
    /// The segment: style and beam. Moving ranges stay within one.
    pub segment: String,
    /// How many values; or what was inspected, in 100 m or in inspections.
    pub size: f64,
    /// The location, with its limits.
    pub location: Point,
    /// The spread, with its limits: of measured values only, and not of the first single value of a segment.
    pub spread: Option<Point>,
    /// What the point completes.
    pub rules: Vec<Rule>,
    /// Whether the spread lies beyond its limits.
    pub spread_beyond: bool,
    /// Where the log says so.
    pub positions: Vec<Position>,
}

/// A control chart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChartRecord {
    /// The limits.
    pub limits: FrozenLimits,
    /// Where the log says that they were frozen; `None` when they are estimated from this very chart, and hold for nothing else.
    pub frozen: Option<Position>,
    /// The points, by time.
    pub points: Vec<ChartPoint>,
    /// The unit of values.
    pub unit: Option<Unit>,
    /// How much values depend on the one before; `None` for counts, or for too few.
    pub autocorrelation: Option<Autocorrelation>,
    /// Signals of the residuals of an AR(1) model, where the dependence matters: the rules for independent values then give false alarms on the values themselves.
    pub residual_signals: Option<Vec<Signal>>,
    /// Capability against the specification that the newest inspection gives.
    pub capability: Option<Capability>,
    /// That specification.
    pub specification: Specification,
    /// How many times more counts vary between subgroups than by chance; of counts only.
    pub sigma_z: Option<f64>,
    /// How many values or inspections.
    pub n: u64,
    /// Inspections in the scope that have no time, and are on no chart.
    pub without_time: u64,
    /// Measurements whose unit cannot be converted, and that are on no chart.
    pub other_unit: u64,
}

/// A subgroup with what it comes from.
struct Taken<S> {
    time: Timestamp,
    segment: String,
    subgroup: S,
    positions: Vec<Position>,
}

/// What was found in the scope.
struct Scope<'a> {
    inspections: Vec<(Timestamp, &'a Fact<InspectionRecorded>)>,
    without_time: u64,
}

fn scope<'a>(models: QualityModels<'a>, request: &ChartRequest) -> Scope<'a> {
    let as_of = request.as_of;
    let mut scope = Scope { inspections: Vec::new(), without_time: 0 };
    for fact in models.quality.inspections(as_of) {
        // A row that equals another one and has no identity of its own is no further observation.
        if fact.value.repeated == Some(true)
            || request.asset.is_some() && asset_of(models, fact, as_of) != request.asset.as_ref()
            || request.product.is_some() && product_of(models, fact, as_of) != request.product.as_ref()
        {
            continue;
        }
        match fact.time {
            Some(time) if request.from <= time && time < request.to => scope.inspections.push((time, fact)),
            Some(_) => {}
            None => scope.without_time += 1,
        }
    }
    scope.inspections.sort_by_key(|(time, fact)| (*time, fact.position));
    scope
}

/// The segment of an inspection: style and beam.
fn segment(models: QualityModels<'_>, fact: &Fact<InspectionRecorded>, as_of: AsOf) -> String {
    let product = product_of(models, fact, as_of).map_or("", |product| product.as_str());
    let roll = fact.value.lot.as_ref().and_then(|lot| models.production.roll(lot, as_of));
    let beam = roll.and_then(|roll| roll.value.beams.last()).map_or("", |beam| beam.lot.as_str());
    format!("{product} {beam}").trim().to_owned()
}

/// The chart of what is asked, by the limits that were frozen last, or by such as are estimated from the chart itself.
///
/// # Errors
/// [`ChartError`] when there are no limits.
pub fn chart(models: QualityModels<'_>, request: &ChartRequest) -> Result<ChartRecord, ChartError> {
    let scope = scope(models, request);
    let frozen = request.measured.characteristic().and_then(|characteristic| {
        models.limits.of(&characteristic, request.product.as_ref(), request.asset.as_ref(), request.as_of)
    });
    match &request.measured {
        Measured::Characteristic(code) => variables(models, request, &scope, code, frozen),
        Measured::Defects(code) => {
            let taken = defects(models, request, &scope, code.as_ref());
            attributes(AttributeChart::U, taken, scope.without_time, frozen)
        }
        Measured::Failed => attributes(AttributeChart::P, failed(&scope), scope.without_time, frozen),
    }
}

fn variables(
    models: QualityModels<'_>,
    request: &ChartRequest,
    scope: &Scope<'_>,
    code: &Code,
    frozen: Option<&Fact<domain::events::ControlLimitsFrozen>>,
) -> Result<ChartRecord, ChartError> {
    let mut unit: Option<Unit> = None;
    let mut specification = Specification::default();
    let (mut taken, mut other_unit) = (Vec::new(), 0);
    for (time, fact) in &scope.inspections {
        let mut values = Vec::new();
        for measurement in fact.value.measurements.iter().filter(|measurement| measurement.characteristic == *code) {
            let unit = unit.get_or_insert_with(|| measurement.unit.clone());
            let convert = |value: f64| measurement.unit.convert(value, unit).ok().filter(|value| value.is_finite());
            let Some(value) = convert(measurement.value) else {
                other_unit += 1;
                continue;
            };
            values.push(value);
            let limit = |limit: Option<f64>| limit.and_then(convert);
            if measurement.lower_limit.is_some() || measurement.upper_limit.is_some() {
                specification =
                    Specification { lower: limit(measurement.lower_limit), upper: limit(measurement.upper_limit) };
            }
        }
        if !values.is_empty() {
            let segment = segment(models, fact, request.as_of);
            let subgroup = MeasuredSubgroup::new(&segment, values);
            taken.push(Taken { time: *time, segment, subgroup, positions: vec![fact.position] });
        }
    }
    let subgroups: Vec<MeasuredSubgroup> = taken.iter().map(|taken| taken.subgroup.clone()).collect();
    let limits = match frozen {
        Some(Fact { value, position, .. }) => match value.limits {
            FrozenLimits::Variables(limits) => limits,
            FrozenLimits::Attributes(_) => return Err(ChartError::OtherLimits { position: *position }),
        },
        None => VariableLimits::freeze(&subgroups).map_err(ChartError::NoLimits)?,
    };
    let locations = limits.locations(&subgroups);
    let scores: Vec<Option<f64>> = locations.iter().map(|point| point.map(|point| point.z)).collect();
    let found = signals(&scores, &Rule::ALL);
    let values: Summary = subgroups.iter().flat_map(|subgroup| subgroup.values.iter().copied()).collect();
    let dependence = autocorrelation(&subgroups);
    let points = taken.into_iter().zip(locations).zip(limits.spreads(&subgroups)).enumerate();
    let points = points.filter_map(|(index, ((taken, location), spread))| {
        Some(ChartPoint {
            time: taken.time,
            segment: taken.segment,
            #[expect(clippy::cast_precision_loss, reason = "a subgroup is small")]
            size: taken.subgroup.values.len() as f64,
            location: location?,
            spread,
            rules: rules(&found, index),
            spread_beyond: spread.is_some_and(|spread| spread.value > spread.upper || spread.value < spread.lower),
            positions: taken.positions,
        })
    });
    Ok(ChartRecord {
        points: points.collect(),
        limits: FrozenLimits::Variables(limits),
        frozen: frozen.map(|fact| fact.position),
        unit,
        residual_signals: dependence.filter(Autocorrelation::matters).and_then(|dependence| {
            let rest = residuals(&subgroups, values.mean, dependence.coefficient);
            let limits = VariableLimits::freeze(&rest).ok()?;
            let scores: Vec<Option<f64>> = limits.locations(&rest).into_iter().map(|point| Some(point?.z)).collect();
            Some(signals(&scores, &Rule::WESTERN_ELECTRIC))
        }),
        autocorrelation: dependence,
        capability: capability(&values, Some(limits.sigma), specification, LEVEL),
        specification,
        sigma_z: None,
        n: values.n,
        without_time: scope.without_time,
        other_unit,
    })
}

fn rules(found: &[Signal], index: usize) -> Vec<Rule> {
    found.iter().filter(|signal| signal.index == index).map(|signal| signal.rule).collect()
}

fn attributes(
    chart: AttributeChart,
    taken: Vec<Taken<CountedSubgroup>>,
    without_time: u64,
    frozen: Option<&Fact<domain::events::ControlLimitsFrozen>>,
) -> Result<ChartRecord, ChartError> {
    let subgroups: Vec<CountedSubgroup> = taken.iter().map(|taken| taken.subgroup).collect();
    let dispersion = overdispersion(chart, &subgroups);
    let limits = match frozen {
        Some(Fact { value, position, .. }) => match value.limits {
            FrozenLimits::Attributes(limits) => limits,
            FrozenLimits::Variables(_) => return Err(ChartError::OtherLimits { position: *position }),
        },
        None => {
            let adjusted = match (chart, matches!(dispersion, Ok((_, true)))) {
                (AttributeChart::P, true) => AttributeChart::LaneyP,
                (AttributeChart::U, true) => AttributeChart::LaneyU,
                (plain, _) => plain,
            };
            AttributeLimits::freeze(adjusted, &subgroups).map_err(ChartError::NoLimits)?
        }
    };
    let locations = limits.points(&subgroups);
    let scores: Vec<Option<f64>> = locations.iter().map(|point| Some(point.z)).collect();
    let found = signals(&scores, &Rule::ALL);
    let n = taken.iter().fold(0, |sum, taken| sum + taken.positions.len());
    let points = taken.into_iter().zip(locations).enumerate().map(|(index, (taken, location))| ChartPoint {
        time: taken.time,
        segment: taken.segment,
        size: taken.subgroup.size,
        location,
        spread: None,
        rules: rules(&found, index),
        spread_beyond: false,
        positions: taken.positions,
    });
    Ok(ChartRecord {
        points: points.collect(),
        limits: FrozenLimits::Attributes(limits),
        frozen: frozen.map(|fact| fact.position),
        unit: None,
        autocorrelation: None,
        residual_signals: None,
        capability: None,
        specification: Specification::default(),
        sigma_z: dispersion.ok().map(|(sigma_z, _)| sigma_z),
        n: u64::try_from(n).unwrap_or(u64::MAX),
        without_time,
        other_unit: 0,
    })
}

/// Defects by roll, in 100 metres of its length. A roll whose length nobody knows is on no chart.
fn defects(
    models: QualityModels<'_>,
    request: &ChartRequest,
    scope: &Scope<'_>,
    code: Option<&Code>,
) -> Vec<Taken<CountedSubgroup>> {
    let take = |(time, fact): &(Timestamp, &Fact<InspectionRecorded>)| {
        let length_m = super::grades::length_m(models, fact, request.as_of)?;
        let named = fact.value.defects.iter().filter(|defect| code.is_none_or(|code| defect.code == *code));
        let count: u32 = named.map(|defect| defect.count.unwrap_or(1)).fold(0, u32::saturating_add);
        let subgroup = CountedSubgroup::new(f64::from(count), length_m / 100.0);
        let segment = segment(models, fact, request.as_of);
        Some(Taken { time: *time, segment, subgroup, positions: vec![fact.position] })
    };
    scope.inspections.iter().filter_map(take).collect()
}

/// Failed inspections by day, out of those that were decided.
fn failed(scope: &Scope<'_>) -> Vec<Taken<CountedSubgroup>> {
    let zone = jiff::tz::TimeZone::UTC;
    let decided = scope.inspections.iter().filter(|(_, fact)| fact.value.verdict != domain::events::Verdict::Undecided);
    let days: Vec<_> = decided.map(|(time, fact)| (zone.to_datetime(*time).date(), fact)).collect();
    let day = |group: &[(jiff::civil::Date, &&Fact<InspectionRecorded>)]| {
        let time = zone.to_timestamp(group.first()?.0.to_datetime(jiff::civil::Time::midnight())).ok()?;
        let failures = group.iter().filter(|(_, fact)| fact.value.verdict == domain::events::Verdict::Fail).count();
        #[expect(clippy::cast_precision_loss, reason = "inspections of a day are few")]
        let subgroup = CountedSubgroup::new(failures as f64, group.len() as f64);
        let positions = group.iter().map(|(_, fact)| fact.position).collect();
        Some(Taken { time, segment: String::new(), subgroup, positions })
    };
    days.chunk_by(|a, b| a.0 == b.0).filter_map(day).collect()
}
