//! Tiles: 256 hashes of one level of the tree each, as [c2sp.org/tlog-tiles](https://c2sp.org/tlog-tiles) names and writes them.

use std::fmt;

use crate::Digest;
use crate::tree::parent;

/// The number of hashes in a full tile.
pub const TILE_WIDTH: u64 = 256;

/// The levels of the tree that one tile spans.
pub(super) const TILE_HEIGHT: u8 = 8;

/// Levels of tiles that a tree of at most 2⁶⁴ leaves can have.
pub(super) const LEVELS: u8 = 8;

/// Which full tile: its level (0 holds leaf hashes) and its index within the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// The level: each hash of level *l* stands for 256ˡ leaves.
    pub level: u8,
    /// The index within the level.
    pub index: u64,
}

impl TileId {
    /// The number of hashes that this tile has in a tree of `size` leaves: 256 when it is full, 0 when it is not there.
    pub fn width_in(self, size: u64) -> u64 {
        hashes_at(self.level, size).saturating_sub(self.index.saturating_mul(TILE_WIDTH)).min(TILE_WIDTH)
    }

    /// Where the hash that stands for this whole tile is: the tile one level up, and the place in it.
    pub(super) fn parent(self) -> (Self, usize) {
        let index = self.index / TILE_WIDTH;
        (Self { level: self.level + 1, index }, (self.index % TILE_WIDTH) as usize)
    }
}

impl fmt::Display for TileId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.level, TileIndex { index: self.index, width: None })
    }
}

/// The number of hashes at a level of tiles in a tree of `size` leaves.
pub(super) fn hashes_at(level: u8, size: u64) -> u64 {
    size.checked_shr(u32::from(level) * u32::from(TILE_HEIGHT)).unwrap_or(0)
}

/// The last part of a tile's address, `<N>[.p/<W>]`: the index in groups of three digits, and the width of a partial tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileIndex {
    /// The index within the level.
    pub index: u64,
    /// The width of a partial tile, 1 to 255; `None` for a full one.
    pub width: Option<u8>,
}

impl TileIndex {
    /// Reads `067`, `x001/x234/067` or `x001/x234/067.p/112`; `None` for anything else, and for the same number written otherwise.
    pub fn parse(text: &str) -> Option<Self> {
        let (index_text, width) = match text.split_once(".p/") {
            Some((index, width)) => (index, Some(width.parse::<u8>().ok().filter(|width| *width > 0)?)),
            None => (text, None),
        };
        let mut index = 0_u64;
        for group in index_text.split('/') {
            let digits = group.strip_prefix('x').unwrap_or(group);
            if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
        }
        let parsed = Self { index, width };
        // One tile has one address, so that caches hold it once.
        (parsed.to_string() == text).then_some(parsed)
    }
}

impl fmt::Display for TileIndex {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut groups = Vec::new();
        let mut rest = self.index;
        loop {
            groups.push(rest % 1000);
            rest /= 1000;
            if rest == 0 {
                break;
            }
        }
        for group in groups.iter().skip(1).rev() {
            write!(formatter, "x{group:03}/")?;
        }
        write!(formatter, "{:03}", groups.first().unwrap_or(&0))?;
        self.width.map_or(Ok(()), |width| write!(formatter, ".p/{width}"))
    }
}

/// The hashes of a full tile, and every node above them up to the one that stands for the whole tile.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FullTile {
    /// 256 hashes, then 128, and so on to the one root.
    layers: Vec<Vec<Digest>>,
}

impl FullTile {
    /// The tile of exactly 256 hashes; `None` for another number.
    pub(super) fn new(hashes: Vec<Digest>) -> Option<Self> {
        if hashes.len() as u64 != TILE_WIDTH {
            return None;
        }
        let mut layers = vec![hashes];
        while let Some(below) = layers.last().filter(|layer| layer.len() > 1) {
            let above = below.as_chunks::<2>().0.iter().map(|[left, right]| parent(left, right)).collect();
            layers.push(above);
        }
        Some(Self { layers })
    }

    /// Reads the 8192 bytes of a tile.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() {
            return None;
        }
        Self::new(hashes.iter().copied().map(Digest::new).collect())
    }

    pub(super) fn hashes(&self) -> &[Digest] {
        self.layers.first().map(Vec::as_slice).unwrap_or_default()
    }

    /// The hash that stands for the whole tile one level up.
    pub(super) fn root(&self) -> Option<Digest> {
        self.node(TILE_HEIGHT, 0)
    }

    /// The node `height` above the hashes, from 0 to 8.
    pub(super) fn node(&self, height: u8, index: usize) -> Option<Digest> {
        self.layers.get(usize::from(height))?.get(index).copied()
    }
}

/// Hashes as a tile's bytes.
pub(super) fn tile_bytes(hashes: &[Digest]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

#[cfg(test)]
#[path = "tile_tests.rs"]
mod tests;
