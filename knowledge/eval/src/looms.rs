//! The Chinese test set for looms: diagnosis, search, mixed languages, cloth defects, homophone slips, and what is no fault of a loom.

use std::borrow::Cow;
use std::collections::HashMap;

use retrieval::casebase::{CaseBase, Experience, Pool, Ranking, Seen};
use retrieval::coding::Target;
use retrieval::features;
use retrieval::index::{Document, Expected, Facet, Filter, Question, TextIndex};

use crate::Split;
use crate::baseline::{Plain, grams, votes, words};
use crate::codes::calibration;
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
    if split == Split::Dev {
        return cross_validated(&history.into_iter().chain(of("dev")).collect::<Vec<_>>());
    }
    let (questions, second) = (of("held_out"), of("held_out_2"));
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
    table("Looms: failure mode from Chinese text, held out first (spent)", &questions);
    table("Looms: failure mode from Chinese text, held out second", &second);
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
    println!("\nOf {} texts that are no fault of a loom {taken} were taken for a match.", unknown.len());
    for (name, questions) in [("first", &questions), ("second", &second)] {
        let ranked: Vec<(bool, bool, f64)> = questions
            .iter()
            .map(|question| {
                let ranking = rank(&question.text);
                let first = &ranking.modes[0];
                (ranking.fits, first.mode == question.mode, first.probability)
            })
            .collect();
        let matched: Vec<bool> = ranked.iter().filter(|one| one.0).map(|one| one.1).collect();
        let (ece, brier) = calibration(&ranked.iter().map(|(_, right, p)| (*p, *right)).collect::<Vec<_>>());
        println!(
            "\nHeld out {name}: a match in {} of {}, {} of them right. Calibration of the first candidate: ECE {ece:.3}, Brier {brier:.3}.",
            matched.len(),
            ranked.len(),
            matched.iter().filter(|right| **right).count()
        );
    }
    for (name, questions) in [("held out first (spent)", questions), ("held out second", second)] {
        found(name, &[Asked { history: history.clone(), questions, experience: experience.as_ref() }]);
    }
}

/// Chooses weights on the episodes that are not held out: each is asked for once, by a history without its part.
fn cross_validated(all: &[&Loom]) {
    const PARTS: usize = 6;
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let parts: Vec<usize> = all
        .iter()
        .map(|loom| {
            let number = seen.entry(&loom.mode).or_default();
            *number += 1;
            *number % PARTS
        })
        .collect();
    let split = |part: usize, own: bool| -> Vec<&Loom> {
        all.iter().zip(&parts).filter(|(_, of)| (**of == part) == own).map(|(loom, _)| *loom).collect()
    };
    let folds: Vec<_> = (0..PARTS)
        .map(|part| {
            let history = split(part, false);
            let base = episodes(&history);
            let experience = base.lesson(u64::MAX).map(|_| base.at(u64::MAX).learn());
            (base, experience, split(part, true), history)
        })
        .collect();
    let mut ways: Vec<Way> = Vec::new();
    let mut score = |name: String, ranked: &dyn Fn(usize, &str) -> Vec<String>| {
        let mut scores = vec![Vec::new(), Vec::new()];
        for (fold, (_, _, questions, _)) in folds.iter().enumerate() {
            for question in questions {
                let ranked = ranked(fold, &question.text);
                let ranked: Vec<&str> = ranked.iter().map(String::as_str).collect();
                scores.iter_mut().zip(hits(&ranked, &question.mode)).for_each(|(scores, hit)| scores.push(hit));
            }
        }
        ways.push(Way { name, scores });
    };
    score("baseline: votes of the 10 nearest by BM25 over characters".to_owned(), &|fold, text| {
        let history = &folds[fold].3;
        let labels: Vec<&str> = history.iter().map(|loom| loom.mode.as_str()).collect();
        let near = Plain::new(history.iter().map(|loom| loom.text.as_str()), &grams);
        votes(&near.best(text, 10), &labels).into_iter().map(str::to_owned).collect()
    });
    let ours = Pool::default();
    let alone = Pool { coder: 0.0, bayes: 0.0, votes: 0.0, looks: 0.0, ..ours };
    let mut settings =
        vec![ours, Pool { looks: 1.0, ..alone }, Pool { coder: 1.0, ..alone }, Pool { votes: 1.0, ..alone }];
    settings.extend([0.0, 0.5, 1.0, 4.0, 8.0].map(|looks| Pool { looks, ..ours }));
    settings.extend([0.0, 1.0].map(|votes| Pool { votes, ..ours }));
    settings.extend([0.25, 0.5].map(|coder| Pool { coder, ..ours }));
    for pool in settings {
        score(format!("{pool:?}"), &|fold, text| {
            let (base, experience, ..) = &folds[fold];
            let ranking = base.at(u64::MAX).rank_by(&Seen { text, ..Seen::default() }, experience.as_ref(), pool);
            ranking.modes.into_iter().map(|mode| mode.mode).collect()
        });
    }
    print("Looms: failure mode, cross-validated over the episodes that are not held out", &["hit@1", "hit@3"], &ways);
    let parts = folds.iter().map(|(_, experience, questions, history)| Asked {
        history: history.clone(),
        questions: questions.clone(),
        experience: experience.as_ref(),
    });
    found("cross-validated", &parts.collect::<Vec<_>>());
}

/// Questions with the history that they are asked of, and what was learnt from it.
struct Asked<'a> {
    history: Vec<&'a Loom>,
    questions: Vec<&'a Loom>,
    experience: Option<&'a Experience>,
}

/// Search for episodes of the same failure mode.
fn found(name: &str, parts: &[Asked<'_>]) {
    let names = [
        "baseline: BM25 over characters 1-3",
        "baseline: BM25 over jieba's words",
        "ours, text alone",
        "ours, with what coding expects",
    ];
    let mut ways = names.map(|name| Way { name: name.to_owned(), scores: vec![Vec::new(), Vec::new()] });
    for Asked { history, questions, experience } in parts {
        let index = TextIndex::in_memory().unwrap();
        let documents = history.iter().enumerate().map(|(number, loom)| {
            let document = Document {
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
        let ours = |text: &str, coded: bool| -> Vec<usize> {
            let mut expected = Expected::new();
            if let Some(experience) = experience.filter(|_| coded) {
                let codes = experience.coder.probabilities(Target::Mode, &features::of(text));
                expected.push((Facet::Mode, codes.into_iter().map(|(code, p)| (code.to_owned(), p as f32)).collect()));
            }
            let question = Question { text, expected, ..Question::default() };
            let filter = Filter { position: u64::MAX, ..Filter::default() };
            let found = view.search(&filter, Some(&question), (0, 50), &[]).unwrap();
            found.hits.iter().map(|hit| usize::from_le_bytes(hit.body[..].try_into().unwrap())).collect()
        };
        let plain = |list: Vec<(usize, f64)>| list.into_iter().map(|(at, _)| at).collect::<Vec<_>>();
        for question in questions {
            let text = question.text.as_str();
            let ranked =
                [plain(by_grams.best(text, 50)), plain(by_words.best(text, 50)), ours(text, false), ours(text, true)];
            let all = history.iter().filter(|loom| loom.mode == question.mode).count();
            for (way, ranked) in ways.iter_mut().zip(ranked) {
                let fits: Vec<bool> = ranked.iter().map(|at| history[*at].mode == question.mode).collect();
                way.scores[0].push(ndcg(&fits, all, 10));
                way.scores[1].push(reciprocal_rank(&fits));
            }
        }
    }
    print(&format!("Looms: search for episodes of the same mode, {name}"), &["nDCG@10", "MRR"], &ways);
}
