//! What to look at next: the sign whose presence or absence would tell the candidates apart best.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Symbol;
use super::judge::{Ranking, Seen, real};
use super::past::{Past, SignKind};

/// Candidates that are told apart, and the latest cases of each that are looked at.
const CANDIDATES: usize = 5;
const CASES: usize = 100;

/// How many cases "as in all of them" is worth when a mode's signs are counted.
const SMOOTH_CASES: f64 = 1.0;

/// The fewest cases that must have a sign.
const LEAST_CASES: usize = 2;

/// Something to look at.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// The word, the alarm, or what readings show.
    pub sign: String,
    /// Which of them it is.
    pub kind: SignKind,
    /// How much the answer is expected to tell, in bits.
    pub gain_bits: f64,
    /// The likeliest mode when it is there, with its probability then.
    pub if_there: (String, f64),
    /// The likeliest mode when it is not.
    pub if_not: (String, f64),
}

fn entropy_bits(probabilities: &[f64]) -> f64 {
    -probabilities.iter().filter(|p| **p > 0.0).map(|p| p * p.log2()).sum::<f64>()
}

/// The distribution after an answer, and how likely the answer is.
fn after(prior: &[f64], given: impl Iterator<Item = f64>) -> (f64, Vec<f64>) {
    let joint: Vec<f64> = prior.iter().zip(given).map(|(p, given)| p * given).collect();
    let total: f64 = joint.iter().sum();
    (total, joint.into_iter().map(|p| if total > 0.0 { p / total } else { 0.0 }).collect())
}

/// By sign: for each candidate, how many of its cases have it.
type Signs = BTreeMap<(SignKind, Symbol), Vec<usize>>;

impl<'a> Past<'a> {
    /// The signs that would tell the first candidates apart best, at most `limit`, the best first.
    pub fn checks(self, ranking: &Ranking, seen: &Seen<'_>, limit: usize) -> Vec<Check> {
        let candidates: Vec<_> = ranking.modes.iter().take(CANDIDATES).collect();
        let total: f64 = candidates.iter().map(|mode| mode.probability).sum();
        if candidates.len() < 2 || total <= 0.0 {
            return Vec::new();
        }
        let prior: Vec<f64> = candidates.iter().map(|mode| mode.probability / total).collect();
        let signs = seen.alarms.iter().chain(seen.readings).cloned();
        let seen: HashSet<String> = super::words_of(seen.text).into_iter().chain(signs).collect();
        let places: HashMap<Symbol, usize> = candidates
            .iter()
            .enumerate()
            .filter_map(|(at, mode)| Some((self.base.modes().known(&mode.mode)?, at)))
            .collect();
        let (signs, cases) = self.signs(&places, candidates.len());
        let all: f64 = cases.iter().map(|count| real(*count)).sum();
        let before = entropy_bits(&prior);
        let mut checks: Vec<Check> = signs
            .into_iter()
            .filter(|(_, having)| having.iter().sum::<usize>() >= LEAST_CASES)
            .filter(|((_, sign), _)| !seen.contains(self.base.names.name(*sign)))
            .map(|((kind, sign), having)| {
                let overall = real(having.iter().sum()) / all;
                let given: Vec<f64> = having
                    .iter()
                    .zip(&cases)
                    .map(|(own, cases)| (real(*own) + SMOOTH_CASES * overall) / (real(*cases) + SMOOTH_CASES))
                    .collect();
                let (there, if_there) = after(&prior, given.iter().copied());
                let (not, if_not) = after(&prior, given.iter().map(|p| 1.0 - p));
                let first = |after: &[f64]| {
                    let best = after.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
                    best.and_then(|(at, p)| Some((candidates.get(at)?.mode.clone(), *p))).unwrap_or_default()
                };
                Check {
                    sign: self.base.names.name(sign).to_owned(),
                    kind,
                    gain_bits: before - there * entropy_bits(&if_there) - not * entropy_bits(&if_not),
                    if_there: first(&if_there),
                    if_not: first(&if_not),
                }
            })
            .collect();
        checks.sort_by(|a, b| b.gain_bits.total_cmp(&a.gain_bits).then_with(|| a.sign.cmp(&b.sign)));
        checks.truncate(limit);
        checks
    }

    /// For each sign, how many of the looked-at cases of each candidate have it; and how many cases of each were looked at.
    fn signs(self, places: &HashMap<Symbol, usize>, modes: usize) -> (Signs, Vec<usize>) {
        let mut cases = vec![0; modes];
        let mut signs = Signs::new();
        // Looking from the end on finds enough of frequent modes soon; rare ones are looked for no further than this.
        for (number, glance) in self.cases().rev().take(modes * CASES * 50) {
            let Some(place) = glance.mode.and_then(|mode| places.get(&mode)).copied() else { continue };
            let Some(looked_at) = cases.get_mut(place).filter(|looked_at| **looked_at < CASES) else { continue };
            *looked_at += 1;
            let Some(case) = self.base.get(number) else { continue };
            let all =
                [(SignKind::Word, &case.words), (SignKind::Alarm, &case.alarms), (SignKind::Readings, &case.readings)];
            let each = all.into_iter().flat_map(|(kind, signs)| signs.iter().map(move |sign| (kind, sign)));
            let mut own: Vec<(SignKind, Symbol)> =
                each.filter(|(_, (said, _))| *said <= self.position).map(|(kind, (_, sign))| (kind, *sign)).collect();
            own.sort_unstable();
            own.dedup();
            for sign in own {
                if let Some(having) = signs.entry(sign).or_insert_with(|| vec![0; modes]).get_mut(place) {
                    *having += 1;
                }
            }
        }
        (signs, cases)
    }
}
