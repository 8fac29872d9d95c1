//! Filters that folds and reactors use.

use eventlog::{EventType, Filter, QueryItem};

/// Matches records of these types, which are names that the log takes. A name that it does not take could never be logged, and is left out.
pub fn types(names: &[&str]) -> Filter {
    let types = names.iter().filter_map(|name| EventType::new(name).ok()).collect();
    Filter { items: vec![QueryItem { categories: Vec::new(), types, tags: Vec::new() }] }
}

/// Matches every business event of the vocabulary, and no readings.
pub fn business() -> Filter {
    let names: Vec<&str> = domain::Event::TYPES.iter().map(|(name, _)| *name).collect();
    types(&names)
}
