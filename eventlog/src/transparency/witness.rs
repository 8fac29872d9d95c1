//! The messages to and from witnesses ([c2sp.org/tlog-witness](https://c2sp.org/tlog-witness)): what is sent, and what the answer means. Sending is another's work.

use super::{CosignatureKey, SignedCheckpoint, base64};
use crate::Digest;

/// The media type of an answer that names the size that a witness knows.
const SIZE_TYPE: &str = "text/x.tlog.size";

/// The longest proof that may be sent, in lines.
const MAX_PROOF_LINES: usize = 63;

/// The largest answer that is read, in bytes.
pub const MAX_ANSWER_BYTES: usize = 16 * 1024;

/// The body of a POST to `PREFIX/add-checkpoint`: the size that the witness cosigned last, the proof from there, and the checkpoint. `None` when the proof is
/// longer than any proof of a tree.
pub fn add_checkpoint(old_size: u64, proof: &[Digest], checkpoint: &SignedCheckpoint) -> Option<String> {
    if proof.len() > MAX_PROOF_LINES {
        return None;
    }
    let proof: String = proof.iter().map(|hash| format!("{}\n", base64(hash.as_bytes()))).collect();
    Some(format!("old {old_size}\n{proof}\n{}", checkpoint.note()))
}

/// What a witness answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It cosigned: the checkpoint with its signature.
    Cosigned(SignedCheckpoint),
    /// It cosigned a tree of this size before: ask again with a proof from there.
    Knows(u64),
}

/// Why a witness did not cosign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It has seen a larger tree of this log than this one: records were lost after they were signed, or the log was forked.
    #[error("it has cosigned {witness} records, this log has signed {ours}: history was lost, or the log exists twice")]
    Ahead {
        /// The size that the witness knows.
        witness: u64,
        /// The size of the checkpoint.
        ours: u64,
    },
    /// It does not find that this tree extends the one that it knows.
    #[error("it finds that this log does not extend the one that it knows (422)")]
    Inconsistent,
    /// It does not know the log.
    #[error("it does not know the log's origin (404): its operator has to add it")]
    UnknownLog,
    /// It does not take the log's signature.
    #[error("it does not take the log's signature (403): it knows another key for this origin")]
    Key,
    /// It answered with a signature that is not its own, or none.
    #[error("its answer holds no good cosignature of its key")]
    Signature,
    /// It answered something else.
    #[error("it answered {status}")]
    Status {
        /// The HTTP status.
        status: u16,
    },
}

/// Reads the answer to [`add_checkpoint`].
///
/// # Errors
/// [`Refused`].
pub fn read_answer(
    (status, content_type, body): (u16, Option<&str>, &[u8]),
    checkpoint: &SignedCheckpoint,
    key: &CosignatureKey,
) -> Result<Answer, Refused> {
    match status {
        200 => {
            let lines = std::str::from_utf8(body).map_err(|_| Refused::Signature)?;
            checkpoint.cosigned(lines, key).map(Answer::Cosigned).ok_or(Refused::Signature)
        }
        409 => {
            let ours = checkpoint.checkpoint().size;
            // A 409 of anything else on the way names no size.
            let typed = content_type.is_some_and(|kind| kind.split(';').next().unwrap_or_default().trim() == SIZE_TYPE);
            let size = std::str::from_utf8(body)
                .ok()
                .and_then(|text| text.strip_suffix('\n'))
                .and_then(|text| text.parse().ok());
            match size.filter(|_| typed) {
                Some(witness) if witness > ours => Err(Refused::Ahead { witness, ours }),
                Some(size) => Ok(Answer::Knows(size)),
                None => Err(Refused::Status { status }),
            }
        }
        422 => Err(Refused::Inconsistent),
        404 => Err(Refused::UnknownLog),
        403 => Err(Refused::Key),
        status => Err(Refused::Status { status }),
    }
}

#[cfg(test)]
#[path = "witness_tests.rs"]
mod tests;
