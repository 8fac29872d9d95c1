//! The first page: small, rendered on the server, in Chinese and English.
//!
//! The page itself holds no data where tokens are configured: its script asks for fragments with the token that the visitor gives. Without
//! script, and without tokens, the same fragments are rendered into the page.

mod markup;
mod view;
mod words;

pub use markup::{document, overview, problem, search_results, trace_results};
pub use view::{AssetRow, FaultRow, LiveValue, Overview, SourceRow, overview_of};
pub use words::Language;

/// The script of the page: refreshes the overview, sends the forms, and adds the token where one is needed.
const SCRIPT: &str = include_str!("page.js");

/// The style of the page.
pub const STYLE: &str = include_str!("page.css");
