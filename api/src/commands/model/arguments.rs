//! What `millwright model` takes.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Which server, and as whom.
#[derive(Clone, Debug, Args)]
pub struct ServerArguments {
    /// The server.
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub server: String,
    /// The token for that server.
    #[arg(long, env = "MILLWRIGHT_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub token: Option<String>,
}

/// What `model` takes.
#[derive(Debug, Args)]
pub struct ModelArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: ModelCommand,
}

/// What can be done with models.
#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// Every model with its versions and aliases.
    List {
        /// What was known then: a position or a record time (RFC 3339).
        #[arg(long, value_name = "POSITION|TIME")]
        as_of: Option<String>,
        /// The server.
        #[command(flatten)]
        server: ServerArguments,
    },
    /// One model, or one of its versions: what it was made from, how it did, who vouches for it, who uses it.
    Show {
        /// The model, by name or id.
        model: String,
        /// The version; the whole model, when absent.
        version: Option<u32>,
        /// What was known then: a position or a record time (RFC 3339).
        #[arg(long, value_name = "POSITION|TIME")]
        as_of: Option<String>,
        /// The server.
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Register a model, if it is not, and make a version of it from files.
    Register(Box<RegisterArguments>),
    /// Let an alias name a version, or move a version into a stage; gates decide.
    Promote {
        /// The model, by name or id.
        model: String,
        /// The version.
        version: u32,
        /// The alias that is to name it.
        #[arg(long, value_name = "ALIAS", required_unless_present = "stage", conflicts_with = "stage")]
        alias: Option<String>,
        /// The stage that it is to be in: none, staging, production, archived.
        #[arg(long, value_name = "STAGE")]
        stage: Option<String>,
        /// Archive the other versions in that stage.
        #[arg(long, requires = "stage")]
        archive_existing: bool,
        /// Only say whether the gates would let it through, and what is missing.
        #[arg(long)]
        check: bool,
        /// The server.
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Take an alias, or a deployment, back to the version that it had before.
    #[command(name = "roll-back")]
    RollBack {
        /// The model, by name or id; not needed for a deployment.
        #[arg(required_unless_present = "deployment")]
        model: Option<String>,
        /// The alias.
        #[arg(long, value_name = "ALIAS", required_unless_present = "deployment", conflicts_with = "deployment")]
        alias: Option<String>,
        /// The deployment.
        #[arg(long, value_name = "DEPLOYMENT")]
        deployment: Option<String>,
        /// Why. It stays in the log.
        #[arg(long, value_name = "TEXT", requires = "deployment")]
        reason: Option<String>,
        /// The server.
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Everything that happened to a model, in the order of the log.
    History {
        /// The model, by name or id.
        model: String,
        /// What was known then: a position or a record time (RFC 3339).
        #[arg(long, value_name = "POSITION|TIME")]
        as_of: Option<String>,
        /// The server.
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Make a version again from what the log says, and compare every digest. Exits with 1 when something differs.
    Reproduce {
        /// The model, by name or id.
        model: String,
        /// The version.
        version: u32,
        /// The server.
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Two versions side by side: metrics, parameters, signatures, lineage, files.
    Compare {
        /// The model, by name or id.
        model: String,
        /// The first version.
        a: u32,
        /// The second version.
        b: u32,
        /// The server.
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Copy experiments, runs and models from another server that speaks MLflow's REST API; what was copied before is not copied again.
    #[command(name = "import-mlflow")]
    ImportMlflow {
        /// The server to copy from.
        #[arg(long, value_name = "URL")]
        from: String,
        /// What is copied.
        #[command(flatten)]
        exchange: ExchangeArguments,
        /// The server.
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Copy experiments, runs and models to another server that speaks MLflow's REST API; what was copied before is not copied again.
    #[command(name = "export-mlflow")]
    ExportMlflow {
        /// The server to copy to.
        #[arg(long, value_name = "URL")]
        to: String,
        /// What is copied.
        #[command(flatten)]
        exchange: ExchangeArguments,
        /// The server.
        #[command(flatten)]
        server: ServerArguments,
    },
}

/// What `model register` takes.
#[derive(Debug, Args)]
pub struct RegisterArguments {
    /// What the model is called.
    pub model: String,
    /// What it is made from: mechanism, knowledge or data.
    #[arg(long, default_value = "data", value_name = "KIND")]
    pub kind: String,
    /// What it is for.
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// What runs the version: mechanism or candle.
    #[arg(long, value_name = "RUNTIME", requires = "files")]
    pub runtime: Option<String>,
    /// The files of the version; none registers the model alone.
    #[arg(long = "file", value_name = "FILE", requires = "runtime")]
    pub files: Vec<PathBuf>,
    /// How good the version was: `rmse=0.25`.
    #[arg(long = "metric", value_name = "NAME=VALUE", value_parser = parse_metric)]
    pub metrics: Vec<(String, f64)>,
    /// Who made the version: somebody who cannot approve it.
    #[arg(long, value_name = "PERSON")]
    pub author: Option<String>,
    /// Anything else worth saying about the version.
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// The dataset that the version learnt from.
    #[arg(long, value_name = "DATASET")]
    pub dataset: Option<String>,
    /// The revision of the code that made the version.
    #[arg(long, value_name = "REVISION")]
    pub code: Option<String>,
    /// The server.
    #[command(flatten)]
    pub server: ServerArguments,
}

/// What a copy between servers takes.
#[derive(Debug, Args)]
pub struct ExchangeArguments {
    /// An experiment to copy, by name; with neither this nor --model, everything is copied. It can be given several times.
    #[arg(long = "experiment", value_name = "NAME")]
    pub experiments: Vec<String>,
    /// A registered model to copy, by name. Its runs and logged models come with their experiments. It can be given several times.
    #[arg(long = "model", value_name = "NAME")]
    pub models: Vec<String>,
    /// Leave files out.
    #[arg(long)]
    pub no_files: bool,
    /// The token for the other server.
    #[arg(long, env = "MILLWRIGHT_OTHER_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub other_token: Option<String>,
}

fn parse_metric(text: &str) -> Result<(String, f64), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    let value: f64 = value.parse().map_err(|error| format!("{value:?} is not a number: {error}"))?;
    if value.is_finite() { Ok((name.to_owned(), value)) } else { Err(format!("{value} is not finite")) }
}

#[cfg(test)]
mod tests {
    use super::parse_metric;

    #[test]
    fn a_metric_is_a_name_and_a_finite_number() {
        assert_eq!(parse_metric("rmse=0.25"), Ok(("rmse".to_owned(), 0.25)));
        for wrong in ["rmse", "rmse=", "rmse=x", "rmse=NaN", "rmse=inf"] {
            assert!(parse_metric(wrong).is_err(), "{wrong}");
        }
    }
}
