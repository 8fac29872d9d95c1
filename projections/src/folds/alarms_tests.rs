use domain::Text;
use domain::events::{
    AlarmAcknowledged, AlarmCleared, AlarmShelved, AlarmSuppressed, AlarmUnshelved, AlarmUnsuppressed,
};
use jiff::SignedDuration;

use super::*;
use crate::testing::{entry, time};

fn asset() -> AssetId {
    AssetId::new("L07").unwrap()
}

fn code(text: &str) -> Code {
    Code::new(text).unwrap()
}

fn minute(minute: i64) -> Timestamp {
    time(0) + SignedDuration::from_mins(minute)
}

fn raised(alarm: &str, of: &str) -> Event {
    let alarm = AlarmId::new(alarm).unwrap();
    AlarmRaised { alarm, asset: asset(), code: code(of), text: Text::new("报警", "alarm"), severity: 500 }.into()
}

/// The alarms after these events, at positions 0, 1, 2, …, each at its minute.
fn given(events: Vec<(i64, Event)>) -> Alarms {
    let mut alarms = Alarms::default();
    for ((at, event), position) in events.into_iter().zip(0..) {
        alarms.apply(&entry(position, Some(minute(at)), event));
    }
    alarms
}

#[test]
fn an_alarm_goes_through_the_states_of_isa_18_2() {
    let alarm = AlarmId::new("a").unwrap();
    let acknowledged: Event = AlarmAcknowledged { alarm: alarm.clone(), asset: asset(), person: None }.into();
    let cleared: Event = AlarmCleared { alarm, asset: asset() }.into();
    let check = |events: Vec<Event>, expected: AlarmState| {
        let alarms = given(events.into_iter().map(|event| (0, event)).collect());
        let states: Vec<AlarmState> = alarms.of(&asset(), AsOf::LATEST).map(|view| view.state).collect();
        assert_eq!(states, [expected]);
    };
    check(vec![raised("a", "E1")], AlarmState::Unacknowledged);
    check(vec![raised("a", "E1"), acknowledged.clone()], AlarmState::Acknowledged);
    check(vec![raised("a", "E1"), cleared.clone()], AlarmState::ReturnedUnacknowledged);
    check(vec![raised("a", "E1"), cleared.clone(), acknowledged.clone()], AlarmState::Normal);
    check(vec![raised("a", "E1"), acknowledged, cleared, raised("a", "E1")], AlarmState::Unacknowledged);
}

#[test]
fn what_is_shelved_comes_back_by_itself() {
    let shelved = AlarmShelved { asset: asset(), code: code("E1"), until: minute(60), person: None, reason: None };
    let alarms = given(vec![(10, shelved.into())]);
    let at = |at: i64| {
        alarms.suppression(&asset(), &code("E1"), minute(at), AsOf::LATEST).map(|view| view.shelved.is_some())
    };
    assert_eq!((at(9), at(10), at(59), at(60)), (None, Some(true), Some(true), None));
    assert_eq!(alarms.suppression(&asset(), &code("E2"), minute(30), AsOf::LATEST), None);
    let unshelved = AlarmUnshelved { asset: asset(), code: code("E1"), person: None };
    let shelved = AlarmShelved { asset: asset(), code: code("E1"), until: minute(60), person: None, reason: None };
    // The unshelving was logged first and happened later.
    let alarms = given(vec![(20, unshelved.into()), (10, shelved.into())]);
    assert!(alarms.suppression(&asset(), &code("E1"), minute(15), AsOf::LATEST).is_some());
    assert_eq!(alarms.suppression(&asset(), &code("E1"), minute(25), AsOf::LATEST), None);
    assert!(alarms.suppression(&asset(), &code("E1"), minute(25), AsOf::through(Position::new(0))).is_none());
}

#[test]
fn each_way_of_suppression_ends_by_itself() {
    let suppressed =
        |how| Event::from(AlarmSuppressed { asset: asset(), code: code("E1"), how, person: None, reason: None });
    let unsuppressed = |how| Event::from(AlarmUnsuppressed { asset: asset(), code: code("E1"), how, person: None });
    let alarms = given(vec![
        (0, suppressed(Suppression::ByDesign)),
        (5, suppressed(Suppression::OutOfService)),
        (10, unsuppressed(Suppression::ByDesign)),
        (20, unsuppressed(Suppression::OutOfService)),
    ]);
    let at = |at: i64| {
        let view = alarms.suppression(&asset(), &code("E1"), minute(at), AsOf::LATEST)?;
        Some((view.by_design, view.out_of_service, view.positions.len()))
    };
    assert_eq!(at(0), Some((Some(minute(0)), None, 1)));
    assert_eq!(at(7), Some((Some(minute(0)), Some(minute(5)), 2)));
    assert_eq!(at(15), Some((None, Some(minute(5)), 1)));
    assert_eq!(at(20), None);
    assert_eq!(alarms.suppressed_at(minute(7), AsOf::LATEST).count(), 1);
    // What was known after the first event only.
    let known = alarms.suppressed_at(minute(30), AsOf::through(Position::new(0))).next().unwrap();
    assert_eq!((known.by_design, known.out_of_service), (Some(minute(0)), None));
}

#[test]
fn an_activation_that_lasts_is_in_every_later_window() {
    let alarm = AlarmId::new("a").unwrap();
    let alarms = given(vec![
        (0, raised("a", "E1")),
        (5, AlarmCleared { alarm, asset: asset() }.into()),
        (8, raised("a", "E1")),
        (9, raised("b", "E2")),
    ]);
    let in_window = |from, to| {
        let found = alarms.activations(minute(from), minute(to), AsOf::LATEST);
        found.iter().map(|activation| activation.position.get()).collect::<Vec<_>>()
    };
    assert_eq!(in_window(0, 1), [0]);
    assert_eq!(in_window(6, 9), [2]);
    assert_eq!(in_window(100, 200), [2, 3]);
    assert_eq!(alarms.activations(minute(0), minute(10), AsOf::through(Position::new(0))).len(), 1);
}
