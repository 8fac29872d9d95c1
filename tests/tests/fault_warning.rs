//! Fault warning over HTTP: a rule that somebody else approved runs on what comes in, warns once, and is measured by what happened afterwards.

#![allow(clippy::indexing_slicing, reason = "JSON that is not as expected must fail the test, also in its helpers")]

use serde_json::{Value, json};
use tests::client::Client;
use tests::process::{Server, eventually};

/// So many minutes from now, as RFC 3339. A rule runs on what happens after it was approved, so that these are times of today.
fn at(minutes: i64) -> String {
    (jiff::Timestamp::now() + jiff::SignedDuration::from_mins(minutes)).to_string()
}

async fn post(client: &Client, minutes: i64, event_type: &str, data: Value) -> anyhow::Result<u64> {
    let event = json!({"type": event_type, "time": at(minutes), "data": data});
    let logged = client.must_post("/api/v1/events", &event).await?;
    Ok(logged["last"].as_u64().unwrap_or_default())
}

async fn alarm(client: &Client, minutes: i64, id: &str) -> anyhow::Result<u64> {
    let data = json!({"alarm": id, "asset": "L07", "code": "A-301", "text": {"en": "weft late"}, "severity": 600});
    post(client, minutes, "alarm.raised", data).await
}

/// The warnings, once there are so many.
async fn warnings(client: &Client, query: &str, count: usize) -> anyhow::Result<Value> {
    eventually(&format!("{count} warnings"), async || {
        let found = client.get(&format!("/api/v1/fault-warning/warnings?{query}")).await?;
        let list = found["item"]["warnings"].as_array().map_or(0, Vec::len);
        Ok((list == count).then_some(found["item"].clone()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_rule_warns_once_and_is_measured_by_what_followed() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    let server = Server::start(&data, None).await?;
    let client = &server.client;
    let loom = json!({"asset": "L07", "name": {"en": "loom 7"}, "class": "air-jet-loom"});
    post(client, -1000, "asset.registered", loom).await?;
    let condition = json!({"of": "alarms", "codes": ["A-3*"], "window_s": 3600, "at_least": 2});
    let rule = |condition: Value| {
        json!({
            "rule": "KB-20", "classes": ["air-jet-loom"], "author": "P-1",
            "detection": {"mode": "NOZ-CLG", "condition": condition, "clear_s": 0, "horizon_s": 7200},
        })
    };

    // What cannot run is refused by its field; the author does not approve.
    let mut endless = rule(condition.clone());
    endless["detection"]["horizon_s"] = json!(0);
    let (status, refused) = client.post("/api/v1/fault-warning/rules", &endless).await?;
    assert!(status == 422 && refused.to_string().contains("horizon_s"), "{status} {refused}");
    let (status, refused) = client.post("/api/v1/fault-warning/rules", &rule(json!({"of": "smell"}))).await?;
    assert!(status == 400 && refused.to_string().contains("detection.condition"), "{refused}");
    client.must_post("/api/v1/fault-warning/rules", &rule(condition)).await?;
    let approve = "/api/v1/fault-warning/rules/KB-20/approve";
    let (status, refused) = client.post(approve, &json!({"person": "P-1"})).await?;
    assert!(status == 422, "the author approved: {refused}");

    // Before it is approved it says nothing. The reactor sees things in the order of the log, so that the warning below would not be the only one.
    alarm(client, -600, "AL-1").await?;
    alarm(client, -599, "AL-2").await?;
    client.must_post(approve, &json!({"person": "P-2"})).await?;
    alarm(client, 0, "AL-3").await?;
    let second = alarm(client, 0, "AL-4").await?;
    let raised = warnings(client, "", 1).await?;
    let warning = &raised["warnings"][0];
    let said = &warning["raised"]["value"];
    assert_eq!(
        (&said["rule"], &said["asset"], &said["mode"]),
        (&json!("KB-20"), &json!("L07"), &json!("NOZ-CLG")),
        "{raised}"
    );
    assert_eq!((&warning["outcome"], &raised["hits"]), (&json!("open"), &json!(0)), "{raised}");
    let behind = said["evidence"]["positions"].as_array().and_then(|positions| positions.last());
    assert_eq!(behind, Some(&json!(second)), "the evidence names the alarm: {warning}");
    alarm(client, 0, "AL-5").await?;

    // A fault of the mode follows within the horizon: a hit, from then on, and not as known before.
    let before =
        post(client, 1, "fault.observed", json!({"fault": "F-1", "asset": "L07", "symptoms": {"zh": "纬停多"}}))
            .await?;
    let coded = post(client, 2, "fault.coded", json!({"fault": "F-1", "asset": "L07", "mode": "NOZ-CLG"})).await?;
    let now = warnings(client, &format!("min_position={coded}"), 1).await?;
    assert_eq!((&now["warnings"][0]["outcome"], &now["hits"]), (&json!("hit"), &json!(1)), "{now}");
    let then = warnings(client, &format!("as_of={before}"), 1).await?;
    assert_ne!(then["warnings"][0]["outcome"], "hit", "{then}");
    let rules = client.get("/api/v1/fault-warning/rules?mode=NOZ-CLG").await?;
    assert_eq!(rules["items"].as_array().map(Vec::len), Some(1), "{rules}");
    assert_eq!(client.get("/api/v1/fault-warning/rules?mode=OTHER").await?["items"], json!([]));

    // A restart repeats nothing, and a rule that is retired says nothing more.
    server.stop().await?;
    let server = Server::start(&data, None).await?;
    let client = &server.client;
    server.settled().await?;
    warnings(client, "", 1).await?;
    client.must_post("/api/v1/fault-warning/rules/KB-20/retire", &json!({"person": "P-2"})).await?;
    alarm(client, 3, "AL-6").await?;
    let last = alarm(client, 3, "AL-7").await?;
    server.settled().await?;
    let found = client.get(&format!("/api/v1/fault-warning/warnings?min_position={last}")).await?;
    assert_eq!(found["item"]["found"], 1, "{found}");
    let open = client.get("/api/v1/fault-warning/warnings?open=true").await?;
    assert_eq!(open["item"]["found"], 0, "the warnings of a retired rule end: {open}");

    // Below five faults nothing is said about what comes before them.
    let mined = client.get("/api/v1/fault-warning/precursors?mode=NOZ-CLG&class=air-jet-loom").await?;
    assert_eq!(mined["item"]["precursors"], json!([]), "{mined}");
    let (status, problem) = client.text("/api/v1/fault-warning/precursors?mode=NOZ-CLG&horizon_hours=0").await?;
    assert!(status == 400 && problem.contains("horizon_hours"), "{problem}");
    server.stop().await
}
