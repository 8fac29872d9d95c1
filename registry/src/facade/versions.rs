//! Versions: made once, named, staged, and their end.

use std::sync::Arc;

use domain::Event;
use domain::events::{
    AliasRemoved, AliasSet, Artifact, Guarded, ModelStageSet, ModelVersionCreated, ModelVersionDeleted,
};
use domain::ids::{Code, ModelName};
use domain::rules::{Command, decide, judge_all};
use domain::values::Text;
use eventlog::Position;
use indexmap::IndexMap;
use projections::folds::models::Models;

use super::command::{Done, other_event};
use super::models::{MAX_DESCRIPTION_BYTES, check_length, check_tags, described, tags};
use super::topic::Topic;
use super::{Registry, find_model, find_version, gates};
use crate::artifacts::{MAX_ARTIFACTS, VerifiedArtifact, check_path};
use crate::commands::{Caller, ExternalVersion, NewVersion, StageChange, VersionCreated, VersionRef};
use crate::error::RegistryError;
use crate::runtime::{Model, Outputs};
use crate::usage;

/// The most metrics of a version.
pub const MAX_METRICS: usize = 256;

/// The most files of a version that is not loaded here.
pub const MAX_EXTERNAL_ARTIFACTS: usize = 4_096;

/// The runtime of versions that the MLflow client registers: their files are kept, and never loaded by us.
pub const MLFLOW_RUNTIME: &str = "mlflow";

impl Registry {
    /// Makes a version: checks that its files load, lets it answer the example, stores the files durably, and appends the event that names them.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] for an unknown model, [`RegistryError::Load`] when the files are no model, [`RegistryError::Invalid`] when the example has no answer.
    pub async fn create_version(&self, caller: &Caller, new: NewVersion) -> Result<VersionCreated, RegistryError> {
        let files = verify_files(&new)?;
        let model = self.runtime(&new.runtime)?.load(&files)?;
        let smoke = smoke(model.as_ref(), &new)?;
        // The model is looked for before the upload, so that a typing error leaves no files behind.
        self.must_have(&new.model).await?;
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
            author: new.author,
            source: None,
            run: new.run,
            logged_model: None,
            lineage: new.lineage.map(Box::new),
        };
        let ask = |models: &Models, _| {
            find_model(models, &wanted.model)?;
            Ok(decide(models.rules(), Command::CreateVersion(wanted.clone()))?)
        };
        let created = created(caller, self.command(caller, Topic::model(&wanted.model), ask).await?, smoke)?;
        self.keep_loaded((wanted.model, created.version), Arc::from(model));
        Ok(created)
    }

    /// Refuses a model that is not there, also when the read model lags behind.
    pub(super) async fn must_have(&self, model: &ModelName) -> Result<(), RegistryError> {
        if self.read(|models| find_model(models, model).is_ok()) {
            return Ok(());
        }
        self.catch_up().await?;
        self.read(|models| find_model(models, model).map(|_| ()))
    }

    /// Makes a version of files that are in the artifact store already, and that are never loaded here. What is said about it comes with it, in one append.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] for an unknown model, [`RegistryError::Invalid`].
    pub async fn create_external_version(
        &self,
        caller: &Caller,
        new: &ExternalVersion,
    ) -> Result<VersionCreated, RegistryError> {
        check_external(new)?;
        let wanted = ModelVersionCreated {
            model: new.model.clone(),
            version: 0,
            runtime: Code::new(MLFLOW_RUNTIME)?,
            inputs: Vec::new(),
            outputs: Vec::new(),
            artifacts: new.artifacts.clone(),
            trained_on: None,
            metrics: IndexMap::new(),
            note: None,
            author: new.author.clone(),
            source: new.source.clone(),
            run: new.run.clone(),
            logged_model: new.logged_model.clone(),
            lineage: new.lineage.clone().map(Box::new),
        };
        let ask = |models: &Models, _| {
            find_model(models, &new.model)?;
            let mut events = decide(models.rules(), Command::CreateVersion(wanted.clone()))?;
            if new.description.is_none() && new.tags.is_empty() {
                return Ok(events);
            }
            let number = match events.first() {
                Some(Event::ModelVersionCreated(created)) => created.version,
                _ => return Ok(events),
            };
            events.extend(described(&new.model, Some(number), new.description.as_deref()));
            events.extend(tags(&new.model, Some(number), &new.tags));
            judge_all(models.rules(), &events)?;
            Ok(events)
        };
        created(caller, self.command(caller, Topic::model(&new.model), ask).await?, None)
    }

    /// Lets an alias name a version from now on, when it passes the gates before that alias.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] for an unknown model or version, [`RegistryError::GateRefused`].
    pub async fn set_alias(
        &self,
        caller: &Caller,
        model: &ModelName,
        alias: &Code,
        version: u32,
    ) -> Result<Position, RegistryError> {
        let guarded = Guarded::Alias(alias.clone());
        let ask = |models: &Models, next| {
            let found = find_version(models, model, &VersionRef::Number(version))?;
            let checked = gates::must_pass(models, next, found, &guarded)?;
            Ok(decide(
                models.rules(),
                AliasSet { model: model.clone(), alias: alias.clone(), version, checked }.into(),
            )?)
        };
        Ok(self.command(caller, Topic::model(model).and_gates(), ask).await?.position)
    }

    /// Lets an alias name the version again that it named before. No gate is asked, since the version was promoted before; what was not asked is logged.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] for an unknown model or alias, or when it named no other version that is still offered.
    pub async fn roll_back_alias(
        &self,
        caller: &Caller,
        model: &ModelName,
        alias: &Code,
    ) -> Result<(u32, Position), RegistryError> {
        let guarded = Guarded::Alias(alias.clone());
        let ask = |models: &Models, next| {
            let found = find_model(models, model)?;
            let present = found.alias(alias.as_str());
            let before = found.alias_history(alias).iter().rev().filter_map(|said| said.value);
            let version = before
                .filter(|version| Some(*version) != present)
                .find_map(|version| found.version(version))
                .ok_or_else(|| RegistryError::not_found("version", format!("{model}@{alias} before")))?;
            let checked = gates::waived(models, next, version, &guarded);
            let set = AliasSet { model: model.clone(), alias: alias.clone(), version: version.number(), checked };
            Ok(decide(models.rules(), set.into())?)
        };
        let done = self.command(caller, Topic::model(model).and_gates(), ask).await?;
        match done.events.first() {
            Some(Event::AliasSet(set)) => Ok((set.version, done.position)),
            _ => Err(other_event(caller)),
        }
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
        let ask = |models: &Models, _| {
            find_version(models, model, &VersionRef::Alias(alias.clone()))?;
            Ok(decide(models.rules(), removed.clone().into())?)
        };
        Ok(self.command(caller, Topic::model(model), ask).await?.position)
    }

    /// Moves a version into a stage, when it passes the gates before that stage, and archives those that were there, if wished.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] for an unknown model or version, [`RegistryError::GateRefused`].
    pub async fn set_stage(&self, caller: &Caller, change: &StageChange) -> Result<Position, RegistryError> {
        let StageChange { model, version, stage, archive_existing } = change;
        let guarded = Guarded::Stage(*stage);
        let ask = |models: &Models, next| {
            let found = find_version(models, model, &VersionRef::Number(*version))?;
            let checked = gates::must_pass(models, next, found, &guarded)?;
            let there = models.rules().model(model).into_iter().flat_map(|state| state.in_stage(*stage));
            let archives = there.filter(|there| *archive_existing && there != version).collect();
            let set = ModelStageSet { model: model.clone(), version: *version, stage: *stage, archives, checked };
            Ok(decide(models.rules(), set.into())?)
        };
        Ok(self.command(caller, Topic::model(model).and_gates(), ask).await?.position)
    }

    /// Offers a version no longer. Its number is never used again, and its history stays.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`], [`RegistryError::InUse`].
    pub async fn delete_version(
        &self,
        caller: &Caller,
        model: &ModelName,
        version: u32,
        reason: Option<Text>,
    ) -> Result<Position, RegistryError> {
        let deleted = ModelVersionDeleted { model: model.clone(), version, reason };
        let ask = |models: &Models, _| {
            let known = find_version(models, model, &VersionRef::Number(version))?;
            usage::must_be_unused(models, known.model(), &[version])?;
            Ok(decide(models.rules(), deleted.clone().into())?)
        };
        Ok(self.command(caller, Topic::model(model).and_gates(), ask).await?.position)
    }
}

fn created(caller: &Caller, done: Done, smoke: Option<Outputs>) -> Result<VersionCreated, RegistryError> {
    let Some(Event::ModelVersionCreated(created)) = done.events.into_iter().next() else {
        return Err(other_event(caller));
    };
    let ModelVersionCreated { version, inputs, outputs, artifacts, .. } = created;
    Ok(VersionCreated { version, position: done.position, inputs, outputs, artifacts, smoke })
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

fn check_external(new: &ExternalVersion) -> Result<(), RegistryError> {
    if new.artifacts.len() > MAX_EXTERNAL_ARTIFACTS {
        return Err(RegistryError::invalid("artifacts", format!("there may be {MAX_EXTERNAL_ARTIFACTS} at most")));
    }
    let mut names = std::collections::HashSet::new();
    for Artifact { name, .. } in &new.artifacts {
        check_path(name)?;
        if !names.insert(name) {
            return Err(RegistryError::invalid("artifacts", format!("there are two of the name {name:?}")));
        }
    }
    if let Some(description) = &new.description {
        check_length("description", description, MAX_DESCRIPTION_BYTES)?;
    }
    check_tags(&new.tags)
}

fn smoke(model: &dyn Model, new: &NewVersion) -> Result<Option<Outputs>, RegistryError> {
    new.example
        .as_ref()
        .map(|example| model.predict(example).map_err(|reason| RegistryError::invalid("example", reason)))
        .transpose()
}
