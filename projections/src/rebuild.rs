//! Rebuilding a projection beside the one that answers.

use eventlog::BoxFuture;

use crate::{Projection, ProjectionError};

/// A projection that can be rebuilt while it keeps answering.
///
/// The runner asks for an empty one [`beside`](Self::beside), feeds it from the start of the log while the old one goes on, and lets it
/// [`replace`](Self::replace) the old one once it has caught up. A store does this with a folder or a database name for each generation; the
/// generation that counts is named in one small file that `replace` swaps atomically.
pub trait Rebuildable: Projection + Sized {
    /// An empty projection with a store of its own, at checkpoint 0. No reader sees it. What an earlier, unfinished rebuild left there is deleted.
    fn beside(&self) -> BoxFuture<'_, Result<Self, ProjectionError>>;

    /// Puts the rebuilt projection into the place of this one: readers that hold a handle see it from now on. A crash leaves one of the two,
    /// whole. The old store is deleted when nobody reads it any more.
    fn replace(&mut self, rebuilt: Self) -> BoxFuture<'_, Result<(), ProjectionError>>;
}
