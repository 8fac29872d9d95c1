//! Webhooks: who is told what happens in the registry and which warnings are raised, and how each message gets there.
//!
//! What it does: it decides the commands that make, change and delete webhooks; it follows the log, and sends each of them a message for each event that it asked for,
//! in MLflow's form and signed as MLflow signs. Notices of alarms it sends to the one that is named, when it is told to ([`Webhooks::tell`]).
//!
//! What it does not do: it serves no address.
//!
//! Invariants:
//! - **At least once, in order.** A webhook's position in the log moves on when its receiver has answered with 2xx, and is on disk before the next message leaves. A message that is sent again
//!   has the same delivery id.
//! - **Nobody waits for anybody.** Each webhook has a task, a position and a back-off of its own.
//! - **Nothing for ever.** A message is tried again until it is older than [`Options::give_up_after`]; then it is given up, which is counted and said.
//! - **A secret is in no event, no answer and no message.** The log has its name; the secret lies in the folder of keys, durable before the event.
//! - **No way into the machine's own network.** Addresses that are link-local, unspecified or of a cloud's metadata service are refused when a webhook is made, and again
//!   each time that its host's name is resolved ([`address`]). Redirects are not followed.
//!
//! Where to read next: [`Webhooks`] is the way in, [`message`] what is sent.

pub mod address;
pub mod message;

mod context;
mod delivery;
mod error;
mod facade;
mod secrets;
mod sender;
mod state;
mod tell;
#[cfg(test)]
mod testing;

pub use error::WebhookError;
pub use facade::{Change, Folders, MAX_WEBHOOKS, NewWebhook, Options, TestResult, Webhooks};
pub use state::{Delivered, DeliveryState, Failing};
pub use tell::{NOTICES, NotTold};
