use super::*;

/// Four modes that share alarms and words, in two languages.
fn base(rounds: u64) -> CaseBase {
    let mut base = CaseBase::default();
    base.is_of("L1", "air-jet", 0);
    base.is_of("L2", "air-jet", 0);
    let kinds = [
        ("main nozzle clogged, weft arrives late", "NOZZLE", "A-301"),
        ("经纱张力波动，经停频繁", "TENSION", "A-110"),
        ("main shaft bearing noisy and hot", "BEARING", "A-520"),
        ("cutter does not cut the weft", "CUTTER", "A-301"),
    ];
    let mut position = 1;
    for round in 0..rounds {
        for (text, mode, alarm) in kinds {
            let key = format!("{mode}-{round}");
            base.happened_to(&key, if round % 2 == 0 { "L1" } else { "L2" }, position);
            base.said(&key, &format!("{text} shift {round}"), position);
            base.alarmed(&key, alarm, position);
            base.was_coded(&key, [Some(mode), None, None, None], position + 1);
            position += 2;
        }
    }
    base
}

fn first(base: &CaseBase, text: &str, alarms: &[&str]) -> (String, bool) {
    let alarms: Vec<String> = alarms.iter().map(|alarm| (*alarm).to_owned()).collect();
    let experience = base.lesson(u64::MAX).map(|lesson| base.at(lesson).learn());
    let seen = Seen { asset: Some("L1"), text, alarms: &alarms, ..Seen::default() };
    let ranking = base.at(u64::MAX).rank(&seen, experience.as_ref());
    (ranking.modes[0].mode.clone(), ranking.fits)
}

#[test]
fn words_and_alarms_rank_the_right_mode_first_before_and_after_a_lesson() {
    for rounds in [3, 40] {
        let base = base(rounds);
        assert_eq!(base.lesson(u64::MAX).is_some(), rounds > 4);
        for (text, alarms, mode) in [
            ("nozzle clogged", &[][..], "NOZZLE"),
            ("张力波动", &[], "TENSION"),
            ("bearing noisy", &["A-520"], "BEARING"),
            ("", &["A-110"], "TENSION"),
            ("weft is not cut", &["A-301"], "CUTTER"),
        ] {
            assert_eq!(first(&base, text, alarms), (mode.to_owned(), true), "{text} {alarms:?} {rounds}");
        }
        for text in ["屋顶漏雨", "printer out of paper"] {
            assert!(!first(&base, text, &[]).1, "{text} {rounds}");
        }
    }
}

#[test]
fn a_position_knows_nothing_of_what_came_later() {
    let (short, long) = (base(5), base(9));
    let end = 5 * 4 * 2;
    let seen = Seen { asset: Some("L2"), text: "weft arrives late 张力", ..Seen::default() };
    let experience = |base: &CaseBase| base.lesson(end).map(|lesson| base.at(lesson).learn());
    let then = long.at(end).rank(&seen, experience(&long).as_ref());
    assert_eq!(then, short.at(end).rank(&seen, experience(&short).as_ref()));
    assert_eq!(then, long.at(end).rank(&seen, experience(&long).as_ref()), "the same question has the same answer");
    assert_ne!(then.n, long.at(u64::MAX).rank(&seen, None).n);
}

#[test]
fn a_new_coding_counts_from_its_position_on() {
    let mut base = base(3);
    base.was_coded("CUTTER-0", [Some("NOZZLE"), None, None, None], 1_000);
    let n = |position: u64, mode: &str| base.at(position).coded_with(mode).count();
    assert_eq!((n(999, "CUTTER"), n(999, "NOZZLE")), (3, 3));
    assert_eq!((n(1_000, "CUTTER"), n(1_000, "NOZZLE")), (2, 4));
    base.was_coded("CUTTER-0", [Some("CUTTER"), None, None, None], 1_001);
    let n = |position: u64, mode: &str| base.at(position).coded_with(mode).count();
    assert_eq!(
        (n(1_000, "CUTTER"), n(1_001, "CUTTER"), n(1_001, "NOZZLE")),
        (2, 3, 3),
        "coded again, it is there once"
    );
}

#[test]
fn a_work_order_that_turns_out_to_answer_a_fault_is_told_of_it() {
    let mut base = base(1);
    base.said("order", "drum does not turn", 500);
    let alike = |base: &CaseBase, position: u64| -> Vec<String> {
        let past = base.at(position);
        let ranking = past.rank(&Seen { text: "drum does not turn", ..Seen::default() }, None);
        ranking.uncoded.iter().map(|(case, _)| past.key(*case).to_owned()).collect()
    };
    assert_eq!(alike(&base, 500), ["order"]);
    base.merged("order", 600);
    base.said("fault", "drum does not turn", 600);
    assert_eq!(alike(&base, 599), ["order"]);
    assert_eq!(alike(&base, 600), ["fault"]);
}

#[test]
fn the_next_check_tells_the_candidates_apart() {
    let base = base(20);
    let past = base.at(u64::MAX);
    let alarms = ["A-301".to_owned()];
    let seen = Seen { text: "weft", alarms: &alarms, ..Seen::default() };
    let ranking = past.rank(&seen, None);
    let checks = past.checks(&ranking, &seen, 3);
    assert!(checks.windows(2).all(|pair| pair[0].gain_bits >= pair[1].gain_bits));
    let best = &checks[0];
    assert!(best.gain_bits > 0.25, "{checks:?}");
    assert_ne!(best.if_there.0, best.if_not.0, "the answer changes what is likeliest: {best:?}");
    assert!(checks.iter().all(|check| check.sign != "weft" && check.sign != "A-301"), "what is seen is not asked for");
}

#[test]
fn terse_chinese_is_matched_by_its_characters_where_it_is_cut_into_other_words() {
    let mut base = CaseBase::default();
    for (at, (text, mode)) in
        [("综框边条裂口", "FRAME"), ("喷嘴堵死", "NOZZLE"), ("刹车片磨光", "BRAKE")].into_iter().enumerate()
    {
        let (key, position) = (at.to_string(), u64::try_from(at).unwrap());
        base.said(&key, text, position);
        base.was_coded(&key, [Some(mode), None, None, None], position);
    }
    for (text, mode) in [("边裂了", "FRAME"), ("嘴堵", "NOZZLE"), ("片磨了", "BRAKE")] {
        assert_eq!(first(&base, text, &[]).0, mode, "{text}");
    }
}

#[test]
fn a_glance_at_any_position_is_what_the_case_says() {
    let mut base = base(3);
    base.happened_to("CUTTER-0", "L9", 500);
    base.was_coded("CUTTER-1", [Some("NOZZLE"), None, None, None], 600);
    base.merged("CUTTER-2", 700);
    base.was_coded("CUTTER-2", [None; 4], 800);
    for position in (0..40).chain((490..810).step_by(10)) {
        let past = base.at(position);
        for (number, case) in (0..).zip(&base.cases) {
            let known = Some(case.glance(position)).filter(|glance| glance.known);
            assert_eq!(past.glance(number), known, "{} at {position}", case.key);
            assert_eq!(past.cases().any(|(known, _)| known == number), known.is_some());
        }
    }
}

#[test]
fn what_counts_as_alike_is_kept_and_of_a_mode_without_any_the_most_alike_case() {
    let base = base(30);
    let ranking = base.at(u64::MAX).rank(&Seen { text: "nozzle clogged", ..Seen::default() }, None);
    let alike = |mode: &str| &ranking.modes.iter().find(|score| score.mode == mode).unwrap().alike;
    assert_eq!(alike("NOZZLE").len(), 30, "all of its cases say so");
    assert!(alike("NOZZLE").is_sorted_by(|a, b| a.1 > b.1 || (a.1.to_bits() == b.1.to_bits() && a.0 > b.0)));
    assert!(alike("TENSION").is_empty(), "nothing of it is seen");
    let [(_, likeness)] = alike("CUTTER").as_slice() else { panic!("{:?}", alike("CUTTER")) };
    assert!((0.0..LEAST_COUNTED).contains(likeness), "{likeness}");
}
