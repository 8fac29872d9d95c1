//! Personal data from registration to erasure, with the real binary: what was erased is in no answer and in no file, and everything still proves.

#![allow(clippy::indexing_slicing, reason = "JSON that is not as expected must fail the test, also in its helpers")]

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tests::process::{Server, command};
use uuid::Uuid;

/// Names that stand nowhere else, so that a file which holds one holds this person.
const NAME: &str = "Zhang Qiyuan-Weissenfels";
const NAME_ZH: &str = "张启元魏森";
const PHONE: &str = "+86 532 5550 4711";
const SKILL: &str = "sizing_of_jacquard_warps";

fn person(id: &str, name: &str, name_zh: &str, contact: &str) -> Value {
    json!({"type": "person.registered", "time": "2026-03-01T08:00:00Z", "id": Uuid::now_v7(),
        "data": {"person": id, "name": {"en": name, "zh": name_zh}, "contact": contact, "note": {"en": format!("{name} leads the early shift")}}})
}

async fn verified(data_dir: &Path) -> anyhow::Result<Value> {
    let arguments = ["verify", "--json", "--data-dir", data_dir.to_str().context("a path in UTF-8")?];
    let output = tokio::process::Command::from(command(&arguments)?).output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// How compressed bytes begin.
const COMPRESSED: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The bytes, and behind them what compressed ones among them unpack to, those of a snapshot that is no longer used and half overwritten as far as they go.
fn unpacked(mut bytes: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    let mut all = Vec::new();
    for (start, _) in bytes.windows(COMPRESSED.len()).enumerate().filter(|(_, window)| *window == COMPRESSED) {
        let compressed = bytes.get(start..).unwrap_or_default();
        let mut rest = zstd::stream::read::Decoder::with_buffer(compressed)?.single_frame();
        // What was read before an error stays.
        drop(rest.read_to_end(&mut all));
    }
    bytes.append(&mut all);
    Ok(bytes)
}

/// The files below the folder that hold one of the texts, as it is or compressed.
fn files_with(dir: &Path, texts: &[&str]) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = unpacked(std::fs::read(&path)?)?;
            let holds = |text: &&&str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
            found.extend(texts.iter().find(holds).map(|text| format!("{}: {text}", path.display())));
        }
    }
    Ok(found)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let path = entry?.path();
        let target = to.join(path.file_name().context("a name")?);
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            std::fs::copy(&path, &target)?;
        }
    }
    Ok(())
}

async fn names(server: &Server, q: &str) -> anyhow::Result<Vec<Value>> {
    let found = server.client.get(&format!("/api/v1/subjects?q={q}")).await?;
    Ok(found["items"].as_array().context("items")?.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_person_is_in_no_answer_and_in_no_file_and_the_log_still_proves() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    // A small segment: its every byte is looked at several times.
    let config = dir.path().join("millwright.toml");
    std::fs::write(&config, "[log]\nsegment_mib = 1\n")?;
    let server = Server::start(&data, Some(&config)).await?;
    let client = &server.client;

    let report = person("P-17", NAME, NAME_ZH, PHONE);
    let registered = client.must_post("/api/v1/events", &report).await?["first"].as_u64().context("a position")?;
    client
        .must_post("/api/v1/events", &json!({"type": "person.qualified", "data": {"person": "P-17", "skill": SKILL}}))
        .await?;
    client
        .must_post("/api/v1/events", &json!({"type": "person.logged_in", "data": {"person": "P-17", "asset": "L07"}}))
        .await?;
    let other = client
        .must_post("/api/v1/events", &person("P-18", "Li Na of the late shift", "李娜", "+86 532 5550 4712"))
        .await?["first"]
        .as_u64()
        .context("a position")?;
    server.settled().await?;
    assert_eq!(names(&server, "qiyuan").await?[0]["subject"], "person:P-17");
    assert_eq!(client.get("/api/v1/subjects/person:P-17").await?["contact"], PHONE);
    let before = client.get(&format!("/api/v1/log/{registered}")).await?;
    assert_eq!((&before["data"]["name"]["en"], &before["payload_state"]), (&json!(NAME), &json!("present")));

    // The log's own files never hold the plaintext; a snapshot may, until the erasure.
    let data_of_log = data.join("log");
    assert_eq!(files_with(&data_of_log, &[NAME, NAME_ZH, PHONE, SKILL])?, Vec::<String>::new());
    let keys = dir.path().join("keys-from-a-backup");
    copy(&data.join("keys"), &keys)?;

    // A hold forbids it by name.
    let hold = json!({"hold": "H-1", "scope": {"subjects": ["person:P-17"]}, "reason": "claim 88"});
    client.must_post("/api/v1/legal-holds", &hold).await?;
    let erasure = json!({"subject": "person:P-17", "reason": {"en": "left the company", "zh": "离职"}, "basis": "GDPR Art. 17(1)(a)", "requested_by": "DSR-88", "id": Uuid::now_v7()});
    let (status, problem) = client.post("/api/v1/erasures", &erasure).await?;
    assert_eq!(status, 422);
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("legal hold H-1")), "{problem}");
    assert_eq!(client.status("DELETE", "/api/v1/legal-holds/H-1?reason=settled").await?, 201);

    let erased = client.must_post("/api/v1/erasures", &erasure).await?;
    assert_eq!((&erased["records"], &erased["forgotten"]), (&json!(2), &json!(true)), "{erased}");
    assert_eq!(erased["not_encrypted"], json!([]));
    let (status, again) = client.post("/api/v1/erasures", &erasure).await?;
    assert_eq!((status.as_u16(), &again["position"]), (200, &erased["position"]));
    let (status, _) = client.post("/api/v1/erasures", &json!({"subject": "person:P-99", "reason": "nobody"})).await?;
    assert_eq!(status, 404);

    // No answer and no file has it; the record says that it was erased, by whom and why; its digests are as they were.
    check_erased(&server, registered, &before, &erased).await?;
    assert_eq!(files_with(&data, &[NAME, NAME_ZH, PHONE, SKILL])?, Vec::<String>::new());
    assert_eq!(client.get(&format!("/api/v1/log/{other}")).await?["data"]["name"]["en"], "Li Na of the late shift");

    // A redelivery is known, and something new about the person is not taken.
    let (status, known) = client.post("/api/v1/events", &report).await?;
    assert_eq!((status.as_u16(), &known["first"]), (200, &json!(registered)));
    let (status, problem) = client.post("/api/v1/events", &person("P-17", NAME, NAME_ZH, PHONE)).await?;
    assert_eq!(status, 410);
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("person:P-17 was erased")), "{problem}");
    // An import that meets the person again goes on, and keeps nothing.
    let (status, skipped) = client
        .post(
            "/api/v1/events?known=skip",
            &json!([person("P-17", NAME, NAME_ZH, PHONE), {"type": "person.logged_out", "data": {"person": "P-17", "asset": "L07"}}]),
        )
        .await?;
    assert_eq!((status.as_u16(), &skipped["added"]), (201, &json!(2)));
    // Nobody says by hand that somebody was erased.
    let (status, _) = client.post("/api/v1/events", &json!({"type": "subject.erased", "data": {"subject": "person:P-18", "reason": {"en": "x"}, "data_key": Uuid::nil()}})).await?;
    assert_eq!(status, 400);
    server.stop().await?;

    let report = verified(&data).await?;
    assert!(report["records"].as_u64().is_some_and(|records| records >= 8), "{report}");
    assert_eq!(files_with(&data, &[NAME, NAME_ZH, PHONE, SKILL])?, Vec::<String>::new());
    // The scan finds what is there: somebody who was not erased stands in a snapshot.
    assert_ne!(files_with(&data, &["Li Na of the late shift"])?, Vec::<String>::new());

    // Still so after a restart, and with a folder of keys from before the erasure.
    for restored in [false, true] {
        if restored {
            std::fs::remove_dir_all(data.join("keys"))?;
            copy(&keys, &data.join("keys"))?;
        }
        let server = Server::start(&data, Some(&config)).await?;
        server.settled().await?;
        check_erased(&server, registered, &before, &erased).await?;
        assert_eq!(
            server.client.get(&format!("/api/v1/log/{other}")).await?["data"]["name"]["en"],
            "Li Na of the late shift"
        );
        server.stop().await?;
        assert_eq!(files_with(&data, &[NAME, NAME_ZH, PHONE, SKILL])?, Vec::<String>::new());
    }

    // Every read model built anew is the one that lived through it.
    let live = digests(&data, "replay").await?;
    for folder in ["projections", "knowledge", "ingest"] {
        std::fs::remove_dir_all(data.join(folder))?;
    }
    let server = Server::start(&data, Some(&config)).await?;
    server.settled().await?;
    let rebuilt = server.client.get("/api/v1/projections/digests").await?;
    let rebuilt = rebuilt["items"].as_array().context("items")?;
    assert!(rebuilt.len() > 10, "only {} projections", rebuilt.len());
    for digest in rebuilt {
        assert!(
            live.iter().any(|other| other["name"] == digest["name"] && other["digest"] == digest["digest"]),
            "{digest}"
        );
    }
    server.stop().await
}

async fn digests(data: &Path, how: &str) -> anyhow::Result<Vec<Value>> {
    let arguments = [how, "--json", "--data-dir", data.to_str().context("a path in UTF-8")?];
    let output = tokio::process::Command::from(command(&arguments)?).output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let shown: Value = serde_json::from_slice(&output.stdout)?;
    Ok(shown["items"].as_array().context("items")?.clone())
}

async fn check_erased(server: &Server, position: u64, before: &Value, erased: &Value) -> anyhow::Result<()> {
    let client = &server.client;
    assert_eq!(names(server, "qiyuan").await?, Vec::<Value>::new());
    let (status, gone) = client.text("/api/v1/subjects/person:P-17").await?;
    assert_eq!(status, 410);
    assert!(gone.contains("left the company"), "{gone}");
    for path in [
        "/api/v1/knowledge/search?q=Qiyuan",
        "/api/v1/log?limit=1000",
        "/api/v1/streams/person-P-17",
        "/api/v1/erasures",
    ] {
        let (status, text) = client.text(path).await?;
        assert!(status.is_success(), "{path}: {status} {text}");
        assert!(!text.contains("Qiyuan") && !text.contains(NAME_ZH) && !text.contains(PHONE), "{path}: {text}");
    }
    let record = client.get(&format!("/api/v1/log/{position}")).await?;
    assert_eq!((&record["payload_state"], &record["data"]), (&json!("erased"), &Value::Null));
    assert_eq!(record["gone"]["position"], erased["position"]);
    assert_eq!(
        (&record["gone"]["actor"], &record["gone"]["reason"]["en"]),
        (&json!("local"), &json!("left the company"))
    );
    assert_eq!(
        (&record["gone"]["basis"], &record["gone"]["requested_by"]),
        (&json!("GDPR Art. 17(1)(a)"), &json!("DSR-88"))
    );
    for digest in ["leaf_digest", "payload_digest"] {
        assert_eq!(record[digest], before[digest]);
    }
    // The bytes are there for whoever checks the digest, and tell nothing.
    let (status, headers, bytes) = client.bytes_with_headers(&format!("/api/v1/log/{position}/payload")).await?;
    assert_eq!(status, 200);
    let digest = headers.get("millwright-payload-digest").context("a digest")?.to_str()?;
    assert_eq!(digest, format!("sha-256={}", eventlog::Digest::of(&bytes)));
    assert_eq!(digest.split_once('=').map(|(_, digest)| digest), before["payload_digest"].as_str());
    assert_eq!(
        headers.get("millwright-data-key").context("a key")?.to_str()?,
        erased["data_key"].as_str().context("a key")?
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_is_erased_from_the_command_line_and_a_master_key_is_asked_for() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    let (config, master) = (dir.path().join("millwright.toml"), dir.path().join("master.key"));
    std::fs::write(&master, format!("{}\n", "4d".repeat(32)))?;
    std::fs::write(
        &config,
        format!("[log]\nsegment_mib = 1\n[privacy]\nmaster_key_file = {:?}\n", master.display().to_string()),
    )?;
    let server = Server::start(&data, Some(&config)).await?;
    let customer = json!({"type": "customer.registered", "data": {"customer": "C-4", "name": {"en": NAME}}});
    let (status, _) = server
        .client
        .post("/api/v1/commands", &json!({"command": "customer.register", "data": customer["data"]}))
        .await?;
    assert_eq!(status, 201);
    server.settled().await?;
    assert_eq!(names(&server, "weissenfels").await?.len(), 1);
    server.stop().await?;

    // Without the master key the names cannot be read, and the program says why.
    let arguments = ["replay", "--data-dir", data.to_str().context("a path in UTF-8")?];
    let output = tokio::process::Command::from(command(&arguments)?).output().await?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("wrapped with a master key"), "{said}");

    let server = Server::start(&data, Some(&config)).await?;
    server.settled().await?;
    let address = server.client.base().to_owned();
    let arguments = ["erase", "customer:C-4", "--reason", "contract ended", "--server", address.as_str()];
    let output = tokio::process::Command::from(command(&arguments)?).output().await?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("customer:C-4 is erased") && said.contains("1 records"), "{said}");
    let again = tokio::process::Command::from(command(&arguments)?).output().await?;
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("erased before"));
    assert_eq!(names(&server, "weissenfels").await?, Vec::<Value>::new());
    assert_eq!(files_with(&data, &[NAME])?, Vec::<String>::new());
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_administrator_erases() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let config = dir.path().join("millwright.toml");
    let token = |role: &str| {
        let digest = eventlog::Digest::of(format!("secret-{role}").as_bytes());
        format!("[[tokens]]\nname = \"{role}\"\nrole = \"{role}\"\nsha256 = \"{digest}\"\n")
    };
    let roles = ["viewer", "operator", "engineer", "auditor", "admin"];
    std::fs::write(&config, roles.iter().map(|role| token(role)).collect::<String>())?;
    let server = Server::start(&dir.path().join("data"), Some(&config)).await?;
    let with = |role: &str| server.client.with_token(&format!("secret-{role}"));
    with("operator").must_post("/api/v1/events", &person("P-17", NAME, NAME_ZH, PHONE)).await?;
    let erasure = json!({"subject": "person:P-17", "reason": "left"});
    for role in roles {
        let (status, answer) = with(role).post("/api/v1/erasures", &erasure).await?;
        assert_eq!(status.as_u16(), if role == "admin" { 201 } else { 403 }, "{role}: {answer}");
    }
    server.stop().await
}
