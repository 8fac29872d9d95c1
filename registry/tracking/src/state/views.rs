//! From rows to what readers get.

use std::ops::Bound;

use domain::events::{DatasetInput, KeyValue, MetricPoint, ModelOutput, Real};
use domain::ids::{ExperimentId, InvalidId, LoggedModelId, RunId};

use super::State;
use super::fold::run_artifact_uri;
use super::rows::{DatasetRow, ExperimentRow, FileRow, Head, Latest, ModelPoint, ModelRow, Pair, RunRow, time_or_none};
use super::texts::TextId;
use crate::view::{ArtifactFile, Experiment, FolderEntry, LoggedModel, ModelMetric, Run};

impl State {
    pub(crate) fn view_experiment(&self, row: &ExperimentRow) -> Result<Experiment, InvalidId> {
        Ok(Experiment {
            id: ExperimentId::new(&row.id)?,
            name: row.name.to_string(),
            artifact_location: row.artifact_location.to_string(),
            stage: row.stage,
            created_ms: row.created_ms,
            updated_ms: row.updated_ms,
            tags: self.view_pairs(&row.tags),
        })
    }

    pub(crate) fn view_run(&self, (head, row): (&Head, &RunRow)) -> Result<Run, InvalidId> {
        let id = row.id.to_string();
        let experiment = self.experiment_at(head.experiment);
        let links = row.links.as_deref();
        let mut metrics: Vec<MetricPoint> = row.metrics.iter().map(|latest| self.view_latest(*latest)).collect();
        metrics.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Run {
            experiment: ExperimentId::new(experiment.map_or("", |row| &row.id))?,
            name: self.text(row.name),
            user: row.user.map(|user| self.text(user)).unwrap_or_default(),
            status: head.status,
            started_ms: time_or_none(head.started_ms),
            ended_ms: time_or_none(row.ended_ms),
            artifact_uri: match row.artifact_uri {
                Some(uri) => self.text(uri),
                None => run_artifact_uri(experiment.map_or("", |row| &row.artifact_location), &id),
            },
            stage: head.stage.stage(),
            metrics,
            params: self.view_pairs(&row.params),
            tags: self.view_pairs(&row.tags),
            datasets: links
                .map(|links| links.datasets.iter().map(|row| self.view_dataset(row)).collect())
                .unwrap_or_default(),
            model_inputs: links.map_or(Ok(Vec::new()), |links| {
                links.model_inputs.iter().map(|id| LoggedModelId::new(self.texts.get(*id))).collect()
            })?,
            model_outputs: links.map_or(Ok(Vec::new()), |links| {
                let output = |(id, step): &(TextId, i64)| {
                    Ok(ModelOutput { logged_model: LoggedModelId::new(self.texts.get(*id))?, step: *step })
                };
                links.model_outputs.iter().map(output).collect()
            })?,
            id: RunId::new(&id)?,
        })
    }

    pub(crate) fn view_model(&self, row: &ModelRow) -> Result<LoggedModel, InvalidId> {
        let id = LoggedModelId::new(&row.id)?;
        let metrics = row.points.iter().map(|point| self.view_point(point, &id)).collect::<Result<_, _>>()?;
        Ok(LoggedModel {
            experiment: ExperimentId::new(self.experiment_at(row.experiment).map_or("", |row| &row.id))?,
            name: self.text(row.name),
            run: row.run.map(|run| RunId::new(self.texts.get(run))).transpose()?,
            model_type: row.model_type.map(|text| self.text(text)),
            status: row.status,
            artifact_uri: self.text(row.artifact_uri),
            stage: row.stage,
            created_ms: row.created_ms,
            updated_ms: row.updated_ms,
            params: self.view_pairs(&row.params),
            tags: self.view_pairs(&row.tags),
            metrics,
            id,
        })
    }

    fn view_point(&self, point: &ModelPoint, model: &LoggedModelId) -> Result<ModelMetric, InvalidId> {
        Ok(ModelMetric {
            run: RunId::new(self.texts.get(point.run))?,
            point: MetricPoint {
                logged_model: Some(model.clone()),
                dataset: point.dataset.map(|text| self.text(text)),
                dataset_digest: point.dataset_digest.map(|text| self.text(text)),
                ..self.view_latest(point.latest)
            },
        })
    }

    pub(crate) fn view_latest(&self, latest: Latest) -> MetricPoint {
        MetricPoint {
            key: self.text(latest.key),
            value: Real(latest.value),
            at_ms: latest.at_ms,
            step: latest.step,
            logged_model: None,
            dataset: None,
            dataset_digest: None,
        }
    }

    fn view_dataset(&self, row: &DatasetRow) -> DatasetInput {
        DatasetInput {
            name: self.text(row.name),
            digest: self.text(row.digest),
            source_type: self.text(row.source_type),
            source: self.text(row.source),
            schema: row.schema.map(|text| self.text(text)),
            profile: row.profile.map(|text| self.text(text)),
            tags: row.tags.iter().map(|pair| self.view_pair(*pair)).collect(),
        }
    }

    pub(crate) fn view_pairs(&self, pairs: &[Pair]) -> Vec<KeyValue> {
        let mut list: Vec<KeyValue> = pairs.iter().map(|pair| self.view_pair(*pair)).collect();
        list.sort_by(|a, b| a.key.cmp(&b.key));
        list
    }

    fn view_pair(&self, pair: Pair) -> KeyValue {
        KeyValue { key: self.text(pair.key), value: self.text(pair.value) }
    }

    fn text(&self, id: TextId) -> String {
        self.texts.get(id).to_owned()
    }

    pub(crate) fn view_file(path: &str, row: &FileRow) -> ArtifactFile {
        ArtifactFile {
            path: path.to_owned(),
            sha256: eventlog::Digest::new(row.sha256).to_string(),
            bytes: row.bytes,
            stored_ms: row.stored_ms,
        }
    }

    /// The path itself, when it is a file, and every file below it; all files for the empty path.
    pub(crate) fn files_under(&self, path: &str) -> impl Iterator<Item = (&str, &FileRow)> {
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let from = (Bound::Included(prefix.clone().into_boxed_str()), Bound::Unbounded);
        let below = self.files.range(from).take_while(move |(file, _)| file.starts_with(&*prefix));
        self.files.get_key_value(path).into_iter().chain(below).map(|(path, row)| (&**path, row))
    }

    /// The paths of [`files_under`](Self::files_under), and none for the empty path.
    pub(super) fn paths_under(&self, path: &str) -> Vec<Box<str>> {
        if path.is_empty() {
            return Vec::new();
        }
        self.files_under(path).map(|(path, _)| path.into()).collect()
    }

    /// What stands in a folder, by name. It jumps over what stands in sub-folders.
    pub(crate) fn folder(&self, path: &str) -> Vec<FolderEntry> {
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let mut entries = Vec::new();
        let mut from: Bound<Box<str>> = Bound::Included(prefix.clone().into());
        while let Some((file, row)) = self.files.range((from, Bound::Unbounded)).next() {
            let Some(rest) = file.strip_prefix(&*prefix) else { break };
            match rest.split_once('/') {
                None => {
                    entries.push(FolderEntry { name: rest.to_owned(), bytes: Some(row.bytes) });
                    from = Bound::Excluded(file.clone());
                }
                Some((folder, _)) => {
                    entries.push(FolderEntry { name: folder.to_owned(), bytes: None });
                    // '0' follows '/': it is the first character that a name behind everything in the folder can have.
                    from = Bound::Included(format!("{prefix}{folder}0").into());
                }
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries
    }
}
