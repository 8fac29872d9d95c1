//! Which alarms and warnings belong together, who is to be told of them and when, and who was.
//!
//! Grouping and ladders follow from the log alone: what is due is a question to this fold and a clock, so that a restart knows what its predecessor did.
//!
//! **Groups.** An alarm belongs to the policy that fits it best ([`Notices::chosen`]) and to a place: its asset or its line. It joins the place's group under that policy while something of
//! that waits for somebody, or where something of it was raised or over no longer ago than the policy's window; else it opens a new one (first-up).
//! **Acknowledgement** (ISA-18.2) of everything that lasts stops the ladder. What is raised within the window afterwards starts it again, without telling again whom it has told.
//! **Return to normal** without acknowledgement stops it as well: nobody is called out of bed for what is over; the alarm stays on the list of those that nobody has seen. The clock of the ladder
//! goes on, so that an alarm that chatters climbs it as one that stays.
//! **What is not live notifies nobody**: events whose time is unknown, or lies longer than [`LIVE_WITHIN`] before their record time; alarms that are shelved, suppressed or out of service when
//! they are raised, and whatever no policy fits.

mod group;

use std::collections::{BTreeMap, BTreeSet};

use domain::events::{
    AlarmRaised, EquipmentLevel, GroupBy, NoticeGiven, NoticePolicySet, NoticeScope, NoticeTarget, WarningRaised,
    code_matches,
};
use domain::ids::{AlarmGroupId, AssetId, Code};
use domain::{Event, Text};
use eventlog::{Digest, EventId, Filter, Position};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use self::group::{Cause, GroupState, Member, MemberState, notice_id};
use self::group::{Change, Group, What, group_id};
use super::alarms::Alarms;
use super::catalog::Catalog;
use crate::{AsOf, Entry, Fact, Fold, History, filters, state_digest};

/// An event is live when it is logged no later than this after it happened: long enough for a gateway's pause, too short for an import of history.
pub const LIVE_WITHIN: SignedDuration = SignedDuration::from_mins(15);

/// What became of a notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was taken at the other end.
    Sent,
    /// It was not, for this reason, and is not tried again.
    Failed(String),
}

/// A notice that is done with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Where the log says so.
    pub position: Position,
    /// When.
    pub at: Timestamp,
    /// The group.
    pub group: AlarmGroupId,
    /// What became of it.
    pub outcome: Outcome,
    /// What it is about, and whom it was for.
    pub notice: NoticeGiven,
}

/// A step of a ladder that comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct NextStep {
    /// Which, from 1 on.
    pub step: u32,
    /// When it is due, if nobody answers before.
    pub due: Timestamp,
}

/// A group as it was known.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupView<'a> {
    /// The group.
    pub group: &'a AlarmGroupId,
    /// The policy that it is told by.
    pub policy: &'a Code,
    /// The position of the policy as it was when the group was opened.
    pub policy_at: Position,
    /// The asset or line.
    pub place: &'a str,
    /// What came first.
    pub first_up: &'a Cause,
    /// Whether something in it waits for somebody.
    pub open: bool,
    /// Since when nobody has answered.
    pub since: Option<Timestamp>,
    /// What is in it.
    pub members: Vec<MemberState>,
    /// Who answered for the whole group.
    pub acknowledged_by: Vec<domain::ids::PersonId>,
    /// The highest step that somebody was told of, or should have been; 0 before the first.
    pub step: u32,
    /// The next step, while it is open.
    pub next: Option<NextStep>,
    /// Whom it was told.
    pub told: Vec<&'a Told>,
}

/// Somebody is to be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    /// The id of the notice ([`notice_id`]).
    pub id: EventId,
    /// The group.
    pub group: AlarmGroupId,
    /// The event of the first-up.
    pub cause: EventId,
    /// The asset or line.
    pub place: String,
    /// Since when nobody has answered.
    pub since: Timestamp,
    /// What came first.
    pub first_up: Cause,
    /// What waits for somebody, the most severe first.
    pub waiting: Vec<Cause>,
    /// What the event will say; nothing was tried yet.
    pub notice: NoticeGiven,
}

/// Policies, groups and notices.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Notices {
    policies: BTreeMap<Code, History<Option<NoticePolicySet>>>,
    groups: Vec<Group>,
    by_id: BTreeMap<AlarmGroupId, usize>,
    /// The newest group of each policy and place.
    newest: BTreeMap<(Code, String), usize>,
    /// The group that an alarm or a warning is in.
    in_group: BTreeMap<Member, usize>,
    /// The groups in which something waits for somebody.
    open: BTreeSet<usize>,
    told: Vec<Told>,
    /// How many entries were taken in since the start: no part of what the log says.
    #[serde(skip)]
    applied: u64,
    /// Classes and lines of assets, and nothing else.
    catalog: Catalog,
    /// What is shelved or suppressed, and nothing else.
    kept_back: Alarms,
}

impl Fold for Notices {
    const NAME: &'static str = "notices";
    /// It holds a [`Catalog`] and [`Alarms`]: when the version of one of them is raised, so is this.
    const VERSION: u32 = 1;

    fn filter() -> Filter {
        filters::types(&[
            "notice_policy.set",
            "notice_policy.removed",
            "notice.sent",
            "notice.failed",
            "notice.acknowledged",
            "alarm.raised",
            "alarm.acknowledged",
            "alarm.cleared",
            "alarm.shelved",
            "alarm.unshelved",
            "alarm.suppressed",
            "alarm.unsuppressed",
            "warning.raised",
            "warning.cleared",
            "asset.registered",
            "equipment.defined",
            "equipment.asset_mapped",
            "equipment.asset_unmapped",
        ])
    }

    fn apply(&mut self, entry: &Entry) {
        match entry.event() {
            Some(Event::NoticePolicySet(event)) => {
                self.policies.entry(event.policy.clone()).or_default().push(entry, Some(event.clone()));
            }
            Some(Event::NoticePolicyRemoved(event)) => {
                // What was never set stays unknown.
                if let Some(history) = self.policies.get_mut(&event.policy) {
                    history.push(entry, None);
                }
            }
            Some(Event::AlarmRaised(event)) => self.alarm_raised(entry, event),
            Some(Event::WarningRaised(event)) => self.warning_raised(entry, event),
            Some(Event::AlarmAcknowledged(event)) => {
                let member = Member::Alarm(event.asset.clone(), event.alarm.clone());
                self.note(entry, &member, What::Acknowledged(member.clone()));
            }
            Some(Event::AlarmCleared(event)) => {
                let member = Member::Alarm(event.asset.clone(), event.alarm.clone());
                self.note(entry, &member, What::Cleared(member.clone()));
            }
            Some(Event::WarningCleared(event)) => {
                let member = Member::Warning(event.warning.clone());
                self.note(entry, &member, What::Cleared(member.clone()));
            }
            Some(Event::AlarmShelved(event)) => {
                self.kept_back.apply(entry);
                // A shelving that was over when it was logged keeps nothing back.
                if event.until > entry.record_time {
                    self.put_aside(entry, &event.asset, &event.code);
                }
            }
            Some(Event::AlarmSuppressed(event)) => {
                self.kept_back.apply(entry);
                self.put_aside(entry, &event.asset, &event.code);
            }
            Some(Event::AlarmUnshelved(_) | Event::AlarmUnsuppressed(_)) => self.kept_back.apply(entry),
            Some(
                Event::AssetRegistered(_)
                | Event::EquipmentDefined(_)
                | Event::AssetMapped(_)
                | Event::AssetUnmapped(_),
            ) => self.catalog.apply(entry),
            Some(Event::NoticeSent(event)) => self.settle(entry, &event.group, &event.notice, Outcome::Sent),
            Some(Event::NoticeFailed(event)) => {
                self.settle(entry, &event.group, &event.notice, Outcome::Failed(event.reason.clone()));
            }
            Some(Event::NoticeAcknowledged(event)) => {
                if let Some(index) = self.by_id.get(&event.group) {
                    self.change(*index, entry, What::AllAcknowledged(event.person.clone()));
                }
            }
            _ => return,
        }
        self.applied += 1;
    }

    fn digest(&self) -> Digest {
        state_digest(self)
    }
}

impl Notices {
    fn alarm_raised(&mut self, entry: &Entry, event: &AlarmRaised) {
        let Some(time) = live_time(entry) else { return };
        if self.kept_back.suppression(&event.asset, &event.code, time, AsOf::LATEST).is_some() {
            return;
        }
        let cause = Cause {
            asset: event.asset.clone(),
            code: event.code.clone(),
            text: event.text.clone(),
            severity: Some(event.severity),
            time,
            position: entry.position,
        };
        self.raised(entry, Member::Alarm(event.asset.clone(), event.alarm.clone()), cause);
    }

    fn warning_raised(&mut self, entry: &Entry, event: &WarningRaised) {
        let Some(time) = live_time(entry) else { return };
        let (rule, mode) = (&event.rule, &event.mode);
        let cause = Cause {
            asset: event.asset.clone(),
            code: event.mode.clone(),
            text: Text::new(&format!("规则 {rule} 预警：{mode}"), &format!("rule {rule} warns of {mode}")),
            severity: None,
            time,
            position: entry.position,
        };
        self.raised(entry, Member::Warning(event.warning.clone()), cause);
    }

    fn raised(&mut self, entry: &Entry, member: Member, cause: Cause) {
        let chosen = self.chosen(&cause.asset, &cause.code, cause.severity, AsOf::LATEST);
        let Some((policy_at, policy)) = chosen.and_then(|fact| Some((fact.position, fact.value.clone()?))) else {
            return;
        };
        let place = self.place(&cause.asset, policy.group_by, cause.time);
        let key = (policy.policy.clone(), place.clone());
        let index = match self.newest.get(&key).copied().filter(|index| self.takes(*index, entry.record_time)) {
            Some(index) => index,
            None => {
                let Some(id) = group_id(&policy.policy, entry.id) else { return };
                let index = self.groups.len();
                self.groups.push(Group {
                    id: id.clone(),
                    policy: policy.policy,
                    policy_at,
                    place,
                    cause: entry.id,
                    first_up: cause.clone(),
                    changes: Vec::new(),
                    now: GroupState::default(),
                    told: Vec::new(),
                });
                self.by_id.insert(id, index);
                self.newest.insert(key, index);
                index
            }
        };
        let before = self.in_group.insert(member.clone(), index);
        if let Some(before) = before.filter(|before| *before != index) {
            // It is in one group only: what it was raised in before does not wait for it any more.
            self.change(before, entry, What::Cleared(member.clone()));
        }
        self.change(index, entry, What::Raised(member, Box::new(cause)));
    }

    /// Whether a group takes what is raised now.
    fn takes(&self, index: usize, now: Timestamp) -> bool {
        self.groups.get(index).is_some_and(|group| {
            let window = self.policy_of(group).map_or(0, |policy| policy.window_s);
            let window = SignedDuration::from_secs(i64::try_from(window).unwrap_or(i64::MAX));
            group.now.is_open() || group.now.last.is_some_and(|last| now.duration_since(last) <= window)
        })
    }

    fn place(&self, asset: &AssetId, by: GroupBy, at: Timestamp) -> String {
        let line = match by {
            GroupBy::Asset => None,
            GroupBy::Line => self.catalog.places_of(asset, at, AsOf::LATEST).into_iter().find(|place| {
                self.catalog.equipment(place, AsOf::LATEST).is_some_and(|fact| {
                    use EquipmentLevel::{ProcessCell, ProductionLine, WorkCenter};
                    matches!(fact.value.level, ProductionLine | ProcessCell | WorkCenter)
                })
            }),
        };
        line.map_or_else(|| asset.as_str().to_owned(), |line| line.as_str().to_owned())
    }

    fn note(&mut self, entry: &Entry, member: &Member, what: What) {
        let Some(index) = self.in_group.get(member).copied() else { return };
        self.change(index, entry, what);
        let state = self.groups.get(index).and_then(|group| group.now.members.get(member));
        // What is over and seen comes to no group any more, until it is raised again.
        if state.is_none_or(|state| !state.active && state.seen) {
            self.in_group.remove(member);
        }
    }

    fn put_aside(&mut self, entry: &Entry, asset: &AssetId, code: &Code) {
        let of_code = |(member, index): (&Member, &usize)| {
            let group = self.groups.get(*index)?;
            let cause = &group.now.members.get(member)?.cause;
            (matches!(member, Member::Alarm(..)) && cause.asset == *asset && cause.code == *code)
                .then(|| member.clone())
        };
        let members: Vec<Member> = self.in_group.iter().filter_map(of_code).collect();
        for member in members {
            self.note(entry, &member, What::PutAside(member.clone()));
        }
    }

    fn change(&mut self, index: usize, entry: &Entry, what: What) {
        let Some(group) = self.groups.get_mut(index) else { return };
        group.push(Change { position: entry.position, at: entry.record_time, what });
        if group.now.is_open() {
            self.open.insert(index);
        } else {
            self.open.remove(&index);
        }
    }

    fn settle(&mut self, entry: &Entry, id: &AlarmGroupId, notice: &NoticeGiven, outcome: Outcome) {
        let group = self.by_id.get(id).and_then(|index| self.groups.get_mut(*index));
        let Some(group) = group else { return };
        group.told.push(self.told.len());
        self.told.push(Told {
            position: entry.position,
            at: entry.event_time.unwrap_or(entry.record_time),
            group: id.clone(),
            outcome,
            notice: notice.clone(),
        });
    }

    fn policy_of(&self, group: &Group) -> Option<&NoticePolicySet> {
        self.policies.get(&group.policy)?.last(AsOf::through(group.policy_at))?.value.as_ref()
    }

    /// The policies that held, by code.
    pub fn policies(&self, as_of: AsOf) -> impl Iterator<Item = &Fact<Option<NoticePolicySet>>> {
        self.policies.values().filter_map(move |history| history.last(as_of)).filter(|fact| fact.value.is_some())
    }

    /// Everything that was said of a policy.
    pub fn policy(&self, policy: &Code, as_of: AsOf) -> &[Fact<Option<NoticePolicySet>>] {
        self.policies.get(policy).map_or(&[], |history| history.as_of(as_of))
    }

    /// The position of the last event that changed a policy; `None` while there was none.
    pub fn version(&self, as_of: AsOf) -> Option<Position> {
        self.policies.values().filter_map(|history| history.last(as_of)).map(|fact| fact.position).max()
    }

    /// The policy that an alarm (or, without a severity, a warning) goes by: of those that fit, one that names assets, else classes, else codes, else the greatest least severity; of equal
    /// ones the first by code. One alarm has one ladder, so that a general policy and a particular one do not both call.
    pub fn chosen(
        &self,
        asset: &AssetId,
        code: &Code,
        severity: Option<u16>,
        as_of: AsOf,
    ) -> Option<&Fact<Option<NoticePolicySet>>> {
        let class = self.catalog.class_of(asset, as_of);
        let fits = |scope: &NoticeScope| {
            (scope.assets.is_empty() || scope.assets.contains(asset))
                && (scope.classes.is_empty() || class.is_some_and(|class| scope.classes.contains(class)))
                && (scope.codes.is_empty() || scope.codes.iter().any(|pattern| code_matches(pattern, code)))
                && severity.is_none_or(|severity| severity >= scope.severity_at_least.unwrap_or_default())
        };
        let narrow = |scope: &NoticeScope| {
            (!scope.assets.is_empty(), !scope.classes.is_empty(), !scope.codes.is_empty(), scope.severity_at_least)
        };
        let fitting =
            self.policies(as_of).filter(|fact| fact.value.as_ref().is_some_and(|policy| fits(&policy.applies)));
        // The last of equal ones counts in `max_by_key`, and the first by code is wanted.
        let all: Vec<_> = fitting.collect();
        all.into_iter().rev().max_by_key(|fact| fact.value.as_ref().map(|policy| narrow(&policy.applies)))
    }

    /// The groups that were known, in the order in which they were opened.
    pub fn groups(&self, as_of: AsOf) -> impl DoubleEndedIterator<Item = GroupView<'_>> {
        let end = self.groups.partition_point(|group| as_of.includes(group.first_up.position));
        self.groups.get(..end).unwrap_or_default().iter().map(move |group| self.view(group, as_of))
    }

    /// A group, when it was known.
    pub fn group(&self, id: &AlarmGroupId, as_of: AsOf) -> Option<GroupView<'_>> {
        let group = self.groups.get(*self.by_id.get(id)?)?;
        as_of.includes(group.first_up.position).then(|| self.view(group, as_of))
    }

    /// Every notice that was done with, in log order.
    pub fn told(&self, as_of: AsOf) -> &[Told] {
        let end = self.told.partition_point(|told| as_of.includes(told.position));
        self.told.get(..end).unwrap_or_default()
    }

    fn view<'a>(&'a self, group: &'a Group, as_of: AsOf) -> GroupView<'a> {
        let state = group.state(as_of);
        let told: Vec<&Told> = self.told_of(group).filter(|told| as_of.includes(told.position)).collect();
        let step = told.iter().map(|told| told.notice.step).max().unwrap_or_default();
        let open = state.is_open();
        let steps = self.policy_of(group).map_or(&[][..], |policy| &policy.steps);
        let next = state.since.filter(|_| open).and_then(|since| {
            let (number, following) = (1_u32..).zip(steps).find(|(number, _)| *number > step)?;
            Some(NextStep { step: number, due: after(since, following.after_s)? })
        });
        GroupView {
            group: &group.id,
            policy: &group.policy,
            policy_at: group.policy_at,
            place: &group.place,
            first_up: &group.first_up,
            open,
            since: state.since,
            members: state.members.into_values().collect(),
            acknowledged_by: state.acknowledged_by,
            step,
            next,
            told,
        }
    }

    fn told_of<'a>(&'a self, group: &'a Group) -> impl Iterator<Item = &'a Told> {
        group.told.iter().filter_map(|index| self.told.get(*index))
    }

    /// How many entries were taken in since the start: while it is the same, so is what is due at a time.
    pub const fn applied(&self) -> u64 {
        self.applied
    }

    /// Who is to be told now, by group, step and place in the policy; and when the next one is, if nobody answers before.
    pub fn due(&self, now: Timestamp) -> (Vec<Due>, Option<Timestamp>) {
        let (mut due, mut next) = (Vec::new(), None::<Timestamp>);
        for group in self.open.iter().filter_map(|index| self.groups.get(*index)) {
            let (Some(since), Some(policy)) = (group.now.since, self.policy_of(group)) else { continue };
            for (number, step) in (1_u32..).zip(&policy.steps) {
                let Some(time) = after(since, step.after_s) else { continue };
                let settled = |to: &NoticeTarget| {
                    self.told_of(group).any(|told| told.notice.step == number && told.notice.to == *to)
                };
                let mut left = step.to.iter().filter(|to| !settled(to)).peekable();
                if time <= now {
                    due.extend(left.map(|to| notice(group, since, number, to, time)));
                } else if left.peek().is_some() {
                    next = Some(next.map_or(time, |earliest| earliest.min(time)));
                }
            }
        }
        (due, next)
    }
}

fn notice(group: &Group, since: Timestamp, step: u32, to: &NoticeTarget, due: Timestamp) -> Due {
    let mut waiting: Vec<Cause> =
        group.now.members.values().filter(|state| state.is_open()).map(|state| state.cause.clone()).collect();
    waiting.sort_by_key(|cause| (std::cmp::Reverse(cause.severity), cause.position));
    Due {
        id: notice_id(&group.id, step, to),
        group: group.id.clone(),
        cause: group.cause,
        place: group.place.clone(),
        since,
        first_up: group.first_up.clone(),
        waiting,
        notice: NoticeGiven {
            step,
            to: to.clone(),
            policy: group.policy.clone(),
            policy_at: group.policy_at.get(),
            asset: group.first_up.asset.clone(),
            due,
            alarms: u32::try_from(group.now.members.len()).unwrap_or(u32::MAX),
            positions: group.now.positions.iter().map(|position| position.get()).collect(),
            attempts: 0,
        },
    }
}

fn after(since: Timestamp, seconds: u64) -> Option<Timestamp> {
    since.checked_add(SignedDuration::from_secs(i64::try_from(seconds).ok()?)).ok()
}

/// The time of an entry that tells of the present; `None` for history.
fn live_time(entry: &Entry) -> Option<Timestamp> {
    entry.event_time.filter(|time| entry.record_time.duration_since(*time) <= LIVE_WITHIN)
}

#[cfg(test)]
#[path = "../notices_tests.rs"]
mod tests;
