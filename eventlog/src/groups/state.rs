//! Which records of a group are with whom: pure, without clock and log.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Receipt, Refusal, Settled};
use crate::Position;

/// The longest reason that is kept, in bytes.
const MAX_REASON_BYTES: usize = 500;

/// Time since the process began to serve groups.
pub(super) type Instant = Duration;

/// A record that is not delivered any more until it is replayed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// The record.
    pub position: Position,
    /// How often it was delivered.
    pub attempts: u32,
    /// Why it was parked.
    pub reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// To be delivered, from this time on.
    Ready(Instant),
    /// With a member, until this time.
    Leased(Instant),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    attempts: u32,
    phase: Phase,
}

/// The records of a group. Whatever matches below the cursor and is neither open nor parked is done.
#[derive(Clone, Debug)]
pub(super) struct State {
    cursor: Position,
    open: BTreeMap<Position, Open>,
    parked: BTreeMap<Position, Parked>,
}

impl State {
    /// The state of saved progress. What was open counts as a lease that has run out: it is delivered again, or has reached the limit.
    pub(super) fn restored(cursor: Position, open: &[(Position, u32)], parked: Vec<Parked>) -> Self {
        let expired = |attempts| Open { attempts, phase: Phase::Leased(Instant::ZERO) };
        Self {
            cursor,
            open: open.iter().map(|(position, attempts)| (*position, expired(*attempts))).collect(),
            parked: parked.into_iter().map(|parked| (parked.position, parked)).collect(),
        }
    }

    pub(super) fn cursor(&self) -> Position {
        self.cursor
    }

    pub(super) fn open(&self) -> Vec<(Position, u32)> {
        self.open.iter().map(|(position, open)| (*position, open.attempts)).collect()
    }

    pub(super) fn open_count(&self) -> usize {
        self.open.len()
    }

    pub(super) fn leased_count(&self) -> usize {
        self.open.values().filter(|open| matches!(open.phase, Phase::Leased(_))).count()
    }

    pub(super) fn parked(&self) -> &BTreeMap<Position, Parked> {
        &self.parked
    }

    /// The records that are to be delivered again by now, the oldest first.
    pub(super) fn due(&self, now: Instant, most: usize) -> Vec<Position> {
        let due = |open: &Open| matches!(open.phase, Phase::Ready(at) if at <= now);
        self.open.iter().filter(|(_, open)| due(open)).map(|(position, _)| *position).take(most).collect()
    }

    /// When something becomes due, or a lease runs out.
    pub(super) fn next_change(&self) -> Option<Instant> {
        self.open
            .values()
            .map(|open| match open.phase {
                Phase::Ready(at) | Phase::Leased(at) => at,
            })
            .min()
    }

    /// Ends leases that ran out. Answers what is parked thereby.
    pub(super) fn expire(&mut self, now: Instant, max_attempts: u32) -> Vec<Parked> {
        let over = |open: &Open| matches!(open.phase, Phase::Leased(until) if until <= now);
        let expired: Vec<Position> =
            self.open.iter().filter(|(_, open)| over(open)).map(|(position, _)| *position).collect();
        let retried = |position| self.retry(position, now, max_attempts, "it was not acknowledged within its lease");
        expired.into_iter().filter_map(retried).collect()
    }

    /// Takes a delivery of an open record, or of a new one. Answers which delivery it is.
    pub(super) fn lease(&mut self, position: Position, until: Instant) -> u32 {
        let open = self.open.entry(position).or_insert(Open { attempts: 0, phase: Phase::Leased(until) });
        open.attempts = open.attempts.saturating_add(1);
        open.phase = Phase::Leased(until);
        open.attempts
    }

    /// Everything that matches below is open, parked or done.
    pub(super) fn advance(&mut self, cursor: Position) {
        self.cursor = self.cursor.max(cursor);
    }

    /// Takes records as done, also those whose lease ran out meanwhile.
    pub(super) fn acknowledge(&mut self, receipts: &[Receipt]) -> Settled {
        let mut settled = Settled::default();
        for receipt in receipts {
            match self.open.remove(&receipt.position) {
                Some(_) => settled.settled += 1,
                None => settled.stale += 1,
            }
        }
        settled
    }

    /// Takes records back. Answers what is parked thereby.
    pub(super) fn refuse(
        &mut self,
        receipts: &[Receipt],
        refusal: &Refusal,
        reason: &str,
        (now, max_attempts): (Instant, u32),
    ) -> (Settled, Vec<Parked>) {
        let mut settled = Settled::default();
        let mut all_parked = Vec::new();
        for receipt in receipts {
            let current = |open: &&Open| matches!(open.phase, Phase::Leased(_)) && open.attempts == receipt.attempt;
            if self.open.get(&receipt.position).filter(current).is_none() {
                settled.stale += 1;
                continue;
            }
            settled.settled += 1;
            let parked = match refusal {
                Refusal::Retry(delay) => self.retry(receipt.position, now + *delay, max_attempts, reason),
                Refusal::Park => self.park(receipt.position, reason),
            };
            settled.parked += usize::from(parked.is_some());
            all_parked.extend(parked);
        }
        (settled, all_parked)
    }

    fn retry(&mut self, position: Position, at: Instant, max_attempts: u32, reason: &str) -> Option<Parked> {
        let open = self.open.get_mut(&position)?;
        if open.attempts < max_attempts {
            open.phase = Phase::Ready(at);
            return None;
        }
        let reason = format!("delivered {} times; {reason}", open.attempts);
        self.park(position, &reason)
    }

    fn park(&mut self, position: Position, reason: &str) -> Option<Parked> {
        let attempts = self.open.remove(&position)?.attempts;
        let end = reason.floor_char_boundary(MAX_REASON_BYTES);
        let parked = Parked { position, attempts, reason: reason.get(..end).unwrap_or_default().to_owned() };
        self.parked.insert(position, parked.clone());
        Some(parked)
    }

    /// Makes parked records open again, as if never delivered: those named, or all, the oldest first, up to `most`.
    pub(super) fn replay(&mut self, positions: Option<&[Position]>, now: Instant, most: usize) -> Vec<Position> {
        let mut chosen: Vec<Position> = match positions {
            Some(positions) => {
                positions.iter().copied().filter(|position| self.parked.contains_key(position)).collect()
            }
            None => self.parked.keys().copied().collect(),
        };
        chosen.sort_unstable();
        chosen.dedup();
        chosen.truncate(most);
        for position in &chosen {
            self.parked.remove(position);
            self.open.insert(*position, Open { attempts: 0, phase: Phase::Ready(now) });
        }
        chosen
    }
}
