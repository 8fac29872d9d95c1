//! The traits of [`eventually_core`] 0.4 on any [`eventlog::EventLog`]: aggregates, repositories, projections and subscriptions that were written
//! for that crate run on our log, and find their events durable, ordered and provable.
//!
//! [`Store`] is its `EventStore` and its `EventSubscriber`, [`Persistent`] its `Subscription` with a checkpoint that outlives the process.
//!
//! # How one is mapped to the other
//!
//! | `eventually-core` | The log |
//! |---|---|
//! | source id | the stream `category-id`: the category is the store's, the id is the source's text (`Display`), which must read back (`FromStr`) as the same id |
//! | event | a JSON payload (`serde`); event type and schema version come from the store's naming |
//! | version, from 1 on; 0 is a source without events | revision + 1 |
//! | `Expected::Any` | no condition |
//! | `Expected::Exact(0)` | [`eventlog::Expected::NoStream`] |
//! | `Expected::Exact(n)` | [`eventlog::Expected::Exactly`] revision *n* − 1 |
//! | an error with `is_conflict_error()` | [`StoreError::Conflict`], with the version that the source has |
//! | sequence number, from 0 on | position. All categories share the positions: the numbers of one store ascend, and have gaps |
//! | `Select::From(n)` of one source | revisions from *n* − 1 on |
//! | `Select::From(n)` of all | positions from *n* on, of the store's category, up to the tail at the time of the call |
//! | `subscribe_all` | a live subscription from the tail at the time of the call |
//! | `Subscription::checkpoint(n)` | the event at position *n* is processed; `resume` begins after it |
//!
//! # What does not fit, and what happens then
//!
//! - Versions and sequence numbers have 32 bits there and 64 here. A number that does not fit is an error that says so
//!   ([`StoreError::Full`], [`StreamError::TooFar`]); it never wraps. An append that would put an event where it could not be read is refused before it is written.
//! - `append` has no event ids there, so that each call makes new ones: a caller that does not know whether its append went through asks again with
//!   `Expected::Exact`, and learns from a conflict that it did.
//! - `remove` asks to drop events. The log is append-only and proves all that it ever took, so the answer is [`StoreError::NotRemovable`], and nothing changes.
//! - A payload that was erased or is past its retention is [`StreamError::Dropped`]: an aggregate is not built from the rest.
//! - `Transient`, the subscription in `eventually-core`, runs on a [`Store`]. Between its catch-up and its live part it hands out twice what was appended in
//!   between, unless it was checkpointed; [`Persistent`] has no such seam, since the log's own subscription goes live without gap or duplicate.
//!
//! # Example
//!
//! ```
//! # use std::sync::Arc;
//! use eventlog::{Category, EventType, InvalidName, memory::MemoryLog};
//! use eventlog_eventually::{EventKind, Store};
//! use eventually_core::store::{EventStore, Expected};
//! # use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, Serialize, Deserialize)]
//! enum OrderEvent {
//!     Placed { article: String },
//!     Shipped,
//! }
//!
//! fn naming(event: &OrderEvent) -> Result<EventKind, InvalidName> {
//!     let name = match event {
//!         OrderEvent::Placed { .. } => "order.placed",
//!         OrderEvent::Shipped => "order.shipped",
//!     };
//!     Ok(EventKind { event_type: EventType::new(name)?, schema_version: 1 })
//! }
//!
//! # async fn place() -> Result<(), Box<dyn std::error::Error>> {
//! let mut store = Store::<u64, OrderEvent>::new(Arc::new(MemoryLog::new()), Category::new("order")?, naming);
//! let placed = OrderEvent::Placed { article: "K-100".to_owned() };
//! let version = store.append(4711, Expected::Exact(0), vec![placed, OrderEvent::Shipped]).await?;
//! assert_eq!(version, 2);
//! # Ok(())
//! # }
//! # futures::executor::block_on(place()).unwrap();
//! ```

mod checkpoint;
mod convert;
mod error;
mod mapping;
mod store;
mod subscription;

pub use checkpoint::{Checkpoint, CheckpointError, Checkpoints, FileCheckpoints, MemoryCheckpoints};
pub use error::{StoreError, StreamError};
pub use mapping::EventKind;
pub use store::Store;
pub use subscription::{Persistent, SubscriptionError};
