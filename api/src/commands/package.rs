//! `millwright package`: knowledge as a signed file from plant to plant. Export and import go through a running server; a file is checked without one.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::{Args, Subcommand};
use eventlog::transparency::VerifierKey;
use packages::{MAX_PACKAGE_BYTES, Package};
use reqwest::{RequestBuilder, Url};
use serde_json::{Value, json};

use super::model::arguments::ServerArguments;
use crate::cli::Output;
use crate::commands::print;

/// What `package` takes.
#[derive(Debug, Args)]
pub struct PackageArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: PackageCommand,
}

/// What can be done with packages.
#[derive(Debug, Subcommand)]
pub enum PackageCommand {
    /// Pack approved articles, procedures, rules and FMEA sheets with their files and proofs.
    Export {
        /// The pieces, by id.
        #[arg(required = true)]
        articles: Vec<String>,
        /// Where the package goes; a file that is there is not written over.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// The server.
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Check a package and bring it in: its pieces are drafts until somebody else approves them.
    Import {
        /// The package.
        file: PathBuf,
        /// The sender's verifier key, or a file that holds it, from a source that you trust.
        #[arg(long, value_name = "KEY|FILE")]
        vkey: String,
        /// Who brings it in, by id.
        #[arg(long, value_name = "PERSON")]
        person: String,
        /// What the names of the pieces begin with here (`mill-2/`).
        #[arg(long, default_value = "", value_name = "TEXT")]
        prefix: String,
        /// The server.
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Check a package and show what it holds, without a server.
    Verify {
        /// The package.
        file: PathBuf,
        /// The sender's verifier key, or a file that holds it, from a source that you trust.
        #[arg(long, value_name = "KEY|FILE")]
        vkey: String,
    },
}

/// Runs it.
///
/// # Errors
/// When a file cannot be read or written, when the package is not what it should be, or when the server refuses; the error has the reason.
pub async fn run(command: PackageCommand, output: Output) -> anyhow::Result<()> {
    match command {
        PackageCommand::Export { articles, out, server } => export(&articles, &out, &server, output).await,
        PackageCommand::Import { file, vkey, person, prefix, server } => {
            let (bytes, key) = (read(&file)?, key(&vkey)?);
            let package = Package::open(&bytes, &key).with_context(|| format!("{}", file.display()))?;
            let query = [("key", key.as_str()), ("person", person.as_str()), ("prefix", prefix.as_str())];
            let request = reqwest::Client::new().post(address(&server, &["packages"], &query)?).body(bytes);
            let answer: Value = serde_json::from_slice(&sent(request, &server).await?)?;
            print(output, &answer, |answer| imported(&package, answer))
        }
        PackageCommand::Verify { file, vkey } => {
            let package = Package::open(&read(&file)?, &key(&vkey)?).with_context(|| format!("{}", file.display()))?;
            print(output, &described(&package), shown)
        }
    }
}

async fn export(articles: &[String], out: &Path, server: &ServerArguments, output: Output) -> anyhow::Result<()> {
    let request = reqwest::Client::new()
        .post(address(server, &["packages", "export"], &[])?)
        .json(&json!({ "articles": articles }));
    let bytes = sent(request, server).await?;
    let mut file = std::fs::File::create_new(out).with_context(|| format!("making {}", out.display()))?;
    std::io::Write::write_all(&mut file, &bytes)
        .and_then(|()| file.sync_all())
        .with_context(|| format!("writing {}", out.display()))?;
    let written = json!({"file": out, "bytes": bytes.len(), "articles": articles});
    print(output, &written, |written| {
        format!("{} pieces are packed in {} ({} bytes)", articles.len(), out.display(), written["bytes"])
    })
}

fn address(server: &ServerArguments, parts: &[&str], query: &[(&str, &str)]) -> anyhow::Result<Url> {
    let mut url = Url::parse(&server.server).with_context(|| format!("the server {:?}", server.server))?;
    match url.path_segments_mut() {
        Ok(mut path) => {
            path.pop_if_empty().extend(["api", "v1"]).extend(parts);
        }
        Err(()) => bail!("the server {:?} is not an address", server.server),
    }
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    Ok(url)
}

async fn sent(request: RequestBuilder, server: &ServerArguments) -> anyhow::Result<Bytes> {
    let request = match &server.token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    let response = request.send().await.with_context(|| format!("{}; is the server running?", server.server))?;
    let status = response.status();
    let bytes = response.bytes().await.with_context(|| server.server.clone())?;
    if !status.is_success() {
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        bail!("the server refuses ({status}): {}", answer.get("detail").and_then(Value::as_str).unwrap_or_default());
    }
    Ok(bytes)
}

fn read(file: &Path) -> anyhow::Result<Bytes> {
    let length = std::fs::metadata(file).with_context(|| format!("reading {}", file.display()))?.len();
    if length > MAX_PACKAGE_BYTES as u64 {
        bail!("{} has {length} bytes, and {MAX_PACKAGE_BYTES} is the most", file.display());
    }
    Ok(std::fs::read(file).with_context(|| format!("reading {}", file.display()))?.into())
}

/// A key as text, or the file that holds it.
fn key(text: &str) -> anyhow::Result<VerifierKey> {
    if let Ok(key) = VerifierKey::parse(text) {
        return Ok(key);
    }
    let held = std::fs::read_to_string(text).with_context(|| format!("{text:?} is no verifier key, and no file"))?;
    Ok(VerifierKey::parse(&held)?)
}

fn described(package: &Package) -> Value {
    let pieces = package.pieces().iter().map(|piece| {
        let drafted = &piece.drafted;
        json!({
            "article": drafted.article, "revision": drafted.revision, "kind": drafted.kind, "title": drafted.title, "author": drafted.author,
            "approved_by": piece.reviewed.person, "position": piece.position, "evidence": drafted.evidence,
        })
    });
    json!({
        "package": package.digest().to_string(), "log": package.log(), "pieces": pieces.collect::<Vec<_>>(),
        "files": package.manifest().files, "records": package.manifest().records.len(),
    })
}

fn shown(package: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut lines = vec![format!("the package {} of {} is good:", text(&package["package"]), text(&package["log"]))];
    for piece in package["pieces"].as_array().into_iter().flatten() {
        let title = piece["title"].get("en").or_else(|| piece["title"].get("zh")).map(text).unwrap_or_default();
        lines.push(format!(
            "  {} revision {} ({}): {title}; approved by {} at position {}",
            text(&piece["article"]),
            piece["revision"],
            text(&piece["kind"]),
            text(&piece["approved_by"]),
            piece["position"]
        ));
    }
    let files = package["files"].as_array().map_or(0, Vec::len);
    lines.push(format!("  {} records are proven to be in that log; {files} files", package["records"]));
    lines.join("\n")
}

fn imported(package: &Package, answer: &Value) -> String {
    let names = |field: &str| {
        let names: Vec<&str> = answer[field].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        names.join(", ")
    };
    if answer["repeated"] == json!(true) {
        return format!("the package {} of {} was brought in before", package.digest(), package.log());
    }
    match (names("drafts"), names("known")) {
        (drafts, known) if drafts.is_empty() => format!("nothing new: {known} came before"),
        (drafts, known) if known.is_empty() => format!("drafts that wait for a review by somebody else: {drafts}"),
        (drafts, known) => format!("drafts that wait for a review by somebody else: {drafts}; came before: {known}"),
    }
}
