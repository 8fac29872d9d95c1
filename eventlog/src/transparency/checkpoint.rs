//! Checkpoints: a signed statement of the size and the root of the log ([c2sp.org/tlog-checkpoint](https://c2sp.org/tlog-checkpoint)).

use std::fmt;
use std::sync::Arc;

use signed_note::{Note, Signature, Signer, Verifier, VerifierList};

use super::{CosignatureKey, VerifierKey, base64, base64_digest};
use crate::{Digest, InvalidName, LogId};

/// The largest checkpoint that is read, in bytes: three lines and a hundred signatures.
const MAX_CHECKPOINT_BYTES: usize = 64 * 1024;

/// The longest origin, in bytes: witnesses write its length in one byte.
const MAX_ORIGIN_BYTES: usize = 255;

/// What the log calls itself in checkpoints; also the name of its key. Recommended is an address without its scheme that its owner controls.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin(Arc<str>);

impl Origin {
    /// An origin of 1 to 255 bytes without white space, control characters and `+`.
    ///
    /// # Errors
    /// [`InvalidName`] names what is wrong.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        let wrong = |reason| Err(InvalidName::new("origin", text, reason));
        if text.is_empty() || text.len() > MAX_ORIGIN_BYTES {
            return wrong("1 to 255 bytes are expected");
        }
        if text.chars().any(|character| character.is_whitespace() || character.is_control() || character == '+') {
            return wrong("it holds white space, a control character or a plus sign");
        }
        Ok(Self(text.into()))
    }

    /// The origin where none is configured: it names this log and no other.
    pub fn of_log(log: LogId) -> Self {
        Self(format!("millwright/{log}").into())
    }

    /// The origin as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What a checkpoint says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: Origin,
    /// The number of records.
    pub size: u64,
    /// The root of the tree over their leaves.
    pub root: Digest,
}

/// Why a checkpoint is not taken.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The text is no signed note.
    #[error("it is not a signed note")]
    Note,
    /// The note is no checkpoint.
    #[error("the signed text is not a checkpoint: {0}")]
    Body(&'static str),
    /// The signature of the key is missing or wrong.
    #[error("it does not carry a good signature of {key}")]
    Signature {
        /// The name of the key.
        key: String,
    },
    /// It is about another log.
    #[error("it is of {found}, not of {expected}")]
    Origin {
        /// The origin in the checkpoint.
        found: Origin,
        /// The name of the key.
        expected: String,
    },
    /// Signing failed.
    #[error("signing failed")]
    Sign(#[source] signed_note::NoteError),
}

impl Checkpoint {
    /// The text that is signed.
    pub fn body(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, base64(self.root.as_bytes()))
    }

    /// Reads the text that was signed. Lines after the third are extensions, which nothing of ours writes or needs.
    ///
    /// # Errors
    /// [`CheckpointError::Body`].
    pub fn parse(body: &str) -> Result<Self, CheckpointError> {
        let mut lines = body.strip_suffix('\n').ok_or(CheckpointError::Body("its last line does not end"))?.split('\n');
        let mut line = || lines.next().ok_or(CheckpointError::Body("it has less than three lines"));
        let origin = Origin::new(line()?).map_err(|_| CheckpointError::Body("the origin is not valid"))?;
        let size_text = line()?;
        let size: u64 = size_text.parse().map_err(|_| CheckpointError::Body("the size is not a number"))?;
        if size.to_string() != size_text {
            return Err(CheckpointError::Body("the size is not written as a decimal number"));
        }
        let root = base64_digest(line()?).ok_or(CheckpointError::Body("the root is not a hash in base64"))?;
        if lines.any(str::is_empty) {
            return Err(CheckpointError::Body("it holds an empty line"));
        }
        Ok(Self { origin, size, root })
    }
}

/// A checkpoint as it is handed out: the text, and signatures that were checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: String,
}

impl SignedCheckpoint {
    /// Signs a checkpoint.
    ///
    /// # Errors
    /// [`CheckpointError::Sign`].
    pub fn sign(checkpoint: Checkpoint, signer: &dyn Signer) -> Result<Self, CheckpointError> {
        let mut note = Note::new(checkpoint.body().as_bytes(), &[]).map_err(CheckpointError::Sign)?;
        note.add_sigs(&[signer]).map_err(CheckpointError::Sign)?;
        Ok(Self { checkpoint, note: text_of(&note)? })
    }

    /// Reads a note, and takes it only when the key of its log has signed it.
    ///
    /// # Errors
    /// [`CheckpointError`] says what is wrong with it.
    pub fn open(bytes: &[u8], key: &VerifierKey) -> Result<Self, CheckpointError> {
        let note = parse(bytes)?;
        verified(&note, Box::new(key.verifier()))?;
        let checkpoint = body(&note)?;
        if checkpoint.origin.as_str() != key.name() {
            return Err(CheckpointError::Origin { found: checkpoint.origin, expected: key.name().to_owned() });
        }
        Ok(Self { checkpoint, note: text_of(&note)? })
    }

    /// What it says.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The signed note.
    pub fn note(&self) -> &str {
        &self.note
    }

    /// The same checkpoint with the signature lines of a witness, as far as they are good cosignatures of this key; `None` when none is.
    #[must_use]
    pub fn cosigned(&self, lines: &str, key: &CosignatureKey) -> Option<Self> {
        let good = good_signatures(&self.checkpoint.body(), lines, key)?;
        let mut note = self.note.clone();
        for line in good {
            // A witness that signs again replaces nothing: the first one holds.
            if !note.contains(&line) {
                note.push_str(&line);
            }
        }
        Some(Self { checkpoint: self.checkpoint.clone(), note })
    }

    /// Whether a witness with this key has cosigned it.
    pub fn is_cosigned_by(&self, key: &CosignatureKey) -> bool {
        parse(self.note.as_bytes()).is_ok_and(|note| verified(&note, Box::new(key.clone())).is_ok())
    }
}

pub(super) fn parse(bytes: &[u8]) -> Result<Note, CheckpointError> {
    if bytes.len() > MAX_CHECKPOINT_BYTES {
        return Err(CheckpointError::Note);
    }
    Note::from_bytes(bytes).map_err(|_| CheckpointError::Note)
}

fn body(note: &Note) -> Result<Checkpoint, CheckpointError> {
    Checkpoint::parse(std::str::from_utf8(note.text()).map_err(|_| CheckpointError::Note)?)
}

pub(super) fn text_of(note: &Note) -> Result<String, CheckpointError> {
    String::from_utf8(note.to_bytes()).map_err(|_| CheckpointError::Note)
}

/// The signatures of the note that this key has made.
pub(super) fn verified(note: &Note, key: Box<dyn Verifier>) -> Result<Vec<Signature>, CheckpointError> {
    let refused = CheckpointError::Signature { key: key.name().to_owned() };
    match note.verify(&VerifierList::new(vec![key])) {
        Ok((signatures, _of_others)) => Ok(signatures),
        Err(_) => Err(refused),
    }
}

/// Lines of signatures over the text that this key has made, when there is at least one.
fn good_signatures(body: &str, lines: &str, key: &CosignatureKey) -> Option<Vec<String>> {
    let note = parse(format!("{body}\n{lines}").as_bytes()).ok()?;
    // The lines may hold another empty line, and then another text would have been signed.
    if note.text() != body.as_bytes() {
        return None;
    }
    let signatures = verified(&note, Box::new(key.clone())).ok()?;
    signatures.iter().map(|signature| String::from_utf8(signature.to_bytes()).ok()).collect()
}

#[cfg(test)]
#[path = "checkpoint_tests.rs"]
mod tests;
