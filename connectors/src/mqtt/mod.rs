//! MQTT 3.1.1 and 5: a source that acknowledges what is durable, and a publisher that knows what was acknowledged.
//!
//! The mapping from topics and payloads to readings and events is in [`mapping`] and touches no socket; [`payload`] writes what the default mapping reads.

mod config;
pub mod mapping;
pub mod payload;
mod publisher;
mod release;
mod source;
mod wire;

pub use config::{ConfigError, MqttConfig, Protocol};
pub use publisher::{Confirmation, PublishError, Publisher, PublisherConfig};
pub use release::{Release, ReleaseError, Released, release};
pub use source::MqttSource;

#[cfg(test)]
mod broker_tests;
