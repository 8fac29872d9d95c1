//! What the mill says: events and readings.

use std::sync::Arc;

use domain::Event;
use eventlog::frames::Reading;
use jiff::Timestamp;
use projections::Meta;

/// A business event of the mill.
#[derive(Clone, Debug, PartialEq)]
pub struct SimEvent {
    /// What happened.
    pub event: Event,
    /// When it happened.
    pub time: Timestamp,
    /// Its name at the source, unique for a seed and a beginning: with the source it makes the event id.
    pub external_id: Arc<str>,
    /// Why the event contradicts what was said before, where the mill does so on purpose (somebody mistyped, or keyed twice). `None` for all others.
    pub contradiction: Option<&'static str>,
}

impl SimEvent {
    /// What goes around the event on its way into the log; the id follows from `source` (see [`source_name`]) and the external id.
    pub fn meta(&self, source: &str) -> Meta {
        Meta::foreign(source, source, &self.external_id, Some(self.time))
    }
}

/// The name of the mill as a source of events: `simulator:<seed>`.
pub fn source_name(seed: u64) -> String {
    format!("simulator:{seed}")
}

/// Something that the mill says while it runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Readings of one asset at one moment.
    Readings {
        /// The asset that the signals belong to (`LOOM-07`).
        asset: Arc<str>,
        /// The moment.
        time: Timestamp,
        /// One reading for each signal that has a value at that moment.
        readings: Vec<Reading>,
    },
    /// A business event.
    Event(Box<SimEvent>),
}

impl Output {
    /// When it happened.
    pub fn time(&self) -> Timestamp {
        match self {
            Self::Readings { time, .. } => *time,
            Self::Event(event) => event.time,
        }
    }
}
