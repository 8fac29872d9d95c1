use std::time::Duration;

use domain::Event;
use domain::events::PredictionMade;
use eventlog::frames::{StatusCode, Value};
use expect_test::{Expect, expect};

use super::*;
use crate::commands::{Decision, VersionRef};
use crate::testing::{
    append_readings, at, caller, deploy, deployment, loom, plant, reading, register, registry, version,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// A mill of two looms with version 1 (twice the tension) deployed every 10 s, and version 2 (thrice) ready.
async fn deployed() -> (Arc<dyn EventLog>, Arc<Registry>) {
    let (log, registry) = registry();
    plant(&log).await;
    register(&registry).await;
    registry.create_version(&caller(), version(2.0)).await.unwrap();
    registry.create_version(&caller(), version(3.0)).await.unwrap();
    registry.deploy(&caller(), deploy(1, 10)).await.unwrap();
    (log, registry)
}

struct Running {
    handle: ReactorHandle,
    cancel: CancellationToken,
}

fn start_from(registry: &Arc<Registry>, position: Position) -> Running {
    let cancel = CancellationToken::new();
    let options = ReactorOptions { dir: None, start: position };
    let reactor = Predictions::new(Arc::clone(registry));
    let handle = start_reactor(registry.log(), reactor, options, cancel.clone()).unwrap();
    Running { handle, cancel }
}

impl Running {
    async fn after(&self, position: Position) {
        self.handle.wait_for(position, PATIENCE).await.unwrap();
    }

    async fn stop(self) {
        self.cancel.cancel();
        self.handle.stopped().await;
    }
}

async fn predictions(log: &Arc<dyn EventLog>) -> Vec<(Entry, PredictionMade)> {
    let filter = Filter {
        items: vec![QueryItem { categories: vec![Category::new("prediction").unwrap()], ..QueryItem::default() }],
    };
    let records = log.read(Position::START, Direction::Forward, filter, MAX_PAGE).await.unwrap();
    records
        .into_iter()
        .map(Entry::decode)
        .map(|entry| match entry.event() {
            Some(Event::PredictionMade(made)) => (entry.clone(), made.clone()),
            _ => panic!("{entry:?} is no prediction"),
        })
        .collect()
}

/// One line for each prediction: second, asset, version, answer.
async fn check(log: &Arc<dyn EventLog>, expected: Expect) {
    let lines: Vec<String> = predictions(log)
        .await
        .into_iter()
        .map(|(entry, made)| {
            let second = entry.event_time.unwrap().as_second() - at(0).as_second();
            let answer = made.unavailable.unwrap_or_else(|| format!("{:?}", made.outputs.get("load").unwrap()));
            format!("{second} s {} v{}: {answer}\n", made.asset, made.version)
        })
        .collect();
    expected.assert_eq(&lines.concat());
}

/// Both readings of a loom at a second; tension in N.
async fn both(log: &Arc<dyn EventLog>, number: u32, second: i64, tension: f64) -> Position {
    let readings = vec![reading(number, "warp_tension", second, tension), reading(number, "loom_speed", second, 600.0)];
    append_readings(log, readings).await
}

#[tokio::test]
async fn predictions_name_their_version_and_the_readings_that_went_in() {
    let (log, registry) = deployed().await;
    let running = start_from(&registry, log.tail());
    let earlier = append_readings(&log, vec![reading(1, "loom_speed", 1, 600.0)]).await;
    running.after(earlier).await;
    // One frame with readings of two looms: the tension of loom 1 is the third row.
    let readings = vec![
        reading(1, "warp_tension", 100, 2.0),
        reading(1, "warp_tension", 101, 3.0),
        reading(1, "loom_speed", 100, 500.0),
        reading(2, "humidity", 100, 70.0),
    ];
    let position = append_readings(&log, readings).await;
    running.after(position).await;
    let all = predictions(&log).await;
    let (entry, made) = all.last().unwrap();
    assert_eq!((made.version, &made.asset), (1, &loom(1)));
    let inputs: Vec<_> =
        made.inputs.iter().map(|input| (input.signal.as_str(), input.position, input.row, input.value)).collect();
    assert_eq!(
        inputs,
        [("LOOM-01.warp_tension", position.get(), 2, 300.0), ("LOOM-01.loom_speed", position.get(), 0, 500.0)]
    );
    assert_eq!(made.outputs["load"], 600.0);
    assert_eq!(entry.event_time, Some(at(101)));
    let cause = log.read(position, Direction::Forward, Filter::all(), 1).await.unwrap().records.remove(0);
    assert_eq!(entry.causation_id, Some(*cause.id.as_uuid()));
    assert_eq!(entry.actor, NAME);
    running.stop().await;
}

#[tokio::test]
async fn one_prediction_in_a_period_of_event_time() {
    let (log, registry) = deployed().await;
    let running = start_from(&registry, log.tail());
    let mut last = log.tail();
    for second in 0..35 {
        last = both(&log, 1, second, 3.0).await;
    }
    last = both(&log, 2, 12, 1.0).await.max(last);
    running.after(last).await;
    check(
        &log,
        expect![[r#"
        0 s LOOM-01 v1: 600.0
        10 s LOOM-01 v1: 600.0
        20 s LOOM-01 v1: 600.0
        30 s LOOM-01 v1: 600.0
        12 s LOOM-02 v1: 200.0
    "#]],
    )
    .await;
    running.stop().await;
}

#[tokio::test]
async fn a_restart_doubles_nothing_and_loses_nothing() {
    let (log, registry) = deployed().await;
    let from = log.tail();
    let running = start_from(&registry, from);
    let position = both(&log, 1, 0, 3.0).await;
    running.after(position).await;
    running.stop().await;
    // Nobody predicts while these come.
    both(&log, 1, 9, 3.0).await;
    let position = both(&log, 1, 11, 4.0).await;
    // The progress was lost: it begins where it began the first time.
    let running = start_from(&registry, from);
    running.after(position).await;
    running.stop().await;
    let texts: Vec<_> = predictions(&log).await.into_iter().map(|(_, made)| made.outputs["load"]).collect();
    assert_eq!(texts, [600.0, 800.0]);
    // And once more with the present progress: the newest readings are found again before it.
    let running = start_from(&registry, log.tail());
    let speed_only = append_readings(&log, vec![reading(1, "loom_speed", 22, 500.0)]).await;
    running.after(speed_only).await;
    running.stop().await;
    let texts: Vec<_> = predictions(&log).await.into_iter().map(|(_, made)| made.outputs["load"]).collect();
    assert_eq!(texts, [600.0, 800.0, 800.0]);
}

#[tokio::test]
async fn the_same_cause_is_answered_once_by_two_reactors() {
    let (log, registry) = deployed().await;
    let from = log.tail();
    let position = both(&log, 1, 0, 3.0).await;
    let (one, two) = (start_from(&registry, from), start_from(&registry, from));
    one.after(position).await;
    two.after(position).await;
    assert_eq!(predictions(&log).await.len(), 1);
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn without_an_answer_it_says_why_and_does_not_repeat_itself() {
    let (log, registry) = deployed().await;
    let running = start_from(&registry, log.tail());
    let tension = |second, value| vec![reading(1, "warp_tension", second, value)];
    for second in 0..125 {
        append_readings(&log, tension(second, 3.0)).await;
    }
    // The speed comes: it answers. Then the speed stays away and grows stale.
    both(&log, 1, 130, 3.0).await;
    append_readings(&log, tension(150, 3.0)).await;
    append_readings(&log, tension(200, 3.0)).await;
    both(&log, 1, 210, 7.0).await;
    both(&log, 1, 220, 3.0).await;
    let bad =
        eventlog::frames::Reading { status: StatusCode::new(0x8000_0000), ..reading(1, "warp_tension", 230, 3.0) };
    append_readings(&log, vec![bad]).await;
    both(&log, 1, 240, 3.0).await;
    let text = eventlog::frames::Reading { value: Value::Text("?".into()), ..reading(1, "warp_tension", 250, 3.0) };
    append_readings(&log, vec![text]).await;
    both(&log, 1, 260, 3.0).await;
    let stopped = vec![reading(1, "warp_tension", 270, 3.0), reading(1, "loom_speed", 270, 0.0)];
    let last = append_readings(&log, stopped).await;
    running.after(last).await;
    check(
        &log,
        expect![[r#"
        0 s LOOM-01 v1: input loom_speed is missing: signal LOOM-01.loom_speed has no reading
        100 s LOOM-01 v1: input loom_speed is missing: signal LOOM-01.loom_speed has no reading
        130 s LOOM-01 v1: 600.0
        150 s LOOM-01 v1: 600.0
        200 s LOOM-01 v1: input loom_speed is stale: its newest reading is 70 s old, the limit is 60 s
        220 s LOOM-01 v1: 600.0
        230 s LOOM-01 v1: input warp_tension has the bad status 0x80000000
        240 s LOOM-01 v1: 600.0
        250 s LOOM-01 v1: input warp_tension is not a finite number
        260 s LOOM-01 v1: 600.0
        270 s LOOM-01 v1: formula pace has no value: division of 300 by zero (characters 0 to 25)
    "#]],
    )
    .await;
    let unavailable = predictions(&log).await.into_iter().find(|(_, made)| made.unavailable.is_some()).unwrap();
    assert!(unavailable.1.outputs.is_empty());
    assert_eq!(unavailable.1.inputs.len(), 1, "the input that was there is named");
    running.stop().await;
}

#[tokio::test]
async fn upgrades_and_retirements_take_effect_where_the_log_says_so() {
    let (log, registry) = deployed().await;
    let running = start_from(&registry, log.tail());
    both(&log, 1, 0, 1.0).await;
    registry.deploy(&caller(), deploy(2, 10)).await.unwrap();
    both(&log, 1, 5, 1.0).await;
    both(&log, 1, 10, 1.0).await;
    registry.roll_back(&caller(), &deployment(), Decision::default()).await.unwrap();
    both(&log, 1, 20, 1.0).await;
    registry.retire(&caller(), &deployment(), Decision::default()).await.unwrap();
    let last = both(&log, 1, 30, 1.0).await;
    running.after(last).await;
    check(
        &log,
        expect![[r#"
        0 s LOOM-01 v1: 200.0
        10 s LOOM-01 v2: 300.0
        20 s LOOM-01 v1: 200.0
    "#]],
    )
    .await;
    running.stop().await;
}

#[tokio::test]
async fn a_signal_that_the_plant_does_not_have_is_named() {
    let (log, registry) = registry();
    register(&registry).await;
    registry.create_version(&caller(), version(2.0)).await.unwrap();
    plant(&log).await;
    // Loom 3 has tension only.
    let asset = domain::events::AssetRegistered {
        asset: loom(3),
        name: domain::Text::default(),
        class: domain::ids::AssetClass::new("loom").unwrap(),
        maker: None,
        model: None,
        serial: None,
    };
    crate::testing::append(&log, asset.into()).await;
    let signal = domain::events::SignalDefined {
        signal: domain::ids::SignalId::new("LOOM-03.warp_tension").unwrap(),
        asset: loom(3),
        quantity: crate::testing::code("warp_tension"),
        name: domain::Text::default(),
        unit: domain::Unit::new("cN").unwrap(),
        low: None,
        high: None,
        period_ms: None,
        deadband: None,
        address: None,
    };
    crate::testing::append(&log, signal.into()).await;
    let champion = crate::testing::code("champion");
    registry.set_alias(&caller(), &crate::testing::model(), &champion, 1).await.unwrap();
    registry.deploy(&caller(), crate::Deploy { version: VersionRef::Alias(champion), ..deploy(1, 10) }).await.unwrap();
    let running = start_from(&registry, log.tail());
    let last = append_readings(&log, vec![reading(3, "warp_tension", 0, 30.0)]).await;
    running.after(last).await;
    check(
        &log,
        expect![[r#"
        0 s LOOM-03 v1: input loom_speed is missing: asset LOOM-03 has no signal of this quantity
    "#]],
    )
    .await;
    running.stop().await;
}

#[tokio::test]
async fn a_version_whose_files_are_gone_says_so() {
    let (log, registry) = deployed().await;
    // Another process with an empty store.
    let elsewhere = Arc::new(crate::testing::over(registry.log(), crate::ArtifactStore::in_memory()));
    let running = start_from(&elsewhere, log.tail());
    let last = both(&log, 1, 0, 1.0).await;
    running.after(last).await;
    let all = predictions(&log).await;
    let reason = all[0].1.unavailable.clone().unwrap();
    assert!(
        reason.starts_with(
            "version 1 of model tension cannot be loaded: an artifact failed: artifact \"mechanism.json\""
        ),
        "{reason}"
    );
    running.stop().await;
}

/// The tension of loom 1 is measured in cN from now on.
async fn rebind(log: &Arc<dyn EventLog>) {
    let defined = domain::events::SignalDefined {
        signal: domain::ids::SignalId::new("LOOM-01.warp_tension").unwrap(),
        asset: loom(1),
        quantity: crate::testing::code("warp_tension"),
        name: domain::values::Text::default(),
        unit: domain::units::Unit::new("cN").unwrap(),
        low: None,
        high: None,
        period_ms: Some(1_000),
        deadband: None,
        address: None,
    };
    crate::testing::append(log, defined.into()).await;
}

#[tokio::test]
async fn a_reading_from_before_its_signal_was_bound_to_something_else_is_not_used() {
    // Live, and after a start in between.
    for restarted in [false, true] {
        let (log, registry) = deployed().await;
        let running = start_from(&registry, log.tail());
        running.after(both(&log, 1, 0, 3.0).await).await;
        let running = if restarted {
            running.stop().await;
            rebind(&log).await;
            start_from(&registry, log.tail())
        } else {
            rebind(&log).await;
            running
        };
        running.after(append_readings(&log, vec![reading(1, "loom_speed", 10, 600.0)]).await).await;
        running.after(both(&log, 1, 20, 300.0).await).await;
        check(
            &log,
            expect![[r#"
                0 s LOOM-01 v1: 600.0
                10 s LOOM-01 v1: input warp_tension is missing: signal LOOM-01.warp_tension has no reading
                20 s LOOM-01 v1: 600.0
            "#]],
        )
        .await;
        running.stop().await;
    }
}
