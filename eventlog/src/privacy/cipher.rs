//! How a payload is encrypted: XChaCha20-Poly1305 with a nonce that follows from key, event and plaintext.
//!
//! Format of an encrypted payload: one byte 1, the nonce (24 bytes), the ciphertext with its tag (16 bytes). The same event gives the same bytes
//! each time, so that an append can be repeated; two events never share a nonce unless key, event and plaintext are all the same.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{EventId, EventType, StreamId};

/// The version of the format, and its first byte.
const FORMAT: u8 = 1;

const NONCE_BYTES: usize = 24;

/// 32 secret bytes. They are overwritten when the key is dropped, and never shown.
#[derive(Clone)]
pub struct DataKey(Zeroizing<[u8; 32]>);

/// Why bytes could not be encrypted or decrypted. It says nothing about the key or the plaintext.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CipherError {
    #[error("it is too large to be encrypted")]
    TooLarge,
    #[error("it is not an encrypted payload of a known format")]
    Format,
    #[error("its authentication tag is not that of the key, the event and the bytes")]
    Tag,
}

/// What an encrypted payload is bound to: moved to another event, it does not decrypt.
pub(crate) struct Context<'a> {
    pub key: Uuid,
    pub event: EventId,
    pub stream: &'a StreamId,
    pub event_type: &'a EventType,
}

impl Context<'_> {
    /// The bytes that are authenticated beside the payload. Lengths go first, so that no two contexts run together.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"millwright payload 1\n".to_vec();
        bytes.extend_from_slice(self.key.as_bytes());
        bytes.extend_from_slice(self.event.as_uuid().as_bytes());
        for text in [self.stream.as_str(), self.event_type.as_str()] {
            bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes
    }
}

impl DataKey {
    pub(crate) fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A key from the operating system's generator.
    pub(crate) fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes)?;
        Ok(Self(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn encrypt(&self, context: &Context<'_>, plaintext: &[u8]) -> Result<Vec<u8>, CipherError> {
        self.seal(&context.bytes(), plaintext)
    }

    pub(crate) fn decrypt(&self, context: &Context<'_>, stored: &[u8]) -> Result<Vec<u8>, CipherError> {
        self.open(&context.bytes(), stored)
    }

    /// Encrypts under any context.
    pub(super) fn seal(&self, context: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, CipherError> {
        let nonce = self.nonce(context, plaintext);
        let payload = Payload { msg: plaintext, aad: context };
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), payload).map_err(|_| CipherError::TooLarge)?;
        let mut stored = Vec::with_capacity(1 + NONCE_BYTES + sealed.len());
        stored.push(FORMAT);
        stored.extend_from_slice(&nonce);
        stored.extend_from_slice(&sealed);
        Ok(stored)
    }

    /// Decrypts what [`seal`](Self::seal) made under the same context.
    pub(super) fn open(&self, context: &[u8], stored: &[u8]) -> Result<Vec<u8>, CipherError> {
        let (format, rest) = stored.split_first().ok_or(CipherError::Format)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(CipherError::Format)?;
        if *format != FORMAT {
            return Err(CipherError::Format);
        }
        let payload = Payload { msg: sealed, aad: context };
        self.cipher().decrypt(&XNonce::from(*nonce), payload).map_err(|_| CipherError::Tag)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.derived(b"millwright encryption 1")).into())
    }

    fn nonce(&self, context: &[u8], plaintext: &[u8]) -> [u8; NONCE_BYTES] {
        let mut mac = mac(&self.derived(b"millwright nonce 1"));
        mac.update(&(context.len() as u64).to_le_bytes());
        mac.update(context);
        mac.update(plaintext);
        let digest: [u8; 32] = mac.finalize().into_bytes().into();
        let mut nonce = [0; NONCE_BYTES];
        for (to, from) in nonce.iter_mut().zip(digest) {
            *to = from;
        }
        nonce
    }

    /// A key for one purpose, so that no key serves two.
    fn derived(&self, purpose: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut mac = mac(&self.0);
        mac.update(purpose);
        Zeroizing::new(mac.finalize().into_bytes().into())
    }
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("DataKey(secret)")
    }
}

fn mac(key: &[u8; 32]) -> Hmac<sha2::Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104)")]
    <Hmac<sha2::Sha256> as hmac::KeyInit>::new_from_slice(key).expect("HMAC takes any key")
}
