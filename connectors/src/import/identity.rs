//! What names a row that has no name of its own: its content, and which one of its equals it is.

use std::collections::HashMap;

use sha2::Digest as _;

/// Counts how often each content has been seen.
#[derive(Default)]
pub(super) struct Occurrences {
    seen: HashMap<[u8; 16], u64>,
}

impl Occurrences {
    /// Counts a row: the hexadecimal digest of its content, and its number among its equals, from 1.
    pub(super) fn count(&mut self, digest: [u8; 16]) -> (String, u64) {
        let count = self.seen.entry(digest).or_insert(0);
        *count += 1;
        (digest.iter().map(|byte| format!("{byte:02x}")).collect(), *count)
    }
}

/// The digest of the cells of a row, each with its length before it, so that no two rows run together.
pub(super) fn digest<'a>(cells: impl Iterator<Item = &'a [u8]>) -> [u8; 16] {
    let mut hasher = sha2::Sha256::new();
    for cell in cells {
        hasher.update((cell.len() as u64).to_le_bytes());
        hasher.update(cell);
    }
    let full: [u8; 32] = hasher.finalize().into();
    let mut half = [0_u8; 16];
    for (to, from) in half.iter_mut().zip(full) {
        *to = from;
    }
    half
}
