use std::sync::Arc;

use domain::Event;
use eventlog::frames::{Reading, StatusCode, Value};
use eventlog::memory::MemoryLog;
use eventlog::{AppendCondition, NewEvent};
use projections::{Entry, Fold as _, Meta, seal, seal_readings};
use serde_json::{Value as Json, json};

use super::*;

const MINUTE: i64 = 60;
const DAY: i64 = 86_400;

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::new(1_780_000_000 + second, 0).unwrap()
}

pub(crate) fn event(second: i64, event_type: &str, payload: Json) -> NewEvent {
    seal(&Event::from_value(event_type, 1, payload).unwrap(), Meta::own("test", Some(at(second)))).unwrap()
}

pub(crate) async fn append(log: &Arc<dyn EventLog>, new: NewEvent) -> Position {
    log.append(AppendCondition::none(), vec![new]).await.unwrap().first
}

/// A reading each minute in a stretch of seconds; every other one is a tenth higher, so that there is a usual spread.
pub(crate) async fn read(log: &Arc<dyn EventLog>, quantity: &str, (from, to): (i64, i64), value: impl Fn(i64) -> f64) {
    let readings = (from / MINUTE..to / MINUTE)
        .map(|minute| Reading {
            signal: format!("L1.{quantity}").as_str().into(),
            time: at(minute * MINUTE),
            sequence: None,
            value: Value::Float(value(minute * MINUTE) + 0.1 * f64::from(i32::try_from(minute % 7).unwrap())),
            status: StatusCode::GOOD,
        })
        .collect();
    append(log, seal_readings("test", readings, Meta::own("test", None)).unwrap()).await;
}

/// A loom with a tension, a speed and four days of readings: everything is as usual, but for the last half hour, in which the tension is three lower and the speed is unsteady. A step within a bucket is unsteady, too.
pub(crate) async fn mill() -> Arc<dyn EventLog> {
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new());
    append(&log, event(0, "asset.registered", json!({"asset": "L1", "name": {"en": "loom"}, "class": "loom"}))).await;
    for quantity in ["tension", "speed"] {
        let signal = json!({"signal": format!("L1.{quantity}"), "asset": "L1", "quantity": quantity, "name": {"en": "q"}, "unit": "1"});
        append(&log, event(0, "signal.defined", signal)).await;
    }
    let end = 4 * DAY;
    read(&log, "tension", (0, end), |second| if second < end - 30 * MINUTE { 27.0 } else { 24.0 }).await;
    read(&log, "speed", (0, end), |second| {
        let swing = if second < end - 30 * MINUTE { 0.2 } else { 5.0 };
        600.0 + if second / MINUTE % 2 == 0 { swing } else { -swing }
    })
    .await;
    log
}

async fn known(log: &Arc<dyn EventLog>) -> BTreeMap<Code, SignalId> {
    let mut catalog = Catalog::default();
    for record in log.read(Position::START, eventlog::Direction::Forward, eventlog::Filter::all(), 1_000).await.unwrap()
    {
        catalog.apply(&Entry::decode(record));
    }
    signals(&catalog, &AssetId::new("L1").unwrap(), AsOf::LATEST)
}

async fn seen(log: &Arc<dyn EventLog>, second: i64, below: Position) -> Look {
    let asset = AssetId::new("L1").unwrap();
    look(&**log, (&asset, &known(log).await), at(second), below).await.unwrap()
}

fn said(look: &Look) -> Vec<String> {
    look.readings.iter().map(|sign| format!("{} {}", sign.quantity, sign.is.as_str())).collect()
}

#[tokio::test]
async fn what_is_not_as_usual_is_seen_with_its_window_and_evidence() {
    let log = mill().await;
    let look = seen(&log, 4 * DAY, log.tail()).await;
    assert_eq!(said(&look), ["speed unsteady", "tension low", "tension unsteady"]);
    let low = &look.readings[1];
    assert_eq!((low.statistic, low.window_s, low.signal.as_str()), (Statistic::Level, 1_800, "L1.tension"));
    assert!(low.value < -3.0 && !low.positions.is_empty(), "{low:?}");
    let widest = look.readings.iter().map(|sign| sign.window_s).max().unwrap();
    assert_eq!(look.since, at(4 * DAY - i64::try_from(widest).unwrap()));
}

#[tokio::test]
async fn a_look_sees_nothing_of_what_came_later_or_was_not_known_yet() {
    let log = mill().await;
    // Before it began.
    let look = seen(&log, 4 * DAY - 45 * MINUTE, log.tail()).await;
    assert_eq!((said(&look), look.since), (Vec::new(), at(4 * DAY - 45 * MINUTE)));
    // Before the readings were logged.
    assert_eq!(said(&seen(&log, 4 * DAY, Position::new(3)).await), Vec::<String>::new());
}

#[tokio::test]
async fn readings_of_long_ago_say_nothing_of_now() {
    let log = mill().await;
    assert_eq!(said(&seen(&log, 6 * DAY, log.tail()).await), Vec::<String>::new());
}

#[tokio::test]
async fn a_machine_that_stands_is_judged_by_what_it_did_while_it_ran() {
    let log = mill().await;
    let stopped = json!({"asset": "L1", "state": "stopped"});
    append(&log, event(4 * DAY - 30 * MINUTE, "asset.state_changed", stopped)).await;
    assert_eq!(said(&seen(&log, 4 * DAY, log.tail()).await), Vec::<String>::new());
    // That it stood is learnt later than the position that is asked for.
    let before = log.tail().previous().unwrap();
    assert_eq!(said(&seen(&log, 4 * DAY, before).await), ["speed unsteady", "tension low", "tension unsteady"]);
}

#[tokio::test]
async fn alarms_of_the_last_hours_come_in_their_order_and_once() {
    let log = mill().await;
    let now = 4 * DAY;
    for (second, code) in
        [(now - 9 * 3_600, "OLD"), (now - 300, "B"), (now - 600, "A"), (now - 60, "B"), (now + 1, "LATER")]
    {
        let alarm =
            json!({"alarm": format!("AL{second}"), "asset": "L1", "code": code, "text": {"en": "t"}, "severity": 500});
        append(&log, event(second, "alarm.raised", alarm)).await;
    }
    let look = seen(&log, now, log.tail()).await;
    assert_eq!(look.alarms.iter().map(Code::as_str).collect::<Vec<_>>(), ["A", "B"]);
    assert_eq!(look.evidence.len(), 2);
}
