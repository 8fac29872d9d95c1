//! Normal forms of the tokens of maintenance texts: abbreviations written out, slips mended, numbers and ids masked, as examples show it.

use std::collections::HashMap;

/// How often a token must have been seen between the same neighbours before they decide.
const LEAST_IN_CONTEXT: u32 = 2;

/// The share that a form must have there.
const CONTEXT_SHARE: f64 = 0.6;

/// The shortest word in which a slip is mended, in characters, and how often the right one must have been seen.
const SLIP_CHARS: usize = 5;
const LEAST_SEEN: u32 = 3;

type Counts = HashMap<String, u32>;

/// What examples say.
#[derive(Clone, Debug, Default)]
pub struct Normaliser {
    /// Normal forms of a token in lower case.
    tokens: HashMap<String, Counts>,
    /// The same for the token as it was written.
    written: HashMap<String, Counts>,
    /// The same for a token with the one before it, and with the one after it.
    before: HashMap<(String, String), Counts>,
    after: HashMap<(String, String), Counts>,
    /// Masks by the shape of a token; an empty form stands for the token itself.
    shapes: HashMap<String, Counts>,
    /// How often a word is a normal form.
    words: Counts,
    /// Whether only the first of these is used.
    plain: bool,
}

fn most(counts: &Counts) -> Option<(&str, u32)> {
    // Of equal ones the first in the alphabet, so that the answer is the same every time.
    let best = counts.iter().max_by(|a, b| a.1.cmp(b.1).then_with(|| b.0.cmp(a.0)))?;
    Some((best.0.as_str(), *best.1))
}

/// Letters as `a`, digits as `0`, each run once, and other signs as they are.
fn shape(token: &str) -> String {
    let mut shape = String::new();
    for character in token.chars() {
        let sign = if character.is_ascii_digit() {
            '0'
        } else if character.is_alphabetic() {
            'a'
        } else {
            character
        };
        if !(matches!(sign, '0' | 'a') && shape.ends_with(sign)) {
            shape.push(sign);
        }
    }
    shape
}

/// Whether one insertion, deletion, replacement or exchange of neighbours makes one word of the other.
fn one_slip(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let (short, long) = if a.len() <= b.len() { (&a, &b) } else { (&b, &a) };
    if long.len() - short.len() > 1 {
        return false;
    }
    let same = short.iter().zip(long.iter()).take_while(|(x, y)| x == y).count();
    let rest = |word: &[char], skipped: usize| word.get(same + skipped..).unwrap_or_default().to_vec();
    if short.len() < long.len() {
        return rest(short, 0) == rest(long, 1);
    }
    let exchanged = match (short.get(same..same + 2), long.get(same..same + 2)) {
        (Some([p, q]), Some([r, s])) => p == s && q == r && rest(short, 2) == rest(long, 2),
        _ => false,
    };
    rest(short, 1) == rest(long, 1) || exchanged
}

impl Normaliser {
    /// Learns from sentences of tokens with their normal forms.
    pub fn learn(sentences: &[Vec<(String, String)>]) -> Self {
        let mut learnt = Self::default();
        for sentence in sentences {
            for (at, (token, normal)) in sentence.iter().enumerate() {
                let lower = token.to_lowercase();
                let near = |at: Option<usize>| {
                    at.and_then(|at| sentence.get(at)).map_or_else(String::new, |(token, _)| token.to_lowercase())
                };
                let count = |counts: &mut Counts| *counts.entry(normal.clone()).or_default() += 1;
                count(learnt.tokens.entry(lower.clone()).or_default());
                count(learnt.written.entry(token.clone()).or_default());
                count(learnt.before.entry((near(at.checked_sub(1)), lower.clone())).or_default());
                count(learnt.after.entry((near(Some(at + 1)), lower.clone())).or_default());
                let mask = if normal.starts_with('<') { normal.clone() } else { String::new() };
                *learnt.shapes.entry(shape(token)).or_default().entry(mask).or_default() += 1;
                if normal.chars().all(char::is_lowercase) {
                    *learnt.words.entry(normal.clone()).or_default() += 1;
                }
            }
        }
        learnt
    }

    /// Learns only the most frequent form of each token.
    pub fn frequent(sentences: &[Vec<(String, String)>]) -> Self {
        Self { plain: true, ..Self::learn(sentences) }
    }

    /// The normal form of each token of a sentence.
    pub fn normal(&self, sentence: &[&str]) -> Vec<String> {
        let lower: Vec<String> = sentence.iter().map(|token| token.to_lowercase()).collect();
        let near = |at: Option<usize>| at.and_then(|at| lower.get(at)).cloned().unwrap_or_default();
        sentence
            .iter()
            .zip(&lower)
            .enumerate()
            .map(|(at, (token, word))| {
                if self.plain {
                    let known = self.tokens.get(word).and_then(most);
                    return known.map_or_else(|| word.clone(), |(form, _)| form.to_owned());
                }
                let contexts = [
                    self.before.get(&(near(at.checked_sub(1)), word.clone())),
                    self.after.get(&(near(Some(at + 1)), word.clone())),
                ];
                self.in_context(contexts).unwrap_or_else(|| self.alone(token))
            })
            .collect()
    }

    /// What both neighbours together say, where they were seen often enough.
    fn in_context(&self, contexts: [Option<&Counts>; 2]) -> Option<String> {
        let mut together = Counts::new();
        for (form, count) in contexts.into_iter().flatten().flatten() {
            *together.entry(form.clone()).or_default() += count;
        }
        let all: u32 = together.values().sum();
        let (form, count) = most(&together)?;
        (count >= LEAST_IN_CONTEXT && f64::from(count) >= CONTEXT_SHARE * f64::from(all)).then(|| form.to_owned())
    }

    fn alone(&self, token: &str) -> String {
        let word = token.to_lowercase();
        let known = |counts: Option<&Counts>, least: u32| {
            counts.and_then(most).filter(|(_, count)| *count >= least).map(|(form, _)| form.to_owned())
        };
        // How a word is written may tell two of them apart: NO and No.
        if let Some(form) = known(self.written.get(token), LEAST_SEEN).or_else(|| known(self.tokens.get(&word), 1)) {
            return form;
        }
        if let Some((mask, _)) = self.shapes.get(&shape(token)).and_then(most)
            && !mask.is_empty()
        {
            return mask.to_owned();
        }
        self.parts(token).or_else(|| self.mended(&word)).unwrap_or(word)
    }

    /// A token that is joined from others: each by itself.
    fn parts(&self, token: &str) -> Option<String> {
        let at = token.find(['/', '-', '&', '+', ',', '(', ')', ';', ':'])?;
        let (first, rest) = (token.get(..at)?, token.get(at..)?);
        let sign = rest.get(..1)?;
        let second = rest.get(1..)?;
        let joint = if matches!(sign, "&" | "+") { "and" } else { sign };
        let own = |part: &str| (!part.is_empty()).then(|| self.alone(part));
        let forms = [own(first), Some(joint.to_owned()), own(second)];
        Some(forms.into_iter().flatten().collect::<Vec<_>>().join(" "))
    }

    /// The frequent word that is one slip away.
    fn mended(&self, word: &str) -> Option<String> {
        if word.chars().count() < SLIP_CHARS || self.words.contains_key(word) {
            return None;
        }
        let near = self.words.iter().filter(|(known, count)| **count >= LEAST_SEEN && one_slip(word, known));
        near.max_by(|a, b| a.1.cmp(b.1).then_with(|| b.0.cmp(a.0))).map(|(known, _)| known.clone())
    }
}

#[cfg(test)]
#[path = "normal_tests.rs"]
mod tests;
