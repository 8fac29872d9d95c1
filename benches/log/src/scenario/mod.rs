//! What is measured, a file for each section.

pub mod events;
pub mod filling;
pub mod frames;
pub mod memory;
pub mod open;
pub mod replay;
