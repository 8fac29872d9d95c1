//! Competing consumers: the records of a filter, shared out among the members of a group, each at least once.
//!
//! **Promises.**
//! - *At least once.* Every matching record is delivered until a member acknowledges it or it is parked. It may be delivered more than once: after a lease ran
//!   out, after a negative acknowledgement, and after a crash. Members must bear that.
//! - *Leases.* A delivery is the member's for the group's lease. Then the record is delivered again, to whoever asks. A late acknowledgement still counts: the work
//!   is done. A late refusal does not.
//! - *Retry limit.* A record that was delivered as often as the group allows and never acknowledged is parked, with the reason, until somebody replays it.
//! - *Bounded.* At most [`Definition::max_in_flight`] records are delivered or wait for a retry, and a group with [`MAX_PARKED`] parked records delivers no more
//!   until some are replayed. The state holds positions, not records.
//! - *Order* is the log's at first delivery, and best effort: other members, retries and crashes mix it up.
//! - *Not to itself.* Records of the log's own streams (`$meta`) are never delivered, so that a group cannot feed on its own state.
//!
//! **Where the state is.** In the log, which is the only truth: `$meta-group-NAME` holds what was defined, `$meta-group_progress-NAME` the progress, `$meta-group_parked-NAME` what
//! was parked and replayed. Progress is a position below which everything is done but for the listed exceptions; it is appended once a second while something changes,
//! and after [`SAVE_AFTER`] acknowledgements. Parking and replaying are appended before they are answered. So *a crash loses* acknowledgements and counts
//! of deliveries of the last second: those records are delivered again. It never loses a record.
//!
//! One process serves a group. A second one that opens the same group finds out by the condition of its first append, and stops.

mod definition;
mod events;
mod manager;
mod state;

use std::time::Duration;

use crate::{AppendError, Position, ReadError, Record};

pub use definition::{Definition, GroupName, Start};
pub use manager::Groups;
pub use state::Parked;

/// The most groups.
pub const MAX_GROUPS: usize = 1_000;

/// The most records that one fetch hands out.
pub const MAX_FETCH: usize = 1_000;

/// The most records of a group that are in flight: delivered, or waiting for a retry.
pub const MAX_IN_FLIGHT: usize = 5_000;

/// The number of parked records at which a group delivers no more.
pub const MAX_PARKED: usize = 10_000;

/// The longest lease and the longest delay of a retry.
pub const MAX_DELAY: Duration = Duration::from_secs(3_600);

/// How many settled records are saved at once, at the latest.
pub const SAVE_AFTER: usize = 1_000;

/// How long the progress may stay unsaved.
pub const SAVE_EVERY: Duration = Duration::from_secs(1);

/// A record on its way to a member.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// The record.
    pub record: Record,
    /// Which delivery of the record it is, from 1 on, as far as saved progress knows.
    pub attempt: u32,
}

impl Delivery {
    /// What a member settles the delivery with.
    pub fn receipt(&self) -> Receipt {
        Receipt { position: self.record.position, attempt: self.attempt }
    }
}

/// Names one delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The record.
    pub position: Position,
    /// The delivery.
    pub attempt: u32,
}

/// What becomes of a record that a member could not handle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is delivered again after the delay, unless it reached the retry limit.
    Retry(Duration),
    /// It is parked at once.
    Park,
}

/// What acknowledgements came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Deliveries that were settled now.
    pub settled: usize,
    /// Deliveries that were not open any more: settled before, delivered again since, or never made.
    pub stale: usize,
    /// Of those settled, the records that were parked.
    pub parked: usize,
}

/// How a group is doing.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupStatus {
    /// Its name.
    pub name: GroupName,
    /// What was defined.
    pub definition: Definition,
    /// Everything that matches below was delivered at least once.
    pub cursor: Position,
    /// How many records of the log lie beyond.
    pub lag: u64,
    /// Records that are with members.
    pub leased: usize,
    /// Records that wait to be delivered again.
    pub waiting: usize,
    /// Records that are parked.
    pub parked: usize,
}

/// Why a group could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    /// There is no such group.
    #[error("there is no group {0}")]
    Unknown(GroupName),
    /// A part of the definition or of the request is out of range.
    #[error("{field}: {reason}")]
    Invalid {
        /// The part.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// There are as many groups as allowed.
    #[error("there are {MAX_GROUPS} groups, which is as many as there may be")]
    TooMany,
    /// Too much is parked for more to be delivered.
    #[error("group {0} has {MAX_PARKED} parked records; it goes on when some are replayed")]
    ParkedFull(GroupName),
    /// Somebody else moved the group on; it must be opened again.
    #[error("group {0} is served elsewhere")]
    Elsewhere(GroupName),
    /// The log did not take the state.
    #[error("the state of group {group} could not be saved")]
    Save {
        /// The group.
        group: GroupName,
        /// Why.
        #[source]
        source: AppendError,
    },
    /// The log could not be read.
    #[error("the log could not be read for a group")]
    Read(#[from] ReadError),
    /// The state in the log is not one that this program understands.
    #[error("record {position} holds no state of a group: {reason}")]
    State {
        /// The record.
        position: Position,
        /// What does not fit.
        reason: String,
    },
}

#[cfg(test)]
#[path = "groups/tests.rs"]
mod tests;
