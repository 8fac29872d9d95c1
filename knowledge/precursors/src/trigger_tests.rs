use super::*;
use crate::feature::SECOND_NS;

fn trigger(hold_s: u64, clear_s: u64, most_gap_s: Option<u64>) -> Trigger {
    let limits = Limits { side: Side::AtLeast, threshold: 5.0, hold_s, clear_s };
    Trigger::new(limits, most_gap_s.map(seconds_ns))
}

/// What a trigger says to values at seconds: `+10` raised at 10, `-12` cleared at 12.
fn said(mut trigger: Trigger, points: &[(i64, f64)]) -> String {
    let mut said = Vec::new();
    for (second, value) in points {
        match trigger.push(Point { time_ns: second * SECOND_NS, value: *value }) {
            Some(Change::Raised { time_ns, since_ns, .. }) => {
                said.push(format!("+{}({})", time_ns / SECOND_NS, since_ns / SECOND_NS));
            }
            Some(Change::Cleared { time_ns }) => said.push(format!("-{}", time_ns / SECOND_NS)),
            None => {}
        }
    }
    said.join(" ")
}

#[test]
fn a_warning_is_raised_once_and_cleared_once() {
    let check = |trigger: Trigger, points: &[(i64, f64)], expected: &str| assert_eq!(said(trigger, points), expected);
    check(trigger(0, 0, None), &[(1, 4.9), (2, 5.0), (3, 9.0), (4, 4.0), (5, 4.0), (6, 7.0)], "+2(2) -4 +6(6)");
    // It must hold for two seconds.
    check(trigger(2, 0, None), &[(1, 6.0), (2, 6.0), (3, 6.0), (4, 6.0)], "+3(1)");
    check(trigger(2, 0, None), &[(1, 6.0), (2, 4.0), (3, 6.0), (4, 6.0)], "");
    // It must be calm for three.
    check(trigger(0, 3, None), &[(1, 6.0), (2, 4.0), (4, 6.0), (5, 4.0), (7, 4.0), (8, 4.0)], "+1(1) -8");
    // What lies across a gap was not seen to hold.
    check(trigger(2, 0, Some(5)), &[(1, 6.0), (9, 6.0), (11, 6.0)], "+11(9)");
    check(trigger(0, 0, None), &[(1, f64::NAN)], "");
}

#[test]
fn the_log_says_whether_a_warning_is_open() {
    let raise =
        |trigger: &mut Trigger, second: i64, value: f64| trigger.push(Point { time_ns: second * SECOND_NS, value });
    // The condition has held, and the log has no warning: the next value that fits raises one.
    let mut fresh = trigger(0, 0, None);
    assert!(raise(&mut fresh, 1, 6.0).is_some());
    fresh.resume(false);
    assert!(matches!(raise(&mut fresh, 2, 6.0), Some(Change::Raised { since_ns, .. }) if since_ns == SECOND_NS));
    // The log has one: no second one, and the next calm value clears it.
    let mut restarted = trigger(0, 0, None);
    restarted.resume(true);
    assert!(restarted.is_open());
    assert_eq!(raise(&mut restarted, 3, 6.0), None);
    assert_eq!(raise(&mut restarted, 4, 1.0), Some(Change::Cleared { time_ns: 4 * SECOND_NS }));
}
