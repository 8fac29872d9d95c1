//! Vectors of texts by a BERT model in a local folder, in the layout of Hugging Face's sentence-transformers: `config.json`, `tokenizer.json` or
//! `vocab.txt`, `model.safetensors`, and where they are there `modules.json`, the pooling module's `config.json`, `sentence_bert_config.json`,
//! `tokenizer_config.json` and `config_sentence_transformers.json`.
//!
//! It opens no connection, runs no code of a model, and keeps no vector.
//!
//! Invariants:
//! - A model folder is read whole and checked before it is used; an error names the file, the field and the reason.
//! - The identity of a model is a digest over everything that its vectors depend on.
//! - Each text goes through the network alone: its vector depends on no other text, and is the same bit by bit on one machine.
//!
//! Where to read next: [`Bert::open`]; `retrieval::vectors` says what vectors are for.

mod bert;
mod folder;

#[cfg(test)]
#[path = "folder_tests.rs"]
mod folder_tests;

pub use bert::Bert;
pub use folder::{ModelError, Pooling};
