//! The language of searches, as MLflow's clients speak it: conditions joined by `AND`, and orders.
//!
//! What it does: [`Filter`] parses a `filter_string` and tests rows, [`Order`] parses `order_by` and compares rows, [`page`] takes one page out of
//! all rows, and [`PageToken`] says where the next page begins. One lexer and one parser serve every [`Entity`]; a table in `grammar` says what each of them
//! has. A thing that can be searched for implements [`Row`].
//!
//! What it does not do: it stores nothing, and knows no experiment and no run.
//!
//! Invariants:
//! - No input makes it panic, and none makes it slow: the text, the conditions, the items of a list and the patterns are bounded, and `LIKE` takes time
//!   linear in the value.
//! - An order is total as long as no two rows have the same id: pages neither overlap nor leave rows out.
//! - What a condition says of an absent value is false, `!=` included; only `IS NULL` holds for it.
//! - What stands between quotes is the value as it is, also a doubled or escaped quote: so do MLflow's servers. A value with one kind of quote in it is written in the
//!   other.

mod error;
mod filter;
mod grammar;
mod lexer;
mod order;
mod page;
mod pattern;
mod row;

#[cfg(test)]
mod filter_tests;
#[cfg(test)]
mod order_tests;
#[cfg(test)]
mod page_tests;
#[cfg(test)]
mod pattern_tests;
#[cfg(test)]
mod testing;

pub use error::SearchError;
pub use filter::{Clause, DatasetFilter, Filter, Test};
pub use grammar::{Attribute, DatasetAttribute, Entity, Field};
pub use order::{LoggedModelOrder, Order, OrderKey, SortKey};
pub use page::{Page, PageToken, QueryDigest, Start, page};
pub use pattern::Pattern;
pub use row::{DatasetView, MetricView, Row, Value};

/// The longest filter, in bytes.
pub const FILTER_BYTES_MAX: usize = 65_536;
/// The most conditions in a filter.
pub const CLAUSES_MAX: usize = 100;
/// The most items of a list in a filter.
pub const LIST_ITEMS_MAX: usize = 1_000;
/// The longest pattern of `LIKE` and `ILIKE`, in characters.
pub const PATTERN_CHARACTERS_MAX: usize = 1_024;
/// The most keys to order by.
pub const ORDER_KEYS_MAX: usize = 20;
/// The longest key to order by, in bytes.
pub const ORDER_KEY_BYTES_MAX: usize = 2_048;
/// The most datasets to restrict a search of logged models to.
pub const DATASETS_MAX: usize = 100;
/// The longest page token, in bytes.
pub const PAGE_TOKEN_BYTES_MAX: usize = 4_096;
/// The tag by which MLflow tells prompts from models; both live among the registered models.
pub const IS_PROMPT_TAG: &str = "mlflow.prompt.is_prompt";
