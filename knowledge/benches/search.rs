//! Rates and latencies of the knowledge bases: `cargo bench --bench search -- [EPISODES]` (25,000 when absent: 50,000 records in 150,000
//! versions). Prints one line a figure.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark prints, and stops when anything fails"
)]

mod history;

use std::time::Instant;

use eventlog::Position;
use history::{ITEMS, Numbers, SYMPTOMS, feed, history, latencies, rate};
use knowledge::diagnose::DiagnoseRequest;
use knowledge::record::{Kind, RecordId};
use knowledge::search_index::SearchRequest;
use knowledge::{Config, Knowledge, Models};
use projections::{MemoryProjection, Projection};

const EPISODES: usize = 25_000;
const QUESTIONS: usize = 400;

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
