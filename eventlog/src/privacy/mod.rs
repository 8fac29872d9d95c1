//! Personal data in a log that never forgets: payloads encrypted with one key for each data subject, so that deleting the key erases them in the
//! log, in every copy and in every backup of it at once.
//!
//! [`DataKeys`] keeps the keys, apart from the log. [`EncryptedLog`] is a layer over any log: it encrypts on the way in what its [`Policy`] names,
//! and decrypts on the way out. The engine below sees bytes only; digests and leaves are over the encrypted bytes, so that every proof stays
//! valid when the key is gone.
//!
//! What it does not do: it does not know who is a subject (the policy does), it does not decide about an erasure, and it does not hide headers.
//! Stream, type, tags, actor and ids stay readable for ever: they must hold pseudonyms only.

mod cipher;
mod encrypted;
mod keys;
mod known;

#[cfg(test)]
mod tests;

pub use encrypted::{EncryptedLog, Policy};
pub use keys::{DataKeys, KeyError, KeyState, MasterKey};
