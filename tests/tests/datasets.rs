//! Tables for training and ranges of readings, as their users meet them over HTTP.

#![allow(clippy::indexing_slicing, reason = "JSON that is not as expected must fail the test, also in its helpers")]

use std::process::Output;

use serde_json::{Value, json};
use tests::process::{Server, command, eventually};

const SIGNAL: &str = "/api/v1/readings?signal=L07.warp_tension";

/// A loom whose tension was read each minute of an hour, and that failed at its end.
async fn mill(server: &Server) -> anyhow::Result<()> {
    let time = |minute: u32| format!("2026-03-01T{:02}:{:02}:00Z", 8 + minute / 60, minute % 60);
    let events = json!([
        {"type": "asset.registered", "time": time(0), "data": {"asset": "L07", "name": {"en": "Loom 7"}, "class": "loom"}},
        {"type": "signal.defined", "time": time(0), "data": {"signal": "L07.warp_tension", "asset": "L07", "quantity": "warp_tension", "name": {"en": "Tension"}, "unit": "kN"}},
        {"type": "fault.observed", "time": time(60), "data": {"fault": "F-1", "asset": "L07", "symptoms": {"en": "stopped"}}},
        {"type": "fault.coded", "time": time(61), "data": {"fault": "F-1", "asset": "L07", "mode": "BRD"}},
    ]);
    server.client.must_post("/api/v1/events", &events).await?;
    let readings: Vec<Value> = (0..60)
        .map(|minute| json!({"signal": "L07.warp_tension", "time": time(minute), "value": f64::from(minute), "source": "gateway-1"}))
        .collect();
    server.client.must_post("/api/v1/readings", &Value::Array(readings)).await?;
    Ok(())
}

fn spec() -> Value {
    json!({
        "name": "stops of loom 7", "assets": {"class": "loom"}, "rows": {"on": "grid", "period_s": 600},
        "from": "2026-03-01T08:10:00Z", "to": "2026-03-01T09:00:00Z",
        "features": [{"kind": "reading", "name": "mean", "quantity": "warp_tension", "aggregate": "mean", "window_s": 600, "unit": "N"}],
        "labels": [{"kind": "failure_mode", "name": "mode", "horizon_s": 900}],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_is_built_downloaded_verified_and_becomes_stale() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"), None).await?;
    let client = &server.client;
    mill(&server).await?;
    let (status, built) = client.post("/api/v1/datasets", &spec()).await?;
    assert_eq!(status, 201, "{built}");
    assert_eq!((&built["rows"], &built["readings"], &built["is_stale"]), (&json!(5), &json!(50), &json!(false)));
    assert_eq!(built["columns"][2], json!({"name": "mean", "kind": "float64", "unit": "N"}));
    let id = built["dataset"].as_str().unwrap_or_default().to_owned();
    assert_eq!(client.get("/api/v1/datasets?name=stops%20of%20loom%207").await?["items"][0], built);

    // The file is the one that the event names, whole and in parts.
    let path = format!("/api/v1/datasets/{id}/file");
    let (status, headers, file) = client.bytes_with_headers(&path).await?;
    assert_eq!((status.as_u16(), &file[..4]), (200, &b"PAR1"[..]));
    let sha256 = eventlog::Digest::of(&file).to_string();
    assert_eq!(built["file"]["sha256"], json!(sha256));
    assert_eq!(headers["etag"], format!("\"{sha256}\""));
    let http = reqwest::Client::new();
    let part = http.get(format!("{}{path}", client.base())).header("range", "bytes=4-99").send().await?;
    assert_eq!(part.status(), 206);
    assert_eq!(part.headers()["content-range"], format!("bytes 4-99/{}", file.len()));
    assert_eq!(part.bytes().await?, &file[4..100]);
    let cached = http.get(format!("{}{path}", client.base())).header("if-none-match", format!("\"{sha256}\""));
    assert_eq!(cached.send().await?.status(), 304);

    // What is learnt later makes it stale, and changes nothing of what comes out at its position.
    let recoded = json!({"type": "fault.coded", "time": "2026-03-02T08:00:00Z", "data": {"fault": "F-1", "asset": "L07", "mode": "OVH"}});
    let position = client.must_post("/api/v1/events", &recoded).await?["first"].clone();
    let stale = eventually("the dataset is stale", async || {
        let shown = client.get(&format!("/api/v1/datasets/{id}")).await?;
        Ok((shown["is_stale"] == json!(true)).then_some(shown))
    })
    .await?;
    assert_eq!(stale["stale"][0]["reason"], json!("recoded"));
    assert_eq!((&stale["stale"][0]["id"], &stale["stale"][0]["position"]), (&json!("F-1"), &position));
    let (status, verified) = client.post(&format!("/api/v1/datasets/{id}/verify"), &json!({})).await?;
    assert_eq!((status.as_u16(), &verified["is_same"]), (200, &json!(true)), "{verified}");
    let (_, now) = client.post("/api/v1/datasets", &spec()).await?;
    assert_ne!(now["file"]["sha256"], built["file"]["sha256"]);
    let (_, then) = client.post(&format!("/api/v1/datasets?as_of={}", built["as_of"]), &spec()).await?;
    assert_eq!(then["file"]["sha256"], built["file"]["sha256"]);
    assert_eq!(then["is_stale"], json!(true), "what was learnt since is known at once");

    // Bad input is named.
    let mut wrong = spec();
    wrong["features"][0]["unit"] = json!("Cel");
    let (status, problem) = client.post("/api/v1/datasets", &wrong).await?;
    assert_eq!((status.as_u16(), &problem["field"]), (400, &json!("features[0].unit")), "{problem}");
    let (status, _) = client.post("/api/v1/datasets?as_of=999999", &spec()).await?;
    assert_eq!(status, 400);
    assert_eq!(client.text("/api/v1/datasets/ds-nobody").await?.0, 404);
    server.stop().await?;

    // Nothing of it is garbage.
    let data = dir.path().join("data");
    let data = data.to_string_lossy();
    let Output { status, stdout, .. } = command(&["gc", "--grace", "0d", "--json", "--data-dir", &data])?.output()?;
    assert!(status.success());
    let collected: Value = serde_json::from_slice(&stdout)?;
    assert_eq!(collected["reachable"], json!(2), "{collected}");
    assert_eq!(collected["removed"], json!([]), "{collected}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn readings_come_raw_and_downsampled_in_three_formats() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"), None).await?;
    let client = &server.client;
    mill(&server).await?;
    let mut items = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = client.get(&format!("{SIGNAL},nobody&limit=25{cursor}")).await?;
        items.extend(page["items"].as_array().cloned().unwrap_or_default());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(items.len(), 60);
    assert_eq!((&items[7]["value"], &items[7]["signal"]), (&json!(7.0), &json!("L07.warp_tension")));

    let (status, csv) = client.text(&format!("{SIGNAL}&format=csv&from=2026-03-01T08:30:00Z")).await?;
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!((status.as_u16(), lines.len()), (200, 31));
    assert_eq!(lines[0], "signal,time,value,text,status,sequence,position,row");
    assert!(lines[1].starts_with("L07.warp_tension,2026-03-01T08:30:00Z,30,,0,"), "{}", lines[1]);

    let span = "&from=2026-03-01T08:00:00Z&to=2026-03-01T09:00:00Z";
    let buckets = client.get(&format!("{SIGNAL}{span}&downsample=buckets&points=6")).await?;
    let expected = json!({"signal": "L07.warp_tension", "time": "2026-03-01T08:10:00Z", "count": 10, "min": 10.0, "max": 19.0, "mean": 14.5, "last": 19.0, "left_out": 0});
    assert_eq!((buckets["items"].as_array().map(Vec::len), &buckets["items"][1]), (Some(6), &expected));
    let chosen = client.get(&format!("{SIGNAL}&downsample=lttb&points=5")).await?;
    assert_eq!(chosen["items"].as_array().map(Vec::len), Some(5));

    let arrow = reqwest::Client::new().get(format!("{}{SIGNAL}", client.base()));
    let answer = arrow.header("accept", "application/vnd.apache.arrow.stream").send().await?;
    assert_eq!(answer.headers()["content-type"], "application/vnd.apache.arrow.stream");
    // A stream of messages, which begins with the mark of a continuation and ends with an empty one.
    let bytes = answer.bytes().await?;
    assert_eq!((&bytes[..4], &bytes[bytes.len() - 8..]), (&[0xff; 4][..], &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0][..]));

    for (query, field) in [
        ("format=xml", "format"),
        ("downsample=mean", "downsample"),
        ("points=10", "points"),
        ("downsample=lttb&points=0", "points"),
        ("downsample=buckets", "from"),
        ("downsample=lttb&limit=5", "limit"),
        ("cursor=x", "cursor"),
        ("limit=1001", "limit"),
    ] {
        let (status, text) = client.text(&format!("{SIGNAL}&{query}")).await?;
        let problem: Value = serde_json::from_str(&text)?;
        assert_eq!((status.as_u16(), &problem["field"]), (400, &json!(field)), "{query}: {text}");
    }
    server.stop().await
}
