//! Nothing leaks: not the future, not what was logged later, not another machine's readings.

use eventlog::frames::{StatusCode, Value};
use serde_json::json;

use super::*;

fn mean(name: &str, window_s: u64) -> Json {
    json!({"kind": "reading", "name": name, "quantity": "tension", "aggregate": "mean", "window_s": window_s})
}

/// A reading of second 50 is logged at second 300, after four others.
#[tokio::test]
async fn a_late_reading_is_in_no_dataset_from_before_it() {
    let mut mill = Mill::new().await;
    mill.read(60, &[("L1.tension", 10, 2.0), ("L1.tension", 20, 4.0)]).await;
    let before = mill.read(130, &[("L1.tension", 70, 6.0), ("L1.tension", 110, 8.0)]).await;
    mill.read(300, &[("L1.tension", 50, 9.0)]).await;
    let now = spec((60, 181), json!({"assets": {"ids": ["L1"]}, "features": [mean("mean", 60)]}));
    assert_eq!(mill.rows_as_of(now.clone(), before).await, ["L1 60 mean=3.0", "L1 120 mean=7.0", "L1 180 mean=null"]);
    assert_eq!(mill.rows(now.clone()).await, ["L1 60 mean=5.0", "L1 120 mean=7.0", "L1 180 mean=null"]);
    // A model that ran at second 60 knew the first frame only, and at second 120 not yet the second one.
    let mut then = now;
    then["knowledge"] = json!("as_known_then");
    assert_eq!(mill.rows(then).await, ["L1 60 mean=3.0", "L1 120 mean=null", "L1 180 mean=null"]);
}

/// A window ends before the row's time, and begins with its first moment.
#[tokio::test]
async fn a_row_does_not_know_its_own_moment() {
    let mut mill = Mill::new().await;
    mill.read(500, &[("L1.tension", 60, 1.0), ("L1.tension", 120, 5.0)]).await;
    let features = json!([
        mean("window", 60),
        {"kind": "reading", "name": "lagged", "quantity": "tension", "aggregate": "last", "window_s": 60, "lag_s": 60}
    ]);
    let spec = spec((60, 241), json!({"assets": {"ids": ["L1"]}, "features": features}));
    assert_eq!(
        mill.rows(spec).await,
        [
            "L1 60 window=null lagged=null",
            "L1 120 window=1.0 lagged=null",
            "L1 180 window=5.0 lagged=1.0",
            "L1 240 window=null lagged=5.0"
        ]
    );
}

/// States and set-points that change at the row's moment are not known to it either.
#[tokio::test]
async fn states_and_set_points_are_those_of_before() {
    let mut mill = Mill::new().await;
    let asset = AssetId::new("L1").unwrap();
    let state = |state| MachineStateChanged { asset: asset.clone(), state, reason: None };
    mill.tell(30, Some(30), state(MachineState::Running)).await;
    let set = |to: f64, unit: &str| SetPointChanged {
        asset: asset.clone(),
        parameter: code("tension"),
        from: None,
        to,
        unit: Unit::new(unit).unwrap(),
        person: None,
        product: None,
        reason: None,
    };
    mill.tell(60, Some(40), set(2.0, "kN")).await;
    mill.tell(120, Some(120), state(MachineState::Down)).await;
    // Said of second 50, and known at second 200.
    mill.tell(200, Some(50), set(3.0, "kN")).await;
    mill.tell(201, Some(110), set(3.0, "Cel")).await;
    let features = json!([
        {"kind": "state", "name": "state"},
        {"kind": "set_point", "name": "set", "parameter": "tension", "unit": "N"}
    ]);
    let now = spec((60, 181), json!({"assets": {"ids": ["L1"]}, "features": features}));
    assert_eq!(
        mill.rows(now.clone()).await,
        ["L1 60 state=running set=3000.0", "L1 120 state=running set=null", "L1 180 state=down set=null"]
    );
    let mut then = now;
    then["knowledge"] = json!("as_known_then");
    assert_eq!(
        mill.rows(then).await,
        ["L1 60 state=running set=2000.0", "L1 120 state=running set=2000.0", "L1 180 state=down set=2000.0"]
    );
}

/// A fault that is logged late, and one that is coded anew.
#[tokio::test]
async fn labels_are_those_that_were_known() {
    let mut mill = Mill::new().await;
    mill.tell(150, Some(150), fault("F1", "L1")).await;
    let first = mill.tell(400, Some(390), coded("F1", "L1", "BRD")).await;
    // It happened at second 70, and was logged at second 500.
    let second = mill.tell(500, Some(70), fault("F2", "L1")).await;
    let third = mill.tell(501, Some(501), coded("F1", "L1", "OVH")).await;
    let labels = json!([
        {"kind": "fault_within", "name": "any", "horizon_s": 60},
        {"kind": "fault_within", "name": "ovh", "horizon_s": 60, "modes": ["OVH"]},
        {"kind": "failure_mode", "name": "mode", "horizon_s": 60},
    ]);
    let spec =
        spec((60, 361), json!({"assets": {"ids": ["L1"]}, "rows": {"on": "grid", "period_s": 60}, "labels": labels}));
    let nothing = |second| format!("L1 {second} any=false ovh=false mode=none");
    assert_eq!(
        mill.rows_as_of(spec.clone(), first).await,
        [
            nothing(60),
            "L1 120 any=true ovh=false mode=BRD".to_owned(),
            nothing(180),
            nothing(240),
            nothing(300),
            // The horizon ends at second 420; the log had seen second 390.
            "L1 360 any=null ovh=null mode=null".to_owned(),
        ]
    );
    let (built, file) = made(&mill.log, spec.clone(), second).await;
    assert_eq!(rows(&file)[..2], ["L1 60 any=true ovh=null mode=null", "L1 120 any=true ovh=false mode=BRD"]);
    assert_eq!(built.label_positions, [first.previous().unwrap(), first, second]);
    let (built, file) = made(&mill.log, spec, third).await;
    assert_eq!(rows(&file)[..2], ["L1 60 any=true ovh=null mode=null", "L1 120 any=true ovh=true mode=OVH"]);
    assert_eq!(built.label_positions, [first.previous().unwrap(), second, third]);
}

/// A signal is moved to another loom at second 120, and measured in N from second 180 on.
#[tokio::test]
async fn a_signal_counts_where_it_was_bound() {
    let mut mill = Mill::new().await;
    let readings: Vec<_> =
        (0..24).map(|step| ("L1.tension", step * 10, if step < 18 { 1.0 } else { 1000.0 })).collect();
    let before = mill.read(240, &readings).await;
    mill.tell(300, Some(120), defined("L1.tension", "L2", "tension", "kN")).await;
    mill.tell(301, Some(180), defined("L1.tension", "L2", "tension", "N")).await;
    let features = json!([
        {"kind": "reading", "name": "mean", "quantity": "tension", "aggregate": "mean", "window_s": 60, "unit": "N"},
        {"kind": "reading", "name": "count", "quantity": "tension", "aggregate": "count", "window_s": 60, "unit": "N"}
    ]);
    let spec = spec((60, 241), json!({"features": features}));
    assert_eq!(
        mill.rows(spec.clone()).await,
        [
            "L1 60 mean=1000.0 count=6.0",
            "L1 120 mean=1000.0 count=6.0",
            "L1 180 mean=null count=0.0",
            "L1 240 mean=null count=0.0",
            "L2 60 mean=null count=0.0",
            "L2 120 mean=null count=0.0",
            "L2 180 mean=1000.0 count=6.0",
            "L2 240 mean=1000.0 count=6.0",
        ]
    );
    // Before anybody had said so, everything was of the first loom and in kN.
    assert_eq!(mill.rows_as_of(spec.clone(), before).await[3], "L1 240 mean=1000000.0 count=6.0");
    let mut then = spec;
    then["knowledge"] = json!("as_known_then");
    assert_eq!(mill.rows(then).await[3], "L1 240 mean=1000000.0 count=6.0");
}

/// Where two signals measure one quantity, the first by id counts.
#[tokio::test]
async fn two_signals_of_one_quantity_are_not_mixed() {
    let mut mill = Mill::new().await;
    mill.tell(1, Some(1), defined("A.tension", "L1", "tension", "kN")).await;
    mill.read(60, &[("L1.tension", 10, 2.0), ("A.tension", 11, 8.0)]).await;
    let spec = spec((60, 61), json!({"assets": {"ids": ["L1"]}, "features": [mean("mean", 60)]}));
    assert_eq!(mill.rows(spec).await, ["L1 60 mean=8.0"]);
}

#[tokio::test]
async fn what_is_not_usable_is_left_out_and_counted() {
    let mut mill = Mill::new().await;
    let mut bad = reading("L1.tension", 10, Value::Float(900.0));
    bad.status = StatusCode::new(0x8000_0000);
    let mut uncertain = reading("L1.tension", 20, Value::Float(4.0));
    uncertain.status = StatusCode::new(0x4000_0000);
    let odd =
        [reading("L1.tension", 30, Value::Text("open".into())), reading("L1.tension", 31, Value::Float(f64::NAN))];
    mill.frame(60, [vec![bad, uncertain], odd.to_vec()].concat()).await;
    mill.read(61, &[("L1.tension", 40, 6.0)]).await;
    mill.tell(62, None, fault("F1", "L1")).await;
    let spec = spec(
        (60, 121),
        json!({"assets": {"ids": ["L1"]}, "features": [mean("mean", 60)], "labels": [{"kind": "fault_within", "name": "fault", "horizon_s": 60}]}),
    );
    let (built, file) = made(&mill.log, spec, mill.last()).await;
    assert_eq!(rows(&file), ["L1 60 mean=5.0 fault=null", "L1 120 mean=null fault=null"]);
    assert_eq!(built.readings, 2);
    let left_out: Vec<_> = built.left_out.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
    assert_eq!(left_out, [("bad_status", 1), ("not_a_number", 1), ("not_finite", 1), ("without_time", 1)]);
}
