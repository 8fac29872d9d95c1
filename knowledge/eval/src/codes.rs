//! Coding help: from free text to the failure mode that people gave, and from system and mode to what was done.

use retrieval::coding::{Coder, Example, Target};
use retrieval::features;

use crate::Split;
use crate::baseline::{Plain, frequent, grams, votes};
use crate::data::{self, WorkOrder};
use crate::score::{self, estimate};
use crate::table::{Way, print, skipped};

fn hit(ranked: &[&str], truth: &str, depth: usize) -> f64 {
    f64::from(u8::from(ranked.iter().take(depth).any(|label| *label == truth)))
}

struct Judged {
    name: String,
    hits: Vec<Vec<f64>>,
}

impl Judged {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), hits: vec![Vec::new(); 2] }
    }

    fn add(&mut self, ranked: &[&str], truth: &str) {
        self.hits[0].push(hit(ranked, truth, 1));
        self.hits[1].push(hit(ranked, truth, 3));
    }

    fn way(self) -> Way {
        Way { name: self.name, scores: self.hits }
    }
}

/// How far probabilities of the first suggestion are from how often it was right, in ten bins of equal size; and the Brier score.
pub fn calibration(sure: &[(f64, bool)]) -> (f64, f64) {
    let mut sorted = sure.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let bins = 10;
    let mut error = 0.0;
    for bin in 0..bins {
        let part = &sorted[sorted.len() * bin / bins..sorted.len() * (bin + 1) / bins];
        if part.is_empty() {
            continue;
        }
        let said = part.iter().map(|(p, _)| p).sum::<f64>() / part.len() as f64;
        let was = part.iter().filter(|(_, right)| *right).count() as f64 / part.len() as f64;
        error += (said - was).abs() * part.len() as f64 / sorted.len() as f64;
    }
    let brier =
        sure.iter().map(|(p, right)| (p - f64::from(u8::from(*right))).powi(2)).sum::<f64>() / sure.len() as f64;
    (error, brier)
}

/// What came of a question: the two scores, and whether each way was right.
type Answered = (f64, f64, bool, bool);

fn coded(title: &str, history: &[(&str, &str)], questions: &[(&str, &str)]) -> (Vec<Way>, Vec<Answered>) {
    let labels: Vec<&str> = history.iter().map(|(_, label)| *label).collect();
    let near = Plain::new(history.iter().map(|(text, _)| *text), &grams);
    let examples: Vec<Example<'_>> = history
        .iter()
        .map(|(text, label)| Example { features: features::of(text), labels: [Some(label), None, None, None] })
        .collect();
    let coder = Coder::train(&examples);
    let often = frequent(labels.iter().copied());
    let mut three = Judged::new("baseline: votes of the 3 nearest by BM25 over characters");
    let mut ten = Judged::new("baseline: votes of the 10 nearest");
    let mut most = Judged::new("baseline: the most frequent");
    let mut ours = Judged::new("ours");
    let mut sure = Vec::new();
    for (text, truth) in questions {
        let nearest = near.best(text, 10);
        three.add(&votes(&nearest[..nearest.len().min(3)], &labels), truth);
        ten.add(&votes(&nearest, &labels), truth);
        most.add(&often, truth);
        let suggested = coder.suggest(text, 3);
        let suggestions = suggested.iter().find(|one| one.target == Target::Mode).expect("enough examples");
        let ranked: Vec<&str> = suggestions.codes.iter().map(|one| one.code.as_str()).collect();
        ours.add(&ranked, truth);
        let first = &suggestions.codes[0];
        sure.push((first.probability, suggestions.right, first.code == *truth, suggestions.abstains));
    }
    let _ = title;
    (vec![ten.way(), three.way(), most.way(), ours.way()], sure)
}

fn report(title: &str, ways: &[Way], sure: &[(f64, f64, bool, bool)]) {
    print(title, &["first right", "in the first 3"], ways);
    let (ece, brier) = calibration(&sure.iter().map(|(p, _, right, _)| (*p, *right)).collect::<Vec<_>>());
    let answered: Vec<f64> =
        sure.iter().filter(|one| !one.3).map(|(_, _, right, _)| f64::from(u8::from(*right))).collect();
    println!(
        "\nCalibration of the first suggestion: ECE {ece:.3}, Brier {brier:.3}. It abstains on {} of {}; of the others {:.3} are right.",
        sure.len() - answered.len(),
        sure.len(),
        score::mean(&answered)
    );
}

pub fn run(split: Split) {
    match data::excavators() {
        Ok(rows) => excavators(split, &rows),
        Err(reason) => skipped("Coding: work orders of excavators", &reason),
    }
    match data::phrases() {
        Ok(phrases) => folds(&phrases),
        Err(reason) => skipped("Coding: FMC-MWO2KG", &reason),
    }
}

fn excavators(split: Split, rows: &[WorkOrder]) {
    let coded_rows: Vec<&WorkOrder> = rows.iter().filter(|row| !row.mode.is_empty()).collect();
    let (history, later) = split.of(&coded_rows);
    let pairs = |rows: &[&'static str]| rows.len();
    let _ = pairs;
    let history: Vec<(&str, &str)> = history.iter().map(|row| (row.text.as_str(), row.mode.as_str())).collect();
    let questions: Vec<(&str, &str)> = later.iter().map(|row| (row.text.as_str(), row.mode.as_str())).collect();
    let (ways, sure) = coded("excavators", &history, &questions);
    report(&format!("Coding: failure modes of excavators, {} earlier work orders", history.len()), &ways, &sure);
    actions(split, rows);
}

/// What was done, given the system and the mode, and what was said.
fn actions(split: Split, rows: &[WorkOrder]) {
    let done: Vec<&WorkOrder> = rows.iter().filter(|row| !row.mode.is_empty() && !row.action.is_empty()).collect();
    let (history, later) = split.of(&done);
    let mut same = Judged::new("baseline: the most frequent for the system and mode");
    let mut most = Judged::new("baseline: the most frequent of all");
    let mut shrunk = Judged::new("ours: shares for system and mode, shrunk to the mode's, to all");
    let mut said = Judged::new("ours: coder over system, mode and text");
    let features_of = |row: &WorkOrder| {
        let name = |text: String| features::hash(features::kind::NAME, &text);
        let mut all = features::of(&row.text);
        all.extend(features::counted(vec![
            name(format!("system {}", row.system)),
            name(format!("mode {}", row.mode)),
            name(format!("both {} {}", row.system, row.mode)),
        ]));
        all
    };
    let examples: Vec<Example<'_>> = history
        .iter()
        .map(|row| Example { features: features_of(row), labels: [Some(row.action.as_str()), None, None, None] })
        .collect();
    let coder = Coder::train(&examples);
    let often = frequent(history.iter().map(|row| row.action.as_str()));
    for row in later {
        let both = |other: &&&WorkOrder| other.system == row.system && other.mode == row.mode;
        let own: Vec<&&WorkOrder> = history.iter().filter(both).collect();
        let ranked = frequent(own.iter().map(|other| other.action.as_str()));
        same.add(if ranked.is_empty() { &often } else { &ranked }, &row.action);
        most.add(&often, &row.action);
        let share = |action: &str, rows: &[&&WorkOrder], prior: f64| {
            let hits = rows.iter().filter(|other| other.action == action).count() as f64;
            (hits + 2.0 * prior) / (rows.len() as f64 + 2.0)
        };
        let of_mode: Vec<&&WorkOrder> = history.iter().filter(|other| other.mode == row.mode).collect();
        let all: Vec<&&WorkOrder> = history.iter().collect();
        let mut scored: Vec<(&str, f64)> = often
            .iter()
            .map(|action| (*action, share(action, &own, share(action, &of_mode, share(action, &all, 0.1)))))
            .collect();
        scored.sort_by(|a, b| b.1.total_cmp(&a.1));
        shrunk.add(&scored.iter().map(|(action, _)| *action).collect::<Vec<_>>(), &row.action);
        let mut judged = coder.probabilities(Target::Mode, &features_of(row));
        judged.sort_by(|a, b| b.1.total_cmp(&a.1));
        said.add(&judged.iter().map(|(action, _)| *action).collect::<Vec<_>>(), &row.action);
    }
    let title = format!("Advice: the action that was taken, {} earlier work orders", history.len());
    print(&title, &["first right", "in the first 3"], &[same.way(), most.way(), shrunk.way(), said.way()]);
}

/// Phrases without times: five folds in the order of the file.
fn folds(phrases: &[(String, String)]) {
    let mut ways: Vec<Way> = Vec::new();
    let mut sure = Vec::new();
    for fold in 0..5 {
        let part = |own: bool| -> Vec<(&str, &str)> {
            let chosen = phrases.iter().enumerate().filter(|(row, _)| (row % 5 == fold) == own);
            chosen.map(|(_, (text, mode))| (text.as_str(), mode.as_str())).collect()
        };
        let (scored, judged) = coded("phrases", &part(false), &part(true));
        if ways.is_empty() {
            ways = scored;
        } else {
            for (way, more) in ways.iter_mut().zip(scored) {
                way.scores.iter_mut().zip(more.scores).for_each(|(scores, more)| scores.extend(more));
            }
        }
        sure.extend(judged);
    }
    report("Coding: failure modes of FMC-MWO2KG phrases, five folds", &ways, &sure);
    let _ = estimate(&[]);
}
