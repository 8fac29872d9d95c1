//! The digest of a state.

use std::io;

use eventlog::Digest;
use serde::Serialize;
use sha2::Digest as _;

struct Hasher(sha2::Sha256);

impl io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// SHA-256 over the state's MessagePack form with field names. The state must keep its maps in an order that follows from the log alone
/// (`BTreeMap`, or insertion order), never a hash map.
pub fn state_digest<T: Serialize>(state: &T) -> Digest {
    let mut serializer = rmp_serde::Serializer::new(Hasher(sha2::Sha256::new())).with_struct_map();
    match state.serialize(&mut serializer) {
        Ok(()) => Digest::new(serializer.into_inner().0.finalize().into()),
        // A state of text, numbers and maps always serialises; if one did not, its digest must not look like another one's.
        Err(error) => Digest::of(format!("unserialisable state: {error}").as_bytes()),
    }
}
