//! The names and numbers of the log. Each constructor validates; none converts both ways by `From`.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use uuid::Uuid;

/// Index of a record in the log: 0-based and gapless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(u64);

impl Position {
    /// The first position of every log.
    pub const START: Position = Position(0);

    /// The position with this index.
    pub const fn new(index: u64) -> Self {
        Self(index)
    }

    /// The index as a number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The position that follows.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The position before, or `None` at the start of the log.
    #[must_use]
    pub const fn previous(self) -> Option<Self> {
        match self.0 {
            0 => None,
            index => Some(Self(index - 1)),
        }
    }

    /// The position `count` records further on.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Index of a record in its stream: 0-based and gapless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(u64);

impl Revision {
    /// The first revision of every stream.
    pub const START: Revision = Revision(0);

    /// The revision with this index.
    pub const fn new(index: u64) -> Self {
        Self(index)
    }

    /// The index as a number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The revision that follows.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The revision before, or `None` at the start of the stream.
    #[must_use]
    pub const fn previous(self) -> Option<Self> {
        match self.0 {
            0 => None,
            index => Some(Self(index - 1)),
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A SHA-256 digest (FIPS 180-4). Shown and serialised as 64 lowercase hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest with these bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`InvalidName`] when the text is anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let invalid = || InvalidName::new("digest", text, "64 hexadecimal digits are expected");
        if text.len() != 64 || !text.is_ascii() {
            return Err(invalid());
        }
        let mut bytes = [0_u8; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| invalid())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| invalid())?;
        }
        Ok(Self(bytes))
    }
}

impl Digest {
    /// The digits, by table: every leaf holds them, and formatting byte by byte took a fifth of a leaf's time.
    pub(crate) fn hexadecimal(&self) -> [u8; 64] {
        let digit = |nibble: u8| nibble + if nibble < 10 { b'0' } else { b'a' - 10 };
        let mut digits = [0; 64];
        for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(self.0) {
            *pair = [digit(byte >> 4), digit(byte & 15)];
        }
        digits
    }
}

/// Hexadecimal digits as text.
fn text(digits: &[u8; 64]) -> &str {
    std::str::from_utf8(digits).unwrap_or_default()
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(text(&self.hexadecimal()))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Digest({self})")
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text(&self.hexadecimal()))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Names one event for ever: the idempotency key of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(Uuid);

impl EventId {
    /// An id that somebody else gave.
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// A new id for an event that Millwright makes itself (UUIDv7, ordered by time).
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// The id of an event that comes from elsewhere: UUIDv8 (RFC 9562) from SHA-256 over the source and its own id. The length of the
    /// source goes first, so that no two pairs run together.
    pub fn derived(source: &str, external_id: &str) -> Self {
        let mut hasher = sha2::Sha256::new();
        hasher.update((source.len() as u64).to_le_bytes());
        hasher.update(source.as_bytes());
        hasher.update(external_id.as_bytes());
        let digest: [u8; 32] = hasher.finalize().into();
        let mut bytes = [0_u8; 16];
        for (to, from) in bytes.iter_mut().zip(digest) {
            *to = from;
        }
        Self(Uuid::new_v8(bytes))
    }

    /// The id as a UUID.
    pub const fn as_uuid(&self) -> &Uuid {
        &self.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Names one log: made when the log is created, and mixed into every checksum, so that blocks of another log never validate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogId(Uuid);

impl LogId {
    /// The log id with this UUID.
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// The id as a UUID.
    pub const fn as_uuid(&self) -> &Uuid {
        &self.0
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A name that the log does not take, with the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {text:?} is not valid: {reason}")]
pub struct InvalidName {
    what: &'static str,
    text: String,
    reason: &'static str,
}

impl InvalidName {
    pub(crate) fn new(what: &'static str, text: &str, reason: &'static str) -> Self {
        Self { what, text: text.chars().take(80).collect(), reason }
    }
}

/// The longest category, event type, tag or stream id, in bytes.
const MAX_NAME_BYTES: usize = 512;

fn check_name(what: &'static str, text: &str) -> Result<(), InvalidName> {
    if text.is_empty() {
        return Err(InvalidName::new(what, text, "it is empty"));
    }
    if text.len() > MAX_NAME_BYTES {
        return Err(InvalidName::new(what, text, "it is longer than 512 bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err(InvalidName::new(what, text, "it holds a control character"));
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!($what, " {:?}"), &*self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

name!(
    /// The first part of a stream id: the kind of thing that the stream is about (`workorder`). It holds no hyphen.
    Category, "category"
);
name!(
    /// `category-key`, for example `workorder-4711`. The key may hold further hyphens.
    StreamId, "stream"
);
name!(
    /// What happened, as a dotted name (`lot.shipped`).
    EventType, "event type"
);
name!(
    /// What an event concerns, as `key:value` (`asset:LOOM-07`), for conditions and filters.
    Tag, "tag"
);

impl Category {
    /// A category of 1 to 512 bytes without hyphen or control character.
    ///
    /// # Errors
    /// [`InvalidName`] names what is wrong.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        check_name("category", text)?;
        if text.contains('-') {
            return Err(InvalidName::new(
                "category",
                text,
                "it holds a hyphen, which ends the category in a stream id",
            ));
        }
        Ok(Self(text.into()))
    }
}

impl StreamId {
    /// The stream of `key` in `category`.
    ///
    /// # Errors
    /// [`InvalidName`] names what is wrong.
    pub fn of(category: &str, key: &str) -> Result<Self, InvalidName> {
        Category::new(category)?;
        check_name("stream key", key)?;
        Self::new(&format!("{category}-{key}"))
    }

    /// Reads `category-key`.
    ///
    /// # Errors
    /// [`InvalidName`] names what is wrong.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        check_name("stream", text)?;
        match text.split_once('-') {
            Some((category, key)) if !category.is_empty() && !key.is_empty() => Ok(Self(text.into())),
            _ => Err(InvalidName::new("stream", text, "it is not of the form category-key")),
        }
    }

    /// The part before the first hyphen.
    pub fn category(&self) -> &str {
        self.0.split_once('-').map_or(&*self.0, |(category, _)| category)
    }

    /// The part after the first hyphen.
    pub fn key(&self) -> &str {
        self.0.split_once('-').map_or("", |(_, key)| key)
    }
}

impl EventType {
    /// An event type of 1 to 512 bytes without control characters.
    ///
    /// # Errors
    /// [`InvalidName`] names what is wrong.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        check_name("event type", text)?;
        Ok(Self(text.into()))
    }
}

impl Tag {
    /// A tag `key:value`.
    ///
    /// # Errors
    /// [`InvalidName`] names what is wrong.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        check_name("tag", text)?;
        match text.split_once(':') {
            Some((key, value)) if !key.is_empty() && !value.is_empty() => Ok(Self(text.into())),
            _ => Err(InvalidName::new("tag", text, "it is not of the form key:value")),
        }
    }

    /// The tag of `value` under `key`.
    ///
    /// # Errors
    /// [`InvalidName`] names what is wrong.
    pub fn of(key: &str, value: &str) -> Result<Self, InvalidName> {
        Self::new(&format!("{key}:{value}"))
    }
}
