//! How far each webhook is: a small file each, written before the next message leaves.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use domain::ids::WebhookId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::WebhookError;

/// How a webhook is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeliveryState {
    /// The first position in the log that it has not been told of, as far as it asked for it.
    pub position: u64,
    /// How many messages its receiver took.
    pub delivered: u64,
    /// How many messages were given up, since its receiver took them in none of many attempts.
    pub given_up: u64,
    /// The last message that its receiver took.
    pub last: Option<Delivered>,
    /// Why the message that is being sent has not been taken yet. It is known since the start of the server.
    pub failing: Option<Failing>,
}

/// A message that a receiver took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivered {
    /// Its id.
    pub delivery_id: String,
    /// The position of the event that it is about.
    pub position: u64,
    /// When the receiver took it.
    pub at: Timestamp,
    /// What the receiver answered.
    pub status: u16,
}

/// A message that a receiver does not take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failing {
    /// The position of the event that it is about.
    pub position: u64,
    /// Since when.
    pub since: Timestamp,
    /// How often it was sent.
    pub attempts: u32,
    /// Why it was not taken, the last time.
    pub reason: String,
    /// When it is sent again.
    pub next_attempt: Timestamp,
}

/// What a file holds of a state.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    position: u64,
    delivered: u64,
    given_up: u64,
    last: Option<Delivered>,
}

/// The folder with the files.
#[derive(Clone, Debug)]
pub(crate) struct States(PathBuf);

impl States {
    /// Opens the folder, or makes it.
    pub(crate) fn open(dir: &Path) -> Result<Self, WebhookError> {
        fs::create_dir_all(dir).map_err(|source| WebhookError::File { path: dir.to_owned(), source })?;
        Ok(Self(dir.to_owned()))
    }

    /// An id may hold any character; a file's name may not.
    fn path(&self, id: &WebhookId) -> PathBuf {
        let digest: String = Sha256::digest(id.as_str()).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        self.0.join(format!("{digest}.json"))
    }

    /// How far a webhook was. A file that cannot be read is as if there were none: its receiver is told again, under the same delivery ids.
    pub(crate) fn load(&self, id: &WebhookId) -> Result<Option<DeliveryState>, WebhookError> {
        let path = self.path(id);
        match fs::read(&path) {
            Ok(bytes) => match serde_json::from_slice::<Kept>(&bytes) {
                Ok(Kept { position, delivered, given_up, last }) => {
                    Ok(Some(DeliveryState { position, delivered, given_up, last, failing: None }))
                }
                Err(error) => {
                    tracing::warn!(webhook = %id, %error, "how far the webhook was cannot be read; it is told everything again");
                    Ok(None)
                }
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(WebhookError::File { path, source }),
        }
    }

    /// Keeps how far a webhook is, durably.
    pub(crate) fn save(&self, id: &WebhookId, state: &DeliveryState) -> Result<(), WebhookError> {
        let path = self.path(id);
        let DeliveryState { position, delivered, given_up, last, failing: _ } = state.clone();
        let kept = Kept { position, delivered, given_up, last };
        let write = || -> io::Result<()> {
            let beside = path.with_extension("unfinished");
            let mut file = fs::File::create(&beside)?;
            file.write_all(&serde_json::to_vec(&kept)?)?;
            file.sync_all()?;
            fs::rename(&beside, &path)?;
            fs::File::open(&self.0)?.sync_all()
        };
        write().map_err(|source| WebhookError::File { path: path.clone(), source })
    }

    /// Forgets a webhook that is gone.
    pub(crate) fn remove(&self, id: &WebhookId) -> Result<(), WebhookError> {
        let path = self.path(id);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(WebhookError::File { path, source }),
            _ => Ok(()),
        }
    }
}
