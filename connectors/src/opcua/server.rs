//! An OPC UA server of tags: what the simulated mill's controllers, and the tests, speak through.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use eventlog::frames::{StatusCode, Value};
use jiff::Timestamp;
use opcua::crypto::SecurityPolicy;
use opcua::server::address_space::Variable;
use opcua::server::diagnostics::NamespaceMetadata;
use opcua::server::node_manager::memory::{SimpleNodeManager, simple_node_manager};
use opcua::server::{ANONYMOUS_USER_TOKEN_ID, ServerBuilder, ServerHandle};
use opcua::types::{DataValue, MessageSecurityMode, NodeId};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::convert::data_value_of;

/// The namespace of the tags; its index is 2, so that a tag's node id is `ns=2;s=TAG`.
pub const TAG_NAMESPACE: &str = "urn:millwright:tags";

const TAG_NAMESPACE_INDEX: u16 = 2;

/// Values of one tag that the server queues for a subscriber between two messages.
const TAG_QUEUE: usize = 10_000;

const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagServerConfig {
    /// The name that the server gives itself.
    pub name: String,
    /// The host name or address to listen on.
    pub host: String,
    /// The port; 0 takes a free one.
    pub port: u16,
    /// The directory below which the library may keep certificates (none are needed).
    pub data_dir: PathBuf,
}

/// Why the server does not serve.
#[derive(Debug, thiserror::Error)]
pub enum TagServerError {
    /// The address is taken, or is not ours.
    #[error("the OPC UA server cannot listen on {address}")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The library refuses the configuration.
    #[error("the OPC UA server cannot be built: {0}")]
    Build(String),
    /// The tag is not served.
    #[error("the OPC UA server has no tag {0:?}")]
    UnknownTag(String),
    /// The value was refused.
    #[error("tag {tag:?} does not take the value: {reason}")]
    Refused {
        /// The tag.
        tag: String,
        /// The library's reason.
        reason: String,
    },
}

/// A running server. It allows anonymous clients and reads without message security.
pub struct TagServer {
    url: String,
    handle: ServerHandle,
    manager: Arc<SimpleNodeManager>,
    nodes: HashMap<String, NodeId>,
    task: Option<JoinHandle<()>>,
}

impl TagServer {
    /// Starts a server with one variable for each tag, at its first value.
    ///
    /// # Errors
    /// [`TagServerError`].
    pub async fn start(config: TagServerConfig, tags: Vec<(String, Value)>) -> Result<Self, TagServerError> {
        let address = format!("{}:{}", config.host, config.port);
        let listening = |source| TagServerError::Listen { address: address.clone(), source };
        let listener = TcpListener::bind((config.host.as_str(), config.port)).await.map_err(listening)?;
        let port = listener.local_addr().map_err(listening)?.port();
        let namespace = NamespaceMetadata { namespace_uri: TAG_NAMESPACE.to_owned(), ..NamespaceMetadata::default() };
        let mut builder = ServerBuilder::new()
            .application_name(&config.name)
            .application_uri(format!("urn:millwright:{}", config.name))
            .product_uri("urn:millwright")
            .create_sample_keypair(false)
            .pki_dir(config.data_dir.join("opcua-server"))
            .host(&config.host)
            .port(port)
            .discovery_urls(vec![format!("opc.tcp://{}:{port}/", config.host)])
            .add_endpoint(
                "none",
                ("/", SecurityPolicy::None, MessageSecurityMode::None, &[ANONYMOUS_USER_TOKEN_ID] as &[&str]),
            )
            .default_endpoint("none")
            .with_node_manager(simple_node_manager(namespace, "tags"));
        let limits = builder.limits_mut();
        limits.subscriptions.min_sampling_interval_ms = 0.0;
        limits.subscriptions.max_monitored_item_queue_size = TAG_QUEUE;
        let (server, handle) = builder.build().map_err(TagServerError::Build)?;
        let manager = handle
            .node_managers()
            .get_of_type::<SimpleNodeManager>()
            .ok_or_else(|| TagServerError::Build("the tags have no node manager".to_owned()))?;
        if handle.get_namespace_index(TAG_NAMESPACE) != Some(TAG_NAMESPACE_INDEX) {
            return Err(TagServerError::Build(format!("the tags do not have namespace {TAG_NAMESPACE_INDEX}")));
        }
        let nodes = add_tags(&manager, tags)?;
        let url = format!("opc.tcp://{}:{port}/", config.host);
        let task = tokio::spawn(async move {
            if let Err(error) = server.run_with(listener).await {
                tracing::error!(error, "the OPC UA server ended");
            }
        });
        Ok(Self { url, handle, manager, nodes, task: Some(task) })
    }

    /// Where clients reach the server.
    pub fn endpoint_url(&self) -> String {
        self.url.clone()
    }

    /// The node id of a tag, as a source's configuration names it.
    pub fn node_id(tag: &str) -> String {
        format!("ns={TAG_NAMESPACE_INDEX};s={tag}")
    }

    /// Sets a tag and tells its subscribers. A value and status equal to the last are not told again, as OPC UA has it.
    ///
    /// # Errors
    /// [`TagServerError::UnknownTag`], or [`TagServerError::Refused`].
    pub fn set(&self, tag: &str, value: Value, status: StatusCode, time: Timestamp) -> Result<(), TagServerError> {
        let node = self.nodes.get(tag).ok_or_else(|| TagServerError::UnknownTag(tag.to_owned()))?;
        let data = data_value_of(value, status, time);
        self.manager
            .set_value(self.handle.subscriptions(), node, None, data)
            .map_err(|code| TagServerError::Refused { tag: tag.to_owned(), reason: code.to_string() })
    }

    /// Ends every session and the server.
    pub async fn stop(mut self) {
        self.handle.cancel();
        if let Some(task) = self.task.take() {
            let abort = task.abort_handle();
            if tokio::time::timeout(STOP_TIMEOUT, task).await.is_err() {
                abort.abort();
            }
        }
    }
}

impl Drop for TagServer {
    fn drop(&mut self) {
        self.handle.cancel();
    }
}

fn add_tags(
    manager: &SimpleNodeManager,
    tags: Vec<(String, Value)>,
) -> Result<HashMap<String, NodeId>, TagServerError> {
    let mut space = manager.address_space().write();
    let folder = NodeId::new(TAG_NAMESPACE_INDEX, "tags");
    space.add_folder(&folder, "Tags", "Tags", &NodeId::objects_folder_id());
    let mut nodes = HashMap::with_capacity(tags.len());
    for (tag, value) in tags {
        let node = NodeId::new(TAG_NAMESPACE_INDEX, tag.as_str());
        let refused = |reason: &str| TagServerError::Refused { tag: tag.clone(), reason: reason.to_owned() };
        let data: DataValue = data_value_of(value, StatusCode::GOOD, Timestamp::now());
        let variant = data.value.clone().ok_or_else(|| refused("it has no value"))?;
        let mut variable = Variable::new(&node, tag.as_str(), tag.as_str(), variant);
        variable.set_data_value(data);
        if space.add_variables(vec![variable], &folder) != [true] {
            return Err(refused("the tag stands twice"));
        }
        nodes.insert(tag, node);
    }
    Ok(nodes)
}
