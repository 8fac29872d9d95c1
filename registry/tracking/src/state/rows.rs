//! How things lie in memory. A run with 10 metrics, 5 parameters and 5 tags takes 1.4 KB with everything that finds it; the benchmark measures it.

use domain::events::{LoggedModelStatus, RunStatus};

use super::texts::TextId;
use crate::view::Stage;

/// The place of an experiment, run or logged model in its list: the order in which the log tells of them.
pub(crate) type Slot = u32;

/// The id of a run: nearly always 32 hexadecimal digits, which take 16 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RunKey {
    Hexadecimal([u8; 16]),
    Other(Box<str>),
}

impl RunKey {
    pub(crate) fn of(text: &str) -> Self {
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return Self::Other(text.into()) };
        let mut bytes = [0; 16];
        if pairs.len() != bytes.len() {
            return Self::Other(text.into());
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            match (nibble(*high), nibble(*low)) {
                (Some(high), Some(low)) => *byte = high << 4 | low,
                _ => return Self::Other(text.into()),
            }
        }
        Self::Hexadecimal(bytes)
    }
}

/// The value of a lower-case hexadecimal digit.
fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl std::fmt::Display for RunKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Hexadecimal(bytes) => write!(formatter, "{:032x}", u128::from_be_bytes(*bytes)),
            Self::Other(text) => formatter.write_str(text),
        }
    }
}

/// A key with a value: a tag or a parameter. Lists of pairs are sorted by the key's id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    pub key: TextId,
    pub value: TextId,
}

/// The latest point of a metric. Packed, because there are ten million of them.
#[derive(Clone, Copy, Debug)]
#[repr(C, packed(4))]
pub(crate) struct Latest {
    pub value: f64,
    pub at_ms: i64,
    pub step: i64,
    pub key: TextId,
}

impl Latest {
    /// Whether this point is later than another one: by step, then time, then value.
    pub(crate) fn is_after(&self, other: &Self) -> bool {
        let order = (self.step, self.at_ms).cmp(&(other.step, other.at_ms));
        order.then(ordered(self.value).total_cmp(&ordered(other.value))).is_gt()
    }
}

/// The value as it counts in a comparison: NaN counts as 0, as in the original; and there is one zero.
pub(crate) fn ordered(value: f64) -> f64 {
    if value.is_nan() || value == 0.0 { 0.0 } else { value }
}

/// The time that stands for none.
pub(crate) const NO_TIME: i64 = i64::MIN;

pub(crate) fn time_or_none(time: i64) -> Option<i64> {
    (time != NO_TIME).then_some(time)
}

/// Whether a run counts, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunStage {
    Active,
    Deleted,
    DeletedWithExperiment,
}

impl RunStage {
    pub(crate) const fn stage(self) -> Stage {
        match self {
            Self::Active => Stage::Active,
            Self::Deleted | Self::DeletedWithExperiment => Stage::Deleted,
        }
    }
}

/// What each search looks at, apart from the rest so that a scan of all runs stays small.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub started_ms: i64,
    pub experiment: Slot,
    pub stage: RunStage,
    pub status: RunStatus,
}

/// A run.
#[derive(Debug)]
pub(crate) struct RunRow {
    pub id: RunKey,
    pub ended_ms: i64,
    /// The last revision of its stream.
    pub revision: u64,
    pub name: TextId,
    pub user: Option<TextId>,
    /// Where its files live, when that is not where they always do.
    pub artifact_uri: Option<TextId>,
    pub metrics: Box<[Latest]>,
    pub params: Box<[Pair]>,
    pub tags: Box<[Pair]>,
    pub links: Option<Box<Links>>,
}

/// What went into a run and what came out of it.
#[derive(Debug, Default)]
pub(crate) struct Links {
    pub datasets: Vec<DatasetRow>,
    pub model_inputs: Vec<TextId>,
    pub model_outputs: Vec<(TextId, i64)>,
}

/// A dataset that went into a run.
#[derive(Debug)]
pub(crate) struct DatasetRow {
    pub name: TextId,
    pub digest: TextId,
    pub source_type: TextId,
    pub source: TextId,
    pub schema: Option<TextId>,
    pub profile: Option<TextId>,
    pub tags: Vec<Pair>,
}

/// An experiment.
#[derive(Debug)]
pub(crate) struct ExperimentRow {
    pub id: Box<str>,
    pub name: Box<str>,
    pub artifact_location: Box<str>,
    pub stage: Stage,
    pub created_ms: i64,
    pub updated_ms: i64,
    pub revision: Option<u64>,
    pub tags: Box<[Pair]>,
    /// Its runs and logged models, in the order of the log.
    pub runs: Vec<Slot>,
    pub models: Vec<Slot>,
}

/// A logged model.
#[derive(Debug)]
pub(crate) struct ModelRow {
    pub id: Box<str>,
    pub experiment: Slot,
    pub name: TextId,
    pub run: Option<TextId>,
    pub model_type: Option<TextId>,
    pub artifact_uri: TextId,
    pub status: LoggedModelStatus,
    pub stage: Stage,
    pub created_ms: i64,
    pub updated_ms: i64,
    pub revision: u64,
    pub params: Box<[Pair]>,
    pub tags: Box<[Pair]>,
    pub points: Vec<ModelPoint>,
}

/// A point of a metric of a logged model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ModelPoint {
    pub run: TextId,
    pub dataset: Option<TextId>,
    pub dataset_digest: Option<TextId>,
    pub latest: Latest,
}

/// A stored file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileRow {
    pub sha256: [u8; 32],
    pub bytes: u64,
    pub stored_ms: i64,
}
