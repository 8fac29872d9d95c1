//! What the log says about models, deployments, assets and signals: a fold, kept with its history.

use std::collections::BTreeMap;

use domain::Event;
use domain::events::{DeploymentRetired, ModelDeployed, ModelRegistered, ModelVersionCreated, Target};
use domain::ids::{AssetClass, AssetId, Code, DeploymentId, ModelName, SignalId};
use domain::units::Unit;
use eventlog::{Category, EventType, Filter, InvalidName, Position, QueryItem};
use jiff::Timestamp;
use projections::Entry;

use crate::commands::{Moment, VersionRef};
use crate::error::RegistryError;

/// A registered model with all that became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelEntry {
    /// Its latest description.
    pub registered: ModelRegistered,
    /// Where it was registered first.
    pub position: Position,
    /// Its versions by number.
    pub versions: BTreeMap<u32, VersionEntry>,
    /// What its aliases name at present.
    pub aliases: BTreeMap<Code, u32>,
}

/// A version with its place in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct VersionEntry {
    /// What the log says about it, its files and what it was trained on included.
    pub created: ModelVersionCreated,
    /// Where.
    pub position: Position,
}

/// A deployment: each version that it ran.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct DeploymentEntry {
    /// What happened to it, in log order.
    pub steps: Vec<Step>,
}

/// One change of a deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Where the log says so.
    pub position: Position,
    /// Since when; `None` means unknown.
    pub event_time: Option<Timestamp>,
    /// What changed.
    pub change: Change,
}

/// How a deployment changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A version runs from now on.
    Deployed(ModelDeployed),
    /// Nothing runs any longer.
    Retired(DeploymentRetired),
}

/// A signal as models need to know it.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalEntry {
    /// The signal.
    pub signal: SignalId,
    /// The unit of its values.
    pub unit: Unit,
    /// Its sampling period in milliseconds.
    pub period_ms: Option<u64>,
}

/// What ran on an asset at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Ran {
    /// The deployment.
    pub deployment: DeploymentId,
    /// The model.
    pub model: ModelName,
    /// The version.
    pub version: u32,
    /// Where the deployment was moved to this version.
    pub since_position: Position,
    /// When; `None` means unknown.
    pub since: Option<Timestamp>,
}

impl DeploymentEntry {
    /// What runs at present.
    pub fn active(&self) -> Option<&ModelDeployed> {
        self.active_step().map(|(_, deployed)| deployed)
    }

    /// Every model that ever ran in it, each once.
    pub fn models(&self) -> Vec<&ModelName> {
        let mut models = Vec::new();
        for (_, deployed) in self.steps.iter().filter_map(running) {
            if !models.contains(&&deployed.model) {
                models.push(&deployed.model);
            }
        }
        models
    }

    fn active_step(&self) -> Option<(&Step, &ModelDeployed)> {
        self.steps.last().and_then(running)
    }

    /// The step that was in force at the moment.
    fn step_at(&self, moment: Moment) -> Option<&Step> {
        match moment {
            Moment::AsOf(position) => self.steps.iter().rev().find(|step| step.position <= position),
            // A step without a time was in force since ever. Of two steps at one time the later in the log counts.
            Moment::At(time) => self
                .steps
                .iter()
                .filter(|step| step.event_time.is_none_or(|since| since <= time))
                .max_by_key(|step| (step.event_time, step.position)),
        }
    }
}

fn running(step: &Step) -> Option<(&Step, &ModelDeployed)> {
    match &step.change {
        Change::Deployed(deployed) => Some((step, deployed)),
        Change::Retired(_) => None,
    }
}

/// The fold. It is a function of the entries that match [`Catalogue::filter`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalogue {
    models: BTreeMap<ModelName, ModelEntry>,
    deployments: BTreeMap<DeploymentId, DeploymentEntry>,
    classes: BTreeMap<AssetId, AssetClass>,
    signals: BTreeMap<AssetId, BTreeMap<Code, SignalEntry>>,
    owners: BTreeMap<SignalId, (AssetId, Code)>,
}

impl Catalogue {
    /// The entries that it needs.
    ///
    /// # Errors
    /// Never in practice: the names are constants.
    pub fn filter() -> Result<Filter, InvalidName> {
        let categories =
            ["model", "deployment", "signal"].into_iter().map(Category::new).collect::<Result<Vec<_>, _>>()?;
        Ok(Filter {
            items: vec![
                QueryItem { categories, ..QueryItem::default() },
                QueryItem { types: vec![EventType::new("asset.registered")?], ..QueryItem::default() },
            ],
        })
    }

    /// Takes one entry in; answers whether anything here depends on it.
    pub fn apply(&mut self, entry: &Entry) -> bool {
        let Some(event) = entry.event() else { return false };
        let position = entry.position;
        match event {
            Event::ModelRegistered(registered) => self.register(registered, position),
            Event::ModelVersionCreated(created) => {
                if let Some(model) = self.models.get_mut(&created.model) {
                    // The first event with a number wins: a version is immutable.
                    let version = VersionEntry { created: created.clone(), position };
                    model.versions.entry(created.version).or_insert(version);
                }
            }
            Event::AliasSet(set) => {
                if let Some(model) = self.models.get_mut(&set.model) {
                    model.aliases.insert(set.alias.clone(), set.version);
                }
            }
            Event::AliasRemoved(removed) => {
                if let Some(model) = self.models.get_mut(&removed.model) {
                    model.aliases.remove(&removed.alias);
                }
            }
            Event::ModelDeployed(deployed) => {
                self.change(&deployed.deployment, entry, Change::Deployed(deployed.clone()));
            }
            Event::DeploymentRetired(retired) => {
                self.change(&retired.deployment, entry, Change::Retired(retired.clone()));
            }
            Event::AssetRegistered(asset) => {
                self.classes.insert(asset.asset.clone(), asset.class.clone());
            }
            Event::SignalDefined(defined) => self.define(defined),
            _ => return false,
        }
        true
    }

    fn register(&mut self, registered: &ModelRegistered, position: Position) {
        self.models
            .entry(registered.model.clone())
            .and_modify(|model| model.registered = registered.clone())
            .or_insert_with(|| ModelEntry {
                registered: registered.clone(),
                position,
                versions: BTreeMap::new(),
                aliases: BTreeMap::new(),
            });
    }

    fn change(&mut self, deployment: &DeploymentId, entry: &Entry, change: Change) {
        let step = Step { position: entry.position, event_time: entry.event_time, change };
        self.deployments.entry(deployment.clone()).or_default().steps.push(step);
    }

    fn define(&mut self, defined: &domain::events::SignalDefined) {
        // Described anew, a signal may have moved to another asset or quantity.
        if let Some((asset, quantity)) =
            self.owners.insert(defined.signal.clone(), (defined.asset.clone(), defined.quantity.clone()))
            && let Some(signals) = self.signals.get_mut(&asset)
            && signals.get(&quantity).is_some_and(|entry| entry.signal == defined.signal)
        {
            signals.remove(&quantity);
        }
        let entry =
            SignalEntry { signal: defined.signal.clone(), unit: defined.unit.clone(), period_ms: defined.period_ms };
        self.signals.entry(defined.asset.clone()).or_default().insert(defined.quantity.clone(), entry);
    }

    /// A model.
    pub fn model(&self, model: &ModelName) -> Option<&ModelEntry> {
        self.models.get(model)
    }

    /// Every model, by name.
    pub fn models(&self) -> impl Iterator<Item = (&ModelName, &ModelEntry)> {
        self.models.iter()
    }

    /// The version that is meant.
    pub fn version(&self, model: &ModelName, version: &VersionRef) -> Option<&VersionEntry> {
        let entry = self.models.get(model)?;
        match version {
            VersionRef::Number(number) => entry.versions.get(number),
            VersionRef::Alias(alias) => entry.versions.get(entry.aliases.get(alias)?),
            VersionRef::Latest => entry.versions.values().next_back(),
        }
    }

    /// The version that is meant, or an error that names what is not known.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`].
    pub fn find_version(&self, model: &ModelName, version: &VersionRef) -> Result<&VersionEntry, RegistryError> {
        if !self.models.contains_key(model) {
            return Err(RegistryError::not_found("model", model));
        }
        self.version(model, version).ok_or_else(|| match version {
            VersionRef::Number(number) => RegistryError::not_found("version", format!("{model}/{number}")),
            VersionRef::Alias(alias) => RegistryError::not_found("alias", format!("{model}@{alias}")),
            VersionRef::Latest => RegistryError::not_found("version", format!("{model}/latest")),
        })
    }

    /// A deployment with its history.
    pub fn deployment(&self, deployment: &DeploymentId) -> Option<&DeploymentEntry> {
        self.deployments.get(deployment)
    }

    /// Every deployment that runs, by id.
    pub fn active(&self) -> impl Iterator<Item = &ModelDeployed> {
        self.deployments.values().filter_map(DeploymentEntry::active)
    }

    /// The asset and quantity that a signal measures.
    pub fn owner(&self, signal: &SignalId) -> Option<&(AssetId, Code)> {
        self.owners.get(signal)
    }

    /// The signal that measures a quantity of an asset.
    pub fn signal(&self, asset: &AssetId, quantity: &Code) -> Option<&SignalEntry> {
        self.signals.get(asset)?.get(quantity)
    }

    /// How many signals there are.
    pub fn signal_count(&self) -> usize {
        self.owners.len()
    }

    /// How many assets there are, registered or named by a signal only.
    pub fn asset_count(&self) -> usize {
        self.signals.keys().filter(|asset| !self.classes.contains_key(*asset)).count() + self.classes.len()
    }

    /// Whether the target holds the asset.
    pub fn covers(&self, target: &Target, asset: &AssetId) -> bool {
        match target {
            Target::Asset(one) => one == asset,
            Target::Class(class) => self.classes.get(asset) == Some(class),
        }
    }

    /// What ran on the asset at the moment, by deployment. The class of the asset is taken as it is known now.
    pub fn what_ran(&self, asset: &AssetId, moment: Moment) -> Vec<Ran> {
        self.deployments
            .iter()
            .filter_map(|(deployment, entry)| {
                let (step, deployed) = running(entry.step_at(moment)?)?;
                self.covers(&deployed.target, asset).then(|| Ran {
                    deployment: deployment.clone(),
                    model: deployed.model.clone(),
                    version: deployed.version,
                    since_position: step.position,
                    since: step.event_time,
                })
            })
            .collect()
    }
}

#[cfg(test)]
#[path = "catalogue_tests.rs"]
mod tests;
