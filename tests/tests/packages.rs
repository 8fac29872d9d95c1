//! Knowledge from plant to plant: packed by one server, checked by the command line, brought into another one as drafts.

#![allow(clippy::indexing_slicing, reason = "JSON that is not as expected must fail the test, also in its helpers")]

use std::path::Path;
use std::process::Output;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tests::process::{Server, command};

/// Runs a command of the binary.
async fn ran(arguments: &[&str]) -> anyhow::Result<Output> {
    let mut command = command(arguments)?;
    Ok(tokio::task::spawn_blocking(move || command.output()).await??)
}

/// The JSON that a command prints.
async fn printed(arguments: &[&str]) -> anyhow::Result<Value> {
    let output = ran(&[arguments, &["--json"]].concat()).await?;
    ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// What a command that must fail says.
async fn refused(arguments: &[&str]) -> anyhow::Result<String> {
    let output = ran(arguments).await?;
    ensure!(!output.status.success(), "{arguments:?} succeeded");
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

async fn carry_out(server: &Server, name: &str, data: Value) -> anyhow::Result<Value> {
    server.client.must_post("/api/v1/commands", &json!({"command": name, "data": data})).await
}

fn path(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path is text")
}

/// A procedure with a photo that rests on a fault, and its approval; and a draft that nobody has approved.
async fn write_knowledge(server: &Server) -> anyhow::Result<()> {
    let fault = json!({"type": "fault.observed", "time": "2026-03-01T08:00:00Z", "data": {"fault": "F-1", "asset": "L07", "symptoms": {"zh": "纬停"}}});
    let fault = server.client.must_post("/api/v1/events", &fault).await?["first"].clone();
    let photo = b"a photo of a nozzle".to_vec();
    let sha256: String = Sha256::digest(&photo).iter().map(|byte| format!("{byte:02x}")).collect();
    let stored = reqwest::Client::new()
        .post(format!("{}/api/v1/files?name=nozzle.jpg", server.client.base()))
        .header("content-type", "image/jpeg")
        .body(photo)
        .send()
        .await?
        .error_for_status()?
        .json::<Value>()
        .await?;
    assert_eq!(stored["attachment"]["file"]["sha256"], json!(sha256));
    let article = json!({
        "article": "KB-1", "revision": 1, "kind": "procedure", "title": {"zh": "喷嘴清洗", "en": "Cleaning a nozzle"}, "body": {"en": "Blow it out."},
        "codes": ["NOZ-MAI"], "attachments": [stored["attachment"]], "evidence": [fault], "author": "P-1",
    });
    carry_out(server, "article.draft", article).await?;
    carry_out(
        server,
        "article.draft",
        json!({"article": "KB-2", "revision": 1, "kind": "article", "title": {"en": "x"}, "author": "P-1"}),
    )
    .await?;
    carry_out(server, "article.review", json!({"article": "KB-1", "revision": 1, "person": "P-2", "approved": true}))
        .await?;
    server.settled().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_procedure_goes_from_plant_to_plant_and_counts_once_it_is_approved_there() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let sender = Server::start(&dir.path().join("one"), None).await?;
    let receiver = Server::start(&dir.path().join("two"), None).await?;
    write_knowledge(&sender).await?;
    let file = dir.path().join("nozzles.package");
    let file = path(&file)?;
    let from = ["--server", sender.client.base()];
    let error = refused(&[&["package", "export", "KB-2", "--out", file], &from[..]].concat()).await?;
    assert!(error.contains("KB-2 is not approved"), "{error}");
    printed(&[&["package", "export", "KB-1", "--out", file], &from[..]].concat()).await?;
    let error = refused(&[&["package", "export", "KB-1", "--out", file], &from[..]].concat()).await?;
    assert!(error.contains("nozzles.package"), "a file that is there is not written over: {error}");

    let vkey = dir.path().join("one").join("log.vkey");
    let vkey = path(&vkey)?;
    let shown = printed(&["package", "verify", file, "--vkey", vkey]).await?;
    assert_eq!((&shown["pieces"][0]["article"], &shown["records"]), (&json!("KB-1"), &json!(3)), "{shown}");
    let other_key = dir.path().join("two").join("log.vkey");
    let error = refused(&["package", "verify", file, "--vkey", path(&other_key)?]).await?;
    assert!(error.contains("signature"), "{error}");
    // One byte of the photo is another.
    let mut bytes = std::fs::read(file)?;
    *bytes.last_mut().context("a package has bytes")? ^= 1;
    let damaged = dir.path().join("damaged.package");
    std::fs::write(&damaged, bytes)?;
    let before = receiver.client.get("/readyz").await?["tail"].clone();
    let to = ["--vkey", vkey, "--person", "P-9", "--server", receiver.client.base()];
    let error = refused(&[&["package", "import", path(&damaged)?], &to[..]].concat()).await?;
    assert!(error.contains("digest"), "{error}");
    assert_eq!(receiver.client.get("/readyz").await?["tail"], before, "nothing of a bad package is logged");

    let import = [&["package", "import", file], &to[..]].concat();
    let imported = printed(&import).await?;
    assert_eq!((&imported["drafts"], &imported["repeated"]), (&json!(["KB-1"]), &json!(false)), "{imported}");
    let again = printed(&import).await?;
    assert_eq!((&again["position"], &again["repeated"]), (&imported["position"], &json!(true)), "{again}");
    receiver.settled().await?;
    let article = receiver.client.get("/api/v1/articles/KB-1").await?;
    assert_eq!((&article["standing"], &article["approved"]), (&json!("draft"), &Value::Null), "{article}");
    let drafted = &article["newest"]["drafted"]["value"];
    assert_eq!((&drafted["author"], &drafted["origin"]["author"]), (&json!("P-9"), &json!("P-1")), "{article}");
    assert_eq!(drafted["origin"]["package"], imported["package"]);
    let sha256 = drafted["attachments"][0]["file"]["sha256"].as_str().context("no file")?;
    assert_eq!(receiver.client.bytes(&format!("/api/v1/files/{sha256}")).await?, b"a photo of a nozzle");
    // Who brought it in cannot approve it; somebody else can.
    let review = |person: &str| json!({"command": "article.review", "data": {"article": "KB-1", "revision": 1, "person": person, "approved": true}});
    let (status, problem) = receiver.client.post("/api/v1/commands", &review("P-9")).await?;
    assert_eq!(status.as_u16(), 422, "{problem}");
    let last = receiver.client.must_post("/api/v1/commands", &review("P-8")).await?["last"].clone();
    let article = receiver.client.get(&format!("/api/v1/articles/KB-1?min_position={last}")).await?;
    assert_eq!(article["standing"], "approved");

    // A piece of one's own with the same name is not touched: with a prefix both stand beside each other.
    let third = Server::start(&dir.path().join("three"), None).await?;
    carry_out(
        &third,
        "article.draft",
        json!({"article": "KB-1", "revision": 1, "kind": "article", "title": {"en": "our own"}, "author": "P-1"}),
    )
    .await?;
    third.settled().await?;
    let to = ["--vkey", vkey, "--person", "P-9", "--server", third.client.base()];
    let error = refused(&[&["package", "import", file], &to[..]].concat()).await?;
    assert!(error.contains("another piece here"), "{error}");
    let named = printed(&[&["package", "import", file], &to[..], &["--prefix", "mill-1/"]].concat()).await?;
    assert_eq!(named["drafts"], json!(["mill-1/KB-1"]), "{named}");
    third.stop().await?;
    receiver.stop().await?;
    sender.stop().await
}
