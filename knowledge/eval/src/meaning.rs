//! Vectors of an embedding model beside words: excavators, looms in Chinese, and the FMEA sheet's questions by meaning. The model is the folder that
//! `MILLWRIGHT_EMBEDDING_MODEL` names.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use embedding::Bert;
use retrieval::index::{Document, Weights};
use retrieval::vectors::{Batch, Change, Embedder, Vectors};

use crate::Split;
use crate::data;
use crate::fmea;
use crate::score::{ndcg, reciprocal_rank};
use crate::search::Searched;
use crate::table::{Way, print, skipped};

/// How many near texts are judged with what words find, as in a server.
const NEAREST: usize = 100;

/// The weights that are tried.
const WORTHS: [f32; 5] = [0.25, 0.5, 1.0, 2.0, 4.0];

/// Vectors of texts, each under its number.
fn vectors(model: &Arc<Bert>, texts: &[&str]) -> Vectors {
    let vectors = Vectors::open(Arc::clone(model) as Arc<dyn Embedder>, None).unwrap();
    let change = |(number, text): (u64, &&str)| Change {
        key: Document::key(&number.to_string(), number),
        text: (*text).to_owned(),
        valid_from: number,
        valid_to: None,
    };
    let changes = (0..).zip(texts).map(change).collect();
    let begun = Instant::now();
    vectors.follow(|_| Ok(Batch { changes, through: texts.len() as u64 })).unwrap();
    println!(
        "\n{} texts embedded in {:.1} s, {:.1} ms each.",
        texts.len(),
        begun.elapsed().as_secs_f64(),
        begun.elapsed().as_secs_f64() * 1e3 / texts.len() as f64
    );
    vectors
}

/// Texts that are searched, with what makes one of them an answer.
struct Set<'a> {
    title: String,
    texts: Vec<&'a str>,
    questions: Vec<(&'a str, Vec<bool>)>,
}

pub fn run(split: Split) {
    let Some(folder) = std::env::var_os("MILLWRIGHT_EMBEDDING_MODEL") else {
        return skipped("Vectors beside words", "MILLWRIGHT_EMBEDDING_MODEL names no folder of a model");
    };
    let model = Arc::new(Bert::open(Path::new(&folder)).unwrap());
    match data::excavators() {
        Ok(rows) => {
            let coded: Vec<_> = rows.iter().filter(|row| !row.mode.is_empty() && !row.system.is_empty()).collect();
            let (history, later) = split.of(&coded);
            let answers = |text: &data::WorkOrder| -> Vec<bool> {
                history.iter().map(|row| row.system == text.system && row.mode == text.mode).collect()
            };
            let questions = later.iter().map(|row| (row.text.as_str(), answers(row)));
            compare(
                &model,
                &Set {
                    title: "Vectors: excavators".to_owned(),
                    texts: history.iter().map(|row| row.text.as_str()).collect(),
                    questions: questions.filter(|(_, answers)| answers.contains(&true)).collect(),
                },
            );
        }
        Err(reason) => skipped("Vectors: excavators", &reason),
    }
    if split == Split::Test {
        sheet(&model);
    }
    let looms = data::looms();
    let parts: &[&str] = if split == Split::Dev { &["dev"] } else { &["held_out", "held_out_2"] };
    for part in parts {
        let history: Vec<_> = looms.iter().filter(|loom| loom.part == "history").collect();
        let questions = looms.iter().filter(|loom| loom.part == *part);
        let answers = |mode: &str| history.iter().map(|loom| loom.mode == mode).collect();
        compare(
            &model,
            &Set {
                title: format!("Vectors: looms in Chinese, {part}"),
                texts: history.iter().map(|loom| loom.text.as_str()).collect(),
                questions: questions.map(|loom| (loom.text.as_str(), answers(&loom.mode))).collect(),
            },
        );
    }
}

/// The FMEA sheet; no weight is chosen by it.
fn sheet(model: &Arc<Bert>) {
    let rows = match data::fmea() {
        Ok(rows) => rows,
        Err(reason) => return skipped("Vectors: FMEA sheet", &reason),
    };
    let (texts, asked) = fmea::asked(&rows);
    for kind in ["name", "part and mode", "meaning"] {
        let of_kind = asked.iter().filter(|one| one.kind == kind);
        let set = Set {
            title: format!("Vectors: FMEA sheet, questions by {kind}"),
            texts: texts.iter().map(String::as_str).collect(),
            questions: of_kind.map(|one| (one.text.as_str(), one.rows.clone())).collect(),
        };
        compare(model, &set);
    }
}

fn compare(model: &Arc<Bert>, set: &Set<'_>) {
    let vectors = vectors(model, &set.texts);
    let searched = Searched::plain(&set.texts);
    let near = |text: &str| -> Vec<(String, f32)> {
        let near = vectors.nearest(text, u64::MAX, NEAREST).unwrap().unwrap_or_default().0;
        near.into_iter().map(|near| (near.key, near.similarity)).collect()
    };
    let score = |name: String, find: &dyn Fn(&str) -> Vec<usize>| {
        let mut scores = vec![Vec::new(), Vec::new()];
        for (text, answers) in &set.questions {
            let fits: Vec<bool> = find(text).into_iter().map(|at| answers[at]).collect();
            scores[0].push(ndcg(&fits, answers.iter().filter(|fits| **fits).count(), 10));
            scores[1].push(reciprocal_rank(&fits));
        }
        Way { name, scores }
    };
    let mut ways = vec![
        score("words alone (ours, text alone)".to_owned(), &|text| searched.near(text, Vec::new(), None)),
        score("vectors alone".to_owned(), &|text| {
            near(text).iter().map(|(key, _)| Document::read_key(key).unwrap().0.parse().unwrap()).collect()
        }),
    ];
    for worth in WORTHS {
        ways.push(score(format!("words and vectors, {worth}"), &|text| {
            searched.near(text, near(text), Some(Weights { near: worth, ..Weights::of(text) }))
        }));
    }
    print(&set.title, &["nDCG@10", "MRR"], &ways);
}
