//! Taking in one entry of the log.
//!
//! The log is the truth: what contradicts (a run of an experiment that nobody made) is left alone, and never stops the fold.

use domain::Event;
use domain::events::{
    ArtifactRemoved, ArtifactStored, DatasetInput, ExperimentCreated, KeyValue, LoggedModelCreated, LoggedModelStatus,
    MetricPoint, RunCreated, RunInputsLogged, RunLogged, RunOutputsLogged, RunStatus, RunUpdated,
};
use projections::Entry;

use super::rows::{
    DatasetRow, ExperimentRow, FileRow, Head, Latest, Links, ModelPoint, ModelRow, NO_TIME, Pair, RunKey, RunRow,
    RunStage, Slot,
};
use super::texts::{TextId, Texts};
use super::{RUN_NAME_TAG, State, join_uri, pairs};
use crate::view::Stage;

/// The most points that are kept of a logged model. Beyond that, a point goes when there is a later one of the same metric, run and dataset.
pub(crate) const MAX_MODEL_POINTS: usize = 1_000;

impl State {
    /// Takes an entry in. It depends on the state and the entry only.
    pub(crate) fn apply(&mut self, entry: &Entry) {
        let Some(event) = entry.event() else { return };
        let at_ms = entry.record_time.as_millisecond();
        let revision = entry.revision.get();
        match event {
            Event::ExperimentCreated(event) => self.experiment_created(event, at_ms, revision),
            Event::ExperimentRenamed(event) => {
                if let Some(slot) = self.touch_experiment(event.experiment.as_str(), revision, Some(at_ms)) {
                    self.rename_experiment(slot, &event.name);
                }
            }
            Event::ExperimentDeleted(event) => self.experiment_deleted(event.experiment.as_str(), at_ms, revision),
            Event::ExperimentRestored(event) => self.experiment_restored(event.experiment.as_str(), at_ms, revision),
            Event::ExperimentTagSet(event) => {
                if let Some(slot) = self.touch_experiment(event.experiment.as_str(), revision, None)
                    && let Some(row) = self.experiments.get_mut(slot as usize)
                {
                    pairs::set(&mut self.texts, &mut row.tags, [(&*event.key, &*event.value)].into_iter());
                }
            }
            Event::ExperimentTagRemoved(event) => {
                if let Some(slot) = self.touch_experiment(event.experiment.as_str(), revision, None)
                    && let Some(row) = self.experiments.get_mut(slot as usize)
                {
                    pairs::remove(&mut self.texts, &mut row.tags, &event.key);
                }
            }
            Event::RunCreated(event) => self.run_created(event, revision),
            Event::RunUpdated(event) => self.run_updated(event, revision),
            Event::RunLogged(event) => self.run_logged(event, revision),
            Event::RunTagRemoved(event) => {
                if let Some(slot) = self.touch_run(event.run.as_str(), revision)
                    && let Some(row) = self.runs.get_mut(slot as usize)
                {
                    pairs::remove(&mut self.texts, &mut row.tags, &event.key);
                }
            }
            Event::RunDeleted(event) => self.run_staged(event.run.as_str(), revision, RunStage::Deleted),
            Event::RunRestored(event) => self.run_staged(event.run.as_str(), revision, RunStage::Active),
            Event::RunInputsLogged(event) => self.run_inputs(event, revision),
            Event::RunOutputsLogged(event) => self.run_outputs(event, revision),
            Event::LoggedModelCreated(event) => self.model_created(event, at_ms, revision),
            Event::LoggedModelFinalized(event) => {
                if let Some(row) = self.touch_model(event.logged_model.as_str(), revision, Some(at_ms)) {
                    row.status = event.status;
                }
            }
            Event::LoggedModelDeleted(event) => {
                if let Some(row) = self.touch_model(event.logged_model.as_str(), revision, Some(at_ms)) {
                    row.stage = Stage::Deleted;
                }
            }
            Event::LoggedModelParamsLogged(event) => {
                self.change_model(event.logged_model.as_str(), revision, |texts, row| {
                    pairs::set_once(texts, &mut row.params, pairs_of(&event.params));
                });
            }
            Event::LoggedModelTagsSet(event) => {
                self.change_model(event.logged_model.as_str(), revision, |texts, row| {
                    pairs::set(texts, &mut row.tags, pairs_of(&event.tags));
                });
            }
            Event::LoggedModelTagRemoved(event) => {
                self.change_model(event.logged_model.as_str(), revision, |texts, row| {
                    pairs::remove(texts, &mut row.tags, &event.key);
                });
            }
            Event::ArtifactStored(event) => self.file_stored(event, at_ms),
            Event::ArtifactRemoved(event) => self.files_removed(event),
            _ => {}
        }
    }

    fn experiment_created(&mut self, event: &ExperimentCreated, at_ms: i64, revision: u64) {
        if self.experiment_slot(event.experiment.as_str()).is_some() {
            return;
        }
        let mut tags = Box::default();
        pairs::set(&mut self.texts, &mut tags, pairs_of(&event.tags));
        let slot = self.add_experiment(ExperimentRow {
            id: event.experiment.as_str().into(),
            name: event.name.as_str().into(),
            artifact_location: event.artifact_location.as_str().into(),
            stage: Stage::Active,
            created_ms: at_ms,
            updated_ms: at_ms,
            revision: Some(revision),
            tags,
            runs: Vec::new(),
            models: Vec::new(),
        });
        self.dirty.experiment(slot);
    }

    fn touch_experiment(&mut self, id: &str, revision: u64, at_ms: Option<i64>) -> Option<Slot> {
        let slot = self.experiment_slot(id)?;
        let row = self.experiments.get_mut(slot as usize)?;
        row.revision = Some(revision);
        row.updated_ms = at_ms.unwrap_or(row.updated_ms);
        self.dirty.experiment(slot);
        Some(slot)
    }

    fn experiment_deleted(&mut self, id: &str, at_ms: i64, revision: u64) {
        let Some(slot) = self.touch_experiment(id, revision, Some(at_ms)) else { return };
        self.stage_experiment(slot, Stage::Deleted, RunStage::Active, RunStage::DeletedWithExperiment);
    }

    fn experiment_restored(&mut self, id: &str, at_ms: i64, revision: u64) {
        let Some(slot) = self.touch_experiment(id, revision, Some(at_ms)) else { return };
        self.stage_experiment(slot, Stage::Active, RunStage::DeletedWithExperiment, RunStage::Active);
    }

    fn stage_experiment(&mut self, slot: Slot, stage: Stage, from: RunStage, to: RunStage) {
        let Some(row) = self.experiments.get_mut(slot as usize) else { return };
        row.stage = stage;
        for &run in &row.runs {
            if let Some(head) = self.heads.get_mut(run as usize)
                && head.stage == from
            {
                head.stage = to;
                self.dirty.run(run);
            }
        }
    }

    fn run_created(&mut self, event: &RunCreated, revision: u64) {
        let Some(experiment) = self.experiment_slot(event.experiment.as_str()) else { return };
        if self.run_slot(event.run.as_str()).is_some() {
            return;
        }
        let Some(usual) =
            self.experiment_at(experiment).map(|row| run_artifact_uri(&row.artifact_location, event.run.as_str()))
        else {
            return;
        };
        let texts = &mut self.texts;
        let mut tags = Box::default();
        let name = [(RUN_NAME_TAG, &*event.name)];
        pairs::set(texts, &mut tags, pairs_of(&event.tags).chain(name));
        let row = RunRow {
            id: RunKey::of(event.run.as_str()),
            ended_ms: NO_TIME,
            revision,
            name: texts.intern(&event.name),
            user: event.user.as_deref().filter(|user| !user.is_empty()).map(|user| texts.intern(user)),
            artifact_uri: (event.artifact_uri != usual).then(|| texts.intern(&event.artifact_uri)),
            metrics: Box::default(),
            params: Box::default(),
            tags,
            links: None,
        };
        let started_ms = event.started_ms.unwrap_or(NO_TIME);
        let head = Head { started_ms, experiment, stage: RunStage::Active, status: RunStatus::Running };
        let slot = self.add_run(head, row);
        self.dirty.run(slot);
    }

    fn touch_run(&mut self, id: &str, revision: u64) -> Option<Slot> {
        let slot = self.run_slot(id)?;
        self.runs.get_mut(slot as usize)?.revision = revision;
        self.dirty.run(slot);
        Some(slot)
    }

    fn run_updated(&mut self, event: &RunUpdated, revision: u64) {
        let Some(slot) = self.touch_run(event.run.as_str(), revision) else { return };
        if let (Some(head), Some(status)) = (self.heads.get_mut(slot as usize), event.status) {
            head.status = status;
        }
        let Some(row) = self.runs.get_mut(slot as usize) else { return };
        row.ended_ms = event.ended_ms.unwrap_or(row.ended_ms);
        if let Some(name) = &event.name {
            rename(&mut self.texts, row, name);
            pairs::set(&mut self.texts, &mut row.tags, [(RUN_NAME_TAG, &**name)].into_iter());
        }
    }

    fn run_logged(&mut self, event: &RunLogged, revision: u64) {
        let Some(slot) = self.touch_run(event.run.as_str(), revision) else { return };
        let Some(row) = self.runs.get_mut(slot as usize) else { return };
        if !event.metrics.is_empty() {
            let new: Vec<Latest> = event.metrics.iter().map(|point| latest(&mut self.texts, point)).collect();
            let texts = &mut self.texts;
            pairs::upsert(&mut row.metrics, new.iter().copied(), |present, new| {
                texts.release(new.key);
                if new.is_after(present) {
                    *present = new;
                }
            });
            for point in &new {
                if let Some(present) = pairs::find(&row.metrics, point.key) {
                    self.columns.update(present.key, slot, present.value);
                }
            }
        }
        if !event.params.is_empty() {
            pairs::set_once(&mut self.texts, &mut row.params, pairs_of(&event.params));
        }
        if !event.tags.is_empty() {
            pairs::set(&mut self.texts, &mut row.tags, pairs_of(&event.tags));
            if let Some(name) = event.tags.iter().rev().find(|tag| tag.key == RUN_NAME_TAG) {
                rename(&mut self.texts, row, &name.value);
            }
        }
        for point in event.metrics.iter().filter(|point| point.logged_model.is_some()) {
            self.model_measured(event.run.as_str(), point);
        }
    }

    fn run_staged(&mut self, id: &str, revision: u64, stage: RunStage) {
        if let Some(slot) = self.touch_run(id, revision)
            && let Some(head) = self.heads.get_mut(slot as usize)
        {
            head.stage = stage;
        }
    }

    fn run_inputs(&mut self, event: &RunInputsLogged, revision: u64) {
        let Some(slot) = self.touch_run(event.run.as_str(), revision) else { return };
        let Some(row) = self.runs.get_mut(slot as usize) else { return };
        let links = row.links.get_or_insert_default();
        for input in &event.datasets {
            add_dataset(&mut self.texts, links, input);
        }
        for model in &event.models {
            let id = self.texts.intern(model.as_str());
            if links.model_inputs.contains(&id) {
                self.texts.release(id);
            } else {
                links.model_inputs.push(id);
            }
        }
    }

    fn run_outputs(&mut self, event: &RunOutputsLogged, revision: u64) {
        let Some(slot) = self.touch_run(event.run.as_str(), revision) else { return };
        let Some(row) = self.runs.get_mut(slot as usize) else { return };
        let links = row.links.get_or_insert_default();
        for output in &event.models {
            let id = self.texts.intern(output.logged_model.as_str());
            match links.model_outputs.iter_mut().find(|(present, _)| *present == id) {
                Some((_, step)) => {
                    *step = output.step;
                    self.texts.release(id);
                }
                None => links.model_outputs.push((id, output.step)),
            }
        }
    }

    fn model_created(&mut self, event: &LoggedModelCreated, at_ms: i64, revision: u64) {
        let Some(experiment) = self.experiment_slot(event.experiment.as_str()) else { return };
        if self.model_slot(event.logged_model.as_str()).is_some() {
            return;
        }
        let texts = &mut self.texts;
        let (mut params, mut tags) = (Box::default(), Box::default());
        pairs::set_once(texts, &mut params, pairs_of(&event.params));
        pairs::set(texts, &mut tags, pairs_of(&event.tags));
        let row = ModelRow {
            id: event.logged_model.as_str().into(),
            experiment,
            name: texts.intern(&event.name),
            run: event.run.as_ref().map(|run| texts.intern(run.as_str())),
            model_type: event.model_type.as_ref().map(|text| texts.intern(text)),
            artifact_uri: texts.intern(&event.artifact_uri),
            status: LoggedModelStatus::Pending,
            stage: Stage::Active,
            created_ms: at_ms,
            updated_ms: at_ms,
            revision,
            params,
            tags,
            points: Vec::new(),
        };
        let slot = self.add_model(row);
        self.dirty.model(slot);
    }

    fn touch_model(&mut self, id: &str, revision: u64, at_ms: Option<i64>) -> Option<&mut ModelRow> {
        let slot = self.model_slot(id)?;
        self.dirty.model(slot);
        let row = self.models.get_mut(slot as usize)?;
        row.revision = revision;
        row.updated_ms = at_ms.unwrap_or(row.updated_ms);
        Some(row)
    }

    fn change_model(&mut self, id: &str, revision: u64, change: impl FnOnce(&mut Texts, &mut ModelRow)) {
        let Some(slot) = self.model_slot(id) else { return };
        self.dirty.model(slot);
        if let Some(row) = self.models.get_mut(slot as usize) {
            row.revision = revision;
            change(&mut self.texts, row);
        }
    }

    fn model_measured(&mut self, run: &str, point: &MetricPoint) {
        let Some(slot) = point.logged_model.as_ref().and_then(|id| self.model_slot(id.as_str())) else { return };
        let Some(row) = self.models.get_mut(slot as usize) else { return };
        self.dirty.model(slot);
        let texts = &mut self.texts;
        let new = ModelPoint {
            run: texts.intern(run),
            dataset: point.dataset.as_ref().map(|text| texts.intern(text)),
            dataset_digest: point.dataset_digest.as_ref().map(|text| texts.intern(text)),
            latest: latest(texts, point),
        };
        if row.points.iter().any(|present| same_point(present, &new)) {
            release_point(texts, &new);
            return;
        }
        row.points.push(new);
        if row.points.len() > MAX_MODEL_POINTS {
            let points = std::mem::take(&mut row.points);
            for point in &points {
                let group = |other: &ModelPoint| same_group(point, other) && other.latest.is_after(&point.latest);
                if points.iter().any(group) {
                    release_point(texts, point);
                } else {
                    row.points.push(*point);
                }
            }
        }
    }

    fn file_stored(&mut self, event: &ArtifactStored, stored_ms: i64) {
        let Ok(sha256) = eventlog::Digest::parse(&event.sha256) else { return };
        let path = file_path(&event.root, &event.path);
        self.dirty.file(&path);
        self.files.insert(path.into(), FileRow { sha256: *sha256.as_bytes(), bytes: event.bytes, stored_ms });
    }

    fn files_removed(&mut self, event: &ArtifactRemoved) {
        let path = file_path(&event.root, &event.path);
        for path in self.paths_under(&path) {
            self.dirty.file(&path);
            self.files.remove(&path);
        }
    }
}

/// The path of a file, from its root and the rest; files beside every root have the root `.`.
pub(crate) fn file_path(root: &str, rest: &str) -> String {
    match (root, rest) {
        (".", rest) => rest.to_owned(),
        (root, "") => root.to_owned(),
        (root, rest) => format!("{root}/{rest}"),
    }
}

/// Where the files of a run live when nobody says otherwise.
pub(crate) fn run_artifact_uri(location: &str, run: &str) -> String {
    join_uri(location, &[run, "artifacts"])
}

fn pairs_of(list: &[KeyValue]) -> impl Iterator<Item = (&str, &str)> {
    list.iter().map(|pair| (&*pair.key, &*pair.value))
}

fn rename(texts: &mut Texts, row: &mut RunRow, name: &str) {
    let new = texts.intern(name);
    texts.release(std::mem::replace(&mut row.name, new));
}

fn latest(texts: &mut Texts, point: &MetricPoint) -> Latest {
    Latest { key: texts.intern(&point.key), value: point.value.0, at_ms: point.at_ms, step: point.step }
}

fn add_dataset(texts: &mut Texts, links: &mut Links, input: &DatasetInput) {
    let known = |row: &DatasetRow| texts.get(row.name) == input.name && texts.get(row.digest) == input.digest;
    if links.datasets.iter().any(known) {
        return;
    }
    let tags =
        input.tags.iter().map(|tag| Pair { key: texts.intern(&tag.key), value: texts.intern(&tag.value) }).collect();
    links.datasets.push(DatasetRow {
        tags,
        name: texts.intern(&input.name),
        digest: texts.intern(&input.digest),
        source_type: texts.intern(&input.source_type),
        source: texts.intern(&input.source),
        schema: input.schema.as_ref().map(|text| texts.intern(text)),
        profile: input.profile.as_ref().map(|text| texts.intern(text)),
    });
}

fn same_group(a: &ModelPoint, b: &ModelPoint) -> bool {
    let key = |point: &ModelPoint| -> TextId { point.latest.key };
    (a.run, a.dataset, a.dataset_digest) == (b.run, b.dataset, b.dataset_digest) && key(a) == key(b)
}

fn same_point(a: &ModelPoint, b: &ModelPoint) -> bool {
    let (x, y) = (a.latest, b.latest);
    let (x_value, y_value) = (x.value, y.value);
    same_group(a, b) && !x.is_after(&y) && !y.is_after(&x) && x_value.is_nan() == y_value.is_nan()
}

fn release_point(texts: &mut Texts, point: &ModelPoint) {
    texts.release(point.run);
    texts.release(point.latest.key);
    for id in [point.dataset, point.dataset_digest].into_iter().flatten() {
        texts.release(id);
    }
}
