//! What the log knows about its streams besides their records: retention class, truncation, and deletion.
//!
//! Metadata are events like any other, in streams of the log itself: `$meta-stream-STREAM` with [`STREAM_TYPE`], and `$meta-category-CATEGORY` with
//! [`CATEGORY_TYPE`]. The last one counts, and it counts from its position on: an engine checks it in the same step as conditions, so that no append slips in
//! between. Being records, they are proven, backed up and replayed with everything else.
//!
//! - **Deleted** streams (tombstone) take no more appends, for ever; [`EventLog::read_stream`] answers [`crate::ReadError::StreamDeleted`], so that a reader can
//!   tell a deleted stream from one that never was.
//! - Revisions below **truncate before** are left out by [`EventLog::read_stream`]. It never goes back.
//! - The **retention class** says how long payloads are kept: [`retention_classes`] hands out those of all streams. How long a class is, and dropping payloads, is not
//!   the matter of this module.
//!
//! Reads along the log ([`EventLog::read`], subscriptions) still hand out records of such streams: positions, order and proofs stay.

mod state;
mod streams;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    AppendCondition, AppendError, Appended, Category, ContentType, Direction, EventId, EventLog, EventType,
    InvalidName, MAX_PAGE, NewEvent, Position, ReadError, Record, Revision, StreamId,
};

pub(crate) use state::{Change, MetadataState, changes};
pub(crate) use streams::{check_event, check_transitions, read_stream};

/// The category of the log's own streams. The types of their events begin with `$`, and no other stream has such types.
pub const SYSTEM_CATEGORY: &str = "$meta";

/// The type of the event that sets the metadata of a stream.
pub const STREAM_TYPE: &str = "$stream.metadata_set";

/// The type of the event that sets the metadata of a category.
pub const CATEGORY_TYPE: &str = "$category.metadata_set";

/// The most streams and categories that have metadata. All of them are in memory, at some 200 bytes each.
pub const MAX_SUBJECTS: usize = 1_000_000;

/// The longest name of a retention class, in bytes.
const MAX_CLASS_BYTES: usize = 64;

/// How long the payloads of a stream are kept, by name. What the name stands for is configured elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct RetentionClass(Arc<str>);

impl RetentionClass {
    /// A class of 1 to 64 lowercase letters, digits, `_` or `-`.
    ///
    /// # Errors
    /// [`InvalidName`] names what is wrong.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
        if text.is_empty() || text.len() > MAX_CLASS_BYTES || !text.bytes().all(fits) {
            let reason = "1 to 64 lowercase letters, digits, _ or - are expected";
            return Err(InvalidName::new("retention class", text, reason));
        }
        Ok(Self(text.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RetentionClass {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RetentionClass {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

/// The metadata of one stream: the payload of [`STREAM_TYPE`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamMetadata {
    /// How long payloads are kept; that of the category counts when it is `None`.
    pub retention_class: Option<RetentionClass>,
    /// The first revision that reads of the stream hand out.
    pub truncate_before: Option<Revision>,
    /// Whether the stream takes no more appends and answers no more reads.
    pub deleted: bool,
}

/// The metadata of all streams of a category: the payload of [`CATEGORY_TYPE`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CategoryMetadata {
    /// How long payloads are kept, in streams that have no class of their own.
    pub retention_class: Option<RetentionClass>,
}

/// The stream that holds the metadata of a stream.
///
/// # Errors
/// [`InvalidName`] when the stream is one of the log's own, or its id is longer than 499 bytes.
pub fn stream_of(stream: &StreamId) -> Result<StreamId, InvalidName> {
    if is_system(stream) {
        return Err(InvalidName::new("stream", stream.as_str(), "the log's own streams have no metadata"));
    }
    StreamId::of(SYSTEM_CATEGORY, &format!("stream-{stream}"))
}

/// The stream that holds the metadata of a category.
///
/// # Errors
/// [`InvalidName`] when the category is the log's own, or its name is longer than 497 bytes.
pub fn stream_of_category(category: &Category) -> Result<StreamId, InvalidName> {
    if category.as_str().starts_with('$') {
        return Err(InvalidName::new("category", category.as_str(), "the log's own streams have no metadata"));
    }
    StreamId::of(SYSTEM_CATEGORY, &format!("category-{category}"))
}

/// Whether the stream is one of the log's own.
pub fn is_system(stream: &StreamId) -> bool {
    stream.as_str().starts_with('$')
}

/// The event that sets the metadata of a stream.
///
/// # Errors
/// As [`stream_of`].
pub fn stream_event(stream: &StreamId, metadata: &StreamMetadata, actor: &str) -> Result<NewEvent, InvalidName> {
    event(stream_of(stream)?, STREAM_TYPE, metadata, actor)
}

/// The event that sets the metadata of a category.
///
/// # Errors
/// As [`stream_of_category`].
pub fn category_event(category: &Category, metadata: &CategoryMetadata, actor: &str) -> Result<NewEvent, InvalidName> {
    event(stream_of_category(category)?, CATEGORY_TYPE, metadata, actor)
}

fn event(stream: StreamId, event_type: &str, metadata: &impl Serialize, actor: &str) -> Result<NewEvent, InvalidName> {
    #[expect(clippy::expect_used, reason = "a struct of texts and numbers always serialises to JSON in memory")]
    let payload = Bytes::from(serde_json::to_vec(metadata).expect("metadata serialise"));
    Ok(NewEvent::json(EventId::generate(), stream, EventType::new(event_type)?, 1, actor, payload))
}

/// Sets the metadata of a stream: all of them, so read them first to change a part.
///
/// # Errors
/// [`AppendError::Invalid`] when a deleted stream were to live again or the truncation to go back, and whatever an append answers.
pub async fn set_stream(
    log: &dyn EventLog,
    stream: &StreamId,
    metadata: &StreamMetadata,
    actor: &str,
) -> Result<Appended, AppendError> {
    log.append(AppendCondition::none(), vec![stream_event(stream, metadata, actor)?]).await
}

/// Sets the metadata of a category.
///
/// # Errors
/// Whatever an append answers.
pub async fn set_category(
    log: &dyn EventLog,
    category: &Category,
    metadata: &CategoryMetadata,
    actor: &str,
) -> Result<Appended, AppendError> {
    log.append(AppendCondition::none(), vec![category_event(category, metadata, actor)?]).await
}

/// The metadata of a stream; those of a stream without any are the default.
///
/// # Errors
/// [`ReadError`].
pub async fn stream(log: &dyn EventLog, stream: &StreamId) -> Result<StreamMetadata, ReadError> {
    let Ok(holder) = stream_of(stream) else { return Ok(StreamMetadata::default()) };
    last(log, holder).await
}

/// The metadata of a category; those of a category without any are the default.
///
/// # Errors
/// [`ReadError`].
pub async fn category(log: &dyn EventLog, category: &Category) -> Result<CategoryMetadata, ReadError> {
    let Ok(holder) = stream_of_category(category) else { return Ok(CategoryMetadata::default()) };
    last(log, holder).await
}

/// The retention class of a stream: its own, otherwise that of its category, otherwise none.
///
/// # Errors
/// [`ReadError`].
pub async fn effective_retention_class(log: &dyn EventLog, of: &StreamId) -> Result<Option<RetentionClass>, ReadError> {
    if let Some(class) = stream(log, of).await?.retention_class {
        return Ok(Some(class));
    }
    let Ok(named) = Category::new(of.category()) else { return Ok(None) };
    Ok(category(log, &named).await?.retention_class)
}

/// The retention classes of all streams at one moment.
#[derive(Debug, Default)]
pub struct RetentionClasses(MetadataState);

impl RetentionClasses {
    /// The class of a stream: its own, otherwise that of its category, otherwise none.
    pub fn of(&self, stream: &StreamId) -> Option<&RetentionClass> {
        self.0.effective_retention_class(stream)
    }
}

/// The retention classes of all streams, as the log has them when it is asked. One read of every record of metadata: for whoever goes through many streams.
///
/// # Errors
/// [`ReadError`].
pub async fn retention_classes(log: &dyn EventLog) -> Result<RetentionClasses, ReadError> {
    let filter = MetadataState::filter().map_err(|error| ReadError::Index(error.to_string()))?;
    let mut state = MetadataState::default();
    let mut next = Some(Position::START);
    while let Some(from) = next {
        let page = log.read(from, Direction::Forward, filter.clone(), MAX_PAGE).await?;
        page.iter().try_for_each(|record| state.apply_record(record))?;
        next = page.next;
    }
    Ok(RetentionClasses(state))
}

async fn last<T: Default + for<'de> Deserialize<'de>>(log: &dyn EventLog, holder: StreamId) -> Result<T, ReadError> {
    let page = log.read_stream(holder, Revision::new(u64::MAX), Direction::Backward, 1).await?;
    page.first().map_or_else(|| Ok(T::default()), parsed)
}

fn parsed<T: for<'de> Deserialize<'de>>(record: &Record) -> Result<T, ReadError> {
    serde_json::from_slice(&record.payload).map_err(|error| ReadError::Corrupt {
        position: record.position,
        file: record.stream.to_string(),
        reason: format!("the metadata are not readable: {error}"),
    })
}

/// Whether the bytes can be metadata at all.
fn is_plain_json(event: &NewEvent) -> bool {
    event.content_type == ContentType::Json && event.data_key_id.is_none()
}
