//! The state that the tracking events fold to.
//!
//! Everything that a search needs is in memory; the history of metrics is not: it stands in the log. Runs lie in the order in which the log tells of them, and a
//! run's metrics, parameters and tags are short sorted lists of interned keys ([`rows`]), so that a million runs fit.

pub(crate) mod columns;
mod dirty;
mod fold;
pub(crate) mod pairs;
pub(crate) mod record;
pub(crate) mod rows;
pub(crate) mod texts;
mod views;

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashTable};

use self::columns::Columns;
pub(crate) use self::dirty::Dirty;
pub(crate) use self::fold::{file_path, run_artifact_uri};
use self::rows::{ExperimentRow, FileRow, Head, ModelRow, RunKey, RunRow, Slot};
use self::texts::Texts;
use crate::view::Stage;

/// The experiment that is always there.
pub const DEFAULT_EXPERIMENT: &str = "0";

/// Its name, until somebody renames it.
pub const DEFAULT_EXPERIMENT_NAME: &str = "Default";

/// The tag that moves together with a run's name.
pub const RUN_NAME_TAG: &str = "mlflow.runName";

/// The tag that says what a dataset was used for.
pub const DATASET_CONTEXT_TAG: &str = "mlflow.data.context";

/// Everything.
pub(crate) struct State {
    pub texts: Texts,
    pub experiments: Vec<ExperimentRow>,
    experiment_slots: HashMap<Box<str>, Slot>,
    names: HashMap<Box<str>, Slot>,
    pub heads: Vec<Head>,
    pub runs: Vec<RunRow>,
    run_slots: HashTable<Slot>,
    hasher: DefaultHashBuilder,
    pub models: Vec<ModelRow>,
    model_slots: HashMap<Box<str>, Slot>,
    pub files: BTreeMap<Box<str>, FileRow>,
    pub columns: Columns,
    pub dirty: Dirty,
}

impl State {
    /// Nothing but the default experiment. `stored` says whether changes are remembered for a store.
    pub(crate) fn new(stored: bool) -> Self {
        let mut state = Self::empty(stored);
        state.add_experiment(ExperimentRow {
            id: DEFAULT_EXPERIMENT.into(),
            name: DEFAULT_EXPERIMENT_NAME.into(),
            artifact_location: default_location(DEFAULT_EXPERIMENT).into(),
            stage: Stage::Active,
            created_ms: 0,
            updated_ms: 0,
            revision: None,
            tags: Box::default(),
            runs: Vec::new(),
            models: Vec::new(),
        });
        state
    }

    /// Not even the default experiment: for a store that is read.
    pub(crate) fn empty(stored: bool) -> Self {
        Self {
            texts: Texts::default(),
            experiments: Vec::new(),
            experiment_slots: HashMap::new(),
            names: HashMap::new(),
            heads: Vec::new(),
            runs: Vec::new(),
            run_slots: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            models: Vec::new(),
            model_slots: HashMap::new(),
            files: BTreeMap::new(),
            columns: Columns::default(),
            dirty: Dirty::new(stored),
        }
    }

    pub(crate) fn experiment_slot(&self, id: &str) -> Option<Slot> {
        self.experiment_slots.get(id).copied()
    }

    pub(crate) fn experiment(&self, id: &str) -> Option<&ExperimentRow> {
        self.experiments.get(self.experiment_slot(id)? as usize)
    }

    pub(crate) fn experiment_at(&self, slot: Slot) -> Option<&ExperimentRow> {
        self.experiments.get(slot as usize)
    }

    /// The experiment of this name, deleted ones included.
    pub(crate) fn experiment_named(&self, name: &str) -> Option<&ExperimentRow> {
        self.experiments.get(*self.names.get(name)? as usize)
    }

    /// The least number above every id that is a number.
    pub(crate) fn next_experiment_number(&self) -> u64 {
        self.experiments.iter().filter_map(|row| row.id.parse::<u64>().ok()).max().unwrap_or(0).saturating_add(1)
    }

    pub(crate) fn run_slot(&self, id: &str) -> Option<Slot> {
        let key = RunKey::of(id);
        self.run_slots.find(self.hasher.hash_one(&key), |&slot| self.key_at(slot) == Some(&key)).copied()
    }

    pub(crate) fn run(&self, id: &str) -> Option<(&Head, &RunRow)> {
        self.run_at(self.run_slot(id)?)
    }

    pub(crate) fn run_at(&self, slot: Slot) -> Option<(&Head, &RunRow)> {
        Some((self.heads.get(slot as usize)?, self.runs.get(slot as usize)?))
    }

    fn key_at(&self, slot: Slot) -> Option<&RunKey> {
        self.runs.get(slot as usize).map(|row| &row.id)
    }

    pub(crate) fn model_slot(&self, id: &str) -> Option<Slot> {
        self.model_slots.get(id).copied()
    }

    pub(crate) fn model(&self, id: &str) -> Option<&ModelRow> {
        self.models.get(self.model_slot(id)? as usize)
    }

    /// The value of a tag or parameter.
    pub(crate) fn value_of(&self, pairs: &[rows::Pair], key: &str) -> Option<&str> {
        pairs::find(pairs, self.texts.find(key)?).map(|pair| self.texts.get(pair.value))
    }

    /// Whether there is a tag of this name.
    pub(crate) fn has_tag(&self, pairs: &[rows::Pair], key: &str) -> bool {
        self.value_of(pairs, key).is_some()
    }

    /// Adds an experiment behind the others, and answers its place.
    fn add_experiment(&mut self, row: ExperimentRow) -> Slot {
        let slot = next_slot(self.experiments.len());
        self.experiment_slots.insert(row.id.clone(), slot);
        self.names.entry(row.name.clone()).or_insert(slot);
        self.experiments.push(row);
        slot
    }

    fn rename_experiment(&mut self, slot: Slot, name: &str) {
        let Some(row) = self.experiments.get_mut(slot as usize) else { return };
        let old = std::mem::replace(&mut row.name, name.into());
        if self.names.get(&old) == Some(&slot) {
            self.names.remove(&old);
        }
        self.names.entry(name.into()).or_insert(slot);
    }

    /// Adds a run behind the others, and answers its place.
    fn add_run(&mut self, head: Head, row: RunRow) -> Slot {
        let slot = next_slot(self.runs.len());
        let hash = self.hasher.hash_one(&row.id);
        if let Some(experiment) = self.experiments.get_mut(head.experiment as usize) {
            experiment.runs.push(slot);
        }
        self.heads.push(head);
        self.runs.push(row);
        let (runs, hasher) = (&self.runs, &self.hasher);
        self.run_slots
            .insert_unique(hash, slot, |&slot| runs.get(slot as usize).map_or(0, |row| hasher.hash_one(&row.id)));
        slot
    }

    /// Adds a logged model behind the others, and answers its place.
    fn add_model(&mut self, row: ModelRow) -> Slot {
        let slot = next_slot(self.models.len());
        if let Some(experiment) = self.experiments.get_mut(row.experiment as usize) {
            experiment.models.push(slot);
        }
        self.model_slots.insert(row.id.clone(), slot);
        self.models.push(row);
        slot
    }
}

fn next_slot(length: usize) -> Slot {
    Slot::try_from(length).unwrap_or(Slot::MAX)
}

/// Where the files of an experiment live when nobody says otherwise.
pub(crate) fn default_location(experiment: &str) -> String {
    format!("mlflow-artifacts:/{experiment}")
}

/// A URI with more segments; what follows a `?` or `#` stays at the end.
pub(crate) fn join_uri(base: &str, segments: &[&str]) -> String {
    let end = base.find(['?', '#']).unwrap_or(base.len());
    let (path, rest) = base.split_at(end);
    let mut joined = path.trim_end_matches('/').to_owned();
    for segment in segments {
        joined.push('/');
        joined.push_str(segment);
    }
    joined.push_str(rest);
    joined
}
