//! Old versions of events, lifted to the present ones as they are read.
//!
//! What was appended stays as it was: [`Upcasters::lift`] gives the present shape of a record beside the record, whose bytes, version and digests are still there
//! for proofs. A step is a pure function from one (type, version) to another, usually the next version of the same type; a type that was renamed goes over to
//! its new name. The chain is checked when it is put together, so that nothing is found out in the middle of a replay.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use crate::{EventType, InvalidName, Record};

/// The most steps from one version to the present one.
const MAX_STEPS: usize = 1_000;

/// A type and the version of its payload's shape.
pub type Shape = (EventType, u16);

type StepFn = dyn Fn(Bytes) -> Result<Bytes, String> + Send + Sync;

#[derive(Clone)]
struct Step {
    to: Shape,
    lift: Arc<StepFn>,
}

/// Why a set of steps is no chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Two steps begin at the same version.
    #[error("two steps lift version {version} of {event_type}")]
    Duplicate {
        /// The type.
        event_type: EventType,
        /// The version.
        version: u16,
    },
    /// The steps lead in a circle.
    #[error("the steps from version {version} of {event_type} lead in a circle")]
    Cycle {
        /// The type.
        event_type: EventType,
        /// The version.
        version: u16,
    },
    /// A version is neither current nor lifted.
    #[error("version {version} of {event_type} is neither the present one nor lifted to it")]
    Gap {
        /// The type.
        event_type: EventType,
        /// The version.
        version: u16,
    },
    /// A step begins at the present version, or at version 0.
    #[error("version {version} of {event_type} needs no step")]
    Needless {
        /// The type.
        event_type: EventType,
        /// The version.
        version: u16,
    },
    /// A name is not one of an event type.
    #[error(transparent)]
    Name(#[from] InvalidName),
}

/// Why a record could not be lifted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("version {version} of {event_type} could not be lifted: {reason}")]
pub struct LiftError {
    /// The type that the step begins at.
    pub event_type: EventType,
    /// The version that the step begins at.
    pub version: u16,
    /// What does not fit.
    pub reason: String,
}

/// The present shape of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifted {
    /// The type.
    pub event_type: EventType,
    /// The version.
    pub schema_version: u16,
    /// The payload: the very bytes of the record when no step was needed.
    pub payload: Bytes,
}

/// Gathers steps; [`build`](Self::build) checks them.
#[derive(Default)]
pub struct UpcastersBuilder {
    current: BTreeMap<EventType, u16>,
    steps: Vec<(Shape, Step)>,
}

impl UpcastersBuilder {
    /// Names the present version of a type.
    ///
    /// # Errors
    /// [`ChainError::Name`].
    pub fn current(mut self, event_type: &str, version: u16) -> Result<Self, ChainError> {
        self.current.insert(EventType::new(event_type)?, version);
        Ok(self)
    }

    /// Lifts one version of a type to the next, as bytes.
    ///
    /// # Errors
    /// [`ChainError::Name`].
    pub fn step(
        self,
        event_type: &str,
        version: u16,
        lift: impl Fn(Bytes) -> Result<Bytes, String> + Send + Sync + 'static,
    ) -> Result<Self, ChainError> {
        self.step_to((event_type, version), (event_type, version.saturating_add(1)), lift)
    }

    /// Lifts one version of a type to the next, as JSON.
    ///
    /// # Errors
    /// [`ChainError::Name`].
    pub fn json_step(
        self,
        event_type: &str,
        version: u16,
        lift: impl Fn(Value) -> Result<Value, String> + Send + Sync + 'static,
    ) -> Result<Self, ChainError> {
        self.step(event_type, version, move |payload| {
            let value = serde_json::from_slice(&payload).map_err(|error| error.to_string())?;
            serde_json::to_vec(&lift(value)?).map(Bytes::from).map_err(|error| error.to_string())
        })
    }

    /// Lifts one version of a type to some version of another.
    ///
    /// # Errors
    /// [`ChainError::Name`].
    pub fn step_to(
        mut self,
        from: (&str, u16),
        to: (&str, u16),
        lift: impl Fn(Bytes) -> Result<Bytes, String> + Send + Sync + 'static,
    ) -> Result<Self, ChainError> {
        let from = (EventType::new(from.0)?, from.1);
        let to = (EventType::new(to.0)?, to.1);
        self.steps.push((from, Step { to, lift: Arc::new(lift) }));
        Ok(self)
    }

    /// Checks that the steps are a chain for every version there ever was: from 1 up to the present one of each type, and each step's beginning.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn build(self) -> Result<Upcasters, ChainError> {
        let Self { current, steps } = self;
        let mut by_shape: HashMap<Shape, Step> = HashMap::with_capacity(steps.len());
        for ((event_type, version), step) in steps {
            if version == 0 || current.get(&event_type) == Some(&version) {
                return Err(ChainError::Needless { event_type, version });
            }
            if by_shape.insert((event_type.clone(), version), step).is_some() {
                return Err(ChainError::Duplicate { event_type, version });
            }
        }
        let earlier =
            current.iter().flat_map(|(event_type, now)| (1..*now).map(|version| (event_type.clone(), version)));
        let beginnings: BTreeSet<Shape> = earlier.chain(by_shape.keys().cloned()).collect();
        for beginning in beginnings {
            check_chain(&current, &by_shape, beginning)?;
        }
        Ok(Upcasters { steps: Arc::new(by_shape) })
    }
}

impl fmt::Debug for UpcastersBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("UpcastersBuilder").field("current", &self.current).finish_non_exhaustive()
    }
}

/// Follows the steps from a beginning to a present version.
fn check_chain(
    current: &BTreeMap<EventType, u16>,
    steps: &HashMap<Shape, Step>,
    beginning: Shape,
) -> Result<(), ChainError> {
    let mut seen = BTreeSet::new();
    let mut at = beginning.clone();
    while current.get(&at.0) != Some(&at.1) {
        let (event_type, version) = at.clone();
        let Some(step) = steps.get(&at) else { return Err(ChainError::Gap { event_type, version }) };
        if !seen.insert(at) || seen.len() > MAX_STEPS {
            let (event_type, version) = beginning;
            return Err(ChainError::Cycle { event_type, version });
        }
        at = step.to.clone();
    }
    Ok(())
}

/// The steps from every old version to the present one. Cheap to clone.
#[derive(Clone, Default)]
pub struct Upcasters {
    steps: Arc<HashMap<Shape, Step>>,
}

impl Upcasters {
    /// Gathers steps.
    pub fn builder() -> UpcastersBuilder {
        UpcastersBuilder::default()
    }

    /// The present shape of a record, beside the record itself. A record without steps is lifted to what it is.
    ///
    /// # Errors
    /// [`LiftError`] when a payload is not what its version says.
    pub fn lift(&self, record: &Record) -> Result<Lifted, LiftError> {
        self.lift_parts(record.event_type.clone(), record.schema_version, record.payload.clone())
    }

    /// As [`lift`](Self::lift), for an event that is not in a log.
    ///
    /// # Errors
    /// [`LiftError`].
    pub fn lift_parts(&self, event_type: EventType, schema_version: u16, payload: Bytes) -> Result<Lifted, LiftError> {
        let mut lifted = Lifted { event_type, schema_version, payload };
        // The chain was checked: it ends.
        while let Some(step) = self.step(&lifted) {
            let payload = (step.lift)(lifted.payload).map_err(|reason| LiftError {
                event_type: lifted.event_type.clone(),
                version: lifted.schema_version,
                reason,
            })?;
            let (event_type, schema_version) = step.to.clone();
            lifted = Lifted { event_type, schema_version, payload };
        }
        Ok(lifted)
    }

    fn step(&self, at: &Lifted) -> Option<&Step> {
        if self.steps.is_empty() {
            return None;
        }
        self.steps.get(&(at.event_type.clone(), at.schema_version))
    }
}

impl fmt::Debug for Upcasters {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.steps.iter().map(|(from, step)| (from, &step.to))).finish()
    }
}

#[cfg(test)]
#[path = "upcast_tests.rs"]
mod tests;
