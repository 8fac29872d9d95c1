//! The append-only, provable event log: the only truth of Millwright.
//!
//! What it does: it stores records (events with a position, two times and a digest) durably and in one total order, appends them
//! atomically under conditions, and hands them out again by position, by stream, or as a live subscription.
//!
//! What it does not do: it knows no business. To it a payload is bytes with a type. [`frames`] knows numbers, times and statuses only.
//!
//! Invariants:
//! - Positions are gapless and start at 0; record times never decrease.
//! - What [`EventLog::append`] acknowledged has been synced to disk (the memory engine says that it does not survive the process).
//! - An event id names one event for as long as the log lives.
//! - The leaf digest in each record commits to its header and to the digest of its payload, so that payloads can be re-encoded, tiered or
//!   erased while every proof stays valid.
//!
//! Where to read next: [`EventLog`] is the contract; `embedded` is the engine on segment files, `memory` the one for tests and replay;
//! [`transparency`] lets others check the log without trusting us;
//! [`conformance`] is the suite that both pass.

mod admission;
pub mod backup;
pub mod bucket;
mod checksum;
mod clock;
mod condition;
mod contract;
mod ids;
mod leaf;
mod page;
mod readings;
mod record;
mod subscription;
mod tree;
mod window;

pub mod conformance;
pub mod embedded;
pub mod frames;
pub mod groups;
pub mod memory;
pub mod metadata;
pub mod privacy;
pub mod transparency;
pub mod upcast;

pub use clock::Clock;
pub use condition::{AppendCondition, Expected, Filter, Query, QueryItem};
pub use contract::{
    AppendError, Appended, BoxFuture, BoxStream, Direction, EventLog, MAX_BATCH_EVENTS, MAX_PAGE, MAX_PAGE_BYTES,
    MAX_PAYLOAD_BYTES, ReadError,
};
pub use ids::{Category, Digest, EventId, EventType, InvalidName, LogId, Position, Revision, StreamId, Tag};
pub use page::Page;
pub use readings::{ReadingAddress, ReadingsPage, ReadingsQuery, SignalReading, Touched};
pub use record::{ContentType, DigestAlgorithm, NewEvent, PayloadDigest, PayloadState, Record};
pub use tree::Tree;
pub use window::{TimeSpan, Window};
