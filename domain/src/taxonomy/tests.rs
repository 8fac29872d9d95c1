use std::collections::BTreeSet;

use super::*;
use crate::ids::Code;

#[test]
fn every_term_is_named_in_both_languages_once() {
    let mut seen = BTreeSet::new();
    let mut terms = 0;
    for term in all() {
        terms += 1;
        assert!(Code::new(term.code).is_ok(), "{term:?}");
        assert!(seen.insert(term.code.to_lowercase()), "{term:?} is there twice");
        assert!(term.zh.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter)), "{term:?}");
        assert!(term.en.is_ascii() && !term.en.is_empty(), "{term:?}");
    }
    assert!(terms > 150, "only {terms} terms");
}

#[test]
fn every_loom_mode_has_an_item_and_symptoms() {
    for mode in LOOM_FAILURE_MODES {
        assert!(LOOM_ITEMS.iter().any(|item| item.code == mode.item), "{mode:?}");
        assert!(!mode.symptoms_zh.is_empty() && mode.symptoms_zh.len() == mode.symptoms_en.len(), "{mode:?}");
    }
    for item in [
        "shedding",
        "weft_insertion",
        "beat_up",
        "let_off",
        "take_up",
        "accumulator",
        "heald_frame",
        "reed",
        "drive_bearing",
    ] {
        assert!(LOOM_FAILURE_MODES.iter().any(|mode| mode.item == item), "{item} has no failure mode");
    }
}

#[test]
fn codes_are_looked_up() {
    assert_eq!(lookup("bea-wea").map(|term| (term.kind, term.en)), Some((Kind::FailureMode, "drive bearing worn")));
    assert_eq!(lookup("double_pick").map(|term| term.zh), Some("双纬"));
    assert_eq!(lookup("2.4").map(|term| (term.kind, term.zh)), Some((Kind::Mechanism, "磨损")));
    assert_eq!(lookup("Leak"), None);
    assert_eq!(lookup_kind(Kind::Defect, "2.4"), None);
    assert_eq!(loom_failure_mode("LET-TEN").map(|mode| mode.item), Some("let_off"));
}

#[test]
fn terms_are_found_in_both_languages() {
    let codes = |text: &str| find(text).map(|term| term.code).collect::<Vec<_>>();
    assert_eq!(codes("缺纬"), ["missing_pick"]);
    assert!(codes("Bearing").contains(&"BEA-LUB"));
    assert_eq!(codes("  "), Vec::<&str>::new());
}
