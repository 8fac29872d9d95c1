//! Competing consumers and what the log knows of its streams, over HTTP, as another program meets them.

#![allow(clippy::indexing_slicing, reason = "JSON that is not as expected must fail the test, also in its helpers")]

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::client::Client;
use tests::process::{Server, eventually};

fn lot(id: &str) -> Value {
    json!({"type": "lot.created", "time": "2026-03-01T08:00:00Z", "data": {"lot": id, "material": "STYLE-1", "kind": "roll"}})
}

async fn expect(client: &Client, method: &str, path: &str, body: Value, status: u16) -> anyhow::Result<Value> {
    let (found, answer) = client.send(method, path, &body).await?;
    anyhow::ensure!(found.as_u16() == status, "{method} {path} {body}: {found} {answer}, expected {status}");
    Ok(answer)
}

/// Takes up to so many records, and waits for them.
async fn fetch(client: &Client, max: usize) -> anyhow::Result<Vec<Value>> {
    let asked = json!({"max": max, "wait_ms": 5000});
    let answer = expect(client, "POST", "/api/v1/groups/shipping/fetch", asked, 200).await?;
    Ok(answer["deliveries"].as_array().cloned().unwrap_or_default())
}

fn receipt(delivery: &Value) -> Value {
    json!({"position": delivery["position"], "attempt": delivery["attempt"]})
}

fn lots(deliveries: &[Value]) -> Vec<&str> {
    deliveries.iter().filter_map(|delivery| delivery["record"]["data"]["lot"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_group_share_its_records_and_a_restart_loses_none() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"), None).await?;
    let client = &server.client;
    let group = json!({"filter": [{"types": ["lot.created"]}], "max_attempts": 2, "lease_ms": 600_000});
    expect(client, "PUT", "/api/v1/groups/shipping", group.clone(), 201).await?;
    expect(client, "PUT", "/api/v1/groups/shipping", group.clone(), 200).await?;
    let events: Vec<Value> = (0..6).map(|number| lot(&format!("R-{number}"))).collect();
    client.must_post("/api/v1/events", &json!(events)).await?;
    let asset = json!({"type": "asset.registered", "data": {"asset": "L-1", "name": {"en": "loom"}, "class": "loom"}});
    client.must_post("/api/v1/events", &asset).await?;

    // Two members get different records, and only those that the filter lets through.
    let (first, second) = (fetch(client, 3).await?, fetch(client, 100).await?);
    let all: BTreeSet<&str> = lots(&first).into_iter().chain(lots(&second)).collect();
    assert_eq!((first.len(), second.len(), all.len()), (3, 3, 6), "{first:?} {second:?}");
    assert_eq!(lots(&first), ["R-0", "R-1", "R-2"]);

    // One is done, one is given back, one is parked with a reason; a receipt counts once.
    let done = json!({"deliveries": [receipt(&first[0])]});
    let settled = expect(client, "POST", "/api/v1/groups/shipping/ack", done.clone(), 200).await?;
    assert_eq!(settled, json!({"settled": 1, "stale": 0, "parked": 0}));
    let settled = expect(client, "POST", "/api/v1/groups/shipping/ack", done, 200).await?;
    assert_eq!(settled, json!({"settled": 0, "stale": 1, "parked": 0}));
    let back = json!({"deliveries": [receipt(&first[1])], "reason": "the label printer is out of paper"});
    expect(client, "POST", "/api/v1/groups/shipping/nack", back, 200).await?;
    let park = json!({"deliveries": [receipt(&first[2])], "action": "park", "reason": "no such customer"});
    expect(client, "POST", "/api/v1/groups/shipping/nack", park, 200).await?;
    let again = fetch(client, 1).await?;
    assert_eq!((lots(&again), &again[0]["attempt"]), (vec!["R-1"], &json!(2)));
    // The second attempt was the last: it is parked by itself.
    let back = json!({"deliveries": [receipt(&again[0])], "reason": "still no paper"});
    let settled = expect(client, "POST", "/api/v1/groups/shipping/nack", back, 200).await?;
    assert_eq!(settled["parked"], 1);
    let parked = client.get("/api/v1/groups/shipping/parked").await?;
    let reasons: Vec<&str> =
        parked["items"].as_array().into_iter().flatten().filter_map(|item| item["reason"].as_str()).collect();
    assert_eq!(reasons, ["delivered 2 times; still no paper", "no such customer"]);
    let page = client.get("/api/v1/groups/shipping/parked?limit=1").await?;
    let next = client
        .get(&format!(
            "/api/v1/groups/shipping/parked?limit=1&cursor={}",
            page["next_cursor"].as_str().unwrap_or_default()
        ))
        .await?;
    assert_eq!((&page["items"][0], &next["items"][0]), (&parked["items"][0], &parked["items"][1]));

    // After a restart: what was done stays done, what was parked stays parked, what was with members comes again.
    server.stop().await?;
    let server = Server::start(&dir.path().join("data"), None).await?;
    let client = &server.client;
    let listed = client.get("/api/v1/groups").await?;
    assert_eq!((&listed["items"][0]["name"], &listed["items"][0]["parked"]), (&json!("shipping"), &json!(2)));
    let after = fetch(client, 100).await?;
    assert_eq!(lots(&after), ["R-3", "R-4", "R-5"]);
    let replayed = expect(client, "POST", "/api/v1/groups/shipping/replay-parked", json!({}), 200).await?;
    assert_eq!(replayed["replayed"].as_array().map(Vec::len), Some(2), "{replayed}");
    assert_eq!(lots(&fetch(client, 100).await?), ["R-1", "R-2"]);

    // What is wrong is named.
    let wrong = [
        ("PUT", "/api/v1/groups/Shipping!", json!({}), 400, "name"),
        ("PUT", "/api/v1/groups/other", json!({"lease_ms": 0}), 400, "lease_ms"),
        ("POST", "/api/v1/groups/shipping/fetch", json!({"max": 0}), 400, "max"),
        ("POST", "/api/v1/groups/shipping/fetch", json!({"max": 100_000}), 400, "max"),
        (
            "POST",
            "/api/v1/groups/shipping/ack",
            json!({"deliveries": [{"position": -1, "attempt": 1}]}),
            400,
            "deliveries[0].position",
        ),
    ];
    for (method, path, body, status, field) in wrong {
        let problem = expect(client, method, path, body, status).await?;
        assert!(problem.to_string().contains(field), "{method} {path} does not name {field}: {problem}");
    }
    expect(client, "POST", "/api/v1/groups/nobody/fetch", json!({}), 404).await?;
    assert_eq!(client.status("DELETE", "/api/v1/groups/shipping").await?, 204);
    assert_eq!(client.status("DELETE", "/api/v1/groups/shipping").await?, 404);
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_waits_is_woken_and_a_lease_that_ran_out_is_anothers() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"), None).await?;
    let client = &server.client;
    let group = json!({"filter": [{"types": ["lot.created"]}], "from": "tail", "lease_ms": 100});
    expect(client, "PUT", "/api/v1/groups/shipping", group, 201).await?;
    let waits = {
        let client = client.clone();
        tokio::spawn(async move { fetch(&client, 1).await })
    };
    client.must_post("/api/v1/events", &lot("R-9")).await?;
    let woken = waits.await??;
    assert_eq!(lots(&woken), ["R-9"]);
    let another = eventually("the lease runs out", async || Ok(fetch(client, 1).await?.into_iter().next())).await?;
    assert_eq!((&another["position"], &another["attempt"]), (&woken[0]["position"], &json!(2)));
    let late = json!({"deliveries": [receipt(&woken[0])]});
    let settled = expect(client, "POST", "/api/v1/groups/shipping/ack", late, 200).await?;
    assert_eq!(settled, json!({"settled": 1, "stale": 0, "parked": 0}), "what is done is done, however late");
    let other = json!({"deliveries": [receipt(&another)]});
    let settled = expect(client, "POST", "/api/v1/groups/shipping/ack", other, 200).await?;
    assert_eq!(settled, json!({"settled": 0, "stale": 1, "parked": 0}), "once");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_can_be_truncated_and_closed_and_its_proofs_stay() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"), None).await?;
    let client = &server.client;
    let mut positions = Vec::new();
    for quantity in [1.0, 2.0, 3.0] {
        let completed =
            json!({"type": "lot.completed", "data": {"lot": "R-1", "quantity": {"value": quantity, "unit": "m"}}});
        let event = if positions.is_empty() { lot("R-1") } else { completed };
        positions.push(client.must_post("/api/v1/events", &event).await?["first"].as_u64().unwrap_or_default());
    }
    let stream =
        client.get(&format!("/api/v1/log/{}", positions[0])).await?["stream"].as_str().unwrap_or_default().to_owned();
    let metadata = format!("/api/v1/streams/{stream}/metadata");
    let category = stream.split('-').next().unwrap_or_default();

    let kept = json!({"retention_class": "ten-years"});
    expect(client, "PUT", &format!("/api/v1/categories/{category}/metadata"), kept, 200).await?;
    let shown = expect(client, "PUT", &metadata, json!({"truncate_before": 1}), 200).await?;
    assert_eq!(
        (&shown["truncate_before"], &shown["retention_class"], &shown["effective_retention_class"], &shown["deleted"]),
        (&json!(1), &Value::Null, &json!("ten-years"), &json!(false))
    );
    let read = client.get(&format!("/api/v1/streams/{stream}")).await?;
    assert_eq!(read["items"].as_array().map(Vec::len), Some(2), "the first revision is not shown any more: {read}");
    assert!(client.get(&format!("/api/v1/log/{}", positions[0])).await?["data"].is_object(), "the log still has it");

    // It does not go back, and a closed stream takes nothing.
    let back = expect(client, "PUT", &metadata, json!({"truncate_before": 0}), 400).await?;
    assert!(back["detail"].as_str().is_some_and(|detail| detail.contains("truncation")), "{back}");
    expect(client, "PUT", &metadata, json!({"truncate_before": 1, "deleted": true}), 200).await?;
    let (status, refused) =
        client.post("/api/v1/events", &json!({"type": "lot.completed", "data": {"lot": "R-1"}})).await?;
    assert!(status.as_u16() == 409 || status.as_u16() == 410, "{status} {refused}");
    let again = expect(client, "PUT", &metadata, json!({"deleted": false}), 400).await?;
    assert!(again["detail"].as_str().is_some_and(|detail| detail.contains(&stream)), "{again}");
    let proof = client.get(&format!("/api/v1/log/{}/proof", positions[0])).await?;
    assert_eq!(proof["index"], positions[0]);

    let wrong = expect(client, "PUT", &metadata, json!({"retention_class": "Ten Years"}), 400).await?;
    assert!(wrong.to_string().contains("retention_class"), "{wrong}");
    let own = expect(client, "PUT", "/api/v1/streams/$meta-x/metadata", json!({}), 400).await?;
    assert_eq!(own["field"], "stream", "{own}");
    server.stop().await
}
