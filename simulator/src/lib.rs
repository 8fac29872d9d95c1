//! A simulated weaving mill of 24 air-jet looms, and the wires that it speaks over.
//!
//! The core is pure: physics, stops, wear, faults, repairs, orders, beams, rolls and inspections are functions of a seed and of the time that is
//! handed in. [`history`] makes days of events and hours of readings; [`Live`] goes on from there. Around the core, [`live`] publishes over MQTT and OPC UA and
//! [`broker`] starts an MQTT broker inside the process.
//!
//! What it does not do: it writes no log and answers no question. It knows the truth ([`Truth`]: which fault, when, why), so that knowledge and
//! models can be scored against it.
//!
//! Invariants:
//! - The same seed, end and number of days give the same history bit by bit (on the same platform: sine and exponential come from its mathematics library).
//! - No clock inside the core: [`Live::advance`] goes exactly as far as it is told.
//! - A roll never takes warp that another roll took, and no more than the beam had.
//! - Events agree with the rules of `domain`, except those that say that they do not ([`SimEvent::contradiction`]).
//!
//! Where to read next: [`mill`] is the plant, `physics` the loom, `fault` what goes wrong with it, `world` the order of things.

mod error;
mod fault;
mod names;
mod output;
mod physics;
mod random;
mod world;

pub mod broker;
pub mod history;
pub mod live;
pub mod mill;
pub mod training;
pub mod truth;

pub use error::SimulationError;
pub use fault::FaultKind;
pub use history::{History, HistoryOptions, Live, history};
pub use output::{Output, SimEvent, source_name};
pub use truth::{FaultTruth, RepairTruth, Truth};
