//! Ranking failure modes: what a trained coder makes of the words, smoothed naive Bayes over words and alarms, and the votes of alike cases, pooled.
//!
//! **Prior.** The share of a mode among the asset's cases, shrunk to its share in the class, shrunk to its share in all.
//! **Bayes.** Each word and alarm that is seen adds log P(seen | mode) / P(seen), smoothed towards 0, so that a mode with few cases claims little.
//! Alarms that come together are rarely independent: the first counts in full, the second strongest half, the third a third; readings likewise. Chinese words
//! are reasons that are shown, and do not count: jieba cuts terse texts differently each time.
//! **Votes.** The most alike cases vote for their modes.
//! **Looks.** The cases that look most alike, by BM25 over n-grams, vote as well, less where modes have many cases.
//! **Pool.** The logarithms of all are added with weights, and a temperature that was fitted on held-back history makes probabilities of
//! them. How often the truth was among the first three when the first was as sure as now is isotonic regression over the same history. Both are learnt once with the words of that history and once without,
//! for questions that have no words.
//! **Abstention.** Below [`LEAST_AMONG`], or where the first candidate is less sure than [`LEAST_SURE`], nothing fits; [`LEAST_ALIKE`] decides before
//! [`LEAST_HELD_BACK`] cases could be held back.
//!
//! docs/evaluation.md has the figures by which weights and thresholds were chosen.

use std::collections::HashMap;

use super::past::{Alike, CodedText, Likeness, Past, SignKind, Thing, most_alike};
use super::{CaseBase, CaseNumber, Symbol};
use crate::calibration::{Isotonic, Temperature};
use crate::coding::{Coder, MOST_EXAMPLES, Target};
use crate::features;

/// How many cases the shares of a group are worth when a smaller group is shrunk to it.
const SHRINK_CASES: f64 = 10.0;

/// How many cases "as in all modes" is worth when a mode's words are counted.
const SMOOTH_CASES: f64 = 2.0;

/// The most that one thing can say for or against a mode, as log likelihood ratio.
const MAX_RATIO: f64 = 3.0;

/// Cases that vote.
const NEIGHBOURS: usize = 20;

/// The share of all votes that every mode has anyway.
const VOTE_SMOOTHING: f64 = 0.02;

/// What each opinion is worth in the pool.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pool {
    /// The trained coder.
    pub coder: f64,
    /// Naive Bayes over words; Chinese ones do not count.
    pub bayes: f64,
    /// The votes of alike cases.
    pub votes: f64,
    /// The votes of cases that look alike, where modes have few cases.
    pub looks: f64,
    /// How many cases a mode has on average where the votes by looks count half.
    pub few: f64,
}

impl Default for Pool {
    fn default() -> Self {
        Self { coder: 1.0, bayes: 0.3, votes: 0.5, looks: 2.0, few: 10.0 }
    }
}

/// How often the truth must be among the first three for them to be shown as a match: more often than not.
pub const LEAST_AMONG: f64 = 0.5;

/// The candidates that this is about.
const AMONG: usize = 3;

/// The fewest held-back cases that a threshold is taken from.
pub const LEAST_HELD_BACK: usize = 25;

/// The least likeness of the best case of a mode for it to be a candidate, where nothing has been calibrated yet.
pub const LEAST_ALIKE: f32 = 0.5;

/// The least that the first candidate must be sure by (see [`sureness`]): what has nothing to do with the history is as sure as chance makes it.
const LEAST_SURE: f64 = 0.21;

/// The least likeness of a case for it to count as alike.
pub const LEAST_COUNTED: f32 = 0.25;

/// The share of coded cases that calibration holds back, as one in so many, and the most.
const HELD_BACK: usize = 5;
const MOST_HELD_BACK: usize = 300;

/// What is seen.
#[derive(Clone, Debug, Default)]
pub struct Seen<'a> {
    /// At which asset.
    pub asset: Option<&'a str>,
    /// Of which class; the asset's own, when absent.
    pub class: Option<&'a str>,
    /// In words.
    pub text: &'a str,
    /// Alarms, the first one first.
    pub alarms: &'a [String],
    /// What readings show (`warp_tension high`).
    pub readings: &'a [String],
}

/// What was learnt from a history up to a position.
#[derive(Clone, Debug, Default)]
pub struct Experience {
    /// The last position that it was learnt from.
    pub through: u64,
    /// What people coded.
    pub coder: Coder,
    /// How far a ranking by words, with whatever else is seen, can be trusted.
    pub worded: Trust,
    /// The same without words: by alarms and readings alone.
    pub wordless: Trust,
}

/// How far a ranking can be trusted.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// How sure the pool may be.
    pub temperature: Temperature,
    /// How often the truth was among the first three.
    pub among: Isotonic,
    /// On how many held-back cases that rests.
    pub held_back: usize,
}

impl Trust {
    /// From rankings, each with the place that the truth had in it.
    fn learnt(tried: &[(Ranking, Option<usize>)]) -> Self {
        let probabilities =
            |ranking: &Ranking| -> Vec<f64> { ranking.modes.iter().map(|mode| mode.probability).collect() };
        let given: Vec<(Vec<f64>, usize)> =
            tried.iter().filter_map(|(ranking, at)| Some((probabilities(ranking), (*at)?))).collect();
        let temperature = Temperature::fit(&given);
        let sure = |ranking: &Ranking| {
            let given = temperature.apply(&probabilities(ranking));
            sureness(&ranking.modes, given.first().copied())
        };
        let among: Vec<(f64, bool)> =
            tried.iter().map(|(ranking, at)| (sure(ranking), at.is_some_and(|at| at < AMONG))).collect();
        Self { temperature, among: Isotonic::fit(&among), held_back: tried.len() }
    }
}

impl Experience {
    /// The trust in a ranking of what is seen. Without words it is that of wordless cases, as soon as enough of them could be held back.
    fn trust(&self, seen: &Seen<'_>) -> &Trust {
        let wordless = seen.text.trim().is_empty() && self.wordless.held_back >= LEAST_HELD_BACK;
        if wordless { &self.wordless } else { &self.worded }
    }
}

/// A failure mode with what speaks for it.
#[derive(Clone, Debug, PartialEq)]
pub struct ModeScore {
    /// The mode's code.
    pub mode: String,
    /// How many past cases are coded with it.
    pub n: u64,
    /// How many of the cases that vote have it, and how many vote.
    pub votes: (u64, u64),
    /// Its probability among the known modes.
    pub probability: f64,
    /// What is seen, with its log likelihood ratio, the strongest first.
    pub reasons: Vec<(String, f64)>,
    /// Its cases that count as alike to what is seen, or the most alike one where none does; the most alike first.
    pub alike: Vec<Alike>,
}

/// The modes, ranked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranking {
    /// How many coded cases it rests on.
    pub n: u64,
    /// The modes, the likeliest first.
    pub modes: Vec<ModeScore>,
    /// How often the truth was among the first three when the first was as sure; `None` before enough was calibrated.
    pub among: Option<f64>,
    /// Whether anything fits.
    pub fits: bool,
    /// The same of cases that nobody has coded.
    pub uncoded: Vec<Alike>,
}

#[derive(Clone, Debug, Default)]
struct Counts {
    cases: usize,
    of_class: usize,
    of_asset: usize,
    /// For each thing that is seen, how many of the mode's cases have it.
    having: Vec<usize>,
}

#[expect(clippy::cast_precision_loss, reason = "numbers of cases stay far below 2^52")]
pub(super) fn real(count: usize) -> f64 {
    count as f64
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Where a list by number has this number.
fn place(number: Symbol) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Keeps a case that counts as alike, and the most alike one in any case.
fn keep(kept: &mut Vec<Alike>, case: Alike) {
    match kept.first_mut() {
        // It is alone until one counts.
        Some(best) if best.1 < LEAST_COUNTED => {
            if case.1 >= best.1 {
                *best = case;
            }
        }
        Some(_) if case.1 < LEAST_COUNTED => {}
        _ => kept.push(case),
    }
}

/// log P(thing | mode) / P(thing), smoothed towards 0. A thing that no coded case has says nothing.
fn ratio(own: usize, cases: usize, total: usize, all: usize) -> f64 {
    if total == 0 {
        return 0.0;
    }
    let overall = real(total) / real(all);
    let given = (real(own) + SMOOTH_CASES * overall) / (real(cases) + SMOOTH_CASES);
    (given / overall).ln().clamp(-MAX_RATIO, MAX_RATIO)
}

/// Alarms of one flood: the first in full, then the strongest by half, a third, …
fn together(ratios: &[f64]) -> f64 {
    let mut sorted = ratios.to_vec();
    sorted.sort_by(|a, b| b.abs().total_cmp(&a.abs()));
    sorted.iter().enumerate().map(|(rank, ratio)| ratio / (real(rank) + 1.0)).sum()
}

impl Past<'_> {
    /// Ranks the known modes by what is seen. The answer depends on the past, the experience and what is seen only.
    pub fn rank(self, seen: &Seen<'_>, experience: Option<&Experience>) -> Ranking {
        self.rank_by(seen, experience, Pool::default())
    }

    /// The same with other weights, to choose them by.
    pub fn rank_by(self, seen: &Seen<'_>, experience: Option<&Experience>, pool: Pool) -> Ranking {
        let known = self.cases().count();
        let things = self.things(seen, known);
        let Likeness { cases, looks } = self.alike(seen.text, &things, known);
        let (counts, totals) = self.counts(seen, &things);
        let n = totals.cases;
        let mut alike = vec![Vec::new(); counts.len()];
        let (mut uncoded, mut coded) = (Vec::new(), Vec::new());
        for case in cases {
            let mode = self.coded(case.0);
            if mode.is_some() {
                coded.push(case);
            }
            keep(mode.and_then(|mode| alike.get_mut(place(mode))).unwrap_or(&mut uncoded), case);
        }
        let voters = most_alike(coded, NEIGHBOURS);
        let mut votes: HashMap<Symbol, (f64, u64)> = HashMap::new();
        for (case, likeness) in &voters {
            let Some(mode) = self.coded(*case) else { continue };
            let vote = votes.entry(mode).or_default();
            vote.0 += f64::from(*likeness);
            vote.1 += 1;
        }
        let all_votes: f64 = voters.iter().map(|(_, likeness)| f64::from(*likeness)).sum();
        let mut by_looks: HashMap<Symbol, f64> = HashMap::new();
        for (case, likeness) in &looks {
            if let Some(mode) = self.coded(*case) {
                *by_looks.entry(mode).or_default() += f64::from(*likeness);
            }
        }
        let all_looks: f64 = looks.iter().map(|(_, likeness)| f64::from(*likeness)).sum();
        let features = features::of(seen.text);
        let coded: HashMap<&str, f64> = match experience {
            Some(experience) if !seen.text.trim().is_empty() => {
                experience.coder.probabilities(Target::Mode, &features).into_iter().collect()
            }
            _ => HashMap::new(),
        };
        let there = || (0..).zip(&counts).filter(|(_, own)| own.cases > 0);
        let kinds = real(there().count().max(1));
        let looks_weight = pool.looks * pool.few / (pool.few + real(n) / kinds);
        let (mut modes, mut logs) = (Vec::new(), Vec::new());
        for (mode, own) in there() {
            let in_all = (real(own.cases) + 0.5) / (real(n) + 0.5 * kinds);
            let in_class = (real(own.of_class) + SHRINK_CASES * in_all) / (real(totals.of_class) + SHRINK_CASES);
            let prior = (real(own.of_asset) + SHRINK_CASES * in_class) / (real(totals.of_asset) + SHRINK_CASES);
            let ratios: Vec<f64> = own
                .having
                .iter()
                .zip(&totals.having)
                .map(|(having, total)| ratio(*having, own.cases, *total, n))
                .collect();
            let of_kind = |kind: SignKind| -> Vec<f64> {
                ratios.iter().zip(&things).filter(|(_, thing)| thing.kind == kind).map(|(ratio, _)| *ratio).collect()
            };
            let signs = together(&of_kind(SignKind::Alarm)) + together(&of_kind(SignKind::Readings));
            let (voted, voting) = votes.get(&mode).copied().unwrap_or_default();
            let voted = VOTE_SMOOTHING + if all_votes > 0.0 { voted / all_votes } else { 0.0 };
            let looked = by_looks.get(&mode).copied().unwrap_or_default();
            let looked = VOTE_SMOOTHING + if all_looks > 0.0 { looked / all_looks } else { 0.0 };
            let name = self.base.modes().name(mode);
            // Chinese words are shown as reasons only.
            let bayes =
                ratios.iter().zip(&things).filter(|(_, thing)| thing.counts()).map(|(ratio, _)| ratio).sum::<f64>();
            // The coder has learnt the shares of modes itself: what the asset adds to them counts in full.
            let log = match coded.get(name) {
                Some(probability) => {
                    pool.coder * probability.max(1e-6).ln() + pool.bayes * bayes + (prior / in_all).ln()
                }
                None => bayes + prior.ln(),
            };
            let votes = pool.votes * voted.ln() + looks_weight * looked.ln();
            logs.push(log + signs + votes);
            let mut reasons: Vec<(String, f64)> =
                things.iter().map(|thing| thing.name.clone()).zip(ratios.iter().copied()).collect();
            reasons.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then_with(|| a.0.cmp(&b.0)));
            modes.push(ModeScore {
                mode: name.to_owned(),
                n: count(own.cases),
                votes: (voting, count(voters.len())),
                probability: 0.0,
                reasons,
                alike: most_alike(alike.get_mut(place(mode)).map(std::mem::take).unwrap_or_default(), usize::MAX),
            });
        }
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let pooled: Vec<f64> = logs.iter().map(|log| (log - most).exp()).collect();
        let trust = experience.map(|experience| experience.trust(seen));
        let temperature = trust.map_or_else(Temperature::default, |trust| trust.temperature);
        for (mode, probability) in modes.iter_mut().zip(temperature.apply(&pooled)) {
            mode.probability = probability;
        }
        modes.sort_by(|a, b| b.probability.total_cmp(&a.probability).then_with(|| a.mode.cmp(&b.mode)));
        let (among, fits) = verdict(&modes, trust);
        Ranking { n: count(n), modes, among, fits, uncoded: most_alike(uncoded, usize::MAX) }
    }

    /// How many cases each mode has, by its number, of the class, of the asset, and with each thing that is seen; and the same over all modes.
    fn counts(self, seen: &Seen<'_>, things: &[Thing]) -> (Vec<Counts>, Counts) {
        let asset = seen.asset.and_then(|asset| self.base.assets.known(asset));
        let class = match seen.class {
            Some(class) => self.base.names.known(class),
            None => asset.and_then(|asset| self.class(asset)),
        };
        let of_class: Vec<bool> =
            self.base.assets.numbers().map(|asset| class.is_some() && self.class(asset) == class).collect();
        let blank = || Counts { having: vec![0; things.len()], ..Counts::default() };
        let mut counts: Vec<Counts> = self.base.modes().numbers().map(|_| blank()).collect();
        let mut totals = blank();
        for (_, case) in self.cases() {
            let Some(own) = case.mode.and_then(|mode| counts.get_mut(place(mode))) else { continue };
            let of_asset = asset.is_some() && case.asset == asset;
            let of_class = case.asset.and_then(|asset| of_class.get(place(asset))).is_some_and(|of_class| *of_class);
            for counts in [own, &mut totals] {
                counts.cases += 1;
                counts.of_asset += usize::from(of_asset);
                counts.of_class += usize::from(of_class);
            }
        }
        for (at, thing) in things.iter().enumerate() {
            for case in &thing.cases {
                let Some(own) = self.coded(*case).and_then(|mode| counts.get_mut(place(mode))) else { continue };
                for having in [own.having.get_mut(at), totals.having.get_mut(at)].into_iter().flatten() {
                    *having += 1;
                }
            }
        }
        (counts, totals)
    }

    /// Learns from what was known. See [`learn`].
    pub fn learn(self) -> Experience {
        learn(self.base, self.position)
    }

    /// The coded cases, the latest ones of which are asked about in the calibration, in the order in which they were first named.
    fn lesson(self) -> Vec<(u64, CaseNumber)> {
        let mut coded: Vec<(u64, CaseNumber)> = self
            .cases()
            .filter(|(_, case)| case.mode.is_some())
            .filter_map(|(number, _)| Some((self.base.get(number)?.first, number)))
            .collect();
        coded.sort_unstable();
        coded
    }

    /// Asks about a coded case as it was when it was first named, by its words or without them: the ranking, and the place in it of the mode that the case was coded with. `None` where nothing
    /// was seen of it.
    fn tried(self, number: CaseNumber, words: bool, trial: &Experience) -> Option<(Ranking, Option<usize>)> {
        let case = self.base.get(number)?;
        let truth = self.mode(number)?;
        let before = Past::new(self.base, case.first.checked_sub(1)?);
        let asset = case.assets.first().map(|(_, asset)| self.base.assets.name(*asset));
        let named = |signs: &[(u64, Symbol)]| -> Vec<String> {
            signs.iter().map(|(_, sign)| self.base.names.name(*sign).to_owned()).collect()
        };
        let (alarms, readings) = (named(&case.alarms), named(&case.readings));
        let text = case.texts.first().filter(|_| words).map_or("", |(_, text)| text.as_str());
        if !words && alarms.is_empty() && readings.is_empty() {
            return None;
        }
        let ranking =
            before.rank(&Seen { asset, class: None, text, alarms: &alarms, readings: &readings }, Some(trial));
        let at = ranking.modes.iter().position(|mode| mode.mode == truth);
        Some((ranking, at))
    }
}

/// Where a case base lies: learning looks at it many times and shortly, so that whoever shares it with others does not keep it from them for long.
pub trait Cases {
    /// Shows the case base. Positions that were there before MUST show the same each time.
    fn look<R>(&self, look: impl FnOnce(&CaseBase) -> R) -> R;
}

impl Cases for CaseBase {
    fn look<R>(&self, look: impl FnOnce(&CaseBase) -> R) -> R {
        look(self)
    }
}

/// Learns from what was known at a position: trains a coder, and calibrates on the latest coded cases with a coder that has not seen them.
pub fn learn(cases: &impl Cases, position: u64) -> Experience {
    let coder_at = |position: u64| {
        let coded = cases.look(|base| base.at(position).coded_texts(MOST_EXAMPLES));
        Coder::train(&coded.iter().map(CodedText::example).collect::<Vec<_>>())
    };
    let mut coded = cases.look(|base| base.at(position).lesson());
    let held_back = (coded.len() / HELD_BACK).min(MOST_HELD_BACK);
    let later = coded.split_off(coded.len() - held_back);
    let mut experience = Experience { through: position, ..Experience::default() };
    if let Some((first, _)) = later.first().filter(|(first, _)| *first > 0) {
        let trial = Experience { coder: coder_at(first - 1), ..Experience::default() };
        let [worded, wordless] = [true, false].map(|words| {
            let tried =
                |(_, number): &(u64, CaseNumber)| cases.look(|base| base.at(position).tried(*number, words, &trial));
            Trust::learnt(&later.iter().filter_map(tried).collect::<Vec<_>>())
        });
        (experience.worded, experience.wordless) = (worded, wordless);
    }
    experience.coder = coder_at(position);
    experience
}

/// How sure the first candidate is: its probability, and how alike its best case is.
fn sureness(modes: &[ModeScore], probability: Option<f64>) -> f64 {
    let alike = modes.first().and_then(|mode| mode.alike.first()).map_or(0.0, |(_, likeness)| f64::from(*likeness));
    probability.unwrap_or(0.0) * alike.sqrt()
}

fn verdict(modes: &[ModeScore], trust: Option<&Trust>) -> (Option<f64>, bool) {
    let best = modes.first().and_then(|mode| mode.alike.first()).map_or(0.0, |(_, likeness)| *likeness);
    let sure = sureness(modes, modes.first().map(|mode| mode.probability));
    let calibrated = trust.filter(|trust| trust.held_back >= LEAST_HELD_BACK);
    match calibrated.and_then(|trust| trust.among.apply(sure)) {
        Some(among) => (Some(among), among >= LEAST_AMONG && sure >= LEAST_SURE),
        None => (None, best >= LEAST_ALIKE),
    }
}
