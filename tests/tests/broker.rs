//! A real broker, real publishers, and a server that is killed twice while they publish: nothing is lost, nothing is doubled.

#![allow(clippy::indexing_slicing, reason = "JSON that is not as expected must fail the test, also in its helpers")]

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use serde_json::Value;
use tests::client::Client;
use tests::peers::Mosquitto;
use tests::process::{Server, eventually};

const PUBLISHERS: u64 = 4;
const MESSAGES_EACH: u64 = 25_000;
const MESSAGES: u64 = PUBLISHERS * MESSAGES_EACH;

/// The first moment of the messages' own time; message n is n milliseconds later.
const START_MS: u64 = 1_790_000_000_000;

/// Publishes `MESSAGES_EACH` messages with QoS 1; each carries its source time and sequence.
fn publisher(port: u16, number: u64) -> anyhow::Result<Child> {
    let topic = format!("millwright/v1/LOOM-{number:02}/readings");
    let mut child = Command::new("mosquitto_pub")
        .args([
            "-h",
            "127.0.0.1",
            "-p",
            &port.to_string(),
            "-q",
            "1",
            "-l",
            "-t",
            &topic,
            "-i",
            &format!("publisher-{number}"),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("starting mosquitto_pub")?;
    let mut pipe = child.stdin.take().context("mosquitto_pub has no standard input")?;
    std::thread::spawn(move || {
        for sequence in 0..MESSAGES_EACH {
            let time = START_MS + sequence;
            // A pipe that breaks shows as messages that are missing.
            if writeln!(
                pipe,
                r#"{{"time":{time},"sequence":{sequence},"values":{{"warp_tension":{}}}}}"#,
                sequence % 97
            )
            .is_err()
            {
                break;
            }
        }
    });
    Ok(child)
}

async fn accepted(client: &Client) -> anyhow::Result<u64> {
    let statistics = client.get("/api/v1/statistics").await?;
    statistics["readings"].as_u64().context("statistics without readings")
}

/// Every reading in the log, by signal and sequence, with how often it is there: read frame by frame, not from any counter.
async fn readings_in_the_log(client: &Client) -> anyhow::Result<BTreeMap<(String, u64), u64>> {
    let mut found = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let page = client.get(&format!("/api/v1/log?category=readings&limit=200{cursor}")).await?;
        for record in page["items"].as_array().context("a page without items")? {
            let full = client.get(&format!("/api/v1/log/{}", record["position"])).await?;
            for row in full["data"]["rows"].as_array().context("a frame without rows")? {
                let signal = row["signal"].as_str().context("a row without signal")?.to_owned();
                let sequence = row["sequence"].as_u64().context("a row without sequence")?;
                *found.entry((signal, sequence)).or_insert(0) += 1;
            }
        }
        match &page["next_cursor"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            _ => return Ok(found),
        }
    }
}

fn configured(dir: &std::path::Path, broker: &Mosquitto) -> anyhow::Result<std::path::PathBuf> {
    let config = dir.join("millwright.toml");
    let settings = format!(
        "[[mqtt]]\nname = \"shed\"\nhost = \"127.0.0.1\"\nport = {}\nclient_id = \"millwright-shed\"\n",
        broker.port
    );
    std::fs::write(&config, settings)?;
    Ok(config)
}

/// The session must exist before anything is published: a broker keeps nothing for a client that it does not know.
async fn connected(server: &Server) -> anyhow::Result<()> {
    eventually("the source is connected", async || {
        let ready = server.client.get("/readyz").await?;
        Ok((ready["sources"][0]["connected"] == Value::Bool(true)).then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_is_kept_with_the_reason() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let Some(broker) = Mosquitto::start(dir.path()).await? else { return Ok(()) };
    let config = configured(dir.path(), &broker)?;
    let server = Server::start(&dir.path().join("data"), Some(&config)).await?;
    connected(&server).await?;
    let publish = |topic: &str, message: &str| -> anyhow::Result<()> {
        let port = broker.port.to_string();
        let status = Command::new("mosquitto_pub")
            .args(["-h", "127.0.0.1", "-p", &port, "-q", "1", "-t", topic, "-m", message])
            .status()?;
        anyhow::ensure!(status.success(), "mosquitto_pub ended with {status}");
        Ok(())
    };
    publish("millwright/v1/LOOM-01/readings", r#"{"values": {"warp_tension": 31.5}}"#)?;
    publish("millwright/v1/LOOM-01/events", r#"{"type": "fault.observed", "id": "F-1", "data": {"fault": "F-1"}}"#)?;
    publish("millwright/v1/LOOM-01/events", "not JSON at all")?;
    let page = eventually("three inputs are quarantined", async || {
        let page = server.client.get("/api/v1/quarantine").await?;
        Ok(page["items"].as_array().is_some_and(|items| items.len() == 3).then_some(page))
    })
    .await?;
    let reasons: Vec<String> = page["items"].as_array().into_iter().flatten().map(ToString::to_string).collect();
    for expected in ["time", "asset", "JSON"] {
        assert!(reasons.iter().any(|reason| reason.contains(expected)), "nothing names {expected}: {reasons:#?}");
    }
    // The record holds the whole input; a release under the same mapping is refused with the reason, and changes nothing.
    let position = page["items"][0]["input"]["position"].as_u64().context("no position")?;
    let record = server.client.get(&format!("/api/v1/log/{position}")).await?;
    assert_eq!(
        (record["type"].as_str(), record["data"]["text"].as_str()),
        (Some("input.quarantined"), Some("not JSON at all"))
    );
    let (status, problem) =
        server.client.post(&format!("/api/v1/quarantine/{position}/release"), &serde_json::json!({})).await?;
    assert_eq!(status, 422, "{problem}");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_twice_neither_loses_nor_doubles_a_message() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let Some(broker) = Mosquitto::start(dir.path()).await? else { return Ok(()) };
    let config = configured(dir.path(), &broker)?;
    let data = dir.path().join("data");

    let server = Server::start(&data, Some(&config)).await?;
    connected(&server).await?;
    let mut publishers =
        (0..PUBLISHERS).map(|number| publisher(broker.port, number)).collect::<anyhow::Result<Vec<_>>>()?;

    eventually("a tenth of the messages is in", async || {
        Ok((accepted(&server.client).await? > MESSAGES / 10).then_some(()))
    })
    .await?;
    assert!(accepted(&server.client).await? < MESSAGES, "the first kill comes too late to show anything");
    server.kill()?;
    let server = Server::start(&data, Some(&config)).await?;
    eventually("a third of the messages is in", async || {
        Ok((accepted(&server.client).await? > MESSAGES / 3).then_some(()))
    })
    .await?;
    assert!(accepted(&server.client).await? < MESSAGES, "the second kill comes too late to show anything");
    server.kill()?;
    let server = Server::start(&data, Some(&config)).await?;

    for publisher in &mut publishers {
        let status = eventually("a publisher ends", async || Ok(publisher.try_wait()?)).await?;
        assert!(status.success(), "mosquitto_pub ended with {status}");
    }
    eventually("every message is in", async || Ok((accepted(&server.client).await? >= MESSAGES).then_some(()))).await?;

    let found = readings_in_the_log(&server.client).await?;
    let doubled: Vec<_> = found.iter().filter(|(_, count)| **count != 1).take(5).collect();
    assert!(doubled.is_empty(), "more than once in the log: {doubled:?}");
    for number in 0..PUBLISHERS {
        let signal = format!("LOOM-{number:02}.warp_tension");
        let missing: Vec<u64> =
            (0..MESSAGES_EACH).filter(|sequence| !found.contains_key(&(signal.clone(), *sequence))).take(5).collect();
        assert!(missing.is_empty(), "{signal}: lost {missing:?}");
    }
    assert_eq!(found.len() as u64, MESSAGES);
    server.stop().await
}
