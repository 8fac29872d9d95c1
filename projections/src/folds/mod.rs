//! The read models in memory, one a file. Each keeps at most one entry for each business event, and no readings beyond the newest ones.

pub mod alarm_performance;
pub mod alarms;
pub mod articles;
pub mod catalog;
pub mod control_limits;
pub mod datasets;
pub mod dictionary;
pub mod discrepancies;
pub mod episode_view;
pub mod episodes;
pub mod genealogy;
mod genealogy_fold;
pub mod latest;
pub mod models;
pub mod notices;
pub mod people;
mod places;
pub mod privacy;
pub mod production;
pub mod quality;
pub mod quarantine;
pub mod shifts;
pub mod states;
pub mod statistics;
pub mod upkeep;
pub mod warnings;
pub mod webhooks;
