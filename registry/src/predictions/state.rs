//! What the reactor knows at a place of the log: the catalogue, the signals, the newest reading of each signal, and what each deployment said last about each asset.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use domain::Event;
use domain::conversion::Conversion;
use domain::events::{InputUsed, ModelDeployed, PredictionMade};
use domain::ids::{AssetId, DeploymentId, SignalId};
use eventlog::Position;
use eventlog::frames::{Frame, StatusCode};
use jiff::Timestamp;
use projections::folds::models::Models;
use projections::{Entry, Fold as _};

use super::signals::{SignalEntry, Signals};
use crate::runtime::{Signature, Unavailable};

/// An input is stale when it is older than so many periods of its signal, beside the newest reading of the asset. Signals that are sent on change only are quiet for some
/// periods without being lost.
pub const STALE_AFTER_SIGNAL_PERIODS: u64 = 10;

/// An input is never stale before so many periods of the deployment.
pub const STALE_AFTER_DEPLOYMENT_PERIODS: u64 = 5;

/// An input is never stale before so many seconds.
pub const STALE_AFTER_LEAST_S: u64 = 60;

/// A deployment that stays without an answer says so again after so many of its periods.
pub const UNAVAILABLE_EVERY_PERIODS: i64 = 10;

pub(super) const NANOSECONDS: i64 = 1_000_000_000;

/// How far a source's clock may be ahead of ours before its readings are left aside: five minutes.
const MAX_AHEAD_NS: i64 = 300 * NANOSECONDS;

/// The newest reading of a signal, by its source time; of two at one time the later in the log.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Latest {
    pub(super) time_ns: i64,
    pub(super) position: Position,
    pub(super) row: u32,
    /// `None` when the value is no number.
    pub(super) value: Option<f64>,
    pub(super) status: StatusCode,
}

/// What a deployment said last about an asset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Said {
    pub(super) version: u32,
    /// The event time of the last prediction in the log, available or not.
    pub(super) logged_ns: i64,
    pub(super) available: bool,
    /// The event time at which the deployment was tried last.
    pub(super) tried_ns: i64,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) models: Models,
    pub(super) signals: Signals,
    latest: HashMap<Arc<str>, Latest>,
    /// The newest source time of any signal of the asset.
    newest_ns: HashMap<AssetId, i64>,
    said: HashMap<(DeploymentId, AssetId), Said>,
}

impl State {
    /// Takes a change of models, deployments, assets or signals in.
    pub(super) fn take_change(&mut self, entry: &Entry) {
        match entry.event() {
            Some(Event::SignalDefined(defined)) => {
                // What was read before is of something else, or in another unit.
                if self.signals.define(defined, entry.position) {
                    self.latest.remove(defined.signal.as_str());
                }
            }
            _ => self.models.apply(entry),
        }
    }

    /// Takes readings in; answers the assets that they are about.
    pub(super) fn take_readings(
        &mut self,
        frame: &Frame,
        position: Position,
        recorded: Timestamp,
    ) -> BTreeSet<AssetId> {
        let mut touched = BTreeSet::new();
        let latest_ns = nanoseconds(recorded).map_or(i64::MAX, |recorded| recorded.saturating_add(MAX_AHEAD_NS));
        for column in frame.columns() {
            // Times ascend in a column, so that its last reading is its newest. A source whose clock is ahead must not make all others look old.
            let usable = column.times_ns.partition_point(|time_ns| *time_ns <= latest_ns);
            let Some(last) = usable.checked_sub(1) else { continue };
            let (Some(&time_ns), Some(status), Ok(offset)) =
                (column.times_ns.get(last), column.statuses.get(last), u32::try_from(last))
            else {
                continue;
            };
            // At a start, readings are read back that are older than what their signal measures now.
            let current = |signal| self.signals.is_current(&signal, position);
            if !SignalId::new(column.signal).is_ok_and(current) {
                continue;
            }
            let value = column.values.get(last).and_then(|value| value.as_f64()).filter(|value| value.is_finite());
            let latest = Latest { time_ns, position, row: column.first_row.saturating_add(offset), value, status };
            self.remember(column.signal, latest);
            if let Some(asset) = self.owner(column.signal) {
                self.newest_ns
                    .entry(asset.clone())
                    .and_modify(|newest| *newest = time_ns.max(*newest))
                    .or_insert(time_ns);
                touched.insert(asset);
            }
        }
        touched
    }

    fn owner(&self, signal: &str) -> Option<AssetId> {
        let signal = SignalId::new(signal).ok()?;
        self.signals.owner(&signal).cloned()
    }

    fn remember(&mut self, signal: &Arc<str>, latest: Latest) {
        let newer = |known: &Latest| (latest.time_ns, latest.position) >= (known.time_ns, known.position);
        if self.latest.get(signal).is_none_or(newer) {
            self.latest.insert(Arc::clone(signal), latest);
        }
    }

    /// How many signals have a reading.
    pub(super) fn known_signals(&self) -> usize {
        self.latest.len()
    }

    /// The newest source time of all.
    pub(super) fn newest_of_all_ns(&self) -> Option<i64> {
        self.latest.values().map(|latest| latest.time_ns).max()
    }

    /// The deployments that run on the asset, by id.
    pub(super) fn deployments_on(&self, asset: &AssetId) -> Vec<ModelDeployed> {
        self.models.active().filter(|deployed| self.models.covers(&deployed.target, asset)).cloned().collect()
    }

    /// The event time to predict for, when the deployment is due on the asset.
    pub(super) fn due(&self, deployed: &ModelDeployed, asset: &AssetId) -> Option<i64> {
        let now_ns = *self.newest_ns.get(asset)?;
        let period_ns = i64::from(deployed.period_s.max(1)) * NANOSECONDS;
        match self.said.get(&key(deployed, asset)) {
            Some(said) if now_ns < said.tried_ns.saturating_add(period_ns) => None,
            _ => Some(now_ns),
        }
    }

    /// Notes that the deployment was tried; answers whether its answer is to be logged.
    pub(super) fn tried(&mut self, deployed: &ModelDeployed, asset: &AssetId, now_ns: i64, available: bool) -> bool {
        let period_ns = i64::from(deployed.period_s.max(1)) * NANOSECONDS;
        let key = key(deployed, asset);
        let silent = !available
            && self.said.get(&key).is_some_and(|said| {
                !said.available
                    && said.version == deployed.version
                    && now_ns < said.logged_ns.saturating_add(period_ns * UNAVAILABLE_EVERY_PERIODS)
            });
        if silent {
            if let Some(said) = self.said.get_mut(&key) {
                said.tried_ns = now_ns;
            }
            return false;
        }
        let said = Said { version: deployed.version, logged_ns: now_ns, available, tried_ns: now_ns };
        self.said.insert(key, said);
        true
    }

    /// Takes a prediction that is in the log already; the newest one of a deployment and asset counts.
    pub(super) fn take_logged(&mut self, entry: &Entry) -> Option<AssetId> {
        let Some(Event::PredictionMade(made)) = entry.event() else { return None };
        let time_ns = nanoseconds(entry.event_time?)?;
        let PredictionMade { deployment, asset, version, unavailable, .. } = made;
        let said = Said { version: *version, logged_ns: time_ns, available: unavailable.is_none(), tried_ns: time_ns };
        let known = self.said.entry((deployment.clone(), asset.clone())).or_insert(said);
        if known.logged_ns < time_ns {
            *known = said;
        }
        Some(asset.clone())
    }

    /// The inputs of a model from the newest readings of an asset, in the model's units, with what they were made from. The reason, when an input is not usable; the usable
    /// ones are answered also then.
    pub(super) fn inputs(
        &self,
        signature: &Signature,
        deployed: &ModelDeployed,
        asset: &AssetId,
        now_ns: i64,
    ) -> (Vec<InputUsed>, Result<Vec<f64>, Unavailable>) {
        let mut used = Vec::with_capacity(signature.inputs.len());
        let mut values = Vec::with_capacity(signature.inputs.len());
        let mut first_reason = None;
        for port in &signature.inputs {
            match self.input(port, deployed, asset, now_ns) {
                Ok(input) => {
                    values.push(input.value);
                    used.push(input);
                }
                Err(reason) => first_reason = first_reason.or(Some(reason)),
            }
        }
        (used, first_reason.map_or(Ok(values), Err))
    }

    fn input(
        &self,
        port: &domain::events::Port,
        deployed: &ModelDeployed,
        asset: &AssetId,
        now_ns: i64,
    ) -> Result<InputUsed, Unavailable> {
        let name = || port.name.clone();
        let Some(signal) = self.signals.signal(asset, &port.name) else {
            return Err(Unavailable::MissingSignal { input: name(), asset: asset.clone() });
        };
        let Some(latest) = self.latest.get(signal.signal.as_str()) else {
            return Err(Unavailable::NoReading { input: name(), signal: signal.signal.clone() });
        };
        let age_s = u64::try_from(now_ns.saturating_sub(latest.time_ns) / NANOSECONDS).unwrap_or(0);
        let limit_s = stale_after_s(signal, deployed);
        if age_s > limit_s {
            return Err(Unavailable::Stale { input: name(), age_s, limit_s });
        }
        if latest.status.is_bad() {
            return Err(Unavailable::BadStatus { input: name(), status: latest.status });
        }
        let value = latest.value.ok_or_else(|| Unavailable::InputNotFinite { input: name() })?;
        let conversion = Conversion::between(&signal.unit, &port.unit).map_err(|reason| Unavailable::UnitMismatch {
            input: name(),
            given: signal.unit.clone(),
            wanted: port.unit.clone(),
            reason: reason.to_string(),
        })?;
        let value = conversion.apply(value);
        if !value.is_finite() {
            return Err(Unavailable::InputNotFinite { input: name() });
        }
        let (signal, position, row) = (signal.signal.clone(), latest.position.get(), latest.row);
        Ok(InputUsed { name: name(), signal, position, row, value })
    }
}

fn key(deployed: &ModelDeployed, asset: &AssetId) -> (DeploymentId, AssetId) {
    (deployed.deployment.clone(), asset.clone())
}

fn stale_after_s(signal: &SignalEntry, deployed: &ModelDeployed) -> u64 {
    let of_signal = signal.period_ms.unwrap_or(0).saturating_mul(STALE_AFTER_SIGNAL_PERIODS) / 1_000;
    let of_deployment = u64::from(deployed.period_s) * STALE_AFTER_DEPLOYMENT_PERIODS;
    of_signal.max(of_deployment).max(STALE_AFTER_LEAST_S)
}

pub(super) fn nanoseconds(time: Timestamp) -> Option<i64> {
    i64::try_from(time.as_nanosecond()).ok()
}
