//! What a copy did.

use serde::Serialize;

/// How many of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Copied now.
    pub copied: u64,
    /// There already, from an earlier copy.
    pub unchanged: u64,
}

/// Something that was left out, or is otherwise than it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// What it is, in the words of the other server (`run 3f2a…`, `version 3 of weave`).
    pub what: String,
    /// Why.
    pub reason: String,
}

/// What a copy did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Where it was read from.
    pub from: String,
    /// Where it was written to.
    pub to: String,
    /// Experiments.
    pub experiments: Count,
    /// Runs.
    pub runs: Count,
    /// Values of metrics, each step of each history.
    pub metric_values: u64,
    /// Logged models.
    pub logged_models: Count,
    /// Registered models, prompts included.
    pub registered_models: Count,
    /// Versions of registered models.
    pub model_versions: Count,
    /// Aliases that were set.
    pub aliases: u64,
    /// Files of runs and logged models.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Everything that was left out.
    pub skipped: Vec<Skipped>,
}

impl Report {
    pub(crate) fn skip(&mut self, what: impl Into<String>, reason: impl Into<String>) {
        self.skipped.push(Skipped { what: what.into(), reason: reason.into() });
    }
}
