//! Where leaves come from.

use tokio::sync::watch;

use crate::{Digest, Position, ReadError, Tree};

/// A log whose leaves can be read in bulk. All of it blocks, except [`watch_tail`](Self::watch_tail).
pub trait LeafSource: Send + Sync + 'static {
    /// The tree over every durable record.
    fn tree(&self) -> Tree;

    /// The number of durable records as a value to wait on.
    fn watch_tail(&self) -> watch::Receiver<Position>;

    /// The leaf digests of up to `count` durable records from a position on; less only where the log ends.
    ///
    /// # Errors
    /// [`ReadError`] when a record cannot be read.
    fn leaf_digests(&self, from: Position, count: usize) -> Result<Vec<Digest>, ReadError>;

    /// The leaves of up to `count` durable records from a position on; less only where the log ends. Each was compared with its stored digest.
    ///
    /// # Errors
    /// [`ReadError`] when a record cannot be read, or is not what its digest says.
    fn leaves(&self, from: Position, count: usize) -> Result<Vec<Vec<u8>>, ReadError>;
}
