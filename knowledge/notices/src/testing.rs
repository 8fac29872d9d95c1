//! What the tests share: a clock that is set, and a channel that does as it is told.

use std::sync::Arc;

use eventlog::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{Channel, Clock, Message, SendError};

/// A clock that moves when it is moved.
#[derive(Clone)]
pub(crate) struct ManualClock(watch::Sender<Timestamp>);

impl ManualClock {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Timestamp::from_second(1_790_000_000).unwrap()))
    }

    pub(crate) fn forward(&self, seconds: i64) {
        self.0.send_modify(|now| *now += SignedDuration::from_secs(seconds));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    fn wait_until(&self, time: Timestamp) -> BoxFuture<'static, ()> {
        let mut now = self.0.subscribe();
        Box::pin(async move {
            now.wait_for(|now| *now >= time).await.unwrap();
        })
    }
}

/// A channel over MQTT in name, that remembers what it took.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) broken: Mutex<Option<SendError>>,
    pub(crate) taken: Mutex<Vec<Arc<Message>>>,
    pub(crate) tried: watch::Sender<u64>,
}

impl Fake {
    pub(crate) fn texts(&self) -> String {
        let taken = self.taken.lock();
        taken.iter().map(|message| message.to.recipient()).collect::<Vec<_>>().join(" ")
    }
}

pub(crate) struct FakeChannel(pub(crate) Arc<Fake>);

impl Channel for FakeChannel {
    fn name(&self) -> &'static str {
        "mqtt"
    }

    fn leads_to(&self) -> String {
        "nowhere".to_owned()
    }

    fn send(&self, message: Arc<Message>) -> BoxFuture<'static, Result<(), SendError>> {
        let fake = Arc::clone(&self.0);
        Box::pin(async move {
            let broken = fake.broken.lock().clone();
            if broken.is_none() {
                fake.taken.lock().push(message);
            }
            fake.tried.send_modify(|tried| *tried += 1);
            broken.map_or(Ok(()), Err)
        })
    }
}
