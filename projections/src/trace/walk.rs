//! The walk through the genealogy, breadth first.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use domain::{Interval, Text};
use eventlog::Position;
use indexmap::IndexMap;
use serde_json::Value;

use super::cover::{Cover, Covered, carry};
use super::{
    MAX_DEPTH, MAX_NODES, MAX_PREDICTIONS_OF_ONE, NodeRef, TraceAnswer, TraceDirection, TraceEdge, TraceNode,
    TraceRequest,
};
use crate::AsOf;
use crate::folds::genealogy::{Attribute, Edge, Genealogy, Node, NodeKind, Relation};

/// Which way one walk goes; both ways are two walks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Back,
    Forward,
}

/// How far a reached thing is followed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Follow {
    /// It is shown.
    Shown,
    /// Its surroundings are shown.
    Surroundings,
    /// What flows is followed from it.
    Onward,
    /// The trace is about it: what flows is followed from the lots that it used or made too.
    FromHere,
}

/// A place, a person or a product has seen very many things, which are not shown around it unless the trace begins there.
const fn is_place(kind: NodeKind) -> bool {
    matches!(kind, NodeKind::Asset | NodeKind::Person | NodeKind::Material)
}

struct Visit {
    node: u32,
    cover: Cover,
    depth: u32,
    follow: Follow,
}

/// What was reached, over both ways.
struct Reached {
    depth: u32,
    order: usize,
    covered: Covered,
}

struct Walk<'a> {
    genealogy: &'a Genealogy,
    as_of: AsOf,
    depth: u32,
    limit: usize,
    start: u32,
    reached: BTreeMap<u32, Reached>,
    edges: BTreeSet<u32>,
    truncated: bool,
}

pub(super) fn walk(genealogy: &Genealogy, start: u32, request: &TraceRequest) -> TraceAnswer {
    let mut walk = Walk {
        genealogy,
        as_of: request.as_of,
        depth: request.depth.min(MAX_DEPTH),
        limit: request.limit.clamp(1, MAX_NODES),
        start,
        reached: BTreeMap::new(),
        edges: BTreeSet::new(),
        truncated: false,
    };
    let cover = request.stretch.map_or(Cover::Whole, Cover::Stretch);
    walk.reach(start, 0);
    if request.direction != TraceDirection::Forward {
        walk.run(Way::Back, cover);
    }
    if request.direction != TraceDirection::Back {
        walk.run(Way::Forward, cover);
    }
    walk.answer()
}

impl Walk<'_> {
    fn run(&mut self, way: Way, cover: Cover) {
        let mut covered: BTreeMap<u32, (Covered, Follow)> = BTreeMap::new();
        let mut queue = VecDeque::from([Visit { node: self.start, cover, depth: 0, follow: Follow::FromHere }]);
        while let Some(visit) = queue.pop_front() {
            let (known, followed) = covered.entry(visit.node).or_insert_with(|| (Covered::default(), visit.follow));
            let fresh = known.add(visit.cover);
            // What was followed less far before is followed again with everything that this visit is about.
            let further = visit.follow > *followed;
            *followed = visit.follow.max(*followed);
            match fresh {
                Some(cover) => self.step(way, &Visit { cover, ..visit }, &mut queue),
                None if further => self.step(way, &visit, &mut queue),
                None => {}
            }
        }
        for (node, (covered, _)) in covered {
            if let Some(reached) = self.reached.get_mut(&node) {
                reached.covered.merge(&covered);
            }
        }
    }

    fn step(&mut self, way: Way, visit: &Visit, queue: &mut VecDeque<Visit>) {
        let genealogy = self.genealogy;
        let Some(node) = genealogy.node(visit.node) else { return };
        self.step_along(way, visit, &node.incoming, queue);
        self.step_along(way, visit, &node.outgoing, queue);
        if way == Way::Back {
            for input in &node.inputs {
                if let Some(signal) = genealogy.find(NodeKind::Signal, &input.signal, self.as_of) {
                    // Whether it came in or not: its edges are shown when it did.
                    self.reach_at(signal, visit.depth + 1);
                }
            }
        }
    }

    fn step_along(&mut self, way: Way, visit: &Visit, edges: &[u32], queue: &mut VecDeque<Visit>) {
        let mut predictions = 0;
        // Newest first, so that the newest predictions stay when some are left out.
        for index in edges.iter().rev() {
            let Some(edge) = self.genealogy.edge(*index) else { continue };
            if !self.as_of.includes(edge.position) {
                continue;
            }
            let Some((next, cover, follow)) = self.follow(way, visit, edge) else { continue };
            if self.genealogy.node(next).is_some_and(|node| node.kind == NodeKind::Prediction) {
                predictions += 1;
                if predictions > MAX_PREDICTIONS_OF_ONE {
                    self.truncated = true;
                    continue;
                }
            }
            if !self.reach_at(next, visit.depth + 1) {
                continue;
            }
            self.edges.insert(*index);
            if follow != Follow::Shown {
                queue.push_back(Visit { node: next, cover, depth: visit.depth + 1, follow });
            }
        }
    }

    /// Where an edge leads, what is covered there, and how far to go on.
    fn follow(&self, way: Way, visit: &Visit, edge: &Edge) -> Option<(u32, Cover, Follow)> {
        let outgoing = edge.from == visit.node;
        let next = if outgoing { edge.to } else { edge.from };
        let with_the_way = outgoing == (way == Way::Forward);
        if edge.relation.flows() {
            if !with_the_way || visit.follow < Follow::Onward {
                return None;
            }
            let (on, onto) = if outgoing { (edge.interval, edge.onto) } else { (edge.onto, edge.interval) };
            return Some((next, carry(visit.cover, on, onto)?, Follow::Onward));
        }
        let begins = visit.follow == Follow::FromHere && with_the_way;
        let kind = self.genealogy.node(visit.node)?.kind;
        let follow = match self.genealogy.node(next)?.kind {
            NodeKind::Lot if begins && kind == NodeKind::Lot => Follow::Shown,
            // The trace of an asset or an order is that of the lots there.
            NodeKind::Lot if begins => Follow::Onward,
            NodeKind::Prediction if begins => Follow::Shown,
            // Other lots and predictions of a place, a person or an order have nothing to do with the one that led there.
            NodeKind::Lot | NodeKind::Prediction | NodeKind::Shipment => return None,
            // The parts of an order belong to it; the order that it is a part of does not.
            NodeKind::Order if begins && edge.relation == Relation::HasPart && outgoing => Follow::FromHere,
            NodeKind::Operation | NodeKind::Inspection | NodeKind::Nonconformance
                if visit.follow >= Follow::Onward && !is_place(kind) =>
            {
                Follow::Surroundings
            }
            _ if is_place(kind) && !begins => return None,
            // Where else a lot that went in was used says nothing about what it went into.
            _ if way == Way::Back
                && matches!(edge.relation, Relation::FedTo | Relation::UsedBy)
                && visit.follow != Follow::FromHere =>
            {
                return None;
            }
            _ => Follow::Shown,
        };
        Some((next, Cover::Whole, follow))
    }

    /// Whether the thing is in the answer, or may still come in.
    fn reach_at(&mut self, node: u32, depth: u32) -> bool {
        if self.reached.contains_key(&node) {
            return true;
        }
        if depth > self.depth || self.reached.len() >= self.limit {
            self.truncated = true;
            return false;
        }
        self.reach(node, depth);
        true
    }

    fn reach(&mut self, node: u32, depth: u32) {
        let order = self.reached.len();
        self.reached.insert(node, Reached { depth, order, covered: Covered::default() });
    }

    fn answer(self) -> TraceAnswer {
        let mut events: BTreeSet<Position> = BTreeSet::new();
        let mut edges = Vec::with_capacity(self.edges.len());
        for edge in self.edges.iter().filter_map(|index| self.genealogy.edge(*index)) {
            events.insert(edge.position);
            if let (Some(from), Some(to)) = (self.name(edge.from), self.name(edge.to)) {
                edges.push(TraceEdge {
                    from,
                    to,
                    relation: edge.relation,
                    interval: edge.interval,
                    quantity: edge.quantity.clone(),
                    position: edge.position,
                    row: None,
                });
            }
        }
        let mut reached: Vec<_> = self.reached.iter().collect();
        reached.sort_by_key(|(_, reached)| (reached.depth, reached.order));
        let mut nodes = Vec::with_capacity(reached.len());
        for (index, reached) in reached {
            let Some(node) = self.genealogy.node(*index) else { continue };
            let shown = show(node, reached.depth, reached.covered.joined(), self.as_of);
            events.extend(shown.positions.iter().copied());
            if reached.depth == 0 {
                events.insert(node.first);
            }
            for (edge, position) in self.inputs(node) {
                events.insert(position);
                edges.push(edge);
            }
            nodes.push(shown);
        }
        TraceAnswer { nodes, edges, events: events.into_iter().collect(), truncated: self.truncated }
    }

    /// The readings that went into a prediction, of the signals that the trace shows.
    fn inputs(&self, node: &Node) -> impl Iterator<Item = (TraceEdge, Position)> {
        let shown = node.inputs.iter().filter(|input| {
            let signal = self.genealogy.find(NodeKind::Signal, &input.signal, self.as_of);
            signal.is_some_and(|signal| self.reached.contains_key(&signal))
        });
        shown.map(|input| {
            let edge = TraceEdge {
                from: NodeRef { kind: NodeKind::Signal, id: input.signal.to_string() },
                to: NodeRef { kind: node.kind, id: node.id.to_string() },
                relation: Relation::InputOf,
                interval: None,
                quantity: None,
                position: input.position,
                row: Some(input.row),
            };
            (edge, input.position)
        })
    }

    fn name(&self, node: u32) -> Option<NodeRef> {
        self.genealogy.node(node).map(|node| NodeRef { kind: node.kind, id: node.id.to_string() })
    }
}

fn show(node: &Node, depth: u32, stretches: Vec<Interval>, as_of: AsOf) -> TraceNode {
    let mut label = Text::default();
    let mut attributes: IndexMap<String, Value> = IndexMap::new();
    let mut positions = Vec::new();
    for fact in node.facts.iter().filter(|fact| as_of.includes(fact.position)) {
        positions.push(fact.position);
        if let Some(said) = &fact.label {
            label = said.clone();
        }
        for (name, attribute) in &fact.attributes {
            let value = match attribute {
                Attribute::Set(value) => value.clone(),
                Attribute::Add(amount) => {
                    let sum = attributes.get(&**name).and_then(Value::as_f64).unwrap_or(0.0) + amount;
                    Value::from(sum)
                }
            };
            attributes.insert(name.to_string(), value);
        }
    }
    TraceNode { kind: node.kind, id: node.id.to_string(), label, attributes, depth, stretches, positions }
}
