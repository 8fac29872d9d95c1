//! Version 2 of the bytes: a directory of small headers, then the bodies.
//!
//! ```text
//! "MWF", u8 2
//! u32  bytes of the directory
//! u32  crc32c of the eight bytes above and the directory
//! the directory, then the body
//! u32  crc32c of the body, continued from the checksum above
//! ```
//!
//! A frame of many signals has few readings of each, so that what belongs to a column and not to a reading decides about size and speed. Hence: moments that
//! columns share are stored once, a signal's id without what it shares with the one before, and the least and the greatest value are what the values
//! are stored relative to.
//!
//! There is one checksum for what summaries need and one for the rest, not one for each column: the record is the unit that is proven, mended from a copy
//! or refused, so that the name of a damaged column helps nobody, and the directory still bounds what can be meant.

mod floats;
mod lists;
mod pack;
mod read;
mod shape;
mod texts;
mod words;
mod write;

pub(super) use read::{Workspace, decode, summaries};
pub(super) use write::encode;
