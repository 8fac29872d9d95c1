//! What was tried: experiments, runs with their parameters, metrics and tags, and the models that runs logged.
//!
//! What it does: it folds the tracking events of the log into a store that answers searches, and decides the commands that append them.
//!
//! What it does not do: it speaks no protocol and opens no connection; it stores no file.

pub mod search;
