//! Copies between servers by the command line, and webhooks of a running server.

#![allow(clippy::indexing_slicing, reason = "JSON that is not as expected must fail the test, also in its helpers")]

use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use tests::process::{Server, command, eventually};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// What MLflow's API of a server answers.
async fn ask(base: &str, method: Method, path: &str, body: Value) -> anyhow::Result<Value> {
    let request = reqwest::Client::new().request(method.clone(), format!("{base}/api/2.0/mlflow/{path}"));
    let request = if method == Method::GET { request } else { request.json(&body) };
    let answer = request.send().await?;
    let (status, text) = (answer.status(), answer.text().await?);
    ensure!(status.is_success(), "{method} {path}: {status} {text}");
    Ok(serde_json::from_str(&text)?)
}

async fn post(base: &str, path: &str, body: Value) -> anyhow::Result<Value> {
    ask(base, Method::POST, path, body).await
}

/// The JSON that a command prints.
async fn printed(arguments: &[&str]) -> anyhow::Result<Value> {
    let mut all = arguments.to_vec();
    all.push("--json");
    let mut command = command(&all)?;
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// A run with a history and a file, a logged model, and a registered model with an alias.
async fn fill(base: &str) -> anyhow::Result<()> {
    let made = post(base, "experiments/create", json!({ "name": "张力 tension" })).await?;
    let run = json!({ "experiment_id": made["experiment_id"], "run_name": "ridge", "start_time": 1_000 });
    let run = post(base, "runs/create", run).await?["run"]["info"].clone();
    let id = run["run_id"].as_str().context("a run has an id")?;
    let metrics: Vec<Value> = (0..1_500)
        .map(|step| json!({ "key": "loss", "value": 1.0 / f64::from(step + 1), "timestamp": step, "step": step }))
        .collect();
    for metrics in metrics.chunks(1_000) {
        post(base, "runs/log-batch", json!({ "run_id": id, "metrics": metrics })).await?;
    }
    post(base, "runs/log-batch", json!({ "run_id": id, "params": [{ "key": "alpha", "value": "0.1" }] })).await?;
    let model = json!({ "experiment_id": made["experiment_id"], "name": "model", "source_run_id": id });
    let model = post(base, "logged-models", model).await?["model"]["info"].clone();
    let model_id = model["model_id"].as_str().context("a logged model has an id")?;
    for (uri, name) in [(&run["artifact_uri"], "残差.txt"), (&model["artifact_uri"], "MLmodel")] {
        let path =
            uri.as_str().and_then(|uri| uri.strip_prefix("mlflow-artifacts:/")).context("the server keeps it")?;
        let address = format!("{base}/api/2.0/mlflow-artifacts/artifacts/{path}/{name}");
        ensure!(reqwest::Client::new().put(address).body("content").send().await?.status().is_success());
    }
    let ready = json!({ "model_id": model_id, "status": "LOGGED_MODEL_READY" });
    ask(base, Method::PATCH, &format!("logged-models/{model_id}"), ready).await?;
    post(base, "runs/update", json!({ "run_id": id, "status": "FINISHED", "end_time": 2_000 })).await?;
    post(base, "registered-models/create", json!({ "name": "weave" })).await?;
    let version =
        json!({ "name": "weave", "source": format!("models:/{model_id}"), "model_id": model_id, "run_id": id });
    post(base, "model-versions/create", version).await?;
    post(base, "registered-models/alias", json!({ "name": "weave", "alias": "champion", "version": "1" })).await?;
    Ok(())
}

#[tokio::test]
async fn models_go_out_of_one_server_and_into_another_once() -> anyhow::Result<()> {
    let (one, two) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let from = Server::start(one.path(), None).await?;
    let to = Server::start(two.path(), None).await?;
    fill(from.client.base()).await?;

    let export = ["model", "export-mlflow", "--server", from.client.base(), "--to", to.client.base()];
    let report = printed(&export).await?;
    assert_eq!(report["skipped"], json!([]));
    for (what, copied) in [("runs", 1), ("logged_models", 1), ("registered_models", 1), ("model_versions", 1)] {
        assert_eq!(report[what]["copied"], copied, "{what}: {report}");
    }
    assert_eq!((&report["metric_values"], &report["files"], &report["aliases"]), (&json!(1_500), &json!(2), &json!(1)));

    let listed = printed(&["model", "list", "--server", to.client.base()]).await?;
    assert_eq!(listed[0]["aliases"][0]["alias"], "champion", "{listed}");
    let found = ask(to.client.base(), Method::GET, "model-versions/get?name=weave&version=1", Value::Null).await?;
    let source = found["model_version"]["source"].as_str().context("a version has a source")?;
    let logged = source.strip_prefix("models:/").context("it is a logged model")?;
    let logged = ask(to.client.base(), Method::GET, &format!("logged-models/{logged}"), Value::Null).await?;
    assert_eq!(logged["model"]["info"]["status"], "LOGGED_MODEL_READY");

    let import = ["model", "import-mlflow", "--server", to.client.base(), "--from", from.client.base()];
    let again = printed(&import).await?;
    assert_eq!((&again["runs"]["copied"], &again["runs"]["unchanged"]), (&json!(0), &json!(1)), "{again}");
    assert_eq!((&again["model_versions"]["unchanged"], &again["aliases"]), (&json!(1), &json!(0)));
    Ok(())
}

/// The first request that somebody sends, and its answer is that it was taken.
async fn taken(listener: &tokio::net::TcpListener) -> anyhow::Result<String> {
    let (mut stream, _) = listener.accept().await?;
    let mut bytes = Vec::new();
    loop {
        ensure!(stream.read_buf(&mut bytes).await? > 0, "the message breaks off");
        let text = String::from_utf8_lossy(&bytes).to_string();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if length == Some(body.len()) {
            stream.write_all(b"HTTP/1.1 204 taken\r\nconnection: close\r\n\r\n").await?;
            return Ok(text);
        }
    }
}

#[tokio::test]
async fn a_webhook_is_told_and_shows_how_it_is_doing() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(folder.path(), None).await?;
    let base = server.client.base();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let events = json!([{ "entity": "MODEL_VERSION_ALIAS", "action": "CREATED" }]);
    let url = format!("http://{}/hooks", listener.local_addr()?);
    let new = json!({ "name": "line", "url": url, "events": events, "secret": "geheim" });
    let made = post(base, "webhooks", new).await?["webhook"].clone();
    let id = made["webhook_id"].as_str().context("a webhook has an id")?;
    assert_eq!((&made["status"], &made["events"], made.get("secret")), (&json!("ACTIVE"), &events, None));

    post(base, "registered-models/create", json!({ "name": "weave" })).await?;
    post(base, "model-versions/create", json!({ "name": "weave", "source": "s3://bucket/model" })).await?;
    post(base, "registered-models/alias", json!({ "name": "weave", "alias": "champion", "version": "1" })).await?;
    let message = taken(&listener).await?;
    assert!(
        message.starts_with("POST /hooks HTTP/1.1\r\n") && message.contains("x-mlflow-signature: v1,"),
        "{message}"
    );
    assert!(message.contains(r#""data":{"alias":"champion","name":"weave","version":"1"}"#), "{message}");
    let state = eventually("the message is counted", async || {
        let shown = server.client.get(&format!("/api/v1/webhooks/{id}")).await?;
        Ok((shown["delivery"]["delivered"] == 1).then_some(shown))
    })
    .await?;
    assert_eq!((&state["signed"], &state["delivery"]["failing"]), (&json!(true), &Value::Null));

    let test = format!("webhooks/{id}/test");
    let (tested, result) = tokio::join!(taken(&listener), post(base, &test, json!({})));
    assert!(tested?.contains("example_alias"));
    assert_eq!(result?["result"], json!({ "success": true, "response_status": 204, "response_body": "" }));
    let changed = ask(base, Method::PATCH, &format!("webhooks/{id}"), json!({ "status": "DISABLED" })).await?;
    assert_eq!(changed["webhook"]["status"], "DISABLED");
    ask(base, Method::DELETE, &format!("webhooks/{id}"), json!({})).await?;
    assert_eq!(ask(base, Method::GET, "webhooks", Value::Null).await?, json!({}));
    let metadata = json!({ "name": "bad", "url": "http://169.254.169.254/", "events": events });
    let refused = post(base, "webhooks", metadata).await.unwrap_err().to_string();
    assert!(refused.contains("INVALID_PARAMETER_VALUE") && refused.contains("link-local"), "{refused}");
    Ok(())
}
