//! Other texts that the log's key signs ([c2sp.org/signed-note](https://c2sp.org/signed-note)): what a plant hands to another one.
//!
//! Invariant: no statement is a checkpoint. Its first line holds a space, and an origin holds none: what was signed as the one is never taken for the other.

use signed_note::{Note, Signer};

use super::checkpoint::{parse, text_of, verified};
use super::{CheckpointError, VerifierKey};

/// Why a text is not signed, or a signed text not taken.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// The first line could be that of a checkpoint.
    #[error("the first line of a statement says what it is, in two words or more")]
    FirstLine,
    /// The note is not one, or not signed by the key.
    #[error(transparent)]
    Note(#[from] CheckpointError),
}

fn check(text: &str) -> Result<(), StatementError> {
    let first = text.split('\n').next().unwrap_or_default();
    if first.trim().contains(' ') { Ok(()) } else { Err(StatementError::FirstLine) }
}

/// Signs a text, which ends with a line break; the answer is the note.
pub(super) fn sign(text: &str, signer: &dyn Signer) -> Result<String, StatementError> {
    check(text)?;
    let mut note = Note::new(text.as_bytes(), &[]).map_err(CheckpointError::Sign)?;
    note.add_sigs(&[signer]).map_err(CheckpointError::Sign)?;
    Ok(text_of(&note)?)
}

/// The text of a note that a key has signed.
///
/// # Errors
/// [`StatementError`] when it is no note, when the key has not signed it, or when it could be a checkpoint.
pub fn open_statement(note: &[u8], key: &VerifierKey) -> Result<String, StatementError> {
    let note = parse(note)?;
    verified(&note, Box::new(key.verifier()))?;
    let text = String::from_utf8(note.text().to_vec()).map_err(|_| CheckpointError::Note)?;
    check(&text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use rand_core::OsRng;
    use signed_note::StandardSigner;

    use super::*;
    use crate::Digest;
    use crate::transparency::{Checkpoint, Origin, SignedCheckpoint};

    fn keys(name: &str) -> (StandardSigner, VerifierKey) {
        let (secret, public) = signed_note::generate_key(&mut OsRng, name);
        (StandardSigner::new(&secret).unwrap(), VerifierKey::parse(&public).unwrap())
    }

    #[test]
    fn a_statement_is_read_with_the_key_that_signed_it_and_with_no_other() {
        let (signer, key) = keys("mill.example/log");
        let note = sign("millwright package v1\nabc\n", &signer).unwrap();
        assert_eq!(open_statement(note.as_bytes(), &key).unwrap(), "millwright package v1\nabc\n");
        let (_, other) = keys("mill.example/log");
        assert!(matches!(open_statement(note.as_bytes(), &other), Err(StatementError::Note(_))));
        assert!(open_statement(note.replace("abc", "abd").as_bytes(), &key).is_err());
        assert!(open_statement(b"", &key).is_err());
    }

    #[test]
    fn no_statement_is_a_checkpoint_and_no_checkpoint_a_statement() {
        let (signer, key) = keys("mill.example/log");
        let checkpoint =
            Checkpoint { origin: Origin::new("mill.example/log").unwrap(), size: 1, root: Digest::of(b"x") };
        assert!(matches!(sign(&checkpoint.body(), &signer), Err(StatementError::FirstLine)));
        let signed = SignedCheckpoint::sign(checkpoint, &signer).unwrap();
        assert!(matches!(open_statement(signed.note().as_bytes(), &key), Err(StatementError::FirstLine)));
        let statement = sign("a b\n1\nc\n", &signer).unwrap();
        assert!(SignedCheckpoint::open(statement.as_bytes(), &key).is_err());
    }
}
