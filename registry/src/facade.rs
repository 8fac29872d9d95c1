//! The way in: commands are decided by the domain's rules on the streams that they touch, and appended on the condition that those streams are still as read.

use std::sync::Arc;

use domain::Event;
use domain::events::{
    AliasRemoved, AliasSet, DeploymentRetired, ModelDeployed, ModelRegistered, ModelVersionCreated, Port,
};
use domain::ids::{AssetId, Code, DeploymentId, ModelName};
use domain::rules::{Command, RollBack, decide};
use eventlog::{AppendCondition, AppendError, Direction, EventLog, Filter, MAX_PAGE, Position};
use indexmap::IndexMap;
use jiff::Timestamp;
use parking_lot::Mutex;
use projections::{Entry, Meta, seal};

use crate::artifacts::{ArtifactStore, MAX_ARTIFACTS, VerifiedArtifact};
use crate::candle::CandleRuntime;
use crate::catalogue::{Catalogue, DeploymentEntry, Ran, VersionEntry};
use crate::commands::{Answer, Caller, Decision, Deploy, Deployed, Moment, NewVersion, VersionCreated, VersionRef};
use crate::error::RegistryError;
use crate::mechanism::MechanismRuntime;
use crate::runtime::{Inputs, LoadError, Model, ModelRuntime, Outputs};
use crate::scope::{Scope, Topic};

/// How often a command is tried when others change the same things.
pub const MAX_ATTEMPTS: usize = 16;

/// The most models that are kept loaded.
pub const MAX_LOADED_MODELS: usize = 64;

/// The greatest period of a deployment: one day.
pub const MAX_PERIOD_S: u32 = 86_400;

/// The most metrics of a version.
pub const MAX_METRICS: usize = 256;

/// The registry of one log.
pub struct Registry {
    log: Arc<dyn EventLog>,
    artifacts: ArtifactStore,
    runtimes: Vec<Box<dyn ModelRuntime>>,
    known: tokio::sync::Mutex<Known>,
    loaded: Mutex<IndexMap<(ModelName, u32), Arc<dyn Model>>>,
}

struct Known {
    catalogue: Catalogue,
    next: Position,
}

impl Registry {
    /// The registry over a log and an artifact store, with both runtimes.
    pub fn new(log: Arc<dyn EventLog>, artifacts: ArtifactStore) -> Self {
        Self {
            log,
            artifacts,
            runtimes: vec![Box::new(MechanismRuntime), Box::new(CandleRuntime)],
            known: tokio::sync::Mutex::new(Known { catalogue: Catalogue::default(), next: Position::START }),
            loaded: Mutex::default(),
        }
    }

    /// The log that it decides on.
    pub fn log(&self) -> &Arc<dyn EventLog> {
        &self.log
    }

    /// The files of its versions.
    pub const fn artifacts(&self) -> &ArtifactStore {
        &self.artifacts
    }

    /// Registers a model, or describes a registered one anew.
    ///
    /// # Errors
    /// [`RegistryError::Rejected`] when the domain's rules forbid it.
    pub async fn register_model(&self, caller: &Caller, model: ModelRegistered) -> Result<Position, RegistryError> {
        let topic = Topic::model(&model.model);
        let (position, _) = self.command(caller, topic, |_| Ok(model.clone().into())).await?;
        Ok(position)
    }

    /// Makes a version: checks that its files load, lets it answer the example, stores the files durably, and appends the event that names them.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] for an unknown model, [`RegistryError::Load`] when the files are no model, [`RegistryError::Invalid`] when the example has no answer.
    pub async fn create_version(&self, caller: &Caller, new: NewVersion) -> Result<VersionCreated, RegistryError> {
        let files = verify_files(&new)?;
        let model = self.runtime(&new.runtime)?.load(&files)?;
        let smoke = smoke(model.as_ref(), &new)?;
        // The model is looked for before the upload, so that a typing error leaves no files behind.
        let topic = Topic::model(&new.model);
        self.scope(&topic).await?.must_have_model(&new.model)?;
        // Ordering: the files are durable before the event that names them is appended.
        for file in &files {
            self.artifacts.put(file.name(), file.bytes().clone()).await?;
        }
        let wanted = ModelVersionCreated {
            model: new.model,
            version: 0,
            runtime: new.runtime,
            inputs: model.signature().inputs.clone(),
            outputs: model.signature().outputs.clone(),
            artifacts: files.iter().map(|file| file.artifact().clone()).collect(),
            trained_on: new.trained_on,
            metrics: new.metrics,
            note: new.note,
            author: None,
            source: None,
            run: None,
            logged_model: None,
            lineage: None,
        };
        let (position, event) = self.command(caller, topic, |_| Ok(Command::CreateVersion(wanted.clone()))).await?;
        let Event::ModelVersionCreated(created) = event else { return Err(other_event(caller)) };
        self.keep_loaded((created.model, created.version), Arc::from(model));
        let ModelVersionCreated { version, inputs, outputs, artifacts, .. } = created;
        Ok(VersionCreated { version, position, inputs, outputs, artifacts, smoke })
    }

    /// Lets an alias name a version from now on.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] for an unknown model or version.
    pub async fn set_alias(
        &self,
        caller: &Caller,
        model: &ModelName,
        alias: &Code,
        version: u32,
    ) -> Result<Position, RegistryError> {
        let set = AliasSet { model: model.clone(), alias: alias.clone(), version, checked: None };
        let ask = |scope: &Scope| {
            scope.version(model, &VersionRef::Number(version))?;
            Ok(set.clone().into())
        };
        Ok(self.command(caller, Topic::model(model), ask).await?.0)
    }

    /// Takes an alias away.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] for an unknown model or alias.
    pub async fn remove_alias(
        &self,
        caller: &Caller,
        model: &ModelName,
        alias: &Code,
    ) -> Result<Position, RegistryError> {
        let removed = AliasRemoved { model: model.clone(), alias: alias.clone() };
        let ask = |scope: &Scope| {
            scope.version(model, &VersionRef::Alias(alias.clone()))?;
            Ok(removed.clone().into())
        };
        Ok(self.command(caller, Topic::model(model), ask).await?.0)
    }

    /// Lets a version run on its target from now on. A deployment that runs is moved to the version.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] for an unknown model or version, [`RegistryError::Rejected`] when the rules forbid it,
    /// [`RegistryError::Load`] when the version cannot be loaded.
    pub async fn deploy(&self, caller: &Caller, request: Deploy) -> Result<Deployed, RegistryError> {
        if request.period_s == 0 || request.period_s > MAX_PERIOD_S {
            return Err(RegistryError::invalid("period_s", format!("it must be from 1 to {MAX_PERIOD_S}")));
        }
        // What cannot be loaded must not be deployed.
        self.load(&request.model, &request.version).await?;
        let topic = Topic::deployment(&request.deployment).and_model(&request.model);
        let ask = |scope: &Scope| {
            let version = scope.version(&request.model, &request.version)?.created.version;
            Ok(Command::Deploy(ModelDeployed {
                deployment: request.deployment.clone(),
                model: request.model.clone(),
                version,
                target: request.target.clone(),
                period_s: request.period_s,
                replaces: None,
                person: request.person.clone(),
                reason: request.reason.clone(),
                checked: None,
            }))
        };
        deployed(caller, self.command(caller, topic, ask).await?)
    }

    /// Ends a deployment.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`], or [`RegistryError::Rejected`] when it is retired already.
    pub async fn retire(
        &self,
        caller: &Caller,
        deployment: &DeploymentId,
        decision: Decision,
    ) -> Result<Position, RegistryError> {
        let retired = DeploymentRetired { deployment: deployment.clone(), reason: decision.reason };
        let ask = |scope: &Scope| {
            scope.deployment(deployment)?;
            Ok(retired.clone().into())
        };
        Ok(self.command(caller, Topic::deployment(deployment), ask).await?.0)
    }

    /// Moves a running deployment back to the version that ran before the present one.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`], or [`RegistryError::Rejected`] when it is retired or no version ran before.
    pub async fn roll_back(
        &self,
        caller: &Caller,
        deployment: &DeploymentId,
        decision: Decision,
    ) -> Result<Deployed, RegistryError> {
        let entry = self.with_catalogue(|catalogue| catalogue.deployment(deployment).cloned()).await?;
        let entry = entry.ok_or_else(|| RegistryError::not_found("deployment", deployment))?;
        // Each model that ever ran in it belongs to the topic, because the decision may name it.
        let topic =
            entry.models().into_iter().fold(Topic::deployment(deployment), |topic, model| topic.and_model(model));
        let back =
            RollBack { deployment: deployment.clone(), to: None, person: decision.person, reason: decision.reason };
        deployed(caller, self.command(caller, topic, |_| Ok(Command::RollBack(back.clone()))).await?)
    }

    /// Computes an answer and logs nothing.
    ///
    /// # Errors
    /// [`RegistryError`] when the version is not known or cannot be loaded. Inputs without an answer are no error: see [`Answer::outputs`].
    pub async fn predict_now(
        &self,
        model: &ModelName,
        version: &VersionRef,
        inputs: &Inputs,
    ) -> Result<Answer, RegistryError> {
        let (entry, loaded) = self.load(model, version).await?;
        Ok(Answer {
            model: model.clone(),
            version: entry.created.version,
            version_position: entry.position,
            outputs: loaded.predict(inputs),
        })
    }

    /// The version with its files, metrics and the log range that it was trained on.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`].
    pub async fn version(&self, model: &ModelName, version: &VersionRef) -> Result<VersionEntry, RegistryError> {
        self.with_catalogue(|catalogue| catalogue.find_version(model, version).cloned()).await?
    }

    /// A deployment with each version that it ran.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`].
    pub async fn deployment(&self, deployment: &DeploymentId) -> Result<DeploymentEntry, RegistryError> {
        let entry = self.with_catalogue(|catalogue| catalogue.deployment(deployment).cloned()).await?;
        entry.ok_or_else(|| RegistryError::not_found("deployment", deployment))
    }

    /// What ran on the asset at the moment.
    ///
    /// # Errors
    /// [`RegistryError::Read`].
    pub async fn what_ran(&self, asset: &AssetId, moment: Moment) -> Result<Vec<Ran>, RegistryError> {
        self.with_catalogue(|catalogue| catalogue.what_ran(asset, moment)).await
    }

    /// Looks at everything that the log says about models, up to its present tail.
    ///
    /// # Errors
    /// [`RegistryError::Read`].
    pub async fn with_catalogue<T>(&self, look: impl FnOnce(&Catalogue) -> T) -> Result<T, RegistryError> {
        let mut known = self.known.lock().await;
        let tail = self.log.tail();
        while known.next < tail {
            let page = self.log.read(known.next, Direction::Forward, Catalogue::filter()?, MAX_PAGE).await?;
            // A page without a next one ends at or beyond the tail that was taken before the read.
            let after = page.last().map_or(tail, |record| record.position.next());
            known.next = page.next.unwrap_or(after.max(tail));
            for record in page {
                known.catalogue.apply(&Entry::decode(record));
            }
        }
        Ok(look(&known.catalogue))
    }

    /// A version, loaded. Its files are verified each time that they are loaded; models stay loaded.
    ///
    /// # Errors
    /// [`RegistryError`] when the version is not known or its files do not load.
    pub async fn load(
        &self,
        model: &ModelName,
        version: &VersionRef,
    ) -> Result<(VersionEntry, Arc<dyn Model>), RegistryError> {
        let entry = self.version(model, version).await?;
        let loaded = self.load_version(&entry.created).await?;
        Ok((entry, loaded))
    }

    /// The model behind an event that made a version.
    ///
    /// # Errors
    /// [`RegistryError`] when its files do not load, or have another signature than the event says.
    pub async fn load_version(&self, created: &ModelVersionCreated) -> Result<Arc<dyn Model>, RegistryError> {
        let key = (created.model.clone(), created.version);
        if let Some(model) = self.loaded.lock().get(&key) {
            return Ok(Arc::clone(model));
        }
        let runtime = self.runtime(&created.runtime)?;
        let mut files = Vec::with_capacity(created.artifacts.len().min(MAX_ARTIFACTS));
        for artifact in created.artifacts.iter().take(MAX_ARTIFACTS) {
            files.push(self.artifacts.get(artifact).await?);
        }
        let model: Arc<dyn Model> = Arc::from(runtime.load(&files)?);
        for (what, said, real) in [
            ("inputs", &created.inputs, &model.signature().inputs),
            ("outputs", &created.outputs, &model.signature().outputs),
        ] {
            if !same_ports(said, real) {
                return Err(LoadError::Signature { what }.into());
            }
        }
        self.keep_loaded(key, Arc::clone(&model));
        Ok(model)
    }

    fn keep_loaded(&self, key: (ModelName, u32), model: Arc<dyn Model>) {
        let mut loaded = self.loaded.lock();
        if loaded.len() >= MAX_LOADED_MODELS {
            loaded.shift_remove_index(0);
        }
        loaded.insert(key, model);
    }

    fn runtime(&self, name: &Code) -> Result<&dyn ModelRuntime, LoadError> {
        self.runtimes
            .iter()
            .find(|runtime| runtime.name() == name.as_str())
            .map(AsRef::as_ref)
            .ok_or_else(|| LoadError::UnknownRuntime { name: name.as_str().to_owned() })
    }

    /// Decides a command on what the log says about its topic, and appends the outcome on the condition that nothing was added to the topic since it was read.
    /// Answers the event and where it stands.
    async fn command(
        &self,
        caller: &Caller,
        topic: Topic,
        ask: impl Fn(&Scope) -> Result<Command, RegistryError>,
    ) -> Result<(Position, Event), RegistryError> {
        if let Some(done) = self.repeated(caller).await? {
            return Ok(done);
        }
        for _ in 0..MAX_ATTEMPTS {
            let scope = self.scope(&topic).await?;
            let events = decide(scope.states(), ask(&scope)?)?;
            // Every command of the registry is one event.
            let Some(event) = events.into_iter().next() else { continue };
            if let Some(position) = self.append(caller, &event, scope.unchanged()).await? {
                return Ok((position, event));
            }
        }
        Err(RegistryError::Busy { topic: topic.to_string(), attempts: MAX_ATTEMPTS })
    }

    async fn scope(&self, topic: &Topic) -> Result<Scope, RegistryError> {
        Scope::read(self.log.as_ref(), topic).await
    }

    /// Appends the event under the condition; answers nothing when another command came in between.
    async fn append(
        &self,
        caller: &Caller,
        event: &Event,
        condition: AppendCondition,
    ) -> Result<Option<Position>, RegistryError> {
        let mut meta = Meta::own(&caller.actor, Some(caller.event_time.unwrap_or_else(Timestamp::now)));
        meta.correlation_id = caller.correlation_id;
        if let Some(id) = caller.event_id {
            meta.id = id;
        }
        match self.log.append(condition, vec![seal(event, meta)?]).await {
            Ok(appended) => Ok(Some(appended.first)),
            Err(AppendError::Conflict { .. } | AppendError::QueryMatched { .. }) => Ok(None),
            Err(error) => Err(RegistryError::Append(error)),
        }
    }

    /// What the command did already, when it is a repetition.
    async fn repeated(&self, caller: &Caller) -> Result<Option<(Position, Event)>, RegistryError> {
        let Some(id) = caller.event_id else { return Ok(None) };
        let Some(position) = self.log.position_of(id).await? else { return Ok(None) };
        let page = self.log.read(position, Direction::Forward, Filter::all(), 1).await?;
        let event = page.into_iter().next().map(Entry::decode).and_then(|entry| entry.event().cloned());
        event.map(|event| Some((position, event))).ok_or_else(|| other_event(caller))
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Registry").field("artifacts", &self.artifacts).finish_non_exhaustive()
    }
}

/// Whether two lists of ports are the same. Bounds may differ by the last digits, which JSON readers do not all keep.
fn same_ports(said: &[Port], real: &[Port]) -> bool {
    let close = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-12 * a.abs().max(b.abs()),
        (a, b) => a.is_none() && b.is_none(),
    };
    said.len() == real.len()
        && said.iter().zip(real).all(|(said, real)| {
            said.name == real.name && said.unit == real.unit && close(said.low, real.low) && close(said.high, real.high)
        })
}

fn other_event(caller: &Caller) -> RegistryError {
    let id = caller.event_id.map(|id| id.to_string()).unwrap_or_default();
    RegistryError::conflict("event", id, "the id stands for another event")
}

fn deployed(caller: &Caller, (position, event): (Position, Event)) -> Result<Deployed, RegistryError> {
    match event {
        Event::ModelDeployed(ModelDeployed { version, replaces, .. }) => Ok(Deployed { version, replaces, position }),
        _ => Err(other_event(caller)),
    }
}

fn verify_files(new: &NewVersion) -> Result<Vec<VerifiedArtifact>, RegistryError> {
    if new.files.is_empty() || new.files.len() > MAX_ARTIFACTS {
        return Err(RegistryError::invalid("files", format!("there must be 1 to {MAX_ARTIFACTS}")));
    }
    if new.metrics.len() > MAX_METRICS {
        return Err(RegistryError::invalid("metrics", format!("there may be {MAX_METRICS} at most")));
    }
    if let Some((name, _)) = new.metrics.iter().find(|(_, value)| !value.is_finite()) {
        return Err(RegistryError::invalid(format!("metrics.{name}"), "it must be a finite number"));
    }
    if let Some(trained) = &new.trained_on
        && trained.first_position > trained.last_position
    {
        return Err(RegistryError::invalid("trained_on", "the first position lies after the last"));
    }
    let mut files: Vec<VerifiedArtifact> = Vec::with_capacity(new.files.len());
    for file in &new.files {
        if files.iter().any(|other| other.name() == file.name) {
            return Err(RegistryError::invalid("files", format!("there are two of the name {:?}", file.name)));
        }
        files.push(VerifiedArtifact::of(&file.name, file.bytes.clone())?);
    }
    Ok(files)
}

fn smoke(model: &dyn Model, new: &NewVersion) -> Result<Option<Outputs>, RegistryError> {
    new.example
        .as_ref()
        .map(|example| model.predict(example).map_err(|reason| RegistryError::invalid("example", reason)))
        .transpose()
}

#[cfg(test)]
#[path = "facade_tests.rs"]
mod tests;
