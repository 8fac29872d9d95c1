use std::borrow::Cow;

use super::*;
use crate::curated::Curated;

fn document(number: u64, text: &str, mode: &str, valid_to: Option<u64>) -> Document {
    Document {
        id: number.to_string(),
        facets: vec![(Facet::Kind, "fault".to_owned()), (Facet::Mode, mode.to_owned())],
        texts: vec![text.to_owned()],
        codes: vec![format!("A-{}", 100 + number)],
        time_ns: Some(i64::try_from(number).unwrap()),
        valid_from: number,
        valid_to,
        body: number.to_le_bytes().to_vec(),
    }
}

fn view() -> View {
    let texts = [
        ("R/H crowd cylinder front seal leaking", "LEAK"),
        ("L/H BUCKET CYL GLAND SEAL LEAKING", "LEAK"),
        ("bucket tooth missing", "LOOSE"),
        ("engine overheating", "HOT"),
        ("钢筘筘齿弯，布面筘路", "REED"),
        ("主喷嘴堵塞，纬纱到得晚", "NOZZLE"),
        ("engine hot", "HOT"),
    ];
    let index = TextIndex::in_memory().unwrap();
    let documents =
        (0..).zip(texts).map(|(number, (text, mode))| (false, Cow::Owned(document(number, text, mode, None))));
    index.commit(documents, "7").unwrap()
}

fn found(view: &View, question: &Question<'_>) -> Vec<u64> {
    let filter = Filter { position: u64::MAX, ..Filter::default() };
    let found = view.search(&filter, Some(question), (0, 10), &[]).unwrap();
    found.hits.iter().map(|hit| u64::from_le_bytes(hit.body[..].try_into().unwrap())).collect()
}

fn asked(text: &str) -> Vec<u64> {
    found(&view(), &Question { text, ..Question::default() })
}

#[test]
fn what_has_every_word_comes_first_also_abbreviated() {
    assert_eq!(asked("bucket cylinder leaking")[0], 1);
    assert_eq!(asked("bucket cyl leaking")[0], 1);
}

#[test]
fn typos_homophones_codes_and_the_other_language_find_it() {
    let check = |text: &str, expected: u64| assert_eq!(asked(text).first(), Some(&expected), "{text}");
    check("buckt toth mising", 2);
    check("overheeting", 3);
    check("钢扣扣齿", 4);
    check("reed mark", 4);
    check("main nozzle clogged", 5);
    check("喷嘴", 5);
    check("a-102", 2);
    assert_eq!(asked("zzzz 魑魅"), Vec::<u64>::new());
}

#[test]
fn of_those_that_share_as_much_the_one_that_says_less_beside_it_comes_first() {
    let check = |question: &str, texts: [&str; 2]| {
        let index = TextIndex::in_memory().unwrap();
        let documents = (0..).zip(texts).map(|(number, text)| (false, Cow::Owned(document(number, text, "X", None))));
        let view = index.commit(documents, "2").unwrap();
        assert_eq!(found(&view, &Question { text: question, ..Question::default() }), [0, 1], "{question}");
    };
    check("hose leaking", ["hose leaking", "hose leaking at the swing motor, ordered a new one"]);
    check("筘齿弯", ["筘齿弯", "筘齿弯了以后换过一片，布面还是有路"]);
}

#[test]
fn what_is_expected_is_preferred_and_what_is_excepted_left_out() {
    let view = view();
    let expected = vec![(Facet::Mode, vec![("HOT".to_owned(), 0.9_f32), ("LEAK".to_owned(), 0.1)])];
    let question = Question { text: "engine leaking", expected, ..Question::default() };
    assert!(found(&view, &question)[..2].iter().all(|number| [3, 6].contains(number)));
    let like = Question { text: "engine overheating", except: Some("3"), ..Question::default() };
    assert_eq!(found(&view, &like), [6]);
}

#[test]
fn facets_are_counted_among_everything_that_fits() {
    let view = view();
    let filter = Filter { position: u64::MAX, ..Filter::default() };
    let all = view.search(&filter, None, (0, 1), &[Facet::Mode, Facet::Kind]).unwrap();
    assert_eq!((all.hits.len(), all.total), (1, 7));
    let counts = &all.facets["mode"];
    assert_eq!(counts[..2], [("HOT".to_owned(), 2), ("LEAK".to_owned(), 2)]);
    assert_eq!(all.facets["kind"], [("fault".to_owned(), 7)]);
    let narrowed = Filter { facets: vec![(Facet::Mode, vec!["HOT".to_owned()])], ..filter };
    let hot = view.search(&narrowed, None, (0, 10), &[Facet::Mode]).unwrap();
    assert_eq!((hot.total, hot.facets["mode"].len()), (2, 1));
}

#[test]
fn a_position_sees_the_versions_that_were_valid_then() {
    let index = TextIndex::in_memory().unwrap();
    let first = document(1, "pump noisy", "UNKNOWN", None);
    index.commit([(false, Cow::Borrowed(&first))].into_iter(), "2").unwrap();
    let ended = Document { valid_to: Some(5), ..first };
    let second = Document { valid_from: 5, valid_to: None, body: 99_u64.to_le_bytes().to_vec(), ..ended.clone() };
    let view = index.commit([(true, Cow::Borrowed(&ended)), (false, Cow::Borrowed(&second))].into_iter(), "6").unwrap();
    assert_eq!(view.len(), 2);
    for (position, body) in [(1, 1_u64), (4, 1), (5, 99), (u64::MAX, 99)] {
        let filter = Filter { position, ..Filter::default() };
        let question = Question { text: "pump", ..Question::default() };
        let found = view.search(&filter, Some(&question), (0, 10), &[]).unwrap();
        assert_eq!(found.total, 1, "{position}");
        assert_eq!(found.hits[0].body, body.to_le_bytes(), "{position}");
        assert_eq!(view.version_of("1", position).unwrap(), Some(body.to_le_bytes().to_vec()));
    }
    assert_eq!(view.version_of("1", 0).unwrap(), None);
    let changed = |from, through| view.changed(from, through).unwrap().len();
    assert_eq!((changed(0, 9), changed(2, 5), changed(2, 6), changed(6, u64::MAX)), (2, 0, 2, 0));
    assert_eq!(view.heads(&["1", "2"]).unwrap(), [99_u64.to_le_bytes().to_vec()]);
}

#[test]
fn what_is_near_in_meaning_is_found_without_a_word_and_obeys_the_filter() {
    let view = view();
    let weights = Some(Weights { near: 1.0, ..Weights::of("pump noisy") });
    let near = vec![("3@3".to_owned(), 0.9), ("2@2".to_owned(), 0.8), ("99@99".to_owned(), 0.7)];
    let question = Question { text: "hot", near, weights, ..Question::default() };
    assert_eq!(found(&view, &question), [6, 3, 2], "a word and no meaning, then meaning alone");
    let of = |position: u64, mode: &str| {
        let facets = vec![(Facet::Mode, vec![mode.to_owned()])];
        let filter = Filter { position, facets, ..Filter::default() };
        let found = view.search(&filter, Some(&question), (0, 10), &[]).unwrap();
        let numbers = found.hits.iter().map(|hit| u64::from_le_bytes(hit.body[..].try_into().unwrap()));
        (numbers.collect::<Vec<_>>(), found.total)
    };
    assert_eq!(of(u64::MAX, "HOT"), (vec![6, 3], 2));
    assert_eq!(of(u64::MAX, "LOOSE"), (vec![2], 1));
    assert_eq!(of(2, "HOT"), (vec![], 0), "neither was valid then");
    let excepted = Question { except: Some("3"), ..question.clone() };
    assert_eq!(found(&view, &excepted), [6, 2]);
    let off = Question { weights: None, ..question.clone() };
    assert_eq!(found(&view, &off), [6], "a list that is worth nothing brings nothing");
}

#[test]
fn words_of_the_plant_find_what_the_dictionary_does_not_know() {
    let view = view();
    let curated = Curated::new(
        Some(3),
        vec![vec!["歪牙".to_owned(), "筘齿弯".to_owned()], vec!["boiling".to_owned(), "overheating".to_owned()]],
        vec![("tth".to_owned(), "tooth".to_owned())],
    );
    let first = |text, curated| found(&view, &Question { text, curated, ..Question::default() }).first().copied();
    for (text, expected) in [("歪牙", 4), ("boiling", 3), ("tth", 2)] {
        assert_eq!(first(text, Some(&curated)), Some(expected), "{text}");
        assert_ne!(first(text, None), Some(expected), "{text} is not known without them");
    }
    let snippets = Snippets::new(&view, "boiling", Some(&curated));
    assert_eq!(snippets.en("engine overheating"), "engine <b>overheating</b>");
}
