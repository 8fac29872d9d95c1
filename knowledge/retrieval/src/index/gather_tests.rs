use std::borrow::Cow;

use tantivy::collector::TopDocs;

use super::*;
use crate::index::{Document, TextIndex};

#[test]
fn the_rarest_are_read_as_far_as_the_limit_goes_and_one_that_is_there_in_any_case() {
    let check = |things: &[(u64, char)], most, expected: &str| {
        assert_eq!(rarest(things.to_vec(), most).into_iter().collect::<String>(), expected, "{things:?} {most}");
    };
    check(&[(5, 'a'), (1, 'b'), (4, 'c')], 5, "bc");
    check(&[(5, 'a'), (1, 'b'), (4, 'c')], 10, "bca");
    check(&[(9, 'a'), (7, 'b')], 5, "b");
    check(&[(0, 'a'), (9, 'b'), (0, 'c'), (9, 'd')], 5, "acb");
    check(&[(2, 'b'), (2, 'a'), (2, 'c')], 4, "ba");
    check(&[], 5, "");
}

#[test]
fn enough_of_some_terms_is_what_a_boolean_query_with_a_minimum_finds() {
    let index = TextIndex::in_memory().unwrap();
    let words = ["pump", "seal", "leak", "hose", "track"];
    let mut view = index.view();
    let mut compared = 0;
    for number in 0..64_usize {
        let text: Vec<&str> = (0..6).filter(|bit| number >> bit & 1 == 1).map(|bit| words[bit % 5]).collect();
        let document = Document { texts: vec![text.join(" ")], ..Document::default() };
        view = index.commit([(false, Cow::Owned(document))].into_iter(), "").unwrap();
    }
    let terms: Vec<Term> = words.iter().map(|word| Term::from_field_text(view.fields.en, word)).collect();
    let found = |query: &dyn Query| -> Vec<(DocId, u32, f32)> {
        let top = TopDocs::with_limit(100).order_by_score();
        let mut found: Vec<_> = view.searcher.search(query, &top).unwrap();
        found.sort_by_key(|(_, address)| *address);
        found.into_iter().map(|(score, address)| (address.doc_id, address.segment_ord, score)).collect()
    };
    for needed in 1..=5 {
        let clauses = terms.iter().map(|term| (Occur::Should, Box::new(scored(term)) as Box<dyn Query>)).collect();
        let expected = found(&BooleanQuery::with_minimum_required_clauses(clauses, needed));
        let ours = found(&Enough { terms: terms.clone(), needed });
        assert_eq!(ours.len(), expected.len(), "{needed}");
        for (ours, expected) in ours.iter().zip(&expected) {
            assert_eq!((ours.0, ours.1), (expected.0, expected.1), "{needed}");
            assert!((ours.2 - expected.2).abs() < 1e-4, "{needed}: {ours:?} {expected:?}");
            compared += 1;
        }
    }
    assert!(compared > 50, "{compared}");
}

#[test]
fn a_tally_is_empty_again_and_serves_segments_of_any_length() {
    let mut tally = Tally::default();
    for documents in [200_u32, 10, 64, 130] {
        let all = usize::try_from(documents).unwrap();
        tally.reach(all);
        for document in [0, documents / 2, documents / 2, documents - 1, documents - 1] {
            tally.add(document, 1.5);
        }
        assert_eq!(tally.take(all, 2, 2.0), [(documents / 2, 6.0), (documents - 1, 6.0)], "of {documents}");
        assert!(tally.counts.iter().all(|count| *count == 0) && tally.scores.iter().all(|score| *score == 0.0));
    }
}
