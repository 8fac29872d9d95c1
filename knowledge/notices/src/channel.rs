//! A way to tell somebody.

use std::sync::Arc;

use eventlog::BoxFuture;

use crate::Message;

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct SendError {
    /// Why, in words and without the address of anybody.
    pub reason: String,
    /// Whether trying again is of no use: there is no such recipient.
    pub is_final: bool,
}

impl SendError {
    /// It may succeed later.
    pub fn for_now(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), is_final: false }
    }

    /// It will not succeed later either.
    pub fn for_good(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), is_final: true }
    }
}

/// A way to tell somebody: e-mail, a topic of a broker, a webhook.
///
/// `send` answers `Ok` only when the other end has taken the message, so that it is no longer ours to lose. The same message may come again, under the same [`Message::id`], after a crash or a
/// time-out: a channel hands the id on, by which a receiver knows it.
pub trait Channel: Send + Sync + 'static {
    /// The name that targets name it by ([`domain::events::NoticeTarget::channel`]).
    fn name(&self) -> &'static str;

    /// Where it leads, without secrets.
    fn leads_to(&self) -> String;

    /// Sends a message once.
    fn send(&self, message: Arc<Message>) -> BoxFuture<'static, Result<(), SendError>>;
}
