//! Coding help: from free text to suggested codes, each with a probability that holds, or to none.
//!
//! For each target (failure mode, mechanism, cause, item) a linear model is trained on what people coded. It is calibrated on the latest fifth of the
//! examples, by a model that has not seen them: a temperature for the probabilities, and isotonic regression for how often the first suggestion is
//! right. Where that falls below [`LEAST_RIGHT`], the coder abstains: the suggestions stand, and say that they are weak.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::calibration::{Isotonic, Temperature};
use crate::features::{self, Feature};
use crate::linear::{Linear, Training};

/// What a fault is coded with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// How it failed.
    Mode,
    /// The process behind it.
    Mechanism,
    /// Why.
    Cause,
    /// The maintainable item.
    Item,
}

impl Target {
    /// All targets.
    pub const ALL: [Self; 4] = [Self::Mode, Self::Mechanism, Self::Cause, Self::Item];

    /// Its place in [`Labels`].
    pub const fn number(self) -> usize {
        match self {
            Self::Mode => 0,
            Self::Mechanism => 1,
            Self::Cause => 2,
            Self::Item => 3,
        }
    }
}

/// The codes of one fault, by [`Target::number`].
pub type Labels<'a> = [Option<&'a str>; 4];

/// A text that people coded.
#[derive(Clone, Debug)]
pub struct Example<'a> {
    /// Its features.
    pub features: Vec<Feature>,
    /// Its codes.
    pub labels: Labels<'a>,
}

/// The fewest examples that a target is learnt from.
pub const LEAST_EXAMPLES: usize = 8;

/// The most examples that a model is trained on: the latest ones.
pub const MOST_EXAMPLES: usize = 20_000;

/// The share of the examples that calibration holds back, as one in so many, and the most.
const HELD_BACK: usize = 5;
const MOST_HELD_BACK: usize = 1_000;

/// How often the first suggestion must be right for the coder not to abstain: more often right than wrong.
pub const LEAST_RIGHT: f64 = 0.5;

/// A suggested code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suggestion {
    /// The code.
    pub code: String,
    /// How likely it is, calibrated.
    pub probability: f64,
    /// How many examples have it.
    pub n: u64,
}

/// What is suggested for one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suggestions {
    /// The target.
    pub target: Target,
    /// How often a first suggestion that is as sure was right, on examples that were held back.
    pub right: f64,
    /// Whether that is too seldom, or nothing of the text is known.
    pub abstains: bool,
    /// How many examples it rests on.
    pub n: u64,
    /// The codes, the likeliest first.
    pub codes: Vec<Suggestion>,
}

#[derive(Clone, Debug)]
struct Judge {
    labels: Vec<String>,
    counts: Vec<u64>,
    model: Linear,
    temperature: Temperature,
    right: Isotonic,
}

/// A trained coder.
#[derive(Clone, Debug, Default)]
pub struct Coder {
    judges: HashMap<Target, Judge>,
}

impl Coder {
    /// Trains on examples in the order in which they were coded. Targets with fewer than [`LEAST_EXAMPLES`] are left out.
    pub fn train(examples: &[Example<'_>]) -> Self {
        let judges = Target::ALL
            .into_iter()
            .filter_map(|target| {
                let coded: Vec<(&[Feature], &str)> = examples
                    .iter()
                    .filter_map(|example| Some((example.features.as_slice(), (*example.labels.get(target.number())?)?)))
                    .collect();
                let from = coded.len().saturating_sub(MOST_EXAMPLES);
                let latest = coded.get(from..).unwrap_or_default();
                (latest.len() >= LEAST_EXAMPLES).then(|| (target, Judge::train(latest)))
            })
            .collect();
        Self { judges }
    }

    /// What is suggested for the text: every target that was learnt, each with at most `limit` codes.
    pub fn suggest(&self, text: &str, limit: usize) -> Vec<Suggestions> {
        let features = features::of(text);
        let known = |target| Some((target, self.judges.get(&target)?));
        Target::ALL
            .into_iter()
            .filter_map(known)
            .map(|(target, judge)| {
                let mut suggestions = judge.suggest(&features, limit);
                suggestions.target = target;
                suggestions
            })
            .collect()
    }

    /// The calibrated probability of every code of a target, in no order; empty where it was not learnt.
    pub fn probabilities(&self, target: Target, features: &[Feature]) -> Vec<(&str, f64)> {
        let Some(judge) = self.judges.get(&target) else { return Vec::new() };
        judge.labels.iter().map(String::as_str).zip(judge.probabilities(features)).collect()
    }

    /// How much of the text the coder has seen before: the share of its features, from 0 to 1.
    pub fn known(&self, target: Target, features: &[Feature]) -> f64 {
        self.judges.get(&target).map_or(0.0, |judge| f64::from(judge.model.known(features)))
    }
}

/// How a model is trained on so many examples: passes shrink as examples grow, so that training takes seconds at most.
fn training(examples: usize) -> Training {
    let epochs = (60_000 / examples.max(1)).clamp(5, 30);
    Training { epochs, rate: 0.2, ..Training::default() }
}

impl Judge {
    fn train(examples: &[(&[Feature], &str)]) -> Self {
        let mut counts: HashMap<&str, u64> = HashMap::new();
        for (_, label) in examples {
            *counts.entry(label).or_default() += 1;
        }
        let mut labels: Vec<String> = counts.keys().map(|label| (*label).to_owned()).collect();
        labels.sort_unstable();
        let number: HashMap<&str, usize> = labels.iter().enumerate().map(|(at, label)| (label.as_str(), at)).collect();
        let numbered: Vec<(&[Feature], usize)> =
            examples.iter().filter_map(|(features, label)| Some((*features, number.get(label).copied()?))).collect();
        let held_back = (numbered.len() / HELD_BACK).min(MOST_HELD_BACK);
        let (earlier, later) = numbered.split_at(numbered.len() - held_back);
        let trial = Linear::train(earlier, labels.len(), training(earlier.len()));
        let judged: Vec<(Vec<f64>, usize)> = later
            .iter()
            .map(|(features, label)| (trial.probabilities(features).into_iter().map(f64::from).collect(), *label))
            .collect();
        let temperature = Temperature::fit(&judged);
        let firsts: Vec<(f64, bool)> = judged
            .iter()
            .filter_map(|(given, truth)| {
                let mended = temperature.apply(given);
                let (first, surest) = mended.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?;
                Some((*surest, first == *truth))
            })
            .collect();
        let model = Linear::train(&numbered, labels.len(), training(numbered.len()));
        let counts = labels.iter().map(|label| counts.get(label.as_str()).copied().unwrap_or(0)).collect();
        Self { labels, counts, model, temperature, right: Isotonic::fit(&firsts) }
    }

    fn probabilities(&self, features: &[Feature]) -> Vec<f64> {
        let given: Vec<f64> = self.model.probabilities(features).into_iter().map(f64::from).collect();
        self.temperature.apply(&given)
    }

    fn suggest(&self, features: &[Feature], limit: usize) -> Suggestions {
        let mut codes: Vec<Suggestion> = self
            .labels
            .iter()
            .zip(&self.counts)
            .zip(self.probabilities(features))
            .map(|((code, n), probability)| Suggestion { code: code.clone(), probability, n: *n })
            .collect();
        codes.sort_by(|a, b| b.probability.total_cmp(&a.probability).then_with(|| a.code.cmp(&b.code)));
        codes.truncate(limit);
        let surest = codes.first().map_or(0.0, |first| first.probability);
        let right = self.right.apply(surest).unwrap_or(0.0);
        // A text of which nothing was seen before gets the shares of the codes, which say nothing about it.
        let abstains = right < LEAST_RIGHT || self.model.known(features) <= 0.0;
        Suggestions { target: Target::Mode, right, abstains, n: self.counts.iter().sum(), codes }
    }
}

#[cfg(test)]
#[path = "coding_tests.rs"]
mod tests;
