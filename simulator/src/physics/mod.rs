//! The physics of a loom and of the hall that it stands in.
//!
//! One set of equations serves every step size: slow quantities follow first-order laws solved exactly over the step, noise is exact for any step, and stops come
//! from a hazard that is integrated over picks, so that they fall between steps.

mod drive;
mod hall;
mod insertion;
mod loom;
mod warp;

pub(crate) use hall::Hall;
pub(crate) use loom::{Beam, Growing, Loom, Notice, Status};
