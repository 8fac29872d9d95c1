//! What was known at a position, and how alike its cases are to what is seen.

use super::{Case, CaseBase, CaseNumber, Glance, Part, Said, Seen, Symbol, at, looks_of, sounds_of, words_of};
use crate::coding::Example;
use crate::{features, terms};

/// The share of words in the likeness; n-grams have the rest.
const WORD_SHARE: f32 = 0.7;

/// The same where there are Chinese words: terse texts are cut into other ones each time.
const WORD_SHARE_HAN: f32 = 0.3;

/// What n-grams alone are worth, where the words are misspelt.
const TYPO_SHARE: f32 = 0.85;

/// The most parts that are looked at for n-grams, from the rarest n-gram on.
const MOST_GRAM_PARTS: usize = 300_000;

/// The fewest words of a language that can be judged alone.
const MIN_WORDS_ALONE: usize = 2;

/// What was known at a position.
#[derive(Clone, Copy)]
pub struct Past<'a> {
    pub(super) base: &'a CaseBase,
    pub(super) position: u64,
}

/// What kind of sign something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignKind {
    /// A word that was said.
    Word,
    /// An alarm.
    Alarm,
    /// What readings show.
    Readings,
}

/// Something that is seen.
#[derive(Clone, Debug)]
pub(super) struct Thing {
    pub name: String,
    pub kind: SignKind,
    /// Whether it is Chinese.
    han: bool,
    weight: f32,
    /// The cases that have it, each once.
    pub cases: Vec<CaseNumber>,
}

impl Thing {
    /// Whether naive Bayes over words counts it: terse Chinese is cut into other words each time, and alarms and readings count by themselves.
    pub(super) fn counts(&self) -> bool {
        self.kind == SignKind::Word && !self.han
    }
}

/// A text with what it was coded as.
pub(super) struct CodedText {
    text: String,
    labels: [Option<String>; 4],
}

impl CodedText {
    /// As a coder learns from it.
    pub(super) fn example(&self) -> Example<'_> {
        Example { features: features::of(&self.text), labels: self.labels.each_ref().map(Option::as_deref) }
    }
}

/// A case with how alike it is, from 0 to 1.
pub type Alike = (CaseNumber, f32);

/// How alike cases are to what is seen.
pub(super) struct Likeness {
    /// Every case that has something of it, in the order of their numbers.
    pub cases: Vec<Alike>,
    /// The coded cases that look most alike, at most [`LOOKALIKES`], by BM25 over n-grams.
    pub looks: Vec<Alike>,
}

/// How many cases vote by their looks.
pub(super) const LOOKALIKES: usize = 30;

/// BM25 as everywhere.
const K1: f32 = 1.2;
const B: f32 = 0.75;

#[expect(clippy::cast_precision_loss, reason = "a mean of lengths needs no more digits")]
fn long(length: u64) -> f32 {
    length as f32
}

#[expect(clippy::cast_precision_loss, reason = "numbers of cases stay far below 2^24 for a weight")]
fn real(count: usize) -> f32 {
    count as f32
}

/// How much a thing says that `count` of `all` cases have. What no case has counts like what one has: it may be a typo.
fn rarity(all: usize, count: usize) -> f32 {
    ((real(all) + 1.0) / (real(count.max(1)) + 0.5)).ln().max(0.1)
}

impl<'a> Past<'a> {
    pub(super) fn new(base: &'a CaseBase, position: u64) -> Self {
        Self { base, position }
    }

    /// How many cases are named, whether they are a part of another one or not.
    pub(super) fn named(self) -> usize {
        // Cases are named in the order of positions.
        self.base.cases.partition_point(|case| case.first <= self.position)
    }

    /// What is so of a case that is known.
    pub(super) fn glance(self, number: CaseNumber) -> Option<Glance> {
        let (since, glance) = self.base.glances.get(usize::try_from(number).ok()?)?;
        let glance = if *since <= self.position { *glance } else { self.base.get(number)?.glance(self.position) };
        glance.known.then_some(glance)
    }

    /// The mode that a case is coded with that is known.
    pub(super) fn coded(self, number: CaseNumber) -> Option<Symbol> {
        self.glance(number)?.mode
    }

    /// The cases that are known, with their numbers.
    pub(super) fn cases(self) -> impl DoubleEndedIterator<Item = (CaseNumber, Glance)> {
        let named = CaseNumber::try_from(self.named()).unwrap_or(CaseNumber::MAX);
        (0..named).filter_map(move |number| Some((number, self.glance(number)?)))
    }

    /// The key of a case.
    pub fn key(self, number: CaseNumber) -> &'a str {
        self.base.get(number).map_or("", |case| case.key.as_str())
    }

    /// The failure mode that a case was coded with.
    pub fn mode(self, number: CaseNumber) -> Option<&'a str> {
        Some(self.base.modes().name(self.coded(number)?))
    }

    /// The cases that are coded with a mode, in the order in which they were first named.
    pub fn coded_with(self, mode: &str) -> impl Iterator<Item = CaseNumber> + use<'a> {
        let wanted = self.base.modes().known(mode);
        let ever = wanted.and_then(|mode| self.base.modes.get(&mode)).map(Vec::as_slice).unwrap_or_default();
        let mut coded: Vec<CaseNumber> = ever
            .iter()
            .copied()
            .filter(|number| self.coded(*number).is_some_and(|mode| wanted == Some(mode)))
            .collect();
        // Nearly in order already, which this sort makes use of.
        coded.sort();
        coded.into_iter()
    }

    /// When a case happened, in nanoseconds since 1970.
    pub fn happened(self, number: CaseNumber) -> Option<i64> {
        self.base.get(number)?.happened
    }

    pub(super) fn class(self, asset: Symbol) -> Option<Symbol> {
        at(self.base.classes.get(&asset)?, self.position)
    }

    /// The texts that people coded, in the order of their coding, for a coder to learn from: at most `most`, the latest.
    pub(super) fn coded_texts(self, most: usize) -> Vec<CodedText> {
        let mut coded: Vec<(u64, &Case)> = self
            .cases()
            .filter_map(|(number, _)| self.base.get(number))
            .filter_map(|case| Some((case.codings.first().filter(|(said, _)| *said <= self.position)?.0, case)))
            .collect();
        coded.sort_by_key(|(said, _)| *said);
        let from = coded.len().saturating_sub(most);
        let labels = |case: &Case| {
            let mut labels = [const { None }; 4];
            let codes = at(&case.codings, self.position).unwrap_or_default();
            for ((label, names), code) in labels.iter_mut().zip(&self.base.codes).zip(codes) {
                *label = code.map(|code| names.name(code).to_owned());
            }
            labels
        };
        let latest = coded.split_off(from).into_iter();
        latest.map(|(_, case)| CodedText { text: self.text(case), labels: labels(case) }).collect()
    }

    /// Everything that was said about a case.
    pub(super) fn text(self, case: &Case) -> String {
        let said = case.texts.iter().take_while(|(said, _)| *said <= self.position).map(|(_, text)| text.as_str());
        said.collect::<Vec<_>>().join(" ")
    }

    /// The cases of parts, each once and in order.
    fn of_parts(self, parts: Option<&Vec<u32>>) -> Vec<CaseNumber> {
        let part = |number: &u32| usize::try_from(*number).ok().and_then(|at| self.base.parts.get(at));
        let known = self.known_of(parts.map(Vec::as_slice).unwrap_or_default());
        self.each_once(known.iter().filter_map(part).map(|part| part.case))
    }

    /// The known ones of some cases, each once and in order.
    fn each_once(self, cases: impl Iterator<Item = CaseNumber>) -> Vec<CaseNumber> {
        // A bit a case: sorting the cases of a common word would cost more than all the rest.
        let mut bits = vec![0_u64; self.named().div_ceil(64)];
        for case in cases {
            let Ok(case) = usize::try_from(case) else { continue };
            if let Some(bits) = bits.get_mut(case / 64) {
                *bits |= 1 << (case % 64);
            }
        }
        let there = (0..).step_by(64).zip(bits).flat_map(|(first, bits)| {
            let rest = std::iter::successors(Some(bits), |bits| Some(bits & bits.wrapping_sub(1)));
            rest.take_while(|bits| *bits != 0).map(move |bits| first + bits.trailing_zeros())
        });
        there.filter(|case| self.glance(*case).is_some()).collect()
    }

    /// The words, alarms and readings that are seen, with the cases that have them.
    pub(super) fn things(self, seen: &Seen<'_>, all: usize) -> Vec<Thing> {
        let mut things: Vec<Thing> = Vec::new();
        let mut add = |name: &str, kind: SignKind, cases: Vec<CaseNumber>| {
            let han = name.chars().any(terms::is_han);
            things.push(Thing { weight: rarity(all, cases.len()), name: name.to_owned(), kind, han, cases });
        };
        for word in words_of(seen.text).into_iter().take(terms::MAX_QUESTION_TERMS) {
            let parts = self.base.names.known(&word).and_then(|word| self.base.words.get(&word));
            add(&word, SignKind::Word, self.of_parts(parts));
        }
        let signs = [
            (SignKind::Alarm, seen.alarms, &self.base.alarms),
            (SignKind::Readings, seen.readings, &self.base.readings),
        ];
        for (kind, signs, cases) in signs {
            let mut signs: Vec<&String> = signs.iter().collect();
            signs.sort_unstable();
            signs.dedup();
            for sign in signs {
                let having = self.base.names.known(sign).and_then(|sign| cases.get(&sign));
                let known = having.into_iter().flatten().filter(|(_, position)| *position <= self.position);
                add(sign, kind, self.each_once(known.map(|(case, _)| *case)));
            }
        }
        things
    }

    /// Every case that has something of what is seen, with the weighted share of it that it has.
    ///
    /// The commonest n-grams of a large history are left out, on both sides of the share: they say little and cost most.
    pub(super) fn alike(self, text: &str, things: &[Thing], all: usize) -> Likeness {
        let mut table = vec![Shares::default(); self.named()];
        let mut whole = Shares::default();
        for thing in things {
            whole.add_thing(thing);
            for case in &thing.cases {
                if let Some(shares) = usize::try_from(*case).ok().and_then(|at| table.get_mut(at)) {
                    shares.add_thing(thing);
                }
            }
        }
        let mut grams: Vec<(usize, usize, bool, &[u32])> = Vec::new();
        for (language, wanted) in [(0, true), (1, false)] {
            let only: String = text
                .chars()
                .map(|character| if terms::is_han(character) == wanted { character } else { ' ' })
                .collect();
            let (looks, sounds) = (looks_of(&only), sounds_of(&only));
            let there = looks.into_iter().map(|gram| (gram, true)).chain(sounds.into_iter().map(|gram| (gram, false)));
            for (gram, looks) in there {
                let parts = self.known_of(self.base.grams.get(&gram).map(Vec::as_slice).unwrap_or_default());
                grams.push((parts.len(), language, looks, parts));
            }
        }
        grams.sort_by_key(|(count, ..)| *count);
        let through = self.said().last().map_or(0, |last| last.through);
        let said = self.said().len();
        let mean = (long(through) / real(said).max(1.0)).max(1.0);
        let (mut stamp, mut read) = (0, 0);
        for (count, language, looks, parts) in grams {
            read += count;
            if read > MOST_GRAM_PARTS {
                break;
            }
            let weight = rarity(all, count);
            whole.add_gram(language, weight);
            stamp += 1;
            let rare = (1.0 + (real(said) - real(count) + 0.5).max(0.0) / (real(count) + 0.5)).ln();
            self.mark(&mut table, parts, stamp, |shares, part| {
                shares.add_gram(language, weight);
                if looks {
                    shares.looks += rare * (K1 + 1.0) / (1.0 + K1 * (1.0 - B + B * long(part.length.into()) / mean));
                }
            });
        }
        let count = |han: bool| things.iter().filter(|thing| thing.kind != SignKind::Word || thing.han == han).count();
        // The same thing said in Chinese and in English: each language is also judged alone. A case is mostly written in one.
        let alone = count(true) >= MIN_WORDS_ALONE && count(false) >= MIN_WORDS_ALONE;
        let (mut alike, mut looks) = (Vec::new(), Vec::new());
        for (case, shares) in (0..).zip(&table).filter(|(_, shares)| shares.any()) {
            let Some(glance) = self.glance(case) else { continue };
            alike.push((case, shares.likeness(&whole, alone)));
            if shares.looks > 0.0 && glance.mode.is_some() {
                looks.push((case, shares.looks));
            }
        }
        Likeness { cases: alike, looks: most_alike(looks, LOOKALIKES) }
    }

    /// The parts up to the position: how rare something was then depends on nothing that came later.
    fn known_of(self, parts: &[u32]) -> &[u32] {
        let said = |part: &u32| usize::try_from(*part).ok().and_then(|at| self.base.said.get(at));
        let end = parts.partition_point(|part| said(part).is_some_and(|said| said.position <= self.position));
        parts.get(..end).unwrap_or_default()
    }

    /// Everything that was said up to the position.
    fn said(self) -> &'a [Said] {
        let end = self.base.said.partition_point(|said| said.position <= self.position);
        self.base.said.get(..end).unwrap_or_default()
    }

    /// Adds to each case of the parts once.
    fn mark(self, table: &mut [Shares], parts: &[u32], stamp: u32, add: impl Fn(&mut Shares, &Part)) {
        for part in parts {
            let Some(part) = usize::try_from(*part).ok().and_then(|at| self.base.parts.get(at)) else { continue };
            let shares = usize::try_from(part.case).ok().and_then(|case| table.get_mut(case));
            if let Some(shares) = shares
                && shares.stamp != stamp
            {
                shares.stamp = stamp;
                add(shares, part);
            }
        }
    }
}

/// The most alike ones, at most so many, the most alike first; of equal ones the later first.
pub(super) fn most_alike(mut cases: Vec<Alike>, most: usize) -> Vec<Alike> {
    let best = |a: &Alike, b: &Alike| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0));
    if most > 0 && cases.len() > most {
        cases.select_nth_unstable_by(most - 1, best);
        cases.truncate(most);
    }
    cases.sort_unstable_by(best);
    cases
}

/// What a case shares with what is seen: weights by language, Chinese and everything else.
#[derive(Clone, Copy, Debug, Default)]
struct Shares {
    words: [f32; 2],
    /// Alarms and readings.
    signs: f32,
    grams: [f32; 2],
    /// BM25 over n-grams.
    looks: f32,
    /// The last n-gram that was counted for the case: each counts once.
    stamp: u32,
}

impl Shares {
    fn any(&self) -> bool {
        let [han, other] = self.words;
        let [looks, sounds] = self.grams;
        han + other + looks + sounds + self.signs > 0.0
    }

    fn add_thing(&mut self, thing: &Thing) {
        let [han, other] = &mut self.words;
        *match (thing.kind, thing.han) {
            (SignKind::Alarm | SignKind::Readings, _) => &mut self.signs,
            (SignKind::Word, true) => han,
            (SignKind::Word, false) => other,
        } += thing.weight;
    }

    fn add_gram(&mut self, language: usize, weight: f32) {
        if let Some(grams) = self.grams.get_mut(language) {
            *grams += weight;
        }
    }

    fn likeness(&self, whole: &Self, alone: bool) -> f32 {
        let share = |own: f32, all: f32| if all > 0.0 { own / all } else { 0.0 };
        let of = |[own_han, own_other]: [f32; 2], [all_han, all_other]: [f32; 2], own: [f32; 2], all: [f32; 2]| {
            let words = share(own_han + own_other + self.signs, all_han + all_other + whole.signs);
            let grams_there = all.iter().sum::<f32>();
            if grams_there <= 0.0 {
                return words;
            }
            let grams = share(own.iter().sum(), grams_there);
            let word_share = if all_han > 0.0 { WORD_SHARE_HAN } else { WORD_SHARE };
            (word_share * words + (1.0 - word_share) * grams).max(TYPO_SHARE * grams)
        };
        let both = of(self.words, whole.words, self.grams, whole.grams);
        if !alone {
            return both;
        }
        let only = |language: usize| {
            let keep = |pair: [f32; 2]| {
                let [han, other] = pair;
                if language == 0 { [han, 0.0] } else { [0.0, other] }
            };
            of(keep(self.words), keep(whole.words), keep(self.grams), keep(whole.grams))
        };
        both.max(only(0)).max(only(1))
    }
}
