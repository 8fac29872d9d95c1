//! Transparency: anybody who holds the log's verifier key can check that the log only grew, and that a record is in it.
//!
//! The leaves ([`crate::Record::leaf`]) form the tree of RFC 6962. [`Notary`] follows the log, keeps the tree's tiles as derived files, and signs a
//! checkpoint (size and root) each second in which the log grew. The formats are those of C2SP, which verifiers that we did not write read:
//! [tlog-tiles](https://c2sp.org/tlog-tiles), [tlog-checkpoint](https://c2sp.org/tlog-checkpoint), [signed-note](https://c2sp.org/signed-note),
//! [tlog-proof](https://c2sp.org/tlog-proof), [tlog-witness](https://c2sp.org/tlog-witness), [tlog-cosignature](https://c2sp.org/tlog-cosignature).
//!
//! Invariants:
//! - What is signed is on disk before it is handed out, and never contradicts what was signed before: [`Notary`] proves that to itself each time.
//! - A log that is shorter than its last checkpoint, or has another root at its size, has lost or changed history. Nothing is signed then.
//! - Tiles are derived: each may be deleted or damaged at any time, and is made again from the leaf digests. A tile is compared with the tree before it is used.
//! - The signing key is made once. A verifier key or a checkpoint without its signing key is an error, not a reason for a new key.
//!
//! *It opens no connection*: [`witness`] makes and reads the messages that others carry.

mod bundle;
mod checkpoint;
mod cosignature;
mod edge;
mod files;
mod key;
mod notary;
mod path;
mod proof_file;
mod source;
mod statement;
#[cfg(test)]
mod test_log;
mod tile;
mod tiled;
pub mod witness;

pub use bundle::{BundleError, bundle, entries_of};
pub use checkpoint::{Checkpoint, CheckpointError, Origin, SignedCheckpoint};
pub use cosignature::CosignatureKey;
pub(crate) use files::{CHECKPOINT, stored_size};
pub use key::{KeyError, VerifierKey};
pub use notary::{Covered, Notary, NotaryError, Options, Proof, WaitError};
pub use path::{ProofError, check_consistency, check_inclusion};
pub use proof_file::{ProofFile, ProofFileError};
pub use source::LeafSource;
pub use statement::{StatementError, open_statement};
pub use tile::{TILE_WIDTH, TileId, TileIndex};
pub use tiled::TreeError;

/// Hashes as the formats of C2SP write them: standard base64.
fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Reads a hash in base64.
fn base64_digest(text: &str) -> Option<crate::Digest> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
    bytes.try_into().ok().map(crate::Digest::new)
}
