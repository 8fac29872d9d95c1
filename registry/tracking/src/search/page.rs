//! Pages: which rows are on one, and where the next one begins.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Filter, Order, PAGE_TOKEN_BYTES_MAX, Row, SearchError, SortKey};

/// Where a page begins.
#[derive(Debug)]
pub enum Start<'a, R: ?Sized> {
    /// At the first row.
    Beginning,
    /// Behind this row, as it is now. Rows that came in before it meanwhile are not shown, and none is shown twice.
    After(&'a R),
    /// Behind so many rows: for a row that is gone since it was shown.
    Offset(usize),
}

/// Some rows in order.
#[derive(Debug)]
pub struct Page<'a, R: ?Sized> {
    /// The rows.
    pub rows: Vec<&'a R>,
    /// Whether there are more behind them.
    pub more: bool,
}

/// Takes a page out of all rows. It holds no more than a page, and what lies before it, in memory.
pub fn page<'a, R: Row + ?Sized>(
    rows: impl IntoIterator<Item = &'a R>,
    filter: &Filter,
    order: &Order,
    start: &Start<'a, R>,
    limit: usize,
) -> Page<'a, R> {
    let skipped = if let Start::Offset(offset) = start { *offset } else { 0 };
    let after = if let Start::After(row) = start { Some(order.sort_key(*row)) } else { None };
    // One more than the page says whether there is another page.
    let kept = skipped.saturating_add(limit).saturating_add(1);
    let mut first: BinaryHeap<Ranked<'a, R>> = BinaryHeap::new();
    for row in rows.into_iter().filter(|row| filter.matches(*row)) {
        let key = order.sort_key(row);
        if after.as_ref().is_some_and(|after| key <= *after) {
            continue;
        }
        if first.len() < kept {
            first.push(Ranked { key, row });
        } else if first.peek().is_some_and(|last| key < last.key) {
            first.pop();
            first.push(Ranked { key, row });
        }
    }
    let mut rows: Vec<&'a R> = first.into_sorted_vec().into_iter().skip(skipped).map(|ranked| ranked.row).collect();
    let more = rows.len() > limit;
    rows.truncate(limit);
    Page { rows, more }
}

struct Ranked<'a, R: ?Sized> {
    key: SortKey<'a>,
    row: &'a R,
}

impl<R: ?Sized> PartialEq for Ranked<'_, R> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<R: ?Sized> Eq for Ranked<'_, R> {}

impl<R: ?Sized> PartialOrd for Ranked<'_, R> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<R: ?Sized> Ord for Ranked<'_, R> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

/// What a query is, for its page tokens: everything of it but the page itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryDigest(String);

impl QueryDigest {
    /// The digest of what makes a query: the entity, the filter, the order, the experiments, and so on, always in the same sequence.
    pub fn of<'p>(parts: impl IntoIterator<Item = &'p str>) -> Self {
        const SHOWN_BYTES: usize = 8;
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part.len().to_le_bytes());
            hasher.update(part);
        }
        let digest = hasher.finalize();
        Self(digest.iter().take(SHOWN_BYTES).map(|byte| format!("{byte:02x}")).collect())
    }
}

/// Where the next page of a query begins. As text it is opaque; it is good for the query that it was given for, and no other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageToken {
    /// How many rows were shown before.
    pub offset: usize,
    /// The id of the last of them.
    pub last: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Encoded {
    offset: usize,
    last: String,
    query: String,
}

impl PageToken {
    /// The token as text.
    pub fn encode(&self, query: &QueryDigest) -> String {
        let encoded = serde_json::json!({ "offset": self.offset, "last": self.last, "query": query.0 });
        STANDARD.encode(encoded.to_string())
    }

    /// Reads a token; an empty text is none.
    ///
    /// # Errors
    /// When it is no token, or one of another query.
    pub fn decode(text: &str, query: &QueryDigest) -> Result<Option<Self>, SearchError> {
        if text.is_empty() {
            return Ok(None);
        }
        super::filter::too_long("page token", text.len(), "bytes", PAGE_TOKEN_BYTES_MAX)?;
        let bytes = STANDARD.decode(text).map_err(|_| SearchError::PageToken("could not base64-decode"))?;
        let encoded: Encoded =
            serde_json::from_slice(&bytes).map_err(|_| SearchError::PageToken("it was not given by this server"))?;
        if encoded.query != query.0 {
            return Err(SearchError::PageToken("it belongs to another query"));
        }
        Ok(Some(Self { offset: encoded.offset, last: encoded.last }))
    }
}
