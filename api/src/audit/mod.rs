//! Checking a log as an auditor does: with arithmetic and signatures that the log itself does not use, and honest about what was looked at.
//!
//! The tree is that of `tlog_tiles` ([`tree`]); the engine's own is believed nothing. [`files`] checks a data folder or a backup of one, [`server`] a running
//! server over HTTP.

pub mod files;
pub mod server;
pub mod tree;

use std::path::Path;

use anyhow::Context;
use eventlog::transparency::VerifierKey;
use serde::Serialize;

/// Where the verifier key came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    /// Whoever asks gave it.
    Given,
    /// It was found beside what is checked: whoever can change the log can change it too.
    FoundThere,
}

/// A key with where it came from.
#[derive(Clone, Debug)]
pub struct Key {
    /// The key.
    pub key: VerifierKey,
    /// Where it came from.
    pub source: KeySource,
}

/// Reads a key that the caller gave: the key itself, or a file that holds it.
///
/// # Errors
/// When it is neither.
pub fn given_key(text: &str) -> anyhow::Result<Key> {
    let key = match VerifierKey::parse(text) {
        Ok(key) => key,
        Err(error) => {
            let held = std::fs::read_to_string(text)
                .with_context(|| format!("--vkey {text}: {error}, and no file of this name can be read"))?;
            VerifierKey::parse(&held).with_context(|| format!("the key in {text}"))?
        }
    };
    Ok(Key { key, source: KeySource::Given })
}

/// Reads a file, when it is there.
fn read_if_there(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}
