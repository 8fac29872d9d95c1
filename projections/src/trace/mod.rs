//! Tracing: from a thing back to what went into it, or forward to what became of it.
//!
//! A trace follows the relations through which material or knowledge flows ([`Relation::flows`]), and shows beside each thing where, by whom
//! and for what it was made, without following that further: a loom has seen every roll, and would lead to all of them. The exceptions are
//! a trace that *begins* at an asset, an order, a person or a product, which goes on with the lots that it finds there; and operations, inspections and
//! nonconformances, which show their own surroundings.
//!
//! **By metres.** Where an event says which stretch of a lot went over, the trace carries the stretch: going back from a roll reaches a stretch of
//! the beam, and from there only what shares metres with it. Where the event says what stretch of the new lot it became, metres map in
//! proportion; where it does not, the whole lot is meant, since leaving something out would be worse than showing too much.

mod cover;
mod walk;

use eventlog::Position;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use domain::{Interval, Quantity, Text};

use crate::AsOf;
use crate::folds::genealogy::{Genealogy, NodeKind, Relation};

/// The most nodes that a trace answers with.
pub const MAX_NODES: usize = 5_000;

/// The deepest that a trace goes.
pub const MAX_DEPTH: u32 = 64;

/// How many predictions of one thing a trace shows: the newest ones.
pub const MAX_PREDICTIONS_OF_ONE: usize = 50;

/// Which way a trace goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TraceDirection {
    /// What went into it.
    Back,
    /// What became of it.
    Forward,
    /// What went into it, and what became of it; not what else became of what went into it.
    #[default]
    Both,
}

/// What is to be traced.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceRequest {
    /// The kind of thing.
    pub kind: NodeKind,
    /// Its id.
    pub id: String,
    /// Which way.
    pub direction: TraceDirection,
    /// How many steps at most; at most [`MAX_DEPTH`].
    pub depth: u32,
    /// What was known then.
    pub as_of: AsOf,
    /// How many nodes at most; at most [`MAX_NODES`].
    pub limit: usize,
    /// Only this stretch of the lot.
    pub stretch: Option<Interval>,
}

impl TraceRequest {
    /// Both ways, as deep as it goes, with everything that is known, at most 1,000 nodes.
    pub fn new(kind: NodeKind, id: &str) -> Self {
        Self {
            kind,
            id: id.to_owned(),
            direction: TraceDirection::Both,
            depth: MAX_DEPTH,
            as_of: AsOf::LATEST,
            limit: 1_000,
            stretch: None,
        }
    }
}

/// Names a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct NodeRef {
    /// The kind of thing.
    pub kind: NodeKind,
    /// Its id.
    pub id: String,
}

/// A thing in a trace.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TraceNode {
    /// The kind of thing.
    pub kind: NodeKind,
    /// Its id.
    pub id: String,
    /// Its name.
    pub label: Text,
    /// What was known of it.
    pub attributes: IndexMap<String, Value>,
    /// How many steps it is from where the trace began.
    pub depth: u32,
    /// The stretches of it that the trace is about, joined and in order; empty means all of it.
    pub stretches: Vec<Interval>,
    /// The events that describe it.
    pub positions: Vec<Position>,
}

/// What joins two things in a trace.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TraceEdge {
    /// Where it flows from.
    pub from: NodeRef,
    /// Where it flows to.
    pub to: NodeRef,
    /// How they belong together.
    pub relation: Relation,
    /// Which stretch of the first went over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// How much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Quantity>,
    /// The event that says so; for the input of a prediction the frame of the reading.
    pub position: Position,
    /// The row in that frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<u32>,
}

/// The answer to a trace.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TraceAnswer {
    /// The things, nearest first; the first one is where the trace began.
    pub nodes: Vec<TraceNode>,
    /// What joins them.
    pub edges: Vec<TraceEdge>,
    /// Every position that the answer comes from, in order: the evidence.
    pub events: Vec<Position>,
    /// Whether depth, the number of nodes, or the number of predictions left something out.
    pub truncated: bool,
}

impl TraceAnswer {
    /// The ids of a kind, in order.
    pub fn ids(&self, kind: NodeKind) -> Vec<&str> {
        let mut ids: Vec<&str> =
            self.nodes.iter().filter(|node| node.kind == kind).map(|node| node.id.as_str()).collect();
        ids.sort_unstable();
        ids
    }
}

/// Why there is nothing to trace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    /// Nothing of this name was known.
    #[error("no {} {id:?} was known", .kind.as_str())]
    Unknown {
        /// The kind of thing.
        kind: NodeKind,
        /// Its id.
        id: String,
    },
}

/// Traces a thing.
///
/// # Errors
/// [`TraceError::Unknown`] when nothing of this name was known at the asked position.
pub fn query(genealogy: &Genealogy, request: &TraceRequest) -> Result<TraceAnswer, TraceError> {
    let start = genealogy
        .find(request.kind, &request.id, request.as_of)
        .ok_or_else(|| TraceError::Unknown { kind: request.kind, id: request.id.clone() })?;
    Ok(walk::walk(genealogy, start, request))
}

#[cfg(test)]
#[path = "trace_tests.rs"]
mod tests;
