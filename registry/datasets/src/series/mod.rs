//! Ranges of readings as tables: raw, in buckets of time, or thinned out so that a line through them looks the same; as Arrow or CSV.

mod buckets;
mod encode;
mod lttb;
#[cfg(test)]
mod series_tests;

pub use buckets::{Bucket, Buckets, BucketsError, MAX_BUCKETS};
pub use encode::{EncodeError, Encoder, Format, Point, Table};
pub use lttb::{MAX_LTTB_POINTS, largest_triangles};
