use super::*;

/// Pieces that filters are made of, in any sequence.
fn soup() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "metrics",
        "params",
        "tags",
        "attributes",
        "name",
        "run_id",
        "status",
        "start_time",
        ".",
        ".",
        "a",
        "`b c`",
        "\"d\"",
        "'e'",
        "'it''s'",
        "=",
        "!=",
        "<",
        ">=",
        "LIKE",
        "ILIKE",
        "IN",
        "NOT",
        "IS",
        "NULL",
        "AND",
        "AND",
        "OR",
        "(",
        ")",
        ",",
        ";",
        "-",
        "1",
        "0.5",
        "1e9",
        "'",
        "\"",
        "`",
        "\\",
        "%",
        " ",
        " ",
        " ",
        "\n",
        "织",
        "\u{0}",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// A key and how a client writes it.
fn quoted_key() -> impl Strategy<Value = (String, String)> {
    ("[^`]{0,20}", any::<bool>()).prop_map(|(key, double)| {
        let written = if double && !key.contains(['"', '\\']) { format!("\"{key}\"") } else { format!("`{key}`") };
        (key, written)
    })
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,80}", pieces in soup()) {
        let row = TestRow::run("run-1", 1.0).tag("a", "e").param("a", "e").metric("a", 1.0);
        for entity in ENTITIES {
            for filter in [&text, &pieces] {
                if let Ok(filter) = Filter::parse(entity, filter) {
                    filter.matches(&row);
                }
            }
        }
    }

    #[test]
    fn a_condition_says_what_it_says_however_it_is_written(
        (key, written) in quoted_key(),
        value in "[^'\\\\]{0,20}",
        other in "[^'\\\\]{0,20}",
        and in prop::sample::select(vec!["AND", "and", "And"]),
        space in prop::sample::select(vec![" ", "  ", "\n", "\t"]),
    ) {
        let filter = format!("tags.{written}{space}={space}'{value}'{space}{and}{space}tag.{written} != '{other}'");
        let parsed = Filter::parse(Entity::Runs, &filter).map_err(|error| TestCaseError::fail(format!("{filter}: {error}")))?;
        let row = TestRow::default().tag(&key, &value);
        prop_assert_eq!(parsed.matches(&row), value != other);
        prop_assert!(!parsed.matches(&TestRow::default()));
    }
}
