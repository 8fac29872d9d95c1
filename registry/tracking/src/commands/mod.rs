//! The commands and questions, a file for each kind of thing.

mod artifacts;
mod experiments;
mod logged_models;
mod logging;
mod runs;

pub use experiments::NewExperiment;
pub use logged_models::NewLoggedModel;
pub use logging::Batch;
pub(crate) use runs::find as find_run;
pub use runs::{NewRun, RunUpdate};
