//! Genealogy: what came from what, where, by whom, and when the log says so.
//!
//! A graph of things (nodes) and of what joined them (edges), both only ever added to, each with its log position: `as_of` leaves out what came later.
//! An edge points the way that material or knowledge flows. [`crate::trace`] asks the questions; `genealogy_fold` reads the events.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use domain::{Interval, Quantity, Text};
use eventlog::{Digest, Filter, Position};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AsOf, Entry, Fold, filters, state_digest};

/// What kind of thing a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// A material lot: yarn, beam, roll.
    Lot,
    /// A job order.
    Order,
    /// An operation of an order; its id is `ORDER/OPERATION`.
    Operation,
    /// A physical asset.
    Asset,
    /// A product or material.
    Material,
    /// A person.
    Person,
    /// A shipment.
    Shipment,
    /// An inspection.
    Inspection,
    /// A nonconformance.
    Nonconformance,
    /// A signal.
    Signal,
    /// A registered model.
    Model,
    /// A version of a model; its id is `MODEL@VERSION`.
    ModelVersion,
    /// A deployment.
    Deployment,
    /// A prediction; its id is the event's id, and its position is understood too.
    Prediction,
}

impl NodeKind {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::Lot,
        Self::Order,
        Self::Operation,
        Self::Asset,
        Self::Material,
        Self::Person,
        Self::Shipment,
        Self::Inspection,
        Self::Nonconformance,
        Self::Signal,
        Self::Model,
        Self::ModelVersion,
        Self::Deployment,
        Self::Prediction,
    ];

    /// The name in addresses (`model_version`).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lot => "lot",
            Self::Order => "order",
            Self::Operation => "operation",
            Self::Asset => "asset",
            Self::Material => "material",
            Self::Person => "person",
            Self::Shipment => "shipment",
            Self::Inspection => "inspection",
            Self::Nonconformance => "nonconformance",
            Self::Signal => "signal",
            Self::Model => "model",
            Self::ModelVersion => "model_version",
            Self::Deployment => "deployment",
            Self::Prediction => "prediction",
        }
    }

    /// The kind with this name; a plural is understood too.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name || name.strip_suffix('s') == Some(kind.as_str()))
    }
}

/// How an edge's two ends belong together. The first end is where it flows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// Material of a lot went into an order.
    ConsumedBy,
    /// An order made a lot, of what it consumed.
    Produced,
    /// Material of a lot went into another lot.
    WentInto,
    /// A lot was divided into another.
    SplitInto,
    /// A lot was joined into another.
    MergedInto,
    /// Yarn was wound onto a warp beam.
    WarpedOnto,
    /// A warp beam was sized onto a weaver's beam.
    SizedOnto,
    /// A weaver's beam was woven into a roll.
    WovenInto,
    /// A weft lot was woven into a roll.
    WeftOf,
    /// A lot left with a shipment.
    ShippedWith,
    /// A model has a version.
    HasVersion,
    /// A version was deployed.
    DeployedAs,
    /// A version made a prediction.
    Predicted,
    /// A reading of a signal went into a prediction.
    InputOf,
    /// An order used a lot whose further way is known lot by lot.
    UsedBy,
    /// An order made a lot whose origin is known lot by lot, or that was made for it.
    OrderOf,
    /// An asset made a lot.
    MadeOn,
    /// A person made a lot.
    MadeBy,
    /// A beam was put on an asset.
    MountedOn,
    /// A weft lot was put on an asset.
    FedTo,
    /// The end of one beam was tied to the beginning of another.
    TiedTo,
    /// An order has a part that is an order.
    HasPart,
    /// An order has an operation.
    HasOperation,
    /// An asset performed an operation, or an order was started there.
    PerformedAt,
    /// A person performed an operation, or started an order.
    PerformedBy,
    /// A product is what an order makes, or what a lot is made of.
    ProductOf,
    /// A lot, order or asset was inspected.
    InspectedIn,
    /// An inspection was made by a person.
    InspectedBy,
    /// A nonconformance was found in this.
    FoundIn,
    /// A deployment runs on an asset.
    RunsOn,
    /// A deployment made a prediction.
    MadeByDeployment,
    /// A prediction is about an asset.
    About,
}

impl Relation {
    /// Whether material or knowledge flows along it, so that a trace follows it; the others say where, by whom and for what.
    pub const fn flows(self) -> bool {
        matches!(
            self,
            Self::ConsumedBy
                | Self::Produced
                | Self::WentInto
                | Self::SplitInto
                | Self::MergedInto
                | Self::WarpedOnto
                | Self::SizedOnto
                | Self::WovenInto
                | Self::WeftOf
                | Self::ShippedWith
                | Self::HasVersion
                | Self::DeployedAs
                | Self::Predicted
                | Self::InputOf
        )
    }
}

/// What a fact says about one attribute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Attribute {
    /// It is this from now on.
    Set(Value),
    /// It grows by this.
    Add(f64),
}

/// Attributes that one event says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct NodeFact {
    pub position: Position,
    pub time: Option<Timestamp>,
    pub label: Option<Text>,
    pub attributes: Vec<(Cow<'static, str>, Attribute)>,
}

/// A reading that went into a prediction: signal, position of the frame, row, value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct UsedReading {
    pub signal: Arc<str>,
    pub position: Position,
    pub row: u32,
    pub value: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Node {
    pub kind: NodeKind,
    pub id: Arc<str>,
    /// The first position that names it.
    pub first: Position,
    pub facts: Vec<NodeFact>,
    pub outgoing: Vec<u32>,
    pub incoming: Vec<u32>,
    /// Only for predictions.
    pub inputs: Vec<UsedReading>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Edge {
    pub from: u32,
    pub to: u32,
    pub relation: Relation,
    /// The stretch of the first end that went over.
    pub interval: Option<Interval>,
    /// The stretch of the second end that it became; metre for metre in proportion.
    pub onto: Option<Interval>,
    pub quantity: Option<Quantity>,
    pub position: Position,
}

/// The graph of everything that a trace goes through.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Genealogy {
    pub(crate) nodes: Vec<Node>,
    pub(crate) edges: Vec<Edge>,
    index: BTreeMap<NodeKind, BTreeMap<Arc<str>, u32>>,
    predictions: BTreeMap<Position, u32>,
}

impl Fold for Genealogy {
    const NAME: &'static str = "genealogy";
    const VERSION: u32 = 1;

    fn filter() -> Filter {
        filters::types(super::genealogy_fold::TYPES)
    }

    fn apply(&mut self, entry: &Entry) {
        if let Some(event) = entry.event() {
            super::genealogy_fold::apply(self, entry, event);
        }
    }

    fn digest(&self) -> Digest {
        state_digest(self)
    }
}

impl Genealogy {
    /// How many things and how many joints there are.
    pub fn len(&self) -> (usize, usize) {
        (self.nodes.len(), self.edges.len())
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Whether the thing was known.
    pub fn knows(&self, kind: NodeKind, id: &str, as_of: AsOf) -> bool {
        self.find(kind, id, as_of).is_some()
    }

    /// The ids of a kind that were known, in order.
    pub fn ids(&self, kind: NodeKind, as_of: AsOf) -> impl Iterator<Item = &str> {
        let ids = self.index.get(&kind).into_iter().flatten();
        ids.filter(move |(_, index)| self.node(**index).is_some_and(|node| as_of.includes(node.first)))
            .map(|(id, _)| &**id)
    }

    pub(crate) fn find(&self, kind: NodeKind, id: &str, as_of: AsOf) -> Option<u32> {
        let by_id = || self.index.get(&kind)?.get(id).copied();
        let found = match kind {
            NodeKind::Prediction => by_id().or_else(|| self.predictions.get(&Position::new(id.parse().ok()?)).copied()),
            NodeKind::ModelVersion => by_id().or_else(|| {
                let (model, version) = id.rsplit_once('/')?;
                self.index.get(&kind)?.get(version_id(model, version).as_str()).copied()
            }),
            _ => by_id(),
        }?;
        self.node(found).is_some_and(|node| as_of.includes(node.first)).then_some(found)
    }

    pub(crate) fn node(&self, index: u32) -> Option<&Node> {
        self.nodes.get(usize::try_from(index).ok()?)
    }

    pub(crate) fn edge(&self, index: u32) -> Option<&Edge> {
        self.edges.get(usize::try_from(index).ok()?)
    }

    fn node_mut(&mut self, index: u32) -> Option<&mut Node> {
        self.nodes.get_mut(usize::try_from(index).ok()?)
    }

    /// The node with this name, made when it is new.
    pub(super) fn intern(&mut self, entry: &Entry, kind: NodeKind, id: &str) -> u32 {
        let by_id = self.index.entry(kind).or_default();
        if let Some(index) = by_id.get(id) {
            return *index;
        }
        // 2^32 things do not fit into memory; one more would share the last number.
        let index = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        let id: Arc<str> = id.into();
        by_id.insert(Arc::clone(&id), index);
        let (facts, outgoing, incoming, inputs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        self.nodes.push(Node { kind, id, first: entry.position, facts, outgoing, incoming, inputs });
        index
    }

    pub(super) fn describe(
        &mut self,
        entry: &Entry,
        node: u32,
        label: Option<&Text>,
        attributes: Vec<(Cow<'static, str>, Attribute)>,
    ) {
        let fact = NodeFact { position: entry.position, time: entry.event_time, label: label.cloned(), attributes };
        if let Some(node) = self.node_mut(node) {
            node.facts.push(fact);
        }
    }

    pub(super) fn join(&mut self, edge: Edge) {
        let index = u32::try_from(self.edges.len()).unwrap_or(u32::MAX);
        let (from, to) = (edge.from, edge.to);
        self.edges.push(edge);
        if let Some(node) = self.node_mut(from) {
            node.outgoing.push(index);
        }
        if let Some(node) = self.node_mut(to) {
            node.incoming.push(index);
        }
    }

    pub(super) fn note_prediction(&mut self, entry: &Entry, node: u32, inputs: Vec<UsedReading>) {
        self.predictions.insert(entry.position, node);
        if let Some(node) = self.node_mut(node) {
            node.inputs = inputs;
        }
    }
}

/// The id of a version's node.
pub(crate) fn version_id(model: &str, version: impl std::fmt::Display) -> String {
    format!("{model}@{version}")
}
