use domain::events::*;
use domain::ids::*;
use domain::{Event, Text, Unit};
use indexmap::IndexMap;
use jiff::Timestamp;

use super::*;
use crate::testing::{entry, time};

fn fault(id: &str, asset: &str) -> Event {
    FaultObserved {
        fault: FaultId::new(id).unwrap(),
        asset: AssetId::new(asset).unwrap(),
        symptoms: Text::new("停车", "stopped"),
        alarms: Vec::new(),
        detection: None,
        impact: None,
        product: None,
        person: None,
    }
    .into()
}

fn coded(id: &str, mode: &str) -> Event {
    FaultCoded {
        fault: FaultId::new(id).unwrap(),
        asset: AssetId::new("L1").unwrap(),
        mode: Code::new(mode).unwrap(),
        mechanism: None,
        cause: None,
        item: None,
        person: None,
    }
    .into()
}

fn signal(unit: &str) -> Event {
    SignalDefined {
        signal: SignalId::new("L1.tension").unwrap(),
        asset: AssetId::new("L1").unwrap(),
        quantity: Code::new("tension").unwrap(),
        name: Text::new("张力", "tension"),
        unit: Unit::new(unit).unwrap(),
        low: None,
        high: None,
        period_ms: None,
        deadband: None,
        address: None,
    }
    .into()
}

fn expired(first: u64, last: u64, signal: &str) -> Event {
    RetentionApplied {
        class: Code::new("raw").unwrap(),
        before: time(0),
        ranges: vec![PositionRange { first, last }],
        records: 1,
        frames: 1,
        readings: 1,
        carried: vec![CarriedSignal { signal: signal.to_owned(), readings: 1, newest: Vec::new() }],
    }
    .into()
}

/// A dataset of loom 1 from hour 0 to hour 10 that knows everything to a position, took records from 2 to 4, and has labels from those at 1 and 2.
fn built(as_of: u64) -> Event {
    DatasetBuilt {
        dataset: DatasetId::new("D1").unwrap(),
        name: "stops".to_owned(),
        spec: serde_json::json!({}),
        as_of,
        builder: 1,
        rows: 1,
        columns: Vec::new(),
        file: Artifact { name: "data.parquet".to_owned(), sha256: "0".repeat(64), bytes: 1 },
        first_position: Some(2),
        last_position: Some(4),
        signals: vec![SignalId::new("L1.tension").unwrap()],
        label_positions: vec![1, 2],
        projections: IndexMap::new(),
        assets: vec![AssetId::new("L1").unwrap()],
        from: Some(time(0)),
        until: Some(time(10)),
        readings: Some(1),
        left_out: IndexMap::new(),
        event_types: vec!["fault.observed".to_owned(), "fault.coded".to_owned()],
    }
    .into()
}

/// The events before and after; then why the dataset is stale, as `reason id position`.
fn check(events: Vec<(Option<Timestamp>, Event)>, expected: &[&str]) -> Datasets {
    let mut fold = Datasets::default();
    for ((time, event), position) in events.into_iter().zip(0..) {
        fold.apply(&entry(position, time, event));
    }
    let dataset = fold.dataset(&DatasetId::new("D1").unwrap(), AsOf::LATEST).unwrap();
    let reasons: Vec<String> =
        dataset.stale(AsOf::LATEST).map(|one| format!("{:?} {} {}", one.reason, one.id, one.position)).collect();
    assert_eq!(reasons, expected);
    assert!(dataset.built.label_positions.is_empty());
    assert_eq!(dataset.label_events, 2);
    fold
}

fn at(hour: i64, event: Event) -> (Option<Timestamp>, Event) {
    (Some(time(hour)), event)
}

fn history() -> Vec<(Option<Timestamp>, Event)> {
    vec![at(0, signal("kN")), at(1, fault("F1", "L1")), at(2, coded("F1", "BRD"))]
}

#[test]
fn what_is_known_already_makes_nothing_stale() {
    let mut events = history();
    events.push(at(20, built(2)));
    check(events, &[]);
}

#[test]
fn what_is_learnt_later_makes_it_stale() {
    let mut events = history();
    events.extend([
        at(20, built(2)),
        at(21, coded("F1", "OVH")),
        // Another fault's coding, the same binding again, faults of another loom and of another time: none of its business.
        at(21, coded("F9", "OVH")),
        at(22, signal("kN")),
        at(5, fault("F2", "L2")),
        at(30, fault("F3", "L1")),
        (None, fault("F4", "L1")),
        at(5, fault("F5", "L1")),
        at(31, signal("N")),
        (None, expired(10, 20, "L1.tension")),
        (None, expired(3, 3, "L2.tension")),
        (None, expired(3, 3, "L1.tension")),
    ]);
    let fold = check(events, &["Recoded F1 4", "LateFault F5 10", "Rebound L1.tension 11", "Expired raw 14"]);
    let then = AsOf::through(Position::new(9));
    let dataset = fold.dataset(&DatasetId::new("D1").unwrap(), then).unwrap();
    assert_eq!(dataset.stale(then).count(), 1);
    assert!(fold.dataset(&DatasetId::new("D1").unwrap(), AsOf::through(Position::new(2))).is_none());
}

/// A dataset of an old position does not know what was said between it and its own event.
#[test]
fn a_dataset_of_the_past_is_stale_at_once() {
    let mut events = history();
    events.extend([
        at(3, coded("F1", "OVH")),
        at(4, fault("F2", "L1")),
        at(5, signal("N")),
        (None, expired(2, 3, "L1.tension")),
        at(20, built(2)),
    ]);
    check(events, &["Recoded F1 3", "LateFault F2 4", "Rebound L1.tension 5"]);
}
