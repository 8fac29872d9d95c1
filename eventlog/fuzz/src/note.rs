//! Bytes as what a transparent log hands out: checkpoints, proofs, keys, addresses of tiles, bundles of entries.

use eventlog::transparency::{
    Checkpoint, CosignatureKey, ProofFile, SignedCheckpoint, TileIndex, VerifierKey, bundle, entries_of,
};

/// A key whose signatures nobody here can make.
const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

/// Reads the bytes as each of them. What was read must read the same after it was written.
pub fn note(data: &[u8]) {
    let key = VerifierKey::parse(KEY).expect("the key is one");
    assert!(SignedCheckpoint::open(data, &key).is_err(), "a checkpoint is taken that the key has not signed");
    if let Ok(entries) = entries_of(data) {
        assert_eq!(bundle(entries).ok().as_deref(), Some(data));
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert!(text.starts_with(&checkpoint.body()));
    }
    if let Ok(proof) = ProofFile::parse(text) {
        assert_eq!(ProofFile::parse(&proof.text()).ok().as_ref(), Some(&proof));
        assert!(proof.check(data, &key).is_err(), "a proof is taken that rests on no signature");
    }
    if let Some(tile) = TileIndex::parse(text) {
        assert_eq!(tile.to_string(), text);
    }
    if let Ok(key) = VerifierKey::parse(text) {
        assert_eq!(VerifierKey::parse(key.as_str()).ok().as_ref(), Some(&key));
    }
    let _ = CosignatureKey::parse(text);
}
