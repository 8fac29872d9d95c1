//! The model registry: versions, artifacts, runtimes, deployments, and the reactor that lets deployed versions predict.
//!
//! What it does: it keeps the files of model versions by their digest, runs them (mechanism documents and candle networks), decides what may be registered,
//! deployed, retired and rolled back, and follows the log so that each deployed version predicts on live readings.
//!
//! What it does not do: it executes no code that somebody uploads, and it keeps no truth of its own; everything that is not an artifact is in the log.
//!
//! Invariants:
//! - A [`VerifiedArtifact`](artifacts::VerifiedArtifact) holds bytes whose digest was checked. No runtime sees other bytes.
//! - An artifact is durable before the event that names it is appended.
//! - A model answers finite numbers within its validity envelope, or says why it has none ([`runtime::Unavailable`]).
//! - A prediction names its version and the position and row of each reading that went in.
//!
//! Where to read next: [`Registry`] is the way in, [`runtime::ModelRuntime`] the seam, [`mechanism`] and [`candle`] its two sides, [`predictions`] the reactor.

pub mod artifacts;
pub mod candle;
pub mod commands;
pub mod compare;
pub mod mechanism;
pub mod predictions;
pub mod reachability;
pub mod runtime;
pub mod streams;
pub mod usage;

mod error;
pub mod facade;
#[cfg(test)]
mod testing;

pub use artifacts::{ArtifactError, ArtifactStore, VerifiedArtifact};
pub use commands::{
    Answer, Caller, Decision, Deploy, Deployed, ExternalVersion, NewFile, NewModel, NewVersion, Registered,
    StageChange, Subject, VersionCreated, VersionEntry, VersionRef,
};
pub use error::RegistryError;
pub use facade::Registry;
pub use runtime::{Given, Inputs, LoadError, Model, ModelRuntime, Outputs, Signature, Unavailable};
