//! The bytes of a key file.
//!
//! `MWDKEY1\n`, the key's id (16 bytes), one byte 0 and the key (32 bytes), or one byte 1 and the key encrypted with the master key (format of
//! an encrypted payload, 73 bytes, bound to the id); then the subject's name as text for people (u16 length and bytes); then crc32c of all that.

use std::path::Path;

use uuid::Uuid;
use zeroize::Zeroizing;

use super::{KeyError, MasterKey};
use crate::Tag;
use crate::checksum;
use crate::privacy::cipher::DataKey;

const MAGIC: &[u8; 8] = b"MWDKEY1\n";
const PLAIN: u8 = 0;
const WRAPPED: u8 = 1;

/// A key of 32 bytes, encrypted: format, nonce, ciphertext, tag.
const WRAPPED_BYTES: usize = 1 + 24 + 32 + 16;

pub(super) fn encode(
    path: &Path,
    id: Uuid,
    subject: &Tag,
    key: &DataKey,
    master: Option<&MasterKey>,
) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    // Enough room at once: a vector that grows would leave the key behind in freed memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(1024));
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(id.as_bytes());
    match master {
        None => {
            bytes.push(PLAIN);
            bytes.extend_from_slice(key.bytes());
        }
        Some(master) => {
            bytes.push(WRAPPED);
            let wrapped = master.0.seal(&context(id), key.bytes());
            let failed = |_| KeyError::Wrapped { path: path.to_owned(), reason: "wrapping failed" };
            bytes.extend_from_slice(&wrapped.map_err(failed)?);
        }
    }
    let subject = subject.as_str().as_bytes();
    // A tag is shorter than 2^16 bytes: the log takes 512 at most.
    bytes.extend_from_slice(&u16::try_from(subject.len()).unwrap_or(u16::MAX).to_le_bytes());
    bytes.extend_from_slice(subject);
    let checksum = checksum::crc32c(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    Ok(bytes)
}

pub(super) fn decode(path: &Path, id: Uuid, bytes: &[u8], master: Option<&MasterKey>) -> Result<DataKey, KeyError> {
    let damaged = |reason| KeyError::Damaged { path: path.to_owned(), reason };
    let wrapped = |reason| KeyError::Wrapped { path: path.to_owned(), reason };
    let short = || damaged("it is too short");
    let (checked, checksum) = bytes.split_last_chunk::<4>().ok_or_else(short)?;
    if checksum::crc32c(checked) != u32::from_le_bytes(*checksum) {
        return Err(damaged("its checksum does not fit"));
    }
    let (magic, rest) = checked.split_first_chunk::<8>().ok_or_else(short)?;
    let (stored, rest) = rest.split_first_chunk::<16>().ok_or_else(short)?;
    if magic != MAGIC || stored != id.as_bytes() {
        return Err(damaged("it is not the file of this key"));
    }
    match rest.split_first().ok_or_else(short)? {
        (&PLAIN, rest) => Ok(DataKey::new(*rest.first_chunk::<32>().ok_or_else(short)?)),
        (&WRAPPED, rest) => {
            let sealed = rest.first_chunk::<WRAPPED_BYTES>().ok_or_else(short)?;
            let master = master.ok_or_else(|| wrapped("none is given"))?;
            let key = master.0.open(&context(id), sealed).map(Zeroizing::new);
            let key = key.map_err(|_| wrapped("the one that is given is another one"))?;
            Ok(DataKey::new(*key.first_chunk::<32>().ok_or_else(short)?))
        }
        _ => Err(damaged("it is of a version that this program does not know")),
    }
}

fn context(id: Uuid) -> Vec<u8> {
    let mut context = b"millwright data key 1\n".to_vec();
    context.extend_from_slice(id.as_bytes());
    context
}
