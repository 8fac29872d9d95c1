use super::*;

fn learnt() -> Normaliser {
    let said = [
        ("REPL brg pos 4", "replace bearing position <num>"),
        ("repl CYL AB123", "replace cylinder <id>"),
        ("Replace hyd hose 12", "replace hydraulic hose <num>"),
        ("replace hyd pump XY9", "replace hydraulic pump <id>"),
        ("replace pump no 2", "replace pump number <num>"),
        ("no power no 3", "no power number <num>"),
        ("no power", "no power"),
    ];
    let sentences: Vec<Vec<(String, String)>> = said
        .iter()
        .map(|(tokens, forms)| {
            tokens.split(' ').zip(forms.split(' ')).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
        })
        .collect();
    Normaliser::learn(&sentences)
}

#[test]
fn tokens_get_the_form_that_examples_give_them() {
    let check = |text: &str, expected: &str| {
        let tokens: Vec<&str> = text.split(' ').collect();
        assert_eq!(learnt().normal(&tokens).join(" "), expected, "{text}");
    };
    check("Repl BRG", "replace bearing");
    check("repalce hyd pump QQ77 pos 99", "replace hydraulic pump <id> position <num>");
    check("no power", "no power");
    check("pump no 2", "pump number <num>");
    check("HYD/CYL", "hydraulic / cylinder");
    check("unheard word", "unheard word");
}

#[test]
fn one_slip_is_one() {
    for (a, b, expected) in [
        ("replace", "repalce", true),
        ("replace", "replac", true),
        ("replace", "rreplace", true),
        ("replace", "replade", true),
        ("replace", "repalec", false),
        ("a", "abc", false),
    ] {
        assert_eq!((one_slip(a, b), one_slip(b, a)), (expected, expected), "{a} {b}");
    }
}

proptest::proptest! {
    #[test]
    fn no_token_breaks_it(tokens in proptest::collection::vec(".{0,12}", 0..6)) {
        let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
        proptest::prop_assert_eq!(learnt().normal(&tokens).len(), tokens.len());
    }
}
