//! Reading rows back: versions and edges as they were at a position.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Bound;

use eventlog::Position;
use surrealdb::types::{Object, RecordIdKey, Value};

use super::GraphEdge;
use super::rows::{
    self, Carried, Edge, Former, Inward, inward_until, list, node, number, object, past_after, past_until, position,
    record_id, unpack,
};
use super::store::{Store, text};
use crate::record::{Base, KnowledgeRecord, RecordId};
use crate::versions;

/// The rows that one statement asks for by their keys.
const KEYS_PER_QUERY: usize = 500;

/// The rows of what points to a node, or of former versions, that one statement brings back.
const ROWS_PER_QUERY: usize = 64;

/// The nodes that one query asks for what points to them.
const NODES_PER_QUERY: usize = 32;

/// A record's row.
pub(super) struct Held {
    pub id: RecordId,
    valid_from: Position,
    body: Vec<u8>,
    carried: Carried,
}

/// The fields of a row that [`Held::read`] reads.
pub(super) const HELD: &str = "id, valid_from, body, since, past";

impl Held {
    pub fn read(mut row: Object) -> Result<Self, String> {
        Ok(Self {
            id: record_id(row.remove("id")).ok_or("a row has no id of a record")?,
            valid_from: position(row.remove("valid_from")).ok_or("a row holds no beginning")?,
            body: rows::bytes(row.remove("body").ok_or("a row holds no record")?)?,
            carried: Carried::read(&mut row)?,
        })
    }

    /// The version that was valid at a position.
    pub async fn at(&self, store: &Store, at: Position) -> Result<Option<KnowledgeRecord>, String> {
        if self.valid_from <= at {
            return versions::decode(&self.body).map(Some);
        }
        let valid = |former: &&Former| former.from <= at && at < former.until;
        if at >= self.carried.since {
            return self.carried.past.iter().find(valid).map(|former| versions::decode(&former.body)).transpose();
        }
        let ended = past(store, &self.id, at, 1).await?;
        ended.iter().flat_map(|(former, _)| former).find(valid).map(|former| versions::decode(&former.body)).transpose()
    }

    /// The latest versions, at most `limit`, up to a position; the oldest first.
    pub async fn history(&self, store: &Store, at: Position, limit: usize) -> Result<Vec<KnowledgeRecord>, String> {
        let known = |former: &&Former| former.from <= at;
        let mut newest_first = Vec::new();
        if self.valid_from <= at {
            newest_first.push(versions::decode(&self.body)?);
        }
        let mut take = |formers: &[Former]| -> Result<bool, String> {
            for former in formers.iter().rev().filter(known) {
                if newest_first.len() >= limit {
                    return Ok(false);
                }
                newest_first.push(versions::decode(&former.body)?);
            }
            Ok(true)
        };
        let mut more = take(&self.carried.past)? && self.carried.since > Position::START;
        if more && at < self.carried.since {
            for (formers, _) in past(store, &self.id, at, 1).await? {
                more = take(&formers)?;
            }
        }
        let mut start = 0;
        while more {
            let sql = format!("SELECT id, past FROM $range ORDER BY id DESC LIMIT {ROWS_PER_QUERY} START {start}");
            let found = ask(store, &sql, "range", Value::RecordId(past_until(&self.id, at))).await?;
            more = found.len() == ROWS_PER_QUERY;
            start += ROWS_PER_QUERY;
            for mut row in found {
                more = take(&unpack::<Former>(row.remove("past"))?)? && more;
            }
        }
        newest_first.reverse();
        Ok(newest_first)
    }
}

/// The rows of these records; the order is that of the store.
pub(super) async fn held(store: &Store, ids: impl IntoIterator<Item = &RecordId>) -> Result<Vec<Held>, String> {
    let nodes: Vec<Value> = ids.into_iter().map(|id| Value::RecordId(node(id))).collect();
    let mut found = Vec::with_capacity(nodes.len());
    for chunk in nodes.chunks(KEYS_PER_QUERY) {
        let rows = ask(store, &format!("SELECT {HELD} FROM $nodes"), "nodes", chunk.to_vec()).await?;
        for row in rows {
            found.push(Held::read(row)?);
        }
    }
    Ok(found)
}

/// Rows that a statement with one parameter brings back.
async fn ask(
    store: &Store,
    sql: &str,
    name: &'static str,
    value: impl surrealdb::types::SurrealValue,
) -> Result<Vec<Object>, String> {
    let mut answers = store.db.query(sql).bind((name, value)).await.map_err(text)?;
    list(answers.take(0).map_err(text)?).into_iter().map(object).collect()
}

/// What of a record ended after `at` and lies in rows beside its own, the first to end first.
async fn past(
    store: &Store,
    id: &RecordId,
    at: Position,
    limit: usize,
) -> Result<Vec<(Vec<Former>, Vec<Edge>)>, String> {
    let sql = format!("SELECT id, past, edges FROM type::record($range ?? NONE) LIMIT {limit}");
    let found = ask(store, &sql, "range", Value::RecordId(past_after(id, at))).await?;
    found.into_iter().map(|mut row| Ok((unpack(row.remove("past"))?, unpack(row.remove("edges"))?))).collect()
}

/// The edges and the inner list of what points to it, of a node that may have no record.
#[derive(Default)]
struct Around {
    out: Vec<Edge>,
    inward: Vec<Inward>,
}

/// What is around these nodes: the edges that were valid at a position, and who pointed to them by then.
async fn around(store: &Store, ids: &[RecordId], at: Position) -> Result<BTreeMap<RecordId, Around>, String> {
    let mut found = BTreeMap::new();
    for chunk in ids.chunks(KEYS_PER_QUERY) {
        let nodes: Vec<Value> = chunk.iter().map(|id| Value::RecordId(node(id))).collect();
        for mut row in ask(store, "SELECT id, since, edges, inward FROM $nodes", "nodes", nodes).await? {
            let id = record_id(row.remove("id")).ok_or("a row has no id of a record")?;
            let carried = Carried::read(&mut row)?;
            let mut out = carried.edges;
            if at < carried.since {
                // Every row that ended later may hold an edge that was valid.
                out.extend(past(store, &id, at, usize::MAX >> 1).await?.into_iter().flat_map(|(_, edges)| edges));
            }
            out.retain(|edge| edge.valid_at(at));
            out.sort_by(|a, b| (a.relation.as_str(), &a.to).cmp(&(b.relation.as_str(), &b.to)));
            let inward = carried.inward.into_iter().filter(|inward| inward.at <= at).collect();
            found.insert(id, Around { out, inward });
        }
    }
    Ok(found)
}

/// The edges of these nodes at a position: first those that go out, then those that come in, the newest first; at most `limit` each way.
pub(super) async fn edges_of(
    store: &Store,
    nodes: &[RecordId],
    at: Position,
    limit: usize,
) -> Result<Vec<GraphEdge>, String> {
    let mut found = around(store, nodes, at).await?;
    let graph_edge = |from: &RecordId, edge: &Edge| GraphEdge {
        from: from.clone(),
        relation: edge.relation,
        to: edge.to.clone(),
        valid_from: edge.from,
    };
    let mut edges = Vec::new();
    for id in nodes {
        let out = found.get(id).map(|around| around.out.as_slice()).unwrap_or_default();
        edges.extend(out.iter().take(limit - edges.len().min(limit)).map(|edge| graph_edge(id, edge)));
    }
    let mut incoming: BTreeSet<GraphEdge> = BTreeSet::new();
    for chunk in nodes.chunks(NODES_PER_QUERY) {
        let mut start = 0;
        let mut open: Vec<&RecordId> = chunk.iter().collect();
        while !open.is_empty() && incoming.len() < limit {
            let pages = inward_pages(store, &open, at, start).await?;
            let mut pointing: Vec<(&RecordId, Inward)> = Vec::new();
            let mut further = Vec::new();
            for (id, page) in open.into_iter().zip(pages) {
                if start == 0 {
                    let inner = found.get_mut(id).map(|around| std::mem::take(&mut around.inward)).unwrap_or_default();
                    pointing.extend(inner.into_iter().map(|inward| (id, inward)));
                }
                pointing.extend(page.pointing.into_iter().map(|inward| (id, inward)));
                if page.more {
                    further.push(id);
                }
            }
            // Whether who pointed there still did is in its own row.
            pointing.sort_by_key(|(_, inward)| std::cmp::Reverse(inward.at));
            for part in pointing.chunks(limit.max(ROWS_PER_QUERY)) {
                let from: Vec<RecordId> = distinct(part.iter().map(|(_, inward)| &inward.from));
                let sources = around(store, &from, at).await?;
                for (to, inward) in part {
                    let out = sources.get(&inward.from).map(|around| around.out.as_slice()).unwrap_or_default();
                    for edge in out.iter().filter(|edge| edge.to == **to) {
                        if incoming.len() < limit {
                            incoming.insert(graph_edge(&inward.from, edge));
                        }
                    }
                }
                if incoming.len() >= limit {
                    break;
                }
            }
            open = further;
            start += ROWS_PER_QUERY;
        }
    }
    edges.extend(incoming);
    Ok(edges)
}

fn distinct<'a>(ids: impl Iterator<Item = &'a RecordId>) -> Vec<RecordId> {
    let mut seen = HashSet::new();
    ids.filter(|id| seen.insert(*id)).cloned().collect()
}

struct InwardPage {
    pointing: Vec<Inward>,
    more: bool,
}

/// One page for each node of who pointed to it.
async fn inward_pages(
    store: &Store,
    nodes: &[&RecordId],
    at: Position,
    start: usize,
) -> Result<Vec<InwardPage>, String> {
    let statement = |index: usize| {
        format!("SELECT id, inward FROM type::record($n{index} ?? NONE) LIMIT {ROWS_PER_QUERY} START {start};")
    };
    let sql: String = (0..nodes.len()).map(statement).collect();
    let mut query = store.db.query(sql);
    for (index, id) in nodes.iter().enumerate() {
        query = query.bind((format!("n{index}"), Value::RecordId(inward_until(id, at))));
    }
    let mut answers = query.await.map_err(text)?;
    let mut pages = Vec::with_capacity(nodes.len());
    for index in 0..nodes.len() {
        let rows = list(answers.take(index).map_err(text)?);
        let more = rows.len() == ROWS_PER_QUERY;
        let mut pointing = Vec::new();
        for row in rows {
            pointing.extend(unpack::<Inward>(object(row)?.remove("inward"))?);
        }
        pointing.retain(|inward| inward.at <= at);
        pages.push(InwardPage { pointing, more });
    }
    Ok(pages)
}

/// Every record that had the asset, or pointed to it, by a position.
async fn of_asset(store: &Store, asset: &str, at: Position) -> Result<Vec<RecordId>, String> {
    let id = RecordId::node("asset", asset);
    let mut pointing = around(store, std::slice::from_ref(&id), at).await?.remove(&id).unwrap_or_default().inward;
    let mut start = 0;
    loop {
        let mut more = false;
        for page in inward_pages(store, &[&id], at, start).await? {
            pointing.extend(page.pointing);
            more = page.more;
        }
        if !more {
            return Ok(distinct(pointing.iter().map(|inward| &inward.from)));
        }
        start += ROWS_PER_QUERY;
    }
}

/// Which versions to list.
pub(super) struct Listed<'a> {
    /// The kinds of record.
    pub kinds: Vec<&'static str>,
    pub base: Option<Base>,
    pub asset: Option<&'a str>,
    pub at: Position,
    /// Whether nothing was written after `at`.
    pub newest: bool,
    /// How many of the newest ones.
    pub count: usize,
}

/// The versions that were valid at a position, the newest first.
pub(super) async fn newest(store: &Store, listed: &Listed<'_>) -> Result<Vec<KnowledgeRecord>, String> {
    let mut best: BTreeMap<(std::cmp::Reverse<i64>, RecordId), KnowledgeRecord> = BTreeMap::new();
    let mut sources: Vec<Value> = Vec::new();
    if let Some(asset) = listed.asset {
        let ids = of_asset(store, asset, listed.at).await?;
        let ids: Vec<&RecordId> = ids.iter().filter(|id| listed.kinds.contains(&id.kind())).collect();
        for chunk in ids.chunks(KEYS_PER_QUERY) {
            let nodes: Vec<Value> = chunk.iter().map(|id| Value::RecordId(node(id))).collect();
            sources.push(Value::Array(nodes.into()));
        }
    } else {
        sources.extend(listed.kinds.iter().map(|kind| Value::RecordId(rows::nodes_of_kind(kind))));
    }
    for source in sources {
        for record in listed.present(store, source.clone()).await? {
            listed.keep(&mut best, record);
        }
        if !listed.newest {
            listed.former(store, source, &mut best).await?;
        }
    }
    Ok(best.into_values().collect())
}

impl Listed<'_> {
    fn keep(&self, best: &mut BTreeMap<(std::cmp::Reverse<i64>, RecordId), KnowledgeRecord>, record: KnowledgeRecord) {
        let of_asset = self.asset.is_none_or(|asset| record.asset.as_deref() == Some(asset));
        if of_asset && self.base.is_none_or(|base| record.base == base) {
            best.insert((std::cmp::Reverse(rows::event_time_ns(&record)), record.id.clone()), record);
            if best.len() > self.count {
                best.pop_last();
            }
        }
    }

    /// Of the present versions, those that were valid already.
    async fn present(&self, store: &Store, source: Value) -> Result<Vec<KnowledgeRecord>, String> {
        let asset = if self.asset.is_some() { " AND asset = $asset" } else { "" };
        let base = if self.base.is_some() { " AND base = $base" } else { "" };
        let sql = format!(
            "SELECT id, body, event_time_ns FROM $source WHERE valid_from <= $at{asset}{base} ORDER BY event_time_ns DESC, id LIMIT {}",
            self.count
        );
        let query = store.db.query(sql).bind(("source", source)).bind(("at", number(self.at)));
        let query = query.bind(("asset", self.asset.map(str::to_owned)));
        let mut answers = query.bind(("base", self.base.map(|base| base.as_str().to_owned()))).await.map_err(text)?;
        let mut found = Vec::new();
        for row in list(answers.take(0).map_err(text)?) {
            let body = object(row)?.remove("body").ok_or("a row holds no record")?;
            found.push(versions::decode(&rows::bytes(body)?)?);
        }
        Ok(found)
    }

    /// Of the records whose present version came later, the version that was valid.
    async fn former(
        &self,
        store: &Store,
        source: Value,
        best: &mut BTreeMap<(std::cmp::Reverse<i64>, RecordId), KnowledgeRecord>,
    ) -> Result<(), String> {
        let rows = if self.asset.is_some() { "$source" } else { "type::record($source ?? NONE)" };
        let sql = format!(
            "SELECT {HELD} FROM {rows} WHERE first != NONE AND first <= $at AND valid_from > $at LIMIT {KEYS_PER_QUERY}"
        );
        let mut source = source;
        loop {
            let query = store.db.query(&sql).bind(("source", source.clone())).bind(("at", number(self.at)));
            let mut answers = query.await.map_err(text)?;
            let rows = list(answers.take(0).map_err(text)?);
            let more = rows.len() == KEYS_PER_QUERY;
            let mut last = None;
            for row in rows {
                let held = Held::read(object(row)?)?;
                if let Some(record) = held.at(store, self.at).await? {
                    self.keep(best, record);
                }
                last = Some(held.id);
            }
            // A list of keys is as long as a page at most; a range goes on after the last key.
            let Value::RecordId(range) = &source else { return Ok(()) };
            let (true, Some(last), RecordIdKey::Range(bounds)) = (more, last, &range.key) else { return Ok(()) };
            let start = Bound::Excluded(RecordIdKey::String(last.as_str().to_owned()));
            source = Value::RecordId(rows::range("node", start, bounds.end.clone()));
        }
    }
}
