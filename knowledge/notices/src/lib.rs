//! Notices: a group of alarms is told once, and the next person is told when nobody answers.
//!
//! What it does: it follows the read model of notices ([`projections::folds::notices`]), sends what is due over channels, and appends what became of it.
//!
//! What it does not do: it decides nothing about who is told. Groups, ladders and what is due follow from the log and a clock, in the read model.
//!
//! Invariants:
//! - **Nobody is told twice, nobody is forgotten.** What is due and not settled by an event is sent; the event's id follows from group, step and recipient. A crash between a message and its event
//!   sends the message again, under the same id: at least once.
//! - **Nobody waits for anybody.** Each channel has its own room, and each notice its own pauses. A server that is away is tried again, longer and longer apart, and seen in the status.
//! - **An answer ends it.** A notice that was not sent yet is dropped when somebody acknowledges.
//! - **No address in the log.** A recipient is a person's id; the address is looked up when a message leaves, and taken out of what a server says.
//!
//! Where to read next: [`Notifier`] does the work, [`Channel`] is the contract of a way to tell, [`Message`] what is said.

mod channel;
mod clock;
mod email;
mod message;
mod notifier;
#[cfg(test)]
mod testing;

pub use channel::{Channel, SendError};
pub use clock::{Clock, SystemClock};
pub use email::{Contacts, Email, EmailConfig, InvalidEmailConfig, Tls, address_in};
pub use message::Message;
pub use notifier::{ChannelStatus, Notifier, Options, Retrying};
