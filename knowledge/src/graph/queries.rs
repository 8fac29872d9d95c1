//! Asking the graph.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use eventlog::Position;
use tokio::sync::watch;

use super::projection::{Cell, NAME, VERSION};
use super::reading::{self, Listed};
use super::store::Store;
use super::{GraphEdge, GraphNode, ListRequest, NeighbourRequest, Neighbourhood, RecordHistory};
use crate::answer::{self, MAX_LIMIT, Page, QuestionError};
use crate::record::{Kind, KnowledgeRecord, RecordId};

/// The most steps from a node.
pub const MAX_DEPTH: usize = 3;

/// The edges when the caller does not say how many.
const DEFAULT_EDGES: usize = 100;

/// The most versions of a record that an answer shows: the latest ones.
const MAX_VERSIONS: usize = 500;

/// Asks the graph. Cheap to clone.
#[derive(Clone)]
pub struct Graph {
    /// The store, once it is open.
    opened: watch::Receiver<Option<Arc<Cell>>>,
}

fn failed(reason: impl ToString) -> QuestionError {
    QuestionError::Store { store: NAME, reason: reason.to_string() }
}

fn invalid(field: &'static str, reason: &str) -> QuestionError {
    QuestionError::Invalid { field, reason: reason.to_owned() }
}

impl Graph {
    pub(super) fn new(opened: watch::Receiver<Option<Arc<Cell>>>) -> Self {
        Self { opened }
    }

    async fn store(&self) -> Result<Arc<Store>, QuestionError> {
        let mut opened = self.opened.clone();
        let cell = opened.wait_for(Option::is_some).await.ok().and_then(|cell| cell.clone());
        // The one that opens it has gone without a store.
        let cell = cell.ok_or_else(|| failed("it could not be opened; the server's log says why"))?;
        Ok(Arc::clone(&cell.0.read()))
    }

    /// The store, and the position that the answer stands for.
    async fn at(&self, asked: Option<Position>) -> Result<(Arc<Store>, Option<Position>), QuestionError> {
        let store = self.store().await?;
        if asked.is_none_or(|asked| asked >= store.visible()) {
            store.show_all(VERSION).await.map_err(failed)?;
        }
        let newest = store.visible().previous();
        let as_of = newest.map(|newest| asked.map_or(newest, |asked| asked.min(newest)));
        Ok((store, as_of))
    }

    /// One record as it was known, with its versions up to then.
    ///
    /// # Errors
    /// [`QuestionError::NotFound`] when it was not known then.
    pub async fn record(&self, id: &RecordId, as_of: Option<Position>) -> Result<RecordHistory, QuestionError> {
        let unknown = || QuestionError::NotFound { kind: "record", id: id.to_string() };
        let (store, as_of) = self.at(as_of).await?;
        let position = as_of.ok_or_else(unknown)?;
        let held = reading::held(&store, [id]).await.map_err(failed)?.pop().ok_or_else(unknown)?;
        let mut versions = held.history(&store, position, MAX_VERSIONS).await.map_err(failed)?;
        for version in &mut versions {
            // What ended the version was not known yet.
            version.valid_to = version.valid_to.filter(|end| *end <= position);
        }
        let record = versions.last().cloned().ok_or_else(unknown)?;
        Ok(RecordHistory { as_of, record, versions })
    }

    /// Records, the newest first.
    ///
    /// # Errors
    /// [`QuestionError`].
    pub async fn list(&self, request: &ListRequest) -> Result<Page<KnowledgeRecord>, QuestionError> {
        let limit = answer::limit(request.limit);
        let cursor = request.cursor.as_deref().map(read_cursor).transpose()?;
        let asked = cursor.map(|(as_of, _)| as_of).or(request.as_of);
        let (store, as_of) = self.at(asked).await?;
        let Some(at) = as_of else { return Ok(Page { items: Vec::new(), next_cursor: None, total: Some(0), as_of }) };
        let offset = cursor.map_or(0, |(_, offset)| offset);
        // Articles are of several bases.
        let of_base = |kind: Kind| request.base.is_none_or(|base| kind.base() == base || kind == Kind::Article);
        let wanted = |kind: &Kind| request.kind.is_none_or(|wanted| wanted == *kind) && of_base(*kind);
        let listed = Listed {
            kinds: Kind::ALL.into_iter().filter(wanted).map(Kind::as_str).collect(),
            base: request.base,
            asset: request.asset.as_deref(),
            at,
            newest: store.visible().previous().is_some_and(|newest| at >= newest),
            count: offset.saturating_add(limit).saturating_add(1),
        };
        let found = reading::newest(&store, &listed).await.map_err(failed)?;
        let mut items: Vec<KnowledgeRecord> = found.into_iter().skip(offset).collect();
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = more.then(|| format!("{at}.{}", offset + limit));
        Ok(Page { items, next_cursor, total: None, as_of })
    }

    /// The part of the graph around a node: its edges both ways, then those of its neighbours.
    ///
    /// # Errors
    /// [`QuestionError`].
    pub async fn neighbours(&self, request: &NeighbourRequest) -> Result<Neighbourhood, QuestionError> {
        let depth = request.depth.unwrap_or(1);
        if depth == 0 || depth > MAX_DEPTH {
            return Err(invalid("depth", "it must be 1 to 3"));
        }
        let limit = request.limit.unwrap_or(DEFAULT_EDGES).clamp(1, MAX_LIMIT);
        let (store, as_of) = self.at(request.as_of).await?;
        let mut distances: BTreeMap<RecordId, usize> = BTreeMap::from([(request.node.clone(), 0)]);
        let mut edges: BTreeSet<GraphEdge> = BTreeSet::new();
        let mut truncated = false;
        if let Some(at) = as_of {
            let mut frontier = vec![request.node.clone()];
            for step in 1..=depth {
                let found = reading::edges_of(&store, &frontier, at, limit + 1).await.map_err(failed)?;
                frontier = Vec::new();
                for edge in found {
                    if edges.len() >= limit && !edges.contains(&edge) {
                        truncated = true;
                        continue;
                    }
                    for end in [&edge.from, &edge.to] {
                        if !distances.contains_key(end) {
                            distances.insert(end.clone(), step);
                            frontier.push(end.clone());
                        }
                    }
                    edges.insert(edge);
                }
                if frontier.is_empty() || truncated {
                    break;
                }
            }
        }
        let mut known = BTreeMap::new();
        if let Some(at) = as_of {
            for held in reading::held(&store, distances.keys()).await.map_err(failed)? {
                if let Some(record) = held.at(&store, at).await.map_err(failed)? {
                    known.insert(held.id, record);
                }
            }
        }
        let node = |(id, distance)| GraphNode { record: known.remove(&id), id, distance };
        let mut nodes: Vec<GraphNode> = distances.into_iter().map(node).collect();
        nodes.sort_by(|a, b| a.distance.cmp(&b.distance).then_with(|| a.id.cmp(&b.id)));
        if edges.is_empty() && nodes.iter().all(|node| node.record.is_none()) {
            return Err(QuestionError::NotFound { kind: "node", id: request.node.to_string() });
        }
        Ok(Neighbourhood { as_of, nodes, edges: edges.into_iter().collect(), truncated })
    }
}

fn read_cursor(cursor: &str) -> Result<(Position, usize), QuestionError> {
    let parts = cursor.split_once('.').and_then(|(at, offset)| Some((at.parse().ok()?, offset.parse().ok()?)));
    parts
        .map(|(at, offset)| (Position::new(at), offset))
        .ok_or_else(|| invalid("cursor", "it is not one that a page gave out"))
}
