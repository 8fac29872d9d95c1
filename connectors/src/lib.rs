//! Sources: how readings and foreign events come into the log.
//!
//! What it does: [`ingest`] is the single way in (duplicates out, many callers to one append, quarantine); [`mqtt`] and [`opcua`] speak the
//! protocols of machines and hand over to it. [`import`] turns files into events and readings.
//!
//! What it does not do: it folds nothing and answers no question. It knows the log, the domain's words, and how the two are joined
//! (`projections::seal`), and no read model.
//!
//! Invariants:
//! - What a source acknowledges to its peer is durable in the log, as a reading, an event or a quarantined input.
//! - A reading is identified by (signal, source time, sequence), never by the message that it happened to travel in.
//! - What is not understood is quarantined with the field and the reason; nothing is dropped in silence.
//! - Mapping and decoding are functions of bytes; only the files that say so touch a socket.
//!
//! Where to read next: [`ingest::Ingest`], then [`mqtt::mapping`], then [`mqtt::MqttSource`].

pub mod import;
pub mod ingest;
pub mod mqtt;
pub mod opcua;
pub mod status;

mod backoff;

#[cfg(test)]
mod testing;
