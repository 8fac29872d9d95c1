//! The HTTP interface as its users meet it: good input, bad input, and who may do what.

#![allow(clippy::indexing_slicing, reason = "JSON that is not as expected must fail the test, also in its helpers")]

use anyhow::Context;
use serde_json::{Value, json};
use tests::client::Client;
use tests::process::{Server, command, eventually};
use uuid::Uuid;

async fn server() -> anyhow::Result<(tempfile::TempDir, Server)> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"), None).await?;
    Ok((dir, server))
}

fn lot(id: &str) -> Value {
    json!({"type": "lot.created", "time": "2026-03-01T08:00:00Z", "data": {"lot": id, "material": "STYLE-1", "kind": "roll", "quantity": {"value": 120.5, "unit": "m"}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_atomic_and_idempotent() -> anyhow::Result<()> {
    let (_dir, server) = server().await?;
    let client = &server.client;
    let id = Uuid::now_v7();
    let mut event = lot("R-1");
    event["id"] = json!(id);
    let (status, first) = client.post("/api/v1/events", &event).await?;
    assert_eq!(status, 201);
    let (status, again) = client.post("/api/v1/events", &event).await?;
    assert_eq!((status.as_u16(), &again["first"], &again["repeated"]), (200, &first["first"], &json!(true)));

    // The same id with other content.
    let mut other = event.clone();
    other["data"]["quantity"]["value"] = json!(7.0);
    let (status, problem) = client.post("/api/v1/events", &other).await?;
    assert_eq!(status, 409);
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(&id.to_string())), "{problem}");

    // One bad event of three: nothing is logged.
    let before = client.get("/readyz").await?["tail"].clone();
    let (status, problem) = client.post("/api/v1/events", &json!([lot("R-2"), {"type": "lot.created", "data": {"lot": "", "material": "S", "kind": "roll"}}, lot("R-3")])).await?;
    assert_eq!(status, 400);
    assert_eq!(problem["field"], "[1].data");
    assert!(
        problem["detail"].as_str().is_some_and(|detail| detail.contains("lot") && detail.contains("empty")),
        "{problem}"
    );
    assert_eq!(client.get("/readyz").await?["tail"], before);

    // A number keeps every digit that was sent.
    let record = client.get(&format!("/api/v1/log/{}", first["first"])).await?;
    assert_eq!(record["data"]["quantity"]["value"], json!(120.5));
    assert_eq!(record["actor"], "local");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_gets_a_problem_that_names_the_field() -> anyhow::Result<()> {
    let (_dir, server) = server().await?;
    let client = &server.client;
    let posts = [
        ("/api/v1/events", json!({"type": "lot.vanished", "data": {}}), 400, "lot.vanished"),
        (
            "/api/v1/events",
            json!({"type": "lot.created", "data": {"lot": "R", "material": "S", "kind": "roll", "colour": "red"}}),
            400,
            "colour",
        ),
        (
            "/api/v1/events",
            json!({"type": "lot.created", "data": {"lot": "R", "material": "S", "kind": "ball"}}),
            400,
            "ball",
        ),
        ("/api/v1/events", json!({"type": "lot.created", "tiem": "2026-01-01T00:00:00Z", "data": {}}), 400, "tiem"),
        ("/api/v1/events", json!({"type": "lot.created", "time": "yesterday", "data": {}}), 400, "time"),
        (
            "/api/v1/events",
            json!({"type": "signal.defined", "data": {"signal": "s", "asset": "a", "quantity": "q", "name": {}, "unit": "furlongs/fortnight"}}),
            400,
            "furlongs",
        ),
        ("/api/v1/events", json!([]), 400, "at least one"),
        ("/api/v1/readings", json!({"signal": "LOOM-01.warp_tension", "time": "2026-01-01T00:00:00Z"}), 400, "value"),
        ("/api/v1/readings", json!([{"signal": "", "time": "2026-01-01T00:00:00Z", "value": 1}]), 400, "[0].signal"),
        ("/api/v1/commands", json!({"command": "lot.eat", "data": {}}), 400, "lot.eat"),
        ("/api/v1/commands", json!({"command": "lot.ship", "data": {"lot": "R-9", "shipment": "S-1"}}), 422, "R-9"),
        ("/api/v1/knowledge/diagnose", json!({"symptom": "noise"}), 400, "symptom"),
        ("/api/v1/models/none/versions", json!({"runtime": "mechanism", "files": []}), 404, "none"),
        (
            "/api/v1/deployments",
            json!({"deployment": "d", "model": "none", "target": {"asset": "A"}, "period_s": 5}),
            404,
            "none",
        ),
    ];
    let posted = posts.len();
    for (path, body, expected, named) in posts {
        let (status, problem) = client.post(path, &body).await?;
        assert_eq!(status.as_u16(), expected, "POST {path} {body}: {problem}");
        assert!(
            problem["detail"].as_str().is_some_and(|detail| detail.contains(named)),
            "POST {path} {body}: {problem} does not name {named}"
        );
        assert!(problem["type"].as_str().is_some_and(|kind| kind.starts_with("urn:millwright:problem:")), "{problem}");
    }
    let gets = [
        ("/api/v1/log?limit=0", 400, "limit"),
        ("/api/v1/log?limit=100000", 400, "limit"),
        ("/api/v1/log?direction=sideways", 400, "direction"),
        ("/api/v1/log?cursor=abc", 400, "cursor"),
        ("/api/v1/log?tag=asset", 400, "tag"),
        ("/api/v1/log/4711", 404, "4711"),
        ("/api/v1/log/x", 400, "position"),
        ("/api/v1/streams/lot-NONE", 404, "lot-NONE"),
        ("/api/v1/assets/NONE", 404, "NONE"),
        ("/api/v1/assets?as_of=900", 400, "as_of"),
        ("/api/v1/assets?as_of=soon", 400, "as_of"),
        ("/api/v1/assets?min_position=900", 400, "min_position"),
        ("/api/v1/trace/lot/NONE", 404, "NONE"),
        ("/api/v1/trace/planet/MARS", 400, "planet"),
        ("/api/v1/trace/lot/R?depth=0", 400, "depth"),
        ("/api/v1/knowledge/search?base=astrology", 400, "base"),
        ("/api/v1/knowledge/search?from=never", 400, "from"),
        ("/api/v1/knowledge/records/nothing", 400, "id"),
        ("/api/v1/models/NONE", 404, "NONE"),
        ("/api/v1/nowhere", 404, "/api/v1/nowhere"),
    ];
    let got = gets.len();
    for (path, expected, named) in gets {
        let (status, text) = client.text(path).await?;
        assert_eq!(status.as_u16(), expected, "GET {path}: {text}");
        assert!(text.contains(named), "GET {path}: {text} does not name {named}");
        let problem: Value = serde_json::from_str(&text).with_context(|| format!("GET {path}: {text}"))?;
        assert_eq!(problem["status"], expected);
    }
    assert_eq!((posted, got), (14, 20));
    assert_eq!(client.get("/readyz").await?["tail"], 0, "bad input leaves nothing in the log");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_refused_where_an_observation_becomes_a_discrepancy() -> anyhow::Result<()> {
    let (_dir, server) = server().await?;
    let client = &server.client;
    client.must_post("/api/v1/events", &lot("R-1")).await?;
    let ship = json!({"lot": "R-1", "shipment": "S-1"});
    let (status, problem) = client.post("/api/v1/commands", &json!({"command": "lot.ship", "data": ship})).await?;
    assert_eq!(status, 422, "shipped before it was released: {problem}");
    client.must_post("/api/v1/commands", &json!({"command": "lot.release", "data": {"lot": "R-1"}})).await?;
    let id = Uuid::now_v7();
    let command_body = json!({"command": "lot.ship", "id": id, "data": ship});
    let shipped = client.must_post("/api/v1/commands", &command_body).await?;
    let (status, again) = client.post("/api/v1/commands", &command_body).await?;
    assert_eq!((status.as_u16(), &again["first"]), (200, &shipped["first"]), "the same command again");
    let (status, problem) = client.post("/api/v1/commands", &json!({"command": "lot.ship", "data": ship})).await?;
    assert_eq!(status, 422, "shipped twice: {problem}");

    // Reality is never refused: somebody reports that it left twice.
    let event = client
        .must_post("/api/v1/events", &json!({"type": "lot.shipped", "time": "2026-03-02T08:00:00Z", "data": ship}))
        .await?;
    let position = &event["last"];
    let open = client.get(&format!("/api/v1/discrepancies?min_position={position}")).await?;
    let found = open["items"]
        .as_array()
        .context("no items")?
        .iter()
        .find(|item| item["discrepancy"]["position"] == *position)
        .context("no discrepancy")?
        .clone();
    assert_eq!(found["discrepancy"]["rule"], "lot.shipped_twice");
    let resolve = json!({"command": "discrepancy.resolve", "data": {"event": found["discrepancy"]["event"], "person": "P-1", "resolution": {"en": "keyed twice"}}});
    let resolved = client.must_post("/api/v1/commands", &resolve).await?;
    let left = client.get(&format!("/api/v1/discrepancies?min_position={}", resolved["last"])).await?;
    assert!(
        left["items"]
            .as_array()
            .is_some_and(|items| items.iter().all(|item| item["discrepancy"]["position"] != *position)),
        "{left}"
    );
    // As known before the resolution, it was open.
    let before = resolved["last"].as_u64().context("no position")? - 1;
    let then = client.get(&format!("/api/v1/discrepancies?as_of={before}")).await?;
    assert!(
        then["items"]
            .as_array()
            .is_some_and(|items| items.iter().any(|item| item["discrepancy"]["position"] == *position)),
        "{then}"
    );
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn readings_are_taken_once() -> anyhow::Result<()> {
    let (dir, server) = server().await?;
    let reading = |second: u32, value: f64| json!({"signal": "LOOM-01.warp_tension", "time": format!("2026-03-01T08:00:{second:02}Z"), "value": value, "source": "gateway-1"});
    let first = server.client.must_post("/api/v1/readings", &json!([reading(1, 31.5), reading(2, 32.5)])).await?;
    assert_eq!((&first["accepted"], &first["duplicates"]), (&json!(2), &json!(0)));
    server.stop().await?;
    // After a restart it still knows them, and tells a contradiction from a repetition.
    let server = Server::start(&dir.path().join("data"), None).await?;
    let second = server
        .client
        .must_post("/api/v1/readings", &json!([reading(2, 32.5), reading(1, 99.0), reading(3, 33.5)]))
        .await?;
    assert_eq!((&second["accepted"], &second["duplicates"], &second["conflicts"]), (&json!(2), &json!(1), &json!(1)));
    let recent = server.client.get("/api/v1/signals/LOOM-01.warp_tension/recent").await;
    let recent = match recent {
        Ok(recent) => recent,
        Err(_) => {
            eventually("the readings are taken in", async || {
                Ok(server.client.get("/api/v1/signals/LOOM-01.warp_tension/recent").await.ok())
            })
            .await?
        }
    };
    assert!(recent["items"].as_array().is_some_and(|items| items.len() >= 2), "{recent}");
    server.stop().await
}

/// The tokens of this test, and their digests as `printf %s TOKEN | sha256sum` gives them.
fn digest(token: &str) -> String {
    eventlog::Digest::of(token.as_bytes()).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_may_do_what_it_is_for() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let roles = ["viewer", "operator", "engineer", "auditor", "admin"];
    let config = dir.path().join("millwright.toml");
    let tokens: String = roles
        .iter()
        .map(|role| {
            format!(
                "[[tokens]]\nname = \"the {role}\"\nrole = \"{role}\"\nsha256 = \"{}\"\n",
                digest(&format!("secret-{role}"))
            )
        })
        .collect();
    std::fs::write(&config, tokens)?;
    let server = Server::start(&dir.path().join("data"), Some(&config)).await?;
    let with = |role: &str| server.client.with_token(&format!("secret-{role}"));

    // Without a token: health, the page's frame and the document; everything else is refused, on every address of the document.
    let document = server.client.get("/openapi.json").await?;
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")), "{}", document["openapi"]);
    // Auditors hold no token: checkpoints, hashes and the key are for everybody, leaves are not.
    let audit = ["/log/checkpoint", "/log/checkpoint/witnessed", "/log/vkey", "/log/tile/{level}/{index}"];
    let open = [["/healthz", "/health", "/readyz", "/metrics"], audit].concat();
    let mut refused = 0;
    for (path, operations) in document["paths"].as_object().context("no paths")? {
        if open.contains(&path.as_str()) {
            continue;
        }
        for method in operations.as_object().context("no operations")?.keys() {
            let address = path.replace("{position}", "0").replace(['{', '}'], "");
            let status = request(&server.client, method, &address).await?;
            assert_eq!(status, 401, "{method} {path} without a token");
            let guessed = server.client.with_token("guess");
            assert_eq!(request(&guessed, method, &address).await?, 401, "{method} {path} with a wrong token");
            refused += 1;
        }
    }
    assert!(refused > 30, "only {refused} operations were tried");

    // What each role may do: read knowledge, read the log, write events, write models.
    let expected = [
        ("viewer", [true, false, false, false]),
        ("operator", [true, false, true, false]),
        ("engineer", [true, true, true, true]),
        ("auditor", [true, true, false, false]),
        ("admin", [true, true, true, true]),
    ];
    for (role, allowed) in expected {
        let client = with(role);
        let tried = [
            client.text("/api/v1/assets").await?.0,
            client.text("/api/v1/log").await?.0,
            client.post("/api/v1/events", &lot(&format!("R-{role}"))).await?.0,
            client.post("/api/v1/models", &json!({"model": format!("m-{role}"), "kind": "mechanism"})).await?.0,
        ];
        assert_eq!(tried.map(|status| status.is_success()), allowed, "{role}: {tried:?}");
        assert!(tried.iter().all(|status| status.is_success() || status.as_u16() == 403), "{role}: {tried:?}");
    }

    // What the registry says with checks is not simply reported: who works at the machines removes no gate.
    let removed = json!({"type": "gate.removed", "data": {}});
    assert_eq!(with("operator").post("/api/v1/events", &removed).await?.0.as_u16(), 403);
    assert_eq!(with("admin").post("/api/v1/events", &removed).await?.0.as_u16(), 400, "it has no data");

    // The token's name is the record's actor.
    let log = with("auditor").get("/api/v1/log?type=lot.created").await?;
    let actors: Vec<&str> =
        log["items"].as_array().context("no items")?.iter().filter_map(|record| record["actor"].as_str()).collect();
    assert_eq!(actors, ["the operator", "the engineer", "the admin"]);
    server.stop().await
}

/// The status of a request with an empty JSON body.
async fn request(client: &Client, method: &str, path: &str) -> anyhow::Result<u16> {
    client.status(method, path).await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tokens_the_network_is_not_served() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let mut serve = command(&["serve", "--listen", "0.0.0.0:0", "--data-dir"])?;
    let output = serve.arg(dir.path().join("data")).output()?;
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("token") && error.contains("0.0.0.0"), "{error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_the_same_folder_says_so() -> anyhow::Result<()> {
    let (dir, server) = server().await?;
    let output = command(&["serve", "--listen", "127.0.0.1:0", "--data-dir"])?.arg(dir.path().join("data")).output()?;
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("another process"), "{error}");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_in_both_languages() -> anyhow::Result<()> {
    let (_dir, server) = server().await?;
    for (path, words) in
        [("/?lang=en", "The factory's memory"), ("/?lang=zh", "工厂的记忆"), ("/docs", "/api/v1/knowledge/diagnose")]
    {
        let (status, text) = server.client.text(path).await?;
        assert_eq!(status, 200);
        assert!(text.replace("&#39;", "'").contains(words), "{path} does not say {words}");
    }
    // What a visitor types in is shown as text, never as markup.
    let (_, text) = server.client.text("/fragments/trace?kind=lot&id=%3Cscript%3Ealert(1)%3C/script%3E").await?;
    assert!(!text.contains("<script>"), "{text}");
    server.stop().await
}
