//! OPC UA: a source that subscribes to configured nodes of one server, and a server of tags for simulations and tests.
//!
//! What a source acknowledges: an OPC UA client acknowledges a notification in its next publish request, and the library that we use does so by itself, before
//! the reading is durable. A crash therefore loses at most what was received and not yet appended. While the process runs nothing is lost: when the log is slow,
//! the source stops reading from the connection, and the server queues.

mod config;
mod convert;
mod server;
mod source;

pub use config::{NodeConfig, OpcUaConfig};
pub use server::{TAG_NAMESPACE, TagServer, TagServerConfig, TagServerError};
pub use source::OpcUaSource;

#[cfg(test)]
#[path = "opcua_tests.rs"]
mod tests;
