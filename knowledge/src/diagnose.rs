//! Diagnosis: which failure modes fit what is seen, from the history of faults, with what was done about them.

mod ask;

#[cfg(test)]
#[path = "diagnose/tests.rs"]
pub(crate) mod tests;

pub(crate) use ask::ask;

use domain::Text;
use domain::events::{Outcome, ReadingSign};
use eventlog::Position;
use jiff::Timestamp;
use retrieval::curated::Curated;
use serde::{Deserialize, Serialize};

use crate::record::RecordId;

/// What is seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiagnoseRequest {
    /// The asset that it is seen at.
    #[serde(default)]
    pub asset: Option<String>,
    /// Its class; that of the asset, when absent.
    #[serde(default)]
    pub class: Option<String>,
    /// What is seen, in Chinese or English words.
    #[serde(default)]
    pub symptoms: String,
    /// Codes of alarms that are active.
    #[serde(default)]
    pub alarms: Vec<String>,
    /// When somebody looked at the asset's readings; absent where nobody did.
    #[serde(default)]
    pub at: Option<Timestamp>,
    /// What readings showed then.
    #[serde(default)]
    pub readings: Vec<ReadingSign>,
    /// What was known then: the last position that counts; the newest, when absent.
    #[serde(default)]
    pub as_of: Option<Position>,
    /// The most modes, and the most uncoded cases; 5 when absent.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// Whether something fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// At least one mode fits.
    #[serde(rename = "match")]
    Match,
    /// No coded mode fits; past episodes and work orders that nobody has coded may still be alike.
    #[serde(rename = "no good match")]
    NoGoodMatch,
}

/// A past episode or work order, as evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastCase {
    /// Its record.
    pub id: RecordId,
    /// Its asset, where an event names it.
    pub asset: Option<String>,
    /// What was seen.
    pub text: Text,
    /// The failure mode that it was coded with, as known then.
    pub mode: Option<String>,
    /// When it happened.
    pub event_time: Option<Timestamp>,
    /// How alike it is, from 0 to 1: the weighted share of what is seen that it has, too.
    pub similarity: f64,
    /// What was done.
    pub actions: Vec<PastAction>,
    /// Where the log says so.
    pub positions: Vec<Position>,
}

/// What was done in a past case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastAction {
    /// The work order.
    pub work_order: String,
    /// The activity.
    pub activity: String,
    /// The item that it was done to.
    pub item: Option<String>,
    /// In words.
    pub text: Option<Text>,
    /// What came of the work order, as its closing says.
    pub outcome: Option<Outcome>,
    /// Whether it was observed to have helped; `None` while that cannot be said.
    pub worked: Option<bool>,
    /// Where the log says so.
    pub position: Position,
}

/// An action with what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActionScore {
    /// The activity.
    pub activity: String,
    /// The item that it was done to.
    pub item: Option<String>,
    /// How often it was observed to have worked: closed, not said to be unsolved, and the mode stayed away from the asset for the window.
    pub successes: u64,
    /// How often it was observed whether it worked.
    pub attempts: u64,
    /// How often it was done and nothing can be said yet; counted in neither of the two.
    pub unknown: u64,
    /// The success rate, (successes + 1) / (attempts + 2).
    pub success_rate: f64,
    /// The 5 % quantile of the Beta posterior; actions are ranked by it.
    pub low: f64,
    /// The 95 % quantile of the Beta posterior.
    pub high: f64,
    /// The median of the hours of work, where any are known.
    pub median_hours: Option<f64>,
    /// The median cost, where any is known.
    pub median_cost: Option<f64>,
    /// Parts that were used, with how many of each in all, the most used first.
    pub parts: Vec<(String, f64)>,
    /// The latest positions that say so.
    pub evidence: Vec<Position>,
}

/// A failure mode that may be behind what is seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The mode's code.
    pub mode: String,
    /// How many past episodes are coded with it.
    pub n: u64,
    /// How many of them show something of what is seen.
    pub n_alike: u64,
    /// The probability among the known modes, given what is seen, calibrated on held-back history.
    pub probability: f64,
    /// The lower bound: how sure the share of this mode among past episodes that are as alike is (5 % quantile of the Beta posterior).
    pub low: f64,
    /// The upper bound (95 % quantile).
    pub high: f64,
    /// What is seen and speaks for it, the strongest first: token or alarm, and its log likelihood ratio.
    pub for_it: Vec<(String, f64)>,
    /// What is seen and speaks against it, the strongest first.
    pub against_it: Vec<(String, f64)>,
    /// The most alike past episodes.
    pub episodes: Vec<PastCase>,
    /// The actions, best first, counted in the latest 1,000 episodes of the mode.
    pub actions: Vec<ActionScore>,
    /// When an episode of it was last seen.
    pub last_seen: Option<Timestamp>,
}

/// What kind of sign something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignKind {
    /// A word that somebody says.
    Word,
    /// An alarm.
    Alarm,
    /// What readings show.
    Readings,
}

impl From<retrieval::casebase::SignKind> for SignKind {
    fn from(kind: retrieval::casebase::SignKind) -> Self {
        use retrieval::casebase::SignKind as Kind;
        match kind {
            Kind::Word => Self::Word,
            Kind::Alarm => Self::Alarm,
            Kind::Readings => Self::Readings,
        }
    }
}

/// What to look at next: a sign whose presence would tell the candidates apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NextCheck {
    /// The word, the alarm, or what readings would show (`warp_tension high`).
    pub sign: String,
    /// Which of them it is.
    pub kind: SignKind,
    /// How much the answer is expected to tell, in bits.
    pub gain_bits: f64,
    /// The likeliest mode where it is there, with its probability among the candidates.
    pub if_there: (String, f64),
    /// The likeliest mode where it is not.
    pub if_not: (String, f64),
}

impl From<retrieval::casebase::Check> for NextCheck {
    fn from(check: retrieval::casebase::Check) -> Self {
        let retrieval::casebase::Check { sign, kind, gain_bits, if_there, if_not } = check;
        Self { sign, kind: kind.into(), gain_bits, if_there, if_not }
    }
}

/// What made an answer: the same question to the same versions at the same position has the same answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// The version of the program.
    pub code: String,
    /// The version of the dictionary.
    pub dictionary: u32,
    /// The position of the last change of the plant's own words; absent while it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<Position>,
    /// The last position that probabilities were learnt and calibrated from; `None` while too little is coded.
    pub experience: Option<Position>,
}

/// The diagnosis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// The last position that was taken into account.
    pub as_of: Option<Position>,
    /// Whether something fits.
    pub verdict: Verdict,
    /// Why, in one sentence each.
    pub reason: Text,
    /// How many coded episodes it rests on.
    pub n: u64,
    /// How often the truth was among the first three when the first one was as sure as now, on held-back history; `None` while too little is coded.
    pub among_three: Option<f64>,
    /// The modes, the most likely first. Empty when nothing fits.
    pub candidates: Vec<Candidate>,
    /// What to look at next, the most telling first.
    pub checks: Vec<NextCheck>,
    /// Alike episodes and work orders that nobody has coded with a mode, the most alike first, with what was done.
    pub uncoded: Vec<PastCase>,
    /// The positions that it comes from.
    pub evidence: Vec<Position>,
    /// What made it.
    pub made: Made,
}

impl Diagnosis {
    /// The diagnosis that nothing is known.
    fn nothing(as_of: Option<Position>, reason: Text, curated: &Curated) -> Self {
        Self {
            as_of,
            verdict: Verdict::NoGoodMatch,
            reason,
            n: 0,
            among_three: None,
            candidates: Vec::new(),
            checks: Vec::new(),
            uncoded: Vec::new(),
            evidence: Vec::new(),
            made: Made::by(None, curated),
        }
    }
}
