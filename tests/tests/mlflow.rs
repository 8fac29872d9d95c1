//! MLflow's REST API: its real client, the rules of its protocol, and what somebody might send to break it.

#![allow(clippy::indexing_slicing, reason = "JSON that is not as expected must fail the test, also in its helpers")]

#[path = "mlflow/dialogue.rs"]
mod dialogue;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use reqwest::Method;
use serde_json::{Value, json};
use tests::peers::mlflow_python;
use tests::process::Server;
use tests::{skipped, workspace};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const API: &str = "/api/2.0/mlflow";
const FILES: &str = "/api/2.0/mlflow-artifacts/artifacts";

/// A client of the protocol.
struct Mlflow {
    base: String,
    http: reqwest::Client,
    authorization: Option<String>,
}

impl Mlflow {
    fn of(server: &Server) -> Self {
        Self { base: server.client.base().to_owned(), http: reqwest::Client::new(), authorization: None }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.authorization {
            Some(value) => request.header("authorization", value),
            None => request,
        }
    }

    /// A request with a JSON body; the status and the JSON of the answer.
    async fn call(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        let method = Method::from_bytes(method.as_bytes())?;
        let request = self.request(method.clone(), path);
        let request = if method == Method::GET { request } else { request.json(body) };
        let response = request.send().await.with_context(|| format!("{method} {path}"))?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        let value = serde_json::from_str(&text).with_context(|| format!("{method} {path}: {status} {text}"))?;
        Ok((status, value))
    }

    /// The JSON of an answer that must be good.
    async fn must(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let (status, value) = self.call(method, path, body).await?;
        anyhow::ensure!(status == 200, "{method} {path} {body}: {status} {value}");
        Ok(value)
    }

    /// Expects a refusal in the protocol's form.
    async fn refused(&self, method: &str, path: &str, body: &Value, expected: (u16, &str, &str)) -> anyhow::Result<()> {
        let (status, value) = self.call(method, path, body).await?;
        let (code, message) = (value["error_code"].as_str(), value["message"].as_str().unwrap_or_default());
        let fits = (status, code) == (expected.0, Some(expected.1)) && message.contains(expected.2);
        let shown: String = body.to_string().chars().take(200).collect();
        anyhow::ensure!(fits, "{method} {path} {shown}: {status} {value}, expected {expected:?}");
        Ok(())
    }

    async fn put(&self, path: &str, content: impl Into<reqwest::Body>) -> anyhow::Result<(u16, String)> {
        let response = self.request(Method::PUT, path).body(content).send().await?;
        Ok((response.status().as_u16(), response.text().await?))
    }

    /// A request that no client would write, as it is; the whole answer.
    async fn by_hand(&self, request: &str) -> anyhow::Result<String> {
        let address = self.base.trim_start_matches("http://");
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        let head = format!("{request} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    async fn experiment(&self, name: &str) -> anyhow::Result<String> {
        let made = self.must("POST", &format!("{API}/experiments/create"), &json!({ "name": name })).await?;
        Ok(made["experiment_id"].as_str().context("no experiment_id")?.to_owned())
    }

    async fn run(&self, experiment: &str) -> anyhow::Result<String> {
        let body = json!({ "experiment_id": experiment, "user_id": "ann", "start_time": 1, "run_name": "r" });
        let made = self.must("POST", &format!("{API}/runs/create"), &body).await?;
        Ok(made["run"]["info"]["run_id"].as_str().context("no run_id")?.to_owned())
    }
}

async fn server() -> anyhow::Result<(tempfile::TempDir, Server, Mlflow)> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"), None).await?;
    let mlflow = Mlflow::of(&server);
    Ok((dir, server, mlflow))
}

/// Runs one half of the client's life, and answers how much it compared.
fn client(python: &str, half: &str, server: &Server, folder: &Path) -> anyhow::Result<u64> {
    let output = Command::new(python)
        .arg(workspace().join("tests/peers/mlflow_client.py"))
        .arg(half)
        .arg(folder)
        .env("MLFLOW_TRACKING_URI", server.client.base())
        .current_dir(folder)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{half}: {text}\n{complaint}\n{}", server.output());
    let last: Value = serde_json::from_str(text.lines().last().unwrap_or_default()).context(text.clone())?;
    last["checks"].as_u64().context("no count")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_client_trains_registers_loads_and_finds_everything_again_after_a_restart() -> anyhow::Result<()> {
    let Some(python) = mlflow_python() else { return Ok(()) };
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    let server = Server::start(&data, None).await?;
    let before = client(&python, "before", &server, dir.path())?;
    server.stop().await?;
    let server = Server::start(&data, None).await?;
    let after = client(&python, "after", &server, dir.path())?;
    assert!(before >= 35 && after >= 15, "only {before} and {after} things were compared");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_answers_follow_the_rules_of_the_protocol() -> anyhow::Result<()> {
    let (_dir, server, mlflow) = server().await?;
    let experiment = mlflow.experiment("rules").await?;
    let run = mlflow.run(&experiment).await?;

    // Whole numbers as numbers or texts, both names of a run's id, unknown fields, floats that are none.
    for (value, timestamp, step) in [
        (json!(1.5), json!(10), json!("1")),
        (json!("NaN"), json!("11"), json!(2)),
        (json!("-Infinity"), json!(12), json!(3.0)),
    ] {
        let body = json!({ "run_uuid": run, "key": "m", "value": value, "timestamp": timestamp, "step": step, "unheard_of": [1] });
        mlflow.must("POST", &format!("{API}/runs/log-metric"), &body).await?;
    }
    let path = format!("{API}/metrics/get-history?run_id={run}&metric_key=m");
    let history = mlflow.must("GET", &path, &Value::Null).await?;
    let expected = json!({ "metrics": [
        { "key": "m", "value": 1.5, "timestamp": 10, "step": 1 },
        { "key": "m", "value": "NaN", "timestamp": 11, "step": 2 },
        { "key": "m", "value": "-Infinity", "timestamp": 12, "step": 3 },
    ] });
    assert_eq!(history, expected);

    // What is not set is left out, and the same is said at the addresses of MLflow's page.
    let made = mlflow.must("GET", &format!("/ajax-api/2.0/mlflow/runs/get?run_id={run}"), &Value::Null).await?;
    let info = json!({
        "run_uuid": run, "run_id": run, "experiment_id": experiment, "run_name": "r", "user_id": "ann", "status": "RUNNING", "start_time": 1,
        "artifact_uri": format!("mlflow-artifacts:/{experiment}/{run}/artifacts"), "lifecycle_stage": "active",
    });
    assert_eq!(
        (&made["run"]["info"], &made["run"]["inputs"], made["run"].get("outputs")),
        (&info, &json!({}), Some(&json!({})))
    );
    let nothing = mlflow.must("GET", &format!("{API}/model-versions/search"), &Value::Null).await?;
    assert_eq!(nothing, json!({}));

    let refusals = [
        (
            "POST",
            "/experiments/create",
            json!({ "name": 123 }),
            (400, "INVALID_PARAMETER_VALUE", "Invalid value 123 for parameter 'name' supplied"),
        ),
        (
            "POST",
            "/experiments/create",
            json!({}),
            (400, "INVALID_PARAMETER_VALUE", "Missing value for required parameter 'name'."),
        ),
        (
            "POST",
            "/experiments/create",
            json!({ "name": "rules" }),
            (400, "RESOURCE_ALREADY_EXISTS", "Experiment(name=rules) already exists."),
        ),
        (
            "POST",
            "/experiments/create",
            json!({ "name": "x", "artifact_location": "mlflow-artifacts:/../x" }),
            (400, "INVALID_PARAMETER_VALUE", "artifact location"),
        ),
        ("GET", "/experiments/get?experiment_id=77", Value::Null, (404, "RESOURCE_DOES_NOT_EXIST", "77")),
        (
            "GET",
            "/experiments/get-by-name?experiment_name=none",
            Value::Null,
            (404, "RESOURCE_DOES_NOT_EXIST", "Could not find experiment with name 'none'"),
        ),
        ("GET", "/runs/get?run_id=abc", Value::Null, (404, "RESOURCE_DOES_NOT_EXIST", "Run with id=abc not found")),
        (
            "POST",
            "/runs/log-metric",
            json!({ "run_id": run, "key": "m", "value": 1, "timestamp": "soon" }),
            (400, "INVALID_PARAMETER_VALUE", "Invalid value \"soon\" for parameter 'timestamp'"),
        ),
        (
            "POST",
            "/runs/log-batch",
            json!({ "run_id": run, "metrics": [{ "key": "m", "value": 1 }] }),
            (400, "INVALID_PARAMETER_VALUE", "Missing value for required parameter 'metrics[0].timestamp'"),
        ),
        (
            "POST",
            "/runs/update",
            json!({ "run_id": run, "status": "RESTING" }),
            (400, "INVALID_PARAMETER_VALUE", "'status'"),
        ),
        (
            "POST",
            "/runs/search",
            json!({ "experiment_ids": [experiment], "max_results": 123_456_789 }),
            (400, "INVALID_PARAMETER_VALUE", "Invalid value 123456789 for parameter 'max_results' supplied"),
        ),
        (
            "POST",
            "/runs/search",
            json!({ "experiment_ids": [experiment], "page_token": "???" }),
            (400, "INVALID_PARAMETER_VALUE", "page token"),
        ),
        (
            "POST",
            "/runs/search",
            json!({ "experiment_ids": [experiment], "filter": "metrics.m ~ 3" }),
            (400, "INVALID_PARAMETER_VALUE", ""),
        ),
        (
            "GET",
            "/registered-models/get?name=nope",
            Value::Null,
            (404, "RESOURCE_DOES_NOT_EXIST", "Registered Model with name=nope not found"),
        ),
        (
            "GET",
            "/model-versions/get?name=nope&version=1",
            Value::Null,
            (404, "RESOURCE_DOES_NOT_EXIST", "Model Version (name=nope, version=1) not found"),
        ),
        (
            "POST",
            "/model-versions/create",
            json!({ "name": "nope", "source": "s3://x/y" }),
            (404, "RESOURCE_DOES_NOT_EXIST", "Registered Model with name=nope not found"),
        ),
        ("GET", "/traces/tr-1", Value::Null, (404, "ENDPOINT_NOT_FOUND", "/traces/tr-1")),
        ("GET", "/runs/create", Value::Null, (405, "ENDPOINT_NOT_FOUND", "GET")),
        ("PUT", "/nothing/at/all", json!({}), (404, "ENDPOINT_NOT_FOUND", "nothing")),
    ];
    for (method, path, body, expected) in refusals {
        mlflow.refused(method, &format!("{API}{path}"), &body, expected).await?;
    }

    // Bodies that are no JSON, no object, or of another type.
    let path = format!("{API}/experiments/create");
    for (kind, body, said) in [
        ("application/json", "{\"name\": ", "not valid JSON"),
        ("application/json", "[1]", "must be a JSON object"),
        ("text/plain", "{\"name\": \"x\"}", "Content-Type must be one of ['application/json']"),
    ] {
        let response = mlflow.request(Method::POST, &path).header("content-type", kind).body(body).send().await?;
        assert_eq!(response.status().as_u16(), 400);
        let answer: Value = response.json().await?;
        assert!(
            answer["error_code"] == "INVALID_PARAMETER_VALUE"
                && answer["message"].as_str().is_some_and(|text| text.contains(said)),
            "{answer}"
        );
    }
    let response = mlflow.request(Method::POST, &path).body("{}").send().await?;
    assert_eq!(response.json::<Value>().await?["message"], "Bad Request. Content-Type header is missing.");

    // What says what this is.
    let (status, version) = server.client.text("/version").await?;
    assert!(status.is_success() && version.starts_with('3'), "{version}");
    let about = mlflow.must("GET", "/api/3.0/mlflow/server-info", &Value::Null).await?;
    assert_eq!((&about["workspaces_enabled"], &about["multipart_uploads_enabled"]), (&json!(false), &json!(false)));
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_the_same_thing_over_both_interfaces() -> anyhow::Result<()> {
    let (_dir, server, mlflow) = server().await?;
    mlflow
        .must("POST", &format!("{API}/registered-models/create"), &json!({ "name": "over mlflow", "description": "d" }))
        .await?;
    let body = json!({ "model": "over-api", "kind": "mechanism", "description": { "en": "natively" } });
    server.client.must_post("/api/v1/models", &body).await?;

    let found = mlflow.must("GET", &format!("{API}/registered-models/search?order_by=name"), &Value::Null).await?;
    let names: Vec<_> =
        found["registered_models"].as_array().into_iter().flatten().map(|model| &model["name"]).collect();
    assert_eq!(names, ["over mlflow", "over-api"]);
    let listed = server.client.get("/api/v1/models").await?.to_string();
    assert!(listed.contains("over mlflow") && listed.contains("over-api"), "{listed}");
    mlflow
        .refused(
            "POST",
            &format!("{API}/registered-models/create"),
            &json!({ "name": "over-api" }),
            (400, "RESOURCE_ALREADY_EXISTS", "over-api"),
        )
        .await?;
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_refuses_a_protected_alias_and_says_what_is_missing() -> anyhow::Result<()> {
    let (_dir, server, mlflow) = server().await?;
    mlflow.must("POST", &format!("{API}/registered-models/create"), &json!({ "name": "m" })).await?;
    for _ in 0..2 {
        let version = json!({ "name": "m", "source": "s3://bucket/model" });
        mlflow.must("POST", &format!("{API}/model-versions/create"), &version).await?;
    }
    let alias = |name: &str, version: &str| json!({ "name": "m", "alias": name, "version": version });
    let path = format!("{API}/registered-models/alias");
    mlflow.must("POST", &path, &alias("champion", "1")).await?;
    let gate = json!({"guards": [{"alias": "champion"}], "approvals": 1});
    let put = mlflow.request(Method::PUT, "/api/v1/gates/release").json(&gate).send().await?;
    assert_eq!(put.status().as_u16(), 200);

    mlflow.refused("POST", &path, &alias("champion", "2"), (403, "PERMISSION_DENIED", "approvals")).await?;
    let read = format!("{path}?name=m&alias=champion");
    let found = mlflow.must("GET", &read, &Value::Null).await?;
    assert_eq!(found["model_version"]["version"], "1", "a refused promotion changes nothing");
    mlflow.must("POST", &path, &alias("candidate", "2")).await?;
    let approve = "/api/v1/models/m/versions/2/approvals";
    server.client.must_post(approve, &json!({"person": "P-2"})).await?;
    mlflow.must("POST", &path, &alias("champion", "2")).await?;
    let found = mlflow.must("GET", &read, &Value::Null).await?;
    assert_eq!(found["model_version"]["version"], "2");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_streamed_listed_and_frozen_into_versions() -> anyhow::Result<()> {
    let (_dir, server, mlflow) = server().await?;
    let experiment = mlflow.experiment("files").await?;
    let run = mlflow.run(&experiment).await?;
    let root = format!("{FILES}/{experiment}/{run}/artifacts");

    // Larger than a JSON body may be, and what looks like a bomb is bytes like others.
    let large: Vec<u8> = (0..40_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let bomb = [b"PK\x03\x04".as_slice(), &[0; 4096], &[0xff; 4096]].concat();
    for (name, content) in [
        ("model/weights.bin", large.clone()),
        ("model/bomb.zip", bomb.clone()),
        ("model/MLmodel", b"flavors: {}".to_vec()),
        ("empty", Vec::new()),
    ] {
        assert_eq!(mlflow.put(&format!("{root}/{name}"), content).await?, (200, "{}".to_owned()), "{name}");
    }
    let (status, headers, content) = server.client.bytes_with_headers(&format!("{root}/model/weights.bin")).await?;
    assert!(status.is_success() && content == large, "{status}, {} bytes", content.len());
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    assert_eq!(
        (header("content-type"), header("content-disposition"), header("x-content-type-options")),
        ("application/octet-stream".to_owned(), "attachment; filename=weights.bin".to_owned(), "nosniff".to_owned())
    );
    assert_eq!(server.client.bytes(&format!("{root}/empty")).await?, b"");

    let list = mlflow.must("GET", &format!("{FILES}?path={experiment}/{run}/artifacts"), &Value::Null).await?;
    assert_eq!(
        list,
        json!({ "files": [{ "path": "empty", "is_dir": false, "file_size": 0 }, { "path": "model", "is_dir": true }] })
    );
    let list = mlflow.must("GET", &format!("{API}/artifacts/list?run_id={run}&path=model"), &Value::Null).await?;
    let paths: Vec<_> = list["files"].as_array().into_iter().flatten().map(|file| &file["path"]).collect();
    assert_eq!(paths, ["model/MLmodel", "model/bomb.zip", "model/weights.bin"]);
    assert_eq!(mlflow.must("GET", &format!("{FILES}?path=nowhere"), &Value::Null).await?, json!({}));

    // A version keeps what it was made from.
    mlflow.must("POST", &format!("{API}/registered-models/create"), &json!({ "name": "m" })).await?;
    let body = json!({ "name": "m", "source": format!("runs:/{run}/model"), "run_id": run });
    mlflow.must("POST", &format!("{API}/model-versions/create"), &body).await?;
    mlflow.put(&format!("{root}/model/MLmodel"), "flavors: {evil: {}}").await?;
    let uri =
        mlflow.must("GET", &format!("{API}/model-versions/get-download-uri?name=m&version=1"), &Value::Null).await?;
    let frozen = uri["artifact_uri"]
        .as_str()
        .context("no uri")?
        .strip_prefix("mlflow-artifacts:/")
        .context("elsewhere")?
        .to_owned();
    assert_eq!(server.client.bytes(&format!("{FILES}/{frozen}/MLmodel")).await?, b"flavors: {}");
    assert_eq!(server.client.bytes(&format!("{FILES}/{frozen}/bomb.zip")).await?, bomb);
    assert_eq!(server.client.bytes(&format!("{root}/model/MLmodel")).await?, b"flavors: {evil: {}}");
    let list = mlflow.must("GET", &format!("{FILES}?path={frozen}"), &Value::Null).await?;
    assert_eq!(list["files"].as_array().map(Vec::len), Some(3), "{list}");
    let (status, answer) = mlflow.put(&format!("{FILES}/{frozen}/MLmodel"), "x").await?;
    assert!(status == 403 && answer.contains("PERMISSION_DENIED"), "{status} {answer}");
    mlflow
        .refused("DELETE", &format!("{FILES}/{frozen}"), &json!({}), (403, "PERMISSION_DENIED", "never change"))
        .await?;
    let by_name = server.client.bytes("/model-versions/get-artifact?name=m&version=1&path=MLmodel").await?;
    assert_eq!(by_name, b"flavors: {}");

    // What is removed is gone from the run, and not from the version.
    mlflow.must("DELETE", &format!("{root}/model"), &json!({})).await?;
    mlflow
        .refused(
            "GET",
            &format!("{root}/model/MLmodel"),
            &Value::Null,
            (404, "RESOURCE_DOES_NOT_EXIST", "No such artifact"),
        )
        .await?;
    mlflow
        .refused("GET", &format!("{root}/model"), &Value::Null, (404, "RESOURCE_DOES_NOT_EXIST", "No such artifact"))
        .await?;
    assert_eq!(server.client.bytes(&format!("{FILES}/{frozen}/weights.bin")).await?, large);

    // Files whole, or not at all; and MLflow's page has addresses of its own.
    for path in ["mpu/create/x", "mpu/complete/x", "mpu/abort/x"] {
        mlflow
            .refused(
                "POST",
                &format!("/api/2.0/mlflow-artifacts/{path}"),
                &json!({}),
                (501, "NOT_IMPLEMENTED", "whole"),
            )
            .await?;
    }
    let upload = format!("/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path=note.txt");
    let response = mlflow.request(Method::POST, &upload).body("hello").send().await?;
    assert!(response.status().is_success());
    assert_eq!(server.client.bytes(&format!("/get-artifact?run_uuid={run}&path=note.txt")).await?, b"hello");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn malicious_input_gets_a_clear_error_and_nothing_else() -> anyhow::Result<()> {
    let (dir, server, mlflow) = server().await?;
    let experiment = mlflow.experiment("attacks").await?;
    let run = mlflow.run(&experiment).await?;
    std::fs::write(dir.path().join("secret"), "secret")?;

    // Ways out of the tree of files, in every encoding. Clients resolve the plainest ones themselves: those are written by hand.
    for path in ["../secret", "%2e%2e/secret", "a/../../../../../../etc/passwd", ".%2E/.%2e/secret"] {
        let answer = mlflow.by_hand(&format!("GET {FILES}/{path}")).await?;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("Invalid path"), "{path}: {answer}");
    }
    for path in [
        "%2e%2e%2fsecret",
        "..%2f..%2fsecret",
        "a/%252e%252e/%252e%252e/secret",
        "%2fetc%2fpasswd",
        "a%5c..%5cb",
        "a%00b",
        "a%0ab",
        "%43:%2fx",
        "file:%2f%2f%2fetc%2fpasswd",
        "a%2f%2fb",
        "%ff%fe",
    ] {
        for method in ["GET", "DELETE"] {
            let (status, answer) = mlflow.call(method, &format!("{FILES}/{path}"), &json!({})).await?;
            assert!(status == 400 && answer["error_code"].is_string(), "{method} {path}: {status} {answer}");
        }
        let (status, answer) = mlflow.put(&format!("{FILES}/{path}"), "x").await?;
        assert_eq!(status, 400, "PUT {path}: {answer}");
    }
    for path in ["../secret", "a/../../secret", "/etc/passwd", "a\\b", "#", "%2e%2e"] {
        for address in [
            format!("{API}/artifacts/list?run_id={run}&path="),
            format!("{FILES}?path="),
            format!("/get-artifact?run_id={run}&path="),
            "/model-versions/get-artifact?name=m&version=1&path=".to_owned(),
        ] {
            let encoded: String = path.bytes().map(|byte| format!("%{byte:02x}")).collect();
            mlflow
                .refused(
                    "GET",
                    &format!("{address}{encoded}"),
                    &Value::Null,
                    (400, "INVALID_PARAMETER_VALUE", "Invalid path"),
                )
                .await?;
        }
    }
    assert_eq!(mlflow.must("GET", FILES, &Value::Null).await?, json!({}), "nothing was stored");

    // Sources of versions.
    mlflow.must("POST", &format!("{API}/registered-models/create"), &json!({ "name": "m" })).await?;
    for source in [
        "mlflow-artifacts:/../../etc",
        "mlflow-artifacts:/x/%252e%252e/y",
        "http://h/a/../b",
        "s3://b/x%00",
        "/etc/passwd",
        "file:///etc/passwd",
        "models:/m-nothing",
        "models:/m/99",
    ] {
        let (status, answer) = mlflow
            .call(
                "POST",
                &format!("{API}/model-versions/create"),
                &json!({ "name": "m", "source": source, "run_id": run }),
            )
            .await?;
        assert!(
            (400..500).contains(&status) && answer["message"].as_str().is_some_and(|text| text.contains(source)),
            "{source}: {status} {answer}"
        );
    }

    // Names with every trick are refused, or kept exactly as they are.
    let mut kept = Vec::new();
    for name in [
        "",
        " ",
        "\u{3000}",
        "a/b",
        "a:b",
        "..",
        ".",
        "a\0b",
        "a\nb",
        "\u{7f}",
        &"长".repeat(400),
        "e\u{301}",
        "é",
        "\u{202e}pump",
        "pu\u{200b}mp",
        "ｐｕｍｐ",
        "𝒑",
        "\u{feff}x",
        "🧵",
        "İ",
        "ß",
    ] {
        let (status, answer) =
            mlflow.call("POST", &format!("{API}/registered-models/create"), &json!({ "name": name })).await?;
        if status == 200 {
            assert_eq!(answer["registered_model"]["name"], name);
            kept.push(name.to_owned());
        } else {
            assert!(status == 400 && answer["error_code"] == "INVALID_PARAMETER_VALUE", "{name:?}: {status} {answer}");
        }
    }
    assert_eq!(kept.len(), 10, "{kept:?}");
    for name in &kept {
        let encoded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let found = mlflow.must("GET", &format!("{API}/registered-models/get?name={encoded}"), &Value::Null).await?;
        assert_eq!(found["registered_model"]["name"], **name);
    }
    for key in ["a!b", "\u{202e}", "../x", "", &"k".repeat(251)] {
        let body = json!({ "name": "m", "key": key, "value": "v" });
        mlflow
            .refused(
                "POST",
                &format!("{API}/registered-models/set-tag"),
                &body,
                (400, "INVALID_PARAMETER_VALUE", "key"),
            )
            .await?;
        let body = json!({ "run_id": run, "key": key, "value": "v" });
        mlflow.refused("POST", &format!("{API}/runs/set-tag"), &body, (400, "INVALID_PARAMETER_VALUE", "key")).await?;
    }

    // Filters that explode, tokens that are none, numbers beyond all bounds.
    let many = vec!["name = 'x'"; 5_000].join(" AND ");
    let deep = format!("{}name = 'x'{}", "(".repeat(50_000), ")".repeat(50_000));
    let pattern = format!("name LIKE '{}'", "%a".repeat(30_000));
    let list = format!("name IN ({})", vec!["'x'"; 20_000].join(","));
    for filter in [
        many.as_str(),
        deep.as_str(),
        pattern.as_str(),
        list.as_str(),
        "name = 'x",
        "name LIKE",
        "; DROP TABLE runs",
        "tags.`x = 'y'",
        "\0",
    ] {
        let body = json!({ "experiment_ids": [experiment], "filter": filter });
        mlflow.refused("POST", &format!("{API}/runs/search"), &body, (400, "INVALID_PARAMETER_VALUE", "")).await?;
        mlflow
            .refused("POST", &format!("{API}/logged-models/search"), &body, (400, "INVALID_PARAMETER_VALUE", ""))
            .await?;
    }
    for token in ["x", "eyJvZmZzZXQiOi0xfQ==", "////", &"A".repeat(100_000)] {
        let body = json!({ "experiment_ids": [experiment], "page_token": token });
        mlflow
            .refused("POST", &format!("{API}/runs/search"), &body, (400, "INVALID_PARAMETER_VALUE", "page token"))
            .await?;
    }
    for most in [json!(0), json!(-1), json!(9e99), json!("99999999999999999999")] {
        let body = json!({ "experiment_ids": [experiment], "max_results": most });
        mlflow
            .refused("POST", &format!("{API}/runs/search"), &body, (400, "INVALID_PARAMETER_VALUE", "max_results"))
            .await?;
    }

    // Bodies that are too large, too deep, or too many.
    // Barely too large, so that all of it is sent before the answer closes the connection.
    let body = json!({ "run_id": run, "key": "k", "value": "x".repeat(16 * 1024 * 1024 + 100) });
    mlflow.refused("POST", &format!("{API}/runs/set-tag"), &body, (413, "INVALID_PARAMETER_VALUE", "larger")).await?;
    let nested = format!("{{\"name\": {}1{}}}", "[".repeat(50_000), "]".repeat(50_000));
    let path = format!("{API}/experiments/create");
    let response =
        mlflow.request(Method::POST, &path).header("content-type", "application/json").body(nested).send().await?;
    assert_eq!(response.status().as_u16(), 400);
    let metric = json!({ "key": "m", "value": 1, "timestamp": 1 });
    let body = json!({ "run_id": run, "metrics": vec![metric; 1_001] });
    mlflow
        .refused(
            "POST",
            &format!("{API}/runs/log-batch"),
            &body,
            (400, "INVALID_PARAMETER_VALUE", "at most 1000 metrics"),
        )
        .await?;

    let kept = mlflow.must("GET", &format!("{API}/runs/get?run_id={run}"), &Value::Null).await?;
    assert!(kept["run"]["data"].get("metrics").is_none(), "nothing of a refused batch is kept: {kept}");
    assert!(server.client.is_ready().await);
    assert!(!server.output().contains("panicked"), "{}", server.output());
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_those_of_the_native_interface() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let config = dir.path().join("millwright.toml");
    let token = |name: &str, role: &str, token: &str| {
        format!(
            "[[tokens]]\nname = \"{name}\"\nrole = \"{role}\"\nsha256 = \"{}\"\n",
            eventlog::Digest::of(token.as_bytes())
        )
    };
    std::fs::write(&config, token("ann", "engineer", "anns") + &token("vic", "viewer", "vics"))?;
    let server = Server::start(&dir.path().join("data"), Some(&config)).await?;
    let mut mlflow = Mlflow::of(&server);
    let create = format!("{API}/registered-models/create");
    let get = format!("{API}/registered-models/get?name=m");
    mlflow.refused("POST", &create, &json!({ "name": "m" }), (401, "UNAUTHENTICATED", "Authorization")).await?;
    mlflow.refused("GET", &format!("{API}/no/such"), &Value::Null, (404, "ENDPOINT_NOT_FOUND", "no/such")).await?;
    mlflow.authorization = Some("Bearer anns".to_owned());
    mlflow.must("POST", &create, &json!({ "name": "m" })).await?;
    // `Basic` with the token as the password: `anybody:vics`.
    mlflow.authorization = Some("Basic YW55Ym9keTp2aWNz".to_owned());
    mlflow.must("GET", &get, &Value::Null).await?;
    mlflow.refused("POST", &create, &json!({ "name": "n" }), (403, "PERMISSION_DENIED", "change models")).await?;
    let (status, answer) = mlflow.put(&format!("{FILES}/x"), "x").await?;
    assert!(status == 403 && answer.contains("PERMISSION_DENIED"), "{status} {answer}");
    mlflow.authorization = Some("Bearer wrong".to_owned());
    mlflow.refused("GET", &get, &Value::Null, (401, "UNAUTHENTICATED", "")).await?;
    server.stop().await
}
