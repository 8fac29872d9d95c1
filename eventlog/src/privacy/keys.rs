//! One key for each data subject, in a folder of its own.
//!
//! A subject is named by the tag that its records carry (`person:P-17`). The id of its key follows from that name, so that a subject has one key
//! for ever and a file is found without an index. The key itself is random.
//!
//! Files, below the folder, in one of 256 folders named by the id's first two digits:
//! - `ID.key`: a key (see [`file`]), written whole and synced before anything is encrypted with it;
//! - `ID.erased`: the subject was erased. It stays for ever, and no key is ever made again under the id.
//!
//! Invariants: `ID.erased` is durable before a key is destroyed, so that a crash in between leaves a subject that is erased; a key that is not
//! there and not erased is *missing*, which is damage and never taken for an erasure.

mod file;

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use sha2::Digest as _;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::cipher::DataKey;
use crate::Tag;

/// The most keys that are kept in memory; beyond it they are read from their files again.
const MAX_CACHED: usize = 8192;

/// Wraps the data keys on disk. It comes from outside of the data folder, so that a stolen or recovered key file alone opens nothing.
#[derive(Clone, Debug)]
pub struct MasterKey(DataKey);

impl MasterKey {
    /// Reads 64 hexadecimal digits, with or without white space around them.
    ///
    /// # Errors
    /// [`KeyError::Master`] when the text is anything else.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let digits = text.trim().as_bytes();
        let mut bytes = Zeroizing::new([0_u8; 32]);
        if digits.len() != 64 {
            return Err(KeyError::Master);
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |digit: &u8| char::from(*digit).to_digit(16).ok_or(KeyError::Master);
            let [high, low] = pair else { return Err(KeyError::Master) };
            *byte = u8::try_from(digit(high)? * 16 + digit(low)?).map_err(|_| KeyError::Master)?;
        }
        Ok(Self(DataKey::new(*bytes)))
    }
}

/// Whether the key of a subject can be had.
#[derive(Clone, Debug)]
pub enum KeyState {
    /// Here it is.
    Here(Arc<DataKey>),
    /// The subject was erased.
    Erased,
    /// There is neither a key nor the mark of an erasure.
    Missing,
}

/// Why a key could not be read, made or destroyed.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The subject was erased: it never gets another key.
    #[error("{0} was erased")]
    Erased(Tag),
    /// A file or folder of the keys failed.
    #[error("the key file {path} failed")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        #[source]
        source: std::io::Error,
    },
    /// A key file is not what was written.
    #[error("the key file {path} is damaged: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: &'static str,
    },
    /// A key is wrapped, and the master key is not given or another one.
    #[error("the key file {path} is wrapped with a master key, and {reason}")]
    Wrapped {
        /// The file.
        path: PathBuf,
        /// What is wrong with the master key.
        reason: &'static str,
    },
    /// The master key is not 64 hexadecimal digits.
    #[error("a master key is 64 hexadecimal digits")]
    Master,
    /// The operating system has no random numbers.
    #[error("no random number for a new key: {0}")]
    Random(String),
}

/// The keys of all subjects.
#[derive(Debug)]
pub struct DataKeys {
    dir: PathBuf,
    master: Option<MasterKey>,
    /// Invariant: files change under this lock only, so that no key is remembered that was destroyed meanwhile.
    cache: Mutex<HashMap<Uuid, KeyState>>,
}

impl DataKeys {
    /// Opens the folder, or makes it, readable by its owner only.
    ///
    /// # Errors
    /// [`KeyError::Io`].
    pub fn open(dir: &Path, master: Option<MasterKey>) -> Result<Self, KeyError> {
        make_dir(dir)?;
        Ok(Self { dir: dir.to_owned(), master, cache: Mutex::default() })
    }

    /// The id of the subject's key: UUIDv8 (RFC 9562) from SHA-256 over its name.
    pub fn id_of(subject: &Tag) -> Uuid {
        let mut hasher = sha2::Sha256::new();
        hasher.update(b"millwright data key 1\n");
        hasher.update(subject.as_str().as_bytes());
        let digest: [u8; 32] = hasher.finalize().into();
        let mut bytes = [0_u8; 16];
        for (to, from) in bytes.iter_mut().zip(digest) {
            *to = from;
        }
        Uuid::new_v8(bytes)
    }

    /// The key with this id, when it is in memory. It does not block.
    pub fn remembered(&self, id: Uuid) -> Option<KeyState> {
        self.cache.lock().get(&id).cloned()
    }

    /// The key with this id.
    ///
    /// # Errors
    /// [`KeyError`] when its file is there and cannot be read.
    pub fn find(&self, id: Uuid) -> Result<KeyState, KeyError> {
        let mut cache = self.cache.lock();
        if let Some(known) = cache.get(&id) {
            return Ok(known.clone());
        }
        let found = self.read(id)?;
        // A missing key may come back with a restored folder: it is looked for each time.
        if !matches!(found, KeyState::Missing) {
            remember(&mut cache, id, found.clone());
        }
        Ok(found)
    }

    /// The key of the subject, made and synced to disk when it has none yet.
    ///
    /// # Errors
    /// [`KeyError::Erased`] when the subject was erased.
    pub fn obtain(&self, subject: &Tag) -> Result<Arc<DataKey>, KeyError> {
        let id = Self::id_of(subject);
        let mut cache = self.cache.lock();
        let known = match cache.get(&id) {
            Some(known) => known.clone(),
            None => self.read(id)?,
        };
        let key = match known {
            KeyState::Here(key) => key,
            KeyState::Erased => {
                remember(&mut cache, id, KeyState::Erased);
                return Err(KeyError::Erased(subject.clone()));
            }
            KeyState::Missing => Arc::new(self.make(id, subject)?),
        };
        remember(&mut cache, id, KeyState::Here(Arc::clone(&key)));
        Ok(key)
    }

    /// Whether the subject was erased.
    ///
    /// # Errors
    /// [`KeyError`] when the folder cannot be read.
    pub fn is_erased(&self, subject: &Tag) -> Result<bool, KeyError> {
        Ok(matches!(self.find(Self::id_of(subject))?, KeyState::Erased))
    }

    /// Destroys the subject's key and marks the subject as erased, durably and for ever. Answers whether there was a key. Done again, it changes nothing.
    ///
    /// # Errors
    /// [`KeyError::Io`]; it can be tried again then.
    pub fn shred(&self, subject: &Tag) -> Result<bool, KeyError> {
        let id = Self::id_of(subject);
        let mut cache = self.cache.lock();
        // Ordering: the mark is durable before the key goes, so that no crash leaves a subject that could get a new key.
        let mark = self.mark_path(id);
        if !mark.exists() {
            self.write_new(&mark, subject.as_str().as_bytes())?;
        }
        remember(&mut cache, id, KeyState::Erased);
        let path = self.key_path(id);
        let destroyed = destroy(&path)?;
        let unfinished = destroy(&unfinished(&path))?;
        if destroyed || unfinished {
            sync_dir(parent(&path))?;
        }
        Ok(destroyed)
    }

    fn read(&self, id: Uuid) -> Result<KeyState, KeyError> {
        // The mark counts more than a key: a restored key of an erased subject opens nothing.
        if self.mark_path(id).exists() {
            return Ok(KeyState::Erased);
        }
        let path = self.key_path(id);
        match fs::read(&path).map(Zeroizing::new) {
            Ok(bytes) => Ok(KeyState::Here(Arc::new(file::decode(&path, id, &bytes, self.master.as_ref())?))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(KeyState::Missing),
            Err(source) => Err(KeyError::Io { path, source }),
        }
    }

    fn make(&self, id: Uuid, subject: &Tag) -> Result<DataKey, KeyError> {
        let key = DataKey::generate().map_err(|error| KeyError::Random(error.to_string()))?;
        let path = self.key_path(id);
        let bytes = file::encode(&path, id, subject, &key, self.master.as_ref())?;
        self.write_new(&path, &bytes)?;
        Ok(key)
    }

    /// Writes a whole file that is there entirely or not at all after a crash.
    fn write_new(&self, path: &Path, bytes: &[u8]) -> Result<(), KeyError> {
        let folder = parent(path);
        if !folder.exists() {
            make_dir(folder)?;
            sync_dir(&self.dir)?;
        }
        let beside = unfinished(path);
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| KeyError::Io { path, source }
        };
        let mut options = fs::OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(&beside).map_err(io(&beside))?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io(&beside))?;
        // Ordering: the bytes are on disk before the name, and the name before anybody is told.
        fs::rename(&beside, path).map_err(io(path))?;
        sync_dir(folder)
    }

    fn key_path(&self, id: Uuid) -> PathBuf {
        self.path(id, "key")
    }

    fn mark_path(&self, id: Uuid) -> PathBuf {
        self.path(id, "erased")
    }

    fn path(&self, id: Uuid, extension: &str) -> PathBuf {
        let name = id.to_string();
        self.dir.join(name.get(..2).unwrap_or_default()).join(format!("{name}.{extension}"))
    }
}

fn remember(cache: &mut HashMap<Uuid, KeyState>, id: Uuid, state: KeyState) {
    if cache.len() >= MAX_CACHED && !cache.contains_key(&id) {
        cache.clear();
    }
    cache.insert(id, state);
}

/// Overwrites the file's bytes, syncs them, and removes the file. A disk that writes elsewhere (flash, snapshots, copy on write) may keep the old bytes for a
/// while: that is what a master key is for.
fn destroy(path: &Path) -> Result<bool, KeyError> {
    let io = |source| KeyError::Io { path: path.to_owned(), source };
    let mut file = match fs::OpenOptions::new().write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(io(source)),
    };
    let length = usize::try_from(file.metadata().map_err(io)?.len()).unwrap_or(0);
    let mut noise = vec![0_u8; length];
    getrandom::fill(&mut noise).map_err(|error| KeyError::Random(error.to_string()))?;
    file.write_all(&noise).and_then(|()| file.sync_all()).map_err(io)?;
    fs::remove_file(path).map_err(io)?;
    Ok(true)
}

fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".unfinished");
    PathBuf::from(name)
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

fn make_dir(dir: &Path) -> Result<(), KeyError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|source| KeyError::Io { path: dir.to_owned(), source })
}

fn sync_dir(dir: &Path) -> Result<(), KeyError> {
    let synced = fs::File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(|source| KeyError::Io { path: dir.to_owned(), source })
}
