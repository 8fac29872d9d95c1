use domain::Event;
use domain::events::*;
use domain::ids::*;
use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::testing::{entry, history, logged, time};
use crate::{Entry, Folds};

fn minute(minute: i64) -> Timestamp {
    time(0) + SignedDuration::from_mins(minute)
}

fn event<T: serde::de::DeserializeOwned + Into<Event>>(value: serde_json::Value) -> Event {
    serde_json::from_value::<T>(value).unwrap().into()
}

fn state(state: &str, reason: &str) -> Event {
    event::<MachineStateChanged>(json!({"asset": "L07", "state": state, "reason": reason}))
}

fn doffed(roll: &str, picks: u64) -> Event {
    event::<ClothDoffed>(
        json!({"asset": "L07", "roll": roll, "order": "O-1", "product": "poplin", "picks": picks, "length_m": 10.0, "beams": []}),
    )
}

fn folds(entries: impl IntoIterator<Item = Entry>) -> Folds {
    let mut folds = Folds::default();
    entries.into_iter().for_each(|entry| folds.apply(&entry));
    folds
}

fn given(events: Vec<(i64, Event)>) -> Folds {
    folds(events.into_iter().zip(0..).map(|((at, event), position)| entry(position, Some(minute(at)), event)))
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

fn request(from: Timestamp, to: Timestamp) -> OperatingRequest {
    OperatingRequest {
        assets: Vec::new(),
        from,
        to,
        as_of: AsOf::LATEST,
        by_asset: true,
        by_product: true,
        by_shift: ByShift::None,
    }
}

fn records(folds: &Folds, request: &OperatingRequest) -> Vec<OperatingRecord> {
    operating(models(folds), request, &|_, _, _| true).unwrap()
}

/// A morning at a loom, in minutes: the figures can be counted by hand.
fn morning() -> Vec<(i64, Event)> {
    vec![
        (
            0,
            event::<SetPointChanged>(
                json!({"asset": "L07", "parameter": "loom_speed", "to": 600.0, "unit": "{pick}/min"}),
            ),
        ),
        (0, state("running", "running")),
        (0, doffed("R-0", 1)),
        // A warp stop: nobody there for 3 minutes, mended in 2.
        (60, state("stopped", "no_operator")),
        (63, state("stopped", "warp_break")),
        (65, state("running", "running")),
        // A weft stop of 4 minutes; the weaver acknowledged the alarm after one.
        (100, state("stopped", "weft_break")),
        (
            100,
            event::<AlarmRaised>(
                json!({"alarm": "a", "asset": "L07", "code": "W", "text": {"en": "weft"}, "severity": 300}),
            ),
        ),
        (101, event::<AlarmAcknowledged>(json!({"alarm": "a", "asset": "L07"}))),
        (104, state("running", "running")),
        // A failure: ten minutes until the fixer came, twenty of repair.
        (150, state("down", "mechanical_fault")),
        (160, state("maintenance", "mechanical_fault")),
        (180, state("running", "running")),
        (200, doffed("R-1", 90_000)),
        // Planned maintenance, and no order afterwards.
        (210, state("maintenance", "cleaning")),
        (220, state("idle", "no_order")),
        (240, state("off", "no_order")),
        (250, event::<InspectionRecorded>(json!({"inspection": "I-1", "lot": "R-1", "verdict": "pass"}))),
    ]
}

#[test]
fn a_morning_can_be_counted_by_hand() {
    let folds = given(morning());
    let found = records(&folds, &request(minute(0), minute(300)));
    assert_eq!(found.len(), 1);
    let record = &found[0];
    assert_eq!(record.key.product.as_ref().map(MaterialId::as_str), Some("poplin"));
    let figures = &record.figures;
    let minutes = |seconds: f64| seconds / 60.0;
    // Running: 60 + 35 + 46 + 30; stopped: 5 + 4 + 30; the states are known to minute 240.
    assert_eq!(minutes(figures.production_s), 171.0);
    assert_eq!(minutes(figures.delay_s), 39.0);
    assert_eq!((minutes(figures.planned_down_s), minutes(figures.no_order_s), figures.off_s), (10.0, 20.0, 0.0));
    assert_eq!(figures.unknown_s, 0.0);
    assert_eq!(record.availability, Ratio::new(171.0 * 60.0, 210.0 * 60.0));
    let shown = |stops: &domain::performance::Stops| {
        (stops.count, stops.counted, minutes(stops.waiting_s), minutes(stops.repair_s), stops.unsplit_s)
    };
    assert_eq!(shown(&figures.warp), (1, 1, 3.0, 2.0, 0.0));
    assert_eq!(shown(&figures.weft), (1, 1, 1.0, 3.0, 0.0));
    assert_eq!(shown(&figures.mechanical), (1, 1, 10.0, 20.0, 0.0));
    assert_eq!(figures.other.count, 0);
    // 90,000 picks were woven in 161 running minutes up to the doffing; ten minutes of running are not counted yet.
    assert_eq!((figures.picks, minutes(figures.counted_s)), (90_000.0, 161.0));
    assert!((record.effectiveness.value().unwrap() - 150.0 / 161.0).abs() < 1e-12);
    // The two hundred minutes had room for 120,000 picks.
    assert!((record.loom_efficiency.value().unwrap() - 0.75).abs() < 1e-12);
    assert_eq!(record.quality.value(), Some(1.0));
    assert!((record.oee.unwrap() - 171.0 / 210.0 * 150.0 / 161.0).abs() < 1e-12);
    let warp = record.stop_rates[0];
    assert_eq!((warp.kind, warp.per_100_000_picks), (StopKind::Warp, Ratio::new(1.0, 0.9)));
    let bounds = warp.bounds.unwrap();
    assert!(bounds.low < bounds.value && bounds.value < bounds.high);
    // Yarn breaks are no failures: one failure in 171 minutes of running.
    assert!((record.mtbf_h.unwrap().value - 171.0 / 60.0).abs() < 1e-12);
    assert_eq!(record.mttr_h, Some(0.5));
    assert!(!record.positions.is_empty());
}

#[test]
fn a_shift_that_crosses_midnight_has_its_own_figures() {
    let mut events = morning();
    // Crew A works to minute 110 with 11 minutes of breaks planned, crew B from then on; both by the clock of the mill.
    let start = minute(-10).to_zoned(jiff::tz::TimeZone::UTC).datetime();
    let pattern = json!({
        "pattern": "P", "name": {"en": "p"}, "time_zone": "UTC", "first_day": start.date().to_string(), "cycle_days": 1,
        "shifts": [
            {"day": 0, "name": "first", "crew": "A", "start": start.time().to_string(), "minutes": 120, "break_minutes": 12},
            {"day": 0, "name": "second", "crew": "B", "start": minute(110).to_zoned(jiff::tz::TimeZone::UTC).time().to_string(), "minutes": 1320},
        ],
    });
    events.push((260, event::<ShiftPatternDefined>(pattern)));
    let folds = given(events);
    let by_crew = OperatingRequest { by_shift: ByShift::Crew, ..request(minute(0), minute(300)) };
    let found = records(&folds, &by_crew);
    let shown: Vec<_> = found
        .iter()
        .map(|record| {
            (record.key.crew.as_ref().unwrap().as_str(), record.figures.production_s / 60.0, record.figures.warp.count)
        })
        .collect();
    assert_eq!(shown, [("A", 101.0, 1), ("B", 70.0, 0)]);
    // 110 minutes of A's 120 lie in the window, and a tenth of them are breaks.
    assert!((found[0].figures.scheduled_s / 60.0 - 99.0).abs() < 1e-9);
    let sum = found.iter().fold(Performance::default(), |mut sum, record| {
        sum += record.figures;
        sum
    });
    assert!((sum.picks - 90_000.0).abs() < 1e-6);
    let by_turn = OperatingRequest { by_shift: ByShift::Turn, ..by_crew };
    assert_eq!(records(&folds, &by_turn)[0].key.turn, Some(minute(-10)));
    // Shifts of another part of the plant are not those of this loom.
    let elsewhere = json!({"shift": "S", "equipment": "shed-2", "name": "x", "crew": "X", "planned_start": minute(0), "planned_end": minute(300)});
    let elsewhere = given(morning().into_iter().chain([(0, event::<ShiftStarted>(elsewhere))]).collect());
    let found = operating(models(&elsewhere), &by_turn, &|_, _, _| false).unwrap();
    assert_eq!(found[0].key.crew, None);
}

#[test]
fn what_was_known_then_is_what_was_logged_then() {
    let folds = given(morning());
    let then = OperatingRequest { as_of: AsOf::through(Position::new(5)), ..request(minute(0), minute(300)) };
    let found = records(&folds, &then);
    assert_eq!((found[0].figures.production_s / 60.0, found[0].figures.picks), (60.0, 0.0));
    assert_eq!(found[0].loom_efficiency.value(), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Windows that meet add up, whatever happened; every second is booked once.
    #[test]
    fn windows_add_up(seeds in prop::collection::vec(any::<u64>(), 1..80), cut in 1..399i64) {
        let folds = folds(history(&seeds).into_iter().zip(0..).map(|(event, position)| logged(position, event)));
        let figures = |from: i64, to: i64| {
            let found = records(&folds, &OperatingRequest { by_asset: false, by_product: false, ..request(time(from), time(to)) });
            found.into_iter().fold(Performance::default(), |mut sum, record| { sum += record.figures; sum })
        };
        let (whole, first, second) = (figures(0, 400), figures(0, cut), figures(cut, 400));
        let mut sum = first;
        sum += second;
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-6 * a.abs().max(1.0);
        prop_assert!(close(whole.production_s, sum.production_s) && close(whole.delay_s, sum.delay_s) && close(whole.unknown_s, sum.unknown_s), "{:?} {:?}", whole, sum);
        prop_assert!(close(whole.picks, sum.picks) && close(whole.room_picks, sum.room_picks) && close(whole.good_picks, sum.good_picks));
        for kind in [StopKind::Warp, StopKind::Weft, StopKind::Mechanical, StopKind::Other] {
            let (whole, sum) = (whole.stops(kind), sum.stops(kind));
            prop_assert_eq!((whole.count, whole.counted), (sum.count, sum.counted));
            prop_assert!(close(whole.waiting_s, sum.waiting_s) && close(whole.repair_s, sum.repair_s) && close(whole.unsplit_s, sum.unsplit_s));
        }
        let horizon = folds.states.assets().filter_map(|asset| Some(folds.states.current(asset, AsOf::LATEST)?.time)).max();
        let seconds = horizon.map_or(0.0, |horizon| horizon.min(time(400)).duration_since(time(0)).as_secs_f64().max(0.0));
        let booked = whole.production_s + whole.setup_s + whole.delay_s + whole.no_order_s + whole.planned_down_s + whole.off_s + whole.unknown_s;
        let machines = folds.states.assets().count() as f64;
        prop_assert!(close(booked, seconds * machines), "{} {}", booked, seconds * machines);
    }

    /// However figures are told apart, their sum is the same.
    #[test]
    fn keys_share_what_there_is(seeds in prop::collection::vec(any::<u64>(), 1..80)) {
        let folds = folds(history(&seeds).into_iter().zip(0..).map(|(event, position)| logged(position, event)));
        let sum = |by_asset, by_product, by_shift| {
            let request = OperatingRequest { by_asset, by_product, by_shift, ..request(time(0), time(400)) };
            let found = records(&folds, &request);
            found.into_iter().fold(Performance::default(), |mut sum, record| { sum += record.figures; sum })
        };
        let whole = sum(false, false, ByShift::None);
        for apart in [sum(true, true, ByShift::Turn), sum(true, false, ByShift::Crew), sum(false, true, ByShift::Name)] {
            prop_assert_eq!((whole.n, whole.warp.count, whole.mechanical.counted), (apart.n, apart.warp.count, apart.mechanical.counted));
            prop_assert!((whole.production_s - apart.production_s).abs() < 1e-3 && (whole.picks - apart.picks).abs() < 1e-3);
        }
    }
}
