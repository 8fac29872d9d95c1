//! Training from datasets, and doing it again to see whether the same comes out.

use std::sync::Arc;

use bytes::Bytes;
use domain::events::{Artifact, DatasetBuilt, Lineage, TrainedOn};
use domain::ids::{Code, ModelName, PersonId};
use domain::values::Text;
use serde::Serialize;

use super::Registry;
use crate::artifacts::VerifiedArtifact;
use crate::candle::recipe::Recipe;
use crate::commands::{Caller, NewVersion, VersionCreated, VersionRef};
use crate::error::RegistryError;

/// A version to be trained here.
#[derive(Clone, Debug)]
pub struct Training {
    /// The model, which must be registered.
    pub model: ModelName,
    /// How.
    pub recipe: Recipe,
    /// Who has it trained.
    pub author: Option<PersonId>,
    /// Anything worth saying.
    pub note: Option<Text>,
}

/// A digest that was made again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Again {
    /// The file.
    pub name: String,
    /// The digest that the log names.
    pub expected: String,
    /// The digest that came out now.
    pub found: Option<String>,
    /// Whether they are the same.
    pub same: bool,
}

/// What came of making a version again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reproduction {
    /// The dataset, built again at its position.
    pub dataset: Option<Again>,
    /// The rows that came out now.
    pub rows: Option<u64>,
    /// The version's files, trained again; empty when the version was not trained here.
    pub files: Vec<Again>,
    /// Whether everything that could be made again is the same, and something could.
    pub same: bool,
    /// What could not be made again, and why.
    pub not_made: Vec<String>,
}

impl Registry {
    /// Trains a version from a dataset, and makes it with its lineage.
    ///
    /// # Errors
    /// [`RegistryError`]: the dataset's file is missing or damaged, the recipe does not fit it, or the training failed.
    pub async fn train(
        &self,
        caller: &Caller,
        training: Training,
        dataset: &DatasetBuilt,
    ) -> Result<VersionCreated, RegistryError> {
        self.must_have(&training.model).await?;
        let file = self.artifacts.get(&dataset.file).await?;
        let trained = trained(training.recipe.clone(), file.bytes().clone(), dataset).await?;
        let recipe = serde_json::to_value(&training.recipe).map_err(|error| RegistryError::invalid("recipe", error))?;
        let lineage = Lineage {
            dataset: Some(dataset.dataset.clone()),
            dataset_sha256: Some(dataset.file.sha256.clone()),
            projections: dataset.projections.clone(),
            recipe: Some(recipe),
            ..Lineage::default()
        };
        let range = dataset.first_position.zip(dataset.last_position);
        let version = NewVersion {
            trained_on: range.map(|(first_position, last_position)| TrainedOn {
                first_position,
                last_position,
                samples: trained.samples,
                seed: Some(trained.seed),
            }),
            metrics: trained.metrics.clone(),
            note: training.note,
            author: training.author,
            lineage: Some(lineage),
            ..NewVersion::new(training.model, Code::new("candle")?, trained.files()?)
        };
        self.create_version(caller, version).await
    }

    /// Builds the dataset of a version again as the log was known then, and trains the version again where it was trained here. Nothing is kept.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`], or what failed on the way.
    pub async fn reproduce(
        &self,
        model: &ModelName,
        version: &VersionRef,
        dataset: Option<&DatasetBuilt>,
    ) -> Result<Reproduction, RegistryError> {
        let created = self.version(model, version)?.created;
        let mut again =
            Reproduction { dataset: None, rows: None, files: Vec::new(), same: false, not_made: Vec::new() };
        let Some(built) = dataset else {
            again.not_made.push("the version names no dataset that this log knows".to_owned());
            return Ok(again);
        };
        if built.builder != datasets::BUILDER {
            let (made, here) = (built.builder, datasets::BUILDER);
            again
                .not_made
                .push(format!("version {made} of the builder built the dataset; this program has version {here}"));
            return Ok(again);
        }
        let spec = datasets::spec::Spec::from_value(built.spec.clone())?;
        let mut file: Vec<u8> = Vec::new();
        let as_of = eventlog::Position::new(built.as_of);
        let rebuilt = datasets::build(self.log.as_ref(), &spec, as_of, &mut file).await?;
        let found = rebuilt.sha256.to_string();
        let same = found == built.file.sha256;
        let name = built.file.name.clone();
        again.dataset = Some(Again { name, expected: built.file.sha256.clone(), found: Some(found), same });
        again.rows = Some(rebuilt.rows);
        again.same = same;
        let recipe = created.lineage.as_deref().and_then(|lineage| lineage.recipe.clone());
        match recipe.map(serde_json::from_value::<Recipe>) {
            None => again.not_made.push("the version has no recipe: it was not trained here".to_owned()),
            Some(Err(reason)) => again.not_made.push(format!("the recipe is none of ours: {reason}")),
            Some(Ok(recipe)) => {
                let trained = trained(recipe, Bytes::from(file), built).await?;
                let files = trained.files()?;
                let made = files.iter().map(|file| VerifiedArtifact::of(&file.name, file.bytes.clone()));
                let made = made.collect::<Result<Vec<_>, _>>()?;
                again.files = created.artifacts.iter().map(|artifact| beside(artifact, &made)).collect();
                again.same &= again.files.iter().all(|file| file.same);
            }
        }
        Ok(again)
    }
}

fn beside(artifact: &Artifact, made: &[VerifiedArtifact]) -> Again {
    let found = made.iter().find(|made| made.name() == artifact.name).map(|made| made.artifact().sha256.clone());
    let same = found.as_ref() == Some(&artifact.sha256);
    Again { name: artifact.name.clone(), expected: artifact.sha256.clone(), found, same }
}

async fn trained(
    recipe: Recipe,
    file: Bytes,
    dataset: &DatasetBuilt,
) -> Result<Arc<crate::candle::Trained>, RegistryError> {
    let columns = dataset.columns.clone();
    let work = tokio::task::spawn_blocking(move || recipe.train(file, &columns).map(Arc::new));
    work.await.map_err(|_| RegistryError::Interrupted)?
}
