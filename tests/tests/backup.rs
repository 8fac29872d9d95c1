//! A backup of a server that is taking events, its restore, and the restored server.

#![allow(clippy::indexing_slicing, reason = "JSON that is not as expected must fail the test, also in its helpers")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::Context;
use serde_json::{Value, json};
use tests::client::Client;
use tests::process::{Server, command, eventually};

fn run(arguments: &[&str]) -> anyhow::Result<Value> {
    let output = command(arguments)?.arg("--json").output()?;
    anyhow::ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path that is no text")
}

async fn write(client: Client, stop: Arc<AtomicBool>, written: Arc<AtomicU64>) -> anyhow::Result<()> {
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let event = json!({"type": "lot.created", "time": "2026-03-01T08:00:00Z",
            "data": {"lot": format!("ROLL-{number}"), "material": "STYLE-1", "kind": "roll", "quantity": {"value": 120.0, "unit": "m"}}});
        let (status, answer) = client.post("/api/v1/events", &event).await?;
        anyhow::ensure!(status.is_success(), "{answer}");
        written.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_events_is_backed_up_and_comes_back() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let (data, backup) = (dir.path().join("data"), dir.path().join("backup"));
    let server = Server::start(&data, None).await?;
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writer = tokio::spawn(write(server.client.clone(), Arc::clone(&stop), Arc::clone(&written)));
    let reached = async |count: u64| {
        let written = Arc::clone(&written);
        eventually("events are written", async move || Ok((written.load(Ordering::Relaxed) >= count).then_some(())))
            .await
    };
    reached(50).await?;
    let first = run(&["backup", text(&backup)?, "--data-dir", text(&data)?])?;
    let in_first = first["records"].as_u64().context("no records")?;
    assert!(in_first >= 50, "{first}");
    reached(in_first + 50).await?;
    let second = run(&["backup", text(&backup)?, "--data-dir", text(&data)?])?;
    let in_second = second["records"].as_u64().context("no records")?;
    assert!(in_second >= in_first + 50, "{second}");
    stop.store(true, Ordering::Relaxed);
    writer.await??;

    let checked = run(&["backup", text(&backup)?, "--check"])?;
    assert_eq!(checked["root"], second["root"]);
    let verified = run(&["verify", "--data-dir", text(&backup)?])?;
    assert_eq!((&verified["records"], &verified["root"]), (&second["records"], &second["root"]));

    // The whole, and the history as it was at the first backup.
    let whole = dir.path().join("whole");
    let restored = run(&["restore", text(&backup)?, "--data-dir", text(&whole)?])?;
    assert_eq!(restored["root"], second["root"]);
    let earlier = dir.path().join("earlier");
    let restored =
        run(&["restore", text(&backup)?, "--data-dir", text(&earlier)?, "--to", &(in_first - 1).to_string()])?;
    assert_eq!((&restored["records"], &restored["root"]), (&first["records"], &first["root"]));

    // What is restored serves, with the same records, and takes new ones.
    let copy = Server::start(&earlier, None).await?;
    for position in [0, in_first / 2, in_first - 1] {
        let path = format!("/api/v1/log/{position}");
        assert_eq!(copy.client.get(&path).await?, server.client.get(&path).await?);
    }
    let (status, answer) = copy
        .client
        .post(
            "/api/v1/events",
            &json!({"type": "lot.created", "data": {"lot": "NEW", "material": "STYLE-1", "kind": "roll"}}),
        )
        .await?;
    assert!(status.is_success(), "{answer}");
    assert_eq!(answer["first"], json!(in_first));
    copy.stop().await?;
    server.stop().await?;

    let again = command(&["restore", text(&backup)?, "--data-dir", text(&whole)?])?.output()?;
    assert!(!again.status.success());
    assert!(String::from_utf8_lossy(&again.stderr).contains("is not empty"), "{again:?}");
    Ok(())
}
