//! The tree in tiles: the right edge in memory, full tiles in files, and any node of the tree from them.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use super::edge::{Edge, block_root, subtree_roots};
use super::files::TileFiles;
use super::path;
use super::source::LeafSource;
use super::tile::{FullTile, LEVELS, TILE_HEIGHT, TILE_WIDTH, TileId, hashes_at};
use crate::embedded::disk::Disk;
use crate::{Digest, Position, ReadError, Tree};

/// Leaf digests that are read at once.
const READ_LEAVES: u64 = 1 << 16;

/// Tiles that are kept in memory: 16 KiB each.
const CACHED_TILES: usize = 512;

/// Why the tree cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// The log cannot be read.
    #[error("the leaves of the log cannot be read")]
    Read(#[from] ReadError),
    /// A tile cannot be written.
    #[error("tile {id} cannot be written")]
    Write {
        /// The tile.
        id: TileId,
        /// The operating system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The leaves in the log do not lead to the hash that the log itself names: history was changed.
    #[error(
        "the leaf digests of records {first} to {last} do not lead to the tree that the log names: they were changed after they were written"
    )]
    Changed {
        /// The first record that the hash stands for.
        first: Position,
        /// The last one.
        last: Position,
    },
    /// The tree does not reach that far.
    #[error("there are {size} leaves, {wanted} were asked for")]
    Beyond {
        /// The leaves that are there.
        size: u64,
        /// The leaves that were asked for.
        wanted: u64,
    },
}

/// The tree over the leaves of a log. Everything but [`size`](Self::size) blocks.
pub(super) struct TiledTree {
    source: Arc<dyn LeafSource>,
    files: TileFiles,
    edge: RwLock<Arc<Edge>>,
    cache: Mutex<Cache>,
}

impl TiledTree {
    /// Opens the tree of everything that is durable in the log now. Tiles that are missing or wrong are made again.
    pub(super) fn open(source: Arc<dyn LeafSource>, disk: Arc<dyn Disk>, log_folder: &Path) -> Result<Self, TreeError> {
        let files = TileFiles::new(disk, log_folder);
        let tree = Self { source, files, edge: RwLock::default(), cache: Mutex::default() };
        let edge = tree.load_edge(&tree.source.tree())?;
        *tree.edge.write() = Arc::new(edge);
        Ok(tree)
    }

    /// The number of leaves.
    pub(super) fn size(&self) -> u64 {
        self.edge.read().size()
    }

    /// Takes in what became durable since, and answers the tree of it.
    pub(super) fn extend(&self) -> Result<Tree, TreeError> {
        let to = self.source.tree();
        let mut edge = Edge::clone(&self.edge.read());
        let from = edge.size();
        while edge.size() < to.size() {
            let wanted = (to.size() - edge.size()).min(READ_LEAVES);
            for leaf in self.digests(edge.size(), wanted)? {
                for (id, tile) in edge.push(leaf) {
                    self.write(id, &tile)?;
                }
            }
        }
        if edge.tree() != to {
            return Err(changed(from, to.size()));
        }
        // Ordering: every full tile has its file before the edge lets go of it.
        *self.edge.write() = Arc::new(edge);
        Ok(to)
    }

    /// The first `width` hashes of a tile; `None` when the tree has less of it.
    pub(super) fn hashes(&self, id: TileId, width: u64) -> Result<Option<Vec<Digest>>, TreeError> {
        let edge = Arc::clone(&self.edge.read());
        let there = id.width_in(edge.size());
        if width == 0 || width > there {
            return Ok(None);
        }
        if there < TILE_WIDTH {
            return Ok(edge.level(id.level).get(..width as usize).map(<[Digest]>::to_vec));
        }
        let tile = self.tile(&edge, id)?;
        Ok(tile.hashes().get(..width as usize).map(<[Digest]>::to_vec))
    }

    /// The inclusion proof of a leaf in the tree of `size` leaves.
    pub(super) fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Digest>, TreeError> {
        let edge = self.edge_of(size)?;
        if index >= size {
            return Err(TreeError::Beyond { size, wanted: index.saturating_add(1) });
        }
        path::inclusion(index, size, |height, index| self.node(&edge, height, index))
    }

    /// The proof that the tree of `from` leaves is a prefix of that of `to` leaves.
    pub(super) fn consistency(&self, from: u64, to: u64) -> Result<Vec<Digest>, TreeError> {
        let edge = self.edge_of(to)?;
        if from > to {
            return Err(TreeError::Beyond { size: to, wanted: from });
        }
        path::consistency(from, to, |height, index| self.node(&edge, height, index))
    }

    /// The root of the tree of the first `size` leaves.
    pub(super) fn root(&self, size: u64) -> Result<Digest, TreeError> {
        let edge = self.edge_of(size)?;
        path::root(size, |height, index| self.node(&edge, height, index))
    }

    fn edge_of(&self, size: u64) -> Result<Arc<Edge>, TreeError> {
        let edge = Arc::clone(&self.edge.read());
        if size > edge.size() {
            return Err(TreeError::Beyond { size: edge.size(), wanted: size });
        }
        Ok(edge)
    }

    /// The root of the complete subtree of 2^`height` leaves that begins at leaf `index` · 2^`height`, which must be within the edge's tree.
    fn node(&self, edge: &Edge, height: u8, index: u64) -> Result<Digest, TreeError> {
        let (level, above) = (height / TILE_HEIGHT, height % TILE_HEIGHT);
        let first = index << above;
        let id = TileId { level, index: first / TILE_WIDTH };
        let at = (first % TILE_WIDTH) as usize;
        let found = if id.width_in(edge.size()) < TILE_WIDTH {
            edge.level(level).get(at..at + (1 << above)).and_then(block_root)
        } else {
            self.tile(edge, id)?.node(above, at >> above)
        };
        found.ok_or_else(|| TreeError::Beyond { size: edge.size(), wanted: (index + 1) << height })
    }

    /// A full tile that fits to the tree: from memory, from its file, or made again from what is below it.
    fn tile(&self, edge: &Edge, id: TileId) -> Result<Arc<FullTile>, TreeError> {
        if let Some(tile) = self.cache.lock().get(id) {
            return Ok(tile);
        }
        let (above, at) = id.parent();
        let expected = if above.width_in(edge.size()) < TILE_WIDTH {
            edge.level(above.level).get(at).copied()
        } else {
            self.tile(edge, above)?.node(0, at)
        };
        let tile = match self.files.read(id).filter(|tile| tile.root() == expected) {
            Some(tile) => tile,
            None => self.rebuild(id, expected)?,
        };
        let tile = Arc::new(tile);
        self.cache.lock().put(id, Arc::clone(&tile));
        Ok(tile)
    }

    /// Makes a tile again: from the tiles below as their files are, and when that does not lead to the expected hash, from the leaf digests alone.
    fn rebuild(&self, id: TileId, expected: Option<Digest>) -> Result<FullTile, TreeError> {
        for trust in [Trust::Files, Trust::LeavesOnly] {
            let tile = self.make(id, trust)?;
            if tile.root() == expected {
                self.write(id, &tile)?;
                return Ok(tile);
            }
        }
        let leaves = TILE_WIDTH << (id.level * TILE_HEIGHT);
        Err(changed(id.index * leaves, (id.index + 1) * leaves))
    }

    /// A tile from what is below it. What is made anew on the way is written.
    fn make(&self, id: TileId, trust: Trust) -> Result<FullTile, TreeError> {
        let first = id.index * TILE_WIDTH;
        let hashes = self.hashes_below(id.level, first, TILE_WIDTH, trust)?;
        FullTile::new(hashes).ok_or(TreeError::Beyond { size: self.source.tree().size(), wanted: first + TILE_WIDTH })
    }

    /// `count` hashes of a level from `first` on: leaf digests, or the roots of tiles one level down.
    fn hashes_below(&self, level: u8, first: u64, count: u64, trust: Trust) -> Result<Vec<Digest>, TreeError> {
        let Some(below) = level.checked_sub(1) else { return self.digests(first, count) };
        let mut hashes = Vec::with_capacity(count as usize);
        for index in first..first + count {
            let id = TileId { level: below, index };
            let stored = if trust == Trust::Files { self.files.read(id) } else { None };
            let tile = match stored {
                Some(tile) => tile,
                None => {
                    let tile = self.make(id, trust)?;
                    self.write(id, &tile)?;
                    tile
                }
            };
            hashes.extend(tile.root());
        }
        Ok(hashes)
    }

    /// The edge of a tree that the log names. Each level is compared with it, so that a wrong tile cannot get in.
    fn load_edge(&self, tree: &Tree) -> Result<Edge, TreeError> {
        let size = tree.size();
        let mut levels = Vec::new();
        for level in 0..LEVELS {
            let hashes = hashes_at(level, size);
            let first = hashes - hashes % TILE_WIDTH;
            let expected = roots_of_level(tree, level);
            let mut found = self.hashes_below(level, first, hashes - first, Trust::Files)?;
            if subtree_roots(&found) != expected {
                found = self.hashes_below(level, first, hashes - first, Trust::LeavesOnly)?;
            }
            if subtree_roots(&found) != expected {
                let leaves = 1 << (level * TILE_HEIGHT);
                return Err(changed(first * leaves, hashes * leaves));
            }
            levels.push(found);
        }
        Edge::new(size, levels).ok_or_else(|| changed(0, size))
    }

    fn digests(&self, from: u64, count: u64) -> Result<Vec<Digest>, TreeError> {
        let digests = self.source.leaf_digests(Position::new(from), count as usize)?;
        if digests.len() as u64 != count {
            return Err(TreeError::Beyond { size: from + digests.len() as u64, wanted: from + count });
        }
        Ok(digests)
    }

    fn write(&self, id: TileId, tile: &FullTile) -> Result<(), TreeError> {
        self.files.write(id, tile.hashes()).map_err(|source| TreeError::Write { id, source })
    }
}

/// What a tile is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// The tiles below, where there are such.
    Files,
    /// Nothing but leaf digests.
    LeavesOnly,
}

/// The roots in the tree's edge that lie within a level of tiles, the largest first.
fn roots_of_level(tree: &Tree, level: u8) -> Vec<Digest> {
    let below = hashes_at(level + 1, tree.size()).count_ones() as usize;
    let here = (hashes_at(level, tree.size()) % TILE_WIDTH).count_ones() as usize;
    tree.edge().iter().skip(below).take(here).copied().collect()
}

fn changed(first: u64, end: u64) -> TreeError {
    TreeError::Changed { first: Position::new(first), last: Position::new(end.saturating_sub(1)) }
}

/// Tiles that were compared with the tree, and all their nodes. The oldest goes first.
#[derive(Default)]
struct Cache {
    tiles: HashMap<TileId, Arc<FullTile>>,
    order: VecDeque<TileId>,
}

impl Cache {
    fn get(&self, id: TileId) -> Option<Arc<FullTile>> {
        self.tiles.get(&id).map(Arc::clone)
    }

    fn put(&mut self, id: TileId, tile: Arc<FullTile>) {
        if self.tiles.insert(id, tile).is_none() {
            self.order.push_back(id);
        }
        while self.tiles.len() > CACHED_TILES {
            let Some(oldest) = self.order.pop_front() else { break };
            self.tiles.remove(&oldest);
        }
    }
}

#[cfg(test)]
#[path = "tiled_tests.rs"]
mod tests;
