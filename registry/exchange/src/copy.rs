//! The whole copy: experiments first, then what is registered.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::ExchangeError;
use crate::client::{Member as _, Server, list, pair, tag, text};
use crate::items::{experiment, registered};
use crate::report::Report;

/// The tag that names where a thing was copied from.
pub const COPIED_FROM: &str = "millwright.copied_from";
/// The tag that a run or logged model gets when everything of it was copied.
pub const COMPLETE: &str = "millwright.copied_completely";

/// What is copied.
#[derive(Clone, Debug)]
pub struct Options {
    /// The experiments, by name; all of them, when none is named.
    pub experiments: Vec<String>,
    /// The registered models, by name; all of them, when none is named. Names of experiments alone leave them all out.
    pub models: Vec<String>,
    /// Whether files are copied.
    pub files: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { experiments: Vec::new(), models: Vec::new(), files: true }
    }
}

/// The copies of runs and logged models, by the ids that they were copied from.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    /// Runs: the copy's id, the original's address of files, and the copy's.
    pub runs: HashMap<String, Place>,
    /// Logged models.
    pub logged_models: HashMap<String, Place>,
}

/// Where a copy is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub id: String,
    /// Where the original's files are.
    pub from_uri: String,
    /// Where the copy's files are.
    pub to_uri: String,
}

/// Two servers, and what happened between them.
pub(crate) struct Exchange<'a> {
    pub from: &'a Server,
    pub to: &'a Server,
    pub options: &'a Options,
    pub report: Report,
    pub copies: Copies,
    source: String,
    progress: &'a mut (dyn FnMut(&str) + Send),
}

/// Copies everything that the options name from one server to another. `progress` is told what is being copied.
///
/// # Errors
/// When a server does not answer, or answers what MLflow's do not. What a server refuses about one thing is in the report, and the rest goes on.
pub async fn copy(
    from: &Server,
    to: &Server,
    options: &Options,
    progress: &mut (dyn FnMut(&str) + Send),
) -> Result<Report, ExchangeError> {
    let report = Report { from: from.name(), to: to.name(), ..Report::default() };
    let mut exchange = Exchange { from, to, options, report, copies: Copies::default(), source: from.name(), progress };
    let named = |names: &[String], name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    let everything = options.experiments.is_empty() && options.models.is_empty();
    if everything || !options.experiments.is_empty() {
        let asked = json!({ "max_results": 1000, "view_type": "ACTIVE_ONLY" });
        let found = from.all("experiments/search", &asked, "experiments").await?;
        missing(&mut exchange.report, "experiment", &options.experiments, &found);
        for one in found.iter().filter(|one| text(one, "name").is_some_and(|name| named(&options.experiments, name))) {
            experiment::copy(&mut exchange, one).await?;
        }
    }
    if everything || !options.models.is_empty() {
        for filter in ["", "tag.`mlflow.prompt.is_prompt` = 'true'"] {
            let query = [("max_results", "100"), ("filter", filter)];
            let query = if filter.is_empty() { query.get(..1).unwrap_or_default() } else { &query };
            let found = from.all_of("registered-models/search", query, "registered_models").await?;
            for one in found.iter().filter(|one| text(one, "name").is_some_and(|name| named(&options.models, name))) {
                registered::copy(&mut exchange, one).await?;
            }
        }
    }
    Ok(exchange.report)
}

fn missing(report: &mut Report, kind: &str, wanted: &[String], found: &[Value]) {
    for name in wanted {
        if !found.iter().any(|one| one.at("name") == name.as_str()) {
            report.skip(format!("{kind} {name:?}"), "there is none of this name, or it is deleted");
        }
    }
}

impl Exchange<'_> {
    /// Says what is being copied.
    pub(crate) fn say(&mut self, what: &str) {
        (self.progress)(what);
    }

    /// The value of the tag that names where something comes from.
    pub(crate) fn origin(&self, kind: &str, id: &str) -> String {
        format!("{} {kind} {id}", self.source)
    }

    /// The tag itself.
    pub(crate) fn origin_tag(&self, kind: &str, id: &str) -> Value {
        pair(COPIED_FROM, &self.origin(kind, id))
    }

    /// Goes on after a refusal that is about one thing, which the report then has; any other error ends the copy.
    pub(crate) fn forgive<T>(
        &mut self,
        what: &str,
        done: Result<T, ExchangeError>,
    ) -> Result<Option<T>, ExchangeError> {
        match done {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_about_one_thing() => {
                self.report.skip(what, error.to_string());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Tags without those that a copy makes itself.
pub(crate) fn own_tags(value: &Value) -> Vec<Value> {
    let ours = |tag: &&Value| tag.at("key") == COPIED_FROM || tag.at("key") == COMPLETE;
    list(value, "tags").iter().filter(|tag| !ours(tag)).cloned().collect()
}

/// Things of the other server by where they were copied from.
pub(crate) fn by_origin<'v>(
    items: &'v [Value],
    tags: impl Fn(&'v Value) -> &'v [Value],
) -> HashMap<&'v str, &'v Value> {
    items.iter().filter_map(|item| Some((tag(tags(item), COPIED_FROM)?, item))).collect()
}
