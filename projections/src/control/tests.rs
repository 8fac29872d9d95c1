use domain::Event;
use domain::events::*;
use domain::ids::*;
use eventlog::Position;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::operating::regimes::RegimeSpan;
use crate::operating::{ByShift, OperatingModels};
use crate::testing::{entry, history, logged, time};
use crate::{AsOf, Folds};

fn event<T: serde::de::DeserializeOwned + Into<Event>>(value: Value) -> Event {
    serde_json::from_value::<T>(value).unwrap().into()
}

fn minute(minute: i64) -> Timestamp {
    time(0) + SignedDuration::from_mins(minute)
}

/// The folds after these events in order of time, each at its minute.
fn given(mut events: Vec<(i64, Event)>) -> Folds {
    events.sort_by_key(|(minute, _)| *minute);
    let mut folds = Folds::default();
    for ((at, event), position) in events.into_iter().zip(0..) {
        folds.apply(&entry(position, Some(minute(at)), event));
    }
    folds
}

fn models(folds: &Folds) -> OperatingModels<'_> {
    OperatingModels {
        states: &folds.states,
        production: &folds.production,
        quality: &folds.quality,
        shifts: &folds.shifts,
        alarms: &folds.alarms,
        episodes: &folds.episodes,
    }
}

fn state(state: &str, reason: &str) -> Event {
    event::<MachineStateChanged>(json!({"asset": "L07", "state": state, "reason": reason}))
}

fn set(parameter: &str, to: f64) -> Event {
    event::<SetPointChanged>(
        json!({"asset": "L07", "parameter": parameter, "to": to, "unit": "bar", "product": "poplin"}),
    )
}

/// A loom that weaves a roll of so many picks each 100 minutes, from minute 0 on for so many hundreds, with weft stops of a minute at these minutes.
fn weaving(hundreds: i64, stops: &[i64], picks: impl Fn(i64) -> u64) -> Vec<(i64, Event)> {
    let mut events = vec![
        (
            0,
            event::<BeamMounted>(
                json!({"asset": "L07", "beam": "B", "order": "O", "product": "poplin", "joining": "drawn_in"}),
            ),
        ),
        (0, set("loom_speed", 700.0)),
    ];
    for index in 0..=hundreds {
        events.push((index * 100, event::<ClothDoffed>(json!({"asset": "L07", "roll": format!("R-{index}"), "order": "O", "product": "poplin", "picks": picks(index), "length_m": 20.0, "beams": []}))));
    }
    events.push((0, state("running", "running")));
    for minute in stops {
        events.push((*minute, state("stopped", "weft_break")));
        events.push((*minute + 1, state("running", "running")));
    }
    events.push((hundreds * 100, state("running", "running")));
    events
}

fn change_request() -> ChangeRequest {
    ChangeRequest {
        asset: None,
        parameter: Some(Code::new("air_pressure").unwrap()),
        from: time(0),
        to: time(10_000),
        window: SignedDuration::from_mins(2_000),
        as_of: AsOf::LATEST,
        false_discovery_rate: 0.05,
        limit: 100,
    }
}

/// Before the change a stop each 20 minutes, after it one each 200.
fn improved() -> Vec<(i64, Event)> {
    let stops: Vec<i64> = (1..100).map(|i| i * 20 + 5).chain((11..20).map(|i| i * 200 + 5)).collect();
    let mut events = weaving(40, &stops, |_| 60_000);
    events.push((2_000, set("air_pressure", 5.2)));
    events
}

#[test]
fn a_change_is_shown_with_what_followed() {
    let folds = given(improved());
    let found = changes(models(&folds), &change_request(), &RegimeTimes::new());
    assert_eq!(found.len(), 1);
    let record = &found[0];
    assert_eq!((record.product.as_ref().unwrap().as_str(), record.to), ("poplin", 5.2));
    assert_eq!((record.before.weft.counted, record.after.weft.counted), (99, 9));
    assert!((record.before.picks - 1_200_000.0).abs() < 1.0 && (record.after.picks - 1_200_000.0).abs() < 1.0);
    let weft = record.effects.iter().find(|effect| effect.kind == StopKind::Weft).unwrap();
    let effect = weft.against_before.unwrap();
    assert!((effect.value - 1.0 / 11.0).abs() < 1e-3 && effect.high < 0.25, "{effect:?}");
    assert!(weft.is_discovery && weft.q_value.unwrap() >= effect.p_value);
    assert!(weft.against_baseline.is_some());
    // Nothing can be said of stops that there were none of.
    assert!(record.effects.iter().all(|effect| effect.kind == StopKind::Weft || effect.against_before.is_none()));
    // Another change ends the window; what was changed at the same moment is told.
    let mut events = improved();
    events.extend([(2_500, set("warp_tension", 20.0)), (2_000, set("nozzle_pressure", 3.0))]);
    let folds = given(events);
    let found = changes(models(&folds), &change_request(), &RegimeTimes::new());
    assert_eq!(found[0].after_to, minute(2_500));
    assert_eq!(found[0].together_with, [Code::new("nozzle_pressure").unwrap()]);
    assert!(changes(models(&folds), &ChangeRequest { limit: 0, ..change_request() }, &RegimeTimes::new()).is_empty());
}

#[test]
fn a_change_that_does_nothing_is_no_discovery() {
    let stops: Vec<i64> = (1..200).map(|i| i * 20 + 5).collect();
    let mut events = weaving(40, &stops, |_| 60_000);
    events.push((2_000, set("air_pressure", 5.2)));
    let found = changes(models(&given(events)), &change_request(), &RegimeTimes::new());
    assert!(found[0].effects.iter().all(|effect| !effect.is_discovery), "{:?}", found[0].effects);
}

fn span(from: i64, to: i64, regime: &str) -> RegimeSpan {
    RegimeSpan { from: minute(from), to: minute(to), regime: regime.to_owned() }
}

#[test]
fn what_followed_is_compared_within_the_regime_where_it_is_known() {
    // Humid until minute 1000: a stop each 20 minutes; dry from then on: one each 200, before the change at minute 2000 and after it.
    let stops: Vec<i64> = (1..50).map(|i| i * 20 + 5).chain((5..20).map(|i| i * 200 + 105)).collect();
    let mut events = weaving(40, &stops, |_| 60_000);
    events.push((2_000, set("air_pressure", 5.2)));
    let folds = given(events);
    let baseline = |times: &RegimeTimes| {
        let record = changes(models(&folds), &change_request(), times).remove(0);
        let weft = record.effects.iter().find(|effect| effect.kind == StopKind::Weft).unwrap().against_baseline;
        (record.baseline_of, record.baseline.weft.counted, record.compared.weft.counted, weft.unwrap())
    };
    // Against all time before, the change seems to have helped; against the same air it did nothing.
    let (of, stops, _, effect) = baseline(&RegimeTimes::new());
    assert!(of == BaselineOf::Product && stops == 54 && effect.high < 0.5, "{of:?} {stops} {effect:?}");
    let asset = AssetId::new("L07").unwrap();
    let times = RegimeTimes::from([(asset.clone(), vec![span(0, 1_000, "humid"), span(1_000, 3_600, "dry")])]);
    let (of, stops, compared, effect) = baseline(&times);
    assert_eq!((of, stops, compared), (BaselineOf::Regime("dry".to_owned()), 5, 8));
    assert!(effect.low < 1.0 && 1.0 < effect.high, "{effect:?}");
    // A regime that is new, one that does not last, and another asset's have no baseline to offer.
    for spans in [vec![span(2_000, 4_000, "new")], vec![span(1_000, 2_500, "short")], Vec::new()] {
        assert_eq!(baseline(&RegimeTimes::from([(asset.clone(), spans)])).0, BaselineOf::Product);
    }
}

fn best_request() -> BestRequest {
    BestRequest {
        product: None,
        asset: None,
        parameter: Some(Code::new("air_pressure").unwrap()),
        from: time(0),
        to: time(10_000),
        as_of: AsOf::LATEST,
        false_discovery_rate: 0.05,
        min_picks: 100_000.0,
    }
}

#[test]
fn the_best_known_value_has_the_fewest_stops_for_sure() {
    let mut events = improved();
    events.push((100, set("air_pressure", 4.8)));
    // Woven for half an hour only: too little to say anything, though nothing stopped.
    events.push((3_970, set("air_pressure", 6.0)));
    let folds = given(events);
    let found = best_values(models(&folds), &best_request());
    let shown: Vec<_> = found.iter().map(|record| (record.value, record.is_best, record.is_discovery)).collect();
    assert_eq!(shown[0], (5.2, true, true), "{shown:?}");
    assert!(shown.contains(&(4.8, false, true)) && shown.contains(&(6.0, false, false)), "{shown:?}");
    let best = &found[0];
    assert!(best.against_others.unwrap().high < 1.0 && best.bounds.unwrap().low < best.process_stops.value().unwrap());
    assert_eq!((best.assets.len(), best.positions.len()), (1, 1));
    // A value alone is not the best of anything.
    let alone = best_values(
        models(&folds),
        &BestRequest { parameter: Some(Code::new("loom_speed").unwrap()), ..best_request() },
    );
    assert_eq!(alone.iter().map(|record| record.is_best).collect::<Vec<_>>(), [false]);
}

/// Two crews of 500 minutes each in turn; crew A has the weft stops, and weaves less.
fn two_crews() -> Folds {
    let stops: Vec<i64> = (0..4)
        .flat_map(|turn| (1..24).map(move |i| turn * 1_000 + i * 20 + 5))
        .chain((0..4).flat_map(|turn| (1..3).map(move |i| turn * 1_000 + 500 + i * 200 + 5)))
        .collect();
    let mut events = weaving(40, &stops, |roll| if (roll - 1).div_euclid(5) % 2 == 0 { 50_000 } else { 60_000 });
    for turn in 0..8_i64 {
        let crew = if turn % 2 == 0 { "A" } else { "B" };
        events.push((turn * 500, event::<ShiftStarted>(json!({"shift": format!("S-{turn}"), "name": "turn", "crew": crew, "planned_start": minute(turn * 500), "planned_end": minute(turn * 500 + 500)}))));
    }
    given(events)
}

#[test]
fn the_best_crew_is_told_with_what_it_does_differently() {
    let folds = two_crews();
    let request = CrewRequest {
        by: ByShift::Crew,
        product: None,
        from: time(0),
        to: time(10_000),
        as_of: AsOf::LATEST,
        false_discovery_rate: 0.05,
        min_picks: 1_000.0,
    };
    let found = crews(models(&folds), &request, &|_, _, _| true).unwrap();
    let shown: Vec<_> = found.crews.iter().map(|crew| (crew.crew.as_str(), crew.figures.weft.count)).collect();
    assert_eq!(shown, [("B", 8), ("A", 92)]);
    let first = found.differences[0];
    assert_eq!((first.what, first.is_discovery), (Trait::Stops(StopKind::Weft), true));
    assert!(first.effect.high < 0.3, "{first:?}");
    // Only one crew has enough picks: there is nothing to compare.
    let none = crews(models(&folds), &CrewRequest { min_picks: 1e12, ..request.clone() }, &|_, _, _| true).unwrap();
    assert!(none.differences.is_empty() && none.crews.len() == 2);
    let other = crews(
        models(&folds),
        &CrewRequest { product: Some(MaterialId::new("denim").unwrap()), ..request },
        &|_, _, _| true,
    )
    .unwrap();
    assert!(other.crews.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

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
            let request = ChangeRequest { parameter: None, as_of, ..change_request() };
            let times = RegimeTimes::from([(AssetId::new("A0").unwrap(), vec![span(0, 9_000, "one"), span(9_000, 20_000, "two")])]);
            let changed = (changes(models(folds), &request, &RegimeTimes::new()), changes(models(folds), &request, &times));
            let values = best_values(models(folds), &BestRequest { parameter: None, as_of, ..best_request() });
            let request = CrewRequest { by: ByShift::Crew, product: None, from: time(0), to: time(400), as_of, false_discovery_rate: 0.1, min_picks: 1.0 };
            format!("{changed:?} {values:?} {:?}", crews(models(folds), &request, &|_, _, _| true).unwrap())
        };
        prop_assert_eq!(answers(&all, AsOf::through(Position::new(cut))), answers(&then, AsOf::LATEST));
    }
}
