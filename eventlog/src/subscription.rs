//! Catch-up, then live: the same for every engine that can read pages and announce its tail.
//!
//! **The rule for slow consumers.** A subscription is pulled: it holds at most one page ([`SUBSCRIPTION_PAGE`] records and [`SUBSCRIPTION_PAGE_BYTES`], or a
//! single larger record), and reads the next page when that one is used up, from wherever it stands. The writer announces its tail as one number and never
//! waits for a reader, nothing is queued for a reader, and nobody is cut off for being slow: who falls behind is served from the files, and goes live
//! again when it has caught up.

use std::collections::VecDeque;

use tokio::sync::watch;

use crate::page::PageLimit;
use crate::{BoxStream, Filter, Page, Position, ReadError, Record};

/// The most records that a subscription holds in memory.
pub(crate) const SUBSCRIPTION_PAGE: usize = 500;

/// The most bytes of records that a subscription holds in memory, unless a single record is larger.
pub(crate) const SUBSCRIPTION_PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Reads pages forward; holds nothing that keeps the log open.
pub(crate) trait PageSource: Clone + Send + Sync + 'static {
    /// Durable records from `from` on that match, within the limit.
    fn page(
        &self,
        from: Position,
        filter: &Filter,
        limit: PageLimit,
    ) -> impl Future<Output = Result<Page, ReadError>> + Send;
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
                let limit = PageLimit::within(SUBSCRIPTION_PAGE, SUBSCRIPTION_PAGE_BYTES);
                let page = self.source.page(self.next, &self.filter, limit).await?;
                let after_last = page.last().map_or(tail, |record| record.position.next());
                self.next = page.next.unwrap_or_else(|| after_last.max(tail));
                self.buffer.extend(page);
            } else if self.tail.changed().await.is_err() {
                return Ok(None);
            }
        }
    }
}
