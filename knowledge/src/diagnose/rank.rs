//! Ranking failure modes: smoothed naive Bayes over words and alarms, fused with the most alike past episodes.
//!
//! **Bayes.** The prior of a mode is its share among the asset's episodes, shrunk to its share in the class, shrunk to its share in all. Each
//! word and alarm that is seen adds log P(seen | mode) / P(seen), smoothed towards 0, so that a mode with few episodes claims little. Alarms that
//! come together are rarely independent: the second strongest counts half, the third a third.
//! **Likeness.** A past episode is as alike as the share of what is seen that it has, each word weighted by its rarity (inverse document frequency), words
//! for 70 % and character n-grams, which forgive typos, for 30 %, or by n-grams alone at 85 %, whichever is more; an alarm counts as a rare word.
//! **Fusion.** The two rankings are joined by reciprocal rank (1 / (60 + rank)), so that neither scale matters.
//! **Abstention.** A mode is a candidate only when at least one thing that is seen speaks for it and one of its episodes is alike by at least
//! [`MIN_LIKENESS`]. Otherwise the verdict is "no good match". The threshold is a choice: it was checked on a small loom history and on questions to the
//! real work orders of excavators, and it is not calibrated on data that was held back.

use std::collections::{BTreeMap, HashMap};

use domain::Text;

use super::{Candidate, Diagnosis, PastCase, Verdict};
use crate::cases::{Case, Features, latest, named_words, scores};

/// What is seen.
pub(crate) struct Seen<'a> {
    pub asset: Option<&'a str>,
    pub class: Option<&'a str>,
    pub symptoms: &'a str,
    pub alarms: &'a [String],
}

/// The least likeness of the best episode of a mode for it to be a candidate: more than half of what is seen, by weight.
pub(crate) const MIN_LIKENESS: f64 = 0.5;

/// The least likeness of an uncoded case for it to be shown.
const MIN_UNCODED_LIKENESS: f64 = 0.35;

/// How many episodes the shares of a group are worth when a smaller group is shrunk to it.
const SHRINK_EPISODES: f64 = 10.0;

/// How many episodes "as in all modes" is worth when a mode's words are counted.
const SMOOTH_EPISODES: f64 = 2.0;

/// The most that one thing can say for or against a mode, as log likelihood ratio.
const MAX_RATIO: f64 = 3.0;

/// Least rank that reciprocal rank fusion adds, as is customary.
const FUSION_RANK: f64 = 60.0;

/// Episodes that the likeness of a mode, and its bounds, are taken from.
const NEIGHBOURS: usize = 20;

/// Episodes that are shown for a mode.
const SHOWN_EPISODES: usize = 5;

/// Actions that are shown for a mode.
const SHOWN_ACTIONS: usize = 10;

/// The share of words in the likeness; n-grams have the rest.
const WORD_SHARE: f64 = 0.7;

/// What n-grams alone are worth, where the words are misspelt.
const TYPO_SHARE: f64 = 0.85;

/// Ranks the modes of the known cases by what is seen. The answer depends on its arguments only.
pub(crate) fn rank(cases: &[Case], seen: &Seen<'_>, limit: usize) -> Diagnosis {
    let question = Question::new(cases, seen);
    let alike: Vec<f64> = cases.iter().map(|case| question.likeness(case)).collect();
    let bayes = Bayes::new(cases, seen, &question);
    let mut ranked: Vec<(usize, f64)> =
        alike.iter().copied().enumerate().filter(|(_, likeness)| *likeness > 0.0).collect();
    // Ties go to the later case, then to the order of ids, so that the answer is the same every time.
    ranked.sort_by(|a, b| {
        let time = |index: usize| cases.get(index).and_then(|case| case.time);
        b.1.total_cmp(&a.1).then_with(|| time(b.0).cmp(&time(a.0))).then(a.0.cmp(&b.0))
    });
    let case = |index: usize| cases.get(index);
    let coded: Vec<(&Case, f64)> = ranked
        .iter()
        .filter_map(|(index, likeness)| Some((case(*index)?, *likeness)))
        .filter(|(case, _)| case.mode.is_some())
        .collect();
    let candidates = candidates(cases, &coded, &bayes, limit);
    let uncoded: Vec<PastCase> = ranked
        .iter()
        .filter(|(_, likeness)| *likeness >= MIN_UNCODED_LIKENESS)
        .filter_map(|(index, likeness)| Some((case(*index)?, *likeness)))
        .filter(|(case, _)| case.mode.is_none())
        .take(limit)
        .map(|(case, likeness)| case.shown(likeness))
        .collect();
    let n = bayes.episodes;
    let (verdict, reason) = judge(n, &candidates, uncoded.len());
    let shown = candidates.iter().flat_map(|candidate| &candidate.episodes).chain(&uncoded);
    let evidence = latest(shown.flat_map(|case| case.positions.iter().copied()));
    Diagnosis { as_of: None, verdict, reason, n, candidates, uncoded, evidence }
}

fn judge(n: u64, candidates: &[Candidate], uncoded: usize) -> (Verdict, Text) {
    match candidates.first() {
        Some(best) => (
            Verdict::Match,
            Text::new(
                &format!("最像 {}：{} 个历史故障中有 {} 个相似。", best.mode, best.n, best.n_alike),
                &format!("{} fits best: {} of its {} past episodes are alike.", best.mode, best.n_alike, best.n),
            ),
        ),
        None if n == 0 => (
            Verdict::NoGoodMatch,
            Text::new("还没有编码过的故障。", "No episode has been coded with a failure mode yet."),
        ),
        None => (
            Verdict::NoGoodMatch,
            Text::new(
                &format!("{n} 个编码过的故障中没有足够相似的；未编码的相似记录有 {uncoded} 条。"),
                &format!("None of {n} coded episodes is alike enough; {uncoded} uncoded cases are alike."),
            ),
        ),
    }
}

/// What is seen, weighted by how rare it is among the cases.
struct Question {
    words: Vec<(u64, String, f64)>,
    grams: Vec<(u64, f64)>,
    alarms: Vec<(String, f64)>,
    /// The same thing said in Chinese and in English: each alone. A case is mostly written in one language.
    alone: Vec<Question>,
}

/// The fewest words of a language that can be judged alone.
const MIN_WORDS_ALONE: usize = 2;

impl Question {
    fn new(cases: &[Case], seen: &Seen<'_>) -> Self {
        let mut question = Self::of(cases, seen);
        let is_han = |character: char| matches!(character, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}');
        let only = |han: bool| -> String {
            seen.symptoms.chars().map(|character| if is_han(character) == han { character } else { ' ' }).collect()
        };
        let parts = [only(true), only(false)].map(|text| Self::of(cases, &Seen { symptoms: &text, ..*seen }));
        if parts.iter().all(|part| part.words.len() >= MIN_WORDS_ALONE) {
            question.alone = parts.into();
        }
        question
    }

    fn of(cases: &[Case], seen: &Seen<'_>) -> Self {
        let named = named_words(seen.symptoms);
        let grams = Features::of(seen.symptoms).grams;
        let mut alarms: Vec<String> = seen.alarms.to_vec();
        alarms.sort_unstable();
        alarms.dedup();
        let has = |sorted: &[u64], hash: u64| sorted.binary_search(&hash).is_ok();
        let words = named
            .into_iter()
            .map(|(hash, word)| {
                let count = cases.iter().filter(|case| has(&case.features.words, hash)).count();
                (hash, word, rarity(cases.len(), count))
            })
            .collect();
        let grams = grams
            .into_iter()
            .map(|hash| {
                (hash, rarity(cases.len(), cases.iter().filter(|case| has(&case.features.grams, hash)).count()))
            })
            .collect();
        let alarms = alarms
            .into_iter()
            .map(|alarm| {
                let count = cases.iter().filter(|case| case.alarms.contains(&alarm)).count();
                (alarm, rarity(cases.len(), count))
            })
            .collect();
        Self { words, grams, alarms, alone: Vec::new() }
    }

    /// The weighted share of what is seen that the case has, too; of two languages, the one that fits better.
    fn likeness(&self, case: &Case) -> f64 {
        self.alone.iter().map(|part| part.share(case)).fold(self.share(case), f64::max)
    }

    fn share(&self, case: &Case) -> f64 {
        let has = |sorted: &[u64], hash: &u64| sorted.binary_search(hash).is_ok();
        let (mut all, mut both) = (0.0, 0.0);
        for (hash, _, weight) in &self.words {
            all += weight;
            both += if has(&case.features.words, hash) { *weight } else { 0.0 };
        }
        for (alarm, weight) in &self.alarms {
            all += weight;
            both += if case.alarms.contains(alarm) { *weight } else { 0.0 };
        }
        let words = if all > 0.0 { both / all } else { 0.0 };
        let total: f64 = self.grams.iter().map(|(_, weight)| weight).sum();
        if total <= 0.0 {
            return words;
        }
        let shared: f64 =
            self.grams.iter().filter(|(hash, _)| has(&case.features.grams, hash)).map(|(_, weight)| weight).sum();
        let grams = shared / total;
        (WORD_SHARE * words + (1.0 - WORD_SHARE) * grams).max(TYPO_SHARE * grams)
    }
}

/// How much a thing says that `count` of `all` cases have. What no case has counts like what one has: it may be a typo.
fn rarity(all: usize, count: usize) -> f64 {
    ((real(all) + 1.0) / (real(count.max(1)) + 0.5)).ln().max(0.1)
}

#[expect(clippy::cast_precision_loss, reason = "numbers of cases stay far below 2^52")]
fn real(count: usize) -> f64 {
    count as f64
}

/// One mode's counts.
#[derive(Default)]
struct ModeCounts {
    episodes: usize,
    of_class: usize,
    of_asset: usize,
    /// For each thing that is seen, how many of the mode's episodes have it.
    having: Vec<usize>,
}

/// What naive Bayes says about every mode.
struct Bayes<'a> {
    episodes: u64,
    /// Things that are seen, in the order of the ratios.
    names: Vec<String>,
    modes: BTreeMap<&'a str, Judged>,
}

struct Judged {
    n: u64,
    probability: f64,
    /// For each thing that is seen, the log likelihood ratio.
    ratios: Vec<f64>,
}

impl<'a> Bayes<'a> {
    fn new(cases: &'a [Case], seen: &Seen<'_>, question: &Question) -> Self {
        let mut counts: BTreeMap<&str, ModeCounts> = BTreeMap::new();
        let things = question.words.len() + question.alarms.len();
        let (mut all, mut all_class, mut all_asset) = (0_usize, 0_usize, 0_usize);
        let mut having_all = vec![0_usize; things];
        for case in cases {
            let Some(mode) = case.mode.as_deref() else { continue };
            let of_class = seen.class.is_some() && case.class.as_deref() == seen.class;
            let of_asset = seen.asset.is_some() && case.asset.as_deref() == seen.asset;
            let count =
                counts.entry(mode).or_insert_with(|| ModeCounts { having: vec![0; things], ..Default::default() });
            all += 1;
            count.episodes += 1;
            all_class += usize::from(of_class);
            count.of_class += usize::from(of_class);
            all_asset += usize::from(of_asset);
            count.of_asset += usize::from(of_asset);
            let words = question.words.iter().map(|(hash, ..)| case.features.words.binary_search(hash).is_ok());
            let alarms = question.alarms.iter().map(|(alarm, _)| case.alarms.contains(alarm));
            for ((own, total), there) in count.having.iter_mut().zip(&mut having_all).zip(words.chain(alarms)) {
                *own += usize::from(there);
                *total += usize::from(there);
            }
        }
        let kinds = real(counts.len().max(1));
        let words = question.words.len();
        let mut modes: BTreeMap<&str, Judged> = BTreeMap::new();
        let mut logs: Vec<f64> = Vec::new();
        for (mode, count) in counts {
            let in_all = (real(count.episodes) + 0.5) / (real(all) + 0.5 * kinds);
            let in_class = (real(count.of_class) + SHRINK_EPISODES * in_all) / (real(all_class) + SHRINK_EPISODES);
            let prior = (real(count.of_asset) + SHRINK_EPISODES * in_class) / (real(all_asset) + SHRINK_EPISODES);
            let ratios: Vec<f64> = count
                .having
                .iter()
                .zip(&having_all)
                .map(|(own, total)| ratio(*own, count.episodes, *total, all))
                .collect();
            let (of_words, of_alarms) = ratios.split_at(words.min(ratios.len()));
            logs.push(prior.ln() + of_words.iter().sum::<f64>() + together(of_alarms));
            let n = u64::try_from(count.episodes).unwrap_or(u64::MAX);
            modes.insert(mode, Judged { n, probability: 0.0, ratios });
        }
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = logs.iter().map(|log| (log - most).exp()).sum();
        for (judged, log) in modes.values_mut().zip(&logs) {
            judged.probability = (log - most).exp() / total;
        }
        let names = question.words.iter().map(|(_, word, _)| word.clone());
        let names = names.chain(question.alarms.iter().map(|(alarm, _)| alarm.clone())).collect();
        Self { episodes: u64::try_from(all).unwrap_or(u64::MAX), names, modes }
    }

    /// What speaks for (or against) the mode, the strongest first.
    fn reasons(&self, judged: &Judged, sign: f64) -> Vec<(String, f64)> {
        let mut reasons: Vec<(String, f64)> = self
            .names
            .iter()
            .zip(&judged.ratios)
            .filter(|(_, ratio)| **ratio * sign > 0.05)
            .map(|(name, ratio)| (name.clone(), *ratio))
            .collect();
        reasons.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then_with(|| a.0.cmp(&b.0)));
        reasons
    }
}

/// log P(thing | mode) / P(thing), smoothed towards 0. A thing that no coded episode has says nothing.
fn ratio(own: usize, episodes: usize, total: usize, all: usize) -> f64 {
    if total == 0 {
        return 0.0;
    }
    let overall = real(total) / real(all);
    let given = (real(own) + SMOOTH_EPISODES * overall) / (real(episodes) + SMOOTH_EPISODES);
    (given / overall).ln().clamp(-MAX_RATIO, MAX_RATIO)
}

/// Alarms of one flood: the strongest in full, the next by half, a third, …
fn together(ratios: &[f64]) -> f64 {
    let mut sorted = ratios.to_vec();
    sorted.sort_by(|a, b| b.abs().total_cmp(&a.abs()));
    sorted.iter().enumerate().map(|(rank, ratio)| ratio / (real(rank) + 1.0)).sum()
}

/// The modes, fused from both rankings.
fn candidates(cases: &[Case], coded: &[(&Case, f64)], bayes: &Bayes<'_>, limit: usize) -> Vec<Candidate> {
    let mut by_mode: HashMap<&str, Vec<(&Case, f64)>> = HashMap::new();
    for (case, likeness) in coded {
        if let Some(mode) = case.mode.as_deref() {
            by_mode.entry(mode).or_default().push((case, *likeness));
        }
    }
    let nearest: Vec<(&Case, f64)> = coded.iter().take(NEIGHBOURS).copied().collect();
    let mut fused: Vec<Fused<'_>> = bayes
        .modes
        .iter()
        .filter_map(|(mode, judged)| {
            let alike = by_mode.get(mode)?;
            let best = alike.first()?.1;
            let spoken_for = judged.ratios.iter().any(|ratio| *ratio > 0.0) || bayes.modes.len() == 1;
            if best < MIN_LIKENESS || !spoken_for {
                return None;
            }
            let votes: f64 = nearest
                .iter()
                .filter(|(case, _)| case.mode.as_deref() == Some(mode))
                .map(|(_, likeness)| likeness)
                .sum();
            Some(Fused { mode, judged, alike, votes, best, score: 0.0 })
        })
        .collect();
    fused.sort_by(|a, b| b.judged.probability.total_cmp(&a.judged.probability).then_with(|| a.mode.cmp(b.mode)));
    for (rank, entry) in fused.iter_mut().enumerate() {
        entry.score += 1.0 / (FUSION_RANK + real(rank) + 1.0);
    }
    fused.sort_by(|a, b| b.votes.total_cmp(&a.votes).then(b.best.total_cmp(&a.best)).then_with(|| a.mode.cmp(b.mode)));
    for (rank, entry) in fused.iter_mut().enumerate() {
        entry.score += 1.0 / (FUSION_RANK + real(rank) + 1.0);
    }
    fused.sort_by(|a, b| {
        b.score
            .total_cmp(&a.score)
            .then(b.judged.probability.total_cmp(&a.judged.probability))
            .then_with(|| a.mode.cmp(b.mode))
    });
    fused.iter().take(limit).map(|entry| candidate(cases, entry, &nearest, bayes)).collect()
}

struct Fused<'a> {
    mode: &'a str,
    judged: &'a Judged,
    alike: &'a [(&'a Case, f64)],
    votes: f64,
    best: f64,
    score: f64,
}

fn candidate(cases: &[Case], entry: &Fused<'_>, nearest: &[(&Case, f64)], bayes: &Bayes<'_>) -> Candidate {
    let own = |case: &&Case| case.mode.as_deref() == Some(entry.mode);
    let hits = nearest.iter().filter(|(case, _)| own(case)).count();
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let bounds = domain::kpi::beta_bounds(count(hits), count(nearest.len() - hits));
    let of_mode = || cases.iter().filter(own);
    let mut actions = scores(of_mode());
    actions.truncate(SHOWN_ACTIONS);
    Candidate {
        mode: entry.mode.to_owned(),
        n: entry.judged.n,
        n_alike: count(entry.alike.iter().filter(|(_, likeness)| *likeness >= MIN_LIKENESS).count()),
        probability: entry.judged.probability,
        low: bounds.low,
        high: bounds.high,
        score: entry.score,
        for_it: bayes.reasons(entry.judged, 1.0),
        against_it: bayes.reasons(entry.judged, -1.0),
        episodes: entry.alike.iter().take(SHOWN_EPISODES).map(|(case, likeness)| case.shown(*likeness)).collect(),
        actions,
        last_seen: of_mode().filter_map(|case| case.time).max(),
    }
}
