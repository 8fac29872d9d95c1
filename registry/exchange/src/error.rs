//! What can go wrong between two servers.

use reqwest::Method;
use thiserror::Error;

/// Why a request had no answer, or another one than was asked for.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The address of a server is none.
    #[error("{url:?} is not the address of a server: {reason}")]
    Address {
        /// The text.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The HTTP client could not be made.
    #[error("the HTTP client could not be made")]
    Client(#[source] reqwest::Error),
    /// The server did not answer.
    #[error("{method} {address} was not answered")]
    Unanswered {
        /// The method.
        method: Method,
        /// The address.
        address: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The server refused.
    #[error("{method} {address} was refused with status {status}: {message}")]
    Refused {
        /// The method.
        method: Method,
        /// The address.
        address: String,
        /// The HTTP status.
        status: u16,
        /// MLflow's code; empty when the answer has none.
        code: String,
        /// What the server says.
        message: String,
    },
    /// The answer is not what MLflow's servers answer.
    #[error("{method} {address} was answered with something else than MLflow's API says: {reason}")]
    Answer {
        /// The method.
        method: Method,
        /// The address.
        address: String,
        /// What is wrong.
        reason: String,
    },
}

impl ExchangeError {
    /// Whether the server said that the thing is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// Whether only the thing that was asked for is concerned, so that the rest can be copied all the same.
    pub fn is_about_one_thing(&self) -> bool {
        matches!(self, Self::Refused { status: 400 | 403 | 404 | 409 | 413 | 422, .. })
    }

    /// The same of a file. MLflow's own server breaks (500) at names that its headers cannot hold, such as Chinese ones; a server that is down answers otherwise.
    pub fn is_about_one_file(&self) -> bool {
        self.is_about_one_thing() || matches!(self, Self::Refused { status: 500, .. })
    }
}
