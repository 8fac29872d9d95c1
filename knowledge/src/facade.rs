//! The one handle that the API holds.

mod ask;
mod open;

pub use open::{Config, Models, OpenError, Opening, Projections};

use std::sync::Arc;

use crate::case_index::CaseIndex;
use crate::graph::Graph;
use crate::search_index::SearchIndex;
use crate::words::Words;

/// The five knowledge bases: every question goes through here. Cheap to clone.
#[derive(Clone)]
pub struct Knowledge {
    inner: Arc<Inner>,
}

struct Inner {
    search: SearchIndex,
    graph: Graph,
    models: Models,
    cases: CaseIndex,
    words: Words,
}
