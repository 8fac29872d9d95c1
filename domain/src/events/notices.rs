//! Who is told of alarms and warnings, whom the system told, and who answered.
//!
//! A policy is a ladder: some are told at once, others when nobody has acknowledged for so many seconds. People are named by their ids; where they are reached stands in
//! [`PersonRegistered`](super::PersonRegistered), which is encrypted, and nowhere else.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::ids::{AlarmGroupId, AssetClass, AssetId, Code, PersonId};
use crate::values::Text;

/// The most steps of a ladder.
pub const MOST_STEPS: usize = 10;

/// The most whom one step tells.
pub const MOST_TARGETS: usize = 20;

/// The latest step, and the longest window, in seconds: a week.
pub const LONGEST_NOTICE_S: u64 = 7 * 86_400;

/// The longest topic and the longest name of a webhook, in bytes.
pub const LONGEST_TARGET_BYTES: usize = 200;

/// The window of a policy that names none, in seconds.
pub const DEFAULT_WINDOW_S: u64 = 300;

/// The most positions that a notice names.
pub const MOST_CAUSES: usize = 64;

/// A policy that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct InvalidPolicy {
    /// The field, with its place in lists.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

fn wrong(field: impl Into<String>, reason: impl Into<String>) -> InvalidPolicy {
    InvalidPolicy { field: field.into(), reason: reason.into() }
}

/// Who is told, and by which way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "channel", rename_all = "snake_case", deny_unknown_fields)]
pub enum NoticeTarget {
    /// A person, by e-mail, at the address that is the person's contact then.
    Email {
        /// The person.
        person: PersonId,
    },
    /// Whoever listens to a topic of the configured broker.
    Mqtt {
        /// The topic, below the configured prefix.
        topic: String,
    },
    /// A webhook that asks for notices.
    Webhook {
        /// Its name.
        webhook: String,
    },
}

impl NoticeTarget {
    /// The name of the channel in JSON.
    pub const fn channel(&self) -> &'static str {
        match self {
            Self::Email { .. } => "email",
            Self::Mqtt { .. } => "mqtt",
            Self::Webhook { .. } => "webhook",
        }
    }

    /// Whom the channel tells: a person's id, a topic, the name of a webhook.
    pub fn recipient(&self) -> &str {
        match self {
            Self::Email { person } => person.as_str(),
            Self::Mqtt { topic } => topic,
            Self::Webhook { webhook } => webhook,
        }
    }

    /// The person, where it is one.
    pub const fn person(&self) -> Option<&PersonId> {
        match self {
            Self::Email { person } => Some(person),
            Self::Mqtt { .. } | Self::Webhook { .. } => None,
        }
    }

    fn fault(&self) -> Option<(&'static str, String)> {
        let (field, text) = match self {
            Self::Email { .. } => return None,
            Self::Mqtt { topic } => ("topic", topic),
            Self::Webhook { webhook } => ("webhook", webhook),
        };
        if text.trim().is_empty() || text.len() > LONGEST_TARGET_BYTES || text.chars().any(char::is_control) {
            return Some((
                field,
                format!("{text:?} is empty, longer than {LONGEST_TARGET_BYTES} bytes, or has a control character"),
            ));
        }
        let is_topic = matches!(self, Self::Mqtt { .. });
        (is_topic && (text.contains(['+', '#']) || text.starts_with('/') || text.ends_with('/')))
            .then(|| (field, format!("{text:?} has a wildcard in it, or begins or ends with a slash")))
    }
}

/// A step of a ladder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeStep {
    /// When nobody has acknowledged for so many seconds.
    pub after_s: u64,
    /// These are told.
    pub to: Vec<NoticeTarget>,
}

/// Which alarms and warnings a policy is about: those that fit everything that is named.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NoticeScope {
    /// Only of these assets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assets: Vec<AssetId>,
    /// Only of assets of these classes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<AssetClass>,
    /// Only alarms with these codes and warnings of these failure modes; one that ends in `*` stands for all that begin so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<Code>,
    /// Only alarms of this severity or a greater one, from 1 to 1000 (OPC UA part 9). Warnings of detection rules have none, and fit any.
    pub severity_at_least: Option<u16>,
}

/// What belongs together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupBy {
    /// The alarms of an asset.
    #[default]
    Asset,
    /// The alarms of a line: of the nearest production line, process cell or group of machines that the asset stands in (ISA-95); of the asset, where it stands in none.
    Line,
}

/// Somebody said who is told of which alarms and warnings; a policy that is there says so from now on.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "NoticePolicyWritten")]
pub struct NoticePolicySet {
    /// The policy.
    pub policy: Code,
    /// What it is about.
    pub applies: NoticeScope,
    /// What belongs together.
    pub group_by: GroupBy,
    /// An alarm belongs to a group whose last one came no more than so many seconds before, even if nothing of the group is open any more.
    pub window_s: u64,
    /// Who is told, and who next; each later than the one before.
    pub steps: Vec<NoticeStep>,
    /// Who decided.
    pub person: PersonId,
    /// Why.
    pub note: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoticePolicyWritten {
    policy: Code,
    #[serde(default)]
    applies: NoticeScope,
    #[serde(default)]
    group_by: GroupBy,
    #[serde(default = "default_window_s")]
    window_s: u64,
    steps: Vec<NoticeStep>,
    person: PersonId,
    note: Option<Text>,
}

const fn default_window_s() -> u64 {
    DEFAULT_WINDOW_S
}

impl TryFrom<NoticePolicyWritten> for NoticePolicySet {
    type Error = InvalidPolicy;

    fn try_from(written: NoticePolicyWritten) -> Result<Self, InvalidPolicy> {
        let NoticePolicyWritten { policy, applies, group_by, window_s, steps, person, note } = written;
        let set = Self { policy, applies, group_by, window_s, steps, person, note };
        set.check()?;
        Ok(set)
    }
}

impl NoticePolicySet {
    /// Refuses what cannot be followed: [`InvalidPolicy`] names the field.
    fn check(&self) -> Result<(), InvalidPolicy> {
        if let Some(severity) = self.applies.severity_at_least
            && !(1..=1000).contains(&severity)
        {
            return Err(wrong("applies.severity_at_least", format!("{severity} is not from 1 to 1000")));
        }
        if self.window_s > LONGEST_NOTICE_S {
            return Err(wrong("window_s", format!("{} is more than {LONGEST_NOTICE_S} seconds", self.window_s)));
        }
        if self.steps.is_empty() || self.steps.len() > MOST_STEPS {
            return Err(wrong("steps", format!("there are {}; a ladder has 1 to {MOST_STEPS}", self.steps.len())));
        }
        let mut before = None;
        for (index, step) in self.steps.iter().enumerate() {
            let place = format!("steps[{index}]");
            if step.after_s > LONGEST_NOTICE_S {
                return Err(wrong(
                    format!("{place}.after_s"),
                    format!("{} is more than {LONGEST_NOTICE_S} seconds", step.after_s),
                ));
            }
            if before.is_some_and(|before| step.after_s <= before) {
                return Err(wrong(
                    format!("{place}.after_s"),
                    format!("{} is not later than the step before", step.after_s),
                ));
            }
            before = Some(step.after_s);
            if step.to.is_empty() || step.to.len() > MOST_TARGETS {
                return Err(wrong(
                    format!("{place}.to"),
                    format!("there are {}; a step tells 1 to {MOST_TARGETS}", step.to.len()),
                ));
            }
            for (number, target) in step.to.iter().enumerate() {
                if let Some((field, reason)) = target.fault() {
                    return Err(wrong(format!("{place}.to[{number}].{field}"), reason));
                }
                if step.to.iter().take(number).any(|other| other == target) {
                    return Err(wrong(format!("{place}.to[{number}]"), "it is there twice"));
                }
            }
        }
        Ok(())
    }
}

/// A policy no longer holds. Groups that are open go on by it.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticePolicyRemoved {
    /// The policy.
    pub policy: Code,
    /// Who removed it.
    pub person: PersonId,
    /// Why.
    pub reason: Option<Text>,
}

/// What a notice is about, and whom it was for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeGiven {
    /// The step of the ladder, from 1 on.
    pub step: u32,
    /// Who.
    pub to: NoticeTarget,
    /// The policy that said so.
    pub policy: Code,
    /// The log position of the policy as it was.
    pub policy_at: u64,
    /// The asset of the first alarm or warning (first-up).
    pub asset: AssetId,
    /// When it was due.
    pub due: Timestamp,
    /// How many alarms and warnings the group had then.
    pub alarms: u32,
    /// The log positions where they were raised, the first one first; at most [`MOST_CAUSES`].
    pub positions: Vec<u64>,
    /// How often it was tried.
    pub attempts: u32,
}

/// Somebody was told of a group of alarms: the server or receiver at the other end took the message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeSent {
    /// The group.
    pub group: AlarmGroupId,
    /// The notice.
    pub notice: NoticeGiven,
}

/// Somebody could not be told of a group of alarms, and it is not tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeFailed {
    /// The group.
    pub group: AlarmGroupId,
    /// The notice.
    pub notice: NoticeGiven,
    /// Why, without the address of anybody.
    pub reason: String,
}

/// Somebody has seen a group of alarms: everything that is in it counts as acknowledged for the ladder, and nobody else is told.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeAcknowledged {
    /// The group.
    pub group: AlarmGroupId,
    /// Who.
    pub person: PersonId,
    /// What they say.
    pub note: Option<Text>,
}
