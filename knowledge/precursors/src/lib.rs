//! Fault warning: what comes before faults, found in history, and the rules made of it, which run on what comes in.
//!
//! [`history`] gathers what the log knows at a position, [`mine`] looks for conditions that came before coded faults of a mode, [`rules`] makes a detection rule of one (a piece of
//! knowledge that somebody other than its author approves), and [`reactor`] lets approved rules run and appends warnings. [`feature`], [`trigger`] and [`watch`] evaluate a
//! condition; [`judge`] says what became of warnings. [`look`] says what an asset showed at a moment, and [`examine`] logs it for each fault.
//!
//! Invariants:
//! - Mining and live rules evaluate a condition by the same code, on readings in the order in which the log learnt of them.
//! - A threshold is chosen on the earlier part of history; what is said of it is measured on the later part.
//! - Nothing here appends, but the two reactors; in a replay or a rebuild they do not run.
//! - A fault is looked at by the same code as a question about an asset and a time.
//!
//! Where to read next: [`watch::Watch`] is a rule on one asset, [`mine::mine`] what finds one.

pub mod examine;
pub mod feature;
pub mod history;
pub mod judge;
pub mod look;
pub mod mine;
pub mod reactor;
pub mod rules;
mod source;
pub mod trigger;
pub mod watch;
