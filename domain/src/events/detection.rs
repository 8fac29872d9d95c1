//! Detection rules that run by themselves, and the warnings that they raise.
//!
//! A detection rule is a piece of knowledge of the kind `rule` ([`ArticleDrafted`](super::ArticleDrafted)) that carries a [`Detection`]: it is drafted, approved by somebody
//! other than its author, replaced by a later revision and superseded like every other piece.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::ids::{ArticleId, AssetId, Code, SignalId, WarningId};
use crate::statistics::{Estimate, Share};

/// The longest window, baseline, waiting time or horizon of a rule, in seconds: ninety days.
pub const MAX_DETECTION_S: u64 = 90 * 86_400;

/// A window is cut into so many buckets; a rule is looked at whenever a bucket is full.
pub const BUCKETS_PER_WINDOW: u64 = 6;

/// The most buckets that a baseline may have.
pub const MAX_BASELINE_BUCKETS: u64 = 2_048;

/// What is computed from the readings of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Statistic {
    /// Their mean, in the signal's unit.
    Mean,
    /// How far their mean lies from the median of the baseline's bucket means, in robust standard deviations of these (1.4826 × MAD). It has no unit.
    Level,
    /// How fast they rise: the least-squares slope over the window's bucket means, in the signal's unit per hour.
    Slope,
    /// Their standard deviation, in the signal's unit.
    Spread,
    /// Their standard deviation by the median of the baseline's bucket standard deviations. It has no unit.
    SpreadRatio,
}

impl Statistic {
    /// Every statistic.
    pub const ALL: [Self; 5] = [Self::Mean, Self::Level, Self::Slope, Self::Spread, Self::SpreadRatio];

    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Level => "level",
            Self::Slope => "slope",
            Self::Spread => "spread",
            Self::SpreadRatio => "spread_ratio",
        }
    }

    /// Whether it compares with a baseline.
    pub const fn needs_baseline(self) -> bool {
        matches!(self, Self::Level | Self::SpreadRatio)
    }
}

/// On which side of the threshold the condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// At the threshold or above it.
    AtLeast,
    /// At the threshold or below it.
    AtMost,
}

impl Side {
    /// Whether a value lies on this side of the threshold.
    pub fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::AtLeast => value >= threshold,
            Self::AtMost => value <= threshold,
        }
    }
}

/// What must be so.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case", deny_unknown_fields)]
pub enum Condition {
    /// A statistic of the readings of a quantity.
    Readings {
        /// The quantity (`warp_tension`): the signal of the asset that measures it is looked at.
        quantity: Code,
        /// What is computed.
        statistic: Statistic,
        /// Over the newest so many seconds.
        window_s: u64,
        /// Compared with so many seconds before the window; only for statistics that have a baseline.
        baseline_s: Option<u64>,
        /// Only readings while the asset was running or its state was not known.
        #[serde(default)]
        while_running: bool,
        /// On which side.
        side: Side,
        /// Of which value.
        threshold: f64,
    },
    /// How often alarms were raised.
    Alarms {
        /// Their codes; one that ends in `*` stands for every code that begins so.
        codes: Vec<Code>,
        /// Over the newest so many seconds.
        window_s: u64,
        /// At least so many.
        at_least: u32,
    },
}

/// How good a rule was on history that it was not chosen by.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrackRecord {
    /// The log position that it was measured at.
    pub as_of: u64,
    /// Warnings that a fault of the mode followed, of all that are decided.
    pub warnings: Share,
    /// The share of them, with its bounds (Wilson, 95 %).
    pub precision: Option<Estimate>,
    /// Faults that a warning came before, of all.
    pub faults: Share,
    /// The share of them, with its bounds (Wilson, 95 %).
    pub recall: Option<Estimate>,
    /// From the warning to the fault, in seconds: lower quartile, median, upper quartile.
    pub lead_s: Option<[f64; 3]>,
    /// False warnings by day, all assets together.
    pub false_per_day: f64,
    /// The days that were watched, all assets together.
    pub asset_days: f64,
    /// The probability of so many faults caught by warnings that know nothing.
    pub p_value: Option<f64>,
    /// The same, adjusted for everything that was tried (Benjamini and Hochberg).
    pub q_value: Option<f64>,
}

/// What a rule detects, and how.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detection {
    /// The failure mode that it warns of.
    pub mode: Code,
    /// Only on this asset; else on every asset of the classes of the piece that carries it.
    pub asset: Option<AssetId>,
    /// What must be so.
    pub condition: Condition,
    /// For so many seconds, before a warning is raised.
    #[serde(default)]
    pub hold_s: u64,
    /// A warning is cleared when the condition has not held for so many seconds.
    #[serde(default)]
    pub clear_s: u64,
    /// A fault of the mode within so many seconds makes the warning a hit.
    pub horizon_s: u64,
    /// How good it was, when it was mined or measured.
    pub measured: Option<TrackRecord>,
}

impl Detection {
    /// What is wrong with it: the field and the reason, in English and in Chinese; `None` when it can run.
    pub fn fault(&self) -> Option<(String, String)> {
        let length = |field: &str, seconds: u64, least: u64| {
            (seconds < least || seconds > MAX_DETECTION_S).then(|| {
                (
                    format!("{field} is {seconds}, not between {least} and {MAX_DETECTION_S} seconds"),
                    format!("{field} 为 {seconds}，应在 {least} 与 {MAX_DETECTION_S} 秒之间"),
                )
            })
        };
        let of_lengths = length("horizon_s", self.horizon_s, 1)
            .or_else(|| length("hold_s", self.hold_s, 0))
            .or_else(|| length("clear_s", self.clear_s, 0));
        of_lengths.or_else(|| match &self.condition {
            Condition::Readings { statistic, window_s, baseline_s, threshold, .. } => {
                length("window_s", *window_s, BUCKETS_PER_WINDOW)
                    .or_else(|| baseline_fault(*statistic, *window_s, *baseline_s))
                    .or_else(|| {
                        (!threshold.is_finite())
                            .then(|| ("threshold is no finite number".to_owned(), "threshold 不是有限数".to_owned()))
                    })
            }
            Condition::Alarms { codes, window_s, at_least } => length("window_s", *window_s, 1).or_else(|| {
                let missing = if codes.is_empty() { "codes" } else { "at_least" };
                (codes.is_empty() || *at_least == 0)
                    .then(|| (format!("{missing} must be one or more"), format!("{missing} 至少为一")))
            }),
        })
    }
}

fn baseline_fault(statistic: Statistic, window_s: u64, baseline_s: Option<u64>) -> Option<(String, String)> {
    let name = statistic.as_str();
    match (statistic.needs_baseline(), baseline_s) {
        (false, None) => None,
        (false, Some(_)) => Some((format!("baseline_s does not go with {name}"), format!("{name} 不用 baseline_s"))),
        (true, None) => Some((format!("{name} needs baseline_s"), format!("{name} 需要 baseline_s"))),
        (true, Some(seconds)) => {
            let most = (window_s / BUCKETS_PER_WINDOW).saturating_mul(MAX_BASELINE_BUCKETS).min(MAX_DETECTION_S);
            (seconds < window_s || seconds > most).then(|| {
                (
                    format!("baseline_s is {seconds}, not between window_s ({window_s}) and {most} seconds"),
                    format!("baseline_s 为 {seconds}，应在 window_s（{window_s}）与 {most} 秒之间"),
                )
            })
        }
    }
}

/// Whether a pattern of [`Condition::Alarms`] stands for a code.
pub fn code_matches(pattern: &Code, code: &Code) -> bool {
    match pattern.as_str().strip_suffix('*') {
        Some(start) => code.as_str().starts_with(start),
        None => pattern == code,
    }
}

/// What a rule saw when it warned.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarningEvidence {
    /// The signal that was looked at, where readings were.
    pub signal: Option<SignalId>,
    /// The value of the statistic, or the number of alarms.
    pub value: f64,
    /// The threshold that it passed.
    pub threshold: f64,
    /// Where the window begins.
    pub from: Timestamp,
    /// Where it ends: the event time of the warning.
    pub to: Timestamp,
    /// Since when the condition has held.
    pub since: Timestamp,
    /// The log positions of the frames or alarms of the window, oldest first; the newest [`MAX_EVIDENCE`] of them.
    pub positions: Vec<u64>,
}

/// The most positions that a warning names.
pub const MAX_EVIDENCE: usize = 64;

/// A detection rule warns: its condition has come true on an asset. It says so once, until it is cleared.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarningRaised {
    /// This warning.
    pub warning: WarningId,
    /// The rule.
    pub rule: ArticleId,
    /// The rule's revision.
    pub revision: u32,
    /// The asset.
    pub asset: AssetId,
    /// The failure mode that it warns of.
    pub mode: Code,
    /// A fault of the mode within so many seconds makes it a hit.
    pub horizon_s: u64,
    /// The rule's measured precision, where it was measured.
    pub probability: Option<Estimate>,
    /// How many warnings that rests on.
    pub n: Option<u64>,
    /// What the rule saw.
    pub evidence: WarningEvidence,
}

/// Why a warning is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClearedBy {
    /// The condition does not hold any more.
    Calm,
    /// The rule was superseded, or is not for this asset any more.
    RuleEnded,
}

/// A warning is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarningCleared {
    /// The warning.
    pub warning: WarningId,
    /// The rule.
    pub rule: ArticleId,
    /// The asset.
    pub asset: AssetId,
    /// Why.
    pub by: ClearedBy,
}
