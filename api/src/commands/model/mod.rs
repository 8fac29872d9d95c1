//! `millwright model`: the registry of a running server, from the command line.

pub mod arguments;
mod exchange;
mod remote;
mod shown;

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::cli::Output;
use crate::commands::print;
use arguments::{ModelCommand, RegisterArguments, ServerArguments};
use remote::Remote;

/// Asks the server, and prints what it says.
///
/// # Errors
/// When the server does not answer, or refuses; the error has its reason.
pub async fn run(command: ModelCommand, output: Output) -> anyhow::Result<()> {
    match command {
        ModelCommand::List { as_of, server } => {
            let items = Remote::new(&server)?.all(&["models"], &moment(as_of.as_deref())).await?;
            print(output, &items, |items| shown::models(items))
        }
        ModelCommand::Show { model, version, as_of, server } => {
            let number = version.map(|version| version.to_string());
            let mut parts = vec!["models", model.as_str()];
            parts.extend(number.as_deref().into_iter().flat_map(|number| ["versions", number]));
            let found = Remote::new(&server)?.get(&parts, &moment(as_of.as_deref())).await?;
            print(output, &found, shown::outline)
        }
        ModelCommand::Register(arguments) => register(*arguments, output).await,
        ModelCommand::Promote { model, version, alias, stage, archive_existing, check, server } => {
            let promotion = Promotion { model, version, alias, stage, archive_existing };
            if check { promotion.check(&server, output).await } else { promotion.carry_out(&server, output).await }
        }
        ModelCommand::RollBack { model, alias, deployment, reason, server } => {
            let remote = Remote::new(&server)?;
            let done = match (model, alias, deployment) {
                (_, _, Some(deployment)) => {
                    let body = json!({ "reason": reason.map(|text| domain::Text::guessed(&text)) });
                    remote.send(Method::POST, &["deployments", &deployment, "roll-back"], &body).await?
                }
                (Some(model), Some(alias), None) => {
                    let parts = ["models", &model, "aliases", &alias, "roll-back"];
                    remote.send(Method::POST, &parts, &json!({})).await?
                }
                _ => bail!("name a model with --alias, or a --deployment"),
            };
            print(output, &done, shown::outline)
        }
        ModelCommand::History { model, as_of, server } => {
            let items = Remote::new(&server)?.all(&["models", &model, "history"], &moment(as_of.as_deref())).await?;
            print(output, &items, |items| shown::history(items))
        }
        ModelCommand::Reproduce { model, version, server } => {
            let parts = ["models", &model, "versions", &version.to_string(), "reproduce"];
            let again = Remote::new(&server)?.send(Method::POST, &parts, &json!({})).await?;
            print(output, &again, shown::outline)?;
            if again.get("same") != Some(&Value::Bool(true)) {
                bail!("version {version} of {model} did not come out the same");
            }
            Ok(())
        }
        ModelCommand::Compare { model, a, b, server } => {
            let query = [("a", a.to_string()), ("b", b.to_string())];
            let compared = Remote::new(&server)?.get(&["models", &model, "compare"], &query).await?;
            print(output, &compared, shown::outline)
        }
        ModelCommand::ImportMlflow { from, exchange, server } => {
            exchange::run(exchange::Direction::In, &from, exchange, &server, output).await
        }
        ModelCommand::ExportMlflow { to, exchange, server } => {
            exchange::run(exchange::Direction::Out, &to, exchange, &server, output).await
        }
    }
}

fn moment(as_of: Option<&str>) -> Vec<(&'static str, String)> {
    as_of.map(|moment| ("as_of", moment.to_owned())).into_iter().collect()
}

/// Registers the model if it is not, and makes a version when there are files.
async fn register(arguments: RegisterArguments, output: Output) -> anyhow::Result<()> {
    let remote = Remote::new(&arguments.server)?;
    let known = remote.find(&["models", &arguments.model]).await?.is_some();
    let mut done = json!({ "model": arguments.model, "registered": false });
    if !known || arguments.description.is_some() {
        let description = arguments.description.as_deref().map(domain::Text::guessed).unwrap_or_default();
        let body = json!({ "model": arguments.model, "kind": arguments.kind, "description": description });
        done = remote.send(Method::POST, &["models"], &body).await?;
        if let Some(fields) = done.as_object_mut() {
            fields.insert("registered".to_owned(), json!(!known));
        }
    }
    if !arguments.files.is_empty() {
        let parts = ["models", &arguments.model, "versions"];
        done = remote.send(Method::POST, &parts, &version(&arguments)?).await?;
    }
    print(output, &done, shown::outline)
}

/// The body that makes the version.
fn version(arguments: &RegisterArguments) -> anyhow::Result<Value> {
    let mut files = Vec::new();
    for path in &arguments.files {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.with_context(|| format!("{} has no name that can be written", path.display()))?;
        let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        files.push(json!({ "name": name, "base64": STANDARD.encode(bytes) }));
    }
    let metrics: Map<String, Value> =
        arguments.metrics.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let mut body = json!({ "runtime": arguments.runtime, "files": files, "metrics": metrics });
    let mut lineage = Map::new();
    let said = [("dataset", &arguments.dataset), ("code", &arguments.code)];
    lineage.extend(said.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?)))));
    if let Some(fields) = body.as_object_mut() {
        if let Some(author) = &arguments.author {
            fields.insert("author".to_owned(), json!(author));
        }
        if let Some(note) = &arguments.note {
            fields.insert("note".to_owned(), json!(domain::Text::guessed(note)));
        }
        if !lineage.is_empty() {
            fields.insert("lineage".to_owned(), Value::Object(lineage));
        }
    }
    Ok(body)
}

/// A version that is to be named by an alias, or to be in a stage.
struct Promotion {
    model: String,
    version: u32,
    alias: Option<String>,
    stage: Option<String>,
    archive_existing: bool,
}

impl Promotion {
    async fn check(self, server: &ServerArguments, output: Output) -> anyhow::Result<()> {
        let number = self.version.to_string();
        let parts = ["models", &self.model, "versions", &number, "promotion"];
        let query = [("alias", self.alias), ("stage", self.stage)];
        let query: Vec<_> = query.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let found = Remote::new(server)?.get(&parts, &query).await?;
        print(output, &found, shown::outline)?;
        if found.get("passes") != Some(&Value::Bool(true)) {
            bail!("version {number} of {} would not pass", self.model);
        }
        Ok(())
    }

    async fn carry_out(self, server: &ServerArguments, output: Output) -> anyhow::Result<()> {
        let remote = Remote::new(server)?;
        let number = self.version.to_string();
        let done = match (self.alias, self.stage) {
            (Some(alias), _) => {
                let parts = ["models", &self.model, "aliases", &alias];
                remote.send(Method::PUT, &parts, &json!({ "version": self.version })).await?
            }
            (None, Some(stage)) => {
                let body = json!({ "stage": stage.to_lowercase(), "archive_existing": self.archive_existing });
                remote.send(Method::PUT, &["models", &self.model, "versions", &number, "stage"], &body).await?
            }
            (None, None) => bail!("name an --alias or a --stage"),
        };
        print(output, &done, |done| {
            let position = done.get("position").unwrap_or(&Value::Null);
            format!("version {number} of {} is promoted (position {position})", self.model)
        })
    }
}
