use std::time::Duration;

use eventlog::Direction;
use serde_json::json;

use super::*;
use crate::look::tests::{append, event, mill};

const PATIENCE: Duration = Duration::from_secs(20);
const DAY: i64 = 86_400;

/// Lets a reactor without progress answer everything.
async fn run(log: &Arc<dyn EventLog>) {
    let cancel = CancellationToken::new();
    let handle = start(&log.into(), None, cancel.clone()).unwrap();
    handle.wait_for(log.tail().previous().unwrap(), PATIENCE).await.unwrap();
    assert_eq!(handle.failed(), None);
    cancel.cancel();
    handle.stopped().await;
}

async fn examinations(log: &Arc<dyn EventLog>) -> Vec<(FaultExamined, Entry)> {
    let filter = filters::types(&["fault.examined"]);
    let page = log.read(Position::START, Direction::Forward, filter, 100).await.unwrap();
    page.into_iter()
        .map(Entry::decode)
        .map(|entry| match entry.event() {
            Some(Event::FaultExamined(examined)) => (examined.clone(), entry),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[tokio::test]
async fn each_fault_is_looked_at_once_and_an_asset_that_shows_nothing_is_not_mentioned() {
    let log = mill().await;
    let fault = |id: &str| json!({"fault": id, "asset": "L1", "symptoms": {"en": "s"}});
    append(&log, event(2 * DAY, "fault.observed", fault("F-1"))).await;
    let position = append(&log, event(4 * DAY, "fault.observed", fault("F-2"))).await;
    run(&log).await;
    let said = examinations(&log).await;
    let [(examined, entry)] = said.as_slice() else { panic!("{said:?}") };
    let signs: Vec<String> =
        examined.readings.iter().map(|sign| format!("{} {}", sign.quantity, sign.is.as_str())).collect();
    assert_eq!(
        (examined.fault.as_str(), signs),
        ("F-2", ["speed unsteady", "tension low", "tension unsteady"].map(str::to_owned).to_vec())
    );
    let cause = log.read(position, Direction::Forward, Filter::all(), 1).await.unwrap().records.remove(0);
    assert_eq!(entry.causation_id, Some(*cause.id.as_uuid()));
    assert_eq!(entry.event_time, Some(examined.at));
    // Whoever begins anew says the same under the same ids, and the log takes it once.
    run(&log).await;
    assert_eq!(examinations(&log).await.len(), 1);
}

#[tokio::test]
async fn what_the_log_learns_later_changes_no_examination() {
    let log = mill().await;
    append(&log, event(4 * DAY, "fault.observed", json!({"fault": "F-1", "asset": "L1", "symptoms": {"en": "s"}})))
        .await;
    // The same history with readings and an alarm that come in after the fault, before anybody looks.
    let alarm = json!({"alarm": "AL", "asset": "L1", "code": "A", "text": {"en": "t"}, "severity": 500});
    append(&log, event(4 * DAY - 60, "alarm.raised", alarm)).await;
    run(&log).await;
    let said = examinations(&log).await;
    assert_eq!(said.len(), 1);
    assert_eq!(said[0].0.alarms, Vec::new());
}
