use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::Event;
use domain::ids::{ArticleId, PersonId};
use eventlog::memory::MemoryLog;
use eventlog::transparency::{LeafSource, Notary, Options, Origin, VerifierKey};
use eventlog::{AppendCondition, Digest, EventId, EventLog, EventType, NewEvent, Position, StreamId};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::*;

/// A plant: its log and its notary.
struct Plant {
    _dir: tempfile::TempDir,
    log: MemoryLog,
    notary: Notary,
}

fn sealed(number: u64, event_type: &str, data: &Value) -> NewEvent {
    let event = Event::from_value(event_type, 1, data.clone()).unwrap();
    let stream = StreamId::of(event.category(), &event.key()).unwrap();
    let payload = Bytes::from(event.encode().unwrap());
    let id = EventId::derived("test", &number.to_string());
    NewEvent::json(id, stream, EventType::new(event_type).unwrap(), 1, "test", payload)
}

const FILE: &[u8] = b"a photo of a nozzle";

fn drafted(name: &str) -> Value {
    json!({"article": "KB-1", "revision": 1, "kind": "procedure", "title": {"zh": "喷嘴", "en": "nozzle"}, "codes": ["NOZ-MAI"], "evidence": [0], "author": "P-1",
        "attachments": [{"file": {"name": name, "sha256": Digest::of(FILE).to_string(), "bytes": FILE.len()}, "media_type": "image/jpeg"}]})
}

async fn plant(name: &str, events: &[(&str, Value)]) -> Plant {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("log")).unwrap();
    let log = MemoryLog::new();
    let sealed: Vec<NewEvent> =
        events.iter().zip(0..).map(|((event_type, data), number)| sealed(number, event_type, data)).collect();
    assert!(!log.append(AppendCondition::none(), sealed).await.unwrap().repeated);
    let mut options = Options::in_data_folder(dir.path());
    options.origin = Some(Origin::new(name).unwrap());
    let source: Arc<dyn LeafSource> = Arc::new(log.clone());
    let id = log.log_id();
    let notary = tokio::task::spawn_blocking(move || Notary::open(source, id, options)).await.unwrap().unwrap();
    Plant { _dir: dir, log, notary }
}

/// A plant with a procedure that rests on a fault, and its approval.
async fn weaving(name: &str, file: &str, approver: &str) -> Plant {
    let fault = json!({"fault": "F-1", "asset": "L07", "symptoms": {"en": "weft stops"}});
    let review = json!({"article": "KB-1", "revision": 1, "person": approver, "approved": true});
    plant(name, &[("fault.observed", fault), ("article.drafted", drafted(file)), ("article.reviewed", review)]).await
}

impl Plant {
    fn key(&self) -> &VerifierKey {
        self.notary.verifier_key()
    }

    async fn record(&self, position: u64, with_payload: bool) -> PackedRecord {
        let proof = self.notary.proof(Position::new(position), self.notary.checkpoint()).unwrap();
        let page = self.log.read(Position::new(position), eventlog::Direction::Forward, eventlog::Query::all(), 1);
        let payload = page.await.unwrap().into_iter().next().unwrap().payload;
        PackedRecord {
            position,
            leaf: String::from_utf8(proof.leaf).unwrap(),
            path: proof.path.iter().map(|hash| STANDARD.encode(hash.as_bytes())).collect(),
            payload: with_payload.then(|| String::from_utf8(payload.to_vec()).unwrap()),
        }
    }

    async fn manifest(&self) -> Manifest {
        Manifest {
            version: 1,
            log: self.notary.origin().as_str().to_owned(),
            checkpoint: self.notary.checkpoint().note().to_owned(),
            articles: vec![PackedArticle {
                article: ArticleId::new("KB-1").unwrap(),
                revision: 1,
                drafted: 1,
                reviewed: 2,
            }],
            records: vec![self.record(0, false).await, self.record(1, true).await, self.record(2, true).await],
            files: vec![PackedFile { sha256: Digest::of(FILE).to_string(), bytes: FILE.len() as u64 }],
        }
    }

    fn write(&self, manifest: &Manifest, files: &[&'static [u8]]) -> Result<Bytes, PackageError> {
        let files: Vec<Bytes> = files.iter().map(|file| Bytes::from_static(file)).collect();
        Package::write(manifest, &files, self.key(), &|text| self.notary.sign_statement(text))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_packed_is_read_with_the_senders_key() {
    let plant = weaving("mill-2.example/log", "nozzle.jpg", "P-2").await;
    let manifest = plant.manifest().await;
    let bytes = plant.write(&manifest, &[FILE]).unwrap();
    assert_eq!(plant.write(&manifest, &[FILE]).unwrap(), bytes);
    let package = Package::open(&bytes, plant.key()).unwrap();
    assert_eq!(package.manifest(), &manifest);
    assert_eq!((package.log(), package.pieces().len()), ("mill-2.example/log", 1));
    assert_eq!(package.pieces()[0].drafted.title.any(), "nozzle");
    assert_eq!(package.files().map(|(_, bytes)| &bytes[..]).collect::<Vec<_>>(), [FILE]);
    let other = weaving("mill-2.example/log", "nozzle.jpg", "P-2").await;
    let error = Package::open(&bytes, other.key()).unwrap_err();
    assert!(matches!(error, PackageError::Signature(_)), "{error}");
}

/// What is done to a manifest, the files beside it, and what the refusal says.
type Wrong<'a> = (&'a dyn Fn(&mut Manifest), &'a [&'static [u8]], &'a str);

#[tokio::test(flavor = "multi_thread")]
async fn each_thing_that_is_wrong_is_named() {
    let plant = weaving("mill-2.example/log", "nozzle.jpg", "P-2").await;
    let good = plant.manifest().await;
    let refused = |change: &dyn Fn(&mut Manifest), files: &[&'static [u8]]| {
        let mut manifest = good.clone();
        change(&mut manifest);
        plant.write(&manifest, files).unwrap_err().to_string()
    };
    let table: [Wrong<'_>; 13] = [
        (&|manifest| manifest.version = 2, &[FILE], "its format has version 2, and version 1 is read"),
        (
            &|manifest| manifest.log.push('x'),
            &[FILE],
            "it is of mill-2.example/logx, and the key is that of mill-2.example/log",
        ),
        (&|manifest| manifest.articles.clear(), &[FILE], "the manifest: it holds no article"),
        (
            &|manifest| manifest.records.swap(0, 1),
            &[FILE],
            "the manifest: a list of it is not in order, or names something twice",
        ),
        (
            &|manifest| manifest.articles[0].revision = 2,
            &[FILE],
            "article KB-1: its draft and its review are not those of the revision that is named",
        ),
        (&|manifest| manifest.articles[0].reviewed = 1, &[FILE], "article KB-1: the record at position 1 is no review"),
        (
            &|manifest| drop(manifest.records.remove(0)),
            &[FILE],
            "article KB-1: its evidence at position 0 is not in the package",
        ),
        (&|manifest| drop(manifest.records.remove(2)), &[FILE], "the record at position 2: it is not in the package"),
        (
            &|manifest| manifest.records[1].payload = manifest.records[2].payload.clone(),
            &[FILE],
            "the record at position 1: its payload is not the one that its leaf names",
        ),
        (&|manifest| manifest.files.clear(), &[], "article KB-1: its file "),
        (&|_| (), &[b"another photo of it"], "a file has not the digest "),
        (&|_| (), &[], "the file "),
        (&|_| (), &[FILE, b"more"], "after the last file: 4 bytes where 0 are expected"),
    ];
    for (change, files, expected) in table {
        let found = refused(change, files);
        assert!(found.starts_with(expected), "{found} is not {expected}");
    }
    // A record that is not in the log, with a leaf of its own.
    let forged = |manifest: &mut Manifest| manifest.records[0].leaf = manifest.records[0].leaf.replace("F-1", "F-2");
    let forged_leaf = refused(&forged, &[FILE]);
    assert!(forged_leaf.starts_with("the record at position 0: "), "{forged_leaf}");
    // A checkpoint of another log.
    let other = weaving("mill-3.example/log", "nozzle.jpg", "P-2").await;
    let foreign = other.notary.checkpoint().note().to_owned();
    let other_checkpoint = refused(&|manifest| manifest.checkpoint.clone_from(&foreign), &[FILE]);
    assert!(other_checkpoint.starts_with("the checkpoint: "), "{other_checkpoint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_and_own_approvals_are_refused() {
    for (file, approver, expected) in [
        ("../../etc/passwd", "P-2", "its name is a path"),
        ("..", "P-2", "its name is a path"),
        ("a\\b", "P-2", "its name is a path"),
        ("nozzle.jpg", "P-1", "nobody other than its author has approved it"),
    ] {
        let plant = weaving("mill-2.example/log", file, approver).await;
        let error = plant.write(&plant.manifest().await, &[FILE]).unwrap_err().to_string();
        assert!(error.contains(expected), "{file} {approver}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_brought_in_is_a_draft_and_comes_once() {
    let plant = weaving("mill-2.example/log", "nozzle.jpg", "P-2").await;
    let package = Package::open(&plant.write(&plant.manifest().await, &[FILE]).unwrap(), plant.key()).unwrap();
    let person = PersonId::new("P-9").unwrap();
    let first = package.drafts("", &person, |_| None).unwrap();
    let draft = &first.drafts[0];
    assert_eq!((draft.article.as_str(), draft.revision, draft.author.as_str()), ("KB-1", 1, "P-9"));
    assert!(draft.evidence.is_empty() && draft.attachments.len() == 1);
    let origin = draft.origin.as_ref().unwrap();
    assert_eq!(
        (origin.log.as_str(), origin.position, origin.author.as_deref()),
        ("mill-2.example/log", 2, Some("P-1"))
    );
    assert_eq!(origin.package.as_deref(), Some(first.imported.package.as_str()));
    assert_eq!(first.imported.key, plant.key().as_str());
    let here = |last, superseded, origins: Vec<_>| {
        let kind = draft.kind;
        move |_: &ArticleId| Some(LocalArticle { last, kind, superseded, origins: origins.clone() })
    };
    let again = package.drafts("", &person, here(1, false, vec![Some(origin.clone())])).unwrap();
    assert_eq!((again.drafts.len(), again.known.len()), (0, 1));
    // An older revision of the same piece came before: this one is the next.
    let older = domain::events::ArticleOrigin { revision: 7, ..origin.clone() };
    let next = package.drafts("", &person, here(4, false, vec![None, Some(older.clone())])).unwrap();
    assert_eq!(next.drafts[0].revision, 5);
    let error = |found: Result<Drafts, DraftError>| found.unwrap_err().to_string();
    assert!(error(package.drafts("", &person, here(1, false, vec![None]))).contains("another piece here"));
    assert!(error(package.drafts("", &person, here(1, true, vec![Some(older)]))).contains("superseded"));
    let named = package.drafts("mill-2/", &person, |id| (id.as_str() == "KB-1").then(|| unreachable!())).unwrap();
    assert_eq!(named.drafts[0].article.as_str(), "mill-2/KB-1");
}

#[test]
fn any_bytes_are_read_or_refused() {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let (plant, good) = runtime.block_on(async {
        let plant = weaving("mill-2.example/log", "nozzle.jpg", "P-2").await;
        let good = plant.write(&plant.manifest().await, &[FILE]).unwrap();
        (plant, good)
    });
    let key = plant.key();
    // Every byte of a package counts: where one is another, or is missing, nothing is taken.
    proptest!(ProptestConfig::with_cases(300), |(place in any::<prop::sample::Index>(), flip in 1..=255_u8, cut in any::<bool>())| {
        let place = place.index(good.len());
        let mut changed = good.to_vec();
        if cut { changed.truncate(place) } else { changed[place] ^= flip }
        prop_assert!(Package::open(&Bytes::from(changed), key).is_err());
    });
    proptest!(|(bytes in prop::collection::vec(any::<u8>(), 0..300))| {
        prop_assert!(Package::open(&Bytes::from(bytes), key).is_err());
    });
}
