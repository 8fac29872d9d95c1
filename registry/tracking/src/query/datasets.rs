//! The datasets that went into the runs of experiments.

use std::collections::BTreeSet;

use crate::error::TrackingError;
use crate::state::DATASET_CONTEXT_TAG;
use crate::tracking::Tracking;
use crate::view::DatasetSummary;

/// The most experiments in one question for datasets.
pub const MAX_EXPERIMENTS_OF_DATASETS: usize = 20;

/// The most datasets in one answer.
pub const MAX_SUMMARIES: usize = 1_000;

impl Tracking {
    /// The datasets that went into runs of these experiments, by experiment, name, digest and use, each once: the first [`MAX_SUMMARIES`].
    ///
    /// # Errors
    /// [`TrackingError::Invalid`] for no experiment, or more than [`MAX_EXPERIMENTS_OF_DATASETS`].
    pub fn search_datasets(&self, experiments: &[String]) -> Result<Vec<DatasetSummary>, TrackingError> {
        if experiments.is_empty() {
            return Err(TrackingError::invalid("SearchDatasets request must specify at least one experiment_id."));
        }
        if experiments.len() > MAX_EXPERIMENTS_OF_DATASETS {
            return Err(TrackingError::invalid(format!(
                "SearchDatasets request cannot specify more than {MAX_EXPERIMENTS_OF_DATASETS} experiment_ids. Received {} experiment_ids.",
                experiments.len()
            )));
        }
        self.read(|state| {
            let texts = &state.texts;
            let mut found = BTreeSet::new();
            for experiment in experiments.iter().filter_map(|id| state.experiment(id.trim())) {
                let runs = experiment.runs.iter().filter_map(|slot| state.runs.get(*slot as usize));
                for dataset in runs.filter_map(|row| row.links.as_ref()).flat_map(|links| &links.datasets) {
                    let context = dataset.tags.iter().find(|tag| texts.get(tag.key) == DATASET_CONTEXT_TAG);
                    let context = context.map(|tag| texts.get(tag.value));
                    found.insert((&*experiment.id, texts.get(dataset.name), texts.get(dataset.digest), context));
                }
            }
            let summary = |(experiment, name, digest, context): (&str, &str, &str, Option<&str>)| DatasetSummary {
                experiment: experiment.to_owned(),
                name: name.to_owned(),
                digest: digest.to_owned(),
                context: context.map(str::to_owned),
            };
            Ok(found.into_iter().take(MAX_SUMMARIES).map(summary).collect())
        })
    }
}
