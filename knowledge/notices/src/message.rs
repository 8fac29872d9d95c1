//! What is said, in Chinese and English.

use std::fmt::Write as _;

use domain::Text;
use domain::events::NoticeTarget;
use eventlog::EventId;
use jiff::Timestamp;
use projections::folds::notices::{Cause, Due};
use serde_json::{Value, json};

/// The most alarms that a text lists; how many more there are, it says.
const MOST_LISTED: usize = 10;

/// The longest subject, in characters.
const LONGEST_SUBJECT: usize = 160;

/// A message to one recipient.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The same each time that it is sent.
    pub id: EventId,
    /// Who.
    pub to: NoticeTarget,
    /// When the group was opened: the event that it is about.
    pub first_up: Timestamp,
    /// Where the log says what came first.
    pub position: u64,
    /// One line in both languages.
    pub subject: String,
    /// The whole text.
    pub text: Text,
    /// The same for programs.
    pub json: Value,
}

impl Message {
    /// The message about what is due.
    pub fn about(due: &Due) -> Self {
        let text = Text::new(&chinese(due), &english(due));
        let json = json!({
            "notice": due.id.to_string(),
            "group": due.group,
            "step": due.notice.step,
            "policy": due.notice.policy,
            "asset": due.notice.asset,
            "place": due.place,
            "unacknowledged_since": due.since,
            "alarms": due.notice.alarms,
            "first_up": due.first_up,
            "waiting": due.waiting.iter().take(MOST_LISTED).collect::<Vec<_>>(),
            "positions": due.notice.positions,
            "text": text,
        });
        Self {
            id: due.id,
            to: due.notice.to.clone(),
            first_up: due.first_up.time,
            position: due.first_up.position.get(),
            subject: subject(due),
            text,
            json,
        }
    }

    /// Both texts, the Chinese one first.
    pub fn body(&self) -> String {
        format!("{}\n----\n\n{}", self.text.any_zh(), self.text.any())
    }
}

fn plain(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

fn subject(due: &Due) -> String {
    let Cause { text, code, .. } = &due.first_up;
    let (zh, en) = (text.any_zh(), text.any());
    let words = match (zh.is_empty() && en.is_empty(), zh == en) {
        (true, _) => code.as_str().to_owned(),
        (false, true) => en.to_owned(),
        (false, false) => format!("{zh} / {en}"),
    };
    let more = match due.notice.alarms.saturating_sub(1) {
        0 => String::new(),
        more => format!(" (+{more})"),
    };
    let step = match due.notice.step {
        1 => String::new(),
        step => format!(" · 升级 escalation {step}"),
    };
    plain(&format!("[{}] {words}{more}{step}", due.place)).chars().take(LONGEST_SUBJECT).collect()
}

fn listed(due: &Due, words: fn(&Text) -> &str, severity: &str, more: &str) -> String {
    let mut lines = String::new();
    for cause in due.waiting.iter().take(MOST_LISTED) {
        let rank = cause.severity.map_or_else(String::new, |value| format!(", {severity} {value}"));
        // Writing to a string does not fail.
        let (words, time) = (plain(words(&cause.text)), to_the_second(cause.time));
        let _ = writeln!(lines, "- {} {} {words} ({time}{rank})", cause.asset, cause.code);
    }
    match due.waiting.len().saturating_sub(MOST_LISTED) {
        0 => {}
        left => {
            let _ = writeln!(lines, "- … {left} {more}");
        }
    }
    lines
}

fn chinese(due: &Due) -> String {
    let notice = &due.notice;
    format!(
        "{}：{}\n自 {} 起无人确认，第 {} 级通知（策略 {}）。\n本组共 {} 个报警，未确认：\n{}\n日志位置：{}\n报警组：{}\n确认后不再升级。\n",
        due.place,
        plain(due.first_up.text.any_zh()),
        to_the_second(due.since),
        notice.step,
        notice.policy,
        notice.alarms,
        listed(due, Text::any_zh, "严重度", "个"),
        positions(&notice.positions),
        due.group,
    )
}

fn english(due: &Due) -> String {
    let notice = &due.notice;
    format!(
        "{}: {}\nNobody has acknowledged since {}; this is step {} of the policy {}.\nAlarms in this group: {}. Not acknowledged:\n{}\nLog positions: {}\nGroup: {}\nOnce it is acknowledged, nobody else is told.\n",
        due.place,
        plain(due.first_up.text.any()),
        to_the_second(due.since),
        notice.step,
        notice.policy,
        notice.alarms,
        listed(due, Text::any, "severity", "more"),
        positions(&notice.positions),
        due.group,
    )
}

/// As people read it.
fn to_the_second(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn positions(positions: &[u64]) -> String {
    positions.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}
