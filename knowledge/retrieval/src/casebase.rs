//! Past cases in memory, indexed by what was seen, for any earlier position: which failure modes fit, which cases are alike, what to look at next.
//!
//! Facts are only ever added, each with its position, and positions never decrease; a question looks at those up to its own position. Words, n-grams and
//! alarms have posting lists, so that a question costs what it shares with the past and not the whole past.

mod check;
mod judge;
mod past;

#[cfg(test)]
#[path = "casebase/tests.rs"]
mod tests;

use std::collections::HashMap;

pub use check::Check;
pub use judge::{Cases, Experience, LEAST_COUNTED, ModeScore, Pool, Ranking, Seen, learn};
pub use past::{Alike, Past, SignKind};

use tantivy::tokenizer::Token;

use crate::coding::Target;
use crate::dictionary;
use crate::features::{self, kind};
use crate::terms;

/// A case by the order in which it was first named.
pub type CaseNumber = u32;

/// A text or name, kept once.
type Symbol = u32;

/// How many coded cases the first experience needs, and by how much they grow to the next: experience is gathered at the same positions wherever the
/// same log is folded.
const FIRST_LESSON: u64 = 20;
const LESSON_GROWTH: (u64, u64) = (5, 4);

/// Names by number.
#[derive(Clone, Debug, Default)]
struct Names {
    numbers: HashMap<String, Symbol>,
    names: Vec<String>,
}

impl Names {
    fn of(&mut self, name: &str) -> Symbol {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = Symbol::try_from(self.names.len()).unwrap_or(Symbol::MAX);
        self.numbers.insert(name.to_owned(), number);
        self.names.push(name.to_owned());
        number
    }

    fn known(&self, name: &str) -> Option<Symbol> {
        self.numbers.get(name).copied()
    }

    fn numbers(&self) -> impl Iterator<Item = Symbol> + use<> {
        0..Symbol::try_from(self.names.len()).unwrap_or(Symbol::MAX)
    }

    fn name(&self, number: Symbol) -> &str {
        usize::try_from(number).ok().and_then(|at| self.names.get(at)).map_or("", String::as_str)
    }
}

/// The value that was said last, up to a position.
fn at<T: Copy>(history: &[(u64, T)], position: u64) -> Option<T> {
    let end = history.partition_point(|(said, _)| *said <= position);
    end.checked_sub(1).and_then(|last| history.get(last)).map(|(_, value)| *value)
}

/// What a question needs to know of every case.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Glance {
    /// Whether the case is named by then, and not a part of another one.
    known: bool,
    mode: Option<Symbol>,
    asset: Option<Symbol>,
}

#[derive(Clone, Debug, Default)]
struct Case {
    key: String,
    first: u64,
    /// Where it became a part of another case.
    merged: Option<u64>,
    assets: Vec<(u64, Symbol)>,
    /// When it happened, in nanoseconds since 1970.
    happened: Option<i64>,
    texts: Vec<(u64, String)>,
    alarms: Vec<(u64, Symbol)>,
    readings: Vec<(u64, Symbol)>,
    words: Vec<(u64, Symbol)>,
    codings: Vec<(u64, [Option<Symbol>; 4])>,
}

impl Case {
    fn known(&self, position: u64) -> bool {
        self.first <= position && self.merged.is_none_or(|merged| position < merged)
    }

    fn coded(&self, target: Target, position: u64) -> Option<Symbol> {
        at(&self.codings, position)?.get(target.number()).copied().flatten()
    }

    fn glance(&self, position: u64) -> Glance {
        Glance {
            known: self.known(position),
            mode: self.coded(Target::Mode, position),
            asset: at(&self.assets, position),
        }
    }
}

/// A piece of text of a case: what posting lists point to.
#[derive(Clone, Copy, Debug)]
struct Part {
    case: CaseNumber,
    /// How many n-grams it has.
    length: u32,
}

/// When a part was said, and how many n-grams all parts up to it have.
#[derive(Clone, Copy, Debug)]
struct Said {
    position: u64,
    through: u64,
}

/// Past cases.
#[derive(Clone, Debug, Default)]
pub struct CaseBase {
    cases: Vec<Case>,
    /// What is so of each case since the position: most questions come later, and need not look at the case itself.
    glances: Vec<(u64, Glance)>,
    numbers: HashMap<String, CaseNumber>,
    names: Names,
    assets: Names,
    /// The codes of each target, by its number.
    codes: [Names; 4],
    parts: Vec<Part>,
    said: Vec<Said>,
    /// Parts that have a word, by its name.
    words: HashMap<Symbol, Vec<u32>>,
    /// Parts that have an n-gram, by its hash.
    grams: HashMap<u64, Vec<u32>>,
    /// Cases that came with an alarm, each with the position that says so.
    alarms: HashMap<Symbol, Vec<(CaseNumber, u64)>>,
    /// The same for what readings showed.
    readings: HashMap<Symbol, Vec<(CaseNumber, u64)>>,
    /// The class of an asset.
    classes: HashMap<Symbol, Vec<(u64, Symbol)>>,
    /// Cases that were coded with a mode at any time.
    modes: HashMap<Symbol, Vec<CaseNumber>>,
    /// Cases that were coded with a mode once.
    coded: u64,
    lessons: Vec<u64>,
    next_lesson: u64,
}

/// A word of a text as a case base compares it.
fn words_of(text: &str) -> Vec<String> {
    let latin = features::plain(text);
    let mut words: Vec<String> =
        latin.split_whitespace().map(terms::stem).filter(|word| !terms::is_silent(word)).collect();
    words.extend(terms::zh(text).into_iter().map(|token| token.text));
    words.extend(dictionary::concepts(text).into_iter().map(str::to_owned));
    words.sort_unstable();
    words.dedup();
    words
}

/// The distinct hashes of some terms.
fn hashed(kind: u8, terms: &[Token]) -> Vec<u64> {
    let mut hashes: Vec<u64> = terms.iter().map(|term| features::hash(kind, &term.text)).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// The character n-grams of a text as a case base compares them.
fn looks_of(text: &str) -> Vec<u64> {
    hashed(kind::GRAM, &terms::grams(text))
}

/// The sounds of a text as a case base compares them.
fn sounds_of(text: &str) -> Vec<u64> {
    hashed(kind::SOUND, &terms::sounds(text))
}

impl CaseBase {
    fn case(&mut self, key: &str, position: u64) -> CaseNumber {
        if let Some(number) = self.numbers.get(key) {
            return *number;
        }
        let number = CaseNumber::try_from(self.cases.len()).unwrap_or(CaseNumber::MAX);
        self.numbers.insert(key.to_owned(), number);
        let case = Case { key: key.to_owned(), first: position, ..Case::default() };
        self.glances.push((position, case.glance(position)));
        self.cases.push(case);
        number
    }

    /// What is so of the case has changed.
    fn changed(&mut self, number: CaseNumber, position: u64) {
        let Some(case) = self.get(number) else { return };
        let glance = case.glance(position);
        if let Some(known) = usize::try_from(number).ok().and_then(|at| self.glances.get_mut(at)) {
            *known = (position, glance);
        }
    }

    fn modes(&self) -> &Names {
        let [modes, ..] = &self.codes;
        modes
    }

    fn get(&self, number: CaseNumber) -> Option<&Case> {
        usize::try_from(number).ok().and_then(|at| self.cases.get(at))
    }

    fn get_mut(&mut self, number: CaseNumber) -> Option<&mut Case> {
        usize::try_from(number).ok().and_then(|at| self.cases.get_mut(at))
    }

    /// The case happened to the asset.
    pub fn happened_to(&mut self, key: &str, asset: &str, position: u64) {
        let (number, asset) = (self.case(key, position), self.assets.of(asset));
        if let Some(case) = self.get_mut(number)
            && case.assets.last().is_none_or(|(_, last)| *last != asset)
        {
            case.assets.push((position, asset));
            self.changed(number, position);
        }
    }

    /// When the case happened, in nanoseconds since 1970, as was said first.
    pub fn happened_at(&mut self, key: &str, time_ns: i64, position: u64) {
        let number = self.case(key, position);
        if let Some(case) = self.get_mut(number) {
            case.happened.get_or_insert(time_ns);
        }
    }

    /// The asset is of the class.
    pub fn is_of(&mut self, asset: &str, class: &str, position: u64) {
        let (asset, class) = (self.assets.of(asset), self.names.of(class));
        self.classes.entry(asset).or_default().push((position, class));
    }

    /// Something was said about the case. The same words again say nothing new.
    pub fn said(&mut self, key: &str, text: &str, position: u64) {
        let number = self.case(key, position);
        let known = self.get(number).is_some_and(|case| case.texts.iter().any(|(_, said)| said == text));
        if known || text.trim().is_empty() {
            return;
        }
        let part = u32::try_from(self.parts.len()).unwrap_or(u32::MAX);
        let grams = [looks_of(text), sounds_of(text)].concat();
        let length = u32::try_from(grams.len()).unwrap_or(u32::MAX);
        let through = self.said.last().map_or(0, |last| last.through) + u64::from(length);
        self.parts.push(Part { case: number, length });
        self.said.push(Said { position, through });
        let words: Vec<Symbol> = words_of(text).iter().map(|word| self.names.of(word)).collect();
        for word in &words {
            self.words.entry(*word).or_default().push(part);
        }
        for gram in grams {
            self.grams.entry(gram).or_default().push(part);
        }
        if let Some(case) = self.get_mut(number) {
            case.texts.push((position, text.to_owned()));
            case.words.extend(words.into_iter().map(|word| (position, word)));
        }
    }

    /// The case came with the alarm.
    pub fn alarmed(&mut self, key: &str, alarm: &str, position: u64) {
        let (number, alarm) = (self.case(key, position), self.names.of(alarm));
        let Some(case) = self.get_mut(number) else { return };
        if case.alarms.iter().all(|(_, known)| *known != alarm) {
            case.alarms.push((position, alarm));
            self.alarms.entry(alarm).or_default().push((number, position));
        }
    }

    /// Readings showed this in the case (`warp_tension high`).
    pub fn showed(&mut self, key: &str, sign: &str, position: u64) {
        let (number, sign) = (self.case(key, position), self.names.of(sign));
        let Some(case) = self.get_mut(number) else { return };
        if case.readings.iter().all(|(_, known)| *known != sign) {
            case.readings.push((position, sign));
            self.readings.entry(sign).or_default().push((number, position));
        }
    }

    /// The case was coded; the last coding counts.
    pub fn was_coded(&mut self, key: &str, labels: [Option<&str>; 4], position: u64) {
        let number = self.case(key, position);
        let mut coded = [None; 4];
        for ((number, names), label) in coded.iter_mut().zip(&mut self.codes).zip(labels) {
            *number = label.map(|label| names.of(label));
        }
        let [mode, ..] = coded;
        let Some(case) = self.get_mut(number) else { return };
        let first = case.codings.is_empty();
        let known = case.codings.iter().any(|(_, labels)| labels.get(Target::Mode.number()).copied().flatten() == mode);
        case.codings.push((position, coded));
        self.changed(number, position);
        if let (Some(mode), false) = (mode, known) {
            self.modes.entry(mode).or_default().push(number);
        }
        if !first {
            return;
        }
        self.coded += 1;
        if self.coded >= self.next_lesson.max(FIRST_LESSON) {
            self.lessons.push(position);
            self.next_lesson = (self.coded * LESSON_GROWTH.0).div_ceil(LESSON_GROWTH.1);
        }
    }

    /// The case turned out to be a part of another one, where it is told from now on.
    pub fn merged(&mut self, key: &str, position: u64) {
        let number = self.case(key, position);
        if let Some(case) = self.get_mut(number)
            && case.merged.is_none()
        {
            case.merged = Some(position);
            self.changed(number, position);
        }
    }

    /// How many cases are named.
    pub fn len(&self) -> usize {
        self.cases.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }

    /// The last position up to which experience is gathered for an answer at this position; `None` while too little is coded.
    pub fn lesson(&self, position: u64) -> Option<u64> {
        let end = self.lessons.partition_point(|lesson| *lesson <= position);
        end.checked_sub(1).and_then(|last| self.lessons.get(last)).copied()
    }

    /// What was known at the position.
    pub fn at(&self, position: u64) -> Past<'_> {
        Past::new(self, position)
    }
}
