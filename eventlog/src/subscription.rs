//! Catch-up, then live: the same for every engine that can read pages and announce its tail.

use std::collections::VecDeque;

use tokio::sync::watch;

use crate::{BoxStream, Filter, Position, ReadError, Record};

/// The most records that a subscription holds in memory.
const SUBSCRIPTION_PAGE: usize = 500;

/// Reads pages forward; holds nothing that keeps the log open.
pub(crate) trait PageSource: Clone + Send + Sync + 'static {
    /// Up to `limit` durable records from `from` on that match.
    fn page(
        &self,
        from: Position,
        filter: &Filter,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Record>, ReadError>> + Send;
}

struct Follower<S> {
    source: S,
    tail: watch::Receiver<Position>,
    next: Position,
    filter: Filter,
    buffer: VecDeque<Record>,
}

/// Every matching record from a position on, for as long as the sender of `tail` lives.
pub(crate) fn follow(
    source: impl PageSource,
    tail: watch::Receiver<Position>,
    from: Position,
    filter: Filter,
) -> BoxStream<'static, Result<Record, ReadError>> {
    let follower = Follower { source, tail, next: from, filter, buffer: VecDeque::new() };
    Box::pin(futures::stream::unfold(Some(follower), |follower| async move {
        let mut follower = follower?;
        match follower.next_record().await {
            Ok(Some(record)) => Some((Ok(record), Some(follower))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    }))
}

impl<S: PageSource> Follower<S> {
    async fn next_record(&mut self) -> Result<Option<Record>, ReadError> {
        loop {
            if let Some(record) = self.buffer.pop_front() {
                return Ok(Some(record));
            }
            // Ordering: the tail is taken before the page is read. Whatever the page leaves out below this tail does not match the filter;
            // what comes later announces itself.
            let tail = *self.tail.borrow_and_update();
            if self.next < tail {
                let page = self.source.page(self.next, &self.filter, SUBSCRIPTION_PAGE).await?;
                let after_last = page.last().map(|record| record.position.next());
                self.next = match after_last {
                    Some(after) if page.len() >= SUBSCRIPTION_PAGE => after,
                    Some(after) => after.max(tail),
                    None => tail,
                };
                self.buffer.extend(page);
            } else if self.tail.changed().await.is_err() {
                return Ok(None);
            }
        }
    }
}
