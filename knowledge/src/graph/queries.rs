//! Asking the graph.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use eventlog::Position;
use surrealdb::types::{Object, RecordId as Row, RecordIdKey, Value};
use tokio::sync::watch;

use super::projection::{Cell, NAME, VERSION};
use super::store::{Store, list, node, number, object, position, stored_version, text, versions_of};
use super::{GraphEdge, GraphNode, ListRequest, NeighbourRequest, Neighbourhood, RecordHistory};
use crate::answer::{self, MAX_LIMIT, Page, QuestionError};
use crate::record::{KnowledgeRecord, RecordId, Relation};

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
        let sql =
            format!("SELECT body, valid_to, valid_from FROM $range ORDER BY valid_from DESC LIMIT {MAX_VERSIONS}");
        let range = Value::RecordId(versions_of(id, position));
        let mut answers = store.db.query(sql).bind(("range", range)).await.map_err(text).map_err(failed)?;
        let mut versions = records(answers.take(0).map_err(text).map_err(failed)?)?;
        versions.sort_by_key(|version| version.valid_from);
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
        let mut conditions = vec!["valid_from <= $at", "valid_to > $at"];
        conditions.extend(request.kind.map(|_| "kind = $kind"));
        conditions.extend(request.base.map(|_| "base = $base"));
        conditions.extend(request.asset.as_ref().map(|_| "asset = $asset"));
        let sql = format!(
            "SELECT id, body, valid_to, event_time_ns FROM version WHERE {} ORDER BY event_time_ns DESC, id LIMIT {} START {offset}",
            conditions.join(" AND "),
            limit + 1,
        );
        let mut answers = store
            .db
            .query(sql)
            .bind(("at", number(at)))
            .bind(("kind", request.kind.map(|kind| kind.as_str().to_owned())))
            .bind(("base", request.base.map(|base| base.as_str().to_owned())))
            .bind(("asset", request.asset.clone()))
            .await
            .map_err(text)
            .map_err(failed)?;
        let mut items = records(answers.take(0).map_err(text).map_err(failed)?)?;
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
                let found = edges_of(&store, &frontier, at, limit + 1).await?;
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
        let mut nodes = Vec::with_capacity(distances.len());
        for (id, distance) in distances {
            let record = match as_of {
                Some(at) => valid_version(&store, &id, at).await?,
                None => None,
            };
            nodes.push(GraphNode { id, distance, record });
        }
        nodes.sort_by(|a, b| a.distance.cmp(&b.distance).then_with(|| a.id.cmp(&b.id)));
        if edges.is_empty() && nodes.iter().all(|node| node.record.is_none()) {
            return Err(QuestionError::NotFound { kind: "node", id: request.node.to_string() });
        }
        Ok(Neighbourhood { as_of, nodes, edges: edges.into_iter().collect(), truncated })
    }
}

async fn valid_version(store: &Store, id: &RecordId, at: Position) -> Result<Option<KnowledgeRecord>, QuestionError> {
    let range = Value::RecordId(versions_of(id, at));
    let sql = "SELECT body, valid_to, valid_from FROM $range WHERE valid_to > $at LIMIT 1";
    let query = store.db.query(sql).bind(("range", range)).bind(("at", number(at)));
    let mut answers = query.await.map_err(text).map_err(failed)?;
    Ok(records(answers.take(0).map_err(text).map_err(failed)?)?.pop())
}

async fn edges_of(
    store: &Store,
    nodes: &[RecordId],
    at: Position,
    limit: usize,
) -> Result<Vec<GraphEdge>, QuestionError> {
    let sql = format!(
        "SELECT in, out, relation, valid_from FROM link WHERE in IN $nodes AND valid_from <= $at AND valid_to > $at LIMIT {limit};
         SELECT in, out, relation, valid_from FROM link WHERE out IN $nodes AND valid_from <= $at AND valid_to > $at LIMIT {limit};"
    );
    let nodes: Vec<Value> = nodes.iter().map(|id| Value::RecordId(node(id))).collect();
    let query = store.db.query(sql).bind(("nodes", nodes)).bind(("at", number(at)));
    let mut answers = query.await.map_err(text).map_err(failed)?;
    let mut edges = Vec::new();
    for index in 0..2_usize {
        let rows: Value = answers.take(index).map_err(text).map_err(failed)?;
        for row in list(rows) {
            edges.push(edge(object(row).map_err(failed)?).ok_or_else(|| failed("an edge cannot be read"))?);
        }
    }
    Ok(edges)
}

fn edge(mut row: Object) -> Option<GraphEdge> {
    let relation = row.remove("relation")?.into_t::<String>().ok()?;
    Some(GraphEdge {
        from: node_id(row.remove("in")?)?,
        relation: Relation::parse(&relation)?,
        to: node_id(row.remove("out")?)?,
        valid_from: position(row.remove("valid_from"))?,
    })
}

fn node_id(value: Value) -> Option<RecordId> {
    match value {
        Value::RecordId(Row { key: RecordIdKey::String(key), .. }) => RecordId::parse(&key),
        _ => None,
    }
}

fn records(rows: Value) -> Result<Vec<KnowledgeRecord>, QuestionError> {
    list(rows).into_iter().map(|row| object(row).and_then(stored_version).map_err(failed)).collect()
}

fn read_cursor(cursor: &str) -> Result<(Position, usize), QuestionError> {
    let parts = cursor.split_once('.').and_then(|(at, offset)| Some((at.parse().ok()?, offset.parse().ok()?)));
    parts
        .map(|(at, offset)| (Position::new(at), offset))
        .ok_or_else(|| invalid("cursor", "it is not one that a page gave out"))
}
