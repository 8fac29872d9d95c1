//! What really happened: kept apart from what the mill says.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;

/// A repair, as it really was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RepairTruth {
    /// When the work was done.
    pub time: Timestamp,
    /// The work order.
    pub work_order: String,
    /// The activity that was done.
    pub activity: String,
    /// Whether it took the cause away.
    pub helped: bool,
}

/// A fault, as it really was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FaultTruth {
    /// The fault's number in the truth.
    pub number: u32,
    /// The asset.
    pub asset: String,
    /// What kind of fault (`bearing_wear`).
    pub kind: &'static str,
    /// The failure mode that a perfect coder would write.
    pub mode: &'static str,
    /// The failure mechanism.
    pub mechanism: &'static str,
    /// The failure cause.
    pub cause: &'static str,
    /// The item that fails.
    pub item: &'static str,
    /// Why it began, in words.
    pub why: &'static str,
    /// When the damage began to grow.
    pub precursor_start: Timestamp,
    /// When somebody noticed it for the first time.
    pub observed: Option<Timestamp>,
    /// The episodes (`FaultId`) that it was reported as; more than one when a repair did not help.
    pub episodes: Vec<String>,
    /// What was done about it.
    pub repairs: Vec<RepairTruth>,
    /// The modes that it was coded as, in the order of coding.
    pub coded: Vec<String>,
    /// When the cause was really gone.
    pub ended: Option<Timestamp>,
    /// The rolls that were woven while it was there.
    pub rolls: Vec<String>,
}

impl FaultTruth {
    /// Whether the fault is growing or there at a moment.
    pub fn present_at(&self, time: Timestamp) -> bool {
        self.precursor_start <= time && self.ended.is_none_or(|ended| time < ended)
    }
}

/// An event that contradicts the others on purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ContradictionTruth {
    /// When it is said to have happened.
    pub time: Timestamp,
    /// The event's name at its source.
    pub external_id: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// What really happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    /// The faults, in the order in which they began.
    pub faults: Vec<FaultTruth>,
    /// The events that contradict on purpose.
    pub contradictions: Vec<ContradictionTruth>,
}

#[derive(Serialize)]
#[serde(tag = "truth", rename_all = "snake_case")]
enum Line<'a> {
    Fault(&'a FaultTruth),
    Contradiction(&'a ContradictionTruth),
}

impl Truth {
    /// The faults of an asset that are growing or there at a moment.
    pub fn present(&self, asset: &str, time: Timestamp) -> impl Iterator<Item = &FaultTruth> {
        self.faults.iter().filter(move |fault| fault.asset == asset && fault.present_at(time))
    }

    /// The faults that nobody has noticed yet at a moment, though they are growing.
    pub fn hidden_at(&self, time: Timestamp) -> impl Iterator<Item = &FaultTruth> {
        self.faults.iter().filter(move |fault| fault.present_at(time) && fault.observed.is_none_or(|seen| time < seen))
    }

    /// The fault that an episode reports.
    pub fn of_episode(&self, episode: &str) -> Option<&FaultTruth> {
        self.faults.iter().find(|fault| fault.episodes.iter().any(|known| known == episode))
    }

    /// The faults that touched a roll.
    pub fn of_roll(&self, roll: &str) -> impl Iterator<Item = &FaultTruth> {
        self.faults.iter().filter(move |fault| fault.rolls.iter().any(|touched| touched == roll))
    }

    /// Writes one JSON line for each fault and each contradiction.
    ///
    /// # Errors
    /// What the writer refuses.
    pub fn write_json_lines(&self, out: &mut impl Write) -> io::Result<()> {
        let faults = self.faults.iter().map(Line::Fault);
        let contradictions = self.contradictions.iter().map(Line::Contradiction);
        for line in faults.chain(contradictions) {
            serde_json::to_writer(&mut *out, &line)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "truth_tests.rs"]
mod tests;
