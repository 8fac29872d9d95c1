use super::*;

fn examples(rounds: usize) -> Vec<(String, [Option<&'static str>; 4])> {
    let said = [
        ("main nozzle clogged with lint", "NOZZLE", "nozzle"),
        ("warp tension swings", "TENSION", "let_off"),
        ("bearing noisy and hot", "BEARING", "bearing"),
        ("轴承异响发热", "BEARING", "bearing"),
    ];
    let mut examples = Vec::new();
    for round in 0..rounds {
        for (text, mode, item) in said {
            examples.push((format!("{text} loom {round}"), [Some(mode), None, None, Some(item)]));
        }
    }
    examples
}

fn coder(rounds: usize) -> Coder {
    let texts = examples(rounds);
    let examples: Vec<Example<'_>> =
        texts.iter().map(|(text, labels)| Example { features: features::of(text), labels: *labels }).collect();
    Coder::train(&examples)
}

#[test]
fn texts_in_both_languages_get_the_codes_that_people_gave() {
    let coder = coder(10);
    for (text, mode, item) in [
        ("nozzle is cloged", "NOZZLE", "nozzle"),
        ("tension of the warp swings", "TENSION", "let_off"),
        ("hot bearing", "BEARING", "bearing"),
        ("轴承发热", "BEARING", "bearing"),
    ] {
        let suggested = coder.suggest(text, 3);
        let targets: Vec<Target> = suggested.iter().map(|one| one.target).collect();
        assert_eq!(targets, [Target::Mode, Target::Item], "no example has a mechanism or a cause");
        assert_eq!((suggested[0].codes[0].code.as_str(), suggested[1].codes[0].code.as_str()), (mode, item), "{text}");
        assert!(!suggested[0].abstains, "{text}: {suggested:?}");
        assert_eq!(suggested[0].n, 40);
    }
}

#[test]
fn what_was_never_seen_is_left_to_people() {
    let suggested = coder(10).suggest("屋顶", 3);
    assert!(suggested.iter().all(|one| one.abstains), "{suggested:?}");
    assert!(coder(1).suggest("bearing hot", 3).is_empty(), "four examples are too few");
}

#[test]
fn the_same_examples_give_the_same_answer() {
    assert_eq!(coder(6).suggest("bearing hot", 3), coder(6).suggest("bearing hot", 3));
}
