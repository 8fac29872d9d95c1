//! Cosignatures: a witness states that it saw this checkpoint, and that it extends every one before
//! ([c2sp.org/tlog-cosignature](https://c2sp.org/tlog-cosignature), Ed25519).

use base64::Engine as _;
use ed25519_dalek::{Signature, VerifyingKey};
use signed_note::{Verifier, key_id};

use super::key::KeyError;

/// The kind of key in a verifier key: Ed25519 with a time.
const TIMESTAMPED_ED25519: u8 = 4;

/// The verifier key of a witness: `name+id+key`, of the kind 4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CosignatureKey {
    name: String,
    id: u32,
    key: VerifyingKey,
}

impl CosignatureKey {
    /// Reads a witness's verifier key.
    ///
    /// # Errors
    /// [`KeyError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let malformed = |reason| KeyError::Malformed { reason };
        let (name, rest) = text.trim().split_once('+').ok_or(malformed("it is not of the form name+id+key"))?;
        let (id_text, key_text) = rest.split_once('+').ok_or(malformed("it is not of the form name+id+key"))?;
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(key_text)
            .map_err(|_| malformed("its last part is not base64"))?;
        let (kind, public) = bytes.split_first().ok_or(malformed("it holds no key"))?;
        if *kind != TIMESTAMPED_ED25519 {
            return Err(malformed("it is not an Ed25519 key for cosignatures (kind 4)"));
        }
        let public: &[u8; 32] = public.try_into().map_err(|_| malformed("an Ed25519 key has 32 bytes"))?;
        let key = VerifyingKey::from_bytes(public).map_err(|_| malformed("its bytes are not an Ed25519 key"))?;
        let id = key_id(name, &bytes);
        if !signed_note::is_key_name_valid(name) || format!("{id:08x}") != id_text {
            return Err(malformed("its id is not that of its name and key"));
        }
        Ok(Self { name: name.to_owned(), id, key })
    }

    /// The witness's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Verifier for CosignatureKey {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn verify(&self, body: &[u8], signature: &[u8]) -> bool {
        let Some((time, signature)) = signature.split_first_chunk::<8>() else { return false };
        let Ok(signature) = Signature::from_slice(signature) else { return false };
        let time = u64::from_be_bytes(*time);
        time != 0 && self.key.verify_strict(&message(time, body), &signature).is_ok()
    }
}

/// What a witness signs: the time in seconds since 1970, and the text of the checkpoint.
fn message(time: u64, body: &[u8]) -> Vec<u8> {
    [format!("cosignature/v1\ntime {time}\n").as_bytes(), body].concat()
}

#[cfg(test)]
pub(super) mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;
    use crate::transparency::base64;

    /// A witness of our own, for tests of what reads cosignatures.
    pub(in crate::transparency) struct TestWitness {
        pub(in crate::transparency) name: &'static str,
        pub(in crate::transparency) key: SigningKey,
    }

    impl TestWitness {
        pub(in crate::transparency) fn new(name: &'static str, seed: u8) -> Self {
            Self { name, key: SigningKey::from_bytes(&[seed; 32]) }
        }

        fn public(&self) -> Vec<u8> {
            [[TIMESTAMPED_ED25519].as_slice(), self.key.verifying_key().as_bytes()].concat()
        }

        pub(in crate::transparency) fn vkey(&self) -> String {
            format!("{}+{:08x}+{}", self.name, key_id(self.name, &self.public()), base64(&self.public()))
        }

        pub(in crate::transparency) fn line(&self, time: u64, body: &str) -> String {
            let signature = self.key.sign(&message(time, body.as_bytes())).to_bytes();
            let id = key_id(self.name, &self.public()).to_be_bytes();
            format!("— {} {}\n", self.name, base64(&[id.as_slice(), &time.to_be_bytes(), &signature].concat()))
        }
    }

    #[test]
    fn a_key_is_taken_only_as_the_specification_writes_it() {
        let witness = TestWitness::new("witness.example/w1", 1);
        let good = witness.vkey();
        assert_eq!(CosignatureKey::parse(&good).unwrap().name(), "witness.example/w1");
        let ordinary = signed_note::new_ed25519_verifier_key("witness.example/w1", &witness.key.verifying_key());
        let wrong = [
            String::new(),
            "witness".to_owned(),
            "witness+00000000".to_owned(),
            good.replace("w1", "w2"),
            good.replace('+', " "),
            format!("{good}AAAA"),
            good.to_uppercase(),
            ordinary,
        ];
        for text in wrong {
            assert!(CosignatureKey::parse(&text).is_err(), "{text:?}");
        }
    }
}
