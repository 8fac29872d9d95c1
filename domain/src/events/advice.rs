//! Advice that was given: what the system told somebody, and what it rested on.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use uuid::Uuid;

use super::ReadingSign;
use crate::ids::{AssetClass, AssetId, Code, FaultId};
use crate::values::Text;

/// Whether something fitted what was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdviceVerdict {
    /// At least one failure mode fitted.
    Match,
    /// Nothing did.
    NoGoodMatch,
}

/// An action that was shown with a failure mode.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdvisedAction {
    /// The activity.
    pub activity: Code,
    /// The item that it is done to.
    pub item: Option<Code>,
    /// How often it had worked.
    pub success_rate: f64,
    /// The lower bound of that.
    pub low: f64,
    /// How often it was observed whether it worked.
    pub attempts: u64,
}

/// A failure mode that was shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdvisedMode {
    /// The mode.
    pub mode: Code,
    /// Its probability, as shown.
    pub probability: f64,
    /// How many past episodes it rested on.
    pub n: u64,
    /// The actions that were shown first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<AdvisedAction>,
}

/// A diagnosis was shown to somebody. The record's actor is who asked, its times say when.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiagnosisGiven {
    /// This diagnosis.
    pub diagnosis: Uuid,
    /// The asset that it was about.
    pub asset: Option<AssetId>,
    /// Its class, where that was said.
    pub class: Option<AssetClass>,
    /// The episode that it was asked for; its coding later says whether the diagnosis was right.
    pub fault: Option<FaultId>,
    /// What was seen, in the asker's words.
    pub symptoms: String,
    /// The alarms that were active.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<Code>,
    /// When the system looked at the asset's readings itself; absent where it did not.
    pub at: Option<Timestamp>,
    /// What readings showed then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readings: Vec<ReadingSign>,
    /// The last position that was taken into account.
    pub as_of: Option<u64>,
    /// Whether anything fitted.
    pub verdict: AdviceVerdict,
    /// Why, as it was said.
    pub reason: Text,
    /// How many coded episodes it rested on.
    pub n: u64,
    /// The modes, in the order in which they were shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<AdvisedMode>,
    /// The signs that were proposed to be looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<String>,
    /// The positions that were named as evidence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<u64>,
    /// The version of the program that made it.
    pub code: String,
    /// The version of the dictionary that cut its words.
    pub dictionary: u32,
    /// The position of the last change of the plant's own words; absent while it had none.
    pub words: Option<u64>,
    /// The last position that probabilities were learnt from; absent while too little was coded.
    pub experience: Option<u64>,
}
