use domain::events::{Abbreviation, DictionaryEntryDefined, DictionaryEntryRemoved, SamePhrases, WordMeaning};
use domain::ids::{Code, PersonId};
use eventlog::Position;

use super::{Dictionary, DictionaryAt};
use crate::testing::entries;
use crate::{AsOf, Fold};

fn defined(entry: &str, meaning: WordMeaning) -> domain::Event {
    let person = PersonId::new("P-40").unwrap();
    DictionaryEntryDefined { entry: Code::new(entry).unwrap(), meaning, person, note: None }.into()
}

fn same(entry: &str, phrases: &[&str]) -> domain::Event {
    let phrases: Vec<String> = phrases.iter().map(|phrase| (*phrase).to_owned()).collect();
    defined(entry, WordMeaning::Same(SamePhrases::new(&phrases).unwrap()))
}

fn removed(entry: &str) -> domain::Event {
    let person = PersonId::new("P-41").unwrap();
    DictionaryEntryRemoved { entry: Code::new(entry).unwrap(), person, reason: None }.into()
}

#[test]
fn each_position_has_its_dictionary_and_its_version() {
    let mut dictionary = Dictionary::default();
    let events = vec![
        same("frame", &["综框", "综架"]),
        defined("noz", WordMeaning::Abbreviation(Abbreviation::new("NZL", "nozzle").unwrap())),
        removed("unknown"),
        same("frame", &["综框", "综架", "heald frame"]),
        removed("noz"),
    ];
    entries(events).iter().for_each(|entry| dictionary.apply(entry));
    let at = |position: u64| dictionary.at(AsOf::through(Position::new(position)));
    let group = |phrases: &[&str]| phrases.iter().map(|phrase| (*phrase).to_owned()).collect::<Vec<_>>();
    let short = vec![("NZL".to_owned(), "nozzle".to_owned())];
    let first = vec![group(&["综框", "综架"])];
    let second = vec![group(&["综框", "综架", "heald frame"])];
    for (position, version, same, abbreviations) in [
        (0, 0, first.clone(), vec![]),
        (1, 1, first.clone(), short.clone()),
        (2, 1, first, short.clone()),
        (3, 3, second.clone(), short),
        (4, 4, second, vec![]),
    ] {
        let expected = DictionaryAt { version: Some(Position::new(version)), same, abbreviations };
        assert_eq!(at(position), expected, "{position}");
    }
    assert_eq!(Dictionary::default().at(AsOf::LATEST), DictionaryAt::default());
    assert_eq!(dictionary.history(&Code::new("noz").unwrap(), AsOf::LATEST).len(), 2);
    assert_eq!(dictionary.entries(AsOf::LATEST).count(), 1);
}
