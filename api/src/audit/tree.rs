//! The tree of RFC 6962 by somebody else's arithmetic, leaf by leaf, in little memory.

use eventlog::Digest;
use tlog_tiles::{Error, Hash, HashReader, Tile, record_hash, split_stored_hash_index, tree_hash};

/// The bytes of a hash.
const HASH_BYTES: usize = 32;

/// The hashes in a tile, as a power of two.
const TILE_HEIGHT: u8 = 8;

/// A tree that grows leaf by leaf. It keeps what has not filled a tile yet.
#[derive(Debug, Default)]
pub struct AuditTree {
    size: u64,
    /// The bytes of the unfinished tile of each level.
    levels: Vec<Vec<u8>>,
}

/// A tile that is full.
#[derive(Debug, PartialEq, Eq)]
pub struct FullTile {
    /// Its level; 0 holds leaf hashes.
    pub level: u8,
    /// Its index within the level.
    pub index: u64,
    /// Its 256 hashes.
    pub bytes: Vec<u8>,
}

impl AuditTree {
    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf, and hands out the tiles that it fills.
    pub fn push(&mut self, leaf: &[u8]) -> Vec<FullTile> {
        let mut full = Vec::new();
        let mut hash = record_hash(leaf);
        for level in 0_u8.. {
            if self.levels.len() <= usize::from(level) {
                self.levels.push(Vec::new());
            }
            let Some(unfinished) = self.levels.get_mut(usize::from(level)) else { break };
            unfinished.extend(hash.0);
            if unfinished.len() < HASH_BYTES << TILE_HEIGHT {
                break;
            }
            let bytes = std::mem::take(unfinished);
            hash = Tile::subtree_hash(&bytes);
            full.push(FullTile { level, index: self.size >> (u32::from(level + 1) * u32::from(TILE_HEIGHT)), bytes });
        }
        self.size += 1;
        full
    }

    /// The unfinished tiles that are not empty, as they are.
    pub fn unfinished(&self) -> impl Iterator<Item = FullTile> {
        (0_u8..).zip(&self.levels).filter(|(_, bytes)| !bytes.is_empty()).map(move |(level, bytes)| FullTile {
            level,
            index: self.size >> (u32::from(level + 1) * u32::from(TILE_HEIGHT)),
            bytes: bytes.clone(),
        })
    }

    /// The root over all leaves so far.
    ///
    /// # Errors
    /// When the arithmetic asks for a hash that no tree of this size has: a defect.
    pub fn root(&self) -> anyhow::Result<Digest> {
        let Hash(root) = tree_hash(self.size, self).map_err(|error| anyhow::anyhow!("computing the root: {error}"))?;
        Ok(Digest::new(root))
    }
}

impl HashReader for AuditTree {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        indexes.iter().map(|index| self.node(*index).ok_or(Error::IndexesNotInTree)).collect()
    }
}

impl AuditTree {
    /// The root of a complete subtree that lies within an unfinished tile; those that a root is made of do.
    fn node(&self, stored_index: u64) -> Option<Hash> {
        let (height, index) = split_stored_hash_index(stored_index);
        let (level, above) = (height / TILE_HEIGHT, height % TILE_HEIGHT);
        let first_of_tile = (self.size >> (u32::from(level + 1) * u32::from(TILE_HEIGHT))) << TILE_HEIGHT;
        let first = usize::try_from((index << above).checked_sub(first_of_tile)?).ok()? * HASH_BYTES;
        let bytes = self.levels.get(usize::from(level))?.get(first..first + (HASH_BYTES << above))?;
        Some(Tile::subtree_hash(bytes))
    }
}

#[cfg(test)]
mod tests {
    use eventlog::Tree;

    use super::*;

    #[test]
    fn two_implementations_agree_at_every_size() {
        let (mut ours, mut theirs) = (Tree::new(), AuditTree::default());
        let mut full = 0;
        for index in 0..66_000_u32 {
            if index < 1100 || index % 997 == 0 || index > 65_530 {
                assert_eq!(theirs.root().unwrap(), ours.root(), "size {index}");
            }
            let leaf = index.to_le_bytes();
            full += theirs.push(&leaf).len();
            ours.push(Digest::of(&[&[0_u8], leaf.as_slice()].concat()));
        }
        assert_eq!((full, theirs.size()), (257 + 1, 66_000));
        assert_eq!(
            theirs.unfinished().map(|tile| (tile.level, tile.index, tile.bytes.len() / 32)).collect::<Vec<_>>(),
            [(0, 257, 208), (1, 1, 1), (2, 0, 1)]
        );
    }
}
