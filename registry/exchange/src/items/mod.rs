//! What is copied, one kind a file.

pub(crate) mod experiment;
pub(crate) mod logged_model;
pub(crate) mod registered;
pub(crate) mod run;
