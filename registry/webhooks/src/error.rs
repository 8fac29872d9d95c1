//! What can go wrong with a command.

use std::path::PathBuf;

use eventlog::{AppendError, InvalidName, ReadError};
use projections::{SealError, WaitError};
use thiserror::Error;

use crate::address::AddressError;

/// Why a command was not carried out.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// There is no such webhook.
    #[error("Webhook with ID {0} not found.")]
    NotFound(String),
    /// A part of the command is wrong; the text names it.
    #[error("{0}")]
    Invalid(String),
    /// The address is not one that messages are sent to.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Others changed the webhook each time that it was tried.
    #[error("webhook {0} is being changed by others; try again")]
    Busy(String),
    /// The log did not take the event.
    #[error("the log did not take the event")]
    Append(#[source] AppendError),
    /// The log could not be read.
    #[error("the log could not be read")]
    Read(#[from] ReadError),
    /// What was appended is not visible yet.
    #[error("the webhooks are not up to date")]
    NotVisible(#[from] WaitError),
    /// The event could not be written.
    #[error("the event cannot be written")]
    Seal(#[from] SealError),
    /// A name is not one that the log takes.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// A file of a secret or of a position failed.
    #[error("the file {path} failed")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The HTTP client could not be made.
    #[error("the HTTP client could not be made")]
    Client(#[source] reqwest::Error),
    /// The work was broken off.
    #[error("the work was broken off")]
    Task(#[from] tokio::task::JoinError),
}
