//! The words of a plant, as people curated them: they come as data, with a version, and add to the dictionary that is compiled in.
//!
//! They widen questions and change no index: a new entry works at once, for old texts too, and an answer can be given again with the words of then.

use crate::{dictionary, terms};

/// Words of a plant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Curated {
    version: Option<u64>,
    groups: Vec<Vec<Phrase>>,
}

/// A phrase, and how it is found.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Phrase {
    text: String,
    key: String,
}

impl Phrase {
    fn new(text: String) -> Self {
        Self { key: key(&text), text }
    }
}

/// What two phrases share that are the same: Chinese as it stands, Latin words stemmed.
fn key(phrase: &str) -> String {
    if phrase.chars().any(terms::is_han) { phrase.to_owned() } else { stemmed(phrase) }
}

/// The text with a blank on each side of each stemmed Latin word, to find phrases in.
fn stemmed(text: &str) -> String {
    let words: Vec<String> = terms::en(text).into_iter().map(|token| token.text).collect();
    format!(" {} ", words.join(" "))
}

impl Curated {
    /// Groups of phrases that mean the same, and abbreviations with what they stand for, as of a position; `None` where nobody curated any.
    pub fn new(version: Option<u64>, same: Vec<Vec<String>>, abbreviations: Vec<(String, String)>) -> Self {
        let pairs = abbreviations.into_iter().map(|(short, long)| vec![short, long]);
        let groups = same.into_iter().chain(pairs).map(|group| group.into_iter().map(Phrase::new).collect()).collect();
        Self { version, groups }
    }

    /// The version of all words together: that of the dictionary that is compiled in, and the position of the plant's (`1+4711`).
    pub fn version(&self) -> String {
        match self.version {
            Some(position) => format!("{}+{position}", dictionary::VERSION),
            None => dictionary::VERSION.to_string(),
        }
    }

    /// The position of the last change; `None` where nobody curated any.
    pub fn position(&self) -> Option<u64> {
        self.version
    }

    /// For each group of which the text has a phrase, the phrases that it lacks.
    pub fn missing(&self, text: &str) -> Vec<Vec<&str>> {
        if self.groups.is_empty() {
            return Vec::new();
        }
        let latin = stemmed(text);
        // The key of a Latin phrase begins with a blank.
        let has = |phrase: &&Phrase| {
            let within = if phrase.key.starts_with(' ') { &latin } else { text };
            within.contains(&phrase.key)
        };
        self.groups
            .iter()
            .filter_map(|group| {
                let (there, lacking): (Vec<&Phrase>, Vec<&Phrase>) = group.iter().partition(has);
                let found = !there.is_empty() && !lacking.is_empty();
                found.then(|| lacking.into_iter().map(|phrase| phrase.text.as_str()).collect())
            })
            .collect()
    }

    /// Whether the words of the plant, or the dictionary that is compiled in, say that both mean the same.
    pub fn knows(&self, a: &str, b: &str) -> bool {
        let (a, b) = (key(a), key(b));
        let both = |group: &mut dyn Iterator<Item = &str>| {
            let keys: Vec<String> = group.map(key).collect();
            keys.contains(&a) && keys.contains(&b)
        };
        self.groups.iter().any(|group| both(&mut group.iter().map(|phrase| phrase.text.as_str())))
            || dictionary::SAME.iter().any(|group| both(&mut group.iter().copied()))
            || dictionary::ABBREVIATIONS.iter().any(|(short, long)| both(&mut [*short, *long].into_iter()))
    }

    /// The text with what else means the same behind it: how diagnosis and coding take these words.
    pub fn widened(&self, text: &str) -> String {
        let mut widened = text.to_owned();
        for phrase in self.missing(text).into_iter().flatten() {
            widened.push(' ');
            widened.push_str(phrase);
        }
        widened
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curated() -> Curated {
        let group = |phrases: &[&str]| phrases.iter().map(|phrase| (*phrase).to_owned()).collect();
        let same = vec![group(&["综框", "综架", "heald frame"]), group(&["drop wire", "dropper"])];
        Curated::new(Some(4_711), same, vec![("NZL".to_owned(), "nozzle".to_owned())])
    }

    #[test]
    fn a_text_gets_the_phrases_that_it_lacks() {
        let check = |text: &str, widened: &str| assert_eq!(curated().widened(text), widened);
        check("3页综架响", "3页综架响 综框 heald frame");
        check("heald frames broken", "heald frames broken 综框 综架");
        check("Droppers dirty", "Droppers dirty drop wire");
        check("nzl clogged", "nzl clogged nozzle");
        check("NOZZLES clogged", "NOZZLES clogged NZL");
        check("综框 综架 heald frame", "综框 综架 heald frame");
        check("drop the wire", "drop the wire");
        check("", "");
    }

    #[test]
    fn the_version_names_both_dictionaries() {
        assert_eq!(curated().version(), format!("{}+4711", dictionary::VERSION));
        assert_eq!(Curated::default().version(), dictionary::VERSION.to_string());
    }
}
