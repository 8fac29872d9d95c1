//! Tables for training, as they could have been known at a position of the log.
