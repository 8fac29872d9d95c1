//! An assistant asks the real binary, with the protocol's own client library.

#![allow(clippy::indexing_slicing, reason = "JSON that is not as expected must fail the test, also in its helpers")]

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tests::peers::python_with;
use tests::process::{Server, binary};
use tests::workspace;

fn asked(python: &str, arguments: &[&str]) -> anyhow::Result<Value> {
    let script = workspace().join("tests/peers/mcp_client.py");
    let output = Command::new(python).arg(script).args(arguments).output()?;
    ensure!(output.status.success(), "the client failed: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("the client's answer is no JSON")
}

async fn mill(dir: &Path) -> anyhow::Result<Server> {
    let server = Server::start(dir, None).await?;
    let yarn = json!({"type": "lot.created", "time": "2026-03-01T08:00:00Z", "data": {"lot": "Y-1", "material": "cotton", "kind": "yarn"}});
    let roll = json!({"type": "lot.produced", "time": "2026-03-01T09:00:00Z",
        "data": {"lot": "R-7/第1卷", "order": "JO-1", "quantity": {"value": 100.0, "unit": "m"}, "from": [{"lot": "Y-1"}]}});
    let (status, answer) = server.client.post("/api/v1/events", &json!([yarn, roll])).await?;
    ensure!(status == 201, "{answer}");
    let position = answer["last"].as_u64().context("no position")?;
    server.client.get(&format!("/api/v1/trace/lot/Y-1?min_position={position}")).await?;
    Ok(server)
}

fn check(told: &Value) {
    assert_eq!(told["server"], "millwright");
    assert!(told["instructions"].as_str().is_some_and(|text| text.contains("position")), "{told}");
    let tools = &told["tools"];
    assert!(tools.as_object().is_some_and(|tools| tools.len() >= 20), "{tools}");
    // What was diagnosed is noted in the log; everything else changes nothing.
    let writes = |(name, tool): (&String, &Value)| (tool["read_only"] != true).then(|| name.clone());
    assert_eq!(tools.as_object().into_iter().flatten().filter_map(writes).collect::<Vec<_>>(), ["diagnose"], "{tools}");
    assert_eq!(tools["trace"]["required"], json!(["kind", "id"]));

    assert_eq!(told["search"]["error"], false);
    assert!(told["search"]["answer"]["items"].is_array(), "{told}");
    // An id with a slash and Chinese characters finds its way, and the answer names its evidence.
    let nodes = told["trace"]["answer"]["nodes"].as_array().map(Vec::len);
    assert!(nodes.is_some_and(|count| count >= 2), "{}", told["trace"]);
    assert_eq!(told["event"]["answer"]["data"]["lot"], "Y-1", "{}", told["event"]);
    assert_eq!(told["diagnose"]["error"], false, "{}", told["diagnose"]);

    // What is not there is an answer that the assistant can act on; a call that cannot be is refused with the reason.
    assert_eq!(told["unknown_lot"]["error"], true);
    assert!(told["unknown_lot"]["answer"]["detail"].as_str().is_some_and(|text| text.contains("nothing-of-that-name")));
    let refusal = |call: &str| told[call]["refused"].as_str().unwrap_or_default().to_owned();
    assert!(refusal("no_such_parameter").contains("query is not a parameter"), "{told}");
    assert!(refusal("missing_parameter").contains("id is missing"), "{told}");
    assert!(refusal("no_such_tool").contains("there is no tool erase_everything"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assistant_asks_over_http_and_over_standard_input() -> anyhow::Result<()> {
    let Some(python) = python_with("mcp", "mcp==2.3.0") else { return Ok(()) };
    let dir = tempfile::tempdir()?;
    let server = mill(&dir.path().join("data")).await?;
    let base = server.client.base().to_owned();
    check(&asked(&python, &["http", &format!("{base}/mcp")])?);
    let program = binary()?;
    check(&asked(&python, &["stdio", &program.to_string_lossy(), &base])?);
    server.stop().await
}
