//! The disk as the engine sees it: the one seam between the log and its files, so that a simulated disk can fail in every way that a real one does.
//!
//! What the engine relies on, and a simulated disk takes away when it may:
//! - What was written is durable once `sync_data` or `sync_all` of that file has answered `Ok`; before that any part of it, in any order, may be lost or kept.
//! - A name that was created, renamed or removed is durable once `sync_folder` of its folder has answered `Ok`.
//! - After a failed sync nothing is known about what was written since the last good one. The engine never tries again.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::ops::RangeInclusive;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::buffer::spare_capacity;
use rustix::fs::{FallocateFlags, FlockOperation};
#[cfg(target_os = "linux")]
use rustix::io::ReadWriteFlags;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// For reading; it must exist.
    Read,
    /// For reading and writing; it must exist.
    Write,
    /// For reading and writing; created when it does not exist, kept as it is when it does.
    Create,
    /// For reading and writing; created, or emptied when it exists.
    Empty,
}

/// Folders, names and locks.
pub trait Disk: fmt::Debug + Send + Sync + 'static {
    /// Makes a folder and its parents, where they are missing.
    ///
    /// # Errors
    /// The operating system's reason.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// The names in a folder, in no order.
    ///
    /// # Errors
    /// The operating system's reason.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// Opens a file.
    ///
    /// # Errors
    /// The operating system's reason; `NotFound` when it must exist and does not.
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file another name in the same folder, in place of what has that name.
    ///
    /// # Errors
    /// The operating system's reason.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// The operating system's reason.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// The operating system's reason.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;

    /// Locks a file, which is created where it is missing, until the answer is dropped. `None` when somebody else holds it.
    ///
    /// # Errors
    /// The operating system's reason.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>>;

    /// How many threads the engine may use at once where one would do. A disk that is to be asked in the same order every time says one.
    fn threads(&self) -> usize {
        1
    }
}

/// A lock that ends when it is dropped.
pub trait Lock: Send + Sync {}

/// One open file.
#[allow(clippy::len_without_is_empty, reason = "a file's length may fail, and nobody asks whether a file is empty")]
pub trait DiskFile: fmt::Debug + Send + Sync + 'static {
    /// Its length in bytes.
    ///
    /// # Errors
    /// The operating system's reason.
    fn len(&self) -> io::Result<u64>;

    /// Reads some bytes; 0 at the end of the file.
    ///
    /// # Errors
    /// The operating system's reason.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all bytes.
    ///
    /// # Errors
    /// The operating system's reason. A part may have been written.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Writes all bytes of all parts, one after the other. Unless a disk knows better, they are joined first and written at once.
    ///
    /// # Errors
    /// As [`write_all_at`](Self::write_all_at).
    fn write_all_parts_at(&self, parts: &mut [IoSlice<'_>], offset: u64) -> io::Result<()> {
        let mut joined = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
        parts.iter().for_each(|part| joined.extend_from_slice(part));
        self.write_all_at(&joined, offset)
    }

    /// Cuts the file off, or extends it with zeros.
    ///
    /// # Errors
    /// The operating system's reason.
    fn set_len(&self, bytes: u64) -> io::Result<()>;

    /// Makes room up to this length, so that a full disk shows here and not in the middle of a write; what is new reads as zeros.
    ///
    /// # Errors
    /// `StorageFull` or `QuotaExceeded` when there is no room; otherwise the operating system's reason.
    fn allocate(&self, bytes: u64) -> io::Result<()>;

    /// Makes the contents durable.
    ///
    /// # Errors
    /// The operating system's reason: nothing is known then about what was written since the last sync.
    fn sync_data(&self) -> io::Result<()>;

    /// Makes the contents and the length durable.
    ///
    /// # Errors
    /// As [`sync_data`](Self::sync_data).
    fn sync_all(&self) -> io::Result<()>;

    /// Reads until the buffer is full or the file ends; answers how many bytes came.
    ///
    /// # Errors
    /// The operating system's reason.
    fn read_up_to(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.read_at(rest, offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    /// Whether reading these bytes would hardly wait for the disk: a guess from the first and the last of them. A disk that cannot tell says no.
    fn lies_in_memory(&self, _bytes: RangeInclusive<u64>) -> bool {
        false
    }

    /// What was read is not what was written: whatever the file keeps of it in memory goes, and is read again.
    fn forget(&self) {}

    /// Appends up to so many bytes to the buffer, fewer only where the file ends; answers how many came.
    ///
    /// # Errors
    /// The operating system's reason. What the buffer held before is still there.
    fn read_append(&self, buffer: &mut Vec<u8>, bytes: usize, offset: u64) -> io::Result<usize> {
        let start = buffer.len();
        buffer.resize(start + bytes, 0);
        let read = self.read_up_to(buffer.get_mut(start..).unwrap_or_default(), offset);
        buffer.truncate(start + read.as_ref().map_or(0, |read| *read));
        read
    }

    /// Fills the buffer.
    ///
    /// # Errors
    /// `UnexpectedEof` when the file ends before; otherwise the operating system's reason.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        if self.read_up_to(buffer, offset)? < buffer.len() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file ends too early"));
        }
        Ok(())
    }
}

/// The most parts that the operating system takes in one write.
const MAX_PARTS: usize = 1024;

/// The disk of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalDisk;

impl Disk for LocalDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir_all(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            // The names of our files are plain; what is not Unicode is not ours.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(access != Access::Read)
            .create(matches!(access, Access::Create | Access::Empty))
            .truncate(access == Access::Empty)
            .open(path)?;
        Ok(Arc::new(LocalFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Box::new(LocalLock(file)))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn threads(&self) -> usize {
        std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
    }
}

#[derive(Debug)]
struct LocalFile(File);

/// A locked file. It is unlocked by name, since closing it is not enough while a process that was just started by another thread still has a copy.
struct LocalLock(File);

impl Lock for LocalLock {}

impl Drop for LocalLock {
    fn drop(&mut self) {
        // Where that fails, closing the file does it.
        let _ = rustix::fs::flock(&self.0, FlockOperation::Unlock);
    }
}

impl DiskFile for LocalFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    /// Into memory that nobody has filled with zeros before.
    fn read_append(&self, buffer: &mut Vec<u8>, bytes: usize, offset: u64) -> io::Result<usize> {
        let start = buffer.len();
        let end = start + bytes;
        buffer.reserve_exact(bytes);
        while buffer.len() < end {
            let at = offset + (buffer.len() - start) as u64;
            match rustix::io::pread(&self.0, spare_capacity(buffer), at) {
                Ok(0) => break,
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // The memory may be larger than what was asked for.
        buffer.truncate(end);
        Ok(buffer.len() - start)
    }

    #[cfg(target_os = "linux")]
    fn lies_in_memory(&self, bytes: RangeInclusive<u64>) -> bool {
        [*bytes.start(), *bytes.end()].into_iter().all(|offset| {
            let mut byte = [0];
            let probe = &mut [io::IoSliceMut::new(&mut byte)];
            rustix::io::preadv2(&self.0, probe, offset, ReadWriteFlags::NOWAIT).is_ok_and(|read| read == 1)
        })
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn write_all_parts_at(&self, parts: &mut [IoSlice<'_>], offset: u64) -> io::Result<()> {
        let (mut rest, mut at) = (parts, offset);
        while !rest.is_empty() {
            let now = rest.get(..MAX_PARTS).unwrap_or(rest);
            match rustix::io::pwritev(&self.0, now, at) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    at += count as u64;
                    IoSlice::advance_slices(&mut rest, count);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        match rustix::fs::fallocate(&self.0, FallocateFlags::empty(), 0, bytes) {
            Ok(()) => Ok(()),
            Err(rustix::io::Errno::OPNOTSUPP) => {
                let zeros = vec![0_u8; 1 << 16];
                let mut at = self.0.metadata()?.len();
                while at < bytes {
                    let count = usize::try_from(bytes - at).unwrap_or(usize::MAX).min(zeros.len());
                    self.0.write_all_at(zeros.get(..count).unwrap_or_default(), at)?;
                    at += count as u64;
                }
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.0.sync_all()
    }
}

/// One folder on a disk: where a log lives.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    disk: Arc<dyn Disk>,
    path: PathBuf,
}

impl Folder {
    pub(super) fn new(disk: Arc<dyn Disk>, path: &Path) -> Self {
        Self { disk, path: path.to_owned() }
    }

    pub(super) fn local(path: &Path) -> Self {
        Self::new(Arc::new(LocalDisk), path)
    }

    /// How many threads may use it at once.
    pub(super) fn threads(&self) -> usize {
        self.disk.threads().max(1)
    }

    /// The path, for messages.
    pub(super) fn shown(&self) -> String {
        self.path.display().to_string()
    }

    pub(super) fn create(&self) -> io::Result<()> {
        self.disk.create_folder(&self.path)
    }

    pub(super) fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list(&self.path)
    }

    pub(super) fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.open(&self.path.join(name), access)
    }

    pub(super) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(&self.path.join(from), &self.path.join(to))
    }

    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(&self.path.join(name))
    }

    /// Makes the names in the folder durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.disk.sync_folder(&self.path)
    }

    /// Makes the folder's own name durable.
    pub(super) fn sync_parent(&self) -> io::Result<()> {
        match self.path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) => self.disk.sync_folder(parent),
            None => Ok(()),
        }
    }

    pub(super) fn lock(&self, name: &str) -> io::Result<Option<Box<dyn Lock>>> {
        self.disk.lock(&self.path.join(name))
    }
}
