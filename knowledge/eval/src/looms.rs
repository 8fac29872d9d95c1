//! The Chinese test set for looms: diagnosis, search, mixed languages, cloth defects, homophone slips, and what is no fault of a loom.

use std::borrow::Cow;

use retrieval::casebase::{CaseBase, Experience, Ranking, Seen};
use retrieval::coding::Target;
use retrieval::features;
use retrieval::index::{Document, Expected, Facet, Filter, Question, TextIndex, Weights};

use crate::Split;
use crate::baseline::{Plain, grams, votes, words};
use crate::data::{self, Loom};
use crate::score::{ndcg, reciprocal_rank};
use crate::table::{Way, print};

fn episodes(history: &[&Loom]) -> CaseBase {
    let mut base = CaseBase::default();
    // The order of an authored set means nothing: it is shuffled, so that every mode is among what calibration holds back.
    let mut order: Vec<usize> = (0..history.len()).collect();
    let mut numbers = crate::score::Numbers(11);
    for end in (1..order.len()).rev() {
        order.swap(end, numbers.below(end + 1));
    }
    for (position, at) in (0..).zip(order) {
        let key = at.to_string();
        base.said(&key, &history[at].text, position);
        base.was_coded(&key, [Some(&history[at].mode), None, None, None], position);
    }
    base
}

fn hits(ranked: &[&str], wanted: &str) -> [f64; 2] {
    let within = |depth: usize| ranked.iter().take(depth).any(|mode| wanted.split('|').any(|one| one == *mode));
    [f64::from(u8::from(within(1))), f64::from(u8::from(within(3)))]
}

pub fn run(split: Split) {
    let all = data::looms();
    let of = |part: &str| -> Vec<&Loom> { all.iter().filter(|loom| loom.part == part).collect() };
    let history = of("history");
    let questions = of(if split == Split::Dev { "dev" } else { "held_out" });
    let base = episodes(&history);
    let experience = base.lesson(u64::MAX).map(|_| base.at(u64::MAX).learn());
    let rank = |text: &str| base.at(u64::MAX).rank(&Seen { text, ..Seen::default() }, experience.as_ref());
    let labels: Vec<&str> = history.iter().map(|loom| loom.mode.as_str()).collect();
    let by_grams = Plain::new(history.iter().map(|loom| loom.text.as_str()), &grams);
    let by_words = Plain::new(history.iter().map(|loom| loom.text.as_str()), &words);
    let table = |title: &str, questions: &[&Loom]| {
        let mut ways: Vec<Way> = [
            "baseline: votes of the 10 nearest by BM25 over characters",
            "baseline: the same over jieba's words",
            "ours",
        ]
        .iter()
        .map(|name| Way { name: (*name).to_owned(), scores: vec![Vec::new(), Vec::new()] })
        .collect();
        for question in questions {
            let ranking = rank(&question.text);
            let ours: Vec<&str> = ranking.modes.iter().map(|mode| mode.mode.as_str()).collect();
            let nearest = [&by_grams, &by_words].map(|plain| votes(&plain.best(&question.text, 10), &labels));
            let [grams, words] = nearest;
            for (way, ranked) in ways.iter_mut().zip([grams, words, ours]) {
                for (scores, hit) in way.scores.iter_mut().zip(hits(&ranked, &question.mode)) {
                    scores.push(hit);
                }
            }
        }
        print(title, &["hit@1", "hit@3"], &ways);
    };
    table("Looms: failure mode from Chinese text", &questions);
    let asked = data::loom_questions();
    for (kind, title) in [
        ("mixed", "Looms: mixed languages"),
        ("defect", "Looms: cloth defects"),
        ("homophone", "Looms: homophone slips"),
    ] {
        table(title, &asked.iter().filter(|question| question.part == kind).collect::<Vec<_>>());
    }
    let unknown: Vec<Ranking> = asked.iter().filter(|one| one.part == "unknown").map(|one| rank(&one.text)).collect();
    let taken = unknown.iter().filter(|ranking| ranking.fits).count();
    let known = questions.iter().filter(|question| rank(&question.text).fits).count();
    println!(
        "\nOf {} texts that are no fault of a loom {taken} were taken for a match; of {} that are, {known}.",
        unknown.len(),
        questions.len()
    );
    found(&history, &questions, split, experience.as_ref());
}

fn found(history: &[&Loom], questions: &[&Loom], split: Split, experience: Option<&Experience>) {
    let index = TextIndex::in_memory().unwrap();
    let documents = history.iter().enumerate().map(|(number, loom)| {
        let document = Document {
            key: number.to_string(),
            id: number.to_string(),
            facets: vec![(Facet::Mode, loom.mode.clone())],
            texts: vec![loom.text.clone()],
            valid_from: number as u64,
            body: number.to_le_bytes().to_vec(),
            ..Document::default()
        };
        (false, Cow::Owned(document))
    });
    let view = index.commit(documents, "evaluation").unwrap();
    let by_grams = Plain::new(history.iter().map(|loom| loom.text.as_str()), &grams);
    let by_words = Plain::new(history.iter().map(|loom| loom.text.as_str()), &words);
    let ours = |text: &str, weights: Option<Weights>, coded: bool| -> Vec<usize> {
        let mut expected = Expected::new();
        if let Some(experience) = experience.filter(|_| coded) {
            let codes = experience.coder.probabilities(Target::Mode, &features::of(text));
            expected.push((Facet::Mode, codes.into_iter().map(|(code, p)| (code.to_owned(), p as f32)).collect()));
        }
        let question = Question { text, expected, weights, except: None };
        let filter = Filter { position: u64::MAX, ..Filter::default() };
        let found = view.search(&filter, Some(&question), (0, 50), &[]).unwrap();
        found.hits.iter().map(|hit| usize::from_le_bytes(hit.body[..].try_into().unwrap())).collect()
    };
    let mut ways: Vec<Way> = Vec::new();
    let mut score = |name: String, find: &dyn Fn(&str) -> Vec<usize>| {
        let mut scores = vec![Vec::new(), Vec::new()];
        for question in questions {
            let fits: Vec<bool> = find(&question.text).iter().map(|at| history[*at].mode == question.mode).collect();
            scores[0].push(ndcg(&fits, history.iter().filter(|loom| loom.mode == question.mode).count(), 10));
            scores[1].push(reciprocal_rank(&fits));
        }
        ways.push(Way { name, scores });
    };
    let plain = |list: Vec<(usize, f64)>| list.into_iter().map(|(at, _)| at).collect::<Vec<_>>();
    score("baseline: BM25 over characters 1-3".to_owned(), &|text| plain(by_grams.best(text, 50)));
    score("baseline: BM25 over jieba's words".to_owned(), &|text| plain(by_words.best(text, 50)));
    score("ours, text alone".to_owned(), &|text| ours(text, None, false));
    score("ours, with what coding expects".to_owned(), &|text| ours(text, None, true));
    if split == Split::Dev {
        for (words, grams, sounds, coverage) in [
            (1.0, 0.0, 0.0, 0.0),
            (0.0, 1.0, 0.0, 0.0),
            (1.0, 1.0, 0.0, 0.0),
            (1.0, 1.0, 0.3, 0.0),
            (1.0, 1.0, 1.0, 0.0),
            (0.5, 1.0, 0.5, 0.6),
            (1.0, 0.5, 0.5, 0.3),
        ] {
            let weights = Weights { words, grams, sounds, coverage, complete: 0.0, expected: 0.0 };
            score(format!("{weights:?}"), &|text| ours(text, Some(weights), false));
        }
    }
    print("Looms: search for episodes of the same mode", &["nDCG@10", "MRR"], &ways);
}
