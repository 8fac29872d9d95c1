use domain::events::*;
use domain::ids::*;
use domain::{Event, Interval, Text};
use eventlog::Position;

use super::{TraceAnswer, TraceDirection, TraceRequest, query};
use crate::folds::genealogy::{Genealogy, NodeKind, Relation};
use crate::testing::{entries, entry, id, metres, origin, time};
use crate::{AsOf, Fold};

fn lot(name: &str) -> LotId {
    LotId::new(name).unwrap()
}

fn order(name: &str) -> OrderId {
    OrderId::new(name).unwrap()
}

fn asset(name: &str) -> AssetId {
    AssetId::new(name).unwrap()
}

fn warped(beam: &str, from: &[&str]) -> Event {
    let from = from.iter().map(|yarn| origin(yarn, None)).collect();
    WarpingCompleted {
        order: order("warping"),
        asset: asset("warper"),
        beam: lot(beam),
        from,
        ends: 600,
        length_m: 6000.0,
        tex: 14.6,
    }
    .into()
}

fn sized(beam: &str, from: Vec<Origin>) -> Event {
    SizingCompleted {
        order: order("sizing"),
        asset: asset("sizer"),
        beam: lot(beam),
        from,
        ends: 1200,
        length_m: 3000.0,
        size_percent: None,
    }
    .into()
}

fn doffed(roll: &str, loom: &str, beams: Vec<Origin>, wefts: &[&str]) -> Event {
    ClothDoffed {
        asset: asset(loom),
        roll: lot(roll),
        order: order("weaving"),
        product: MaterialId::new("poplin").unwrap(),
        picks: 250_000,
        length_m: 100.0,
        beams,
        wefts: wefts.iter().map(|name| lot(name)).collect(),
        person: None,
    }
    .into()
}

fn shipped(roll: &str, shipment: &str) -> Event {
    LotShipped { lot: lot(roll), shipment: ShipmentId::new(shipment).unwrap(), customer: None }.into()
}

/// Two yarn lots are warped onto one beam each; each weaver's beam takes one half of both warp beams; rolls are cut from stretches of the weaver's
/// beams, and one roll spans a tie-in from W1 to W2.
fn mill() -> Genealogy {
    let both = |start, end| vec![origin("V1", metres(start, end)), origin("V2", metres(start, end))];
    fold(vec![
        /* 0 */ warped("V1", &["Y1"]),
        /* 1 */ warped("V2", &["Y2"]),
        /* 2 */ sized("W1", both(0.0, 3000.0)),
        /* 3 */ sized("W2", both(3000.0, 6000.0)),
        /* 4 */ doffed("R1", "loom-1", vec![origin("W1", metres(0.0, 110.0))], &["F1"]),
        /* 5 */ doffed("R2", "loom-1", vec![origin("W1", metres(110.0, 220.0))], &["F1", "F2"]),
        /* 6 */
        doffed("R3", "loom-1", vec![origin("W1", metres(2950.0, 3000.0)), origin("W2", metres(0.0, 50.0))], &["F2"]),
        /* 7 */ doffed("R4", "loom-1", vec![origin("W2", metres(50.0, 160.0))], &["F2"]),
        /* 8 */ shipped("R1", "T1"),
        /* 9 */ shipped("R2", "T1"),
        /* 10 */ shipped("R4", "T2"),
    ])
}

fn fold(events: Vec<Event>) -> Genealogy {
    let mut genealogy = Genealogy::default();
    entries(events).iter().for_each(|entry| genealogy.apply(entry));
    genealogy
}

fn trace(genealogy: &Genealogy, kind: NodeKind, id: &str, direction: TraceDirection) -> TraceAnswer {
    query(genealogy, &TraceRequest { direction, ..TraceRequest::new(kind, id) }).unwrap()
}

fn positions(answer: &TraceAnswer) -> Vec<u64> {
    answer.events.iter().map(|position| position.get()).collect()
}

#[test]
fn back_from_a_roll_reaches_its_beam_and_yarn_and_no_other_roll() {
    let answer = trace(&mill(), NodeKind::Lot, "R2", TraceDirection::Back);
    assert_eq!(answer.ids(NodeKind::Lot), ["F1", "F2", "R2", "V1", "V2", "W1", "Y1", "Y2"]);
    assert_eq!(answer.ids(NodeKind::Asset), ["loom-1", "sizer", "warper"]);
    assert_eq!(answer.ids(NodeKind::Order), ["sizing", "warping", "weaving"]);
    assert_eq!(answer.ids(NodeKind::Shipment), Vec::<&str>::new());
    // Its warp beams, its weaver's beam, its doffing and its shipment; nothing of any other roll.
    assert_eq!(positions(&answer), [0, 1, 2, 5, 9]);
    assert!(!answer.truncated);
    assert_eq!(answer.nodes[0].id, "R2");
}

#[test]
fn back_by_metres_narrows_the_stretch_of_each_beam() {
    let answer = trace(&mill(), NodeKind::Lot, "R4", TraceDirection::Back);
    let stretches = |id: &str| answer.nodes.iter().find(|node| node.id == id).unwrap().stretches.clone();
    assert_eq!(stretches("W2"), [Interval { start_m: 50.0, end_m: 160.0 }]);
    // 3,000 m of each warp beam became 3,000 m of the weaver's beam, from metre 3,000 on.
    assert_eq!(stretches("V1"), [Interval { start_m: 3050.0, end_m: 3160.0 }]);
    assert_eq!(stretches("V2"), [Interval { start_m: 3050.0, end_m: 3160.0 }]);
    assert_eq!(stretches("Y1"), []);
    assert_eq!(answer.ids(NodeKind::Lot), ["F2", "R4", "V1", "V2", "W2", "Y1", "Y2"]);
}

#[test]
fn forward_from_yarn_reaches_everything_that_it_is_in() {
    let answer = trace(&mill(), NodeKind::Lot, "Y1", TraceDirection::Forward);
    assert_eq!(answer.ids(NodeKind::Lot), ["R1", "R2", "R3", "R4", "V1", "W1", "W2", "Y1"]);
    assert_eq!(answer.ids(NodeKind::Shipment), ["T1", "T2"]);
}

#[test]
fn forward_from_a_stretch_of_a_warp_beam_reaches_only_the_rolls_of_that_stretch() {
    let genealogy = mill();
    let forward = |stretch| {
        let request =
            TraceRequest { direction: TraceDirection::Forward, stretch, ..TraceRequest::new(NodeKind::Lot, "V1") };
        query(&genealogy, &request).unwrap()
    };
    assert_eq!(forward(metres(100.0, 150.0)).ids(NodeKind::Lot), ["R1", "R2", "V1", "W1"]);
    assert_eq!(forward(metres(2960.0, 3040.0)).ids(NodeKind::Lot), ["R3", "V1", "W1", "W2"]);
    assert_eq!(forward(metres(3060.0, 3061.0)).ids(NodeKind::Lot), ["R4", "V1", "W2"]);
    assert_eq!(forward(metres(3060.0, 3061.0)).ids(NodeKind::Shipment), ["T2"]);
    assert_eq!(forward(metres(1000.0, 2000.0)).ids(NodeKind::Lot), ["V1", "W1"]);
}

#[test]
fn a_stretch_of_a_roll_over_a_tie_in_comes_from_one_beam() {
    let genealogy = mill();
    let back = |stretch| {
        let request =
            TraceRequest { direction: TraceDirection::Back, stretch, ..TraceRequest::new(NodeKind::Lot, "R3") };
        query(&genealogy, &request).unwrap()
    };
    assert_eq!(back(None).ids(NodeKind::Lot), ["F2", "R3", "V1", "V2", "W1", "W2", "Y1", "Y2"]);
    assert_eq!(back(metres(0.0, 50.0)).ids(NodeKind::Lot), ["F2", "R3", "V1", "V2", "W1", "Y1", "Y2"]);
    assert_eq!(back(metres(60.0, 70.0)).ids(NodeKind::Lot), ["F2", "R3", "V1", "V2", "W2", "Y1", "Y2"]);
}

#[test]
fn back_from_a_shipment_and_forward_from_a_loom() {
    let genealogy = mill();
    let shipment = trace(&genealogy, NodeKind::Shipment, "T1", TraceDirection::Back);
    assert_eq!(shipment.ids(NodeKind::Lot), ["F1", "F2", "R1", "R2", "V1", "V2", "W1", "Y1", "Y2"]);
    let loom = trace(&genealogy, NodeKind::Asset, "loom-1", TraceDirection::Forward);
    assert_eq!(loom.ids(NodeKind::Lot), ["R1", "R2", "R3", "R4"]);
    assert_eq!(loom.ids(NodeKind::Shipment), ["T1", "T2"]);
    let sizer = trace(&genealogy, NodeKind::Asset, "sizer", TraceDirection::Forward);
    assert_eq!(sizer.ids(NodeKind::Lot), ["R1", "R2", "R3", "R4", "W1", "W2"]);
}

#[test]
fn as_of_leaves_out_what_came_later() {
    let genealogy = mill();
    let as_of = AsOf::through(Position::new(5));
    let request = TraceRequest { direction: TraceDirection::Forward, as_of, ..TraceRequest::new(NodeKind::Lot, "Y2") };
    assert_eq!(query(&genealogy, &request).unwrap().ids(NodeKind::Lot), ["R1", "R2", "V2", "W1", "W2", "Y2"]);
    assert!(query(&genealogy, &TraceRequest { as_of, ..TraceRequest::new(NodeKind::Lot, "R3") }).is_err());
}

#[test]
fn depth_and_nodes_are_limited_and_said_so() {
    let genealogy = mill();
    let one = TraceRequest { depth: 1, direction: TraceDirection::Forward, ..TraceRequest::new(NodeKind::Lot, "Y1") };
    let answer = query(&genealogy, &one).unwrap();
    assert_eq!((answer.ids(NodeKind::Lot), answer.truncated), (vec!["V1", "Y1"], true));
    let few = TraceRequest { limit: 3, ..TraceRequest::new(NodeKind::Lot, "R2") };
    let answer = query(&genealogy, &few).unwrap();
    assert_eq!((answer.nodes.len(), answer.truncated), (3, true));
    // Every edge joins two nodes of the answer.
    assert!(
        answer
            .edges
            .iter()
            .all(|edge| [&edge.from, &edge.to].iter().all(|end| answer.nodes.iter().any(|node| node.id == end.id)))
    );
}

#[test]
fn cycles_end() {
    let merge = |into: &str, from: &str, interval| -> Event {
        LotsMerged { lot: lot(into), from: vec![origin(from, interval)], quantity: None }.into()
    };
    let split = |of: &str, into: &str| -> Event {
        LotSplit { lot: lot(of), into: vec![LotPart { lot: lot(into), quantity: None, interval: metres(0.0, 50.0) }] }
            .into()
    };
    let genealogy = fold(vec![
        merge("A", "B", metres(0.0, 10.0)),
        merge("B", "C", None),
        merge("C", "A", None),
        split("A", "A"),
        split("A", "B"),
    ]);
    for direction in [TraceDirection::Back, TraceDirection::Forward, TraceDirection::Both] {
        for stretch in [None, metres(3.0, 7.0)] {
            let request = TraceRequest { direction, stretch, ..TraceRequest::new(NodeKind::Lot, "A") };
            assert_eq!(
                query(&genealogy, &request).unwrap().ids(NodeKind::Lot),
                ["A", "B", "C"],
                "{direction:?} {stretch:?}"
            );
        }
    }
}

#[test]
fn an_order_shows_operations_machines_workers_and_quantities() {
    let report = |operation: &str, machine: &str, worker: &str, completed, rework| -> Event {
        OperationReported {
            order: order("Case1"),
            operation: Code::new(operation).unwrap(),
            asset: Some(asset(machine)),
            person: Some(PersonId::new(worker).unwrap()),
            started: None,
            ended: None,
            completed: Some(completed),
            review: None,
            rejected: None,
            rework: Some(rework),
            report: None,
        }
        .into()
    };
    let genealogy = fold(vec![
        report("turning", "M4", "ID1", 10.0, false),
        report("turning", "M5", "ID2", 5.0, true),
        report("packing", "M9", "ID1", 15.0, false),
        OperationReported { order: order("Case2"), ..case2() }.into(),
    ]);
    let answer = trace(&genealogy, NodeKind::Order, "Case1", TraceDirection::Back);
    assert_eq!(answer.ids(NodeKind::Operation), ["Case1/packing", "Case1/turning"]);
    assert_eq!(answer.ids(NodeKind::Asset), ["M4", "M5", "M9"]);
    assert_eq!(answer.ids(NodeKind::Person), ["ID1", "ID2"]);
    assert_eq!(answer.ids(NodeKind::Order), ["Case1"]);
    assert_eq!(positions(&answer), [0, 1, 2]);
    let turning = answer.nodes.iter().find(|node| node.id == "Case1/turning").unwrap();
    assert_eq!(turning.attributes["completed"], 15.0);
    assert_eq!(turning.attributes["rework_reports"], 1.0);
}

fn case2() -> OperationReported {
    OperationReported {
        order: order("Case2"),
        operation: Code::new("turning").unwrap(),
        asset: Some(asset("M4")),
        person: None,
        started: None,
        ended: None,
        completed: Some(1.0),
        review: None,
        rejected: None,
        rework: None,
        report: None,
    }
}

#[test]
fn a_prediction_names_its_version_and_its_readings() {
    let model = ModelName::new("bearing").unwrap();
    let deployment = DeploymentId::new("D1").unwrap();
    let version = |version| -> Event {
        ModelVersionCreated {
            model: model.clone(),
            version,
            runtime: Code::new("candle").unwrap(),
            inputs: vec![],
            outputs: vec![],
            artifacts: vec![],
            trained_on: None,
            metrics: indexmap::IndexMap::new(),
            note: Some(Text::guessed("first")),
            author: None,
            source: None,
            run: None,
            logged_model: None,
            lineage: None,
        }
        .into()
    };
    let deployed = |version| -> Event {
        ModelDeployed {
            deployment: deployment.clone(),
            model: model.clone(),
            version,
            target: Target::Asset(asset("loom-1")),
            period_s: 10,
            replaces: None,
            person: None,
            reason: None,
            checked: None,
        }
        .into()
    };
    let predicted: Event = PredictionMade {
        deployment: deployment.clone(),
        model: model.clone(),
        version: 1,
        asset: asset("loom-1"),
        inputs: vec![InputUsed {
            name: Code::new("vibration").unwrap(),
            signal: SignalId::new("loom-1.vibration").unwrap(),
            position: 2,
            row: 7,
            value: 0.4,
        }],
        outputs: indexmap::IndexMap::from([("risk".to_owned(), 0.9)]),
        unavailable: None,
    }
    .into();
    let mut genealogy = Genealogy::default();
    for (position, event) in [(0, version(1)), (1, deployed(1)), (3, predicted), (4, version(2)), (5, deployed(2))] {
        genealogy.apply(&entry(position, Some(time(1)), event));
    }
    for name in [id(3).to_string(), "3".to_owned()] {
        let answer = trace(&genealogy, NodeKind::Prediction, &name, TraceDirection::Back);
        assert_eq!(answer.ids(NodeKind::ModelVersion), ["bearing@1"]);
        assert_eq!(answer.ids(NodeKind::Deployment), ["D1"]);
        assert_eq!(answer.ids(NodeKind::Asset), ["loom-1"]);
        assert_eq!(answer.ids(NodeKind::Signal), ["loom-1.vibration"]);
        let input = answer.edges.iter().find(|edge| edge.relation == Relation::InputOf).unwrap();
        assert_eq!((input.position, input.row), (Position::new(2), Some(7)));
        assert!(answer.events.contains(&Position::new(2)));
    }
    let forward = trace(&genealogy, NodeKind::ModelVersion, "bearing/1", TraceDirection::Forward);
    assert_eq!(forward.ids(NodeKind::Prediction), [id(3).to_string()]);
    assert_eq!(
        trace(&genealogy, NodeKind::ModelVersion, "bearing@2", TraceDirection::Forward).ids(NodeKind::Prediction),
        Vec::<&str>::new()
    );
    let about = trace(&genealogy, NodeKind::Asset, "loom-1", TraceDirection::Both);
    assert_eq!(about.ids(NodeKind::Prediction), [id(3).to_string()]);
}
