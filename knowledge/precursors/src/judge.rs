//! What became of warnings: which ones a fault followed, which faults they came before, and how surely that is more than chance.

use domain::events::TrackRecord;
use domain::kpi::beta_cdf;
use domain::statistics::{LEVEL, Share, quantile, wilson};
use serde::Serialize;

use crate::feature::SECOND_NS;

/// A fault of the mode in question on an asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// When it was observed.
    pub time_ns: i64,
    /// When the asset did again what it should; `None` while it does not.
    pub until_ns: Option<i64>,
    /// Where the log says so.
    pub position: u64,
}

/// Faults in the order of time, without recurrences: one that begins within the horizon after the one before was over belongs to that one, since nothing says that its cause was gone.
pub fn without_recurrences(mut faults: Vec<Fault>, horizon_ns: i64) -> Vec<Fault> {
    faults.sort_by_key(|fault| (fault.time_ns, fault.position));
    let mut kept: Vec<Fault> = Vec::new();
    for fault in faults {
        match kept.last_mut() {
            Some(before) if before.until_ns.is_none_or(|until| fault.time_ns <= until.saturating_add(horizon_ns)) => {
                before.until_ns = before.until_ns.zip(fault.until_ns).map(|(one, other)| one.max(other));
            }
            _ => kept.push(fault),
        }
    }
    kept
}

/// What became of a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A fault of the mode followed within the horizon.
    Hit,
    /// The horizon is over, and none did.
    False,
    /// The horizon is not over yet.
    Open,
    /// It came while such a fault was there already: it told nothing new.
    Known,
}

/// What became of a warning that was raised at a time, and the fault that it came before. `end_ns` is how far is known what happened.
pub fn outcome(raised_ns: i64, faults: &[Fault], horizon_ns: i64, end_ns: i64) -> (Outcome, Option<Fault>) {
    let next = faults.partition_point(|fault| fault.time_ns <= raised_ns);
    let before = next.checked_sub(1).and_then(|index| faults.get(index));
    if before.is_some_and(|fault| fault.until_ns.is_none_or(|until| raised_ns <= until)) {
        return (Outcome::Known, None);
    }
    let last = raised_ns.saturating_add(horizon_ns);
    match faults.get(next).filter(|fault| fault.time_ns <= last) {
        Some(fault) => (Outcome::Hit, Some(*fault)),
        None if last > end_ns => (Outcome::Open, None),
        None => (Outcome::False, None),
    }
}

/// The warnings of one asset, its faults, and the stretch of time that is judged.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// When warnings were raised, in order.
    pub raised_ns: &'a [i64],
    /// All faults of the mode, in order.
    pub faults: &'a [Fault],
    /// From when on warnings and faults count.
    pub from_ns: i64,
    /// Up to when.
    pub to_ns: i64,
}

/// Counts over assets.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Tally {
    /// Warnings that a fault followed within the horizon.
    pub hits: u64,
    /// Warnings that none followed.
    pub misses: u64,
    /// Warnings whose horizon is not over.
    pub open: u64,
    /// Warnings while the fault was there.
    pub known: u64,
    /// Faults that a warning came before.
    pub caught: u64,
    /// All faults.
    pub faults: u64,
    /// From the first warning to the fault, in seconds.
    pub lead_s: Vec<f64>,
    /// Nanoseconds that were watched, all assets together.
    pub watched_ns: i128,
    /// Nanoseconds that the asset that was watched longest was watched.
    pub calendar_ns: i64,
    /// Nanoseconds of them that lay within the horizon after a warning.
    pub warned_ns: i128,
    /// Where the log says the faults.
    pub positions: Vec<u64>,
}

impl Tally {
    /// Counts one asset in.
    pub fn add(&mut self, judged: Judged<'_>, horizon_ns: i64) {
        let Judged { raised_ns, faults, from_ns, to_ns } = judged;
        if to_ns <= from_ns {
            return;
        }
        self.watched_ns += i128::from(to_ns - from_ns);
        self.calendar_ns = self.calendar_ns.max(to_ns - from_ns);
        let first = raised_ns.partition_point(|raised| *raised < from_ns);
        let raised = raised_ns.get(first..).unwrap_or_default();
        let raised = raised.get(..raised.partition_point(|raised| *raised < to_ns)).unwrap_or_default();
        let mut warned_to = from_ns;
        let mut caught: Vec<(i64, i64)> = Vec::new();
        for time_ns in raised {
            let last = time_ns.saturating_add(horizon_ns).min(to_ns);
            self.warned_ns += i128::from((last - warned_to.max(*time_ns)).max(0));
            warned_to = warned_to.max(last);
            match outcome(*time_ns, faults, horizon_ns, to_ns) {
                (Outcome::Hit, Some(fault)) if fault.time_ns < to_ns => {
                    self.hits += 1;
                    if caught.last().is_none_or(|(at, _)| *at != fault.time_ns) {
                        caught.push((fault.time_ns, *time_ns));
                    }
                }
                (Outcome::Known, _) => self.known += 1,
                (Outcome::False, _) => self.misses += 1,
                (Outcome::Open | Outcome::Hit, _) => self.open += 1,
            }
        }
        let within = faults.iter().filter(|fault| from_ns <= fault.time_ns && fault.time_ns < to_ns);
        let before = self.faults;
        for fault in within {
            self.faults += 1;
            self.positions.push(fault.position);
        }
        #[expect(clippy::cast_precision_loss, reason = "at most a horizon, in nanoseconds")]
        self.lead_s.extend(caught.iter().map(|(fault, raised)| (fault - raised) as f64 / SECOND_NS as f64));
        self.caught += u64::try_from(caught.len()).unwrap_or(u64::MAX).min(self.faults - before);
    }

    /// The days that were watched, all assets together.
    #[expect(clippy::cast_precision_loss, reason = "days")]
    pub fn asset_days(&self) -> f64 {
        self.watched_ns as f64 / (86_400.0 * SECOND_NS as f64)
    }

    /// False warnings by day, all assets together; 0 where nothing was watched.
    #[expect(clippy::cast_precision_loss, reason = "days, and counts of warnings")]
    pub fn false_per_day(&self) -> f64 {
        let days = self.calendar_ns as f64 / (86_400.0 * SECOND_NS as f64);
        if days > 0.0 { self.misses as f64 / days } else { 0.0 }
    }

    /// Warnings that a fault followed, of those that are decided.
    pub fn warnings(&self) -> Share {
        Share::new(self.hits, self.hits + self.misses)
    }

    /// Faults that a warning came before.
    pub fn recall(&self) -> Share {
        Share::new(self.caught, self.faults)
    }

    /// F with precision counted twice as much as recall: people stop to look at warnings that are false. 0 where nothing was caught.
    pub fn score(&self) -> f64 {
        let (Some(precision), Some(recall)) = (self.warnings().value(), self.recall().value()) else { return 0.0 };
        let weight = 0.25;
        let below = weight * precision + recall;
        if below > 0.0 { (1.0 + weight) * precision * recall / below } else { 0.0 }
    }

    /// The probability that so many faults or more fall within the horizon after warnings that know nothing of faults: a fault does with the share of time that they cover.
    pub fn p_value(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let covered = self.warned_ns as f64 / self.watched_ns as f64;
        match self.caught {
            _ if self.faults == 0 || !covered.is_finite() => None,
            0 => Some(1.0),
            // P(X ≥ k) of a binomial variable by the incomplete beta function.
            caught => {
                #[expect(clippy::cast_precision_loss, reason = "counts of faults")]
                let (k, n) = (caught as f64, self.faults as f64);
                Some(if covered >= 1.0 { 1.0 } else { beta_cdf(covered, k, n - k + 1.0) })
            }
        }
    }

    /// As a rule keeps it.
    pub fn measured(&self, as_of: u64, q_value: Option<f64>) -> TrackRecord {
        let lead =
            |probability: f64| quantile(self.lead_s.iter().copied(), probability, LEVEL).map(|found| found.value);
        TrackRecord {
            as_of,
            warnings: self.warnings(),
            precision: wilson(self.warnings(), LEVEL),
            faults: self.recall(),
            recall: wilson(self.recall(), LEVEL),
            lead_s: lead(0.25).zip(lead(0.5)).zip(lead(0.75)).map(|((low, middle), high)| [low, middle, high]),
            false_per_day: self.false_per_day(),
            asset_days: self.asset_days(),
            p_value: self.p_value(),
            q_value,
        }
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
