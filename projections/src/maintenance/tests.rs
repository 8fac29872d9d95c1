use domain::Event;
use domain::events::*;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::folds::episode_view::RECURRENCE_WINDOW;
use crate::testing::{entry, history, logged, time};
use crate::{AsOf, Folds};

fn event<T: serde::de::DeserializeOwned + Into<Event>>(value: serde_json::Value) -> Event {
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

fn code(text: &str) -> Code {
    Code::new(text).unwrap()
}

fn state(state: &str) -> Event {
    event::<MachineStateChanged>(json!({"asset": "L07", "state": state}))
}

/// A fault with one work order: observed and coded at `hour`, worked on an hour later and closed two hours later.
fn episode(id: &str, hour: i64, mode: &str, activity: &str, outcome: &str) -> Vec<(i64, Event)> {
    vec![
        (hour, event::<FaultObserved>(json!({"fault": id, "asset": "L07", "symptoms": {"en": "noise"}}))),
        (hour, event::<FaultCoded>(json!({"fault": id, "asset": "L07", "mode": mode, "item": "drive_bearing"}))),
        (
            hour,
            event::<WorkOrderOpened>(
                json!({"work_order": format!("W-{id}"), "asset": "L07", "fault": id, "category": "corrective", "description": {"en": "repair"}}),
            ),
        ),
        (
            hour + 1,
            event::<WorkDone>(
                json!({"work_order": format!("W-{id}"), "asset": "L07", "fault": id, "activity": activity, "item": "drive_bearing", "hours": 1.5, "parts": [{"part": "6205", "count": 1.0}]}),
            ),
        ),
        (
            hour + 2,
            event::<WorkOrderClosed>(json!({"work_order": format!("W-{id}"), "asset": "L07", "outcome": outcome})),
        ),
        (hour + 2, event::<FaultClosed>(json!({"fault": id, "asset": "L07"}))),
    ]
}

#[test]
fn an_action_is_judged_by_what_followed() {
    let mut events = episode("F-1", 0, "BEA-WEA", "adjust", "solved");
    // It came back after 50 hours: adjusting did not help. Replacing did: nothing for 72 hours, up to F-3.
    events.extend(episode("F-2", 50, "BEA-WEA", "replace", "solved"));
    events.extend(episode("F-3", 400, "BEA-WEA", "replace", "solved"));
    let folds = given(events);
    let found = actions(&folds.episodes, &MaintenanceScope::default(), RECURRENCE_WINDOW, AsOf::LATEST);
    let shown: Vec<_> =
        found.iter().map(|record| (record.activity.as_str(), record.n, record.worked, record.censored)).collect();
    // The last one was closed at hour 402, and nothing is known of the time after.
    assert_eq!(shown, [("replace", 1, 1, 1), ("adjust", 1, 0, 0)]);
    assert!(found[0].success.low > found[1].success.low);
    assert_eq!((found[0].hours_p50.unwrap().value, found[0].parts.clone()), (1.5, vec![(code("6205"), 2)]));
    assert!(!found[0].positions.is_empty());
    // With a window of 40 hours the first adjustment had helped.
    let short = actions(&folds.episodes, &MaintenanceScope::default(), SignedDuration::from_hours(40), AsOf::LATEST);
    assert_eq!(short.iter().map(|record| record.worked).collect::<Vec<_>>(), [1, 1]);
    // What was known at the end of the first episode: nobody could say.
    let then =
        actions(&folds.episodes, &MaintenanceScope::default(), RECURRENCE_WINDOW, AsOf::through(Position::new(5)));
    assert_eq!((then[0].n, then[0].censored), (0, 1));
}

#[test]
fn coding_anew_ranks_anew() {
    let mut events = episode("F-1", 0, "BEA-WEA", "adjust", "solved");
    events.extend(episode("F-2", 50, "BEA-WEA", "replace", "solved"));
    events.extend(episode("F-3", 400, "BRK-SLP", "adjust", "solved"));
    let recoded = events.len() as u64;
    // The second one was something else after all: then the first had not come back.
    events
        .push((410, event::<FaultCoded>(json!({"fault": "F-2", "asset": "L07", "mode": "BRK-SLP", "item": "brake"}))));
    let folds = given(events);
    let scope = MaintenanceScope { mode: Some(code("BEA-WEA")), ..MaintenanceScope::default() };
    let shown = |as_of| {
        let found = actions(&folds.episodes, &scope, RECURRENCE_WINDOW, as_of);
        found.iter().map(|record| (record.activity.as_str().to_owned(), record.worked, record.n)).collect::<Vec<_>>()
    };
    assert_eq!(
        shown(AsOf::through(Position::new(recoded - 1))),
        [("replace".to_owned(), 1, 1), ("adjust".to_owned(), 0, 1)]
    );
    assert_eq!(shown(AsOf::LATEST), [("adjust".to_owned(), 1, 1)]);
}

#[test]
fn a_try_that_was_not_solved_counts_against_what_it_did() {
    let mut events = episode("F-1", 0, "BEA-WEA", "adjust", "not_solved");
    events.pop();
    events.extend([
        (5, event::<WorkDone>(json!({"work_order": "W-2", "asset": "L07", "fault": "F-1", "activity": "replace", "item": "drive_bearing"}))),
        (6, event::<WorkOrderClosed>(json!({"work_order": "W-2", "asset": "L07", "outcome": "solved"}))),
        (6, event::<FaultClosed>(json!({"fault": "F-1", "asset": "L07"}))),
        (200, event::<FaultObserved>(json!({"fault": "F-9", "asset": "L08", "symptoms": {"en": "far away"}}))),
    ]);
    let folds = given(events);
    let found = actions(&folds.episodes, &MaintenanceScope::default(), RECURRENCE_WINDOW, AsOf::LATEST);
    let shown: Vec<_> = found.iter().map(|record| (record.activity.as_str(), record.worked, record.n)).collect();
    assert_eq!(shown, [("replace", 1, 1), ("adjust", 0, 1)]);
}

#[test]
fn repair_times_are_told_by_phase() {
    let reached = |hour, milestone: &str| {
        (hour, event::<WorkOrderProgressed>(json!({"work_order": "W-F-1", "asset": "L07", "milestone": milestone})))
    };
    let mut events = episode("F-1", 100, "BEA-WEA", "replace", "solved");
    events.extend([
        reached(100, "machine_down"),
        reached(101, "workorder_start"),
        reached(103, "technician_arrive"),
        reached(104, "solution_found"),
        reached(104, "part_ordered"),
        reached(110, "part_received"),
        reached(113, "solution_solve"),
        reached(114, "machine_up"),
        reached(115, "workorder_completion"),
    ]);
    let folds = given(events);
    let found = repair_times(&folds.episodes, &MaintenanceScope::default(), AsOf::LATEST);
    let hours: Vec<_> = found.iter().map(|record| (record.phase, record.p50_h.unwrap().value, record.n)).collect();
    assert_eq!(
        hours,
        [
            (Phase::Administration, 1.0, 1),
            (Phase::Response, 2.0, 1),
            (Phase::Diagnosis, 1.0, 1),
            (Phase::PartsWait, 6.0, 1),
            (Phase::Repair, 3.0, 1),
            (Phase::Restart, 1.0, 1),
            (Phase::Completion, 1.0, 1),
            (Phase::Down, 14.0, 1),
        ]
    );
    let of_other = MaintenanceScope { mode: Some(code("BRK-SLP")), ..MaintenanceScope::default() };
    assert!(repair_times(&folds.episodes, &of_other, AsOf::LATEST).iter().all(|record| record.n == 0));
}

#[test]
fn lives_end_by_failure_or_are_suspended() {
    let replaced = |id: &str, hour| {
        vec![
            (
                hour,
                event::<WorkOrderOpened>(
                    json!({"work_order": id, "asset": "L07", "category": "preventive", "description": {"en": "by plan"}}),
                ),
            ),
            (
                hour,
                event::<WorkDone>(
                    json!({"work_order": id, "asset": "L07", "activity": "replace", "item": "drive_bearing"}),
                ),
            ),
        ]
    };
    let mut events = vec![(0, state("running"))];
    events.extend(episode("F-1", 100, "BEA-WEA", "replace", "solved"));
    events.extend(replaced("P-1", 250));
    events.extend([(300, state("off")), (400, state("running"))]);
    events.extend(episode("F-2", 500, "BEA-WEA", "replace", "solved"));
    events.push((600, state("running")));
    let folds = given(events);
    let scope = MaintenanceScope { item: Some(code("drive_bearing")), ..MaintenanceScope::default() };
    let lives = |clock| {
        reliability(&folds.episodes, &folds.states, &ReliabilityRequest { scope: scope.clone(), clock }, AsOf::LATEST)
    };
    // 0–100 failed, 100–250 replaced before it failed, 250–500 failed, 500–600 lasts.
    let calendar = lives(Clock::Calendar);
    assert_eq!((calendar.failures, calendar.suspensions, calendar.watched_h), (2, 2, 600.0));
    assert_eq!(calendar.mtbf_h.unwrap().value, 300.0);
    assert_eq!(calendar.survival.iter().map(|step| step.time).collect::<Vec<_>>(), [100.0, 250.0]);
    assert_eq!(calendar.weibull.map(|fit| (fit.failures, fit.censored)), Some((2, 2)));
    // A hundred of these hours it was off.
    let running = lives(Clock::Running);
    assert_eq!((running.failures, running.watched_h), (2, 500.0));
    let other = ReliabilityRequest {
        scope: MaintenanceScope { mode: Some(code("BRK-SLP")), ..MaintenanceScope::default() },
        clock: Clock::Calendar,
    };
    let none = reliability(&folds.episodes, &folds.states, &other, AsOf::LATEST);
    assert_eq!((none.failures, none.suspensions, none.watched_h, none.mtbf_h), (0, 1, 600.0, None));
    // At the beginning nothing was known but that it ran.
    let then = reliability(
        &folds.episodes,
        &folds.states,
        &ReliabilityRequest { scope, clock: Clock::Calendar },
        AsOf::through(Position::new(0)),
    );
    assert_eq!((then.failures, then.watched_h), (0, 0.0));
}

#[test]
fn work_is_due_by_hours_picks_days_or_condition() {
    let plan = json!({
        "plan": "PM", "name": {"en": "grease"}, "class": "loom", "activity": "service", "item": "drive_bearing",
        "every": {"running_hours": 100.0, "picks": 1000.0, "days": 30.0, "condition": {"quantity": "bearing_temperature", "above": 75.0, "unit": "Cel"}},
    });
    let doffed = |roll: &str| {
        event::<ClothDoffed>(
            json!({"asset": "L07", "roll": roll, "order": "O", "product": "p", "picks": 300, "length_m": 1.0, "beams": []}),
        )
    };
    let folds = given(vec![
        (0, event::<AssetRegistered>(json!({"asset": "L07", "name": {"en": "loom"}, "class": "loom"}))),
        (0, event::<MaintenancePlanDefined>(plan)),
        (0, state("running")),
        (10, doffed("R-1")),
        (
            20,
            event::<WorkDone>(
                json!({"work_order": "W", "asset": "L07", "activity": "service", "item": "drive_bearing"}),
            ),
        ),
        (21, event::<WorkDone>(json!({"work_order": "W", "asset": "L07", "activity": "service", "item": "brake"}))),
        (30, doffed("R-2")),
        (40, state("off")),
        (80, state("running")),
        (90, doffed("R-3")),
    ]);
    let models = DueModels {
        upkeep: &folds.upkeep,
        states: &folds.states,
        production: &folds.production,
        catalog: &folds.catalog,
    };
    let listed = |hour: i64, as_of, celsius: Option<f64>| {
        let reading = |_: &AssetId, quantity: &Code| {
            assert_eq!(quantity.as_str(), "bearing_temperature");
            Some(Reading {
                value: celsius?,
                unit: domain::Unit::new("Cel").unwrap(),
                time: time(hour),
                position: Position::new(9),
            })
        };
        due(models, time(hour), as_of, &reading)
    };
    let found = listed(100, AsOf::LATEST, Some(60.0));
    assert_eq!(found.len(), 1);
    let record = &found[0];
    assert_eq!((record.last_done, record.due), (Some(time(20)), false));
    // Since hour 20 it ran 20 + 20 hours and wove two rolls.
    let used: Vec<_> = record.criteria.iter().filter_map(Criterion::share).collect();
    assert_eq!(used, [0.4, 0.6, 80.0 / 24.0 / 30.0, 0.0]);
    assert_eq!(record.share, Some(0.6));
    assert!(listed(100, AsOf::LATEST, Some(80.0))[0].due);
    assert!(!listed(100, AsOf::LATEST, None)[0].due);
    // Sixty running hours later it is due.
    assert!(listed(161, AsOf::LATEST, None)[0].due);
    // Before the work was logged, it counted from the machine's first state.
    let then = listed(15, AsOf::through(Position::new(3)), None);
    assert_eq!((then[0].last_done, then[0].criteria[0].share()), (None, Some(0.15)));
}

#[test]
fn parts_that_run_out_are_to_be_ordered() {
    let defined = |part: &str, minimum: f64, lead: f64| {
        event::<PartDefined>(
            json!({"part": part, "name": {"en": part}, "minimum": minimum, "lead_time_days": lead, "substitutes": ["B"]}),
        )
    };
    let counted = |part: &str, count: f64| event::<PartsCounted>(json!({"part": part, "count": count}));
    let used = |part: &str, count: f64| {
        event::<WorkDone>(
            json!({"work_order": "W", "asset": "L07", "activity": "replace", "parts": [{"part": part, "count": count}]}),
        )
    };
    let folds = given(vec![
        (0, defined("A", 1.0, 10.0)),
        (0, defined("B", 3.0, 0.0)),
        (0, counted("A", 12.0)),
        (0, counted("B", 3.0)),
        (0, used("A", 2.0)),
        (24, used("A", 2.0)),
        (48, event::<PartsOrdered>(json!({"part": "A", "count": 1.0}))),
    ]);
    let found = parts(&folds.upkeep, time(48), AsOf::LATEST);
    // Two a day for ten days are twenty; eight are there and one comes.
    assert_eq!(
        (found[0].part.as_str(), found[0].to_be_ordered, found[0].stock, found[0].ordered),
        ("A", true, Some(8.0), 1.0)
    );
    assert_eq!((found[0].used_per_day.value(), found[0].days_left), (Some(2.0), Some(4.0)));
    assert_eq!(found[0].substitutes, [Substitute { part: code("B"), stock: Some(3.0) }]);
    assert_eq!((found[1].part.as_str(), found[1].to_be_ordered), ("B", false));
    assert!(
        parts(&folds.upkeep, time(48), AsOf::through(Position::new(2)))
            .iter()
            .any(|part| part.part.as_str() == "B" && part.to_be_ordered)
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Lives fill the watched time, whatever happened: nothing is watched twice, and every failure with a time in it ends one life.
    #[test]
    fn lives_fill_the_watched_time(seeds in prop::collection::vec(any::<u64>(), 1..100)) {
        let mut folds = Folds::default();
        for (event, position) in history(&seeds).into_iter().zip(0..) {
            folds.apply(&logged(position, event));
        }
        let request = ReliabilityRequest { scope: MaintenanceScope::default(), clock: Clock::Calendar };
        let found = reliability(&folds.episodes, &folds.states, &request, AsOf::LATEST);
        let mut watched: std::collections::BTreeMap<&AssetId, Timestamp> = std::collections::BTreeMap::new();
        let mut horizon = folds.episodes.horizon(AsOf::LATEST);
        for asset in folds.states.assets() {
            watched.insert(asset, folds.states.first_change(asset, AsOf::LATEST).unwrap());
            horizon = horizon.max(folds.states.current(asset, AsOf::LATEST).map(|change| change.time));
        }
        let episodes: Vec<_> = folds.episodes.at(AsOf::LATEST).collect();
        for episode in &episodes {
            if let (Some(asset), Some(opened)) = (episode.asset, episode.opened_at) {
                let first = watched.entry(asset).or_insert(opened);
                *first = (*first).min(opened);
            }
        }
        let hours: f64 = watched.values().map(|first| horizon.unwrap().duration_since(*first).as_secs_f64() / 3600.0).sum();
        prop_assert!((found.watched_h - hours).abs() < 1e-6, "{} {}", found.watched_h, hours);
        let failures = episodes.iter().filter(|episode| episode.fault.is_some() && episode.opened_at.is_some() && episode.asset.is_some()).count() as u64;
        prop_assert!(found.failures <= failures);
    }
}
