//! Deployments: what ran where, and what it predicted last.

use domain::events::{ModelDeployed, PredictionMade, Target};
use domain::ids::{AssetClass, AssetId, DeploymentId, ModelName};
use domain::values::Text;
use eventlog::{EventId, Position};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Models;
use super::said::Said;
use crate::{AsOf, Entry};

/// What happened to a deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentChange {
    /// A version runs from now on.
    Deployed(Box<ModelDeployed>),
    /// It runs no longer.
    Retired {
        /// Why.
        reason: Option<Text>,
    },
}

impl DeploymentChange {
    /// What runs from then on.
    pub fn deployed(&self) -> Option<&ModelDeployed> {
        match self {
            Self::Deployed(deployed) => Some(deployed),
            Self::Retired { .. } => None,
        }
    }
}

/// What a deployment predicted for an asset, last, and how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastPrediction {
    /// The event's id.
    pub id: EventId,
    /// The event's position.
    pub position: Position,
    /// For which time; `None` means unknown.
    pub time: Option<Timestamp>,
    /// The prediction.
    pub prediction: PredictionMade,
    /// How many predictions this deployment made for this asset, this one included.
    pub count: u64,
    /// How many of them had no output.
    pub unavailable: u64,
}

/// A deployment as it was known.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeploymentView<'a> {
    /// The deployment.
    pub deployment: &'a DeploymentId,
    /// What runs, or ran last, and where.
    pub deployed: &'a ModelDeployed,
    /// Since when this version runs; `None` means unknown.
    pub since: Option<Timestamp>,
    /// Whether it runs.
    pub active: bool,
    /// Every event of it that was known.
    pub positions: Vec<Position>,
}

/// What ran on an asset at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ran<'a> {
    /// The deployment.
    pub deployment: &'a DeploymentId,
    /// What ran.
    pub deployed: &'a ModelDeployed,
    /// Where the log says so, since when, and who did it.
    pub said: &'a Said<DeploymentChange>,
}

impl Models {
    pub(super) fn predicted(&mut self, entry: &Entry, event: &PredictionMade) {
        *self.prediction_counts.entry(event.model.clone()).or_default().entry(event.version).or_default() += 1;
        let by_asset = self.predictions.entry(event.deployment.clone()).or_default();
        let known = by_asset.get(&event.asset);
        let count = known.map_or(0, |last| last.count) + 1;
        let unavailable = known.map_or(0, |last| last.unavailable) + u64::from(event.unavailable.is_some());
        let last = LastPrediction {
            id: entry.id,
            position: entry.position,
            time: entry.event_time,
            prediction: event.clone(),
            count,
            unavailable,
        };
        by_asset.insert(event.asset.clone(), last);
    }

    /// A deployment.
    pub fn deployment(&self, id: &DeploymentId, as_of: AsOf) -> Option<DeploymentView<'_>> {
        let (id, told) = self.deployments.get_key_value(id)?;
        view(id, told.as_of(as_of))
    }

    /// Every deployment, by id, also those that run no longer.
    pub fn deployments(&self, as_of: AsOf) -> impl Iterator<Item = DeploymentView<'_>> {
        self.deployments.iter().filter_map(move |(id, told)| view(id, told.as_of(as_of)))
    }

    /// What happened to a deployment, in log order.
    pub fn deployment_history(&self, id: &DeploymentId, as_of: AsOf) -> &[Said<DeploymentChange>] {
        self.deployments.get(id).map(|told| told.as_of(as_of)).unwrap_or_default()
    }

    /// What runs now, by deployment.
    pub fn active(&self) -> impl Iterator<Item = &ModelDeployed> {
        self.deployments.values().filter_map(|told| told.last(AsOf::LATEST)?.value.deployed())
    }

    /// What ran on an asset, directly or by its class, as far as was known at a position.
    pub fn running_on<'a>(&'a self, asset: &'a AssetId, as_of: AsOf) -> impl Iterator<Item = Ran<'a>> {
        self.ran(asset, as_of, move |told| told.last(as_of))
    }

    /// What ran on an asset at an event time: of each deployment the change that came last before it. A change of unknown time counts from when it was logged. The
    /// class of the asset is taken as it was known then.
    pub fn ran_on<'a>(&'a self, asset: &'a AssetId, at: Timestamp, as_of: AsOf) -> impl Iterator<Item = Ran<'a>> {
        self.ran(asset, as_of, move |told| told.at(at, as_of))
    }

    fn ran<'a>(
        &'a self,
        asset: &'a AssetId,
        as_of: AsOf,
        in_force: impl Fn(&'a super::Told<DeploymentChange>) -> Option<&'a Said<DeploymentChange>>,
    ) -> impl Iterator<Item = Ran<'a>> {
        let class = self.class_of(asset, as_of);
        self.deployments.iter().filter_map(move |(deployment, told)| {
            let said = in_force(told)?;
            let deployed = said.value.deployed().filter(|deployed| targets(&deployed.target, asset, class))?;
            Some(Ran { deployment, deployed, said })
        })
    }

    /// The class of an asset, as it was registered last.
    pub fn class_of(&self, asset: &AssetId, as_of: AsOf) -> Option<&AssetClass> {
        self.classes.get(asset)?.last(as_of).map(|fact| &fact.value)
    }

    /// Whether a target holds an asset, by what is known now.
    pub fn covers(&self, target: &Target, asset: &AssetId) -> bool {
        targets(target, asset, self.class_of(asset, AsOf::LATEST))
    }

    /// The last predictions of a deployment, by asset. They are about now.
    pub fn last_predictions(&self, deployment: &DeploymentId) -> impl Iterator<Item = (&AssetId, &LastPrediction)> {
        self.predictions.get(deployment).into_iter().flatten()
    }

    /// The last prediction of a deployment for an asset.
    pub fn last_prediction(&self, deployment: &DeploymentId, asset: &AssetId) -> Option<&LastPrediction> {
        self.predictions.get(deployment)?.get(asset)
    }

    /// The last predictions for an asset, by deployment. They are about now.
    pub fn last_predictions_for(&self, asset: &AssetId) -> impl Iterator<Item = (&DeploymentId, &LastPrediction)> {
        self.predictions.iter().filter_map(move |(deployment, by_asset)| Some((deployment, by_asset.get(asset)?)))
    }

    /// How many predictions a version made.
    pub fn prediction_count(&self, model: &ModelName, version: u32) -> u64 {
        self.prediction_counts.get(model).and_then(|counts| counts.get(&version)).copied().unwrap_or(0)
    }
}

fn targets(target: &Target, asset: &AssetId, class: Option<&AssetClass>) -> bool {
    match target {
        Target::Asset(target) => target == asset,
        Target::Class(target) => Some(target) == class,
    }
}

fn view<'a>(deployment: &'a DeploymentId, said: &'a [Said<DeploymentChange>]) -> Option<DeploymentView<'a>> {
    let (deployed, since) = said.iter().rev().find_map(|change| Some((change.value.deployed()?, change.time)))?;
    Some(DeploymentView {
        deployment,
        deployed,
        since,
        active: said.last().is_some_and(|change| change.value.deployed().is_some()),
        positions: said.iter().map(|change| change.position).collect(),
    })
}
