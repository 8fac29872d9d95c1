//! Files of the transparency tree: written whole under another name and renamed, so that nobody ever reads a half of one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::tile::{FullTile, TILE_WIDTH, TileId, tile_bytes};
use crate::Digest;
use crate::embedded::disk::{Access, Disk, LocalDisk};

/// The file of the last checkpoint in the log's folder.
pub(crate) const CHECKPOINT: &str = "checkpoint";

/// The folder of the tiles in the log's folder.
const TILES: &str = "tiles";

/// The most bytes that are read of a file that should be small.
const MAX_SMALL_FILE: usize = 64 * 1024;

/// The size that the last checkpoint in a log's folder names: every record below was durable. Its signature is not looked at here; `None` when there is no
/// checkpoint that can be read.
pub(crate) fn stored_size(note: &[u8]) -> Option<u64> {
    std::str::from_utf8(note).ok()?.split('\n').nth(1)?.parse().ok()
}

/// Reads a small file as text; `None` when it is not there.
pub(super) fn read_optional(path: &Path) -> io::Result<Option<String>> {
    let bytes = read_small(&LocalDisk, path)?;
    bytes
        .map(|bytes| String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error)))
        .transpose()
}

/// Reads a small file; `None` when it is not there.
pub(super) fn read_small(disk: &dyn Disk, path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match disk.open(path, Access::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = vec![0; MAX_SMALL_FILE + 1];
    let read = file.read_up_to(&mut bytes, 0)?;
    if read > MAX_SMALL_FILE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is larger than any of its kind"));
    }
    bytes.truncate(read);
    Ok(Some(bytes))
}

/// Writes a file durably: when this answers `Ok`, the new contents are on disk under the name. When it fails, the old ones are, or the new ones.
pub(super) fn publish(path: &Path, bytes: &[u8]) -> io::Result<()> {
    publish_on(&LocalDisk, path, bytes)
}

/// [`publish`] on a disk.
pub(super) fn publish_on(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = unfinished(path);
    // A new file each time: after a failed sync nothing is known about the old one, and it is never synced again.
    let file = disk.open(&unfinished, Access::Empty)?;
    file.write_all_at(bytes, 0)?;
    file.sync_all()?;
    // Ordering: the contents are on disk before the name points to them, and the name is before anybody hears of it.
    disk.rename(&unfinished, path)?;
    disk.sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// A name for what is not whole yet, which no other thread uses.
fn unfinished(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    path.with_extension(format!("{number}.unfinished"))
}

/// The full tiles of a log in files: `tiles/LEVEL/INDEX`, the index in groups of three digits as in the addresses. Derived: what a file holds is believed only
/// when it fits to the tree.
#[derive(Clone, Debug)]
pub(super) struct TileFiles {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
}

impl TileFiles {
    pub(super) fn new(disk: Arc<dyn Disk>, log_folder: &Path) -> Self {
        Self { disk, folder: log_folder.join(TILES) }
    }

    fn path(&self, id: TileId) -> PathBuf {
        self.folder.join(id.to_string())
    }

    /// Reads a tile; `None` when it is not there, or is no tile.
    pub(super) fn read(&self, id: TileId) -> Option<FullTile> {
        let file = self.disk.open(&self.path(id), Access::Read).ok()?;
        let mut bytes = vec![0; TILE_WIDTH as usize * 32 + 1];
        let read = file.read_up_to(&mut bytes, 0).ok()?;
        FullTile::from_bytes(bytes.get(..read)?)
    }

    /// Writes a tile. It is not synced: it can be made again.
    pub(super) fn write(&self, id: TileId, hashes: &[Digest]) -> io::Result<()> {
        let path = self.path(id);
        let folder = path.parent().unwrap_or(&self.folder);
        let unfinished = unfinished(&path);
        let file = match self.disk.open(&unfinished, Access::Empty) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.disk.create_folder(folder)?;
                self.disk.open(&unfinished, Access::Empty)?
            }
            opened => opened?,
        };
        file.write_all_at(&tile_bytes(hashes), 0)?;
        self.disk.rename(&unfinished, &path)
    }
}
