//! Notices over the real server: a group of alarms is told once, by e-mail, by a topic of a broker and by a webhook, and the next one is told when nobody answers.

#![allow(clippy::indexing_slicing, reason = "JSON that is not as expected must fail the test, also in its helpers")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use anyhow::Context;
use serde_json::{Value, json};
use tests::client::Client;
use tests::peers::{Mosquitto, Smtp};
use tests::process::{Server, eventually, free_port};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A receiver of webhooks.
struct Receiver {
    url: String,
    /// The bodies that it took, in their order.
    bodies: Arc<Mutex<Vec<Value>>>,
}

impl Receiver {
    async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}/notices", listener.local_addr()?);
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let taken = Arc::clone(&bodies);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut bytes = Vec::new();
                let mut part = [0; 4096];
                // The body is JSON: what parses behind the empty line is all of it.
                let body = loop {
                    let read = stream.read(&mut part).await.unwrap_or(0);
                    bytes.extend_from_slice(part.get(..read).unwrap_or_default());
                    let text = String::from_utf8_lossy(&bytes);
                    let body = text.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok());
                    if body.is_some() || read == 0 {
                        break body;
                    }
                };
                if let (Some(body), Ok(mut bodies)) = (body, taken.lock()) {
                    bodies.push(body);
                }
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                drop(stream.write_all(answer).await);
            }
        });
        Ok(Self { url, bodies })
    }

    /// The places and steps that it was told of, in their order.
    fn told(&self) -> Vec<String> {
        let bodies = self.bodies.lock().map(|bodies| bodies.clone()).unwrap_or_default();
        let text = |body: &Value| format!("{}/{}", body["data"]["place"].as_str().unwrap_or("?"), body["data"]["step"]);
        bodies.iter().map(text).collect()
    }

    async fn hook(&self, client: &Client, name: &str) -> anyhow::Result<()> {
        let events = json!([{"entity": "NOTICE", "action": "CREATED"}]);
        let hook = json!({"name": name, "url": self.url, "events": events, "secret": "at least 16 random characters"});
        client.must_post("/api/2.0/mlflow/webhooks", &hook).await.map(drop)
    }
}

async fn carry_out(client: &Client, name: &str, data: Value) -> anyhow::Result<u64> {
    let answer = client.must_post("/api/v1/commands", &json!({"command": name, "data": data})).await?;
    answer["last"].as_u64().context("no position")
}

async fn event(client: &Client, minutes: i64, event_type: &str, data: Value) -> anyhow::Result<u64> {
    let time = (jiff::Timestamp::now() + jiff::SignedDuration::from_mins(minutes)).to_string();
    let logged = client.must_post("/api/v1/events", &json!({"type": event_type, "time": time, "data": data})).await?;
    logged["last"].as_u64().context("no position")
}

fn alarm(asset: &str, id: &str) -> Value {
    json!({"alarm": id, "asset": asset, "code": "A-301", "text": {"zh": "纬纱迟到", "en": "weft late"}, "severity": 600})
}

fn hook(name: &str) -> Value {
    json!({"channel": "webhook", "webhook": name})
}

fn email(person: &str) -> Value {
    json!({"channel": "email", "person": person})
}

fn step(after_s: u64, to: &[Value]) -> Value {
    json!({"after_s": after_s, "to": to})
}

async fn policy(client: &Client, steps: &[Value]) -> anyhow::Result<u64> {
    let data = json!({"policy": "weaving", "steps": steps, "person": "P-40"});
    carry_out(client, "notice_policy.set", data).await
}

async fn person(client: &Client, person: &str, contact: &str) -> anyhow::Result<u64> {
    let data = json!({"person": person, "name": {"zh": "某人"}, "contact": contact});
    carry_out(client, "person.register", data).await
}

/// The notices that are done with, the newest first, once there are so many of a place.
async fn told(client: &Client, asset: &str, count: usize) -> anyhow::Result<Vec<Value>> {
    eventually(&format!("{count} notices of {asset}"), async || {
        let page = client.get("/api/v1/notices").await?;
        let of_asset: Vec<Value> = page["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|told| told["notice"]["asset"] == asset)
            .cloned()
            .collect();
        Ok((of_asset.len() >= count).then_some(of_asset))
    })
    .await
}

fn configured(dir: &Path, text: &str) -> anyhow::Result<PathBuf> {
    let path = dir.join("millwright.toml");
    std::fs::write(&path, text)?;
    Ok(path)
}

fn mail_config(host: &str, port: u16, more: &str) -> String {
    format!(
        "[notice_email]\nhost = \"{host}\"\nport = {port}\nfrom = \"Millwright <millwright@mill.example>\"\n{more}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_told_once_by_e_mail_and_topic_and_the_next_one_when_nobody_answers() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let Some(smtp) = Smtp::start(dir.path(), free_port()?, None).await? else { return Ok(()) };
    let Some(broker) = Mosquitto::start(dir.path()).await? else { return Ok(()) };
    let listen = |more: &[&str]| {
        let port = broker.port.to_string();
        let base = ["-p", &port, "-i", "shed", "-c", "-q", "1", "-t", "millwright/notices/#"];
        Command::new("mosquitto_sub").args(base).args(more).output()
    };
    // The broker keeps for this reader what comes from now on.
    assert!(listen(&["-E"])?.status.success());
    let mqtt = format!("[notice_mqtt]\nhost = \"127.0.0.1\"\nport = {}\n", broker.port);
    let config = configured(dir.path(), &format!("{}{mqtt}", mail_config("127.0.0.1", smtp.port, "tls = \"none\"")))?;
    let server = Server::start(&dir.path().join("data"), Some(&config)).await?;
    let client = &server.client;
    person(client, "P-31", "+86 137 0000 0000, zhang@mill.example").await?;
    person(client, "P-40", "li@mill.example").await?;
    person(client, "P-50", "nobody@mill.example").await?;
    let topic = json!({"channel": "mqtt", "topic": "shed-1"});
    let all = [email("P-40"), email("P-50"), email("P-99")];
    policy(client, &[step(0, &[email("P-31"), topic]), step(2, &all)]).await?;

    let flood: Vec<Value> = (0..25)
        .map(|number| json!({"type": "alarm.raised", "time": jiff::Timestamp::now().to_string(), "data": alarm("L07", &format!("AL-{number}"))}))
        .collect();
    client.must_post("/api/v1/events", &json!(flood)).await?;
    let first = told(client, "L07", 2).await?;
    assert!(first.iter().all(|told| told["outcome"] == "sent"), "{first:?}");
    let told = told(client, "L07", 5).await?;
    assert_eq!(told.len(), 5, "{told:?}");
    let of_step = |step: u64| told.iter().filter(|told| told["notice"]["step"] == step).count();
    assert_eq!((of_step(1), of_step(2)), (2, 3));
    // Who cannot be told is said, and no address with it.
    let reasons: Vec<&str> = told.iter().filter_map(|told| told["outcome"]["failed"].as_str()).collect();
    assert_eq!(reasons.len(), 2, "{told:?}");
    assert!(reasons.iter().any(|reason| reason.contains("no contact of P-99")), "{reasons:?}");
    assert!(reasons.iter().any(|reason| reason.contains("P-50") && !reason.contains("nobody@")), "{reasons:?}");

    let letters = smtp.letters()?;
    let to: Vec<&str> = letters.iter().filter_map(|letter| letter["to"][0].as_str()).collect();
    assert_eq!(to, ["zhang@mill.example", "li@mill.example"], "one letter each, however many alarms");
    assert!(letters[0]["subject"].as_str().is_some_and(|subject| subject.contains("[L07] 纬纱迟到 / weft late")));
    assert!(letters[1]["subject"].as_str().is_some_and(|subject| subject.contains("升级 escalation 2")), "{letters:?}");
    let body = letters[1]["body"].as_str().unwrap_or_default();
    assert!(
        body.contains("无人确认")
            && body.contains("Nobody has acknowledged")
            && body.contains("Alarms in this group: 25"),
        "{body}"
    );
    let group = told[0]["group"].as_str().context("no group")?;
    assert!(body.contains(group), "{body}");

    // What the broker kept for the reader: the notice, and behind it what is published now.
    let port = broker.port.to_string();
    let end = ["-p", &port, "-q", "1", "-t", "millwright/notices/end", "-m", "end"];
    assert!(Command::new("mosquitto_pub").args(end).status()?.success());
    let heard = String::from_utf8(listen(&["-C", "2", "-W", "60", "-v"])?.stdout)?;
    let lines: Vec<&str> = heard.lines().collect();
    assert_eq!(
        (lines.len(), lines.last().copied()),
        (2, Some("millwright/notices/end end")),
        "published once: {heard}"
    );
    let (topic, payload) = lines[0].split_once(' ').context("nothing was heard")?;
    let payload: Value = serde_json::from_str(payload)?;
    assert_eq!((topic, &payload["group"], &payload["step"]), ("millwright/notices/shed-1", &json!(group), &json!(1)));

    // The auditor's questions.
    let asked = client.get("/api/v1/notices?person=P-40").await?;
    assert_eq!(asked["items"].as_array().map(Vec::len), Some(1), "{asked}");
    let before = told.iter().filter_map(|told| told["position"].as_u64()).min().context("no position")? - 1;
    assert_eq!(client.get(&format!("/api/v1/notices?as_of={before}")).await?["items"], json!([]));
    let groups = client.get("/api/v1/notices/groups?open=true").await?;
    assert_eq!(groups["items"].as_array().map(Vec::len), Some(1), "{groups}");
    assert_eq!((&groups["items"][0]["step"], &groups["items"][0]["next"]), (&json!(2), &Value::Null));
    let logged = client.get("/api/v1/log?type=notice.sent").await?.to_string();
    assert!(!logged.contains("mill.example"), "an address is in the log: {logged}");
    let channels = client.get("/api/v1/notices/channels").await?;
    assert_eq!(channels["items"][1]["sent"], 2, "{channels}");
    let answer = json!({"group": group, "person": "P-31"});
    let answered = carry_out(client, "notice.acknowledge", answer).await?;
    let open = client.get(&format!("/api/v1/notices/groups?open=true&min_position={answered}")).await?;
    assert_eq!(open["items"], json!([]));
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_stops_and_what_is_kept_back_or_history_notifies_nobody() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"), None).await?;
    let client = &server.client;
    let receiver = Receiver::start().await?;
    receiver.hook(client, "shift-lead").await?;
    policy(client, &[step(0, &[hook("shift-lead"), hook("gone")]), step(3, &[hook("shift-lead")])]).await?;
    // History that is brought in now, and an alarm that is shelved.
    event(client, -24 * 60, "alarm.raised", alarm("L01", "old")).await?;
    let shelved = json!({"asset": "L02", "code": "A-301", "until": (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1)).to_string()});
    carry_out(client, "alarm.shelve", shelved).await?;
    event(client, 0, "alarm.raised", alarm("L02", "shelved")).await?;
    event(client, 0, "alarm.raised", alarm("L03", "A")).await?;
    told(client, "L03", 2).await?;
    carry_out(client, "alarm.acknowledge", json!({"alarm": "A", "asset": "L03", "person": "P-31"})).await?;
    event(client, 0, "alarm.raised", alarm("L04", "B")).await?;
    told(client, "L04", 2).await?;
    event(client, 0, "alarm.cleared", json!({"alarm": "B", "asset": "L04"})).await?;
    // This one climbs: when its second step has come, those of the others would have come before.
    event(client, 0, "alarm.raised", alarm("L05", "C")).await?;
    let told = told(client, "L05", 3).await?;
    let failed: Vec<&str> = told.iter().filter_map(|told| told["outcome"]["failed"].as_str()).collect();
    assert_eq!(failed, ["no webhook is called \"gone\""]);
    assert_eq!(receiver.told(), ["L03/1", "L04/1", "L05/1", "L05/2"]);
    let body = receiver.bodies.lock().map(|bodies| bodies[0].clone()).unwrap_or_default();
    assert_eq!((&body["entity"], &body["action"]), (&json!("notice"), &json!("created")), "{body}");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_neither_tells_twice_nor_forgets() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    let receiver = Receiver::start().await?;
    let server = Server::start(&data, None).await?;
    receiver.hook(&server.client, "shift-lead").await?;
    policy(&server.client, &[step(0, &[hook("shift-lead")]), step(4, &[hook("shift-lead")])]).await?;
    event(&server.client, 0, "alarm.raised", alarm("L07", "A")).await?;
    told(&server.client, "L07", 1).await?;
    server.kill()?;
    let server = Server::start(&data, None).await?;
    let told = told(&server.client, "L07", 2).await?;
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(receiver.told(), ["L07/1", "L07/2"]);
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_is_away_is_tried_again_and_blocks_nobody() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let (port, certificate) = (free_port()?, dir.path().join("certificate.pem"));
    let secrets = "username = \"mill\"\npassword = \"loom and shuttle\"";
    let config = configured(dir.path(), &mail_config("localhost", port, secrets))?;
    let environment = [("SSL_CERT_FILE", certificate.clone().into_os_string())];
    // The certificate must be there before the server reads those of the machine; the mail server goes away again.
    let Some(smtp) = Smtp::start(dir.path(), port, Some(&certificate)).await? else { return Ok(()) };
    let server = Server::start_with(&["serve"], &dir.path().join("data"), Some(&config), &environment).await?;
    let client = &server.client;
    let receiver = Receiver::start().await?;
    receiver.hook(client, "shift-lead").await?;
    person(client, "P-31", "zhang@mill.example").await?;
    policy(client, &[step(0, &[email("P-31"), hook("shift-lead")])]).await?;
    event(client, 0, "alarm.raised", alarm("L07", "A")).await?;
    told(client, "L07", 2).await?;
    let letters = smtp.letters()?;
    assert_eq!((&letters[0]["encrypted"], &letters[0]["user"]), (&json!(true), &json!("mill")), "{letters:?}");
    drop(smtp);

    event(client, 0, "alarm.raised", alarm("L08", "B")).await?;
    // The webhook is told meanwhile, and the failure is seen.
    let first = told(client, "L08", 1).await?;
    assert_eq!(first[0]["notice"]["to"]["channel"], "webhook");
    let retrying = eventually("the failure is shown", async || {
        let channels = client.get("/api/v1/notices/channels").await?;
        let items = channels["items"].as_array().cloned().unwrap_or_default();
        let mail = items.into_iter().find(|item| item["channel"] == "email").context("no e-mail")?;
        Ok(mail["retrying"].get(0).filter(|retrying| retrying["attempts"].as_u64() >= Some(2)).cloned())
    })
    .await?;
    assert_eq!(
        (&retrying["recipient"], retrying["reason"].as_str().is_some_and(str::is_empty)),
        (&json!("P-31"), false)
    );
    // A server in its place that offers no encryption gets neither the password nor the letter.
    let plain = Smtp::start(dir.path(), port, None).await?.context("it ran before")?;
    let known = retrying["attempts"].as_u64();
    eventually("it is tried again", async || {
        let channels = client.get("/api/v1/notices/channels").await?.to_string();
        Ok((!channels.contains(&format!("\"attempts\":{}", known.unwrap_or_default()))).then_some(()))
    })
    .await?;
    assert_eq!(plain.letters()?.len(), 1, "a password is not sent where STARTTLS was asked for and is not offered");
    drop(plain);
    server.stop().await?;

    // Back in the plant's own network, without encryption, over a restart.
    let config = configured(dir.path(), &mail_config("127.0.0.1", port, "tls = \"none\""))?;
    let server = Server::start(&dir.path().join("data"), Some(&config)).await?;
    let smtp = Smtp::start(dir.path(), port, None).await?.context("it ran before")?;
    let told = told(&server.client, "L08", 2).await?;
    assert!(told.iter().all(|told| told["outcome"] == "sent"), "{told:?}");
    let letters = smtp.letters()?;
    let about: Vec<&str> = letters.iter().filter_map(|letter| letter["subject"].as_str()).collect();
    assert!(about.len() == 2 && about[1].contains("[L08]"), "{about:?}");
    assert_eq!(receiver.told(), ["L07/1", "L08/1"]);
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_position_has_its_policies_and_bad_ones_are_refused_by_the_field() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"), None).await?;
    let client = &server.client;
    let first = policy(client, &[step(0, &[email("P-31")])]).await?;
    let second = policy(client, &[step(0, &[email("P-32")]), step(60, &[email("P-40")])]).await?;
    let removed = carry_out(client, "notice_policy.remove", json!({"policy": "weaving", "person": "P-40"})).await?;
    let ladder = async |as_of: u64| -> anyhow::Result<Value> {
        let asked = format!("/api/v1/notices/ladder?asset=L07&code=A-301&severity=600&as_of={as_of}");
        Ok(client.get(&asked).await?["policy"].clone())
    };
    assert_eq!(ladder(first).await?["said"]["steps"][0]["to"][0]["person"], "P-31");
    let then = ladder(second).await?;
    assert_eq!(
        (&then["position"], then["said"]["steps"].as_array().map(Vec::len)),
        (&json!(second), Some(2)),
        "{then}"
    );
    assert_eq!(ladder(removed).await?, Value::Null);
    let history = client.get("/api/v1/notices/policies/weaving").await?;
    assert_eq!((history["items"].as_array().map(Vec::len), &history["items"][2]["said"]), (Some(3), &Value::Null));
    let then = client.get(&format!("/api/v1/notices/policies?as_of={second}")).await?;
    assert_eq!((&then["version"], then["items"].as_array().map(Vec::len)), (&json!(second), Some(1)), "{then}");
    assert_eq!(client.get("/api/v1/notices/policies").await?["items"], json!([]));
    assert_eq!(client.status("GET", "/api/v1/notices/policies/unknown").await?, 404);
    assert_eq!(client.status("GET", "/api/v1/notices/groups/unknown").await?, 404);
    assert_eq!(client.status("GET", "/api/v1/notices/ladder?asset=L07&code=A&severity=0").await?, 400);

    for (steps, reason) in [
        (json!([]), "steps: there are 0"),
        (json!([step(0, &[json!({"channel": "mqtt", "topic": "a/+"})])]), "steps[0].to[0].topic: "),
        (json!([step(5, &[email("P-1")]), step(5, &[email("P-2")])]), "steps[1].after_s: 5 is not later"),
    ] {
        let data = json!({"policy": "bad", "steps": steps, "person": "P-40"});
        let body = json!({"command": "notice_policy.set", "data": data});
        let (status, answer) = client.post("/api/v1/commands", &body).await?;
        assert_eq!(status.as_u16(), 400, "{answer}");
        assert!(answer["detail"].as_str().is_some_and(|detail| detail.contains(reason)), "{answer}");
    }
    server.stop().await?;

    for (text, reason) in [
        (mail_config("", 25, ""), "notice_email.host"),
        (mail_config("relay.example", 25, "tls = \"none\"\nusername = \"u\"\npassword = \"p\""), "notice_email.tls"),
        ("[notice_mqtt]\nhost = \"b\"\nprefix = \"a/#\"\n".to_owned(), "notice_mqtt.prefix"),
    ] {
        let config = configured(dir.path(), &text)?;
        let error =
            Server::start(&dir.path().join("other"), Some(&config)).await.err().map(|error| format!("{error:#}"));
        assert!(error.as_ref().is_some_and(|error| error.contains(reason)), "{reason}: {error:?}");
    }
    Ok(())
}
