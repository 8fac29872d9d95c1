use super::*;

fn texts(tokens: Vec<Token>) -> Vec<String> {
    tokens.into_iter().map(|token| token.text).collect()
}

#[test]
fn codes_survive_whole() {
    let check = |text: &str, expected: &[&str]| assert_eq!(codes(text), expected, "{text}");
    check("报警E-123停机", &["e-123"]);
    check("WES-5.4.5 and 3.6.3", &["3.6.3", "wes-5.4.5"]);
    check("alarm WARP_BREAK on LOOM-07", &["loom-07", "warp_break"]);
    check("L/H cyl, 2 lights, 1000 hr, part 4711001", &["4711001"]);
    check("no code here", &[]);
    check("", &[]);
}

#[test]
fn english_words_are_stemmed_and_chinese_ones_left_out() {
    assert_eq!(texts(en("Leaking 油缸 LEAKS leaked")), ["leak", "leak", "leak"]);
    assert_eq!(texts(en("BUCKET WON'T OPEN")), ["bucket", "won", "t", "open"]);
}

#[test]
fn chinese_words_have_ordinal_positions_and_no_punctuation() {
    let words = zh("经纱断头，停机");
    assert!(words.iter().any(|word| word.text == "停机"), "{words:?}");
    assert!(words.iter().all(|word| word.text.chars().all(is_han)), "{words:?}");
    assert!(words.windows(2).all(|pair| pair[0].position < pair[1].position));
    assert!(zh("only English").is_empty());
}

#[test]
fn grams_point_into_the_text() {
    let text = "Leak 油缸漏 x";
    let expected =
        ["_le", "lea", "eak", "ak_", "_lea", "leak", "eak_", "_x_", "油", "缸", "漏", "油缸", "缸漏", "油缸漏"];
    assert_eq!(texts(grams(text)), expected);
    for gram in grams(text).into_iter().chain(sounds(text)) {
        assert!(text.get(gram.offset_from..gram.offset_to).is_some());
    }
}

#[test]
fn what_sounds_alike_has_the_same_sounds() {
    for (right, slip) in [("钢筘", "钢扣"), ("综丝", "宗丝"), ("储纬器", "除纬器"), ("绞边", "胶边")]
    {
        assert_eq!(texts(sounds(right)), texts(sounds(slip)), "{right} {slip}");
    }
    assert_ne!(texts(sounds("钢筘")), texts(sounds("刹车")));
    assert!(sounds("筘 reed").is_empty());
}

proptest::proptest! {
    #[test]
    fn no_text_breaks_the_terms(text in ".{0,60}") {
        for token in zh(&text).into_iter().chain(en(&text)).chain(latin(&text)) {
            proptest::prop_assert!(text.get(token.offset_from..token.offset_to).is_some());
        }
        codes(&text);
        grams(&text);
        sounds(&text);
        crate::features::of(&text);
    }
}
