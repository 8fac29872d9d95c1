//! People and customers by name: the only read model that holds what identifies somebody. An erasure takes it out, at every position.

use std::collections::BTreeMap;

use domain::events::{CustomerRegistered, PersonRegistered};
use domain::personal::DataSubject;
use domain::{Event, Text};
use eventlog::{Digest, Filter};
use serde::{Deserialize, Serialize};

use crate::{AsOf, Entry, Fact, Fold, History, filters, state_digest};

/// What is known of somebody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Party {
    /// The name.
    pub name: Text,
    /// How to reach them.
    pub contact: Option<String>,
    /// What else is worth knowing.
    pub note: Option<Text>,
}

/// Everybody of whom a name is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct People {
    parties: BTreeMap<DataSubject, History<Party>>,
}

impl Fold for People {
    const NAME: &'static str = "people";
    const VERSION: u32 = 1;

    fn filter() -> Filter {
        filters::types(&["person.registered", "customer.registered", "subject.erased"])
    }

    fn apply(&mut self, entry: &Entry) {
        match entry.event() {
            Some(Event::PersonRegistered(PersonRegistered { person, name, contact, note })) => {
                let party = Party { name: name.clone(), contact: contact.clone(), note: note.clone() };
                self.parties.entry(DataSubject::Person(person.clone())).or_default().push(entry, party);
            }
            Some(Event::CustomerRegistered(CustomerRegistered { customer, name, contact, note })) => {
                let party = Party { name: name.clone(), contact: contact.clone(), note: note.clone() };
                self.parties.entry(DataSubject::Customer(customer.clone())).or_default().push(entry, party);
            }
            Some(Event::SubjectErased(event)) => drop(self.parties.remove(&event.subject)),
            _ => {}
        }
    }

    fn digest(&self) -> Digest {
        state_digest(self)
    }
}

impl People {
    /// What was known of somebody, as it was said last.
    pub fn party(&self, subject: &DataSubject, as_of: AsOf) -> Option<&Fact<Party>> {
        self.parties.get(subject)?.last(as_of)
    }

    /// Everybody whose id, name or contact holds all of these words, by id; everybody, without words. Letters count alike in both cases.
    pub fn find<'a>(&'a self, words: &str, as_of: AsOf) -> impl Iterator<Item = (&'a DataSubject, &'a Fact<Party>)> {
        let words: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
        self.parties.iter().filter_map(move |(subject, history)| {
            let fact = history.last(as_of)?;
            let Party { name, contact, .. } = &fact.value;
            let texts = [Some(subject.id()), name.zh.as_deref(), name.en.as_deref(), contact.as_deref()];
            let texts: Vec<String> = texts.into_iter().flatten().map(str::to_lowercase).collect();
            let found = words.iter().all(|word| texts.iter().any(|text| text.contains(word.as_str())));
            found.then_some((subject, fact))
        })
    }
}

#[cfg(test)]
#[path = "people_tests.rs"]
mod tests;
