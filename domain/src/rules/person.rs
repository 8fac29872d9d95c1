//! People: where they are logged in.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Aggregate, Contradiction, contradiction};
use crate::events::Event;
use crate::ids::{AssetId, Code, PersonId};
use crate::personal::DataSubject;

/// How many assets and how many skills a person's state remembers; a weaver minds some dozens of looms.
pub const MAX_ITEMS: usize = 1024;

/// What is known of a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The id.
    pub id: String,
    /// The assets that the person minds now; there can be several.
    pub assets: BTreeSet<AssetId>,
    /// What the person was ever qualified for.
    pub skills: BTreeSet<Code>,
}

impl State {
    /// A person that nothing is known of.
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), assets: BTreeSet::new(), skills: BTreeSet::new() }
    }

    fn is(&self, person: &PersonId) -> bool {
        self.id == person.as_str()
    }
}

impl Aggregate for State {
    fn evolve(mut self, event: &Event) -> Self {
        match event {
            Event::PersonLoggedIn(e) if self.is(&e.person) && self.assets.len() < MAX_ITEMS => {
                self.assets.insert(e.asset.clone());
            }
            Event::PersonLoggedOut(e) if self.is(&e.person) => {
                self.assets.remove(&e.asset);
            }
            Event::QualificationGranted(e) if self.is(&e.person) && self.skills.len() < MAX_ITEMS => {
                self.skills.insert(e.skill.clone());
            }
            // What came with the person's own events is forgotten; where the person is logged in stands in tags, and stays.
            Event::SubjectErased(e) if matches!(&e.subject, DataSubject::Person(person) if self.is(person)) => {
                self.skills.clear();
            }
            _ => {}
        }
        self
    }

    fn contradiction(&self, event: &Event) -> Option<Contradiction> {
        let id = &self.id;
        match event {
            Event::PersonLoggedIn(e) if self.is(&e.person) && self.assets.contains(&e.asset) => {
                let reason = format!("person {id} is logged in at asset {} already", e.asset);
                contradiction("person.logged_in_twice", reason, format!("人员 {id} 已在设备 {} 登录", e.asset))
            }
            Event::PersonLoggedOut(e)
                if self.is(&e.person) && self.assets.len() < MAX_ITEMS && !self.assets.contains(&e.asset) =>
            {
                let reason = format!("person {id} is not logged in at asset {}", e.asset);
                contradiction("person.not_logged_in", reason, format!("人员 {id} 未在设备 {} 登录", e.asset))
            }
            _ => None,
        }
    }
}
