//! The statistics over HTTP: each address on a log whose figures can be counted by hand, what was known at an earlier position, and bad questions.

#![allow(clippy::indexing_slicing, reason = "JSON that is not as expected must fail the test, also in its helpers")]

use anyhow::Context;
use serde_json::{Value, json};
use tests::client::Client;
use tests::process::Server;
use uuid::Uuid;

/// So many seconds after midnight of the first of March 2026, as RFC 3339.
fn at_s(seconds: i64) -> String {
    let (day, hour, minute) = (1 + seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    format!("2026-03-{day:02}T{hour:02}:{minute:02}:{:02}Z", seconds % 60)
}

/// The same in minutes.
fn at(minutes: i64) -> String {
    at_s(minutes * 60)
}

/// The same in hours.
fn hour(hours: i64) -> String {
    at(hours * 60)
}

fn event(time: String, event_type: &str, data: Value) -> Value {
    json!({"type": event_type, "time": time, "data": data})
}

fn state(minute: i64, state: &str, reason: &str) -> Value {
    event(at(minute), "asset.state_changed", json!({"asset": "L07", "state": state, "reason": reason}))
}

fn doffed(minute: i64, roll: &str, picks: u64) -> Value {
    event(
        at(minute),
        "weaving.cloth_doffed",
        json!({"asset": "L07", "roll": roll, "order": "O-1", "product": "poplin", "picks": picks, "length_m": 10.0, "beams": []}),
    )
}

fn set_point(minute: i64, parameter: &str, to: f64, unit: &str) -> Value {
    event(
        at(minute),
        "asset.set_point_changed",
        json!({"asset": "L07", "parameter": parameter, "to": to, "unit": unit, "product": "poplin"}),
    )
}

fn shift(minute: i64, shift: &str, crew: &str, ends: i64) -> Value {
    event(
        at(minute),
        "shift.started",
        json!({"shift": shift, "name": "turn", "crew": crew, "planned_start": at(minute), "planned_end": at(ends)}),
    )
}

fn alarm(second: i64, alarm: &str, code: &str) -> Value {
    event(
        at_s(second),
        "alarm.raised",
        json!({"alarm": alarm, "asset": "L07", "code": code, "text": {"en": code}, "severity": 300}),
    )
}

fn cleared(second: i64, alarm: &str) -> Value {
    event(at_s(second), "alarm.cleared", json!({"alarm": alarm, "asset": "L07"}))
}

/// A morning at a loom: one warp stop of 5 minutes, of which nobody was there for 3; one weft stop of 4; a failure of 30; 90,000 picks in 161 minutes.
fn morning() -> Vec<Value> {
    let registered = |asset: &str, class: &str| {
        event(at(0), "asset.registered", json!({"asset": asset, "name": {"en": asset}, "class": class}))
    };
    vec![
        registered("L07", "air-jet-loom"),
        registered("R01", "rapier-loom"),
        event(at(0), "asset.state_changed", json!({"asset": "R01", "state": "running"})),
        shift(0, "S-A", "A", 110),
        shift(110, "S-B", "B", 300),
        set_point(0, "loom_speed", 600.0, "{pick}/min"),
        state(0, "running", "running"),
        doffed(0, "R-0", 1),
        event(at(10), "alarm.shelved", json!({"asset": "L07", "code": "H", "until": at(10_000), "person": "P-1"})),
        state(60, "stopped", "no_operator"),
        state(63, "stopped", "warp_break"),
        state(65, "running", "running"),
        state(100, "stopped", "weft_break"),
        alarm(6000, "a", "W"),
        event(at(101), "alarm.acknowledged", json!({"alarm": "a", "asset": "L07"})),
        state(104, "running", "running"),
        set_point(120, "air_pressure", 5.2, "bar"),
        state(150, "down", "mechanical_fault"),
        state(160, "maintenance", "mechanical_fault"),
        state(180, "running", "running"),
        doffed(200, "R-1", 90_000),
        state(210, "maintenance", "cleaning"),
        state(220, "idle", "no_order"),
        state(240, "off", "no_order"),
        // Three alarms of one kind in forty seconds, each over after five.
        alarm(12_000, "c1", "C"),
        cleared(12_005, "c1"),
        alarm(12_020, "c2", "C"),
        cleared(12_025, "c2"),
        alarm(12_040, "c3", "C"),
        cleared(12_045, "c3"),
    ]
}

/// A bearing fault with one work order: observed, worked on an hour later, closed two hours later.
fn episode(id: &str, at_hour: i64, activity: &str) -> Vec<Value> {
    let order = format!("W-{id}");
    vec![
        event(
            hour(at_hour),
            "fault.observed",
            json!({"fault": id, "asset": "L07", "symptoms": {"en": "noise"}, "detection": "visual_inspection"}),
        ),
        event(
            hour(at_hour),
            "fault.coded",
            json!({"fault": id, "asset": "L07", "mode": "BEA-WEA", "item": "drive_bearing"}),
        ),
        event(
            hour(at_hour),
            "work_order.opened",
            json!({"work_order": order, "asset": "L07", "fault": id, "category": "corrective", "description": {"en": "repair"}}),
        ),
        event(
            hour(at_hour + 1),
            "work_order.work_done",
            json!({"work_order": order, "asset": "L07", "fault": id, "activity": activity, "item": "drive_bearing", "hours": 1.5, "parts": [{"part": "6205", "count": 1.0}]}),
        ),
        event(
            hour(at_hour + 2),
            "work_order.closed",
            json!({"work_order": order, "asset": "L07", "outcome": "solved"}),
        ),
        event(hour(at_hour + 2), "fault.closed", json!({"fault": id, "asset": "L07"})),
    ]
}

/// What came later: three faults, of which the second came back on the first; a plan, a part, inspections.
fn later() -> Vec<Value> {
    let mut events = episode("F-1", 10, "adjust");
    events.extend(episode("F-2", 60, "replace"));
    events.extend(episode("F-3", 410, "replace"));
    let reached = |at_hour, milestone: &str| {
        event(
            hour(at_hour),
            "work_order.progressed",
            json!({"work_order": "W-F-1", "asset": "L07", "milestone": milestone}),
        )
    };
    events.extend([reached(10, "machine_down"), reached(11, "workorder_start"), reached(13, "technician_arrive")]);
    events.push(event(hour(1), "maintenance_plan.defined", json!({"plan": "PM-1", "name": {"zh": "加油", "en": "oil"}, "asset": "L07", "activity": "lubricate", "every": {"days": 7.0}})));
    events.push(event(hour(1), "part.defined", json!({"part": "6205", "name": {"en": "bearing"}, "minimum": 4.0})));
    events.push(event(hour(1), "part.counted", json!({"part": "6205", "count": 5.0})));
    events.push(event(at(250), "inspection.recorded", json!({
        "inspection": "I-R-1", "lot": "R-1", "verdict": "pass", "defects": [{"code": "double_pick", "points": 2}],
        "measurements": [{"characteristic": "width", "value": 1.6, "unit": "m"}, {"characteristic": "length", "value": 10.0, "unit": "m"}],
    })));
    for index in 0..30_i64 {
        let strength = if index % 2 == 0 { 600.0 } else { 602.0 };
        events.push(event(
            hour(index),
            "inspection.recorded",
            json!({
                "inspection": format!("I-{index}"), "lot": format!("Q-{index}"), "verdict": "pass",
                "measurements": [{"characteristic": "strength", "value": strength, "unit": "N"}],
            }),
        ));
    }
    events
}

/// Readings of a loom each five minutes for twenty hours: eight at 500 picks a minute, the rest at 600; from hour 17 to 19 it shakes.
fn readings() -> Vec<Value> {
    let mut readings = Vec::new();
    for step in 0..240_i64 {
        let minute = step * 5;
        let speed = if minute < 480 { 500.0 } else { 600.0 };
        let shakes = (17 * 60..19 * 60).contains(&minute);
        let vibration = if shakes { 3.0 } else { 2.0 } + 0.01 * f64::from(u8::try_from(step % 5).unwrap_or_default());
        readings.push(json!({"signal": "R01.loom_speed", "time": at(minute), "value": speed}));
        readings.push(json!({"signal": "R01.bearing_vibration", "time": at(minute), "value": vibration}));
    }
    readings
}

fn signals() -> Vec<Value> {
    let signal = |quantity: &str, unit: &str| {
        event(
            at(0),
            "signal.defined",
            json!({"signal": format!("R01.{quantity}"), "asset": "R01", "quantity": quantity, "name": {"en": quantity}, "unit": unit}),
        )
    };
    vec![signal("loom_speed", "{pick}/min"), signal("bearing_vibration", "mm/s")]
}

/// A server with the morning, and the last position of it.
async fn morning_server() -> anyhow::Result<(tempfile::TempDir, Server, u64)> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"), None).await?;
    let logged = server.client.must_post("/api/v1/events", &json!(morning())).await?;
    let last = logged["last"].as_u64().context("no position")?;
    server.settled().await?;
    Ok((dir, server, last))
}

/// A server with everything.
async fn full_server() -> anyhow::Result<(tempfile::TempDir, Server, u64)> {
    let (dir, server, last) = morning_server().await?;
    server.client.must_post("/api/v1/events", &json!(later())).await?;
    server.client.must_post("/api/v1/events", &json!(signals())).await?;
    server.client.must_post("/api/v1/readings", &json!(readings())).await?;
    server.settled().await?;
    Ok((dir, server, last))
}

/// The items of a list, which must be one.
fn items(answer: &Value) -> &[Value] {
    assert!(answer["items"].is_array(), "no list in {answer}");
    assert!(answer["stores"].as_object().is_some_and(|stores| !stores.is_empty()), "{answer}");
    answer["items"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The record of an answer that has one.
fn item(answer: &Value) -> &Value {
    assert!(answer["item"].is_object() && answer.get("items").is_none(), "{answer}");
    &answer["item"]
}

fn window(from_minute: i64, to_minute: i64) -> String {
    format!("from={}&to={}", at(from_minute), at(to_minute))
}

#[tokio::test(flavor = "multi_thread")]
async fn operating_performance_can_be_counted_by_hand() -> anyhow::Result<()> {
    let (_dir, server, last) = full_server().await?;
    let client = &server.client;
    let asked = format!("/api/v1/knowledge/operating/figures?asset=L07&by=asset,product&{}", window(0, 240));
    let figures = client.get(&asked).await?;
    let record = &items(&figures)[0];
    assert_eq!(record["key"]["asset"], "L07", "{record}");
    assert_eq!(record["figures"]["production_s"], json!(171.0 * 60.0));
    assert_eq!(record["figures"]["delay_s"], json!(39.0 * 60.0));
    assert_eq!(record["availability"], json!({"numerator": 171.0 * 60.0, "denominator": 210.0 * 60.0}));
    assert_eq!(record["figures"]["warp"]["waiting_s"], json!(180.0));
    assert!(record["positions"].as_array().is_some_and(|positions| !positions.is_empty()), "{record}");
    // What was known then, is what is answered for then, whatever came later.
    let then = client.get(&format!("{asked}&as_of={last}")).await?;
    assert_eq!(then["as_of"], last);
    assert_eq!(items(&then)[0]["figures"]["production_s"], record["figures"]["production_s"]);
    // When the loom had stopped for the first time, an hour of running was known, and no pick of it.
    let first = last + 1 - u64::try_from(morning().len())?;
    let early = client.get(&format!("{asked}&as_of={}", first + 9)).await?;
    let early = &items(&early)[0]["figures"];
    assert_eq!((&early["production_s"], &early["picks"]), (&json!(3600.0), &json!(0.0)), "{early}");

    let crews = client.get(&format!("/api/v1/knowledge/operating/crews?min_picks=1&{}", window(0, 300))).await?;
    let mut names: Vec<&str> =
        item(&crews)["crews"].as_array().context("no crews")?.iter().filter_map(|crew| crew["crew"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["A", "B"], "{crews}");
    assert!(item(&crews)["differences"].is_array());
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn regimes_are_learnt_and_deviations_told() -> anyhow::Result<()> {
    let (_dir, server, _) = full_server().await?;
    let client = &server.client;
    let asked = format!("/api/v1/knowledge/operating/regimes?asset=R01&days=1&at={}", hour(16));
    let learnt = client.get(&asked).await?;
    let regimes = item(&learnt)["regimes"].as_array().context("no regimes")?;
    let names: Vec<&Value> = regimes.iter().map(|regime| &regime["regime"]).collect();
    assert_eq!(names, ["unknown product;loom_speed=1/2", "unknown product;loom_speed=2/2"], "{learnt}");
    for (regime, speed) in regimes.iter().zip([500.0, 600.0]) {
        assert_eq!(regime["pieces"], 48, "{regime}");
        let baselines = regime["baselines"].as_array().context("no baselines")?;
        let of = |quantity: &str| baselines.iter().find(|baseline| baseline["quantity"] == quantity).cloned();
        let of_speed = of("loom_speed").context("no baseline of the speed")?;
        assert_eq!((&of_speed["median"]["value"], &of_speed["median"]["n"]), (&json!(speed), &json!(48)));
        let vibration = of("bearing_vibration").context("no baseline of the vibration")?;
        assert!(vibration["median"]["value"].as_f64().is_some_and(|value| (2.0..2.05).contains(&value)), "{vibration}");
    }
    assert_eq!(item(&learnt)["current"][0]["regime"], "unknown product;loom_speed=2/2", "{learnt}");
    let whole_class = client.get(&asked.replace("asset=R01", "class=rapier-loom")).await?;
    assert_eq!(item(&whole_class)["regimes"], item(&learnt)["regimes"]);

    let asked = format!("/api/v1/knowledge/operating/deviations?asset=R01&days=1&{}", window(16 * 60, 20 * 60));
    let found = client.get(&asked).await?;
    let [deviation] = items(&found).as_slice() else { anyhow::bail!("not one deviation: {found}") };
    assert_eq!(
        (&deviation["quantity"], &deviation["side"], &deviation["open"]),
        (&json!("bearing_vibration"), &json!("above"), &json!(false))
    );
    assert_eq!(
        (&deviation["start"], &deviation["end"], &deviation["pieces"]),
        (&json!(hour(17)), &json!(hour(19)), &json!(12))
    );
    assert!(deviation["robust_z"].as_f64().is_some_and(|z| z > 3.0), "{deviation}");
    let position = deviation["positions"][0].as_u64().context("no position")?;
    let record = client.get(&format!("/api/v1/log/{position}")).await?;
    assert_eq!(record["type"], "readings.recorded");
    assert_eq!(items(&client.get(&format!("{asked}&at={}", hour(18))).await?).len(), 1);
    assert_eq!(items(&client.get(&format!("{asked}&at={}", at(19 * 60 + 30))).await?).len(), 0);
    assert_eq!(items(&client.get(&format!("{asked}&min_minutes=300")).await?).len(), 0);
    // Before the readings were logged nothing deviated: the earlier position has no signal, and no regime.
    let before = client.get(&format!("{asked}&as_of={}", position - 3)).await?;
    assert_eq!(items(&before).len(), 0, "{before}");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn alarms_are_shown_and_assessed() -> anyhow::Result<()> {
    let (_dir, server, _) = morning_server().await?;
    let client = &server.client;
    let standing = client.get(&format!("/api/v1/alarms?asset=L07&at={}", at(100))).await?;
    let raised: Vec<&Value> = item(&standing)["standing"]
        .as_array()
        .context("none stand")?
        .iter()
        .filter(|view| view["active"] == true)
        .map(|view| &view["raised"]["alarm"])
        .collect();
    assert_eq!(raised, ["a"], "{standing}");
    let kept_back = &item(&standing)["kept_back"][0];
    assert_eq!((&kept_back["code"], &kept_back["shelved"]["person"]), (&json!("H"), &json!("P-1")));

    let assessed = client.get(&format!("/api/v1/alarms/performance?{}", window(0, 300))).await?;
    let assessed = item(&assessed);
    assert_eq!(assessed["rates"][0]["per_hour"], json!({"numerator": 4.0, "denominator": 5.0}), "{assessed}");
    assert_eq!((&assessed["bad_actors"][0]["code"], &assessed["chattering"][0]["raised"]), (&json!("C"), &json!(3)));
    assert_eq!(
        (assessed["fleeting"].as_array().map(Vec::len), assessed["floods"].as_array().map(Vec::len)),
        (Some(3), Some(0))
    );
    let groups = assessed["groups"].as_array().context("no groups")?;
    let burst = groups.iter().find(|group| group["first_up"]["raised"]["alarm"] == "c1").context("no group")?;
    assert_eq!(burst["followed"].as_array().map(Vec::len), Some(2), "{burst}");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn control_says_what_followed_and_which_value_is_best() -> anyhow::Result<()> {
    let (_dir, server, _) = full_server().await?;
    let client = &server.client;
    let asked =
        format!("/api/v1/knowledge/control/changes?asset=L07&parameter=air_pressure&window_hours=1&{}", window(0, 300));
    let changes = client.get(&asked).await?;
    let [change] = items(&changes).as_slice() else { anyhow::bail!("not one change: {changes}") };
    assert_eq!((&change["to"], &change["time"], &change["product"]), (&json!(5.2), &json!(at(120)), &json!("poplin")));
    // This loom sends no readings: no regime is known, and the record says that the product's baseline stands for it.
    assert_eq!(change["baseline_of"]["of"], "product", "{change}");
    assert_eq!(change["after_to"], at(180));
    assert_eq!(change["effects"].as_array().map(Vec::len), Some(4));
    let by_product = client.get(&format!("{asked}&baseline=product")).await?;
    assert_eq!(items(&by_product), items(&changes));

    let best =
        client.get(&format!("/api/v1/knowledge/control/best?product=poplin&min_picks=1&{}", window(0, 300))).await?;
    let values: Vec<(&Value, &Value)> =
        items(&best).iter().map(|record| (&record["parameter"], &record["value"])).collect();
    assert!(values.contains(&(&json!("loom_speed"), &json!(600.0))), "{best}");
    assert!(values.contains(&(&json!("air_pressure"), &json!(5.2))), "{best}");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn maintenance_says_what_helps_how_long_and_what_is_due() -> anyhow::Result<()> {
    let (_dir, server, last) = full_server().await?;
    let client = &server.client;
    let actions = client.get("/api/v1/knowledge/maintenance/actions?asset=L07&mode=BEA-WEA").await?;
    let shown: Vec<Value> = items(&actions)
        .iter()
        .map(|record| json!([record["activity"], record["n"], record["worked"], record["censored"]]))
        .collect();
    // Adjusting did not help: it came back after fifty hours. Nobody knows yet of the last replacement.
    assert_eq!(json!(shown), json!([["replace", 1, 1, 1], ["adjust", 1, 0, 0]]), "{actions}");
    assert_eq!(items(&client.get(&format!("/api/v1/knowledge/maintenance/actions?as_of={last}")).await?).len(), 0);

    let times = client.get("/api/v1/knowledge/maintenance/times?asset=L07").await?;
    let response = items(&times).iter().find(|record| record["phase"] == "response").context("no response time")?;
    assert_eq!((&response["p50_h"]["value"], &response["n"]), (&json!(2.0), &json!(1)), "{times}");

    let lives = client.get("/api/v1/knowledge/maintenance/reliability?asset=L07&mode=BEA-WEA&clock=calendar").await?;
    assert_eq!(item(&lives)["failures"], 3, "{lives}");
    assert!(item(&lives)["mtbf_h"]["low"].as_f64() < item(&lives)["mtbf_h"]["value"].as_f64(), "{lives}");

    let due = client.get(&format!("/api/v1/knowledge/maintenance/due?at={}", hour(24 * 10))).await?;
    let plan = &items(&due)[0];
    assert_eq!(
        (&plan["plan"], &plan["due"], &plan["name"]["zh"]),
        (&json!("PM-1"), &json!(true), &json!("加油")),
        "{due}"
    );
    let early = client.get(&format!("/api/v1/knowledge/maintenance/due?at={}", hour(24))).await?;
    assert_eq!(items(&early)[0]["due"], false, "{early}");

    let parts = client.get(&format!("/api/v1/knowledge/maintenance/parts?at={}", hour(24 * 20))).await?;
    let part = &items(&parts)[0];
    assert_eq!(
        (&part["part"], &part["stock"], &part["to_be_ordered"]),
        (&json!("6205"), &json!(2.0), &json!(true)),
        "{parts}"
    );
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn quality_is_charted_frozen_graded_and_explained() -> anyhow::Result<()> {
    let (_dir, server, _) = full_server().await?;
    let client = &server.client;
    let asked = format!("/api/v1/knowledge/quality/chart?characteristic=strength&{}", window(0, 3_000));
    let chart = client.get(&asked).await?;
    assert_eq!((&item(&chart)["n"], &item(&chart)["frozen"]), (&json!(30), &Value::Null), "{chart}");
    assert_eq!(item(&chart)["points"].as_array().map(Vec::len), Some(30));
    // A question that the data do not answer is no command that is refused.
    let (status, text) = client.text(&asked.replace("strength", "stiffness")).await?;
    let problem: Value = serde_json::from_str(&text)?;
    assert_eq!((status.as_u16(), &problem["type"]), (422, &json!("urn:millwright:problem:no-answer")), "{problem}");
    assert!(problem["title"].as_str().is_some_and(|title| !title.contains("command")), "{problem}");

    let id = Uuid::now_v7();
    let body = json!({"characteristic": "strength", "from": at(0), "to": at(3_000), "person": "P-1", "id": id});
    let (status, frozen) = client.post("/api/v1/knowledge/quality/limits", &body).await?;
    assert_eq!(status.as_u16(), 201, "{frozen}");
    let (status, again) = client.post("/api/v1/knowledge/quality/limits", &body).await?;
    assert_eq!((status.as_u16(), &again["first"]), (200, &frozen["first"]), "{again}");
    let judged = client.get(&format!("{asked}&min_position={}", frozen["last"])).await?;
    assert_eq!(item(&judged)["frozen"], frozen["first"], "{judged}");

    let grades = client.get("/api/v1/knowledge/quality/grades?lot=R-1").await?;
    // Two points on sixteen square metres.
    assert_eq!(items(&grades)[0]["grade"]["per_100_m2"], json!(12.5), "{grades}");

    let causes = client.get(&format!("/api/v1/knowledge/quality/causes?defect=double_pick&{}", window(0, 300))).await?;
    assert_eq!(item(&causes)["rolls"], json!({"cases": 1, "trials": 1}), "{causes}");
    assert_eq!(item(&causes)["causes"], json!([]));
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handover_is_drafted_and_signed_once() -> anyhow::Result<()> {
    let (_dir, server, _) = morning_server().await?;
    let client = &server.client;
    let shifts = client.get(&format!("/api/v1/shifts?{}", window(0, 300))).await?;
    let crews: Vec<&Value> = items(&shifts).iter().map(|turn| &turn["crew"]).collect();
    assert_eq!(crews, ["A", "B"], "{shifts}");
    let asked = format!("/api/v1/shifts/S-A/handover?at={}", at(110));
    let drafted = client.get(&asked).await?;
    assert_eq!(item(&drafted)["draft"]["shelved_alarms"][0]["code"], "H", "{drafted}");
    assert_eq!(item(&drafted)["signed"], Value::Null);
    let (status, signed) = client
        .post("/api/v1/shifts/S-A/handover", &json!({"person": "P-1", "time": at(110), "remarks": {"zh": "无"}}))
        .await?;
    assert_eq!(status.as_u16(), 201, "{signed}");
    let (status, problem) = client.post("/api/v1/shifts/S-A/handover", &json!({"person": "P-2"})).await?;
    assert_eq!(status.as_u16(), 409, "{problem}");
    let shown = client.get(&format!("{asked}&min_position={}", signed["last"])).await?;
    assert_eq!(item(&shown)["signed"]["value"]["person"], "P-1", "{shown}");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_fmea_sheet_stands_beside_history() -> anyhow::Result<()> {
    let (_dir, server, _) = full_server().await?;
    let client = &server.client;
    let row =
        |mode: &str| json!({"item": "drive_bearing", "mode": mode, "severity": 6, "occurrence": 2, "detection": 9});
    let drafted = json!({"command": "article.draft", "data": {
        "article": "FMEA-1", "revision": 1, "kind": "fmea", "title": {"zh": "织机", "en": "looms"}, "classes": ["air-jet-loom"], "author": "P-1",
        "rows": [row("BEA-WEA"), row("REE-DAM")],
    }});
    let drafted = client.must_post("/api/v1/commands", &drafted).await?;
    let procedure = json!({"command": "article.draft", "data": {"article": "SOP-1", "revision": 1, "kind": "procedure", "title": {"en": "oil"}, "author": "P-1"}});
    let last = client.must_post("/api/v1/commands", &procedure).await?["last"].clone();
    let sheet = client.get(&format!("/api/v1/knowledge/fmea/FMEA-1?min_position={last}")).await?;
    let sheet = item(&sheet);
    assert_eq!(
        (&sheet["revision"], &sheet["standing"], &sheet["assets"]),
        (&json!(1), &json!("draft"), &json!(["L07"])),
        "{sheet}"
    );
    let bearing = &sheet["rows"][0];
    // Three in seventeen days at one loom: more than once a week.
    assert_eq!(
        (&bearing["episodes"], &bearing["occurrence"]["rank"], &bearing["occurrence"]["differs"]),
        (&json!(3), &json!(6), &json!(true)),
        "{bearing}"
    );
    assert_eq!(
        (&bearing["found_by_looking"], &bearing["noticed"]),
        (&json!(3), &json!({"cases": 3, "trials": 3})),
        "{bearing}"
    );
    assert_eq!((&bearing["row"]["occurrence"], &bearing["detection"]["rank"]), (&json!(2), &json!(1)), "{bearing}");
    assert_eq!((&sheet["rows"][1]["episodes"], &sheet["rows"][1]["detection"]), (&json!(0), &Value::Null));
    let position = drafted["first"].as_u64().context("no position")?;
    for (path, expected, named) in [
        (format!("/api/v1/knowledge/fmea/FMEA-1?as_of={}", position - 1), 404, "FMEA-1"),
        ("/api/v1/knowledge/fmea/FMEA-2".to_owned(), 404, "FMEA-2"),
        ("/api/v1/knowledge/fmea/SOP-1".to_owned(), 400, "no FMEA sheet"),
        ("/api/v1/knowledge/fmea/FMEA-1?clock=lunar".to_owned(), 400, "lunar"),
    ] {
        refused(client, &path, expected, named).await?;
    }
    server.stop().await
}

async fn refused(client: &Client, path: &str, expected: u16, named: &str) -> anyhow::Result<()> {
    let (status, text) = client.text(path).await?;
    assert_eq!(status.as_u16(), expected, "GET {path}: {text}");
    let problem: Value = serde_json::from_str(&text).with_context(|| format!("GET {path}: {text}"))?;
    assert!(
        problem["detail"].as_str().is_some_and(|detail| detail.contains(named)),
        "GET {path}: {text} does not name {named}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_questions_name_the_field() -> anyhow::Result<()> {
    let (_dir, server, _) = morning_server().await?;
    let questions = [
        ("/api/v1/knowledge/operating/figures?by=planet", 400, "planet"),
        ("/api/v1/knowledge/operating/figures?from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z", 400, "from"),
        ("/api/v1/knowledge/operating/figures?from=1900-01-01T00:00:00Z", 400, "days"),
        ("/api/v1/knowledge/operating/crews?by=planet", 400, "planet"),
        ("/api/v1/knowledge/operating/crews?false_discovery_rate=1.5", 400, "false_discovery_rate"),
        ("/api/v1/knowledge/operating/regimes", 400, "asset"),
        ("/api/v1/knowledge/operating/regimes?asset=L07&class=loom", 400, "asset"),
        ("/api/v1/knowledge/operating/regimes?asset=NONE", 404, "NONE"),
        ("/api/v1/knowledge/operating/regimes?class=NONE", 404, "NONE"),
        ("/api/v1/knowledge/operating/regimes?asset=L07&days=0", 400, "days"),
        ("/api/v1/knowledge/operating/regimes?asset=L07&features=,", 400, "features"),
        ("/api/v1/knowledge/operating/deviations?asset=L07&min_minutes=-1", 400, "min_minutes"),
        ("/api/v1/knowledge/operating/deviations?asset=L07&limit=0", 400, "limit"),
        ("/api/v1/knowledge/operating/deviations?asset=L07&colour=red", 400, "colour"),
        ("/api/v1/alarms?at=soon", 400, "at"),
        ("/api/v1/alarms/performance?limit=5000", 400, "limit"),
        ("/api/v1/knowledge/control/changes?baseline=regime", 400, "asset"),
        ("/api/v1/knowledge/control/changes?baseline=moon", 400, "moon"),
        ("/api/v1/knowledge/control/changes?window_hours=-1", 400, "window_hours"),
        ("/api/v1/knowledge/control/best?min_picks=-1", 400, "min_picks"),
        ("/api/v1/knowledge/maintenance/actions?as_of=100000", 400, "as_of"),
        ("/api/v1/knowledge/maintenance/times?clock=lunar", 400, "lunar"),
        ("/api/v1/knowledge/maintenance/reliability?asset=", 400, "asset"),
        ("/api/v1/knowledge/maintenance/due?at=never", 400, "at"),
        ("/api/v1/knowledge/maintenance/parts?at=never", 400, "at"),
        ("/api/v1/knowledge/quality/chart", 400, "characteristic"),
        ("/api/v1/knowledge/quality/causes?limit=0", 400, "limit"),
        ("/api/v1/knowledge/quality/grades?limit=0", 400, "limit"),
        ("/api/v1/shifts?to=never", 400, "to"),
        ("/api/v1/shifts/NONE/handover", 404, "NONE"),
        ("/api/v1/knowledge/fmea/FMEA-1?lead_hours=-1", 400, "lead_hours"),
    ];
    let asked = questions.len();
    for (path, expected, named) in questions {
        refused(&server.client, path, expected, named).await?;
    }
    assert_eq!(asked, 31);
    server.stop().await
}
