//! One attempt at a message.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, redirect};

use crate::WebhookError;
use crate::address::{AddressError, CheckedResolver, Policy};
use crate::message::{DELIVERY_ID_HEADER, Message, POSITION_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER};

/// The most of an answer that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 16_384;

/// What sends messages. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    http: Client,
    policy: Policy,
}

/// What a receiver answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub body: String,
    /// How long it asks to be left alone.
    pub retry_after: Option<Duration>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error("it cannot be reached")]
    Http(#[from] reqwest::Error),
    #[error("its secret cannot be used: {0}")]
    Secret(String),
}

impl Answer {
    pub(crate) const fn is_taken(&self) -> bool {
        matches!(self.status, 200..=299)
    }
}

impl Sender {
    pub(crate) fn new(policy: Policy, patience: Duration) -> Result<Self, WebhookError> {
        let http = Client::builder()
            .timeout(patience)
            // A redirect or a proxy would lead to an address that nobody looked at.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .dns_resolver(std::sync::Arc::new(CheckedResolver(policy)))
            .user_agent(concat!("millwright/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(WebhookError::Client)?;
        Ok(Self { http, policy })
    }

    pub(crate) const fn policy(&self) -> Policy {
        self.policy
    }

    /// Sends a message once.
    pub(crate) async fn send(&self, url: &str, message: &Message, secret: Option<&str>) -> Result<Answer, SendError> {
        // What was allowed when the webhook was made may not be any more.
        let url = self.policy.check(url)?;
        let timestamp_s = Timestamp::now().as_second();
        let mut request = self
            .http
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(DELIVERY_ID_HEADER, &message.delivery_id)
            .header(TIMESTAMP_HEADER, timestamp_s.to_string())
            .body(message.body.clone());
        if let Some(position) = message.position {
            request = request.header(POSITION_HEADER, position.to_string());
        }
        if let Some(secret) = secret {
            let signature =
                message.signature(secret, timestamp_s).ok_or_else(|| SendError::Secret("it cannot sign".to_owned()))?;
            request = request.header(SIGNATURE_HEADER, signature);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let retry_after =
            response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        Ok(Answer { status, body: beginning(response).await, retry_after: retry_after.map(Duration::from_secs) })
    }
}

/// The beginning of an answer's body. What breaks off counts as far as it came: the status was there.
async fn beginning(mut response: reqwest::Response) -> String {
    let mut body = Vec::new();
    while let Ok(Some(part)) = response.chunk().await {
        body.extend(part);
        if body.len() >= MAX_ANSWER_BYTES {
            body.truncate(MAX_ANSWER_BYTES);
            break;
        }
    }
    String::from_utf8_lossy(&body).into_owned()
}

/// An error with everything behind it, in one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
