//! Diagnosis of an asset at a time: the system looks at readings and alarms itself, compares them with what earlier faults showed, and says what it saw.

#![allow(clippy::indexing_slicing, reason = "JSON that is not as expected must fail the test, also in its helpers")]

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tests::client::Client;
use tests::process::Server;

const DIAGNOSE: &str = "/api/v1/knowledge/diagnose";

/// The moment of every fault here.
fn moment() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap_or(Timestamp::UNIX_EPOCH)
}

fn minutes_before(minutes: i64) -> String {
    (moment() - SignedDuration::from_mins(minutes)).to_string()
}

async fn post(client: &Client, minutes: i64, event_type: &str, data: Value) -> anyhow::Result<u64> {
    let event = json!({"type": event_type, "time": minutes_before(minutes), "data": data});
    let logged = client.must_post("/api/v1/events", &event).await?;
    Ok(logged["last"].as_u64().unwrap_or_default())
}

/// A loom with two quantities and a reading of each every five minutes for thirty hours; in the last forty minutes one of them is off by so much.
async fn loom(client: &Client, name: &str, off: (&str, f64)) -> anyhow::Result<()> {
    post(client, 3_000, "asset.registered", json!({"asset": name, "name": {"en": name}, "class": "loom"})).await?;
    for (quantity, usual) in [("warp_tension", 27.0), ("air_pressure", 4.2)] {
        let signal = format!("{name}.{quantity}");
        let data =
            json!({"signal": signal, "asset": name, "quantity": quantity, "name": {"en": quantity}, "unit": "1"});
        post(client, 3_000, "signal.defined", data).await?;
        let reading = |step: i64| {
            let minutes = step * 5;
            let wobble = [0.0, 0.02, -0.01, 0.01, -0.02][usize::try_from(step % 5).unwrap_or_default()];
            let by = if off.0 == quantity && minutes <= 40 { off.1 } else { 0.0 };
            json!({"signal": signal, "time": minutes_before(minutes), "value": usual + wobble + by})
        };
        client.must_post("/api/v1/readings", &Value::Array((0..360).rev().map(reading).collect())).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asset_and_a_time_are_enough_for_a_diagnosis() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"), None).await?;
    let client = &server.client;
    // Faults of two modes, reported in the same words; only readings tell them apart.
    for number in 0..12 {
        let name = format!("L{number:02}");
        let (mode, off) =
            if number % 2 == 0 { ("LET-TEN", ("warp_tension", -3.0)) } else { ("AIR-LEA", ("air_pressure", 0.9)) };
        loom(client, &name, off).await?;
        let fault = json!({"fault": format!("F-{number}"), "asset": name, "symptoms": {"zh": "停台"}});
        post(client, 0, "fault.observed", fault).await?;
        post(client, 0, "fault.coded", json!({"fault": format!("F-{number}"), "asset": name, "mode": mode})).await?;
    }
    loom(client, "L90", ("warp_tension", -3.0)).await?;
    loom(client, "L91", ("none", 0.0)).await?;
    let mounted = json!({"asset": "L90", "beam": "BEAM-7", "order": "O-1", "product": "PLAIN", "joining": "drawn_in"});
    post(client, 2_000, "weaving.beam_mounted", mounted).await?;
    server.settled().await?;

    let at = moment().to_string();
    let answer = client.must_post(DIAGNOSE, &json!({"asset": "L90", "at": at})).await?;
    let signs = answer["seen"]["readings"].as_array().cloned().unwrap_or_default();
    // The step lies within a bucket of the longest window, which is therefore unsteady, too.
    let named = |sign: &Value| format!("{} {}", sign["quantity"], sign["is"]);
    assert_eq!(
        signs.iter().map(named).collect::<Vec<_>>(),
        [r#""warp_tension" "low""#, r#""warp_tension" "unsteady""#],
        "{answer:#}"
    );
    assert_eq!(signs[0]["window_s"], 1_800, "{answer:#}");
    assert!(signs[0]["positions"].as_array().is_some_and(|positions| !positions.is_empty()), "{answer:#}");
    assert_eq!(
        (&answer["verdict"], &answer["candidates"][0]["mode"]),
        (&json!("match"), &json!("LET-TEN")),
        "{answer:#}"
    );
    let reason = &answer["candidates"][0]["for_it"][0];
    assert!(
        reason[0].as_str().is_some_and(|sign| sign.starts_with("warp_tension "))
            && reason[1].as_f64().is_some_and(|ratio| ratio > 0.0),
        "{answer:#}"
    );
    assert_eq!(answer["lots"][0]["lot"], "BEAM-7", "{answer:#}");

    // What the system saw is part of what it is on record to have said.
    let given = client.get(&format!("/api/v1/log/{}", answer["logged"])).await?;
    assert_eq!(given["type"], "diagnosis.given", "{given}");
    assert_eq!((&given["data"]["at"], &given["data"]["readings"]), (&json!(at), &json!(signs)), "{given}");

    // Everything as usual is an answer; an hour earlier it was so here, too; and readings that were not known yet show nothing.
    for (asset, at, as_of) in
        [("L91", at.clone(), None), ("L90", minutes_before(60), None), ("L90", at.clone(), Some(1))]
    {
        let mut question = json!({"asset": asset, "at": at});
        if let Some(position) = as_of {
            question["as_of"] = json!(position.to_string());
            question["asset"] = json!("L00");
        }
        let answer = client.must_post(DIAGNOSE, &question).await?;
        assert_eq!(
            (&answer["verdict"], &answer["seen"]["readings"]),
            (&json!("no good match"), &json!([])),
            "{answer:#}"
        );
        assert!(answer["reason"]["zh"].as_str().is_some_and(|zh| zh.contains("无异")), "{answer:#}");
    }

    // A person's words and the look go together.
    let both = client.must_post(DIAGNOSE, &json!({"asset": "L90", "at": at, "symptoms": "停台"})).await?;
    assert_eq!(both["candidates"][0]["mode"], "LET-TEN", "{both:#}");

    for (body, status, field) in [
        (json!({"at": at}), 400, "at"),
        (json!({"asset": "L90", "at": "noon"}), 400, "at"),
        (json!({"asset": "L404"}), 404, "L404"),
        (json!({}), 400, "symptoms"),
    ] {
        let (code, problem) = client.post(DIAGNOSE, &body).await?;
        assert!(code == status && problem.to_string().contains(field), "{body} {code} {problem}");
    }
    server.stop().await
}
