//! The configuration of an MQTT source.

use serde::{Deserialize, Serialize};

use super::mapping::{Mapping, Subscription};

/// The largest MQTT packet that is read at all. A larger one ends the connection, and the status says so.
pub(super) const MAX_PACKET_BYTES: u32 = 64 * 1024 * 1024;

/// The most messages of one connection that may be on their way into the log.
const MOST_IN_FLIGHT: u16 = 20_000;

/// The longest name of a source, in bytes.
const MAX_NAME_BYTES: usize = 100;

/// The version of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    /// MQTT 3.1.1 (ISO/IEC 20922).
    #[default]
    #[serde(rename = "3.1.1")]
    V4,
    /// MQTT 5.0.
    #[serde(rename = "5")]
    V5,
}

/// One broker to read from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MqttConfig {
    /// The name of the source, unique in the configuration: readings and events are logged as coming from `mqtt:NAME`.
    pub name: String,
    /// The broker's host name or address.
    pub host: String,
    /// The broker's port.
    #[serde(default = "default_port")]
    pub port: u16,
    /// The client id: the broker keeps the session under it, so it must stay the same and belong to one source. `millwright-NAME` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// `"3.1.1"` or `"5"`.
    #[serde(default)]
    pub protocol: Protocol,
    /// The user name, where the broker wants one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The password, where the broker wants one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Seconds between signs of life, from 5 on.
    #[serde(default = "default_keep_alive_s")]
    pub keep_alive_s: u16,
    /// Whether each connection begins with an empty session. Messages that were not acknowledged are then lost with the connection, so this is false by default.
    #[serde(default)]
    pub clean_start: bool,
    /// Seconds for which an MQTT 5 broker keeps the session of a source that is away. (With 3.1.1 that is the broker's decision.)
    #[serde(default = "default_session_expiry_s")]
    pub session_expiry_s: u32,
    /// The most messages that may be on their way into the log at once, from 1 to 20,000.
    #[serde(default = "default_max_in_flight")]
    pub max_in_flight: u16,
    /// The largest payload that is read, in bytes; a larger one goes to quarantine.
    #[serde(default = "default_max_payload_bytes")]
    pub max_payload_bytes: usize,
    /// What to subscribe to and how to read it. Where there is none, the default mapping: `millwright/v1/{asset}/readings` and `millwright/v1/{asset}/events`.
    #[serde(default = "Subscription::defaults")]
    pub subscriptions: Vec<Subscription>,
}

fn default_port() -> u16 {
    1_883
}

fn default_keep_alive_s() -> u16 {
    30
}

fn default_session_expiry_s() -> u32 {
    7 * 24 * 3_600
}

fn default_max_in_flight() -> u16 {
    2_000
}

fn default_max_payload_bytes() -> usize {
    1024 * 1024
}

/// Why a source's configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("source {name:?}: {field}: {reason}")]
pub struct ConfigError {
    /// The source.
    pub name: String,
    /// The field of the configuration.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

impl ConfigError {
    pub(crate) fn new(name: &str, field: &str, reason: impl Into<String>) -> Self {
        Self { name: name.to_owned(), field: field.to_owned(), reason: reason.into() }
    }
}

impl MqttConfig {
    /// A source that reads the default mapping from a broker without credentials.
    pub fn new(name: &str, host: &str, port: u16) -> Self {
        Self {
            name: name.to_owned(),
            host: host.to_owned(),
            port,
            client_id: None,
            protocol: Protocol::V4,
            username: None,
            password: None,
            keep_alive_s: default_keep_alive_s(),
            clean_start: false,
            session_expiry_s: default_session_expiry_s(),
            max_in_flight: default_max_in_flight(),
            max_payload_bytes: default_max_payload_bytes(),
            subscriptions: Subscription::defaults(),
        }
    }

    /// What readings and events of this source are logged as coming from.
    pub fn source(&self) -> String {
        format!("mqtt:{}", self.name)
    }

    pub(super) fn client_id(&self) -> String {
        self.client_id.clone().unwrap_or_else(|| format!("millwright-{}", self.name))
    }

    /// Checks every field and compiles the mapping.
    ///
    /// # Errors
    /// [`ConfigError`] names the field.
    pub fn check(&self) -> Result<Mapping, ConfigError> {
        let refuse = |field: &str, reason: String| Err(ConfigError::new(&self.name, field, reason));
        if self.name.trim().is_empty() || self.name.len() > MAX_NAME_BYTES || self.name.chars().any(char::is_control) {
            return refuse("name", format!("1 to {MAX_NAME_BYTES} bytes without control characters are expected"));
        }
        if self.host.trim().is_empty() {
            return refuse("host", "it is empty".to_owned());
        }
        if self.port == 0 {
            return refuse("port", "0 is not a port".to_owned());
        }
        if self.client_id().trim().is_empty() {
            return refuse("client_id", "it is empty; a persistent session needs a name".to_owned());
        }
        if self.keep_alive_s < 5 {
            return refuse("keep_alive_s", "at least 5 seconds are expected".to_owned());
        }
        if self.max_in_flight == 0 || self.max_in_flight > MOST_IN_FLIGHT {
            return refuse("max_in_flight", format!("1 to {MOST_IN_FLIGHT} are expected"));
        }
        if self.max_payload_bytes == 0 || self.max_payload_bytes > MAX_PACKET_BYTES as usize / 2 {
            return refuse("max_payload_bytes", format!("1 to {} are expected", MAX_PACKET_BYTES / 2));
        }
        if self.username.is_none() && self.password.is_some() {
            return refuse("username", "a password needs a user name".to_owned());
        }
        Mapping::compile(&self.source(), &self.subscriptions)
            .map_err(|error| ConfigError::new(&self.name, &error.field, error.reason))
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
