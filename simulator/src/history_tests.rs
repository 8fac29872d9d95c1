use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use domain::Event;
use domain::events::{MachineState, Verdict};
use domain::rules::States;
use eventlog::Digest;
use jiff::{SignedDuration, Timestamp};

use super::{History, HistoryOptions, Live, history, history_with};
use crate::mill::STYLES;
use crate::{Output, SimEvent, SimulationError};

const END: &str = "2026-11-20T06:00:00Z";

fn end() -> Timestamp {
    END.parse().unwrap()
}

/// Thirty days, made once for all tests that only look.
static MONTH: LazyLock<History> = LazyLock::new(|| history(7, end(), 30).unwrap());

fn digest(history: &History) -> Digest {
    let mut bytes = Vec::new();
    for event in &history.events {
        bytes.extend_from_slice(event.external_id.as_bytes());
        bytes.extend_from_slice(event.time.to_string().as_bytes());
        bytes.extend(event.event.encode().unwrap());
    }
    for reading in history.readings() {
        bytes.extend_from_slice(format!("{reading:?}").as_bytes());
    }
    history.truth().write_json_lines(&mut bytes).unwrap();
    Digest::of(&bytes)
}

fn few_readings(seed: u64, days: u32) -> HistoryOptions {
    HistoryOptions { readings_seconds: 300, ..HistoryOptions::new(seed, end(), days) }
}

#[test]
fn the_same_seed_gives_the_same_history_and_another_seed_another() {
    let made = |seed| digest(&history_with(few_readings(seed, 3)).unwrap());
    assert_eq!(made(1), made(1));
    assert_ne!(made(1), made(2));
}

#[test]
fn impossible_histories_are_refused() {
    assert!(matches!(history(1, end(), 0), Err(SimulationError::Days { days: 0, .. })));
    assert!(matches!(history(1, end(), super::MAX_DAYS + 1), Err(SimulationError::Days { .. })));
    assert!(matches!(history(1, Timestamp::MIN, 1), Err(SimulationError::End { .. })));
}

#[test]
fn events_are_in_the_order_of_time_within_the_history_and_have_names_of_their_own() {
    let (start, end) = (MONTH.start, MONTH.end);
    assert!(MONTH.events.windows(2).all(|pair| pair[0].time <= pair[1].time));
    assert!(MONTH.events.iter().all(|event| start <= event.time && event.time <= end));
    let names: BTreeSet<&str> = MONTH.events.iter().map(|event| &*event.external_id).collect();
    assert_eq!(names.len(), MONTH.events.len());
    assert!(names.len() > 30_000, "{}", names.len());
}

#[test]
fn events_decode_as_what_they_were() {
    for SimEvent { event, .. } in MONTH.events.iter().step_by(7) {
        let decoded = Event::decode(event.event_type(), event.schema_version(), &event.encode().unwrap()).unwrap();
        assert_eq!(&decoded, event);
    }
}

#[test]
fn only_declared_events_contradict_and_all_of_them_do() {
    let mut states = States::new();
    let mut declared = 0;
    for SimEvent { event, external_id, contradiction, .. } in &MONTH.events {
        let found = states.contradictions(event);
        assert_eq!(found.is_empty(), contradiction.is_none(), "{external_id} {event:?}: {found:?}");
        declared += usize::from(contradiction.is_some());
        states.evolve(event);
    }
    assert!(declared > 0);
    assert_eq!(declared, MONTH.truth().contradictions.len());
}

#[test]
fn warp_is_neither_made_nor_lost() {
    let mut lengths: BTreeMap<String, f64> = BTreeMap::new();
    let mut taken: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    let mut rolls = 0;
    for event in MONTH.events.iter().map(|event| &event.event) {
        match event {
            Event::LotCreated(lot) if lot.lot.as_str().starts_with("BM-") => {
                lengths.insert(lot.lot.to_string(), lot.quantity.as_ref().unwrap().value);
            }
            Event::WarpingCompleted(warping) => {
                let kg: f64 = warping.from.iter().map(|origin| origin.quantity.as_ref().unwrap().value).sum();
                let formula = f64::from(warping.ends) * warping.length_m * warping.tex / 1e6;
                assert!((kg - formula).abs() < 1e-3, "{}: {kg} {formula}", warping.beam);
            }
            Event::ClothDoffed(doffed) => {
                let style = STYLES.iter().find(|style| style.id == doffed.product.as_str()).unwrap();
                let warp: f64 = doffed.beams.iter().map(|origin| origin.interval.unwrap().length_m()).sum();
                assert!((warp * (1.0 - style.crimp) - doffed.length_m).abs() < 5e-4, "{}", doffed.roll);
                let picks = doffed.length_m * 100.0 * style.picks_per_cm;
                assert!((picks - doffed.picks as f64).abs() <= 2.0, "{}", doffed.roll);
                for origin in &doffed.beams {
                    let interval = origin.interval.unwrap();
                    taken.entry(origin.lot.to_string()).or_default().push((interval.start_m, interval.end_m));
                }
                rolls += 1;
            }
            _ => {}
        }
    }
    assert!(rolls > 1000 && taken.len() > 50, "{rolls} {}", taken.len());
    for (beam, mut stretches) in taken {
        stretches.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(stretches[0].0 >= 0.0 && stretches.last().unwrap().1 <= lengths[&beam], "{beam}");
        assert!(stretches.windows(2).all(|pair| pair[0].1 <= pair[1].0 + 1e-9), "{beam}");
    }
}

#[test]
fn the_mill_runs_at_plausible_rates() {
    let (mut picks, mut metres) = (0_u64, 0.0);
    let mut stops: BTreeMap<String, u64> = BTreeMap::new();
    let (mut running, mut since): (f64, BTreeMap<String, Timestamp>) = (0.0, BTreeMap::new());
    for SimEvent { event, time, .. } in &MONTH.events {
        match event {
            Event::ClothDoffed(doffed) => {
                picks += doffed.picks;
                metres += doffed.length_m;
            }
            Event::MachineStateChanged(changed) if changed.asset.as_str().starts_with("LOOM") => {
                if let Some(from) = since.remove(changed.asset.as_str()) {
                    running += time.duration_since(from).as_secs_f64();
                }
                match changed.state {
                    MachineState::Running => {
                        since.insert(changed.asset.to_string(), *time);
                    }
                    MachineState::Stopped => {
                        *stops.entry(changed.reason.as_ref().unwrap().to_string()).or_default() += 1
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    running += since.values().map(|from| MONTH.end.duration_since(*from).as_secs_f64()).sum::<f64>();
    let efficiency = running / (24.0 * 30.0 * 86_400.0);
    assert!((0.80..0.97).contains(&efficiency), "{efficiency}");
    let rate = |reason: &str| domain::weaving::stops_per_100_000_picks(stops[reason], picks as f64).unwrap();
    assert!((0.5..2.0).contains(&rate("warp_break")), "{}", rate("warp_break"));
    assert!((0.6..2.5).contains(&rate("weft_break")), "{}", rate("weft_break"));
    // Between canvas (19.8 m/h) and sateen (11.0 m/h).
    let metres_per_hour = metres / (running / 3600.0);
    assert!((11.0..19.8).contains(&metres_per_hour), "{metres_per_hour}");
}

#[test]
fn looms_weave_at_their_set_speed() {
    let mut world = crate::world::World::new(3, end().as_second()).unwrap();
    world.advance(end().as_second() + 86_400);
    for loom in world.looms() {
        let speed = loom.picks / loom.running_s * 60.0;
        let (low, high) = (loom.style.speed * 0.9 - 1e-6, loom.style.speed + 1e-6);
        assert!(loom.picks > 0.0 && (low..=high).contains(&speed), "{} {speed}", loom.style.id);
    }
}

#[test]
fn some_rolls_fail_and_rolls_of_faulty_looms_fail_more_often() {
    let (mut touched, mut others) = ((0_u32, 0_u32), (0_u32, 0_u32));
    for SimEvent { event, .. } in &MONTH.events {
        let Event::InspectionRecorded(inspection) = event else { continue };
        let roll = inspection.lot.as_ref().unwrap();
        let marked = MONTH
            .truth()
            .of_roll(roll.as_str())
            .any(|fault| fault.kind == "reed_damage" || fault.kind == "stop_motion_failure");
        let count = if marked { &mut touched } else { &mut others };
        count.0 += u32::from(inspection.verdict == Verdict::Fail);
        count.1 += 1;
    }
    let part = |(failed, all): (u32, u32)| f64::from(failed) / f64::from(all);
    assert!(touched.1 > 20 && others.1 > 500, "{touched:?} {others:?}");
    assert!(part(touched) > 3.0 * part(others), "{touched:?} {others:?}");
}

#[test]
fn repairs_help_or_not_and_codings_are_late_or_wrong_at_times() {
    let faults = &MONTH.truth().faults;
    let kinds: BTreeSet<&str> = faults.iter().map(|fault| fault.kind).collect();
    assert!(kinds.len() >= 8, "{kinds:?}");
    let repairs: Vec<bool> = faults.iter().flat_map(|fault| &fault.repairs).map(|repair| repair.helped).collect();
    let wrong = repairs.iter().filter(|helped| !**helped).count();
    assert!(wrong > 0 && wrong * 2 < repairs.len(), "{wrong} of {}", repairs.len());
    assert!(faults.iter().any(|fault| fault.episodes.len() > 1), "some faults come back");
    assert!(faults.iter().any(|fault| fault.coded.len() > fault.episodes.len()), "some are coded anew");
    assert!(faults.iter().all(|fault| fault.observed.is_none_or(|seen| seen > fault.precursor_start)));
    assert!(faults.iter().any(|fault| fault.ended.is_none()), "something is open at the end");
}

/// Values of a signal while the loom ran, in a stretch of time.
fn values(readings: &BTreeMap<&str, Vec<(Timestamp, f64)>>, signal: &str, from: Timestamp, to: Timestamp) -> Vec<f64> {
    let all = readings[signal].iter();
    all.filter(|(time, _)| from <= *time && *time < to).map(|(_, value)| *value).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn scatter(values: &[f64]) -> f64 {
    let middle = mean(values);
    (values.iter().map(|value| (value - middle).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

#[test]
fn faults_announce_themselves_in_the_signals() {
    let options = HistoryOptions {
        readings_seconds: 20 * 86_400,
        reading_period_seconds: 600,
        ..HistoryOptions::new(11, end(), 20)
    };
    let history = history_with(options).unwrap();
    let mut running: BTreeSet<(&str, Timestamp)> = BTreeSet::new();
    for reading in history.readings().iter().filter(|reading| reading.signal.ends_with(".loom_speed")) {
        if reading.value.as_f64().unwrap() > 100.0 {
            running.insert((reading.signal.split_once('.').unwrap().0, reading.time));
        }
    }
    let mut readings: BTreeMap<&str, Vec<(Timestamp, f64)>> = BTreeMap::new();
    for reading in history.readings() {
        let asset = reading.signal.split_once('.').unwrap().0;
        if running.contains(&(asset, reading.time)) {
            readings.entry(&reading.signal).or_default().push((reading.time, reading.value.as_f64().unwrap()));
        }
    }
    type Measure = fn(&[f64]) -> f64;
    let signs: [(&str, &str, Measure); 6] = [
        ("bearing_wear", "bearing_vibration", mean),
        ("bearing_wear", "bearing_temperature", mean),
        ("nozzle_clogging", "weft_arrival_angle", mean),
        ("air_leak", "air_flow", mean),
        ("let_off_drift", "warp_tension", scatter),
        ("accumulator_sensor", "weft_arrival_angle", scatter),
    ];
    let mut checked = 0;
    for (kind, quantity, measure) in signs {
        let mut grown = (0, 0);
        for fault in history.truth().faults.iter().filter(|fault| fault.kind == kind) {
            let Some(seen) = fault.observed else { continue };
            let signal = format!("{}.{quantity}", fault.asset);
            let fifth = seen.duration_since(fault.precursor_start) / 5;
            let first = values(&readings, &signal, fault.precursor_start, fault.precursor_start + fifth);
            let last = values(&readings, &signal, seen - fifth, seen);
            if first.len() < 10 || last.len() < 10 {
                continue;
            }
            grown.0 += u32::from(measure(&last) > measure(&first));
            grown.1 += 1;
        }
        checked += grown.1;
        assert!(grown.1 == 0 || grown.0 * 4 >= grown.1 * 3, "{kind} {quantity}: {grown:?}");
    }
    assert!(checked >= 10, "{checked} faults were compared");
}

#[test]
fn readings_are_within_their_ranges() {
    let specs: BTreeMap<&str, (f64, f64)> =
        crate::mill::LOOM_SIGNALS.iter().map(|spec| (spec.quantity, (spec.low, spec.high))).collect();
    let mut count = 0;
    for reading in MONTH.readings().iter().filter(|reading| reading.signal.starts_with("LOOM")) {
        let (low, high) = specs[crate::mill::quantity_of(&reading.signal)];
        let value = reading.value.as_f64().unwrap();
        assert!((low..=high).contains(&value), "{} {value}", reading.signal);
        count += 1;
    }
    assert!(count > 300_000, "{count}");
    assert!(MONTH.readings().windows(2).all(|pair| pair[0].time <= pair[1].time));
}

fn live() -> Live {
    history_with(few_readings(5, 2)).unwrap().live()
}

#[test]
fn the_live_mill_goes_on_where_the_history_ends_and_never_ahead_of_the_clock() {
    let history = history_with(few_readings(5, 2)).unwrap();
    let known: BTreeSet<_> = history.events.iter().map(|event| event.external_id.clone()).collect();
    let mut live = history.live();
    assert_eq!(live.now(), end());
    let mut last = end();
    let (mut readings, mut events) = (0, 0);
    for step in 1..=400_i64 {
        let clock = end() + SignedDuration::from_millis(step * 4_300);
        for output in live.advance(clock) {
            assert!(last <= output.time() && output.time() <= clock, "{last} {} {clock}", output.time());
            last = output.time();
            match output {
                Output::Readings { readings: some, time, .. } => {
                    assert!(some.iter().all(|reading| reading.time == time));
                    readings += some.len();
                }
                Output::Event(event) => {
                    assert!(!known.contains(&event.external_id));
                    events += 1;
                }
            }
        }
        assert!(live.now() <= clock && clock.duration_since(live.now()) < SignedDuration::from_secs(1));
    }
    assert!(readings > 1720 * 24 * 10 && events > 10, "{readings} {events}");
}

#[test]
fn how_often_the_clock_is_asked_changes_nothing() {
    let until = end() + SignedDuration::from_secs(300);
    let at_once = live().advance(until);
    let mut mill = live();
    let by_seconds: Vec<Output> =
        (1..=300).flat_map(|second| mill.advance(end() + SignedDuration::from_secs(second))).collect();
    assert_eq!(at_once, by_seconds);
    assert!(!at_once.is_empty());
}

#[test]
fn a_clock_that_stands_or_goes_back_moves_nothing_and_a_leap_goes_in_bounded_strides() {
    let mut mill = live();
    assert!(mill.advance(end()).is_empty());
    assert!(mill.advance(end() - SignedDuration::from_hours(1)).is_empty());
    assert_eq!(mill.now(), end());
    let _ = mill.advance(end() + SignedDuration::from_hours(24));
    assert_eq!(mill.now(), end() + SignedDuration::from_secs(super::MAX_ADVANCE_SECONDS));
}
