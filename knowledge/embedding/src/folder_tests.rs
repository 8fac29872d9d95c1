use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use retrieval::vectors::Embedder as _;

use crate::{Bert, ModelError, Pooling};

const CONFIG: &str = r#"{"model_type": "bert", "vocab_size": 12, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
"intermediate_size": 16, "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "max_position_embeddings": 16, "type_vocab_size": 2,
"initializer_range": 0.02, "layer_norm_eps": 1e-12, "pad_token_id": 0}"#;

const WORDS: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\nweft\nlate\npump\n##s\nnoisy\n纬\n经\nquery\n";

/// Weights of a network of one layer, each number a function of its place.
fn weights(hidden: usize) -> HashMap<String, Tensor> {
    let mut made = HashMap::new();
    let mut add = |name: &str, shape: &[usize]| {
        let count: usize = shape.iter().product();
        let seed = name.bytes().map(f64::from).sum::<f64>();
        let numbers: Vec<f32> = (0..count).map(|at| ((seed + at as f64 * 0.7).sin() * 0.5) as f32).collect();
        made.insert(name.to_owned(), Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap());
    };
    add("embeddings.word_embeddings.weight", &[12, hidden]);
    add("embeddings.position_embeddings.weight", &[16, hidden]);
    add("embeddings.token_type_embeddings.weight", &[2, hidden]);
    for part in ["query", "key", "value"] {
        add(&format!("encoder.layer.0.attention.self.{part}.weight"), &[hidden, hidden]);
        add(&format!("encoder.layer.0.attention.self.{part}.bias"), &[hidden]);
    }
    add("encoder.layer.0.attention.output.dense.weight", &[hidden, hidden]);
    add("encoder.layer.0.attention.output.dense.bias", &[hidden]);
    add("encoder.layer.0.intermediate.dense.weight", &[16, hidden]);
    add("encoder.layer.0.intermediate.dense.bias", &[16]);
    add("encoder.layer.0.output.dense.weight", &[hidden, 16]);
    add("encoder.layer.0.output.dense.bias", &[hidden]);
    for norm in ["embeddings", "encoder.layer.0.attention.output", "encoder.layer.0.output"] {
        add(&format!("{norm}.LayerNorm.weight"), &[hidden]);
        add(&format!("{norm}.LayerNorm.bias"), &[hidden]);
    }
    made
}

/// A model folder with these files besides the weights; an empty content leaves the file out.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    candle_core::safetensors::save(&weights(8), dir.path().join("model.safetensors")).unwrap();
    for (name, content) in [("config.json", CONFIG), ("vocab.txt", WORDS)].iter().chain(files) {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        if content.is_empty() {
            std::fs::remove_file(path).unwrap();
        } else {
            std::fs::write(path, content).unwrap();
        }
    }
    dir
}

const MODULES: &str = r#"[{"path": "", "type": "sentence_transformers.models.Transformer"},
{"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]"#;

fn length(vector: &[f32]) -> f32 {
    vector.iter().map(|number| number * number).sum::<f32>().sqrt()
}

#[test]
fn a_small_model_makes_vectors_by_its_settings() {
    let plain = folder(&[]);
    let model = Bert::open(plain.path()).unwrap();
    assert_eq!((model.dimensions(), model.pooling()), (8, Pooling::Mean));
    let late = model.document("Weft late").unwrap().unwrap();
    assert!((length(&late) - 1.0).abs() < 1e-6, "it is made 1 long where the folder does not say");
    assert_eq!(late, model.document("weft  LATE").unwrap().unwrap(), "case and blanks are no difference to this model");
    assert_ne!(late, model.document("late weft").unwrap().unwrap(), "but the order of words is");
    assert_ne!(model.document("纬").unwrap(), model.document("经").unwrap());
    assert_eq!(model.document("綜框 weft").unwrap(), None, "two of three words are not in its vocabulary");
    let long = "weft late ".repeat(40);
    assert_eq!(model.document(&long).unwrap(), model.document(&long[..100]).unwrap(), "longer texts are cut");

    let by_cls = folder(&[
        ("modules.json", MODULES),
        ("1_Pooling/config.json", r#"{"word_embedding_dimension": 8, "pooling_mode_cls_token": true}"#),
    ]);
    let cls = Bert::open(by_cls.path()).unwrap();
    assert_eq!(cls.pooling(), Pooling::Cls);
    let whole = cls.document("weft late").unwrap().unwrap();
    assert!((length(&whole) - 1.0).abs() > 1e-3, "no module makes it 1 long");
    assert_ne!(model.identity().rsplit_once('@').unwrap().1, cls.identity().rsplit_once('@').unwrap().1);
}

#[test]
fn a_question_is_marked_as_the_folder_says() {
    let marked = folder(&[("config_sentence_transformers.json", r#"{"prompts": {"query": "query "}}"#)]);
    let model = Bert::open(marked.path()).unwrap();
    assert_eq!(model.question("pump").unwrap(), model.document("query pump").unwrap());
    assert_ne!(model.question("pump").unwrap(), model.document("pump").unwrap());
}

#[test]
fn a_folder_that_holds_no_usable_model_says_which_file_and_why() {
    let check = |files: &[(&str, &str)], file: &str, reason: &str| {
        let dir = folder(files);
        let error = Bert::open(dir.path()).err().unwrap_or_else(|| panic!("{files:?} was taken"));
        let path = match &error {
            ModelError::File { path, .. }
            | ModelError::TooLarge { path, .. }
            | ModelError::Malformed { path, .. }
            | ModelError::Field { path, .. } => path.clone(),
        };
        assert_eq!(path, dir.path().join(file), "{error}");
        let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        let text = format!("{error}: {source}");
        assert!(text.contains(reason), "{text:?} does not say {reason:?}");
    };
    let config = |from: &str, to: &str| CONFIG.replace(from, to);
    check(&[("config.json", "")], "config.json", "cannot be read");
    check(&[("config.json", "{")], "config.json", "EOF");
    check(&[("config.json", r#"{"model_type": "bert"}"#)], "config.json", "missing field");
    check(&[("config.json", &config("\"bert\"", "\"roberta\""))], "config.json", "\"roberta\"; only \"bert\"");
    check(&[("config.json", &config("heads\": 2", "heads\": 3"))], "config.json", "3 does not divide hidden_size, 8");
    check(&[("config.json", &config("heads\": 2", "heads\": 0"))], "config.json", "num_attention_heads: it is 0");
    check(
        &[("config.json", &config("vocab_size\": 12", "vocab_size\": 5"))],
        "vocab.txt",
        "12 tokens are more than the 5",
    );
    check(&[("config.json", &config("hidden_size\": 8", "hidden_size\": 4"))], "model.safetensors", "shape");
    check(&[("config.json", &config("layers\": 1", "layers\": 2"))], "model.safetensors", "encoder.layer.1");
    check(&[("vocab.txt", "")], "vocab.txt", "cannot be read");
    check(&[("vocab.txt", "weft\nlate\n")], "vocab.txt", "[CLS]: the vocabulary lacks it");
    check(&[("tokenizer.json", "{}")], "tokenizer.json", "not what a tokenizer is");
    check(&[("modules.json", "{}")], "modules.json", "list of modules");
    check(&[("modules.json", &MODULES.replace("Pooling\"}", "Dense\"}"))], "modules.json", "\"Dense\" cannot be run");
    check(&[("modules.json", &MODULES.replace("1_Pooling\"", "../x\""))], "modules.json", "outside of the folder");
    check(&[("modules.json", MODULES)], "1_Pooling/config.json", "cannot be read");
    let pooling = |settings: &str, reason: &str| {
        check(&[("modules.json", MODULES), ("1_Pooling/config.json", settings)], "1_Pooling/config.json", reason);
    };
    pooling(r#"{"word_embedding_dimension": 9, "pooling_mode_cls_token": true}"#, "hidden_size is 8");
    pooling(r#"{"pooling_mode_max_tokens": true}"#, "pooling_mode_max_tokens: only");
    pooling(r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true}"#, "only one way");
    pooling(r#"{"word_embedding_dimension": 8}"#, "no way of pooling");
}

#[test]
fn weights_that_are_none_are_refused() {
    let dir = folder(&[]);
    let path = dir.path().join("model.safetensors");
    let whole = std::fs::read(&path).unwrap();
    for damaged in [&whole[..whole.len() / 2], b"not weights", &[]] {
        std::fs::write(&path, damaged).unwrap();
        assert!(matches!(Bert::open(dir.path()), Err(ModelError::Malformed { path: named, .. }) if named == path));
    }
    let mut made = weights(8);
    made.insert("encoder.layer.0.output.dense.bias".to_owned(), Tensor::new(&[f32::NAN; 8], &Device::Cpu).unwrap());
    candle_core::safetensors::save(&made, Path::new(&path)).unwrap();
    let error = Bert::open(dir.path()).err().unwrap();
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "a number of the vector is not finite");
}
