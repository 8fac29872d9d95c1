//! The registry's catalogue: models, versions, aliases, deployments, and what they predicted last.

use std::collections::BTreeMap;

use domain::Event;
use domain::events::{ModelDeployed, ModelRegistered, ModelVersionCreated, PredictionMade, Target};
use domain::ids::{AssetClass, AssetId, Code, DeploymentId, ModelName};
use eventlog::{Digest, EventId, Filter, Position};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{AsOf, Entry, Fact, Fold, History, filters, state_digest};

/// What happened to a deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentChange {
    /// A version runs from now on.
    Deployed(Box<ModelDeployed>),
    /// It runs no longer.
    Retired,
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
    /// Since when this version runs.
    pub since: Option<Timestamp>,
    /// Whether it runs.
    pub active: bool,
    /// Every event of it that was known.
    pub positions: Vec<Position>,
}

/// Models with their versions, names and deployments.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Models {
    models: BTreeMap<ModelName, History<ModelRegistered>>,
    versions: BTreeMap<ModelName, BTreeMap<u32, History<ModelVersionCreated>>>,
    aliases: BTreeMap<ModelName, BTreeMap<Code, History<Option<u32>>>>,
    deployments: BTreeMap<DeploymentId, History<DeploymentChange>>,
    classes: BTreeMap<AssetId, History<AssetClass>>,
    predictions: BTreeMap<DeploymentId, BTreeMap<AssetId, LastPrediction>>,
    prediction_counts: BTreeMap<ModelName, BTreeMap<u32, u64>>,
}

impl Fold for Models {
    const NAME: &'static str = "models";
    const VERSION: u32 = 1;

    fn filter() -> Filter {
        filters::types(&[
            "asset.registered",
            "model.registered",
            "model.version_created",
            "model.alias_set",
            "model.alias_removed",
            "deployment.deployed",
            "deployment.retired",
            "prediction.made",
        ])
    }

    fn apply(&mut self, entry: &Entry) {
        match entry.event() {
            Some(Event::AssetRegistered(event)) => {
                self.classes.entry(event.asset.clone()).or_default().push(entry, event.class.clone());
            }
            Some(Event::ModelRegistered(event)) => {
                self.models.entry(event.model.clone()).or_default().push(entry, event.clone());
            }
            Some(Event::ModelVersionCreated(event)) => {
                let versions = self.versions.entry(event.model.clone()).or_default();
                versions.entry(event.version).or_default().push(entry, event.clone());
            }
            Some(Event::AliasSet(event)) => {
                let aliases = self.aliases.entry(event.model.clone()).or_default();
                aliases.entry(event.alias.clone()).or_default().push(entry, Some(event.version));
            }
            Some(Event::AliasRemoved(event)) => {
                let aliases = self.aliases.entry(event.model.clone()).or_default();
                aliases.entry(event.alias.clone()).or_default().push(entry, None);
            }
            Some(Event::ModelDeployed(event)) => {
                let deployment = self.deployments.entry(event.deployment.clone()).or_default();
                deployment.push(entry, DeploymentChange::Deployed(Box::new(event.clone())));
            }
            Some(Event::DeploymentRetired(event)) => {
                let deployment = self.deployments.entry(event.deployment.clone()).or_default();
                deployment.push(entry, DeploymentChange::Retired);
            }
            Some(Event::PredictionMade(event)) => self.predicted(entry, event),
            _ => {}
        }
    }

    fn digest(&self) -> Digest {
        state_digest(self)
    }
}

impl Models {
    fn predicted(&mut self, entry: &Entry, event: &PredictionMade) {
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

    /// A model, as it was described last.
    pub fn model(&self, name: &ModelName, as_of: AsOf) -> Option<&Fact<ModelRegistered>> {
        self.models.get(name)?.last(as_of)
    }

    /// Every model, by name.
    pub fn models(&self, as_of: AsOf) -> impl Iterator<Item = &Fact<ModelRegistered>> {
        self.models.values().filter_map(move |history| history.last(as_of))
    }

    /// A version of a model. A version is immutable: the first event counts.
    pub fn version(&self, name: &ModelName, version: u32, as_of: AsOf) -> Option<&Fact<ModelVersionCreated>> {
        self.versions.get(name)?.get(&version)?.as_of(as_of).first()
    }

    /// The versions of a model, oldest number first.
    pub fn versions(&self, name: &ModelName, as_of: AsOf) -> impl Iterator<Item = &Fact<ModelVersionCreated>> {
        let versions = self.versions.get(name).into_iter().flat_map(BTreeMap::values);
        versions.filter_map(move |history| history.as_of(as_of).first())
    }

    /// The version that an alias named.
    pub fn resolve(&self, name: &ModelName, alias: &str, as_of: AsOf) -> Option<u32> {
        let aliases = self.aliases.get(name)?;
        aliases.iter().find(|(known, _)| known.as_str() == alias)?.1.last(as_of)?.value
    }

    /// The aliases of a model that named a version, with the fact that set them.
    pub fn aliases(&self, name: &ModelName, as_of: AsOf) -> impl Iterator<Item = (&Code, u32, Position)> {
        let aliases = self.aliases.get(name).into_iter().flatten();
        aliases.filter_map(move |(alias, history)| {
            let fact = history.last(as_of)?;
            Some((alias, fact.value?, fact.position))
        })
    }

    /// What an alias named over time; `None` where it was removed.
    pub fn alias_history(&self, name: &ModelName, alias: &Code, as_of: AsOf) -> &[Fact<Option<u32>>] {
        let history = self.aliases.get(name).and_then(|aliases| aliases.get(alias));
        history.map(|history| history.as_of(as_of)).unwrap_or_default()
    }

    /// A deployment.
    pub fn deployment(&self, id: &DeploymentId, as_of: AsOf) -> Option<DeploymentView<'_>> {
        let (id, history) = self.deployments.get_key_value(id)?;
        view(id, history.as_of(as_of))
    }

    /// Every deployment, by id, also those that run no longer.
    pub fn deployments(&self, as_of: AsOf) -> impl Iterator<Item = DeploymentView<'_>> {
        self.deployments.iter().filter_map(move |(id, history)| view(id, history.as_of(as_of)))
    }

    /// What happened to a deployment, in log order.
    pub fn deployment_history(&self, id: &DeploymentId, as_of: AsOf) -> &[Fact<DeploymentChange>] {
        self.deployments.get(id).map(|history| history.as_of(as_of)).unwrap_or_default()
    }

    /// The deployments that run on an asset, directly or by its class: what ran there at that position.
    pub fn running_on<'a>(&'a self, asset: &'a AssetId, as_of: AsOf) -> impl Iterator<Item = DeploymentView<'a>> {
        let class = self.class_of(asset, as_of);
        let deployments = self.deployments(as_of);
        deployments.filter(move |view| view.active && targets(&view.deployed.target, asset, class))
    }

    /// What ran on an asset at an event time: of each deployment the change that came last before it. Changes of unknown time are left out.
    pub fn ran_on<'a>(
        &'a self,
        asset: &'a AssetId,
        at: Timestamp,
        as_of: AsOf,
    ) -> impl Iterator<Item = (&'a DeploymentId, &'a ModelDeployed, Position)> {
        let class = self.class_of(asset, as_of);
        self.deployments.iter().filter_map(move |(id, history)| {
            let before = history.as_of(as_of).iter().filter(|fact| fact.time.is_some_and(|time| time <= at));
            let last = before.max_by_key(|fact| (fact.time, fact.position))?;
            match &last.value {
                DeploymentChange::Deployed(deployed) if targets(&deployed.target, asset, class) => {
                    Some((id, &**deployed, last.position))
                }
                _ => None,
            }
        })
    }

    /// The class of an asset, as it was registered last.
    pub fn class_of(&self, asset: &AssetId, as_of: AsOf) -> Option<&AssetClass> {
        self.classes.get(asset)?.last(as_of).map(|fact| &fact.value)
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
    pub fn prediction_count(&self, name: &ModelName, version: u32) -> u64 {
        self.prediction_counts.get(name).and_then(|counts| counts.get(&version)).copied().unwrap_or(0)
    }
}

fn targets(target: &Target, asset: &AssetId, class: Option<&AssetClass>) -> bool {
    match target {
        Target::Asset(target) => target == asset,
        Target::Class(target) => Some(target) == class,
    }
}

fn view<'a>(deployment: &'a DeploymentId, facts: &'a [Fact<DeploymentChange>]) -> Option<DeploymentView<'a>> {
    let (deployed, since) = facts.iter().rev().find_map(|fact| match &fact.value {
        DeploymentChange::Deployed(deployed) => Some((&**deployed, fact.time)),
        DeploymentChange::Retired => None,
    })?;
    Some(DeploymentView {
        deployment,
        deployed,
        since,
        active: facts.last().is_some_and(|fact| fact.value != DeploymentChange::Retired),
        positions: facts.iter().map(|fact| fact.position).collect(),
    })
}
