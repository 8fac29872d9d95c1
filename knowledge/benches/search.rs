//! Rates and latencies of the knowledge bases: `cargo bench --bench search -- [EPISODES]` (25,000 when absent: 50,000 records in 150,000
//! versions). Prints one line a figure.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark prints, and stops when anything fails"
)]

use std::time::{Duration, Instant};

use domain::events::{Category, FaultCoded, FaultObserved, Outcome, WorkDone, WorkOrderClosed, WorkOrderOpened};
use domain::ids::{AssetId, Code, FaultId, WorkOrderId};
use domain::{Event, Text};
use eventlog::{EventId, Position, Revision, StreamId};
use jiff::{SignedDuration, Timestamp};
use knowledge::diagnose::DiagnoseRequest;
use knowledge::record::{Kind, RecordId};
use knowledge::search_index::SearchRequest;
use knowledge::{Config, Knowledge, Models};
use projections::{Content, Entry, MemoryProjection, Projection};

const EPISODES: usize = 25_000;
const BATCH: usize = 5_000;
const QUESTIONS: usize = 400;

const ITEMS: &[(&str, &str)] = &[
    ("主喷嘴", "main nozzle"),
    ("储纬器", "accumulator"),
    ("综框", "heald frame"),
    ("送经齿轮", "let-off gear"),
    ("主轴轴承", "main shaft bearing"),
    ("卷取辊", "take-up roller"),
    ("剪刀", "weft cutter"),
    ("经停装置", "warp stop motion"),
];
const SYMPTOMS: &[(&str, &str)] = &[
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
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((number ^ (number >> 31)) % u64::try_from(end).unwrap()).unwrap()
    }
}

fn history(episodes: usize) -> Vec<Entry> {
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
            entries.push(Entry {
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
            });
        }
    }
    entries
}

async fn feed(projection: &mut impl Projection, entries: &[Entry]) -> Duration {
    let begin = Instant::now();
    for batch in entries.chunks(BATCH) {
        projection.apply(batch, batch.last().unwrap().position.next()).await.unwrap();
    }
    projection.flush().await.unwrap();
    begin.elapsed()
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no 52 bits")]
fn rate(name: &str, entries: usize, took: Duration) {
    println!(
        "{name}: {entries} events in {:.1} s, {:.0} events/s",
        took.as_secs_f64(),
        entries as f64 / took.as_secs_f64()
    );
}

fn latencies(name: &str, mut taken: Vec<Duration>) {
    taken.sort();
    let at = |percent: usize| taken[(taken.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    println!("{name}: n {}, p50 {:.2} ms, p99 {:.2} ms", taken.len(), at(50), at(99));
}

async fn search(knowledge: &Knowledge, name: &str, ask: impl Fn(&mut Numbers) -> SearchRequest) {
    let mut numbers = Numbers(11);
    let mut taken = Vec::new();
    for _ in 0..QUESTIONS {
        let request = ask(&mut numbers);
        let begin = Instant::now();
        let answer = knowledge.search(request).await.unwrap();
        taken.push(begin.elapsed());
        assert!(answer.total > 0);
    }
    latencies(name, taken);
}

fn words(numbers: &mut Numbers, chinese: bool) -> String {
    let (item, symptom) = (ITEMS[numbers.below(ITEMS.len())], SYMPTOMS[numbers.below(SYMPTOMS.len())]);
    if chinese { format!("{}{}", item.0, symptom.0) } else { format!("{} {}", item.1, symptom.1) }
}

fn main() {
    let episodes = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(EPISODES);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(run(episodes));
}

async fn run(episodes: usize) {
    let entries = history(episodes);
    let through = entries.last().unwrap().position.next();
    let dir = tempfile::tempdir().unwrap();
    let (mut facts, shared) = MemoryProjection::open(None).unwrap();
    facts.apply(&entries, through).await.unwrap();
    let (_states, states) = MemoryProjection::open(None).unwrap();
    let (_words, dictionary) = MemoryProjection::open(None).unwrap();
    let models = Models { episodes: shared, states, dictionary };
    let config = Config { data_dir: Some(dir.path().to_path_buf()), ..Config::default() };
    let (knowledge, mut stores) = Knowledge::open(&config, models).await.unwrap();
    let took = feed(&mut stores.search, &entries).await;
    rate("into Tantivy", entries.len(), took);

    search(&knowledge, "search, English words", |numbers| SearchRequest {
        q: Some(words(numbers, false)),
        ..SearchRequest::default()
    })
    .await;
    search(&knowledge, "search, Chinese words", |numbers| SearchRequest {
        q: Some(words(numbers, true)),
        ..SearchRequest::default()
    })
    .await;
    search(&knowledge, "search, code", |numbers| SearchRequest {
        q: Some(format!("A-{}", 100 + numbers.below(78) / 10 * 10)),
        ..SearchRequest::default()
    })
    .await;
    search(&knowledge, "search, words as of the middle", |numbers| SearchRequest {
        q: Some(words(numbers, false)),
        as_of: Some(Position::new(through.get() / 2)),
        ..SearchRequest::default()
    })
    .await;
    search(&knowledge, "list, newest of an asset", |numbers| SearchRequest {
        asset: Some(format!("LOOM-{:03}", numbers.below(200))),
        ..SearchRequest::default()
    })
    .await;

    let mut numbers = Numbers(13);
    let mut taken = Vec::new();
    for _ in 0..20 {
        let request = DiagnoseRequest { symptoms: words(&mut numbers, false), ..DiagnoseRequest::default() };
        let begin = Instant::now();
        let diagnosis = knowledge.diagnose(request).await.unwrap();
        taken.push(begin.elapsed());
        assert!(!diagnosis.candidates.is_empty());
    }
    latencies("diagnose", taken);

    let mut graph = stores.graph.open().await.unwrap();
    let took = feed(&mut graph, &entries).await;
    rate("into SurrealDB (surrealkv)", entries.len(), took);
    let mut taken = Vec::new();
    for _ in 0..QUESTIONS {
        let id = RecordId::new(Kind::FaultEpisode, &format!("F-{}", numbers.below(episodes)));
        let begin = Instant::now();
        knowledge.record(&id, None).await.unwrap();
        taken.push(begin.elapsed());
    }
    latencies("graph, one record with its versions", taken);
}
