//! The vocabulary of the factory: ids, units, events and the rules that they obey.
//!
//! It decides and folds; it does no I/O and knows no clock, no log and no database.
//!
//! Invariants:
//! - Every id, unit and amount is checked where it is made: an [`events::Event`] that exists is well formed.
//! - `decide` refuses an impossible *command*. An *observation* that contradicts is never refused: the same rules name the contradiction, and it
//!   becomes a discrepancy for somebody to resolve.
//!
//! Where to read next: [`events`] is the table of everything that can happen; [`rules`] says what can follow what; [`taxonomy`] names codes in
//! Chinese and English; [`weaving`] and [`kpi`] are the arithmetic, [`statistics`] and [`spc`] say how surely.

pub mod conversion;
pub mod events;
pub mod fmea;
pub mod ids;
pub mod kpi;
pub mod performance;
pub mod personal;
pub mod rules;
pub mod schedule;
pub mod spc;
pub mod statistics;
pub mod taxonomy;
pub mod units;
pub mod values;
pub mod weaving;

pub use events::{DecodeError, Event, LIFTS, Lift, Subject, SubjectKind};
pub use units::{InvalidUnit, Unit};
pub use values::{Interval, Quantity, Text};
