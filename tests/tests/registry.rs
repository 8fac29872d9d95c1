//! The registry over HTTP: gates that hold, roll-backs that always work, and what ran at any moment, with proof.

#![allow(clippy::indexing_slicing, reason = "JSON that is not as expected must fail the test, also in its helpers")]

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tests::client::Client;
use tests::process::Server;

/// A model of one line, which answers any tension.
fn version(factor: f64) -> Value {
    let document = json!({
        "format": "millwright.mechanism/1", "name": {"en": "load"},
        "inputs": [{"name": "warp_tension", "unit": "cN"}],
        "parameters": [{"name": "factor", "unit": "1", "value": factor}],
        "formulas": [{"name": "load", "expression": "factor * warp_tension"}],
        "outputs": [{"name": "load", "unit": "cN", "formula": "load"}]
    });
    json!({"runtime": "mechanism", "files": [{"name": "mechanism.json", "json": document}], "author": "P-1"})
}

async fn expect(client: &Client, method: &str, path: &str, body: Value, expected: u16) -> anyhow::Result<Value> {
    let (status, answer) = client.send(method, path, &body).await?;
    assert_eq!(status.as_u16(), expected, "{method} {path}: {answer}");
    Ok(answer)
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

/// RFC 6962, section 2.1.1: the root that a leaf and its path lead to.
fn root(proof: &Value) -> String {
    let hash = |parts: &[&[u8]]| -> Vec<u8> {
        let mut hasher = Sha256::new();
        parts.iter().for_each(|part| hasher.update(part));
        hasher.finalize().to_vec()
    };
    let bytes = |text: &str| -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap_or_default()).collect()
    };
    let (mut node, mut last) = (proof["index"].as_u64().unwrap_or(0), proof["size"].as_u64().unwrap_or(1) - 1);
    let mut digest = hash(&[&[0], text(proof, "leaf").as_bytes()]);
    for sibling in proof["path"].as_array().into_iter().flatten() {
        let sibling = bytes(sibling.as_str().unwrap_or_default());
        if node % 2 == 1 || node == last {
            digest = hash(&[&[1], &sibling, &digest]);
            while node % 2 == 0 && node != 0 {
                (node, last) = (node / 2, last / 2);
            }
        } else {
            digest = hash(&[&[1], &digest, &sibling]);
        }
        (node, last) = (node / 2, last / 2);
    }
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ran_who_approved_it_and_the_proof() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"), None).await?;
    let client = &server.client;
    let loom =
        json!({"type": "asset.registered", "data": {"asset": "LOOM-07", "name": {"en": "loom 7"}, "class": "loom"}});
    client.must_post("/api/v1/events", &loom).await?;
    let model = json!({"model": "load", "kind": "mechanism", "description": {"en": "load of the warp"}});
    expect(client, "POST", "/api/v1/models", model, 201).await?;
    for factor in [2.0, 3.0] {
        expect(client, "POST", "/api/v1/models/load/versions", version(factor), 201).await?;
    }
    let deploy = |version: u32| json!({"deployment": "load-7", "model": "load", "version": version, "target": {"asset": "LOOM-07"}, "period_s": 10});
    expect(client, "POST", "/api/v1/deployments", deploy(1), 201).await?;
    let gate = json!({"guards": ["deployment", {"alias": "champion"}], "approvals": 1,
        "requires": [{"dataset": "holdout", "metric": "mae", "better": "lower", "threshold": 0.5}]});
    expect(client, "PUT", "/api/v1/gates/release", gate, 200).await?;

    // The gate names everything that is missing.
    let refused = expect(client, "POST", "/api/v1/deployments", deploy(2), 403).await?;
    assert!(
        text(&refused, "detail").contains("approvals") && text(&refused, "detail").contains("mae on holdout"),
        "{refused}"
    );
    let evaluation = json!({"dataset": "holdout", "metrics": {"mae": 0.25}, "samples": 40});
    expect(client, "POST", "/api/v1/models/load/versions/2/evaluations", evaluation, 201).await?;
    let own = expect(client, "POST", "/api/v1/models/load/versions/2/approvals", json!({"person": "P-1"}), 422).await?;
    assert!(text(&own, "detail").contains("P-1 made it"), "{own}");
    let standing = client.get("/api/v1/models/load/versions/2/promotion?alias=champion").await?;
    assert_eq!((&standing["passes"], &standing["unmet"][0]["what"]), (&json!(false), &json!("approvals")));
    expect(client, "POST", "/api/v1/models/load/versions/2/approvals", json!({"person": "P-2"}), 201).await?;
    let deployed = expect(client, "POST", "/api/v1/deployments", deploy(2), 201).await?;

    // What runs, and what ran, with everything that it rests on.
    let now = client.get("/api/v1/assets/LOOM-07/models?proof=true").await?;
    let ran = &now["items"][0];
    assert_eq!(
        (&ran["version"], &ran["approvals"][0]["person"], &ran["evaluations"][0]["metrics"]["mae"]),
        (&json!(2), &json!("P-2"), &json!(0.25))
    );
    assert_eq!(
        (&ran["created"]["author"], &ran["checked"]["gates"], &ran["replaces"]),
        (&json!("P-1"), &json!(["release"]), &json!(1))
    );
    let proofs = ran["proofs"].as_array().map(Vec::as_slice).unwrap_or_default();
    assert_eq!(proofs.len(), ran["positions"].as_array().map_or(0, Vec::len));
    assert_eq!(proofs.len(), 4, "deployment, version, evaluation, approval");
    for proof in proofs {
        assert_eq!(root(proof), text(proof, "root"), "{proof}");
    }
    assert!(proofs.iter().any(|proof| proof["index"] == deployed["position"]));
    let before = deployed["position"].as_u64().unwrap_or(1) - 1;
    let then = client.get(&format!("/api/v1/assets/LOOM-07/models?as_of={before}")).await?;
    assert_eq!((&then["items"][0]["version"], &then["items"][0]["approvals"]), (&json!(1), &json!([])));
    let never = client.get("/api/v1/assets/LOOM-07/models?at=2001-05-03T14:00:00Z").await?;
    assert_eq!(never["items"], json!([]));

    // What is used stays; a roll-back asks no gate.
    for version in [1, 2] {
        let path = format!("/api/v1/models/load/versions/{version}");
        let used = expect(client, "DELETE", &path, json!({}), 409).await?;
        assert!(text(&used, "detail").contains("load-7"), "{used}");
    }
    let back = expect(client, "POST", "/api/v1/deployments/load-7/roll-back", json!({"person": "P-3"}), 200).await?;
    assert_eq!(back["version"], 1);
    let now = client.get("/api/v1/assets/LOOM-07/models").await?;
    assert_eq!(now["items"][0]["checked"]["waived"], json!(["release"]));
    let history = client.get("/api/v1/models/load/history").await?;
    let whats: Vec<&str> = history["items"].as_array().into_iter().flatten().map(|item| text(item, "what")).collect();
    assert_eq!(
        whats,
        ["named", "created", "created", "deployment", "evaluated", "approved", "deployment", "deployment"]
    );

    // Names, tags, descriptions, and what differs.
    expect(client, "POST", "/api/v1/models/load/rename", json!({"name": "warp load"}), 200).await?;
    expect(client, "PUT", "/api/v1/models/warp%20load/tags/line", json!({"value": "A"}), 200).await?;
    expect(client, "PUT", "/api/v1/models/load/versions/2/description", json!({"description": "steeper"}), 200).await?;
    let shown = client.get("/api/v1/models/warp%20load").await?;
    assert_eq!(
        (&shown["model"], &shown["name"], &shown["tags"]["line"]),
        (&json!("load"), &json!("warp load"), &json!("A"))
    );
    assert_eq!(shown["versions"][1]["description"], "steeper");
    let compared = client.get("/api/v1/models/load/compare?a=1&b=2").await?;
    assert_eq!((&compared["same_signature"], &compared["files"][0]["what"]), (&json!(true), &json!("mechanism.json")));
    let taken = json!({"model": "warp load", "kind": "data"});
    expect(client, "POST", "/api/v1/models", taken, 409).await?;
    let again = expect(client, "POST", "/api/v1/models/load/versions/2/reproduce", json!({}), 200).await?;
    assert_eq!((&again["same"], again["not_made"].as_array().map_or(0, Vec::len)), (&json!(false), 1));
    for (method, path, expected) in [
        ("DELETE", "/api/v1/models/load/tags/none", 200),
        ("GET", "/api/v1/models/load/versions/x", 400),
        ("GET", "/api/v1/models/load/versions/9", 404),
        ("DELETE", "/api/v1/gates/none", 404),
        ("DELETE", "/api/v1/gates/release", 200),
    ] {
        expect(client, method, path, json!({}), expected).await?;
    }
    server.stop().await
}
