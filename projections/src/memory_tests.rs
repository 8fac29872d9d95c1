use std::sync::Arc;

use eventlog::Position;
use serde::{Deserialize, Serialize};

use super::MemoryProjection;
use crate::folds::statistics::Statistics;
use crate::testing::{history, logged};
use crate::{Entry, Fold, Projection, Rebuildable, state_digest};

/// The same file name as the statistics, another version.
#[derive(Default, Serialize, Deserialize)]
struct Newer(u64);

impl Fold for Newer {
    const NAME: &'static str = Statistics::NAME;
    const VERSION: u32 = Statistics::VERSION + 1;

    fn apply(&mut self, _entry: &Entry) {
        self.0 += 1;
    }

    fn digest(&self) -> eventlog::Digest {
        state_digest(self)
    }
}

fn entries(count: u64) -> Vec<Arc<Entry>> {
    let seeds: Vec<u64> = (0..count).collect();
    history(&seeds).into_iter().zip(0..).map(|(event, position)| Arc::new(logged(position, event))).collect()
}

#[tokio::test]
async fn a_snapshot_holds_what_was_flushed_and_its_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let entries = entries(20);
    {
        let (mut projection, shared) = MemoryProjection::<Statistics>::open(Some(dir.path())).unwrap();
        projection.apply(&entries[..10], Position::new(10)).await.unwrap();
        projection.flush().await.unwrap();
        projection.apply(&entries[10..], Position::new(20)).await.unwrap();
        assert_eq!(shared.read(|state, checkpoint| (state.records, checkpoint)), (20, Position::new(20)));
    }
    // The second half was never flushed: it is gone with its checkpoint, and comes again from the log.
    let (mut projection, shared) = MemoryProjection::<Statistics>::open(Some(dir.path())).unwrap();
    assert_eq!(shared.read(|state, checkpoint| (state.records, checkpoint)), (10, Position::new(10)));
    projection.apply(&entries[10..], Position::new(20)).await.unwrap();
    let mut whole = Statistics::default();
    entries.iter().for_each(|entry| whole.apply(entry));
    assert_eq!(projection.digest().await.unwrap(), whole.digest());
}

#[tokio::test]
async fn another_version_starts_anew() {
    let dir = tempfile::tempdir().unwrap();
    {
        let (mut projection, _) = MemoryProjection::<Statistics>::open(Some(dir.path())).unwrap();
        projection.apply(&entries(3), Position::new(3)).await.unwrap();
        projection.flush().await.unwrap();
    }
    let (projection, shared) = MemoryProjection::<Newer>::open(Some(dir.path())).unwrap();
    assert_eq!((projection.checkpoint(), shared.read(|state, _| state.0)), (Position::START, 0));
}

#[tokio::test]
async fn a_file_that_holds_no_state_of_ours_is_replaced_as_a_whole() {
    const FORMER: redb::TableDefinition<'_, u8, &[u8]> = redb::TableDefinition::new("snapshot");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("statistics.redb");
    {
        let database = redb::Database::create(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(FORMER).unwrap().insert(0, b"what an older program wrote".as_slice()).unwrap();
        transaction.commit().unwrap();
    }
    let has_former = || std::fs::read(&path).unwrap().windows(16).any(|bytes| bytes == b"an older program");
    {
        let (mut projection, _) = MemoryProjection::<Statistics>::open(Some(dir.path())).unwrap();
        assert_eq!(projection.checkpoint(), Position::START);
        projection.apply(&entries(3), Position::new(3)).await.unwrap();
        assert!(has_former());
        projection.flush().await.unwrap();
    }
    assert!(!has_former());
    let (projection, shared) = MemoryProjection::<Statistics>::open(Some(dir.path())).unwrap();
    assert_eq!((projection.checkpoint(), shared.read(|state, _| state.records)), (Position::new(3), 3));
    assert!(projection.flush_takes() > std::time::Duration::ZERO, "reading it took some time");
}

#[tokio::test]
async fn a_damaged_snapshot_starts_anew() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("statistics.redb"), b"no database").unwrap();
    let (mut projection, _) = MemoryProjection::<Statistics>::open(Some(dir.path())).unwrap();
    assert_eq!(projection.checkpoint(), Position::START);
    projection.apply(&entries(3), Position::new(3)).await.unwrap();
    projection.flush().await.unwrap();
}

#[tokio::test]
async fn readers_see_the_rebuilt_state_through_the_old_handle() {
    let (mut projection, shared) = MemoryProjection::<Statistics>::open(None).unwrap();
    let entries = entries(6);
    projection.apply(&entries[..2], Position::new(2)).await.unwrap();
    let mut beside = projection.beside().await.unwrap();
    beside.apply(&entries, Position::new(6)).await.unwrap();
    assert_eq!(shared.read(|state, _| state.records), 2);
    projection.replace(beside).await.unwrap();
    assert_eq!(shared.read(|state, checkpoint| (state.records, checkpoint)), (6, Position::new(6)));
}
