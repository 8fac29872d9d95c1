//! The register of privacy: who was erased, and what must not be. There is one for the whole log.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Aggregate, Contradiction, contradiction};
use crate::events::{Event, HoldScope};
use crate::ids::HoldId;
use crate::personal::DataSubject;

/// The id of the register.
pub const REGISTER: &str = "register";

/// What is known of erasures and holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The id: [`REGISTER`].
    pub id: String,
    /// The legal holds that last.
    pub holds: BTreeMap<HoldId, HoldScope>,
    /// Everybody who was erased.
    pub erased: BTreeSet<DataSubject>,
}

impl State {
    /// A register with nothing in it.
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), holds: BTreeMap::new(), erased: BTreeSet::new() }
    }
}

impl Aggregate for State {
    fn evolve(mut self, event: &Event) -> Self {
        match event {
            Event::LegalHoldPlaced(e) => {
                self.holds.insert(e.hold.clone(), e.scope.clone());
            }
            Event::LegalHoldReleased(e) => {
                self.holds.remove(&e.hold);
            }
            Event::SubjectErased(e) => {
                self.erased.insert(e.subject.clone());
            }
            _ => {}
        }
        self
    }

    fn contradiction(&self, event: &Event) -> Option<Contradiction> {
        match event {
            Event::SubjectErased(e) => {
                let subject = &e.subject;
                if let Some((hold, _)) = self.holds.iter().find(|(_, scope)| scope.covers_subject(subject)) {
                    let reason = format!("{subject} must be kept as long as legal hold {hold} lasts");
                    let zh = format!("法律保全 {hold} 期间必须保留 {subject}");
                    return contradiction("subject.under_legal_hold", reason, zh);
                }
                if self.erased.contains(subject) {
                    let reason = format!("{subject} was erased before");
                    return contradiction("subject.erased_twice", reason, format!("{subject} 此前已删除"));
                }
                None
            }
            Event::LegalHoldPlaced(e) if self.holds.contains_key(&e.hold) => {
                let hold = &e.hold;
                let reason = format!("legal hold {hold} lasts already");
                contradiction("legal_hold.placed_twice", reason, format!("法律保全 {hold} 已经生效"))
            }
            Event::LegalHoldReleased(e) if !self.holds.contains_key(&e.hold) => {
                let hold = &e.hold;
                let reason = format!("legal hold {hold} does not last");
                contradiction("legal_hold.not_placed", reason, format!("法律保全 {hold} 并未生效"))
            }
            _ => None,
        }
    }
}
