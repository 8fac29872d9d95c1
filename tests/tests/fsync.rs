//! A sync that fails poisons the log: it is never tried again, nothing more is acknowledged, and everything that was is still there.
//!
//! The real binary runs with a preloaded library that makes the syncs of segments fail. It is compiled from tests/peers/failing_sync.c; where there is no C
//! compiler, the tests skip aloud.

#![allow(clippy::indexing_slicing, reason = "JSON that is not as expected must fail the test, also in its helpers")]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tests::client::Client;
use tests::process::{Server, command};
use tests::{skipped, workspace};
use uuid::Uuid;

/// Events that are acknowledged before the disk fails.
const BEFORE: u64 = 40;

/// Appends that are tried after it has.
const AFTER: u64 = 5;

/// The most appends until one meets the failing disk.
const PATIENCE: u64 = 1_000;

/// The library, or `None`, said aloud, where there is no compiler.
fn library(folder: &Path) -> anyhow::Result<Option<PathBuf>> {
    if !cfg!(target_os = "linux") {
        skipped("syncs are made to fail by LD_PRELOAD, which is for Linux");
        return Ok(None);
    }
    let library = folder.join("libfailing_sync.so");
    let source = workspace().join("tests/peers/failing_sync.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"]).arg(&library).arg(&source).arg("-ldl");
    match compiler.output() {
        Ok(output) if output.status.success() => Ok(Some(library)),
        Ok(output) => bail!("{} does not compile: {}", source.display(), String::from_utf8_lossy(&output.stderr)),
        Err(error) => {
            skipped(&format!("there is no C compiler ({error}): apt-get install gcc libc6-dev"));
            Ok(None)
        }
    }
}

fn event(id: Uuid, number: u64) -> Value {
    json!({
        "id": id, "type": "lot.created", "time": "2026-03-01T08:00:00Z",
        "data": {"lot": format!("ROLL-{number}"), "material": "STYLE-1", "kind": "roll", "quantity": {"value": 120.0, "unit": "m"}},
    })
}

async fn all_there(client: &Client, acknowledged: &[(Uuid, u64)]) -> anyhow::Result<()> {
    assert!(acknowledged.len() as u64 >= BEFORE, "only {} events were acknowledged", acknowledged.len());
    for (id, position) in acknowledged {
        let record = client.get(&format!("/api/v1/log/{position}")).await?;
        assert_eq!(record["id"], json!(id), "at {position}");
    }
    Ok(())
}

async fn a_failed_sync_poisons(loses: bool) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let Some(library) = library(dir.path())? else { return Ok(()) };
    let (data, trigger, syncs) = (dir.path().join("data"), dir.path().join("trigger"), dir.path().join("syncs"));
    let mut environment: Vec<(&str, OsString)> = vec![
        ("LD_PRELOAD", library.into()),
        ("FAILING_SYNC_TRIGGER", trigger.clone().into()),
        ("FAILING_SYNC_LOG", syncs.clone().into()),
    ];
    if loses {
        environment.push(("FAILING_SYNC_LOSES", "1".into()));
    }
    let server = Server::start_with(&["serve"], &data, None, &environment).await?;
    let (mut acknowledged, mut refused) = (Vec::new(), Vec::new());
    for number in 0..PATIENCE {
        if number == BEFORE {
            std::fs::write(&trigger, "")?;
        }
        let id = Uuid::now_v7();
        let (status, answer) = server.client.post("/api/v1/events", &event(id, number)).await?;
        if status.is_success() {
            assert!(refused.is_empty(), "an append was acknowledged after one was refused: {answer}");
            acknowledged.push((id, answer["first"].as_u64().context("no position")?));
        } else {
            assert_eq!(status.as_u16(), 503, "{answer}");
            assert_eq!(answer["type"], "urn:millwright:problem:log-poisoned", "{answer}");
            refused.push((id, number));
        }
        if refused.len() as u64 == AFTER {
            break;
        }
    }
    assert_eq!(refused.len() as u64, AFTER, "{}", server.output());

    // What was durable is still read, and no sync was tried again: not by later appends, and not when the log is closed.
    all_there(&server.client, &acknowledged).await?;
    server.stop().await?;
    let tried = std::fs::read_to_string(&syncs)?;
    assert_eq!(tried.lines().count(), 1, "syncs of segments after the first that failed:\n{tried}");

    let server = Server::start(&data, None).await?;
    all_there(&server.client, &acknowledged).await?;
    // Whether an append that was refused by the failing sync is there is not known; its id makes it one event in any case.
    for (id, number) in &refused {
        let answer = server.client.must_post("/api/v1/events", &event(*id, *number)).await?;
        acknowledged.push((*id, answer["first"].as_u64().context("no position")?));
    }
    all_there(&server.client, &acknowledged).await?;
    let mut positions: Vec<u64> = acknowledged.iter().map(|(_, position)| *position).collect();
    positions.sort_unstable();
    positions.dedup();
    assert_eq!(positions.len(), acknowledged.len(), "two events have one position");
    server.settled().await?;
    let tail = server.client.get("/readyz").await?["tail"].as_u64().context("no tail")?;
    server.stop().await?;

    let data_dir = data.to_str().context("a path that is no text")?;
    let verified = command(&["verify", "--json", "--data-dir", data_dir])?.output()?;
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    let verified: Value = serde_json::from_slice(&verified.stdout)?;
    assert_eq!(verified["records"].as_u64(), Some(tail));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_fails_is_never_tried_again() -> anyhow::Result<()> {
    a_failed_sync_poisons(false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_fails_and_loses_what_was_written_takes_nothing_that_was_acknowledged() -> anyhow::Result<()> {
    a_failed_sync_poisons(true).await
}
