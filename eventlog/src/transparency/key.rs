//! The log's own key: made at the first start, kept for ever.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rand_core::OsRng;
use signed_note::{Signer, StandardSigner, StandardVerifier, Verifier};

use super::Origin;
use super::files::{publish, read_optional};

/// The verifier key of a log: `name+id+key`, Ed25519 ([c2sp.org/signed-note](https://c2sp.org/signed-note)).
#[derive(Clone)]
pub struct VerifierKey {
    text: String,
    verifier: StandardVerifier,
}

impl VerifierKey {
    /// Reads a verifier key.
    ///
    /// # Errors
    /// [`KeyError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        let verifier = StandardVerifier::new(text)
            .map_err(|_| KeyError::Malformed { reason: "it is not an Ed25519 verifier key (name+id+key)" })?;
        Ok(Self { text: text.to_owned(), verifier })
    }

    /// The key as text: one line, to be handed to auditors by another way than the log itself.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The name of the key, which is the origin of the log.
    pub fn name(&self) -> &str {
        self.verifier.name()
    }

    pub(super) fn verifier(&self) -> StandardVerifier {
        self.verifier.clone()
    }
}

impl std::fmt::Debug for VerifierKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "VerifierKey({})", self.text)
    }
}

impl PartialEq for VerifierKey {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The text is no key.
    #[error("the key is not usable: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A file cannot be read or written.
    #[error("{action} {file} failed")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        file: PathBuf,
        /// The operating system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The log was signed before, and the key that did it is gone.
    #[error(
        "{evidence} shows that the log was signed before, but its signing key {key} is not there: restore the key from its backup. A new key would be a new \
         identity, which nobody could tell from a forged log"
    )]
    Lost {
        /// What shows that there was a key.
        evidence: PathBuf,
        /// Where the key should be.
        key: PathBuf,
    },
    /// The two files belong to different keys.
    #[error("{verifier} is not the verifier key of {key}: one of them was exchanged")]
    Mismatch {
        /// The file of the verifier key.
        verifier: PathBuf,
        /// The file of the signing key.
        key: PathBuf,
    },
    /// The key was made under another name.
    #[error(
        "the log's key is named {found}, the configured origin is {configured}: a log keeps the origin that it began with"
    )]
    Name {
        /// The name of the key.
        found: String,
        /// The origin in the configuration.
        configured: Origin,
    },
}

/// The signing key of a log and its verifier key.
pub(super) struct LogKey {
    signer: StandardSigner,
    pub(super) verifier: VerifierKey,
}

impl LogKey {
    /// Opens the key, and makes one when the log has never had one. `signed` is the file of a checkpoint that was signed already, if there is one.
    pub(super) fn open(
        key_file: &Path,
        verifier_file: &Path,
        origin: &Origin,
        configured: bool,
        signed: Option<&Path>,
    ) -> Result<Self, KeyError> {
        let secret = read_optional(key_file).map_err(failed("reading", key_file))?;
        let public = read_optional(verifier_file).map_err(failed("reading", verifier_file))?;
        let key = match (secret, public) {
            (Some(secret), public) => {
                let key = Self::parse(&secret)?;
                match public {
                    Some(public) if VerifierKey::parse(&public)? != key.verifier => {
                        return Err(KeyError::Mismatch {
                            verifier: verifier_file.to_owned(),
                            key: key_file.to_owned(),
                        });
                    }
                    Some(_) => {}
                    // A crash came between the two files, or somebody deleted what can be derived.
                    None => key.publish(verifier_file)?,
                }
                key
            }
            (None, Some(_)) => return Err(lost(verifier_file, key_file)),
            (None, None) => {
                if let Some(checkpoint) = signed {
                    return Err(lost(checkpoint, key_file));
                }
                let key = Self::create(key_file, origin)?;
                key.publish(verifier_file)?;
                key
            }
        };
        if configured && key.verifier.name() != origin.as_str() {
            let found = key.verifier.name().to_owned();
            return Err(KeyError::Name { found, configured: origin.clone() });
        }
        Ok(key)
    }

    fn parse(secret: &str) -> Result<Self, KeyError> {
        let malformed = || KeyError::Malformed { reason: "the signing key is not of the form PRIVATE+KEY+name+id+key" };
        let secret = secret.trim();
        let signer = StandardSigner::new(secret).map_err(|_| malformed())?;
        // The verifier key follows from the seed, which stands after the kind in the fifth part; base64 may hold a plus sign itself.
        let seed = secret.splitn(5, '+').nth(4).unwrap_or_default();
        let bytes =
            base64::Engine::decode(&base64::engine::general_purpose::STANDARD, seed).map_err(|_| malformed())?;
        let seed: [u8; 32] = bytes.get(1..).and_then(|seed| seed.try_into().ok()).ok_or_else(malformed)?;
        let public = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key();
        let verifier = VerifierKey::parse(&signed_note::new_ed25519_verifier_key(signer.name(), &public))?;
        Ok(Self { signer, verifier })
    }

    fn create(key_file: &Path, origin: &Origin) -> Result<Self, KeyError> {
        let (secret, _) = signed_note::generate_key(&mut OsRng, origin.as_str());
        let directory = key_file.parent().unwrap_or(Path::new("."));
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed("making", directory))?;
        let unfinished = key_file.with_extension("unfinished");
        let written =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished).and_then(
                |mut file| {
                    // An old file of this name would have kept its mode.
                    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
                    file.write_all(format!("{secret}\n").as_bytes())?;
                    file.sync_all()
                },
            );
        written.map_err(failed("writing", &unfinished))?;
        // Ordering: the key has its name on disk before anything is signed with it.
        std::fs::rename(&unfinished, key_file)
            .and_then(|()| std::fs::File::open(directory)?.sync_all())
            .and_then(|()| match directory.parent() {
                Some(above) if !above.as_os_str().is_empty() => std::fs::File::open(above)?.sync_all(),
                _ => Ok(()),
            })
            .map_err(failed("publishing", key_file))?;
        Self::parse(&secret)
    }

    fn publish(&self, verifier_file: &Path) -> Result<(), KeyError> {
        publish(verifier_file, format!("{}\n", self.verifier.as_str()).as_bytes())
            .map_err(failed("writing", verifier_file))
    }

    pub(super) fn signer(&self) -> &dyn Signer {
        &self.signer
    }
}

fn lost(evidence: &Path, key: &Path) -> KeyError {
    KeyError::Lost { evidence: evidence.to_owned(), key: key.to_owned() }
}

fn failed(action: &'static str, file: &Path) -> impl FnOnce(std::io::Error) -> KeyError + use<> {
    let file = file.to_owned();
    move |source| KeyError::Io { action, file, source }
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
