//! A disk in memory that never fails.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use eventlog::embedded::disk::{Access, Disk, DiskFile, Lock};

/// The files of one log by name. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk(Arc<Mutex<BTreeMap<PathBuf, MemoryFile>>>);

#[derive(Clone, Debug, Default)]
struct MemoryFile(Arc<Mutex<Vec<u8>>>);

struct Unlocked;

impl Lock for Unlocked {}

/// Where the log of a [`MemoryDisk`] lives.
pub fn folder() -> &'static Path {
    Path::new("log")
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryDisk {
    /// A disk with these files in the log's folder.
    pub fn of<const N: usize>(files: [(&str, Vec<u8>); N]) -> Self {
        let disk = Self::default();
        for (name, bytes) in files {
            disk.put(name, bytes);
        }
        disk
    }

    /// Puts a file into the log's folder.
    pub fn put(&self, name: &str, bytes: Vec<u8>) {
        locked(&self.0).insert(folder().join(name), MemoryFile(Arc::new(Mutex::new(bytes))));
    }

    /// The contents of the files whose names end so.
    pub fn contents(&self, suffix: &str) -> Vec<Vec<u8>> {
        let files = locked(&self.0);
        let named = files.iter().filter(|(path, _)| path.to_str().is_some_and(|path| path.ends_with(suffix)));
        named.map(|(_, file)| locked(&file.0).clone()).collect()
    }

    /// Another disk with the same contents.
    pub fn copy(&self) -> Self {
        let files = locked(&self.0);
        let copied = files.iter().map(|(path, file)| {
            let bytes = locked(&file.0).clone();
            (path.clone(), MemoryFile(Arc::new(Mutex::new(bytes))))
        });
        Self(Arc::new(Mutex::new(copied.collect())))
    }
}

impl Disk for MemoryDisk {
    fn create_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, _: &Path) -> io::Result<Vec<String>> {
        let name = |path: &PathBuf| Some(path.file_name()?.to_str()?.to_owned());
        Ok(locked(&self.0).keys().filter_map(name).collect())
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let mut files = locked(&self.0);
        let file = match access {
            Access::Read | Access::Write => files.get(path).cloned().ok_or(io::ErrorKind::NotFound)?,
            Access::Create => files.entry(path.to_owned()).or_default().clone(),
            Access::Empty => {
                let file = MemoryFile::default();
                files.insert(path.to_owned(), file.clone());
                file
            }
        };
        Ok(Arc::new(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut files = locked(&self.0);
        let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        locked(&self.0).remove(path).map(|_| ()).ok_or(io::ErrorKind::NotFound.into())
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, _: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        Ok(Some(Box::new(Unlocked)))
    }
}

impl DiskFile for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        Ok(locked(&self.0).len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = locked(&self.0);
        let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_all_at(&self, new: &[u8], offset: u64) -> io::Result<()> {
        let mut bytes = locked(&self.0);
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let end = start + new.len();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[start..end].copy_from_slice(new);
        Ok(())
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        locked(&self.0).resize(usize::try_from(bytes).map_err(io::Error::other)?, 0);
        Ok(())
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        let mut held = locked(&self.0);
        let bytes = usize::try_from(bytes).map_err(io::Error::other)?;
        if held.len() < bytes {
            held.resize(bytes, 0);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(())
    }
}
