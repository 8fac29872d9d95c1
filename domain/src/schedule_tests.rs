use serde_json::json;

use super::*;

fn pattern(first_day: &str, zone: &str, cycle_days: u32, shifts: serde_json::Value) -> ShiftPatternDefined {
    serde_json::from_value(json!({
        "pattern": "P", "name": {"en": "pattern"}, "time_zone": zone, "first_day": first_day, "cycle_days": cycle_days, "shifts": shifts,
    }))
    .unwrap()
}

fn night(day: u32, crew: &str) -> serde_json::Value {
    json!({"day": day, "name": "night", "crew": crew, "start": "22:00:00", "minutes": 480, "break_minutes": 30})
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn shown(turns: &[PlannedTurn]) -> Vec<String> {
    turns.iter().map(|turn| format!("{} {} {} {}", turn.day, turn.crew, turn.from, turn.to)).collect()
}

#[test]
fn a_night_shift_ends_on_the_next_day() {
    let two = pattern("2026-03-01", "Asia/Shanghai", 2, json!([night(0, "A"), night(1, "B")]));
    let turns = planned_turns(&[&two], time("2026-03-02T20:00:00Z"), time("2026-03-03T15:00:00Z")).unwrap();
    // 22:00 in Shanghai is 14:00 UTC; the night that began on the 2nd lasts into the window, and belongs to the 2nd.
    assert_eq!(
        shown(&turns),
        [
            "2026-03-02 B 2026-03-02T14:00:00Z 2026-03-02T22:00:00Z",
            "2026-03-03 A 2026-03-03T14:00:00Z 2026-03-03T22:00:00Z"
        ]
    );
}

#[test]
fn the_night_of_the_clock_change_is_an_hour_shorter_or_longer() {
    let nights = pattern("2026-01-01", "Europe/Berlin", 1, json!([night(0, "A")]));
    let hours = |from: &str, to: &str| {
        let turns = planned_turns(&[&nights], time(from), time(to)).unwrap();
        turns.iter().map(|turn| turn.to.duration_since(turn.from).as_hours()).collect::<Vec<_>>()
    };
    assert_eq!(hours("2026-03-28T22:00:00Z", "2026-03-29T01:00:00Z"), [7]);
    assert_eq!(hours("2026-10-24T22:00:00Z", "2026-10-25T01:00:00Z"), [9]);
    assert_eq!(hours("2026-06-10T21:00:00Z", "2026-06-10T22:00:00Z"), [8]);
}

#[test]
fn a_later_version_plans_from_its_first_day_on() {
    let old = pattern("2026-03-01", "UTC", 1, json!([night(0, "A")]));
    let new = pattern("2026-03-03", "UTC", 1, json!([night(0, "B")]));
    let turns = planned_turns(&[&old, &new], time("2026-03-01T00:00:00Z"), time("2026-03-04T00:00:00Z")).unwrap();
    let crews: Vec<String> = turns.iter().map(|turn| format!("{} {}", turn.day, turn.crew)).collect();
    assert_eq!(crews, ["2026-03-01 A", "2026-03-02 A", "2026-03-03 B"]);
    assert!(planned_turns(&[&new], time("2026-02-01T00:00:00Z"), time("2026-03-01T00:00:00Z")).unwrap().is_empty());
}

#[test]
fn what_cannot_be_planned_says_why() {
    let window = (time("2026-03-01T00:00:00Z"), time("2026-03-02T00:00:00Z"));
    let check = |pattern: ShiftPatternDefined, expected: &str| {
        assert_eq!(planned_turns(&[&pattern], window.0, window.1).unwrap_err().to_string(), expected);
    };
    check(
        pattern("2026-01-01", "Mars/Olympus", 1, json!([])),
        "shift pattern P: time zone \"Mars/Olympus\" is not known",
    );
    check(pattern("2026-01-01", "UTC", 0, json!([])), "shift pattern P: the cycle has no day");
    check(
        pattern("2026-01-01", "UTC", 1, json!([night(1, "A")])),
        "shift pattern P: shift night begins on day 1 of 1 days",
    );
    let long = json!([{"day": 0, "name": "night", "crew": "A", "start": "22:00:00", "minutes": 0}]);
    check(pattern("2026-01-01", "UTC", 1, long), "shift pattern P: shift night lasts 0 minutes with 0 of breaks");
    let good = pattern("2026-01-01", "UTC", 1, json!([]));
    let error = planned_turns(&[&good], time("2000-01-01T00:00:00Z"), time("2026-01-01T00:00:00Z")).unwrap_err();
    assert!(matches!(error, ScheduleError::TooLong { .. }));
}
