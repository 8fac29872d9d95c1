//! The way in: commands are decided by the domain's rules on the read model, and appended on the condition that nothing that they are about was added since.
//!
//! **Read your writes.** A command answers after its events are durable and the read model has taken them in: whoever reads then sees them.
//!
//! **Refusals are about the present.** What is refused on a read model that lags behind the log is decided once more when it has caught up.

mod command;
mod deployments;
mod gates;
mod models;
mod reproduce;
mod topic;
mod versions;

use std::sync::Arc;

use domain::events::{ModelVersionCreated, Port};
use domain::ids::{Code, ModelName};
use eventlog::EventLog;
use indexmap::IndexMap;
use parking_lot::Mutex;
use projections::folds::models::{ModelView, Models, VersionView};
use projections::{AsOf, ProjectionHandle, Shared};

use crate::artifacts::{ArtifactStore, MAX_ARTIFACTS};
use crate::candle::CandleRuntime;
use crate::commands::{Answer, VersionEntry, VersionRef};
use crate::error::RegistryError;
use crate::mechanism::MechanismRuntime;
use crate::runtime::{Inputs, LoadError, Model, ModelRuntime};
use topic::Turns;

pub use command::{MAX_ATTEMPTS, VISIBLE_WITHIN};
pub use deployments::MAX_PERIOD_S;
pub use gates::{Promotion, standing};
pub use models::{MAX_DESCRIPTION_BYTES, MAX_NAME_BYTES, MAX_TAG_KEY_BYTES, MAX_TAG_VALUE_BYTES, MAX_TAGS};
pub use reproduce::{Again, Reproduction, Training};
pub use versions::{MAX_EXTERNAL_ARTIFACTS, MAX_METRICS};

/// The most models that are kept loaded.
pub const MAX_LOADED_MODELS: usize = 64;

/// The registry of one log.
pub struct Registry {
    log: Arc<dyn EventLog>,
    artifacts: ArtifactStore,
    runtimes: Vec<Box<dyn ModelRuntime>>,
    models: Shared<Models>,
    progress: ProjectionHandle,
    turns: Turns,
    loaded: Mutex<IndexMap<(ModelName, u32), Arc<dyn Model>>>,
}

impl Registry {
    /// The registry over a log, an artifact store, and the running projection of the log's models; with both runtimes.
    pub fn new(
        log: Arc<dyn EventLog>,
        artifacts: ArtifactStore,
        models: Shared<Models>,
        progress: ProjectionHandle,
    ) -> Self {
        Self {
            log,
            artifacts,
            runtimes: vec![Box::new(MechanismRuntime), Box::new(CandleRuntime)],
            models,
            progress,
            turns: Turns::new(),
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

    /// Looks at everything that is known of models. The read model waits meanwhile: answer and leave.
    pub fn read<R>(&self, look: impl FnOnce(&Models) -> R) -> R {
        self.models.read(|models, _| look(models))
    }

    /// The id of the model that is called so, or else of the one with this id.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`].
    pub fn find(&self, name_or_id: &str) -> Result<ModelName, RegistryError> {
        self.read(|models| models.find(name_or_id, AsOf::LATEST).map(|model| model.id().clone()))
            .ok_or_else(|| RegistryError::not_found("model", name_or_id))
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
    pub fn version(&self, model: &ModelName, version: &VersionRef) -> Result<VersionEntry, RegistryError> {
        self.read(|models| {
            let found = find_version(models, model, version)?.created();
            Ok(VersionEntry { created: found.value.clone(), position: found.position })
        })
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
        let entry = self.version(model, version)?;
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
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Registry").field("artifacts", &self.artifacts).finish_non_exhaustive()
    }
}

/// The model, or an error that says that there is none.
fn find_model<'a>(models: &'a Models, model: &ModelName) -> Result<ModelView<'a>, RegistryError> {
    models.model(model, AsOf::LATEST).ok_or_else(|| RegistryError::not_found("model", model))
}

/// The version that is meant, or an error that names what is not known.
fn find_version<'a>(
    models: &'a Models,
    model: &ModelName,
    version: &VersionRef,
) -> Result<VersionView<'a>, RegistryError> {
    let found = find_model(models, model)?;
    match version {
        VersionRef::Number(number) => {
            found.version(*number).ok_or_else(|| RegistryError::not_found("version", format!("{model}/{number}")))
        }
        VersionRef::Alias(alias) => found
            .alias(alias.as_str())
            .and_then(|number| found.version(number))
            .ok_or_else(|| RegistryError::not_found("alias", format!("{model}@{alias}"))),
        VersionRef::Latest => {
            found.latest().ok_or_else(|| RegistryError::not_found("version", format!("{model}/latest")))
        }
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

#[cfg(test)]
mod tests;
