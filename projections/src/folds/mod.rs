//! The read models in memory, one a file. Each keeps at most one entry for each business event, and no readings beyond the newest ones.

pub mod alarms;
pub mod articles;
pub mod catalog;
pub mod datasets;
pub mod discrepancies;
pub mod episode_view;
pub mod episodes;
pub mod genealogy;
mod genealogy_fold;
pub mod latest;
pub mod models;
pub mod people;
pub mod privacy;
pub mod quality;
pub mod quarantine;
pub mod states;
pub mod statistics;
pub mod webhooks;
