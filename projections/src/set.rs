//! All projections of a process.

use std::time::Duration;

use eventlog::{Digest, Position};
use serde::Serialize;

use crate::{ProjectionHandle, RequestError, WaitError};

/// The running projections, by name.
#[derive(Clone, Default)]
pub struct ProjectionSet {
    handles: Vec<ProjectionHandle>,
}

/// How one projection is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProjectionStatus {
    /// Its name.
    pub name: &'static str,
    /// The version of its fold.
    pub version: u32,
    /// The first position that it has not applied.
    pub checkpoint: Position,
    /// How many records of the log it has not applied.
    pub lag: u64,
    /// Whether its store is still being opened.
    pub opening: bool,
    /// Why it failed, if it did.
    pub failed: Option<String>,
}

/// The digest of one projection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProjectionDigest {
    /// Its name.
    pub name: &'static str,
    /// The first position that is not in the digest.
    pub checkpoint: Position,
    /// The digest of its logical state.
    pub digest: Digest,
}

impl ProjectionSet {
    /// Adds a projection.
    pub fn add(&mut self, handle: ProjectionHandle) {
        self.handles.push(handle);
    }

    /// Every projection.
    pub fn handles(&self) -> &[ProjectionHandle] {
        &self.handles
    }

    /// The projection with this name.
    pub fn get(&self, name: &str) -> Option<&ProjectionHandle> {
        self.handles.iter().find(|handle| handle.name() == name)
    }

    /// The names.
    pub fn names(&self) -> Vec<&'static str> {
        self.handles.iter().map(ProjectionHandle::name).collect()
    }

    /// How each one is doing.
    pub fn statuses(&self) -> Vec<ProjectionStatus> {
        self.handles
            .iter()
            .map(|handle| ProjectionStatus {
                name: handle.name(),
                version: handle.version(),
                checkpoint: handle.checkpoint(),
                lag: handle.lag(),
                opening: handle.opening(),
                failed: handle.failed(),
            })
            .collect()
    }

    /// The lowest checkpoint of the named projections (of all, when none is named): an answer from several read models holds what is below it.
    pub fn lowest_checkpoint(&self, names: &[&str]) -> Position {
        self.handles
            .iter()
            .filter(|handle| names.is_empty() || names.contains(&handle.name()))
            .map(ProjectionHandle::checkpoint)
            .min()
            .unwrap_or(Position::START)
    }

    /// Waits until every projection has applied the record at the position.
    ///
    /// # Errors
    /// The first [`WaitError`].
    pub async fn wait_for(&self, min_position: Position, timeout: Duration) -> Result<(), WaitError> {
        let waits = self.handles.iter().map(|handle| handle.wait_for(min_position, timeout));
        futures::future::join_all(waits).await.into_iter().collect()
    }

    /// The digest of each projection. They are comparable with a replay up to the same checkpoint.
    ///
    /// # Errors
    /// The first [`RequestError`].
    pub async fn digests(&self) -> Result<Vec<ProjectionDigest>, RequestError> {
        let mut digests = Vec::with_capacity(self.handles.len());
        for handle in &self.handles {
            let (checkpoint, digest) = handle.digest().await?;
            digests.push(ProjectionDigest { name: handle.name(), checkpoint, digest });
        }
        Ok(digests)
    }

    /// Makes everything applied so far durable.
    ///
    /// # Errors
    /// The first [`RequestError`].
    pub async fn flush(&self) -> Result<(), RequestError> {
        for handle in &self.handles {
            handle.flush().await?;
        }
        Ok(())
    }

    /// Waits until every projection has ended, after a cancel.
    pub async fn stopped(&self) {
        for handle in &self.handles {
            handle.stopped().await;
        }
    }
}
