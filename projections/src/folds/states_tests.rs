use domain::events::{MachineState, MachineStateChanged};
use domain::ids::AssetId;
use eventlog::Position;

use super::States;
use crate::testing::{entry, time};
use crate::{AsOf, Fold};

fn loom() -> AssetId {
    AssetId::new("loom-1").unwrap()
}

fn fold(changes: &[(Option<i64>, MachineState)]) -> States {
    let mut states = States::default();
    for ((hour, state), position) in changes.iter().zip(0..) {
        let event = MachineStateChanged { asset: loom(), state: *state, reason: None };
        states.apply(&entry(position, hour.map(time), event));
    }
    states
}

#[test]
fn late_changes_go_where_they_belong() {
    use MachineState::{Down, Running, Setup, Stopped};
    let states = fold(&[(Some(0), Running), (Some(10), Stopped), (Some(4), Down), (None, Setup), (Some(10), Setup)]);
    let at = |hour, as_of| states.state_at(&loom(), time(hour), as_of).map(|change| change.state);
    assert_eq!(at(5, AsOf::LATEST), Some(Down));
    assert_eq!(at(5, AsOf::through(Position::new(1))), Some(Running));
    assert_eq!(at(10, AsOf::LATEST), Some(Setup), "the later word about one time counts");
    assert_eq!(at(-1, AsOf::LATEST), None);
    assert_eq!(states.untimed(&loom(), AsOf::LATEST).len(), 1);
    let totals = states.totals(&loom(), time(2), time(12), AsOf::LATEST);
    let hours = |state| totals.get(&state).map(|total| (total.seconds / 3600.0, total.intervals));
    assert_eq!(hours(Running), Some((2.0, 1)));
    assert_eq!(hours(Down), Some((6.0, 1)));
    assert_eq!(hours(Setup), Some((2.0, 1)));
    assert_eq!(hours(Stopped), None, "it lasted no time");
}

#[test]
fn a_window_before_the_first_change_is_unknown() {
    let states = fold(&[(Some(5), MachineState::Running)]);
    let intervals = states.intervals(&loom(), time(0), time(6), AsOf::LATEST);
    assert_eq!(intervals.len(), 1);
    assert_eq!((intervals[0].from, intervals[0].to), (time(5), time(6)));
    assert!(states.intervals(&loom(), time(6), time(6), AsOf::LATEST).is_empty());
}
