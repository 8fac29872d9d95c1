use super::*;

#[test]
fn a_short_form_has_the_first_letters_in_order() {
    for (short, long, expected) in [
        ("cyl", "cylinder", true),
        ("hyd", "hydraulic", true),
        ("lkg", "leaking", true),
        ("cylinder", "cyl", false),
        ("tr", "motor", false),
        ("pump", "pumps", false),
        ("c", "cylinder", false),
        ("cyx", "cylinder", false),
    ] {
        assert_eq!(may_be_short(short, long), expected, "{short} {long}");
    }
}

fn history() -> Vec<(String, &'static str)> {
    let mut texts = Vec::new();
    for side in ["left", "right", "front", "rear"] {
        for end in ["rod", "seal", "hose"] {
            texts.push((format!("{side} boom gantry {end} leaking"), "LEAK"));
            texts.push((format!("{side} boom gtry {end} leaking"), "LEAK"));
            texts.push((format!("{side} loom reed {end} bent"), "REED"));
            texts.push((format!("{side}梭口综框开裂{end}"), "FRAME"));
            texts.push((format!("{side}梭口综架开裂{end}"), "FRAME"));
        }
    }
    texts
}

#[test]
fn words_in_the_same_places_are_asked_about_and_known_ones_are_not() {
    let history = history();
    let texts: Vec<(&str, Option<&str>)> = history.iter().map(|(text, code)| (text.as_str(), Some(*code))).collect();
    let found = suggest(&texts, &Curated::default(), 50);
    let first = &found[0];
    assert!(
        found.iter().any(|one| one.words == ("gtry".to_owned(), "gantry".to_owned()) && one.abbreviation),
        "{found:?}"
    );
    assert!(first.likeness > 0.5 && !first.shared.is_empty(), "{first:?}");
    assert!(found.iter().all(|one| one.texts.0 >= LEAST_TEXTS && one.texts.1 >= LEAST_TEXTS));
    assert!(!found.iter().any(|one| one.words.0 == "leaking" && one.words.1 == "boom"), "they stand together");
    let curated = Curated::new(Some(1), Vec::new(), vec![("gtry".to_owned(), "gantry".to_owned())]);
    assert!(!suggest(&texts, &curated, 50).iter().any(|one| one.words.0 == "gtry" && one.words.1 == "gantry"));
    assert_eq!(suggest(&texts, &Curated::default(), 1), found[..1]);
    assert_eq!(suggest(&[], &Curated::default(), 5), []);
}
