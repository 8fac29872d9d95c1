//! Personal data and its end: what was erased, what must be kept, what expired.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use uuid::Uuid;

use crate::ids::{Code, HoldId, PersonId};
use crate::personal::DataSubject;
use crate::values::Text;

/// Everything personal that the log held about a data subject was erased: the key of its payloads was destroyed. It is for ever, and this event is what proves
/// that it was right that the payloads are gone.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectErased {
    /// Who (`person:P-17`).
    pub subject: DataSubject,
    /// Why. It must not say again what was erased.
    pub reason: Text,
    /// The legal basis (`GDPR Art. 17(1)(a)`).
    pub basis: Option<String>,
    /// Who asked for it: a pseudonym or the number of a request, never a name.
    pub requested_by: Option<String>,
    /// The id of the key that was destroyed: the payloads of all records with this data-key id are erased.
    pub data_key: Uuid,
}

/// What a legal hold is about: records that carry one of the tags, lie in one of the streams, or are about one of the subjects; all records when none of these is named. With times,
/// only what was logged within them.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldScope {
    /// Data subjects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<DataSubject>,
    /// Streams (`lot-R-7001`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<String>,
    /// Tags (`asset:L07`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// From this record time on.
    pub from: Option<Timestamp>,
    /// Before this record time.
    pub to: Option<Timestamp>,
}

/// Something must be kept for a procedure of law: as long as the hold lasts, nothing that it is about is erased and nothing expires.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegalHoldPlaced {
    /// The hold.
    pub hold: HoldId,
    /// What it is about.
    pub scope: HoldScope,
    /// Why.
    pub reason: Text,
    /// Who decided.
    pub person: Option<PersonId>,
}

/// The hold is over.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegalHoldReleased {
    /// The hold.
    pub hold: HoldId,
    /// Why.
    pub reason: Text,
    /// Who decided.
    pub person: Option<PersonId>,
}

/// Positions from the first to the last, both in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PositionRange {
    /// The first position.
    pub first: u64,
    /// The last position.
    pub last: u64,
}

/// What a reading said that read models still need after its frame expired.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CarriedValue {
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A finite number.
    Float(f64),
    /// The bits of a number that JSON cannot say: NaN or an infinity.
    Bits(u64),
    /// A text.
    Text(String),
}

/// A reading with the address that it had.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarriedReading {
    /// When the source says that it was so, in nanoseconds since 1970.
    pub time_ns: i64,
    /// The position of its frame.
    pub position: u64,
    /// Its row in the frame.
    pub row: u32,
    /// What was read.
    pub value: CarriedValue,
    /// How good it is (OPC UA StatusCode).
    pub status: u32,
}

/// What is carried over of one signal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarriedSignal {
    /// The signal.
    pub signal: String,
    /// How many of its readings expired.
    pub readings: u64,
    /// Those of them that were among its newest ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub newest: Vec<CarriedReading>,
}

/// Payloads of a retention class expired: they are dropped, their leaves stay. What read models had learnt from them is in the event, so that a rebuild needs none of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionApplied {
    /// The retention class.
    pub class: Code,
    /// Everything of the class that was logged before this time expired.
    pub before: Timestamp,
    /// The positions whose payloads are dropped, ascending.
    pub ranges: Vec<PositionRange>,
    /// How many records these are.
    pub records: u64,
    /// How many of them are frames.
    pub frames: u64,
    /// How many readings these frames held.
    pub readings: u64,
    /// What is carried over of each signal, by its id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub carried: Vec<CarriedSignal>,
}

impl HoldScope {
    /// Whether the hold is about all records, or all within its times.
    pub fn is_everything(&self) -> bool {
        self.subjects.is_empty() && self.streams.is_empty() && self.tags.is_empty()
    }

    /// Whether the hold is about the subject. Times are not looked at: a part of what is known of a subject cannot be kept alone.
    pub fn covers_subject(&self, subject: &DataSubject) -> bool {
        self.is_everything()
            || self.subjects.contains(subject)
            || self.tags.contains(&subject.to_string())
            || self.streams.contains(&format!("{}-{}", subject.kind().as_str(), subject.id()))
    }

    /// Whether the hold is about a record with these parts.
    pub fn covers_record<'a>(
        &self,
        stream: &str,
        mut tags: impl Iterator<Item = &'a str>,
        record_time: Timestamp,
    ) -> bool {
        if self.from.is_some_and(|from| record_time < from) || self.to.is_some_and(|to| record_time >= to) {
            return false;
        }
        self.is_everything()
            || self.streams.iter().any(|held| held == stream)
            || tags.any(|tag| {
                self.tags.iter().any(|held| held == tag)
                    || self.subjects.iter().any(|subject| subject.to_string() == tag)
            })
    }
}
