//! The history that the benchmarks of the knowledge bases fold.

use domain::events::{Category, FaultCoded, FaultObserved, Outcome, WorkDone, WorkOrderClosed, WorkOrderOpened};
use domain::ids::{AssetId, Code, FaultId, WorkOrderId};
use domain::{Event, Text};
use eventlog::{EventId, Position, Revision, StreamId};
use jiff::{SignedDuration, Timestamp};
use projections::{Content, Entry, Projection};
use std::sync::Arc;
use std::time::{Duration, Instant};

const BATCH: usize = 5_000;

pub const ITEMS: &[(&str, &str)] = &[
    ("主喷嘴", "main nozzle"),
    ("储纬器", "accumulator"),
    ("综框", "heald frame"),
    ("送经齿轮", "let-off gear"),
    ("主轴轴承", "main shaft bearing"),
    ("卷取辊", "take-up roller"),
    ("剪刀", "weft cutter"),
    ("经停装置", "warp stop motion"),
];
pub const SYMPTOMS: &[(&str, &str)] = &[
    ("堵塞", "clogged"),
    ("异响", "makes noise"),
    ("温度高", "is hot"),
    ("漏气", "leaks air"),
    ("不动作", "does not move"),
    ("振动大", "vibrates"),
    ("断裂", "is broken"),
    ("松动", "is loose"),
];

/// A small generator of numbers that never changes (SplitMix64).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((number ^ (number >> 31)) % u64::try_from(end).unwrap()).unwrap()
    }
}

/// Episodes of five events each: a fault, its coding, and the work order that answers it.
pub fn history(episodes: usize) -> Vec<Arc<Entry>> {
    let mut numbers = Numbers(7);
    let mut entries = Vec::new();
    let start: Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
    for episode in 0..episodes {
        let (item, symptom) = (numbers.below(ITEMS.len()), numbers.below(SYMPTOMS.len()));
        let loom = AssetId::new(&format!("LOOM-{:03}", numbers.below(200))).unwrap();
        let detail = numbers.below(10_000);
        let said = Text::new(
            &format!("{}{}，位置 {detail}", ITEMS[item].0, SYMPTOMS[symptom].0),
            &format!("{} {} at place {detail}", ITEMS[item].1, SYMPTOMS[symptom].1),
        );
        let fault = FaultId::new(&format!("F-{episode}")).unwrap();
        let order = WorkOrderId::new(&format!("W-{episode}")).unwrap();
        let code = |text: &str| Code::new(text).unwrap();
        let events: [Event; 5] = [
            FaultObserved {
                fault: fault.clone(),
                asset: loom.clone(),
                symptoms: said.clone(),
                alarms: vec![code(&format!("A-{}", 100 + item * 10 + symptom))],
                detection: None,
                impact: None,
                product: None,
                person: None,
            }
            .into(),
            FaultCoded {
                fault: fault.clone(),
                asset: loom.clone(),
                mode: code(&format!("MODE-{item}-{symptom}")),
                mechanism: None,
                cause: None,
                item: None,
                person: None,
            }
            .into(),
            WorkOrderOpened {
                work_order: order.clone(),
                asset: loom.clone(),
                fault: Some(fault.clone()),
                category: Category::Corrective,
                description: said,
                item: None,
                priority: None,
            }
            .into(),
            WorkDone {
                work_order: order.clone(),
                asset: loom.clone(),
                fault: Some(fault),
                activity: code(["replace", "repair", "clean"][numbers.below(3)]),
                item: Some(code(ITEMS[item].1)),
                text: None,
                parts: vec![],
                hours: Some(1.0),
                cost: None,
                person: None,
            }
            .into(),
            WorkOrderClosed {
                work_order: order,
                asset: loom,
                outcome: Outcome::Solved,
                hours: None,
                cost: None,
                machine_up: None,
            }
            .into(),
        ];
        for event in events {
            let position = Position::new(u64::try_from(entries.len()).unwrap());
            let time = start.checked_add(SignedDuration::from_mins(i64::try_from(episode * 30).unwrap())).unwrap();
            entries.push(Arc::new(Entry {
                position,
                revision: Revision::START,
                stream: StreamId::of(event.category(), &event.key()).unwrap(),
                id: EventId::derived("bench", &position.to_string()),
                record_time: time,
                event_time: Some(time),
                source: None,
                external_id: None,
                actor: "bench".to_owned(),
                causation_id: None,
                content: Content::Event(Box::new(event)),
            }));
        }
    }
    entries
}

/// The time to fold the entries, in batches, and to flush.
pub async fn feed(projection: &mut impl Projection, entries: &[Arc<Entry>]) -> Duration {
    let begin = Instant::now();
    for batch in entries.chunks(BATCH) {
        projection.apply(batch, batch.last().unwrap().position.next()).await.unwrap();
    }
    projection.flush().await.unwrap();
    begin.elapsed()
}

/// Prints a rate.
#[expect(clippy::cast_precision_loss, reason = "a rate needs no 52 bits")]
pub fn rate(name: &str, entries: usize, took: Duration) {
    println!(
        "{name}: {entries} events in {:.1} s, {:.0} events/s",
        took.as_secs_f64(),
        entries as f64 / took.as_secs_f64()
    );
}

/// Prints the median and the 99th percentile.
pub fn latencies(name: &str, mut taken: Vec<Duration>) {
    taken.sort();
    let at = |percent: usize| taken[(taken.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    println!("{name}: n {}, p50 {:.2} ms, p99 {:.2} ms", taken.len(), at(50), at(99));
}
