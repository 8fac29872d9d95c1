//! The graph of knowledge: events a second into SurrealDB in memory and on disk, and what questions take then.
//! `cargo bench --workspace --bench graph -- [EPISODES] [bare]` (25,000 when absent: 125,000 events). With `bare`, also the rows a second of a
//! minimal insert, which is what the library allows. Prints one line a figure.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark prints, and stops when anything fails"
)]
#![allow(dead_code, reason = "it shares the history with another benchmark")]

mod history;

use std::sync::Arc;
use std::time::Instant;

use eventlog::Position;
use history::{Numbers, feed, history, latencies, rate};
use knowledge::Config;
use knowledge::graph::{Graph, GraphOpening, ListRequest, NeighbourRequest};
use knowledge::record::{Kind, RecordId};
use projections::{Entry, Projection};
use surrealdb::engine::any::connect;
use surrealdb::types::{Bytes, Object, RecordId as Row, Value};

const EPISODES: usize = 25_000;
const QUESTIONS: usize = 200;
const BARE_ROWS: usize = 20_000;

fn main() {
    let episodes = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(EPISODES);
    let given = |name: &str| std::env::args().any(|argument| argument == name);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        if given("bare") {
            for rows in [64, 256, 1_000, 4_000] {
                bare("mem://", rows).await;
                let dir = tempfile::tempdir().unwrap();
                bare(&format!("surrealkv://{}", dir.path().join("bare").display()), rows).await;
            }
        }
        let entries = history(episodes);
        if !given("disk") {
            let memory = Config { surreal_url: Some("mem://".to_owned()), ..Config::default() };
            run("mem", &memory, &entries, episodes).await;
        }
        if !given("mem") {
            let dir = tempfile::tempdir().unwrap();
            let disk = Config { data_dir: Some(dir.path().to_path_buf()), ..Config::default() };
            run("surrealkv", &disk, &entries, episodes).await;
        }
    });
}

/// Rows a second of `INSERT` into a table without indexes, with so many rows a transaction.
async fn bare(url: &str, rows: usize) {
    let db = connect(url).await.unwrap();
    db.query("DEFINE NAMESPACE bench; USE NS bench; DEFINE DATABASE bare").await.unwrap().check().unwrap();
    db.use_ns("bench").use_db("bare").await.unwrap();
    db.query("DEFINE TABLE row SCHEMALESS").await.unwrap().check().unwrap();
    let row = |number: usize| {
        let mut row = Object::new();
        row.insert("id", Value::RecordId(Row::new("row", format!("fault_episode:F-{number}"))));
        row.insert("body", Bytes::from(vec![7_u8; 500]));
        Value::Object(row)
    };
    let begin = Instant::now();
    for first in (0..BARE_ROWS).step_by(rows) {
        let batch: Vec<Value> = (first..(first + rows).min(BARE_ROWS)).map(row).collect();
        let insert = db.query("INSERT INTO row $rows RETURN NONE").bind(("rows", batch));
        insert.await.unwrap().check().unwrap();
    }
    let engine = url.split(':').next().unwrap();
    let a_second = f64::from(u32::try_from(BARE_ROWS).unwrap()) / begin.elapsed().as_secs_f64();
    println!("bare insert, {engine}, {rows} rows a transaction: {a_second:.0} rows/s");
}

async fn run(name: &str, config: &Config, entries: &[Arc<Entry>], episodes: usize) {
    let (opening, graph) = GraphOpening::new(config);
    let mut projection = opening.open().await.unwrap();
    let took = feed(&mut projection, entries).await;
    rate(&format!("into SurrealDB ({name})"), entries.len(), took);
    let begin = Instant::now();
    let digest = projection.digest().await.unwrap();
    println!("digest ({name}): {digest} in {:.2} s", begin.elapsed().as_secs_f64());
    let middle = Position::new(u64::try_from(entries.len() / 2).unwrap());
    for (when, as_of) in [("newest", None), ("as of the middle", Some(middle))] {
        questions(&format!("{name}, {when}"), &graph, as_of, episodes).await;
    }
}

async fn questions(name: &str, graph: &Graph, as_of: Option<Position>, episodes: usize) {
    let mut numbers = Numbers(13);
    let mut taken = Vec::new();
    for _ in 0..QUESTIONS {
        let id = RecordId::new(Kind::FaultEpisode, &format!("F-{}", numbers.below(episodes / 2)));
        let begin = Instant::now();
        graph.record(&id, as_of).await.unwrap();
        taken.push(begin.elapsed());
    }
    latencies(&format!("{name}: one record with its versions"), taken);
    for (question, node) in [("an episode", "fault_episode:F-"), ("a loom", "asset:LOOM-")] {
        for depth in [1, 2] {
            let mut taken = Vec::new();
            for _ in 0..QUESTIONS / 10 {
                let node = if question == "a loom" {
                    format!("{node}{:03}", numbers.below(200))
                } else {
                    format!("{node}{}", numbers.below(episodes / 2))
                };
                let request =
                    NeighbourRequest { node: RecordId::parse(&node).unwrap(), depth: Some(depth), as_of, limit: None };
                let begin = Instant::now();
                assert!(!graph.neighbours(&request).await.unwrap().edges.is_empty());
                taken.push(begin.elapsed());
            }
            latencies(&format!("{name}: neighbours of {question}, depth {depth}"), taken);
        }
    }
    for (question, kind) in [("of a loom", None), ("of all episodes", Some(Kind::FaultEpisode))] {
        let mut taken = Vec::new();
        for _ in 0..if kind.is_some() { 3 } else { QUESTIONS / 10 } {
            let asset = kind.is_none().then(|| format!("LOOM-{:03}", numbers.below(200)));
            let request = ListRequest { kind, asset, as_of, ..ListRequest::default() };
            let begin = Instant::now();
            assert!(!graph.list(&request).await.unwrap().items.is_empty());
            taken.push(begin.elapsed());
        }
        latencies(&format!("{name}: list {question}"), taken);
    }
}
