//! The yardstick: a loop that writes bytes to a preallocated file and calls `fdatasync`, and nothing else.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::fs::FallocateFlags;

use crate::measure::Measured;

/// Bytes that are allocated at a time.
const ALLOCATED: u64 = 256 * 1024 * 1024;

/// The most bytes of a log that are kept to be written again.
const SAMPLE: usize = 64 * 1024 * 1024;

/// Bytes before the first batch of a segment.
const SEGMENT_HEADER: usize = 4096;

/// How the file is prepared, outside of the measured time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preparation {
    /// As the log does it: `fallocate`, a new file when one is full.
    Allocated,
    /// Zeros are written and synced beforehand, and the file is written over again and again: no extent changes its state.
    Zeroed,
}

/// What a log has written in so many appends.
pub struct Written {
    bytes: Vec<u8>,
    each: usize,
}

impl Written {
    /// Reads the segments of a log that is closed.
    ///
    /// # Errors
    /// When they cannot be read or hold nothing.
    pub fn of(log: &Path, appends: u64) -> anyhow::Result<Self> {
        let mut names: Vec<PathBuf> =
            std::fs::read_dir(log)?.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<_>>()?;
        names.retain(|name| name.extension().is_some_and(|extension| extension == "segment"));
        names.sort();
        let mut bytes = Vec::new();
        for name in names {
            let segment = std::fs::read(&name).with_context(|| name.display().to_string())?;
            let used = segment.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            bytes.extend_from_slice(segment.get(SEGMENT_HEADER..used).unwrap_or_default());
        }
        let each = bytes.len() / usize::try_from(appends.max(1))?;
        bytes.truncate(SAMPLE);
        anyhow::ensure!(each > 0 && bytes.len() >= each, "the log holds {} bytes of {appends} appends", bytes.len());
        Ok(Self { bytes, each })
    }

    /// Bytes of an append.
    pub fn each(&self) -> usize {
        self.each
    }
}

/// The loop, which can go on where it stopped.
pub struct Bare {
    folder: PathBuf,
    preparation: Preparation,
    file: File,
    files: u32,
    at: u64,
    from: usize,
}

impl Bare {
    /// Prepares the first file. Blocks.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn new(folder: &Path, preparation: Preparation) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let file = prepared(folder, 0, preparation)?;
        Ok(Self { folder: folder.to_owned(), preparation, file, files: 1, at: 0, from: 0 })
    }

    /// Writes and syncs for a while, one append at a time. Blocks.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn run(&mut self, written: &Written, units: u64, seconds: f64) -> anyhow::Result<Measured> {
        let limit = Duration::from_secs_f64(seconds);
        let mut measured = Measured::default();
        while measured.took < limit {
            if self.at + written.each as u64 > ALLOCATED {
                self.turn()?;
            }
            if self.from + written.each > written.bytes.len() {
                self.from = 0;
            }
            let chunk = written.bytes.get(self.from..self.from + written.each).unwrap_or_default();
            let start = Instant::now();
            self.file.write_all_at(chunk, self.at)?;
            self.file.sync_data()?;
            let took = start.elapsed();
            measured.took += took;
            measured.latencies.push(took);
            measured.units += units;
            self.at += written.each as u64;
            self.from += written.each;
        }
        measured.latencies.sort_unstable();
        Ok(measured)
    }

    fn turn(&mut self) -> anyhow::Result<()> {
        self.at = 0;
        if self.preparation == Preparation::Allocated {
            self.file = prepared(&self.folder, self.files, self.preparation)?;
            std::fs::remove_file(self.folder.join((self.files - 1).to_string()))?;
            self.files += 1;
        }
        Ok(())
    }
}

fn prepared(folder: &Path, number: u32, preparation: Preparation) -> anyhow::Result<File> {
    let file = File::create_new(folder.join(number.to_string()))?;
    rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, ALLOCATED)
        .context("allocating the file of the bare loop")?;
    if preparation == Preparation::Zeroed {
        let zeros = vec![0_u8; 1 << 20];
        for at in (0..ALLOCATED).step_by(zeros.len()) {
            file.write_all_at(&zeros, at)?;
        }
    }
    file.sync_all()?;
    File::open(folder)?.sync_all()?;
    Ok(file)
}
