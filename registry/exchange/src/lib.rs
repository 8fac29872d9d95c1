//! Experiments, runs and models, copied between two servers that speak MLflow's REST API: into Millwright, or out of it.
//!
//! What it does: [`copy`] reads everything that a server shows, and writes to another what is not there yet: experiments, runs with their whole metric history, inputs, outputs and files, logged
//! models, registered models with versions, tags, aliases and stages. It answers a [`Report`] with everything that was left out, and why.
//!
//! What it does not do: it changes nothing on the server that it reads from, and deletes nothing on the other but what an earlier copy left unfinished. It copies no traces, and nothing that is
//! deleted.
//!
//! Invariants:
//! - **Again is nothing new.** Whatever is made carries the tag [`COPIED_FROM`] with the place that it comes from, by which it is found again. Servers give ids of their own: everything that refers
//!   to a run or a logged model refers to the copy.
//! - **Whole or not there.** A run or a logged model that was not finished (no tag [`COMPLETE`]) is deleted and copied anew.
//! - **Nothing is mixed.** A registered model that is there already and comes from elsewhere is left alone.
//! - Files are streamed, and never held in memory.

mod client;
mod copy;
mod error;
mod files;
mod items;
mod report;

pub use client::Server;
pub use copy::{COMPLETE, COPIED_FROM, Options, copy};
pub use error::ExchangeError;
pub use report::{Count, Report, Skipped};
