//! How fast the read models follow, and how long a trace takes. Prints figures; asserts only that it measured what it says.

#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::time::Instant;

use domain::events::{
    ClothDoffed, FaultCoded, FaultObserved, InspectionRecorded, LotShipped, MachineState, MachineStateChanged, Origin,
    SizingCompleted, Verdict, WarpingCompleted,
};
use domain::ids::{AssetId, Code, FaultId, InspectionId, LotId, MaterialId, OrderId, ShipmentId};
use domain::{Event, Interval, Text};
use eventlog::{EventId, Position, Record, Revision};
use jiff::{SignedDuration, Timestamp};
use projections::folds::genealogy::NodeKind;
use projections::trace::{TraceDirection, TraceRequest, query};
use projections::{Entry, Folds, Meta, seal};

/// Rolls of a weaver's beam, and how many beams: together 100,000 lots and more.
const ROLLS_OF_A_BEAM: u64 = 30;
const BEAMS: u64 = 3_216;
const LOOMS: u64 = 24;

fn main() {
    let events = mill();
    let records: Vec<Record> = events
        .into_iter()
        .zip(0_u64..)
        .map(|(event, position)| {
            let time = Timestamp::from_second(1_750_000_000).unwrap() + SignedDuration::from_mins(position as i64);
            let mut meta = Meta::own("bench", Some(time));
            meta.id = EventId::derived("bench", &position.to_string());
            Record::from_new(seal(&event, meta).unwrap(), Position::new(position), Revision::START, time)
        })
        .collect();
    let count = records.len();

    let started = Instant::now();
    let entries: Vec<Entry> = records.into_iter().map(Entry::decode).collect();
    rate("decode", count, started);

    let started = Instant::now();
    let mut folds = Folds::default();
    entries.iter().for_each(|entry| folds.apply(entry));
    rate("all folds", count, started);

    let started = Instant::now();
    let digests = folds.digests();
    println!("{} digests: {:.0} ms", digests.len(), started.elapsed().as_secs_f64() * 1e3);

    let genealogy = &folds.genealogy;
    let lots = genealogy.ids(NodeKind::Lot, Default::default()).count();
    println!("genealogy: {} nodes and {} edges, {lots} lots", genealogy.len().0, genealogy.len().1);
    assert!(lots >= 100_000, "the graph is smaller than it claims to be");
    traces(&folds, "back from a roll", TraceDirection::Back, |n| {
        (NodeKind::Lot, format!("R{}-{}", n % BEAMS, n % ROLLS_OF_A_BEAM))
    });
    traces(&folds, "forward from a yarn lot", TraceDirection::Forward, |n| {
        (NodeKind::Lot, format!("Y{}", n % (BEAMS / 16)))
    });
    traces(&folds, "both from a weaver's beam", TraceDirection::Both, |n| (NodeKind::Lot, format!("W{}", n % BEAMS)));

    let started = Instant::now();
    let episodes = folds.episodes.at(Default::default()).count();
    println!("{episodes} episodes viewed in {:.1} ms", started.elapsed().as_secs_f64() * 1e3);
}

fn rate(what: &str, count: usize, started: Instant) {
    let seconds = started.elapsed().as_secs_f64();
    println!("{what}: {count} events in {seconds:.2} s = {:.0}/s", count as f64 / seconds);
}

fn traces(folds: &Folds, what: &str, direction: TraceDirection, name: impl Fn(u64) -> (NodeKind, String)) {
    let mut micros = Vec::new();
    let mut nodes = 0;
    for number in 0..500 {
        let (kind, id) = name(number * 7);
        let request = TraceRequest { direction, limit: 5_000, ..TraceRequest::new(kind, &id) };
        let started = Instant::now();
        let answer = query(&folds.genealogy, &request).unwrap();
        micros.push(started.elapsed().as_secs_f64() * 1e6);
        nodes += answer.nodes.len();
    }
    micros.sort_by(f64::total_cmp);
    println!("{what}: median {:.0} µs, p99 {:.0} µs, {} nodes on average", micros[250], micros[495], nodes / 500);
}

/// Sixteen weaver's beams from each pair of warp beams, thirty rolls from each, one in ten with a fault on its loom.
fn mill() -> Vec<Event> {
    let lot = |name: String| LotId::new(&name).unwrap();
    let asset = |name: String| AssetId::new(&name).unwrap();
    let order = || OrderId::new("O1").unwrap();
    let origin = |name: String, start_m: f64, end_m: f64| Origin {
        lot: lot(name),
        interval: Some(Interval { start_m, end_m }),
        quantity: None,
    };
    let mut events: Vec<Event> = Vec::new();
    for set in 0..BEAMS / 16 {
        let from = vec![Origin { lot: lot(format!("Y{set}")), interval: None, quantity: None }];
        let beam = lot(format!("V{set}"));
        let warped = WarpingCompleted {
            order: order(),
            asset: asset("warper".into()),
            beam,
            from,
            ends: 600,
            length_m: 48_000.0,
            tex: 14.6,
        };
        events.push(warped.into());
        for part in 0..16 {
            let number = set * 16 + part;
            let start_m = part as f64 * 3_000.0;
            let from = vec![origin(format!("V{set}"), start_m, start_m + 3_000.0)];
            let beam = lot(format!("W{number}"));
            let sized = SizingCompleted {
                order: order(),
                asset: asset("sizer".into()),
                beam,
                from,
                ends: 4_800,
                length_m: 3_000.0,
                size_percent: None,
            };
            events.push(sized.into());
            for roll in 0..ROLLS_OF_A_BEAM {
                rolled(
                    &mut events,
                    number,
                    roll,
                    origin(format!("W{number}"), roll as f64 * 100.0, (roll + 1) as f64 * 100.0),
                );
            }
        }
    }
    events
}

fn rolled(events: &mut Vec<Event>, beam: u64, number: u64, origin: Origin) {
    let loom = AssetId::new(&format!("LOOM-{:02}", beam % LOOMS)).unwrap();
    let roll = LotId::new(&format!("R{beam}-{number}")).unwrap();
    let product = MaterialId::new("poplin").unwrap();
    events.push(MachineStateChanged { asset: loom.clone(), state: MachineState::Running, reason: None }.into());
    if number.is_multiple_of(10) {
        let fault = FaultId::new(&format!("F{beam}-{number}")).unwrap();
        let symptoms = Text::guessed("weft does not arrive");
        events.push(
            FaultObserved {
                fault: fault.clone(),
                asset: loom.clone(),
                symptoms,
                alarms: vec![],
                detection: None,
                impact: None,
                product: None,
                person: None,
            }
            .into(),
        );
        let mode = Code::new("nozzle_clogged").unwrap();
        events.push(
            FaultCoded { fault, asset: loom.clone(), mode, mechanism: None, cause: None, item: None, person: None }
                .into(),
        );
    }
    events.push(
        ClothDoffed {
            asset: loom.clone(),
            roll: roll.clone(),
            order: OrderId::new("O1").unwrap(),
            product,
            picks: 250_000,
            length_m: 94.0,
            beams: vec![origin],
            wefts: vec![LotId::new(&format!("F{}", beam % 40)).unwrap()],
            person: None,
        }
        .into(),
    );
    let inspection = InspectionId::new(&format!("I{beam}-{number}")).unwrap();
    events.push(
        InspectionRecorded {
            inspection,
            lot: Some(roll.clone()),
            order: None,
            asset: Some(loom),
            product: None,
            measurements: vec![],
            defects: vec![],
            verdict: Verdict::Pass,
            person: None,
            repeated: None,
        }
        .into(),
    );
    events.push(
        LotShipped { lot: roll, shipment: ShipmentId::new(&format!("T{}", beam / 4)).unwrap(), customer: None }.into(),
    );
}
