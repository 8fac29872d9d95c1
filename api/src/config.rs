//! Configuration: defaults < file < environment < flags, read once at the start.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use connectors::mqtt::MqttConfig;
use connectors::opcua::OpcUaConfig;
use eventlog::transparency::{CosignatureKey, Origin};
use notices::EmailConfig;
use serde::Deserialize;

use crate::auth::TokenConfig;
use crate::engine::notices::NoticeMqttConfig;
use crate::engine::retention::RetentionConfig;

/// The prefix of environment variables: `MILLWRIGHT_DATA_DIR`, `MILLWRIGHT_LIMITS__BODY_BYTES`.
pub const ENVIRONMENT_PREFIX: &str = "MILLWRIGHT_";

/// The token that `millwright import --server` sends is a secret of the caller, and no part of the server's configuration.
const TOKEN_VARIABLE: &str = "MILLWRIGHT_TOKEN";

/// The sections that hold numbers, true and false only.
const NUMBER_SECTIONS: [&str; 4] = ["log", "limits", "tier", "webhooks"];

/// Everything that can be configured. Unknown keys are refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The folder of the log, the read models and the artifacts.
    pub data_dir: PathBuf,
    /// Where the server listens. Without tokens this must be a loopback address.
    pub listen: SocketAddr,
    /// Where the graph of knowledge lives.
    pub surreal: SurrealConfig,
    /// The log.
    pub log: LogConfig,
    /// How the log shows that it only grows.
    pub transparency: TransparencyConfig,
    /// Witnesses that are asked to cosign checkpoints.
    pub witnesses: Vec<WitnessConfig>,
    /// Where sealed segments go when the log's folder need not keep them.
    pub tier: TierConfig,
    /// What one request may cost.
    pub limits: Limits,
    /// Who may ask. Without any, everybody on this machine may do everything.
    pub tokens: Vec<TokenConfig>,
    /// MQTT brokers to listen to.
    pub mqtt: Vec<MqttConfig>,
    /// OPC UA servers to subscribe to.
    pub opcua: Vec<OpcUaConfig>,
    /// The keys of personal data.
    pub privacy: PrivacyConfig,
    /// Payloads that are kept for a time only; everything else is kept for ever.
    pub retention: Vec<RetentionConfig>,
    /// Where messages of webhooks may go.
    pub webhooks: WebhooksConfig,
    /// The model by which the search finds what is near in meaning; words alone count without it.
    pub meaning: Option<MeaningConfig>,
    /// The server that notices leave by as e-mail.
    pub notice_email: Option<EmailConfig>,
    /// The broker that notices are published to.
    pub notice_mqtt: Option<NoticeMqttConfig>,
}

/// The model by which the search finds what is near in meaning.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeaningConfig {
    /// The folder of a BERT model, in the layout of sentence-transformers.
    pub model: PathBuf,
    /// What being near is worth beside words, which count about 1 each; from 0 to 100.
    #[serde(default = "default_meaning_weight")]
    pub weight: f32,
}

/// What docs/evaluation.md was measured with.
fn default_meaning_weight() -> f32 {
    2.0
}

/// Where messages of webhooks may go.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhooksConfig {
    /// Whether link-local addresses and metadata services of clouds are allowed, which hold credentials of the machine.
    pub allow_link_local: bool,
}

/// Where sealed segments go when the log's folder need not keep them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TierConfig {
    /// A folder, or a bucket that speaks S3 (`s3://bucket/prefix`), with its credentials in the environment. Without it every segment stays.
    pub url: Option<String>,
    /// How many of the newest closed segments stay in the log's folder.
    pub keep_local_segments: usize,
}

impl Default for TierConfig {
    fn default() -> Self {
        Self { url: None, keep_local_segments: 8 }
    }
}

/// The keys of personal data.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PrivacyConfig {
    /// A file with 64 hexadecimal digits: the key that wraps every data key on disk. Without it the data keys lie unwrapped in their folder.
    pub master_key_file: Option<PathBuf>,
}

/// The log.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// The size of a segment file in MiB, 1 to 1024.
    pub segment_mib: u32,
    /// Whether closed segments are sealed in the background: regrouped by signal and compressed.
    pub seal: bool,
    /// The MiB a second that sealing reads and writes at most.
    pub seal_mib_per_s: u32,
}

/// How the log shows that it only grows.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TransparencyConfig {
    /// What the log calls itself in its checkpoints; `millwright/` and the log's id when absent. It holds from the first start on.
    pub origin: Option<String>,
}

/// A witness ([c2sp.org/tlog-witness](https://c2sp.org/tlog-witness)).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessConfig {
    /// What it is called here; unique.
    pub name: String,
    /// Its submission prefix: `/add-checkpoint` is added to it.
    pub url: String,
    /// Its verifier key for cosignatures.
    pub vkey: String,
}

/// Where the graph of knowledge lives.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SurrealConfig {
    /// The address (`ws://…`, `mem://`, `surrealkv://…`); `surrealkv://` in the data folder when absent.
    pub url: Option<String>,
    /// The user that a server wants.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<String>,
}

/// What one request may cost.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The largest body in bytes.
    pub body_bytes: usize,
    /// The longest time that a request may take, in seconds. Live feeds are not cut off.
    pub request_timeout_s: u64,
    /// How many requests are served at once; more wait their turn.
    pub concurrency: usize,
    /// How many live feeds are served at once; more are refused.
    pub live_feeds: usize,
    /// The longest wait for `min_position`, in milliseconds.
    pub wait_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("./millwright-data"),
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            surreal: SurrealConfig::default(),
            log: LogConfig::default(),
            transparency: TransparencyConfig::default(),
            witnesses: Vec::new(),
            tier: TierConfig::default(),
            limits: Limits::default(),
            tokens: Vec::new(),
            mqtt: Vec::new(),
            opcua: Vec::new(),
            privacy: PrivacyConfig::default(),
            retention: Vec::new(),
            webhooks: WebhooksConfig::default(),
            meaning: None,
            notice_email: None,
            notice_mqtt: None,
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { segment_mib: 128, seal: true, seal_mib_per_s: 64 }
    }
}

impl Limits {
    /// A little less than a request may take, so that the answer to who waits so long still goes out.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.request_timeout_s).mul_f64(0.8)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { body_bytes: 16 * 1024 * 1024, request_timeout_s: 30, concurrency: 256, live_feeds: 64, wait_ms: 10_000 }
    }
}

/// Why a configuration is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {path} cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file, or a variable of the environment, is not as it must be; the text names the key.
    #[error("{origin}: {reason}")]
    Invalid {
        /// The file or variable.
        origin: String,
        /// What is wrong.
        reason: String,
    },
}

impl ConfigError {
    fn invalid(origin: &str, reason: impl std::fmt::Display) -> Self {
        Self::Invalid { origin: origin.to_owned(), reason: reason.to_string() }
    }
}

impl Config {
    /// Reads the file, if there is one, and lays the variables of the environment over it.
    ///
    /// # Errors
    /// [`ConfigError`] names the file or variable, the key and the reason.
    pub fn load(file: Option<&Path>, environment: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let mut table = toml::Table::new();
        let mut origin = "the configuration".to_owned();
        if let Some(path) = file {
            let text =
                std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
            origin = path.display().to_string();
            // Checked alone first, so that an error shows the line of the file.
            toml::from_str::<Self>(&text).map_err(|error| ConfigError::invalid(&origin, error))?;
            table = text.parse().map_err(|error| ConfigError::invalid(&origin, error))?;
        }
        for (name, value) in environment {
            if let Some(key) = name.strip_prefix(ENVIRONMENT_PREFIX).filter(|_| name != TOKEN_VARIABLE) {
                set(&mut table, key, &value).map_err(|reason| ConfigError::invalid(&name, reason))?;
                origin = format!("the configuration with {name}");
            }
        }
        let config: Self =
            toml::Value::Table(table).try_into().map_err(|error| ConfigError::invalid(&origin, error))?;
        if !(1..=1024).contains(&config.log.segment_mib) {
            return Err(ConfigError::invalid(&origin, "log.segment_mib must be from 1 to 1024"));
        }
        if config.log.seal_mib_per_s == 0 {
            return Err(ConfigError::invalid(&origin, "log.seal_mib_per_s must be at least 1"));
        }
        let least =
            [("limits.concurrency", config.limits.concurrency), ("limits.body_bytes", config.limits.body_bytes)];
        if let Some((name, _)) = least.iter().find(|(_, value)| *value == 0) {
            return Err(ConfigError::invalid(&origin, format!("{name} must be at least 1")));
        }
        config.check_transparency(&origin)?;
        if let Some(email) = &config.notice_email {
            email.check().map_err(|error| ConfigError::invalid(&origin, format!("notice_email.{error}")))?;
        }
        if let Some(mqtt) = &config.notice_mqtt {
            mqtt.check().map_err(|reason| ConfigError::invalid(&origin, format!("notice_mqtt.{reason}")))?;
        }
        let mut classes = std::collections::BTreeSet::new();
        for retention in &config.retention {
            retention.check().map_err(|reason| ConfigError::invalid(&origin, reason))?;
            if !classes.insert(&retention.class) {
                return Err(ConfigError::invalid(
                    &origin,
                    format!("two retention classes are called {}", retention.class),
                ));
            }
        }
        let names = config.mqtt.iter().map(|source| &source.name).chain(config.opcua.iter().map(|source| &source.name));
        let mut seen = std::collections::BTreeSet::new();
        for name in names {
            if !seen.insert(name) {
                return Err(ConfigError::invalid(&origin, format!("two sources are called {name:?}")));
            }
        }
        Ok(config)
    }

    fn check_transparency(&self, origin: &str) -> Result<(), ConfigError> {
        if let Some(name) = &self.transparency.origin {
            Origin::new(name).map_err(|error| ConfigError::invalid(origin, format!("transparency.origin: {error}")))?;
        }
        let mut seen = std::collections::BTreeSet::new();
        for WitnessConfig { name, url, vkey } in &self.witnesses {
            let wrong = |key: &str, reason: &dyn std::fmt::Display| {
                ConfigError::invalid(origin, format!("witnesses.{key} of {name:?}: {reason}"))
            };
            CosignatureKey::parse(vkey).map_err(|error| wrong("vkey", &error))?;
            // This program has no TLS: a proxy on this machine speaks it for it.
            if !url.starts_with("http://") {
                return Err(wrong("url", &"it must begin with http://"));
            }
            if !seen.insert(name) {
                return Err(wrong("name", &"another witness is called the same"));
            }
        }
        Ok(())
    }

    /// Refuses a server that everybody in the network could write to.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] when no token is configured and the address is not a loopback address.
    pub fn check_exposure(&self) -> Result<(), ConfigError> {
        if self.tokens.is_empty() && !self.listen.ip().is_loopback() {
            return Err(ConfigError::invalid(
                "listen",
                format!(
                    "{} can be reached from other machines, and no token is configured: add [[tokens]] or listen on 127.0.0.1",
                    self.listen
                ),
            ));
        }
        Ok(())
    }
}

/// Lays `value` under the key that the variable's name spells: `LIMITS__BODY_BYTES` is `limits.body_bytes`.
fn set(table: &mut toml::Table, name: &str, value: &str) -> Result<(), String> {
    let key = name.to_ascii_lowercase();
    let (section, last) = match key.split_once("__") {
        Some((section, last)) => (Some(section), last),
        None => (None, key.as_str()),
    };
    // Digits are a number, and `true` and `false` are none, only where numbers are expected: a password or a folder may be digits too.
    let plain = section.filter(|section| NUMBER_SECTIONS.contains(section)).and_then(|_| {
        value.parse().map(toml::Value::Integer).or_else(|_| value.parse().map(toml::Value::Boolean)).ok()
    });
    let value = plain.unwrap_or_else(|| toml::Value::String(value.to_owned()));
    let target = match section {
        None => table,
        Some(section) => table
            .entry(section.to_owned())
            .or_insert_with(|| toml::Value::Table(toml::Table::new()))
            .as_table_mut()
            .ok_or_else(|| format!("{section} is not a section"))?,
    };
    target.insert(last.to_owned(), value);
    Ok(())
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
