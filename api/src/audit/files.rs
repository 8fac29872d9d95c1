//! The audit of a data folder, or of a backup of one: no server is needed, and one may be running.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use eventlog::Digest;
use eventlog::embedded::{VerifyReport, verify_each};
use eventlog::transparency::{SignedCheckpoint, TileIndex, VerifierKey};
use projections::retention::Justified;

use super::tree::{AuditTree, FullTile};
use super::{Key, KeySource, read_if_there};
use crate::engine;

/// What was found right in the files.
#[derive(Debug)]
pub struct FilesReport {
    /// Every record: checksums, digests, order.
    pub log: VerifyReport,
    /// The stored checkpoint, which the log's first records lead to; `None` when there is none.
    pub checkpoint: Option<(SignedCheckpoint, Key)>,
    /// The earlier checkpoint that was given, which the log extends.
    pub since: Option<SignedCheckpoint>,
    /// The tiles on disk that were compared.
    pub tiles: u64,
    /// The tiles that are not on disk; they are made when they are needed.
    pub tiles_absent: u64,
}

/// Rereads everything in a data folder.
///
/// # Errors
/// With the first thing that is not right.
pub fn check(data_dir: &Path, given: Option<Key>, since: Option<&[u8]>) -> anyhow::Result<FilesReport> {
    let log_folder = engine::log_folder(data_dir);
    // Ordering: the checkpoint before the log, so that in a log that is in use it is not ahead of what is reread.
    let note = read_if_there(&log_folder.join("checkpoint"))?;
    let key = match given {
        Some(key) => Some(key),
        None => read_if_there(&data_dir.join("log.vkey"))?
            .map(|text| {
                anyhow::Ok(Key {
                    key: VerifierKey::parse(&String::from_utf8_lossy(&text))?,
                    source: KeySource::FoundThere,
                })
            })
            .transpose()
            .context("reading log.vkey")?,
    };
    let checkpoint = match (note, key.clone()) {
        (Some(note), Some(key)) => {
            let signed = SignedCheckpoint::open(&note, &key.key).context("the stored checkpoint")?;
            Some((signed, key))
        }
        (Some(_), None) => bail!("there is a checkpoint, but no log.vkey beside it: give the verifier key with --vkey"),
        (None, Some(key)) if key.source == KeySource::FoundThere => {
            bail!("there is a log.vkey, so the log was signed, but its checkpoint is gone")
        }
        (None, _) => None,
    };
    let since = match (since, &key) {
        (Some(note), Some(key)) => Some(SignedCheckpoint::open(note, &key.key).context("the checkpoint of --since")?),
        (Some(_), None) => bail!("--since needs the verifier key of the log: give it with --vkey"),
        (None, _) => None,
    };
    let signed = checkpoint.iter().map(|(signed, _)| signed).chain(&since);
    let mut walk = Walk::new(&log_folder, signed.map(|signed| signed.checkpoint().size).collect());
    let mut justified = Justified::default();
    let log = verify_each(&log_folder, |record| {
        justified.observe(record);
        walk.take(&record.leaf());
    })
    .with_context(|| format!("verifying the log in {}", log_folder.display()))?;
    if let Some(position) = justified.first_unjustified(&log.dropped) {
        bail!("the payload of record {position} is gone, and no event of the log says that it was to be dropped");
    }
    let walk = walk.finish()?;
    ensure!(walk.root == log.root, "two computations of the root disagree ({} and {}): a defect", walk.root, log.root);
    for (what, signed) in checkpoint
        .iter()
        .map(|(signed, _)| ("the stored checkpoint", signed))
        .chain(since.iter().map(|since| ("the checkpoint of --since", since)))
    {
        let said = signed.checkpoint();
        match walk.roots.get(&said.size) {
            None => bail!("{what} is over {} records, but the log has {}: history was lost", said.size, log.records),
            Some(found) if *found != said.root => {
                bail!(
                    "{what} has the root {} over {} records, but they lead to {found}: history was changed",
                    said.root,
                    said.size
                )
            }
            Some(_) => {}
        }
    }
    Ok(FilesReport { log, checkpoint, since, tiles: walk.tiles, tiles_absent: walk.tiles_absent })
}

/// The walk over all leaves: the roots at the sizes that were asked for, and the tiles.
struct Walk<'a> {
    log_folder: &'a Path,
    tree: AuditTree,
    wanted: Vec<u64>,
    roots: BTreeMap<u64, Digest>,
    tiles: u64,
    tiles_absent: u64,
    failed: Option<anyhow::Error>,
}

/// What the walk came to.
struct Walked {
    root: Digest,
    roots: BTreeMap<u64, Digest>,
    tiles: u64,
    tiles_absent: u64,
}

impl<'a> Walk<'a> {
    fn new(log_folder: &'a Path, wanted: Vec<u64>) -> Self {
        let mut walk = Self {
            log_folder,
            tree: AuditTree::default(),
            wanted,
            roots: BTreeMap::new(),
            tiles: 0,
            tiles_absent: 0,
            failed: None,
        };
        walk.note_root();
        walk
    }

    fn take(&mut self, leaf: &[u8]) {
        for tile in self.tree.push(leaf) {
            if let Err(error) = self.compare(&tile) {
                self.failed.get_or_insert(error);
            }
        }
        self.note_root();
    }

    fn note_root(&mut self) {
        let size = self.tree.size();
        if self.wanted.contains(&size) {
            match self.tree.root() {
                Ok(root) => {
                    self.roots.insert(size, root);
                }
                Err(error) => {
                    self.failed.get_or_insert(error);
                }
            }
        }
    }

    fn compare(&mut self, tile: &FullTile) -> anyhow::Result<()> {
        let name = format!("{}/{}", tile.level, TileIndex { index: tile.index, width: None });
        match read_if_there(&self.log_folder.join("tiles").join(&name))? {
            None => self.tiles_absent += 1,
            Some(bytes) if bytes == tile.bytes => self.tiles += 1,
            Some(_) => bail!(
                "tile {name} on disk is not that of the log. The log itself is right so far; tiles are derived: delete the folder `tiles`, and it is made again"
            ),
        }
        Ok(())
    }

    fn finish(self) -> anyhow::Result<Walked> {
        match self.failed {
            Some(error) => Err(error),
            None => Ok(Walked {
                root: self.tree.root()?,
                roots: self.roots,
                tiles: self.tiles,
                tiles_absent: self.tiles_absent,
            }),
        }
    }
}
