//! The secrets that messages are signed with: a file each, in a folder beside the other keys, readable by its owner only. The log knows their names alone.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::WebhookError;

/// The longest secret, in bytes.
pub(crate) const MAX_SECRET_BYTES: usize = 1_000;

/// The folder with the secrets.
#[derive(Clone, Debug)]
pub(crate) struct Secrets(PathBuf);

impl Secrets {
    /// Opens the folder, or makes it.
    pub(crate) fn open(dir: &Path) -> Result<Self, WebhookError> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(|source| WebhookError::File { path: dir.to_owned(), source })?;
        Ok(Self(dir.to_owned()))
    }

    fn path(&self, name: Uuid) -> PathBuf {
        self.0.join(format!("{name}.secret"))
    }

    /// Keeps a secret durably; it is there entirely, or not at all after a crash.
    pub(crate) fn keep(&self, name: Uuid, secret: &str) -> Result<(), WebhookError> {
        let path = self.path(name);
        let write = || -> io::Result<()> {
            let beside = path.with_extension("unfinished");
            let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
            file.write_all(secret.as_bytes())?;
            file.sync_all()?;
            // Ordering: the bytes are on disk before the name, and the name before the event that says it.
            fs::rename(&beside, &path)?;
            fs::File::open(&self.0)?.sync_all()
        };
        write().map_err(|source| WebhookError::File { path: path.clone(), source })
    }

    /// The secret of this name; nothing, when its file is not there.
    pub(crate) fn find(&self, name: Uuid) -> Result<Option<String>, WebhookError> {
        let path = self.path(name);
        match fs::read_to_string(&path) {
            Ok(secret) => Ok(Some(secret)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(WebhookError::File { path, source }),
        }
    }

    /// Removes every secret but these. What remains of a crash between file and event, or between event and removal, goes with it.
    pub(crate) fn keep_only(&self, names: &[Uuid]) -> Result<(), WebhookError> {
        let kept: Vec<PathBuf> = names.iter().map(|name| self.path(*name)).collect();
        let failed = |source| WebhookError::File { path: self.0.clone(), source };
        for file in fs::read_dir(&self.0).map_err(failed)? {
            let path = file.map_err(failed)?.path();
            let ours = path.extension().is_some_and(|extension| extension == "secret" || extension == "unfinished");
            if ours && !kept.contains(&path) {
                fs::remove_file(&path).map_err(failed)?;
            }
        }
        Ok(())
    }
}
