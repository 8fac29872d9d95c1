//! The graph answers what the pure fold says, however the entries were cut into writes.

use std::collections::BTreeSet;
use std::time::Duration;

use eventlog::Position;
use projections::Projection;

use super::tests::{id, memory, reopened};
use super::*;
use crate::testing::Mill;
use crate::versions::Pending;

/// A history in which a record has more versions than its row carries, edges open and close and open again, a record changes its asset, and more points to a loom than
/// one page of rows holds.
fn mill() -> Mill {
    let mut mill = Mill::looms();
    for turn in 0..24 {
        let (at, mode) = if turn % 2 == 0 { ("LOOM-02", "AIR_PRESSURE_LOW") } else { ("LOOM-01", "NOZZLE_CLOGGED") };
        mill.coded(9_000 + turn, "N-0", at, mode);
        for again in 0..6 {
            mill.set_point(9_000 + turn, "LOOM-03", "air_pressure", f64::from(again));
        }
    }
    mill
}

/// Every version of every record.
fn versions(mill: &Mill) -> Vec<KnowledgeRecord> {
    let mut pending = Pending::new(Position::START);
    mill.entries.iter().for_each(|entry| pending.apply(entry));
    pending.changes().map(|change| (*change.record).clone()).collect()
}

fn edges_around(versions: &[KnowledgeRecord], node: &RecordId, at: Position) -> BTreeSet<GraphEdge> {
    let mut edges = BTreeSet::new();
    for version in versions.iter().filter(|version| version.valid_at(at)) {
        for link in version.links.iter().filter(|link| version.id == *node || link.to == *node) {
            // It began with the first version of those up to this one that all have it.
            let mut from = version.valid_from;
            let former = |end| versions.iter().find(|v| v.id == version.id && v.valid_to == Some(end));
            while let Some(before) = former(from).filter(|before| before.links.contains(link)) {
                from = before.valid_from;
            }
            let (relation, to) = (link.relation, link.to.clone());
            edges.insert(GraphEdge { from: version.id.clone(), relation, to, valid_from: from });
        }
    }
    edges
}

async fn check(graph: &Graph, versions: &[KnowledgeRecord], at: Position) -> usize {
    let mut compared = 0;
    let valid: Vec<&KnowledgeRecord> = versions.iter().filter(|version| version.valid_at(at)).collect();
    for record in valid.iter().filter(|record| record.kind != Kind::SetPointChange) {
        let mut expected: Vec<KnowledgeRecord> =
            versions.iter().filter(|version| version.id == record.id && version.valid_from <= at).cloned().collect();
        for version in &mut expected {
            version.valid_to = version.valid_to.filter(|end| *end <= at);
        }
        assert_eq!(graph.record(&record.id, Some(at)).await.unwrap().versions, expected, "at {at}");
        compared += 1;
    }
    for node in ["fault_episode:N-0", "failure_mode:NOZZLE_CLOGGED", "failure_mode:AIR_PRESSURE_LOW", "asset:LOOM-03"] {
        let node = id(node);
        let expected = edges_around(versions, &node, at);
        let request = NeighbourRequest { node: node.clone(), depth: None, as_of: Some(at), limit: Some(500) };
        let Ok(found) = graph.neighbours(&request).await else {
            assert!(expected.is_empty() && !valid.iter().any(|record| record.id == node), "{node} at {at}");
            continue;
        };
        assert_eq!(found.edges.into_iter().collect::<BTreeSet<_>>(), expected, "{node} at {at}");
        assert!(found.nodes.iter().all(|node| node.record.as_ref() == valid.iter().find(|v| v.id == node.id).copied()));
        compared += 1;
    }
    for (kind, asset) in [(Some(Kind::FaultEpisode), None), (None, Some("LOOM-01")), (None, Some("LOOM-02"))] {
        let request = ListRequest {
            kind,
            asset: asset.map(str::to_owned),
            as_of: Some(at),
            limit: Some(500),
            ..ListRequest::default()
        };
        let of_asset = |record: &&&KnowledgeRecord| asset.is_none() || record.asset.as_deref() == asset;
        let mut expected: Vec<KnowledgeRecord> = valid
            .iter()
            .filter(|record| kind.is_none_or(|kind| record.kind == kind))
            .filter(of_asset)
            .map(|record| (*record).clone())
            .collect();
        expected.sort_by(|a, b| b.event_time.cmp(&a.event_time).then_with(|| a.id.cmp(&b.id)));
        assert_eq!(graph.list(&request).await.unwrap().items, expected, "{asset:?} at {at}");
        compared += 1;
    }
    compared
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_that_of_the_fold_however_the_writes_were_cut() {
    let mill = mill();
    let versions = versions(&mill);
    for batch in [usize::MAX, 7, 1] {
        let (mut projection, graph) = reopened(&memory()).await;
        for chunk in mill.entries.chunks(batch) {
            projection.apply(chunk, chunk.last().unwrap().position.next()).await.unwrap();
            projection.flush().await.unwrap();
        }
        let last = mill.entries.len() as u64 - 1;
        let mut compared = 0;
        for at in (5..last).step_by(31).chain([last]) {
            compared += check(&graph, &versions, Position::new(at)).await;
        }
        assert!(compared > 100, "{compared} answers were compared");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_leaves_no_write_half_way() {
    let mill = mill();
    let (mut whole, _graph) = reopened(&memory()).await;
    whole.apply(&mill.entries, mill.through()).await.unwrap();
    let expected = whole.digest().await.unwrap();
    let (mut projection, graph) = reopened(&memory()).await;
    for chunk in mill.entries.chunks(20) {
        projection.apply(chunk, chunk.last().unwrap().position.next()).await.unwrap();
        let node = id("asset:LOOM-01");
        // Some are gone before the write is sent, some while it is on its way.
        for micros in [0, 200] {
            let _gone = tokio::time::timeout(Duration::from_micros(micros), graph.record(&node, None)).await;
        }
        let last = chunk.last().unwrap().position;
        assert_eq!(graph.record(&node, Some(last)).await.unwrap().as_of, Some(last));
    }
    assert_eq!(projection.digest().await.unwrap(), expected);
    assert_eq!(projection.checkpoint(), mill.through());
}
