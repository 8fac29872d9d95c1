use std::sync::Arc;

use eventlog::Position;
use projections::{Projection, Rebuildable as _};
use retrieval::vectors::{EmbedError, Embedder};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::record::RecordId;
use crate::testing::Mill;

async fn opened(mill: &Mill, batch: usize) -> (SearchProjection, SearchIndex) {
    let (mut projection, index) = SearchProjection::open(None).unwrap();
    feed(&mut projection, mill, batch).await;
    shown(&projection, &index).await;
    (projection, index)
}

/// Everything that was fed is found from now on.
async fn shown(projection: &SearchProjection, index: &SearchIndex) {
    let Some(last) = projection.checkpoint().previous() else { return };
    index.show(last).await.unwrap();
}

async fn feed(projection: &mut SearchProjection, mill: &Mill, batch: usize) {
    let from = projection.checkpoint().get() as usize;
    for chunk in mill.entries[from..].chunks(batch) {
        let through = chunk.last().unwrap().position.next();
        projection.apply(chunk, through).await.unwrap();
    }
}

async fn ids(index: &SearchIndex, q: &str) -> Vec<String> {
    let request = SearchRequest { q: Some(q.to_owned()), kind: Some(Kind::FaultEpisode), ..SearchRequest::default() };
    index.search(request).await.unwrap().items.into_iter().map(|hit| hit.record.id.to_string()).collect()
}

#[tokio::test]
async fn words_in_both_languages_codes_and_typos_find_the_same_thing() {
    let (_projection, index) = opened(&Mill::looms(), 1_000).await;
    for (question, expected) in [
        ("main nozzle clogged", "N-"),
        ("clogging of the nozzles", "N-"),
        ("主喷嘴堵塞", "N-"),
        ("喷嘴", "N-"),
        ("A-520", "B-"),
        ("a-520 什么报警", "B-"),
        ("bearng noisey", "B-"),
        ("轴承异响", "B-"),
        ("张力波动", "T-"),
        ("LETOFF_WORN", "T-"),
        ("储纬器", "U-1"),
        ("accumulater", "U-1"),
    ] {
        let found = ids(&index, question).await;
        let first = found.first().unwrap_or_else(|| panic!("{question}: nothing found"));
        assert!(first.contains(expected), "{question}: {found:?}");
    }
    assert_eq!(ids(&index, "zzzzqqqq 魑魅").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_code_is_matched_whole() {
    let (_projection, index) = opened(&Mill::looms(), 1_000).await;
    let request = SearchRequest { q: Some("A-110".to_owned()), limit: Some(100), ..SearchRequest::default() };
    let answer = index.search(request).await.unwrap();
    let best = answer.items[0].score;
    let exact = answer.items.iter().filter(|hit| hit.score > best / 2.0).count();
    assert_eq!(exact, 6, "the six episodes with the alarm");
}

#[tokio::test]
async fn filters_narrow_and_the_empty_question_lists_the_newest_first() {
    let (_projection, index) = opened(&Mill::looms(), 1_000).await;
    let list = |request: SearchRequest| {
        let index = index.clone();
        async move { index.search(request).await.unwrap() }
    };
    let faults = list(SearchRequest { kind: Some(Kind::FaultEpisode), limit: Some(100), ..Default::default() }).await;
    assert_eq!(faults.total, 22);
    let times: Vec<_> = faults.items.iter().map(|hit| hit.record.event_time).collect();
    assert!(times.windows(2).all(|pair| pair[0] >= pair[1]));
    let rapier = list(SearchRequest {
        class: Some("rapier-loom".to_owned()),
        kind: Some(Kind::FaultEpisode),
        ..Default::default()
    })
    .await;
    assert_eq!(rapier.total, 3);
    let quality = list(SearchRequest { base: Some(Base::Quality), ..Default::default() }).await;
    assert_eq!(quality.total, 2);
    let from = faults.items[4].record.event_time;
    let to = faults.items[0].record.event_time;
    let some = list(SearchRequest { kind: Some(Kind::FaultEpisode), from, to, ..Default::default() }).await;
    assert_eq!(some.total, 4, "from is in, to is not");
}

#[tokio::test]
async fn pages_hold_every_hit_once_and_stay_at_their_position() {
    let mut mill = Mill::looms();
    let (mut projection, index) = opened(&mill, 1_000).await;
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let request = SearchRequest { kind: Some(Kind::FaultEpisode), limit: Some(5), cursor, ..Default::default() };
        let page = index.search(request).await.unwrap();
        seen.extend(page.items.into_iter().map(|hit| hit.record.id));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
        // What comes meanwhile does not shift the pages.
        let id = format!("LATE-{}", seen.len());
        mill.episode(9_000, &id, "LOOM-01", ("新", "new"), &[], None, ("repair", "x"));
        feed(&mut projection, &mill, 100).await;
    }
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!((count, seen.len()), (22, 22));
}

#[tokio::test]
async fn as_of_shows_what_was_known_before_a_new_coding() {
    let mut mill = Mill::looms();
    let before = Position::new(mill.entries.len() as u64 - 1);
    let (mut projection, index) = opened(&mill, 1_000).await;
    mill.coded(9_999, "N-0", "LOOM-01", "AIR_PRESSURE_LOW");
    feed(&mut projection, &mill, 1).await;
    shown(&projection, &index).await;
    let find = |q: &str, as_of: Option<Position>| {
        let index = index.clone();
        let q = Some(q.to_owned());
        async move {
            let request =
                SearchRequest { q, as_of, kind: Some(Kind::FaultEpisode), limit: Some(100), ..Default::default() };
            index.search(request).await.unwrap()
        }
    };
    let now = find("AIR_PRESSURE_LOW", None).await;
    assert_eq!(now.items[0].record.id, RecordId::new(Kind::FaultEpisode, "N-0"));
    assert_eq!(now.as_of, Some(before.next()));
    let exact = |answer: &SearchAnswer, code: &str| {
        answer.items.iter().filter(|hit| hit.record.codes.iter().any(|known| known == code)).count()
    };
    assert_eq!(exact(&now, "AIR_PRESSURE_LOW"), 1);
    let then = find("AIR_PRESSURE_LOW", Some(before)).await;
    assert_eq!(exact(&then, "AIR_PRESSURE_LOW"), 0);
    assert_eq!(then.as_of, Some(before));
    assert_eq!(exact(&find("NOZZLE_CLOGGED", Some(before)).await, "NOZZLE_CLOGGED"), 6);
    assert_eq!(exact(&find("NOZZLE_CLOGGED", None).await, "NOZZLE_CLOGGED"), 5);
    // At the first position only its own record is known.
    let first = index.search(SearchRequest { as_of: Some(Position::START), ..Default::default() }).await.unwrap();
    assert_eq!(first.total, 1);
}

#[tokio::test]
async fn snippets_mark_the_words_and_escape_the_rest() {
    let mut mill = Mill::new();
    mill.episode(1, "F", "L", ("轴承<异响>", "bearing <noise> & heat"), &[], None, ("repair", "x"));
    let (_projection, index) = opened(&mill, 10).await;
    let request =
        SearchRequest { q: Some("bearings 轴承".to_owned()), kind: Some(Kind::FaultEpisode), ..Default::default() };
    let hit = index.search(request).await.unwrap().items.remove(0);
    assert_eq!(hit.snippet.en.as_deref(), Some("<b>bearing</b> &lt;noise&gt; &amp; heat"));
    assert_eq!(hit.snippet.zh.as_deref(), Some("<b>轴承</b>&lt;异响"));
}

#[tokio::test]
async fn questions_that_are_not_well_formed_are_refused() {
    let (_projection, index) = opened(&Mill::looms(), 1_000).await;
    let long = SearchRequest { q: Some("x".repeat(5_000)), ..Default::default() };
    assert!(index.search(long).await.is_err());
    for cursor in ["", "x", "1", "1.x", "1.99999999999"] {
        let request = SearchRequest { cursor: Some(cursor.to_owned()), ..Default::default() };
        assert!(index.search(request).await.is_err(), "{cursor}");
    }
    // Characters that query languages give a meaning have none here.
    for q in ["\"", "a AND (", "*:*", "title:^", "\\", "-"] {
        ids(&index, q).await;
    }
}

#[tokio::test]
async fn the_digest_does_not_depend_on_batches_reopening_or_rebuilding() {
    let mill = Mill::looms();
    let (mut whole, _index) = opened(&mill, 1_000).await;
    let digest = whole.digest().await.unwrap();
    for batch in [1, 7] {
        let (mut other, _index) = opened(&mill, batch).await;
        assert_eq!(other.digest().await.unwrap(), digest, "batches of {batch}");
    }
    let dir = tempfile::tempdir().unwrap();
    let half = mill.entries.len() / 2;
    {
        let (mut projection, _index) = SearchProjection::open(Some(dir.path())).unwrap();
        projection.apply(&mill.entries[..half], Position::new(half as u64)).await.unwrap();
        projection.flush().await.unwrap();
        // What is applied after the flush is lost with the process, together with its checkpoint.
        let more = half + 5;
        projection.apply(&mill.entries[half..more], Position::new(more as u64)).await.unwrap();
    }
    let (mut projection, index) = SearchProjection::open(Some(dir.path())).unwrap();
    assert_eq!(projection.checkpoint(), Position::new(half as u64));
    feed(&mut projection, &mill, 3).await;
    assert_eq!(projection.digest().await.unwrap(), digest);

    use projections::Rebuildable;
    let mut beside = projection.beside().await.unwrap();
    feed(&mut beside, &mill, 11).await;
    projection.replace(beside).await.unwrap();
    assert_eq!(projection.digest().await.unwrap(), digest);
    assert!(ids(&index, "主喷嘴堵塞").await.first().is_some_and(|id| id.contains("N-")));
    drop((projection, index));
    let (mut projection, _index) = SearchProjection::open(Some(dir.path())).unwrap();
    assert_eq!(projection.checkpoint(), mill.through());
    assert_eq!(projection.digest().await.unwrap(), digest);
}

#[tokio::test]
async fn an_index_that_is_damaged_or_of_another_version_is_built_anew() {
    let mill = Mill::looms();
    let dir = tempfile::tempdir().unwrap();
    {
        let (mut projection, _index) = SearchProjection::open(Some(dir.path())).unwrap();
        feed(&mut projection, &mill, 1_000).await;
        projection.flush().await.unwrap();
    }
    let folder = dir.path().join("index-0");
    let store = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "store"))
        .unwrap();
    let mut bytes = std::fs::read(&store).unwrap();
    bytes[10] ^= 0xff;
    std::fs::write(&store, bytes).unwrap();
    let (projection, _index) = SearchProjection::open(Some(dir.path())).unwrap();
    assert_eq!(projection.checkpoint(), Position::START);
}

/// A model that tells what is hot from what is not, and says how often it was asked.
struct Heat(std::sync::atomic::AtomicUsize);

impl Embedder for Heat {
    fn identity(&self) -> &str {
        "heat"
    }

    fn dimensions(&self) -> usize {
        2
    }

    fn document(&self, text: &str) -> Result<Option<Vec<f32>>, EmbedError> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let hot = ["hot", "scorching"].iter().any(|word| text.contains(word));
        Ok(Some(if hot { vec![1.0, 0.1] } else { vec![0.1, 1.0] }))
    }

    fn question(&self, text: &str) -> Result<Option<Vec<f32>>, EmbedError> {
        if !text.is_ascii() {
            return Ok(None);
        }
        self.document(text)
    }
}

#[tokio::test]
async fn what_is_near_is_found_without_a_common_word_and_only_as_far_as_vectors_reach() {
    let mill = Mill::looms();
    let (mut projection, index) = opened(&mill, 1_000).await;
    assert_eq!(ids(&index, "scorching").await, Vec::<String>::new());
    let model = Arc::new(Heat(std::sync::atomic::AtomicUsize::new(0)));
    let cancel = CancellationToken::new();
    let follow = |weight| index.follow_meaning(Arc::clone(&model) as Arc<dyn Embedder>, None, weight, cancel.clone());
    for weight in [-1.0, 101.0, f32::NAN] {
        assert!(matches!(follow(weight), Err(NearError::Weight(_))), "{weight}");
    }
    follow(2.0).unwrap();
    assert!(matches!(follow(2.0), Err(NearError::Twice)));
    let reached = async |through: Position| loop {
        let request = SearchRequest { q: Some("scorching".to_owned()), ..SearchRequest::default() };
        let answer = index.search(request).await.unwrap();
        let meaning = answer.meaning.clone().unwrap();
        assert_eq!(meaning.model, "heat");
        if meaning.through >= through {
            break answer;
        }
        tokio::task::yield_now().await;
    };
    let answer = reached(mill.through()).await;
    assert!(answer.items.len() >= 3);
    assert!(answer.items.iter().take(3).all(|hit| format!("{:?}", hit.record).contains("hot")), "{answer:?}");
    // A language that the model does not know is searched by words alone, and the answer names no model.
    let request = SearchRequest { q: Some("断经".to_owned()), ..SearchRequest::default() };
    assert_eq!(index.search(request).await.unwrap().meaning, None);
    // As known before anything was said, nothing is near.
    let request =
        SearchRequest { q: Some("scorching".to_owned()), as_of: Some(Position::START), ..SearchRequest::default() };
    let then = index.search(request).await.unwrap();
    assert!(then.items.iter().all(|hit| hit.record.valid_from == Position::START), "{then:?}");
    // A rebuild changes nothing of it, and asks the model for nothing.
    let asked = model.0.load(std::sync::atomic::Ordering::Relaxed);
    let mut beside = projection.beside().await.unwrap();
    beside.apply(&mill.entries, mill.through()).await.unwrap();
    projection.replace(beside).await.unwrap();
    let rebuilt = reached(mill.through()).await;
    assert_eq!(rebuilt.items, answer.items);
    assert_eq!(model.0.load(std::sync::atomic::Ordering::Relaxed), asked + 1, "the question alone");
    cancel.cancel();
}

#[tokio::test]
async fn while_entries_flow_a_search_waits_for_no_commit_and_one_that_names_a_position_has_it() {
    let mill = Mill::looms();
    let (mut projection, index) = SearchProjection::open(None).unwrap();
    // The first commit is young, and so are the entries: they flow.
    feed(&mut projection, &mill, 1_000).await;
    let last = projection.checkpoint().previous().unwrap();
    let newest = index.search(SearchRequest::default()).await.unwrap();
    assert_eq!(newest.as_of, None, "an answer says how far it saw");
    let named = index.search(SearchRequest { as_of: Some(last), ..SearchRequest::default() }).await.unwrap();
    assert_eq!(named.as_of, Some(last));
    assert!(named.total > 0);
    // Whoever wrote something and waits for it finds it.
    let mut mill = mill;
    let coded = mill.coded(9_000, "U-1", "LOOM-01", "NEW-MODE");
    feed(&mut projection, &mill, 1_000).await;
    index.show(coded).await.unwrap();
    assert_eq!(index.search(SearchRequest::default()).await.unwrap().as_of, Some(coded));
    // When they have stopped flowing, the next search commits what waits.
    let later = mill.coded(9_001, "U-1", "LOOM-01", "NEWER-MODE");
    feed(&mut projection, &mill, 1_000).await;
    while index.search(SearchRequest::default()).await.unwrap().as_of != Some(later) {
        tokio::task::yield_now().await;
    }
}
