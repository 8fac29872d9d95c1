//! The graph of knowledge in SurrealDB: one row a record, with its versions by interval and its versioned edges.

mod projection;
mod queries;
mod reading;
mod rows;
mod store;

#[cfg(test)]
#[path = "graph/answers_tests.rs"]
mod answers_tests;
#[cfg(test)]
#[path = "graph/tests.rs"]
mod tests;

pub use projection::{GraphOpening, GraphProjection};
pub use queries::Graph;

use eventlog::Position;
use serde::{Deserialize, Serialize};

use crate::record::{Base, Kind, KnowledgeRecord, RecordId, Relation};

/// Which records to list; the newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ListRequest {
    /// Only this knowledge base.
    pub base: Option<Base>,
    /// Only this kind.
    pub kind: Option<Kind>,
    /// Only this asset.
    pub asset: Option<String>,
    /// What was known then: the last position that counts; the newest, when absent.
    pub as_of: Option<Position>,
    /// The most records, at most 500; 20 when absent.
    pub limit: Option<usize>,
    /// Where to go on, as the former page said.
    pub cursor: Option<String>,
}

/// A record at a position, with all versions that were known then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordHistory {
    /// The last position that was taken into account.
    pub as_of: Option<Position>,
    /// The version that was valid then.
    pub record: KnowledgeRecord,
    /// Every version up to it, the oldest first.
    pub versions: Vec<KnowledgeRecord>,
}

/// Which part of the graph to show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NeighbourRequest {
    /// The node to begin at, as `kind:id` (`asset:LOOM-07`, `failure_mode:WARP_BREAK`).
    pub node: RecordId,
    /// How many steps to go, 1 to 3; 1 when absent.
    pub depth: Option<usize>,
    /// What was known then: the last position that counts; the newest, when absent.
    pub as_of: Option<Position>,
    /// The most edges, at most 500; 100 when absent.
    pub limit: Option<usize>,
}

/// A node of the graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GraphNode {
    /// Its id.
    pub id: RecordId,
    /// How many steps it lies from the node that was asked for.
    pub distance: usize,
    /// Its record, where it has one.
    pub record: Option<KnowledgeRecord>,
}

/// An edge of the graph.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GraphEdge {
    /// The node that it goes out from.
    pub from: RecordId,
    /// What it means.
    pub relation: Relation,
    /// The node that it goes to.
    pub to: RecordId,
    /// The position that made it.
    pub valid_from: Position,
}

/// A part of the graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Neighbourhood {
    /// The last position that was taken into account.
    pub as_of: Option<Position>,
    /// The nodes, by distance and id.
    pub nodes: Vec<GraphNode>,
    /// The edges between them.
    pub edges: Vec<GraphEdge>,
    /// Whether edges were left out because of the limit.
    pub truncated: bool,
}
