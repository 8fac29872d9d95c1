//! One group of alarms and warnings over its life: what is in it, and since when nobody has answered.

use std::collections::BTreeMap;

use domain::Text;
use domain::events::{MOST_CAUSES, NoticeTarget};
use domain::ids::{AlarmGroupId, AlarmId, AssetId, Code, PersonId, WarningId};
use eventlog::{EventId, Position};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::AsOf;

/// What can be in a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Member {
    /// An alarm of an asset.
    Alarm(AssetId, AlarmId),
    /// A warning of a detection rule.
    Warning(WarningId),
}

/// What was raised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The asset.
    pub asset: AssetId,
    /// The alarm's code, or the failure mode that a warning is about.
    pub code: Code,
    /// What it says.
    pub text: Text,
    /// Severity from 1 to 1000; a warning has none.
    pub severity: Option<u16>,
    /// When it happened.
    pub time: Timestamp,
    /// Where the log says so.
    pub position: Position,
}

/// What happened in a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum What {
    Raised(Member, Box<Cause>),
    Acknowledged(Member),
    Cleared(Member),
    /// Shelved, suppressed or taken out of service after it was raised.
    PutAside(Member),
    /// Everything that is in the group.
    AllAcknowledged(PersonId),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Change {
    pub position: Position,
    /// The record time: ladders are climbed by the log's clock.
    pub at: Timestamp,
    pub what: What,
}

/// An alarm or a warning in a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberState {
    /// What was raised, as said last.
    pub cause: Cause,
    /// Whether its condition lasts.
    pub active: bool,
    /// Whether somebody has seen it, or put it aside, since it was raised last.
    pub seen: bool,
}

impl MemberState {
    /// Whether it waits for somebody.
    pub const fn is_open(&self) -> bool {
        self.active && !self.seen
    }
}

/// A group at a position.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GroupState {
    /// What is in it.
    pub members: BTreeMap<Member, MemberState>,
    /// Since when nobody has answered, in record time; `None` once everything was acknowledged, until something is raised again.
    pub since: Option<Timestamp>,
    /// When something of it was raised or over last, in record time.
    pub last: Option<Timestamp>,
    /// Where each was raised for the first time, in log order; at most [`MOST_CAUSES`].
    pub positions: Vec<Position>,
    /// Who answered for the whole group.
    pub acknowledged_by: Vec<PersonId>,
}

impl GroupState {
    /// Whether something in it waits for somebody.
    pub fn is_open(&self) -> bool {
        self.members.values().any(MemberState::is_open)
    }

    pub(super) fn take(&mut self, change: &Change) {
        match &change.what {
            What::Raised(member, cause) => {
                let state = MemberState { cause: (**cause).clone(), active: true, seen: false };
                if self.members.insert(member.clone(), state).is_none() && self.positions.len() < MOST_CAUSES {
                    self.positions.push(change.position);
                }
                self.since.get_or_insert(change.at);
                self.last = Some(change.at);
            }
            What::Cleared(member) => {
                if let Some(state) = self.members.get_mut(member) {
                    state.active = false;
                    self.last = Some(change.at);
                }
            }
            What::Acknowledged(member) | What::PutAside(member) => {
                if let Some(state) = self.members.get_mut(member) {
                    state.seen = true;
                }
                self.stop_when_answered();
            }
            What::AllAcknowledged(person) => {
                self.members.values_mut().for_each(|state| state.seen = true);
                self.acknowledged_by.push(person.clone());
                self.stop_when_answered();
            }
        }
    }

    /// An answer ends the waiting. A return to normal alone does not: an alarm that chatters must not begin anew each time.
    fn stop_when_answered(&mut self) {
        if !self.is_open() {
            self.since = None;
        }
    }
}

/// A group with everything that happened in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Group {
    pub id: AlarmGroupId,
    pub policy: Code,
    /// The policy as it was when the group was opened: it holds to the group's end.
    pub policy_at: Position,
    pub place: String,
    /// The event of the first-up.
    pub cause: EventId,
    pub first_up: Cause,
    pub changes: Vec<Change>,
    /// The state after all changes.
    pub now: GroupState,
    /// Whom it was told, as indexes into the list of everything that was told.
    pub told: Vec<usize>,
}

impl Group {
    pub fn push(&mut self, change: Change) {
        self.now.take(&change);
        self.changes.push(change);
    }

    pub fn state(&self, as_of: AsOf) -> GroupState {
        let end = self.changes.partition_point(|change| as_of.includes(change.position));
        if end == self.changes.len() {
            return self.now.clone();
        }
        let mut state = GroupState::default();
        self.changes.iter().take(end).for_each(|change| state.take(change));
        state
    }
}

/// The id of a group: from the policy and the event that opened it.
pub(super) fn group_id(policy: &Code, cause: EventId) -> Option<AlarmGroupId> {
    AlarmGroupId::new(&EventId::derived(&format!("notices:group:{policy}"), &cause.to_string()).to_string()).ok()
}

/// The id of the event that says what became of a notice. The same for the same group, step and recipient, so that nobody is told twice and the log says it once.
pub fn notice_id(group: &AlarmGroupId, step: u32, to: &NoticeTarget) -> EventId {
    EventId::derived(&format!("notices:{group}/{step}"), &format!("{}/{}", to.channel(), to.recipient()))
}
