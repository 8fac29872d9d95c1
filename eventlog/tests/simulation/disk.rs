//! A disk in memory that fails as real ones do, and keeps exactly as much as it promised.
//!
//! Each file has the content that programs see and the content that a power cut leaves. A sync carries what was written since the last one over to the
//! latter. A power cut keeps of unsynced writes any subset of their sectors, of unsynced changes of length and of names any subset. A sync that fails drops
//! what it should have carried over: the content is still seen, no later sync brings it to the platter (that is what Linux does), and only writing
//! it again helps.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use eventlog::embedded::disk::{Access, Disk, DiskFile, Lock};

use crate::chance::Chance;

const SECTOR: usize = 512;

/// What happens once to the operation that it meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A write puts a part of its bytes into the file and fails.
    WriteFails,
    /// A sync fails.
    SyncFails,
    /// There is no room, until [`SimulatedDisk::make_room`].
    Full,
    /// The power goes: this operation and all later ones fail, until [`SimulatedDisk::power_on`].
    PowerCut,
}

/// How often each thing was seen, so that a run can show that it tested something.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    pub writes: u64,
    pub syncs: u64,
    pub failed_writes: u64,
    pub failed_syncs: u64,
    pub refused_for_room: u64,
    pub power_cuts: u64,
    pub torn_writes: u64,
    pub lost_names: u64,
    pub short_reads: u64,
}

/// The disk. Clones are the same disk.
#[derive(Clone)]
pub struct SimulatedDisk(Arc<Mutex<State>>);

struct State {
    seed: u64,
    files: Vec<FileState>,
    /// What programs see.
    names: BTreeMap<PathBuf, usize>,
    /// What a power cut leaves.
    durable_names: BTreeMap<PathBuf, usize>,
    /// Changes of names since the last sync of their folder.
    renames: Vec<Vec<(PathBuf, Option<usize>)>>,
    locks: Vec<PathBuf>,
    /// The fault, and how many operations on the log's own files it lets pass.
    planned: Option<(Fault, u64)>,
    powered: bool,
    full: bool,
    /// Syncs do nothing and say that they did: only to show that the checker notices.
    lying: bool,
    seen: Seen,
    operations: u64,
}

#[derive(Default)]
struct FileState {
    content: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Pending>,
}

enum Pending {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
}

fn put(content: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if content.len() < at + bytes.len() {
        content.resize(at + bytes.len(), 0);
    }
    content[at..at + bytes.len()].copy_from_slice(bytes);
}

impl FileState {
    fn sync(&mut self) {
        for change in self.pending.drain(..) {
            match change {
                Pending::Write { at, bytes } => put(&mut self.durable, at, &bytes),
                Pending::Length(bytes) => self.durable.resize(bytes, 0),
            }
        }
    }

    /// Carries over a random part of what is pending; answers how many writes were torn.
    fn sync_in_part(&mut self, chance: &mut Chance) -> u64 {
        let mut torn = 0;
        for change in self.pending.drain(..) {
            match change {
                Pending::Length(bytes) => {
                    if chance.per_mille(500) {
                        self.durable.resize(bytes, 0);
                    }
                }
                Pending::Write { at, bytes } => {
                    // All, nothing, or any sectors of it.
                    let share = [1000, 0, 500][chance.below(3) as usize];
                    torn += u64::from(share == 500);
                    let mut start = 0;
                    while start < bytes.len() {
                        let end = (((at + start) / SECTOR + 1) * SECTOR - at).min(bytes.len());
                        if chance.per_mille(share) {
                            put(&mut self.durable, at + start, &bytes[start..end]);
                        }
                        start = end;
                    }
                }
            }
        }
        torn
    }
}

impl SimulatedDisk {
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            seed,
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            renames: Vec::new(),
            locks: Vec::new(),
            planned: None,
            powered: true,
            full: false,
            lying: false,
            seen: Seen::default(),
            operations: 0,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The fault meets the operation of its kind after `passed` operations on the log's own files.
    pub fn plan(&self, fault: Fault, passed: u64) {
        self.state().planned = Some((fault, passed));
    }

    /// There is room again.
    pub fn make_room(&self) {
        self.state().full = false;
    }

    /// From now on syncs are lies.
    pub fn lie(&self) {
        self.state().lying = true;
    }

    /// No fault is planned any more.
    pub fn cancel(&self) {
        self.state().planned = None;
    }

    /// The power goes now.
    pub fn cut_now(&self) {
        self.state().powered = false;
    }

    pub fn is_powered(&self) -> bool {
        self.state().powered
    }

    pub fn seen(&self) -> Seen {
        self.state().seen
    }

    /// The process is gone: its locks are free, what it wrote stays in the page cache.
    pub fn process_ends(&self) {
        let mut state = self.state();
        state.planned = None;
        state.locks.clear();
    }

    /// The power is gone and comes back: only what is durable is left, and of the rest what chance keeps.
    pub fn power_on(&self) {
        let mut guard = self.state();
        let state = &mut *guard;
        let mut chance = Chance::new(state.seed ^ state.operations, "power");
        for file in &mut state.files {
            state.seen.torn_writes += file.sync_in_part(&mut chance);
            file.content.clone_from(&file.durable);
        }
        let renames = std::mem::take(&mut state.renames);
        for change in renames {
            if chance.per_mille(500) {
                for (path, file) in change {
                    set(&mut state.durable_names, path, file);
                }
            } else {
                state.seen.lost_names += 1;
            }
        }
        state.names.clone_from(&state.durable_names);
        state.locks.clear();
        state.planned = None;
        state.powered = true;
        state.full = false;
        state.seen.power_cuts += 1;
    }

    /// The names of the files in a folder with their lengths.
    pub fn files(&self, folder: &Path) -> Vec<(String, usize)> {
        let state = self.state();
        let inside = state.names.iter().filter(|(path, _)| path.parent() == Some(folder));
        inside
            .map(|(path, file)| {
                (path.file_name().unwrap().to_str().unwrap().to_owned(), state.files[*file].content.len())
            })
            .collect()
    }

    /// Turns one bit round, in what is seen and what is durable.
    pub fn flip(&self, path: &Path, byte: usize, bit: u32) {
        let mut state = self.state();
        let file = state.names[path];
        let file = &mut state.files[file];
        for content in [&mut file.content, &mut file.durable] {
            if let Some(byte) = content.get_mut(byte) {
                *byte ^= 1 << bit;
            }
        }
    }
}

fn set(names: &mut BTreeMap<PathBuf, usize>, path: PathBuf, file: Option<usize>) {
    match file {
        Some(file) => names.insert(path, file),
        None => names.remove(&path),
    };
}

fn off() -> io::Error {
    io::Error::other("the power is off")
}

/// What an operation does, for the faults that meet it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Write,
    Sync,
    Room,
    Name,
}

impl State {
    /// Counts an operation on the log's own files and answers the fault that meets it. Files of indexes are derived, and written by another
    /// thread: they do not count, so that the same seed meets the same operation.
    fn meet(&mut self, path: &Path, kind: Kind) -> io::Result<Option<Fault>> {
        if !self.powered {
            return Err(off());
        }
        let derived = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.contains(".index"));
        if derived {
            return Ok(None);
        }
        self.operations += 1;
        let Some((fault, passed)) = self.planned else { return Ok(None) };
        if passed > 0 {
            self.planned = Some((fault, passed - 1));
            return Ok(None);
        }
        let fits = match fault {
            Fault::WriteFails => kind == Kind::Write,
            Fault::SyncFails => kind == Kind::Sync,
            Fault::Full => kind == Kind::Room,
            Fault::PowerCut => true,
        };
        if !fits {
            return Ok(None);
        }
        self.planned = None;
        Ok(Some(fault))
    }

    fn rename_changes(&mut self, changes: Vec<(PathBuf, Option<usize>)>) {
        for (path, file) in &changes {
            set(&mut self.names, path.clone(), *file);
        }
        self.renames.push(changes);
    }

    fn cut_power(&mut self) -> io::Error {
        self.powered = false;
        off()
    }
}

impl fmt::Debug for SimulatedDisk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SimulatedDisk")
    }
}

impl Disk for SimulatedDisk {
    fn create_folder(&self, _path: &Path) -> io::Result<()> {
        if self.state().powered { Ok(()) } else { Err(off()) }
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        if !self.state().powered {
            return Err(off());
        }
        Ok(self.files(folder).into_iter().map(|(name, _)| name).collect())
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        if !state.powered {
            return Err(off());
        }
        let file = match (state.names.get(path).copied(), access) {
            (Some(file), Access::Read | Access::Write | Access::Create) => file,
            (None, Access::Read | Access::Write) => return Err(ErrorKind::NotFound.into()),
            (Some(file), Access::Empty) => {
                state.files[file].content.clear();
                state.files[file].pending.push(Pending::Length(0));
                file
            }
            (None, Access::Create | Access::Empty) => {
                let file = state.files.len();
                state.files.push(FileState::default());
                state.rename_changes(vec![(path.to_owned(), Some(file))]);
                file
            }
        };
        drop(state);
        Ok(Arc::new(SimulatedFile { disk: self.clone(), path: path.to_owned(), file }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        if state.meet(to, Kind::Name)?.is_some() {
            return Err(state.cut_power());
        }
        let file = state.names.get(from).copied().ok_or(ErrorKind::NotFound)?;
        state.rename_changes(vec![(from.to_owned(), None), (to.to_owned(), Some(file))]);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        if state.meet(path, Kind::Name)?.is_some() {
            return Err(state.cut_power());
        }
        state.names.get(path).ok_or(ErrorKind::NotFound)?;
        state.rename_changes(vec![(path.to_owned(), None)]);
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state();
        if !state.powered {
            return Err(off());
        }
        let state = &mut *state;
        state.seen.syncs += 1;
        if state.lying {
            return Ok(());
        }
        for change in std::mem::take(&mut state.renames) {
            if change.iter().any(|(path, _)| path.parent() == Some(folder)) {
                change.into_iter().for_each(|(path, file)| set(&mut state.durable_names, path, file));
            } else {
                state.renames.push(change);
            }
        }
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        let mut state = self.state();
        if !state.powered {
            return Err(off());
        }
        if state.locks.iter().any(|locked| locked == path) {
            return Ok(None);
        }
        state.locks.push(path.to_owned());
        Ok(Some(Box::new(SimulatedLock { disk: self.clone(), path: path.to_owned() })))
    }
}

struct SimulatedLock {
    disk: SimulatedDisk,
    path: PathBuf,
}

impl Lock for SimulatedLock {}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        self.disk.state().locks.retain(|locked| *locked != self.path);
    }
}

#[derive(Debug)]
struct SimulatedFile {
    disk: SimulatedDisk,
    path: PathBuf,
    file: usize,
}

impl SimulatedFile {
    fn change_length(&self, bytes: u64, kind: Kind) -> io::Result<()> {
        let bytes = usize::try_from(bytes).unwrap();
        let mut state = self.disk.state();
        match state.meet(&self.path, kind)? {
            Some(Fault::PowerCut) => return Err(state.cut_power()),
            Some(_) => state.full = true,
            None => {}
        }
        let grows = bytes > state.files[self.file].content.len();
        if grows && state.full && kind == Kind::Room {
            state.seen.refused_for_room += 1;
            return Err(ErrorKind::StorageFull.into());
        }
        if grows || kind != Kind::Room {
            let file = &mut state.files[self.file];
            file.content.resize(bytes, 0);
            file.pending.push(Pending::Length(bytes));
        }
        Ok(())
    }
}

impl DiskFile for SimulatedFile {
    fn len(&self) -> io::Result<u64> {
        let state = self.disk.state();
        if !state.powered {
            return Err(off());
        }
        Ok(state.files[self.file].content.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        if !state.powered {
            return Err(off());
        }
        let content = &state.files[self.file].content;
        let rest = content.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        let mut count = rest.len().min(buffer.len());
        // A read may answer less than was asked for: now and then, where the file says so by its place.
        let short = count > SECTOR && (offset / SECTOR as u64).is_multiple_of(7);
        if short {
            count = count * 2 / 3;
        }
        buffer[..count].copy_from_slice(&rest[..count]);
        state.seen.short_reads += u64::from(short);
        Ok(count)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap();
        let mut state = self.disk.state();
        let met = state.meet(&self.path, Kind::Write)?;
        let mut count = bytes.len();
        if met.is_some() {
            let mut chance = Chance::new(state.seed ^ state.operations, "write");
            count = chance.below(bytes.len() as u64 + 1) as usize;
        }
        let file = &mut state.files[self.file];
        put(&mut file.content, at, &bytes[..count]);
        file.pending.push(Pending::Write { at, bytes: bytes[..count].to_vec() });
        state.seen.writes += 1;
        match met {
            Some(Fault::PowerCut) => Err(state.cut_power()),
            Some(_) => {
                state.seen.failed_writes += 1;
                Err(io::Error::other("the device failed to write"))
            }
            None => Ok(()),
        }
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.change_length(bytes, Kind::Name)
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        self.change_length(bytes, Kind::Room)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut guard = self.disk.state();
        let met = guard.meet(&self.path, Kind::Sync)?;
        let state = &mut *guard;
        state.seen.syncs += 1;
        match met {
            Some(Fault::PowerCut) => Err(state.cut_power()),
            Some(_) => {
                let mut chance = Chance::new(state.seed ^ state.operations, "sync");
                state.files[self.file].sync_in_part(&mut chance);
                state.seen.failed_syncs += 1;
                Err(io::Error::other("the device failed to sync"))
            }
            None if state.lying => Ok(()),
            None => {
                state.files[self.file].sync();
                Ok(())
            }
        }
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync_data()
    }
}
