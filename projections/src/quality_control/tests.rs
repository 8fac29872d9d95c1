use domain::Event;
use domain::events::*;
use domain::ids::*;
use domain::spc::{AttributeChart, MIN_SUBGROUPS, NoLimits, Rule};
use eventlog::Position;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::testing::{entry, history, logged, time};
use crate::{AsOf, Folds};

fn event<T: serde::de::DeserializeOwned + Into<Event>>(value: Value) -> Event {
    serde_json::from_value::<T>(value).unwrap().into()
}

/// The folds after these events, at positions 0, 1, 2, …, each at its hour.
fn given(events: Vec<(i64, Event)>) -> Folds {
    let mut folds = Folds::default();
    for ((hour, event), position) in events.into_iter().zip(0..) {
        folds.apply(&entry(position, Some(time(hour)), event));
    }
    folds
}

fn models(folds: &Folds) -> QualityModels<'_> {
    QualityModels {
        quality: &folds.quality,
        production: &folds.production,
        limits: &folds.control_limits,
        states: &folds.states,
        shifts: &folds.shifts,
    }
}

fn code(text: &str) -> Code {
    Code::new(text).unwrap()
}

fn request(measured: Measured) -> ChartRequest {
    ChartRequest { measured, product: None, asset: None, from: time(0), to: time(10_000), as_of: AsOf::LATEST }
}

fn doffed(roll: &str, asset: &str, beam: &str, weft: &str) -> Event {
    event::<ClothDoffed>(
        json!({"asset": asset, "roll": roll, "order": "O", "product": "poplin", "picks": 300_000, "length_m": 120.0, "beams": [{"lot": beam}], "wefts": [weft]}),
    )
}

fn inspected(roll: &str, width: f64, defects: Value, verdict: &str) -> Event {
    event::<InspectionRecorded>(json!({
        "inspection": format!("I-{roll}"), "lot": roll, "verdict": verdict, "defects": defects,
        "measurements": [{"characteristic": "width", "value": width, "unit": "m", "lower_limit": 1.59, "upper_limit": 1.62}],
    }))
}

/// Sixty rolls from two beams: the width swings, and jumps with the beam.
fn rolls() -> Vec<(i64, Event)> {
    let mut events = Vec::new();
    for index in 0..60_i64 {
        let (roll, beam, level) =
            (format!("R-{index}"), if index < 30 { "B-1" } else { "B-2" }, if index < 30 { 1.600 } else { 1.610 });
        let swing = [0.0, 0.001, -0.001, 0.002, 0.0, -0.002][usize::try_from(index % 6).unwrap()];
        events.push((index * 10, doffed(&roll, "L07", beam, "Y-1")));
        events.push((
            index * 10 + 1,
            inspected(&roll, level + swing, json!([{"code": "double_pick", "points": 4, "count": index % 3}]), "pass"),
        ));
    }
    events
}

#[test]
fn a_chart_of_widths_knows_its_beams() {
    let folds = given(rolls());
    let found = chart(models(&folds), &request(Measured::Characteristic(code("width")))).unwrap();
    assert_eq!((found.points.len(), found.n, found.frozen), (60, 60, None));
    assert_eq!(found.points[0].segment, "poplin B-1");
    // The first roll of each beam has no moving range: the jump between beams is no variation of the process.
    assert_eq!(found.points.iter().filter(|point| point.spread.is_none()).count(), 2);
    // By a jump of five deviations each beam lies on its own side of the common centre.
    assert!(found.points[10].rules.contains(&Rule::EightOnOneSide));
    assert_eq!((found.specification.lower, found.specification.upper), (Some(1.59), Some(1.62)));
    assert!(found.capability.unwrap().cpk.unwrap() > found.capability.unwrap().ppk.unwrap().value);
    assert_eq!(found.points[5].positions, [Position::new(11)]);
    let none = chart(models(&folds), &request(Measured::Characteristic(code("weight"))));
    assert_eq!(none, Err(ChartError::NoLimits(NoLimits::NotEnough { found: 0 })));
    let elsewhere =
        ChartRequest { asset: Some(AssetId::new("L08").unwrap()), ..request(Measured::Characteristic(code("width"))) };
    assert!(chart(models(&folds), &elsewhere).is_err());
}

#[test]
fn frozen_limits_judge_what_comes_later() {
    let mut events = rolls();
    let phase_one = given(events.clone());
    // Phase I is the first beam.
    let first = ChartRequest { to: time(300), ..request(Measured::Characteristic(code("width"))) };
    let estimated = chart(models(&phase_one), &first).unwrap();
    let FrozenLimits::Variables(limits) = estimated.limits else { panic!("{:?}", estimated.limits) };
    assert_eq!(limits.subgroups, 30);
    events.push((
        700,
        ControlLimitsFrozen {
            characteristic: code("width"),
            product: None,
            asset: None,
            limits: estimated.limits,
            from: Some(time(0)),
            to: Some(time(300)),
            as_of: 59,
            person: None,
        }
        .into(),
    ));
    let folds = given(events);
    let judged = chart(models(&folds), &request(Measured::Characteristic(code("width")))).unwrap();
    assert_eq!((judged.frozen, judged.limits), (Some(Position::new(120)), estimated.limits));
    let beyond =
        |points: &[ChartPoint]| points.iter().filter(|point| point.rules.contains(&Rule::BeyondThreeSigma)).count();
    assert_eq!((beyond(&judged.points[..30]), beyond(&judged.points[30..])), (0, 30));
    // Before they were frozen they were not known.
    let then =
        ChartRequest { as_of: AsOf::through(Position::new(119)), ..request(Measured::Characteristic(code("width"))) };
    assert_eq!(chart(models(&folds), &then).unwrap().frozen, None);
    // The limits of widths judge no counts.
    let mut events = rolls();
    events.push((
        700,
        ControlLimitsFrozen {
            characteristic: code("defects"),
            product: None,
            asset: None,
            limits: estimated.limits,
            from: None,
            to: None,
            as_of: 59,
            person: None,
        }
        .into(),
    ));
    let wrong = chart(models(&given(events)), &request(Measured::Defects(None)));
    assert_eq!(wrong, Err(ChartError::OtherLimits { position: Position::new(120) }));
}

#[test]
fn defects_are_counted_by_length_and_failures_by_day() {
    let folds = given(rolls());
    let found = chart(models(&folds), &request(Measured::Defects(Some(code("double_pick"))))).unwrap();
    let FrozenLimits::Attributes(limits) = found.limits else { panic!("{:?}", found.limits) };
    // 0, 1 and 2 defects in turn on 120 m: 60 on 7200 m.
    assert!((limits.center - 60.0 / 72.0).abs() < 1e-12);
    assert_eq!((found.points.len(), found.points[1].size), (60, 1.2));
    let chart_kind = |found: &ChartRecord| match found.limits {
        FrozenLimits::Attributes(limits) => limits.chart,
        FrozenLimits::Variables(_) => panic!(),
    };
    // Too few days.
    let failed = chart(models(&folds), &request(Measured::Failed));
    assert!(
        matches!(failed, Err(ChartError::NoLimits(NoLimits::NotEnough { found: 25..=26 } | NoLimits::NoVariation))),
        "{failed:?}"
    );
    let mut events = Vec::new();
    for day in 0..30_i64 {
        for piece in 0..200_i64 {
            let verdict = if piece < [10, 30][usize::try_from(day % 2).unwrap()] { "fail" } else { "pass" };
            events.push((
                day * 24,
                event::<InspectionRecorded>(json!({"inspection": format!("{day}-{piece}"), "verdict": verdict})),
            ));
        }
    }
    let folds = given(events);
    let failed = chart(models(&folds), &request(Measured::Failed)).unwrap();
    assert_eq!((failed.points.len(), failed.n), (30, 6000));
    // Days differ by more than by chance, and the limits are Laney's.
    assert_eq!(chart_kind(&failed), AttributeChart::LaneyP);
    assert!(failed.sigma_z.unwrap() > 2.0);
    assert!(failed.points.iter().all(|point| point.rules.iter().all(|rule| *rule != Rule::BeyondThreeSigma)));
}

#[test]
fn a_roll_is_graded_by_its_defects() {
    let defects = json!([{"code": "double_pick", "points": 4, "at_m": 33.2}, {"code": "slub", "points": 4, "at_m": 33.9}, {"code": "neps", "points": 1, "count": 2, "at_m": 80.0}]);
    let folds = given(vec![(0, doffed("R-1", "L07", "B-1", "Y-1")), (1, inspected("R-1", 1.6, defects, "pass"))]);
    let found = grades(models(&folds), &crate::folds::quality::QualityScope::default(), AsOf::LATEST);
    let grade = found[0].grade.unwrap();
    assert_eq!((found[0].defects, grade.points, grade.points_over), (4, 6, 4));
    assert!((grade.per_100_m2 - 600.0 / 192.0).abs() < 1e-12);
    assert_eq!(found[0].positions, [Position::new(0), Position::new(1)]);
    assert!(
        grades(models(&folds), &crate::folds::quality::QualityScope::default(), AsOf::through(Position::new(0)))
            .is_empty()
    );
}

/// A loom with a bad beam among eight looms: the beam is found, and little else.
#[test]
fn the_bad_beam_is_the_first_cause() {
    let mut events = vec![(
        0,
        event::<SetPointChanged>(json!({"asset": "L0", "parameter": "warp_tension", "to": 20.0, "unit": "cN"})),
    )];
    for index in 0..160_i64 {
        let (loom, roll) = (index % 8, format!("R-{index}"));
        // Loom 3 wove the bad beam during the second half; chance hits any roll now and then.
        let (beam, bad) = (format!("B-{loom}-{}", index / 80), loom == 3 && index >= 80);
        let defects = if (bad && index % 16 != 11) || index % 23 == 7 {
            json!([{"code": "reed_mark", "points": 2}])
        } else {
            json!([])
        };
        events.push((
            index * 10,
            doffed(&roll, &format!("L{loom}"), &beam, ["Y-1", "Y-2"][usize::try_from(index / 80).unwrap()]),
        ));
        events.push((index * 10 + 1, inspected(&roll, 1.6, defects, "pass")));
    }
    let folds = given(events);
    let asked = CauseRequest {
        outcome: Explained::Defect(code("reed_mark")),
        from: time(0),
        to: time(10_000),
        as_of: AsOf::LATEST,
        false_discovery_rate: 0.05,
    };
    let found = causes(models(&folds), &asked);
    assert_eq!(found.rolls.trials, 160);
    let first = &found.causes[0];
    assert_eq!((first.factor, first.level.as_str(), first.is_discovery), (Factor::Beam, "B-3-1", true));
    assert!(first.effect.low > 0.0 && first.odds_ratio.unwrap().low > 1.0);
    assert_eq!(first.with.trials, 10);
    assert!(!first.positions.is_empty());
    assert!(
        found
            .causes
            .iter()
            .all(|cause| cause.q_value >= cause.effect.p_value && cause.is_discovery == (cause.q_value <= 0.05))
    );
    assert!(found.causes.iter().all(|cause| cause.level != "B-1-0" || !cause.is_discovery));
    assert_eq!(found.tried, found.causes.len() as u64);
    // Nobody could know it after the first half.
    let then = causes(models(&folds), &CauseRequest { as_of: AsOf::through(Position::new(160)), ..asked });
    assert!(then.causes.iter().all(|cause| cause.level != "B-3-1"));
}

#[test]
fn a_set_point_that_goes_with_failures_is_found() {
    let mut events = Vec::new();
    for index in 0..80_i64 {
        let roll = format!("R-{index}");
        let tension = 18.0 + f64::from(u32::try_from(index % 10).unwrap());
        events.push((
            index * 10,
            event::<SetPointChanged>(json!({"asset": "L07", "parameter": "warp_tension", "to": tension, "unit": "cN"})),
        ));
        events.push((index * 10 + 1, doffed(&roll, "L07", "B-1", "Y-1")));
        events.push((index * 10 + 2, inspected(&roll, 1.6, json!([]), if tension > 23.0 { "fail" } else { "pass" })));
    }
    let folds = given(events);
    let asked = CauseRequest {
        outcome: Explained::Failed,
        from: time(0),
        to: time(10_000),
        as_of: AsOf::LATEST,
        false_discovery_rate: 0.05,
    };
    let found = causes(models(&folds), &asked);
    let tension = found.causes.iter().find(|cause| cause.factor == Factor::SetPoint).unwrap();
    assert!(tension.is_discovery && tension.level == "warp_tension");
    assert!((tension.effect.value - 5.0).abs() < 1e-9, "{:?}", tension.effect);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Where nothing goes with anything, discoveries are few: random verdicts on random rolls, of which at most one history in ten may have any.
    #[test]
    fn chance_gives_few_discoveries(seed in any::<u64>()) {
        let mut with = 0;
        for run in 0..10_u64 {
            let mut state = seed.wrapping_add(run.wrapping_mul(0x9e37_79b9_7f4a_7c15)) | 1;
            let mut roll = |sides: u64| { state ^= state << 13; state ^= state >> 7; state ^= state << 17; (state >> 20) % sides };
            let mut events = Vec::new();
            for index in 0..60_i64 {
                let (loom, beam, weft, fails) = (roll(4), roll(8), roll(3), roll(4) == 0);
                events.push((index * 10, doffed(&format!("R-{index}"), &format!("L{loom}"), &format!("B-{beam}"), &format!("Y-{weft}"))));
                events.push((index * 10 + 1, inspected(&format!("R-{index}"), 1.6, json!([]), if fails { "fail" } else { "pass" })));
            }
            let folds = given(events);
            let asked = CauseRequest { outcome: Explained::Failed, from: time(0), to: time(10_000), as_of: AsOf::LATEST, false_discovery_rate: 0.05 };
            let found = causes(models(&folds), &asked);
            prop_assert!(found.tried > 5);
            with += u32::from(found.causes.iter().any(|cause| cause.is_discovery));
        }
        // At 5 % a false discovery in five or more of ten histories has a probability of 1 in 10,000.
        prop_assert!(with < 5, "{} of 10", with);
    }

    /// Looking back equals standing there.
    #[test]
    fn as_of_equals_a_replay(seeds in prop::collection::vec(any::<u64>(), 1..120), cut in any::<prop::sample::Index>()) {
        let events = history(&seeds);
        let cut = cut.index(events.len()) as u64;
        let (mut all, mut then) = (Folds::default(), Folds::default());
        for (event, position) in events.into_iter().zip(0..) {
            let entry = logged(position, event);
            all.apply(&entry);
            if position <= cut {
                then.apply(&entry);
            }
        }
        let answers = |folds: &Folds, as_of: AsOf| {
            let asked = CauseRequest { outcome: Explained::Failed, from: time(0), to: time(400), as_of, false_discovery_rate: 0.1 };
            let charts = [Measured::Failed, Measured::Defects(None), Measured::Characteristic(code("width"))]
                .map(|measured| chart(models(folds), &ChartRequest { as_of, ..request(measured) }));
            format!("{:?} {:?} {:?}", causes(models(folds), &asked), charts, grades(models(folds), &crate::folds::quality::QualityScope::default(), as_of))
        };
        prop_assert_eq!(answers(&all, AsOf::through(Position::new(cut))), answers(&then, AsOf::LATEST));
    }
}

#[test]
fn the_least_number_of_subgroups_is_that_of_the_domain() {
    let few: Vec<(i64, Event)> = rolls().into_iter().take(2 * (MIN_SUBGROUPS - 1)).collect();
    let found = chart(models(&given(few)), &request(Measured::Characteristic(code("width"))));
    assert_eq!(found, Err(ChartError::NoLimits(NoLimits::NotEnough { found: MIN_SUBGROUPS - 1 })));
}
