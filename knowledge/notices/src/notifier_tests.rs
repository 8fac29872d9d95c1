use eventlog::Position;
use eventlog::memory::MemoryLog;
use projections::{AsOf, Fold as _, ProjectionSet, ReadModels};
use serde_json::{Value, json};

use super::*;
use crate::testing::{Fake, FakeChannel, ManualClock};

const PATIENCE: Duration = Duration::from_secs(60);

struct Mill {
    log: Arc<dyn EventLog>,
    clock: ManualClock,
    fake: Arc<Fake>,
    channels: Vec<Arc<dyn Channel>>,
}

/// A run of the process: what it knew is gone with it.
struct Run {
    notifier: Notifier,
    read: Shared<Notices>,
    set: ProjectionSet,
    log: Arc<dyn EventLog>,
    cancel: CancellationToken,
}

impl Mill {
    async fn new() -> Self {
        let clock = ManualClock::new();
        let now = clock.clone();
        let log: Arc<dyn EventLog> = Arc::new(MemoryLog::with_clock(eventlog::Clock::from_fn(move || now.now())));
        let fake = Arc::new(Fake::default());
        let channels: Vec<Arc<dyn Channel>> = vec![Arc::new(FakeChannel(Arc::clone(&fake)))];
        let mill = Self { log, clock, fake, channels };
        let step = |after_s: u64, topic: &str| json!({"after_s": after_s, "to": [{"channel": "mqtt", "topic": topic}]});
        let steps = json!([step(0, "one"), step(100, "two"), step(300, "three")]);
        mill.says("notice_policy.set", json!({"policy": "p", "window_s": 10, "steps": steps, "person": "P-1"})).await;
        mill
    }

    async fn says(&self, event_type: &str, data: Value) -> Position {
        let event = Event::from_value(event_type, 1, data).unwrap();
        let sealed = seal(&event, Meta::own("test", Some(self.clock.now()))).unwrap();
        self.log.append(AppendCondition::none(), vec![sealed]).await.unwrap().first
    }

    async fn alarm(&self, alarm: &str) -> Position {
        let data = json!({"alarm": alarm, "asset": "L07", "code": "A-301", "text": {"zh": "纬纱迟到", "en": "weft late"}, "severity": 600});
        self.says("alarm.raised", data).await
    }

    fn run(&self) -> Run {
        let cancel = CancellationToken::new();
        let (models, set) = ReadModels::start(&self.log, None, &cancel).unwrap();
        let progress = set.get(Notices::NAME).cloned().unwrap();
        let notifier = Notifier::start(
            Arc::clone(&self.log),
            (models.notices.clone(), progress),
            (self.channels.clone(), Vec::new()),
            Arc::new(self.clock.clone()),
            Options::default(),
            cancel.clone(),
        );
        Run { notifier, read: models.notices, set, log: Arc::clone(&self.log), cancel }
    }

    async fn tried(&self, times: u64) {
        let mut tried = self.fake.tried.subscribe();
        tokio::time::timeout(PATIENCE, tried.wait_for(|tried| *tried >= times)).await.unwrap().unwrap();
    }
}

impl Run {
    /// Waits until so many notices are settled in the read model.
    async fn settled(&self, count: usize) {
        let progress = self.set.get(Notices::NAME).cloned().unwrap();
        let wait = async {
            loop {
                let checkpoint = progress.checkpoint();
                if self.read.read(|notices, _| notices.told(AsOf::LATEST).len()) >= count {
                    return;
                }
                progress.moved_from(checkpoint).await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap();
    }

    /// Waits until the read model, and then the notifier, have seen the end of the log. An alarm of another place that must be told shows that the notifier has looked.
    async fn seen(&self) {
        if let Some(last) = self.log.tail().previous() {
            self.set.wait_for(last, PATIENCE).await.unwrap();
        }
    }

    async fn stop(self) {
        self.cancel.cancel();
        self.notifier.stopped().await;
        self.set.stopped().await;
    }
}

#[tokio::test]
async fn one_flood_is_told_once_and_climbs_until_somebody_answers() {
    let mill = Mill::new().await;
    let run = mill.run();
    for number in 0..20 {
        mill.alarm(&format!("A{number}")).await;
    }
    run.settled(1).await;
    mill.clock.forward(100);
    run.settled(2).await;
    assert_eq!(mill.fake.texts(), "one two");
    for number in 0..20 {
        mill.says("alarm.acknowledged", json!({"alarm": format!("A{number}"), "asset": "L07"})).await;
    }
    run.seen().await;
    mill.clock.forward(1_000);
    // Another asset shows that it has looked.
    let data = json!({"alarm": "B", "asset": "L08", "code": "A-1", "text": {"en": "stop"}, "severity": 1});
    mill.says("alarm.raised", data).await;
    run.settled(3).await;
    assert_eq!(mill.fake.texts(), "one two one");
    let message = mill.fake.taken.lock()[0].clone();
    assert!(message.subject.contains("纬纱迟到 / weft late"), "{}", message.subject);
    assert!(message.body().contains("策略 p") && message.body().contains("policy p"), "{}", message.body());
    let sent = run.read.read(|notices, _| notices.told(AsOf::LATEST).to_vec());
    assert_eq!((sent[0].notice.attempts, sent[1].notice.alarms, sent[1].notice.step), (1, 20, 2));
    assert_eq!(run.notifier.status()[0].sent, 3);
    run.stop().await;
}

#[tokio::test]
async fn a_restart_neither_tells_twice_nor_forgets() {
    let mill = Mill::new().await;
    let run = mill.run();
    mill.alarm("A").await;
    run.settled(1).await;
    run.stop().await;
    // The step comes due while nobody is there.
    mill.clock.forward(150);
    let run = mill.run();
    run.settled(2).await;
    assert_eq!(mill.fake.texts(), "one two");
    run.stop().await;
    let run = mill.run();
    mill.clock.forward(150);
    run.settled(3).await;
    assert_eq!(mill.fake.texts(), "one two three");
    run.stop().await;
}

#[tokio::test]
async fn what_is_not_taken_is_tried_again_and_shown_until_it_is() {
    let mill = Mill::new().await;
    let steps = json!([{"after_s": 0, "to": [{"channel": "mqtt", "topic": "one"}]}]);
    mill.says("notice_policy.set", json!({"policy": "p", "steps": steps, "person": "P-1"})).await;
    *mill.fake.broken.lock() = Some(SendError::for_now("the line is dead"));
    let run = mill.run();
    mill.alarm("A").await;
    for attempt in 1..5_u64 {
        mill.tried(attempt).await;
        // What is shown follows the attempt; then only the clock lets it go on.
        let shown = async {
            loop {
                let retrying = run.notifier.status()[0].retrying.first().map(|retrying| retrying.attempts);
                if retrying == u32::try_from(attempt).ok() {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, shown).await.unwrap();
        if attempt < 4 {
            mill.clock.forward(60);
        }
    }
    let status = run.notifier.status();
    assert_eq!((status[0].retrying[0].reason.as_str(), status[0].sent), ("the line is dead", 0));
    *mill.fake.broken.lock() = None;
    mill.clock.forward(60);
    run.settled(1).await;
    let told = run.read.read(|notices, _| notices.told(AsOf::LATEST).to_vec());
    assert_eq!((told[0].notice.attempts, mill.fake.texts().as_str()), (5, "one"));
    run.stop().await;
}

#[tokio::test]
async fn what_cannot_succeed_is_said_once_and_the_next_step_comes() {
    let mill = Mill::new().await;
    let steps = json!([{"after_s": 0, "to": [{"channel": "email", "person": "P-31"}, {"channel": "mqtt", "topic": "t"}]}, {"after_s": 5, "to": [{"channel": "mqtt", "topic": "next"}]}]);
    mill.says("notice_policy.set", json!({"policy": "p", "steps": steps, "person": "P-1"})).await;
    let run = mill.run();
    mill.alarm("A").await;
    run.settled(2).await;
    mill.clock.forward(5);
    run.settled(3).await;
    let told = run.read.read(|notices, _| notices.told(AsOf::LATEST).to_vec());
    let failed: Vec<_> =
        told.iter().filter(|told| told.notice.to.channel() == "email").map(|told| told.outcome.clone()).collect();
    let reason = "the channel email is not configured".to_owned();
    assert_eq!(failed, [projections::folds::notices::Outcome::Failed(reason)]);
    assert_eq!(mill.fake.texts(), "t next");
    run.stop().await;
}

#[tokio::test]
async fn an_answer_ends_what_was_not_sent_yet() {
    let mill = Mill::new().await;
    *mill.fake.broken.lock() = Some(SendError::for_now("the line is dead"));
    let run = mill.run();
    mill.alarm("A").await;
    mill.tried(1).await;
    mill.says("alarm.acknowledged", json!({"alarm": "A", "asset": "L07"})).await;
    run.seen().await;
    *mill.fake.broken.lock() = None;
    mill.clock.forward(1_000);
    let data = json!({"alarm": "B", "asset": "L08", "code": "A-1", "text": {"en": "stop"}, "severity": 1});
    mill.says("alarm.raised", data).await;
    run.settled(1).await;
    let told = run.read.read(|notices, _| notices.told(AsOf::LATEST).to_vec());
    assert_eq!(told[0].notice.asset.as_str(), "L08");
    assert_eq!(mill.fake.texts(), "one");
    run.stop().await;
}
