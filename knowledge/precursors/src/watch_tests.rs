use super::*;
use crate::feature::SECOND_NS;

fn code(text: &str) -> Code {
    Code::new(text).unwrap()
}

fn alarms(at_least: u32, hold_s: u64, clear_s: u64) -> Watch {
    Watch::new(&Detection {
        mode: code("M"),
        asset: None,
        condition: Condition::Alarms { codes: vec![code("E1*")], window_s: 10, at_least },
        hold_s,
        clear_s,
        horizon_s: 60,
        measured: None,
    })
}

fn said(watch: &mut Watch, raised: &[(i64, &str)], end: i64) -> String {
    let mut changes = Vec::new();
    for (second, name) in raised {
        changes.extend(watch.alarm(&code(name), second * SECOND_NS, 0));
    }
    changes.extend(watch.advance(end * SECOND_NS));
    shown(changes)
}

fn shown(changes: Vec<Change>) -> String {
    let shown = changes.into_iter().map(|change| match change {
        Change::Raised { time_ns, .. } => format!("+{}", time_ns / SECOND_NS),
        Change::Cleared { time_ns } => format!("-{}", time_ns / SECOND_NS),
    });
    shown.collect::<Vec<_>>().join(" ")
}

#[test]
fn alarms_of_a_pattern_are_counted_in_a_window() {
    assert_eq!(said(&mut alarms(1, 0, 0), &[(1, "E10")], 9), "+1");
    assert_eq!(said(&mut alarms(1, 0, 0), &[(1, "E10"), (2, "F10")], 100), "+1 -11");
    assert_eq!(said(&mut alarms(2, 0, 0), &[(1, "E10"), (5, "E11"), (30, "E10")], 100), "+5 -11");
    // One group of alarms is one warning.
    assert_eq!(said(&mut alarms(1, 0, 20), &[(1, "E10"), (5, "E11"), (25, "E10")], 100), "+1 -55");
    // Two within the window must last three seconds.
    assert_eq!(said(&mut alarms(2, 3, 0), &[(1, "E10"), (5, "E10")], 100), "+8 -11");
    assert_eq!(said(&mut alarms(2, 7, 0), &[(1, "E10"), (5, "E10")], 100), "");
}

#[test]
fn time_may_pass_in_any_steps() {
    let raised = [(1, "E10"), (5, "E11"), (14, "E10"), (40, "E1")];
    let at_once = said(&mut alarms(2, 1, 2), &raised, 100);
    let mut watch = alarms(2, 1, 2);
    let mut changes = Vec::new();
    for second in 0..=100 {
        for (_, name) in raised.iter().filter(|(at, _)| *at == second) {
            changes.extend(watch.alarm(&code(name), second * SECOND_NS, 0));
        }
        changes.extend(watch.advance(second * SECOND_NS));
    }
    assert_eq!(shown(changes), at_once);
    // What comes due at the moment at which an alarm leaves the window has held until then.
    assert_eq!(at_once, "+6 -13 +15 -17");
}

#[test]
fn only_what_the_log_had_learnt_of_the_machine_counts() {
    let mut timeline = Timeline::default();
    assert!(timeline.may_run(5, 0));
    timeline.add(10, 3, MachineState::Stopped);
    timeline.add(20, 4, MachineState::Running);
    timeline.add(15, 9, MachineState::Running);
    for (time, position, expected) in
        [(9, 9, true), (12, 9, false), (12, 2, true), (16, 8, false), (16, 9, true), (25, 4, true), (25, 3, false)]
    {
        assert_eq!(timeline.may_run(time, position), expected, "at {time}, known at {position}");
    }
    timeline.forget_before(18);
    assert!(timeline.may_run(16, 9));
    assert!(timeline.may_run(12, 9), "forgotten: nothing is known");
}
