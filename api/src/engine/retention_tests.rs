#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by a panic")]

use std::sync::Arc;

use domain::ids::Code;
use eventlog::frames::{Reading, StatusCode, Value};
use eventlog::{Direction, Filter, PayloadState, Position};
use jiff::{SignedDuration, Timestamp};
use projections::{Meta, seal_readings};

use super::{RetentionConfig, expire, resume};
use crate::config::Config;
use crate::engine::Engine;

fn config(dir: &std::path::Path) -> Config {
    let class = RetentionConfig { class: Code::new("telemetry").unwrap(), types: super::readings(), keep_days: 30 };
    let mut config = Config { data_dir: dir.to_owned(), retention: vec![class], ..Config::default() };
    config.surreal.url = Some("mem://".to_owned());
    config
}

async fn record(engine: &Engine, second: i64) {
    let reading = |signal: &str| Reading {
        signal: Arc::from(signal),
        time: Timestamp::from_second(second).unwrap(),
        sequence: None,
        value: Value::Float(second as f64 / 4.0),
        status: StatusCode::GOOD,
    };
    let readings = vec![reading("LOOM-01.warp_tension"), reading("LOOM-02.warp_tension")];
    let event = seal_readings("test", readings, Meta::own("test", None)).unwrap();
    let _ = engine.log.append(eventlog::AppendCondition::none(), vec![event]).await.unwrap();
}

async fn present(engine: &Engine) -> Vec<bool> {
    let page = engine.log.read(Position::START, Direction::Forward, Filter::all(), 100).await.unwrap();
    page.iter().map(|record| record.payload_state == PayloadState::Present).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expires_is_dropped_and_a_rebuild_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(&config(dir.path())).await.unwrap();
    for second in 0..5 {
        record(&engine, second).await;
    }
    let root = engine.embedded.tree().root();
    let later = |days: i64| Timestamp::now().checked_add(SignedDuration::from_hours(24 * days)).unwrap();

    let early = expire(&engine, "test", later(29), false).await.unwrap();
    assert_eq!(early.records, 0);
    let counted = expire(&engine, "test", later(31), true).await.unwrap();
    assert_eq!((counted.records, counted.readings, counted.positions.len()), (5, 10, 0));
    assert_eq!(present(&engine).await, [true; 5]);

    let expired = expire(&engine, "test", later(31), false).await.unwrap();
    assert_eq!((expired.records, expired.readings, expired.positions.as_slice()), (5, 10, [5_u64].as_slice()));
    assert_eq!(present(&engine).await, [false, false, false, false, false, true]);
    let latest =
        engine.read.latest.read(|latest, _| latest.signals().map(|(signal, _)| signal.to_owned()).collect::<Vec<_>>());
    assert_eq!(latest, ["LOOM-01.warp_tension", "LOOM-02.warp_tension"]);
    assert_eq!(expire(&engine, "test", later(31), false).await.unwrap().records, 0);
    assert_eq!(resume(&engine).await.unwrap(), 0);

    // Leaves stay, what is gone is gone rightly, and a rebuild needs none of it.
    let live = engine.projections().digests().await.unwrap();
    let replayed = crate::commands::replay::digests(engine.log.as_ref(), engine.log.tail().previous()).await.unwrap();
    let mut compared = 0;
    for digest in &live {
        let (_, again) = replayed.iter().find(|(name, _)| *name == digest.name).unwrap();
        assert_eq!(*again, digest.digest, "{}", digest.name);
        compared += 1;
    }
    assert!(compared >= 8, "only {compared} projections were compared");
    engine.close().await;
    let audited = crate::audit::files::check(dir.path(), None, None).unwrap();
    assert_eq!(audited.log.dropped, [(Position::START, Position::new(4))]);
    assert_ne!(audited.log.root, root);
}
