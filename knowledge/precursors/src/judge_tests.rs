use super::*;

fn fault(time_ns: i64, until_ns: impl Into<Option<i64>>) -> Fault {
    Fault { time_ns, until_ns: until_ns.into(), position: time_ns.unsigned_abs() }
}

#[test]
fn a_recurrence_belongs_to_its_fault() {
    let kept = |faults: Vec<Fault>| -> Vec<(i64, Option<i64>)> {
        without_recurrences(faults, 10).iter().map(|fault| (fault.time_ns, fault.until_ns)).collect()
    };
    assert_eq!(kept(vec![fault(50, 60), fault(10, 20)]), [(10, Some(20)), (50, Some(60))]);
    // It begins ten after the end of the one before.
    assert_eq!(kept(vec![fault(10, 20), fault(30, 35), fault(46, 50)]), [(10, Some(35)), (46, Some(50))]);
    // One that is not over swallows all that follow.
    assert_eq!(kept(vec![fault(10, None), fault(900, 950)]), [(10, None)]);
}

#[test]
fn what_became_of_a_warning() {
    let faults = [fault(100, 120), fault(300, None)];
    let check = |raised: i64, end: i64, expected: Outcome, at: Option<i64>| {
        let (found, fault) = outcome(raised, &faults, 50, end);
        assert_eq!((found, fault.map(|fault| fault.time_ns)), (expected, at), "at {raised}, known to {end}");
    };
    check(49, 1_000, Outcome::False, None);
    check(50, 1_000, Outcome::Hit, Some(100));
    check(99, 1_000, Outcome::Hit, Some(100));
    check(100, 1_000, Outcome::Known, None);
    check(120, 1_000, Outcome::Known, None);
    check(121, 1_000, Outcome::False, None);
    check(121, 170, Outcome::Open, None);
    check(121, 171, Outcome::False, None);
    check(400, 1_000, Outcome::Known, None);
}

#[test]
fn warnings_and_faults_are_counted_within_the_stretch() {
    let mut tally = Tally::default();
    let faults = [fault(100, 120), fault(300, 310), fault(500, 510), fault(900, 910)];
    let judged =
        Judged { raised_ns: &[40, 60, 90, 110, 200, 260, 770, 850, 990], faults: &faults, from_ns: 50, to_ns: 900 };
    tally.add(judged, 50);
    // Hits at 60, 90 and 260; 110 was known; 200 and 770 false; the fault at 900 is not in it, so that 850 is open; 40 and 990 lie outside.
    assert_eq!((tally.hits, tally.misses, tally.known, tally.open), (3, 2, 1, 1));
    assert_eq!((tally.caught, tally.faults), (2, 3));
    assert_eq!(tally.lead_s, [40.0 / 1e9, 40.0 / 1e9]);
    assert_eq!((tally.watched_ns, tally.calendar_ns), (850, 850));
    // 60 to 160 (three overlapping ones), 200 to 250, 260 to 310, 770 to 820, 850 to 900.
    assert_eq!(tally.warned_ns, 100 + 4 * 50);
    assert_eq!(tally.positions, [100, 300, 500]);
    let measured = tally.measured(7, Some(0.5));
    assert_eq!((measured.warnings, measured.faults, measured.as_of), (Share::new(3, 5), Share::new(2, 3), 7));
    assert!(measured.precision.unwrap().low < 0.6 && measured.precision.unwrap().high > 0.6);
    // P(X ≥ 2) of three with the share 300/850.
    let share = 300.0 / 850.0_f64;
    let expected = 3.0 * share.powi(2) * (1.0 - share) + share.powi(3);
    assert!((tally.p_value().unwrap() - expected).abs() < 1e-12);
}

#[test]
fn nothing_watched_says_nothing() {
    let mut tally = Tally::default();
    tally.add(Judged { raised_ns: &[5], faults: &[fault(7, 8)], from_ns: 10, to_ns: 10 }, 5);
    assert_eq!(tally, Tally::default());
    assert_eq!((tally.p_value(), tally.score(), tally.false_per_day()), (None, 0.0, 0.0));
    assert_eq!(tally.measured(0, None).precision, None);
}
