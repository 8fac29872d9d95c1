use std::sync::Arc;
use std::time::Duration;

use domain::Event;
use domain::events::{FaultObserved, MachineState, MachineStateChanged};
use domain::ids::{AssetId, FaultId};
use eventlog::memory::MemoryLog;
use eventlog::{AppendCondition, BoxFuture, Direction, EventLog, Filter, NewEvent, Position};
use tokio_util::sync::CancellationToken;

use super::{Reactor, ReactorError, ReactorOptions, reaction_id, start_reactor};
use crate::testing::{sealed, time};
use crate::{Entry, Feed, Meta, filters, seal};

const WAIT: Duration = Duration::from_secs(60);

/// Answers each machine that goes down with an observed fault. What it says differs each time that it is started.
struct Watcher {
    mood: &'static str,
}

impl Reactor for Watcher {
    fn name(&self) -> &'static str {
        "watcher"
    }

    fn version(&self) -> u32 {
        1
    }

    fn filter(&self) -> Filter {
        filters::types(&["asset.state_changed"])
    }

    fn react<'a>(&'a mut self, entries: &'a [Arc<Entry>]) -> BoxFuture<'a, Result<Vec<NewEvent>, ReactorError>> {
        let mut events = Vec::new();
        for entry in entries {
            let Some(Event::MachineStateChanged(change)) = entry.event() else { continue };
            let mut meta = Meta::own("reactor:watcher", entry.event_time);
            meta.id = reaction_id(self.name(), self.version(), entry.id, 0);
            meta.causation_id = Some(*entry.id.as_uuid());
            let fault = FaultObserved {
                fault: FaultId::new(&format!("down@{}", entry.position)).unwrap(),
                asset: change.asset.clone(),
                symptoms: domain::Text::guessed(self.mood),
                alarms: vec![],
                detection: None,
                impact: None,
                product: None,
                person: None,
            };
            events.push(seal(&fault.into(), meta).unwrap());
        }
        Box::pin(std::future::ready(Ok(events)))
    }
}

async fn go_down(log: &MemoryLog, number: u64) -> Position {
    let asset = AssetId::new("loom-1").unwrap();
    let event = MachineStateChanged { asset, state: MachineState::Down, reason: None };
    log.append(AppendCondition::none(), vec![sealed(number, Some(time(0)), event)]).await.unwrap().last
}

async fn faults(log: &MemoryLog) -> Vec<String> {
    let filter = filters::types(&["fault.observed"]);
    let records = log.read(Position::START, Direction::Forward, filter, 100).await.unwrap();
    records
        .into_iter()
        .filter_map(|record| match Entry::decode(record).event() {
            Some(Event::FaultObserved(fault)) => Some(fault.symptoms.any().to_owned()),
            _ => None,
        })
        .collect()
}

async fn run(log: &MemoryLog, mood: &'static str, options: ReactorOptions, until: Position) {
    let cancel = CancellationToken::new();
    let handle = start_reactor(Feed::new(Arc::new(log.clone())), Watcher { mood }, options, cancel.clone()).unwrap();
    handle.wait_for(until, WAIT).await.unwrap();
    cancel.cancel();
    handle.stopped().await;
    assert_eq!(handle.failed(), None);
}

#[tokio::test]
async fn what_was_answered_before_is_answered_once() {
    let log = MemoryLog::new();
    let last = go_down(&log, 1).await;
    let from_start = ReactorOptions { dir: None, start: Position::START };
    run(&log, "first", from_start.clone(), last).await;
    // Without progress it is shown everything again, and answers differently: the first answer stands.
    let last = go_down(&log, 2).await;
    run(&log, "second", from_start, last).await;
    assert_eq!(faults(&log).await, ["first", "second"]);
}

#[tokio::test]
async fn progress_outlives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let log = MemoryLog::new();
    let old = go_down(&log, 1).await;
    let options = ReactorOptions { dir: Some(dir.path().to_owned()), start: old.next() };
    let last = go_down(&log, 2).await;
    run(&log, "first", options.clone(), last).await;
    assert_eq!(faults(&log).await, ["first"], "what came before the start is not answered");
    let last = go_down(&log, 3).await;
    run(&log, "second", options, last).await;
    assert_eq!(faults(&log).await, ["first", "second"]);
    std::fs::write(dir.path().join("watcher.position"), "not a number").unwrap();
    let damaged = ReactorOptions { dir: Some(dir.path().to_owned()), start: Position::START };
    run(&log, "third", damaged, last).await;
    assert_eq!(
        faults(&log).await,
        ["first", "second", "third"],
        "a damaged file is as none: only what was not answered is answered now"
    );
}
