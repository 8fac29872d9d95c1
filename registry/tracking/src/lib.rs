//! What was tried: experiments, runs with their parameters, metrics and tags, the models that runs logged, and the tree of their files.
//!
//! What it does: it folds the tracking events of the log into a state that answers questions and searches from memory, and decides the commands that append them, with the
//! rules and texts of MLflow's tracking API.
//!
//! What it does not do: it speaks no protocol and opens no connection; it stores no file's content.
//!
//! Invariants:
//! - Each command that writes is one event; it answers when the event is durable and applied.
//! - A parameter never changes; a deleted run or experiment takes nothing until it is restored.
//! - Experiment names are unique, deleted experiments included.
//! - The state is a function of the log: batches, restarts and rebuilds never show in it or its digest.
//!
//! Where it differs from the original on purpose:
//! - An experiment that is restored brings back the runs that were put aside with it, and not those that somebody had put aside before.
//! - Infinite metrics stay infinite, and NaN stays NaN, in answers and histories.
//! - A metric, parameter or tag is taken with everything else of its request, or nothing is.
//! - What is said about a logged model that does not exist is refused. Of a logged model with more than 1,000 points, the latest of each metric, run and dataset are kept.
//! - A page of a search begins behind the last row of the page before, as it is now: nothing appears twice when something new comes in.
//!
//! Where to read next: [`Tracking`] is the facade, [`TrackingProjection`] the read model, [`search`] the language of filters.

pub mod rules;
pub mod search;
pub mod view;

mod commands;
mod error;
mod names;
mod projection;
mod query;
mod state;
mod store;
mod tracking;

pub use commands::{Batch, NewExperiment, NewLoggedModel, NewRun, RunUpdate};
pub use error::TrackingError;
pub use projection::{NAME, TYPES, TrackingProjection, VERSION};
pub use query::{
    ExperimentSearch, LoggedModelSearch, MAX_EXPERIMENTS_OF_DATASETS, MAX_HISTORY, MAX_RESULTS, MAX_RESULTS_DEFAULT,
    MAX_RESULTS_DEFAULT_LOGGED_MODELS, MAX_RUNS_OF_HISTORIES, MAX_SAMPLED_STEPS, MAX_SUMMARIES, RunSearch,
};
pub use state::{DATASET_CONTEXT_TAG, DEFAULT_EXPERIMENT, DEFAULT_EXPERIMENT_NAME, RUN_NAME_TAG};
pub use tracking::{APPLY_TIMEOUT, MAX_ATTEMPTS, Tracking};
