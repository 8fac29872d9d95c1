//! How events become nodes and edges of the genealogy.

use std::borrow::Cow;

use domain::events::{
    ClothDoffed, LotCreated, LotSplit, LotsMerged, MaterialConsumed, MaterialProduced, ModelDeployed,
    ModelVersionCreated, OperationReported, OrderCreated, Origin, PredictionMade, SizingCompleted, Target,
    WarpingCompleted,
};
use domain::events::{DispositionDecided, InspectionRecorded, NonconformanceRaised};
use domain::ids::{AssetId, LotId, MaterialId, OrderId, PersonId};
use domain::{Event, Interval, Quantity, Text, Unit};
use serde::Serialize;
use serde_json::Value;

use super::genealogy::{Attribute, Edge, Genealogy, NodeKind, Relation, UsedReading, version_id};
use crate::Entry;

/// The events that the genealogy is made of.
pub(super) const TYPES: &[&str] = &[
    "asset.registered",
    "order.created",
    "order.started",
    "order.operation_reported",
    "order.completed",
    "lot.created",
    "lot.consumed",
    "lot.produced",
    "lot.split",
    "lot.merged",
    "lot.scrapped",
    "lot.completed",
    "lot.released",
    "lot.held",
    "lot.shipped",
    "weaving.warped",
    "weaving.sized",
    "weaving.beam_mounted",
    "weaving.warp_tied",
    "weaving.beam_finished",
    "weaving.weft_lot_changed",
    "weaving.cloth_doffed",
    "inspection.recorded",
    "nonconformance.raised",
    "nonconformance.decided",
    "model.registered",
    "model.version_created",
    "deployment.deployed",
    "deployment.retired",
    "prediction.made",
];

pub(super) fn apply(genealogy: &mut Genealogy, entry: &Entry, event: &Event) {
    let mut graph = Graph { genealogy, entry };
    match event {
        Event::AssetRegistered(e) => {
            let asset = graph.asset(&e.asset);
            graph.describe(asset, Some(&e.name), Attributes::new().set("class", &e.class));
        }
        Event::OrderCreated(e) => graph.order_created(e),
        Event::OrderStarted(e) => {
            let order = graph.order(&e.order);
            graph.describe(order, None, Attributes::new().set("status", "started").time("started_at", entry));
            graph.performed(order, e.asset.as_ref(), e.person.as_ref(), None);
        }
        Event::OperationReported(e) => graph.operation_reported(e),
        Event::OrderCompleted(e) => {
            let order = graph.order(&e.order);
            let attributes = Attributes::new().set("status", "completed").maybe("made", e.quantity.as_ref());
            graph.describe(order, None, attributes.time("completed_at", entry));
        }
        Event::LotCreated(e) => graph.lot_created(e),
        Event::MaterialConsumed(e) => graph.consumed(e),
        Event::MaterialProduced(e) => graph.produced(e),
        Event::LotSplit(e) => graph.split(e),
        Event::LotsMerged(e) => graph.merged(e),
        Event::LotScrapped(e) => {
            let attributes = Attributes::new().set("status", "scrapped").maybe("scrapped", e.quantity.as_ref());
            graph.lot_status(&e.lot, attributes.maybe("scrap_reason", e.reason.as_ref()));
        }
        Event::LotCompleted(e) => {
            graph.lot_status(
                &e.lot,
                Attributes::new().set("status", "completed").maybe("quantity", e.quantity.as_ref()),
            );
        }
        Event::LotReleased(e) => graph.lot_status(&e.lot, Attributes::new().set("status", "released")),
        Event::LotHeld(e) => {
            graph.lot_status(&e.lot, Attributes::new().set("status", "held").maybe("hold_reason", e.reason.as_ref()));
        }
        Event::LotShipped(e) => {
            let (lot, shipment) = (graph.lot(&e.lot), graph.node(NodeKind::Shipment, e.shipment.as_str()));
            graph.describe(lot, None, Attributes::new().set("status", "shipped"));
            graph.describe(shipment, None, Attributes::new().maybe("customer", e.customer.as_ref()));
            graph.join(lot, Relation::ShippedWith, shipment);
        }
        Event::WarpingCompleted(e) => graph.warped(e),
        Event::SizingCompleted(e) => graph.sized(e),
        Event::BeamMounted(e) => {
            let (beam, asset) = (graph.lot(&e.beam), graph.asset(&e.asset));
            graph.join(beam, Relation::MountedOn, asset);
            let order = graph.order(&e.order);
            graph.join(beam, Relation::UsedBy, order);
            graph.product(&e.product, order);
        }
        Event::WarpTied(e) => {
            let (old, new) = (graph.lot(&e.old_beam), graph.lot(&e.new_beam));
            graph.join(old, Relation::TiedTo, new);
        }
        Event::BeamFinished(e) => {
            let attributes = Attributes::new().set("status", "finished").maybe("remaining_m", e.remaining_m);
            graph.lot_status(&e.beam, attributes);
        }
        Event::WeftLotChanged(e) => {
            let (lot, asset) = (graph.lot(&e.lot), graph.asset(&e.asset));
            graph.join(lot, Relation::FedTo, asset);
            let order = graph.order(&e.order);
            graph.join(lot, Relation::UsedBy, order);
        }
        Event::ClothDoffed(e) => graph.doffed(e),
        Event::InspectionRecorded(e) => graph.inspected(e),
        Event::NonconformanceRaised(e) => graph.nonconformance(e),
        Event::DispositionDecided(e) => graph.decided(e),
        Event::ModelRegistered(e) => {
            let model = graph.node(NodeKind::Model, e.model.as_str());
            graph.describe(model, Some(&e.description), Attributes::new().set("kind", e.kind));
        }
        Event::ModelVersionCreated(e) => graph.version_created(e),
        Event::ModelDeployed(e) => graph.deployed(e),
        Event::DeploymentRetired(e) => {
            let deployment = graph.node(NodeKind::Deployment, e.deployment.as_str());
            graph.describe(deployment, None, Attributes::new().set("status", "retired"));
        }
        Event::PredictionMade(e) => graph.predicted(e),
        _ => {}
    }
}

/// Attributes of one fact, in the order in which they are said.
struct Attributes(Vec<(Cow<'static, str>, Attribute)>);

impl Attributes {
    const fn new() -> Self {
        Self(Vec::new())
    }

    fn set(mut self, name: &'static str, value: impl Serialize) -> Self {
        // Only numbers that JSON cannot say fail here; such an attribute is shown as null.
        let value = serde_json::to_value(value).unwrap_or(Value::Null);
        self.0.push((Cow::Borrowed(name), Attribute::Set(value)));
        self
    }

    fn maybe(self, name: &'static str, value: Option<impl Serialize>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }

    fn add(mut self, name: &'static str, value: Option<f64>) -> Self {
        if let Some(value) = value {
            self.0.push((Cow::Borrowed(name), Attribute::Add(value)));
        }
        self
    }

    fn time(self, name: &'static str, entry: &Entry) -> Self {
        self.maybe(name, entry.event_time)
    }
}

struct Graph<'a> {
    genealogy: &'a mut Genealogy,
    entry: &'a Entry,
}

impl Graph<'_> {
    fn node(&mut self, kind: NodeKind, id: &str) -> u32 {
        self.genealogy.intern(self.entry, kind, id)
    }

    fn lot(&mut self, id: &LotId) -> u32 {
        self.node(NodeKind::Lot, id.as_str())
    }

    fn order(&mut self, id: &OrderId) -> u32 {
        self.node(NodeKind::Order, id.as_str())
    }

    fn asset(&mut self, id: &AssetId) -> u32 {
        self.node(NodeKind::Asset, id.as_str())
    }

    fn person(&mut self, id: &PersonId) -> u32 {
        self.node(NodeKind::Person, id.as_str())
    }

    fn describe(&mut self, node: u32, label: Option<&Text>, attributes: Attributes) {
        self.genealogy.describe(self.entry, node, label, attributes.0);
    }

    fn join(&mut self, from: u32, relation: Relation, to: u32) {
        self.join_part(from, relation, to, (None, None, None));
    }

    fn join_part(
        &mut self,
        from: u32,
        relation: Relation,
        to: u32,
        (interval, onto, quantity): (Option<Interval>, Option<Interval>, Option<Quantity>),
    ) {
        let position = self.entry.position;
        self.genealogy.join(Edge { from, to, relation, interval, onto, quantity, position });
    }

    fn product(&mut self, material: &MaterialId, of: u32) {
        let material = self.node(NodeKind::Material, material.as_str());
        self.join(material, Relation::ProductOf, of);
    }

    fn lot_status(&mut self, lot: &LotId, attributes: Attributes) {
        let lot = self.lot(lot);
        self.describe(lot, None, attributes);
    }

    /// Where and by whom an order was started or an operation performed.
    fn performed(&mut self, what: u32, asset: Option<&AssetId>, person: Option<&PersonId>, quantity: Option<Quantity>) {
        if let Some(asset) = asset {
            let asset = self.asset(asset);
            self.join_part(asset, Relation::PerformedAt, what, (None, None, quantity.clone()));
        }
        if let Some(person) = person {
            let person = self.person(person);
            self.join_part(person, Relation::PerformedBy, what, (None, None, quantity));
        }
    }

    fn order_created(&mut self, e: &OrderCreated) {
        let order = self.order(&e.order);
        let attributes = Attributes::new()
            .set("product", &e.product)
            .maybe("ordered", e.quantity.as_ref())
            .maybe("customer", e.customer.as_ref())
            .maybe("due", e.due)
            .set("status", "created");
        self.describe(order, e.note.as_ref(), attributes);
        self.product(&e.product, order);
        if let Some(parent) = &e.parent {
            let parent = self.order(parent);
            self.join(parent, Relation::HasPart, order);
        }
    }

    fn operation_reported(&mut self, e: &OperationReported) {
        let order = self.order(&e.order);
        let operation = self.node(NodeKind::Operation, &format!("{}/{}", e.order, e.operation));
        let attributes = Attributes::new()
            .set("operation", &e.operation)
            .add("reports", Some(1.0))
            .add("completed", e.completed)
            .add("review", e.review)
            .add("rejected", e.rejected)
            .add("rework_reports", (e.rework == Some(true)).then_some(1.0));
        self.describe(operation, Some(&Text::guessed(e.operation.as_str())), attributes);
        let completed = e.completed.map(|completed| Quantity::new(completed, Unit::one()));
        self.join_part(order, Relation::HasOperation, operation, (None, None, completed.clone()));
        self.performed(operation, e.asset.as_ref(), e.person.as_ref(), completed);
    }

    fn lot_created(&mut self, e: &LotCreated) {
        let lot = self.lot(&e.lot);
        let attributes = Attributes::new()
            .set("kind", e.kind)
            .set("material", &e.material)
            .maybe("quantity", e.quantity.as_ref())
            .maybe("supplier", e.supplier.as_ref());
        self.describe(lot, None, attributes);
        self.product(&e.material, lot);
        if let Some(order) = &e.order {
            let order = self.order(order);
            self.join(order, Relation::OrderOf, lot);
        }
    }

    fn consumed(&mut self, e: &MaterialConsumed) {
        let (lot, order) = (self.lot(&e.lot), self.order(&e.order));
        match &e.into {
            Some(into) => {
                let into = self.lot(into);
                self.join_part(lot, Relation::WentInto, into, (e.interval, None, e.quantity.clone()));
                self.join(lot, Relation::UsedBy, order);
            }
            None => self.join_part(lot, Relation::ConsumedBy, order, (e.interval, None, e.quantity.clone())),
        }
        if let Some(asset) = &e.asset {
            let asset = self.asset(asset);
            self.join(lot, Relation::FedTo, asset);
        }
    }

    fn produced(&mut self, e: &MaterialProduced) {
        let (lot, order) = (self.lot(&e.lot), self.order(&e.order));
        // Where the origin is known lot by lot, the way through the order would lead to lots that did not go in.
        let relation = if e.from.is_empty() { Relation::Produced } else { Relation::OrderOf };
        self.join_part(order, relation, lot, (None, None, e.quantity.clone()));
        self.origins(&e.from, Relation::WentInto, lot, |_| None);
        self.describe(
            lot,
            None,
            Attributes::new().maybe("produced", e.quantity.as_ref()).time("produced_at", self.entry),
        );
        self.made(lot, e.asset.as_ref(), e.person.as_ref());
    }

    fn made(&mut self, lot: u32, asset: Option<&AssetId>, person: Option<&PersonId>) {
        if let Some(asset) = asset {
            let asset = self.asset(asset);
            self.join(asset, Relation::MadeOn, lot);
        }
        if let Some(person) = person {
            let person = self.person(person);
            self.join(person, Relation::MadeBy, lot);
        }
    }

    fn origins(&mut self, from: &[Origin], relation: Relation, to: u32, onto: impl Fn(usize) -> Option<Interval>) {
        for (index, origin) in from.iter().enumerate() {
            let lot = self.lot(&origin.lot);
            self.join_part(lot, relation, to, (origin.interval, onto(index), origin.quantity.clone()));
        }
    }

    fn split(&mut self, e: &LotSplit) {
        let lot = self.lot(&e.lot);
        for part in &e.into {
            let new = self.lot(&part.lot);
            let onto = part.interval.map(|interval| Interval { start_m: 0.0, end_m: interval.length_m() });
            self.join_part(lot, Relation::SplitInto, new, (part.interval, onto, part.quantity.clone()));
        }
    }

    fn merged(&mut self, e: &LotsMerged) {
        let lot = self.lot(&e.lot);
        self.describe(lot, None, Attributes::new().maybe("quantity", e.quantity.as_ref()));
        self.origins(&e.from, Relation::MergedInto, lot, |_| None);
    }

    fn warped(&mut self, e: &WarpingCompleted) {
        let (beam, order) = (self.lot(&e.beam), self.order(&e.order));
        let attributes = Attributes::new()
            .set("kind", domain::events::LotKind::WarpBeam)
            .set("ends", e.ends)
            .set("length_m", e.length_m)
            .set("tex", e.tex);
        self.describe(beam, None, attributes.time("produced_at", self.entry));
        // The ends of a beam run side by side: each origin is in every metre of it.
        self.origins(&e.from, Relation::WarpedOnto, beam, |_| whole(e.length_m));
        self.join(order, Relation::OrderOf, beam);
        self.made(beam, Some(&e.asset), None);
    }

    fn sized(&mut self, e: &SizingCompleted) {
        let (beam, order) = (self.lot(&e.beam), self.order(&e.order));
        let attributes = Attributes::new()
            .set("kind", domain::events::LotKind::WeaverBeam)
            .set("ends", e.ends)
            .set("length_m", e.length_m)
            .maybe("size_percent", e.size_percent);
        self.describe(beam, None, attributes.time("produced_at", self.entry));
        // Warp beams run side by side through the sizing machine: each is in every metre of the weaver's beam.
        self.origins(&e.from, Relation::SizedOnto, beam, |_| whole(e.length_m));
        self.join(order, Relation::OrderOf, beam);
        self.made(beam, Some(&e.asset), None);
    }

    fn doffed(&mut self, e: &ClothDoffed) {
        let (roll, order) = (self.lot(&e.roll), self.order(&e.order));
        let attributes = Attributes::new()
            .set("kind", domain::events::LotKind::Roll)
            .set("product", &e.product)
            .set("length_m", e.length_m)
            .set("picks", e.picks);
        self.describe(roll, None, attributes.time("produced_at", self.entry));
        let stretches = one_after_another(&e.beams, e.length_m);
        self.origins(&e.beams, Relation::WovenInto, roll, |index| stretches.get(index).copied());
        for weft in &e.wefts {
            let weft = self.lot(weft);
            self.join(weft, Relation::WeftOf, roll);
        }
        self.join(order, Relation::OrderOf, roll);
        self.product(&e.product, roll);
        self.made(roll, Some(&e.asset), e.person.as_ref());
    }

    fn inspected(&mut self, e: &InspectionRecorded) {
        let inspection = self.node(NodeKind::Inspection, e.inspection.as_str());
        let points: u64 = e
            .defects
            .iter()
            .map(|defect| u64::from(defect.points.unwrap_or(0)) * u64::from(defect.count.unwrap_or(1)))
            .sum();
        let attributes = Attributes::new()
            .set("verdict", e.verdict)
            .set("defects", e.defects.len())
            .set("points", points)
            .set("measurements", e.measurements.len())
            .time("inspected_at", self.entry);
        self.describe(inspection, None, attributes);
        if let Some(lot) = &e.lot {
            let lot = self.lot(lot);
            self.join(lot, Relation::InspectedIn, inspection);
        }
        if let Some(order) = &e.order {
            let order = self.order(order);
            self.join(order, Relation::InspectedIn, inspection);
        }
        if let Some(asset) = &e.asset {
            let asset = self.asset(asset);
            self.join(asset, Relation::InspectedIn, inspection);
        }
        if let Some(person) = &e.person {
            let person = self.person(person);
            self.join(person, Relation::InspectedBy, inspection);
        }
    }

    fn nonconformance(&mut self, e: &NonconformanceRaised) {
        let nonconformance = self.node(NodeKind::Nonconformance, e.nonconformance.as_str());
        self.describe(
            nonconformance,
            e.description.as_ref(),
            Attributes::new().set("code", &e.code).set("status", "open"),
        );
        let inspection = e.inspection.as_ref().map(|id| self.node(NodeKind::Inspection, id.as_str()));
        let lot = e.lot.as_ref().map(|id| self.lot(id));
        let order = e.order.as_ref().map(|id| self.order(id));
        let asset = e.asset.as_ref().map(|id| self.asset(id));
        for from in [inspection, lot, order, asset].into_iter().flatten() {
            self.join(from, Relation::FoundIn, nonconformance);
        }
    }

    fn decided(&mut self, e: &DispositionDecided) {
        let nonconformance = self.node(NodeKind::Nonconformance, e.nonconformance.as_str());
        let attributes = Attributes::new().set("disposition", e.disposition).set("status", "decided");
        self.describe(nonconformance, None, attributes.maybe("decided_by", e.person.as_ref()));
        if let Some(lot) = &e.lot {
            let lot = self.lot(lot);
            self.join(lot, Relation::FoundIn, nonconformance);
        }
    }

    fn version_created(&mut self, e: &ModelVersionCreated) {
        let model = self.node(NodeKind::Model, e.model.as_str());
        let version = self.node(NodeKind::ModelVersion, &version_id(e.model.as_str(), e.version));
        let attributes = Attributes::new()
            .set("model", &e.model)
            .set("version", e.version)
            .set("runtime", &e.runtime)
            .maybe("trained_on", e.trained_on.as_ref())
            .set("artifacts", &e.artifacts)
            .set("metrics", &e.metrics);
        self.describe(version, e.note.as_ref(), attributes);
        self.join(model, Relation::HasVersion, version);
    }

    fn deployed(&mut self, e: &ModelDeployed) {
        let version = self.node(NodeKind::ModelVersion, &version_id(e.model.as_str(), e.version));
        let deployment = self.node(NodeKind::Deployment, e.deployment.as_str());
        let attributes = Attributes::new()
            .set("model", &e.model)
            .set("version", e.version)
            .set("target", &e.target)
            .set("period_s", e.period_s)
            .set("status", "running");
        self.describe(deployment, e.reason.as_ref(), attributes);
        self.join(version, Relation::DeployedAs, deployment);
        if let Target::Asset(asset) = &e.target {
            let asset = self.asset(asset);
            self.join(deployment, Relation::RunsOn, asset);
        }
    }

    fn predicted(&mut self, e: &PredictionMade) {
        let prediction = self.node(NodeKind::Prediction, &self.entry.id.to_string());
        let attributes = Attributes::new()
            .set("version", e.version)
            .set("outputs", &e.outputs)
            .maybe("unavailable", e.unavailable.as_ref())
            .time("made_for", self.entry);
        self.describe(prediction, None, attributes);
        for input in &e.inputs {
            self.node(NodeKind::Signal, input.signal.as_str());
        }
        let inputs = e.inputs.iter().map(|input| UsedReading {
            signal: input.signal.as_str().into(),
            position: eventlog::Position::new(input.position),
            row: input.row,
            value: input.value,
        });
        let inputs = inputs.collect();
        self.genealogy.note_prediction(self.entry, prediction, inputs);
        let version = self.node(NodeKind::ModelVersion, &version_id(e.model.as_str(), e.version));
        self.join(version, Relation::Predicted, prediction);
        let deployment = self.node(NodeKind::Deployment, e.deployment.as_str());
        self.join(deployment, Relation::MadeByDeployment, prediction);
        let asset = self.asset(&e.asset);
        self.join(asset, Relation::About, prediction);
    }
}

fn whole(length_m: f64) -> Option<Interval> {
    (length_m > 0.0).then_some(Interval { start_m: 0.0, end_m: length_m })
}

/// The stretches of a roll that its beams became: one after another, in proportion to the warp of each. Unknown when any stretch of warp is.
fn one_after_another(beams: &[Origin], length_m: f64) -> Vec<Interval> {
    let lengths: Option<Vec<f64>> = beams.iter().map(|origin| origin.interval.map(|i| i.length_m())).collect();
    let Some(lengths) = lengths else { return Vec::new() };
    let total: f64 = lengths.iter().sum();
    if !(total > 0.0 && length_m > 0.0) {
        return Vec::new();
    }
    let mut warp_m = 0.0;
    let mut stretches = Vec::with_capacity(lengths.len());
    for length in lengths {
        let start_m = warp_m / total * length_m;
        warp_m += length;
        stretches.push(Interval { start_m, end_m: warp_m / total * length_m });
    }
    stretches
}
