//! Proofs as files ([c2sp.org/tlog-proof](https://c2sp.org/tlog-proof)): a record's inclusion, with the checkpoint, to be checked without a connection.

use super::{SignedCheckpoint, VerifierKey, base64, base64_digest, check_inclusion};
use crate::Digest;
use crate::transparency::{CheckpointError, ProofError};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// A proof that a leaf is in the log, as `NAME.tlog-proof` holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofFile {
    /// The leaf's index: the record's position.
    pub index: u64,
    /// The path from the leaf's sibling to the root's child.
    pub path: Vec<Digest>,
    /// The signed checkpoint, verbatim.
    pub note: String,
}

/// Why a proof file proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum ProofFileError {
    /// The text is no proof file.
    #[error("it is not a {FIRST_LINE} file: {0}")]
    Text(&'static str),
    /// The checkpoint is not to be trusted.
    #[error("the checkpoint of the proof: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The path does not lead from the leaf to the checkpoint's root.
    #[error(transparent)]
    Path(#[from] ProofError),
}

impl ProofFile {
    /// The text of the file.
    pub fn text(&self) -> String {
        let path: String = self.path.iter().map(|hash| format!("{}\n", base64(hash.as_bytes()))).collect();
        format!("{FIRST_LINE}\nindex {}\n{path}\n{}", self.index, self.note)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// [`ProofFileError::Text`].
    pub fn parse(text: &str) -> Result<Self, ProofFileError> {
        let wrong = ProofFileError::Text;
        let (head, note) = text.split_once("\n\n").ok_or(wrong("no empty line precedes a checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(FIRST_LINE) {
            return Err(wrong("its first line is another"));
        }
        lines.next_if(|line| line.starts_with("extra "));
        let index_text = lines.next().and_then(|line| line.strip_prefix("index ")).ok_or(wrong("it has no index"))?;
        let index: u64 = index_text.parse().map_err(|_| wrong("its index is not a number"))?;
        if index.to_string() != index_text {
            return Err(wrong("its index is not written as a decimal number"));
        }
        let path: Option<Vec<Digest>> = lines.map(base64_digest).collect();
        Ok(Self { index, path: path.ok_or(wrong("a line of its path is not a hash"))?, note: note.to_owned() })
    }

    /// Checks that the log with this key has this leaf at the index. Answers the checkpoint that it rests on.
    ///
    /// # Errors
    /// [`ProofFileError`] when it is not proven.
    pub fn check(&self, leaf: &[u8], key: &VerifierKey) -> Result<SignedCheckpoint, ProofFileError> {
        let signed = SignedCheckpoint::open(self.note.as_bytes(), key)?;
        let hash = Digest::of(&[&[0_u8], leaf].concat());
        let checkpoint = signed.checkpoint();
        check_inclusion(&self.path, (self.index, hash), (checkpoint.size, checkpoint.root))?;
        Ok(signed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_example_of_the_specification_is_read_with_and_without_extra() {
        let hash = base64(Digest::of(b"x").as_bytes());
        let note = format!("example.com/fancylog\n109482\n{hash}\n\n— example.com/fancylog {hash}\n");
        let head = |extra: &str| format!("c2sp.org/tlog-proof@v1\n{extra}index 73894\n{hash}\n{hash}\n\n{note}");
        let plain = ProofFile::parse(&head("")).unwrap();
        assert_eq!((plain.index, plain.path.len(), plain.note.as_str()), (73_894, 2, note.as_str()));
        assert_eq!(plain.text(), head(""));
        assert_eq!(ProofFile::parse(&head("extra YWdl\n")).unwrap(), plain);
        for wrong in [
            head("extra\n"),
            head("extra a\nextra b\n"),
            head("").replace("v1", "v2"),
            head("").replace("73894", "073894"),
        ] {
            assert!(ProofFile::parse(&wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(c2sp.org/tlog-proof@v1\n)?(index [0-9]{0,3}\n)?[A-Za-z0-9+/=\n]{0,200}") {
            let _ = ProofFile::parse(&text);
        }
    }
}
