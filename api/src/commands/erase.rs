//! `millwright erase`: through a server, so that the rules decide, and so that what reads the log forgets at once.

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::cli::{EraseArguments, Output};
use crate::commands::print;

/// Asks the server to erase, and prints what became of it.
///
/// # Errors
/// When the server does not answer, or refuses; the error has its reason.
pub async fn run(arguments: EraseArguments, output: Output) -> anyhow::Result<()> {
    let EraseArguments { subject, reason, basis, requested_by, server, token } = arguments;
    let address = format!("{}/api/v1/erasures", server.trim_end_matches('/'));
    let body = json!({"subject": subject, "reason": reason, "basis": basis, "requested_by": requested_by});
    let mut request = reqwest::Client::new().post(&address).json(&body);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let response = request.send().await.with_context(|| format!("POST {address}; is the server running?"))?;
    let status = response.status();
    let text = response.text().await.with_context(|| format!("POST {address}"))?;
    let answer: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
    if !status.is_success() {
        bail!("the server refuses ({status}): {}", answer["detail"].as_str().unwrap_or_default());
    }
    print(output, &answer, describe)
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
