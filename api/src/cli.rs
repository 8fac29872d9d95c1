//! The command line. Exit status: 0 good, 1 failed, 2 usage. Logs go to standard error, output to standard out.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::commands;
use crate::commands::model::arguments::ModelArguments;
use crate::commands::package::PackageArguments;
use crate::config::Config;

/// Millwright, the factory's memory: every reading and every event in one provable log, knowledge and models folded from it.
#[derive(Debug, Parser)]
#[command(name = "millwright", version, about, long_about = None)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
struct Common {
    /// The configuration file (TOML).
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder of the log, the read models and the artifacts [default: ./millwright-data].
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Print the result as JSON.
    #[arg(long, global = true)]
    json: bool,
    /// How logs are written to standard error; RUST_LOG sets what is logged.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    Serve {
        /// Where to listen [default: 127.0.0.1:8080].
        #[arg(long, value_name = "ADDR")]
        listen: Option<SocketAddr>,
    },
    /// Run the server with a simulated weaving mill connected over MQTT and OPC UA: nothing to install.
    Demo(DemoArguments),
    /// Bring in history from CSV and JSON-lines files.
    Import(ImportArguments),
    /// Models on a running server: register, show, promote, roll back, history, reproduce, compare; copy from and to MLflow.
    Model(ModelArguments),
    /// Knowledge from plant to plant as a signed file: `millwright package export|import|verify`.
    Package(PackageArguments),
    /// Erase a person or a customer for ever, on a running server: `millwright erase person:P-17 --reason "left the company"`.
    Erase(EraseArguments),
    /// Drop the payloads that the retention classes of a running server let expire, as it does once a day by itself.
    Retention(RetentionArguments),
    /// Recheck every checksum, digest and signature of a log: in a data folder, in a backup of one, or of a running server.
    Verify(VerifyArguments),
    /// Answer an assistant (Model Context Protocol) on standard input and output, from a running server. The server itself speaks it at /mcp.
    Mcp {
        /// The server.
        #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL")]
        server: String,
        /// The token for that server.
        #[arg(long, env = "MILLWRIGHT_TOKEN", hide_env_values = true, value_name = "TOKEN")]
        token: Option<String>,
    },
    /// Seal every closed segment of the log now, as fast as it goes. The server must not be running.
    Seal,
    /// Remove the artifacts that nobody can reach from the log any more: files of runs that were written over or removed, and what no event names. The server must not be running.
    Gc {
        /// Only say what would be removed.
        #[arg(long)]
        dry_run: bool,
        /// How long they are kept (`12h`, `7d`).
        #[arg(long, default_value = "7d", value_name = "DURATION", value_parser = parse_days)]
        grace: std::time::Duration,
    },
    /// Rebuild every projection in memory and print its digest.
    Replay {
        /// The last position, or a record time (RFC 3339), to replay; the whole log when absent.
        #[arg(long, value_name = "POSITION|TIME")]
        to: Option<String>,
    },
    /// Delete projections and build them again from the log. The server must not be running.
    Rebuild {
        /// Which ones; all of them when none is named.
        projections: Vec<String>,
    },
    /// Copy the log and the artifacts, also while a server runs; what is there already is not copied again. Keys are never in it.
    Backup {
        /// A folder, or a bucket (`s3://bucket/prefix`) with its credentials in the environment (AWS_ACCESS_KEY_ID, …).
        #[arg(value_name = "DIR|URL")]
        to: String,
        /// Read the backup back and compare every file with its manifest, instead of taking one.
        #[arg(long)]
        check: bool,
    },
    /// Restore a backup into the data folder, which must hold no log, and verify it.
    Restore {
        /// The folder or bucket of the backup.
        #[arg(value_name = "DIR|URL")]
        from: String,
        /// The last position, or a record time (RFC 3339), to restore; the whole backup when absent.
        #[arg(long, value_name = "POSITION|TIME")]
        to: Option<String>,
    },
    /// Print the OpenAPI document.
    Openapi,
    /// Print the configuration that holds, after file and environment.
    Config,
    /// The text of the PDF file on standard input: what the server starts to read a file that somebody attached.
    #[command(name = crate::pdf::COMMAND, hide = true)]
    TextOfPdf,
}

/// What `demo` takes.
#[derive(Debug, Args)]
pub struct DemoArguments {
    /// Where to listen [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// The seed of the simulated mill: the same seed gives the same history.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// How many days of events the mill has behind it when the demo starts.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=60))]
    pub days: u32,
    /// Stop with a summary when everything has run for this time (`60s`, `5m`); run until Ctrl-C when absent.
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    pub run_for: Option<std::time::Duration>,
    /// Use this MQTT broker (`host:port`) instead of the embedded one.
    #[arg(long, value_name = "HOST:PORT")]
    pub broker: Option<String>,
    /// Also print the truth that the simulator knows: which fault, when, why.
    #[arg(long)]
    pub truth: bool,
}

/// What `import` takes.
#[derive(Debug, Args)]
pub struct ImportArguments {
    /// The mapping from the files' columns to events and readings.
    #[arg(long, value_name = "FILE.toml")]
    pub mapping: PathBuf,
    /// Send to a running server instead of writing into the data folder.
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// The token for that server.
    #[arg(long, env = "MILLWRIGHT_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub token: Option<String>,
    /// Where rows that could not be taken go, with the reason [default: the first file's name with `.rejects.jsonl`].
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
    /// The files, or folders of files.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
}

/// What `erase` takes.
#[derive(Debug, Args)]
pub struct EraseArguments {
    /// Who: `person:ID` or `customer:ID`.
    pub subject: String,
    /// Why. It stays in the log for ever, and must not say again what is erased.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// The legal basis (`GDPR Art. 17(1)(a)`).
    #[arg(long, value_name = "TEXT")]
    pub basis: Option<String>,
    /// Who asked for it: a pseudonym or the number of a request, never a name.
    #[arg(long, value_name = "TEXT")]
    pub requested_by: Option<String>,
    /// The server.
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub server: String,
    /// The token for that server.
    #[arg(long, env = "MILLWRIGHT_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub token: Option<String>,
}

/// What `retention` takes.
#[derive(Debug, Args)]
pub struct RetentionArguments {
    /// Only count what would expire.
    #[arg(long)]
    pub dry_run: bool,
    /// The server.
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub server: String,
    /// The token for that server.
    #[arg(long, env = "MILLWRIGHT_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub token: Option<String>,
}

/// What `verify` takes.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// Check a running server over HTTP instead of the data folder.
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// The token for that server: it must be allowed to read the log (role auditor).
    #[arg(long, env = "MILLWRIGHT_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub token: Option<String>,
    /// The log's verifier key, or a file that holds it, from a source that you trust [default: the one beside the log].
    #[arg(long, value_name = "KEY|FILE")]
    pub vkey: Option<String>,
    /// A checkpoint that was saved before: the log must extend it.
    #[arg(long, value_name = "FILE")]
    pub since: Option<PathBuf>,
    /// Save the checkpoint that was verified, for the next `--since`.
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// Fetch every payload from the server, and not a sample of a thousand.
    #[arg(long, requires = "server")]
    pub every_payload: bool,
}

/// How a command prints its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

fn parse_duration(text: &str) -> Result<std::time::Duration, String> {
    let span: jiff::SignedDuration = text.parse().map_err(|error| format!("{error}; write 60s, 5m or 1h30m"))?;
    std::time::Duration::try_from(span).map_err(|_| "it is negative".to_owned())
}

/// A duration, or a number of days (`7d`), which have 24 hours here.
fn parse_days(text: &str) -> Result<std::time::Duration, String> {
    match text.strip_suffix('d').map(str::parse::<u32>) {
        Some(Ok(days)) => Ok(std::time::Duration::from_secs(u64::from(days) * 86_400)),
        _ => parse_duration(text),
    }
}

/// Runs the command that the arguments name.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    start_logging(cli.common.log_format);
    match execute(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let usage = error.downcast_ref::<crate::config::ConfigError>().is_some();
            print_error(&error);
            ExitCode::from(if usage { 2 } else { 1 })
        }
    }
}

#[expect(clippy::print_stderr, reason = "the last word of a command that failed")]
fn print_error(error: &anyhow::Error) {
    eprintln!("millwright: {error:#}");
}

fn execute(cli: Cli) -> anyhow::Result<()> {
    let mut config = Config::load(cli.common.config.as_deref(), std::env::vars())?;
    if let Some(dir) = cli.common.data_dir {
        config.data_dir = dir;
    }
    let output = if cli.common.json { Output::Json } else { Output::Text };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match cli.command {
        Command::Serve { listen } => {
            config.listen = listen.unwrap_or(config.listen);
            runtime.block_on(commands::serve::run(config))
        }
        Command::Demo(arguments) => runtime.block_on(commands::demo::run(config, arguments, output)),
        Command::Import(arguments) => runtime.block_on(commands::import::run(config, arguments, output)),
        Command::Model(ModelArguments { command }) => runtime.block_on(commands::model::run(command, output)),
        Command::Package(PackageArguments { command }) => runtime.block_on(commands::package::run(command, output)),
        Command::Retention(arguments) => runtime.block_on(commands::erase::retention(arguments, output)),
        Command::Erase(arguments) => runtime.block_on(commands::erase::run(arguments, output)),
        Command::Verify(arguments) => runtime.block_on(commands::verify::run(config, arguments, output)),
        Command::Mcp { server, token } => runtime.block_on(crate::mcp::serve_stdio(&server, token)),
        Command::Seal => runtime.block_on(commands::seal::run(&config, output)),
        Command::Gc { dry_run, grace } => runtime.block_on(commands::gc::run(&config, grace, dry_run, output)),
        Command::Replay { to } => runtime.block_on(commands::replay::run(&config, to.as_deref(), output)),
        Command::Rebuild { projections } => runtime.block_on(commands::rebuild::run(config, &projections, output)),
        Command::Backup { to, check } => runtime.block_on(commands::backup::run(&config, &to, check, output)),
        Command::Restore { from, to } => {
            runtime.block_on(commands::backup::restore(&config, &from, to.as_deref(), output))
        }
        Command::Openapi => commands::openapi(),
        Command::Config => commands::config(&config),
        Command::TextOfPdf => crate::pdf::read_standard_input(),
    }
}

fn start_logging(format: LogFormat) {
    // Libraries speak up only when something is wrong; Millwright says what it does.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        EnvFilter::new(concat!(
            "warn,api=info,connectors=info,eventlog=info,knowledge=info,projections=info,registry=info,simulator=info,",
            // What matters of these is in the state of the source; their own lines repeat it, or complain of certificates that nobody asked for. The store below the graph
            // warns of being dropped when the program ends, after everything in it was synced.
            "rumqttd=off,opcua=off,opcua_client=off,opcua_core=off,opcua_crypto=off,opcua_server=off,surrealdb=error,",
            "surrealkv=error"
        ))
    });
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => builder.with_target(false).compact().init(),
        LogFormat::Json => builder.json().init(),
    }
}
