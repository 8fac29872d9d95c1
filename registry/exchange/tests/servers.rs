//! Copies between two real servers of MLflow, where one is installed.

#![allow(clippy::indexing_slicing, reason = "JSON that is not as expected must fail the test, also in its helpers")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use exchange::{COMPLETE, COPIED_FROM, Count, Options, Report, Server, copy};
use reqwest::{Client, Method};
use serde_json::{Value, json};

/// How long a server may take to answer for the first time.
const PATIENCE: Duration = Duration::from_secs(180);

#[expect(clippy::print_stderr, reason = "a skipped check must be seen")]
fn skipped(reason: &str) {
    eprintln!("SKIPPED: {reason}");
}

/// A server of MLflow with a database and files of its own.
struct Mlflow {
    child: Child,
    url: String,
    http: Client,
    _folder: tempfile::TempDir,
}

impl Drop for Mlflow {
    fn drop(&mut self) {
        // The server starts workers, which end with the group that it leads.
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-TERM", "--", &group]).status();
        let _ = self.child.wait();
    }
}

impl Mlflow {
    /// Starts one; nothing, when MLflow is not installed.
    async fn start() -> anyhow::Result<Option<Self>> {
        use std::os::unix::process::CommandExt as _;
        let python = std::env::var("MILLWRIGHT_MLFLOW_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let asked = "import importlib.util as u, sys; sys.exit(not all(u.find_spec(m) for m in ('mlflow', 'flask')))";
        let tried = Command::new(&python).args(["-c", asked]).stderr(Stdio::null()).status();
        if !tried.is_ok_and(|status| status.success()) {
            skipped(
                "no Python has MLflow's server: python3 -m pip install mlflow==3.12.0 (MILLWRIGHT_MLFLOW_PYTHON names another)",
            );
            return Ok(None);
        }
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = Command::new(&python)
            .args(["-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1", "--port", &port.to_string()])
            .args(["--backend-store-uri", &format!("sqlite:///{}/mlflow.db", folder.path().display())])
            .args(["--artifacts-destination", &folder.path().join("files").display().to_string()])
            .current_dir(folder.path())
            .env("MLFLOW_DISABLE_TELEMETRY", "true")
            .process_group(0)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let url = format!("http://127.0.0.1:{port}");
        let server = Self { child, url, http: Client::new(), _folder: folder };
        let begun = Instant::now();
        loop {
            match server.http.get(format!("{}/health", server.url)).send().await {
                Ok(answer) if answer.status().is_success() => return Ok(Some(server)),
                _ if begun.elapsed() < PATIENCE => tokio::time::sleep(Duration::from_millis(100)).await,
                _ => anyhow::bail!("mlflow server did not start within {PATIENCE:?}"),
            }
        }
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.http.request(method.clone(), format!("{}/api/2.0/mlflow/{path}", self.url));
        let request = if method == Method::GET { request } else { request.json(body) };
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{method} {path}: {status} {text}");
        Ok(serde_json::from_str(&text)?)
    }

    async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.ask(Method::POST, path, &body).await
    }

    async fn put_file(&self, uri: &str, name: &str, content: &'static [u8]) -> anyhow::Result<()> {
        let path = uri.strip_prefix("mlflow-artifacts:/").context("the files lie elsewhere")?;
        let address = format!("{}/api/2.0/mlflow-artifacts/artifacts/{path}/{name}", self.url);
        ensure!(self.http.put(address).body(content).send().await?.status().is_success());
        Ok(())
    }

    async fn file(&self, uri: &str, name: &str) -> anyhow::Result<Vec<u8>> {
        let path = uri.strip_prefix("mlflow-artifacts:/").context("the files lie elsewhere")?;
        let address = format!("{}/api/2.0/mlflow-artifacts/artifacts/{path}/{name}", self.url);
        Ok(self.http.get(address).send().await?.error_for_status()?.bytes().await?.to_vec())
    }

    fn server(&self) -> Server {
        Server::new(&self.url, None).unwrap()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// An experiment with a parent and a child run, a logged model, a registered model with two versions, and a prompt. Answers the ids of the child and the logged model.
async fn fill(server: &Mlflow) -> anyhow::Result<(String, String)> {
    let tags = json!([{ "key": "line", "value": "3" }]);
    let made = server.post("experiments/create", json!({ "name": "loom tension / 张力", "tags": tags })).await?;
    let experiment = text(&made["experiment_id"]);
    let create = |name: &str, start: i64, tags: Value| json!({ "experiment_id": experiment, "run_name": name, "start_time": start, "user_id": "li", "tags": tags });
    let parent = server.post("runs/create", create("sweep", 1_000, json!([]))).await?;
    let parent = text(&parent["run"]["info"]["run_id"]);
    let tags = json!([{ "key": "mlflow.parentRunId", "value": parent }, { "key": "note", "value": "it's \"quoted\"" }]);
    let child = server.post("runs/create", create("alpha 0.1", 2_000, tags)).await?;
    let uri = text(&child["run"]["info"]["artifact_uri"]);
    let child = text(&child["run"]["info"]["run_id"]);

    let many: Vec<Value> = (0..120).map(|n| json!({ "key": format!("p{n:03}"), "value": n.to_string() })).collect();
    for params in many.chunks(100) {
        server.post("runs/log-batch", json!({ "run_id": child, "params": params })).await?;
    }
    let model = json!({ "experiment_id": experiment, "name": "model", "source_run_id": child, "model_type": "ridge",
        "params": [{ "key": "alpha", "value": "0.1" }], "tags": [{ "key": "kind", "value": "trial" }] });
    let model = server.post("logged-models", model).await?;
    let model_uri = text(&model["model"]["info"]["artifact_uri"]);
    let model = text(&model["model"]["info"]["model_id"]);
    server.put_file(&model_uri, "MLmodel", b"flavors: {}\n").await?;
    server.put_file(&model_uri, "data/weights.bin", &[7; 100_000]).await?;
    server.put_file(&uri, "plots/residuals 1.txt", b"residuals").await?;
    let ready = json!({ "model_id": model, "status": "LOGGED_MODEL_READY" });
    server.ask(Method::PATCH, &format!("logged-models/{model}"), &ready).await?;

    let loss: Vec<Value> = (0..2_500)
        .map(|step| json!({ "key": "loss", "value": 1.0 / f64::from(step + 1), "timestamp": 3_000 + step, "step": step }))
        .collect();
    for metrics in loss.chunks(1_000) {
        server.post("runs/log-batch", json!({ "run_id": child, "metrics": metrics })).await?;
    }
    let measured = json!({ "key": "rmse", "value": 0.25, "timestamp": 9_000, "step": 1, "model_id": model,
        "dataset_name": "shed 1", "dataset_digest": "abc" });
    let diverged = json!({ "key": "diverged", "value": "NaN", "timestamp": 9_000, "step": 0 });
    server.post("runs/log-batch", json!({ "run_id": child, "metrics": [measured, diverged] })).await?;
    let dataset = json!({ "name": "shed 1", "digest": "abc", "source_type": "local", "source": "{}" });
    let used = json!([{ "tags": [{ "key": "mlflow.data.context", "value": "train" }], "dataset": dataset }]);
    server.post("runs/log-inputs", json!({ "run_id": child, "datasets": used })).await?;
    server.post("runs/outputs", json!({ "run_id": child, "models": [{ "model_id": model, "step": 2 }] })).await?;
    for run in [&child, &parent] {
        server.post("runs/update", json!({ "run_id": run, "status": "FINISHED", "end_time": 10_000 })).await?;
    }
    let gone = server.post("runs/create", create("gone", 3_000, json!([]))).await?;
    server.post("runs/delete", json!({ "run_id": gone["run"]["info"]["run_id"] })).await?;
    server.post("runs/create", create("goes on", 4_000, json!([]))).await?;

    server
        .post(
            "registered-models/create",
            json!({ "name": "it's weave", "description": "tension", "tags": [{ "key": "team", "value": "mill" }] }),
        )
        .await?;
    let version = |source: String, model: Option<&str>| {
        let mut body =
            json!({ "name": "it's weave", "source": source, "run_id": child, "tags": [{ "key": "v", "value": "1" }] });
        if let Some(model) = model {
            body["model_id"] = json!(model);
        }
        body
    };
    server.post("model-versions/create", version(format!("models:/{model}"), Some(&model))).await?;
    server.post("model-versions/create", version(format!("{uri}/plots"), None)).await?;
    server
        .post("registered-models/alias", json!({ "name": "it's weave", "alias": "champion", "version": "2" }))
        .await?;
    let stage =
        json!({ "name": "it's weave", "version": "1", "stage": "Production", "archive_existing_versions": false });
    server.post("model-versions/transition-stage", stage).await?;

    let prompt = json!([{ "key": "mlflow.prompt.is_prompt", "value": "true" }]);
    server.post("registered-models/create", json!({ "name": "greeting", "tags": prompt })).await?;
    let words = json!([{ "key": "mlflow.prompt.is_prompt", "value": "true" }, { "key": "mlflow.prompt.text", "value": "你好 {{name}}" }]);
    server
        .post("model-versions/create", json!({ "name": "greeting", "source": "dummy-source", "tags": words }))
        .await?;
    Ok((child, model))
}

async fn copied(from: &Mlflow, to: &Mlflow) -> anyhow::Result<Report> {
    Ok(copy(&from.server(), &to.server(), &Options::default(), &mut |_| {}).await?)
}

#[tokio::test]
async fn everything_arrives_once() -> anyhow::Result<()> {
    let (Some(from), Some(to)) = tokio::try_join!(Mlflow::start(), Mlflow::start())? else { return Ok(()) };
    let (child, model) = fill(&from).await?;

    let report = copied(&from, &to).await?;
    let reasons: Vec<String> = report.skipped.iter().map(|skipped| skipped.reason.clone()).collect();
    assert_eq!(reasons, ["they are deleted", "it has not ended; copy it when it has"], "{:#?}", report.skipped);
    let new = |copied| Count { copied, unchanged: 0 };
    assert_eq!(report.experiments, Count { copied: 1, unchanged: 1 }, "the experiment Default is everywhere");
    assert_eq!((report.runs, report.logged_models), (new(2), new(1)));
    assert_eq!((report.registered_models, report.model_versions, report.aliases), (new(2), new(3), 1));
    assert_eq!((report.metric_values, report.files), (2_502, 3));
    assert_eq!(report.bytes, 12 + 100_000 + 9);

    let run = copy_of(&to, "run", &format!("{} run {child}", from.url)).await?;
    let (info, data) = (&run["info"], &run["data"]);
    assert_eq!((text(&info["run_name"]), text(&info["status"])), ("alpha 0.1".to_owned(), "FINISHED".to_owned()));
    assert_eq!(
        (&info["start_time"], &info["end_time"], text(&info["user_id"])),
        (&json!(2_000), &json!(10_000), "li".to_owned())
    );
    assert_eq!(data["params"].as_array().map(Vec::len), Some(120));
    let parent = tag(&data["tags"], "mlflow.parentRunId");
    let parent = to.ask(Method::GET, &format!("runs/get?run_id={parent}"), &Value::Null).await?;
    assert_eq!(text(&parent["run"]["info"]["run_name"]), "sweep", "the parent is the parent's copy");
    assert_eq!(tag(&data["tags"], "note"), "it's \"quoted\"");
    let id = text(&info["run_id"]);
    let history = to
        .ask(Method::GET, &format!("metrics/get-history?run_id={id}&metric_key=loss&max_results=25000"), &Value::Null)
        .await?;
    let steps: Vec<u64> =
        history["metrics"].as_array().unwrap().iter().filter_map(|value| value["step"].as_u64()).collect();
    assert_eq!(steps.len(), 2_500);
    let whole = to.ask(Method::GET, &format!("runs/get?run_id={id}"), &Value::Null).await?;
    let inputs = &whole["run"]["inputs"]["dataset_inputs"][0];
    assert_eq!((&inputs["dataset"]["name"], &inputs["tags"][0]["value"]), (&json!("shed 1"), &json!("train")));
    assert_eq!(to.file(&text(&info["artifact_uri"]), "plots/residuals 1.txt").await?, b"residuals");

    let logged = copy_of(&to, "logged_model", &format!("{} logged_model {model}", from.url)).await?;
    let (info, data) = (&logged["info"], &logged["data"]);
    assert_eq!((text(&info["source_run_id"]), text(&info["status"])), (id.clone(), "LOGGED_MODEL_READY".to_owned()));
    assert_eq!(tag(&info["tags"], "kind"), "trial");
    assert_eq!((&data["params"][0]["value"], &data["metrics"][0]["dataset_name"]), (&json!("0.1"), &json!("shed 1")));
    assert_eq!(to.file(&text(&info["artifact_uri"]), "data/weights.bin").await?, [7; 100_000]);
    let output = &whole["run"]["outputs"]["model_outputs"][0];
    assert_eq!((&output["model_id"], &output["step"]), (&info["model_id"], &json!(2)));

    let found = to.ask(Method::GET, "registered-models/get?name=it%27s%20weave", &Value::Null).await?;
    let registered = &found["registered_model"];
    assert_eq!(
        (text(&registered["description"]), tag(&registered["tags"], "team")),
        ("tension".to_owned(), "mill".to_owned())
    );
    assert_eq!(registered["aliases"], json!([{ "alias": "champion", "version": "2" }]));
    let found = to.ask(Method::GET, "model-versions/get?name=it%27s%20weave&version=1", &Value::Null).await?;
    let version = &found["model_version"];
    assert_eq!(text(&version["source"]), format!("models:/{}", text(&info["model_id"])));
    assert_eq!((text(&version["run_id"]), text(&version["current_stage"])), (id.clone(), "Production".to_owned()));
    let found = to.ask(Method::GET, "model-versions/get?name=it%27s%20weave&version=2", &Value::Null).await?;
    assert_eq!(text(&found["model_version"]["source"]), format!("{}/plots", text(&run["info"]["artifact_uri"])));
    let found = to.ask(Method::GET, "model-versions/get?name=greeting&version=1", &Value::Null).await?;
    assert_eq!(tag(&found["model_version"]["tags"], "mlflow.prompt.text"), "你好 {{name}}");

    // What was copied is found again, and what was cut off is copied anew.
    let again = copied(&from, &to).await?;
    let old = |unchanged| Count { copied: 0, unchanged };
    assert_eq!((again.runs, again.logged_models, again.model_versions), (old(2), old(1), old(3)));
    assert_eq!((again.metric_values, again.files, again.aliases), (0, 0, 0));
    to.post("runs/delete-tag", json!({ "run_id": id, "key": COMPLETE })).await?;
    let third = copied(&from, &to).await?;
    assert_eq!((third.runs, third.metric_values), (Count { copied: 1, unchanged: 1 }, 2_502));

    // A model of the same name that comes from elsewhere is left alone.
    let back = copied(&to, &from).await?;
    assert_eq!(back.model_versions, new(0));
    assert!(back.skipped.iter().any(|skipped| skipped.reason.contains("comes from elsewhere")), "{:#?}", back.skipped);
    Ok(())
}

fn tag(tags: &Value, key: &str) -> String {
    let tags = tags.as_array().map(Vec::as_slice).unwrap_or_default();
    tags.iter().find(|tag| tag["key"] == key).map(|tag| text(&tag["value"])).unwrap_or_default()
}

/// The run or logged model that was copied from there.
async fn copy_of(server: &Mlflow, kind: &str, origin: &str) -> anyhow::Result<Value> {
    let experiments = server.post("experiments/search", json!({ "max_results": 100 })).await?;
    let ids: Vec<&Value> =
        experiments["experiments"].as_array().unwrap().iter().map(|one| &one["experiment_id"]).collect();
    let filter = format!("tags.`{COPIED_FROM}` = '{origin}'");
    let (path, list, filter_name) = match kind {
        "run" => ("runs/search", "runs", "filter"),
        _ => ("logged-models/search", "models", "filter"),
    };
    let found = server.post(path, json!({ "experiment_ids": ids, filter_name: filter, "max_results": 10 })).await?;
    let found = found[list].as_array().cloned().unwrap_or_default();
    ensure!(found.len() == 1, "{} copies of {origin}", found.len());
    found.into_iter().next().context("there is one")
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_named() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = Server::new(&format!("http://{nobody}/prefix/"), None).unwrap();
    assert_eq!(server.name(), format!("http://{nobody}/prefix"));
    let error = copy(&server, &server, &Options::default(), &mut |_| {}).await.unwrap_err();
    let expected = format!("POST http://{nobody}/prefix/api/2.0/mlflow/experiments/search was not answered");
    assert_eq!(error.to_string(), expected);
    for wrong in ["", "host:1", "ftp://host/", "/folder"] {
        assert!(Server::new(wrong, None).is_err(), "{wrong:?}");
    }
}
