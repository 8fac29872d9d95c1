//! `Subscription` with a checkpoint that the subscriber owns.

use std::fmt::{self, Display};
use std::str::FromStr;

use eventlog::{LogId, Position};
use eventually_core::subscription::{Subscription, SubscriptionStream};
use futures::StreamExt;
use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Checkpoint, CheckpointError, Checkpoints, Store, StreamError};

/// Follows a store's events from its last checkpoint on: first those that are there, then each new one, with no gap and no duplicate.
///
/// `resume` begins after the event of the last checkpoint, or with the first event when there is none. After a crash, what was handed out since that checkpoint
/// comes again (at least once); see [`Checkpoints`] for exactly once.
pub struct Persistent<Id, E, C> {
    store: Store<Id, E>,
    checkpoints: C,
}

/// Why a subscription could not go on.
#[derive(Debug, thiserror::Error)]
pub enum SubscriptionError {
    /// The checkpoint could not be loaded or saved.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint was saved by a subscription to another log: its number means nothing here.
    #[error("the checkpoint belongs to log {found}, this is log {expected}")]
    OtherLog {
        /// The log of the checkpoint.
        found: LogId,
        /// The log of the store.
        expected: LogId,
    },
    /// The events could not be read.
    #[error(transparent)]
    Stream(#[from] StreamError),
}

impl<Id, E, C> Persistent<Id, E, C> {
    /// A subscription to the store's events that remembers its progress there.
    pub fn new(store: Store<Id, E>, checkpoints: C) -> Self {
        Self { store, checkpoints }
    }
}

impl<Id, E, C: fmt::Debug> fmt::Debug for Persistent<Id, E, C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { store, checkpoints } = self;
        formatter.debug_struct("Persistent").field("store", store).field("checkpoints", checkpoints).finish()
    }
}

impl<Id, E, C: Checkpoints> Persistent<Id, E, C> {
    /// The position that `resume` begins at.
    async fn next(&self) -> Result<Position, SubscriptionError> {
        let Some(checkpoint) = self.checkpoints.load().await? else { return Ok(Position::START) };
        let expected = self.store.log().log_id();
        if checkpoint.log != expected {
            return Err(SubscriptionError::OtherLog { found: checkpoint.log, expected });
        }
        Ok(Position::new(u64::from(checkpoint.sequence_number)).next())
    }
}

impl<Id, E, C> Subscription for Persistent<Id, E, C>
where
    Id: Display + FromStr + Eq + Send + Sync + 'static,
    E: Serialize + DeserializeOwned + Send + Sync + 'static,
    C: Checkpoints,
{
    type SourceId = Id;
    type Event = E;
    type Error = SubscriptionError;

    fn resume(&self) -> BoxFuture<'_, Result<SubscriptionStream<'_, Self>, SubscriptionError>> {
        Box::pin(async move {
            let mapping = self.store.mapping();
            let records = self.store.log().subscribe(self.next().await?, mapping.filter());
            let events = records.map(|record| Ok(mapping.decode(record.map_err(StreamError::Read)?)?));
            Ok(events.boxed())
        })
    }

    fn checkpoint(&self, sequence_number: u32) -> BoxFuture<'_, Result<(), SubscriptionError>> {
        let checkpoint = Checkpoint { log: self.store.log().log_id(), sequence_number };
        Box::pin(async move { Ok(self.checkpoints.save(checkpoint).await?) })
    }
}
