//! The right edge of the tree in memory: the hashes of the partial tile of each level.

use super::tile::{FullTile, LEVELS, TILE_WIDTH, TileId, hashes_at};
use crate::tree::parent;
use crate::{Digest, Tree};

/// The partial tiles of a tree. At most 255 hashes a level: 64 KiB for the largest log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Edge {
    size: u64,
    /// From level 0 upwards; levels that are empty at the top are left out.
    levels: Vec<Vec<Digest>>,
}

impl Edge {
    /// The edge of a tree of `size` leaves, when each level has as many hashes as that size asks for.
    pub(super) fn new(size: u64, levels: Vec<Vec<Digest>>) -> Option<Self> {
        let fits = (0..LEVELS).all(|level| {
            let found = levels.get(usize::from(level)).map_or(0, Vec::len);
            found as u64 == hashes_at(level, size) % TILE_WIDTH
        });
        fits.then_some(Self { size, levels })
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The hashes of the partial tile at a level.
    pub(super) fn level(&self, level: u8) -> &[Digest] {
        self.levels.get(usize::from(level)).map(Vec::as_slice).unwrap_or_default()
    }

    /// Adds a leaf. The tiles that it completes, from level 0 upwards, are handed out: they leave the edge.
    pub(super) fn push(&mut self, leaf: Digest) -> Vec<(TileId, FullTile)> {
        let mut completed = Vec::new();
        let mut hash = leaf;
        for level in 0..LEVELS {
            if self.levels.len() <= usize::from(level) {
                self.levels.push(Vec::with_capacity(TILE_WIDTH as usize));
            }
            let Some(hashes) = self.levels.get_mut(usize::from(level)) else { break };
            hashes.push(hash);
            if (hashes.len() as u64) < TILE_WIDTH {
                break;
            }
            let hashes = std::mem::replace(hashes, Vec::with_capacity(TILE_WIDTH as usize));
            let Some(tile) = FullTile::new(hashes) else { break };
            let Some(root) = tile.root() else { break };
            let index = hashes_at(level, self.size) / TILE_WIDTH;
            completed.push((TileId { level, index }, tile));
            hash = root;
        }
        self.size += 1;
        completed
    }

    /// The tree as the log keeps it: one root for each complete subtree.
    pub(super) fn tree(&self) -> Tree {
        let roots = self.levels.iter().rev().flat_map(|hashes| subtree_roots(hashes)).collect();
        Tree::from_edge(self.size, roots).unwrap_or_default()
    }
}

/// The roots of the complete subtrees over at most 255 hashes, the largest first: one for each set bit of their number.
pub(super) fn subtree_roots(hashes: &[Digest]) -> Vec<Digest> {
    let mut roots = Vec::new();
    let mut rest = hashes;
    while let Some(bits) = rest.len().checked_ilog2() {
        let (block, after) = rest.split_at(1 << bits);
        roots.extend(block_root(block));
        rest = after;
    }
    roots
}

/// The root over hashes whose number is a power of two.
pub(super) fn block_root(hashes: &[Digest]) -> Option<Digest> {
    let mut layer = hashes.to_vec();
    while layer.len() > 1 {
        layer = layer.as_chunks::<2>().0.iter().map(|[left, right]| parent(left, right)).collect();
    }
    layer.first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edge_is_that_of_the_tree_at_every_size() {
        let (mut edge, mut tree) = (Edge::default(), Tree::new());
        let mut completed = Vec::new();
        for index in 0..70_000_u32 {
            if index < 2000 || index % 257 == 0 {
                assert_eq!(edge.tree(), tree, "size {index}");
            }
            let leaf = Digest::of(&index.to_le_bytes());
            completed.extend(edge.push(leaf).into_iter().map(|(id, _)| id));
            tree.push(leaf);
        }
        assert_eq!(edge.tree(), tree);
        assert_eq!(
            [edge.level(0).len(), edge.level(1).len(), edge.level(2).len(), edge.level(3).len()],
            [112, 17, 1, 0]
        );
        let expected = (0..273).map(|index| TileId { level: 0, index }).chain([TileId { level: 1, index: 0 }]);
        completed.sort();
        assert_eq!(completed, expected.collect::<Vec<_>>());
        assert_eq!(Edge::new(70_000, edge.levels.clone()), Some(edge.clone()));
        assert_eq!(Edge::new(70_001, edge.levels), None);
    }
}
