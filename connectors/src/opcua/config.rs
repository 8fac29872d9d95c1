//! The configuration of an OPC UA source.

use std::collections::HashSet;

use domain::ids::SignalId;
use opcua::types::NodeId;
use serde::{Deserialize, Serialize};

use crate::mqtt::ConfigError;

/// The most nodes of one source.
const MAX_NODES: usize = 10_000;

/// One node to follow. The server reports a change of value or status; a value that stays the same is not reported again (OPC 10000-4, 7.22.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// The node's id in the server, in the notation of OPC 10000-6: `ns=2;s=LOOM-21.warp_tension`, `ns=3;i=1042`.
    pub node_id: String,
    /// The signal that its values are readings of.
    pub signal: String,
    /// Milliseconds between samples that the server is asked for; 0 asks for every change. Absent: the publishing interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling_interval_ms: Option<f64>,
}

/// One OPC UA server to follow, without message security: the transport is for a trusted network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpcUaConfig {
    /// The name of the source, unique in the configuration: readings are logged as coming from `opcua:NAME`.
    pub name: String,
    /// Where the server is: `opc.tcp://host:4840/path`. What the server calls itself does not matter.
    pub endpoint: String,
    /// The user name; without it the session is anonymous.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The user's password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Milliseconds between the server's messages.
    #[serde(default = "default_publishing_interval_ms")]
    pub publishing_interval_ms: u64,
    /// The nodes to follow.
    pub nodes: Vec<NodeConfig>,
}

fn default_publishing_interval_ms() -> u64 {
    500
}

/// A node, checked.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) address: String,
    pub(super) signal: std::sync::Arc<str>,
    pub(super) sampling_interval_ms: f64,
}

impl OpcUaConfig {
    /// A source that follows nodes anonymously.
    pub fn new(name: &str, endpoint: &str, nodes: Vec<NodeConfig>) -> Self {
        Self {
            name: name.to_owned(),
            endpoint: endpoint.to_owned(),
            username: None,
            password: None,
            publishing_interval_ms: default_publishing_interval_ms(),
            nodes,
        }
    }

    /// What readings of this source are logged as coming from.
    pub fn source(&self) -> String {
        format!("opcua:{}", self.name)
    }

    /// Checks every field.
    ///
    /// # Errors
    /// [`ConfigError`] names the field.
    pub(super) fn check(&self) -> Result<Vec<Node>, ConfigError> {
        let refuse = |field: &str, reason: String| ConfigError::new(&self.name, field, reason);
        let name = self.name.trim();
        let plain = |character: char| character.is_alphanumeric() || "-_.".contains(character);
        if name.is_empty() || name.len() > 100 || !name.chars().all(plain) || name.starts_with('.') {
            return Err(refuse("name", "1 to 100 letters, digits, '-', '_' and '.' are expected".to_owned()));
        }
        let rest = self.endpoint.strip_prefix("opc.tcp://").unwrap_or_default();
        if rest.is_empty() || rest.starts_with(['/', ':']) {
            return Err(refuse("endpoint", format!("{:?} is not of the form opc.tcp://host:port/path", self.endpoint)));
        }
        if self.password.is_some() && self.username.is_none() {
            return Err(refuse("username", "a password needs a user name".to_owned()));
        }
        if !(10..=3_600_000).contains(&self.publishing_interval_ms) {
            return Err(refuse("publishing_interval_ms", "10 to 3,600,000 are expected".to_owned()));
        }
        if self.nodes.is_empty() || self.nodes.len() > MAX_NODES {
            return Err(refuse("nodes", format!("1 to {MAX_NODES} nodes are expected")));
        }
        let mut seen = HashSet::new();
        let mut nodes = Vec::with_capacity(self.nodes.len());
        for (index, node) in self.nodes.iter().enumerate() {
            let refuse = |field: &str, reason: String| refuse(&format!("nodes[{index}].{field}"), reason);
            let id: NodeId = node
                .node_id
                .parse()
                .map_err(|_| refuse("node_id", format!("{:?} is not a node id such as ns=2;s=NAME", node.node_id)))?;
            SignalId::new(&node.signal).map_err(|error| refuse("signal", error.to_string()))?;
            if !seen.insert(node.signal.as_str()) {
                return Err(refuse("signal", format!("{:?} stands twice", node.signal)));
            }
            let sampling_interval_ms = node.sampling_interval_ms.unwrap_or(-1.0);
            if node.sampling_interval_ms.is_some_and(|interval| !(0.0..=3_600_000.0).contains(&interval)) {
                return Err(refuse("sampling_interval_ms", "0 to 3,600,000 are expected".to_owned()));
            }
            nodes.push(Node {
                id,
                address: node.node_id.clone(),
                signal: node.signal.as_str().into(),
                sampling_interval_ms,
            });
        }
        Ok(nodes)
    }
}
