//! Knowledge records: what the log says about one thing, in one version, with its evidence.
//!
//! A record is folded from the events that name it, one version an event that changes it. A version is valid from the position of the event
//! that made it up to the position of the event that made the next one, so that "what was known at a position" is a filter.
//!
//! Invariant: the fold depends on the record's former version and the entry, on nothing else. Where batches begin and end never shows.

mod articles;
mod detail;
mod evolve;
mod touches;

#[cfg(test)]
#[path = "record/tests.rs"]
mod tests;

use std::fmt;

use domain::Text;
use eventlog::Position;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use articles::{ArticleDetail, FileDetail};
pub use detail::{
    AlarmDetail, AssetDetail, Detail, EquipmentDetail, FaultDetail, InspectionDetail, NonconformanceDetail,
    SetPointDetail, SignalDetail, StopDetail, Work, WorkOrderDetail,
};
pub use evolve::evolve;
pub use touches::{TYPES, touches};

/// The most positions that a version names as evidence: the first, and the latest ones.
pub const MAX_EVIDENCE: usize = 64;

/// The id of a record: its kind and the id of the thing, as `work_order:4711`. Also the name of its node in the graph.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordId(String);

impl RecordId {
    /// The record of this kind about the thing with this id.
    pub fn new(kind: Kind, key: &str) -> Self {
        Self(format!("{}:{key}", kind.as_str()))
    }

    /// A node that has no record of its own, such as a lot: `lot:R-1`.
    pub fn node(kind: &str, key: &str) -> Self {
        Self(format!("{kind}:{key}"))
    }

    /// Reads `kind:key`; `None` when there is no colon, or nothing before or after it.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, key) = text.split_once(':')?;
        (!kind.is_empty() && !key.is_empty()).then(|| Self(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the first colon.
    pub fn kind(&self) -> &str {
        self.0.split_once(':').map_or("", |(kind, _)| kind)
    }

    /// The part after the first colon: the id of the thing.
    pub fn key(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, key)| key)
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "record {:?}", self.0)
    }
}

/// One of the five knowledge bases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Base {
    /// Operating performance 运行性能.
    Operating,
    /// Fault warning 故障预警.
    Fault,
    /// Operating control 操控.
    Control,
    /// Maintenance 维修.
    Maintenance,
    /// Product quality 产品品质.
    Quality,
}

impl Base {
    /// All five.
    pub const ALL: [Self; 5] = [Self::Operating, Self::Fault, Self::Control, Self::Maintenance, Self::Quality];

    /// The name in addresses and files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operating => "operating",
            Self::Fault => "fault",
            Self::Control => "control",
            Self::Maintenance => "maintenance",
            Self::Quality => "quality",
        }
    }

    /// Reads the name; `faults` is taken for `fault`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = if text == "faults" { "fault" } else { text };
        Self::ALL.into_iter().find(|base| base.as_str() == text)
    }
}

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A physical asset.
    Asset,
    /// A role in the equipment hierarchy.
    Equipment,
    /// A signal of the tag catalog.
    Signal,
    /// A machine went out of order or into maintenance.
    StateStop,
    /// An occurrence of an alarm.
    Alarm,
    /// A fault episode.
    FaultEpisode,
    /// A failure mode that some episode was coded with.
    FailureMode,
    /// A set-point was changed.
    SetPointChange,
    /// A maintenance work order.
    WorkOrder,
    /// An inspection.
    Inspection,
    /// A nonconformance with its disposition.
    Nonconformance,
    /// An article, procedure, rule or FMEA sheet.
    Article,
    /// A file that was attached to a thing.
    File,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 13] = [
        Self::Asset,
        Self::Equipment,
        Self::Signal,
        Self::StateStop,
        Self::Alarm,
        Self::FaultEpisode,
        Self::FailureMode,
        Self::SetPointChange,
        Self::WorkOrder,
        Self::Inspection,
        Self::Nonconformance,
        Self::Article,
        Self::File,
    ];

    /// The name in ids, addresses and files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asset => "asset",
            Self::Equipment => "equipment",
            Self::Signal => "signal",
            Self::StateStop => "state_stop",
            Self::Alarm => "alarm",
            Self::FaultEpisode => "fault_episode",
            Self::FailureMode => "failure_mode",
            Self::SetPointChange => "set_point_change",
            Self::WorkOrder => "work_order",
            Self::Inspection => "inspection",
            Self::Nonconformance => "nonconformance",
            Self::Article => "article",
            Self::File => "file",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The knowledge base that records of this kind belong to; rules and FMEA sheets, of all articles, warn of faults.
    pub const fn base(self) -> Base {
        match self {
            Self::Asset | Self::Equipment | Self::Signal | Self::StateStop => Base::Operating,
            Self::Alarm | Self::FaultEpisode | Self::FailureMode => Base::Fault,
            Self::SetPointChange => Base::Control,
            Self::WorkOrder | Self::Article | Self::File => Base::Maintenance,
            Self::Inspection | Self::Nonconformance => Base::Quality,
        }
    }
}

/// A number with its support.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// What it measures, units last (`work_hours`).
    pub name: String,
    /// The number.
    pub value: f64,
    /// How many observations it rests on.
    pub n: u64,
    /// The lower bound, where one applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// The upper bound, where one applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

impl Figure {
    /// A number that was counted or read once, without bounds.
    pub fn single(name: &str, value: f64) -> Self {
        Self { name: name.to_owned(), value, n: 1, low: None, high: None }
    }
}

/// How two nodes of the graph belong together; read from the record's node to the other one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// An asset has a fault, an alarm, a signal, a stop.
    OfAsset,
    /// An asset is of a class.
    OfClass,
    /// A role is a part of another one.
    PartOf,
    /// An asset fills a role.
    Fills,
    /// An episode is coded with a failure mode.
    HasMode,
    /// An episode is coded with a cause.
    HasCause,
    /// Something concerns a maintainable item.
    ConcernsItem,
    /// An episode came with an alarm code.
    WithAlarm,
    /// A work order answers a fault.
    Answers,
    /// A work order did an action, as `activity item`.
    Did,
    /// A work order used a part.
    Used,
    /// An inspection or nonconformance is about a lot.
    OfLot,
    /// An inspection or nonconformance is about an order.
    OfOrder,
    /// Something happened while, or to, a product.
    OfProduct,
    /// An inspection found, or a nonconformance names, a defect.
    FoundDefect,
    /// A nonconformance was found by an inspection.
    FoundBy,
    /// An article is about a failure mode, a defect or a parameter.
    About,
    /// A file belongs to a thing.
    BelongsTo,
    /// An article took the place of another one.
    SupersededBy,
}

impl Relation {
    /// All relations.
    pub const ALL: [Self; 19] = [
        Self::OfAsset,
        Self::OfClass,
        Self::PartOf,
        Self::Fills,
        Self::HasMode,
        Self::HasCause,
        Self::ConcernsItem,
        Self::WithAlarm,
        Self::Answers,
        Self::Did,
        Self::Used,
        Self::OfLot,
        Self::OfOrder,
        Self::OfProduct,
        Self::FoundDefect,
        Self::FoundBy,
        Self::About,
        Self::BelongsTo,
        Self::SupersededBy,
    ];

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|relation| relation.as_str() == text)
    }

    /// The name in addresses and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OfAsset => "of_asset",
            Self::OfClass => "of_class",
            Self::PartOf => "part_of",
            Self::Fills => "fills",
            Self::HasMode => "has_mode",
            Self::HasCause => "has_cause",
            Self::ConcernsItem => "concerns_item",
            Self::WithAlarm => "with_alarm",
            Self::Answers => "answers",
            Self::Did => "did",
            Self::Used => "used",
            Self::OfLot => "of_lot",
            Self::OfOrder => "of_order",
            Self::OfProduct => "of_product",
            Self::FoundDefect => "found_defect",
            Self::FoundBy => "found_by",
            Self::About => "about",
            Self::BelongsTo => "belongs_to",
            Self::SupersededBy => "superseded_by",
        }
    }
}

/// An edge of the graph that goes out from a record's node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// What it means.
    pub relation: Relation,
    /// The node that it goes to.
    pub to: RecordId,
}

/// One version of what is known about one thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnowledgeRecord {
    /// What it is about; the same in every version.
    pub id: RecordId,
    /// The knowledge base that it belongs to.
    pub base: Base,
    /// What kind of thing it is about.
    pub kind: Kind,
    /// The physical asset that it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<String>,
    /// The class of the asset, in records about assets. What belongs to a class is found through its assets, which may be registered later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// What a list shows.
    pub title: Text,
    /// Everything that was said in words.
    pub text: Text,
    /// Codes and ids that it is found by.
    pub codes: Vec<String>,
    /// When it happened; `None` means unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_time: Option<Timestamp>,
    /// Numbers with their support.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<Figure>,
    /// What else is known, by kind.
    pub detail: Detail,
    /// The edges that go out from it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// The position of the event that made this version.
    pub valid_from: Position,
    /// The position of the event that made the next version; `None` while this is the latest one.
    pub valid_to: Option<Position>,
    /// The positions that it comes from, at most [`MAX_EVIDENCE`]: the first one and the latest ones.
    pub evidence: Vec<Position>,
}

impl KnowledgeRecord {
    /// Whether this version was what was known once the record at `as_of` had been logged.
    pub fn valid_at(&self, as_of: Position) -> bool {
        self.valid_from <= as_of && self.valid_to.is_none_or(|end| as_of < end)
    }
}
