use eventlog::{Digest, Position};
use projections::{Projection, Rebuildable};

use super::*;
use crate::answer::QuestionError;
use crate::facade::Config;
use crate::record::Detail;
use crate::search_index::SearchProjection;
use crate::testing::Mill;

pub(super) fn memory() -> Config {
    Config { surreal_url: Some("mem://".to_owned()), ..Config::default() }
}

async fn feed(projection: &mut impl Projection, mill: &Mill, batch: usize) {
    let from = projection.checkpoint().get() as usize;
    for chunk in mill.entries[from..].chunks(batch) {
        projection.apply(chunk, chunk.last().unwrap().position.next()).await.unwrap();
    }
}

async fn opened(mill: &Mill, batch: usize) -> (GraphProjection, Graph) {
    let (mut projection, graph) = reopened(&memory()).await;
    feed(&mut projection, mill, batch).await;
    (projection, graph)
}

pub(super) fn id(text: &str) -> RecordId {
    RecordId::parse(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_has_its_versions_up_to_the_asked_position() {
    let mut mill = Mill::looms();
    let before = Position::new(mill.entries.len() as u64 - 1);
    let (mut projection, graph) = opened(&mill, 50).await;
    let again = mill.coded(9_999, "N-0", "LOOM-01", "AIR_PRESSURE_LOW");
    feed(&mut projection, &mill, 1).await;
    let mode = |history: &RecordHistory| match &history.record.detail {
        Detail::FaultEpisode(detail) => detail.mode.as_ref().map(|mode| mode.as_str().to_owned()),
        other => panic!("{other:?}"),
    };
    let fault = id("fault_episode:N-0");
    let now = graph.record(&fault, None).await.unwrap();
    assert_eq!(mode(&now).as_deref(), Some("AIR_PRESSURE_LOW"));
    assert_eq!(now.versions.len(), 4);
    assert_eq!(now.versions[2].valid_to, Some(again));
    let then = graph.record(&fault, Some(before)).await.unwrap();
    assert_eq!(mode(&then).as_deref(), Some("NOZZLE_CLOGGED"));
    assert_eq!(then.versions.len(), 3);
    assert_eq!(then.record.valid_to, None, "its end was not known yet");
    let unknown = graph.record(&fault, Some(Position::START)).await;
    assert!(matches!(unknown, Err(QuestionError::NotFound { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn neighbours_follow_edges_both_ways_as_they_were_known() {
    let mut mill = Mill::looms();
    let before = Position::new(mill.entries.len() as u64 - 1);
    let (mut projection, graph) = opened(&mill, 50).await;
    mill.coded(9_999, "N-0", "LOOM-01", "AIR_PRESSURE_LOW");
    feed(&mut projection, &mill, 1).await;
    let ask = |node: &str, depth, as_of| {
        let request = NeighbourRequest { node: id(node), depth: Some(depth), as_of, limit: Some(500) };
        let graph = graph.clone();
        async move { graph.neighbours(&request).await.unwrap() }
    };
    let count = |around: &Neighbourhood, relation| around.edges.iter().filter(|edge| edge.relation == relation).count();
    let now = ask("failure_mode:NOZZLE_CLOGGED", 1, None).await;
    assert_eq!(count(&now, Relation::HasMode), 5);
    let then = ask("failure_mode:NOZZLE_CLOGGED", 1, Some(before)).await;
    assert_eq!(count(&then, Relation::HasMode), 6);
    let new = ask("failure_mode:AIR_PRESSURE_LOW", 1, None).await;
    assert_eq!(count(&new, Relation::HasMode), 1);
    // Mode, episode, then its work order, asset and alarm.
    let wide = ask("failure_mode:AIR_PRESSURE_LOW", 2, None).await;
    let nodes: Vec<&str> = wide.nodes.iter().map(|node| node.id.as_str()).collect();
    for expected in ["fault_episode:N-0", "work_order:WO-N-0", "asset:LOOM-01", "alarm_code:A-301"] {
        assert!(nodes.contains(&expected), "{expected} in {nodes:?}");
    }
    let deep = ask("work_order:WO-N-0", 1, None).await;
    assert!(
        deep.edges.iter().any(|edge| edge.relation == Relation::Did && edge.to.as_str() == "action:clean main-nozzle")
    );
    let lot = ask("lot:ROLL-1", 2, None).await;
    assert!(lot.nodes.iter().any(|node| node.id.as_str() == "defect:WEFT_BAR"));
    let request = NeighbourRequest { node: id("lot:NONE"), depth: None, as_of: None, limit: None };
    assert!(matches!(graph.neighbours(&request).await, Err(QuestionError::NotFound { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_paged_newest_first() {
    let (_projection, graph) = opened(&Mill::looms(), 50).await;
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let request = ListRequest { kind: Some(Kind::FaultEpisode), limit: Some(5), cursor, ..ListRequest::default() };
        let page = graph.list(&request).await.unwrap();
        seen.extend(page.items.into_iter().map(|record| (record.event_time, record.id)));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 22);
    assert!(seen.windows(2).all(|pair| pair[0].0 >= pair[1].0));
    let of_asset =
        ListRequest { asset: Some("LOOM-02".to_owned()), base: Some(Base::Quality), ..ListRequest::default() };
    assert_eq!(graph.list(&of_asset).await.unwrap().items.len(), 1);
}

async fn expected(mill: &Mill) -> Digest {
    let (mut projection, _index) = SearchProjection::open(None).unwrap();
    feed(&mut projection, mill, 1_000).await;
    projection.digest().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_digest_is_that_of_the_index_for_any_batches() {
    let mut mill = Mill::looms();
    mill.coded(9_999, "N-0", "LOOM-01", "AIR_PRESSURE_LOW");
    mill.coded(9_999, "N-0", "LOOM-01", "NOZZLE_CLOGGED");
    let digest = expected(&mill).await;
    for batch in [1_000, 13] {
        let (mut projection, _graph) = opened(&mill, batch).await;
        assert_eq!(projection.digest().await.unwrap(), digest, "batches of {batch}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_on_disk_goes_on_at_its_checkpoint() {
    let mill = Mill::looms();
    let digest = expected(&mill).await;
    let dir = tempfile::tempdir().unwrap();
    let config = Config { data_dir: Some(dir.path().to_path_buf()), ..Config::default() };
    let half = mill.entries.len() / 2;
    {
        let (mut projection, _graph) = reopened(&config).await;
        projection.apply(&mill.entries[..half], Position::new(half as u64)).await.unwrap();
        projection.flush().await.unwrap();
        // Applied and not flushed: lost with the process, together with its checkpoint.
        let more = half + 5;
        projection.apply(&mill.entries[half..more], Position::new(more as u64)).await.unwrap();
    }
    let (mut projection, graph) = reopened(&config).await;
    assert_eq!(projection.checkpoint(), Position::new(half as u64));
    feed(&mut projection, &mill, 3).await;
    assert_eq!(projection.digest().await.unwrap(), digest);

    let mut beside = projection.beside().await.unwrap();
    feed(&mut beside, &mill, 11).await;
    projection.replace(beside).await.unwrap();
    assert_eq!(projection.digest().await.unwrap(), digest);
    assert!(graph.record(&id("asset:LOOM-01"), None).await.is_ok());
    drop((projection, graph));
    let (mut projection, _graph) = reopened(&config).await;
    assert_eq!(projection.checkpoint(), mill.through());
    assert_eq!(projection.digest().await.unwrap(), digest);
}

/// Opens the store, or opens it again: the engine of the former handle lets go of the folder in the background, and opening waits for it.
pub(super) async fn reopened(config: &Config) -> (GraphProjection, Graph) {
    let (opening, graph) = GraphOpening::new(config);
    (opening.open().await.unwrap(), graph)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_read_is_built_anew() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("graph"), b"not a store").unwrap();
    let config = Config { data_dir: Some(dir.path().to_path_buf()), ..Config::default() };
    let (projection, _graph) = reopened(&config).await;
    assert_eq!(projection.checkpoint(), Position::START);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_a_graph_that_is_being_opened_waits_and_learns_when_it_cannot_be() {
    let mill = Mill::looms();
    let (opening, graph) = GraphOpening::new(&memory());
    let asked = tokio::spawn(async move { graph.record(&id("asset:LOOM-01"), None).await });
    let mut projection = opening.open().await.unwrap();
    // Nothing is known when it is opened: the answer is that, and no error of the store.
    assert!(matches!(asked.await.unwrap(), Err(QuestionError::NotFound { .. })));
    feed(&mut projection, &mill, 50).await;

    let nowhere = Config { surreal_url: Some("nowhere://".to_owned()), ..Config::default() };
    let (opening, graph) = GraphOpening::new(&nowhere);
    assert!(opening.open().await.is_err());
    let refused = graph.record(&id("asset:LOOM-01"), None).await;
    assert!(matches!(refused, Err(QuestionError::Store { .. })), "{refused:?}");
}
