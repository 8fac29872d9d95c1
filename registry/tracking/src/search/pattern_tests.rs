use proptest::prelude::*;

use super::{PATTERN_CHARACTERS_MAX, Pattern};

fn fits(pattern: &str, value: &str) -> bool {
    Pattern::new(pattern, false).unwrap().fits(value)
}

#[test]
fn percent_is_any_text_and_underscore_one_character() {
    let cases = [
        ("", "", true),
        ("", "a", false),
        ("%", "", true),
        ("%%", "", true),
        ("%", "any\nthing", true),
        ("abc", "abc", true),
        ("abc", "abcd", false),
        ("a%", "abc", true),
        ("%c", "abc", true),
        ("a%c", "ac", true),
        ("ab%bc", "abc", false),
        ("ab%bc", "abbc", true),
        ("%b%", "abc", true),
        ("%b%b%", "abc", false),
        ("_", "织", true),
        ("_", "", false),
        ("__", "织机", true),
        ("a_c", "abc", true),
        ("a_c", "ac", false),
        ("%a_c%", "xxabcxx", true),
        ("%a_c%", "xxacxx", false),
        ("%_", "", false),
        ("_%_", "a", false),
        ("_%_", "ab", true),
        ("%a_a_b%", "aaaaab", true),
        ("A%", "abc", false),
        ("a.c", "abc", false),
        ("a\\%c", "a\\xc", true),
    ];
    for (pattern, value, expected) in cases {
        assert_eq!(fits(pattern, value), expected, "{pattern:?} of {value:?}");
    }
}

#[test]
fn ilike_ignores_the_case_of_letters() {
    for (pattern, value) in [("SULZER%", "sulzer p7100"), ("straße", "STRAßE"), ("%σ_%", "ΠΣΑ"), ("织%", "织机")]
    {
        let pattern = Pattern::new(pattern, true).unwrap();
        assert!(pattern.fits(value), "{pattern:?} of {value:?}");
    }
}

#[test]
fn a_pattern_that_would_take_others_for_ever_is_done_at_once() {
    // A matcher that tries again from each place would take some 10^8 steps for each of these values.
    let pattern = Pattern::new(&format!("%{}b%", "a_".repeat(500)), false).unwrap();
    let value = "a".repeat(100_000);
    assert!(!pattern.fits(&value));
    assert!(pattern.fits(&format!("{value}b")));
    let many = Pattern::new(&"%a".repeat(512), false).unwrap();
    assert!(many.fits(&value));
    assert!(!many.fits(&"a".repeat(511)));
}

#[test]
fn a_pattern_is_bounded() {
    assert!(Pattern::new(&"x".repeat(PATTERN_CHARACTERS_MAX), false).is_ok());
    let refused = Pattern::new(&"x".repeat(PATTERN_CHARACTERS_MAX + 1), false).unwrap_err();
    expect_test::expect!["Invalid pattern of LIKE: it has 1025 characters, and at most 1024 are allowed."]
        .assert_eq(&refused.to_string());
}

/// What SQL says, word for word: each character of the pattern against each of the value.
fn reference(pattern: &[char], value: &[char]) -> bool {
    let mut reached = vec![false; value.len() + 1];
    reached[0] = true;
    for p in pattern {
        let mut next = vec![false; value.len() + 1];
        for at in 0..=value.len() {
            next[at] = match p {
                '%' => reached[at] || (at > 0 && next[at - 1]),
                '_' => at > 0 && reached[at - 1],
                c => at > 0 && reached[at - 1] && value[at - 1] == *c,
            };
        }
        reached = next;
    }
    reached[value.len()]
}

proptest! {
    #[test]
    fn it_is_what_sql_says(pattern in "[ab织%_]{0,12}", value in "[ab织]{0,16}") {
        let expected = reference(&pattern.chars().collect::<Vec<_>>(), &value.chars().collect::<Vec<_>>());
        prop_assert_eq!(fits(&pattern, &value), expected);
    }

    #[test]
    fn long_pieces_are_found_across_words(before in "[ab]{0,80}", piece in "[ab_]{60,140}", after in "[ab]{0,80}") {
        let value = format!("{before}{}{after}", piece.replace('_', "a"));
        let fits = Pattern::new(&format!("%{piece}%"), false).unwrap().fits(&value);
        prop_assert!(fits);
    }
}
