//! The questions that the knowledge bases answer besides search and diagnosis, and the shapes of their answers.

pub(crate) mod control;
pub(crate) mod faults;
pub(crate) mod maintenance;
pub(crate) mod operating;
pub(crate) mod quality;
mod scope;

#[cfg(test)]
#[path = "questions/tests.rs"]
mod tests;

use eventlog::Position;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::diagnose::{ActionScore, PastCase};
use crate::record::KnowledgeRecord;

/// What a statistic covers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scope {
    /// Only this asset.
    pub asset: Option<String>,
    /// Only assets of this class.
    pub class: Option<String>,
    /// Only this failure mode (faults, maintenance), defect (quality) or parameter (control).
    pub code: Option<String>,
    /// Only what happened at or after this time; leaves out what has no time.
    pub from: Option<Timestamp>,
    /// Only what happened before this time; leaves out what has no time.
    pub to: Option<Timestamp>,
    /// What was known then: the last position that counts; the newest, when absent.
    pub as_of: Option<Position>,
    /// The most rows, at most 500; 20 when absent.
    pub limit: Option<usize>,
}

/// Mean time between failures, as calendar time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mtbf {
    /// Hours watched per failure.
    pub hours: f64,
    /// The number of failures.
    pub n: u64,
    /// Hours watched in all, on every asset that ever had an event with a time: the last stretch without a failure counts as watched, too.
    pub watched_hours: f64,
    /// The lower 90 % bound in hours (chi-square).
    pub low: f64,
    /// The upper 90 % bound in hours (chi-square).
    pub high: f64,
}

/// A failure mode in numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModeSummary {
    /// The code; `None` for episodes that nobody has coded.
    pub mode: Option<String>,
    /// Episodes.
    pub n: u64,
    /// Episodes that are not closed.
    pub open: u64,
    /// Episodes by asset, the most first.
    pub assets: Vec<(String, u64)>,
    /// Causes that were coded, the most first.
    pub causes: Vec<(String, u64)>,
    /// Items that were coded, the most first.
    pub items: Vec<(String, u64)>,
    /// Alarm codes that came with it, the most first.
    pub alarms: Vec<(String, u64)>,
    /// When it was first seen.
    pub first_seen: Option<Timestamp>,
    /// When it was last seen.
    pub last_seen: Option<Timestamp>,
    /// The mean time between failures; `None` with fewer than two failures that have a time.
    pub mtbf: Option<Mtbf>,
    /// The median of the hours from the observation to the restoring, where both are known.
    pub median_hours_to_restore: Option<f64>,
    /// The latest positions that say so.
    pub evidence: Vec<Position>,
}

/// A failure mode with its episodes and what helped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModeView {
    /// In numbers.
    pub summary: ModeSummary,
    /// The latest episodes.
    pub episodes: Vec<PastCase>,
    /// The actions, best first.
    pub actions: Vec<ActionScore>,
}

/// What maintenance knows about a failure mode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModeActions {
    /// The code; `None` for work that answers no coded fault.
    pub mode: Option<String>,
    /// Work orders with work.
    pub n: u64,
    /// Hours of work in all, where known.
    pub hours: f64,
    /// Cost in all, where known.
    pub cost: f64,
    /// The actions, best first.
    pub actions: Vec<ActionScore>,
}

/// By what quality is ranked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QualityBy {
    /// By asset.
    #[default]
    Asset,
    /// By lot.
    Lot,
    /// By product.
    Product,
    /// By kind of defect.
    Defect,
}

/// Quality of one asset, lot, product or defect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QualityRow {
    /// The asset, lot, product or defect; `None` where the inspections do not say.
    pub key: Option<String>,
    /// Inspections.
    pub n: u64,
    /// Inspections that failed.
    pub failed: u64,
    /// The share that failed among those that were decided, (failed + 1) / (decided + 2).
    pub fail_rate: f64,
    /// The 5 % quantile of the Beta posterior; rows are ranked by it.
    pub low: f64,
    /// The 95 % quantile of the Beta posterior.
    pub high: f64,
    /// Defects by code, the most first.
    pub defects: Vec<(String, u64)>,
    /// Penalty points (ASTM D5430).
    pub points: u64,
    /// Nonconformances.
    pub nonconformances: u64,
    /// The latest positions that say so.
    pub evidence: Vec<Position>,
}

/// The states of one asset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperatingRow {
    /// The asset.
    pub asset: String,
    /// Hours in each state, the most first.
    pub hours: Vec<(String, f64)>,
    /// Stops (stopped, down, maintenance) by reason, the most first.
    pub stops: Vec<(String, u64)>,
    /// The share of the hours running among the hours not off.
    pub running_share: Option<f64>,
    /// State changes.
    pub n: u64,
    /// The latest positions that say so.
    pub evidence: Vec<Position>,
}

/// A changed set-point with what followed at the same asset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ControlRow {
    /// The change.
    pub change: KnowledgeRecord,
    /// Set-point changes, alarms, faults, long stops and inspections at the asset in the 24 hours after it, the earliest first, at most 20.
    pub followed: Vec<KnowledgeRecord>,
}
