//! The rules of the factory: what can follow what, for each kind of thing that has a life of its own (an aggregate).
//!
//! One set of rules serves two purposes. A *command* that breaks a rule is refused ([`decide`]). An *observation* that breaks one is logged
//! all the same, since reality is never refused, and [`States::contradictions`] names the rule for the discrepancy that somebody resolves.
//!
//! Invariants:
//! - [`AggregateState::evolve`] is total: it takes any event in any state, also those that contradict, and never panics.
//! - [`decide`] never returns an event that contradicts what is known.
//! - Rules judge in the order of arrival, which is the order of the log. An observation whose event time is earlier than what is known is
//!   normal (late keying), and no rule looks at times. What arrives out of order can therefore be named as a contradiction that resolves
//!   itself once the rest arrives.
//! - Nothing is invented: where an amount, a length or an owner is not known, no rule speaks.
//!
//! An event can touch several aggregates ([`affected`]): cloth that is doffed touches the roll, its beams, its wefts, the loom and the order.
//! The events of one aggregate are therefore spread over streams. All of them carry the aggregate among their [`crate::Subject`]s, and can be
//! found by that tag.

mod affected;
mod amounts;
mod command;
mod decide;

pub mod article;
pub mod asset;
pub mod deployment;
pub mod fault;
pub mod gate;
pub mod inspection;
pub mod lot;
pub mod model;
pub mod nonconformance;
pub mod order;
pub mod person;
pub mod privacy;
pub mod work_order;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::events::{Event, SubjectKind};
use crate::ids::{DeploymentId, ModelName};

pub use affected::affected;
pub use command::{Command, InvalidCommand, RollBack};
pub use decide::{Rejection, decide, judge_all};

/// A kind of thing that has rules of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AggregateKind {
    /// A job order.
    Order,
    /// A material lot: yarn, beam, roll.
    Lot,
    /// A fault episode.
    Fault,
    /// A maintenance work order.
    WorkOrder,
    /// An inspection.
    Inspection,
    /// A nonconformance.
    Nonconformance,
    /// A physical asset; for looms with the beams on it.
    Asset,
    /// A registered model.
    Model,
    /// A deployment of a model.
    Deployment,
    /// A person.
    Person,
    /// The register of erasures and legal holds.
    Privacy,
    /// A piece of knowledge that people wrote.
    Article,
}

impl AggregateKind {
    /// The kind of subject that the aggregate is among an event's subjects, and so the kind of its tag in the log.
    pub const fn subject_kind(self) -> SubjectKind {
        match self {
            Self::Order => SubjectKind::Order,
            Self::Lot => SubjectKind::Lot,
            Self::Fault => SubjectKind::Fault,
            Self::WorkOrder => SubjectKind::WorkOrder,
            Self::Inspection => SubjectKind::Inspection,
            Self::Nonconformance => SubjectKind::Nonconformance,
            Self::Asset => SubjectKind::Asset,
            Self::Model => SubjectKind::Model,
            Self::Deployment => SubjectKind::Deployment,
            Self::Person => SubjectKind::Person,
            Self::Privacy => SubjectKind::Privacy,
            Self::Article => SubjectKind::Article,
        }
    }

    /// The name (`work_order`).
    pub const fn as_str(self) -> &'static str {
        self.subject_kind().as_str()
    }
}

/// Which aggregate: its kind and its id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AggregateKey {
    /// What kind of thing.
    pub kind: AggregateKind,
    /// Its id.
    pub id: String,
}

impl AggregateKey {
    /// The aggregate of this kind with this id.
    pub fn new(kind: AggregateKind, id: &str) -> Self {
        Self { kind, id: id.to_owned() }
    }
}

impl fmt::Display for AggregateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.kind.as_str(), self.id)
    }
}

/// An event does not fit what was known when it arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Contradiction {
    /// The rule's stable name (`lot.shipped_twice`).
    pub rule: &'static str,
    /// What does not fit, in English.
    pub reason: String,
    /// What does not fit, in Chinese.
    pub reason_zh: String,
}

/// A contradiction of this rule, for the last line of a rule.
pub(crate) fn contradiction(
    rule: &'static str,
    reason: impl Into<String>,
    reason_zh: impl Into<String>,
) -> Option<Contradiction> {
    Some(Contradiction { rule, reason: reason.into(), reason_zh: reason_zh.into() })
}

/// What one aggregate knows of itself: the fold of the events that touch it.
///
/// # Contract
/// `evolve` MUST accept every event, and leave the state as it is for events that do not touch the aggregate. `contradiction` MUST look at
/// the state and the event only, and MUST answer `None` for events that do not touch the aggregate.
pub trait Aggregate: Sized {
    /// The state after the event.
    #[must_use]
    fn evolve(self, event: &Event) -> Self;

    /// The first rule that the event breaks in this state.
    fn contradiction(&self, event: &Event) -> Option<Contradiction>;
}

macro_rules! aggregates {
    ($($name:ident $module:ident;)*) => {
        /// The state of any aggregate, so that states can be kept, stored and loaded without knowing their kind.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum AggregateState {
            $(#[doc = concat!("See [`", stringify!($module), "::State`].")] $name(Box<$module::State>),)*
        }

        impl AggregateState {
            /// The state before the first event.
            pub fn new(key: &AggregateKey) -> Self {
                match key.kind {
                    $(AggregateKind::$name => Self::$name(Box::new($module::State::new(&key.id))),)*
                }
            }

            /// The kind of the aggregate.
            pub const fn kind(&self) -> AggregateKind {
                match self {
                    $(Self::$name(_) => AggregateKind::$name,)*
                }
            }

            /// The state after the event; total.
            #[must_use]
            pub fn evolve(self, event: &Event) -> Self {
                match self {
                    $(Self::$name(state) => Self::$name(Box::new((*state).evolve(event))),)*
                }
            }

            /// The first rule that the event breaks in this state.
            pub fn contradiction(&self, event: &Event) -> Option<Contradiction> {
                match self {
                    $(Self::$name(state) => state.contradiction(event),)*
                }
            }
        }
    };
}

aggregates! {
    Order order;
    Lot lot;
    Fault fault;
    WorkOrder work_order;
    Inspection inspection;
    Nonconformance nonconformance;
    Asset asset;
    Model model;
    Deployment deployment;
    Person person;
    Privacy privacy;
    Article article;
}

/// The states of some aggregates: those that a command touches, or all of them in a projection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct States(BTreeMap<AggregateKey, AggregateState>);

impl States {
    /// No states: nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// The states after these events.
    pub fn given<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut states = Self::new();
        events.into_iter().for_each(|event| states.evolve(event));
        states
    }

    /// The state of an aggregate that events have touched.
    pub fn get(&self, key: &AggregateKey) -> Option<&AggregateState> {
        self.0.get(key)
    }

    /// What is known of a model that events have touched.
    pub fn model(&self, model: &ModelName) -> Option<&model::State> {
        match self.0.get(&AggregateKey::new(AggregateKind::Model, model.as_str())) {
            Some(AggregateState::Model(state)) => Some(state),
            _ => None,
        }
    }

    /// What is known of a deployment that events have touched.
    pub fn deployment(&self, deployment: &DeploymentId) -> Option<&deployment::State> {
        match self.0.get(&AggregateKey::new(AggregateKind::Deployment, deployment.as_str())) {
            Some(AggregateState::Deployment(state)) => Some(state),
            _ => None,
        }
    }

    /// Puts a state that was loaded from elsewhere.
    pub fn insert(&mut self, key: AggregateKey, state: AggregateState) {
        self.0.insert(key, state);
    }

    /// Every state, in the order of keys.
    pub fn iter(&self) -> impl Iterator<Item = (&AggregateKey, &AggregateState)> {
        self.0.iter()
    }

    /// Every rule that the event breaks, with the aggregate that knows it.
    pub fn contradictions(&self, event: &Event) -> Vec<(AggregateKey, Contradiction)> {
        affected(event)
            .into_iter()
            .filter_map(|key| {
                let found = match self.0.get(&key) {
                    Some(state) => state.contradiction(event),
                    None => AggregateState::new(&key).contradiction(event),
                };
                found.map(|contradiction| (key, contradiction))
            })
            .collect()
    }

    /// Folds the event into every aggregate that it touches.
    pub fn evolve(&mut self, event: &Event) {
        for key in affected(event) {
            let state = self.0.remove(&key).unwrap_or_else(|| AggregateState::new(&key));
            self.0.insert(key, state.evolve(event));
        }
    }
}
