//! The time by which ladders are climbed.

use eventlog::BoxFuture;
use jiff::Timestamp;

/// Tells the time, and waits for one. It must agree with the clock that gives the log its record times: a step is due so many seconds after a record time.
pub trait Clock: Send + Sync + 'static {
    /// The present time.
    fn now(&self) -> Timestamp;

    /// Ends when the time has come; at once, when it has already.
    fn wait_until(&self, time: Timestamp) -> BoxFuture<'static, ()>;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// A clock that was set back must not make a step wait for longer than this beyond its time.
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_secs(30);

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn wait_until(&self, time: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            loop {
                let left = time.duration_since(Timestamp::now());
                if !left.is_positive() {
                    return;
                }
                tokio::time::sleep(left.unsigned_abs().min(LOOK_AGAIN)).await;
            }
        })
    }
}
