//! Killed while it takes events, a server comes back with every event that it acknowledged, and its read models equal a rebuild.
//!
//! `MILLWRIGHT_KILL_ROUNDS` (3) says how often it is killed; the long run takes 100.

#![allow(clippy::indexing_slicing, reason = "JSON that is not as expected must fail the test, also in its helpers")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tests::client::Client;
use tests::process::{Server, command, eventually};
use uuid::Uuid;

const WRITERS: u64 = 8;

/// How many events are acknowledged before each kill.
const EVENTS_A_ROUND: u64 = 200;

/// Appends events until the server is gone; answers the id and position of each event that was acknowledged.
async fn write(client: Client, writer: u64, stop: Arc<AtomicBool>, acknowledged: Arc<AtomicU64>) -> Vec<(Uuid, u64)> {
    let mut done = Vec::new();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let id = Uuid::now_v7();
        let lot = format!("ROLL-{writer}-{number}");
        let event = json!({
            "id": id, "type": "lot.created", "time": "2026-03-01T08:00:00Z",
            "data": {"lot": lot, "material": "STYLE-1", "kind": "roll", "quantity": {"value": 120.0, "unit": "m"}},
        });
        match client.post("/api/v1/events", &event).await {
            Ok((status, answer)) if status.is_success() => {
                done.push((id, answer["first"].as_u64().unwrap_or(u64::MAX)));
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            // The server was killed, or is going to be: this event was not acknowledged.
            Ok(_) | Err(_) => break,
        }
    }
    done
}

/// name → digest, from a list of `{"name", "digest"}`.
fn by_name(list: &Value) -> anyhow::Result<std::collections::BTreeMap<String, String>> {
    list["items"]
        .as_array()
        .context("no items")?
        .iter()
        .map(|item| {
            let text =
                |field: &str| item[field].as_str().map(str::to_owned).with_context(|| format!("no {field} in {item}"));
            Ok((text("name")?, text("digest")?))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_event_survives_a_kill() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    let mut all = Vec::new();
    let rounds: u64 = std::env::var("MILLWRIGHT_KILL_ROUNDS").map_or(Ok(3), |text| text.parse())?;
    for round in 0..rounds {
        let server = Server::start(&data, None).await?;
        let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                tokio::spawn(write(
                    server.client.clone(),
                    round * WRITERS + writer,
                    Arc::clone(&stop),
                    Arc::clone(&acknowledged),
                ))
            })
            .collect();
        eventually("some events are acknowledged", async || {
            Ok((acknowledged.load(Ordering::Relaxed) >= EVENTS_A_ROUND).then_some(()))
        })
        .await?;
        server.kill()?;
        stop.store(true, Ordering::Relaxed);
        for writer in writers {
            all.extend(writer.await?);
        }
    }
    assert!(all.len() as u64 >= rounds * EVENTS_A_ROUND, "only {} events were acknowledged", all.len());

    let server = Server::start(&data, None).await?;
    for (id, position) in &all {
        let record = server.client.get(&format!("/api/v1/log/{position}")).await?;
        if record["id"] != json!(id) {
            bail!("event {id} was acknowledged at {position}, where {} stands now", record["id"]);
        }
    }

    server.settled().await?;
    let live = by_name(&server.client.get("/api/v1/projections/digests").await?)?;
    let tail = server.client.get("/readyz").await?["tail"].as_u64().context("no tail")?;
    server.stop().await?;

    let data_dir = data.to_str().context("a path that is no text")?;
    let output = command(&["replay", "--json", "--data-dir", data_dir, "--to", &(tail - 1).to_string()])?.output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let replayed = by_name(&serde_json::from_slice(&output.stdout)?)?;
    assert!(live.len() >= 8, "only {} projections were compared", live.len());
    assert_eq!(live, replayed);

    let verified = command(&["verify", "--json", "--data-dir", data_dir])?.output()?;
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    let verified: Value = serde_json::from_slice(&verified.stdout)?;
    assert_eq!(verified["records"].as_u64(), Some(tail));
    Ok(())
}
