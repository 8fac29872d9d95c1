use std::borrow::Cow;

use tantivy::collector::TopDocs;
use tantivy::query::Occur;

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
fn what_is_gathered_is_what_boolean_queries_find() {
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
    let one = |at: usize| Box::new(scored(&terms[at])) as Box<dyn Query>;
    for (needed, any) in (1..=5).flat_map(|needed| [vec![], vec![2], vec![0, 4]].map(|any| (needed, any))) {
        let clauses = (0..terms.len()).map(|at| (Occur::Should, one(at))).collect();
        let enough = boosted(Box::new(BooleanQuery::with_minimum_required_clauses(clauses, needed)), 0.5);
        let clauses = any.iter().map(|at| one(*at)).chain([enough]).map(|query| (Occur::Should, query)).collect();
        let expected = found(&BooleanQuery::new(clauses));
        let enough = vec![Enough { terms: terms.clone(), needed, worth: 0.5 }];
        let ours = found(&Gathered { any: any.iter().map(|at| one(*at)).collect(), enough, only: None });
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
fn a_tally_is_empty_again_when_it_was_walked_through() {
    let index = TextIndex::in_memory().unwrap();
    for documents in [200_usize, 10, 64, 130] {
        let document = |_| (false, Cow::Owned(Document { texts: vec!["pump".to_owned()], ..Document::default() }));
        let view = index.commit((0..documents).map(document), "").unwrap();
        for segment in view.searcher.segment_readers() {
            let last = segment.max_doc() - 1;
            let mut tallied = Tallied::of(segment);
            let tally = &mut tallied.tally;
            assert!(tally.0.iter().all(|stretch| stretch.summed == 0 && stretch.counted == 0));
            assert!((0..=last).all(|document| tally.sum(document) == 0.0));
            for document in [0, last, last] {
                tally.count(document, 1.5);
            }
            tally.0.iter_mut().for_each(|stretch| stretch.add_counted(2, 2.0));
            assert!(tally.0.iter().all(|stretch| stretch.counted == 0 && stretch.counts == [0; STRETCH]));
            tally.add(last, 4.0);
            tally.add(last / 2, 1.0);
            tallied.begin(None);
            let walked = [tallied.doc(), tallied.advance(), tallied.advance(), tallied.advance()];
            assert_eq!((walked, tallied.size_hint()), ([last / 2, last, TERMINATED, TERMINATED], 2));
            assert_eq!((tallied.tally.sum(last / 2), tallied.tally.sum(last)), (1.0, 10.0));
        }
    }
}

#[test]
fn seeking_in_a_tally_stops_at_the_first_document_from_there_on() {
    let index = TextIndex::in_memory().unwrap();
    let document = |_| (false, Cow::Owned(Document { texts: vec!["pump".to_owned()], ..Document::default() }));
    let view = index.commit((0..300).map(document), "").unwrap();
    let there = [3_u32, 63, 64, 200, 299];
    for target in 0..=300 {
        let mut tallied = Tallied::of(view.searcher.segment_reader(0));
        there.iter().for_each(|document| tallied.tally.add(*document, 1.0));
        tallied.begin(None);
        let expected = there.iter().copied().find(|document| *document >= target).unwrap_or(TERMINATED);
        assert_eq!((tallied.seek(target), tallied.doc()), (expected, expected), "{target}");
    }
    let only = [u64::MAX, !1, 0, u64::MAX];
    let mut tallied = Tallied::of(view.searcher.segment_reader(0));
    there.iter().for_each(|document| tallied.tally.add(*document, 1.0));
    tallied.begin(Some(&only));
    assert_eq!([tallied.doc(), tallied.advance(), tallied.advance(), tallied.advance()], [3, 63, 200, TERMINATED]);
}
