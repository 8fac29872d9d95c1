//! An FMEA sheet as documents, a row a document: questions by name, by part and mode, by meaning, and by numbers.
//!
//! The first three are for search. Questions by numbers are for filters over the sheet's fields, which search has none of: they are asked all the same,
//! so that the table shows what comes of it.

use std::borrow::Cow;

use retrieval::index::{Document, Filter, Question, TextIndex};

use crate::baseline::{Plain, grams, words};
use crate::data;
use crate::score::{ndcg, reciprocal_rank};
use crate::table::{Way, print, skipped};

/// The names of the sheet's columns in questions, in their order.
const FIELDS: [&str; 12] = [
    "subsystem",
    "component",
    "sub",
    "mode",
    "effect",
    "severity",
    "cause",
    "occurrence",
    "controls",
    "detection",
    "rpn",
    "action",
];

/// The columns that are words.
const TEXTS: [usize; 8] = [0, 1, 2, 3, 4, 6, 8, 11];

/// A question, and which rows answer it.
pub struct Asked {
    pub kind: String,
    pub text: String,
    pub rows: Vec<bool>,
}

/// The rows' texts, and the questions.
pub fn asked(rows: &[Vec<String>]) -> (Vec<String>, Vec<Asked>) {
    let texts = rows.iter().map(|row| TEXTS.map(|column| row[column].as_str()).join(". ")).collect();
    let asked = data::fmea_questions().into_iter().map(|[kind, wanted, text]| {
        let rows: Vec<bool> = rows.iter().map(|row| answers(&wanted, row)).collect();
        assert!(rows.contains(&true), "no row answers {text:?}");
        Asked { kind, text, rows }
    });
    (texts, asked.collect())
}

fn answers(wanted: &str, row: &[String]) -> bool {
    wanted.split(';').all(|wanted| {
        let at = wanted.find(['=', '~', '>']).unwrap_or_else(|| panic!("{wanted:?} compares nothing"));
        let column = FIELDS.iter().position(|field| *field == &wanted[..at]);
        let value = row[column.unwrap_or_else(|| panic!("{wanted:?} names no field"))].trim().to_lowercase();
        let rest = wanted[at..].to_lowercase();
        match rest.strip_prefix(">=") {
            Some(least) => value.parse::<f64>().is_ok_and(|value| value >= least.parse::<f64>().unwrap()),
            None if rest.starts_with('=') => value == rest[1..],
            None => rest[1..].split('|').any(|part| value.contains(part)),
        }
    })
}

pub fn run() {
    let rows = match data::fmea() {
        Ok(rows) => rows,
        Err(reason) => return skipped("FMEA sheet", &reason),
    };
    let (texts, asked) = asked(&rows);
    let index = TextIndex::in_memory().unwrap();
    let documents = rows.iter().enumerate().map(|(number, row)| {
        let document = Document {
            id: number.to_string(),
            texts: TEXTS.map(|column| row[column].clone()).to_vec(),
            valid_from: number as u64,
            body: number.to_le_bytes().to_vec(),
            ..Document::default()
        };
        (false, Cow::Owned(document))
    });
    let view = index.commit(documents, "evaluation").unwrap();
    let by_grams = Plain::new(texts.iter().map(String::as_str), &grams);
    let by_words = Plain::new(texts.iter().map(String::as_str), &words);
    let plain = |list: Vec<(usize, f64)>| list.into_iter().map(|(row, _)| row).collect::<Vec<_>>();
    let ours = |text: &str| -> Vec<usize> {
        let filter = Filter { position: u64::MAX, ..Filter::default() };
        let found = view.search(&filter, Some(&Question { text, ..Question::default() }), (0, 50), &[]).unwrap();
        found.hits.iter().map(|hit| usize::from_le_bytes(hit.body[..].try_into().unwrap())).collect()
    };
    let mut kinds: Vec<&str> = asked.iter().map(|one| one.kind.as_str()).collect();
    kinds.dedup();
    for kind in kinds {
        let of_kind: Vec<&Asked> = asked.iter().filter(|one| one.kind == kind).collect();
        let score = |name: &str, find: &dyn Fn(&str) -> Vec<usize>| {
            let mut scores = vec![Vec::new(), Vec::new()];
            for one in &of_kind {
                let fits: Vec<bool> = find(&one.text).into_iter().map(|row| one.rows[row]).collect();
                scores[0].push(ndcg(&fits, one.rows.iter().filter(|row| **row).count(), 10));
                scores[1].push(reciprocal_rank(&fits));
            }
            Way { name: name.to_owned(), scores }
        };
        let ways = [
            score("baseline: BM25 over characters 3-4", &|text| plain(by_grams.best(text, 50))),
            score("baseline: BM25 over words", &|text| plain(by_words.best(text, 50))),
            score("ours", &ours),
        ];
        print(&format!("FMEA sheet, {} rows: questions by {kind}", rows.len()), &["nDCG@10", "MRR"], &ways);
    }
}
