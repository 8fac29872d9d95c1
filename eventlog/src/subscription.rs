//! Catch-up, then live: the same for every engine that can read pages and announce its tail.
//!
//! **The rule for slow consumers.** A subscription is pulled: it holds at most two pages (each of [`SUBSCRIPTION_PAGE`] records and [`SUBSCRIPTION_PAGE_BYTES`],
//! or a single larger record): the one that is being used up, and, while it is catching up and the disk must be waited for, the next one, which is read meanwhile. The writer announces
//! its tail as one number and never waits for a reader, nothing is queued for a reader, and nobody is cut off for being slow: who falls behind is
//! served from the files, and goes live again when it has caught up.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::page::PageLimit;
use crate::{BoxStream, Direction, EventLog, Filter, Page, Position, ReadError, Record};

/// The most records of a page of a subscription.
pub(crate) const SUBSCRIPTION_PAGE: usize = 500;

/// The most bytes of records of such a page, unless a single record is larger.
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

    /// Whether such a page waits for nothing, so that it need not be read in advance.
    fn at_once(&self, _from: Position, _filter: &Filter, _limit: PageLimit) -> bool {
        false
    }
}

impl PageSource for Arc<dyn EventLog> {
    async fn page(&self, from: Position, filter: &Filter, limit: PageLimit) -> Result<Page, ReadError> {
        self.read(from, Direction::Forward, filter.clone(), limit.records()).await
    }
}

/// A subscription as that of [`EventLog::subscribe`], to whom new records are announced by `tail`, which may move later than the log's own and in
/// larger steps. Its pages may be as large as any of a read. It ends when the sender of `tail` goes, and keeps the log open until then.
pub fn subscribe_behind(
    log: Arc<dyn EventLog>,
    tail: watch::Receiver<Position>,
    from: Position,
    filter: Filter,
) -> BoxStream<'static, Result<Record, ReadError>> {
    follow(log, tail, from, filter)
}

struct Follower<S> {
    source: S,
    tail: watch::Receiver<Position>,
    next: Position,
    filter: Filter,
    buffer: VecDeque<Record>,
    /// The page from `next` on, while it is read in advance.
    ahead: Option<Ahead>,
}

/// A page that is being read.
struct Ahead {
    /// The tail before it was read.
    tail: Position,
    page: JoinHandle<Result<Page, ReadError>>,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.page.abort();
    }
}

/// Every matching record from a position on, for as long as the sender of `tail` lives.
pub(crate) fn follow(
    source: impl PageSource,
    tail: watch::Receiver<Position>,
    from: Position,
    filter: Filter,
) -> BoxStream<'static, Result<Record, ReadError>> {
    let follower = Follower { source, tail, next: from, filter, buffer: VecDeque::new(), ahead: None };
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
            let (tail, page) = match self.ahead.take() {
                Some(mut ahead) => {
                    let page = (&mut ahead.page).await;
                    (ahead.tail, page.map_err(|error| ReadError::Index(format!("the read was broken off: {error}")))?)
                }
                None => match self.unread() {
                    Some(tail) => (tail, self.source.page(self.next, &self.filter, limit()).await),
                    None if self.tail.changed().await.is_err() => return Ok(None),
                    None => continue,
                },
            };
            let page = page?;
            let after_last = page.last().map_or(tail, |record| record.position.next());
            // Whoever is not at the end yet will ask for the next page.
            let is_catching_up = page.next.is_some();
            self.next = page.next.unwrap_or_else(|| after_last.max(tail));
            self.buffer.extend(page);
            if is_catching_up && !self.source.at_once(self.next, &self.filter, limit()) {
                self.ahead = self.read_ahead();
            }
        }
    }

    /// The tail, where something below it was not read.
    fn unread(&mut self) -> Option<Position> {
        // Ordering: the tail is taken before the page is read. Whatever the page leaves out below this tail does not match the filter;
        // what comes later announces itself.
        let tail = *self.tail.borrow_and_update();
        (self.next < tail).then_some(tail)
    }

    /// Begins to read the next page, when there is any.
    fn read_ahead(&mut self) -> Option<Ahead> {
        let tail = self.unread()?;
        let (source, filter, from) = (self.source.clone(), self.filter.clone(), self.next);
        let page = tokio::spawn(async move { source.page(from, &filter, limit()).await });
        Some(Ahead { tail, page })
    }
}

fn limit() -> PageLimit {
    PageLimit::within(SUBSCRIPTION_PAGE, SUBSCRIPTION_PAGE_BYTES)
}
