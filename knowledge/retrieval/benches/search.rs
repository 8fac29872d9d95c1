//! How fast the text index answers: `cargo bench -p millwright-retrieval --bench search`. A million records, `MILLWRIGHT_BENCH_RECORDS` says otherwise;
//! `MILLWRIGHT_BENCH_EXPORT` names a folder that records and questions are written to, for other programs (benches/search).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a benchmark prints its figures and stops at the first failure"
)]
#![allow(dead_code, reason = "each benchmark uses a part of the wording")]

mod wording;

use std::borrow::Cow;
use std::hint::black_box;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use retrieval::coding::{Coder, Example, Target};
use retrieval::features;
use retrieval::index::{Document, Expected, Facet, Filter, Question, TextIndex, View};
use wording::{Record, Wording, percentiles, questions, resident_mib};

/// Records that are committed at once, as the search projection does.
const COMMIT: usize = 5_000;

/// The bytes of a record that an answer gives back.
const BODY_BYTES: usize = 400;

fn document(number: u64, record: &Record) -> Document {
    let mut body = vec![b' '; BODY_BYTES];
    body[..8].copy_from_slice(&number.to_le_bytes());
    // A tenth of the versions have ended.
    let valid_to = number.is_multiple_of(10).then_some(number + 5);
    Document {
        id: number.to_string(),
        facets: vec![
            (Facet::Kind, if number.is_multiple_of(3) { "work_order" } else { "fault" }.to_owned()),
            (Facet::Asset, record.asset.clone()),
            (Facet::Mode, record.mode.clone()),
        ],
        texts: vec![record.text.clone()],
        codes: Vec::new(),
        time_ns: Some(number as i64),
        valid_from: number,
        valid_to,
        body,
    }
}

fn main() {
    let count: usize = std::env::var("MILLWRIGHT_BENCH_RECORDS").map_or(1_000_000, |text| text.parse().unwrap());
    let export = std::env::var_os("MILLWRIGHT_BENCH_EXPORT").map(PathBuf::from);
    let asked = questions(400, 5);
    let mut out = export.as_ref().map(|dir| {
        std::fs::write(dir.join("questions.txt"), asked.join("\n")).unwrap();
        std::io::BufWriter::new(std::fs::File::create(dir.join("records.tsv")).unwrap())
    });
    let dir = tempfile::tempdir().unwrap();
    let index = TextIndex::create(dir.path()).unwrap();
    let mut wording = Wording::new(1);
    let mut examples = Vec::new();
    let begun = Instant::now();
    let mut view = index.view();
    for first in (0..count).step_by(COMMIT) {
        let records: Vec<Record> = (first..count.min(first + COMMIT)).map(|_| wording.record()).collect();
        if let Some(out) = &mut out {
            for record in &records {
                writeln!(out, "{}\t{}\t{}", record.asset, record.mode, record.text).unwrap();
            }
        }
        if examples.len() < 10_000 {
            examples.extend(records.iter().map(|record| (features::of(&record.text), record.mode.clone())));
        }
        let documents = (first as u64..).zip(&records).map(|(number, one)| (false, Cow::Owned(document(number, one))));
        view = index.commit(documents, "bench").unwrap();
    }
    drop(out);
    let taken = begun.elapsed().as_secs_f64();
    println!(
        "{count} records indexed in {taken:.0} s, {:.0} a second; {:.0} MiB resident",
        count as f64 / taken,
        resident_mib()
    );
    println!("index on disk: {:.0} MiB, {} segments", size(dir.path()), view.segments());
    let examples: Vec<Example<'_>> = examples
        .iter()
        .map(|(features, mode)| Example { features: features.clone(), labels: [Some(mode), None, None, None] })
        .collect();
    let coder = Coder::train(&examples);
    let as_of = count as u64 / 2;
    for (name, filter) in [
        ("newest", Filter { position: u64::MAX, ..Filter::default() }),
        ("as of half way", Filter { position: as_of, ..Filter::default() }),
        (
            "one asset",
            Filter { position: u64::MAX, facets: vec![(Facet::Asset, vec!["EX07".to_owned()])], ..Filter::default() },
        ),
    ] {
        measure(name, &view, &filter, &coder, &asked, &[]);
    }
    let newest = Filter { position: u64::MAX, ..Filter::default() };
    measure("newest, with counts of modes and assets", &view, &newest, &coder, &asked, &[Facet::Mode, Facet::Asset]);
    println!("{:.0} MiB resident at the end", resident_mib());
}

fn measure(name: &str, view: &View, filter: &Filter, coder: &Coder, asked: &[String], counted: &[Facet]) {
    let mut taken = Vec::new();
    let mut slowest: Vec<(f64, &str)> = Vec::new();
    let mut found = 0;
    // The first round warms the page cache and is not counted.
    for round in 0..2 {
        for text in asked {
            let begun = Instant::now();
            let codes = coder.probabilities(Target::Mode, &features::of(text));
            let mode = codes.into_iter().map(|(code, p)| (code.to_owned(), p as f32)).collect();
            let expected: Expected = vec![(Facet::Mode, mode)];
            let question = Question { text, expected, ..Question::default() };
            let answer = view.search(filter, Some(black_box(&question)), (0, 20), counted).unwrap();
            let ms = begun.elapsed().as_secs_f64() * 1e3;
            if round > 0 {
                taken.push(ms);
                slowest.push((ms, text));
                found += answer.hits.len();
            }
        }
    }
    assert!(found > 0, "nothing was found");
    percentiles(&format!("search, {name}"), taken);
    slowest.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (ms, text) in slowest.iter().take(3) {
        println!("    {ms:.1} ms: {text}");
    }
}

/// The files of a folder, in MiB.
fn size(dir: &std::path::Path) -> f64 {
    // A merge may delete one meanwhile.
    let files = std::fs::read_dir(dir).unwrap().filter_map(|file| Some(file.ok()?.metadata().ok()?.len()));
    files.sum::<u64>() as f64 / 1024.0 / 1024.0
}
