use bytes::Bytes;
use domain::events::{Artifact, ArtifactRemoved, ArtifactStored, DatasetBuilt};
use domain::ids::DatasetId;
use eventlog::memory::MemoryLog;
use eventlog::{AppendCondition, Clock};
use projections::{Meta, seal};

use super::*;

/// A log whose records are of this age, and a store whose files are of today.
struct Yard {
    log: MemoryLog,
    store: ArtifactStore,
}

fn now() -> Timestamp {
    Timestamp::now()
}

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

impl Yard {
    fn new(age: SignedDuration) -> Self {
        let log = MemoryLog::with_clock(Clock::from_fn(move || Timestamp::now() - age));
        Self { log, store: ArtifactStore::in_memory() }
    }

    async fn tell(&self, event: impl Into<Event>) {
        let sealed = seal(&event.into(), Meta::own("tester", None)).unwrap();
        let _ = self.log.append(AppendCondition::none(), vec![sealed]).await.unwrap();
    }

    async fn put(&self, content: &'static str) -> Artifact {
        self.store.put("x.bin", Bytes::from_static(content.as_bytes())).await.unwrap().artifact().clone()
    }

    async fn store(&self, path: &str, content: &'static str) -> Artifact {
        let artifact = self.put(content).await;
        let event = ArtifactStored {
            root: "1/r".to_owned(),
            path: path.to_owned(),
            sha256: artifact.sha256.clone(),
            bytes: artifact.bytes,
        };
        self.tell(event).await;
        artifact
    }

    async fn collect(&self, grace: SignedDuration, later: SignedDuration, dry_run: bool) -> Collected {
        let how = Collect { grace: Grace(grace), now: now() + later, dry_run };
        self.store.collect(&self.log, how).await.unwrap()
    }

    async fn has(&self, artifact: &Artifact) -> bool {
        self.store.get(artifact).await.is_ok()
    }
}

fn dataset(file: &Artifact) -> DatasetBuilt {
    let built = serde_json::json!({
        "dataset": "D1", "name": "d", "spec": {}, "as_of": 0, "builder": 1, "rows": 0, "columns": [], "file": file,
    });
    let built: DatasetBuilt = serde_json::from_value(built).unwrap();
    assert_eq!(built.dataset, DatasetId::new("D1").unwrap());
    built
}

#[tokio::test]
async fn what_a_path_or_an_event_names_stays() {
    let yard = Yard::new(days(30));
    let overwritten = yard.store("artifacts/a", "one").await;
    let present = yard.store("artifacts/a", "two").await;
    let removed = yard.store("artifacts/sub/b", "three").await;
    let beside = yard.store("artifacts/subway", "four").await;
    let named = yard.store("artifacts/sub/c", "five").await;
    yard.tell(ArtifactRemoved { root: "1/r".to_owned(), path: "artifacts/sub".to_owned() }).await;
    // What a dataset or a version names stays, whatever became of its path.
    yard.tell(dataset(&named)).await;
    let nobodys = yard.put("six").await;
    // The files are of today: all of them are young.
    let collected = yard.collect(days(7), SignedDuration::ZERO, false).await;
    assert_eq!((collected.files, collected.reachable, collected.young), (6, 3, 3));
    assert_eq!(collected.removed, []);
    // Eight days later nothing is, and the log's records are older still.
    let would = yard.collect(days(7), days(8), true).await;
    assert_eq!((would.removed.len(), would.young, would.removed_bytes), (3, 0, 11));
    assert!(yard.has(&overwritten).await, "a dry run removed something");
    let collected = yard.collect(days(7), days(8), false).await;
    assert_eq!(collected.removed, would.removed);
    assert_eq!(collected.through, yard.log.tail());
    for gone in [&overwritten, &removed, &nobodys] {
        assert!(!yard.has(gone).await, "{gone:?}");
    }
    for kept in [&present, &beside, &named] {
        assert!(yard.has(kept).await, "{kept:?}");
    }
    assert_eq!(yard.collect(days(7), days(8), false).await.removed, []);
}

/// A content that was written over long ago goes at once; one that was written over just now is kept for the grace, also when its file is old.
#[tokio::test]
async fn the_grace_counts_from_the_writing_over() {
    let yard = Yard::new(SignedDuration::ZERO);
    let overwritten = yard.store("a", "one").await;
    yard.store("a", "two").await;
    // The files seem eight days old; the writing over is eight days old then, too.
    let collected = yard.collect(days(9), days(8), false).await;
    assert_eq!((collected.reachable, collected.removed.len()), (2, 0));
    assert!(yard.has(&overwritten).await);
    assert_eq!(yard.collect(days(7), days(8), false).await.removed.len(), 1);
}

/// A content that comes back under another path is reachable again.
#[tokio::test]
async fn what_comes_back_is_kept() {
    let yard = Yard::new(days(30));
    yard.store("a", "one").await;
    yard.store("a", "two").await;
    let back = yard.store("b", "one").await;
    let collected = yard.collect(days(7), days(8), false).await;
    assert_eq!((collected.reachable, collected.removed.len()), (2, 0));
    assert!(yard.has(&back).await);
}

/// A file that is put anew after it was listed is young again, and none is removed while one is given its name.
#[tokio::test]
async fn nothing_that_is_put_meanwhile_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open_folder(folder.path()).unwrap();
    let put = async || store.put("x.bin", Bytes::from_static(b"one")).await.unwrap().artifact().clone();
    let artifact = put().await;
    let path = location(Digest::of(b"one"));
    let make_old = || {
        let file = std::fs::File::options().write(true).open(folder.path().join(path.to_string())).unwrap();
        file.set_modified((Timestamp::now() - days(10)).into()).unwrap();
    };
    let how = Collect { grace: Grace(days(7)), now: now(), dry_run: false };
    make_old();
    let listed = store.objects().head(&path).await.unwrap();
    put().await;
    assert!(!store.remove(&listed, how).await.unwrap(), "it was put anew after the list was made");
    make_old();
    let naming = store.naming().await;
    let mut removal = std::pin::pin!(store.remove(&listed, how));
    assert!(futures::poll!(&mut removal).is_pending(), "it does not wait for whoever gives names");
    drop(naming);
    assert!(removal.await.unwrap());
    assert!(store.get(&artifact).await.is_err());
    // A put that comes after the removal writes it again.
    assert_eq!(store.get(&put().await).await.unwrap().bytes(), &Bytes::from_static(b"one"));
}

#[test]
fn digests_are_found_in_any_payload() {
    let digest = Digest::of(b"x");
    let text = format!(
        "{{\"a\": \"{digest}\", \"b\": [\"sha256:{}\"], \"c\": \"{digest}0\"}}",
        digest.to_string().to_uppercase()
    );
    let found: Vec<Digest> = digests_in(text.as_bytes()).collect();
    assert_eq!(found, [digest, digest]);
}
