//! What had been logged by a time.

use std::collections::HashMap;

use eventlog::{EventLog, Position, ReadError};
use jiff::Timestamp;

use crate::spec::Knowledge;

/// The most times whose positions are remembered: those of one asset's grid come again with each asset.
const MAX_REMEMBERED: usize = 1_000_000;

/// The last position that counts for a row.
pub(crate) struct Moments {
    knowledge: Knowledge,
    as_of: Position,
    remembered: HashMap<i64, Option<Position>>,
}

impl Moments {
    pub(crate) fn new(knowledge: Knowledge, as_of: Position) -> Self {
        Self { knowledge, as_of, remembered: HashMap::new() }
    }

    /// The last position that a feature of a row at this time may know; `None` when that is nothing at all.
    pub(crate) async fn known(&mut self, log: &dyn EventLog, time_ns: i64) -> Result<Option<Position>, ReadError> {
        if self.knowledge == Knowledge::AsKnownNow {
            return Ok(Some(self.as_of));
        }
        if let Some(known) = self.remembered.get(&time_ns) {
            return Ok(*known);
        }
        let time = Timestamp::from_nanosecond(i128::from(time_ns)).unwrap_or(Timestamp::MIN);
        let known = log.last_position_at(time).await?.map(|position| position.min(self.as_of));
        if self.remembered.len() >= MAX_REMEMBERED {
            self.remembered.clear();
        }
        self.remembered.insert(time_ns, known);
        Ok(known)
    }
}
