//! `millwright erase` and `millwright retention`: through a server, so that the rules decide, and so that what reads the log forgets at once.

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::cli::{EraseArguments, Output, RetentionArguments};
use crate::commands::print;

/// Asks the server to erase, and prints what became of it.
///
/// # Errors
/// When the server does not answer, or refuses; the error has its reason.
pub async fn run(arguments: EraseArguments, output: Output) -> anyhow::Result<()> {
    let EraseArguments { subject, reason, basis, requested_by, server, token } = arguments;
    let body = json!({"subject": subject, "reason": reason, "basis": basis, "requested_by": requested_by});
    let answer = ask(&server, "/api/v1/erasures", token, &body).await?;
    print(output, &answer, describe)
}

/// Asks the server to drop what has expired, and prints how much that was.
///
/// # Errors
/// When the server does not answer, or refuses; the error has its reason.
pub async fn retention(arguments: RetentionArguments, output: Output) -> anyhow::Result<()> {
    let RetentionArguments { dry_run, server, token } = arguments;
    let answer = ask(&server, "/api/v1/retention", token, &json!({"dry_run": dry_run})).await?;
    print(output, &answer, |answer| {
        let done =
            if dry_run { "would be dropped" } else { "were dropped; their digests and proofs stay as they were" };
        format!("the payloads of {} records with {} readings {done}", answer["records"], answer["readings"])
    })
}

async fn ask(server: &str, path: &str, token: Option<String>, body: &Value) -> anyhow::Result<Value> {
    let address = format!("{}{path}", server.trim_end_matches('/'));
    let mut request = reqwest::Client::new().post(&address).json(body);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let response = request.send().await.with_context(|| format!("POST {address}; is the server running?"))?;
    let status = response.status();
    let text = response.text().await.with_context(|| format!("POST {address}"))?;
    let answer: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
    if !status.is_success() {
        bail!("the server refuses ({status}): {}", answer.get("detail").and_then(Value::as_str).unwrap_or_default());
    }
    Ok(answer)
}

fn describe(answer: &Value) -> String {
    let mut text = format!(
        "{} is erased (position {}): {} records cannot be read any more; their digests and proofs stay as they were",
        answer["subject"].as_str().unwrap_or_default(),
        answer["position"],
        answer["records"],
    );
    if answer["forgotten"] != json!(true) {
        text.push_str("\nread models are still forgetting; /api/v1/projections says how far they are");
    }
    if answer["not_encrypted"].as_array().is_some_and(|positions| !positions.is_empty()) {
        text.push_str(&format!(
            "\nNOT erased, because they were logged before encryption: records {}",
            answer["not_encrypted"]
        ));
    }
    text
}
