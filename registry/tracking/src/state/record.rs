//! Rows as bytes: what a store keeps, and what the digest is made of. Keys stand as text and in the order of their text, so that neither says anything about how
//! the state lies in memory.

use std::borrow::Cow;

use domain::events::{LoggedModelStatus, RunStatus};
use eventlog::Digest;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use super::State;
use super::pairs;
use super::rows::{
    DatasetRow, ExperimentRow, FileRow, Head, Latest, Links, ModelPoint, ModelRow, Pair, RunKey, RunRow, RunStage, Slot,
};
use super::texts::{TextId, Texts};
use crate::view::Stage;

type Pairs<'a> = Vec<(&'a str, &'a str)>;

#[derive(Serialize, Deserialize)]
struct ExperimentRecord<'a> {
    id: &'a str,
    name: &'a str,
    artifact_location: &'a str,
    deleted: bool,
    created_ms: i64,
    updated_ms: i64,
    revision: Option<u64>,
    #[serde(borrow)]
    tags: Pairs<'a>,
}

#[derive(Serialize, Deserialize)]
struct RunRecord<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    experiment: Slot,
    stage: u8,
    status: RunStatus,
    started_ms: i64,
    ended_ms: i64,
    revision: u64,
    name: &'a str,
    user: Option<&'a str>,
    artifact_uri: Option<&'a str>,
    #[serde(borrow)]
    metrics: Vec<(&'a str, f64, i64, i64)>,
    #[serde(borrow)]
    params: Pairs<'a>,
    #[serde(borrow)]
    tags: Pairs<'a>,
    #[serde(borrow)]
    datasets: Vec<DatasetRecord<'a>>,
    #[serde(borrow)]
    model_inputs: Vec<&'a str>,
    #[serde(borrow)]
    model_outputs: Vec<(&'a str, i64)>,
}

#[derive(Serialize, Deserialize)]
struct DatasetRecord<'a> {
    name: &'a str,
    digest: &'a str,
    source_type: &'a str,
    source: &'a str,
    schema: Option<&'a str>,
    profile: Option<&'a str>,
    #[serde(borrow)]
    tags: Pairs<'a>,
}

#[derive(Serialize, Deserialize)]
struct ModelRecord<'a> {
    id: &'a str,
    experiment: Slot,
    name: &'a str,
    run: Option<&'a str>,
    model_type: Option<&'a str>,
    artifact_uri: &'a str,
    status: LoggedModelStatus,
    deleted: bool,
    created_ms: i64,
    updated_ms: i64,
    revision: u64,
    #[serde(borrow)]
    params: Pairs<'a>,
    #[serde(borrow)]
    tags: Pairs<'a>,
    #[serde(borrow)]
    points: Vec<PointRecord<'a>>,
}

#[derive(Serialize, Deserialize)]
struct PointRecord<'a> {
    key: &'a str,
    value: f64,
    at_ms: i64,
    step: i64,
    run: &'a str,
    dataset: Option<&'a str>,
    dataset_digest: Option<&'a str>,
}

#[derive(Serialize, Deserialize)]
struct FileRecord {
    sha256: [u8; 32],
    bytes: u64,
    stored_ms: i64,
}

/// What cannot be read or written.
pub(crate) type RecordError = Box<dyn std::error::Error + Send + Sync>;

fn encoded(record: &impl Serialize) -> Result<Vec<u8>, RecordError> {
    Ok(rmp_serde::to_vec(record)?)
}

impl State {
    pub(crate) fn encode_experiment(&self, row: &ExperimentRow) -> Result<Vec<u8>, RecordError> {
        encoded(&ExperimentRecord {
            id: &row.id,
            name: &row.name,
            artifact_location: &row.artifact_location,
            deleted: row.stage == Stage::Deleted,
            created_ms: row.created_ms,
            updated_ms: row.updated_ms,
            revision: row.revision,
            tags: self.sorted(&row.tags),
        })
    }

    pub(crate) fn encode_run(&self, (head, row): (&Head, &RunRow)) -> Result<Vec<u8>, RecordError> {
        let mut metrics: Vec<_> = row
            .metrics
            .iter()
            .map(|&Latest { value, at_ms, step, key }| (self.texts.get(key), value, at_ms, step))
            .collect();
        metrics.sort_unstable_by_key(|(key, ..)| *key);
        let links = row.links.as_deref();
        let text = |id: &TextId| self.texts.get(*id);
        encoded(&RunRecord {
            id: Cow::Owned(row.id.to_string()),
            experiment: head.experiment,
            stage: head.stage as u8,
            status: head.status,
            started_ms: head.started_ms,
            ended_ms: row.ended_ms,
            revision: row.revision,
            name: self.texts.get(row.name),
            user: row.user.as_ref().map(text),
            artifact_uri: row.artifact_uri.as_ref().map(text),
            metrics,
            params: self.sorted(&row.params),
            tags: self.sorted(&row.tags),
            datasets: links
                .map(|links| links.datasets.iter().map(|row| self.dataset_record(row)).collect())
                .unwrap_or_default(),
            model_inputs: links.map(|links| links.model_inputs.iter().map(text).collect()).unwrap_or_default(),
            model_outputs: links
                .map(|links| links.model_outputs.iter().map(|(id, step)| (self.texts.get(*id), *step)).collect())
                .unwrap_or_default(),
        })
    }

    fn dataset_record<'a>(&'a self, row: &DatasetRow) -> DatasetRecord<'a> {
        let text = |id| self.texts.get(id);
        DatasetRecord {
            name: text(row.name),
            digest: text(row.digest),
            source_type: text(row.source_type),
            source: text(row.source),
            schema: row.schema.map(text),
            profile: row.profile.map(text),
            tags: row.tags.iter().map(|pair| (text(pair.key), text(pair.value))).collect(),
        }
    }

    pub(crate) fn encode_model(&self, row: &ModelRow) -> Result<Vec<u8>, RecordError> {
        let text = |id| self.texts.get(id);
        let point = |point: &ModelPoint| {
            let Latest { value, at_ms, step, key } = point.latest;
            PointRecord {
                key: text(key),
                value,
                at_ms,
                step,
                run: text(point.run),
                dataset: point.dataset.map(text),
                dataset_digest: point.dataset_digest.map(text),
            }
        };
        encoded(&ModelRecord {
            id: &row.id,
            experiment: row.experiment,
            name: text(row.name),
            run: row.run.map(text),
            model_type: row.model_type.map(text),
            artifact_uri: text(row.artifact_uri),
            status: row.status,
            deleted: row.stage == Stage::Deleted,
            created_ms: row.created_ms,
            updated_ms: row.updated_ms,
            revision: row.revision,
            params: self.sorted(&row.params),
            tags: self.sorted(&row.tags),
            points: row.points.iter().map(point).collect(),
        })
    }

    pub(crate) fn encode_file(row: &FileRow) -> Result<Vec<u8>, RecordError> {
        encoded(&FileRecord { sha256: row.sha256, bytes: row.bytes, stored_ms: row.stored_ms })
    }

    fn sorted(&self, pairs: &[Pair]) -> Pairs<'_> {
        let mut list: Pairs<'_> =
            pairs.iter().map(|pair| (self.texts.get(pair.key), self.texts.get(pair.value))).collect();
        list.sort_unstable();
        list
    }

    /// Adds the experiment that was stored next.
    pub(crate) fn load_experiment(&mut self, bytes: &[u8]) -> Result<(), RecordError> {
        let record: ExperimentRecord<'_> = rmp_serde::from_slice(bytes)?;
        let tags = interned(&mut self.texts, &record.tags);
        self.add_experiment(ExperimentRow {
            id: record.id.into(),
            name: record.name.into(),
            artifact_location: record.artifact_location.into(),
            stage: stage(record.deleted),
            created_ms: record.created_ms,
            updated_ms: record.updated_ms,
            revision: record.revision,
            tags,
            runs: Vec::new(),
            models: Vec::new(),
        });
        Ok(())
    }

    /// Adds the run that was stored next.
    pub(crate) fn load_run(&mut self, bytes: &[u8]) -> Result<(), RecordError> {
        let record: RunRecord<'_> = rmp_serde::from_slice(bytes)?;
        let stage = match record.stage {
            0 => RunStage::Active,
            1 => RunStage::Deleted,
            2 => RunStage::DeletedWithExperiment,
            other => return Err(format!("stage {other} of a run").into()),
        };
        if self.experiment_at(record.experiment).is_none() {
            return Err(format!("run {} belongs to no experiment", record.id).into());
        }
        let texts = &mut self.texts;
        let metrics: Vec<Latest> = record
            .metrics
            .iter()
            .map(|&(key, value, at_ms, step)| Latest { value, at_ms, step, key: texts.intern(key) })
            .collect();
        let mut row = RunRow {
            id: RunKey::of(&record.id),
            ended_ms: record.ended_ms,
            revision: record.revision,
            name: texts.intern(record.name),
            user: record.user.map(|text| texts.intern(text)),
            artifact_uri: record.artifact_uri.map(|text| texts.intern(text)),
            metrics: Box::default(),
            params: interned(texts, &record.params),
            tags: interned(texts, &record.tags),
            links: None,
        };
        pairs::upsert(&mut row.metrics, metrics, |_, _| ());
        if !(record.datasets.is_empty() && record.model_inputs.is_empty() && record.model_outputs.is_empty()) {
            let datasets = record.datasets.iter().map(|record| dataset_row(texts, record)).collect();
            let model_inputs = record.model_inputs.iter().map(|id| texts.intern(id)).collect();
            let model_outputs = record.model_outputs.iter().map(|(id, step)| (texts.intern(id), *step)).collect();
            row.links = Some(Box::new(Links { datasets, model_inputs, model_outputs }));
        }
        let head = Head { started_ms: record.started_ms, experiment: record.experiment, stage, status: record.status };
        self.add_run(head, row);
        Ok(())
    }

    /// Adds the logged model that was stored next.
    pub(crate) fn load_model(&mut self, bytes: &[u8]) -> Result<(), RecordError> {
        let record: ModelRecord<'_> = rmp_serde::from_slice(bytes)?;
        if self.experiment_at(record.experiment).is_none() {
            return Err(format!("logged model {} belongs to no experiment", record.id).into());
        }
        let texts = &mut self.texts;
        let mut points = Vec::with_capacity(record.points.len());
        for point in &record.points {
            points.push(ModelPoint {
                run: texts.intern(point.run),
                dataset: point.dataset.map(|text| texts.intern(text)),
                dataset_digest: point.dataset_digest.map(|text| texts.intern(text)),
                latest: Latest {
                    value: point.value,
                    at_ms: point.at_ms,
                    step: point.step,
                    key: texts.intern(point.key),
                },
            });
        }
        let row = ModelRow {
            id: record.id.into(),
            experiment: record.experiment,
            name: texts.intern(record.name),
            run: record.run.map(|text| texts.intern(text)),
            model_type: record.model_type.map(|text| texts.intern(text)),
            artifact_uri: texts.intern(record.artifact_uri),
            status: record.status,
            stage: stage(record.deleted),
            created_ms: record.created_ms,
            updated_ms: record.updated_ms,
            revision: record.revision,
            params: interned(texts, &record.params),
            tags: interned(texts, &record.tags),
            points,
        };
        self.add_model(row);
        Ok(())
    }

    /// Adds a file.
    pub(crate) fn load_file(&mut self, path: &str, bytes: &[u8]) -> Result<(), RecordError> {
        let FileRecord { sha256, bytes, stored_ms } = rmp_serde::from_slice(bytes)?;
        self.files.insert(path.into(), FileRow { sha256, bytes, stored_ms });
        Ok(())
    }

    /// SHA-256 over every row. It is the same for the same events, however they were batched, and after a state was stored and read.
    pub(crate) fn digest(&self) -> Digest {
        let mut hasher = sha2::Sha256::new();
        let mut take = |kind: u8, name: &str, row: Result<Vec<u8>, RecordError>| {
            // Rows of texts and numbers always serialise; if one did not, its digest must not look like another one's.
            let bytes = row.unwrap_or_else(|error| format!("unserialisable row: {error}").into_bytes());
            hasher.update([kind]);
            hasher.update((name.len() as u64).to_le_bytes());
            hasher.update(name);
            hasher.update((bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        self.experiments.iter().for_each(|row| take(1, "", self.encode_experiment(row)));
        self.heads.iter().zip(&self.runs).for_each(|row| take(2, "", self.encode_run(row)));
        self.models.iter().for_each(|row| take(3, "", self.encode_model(row)));
        self.files.iter().for_each(|(path, row)| take(4, path, Self::encode_file(row)));
        Digest::new(hasher.finalize().into())
    }
}

fn stage(deleted: bool) -> Stage {
    if deleted { Stage::Deleted } else { Stage::Active }
}

fn interned(texts: &mut Texts, list: &[(&str, &str)]) -> Box<[Pair]> {
    let mut pairs = Box::default();
    pairs::set(texts, &mut pairs, list.iter().copied());
    pairs
}

fn dataset_row(texts: &mut Texts, record: &DatasetRecord<'_>) -> DatasetRow {
    let tags =
        record.tags.iter().map(|(key, value)| Pair { key: texts.intern(key), value: texts.intern(value) }).collect();
    DatasetRow {
        tags,
        name: texts.intern(record.name),
        digest: texts.intern(record.digest),
        source_type: texts.intern(record.source_type),
        source: texts.intern(record.source),
        schema: record.schema.map(|text| texts.intern(text)),
        profile: record.profile.map(|text| texts.intern(text)),
    }
}
