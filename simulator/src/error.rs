//! Why a simulation cannot start.

use jiff::Timestamp;

/// Why a simulation cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// The history would have no or too many days.
    #[error("a history of {days} days is not possible: it has 1 to {most} days")]
    Days {
        /// The days that were asked for.
        days: u32,
        /// The greatest number of days.
        most: u32,
    },
    /// The history would begin before the calendar does.
    #[error("a history of {days} days cannot end at {end}")]
    End {
        /// The end that was asked for.
        end: Timestamp,
        /// The days that were asked for.
        days: u32,
    },
    /// A name of the mill is not one that the domain takes.
    #[error("a name in the mill is not valid: {0}")]
    Name(String),
}

impl From<domain::ids::InvalidId> for SimulationError {
    fn from(error: domain::ids::InvalidId) -> Self {
        Self::Name(error.to_string())
    }
}

impl From<domain::InvalidUnit> for SimulationError {
    fn from(error: domain::InvalidUnit) -> Self {
        Self::Name(error.to_string())
    }
}
