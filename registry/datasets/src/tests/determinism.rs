//! The same log and spec give the same bytes, whoever keeps the log and however; and readers that we did not write read them.

use std::process::Command;

use eventlog::embedded::{EmbeddedLog, Options};
use serde_json::json;

use super::*;
use crate::{built_event, rebuild};

/// Half a day of two looms with faults: a reading each ten seconds, in frames of a minute, one of which comes late.
async fn half_a_day() -> Mill {
    let mut mill = Mill::new().await;
    for minute in 0..720_i64 {
        if minute == 100 {
            continue;
        }
        mill.frame(minute * 60 + 61, minute_of(minute)).await;
        if minute == 300 {
            mill.frame(minute * 60 + 61, minute_of(100)).await;
        }
        if minute % 240 == 200 {
            let id = format!("F{minute}");
            mill.tell(minute * 60 + 70, Some(minute * 60), fault(&id, "L2")).await;
            mill.tell(minute * 60 + 71, Some(minute * 60 + 5), coded(&id, "L2", "BRD")).await;
        }
        if minute % 60 == 0 {
            let state = if minute % 120 == 0 { MachineState::Running } else { MachineState::Stopped };
            let event = MachineStateChanged { asset: AssetId::new("L1").unwrap(), state, reason: None };
            mill.tell(minute * 60 + 72, Some(minute * 60), event).await;
        }
    }
    mill
}

fn minute_of(minute: i64) -> Vec<Reading> {
    let steps = (0..6).flat_map(|step| ["L1.tension", "L2.tension"].map(|signal| (minute * 60 + step * 10, signal)));
    let value = |second: i64| f64::from(i32::try_from(second * 7919 % 1000).unwrap()) / 250.0;
    steps.map(|(second, signal)| reading(signal, second, Value::Float(value(second)))).collect()
}

fn everything() -> Json {
    let reading = |name: &str, aggregate: Json| json!({"kind": "reading", "name": name, "quantity": "tension", "aggregate": aggregate, "window_s": 900, "unit": "N"});
    spec(
        (0, 43_200),
        json!({
            "rows": {"on": "grid", "period_s": 120},
            "observed_until": at(43_200),
            "features": [
                reading("mean", json!("mean")), reading("min", json!("min")), reading("max", json!("max")), reading("std", json!("std")),
                reading("last", json!("last")), reading("first", json!("first")), reading("count", json!("count")), reading("slope", json!("slope")),
                reading("range", json!("range")), reading("p90", json!({"percentile": 90.0})),
                {"kind": "state", "name": "state"},
            ],
            "labels": [
                {"kind": "fault_within", "name": "fault", "horizon_s": 7200},
                {"kind": "failure_mode", "name": "mode", "horizon_s": 7200},
                {"kind": "time_to_fault", "name": "next", "unit": "h"},
                {"kind": "value", "name": "later", "quantity": "tension", "aggregate": "mean", "ahead_s": 600, "window_s": 600, "unit": "kN"},
            ],
        }),
    )
}

#[tokio::test]
async fn another_keeping_of_the_log_gives_the_same_bytes() {
    let mill = half_a_day().await;
    let as_of = mill.last();
    let (built, file) = made(&mill.log, everything(), as_of).await;
    assert_eq!(built.rows, 2 * 360);
    let dir = tempfile::tempdir().unwrap();
    let options = Options { segment_bytes: 16 * 1024, ..Options::default() };
    let log = EmbeddedLog::open(dir.path(), options).unwrap();
    // The same events in batches of other sizes, with the machine's own record times.
    let mut rest = mill.appended.as_slice();
    for size in [1, 7, 40].iter().cycle() {
        let (batch, later) = rest.split_at((*size).min(rest.len()));
        let _ = log.append(AppendCondition::none(), batch.to_vec()).await.unwrap();
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    let (_, unsealed) = made(&log, everything(), as_of).await;
    assert!(unsealed == file, "an embedded log gives another file");
    assert!(log.rotate().await.unwrap());
    assert!(log.seal_all().await.unwrap() > 1);
    let (again, sealed) = made(&log, everything(), as_of).await;
    assert!(sealed == file, "a sealed log gives another file");
    assert_eq!(again, built);
    log.close();
}

/// The same readings in other frames have other positions, which the file says; its rows are the same.
#[tokio::test]
async fn other_frames_give_the_same_rows() {
    let first = half_a_day().await;
    let mut second = Mill::new().await;
    let mut all: Vec<Reading> = (0..720).flat_map(minute_of).collect();
    // From back to front: the order in which the log learns of readings is not that of their times.
    all.reverse();
    for frame in all.chunks(77) {
        second.frame(43_300, frame.to_vec()).await;
    }
    let mut spec = everything();
    spec["labels"] = json!([{"kind": "value", "name": "later", "quantity": "tension", "aggregate": "mean", "ahead_s": 600, "window_s": 600}]);
    spec["features"].as_array_mut().unwrap().pop();
    let rows = first.rows(spec.clone()).await;
    assert_eq!(rows.len(), 720);
    assert_eq!(second.rows(spec).await, rows);
}

#[tokio::test]
async fn a_rebuild_at_the_old_position_gives_the_same_digest() {
    let mut mill = half_a_day().await;
    let as_of = mill.last();
    let (built, _) = made(&mill.log, everything(), as_of).await;
    let event = built_event(DatasetId::new("D1").unwrap(), &built);
    mill.tell(50_000, Some(50_000), event.clone()).await;
    // What is learnt later changes nothing of what was known.
    mill.tell(50_001, Some(50_001), coded("F200", "L2", "OVH")).await;
    mill.frame(50_002, minute_of(100)).await;
    let again = rebuild(&mill.log, &event).await.unwrap();
    assert!(again.is_same(), "{again:?}");
    assert_ne!(made(&mill.log, everything(), mill.last()).await.0.sha256, built.sha256);
    // Nor does it take more than the event itself says.
    let mut wrong = event;
    wrong.file.sha256 = "0".repeat(64);
    assert!(!rebuild(&mill.log, &wrong).await.unwrap().is_same());
    wrong.builder += 1;
    assert!(rebuild(&mill.log, &wrong).await.is_err());
}

/// When this changes, so does every digest that was logged: then [`crate::BUILDER`] is raised.
#[tokio::test]
async fn the_bytes_are_those_of_this_version_of_the_builder() {
    let mill = half_a_day().await;
    let (built, file) = made(&mill.log, everything(), mill.last()).await;
    assert_eq!(
        (crate::BUILDER, file.len(), built.sha256.to_string().as_str()),
        (1, 13_087, "d4d36473516ef0073c1ea0a676417f507cbd2b49356b5b83c6b4b585490411c2")
    );
}

const READERS: &str = r#"
import sys, json
path, reader = sys.argv[1], sys.argv[2]
if reader == "pyarrow":
    import pyarrow.parquet as parquet
    file = parquet.ParquetFile(path)
    table = file.read()
    columns = {name: str(table.schema.field(name).type) for name in table.column_names}
    rows = table.to_pylist()
    metadata = {key.decode(): value.decode() for key, value in file.metadata.metadata.items()}
    spec = json.loads(metadata["millwright.spec"])["name"]
else:
    import duckdb
    table = duckdb.sql(f"select * from read_parquet('{path}')")
    columns = dict(zip(table.columns, map(str, table.types)))
    rows = [dict(zip(table.columns, row)) for row in table.fetchall()]
    found = duckdb.sql(f"select value from parquet_kv_metadata('{path}') where decode(key) = 'millwright.spec'").fetchall()
    spec = json.loads(found[0][0])["name"]
mean = sum(row["mean"] for row in rows if row["mean"] is not None)
print(json.dumps({
    "rows": len(rows), "mean": round(mean, 6), "time": columns["time"], "spec": spec,
    "faults": sum(1 for row in rows if row["fault"]), "unknown": sum(1 for row in rows if row["later"] is None),
    "modes": sorted({row["mode"] for row in rows if row["mode"] is not None}),
    "first": rows[0]["time"].isoformat(),
}))
"#;

/// pyarrow and DuckDB read the file: what they find is what we wrote.
#[tokio::test]
async fn readers_that_we_did_not_write_read_it() {
    let mill = half_a_day().await;
    let (built, file) = made(&mill.log, everything(), mill.last()).await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data.parquet");
    std::fs::write(&path, &file).unwrap();
    let mine = rows(&file);
    let mean: f64 =
        mine.iter().filter_map(|row| row.split("mean=").nth(1)?.split(' ').next()?.parse::<f64>().ok()).sum();
    let count = |what: &str| mine.iter().filter(|row| row.contains(what)).count();
    let mut compared = 0;
    for reader in ["pyarrow", "duckdb"] {
        let Some(python) = python_with(reader) else { continue };
        let output = Command::new(python).args(["-c", READERS]).arg(&path).arg(reader).output().unwrap();
        assert!(output.status.success(), "{reader}: {}", String::from_utf8_lossy(&output.stderr));
        let found: Json = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(found["rows"], json!(built.rows), "{reader}");
        assert!((found["mean"].as_f64().unwrap() - mean).abs() < 1e-3, "{reader}: {found} and {mean}");
        assert_eq!(found["faults"], json!(count("fault=true")), "{reader}");
        assert_eq!(found["unknown"], json!(count("later=null")), "{reader}");
        assert_eq!((&found["spec"], &found["modes"]), (&json!("test"), &json!(["BRD", "none"])), "{reader}");
        assert!(found["first"].as_str().unwrap().starts_with("2026-05-28T"), "{reader}: {found}");
        compared += 1;
    }
    if compared == 0 {
        eprintln!(
            "SKIPPED: no Python has pyarrow or duckdb: python3 -m pip install pyarrow duckdb (MILLWRIGHT_PYTHON names another)"
        );
    }
}

/// A Python that has this module; `MILLWRIGHT_PYTHON` names one to try first.
fn python_with(module: &str) -> Option<String> {
    let named = std::env::var("MILLWRIGHT_PYTHON").ok();
    named.into_iter().chain(["python3".to_owned()]).find(|python| {
        let tried = Command::new(python).args(["-c", &format!("import {module}")]).output();
        tried.is_ok_and(|output| output.status.success())
    })
}
