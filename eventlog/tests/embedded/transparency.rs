//! The engine below the transparency tree: leaves in bulk, and what a checkpoint protects.

use std::path::Path;
use std::sync::Arc;

use eventlog::embedded::{EmbeddedLog, OpenError, Options, verify};
use eventlog::transparency::{self, LeafSource, Notary};
use eventlog::{AppendCondition, Digest, EventLog, Position, Tree};

use crate::support::{all, append, event, files, small};

fn notary(log: &Arc<EmbeddedLog>, data_dir: &Path) -> Notary {
    let source = Arc::clone(log) as Arc<dyn LeafSource>;
    Notary::open(source, log.log_id(), transparency::Options::in_data_folder(data_dir)).unwrap()
}

fn open(data_dir: &Path) -> Arc<EmbeddedLog> {
    Arc::new(EmbeddedLog::open(&data_dir.join("log"), small()).unwrap())
}

#[tokio::test]
async fn leaves_and_digests_in_bulk_are_those_of_the_records() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    // Small records, records whose payload is skipped, and a head that is larger than usual.
    for number in 0..120 {
        let mut event = event(number);
        if number % 10 == 3 {
            event.payload = vec![b' '; 40_000].into();
            event.payload_digest.digest = Digest::of(&event.payload);
        }
        if number % 10 == 4 {
            event.tags =
                (0..60).map(|tag| eventlog::Tag::of("long", &format!("{tag}{}", "x".repeat(400))).unwrap()).collect();
        }
        let _ = log.append(AppendCondition::none(), vec![event]).await.unwrap();
    }
    let records = all(&log).await;
    assert!(files(&dir.path().join("log"), "segment").len() > 3);
    let mut compared = 0;
    for (from, count) in [(0, 200), (0, 1), (57, 3), (119, 5), (120, 5), (3, 100)] {
        let expected: Vec<_> = records.iter().skip(from).take(count).collect();
        let digests = log.leaf_digests(Position::new(from as u64), count).unwrap();
        assert_eq!(digests, expected.iter().map(|record| record.leaf_digest()).collect::<Vec<_>>());
        let leaves = log.leaves(Position::new(from as u64), count).unwrap();
        assert_eq!(leaves, expected.iter().map(|record| record.leaf()).collect::<Vec<_>>());
        compared += leaves.len();
    }
    assert_eq!(compared, 120 + 1 + 3 + 1 + 100);
    let mut tree = Tree::new();
    records.iter().for_each(|record| tree.push(record.leaf_digest()));
    assert_eq!(LeafSource::tree(log.as_ref()), tree);
}

#[tokio::test]
async fn a_head_that_was_changed_is_no_leaf() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let _ = append(&log, 0..20).await;
    assert_eq!(log.leaves(Position::START, 20).unwrap().len(), 20);
    let segment = &files(&dir.path().join("log"), "segment")[0];
    let mut bytes = std::fs::read(segment).unwrap();
    let at = bytes.windows(5).position(|window| window == b"lot-1").unwrap();
    bytes[at + 4] = b'9';
    std::fs::write(segment, &bytes).unwrap();
    let error = log.leaves(Position::START, 20).unwrap_err();
    assert!(error.to_string().contains("not those of its leaf"), "{error}");
}

#[tokio::test]
async fn damage_below_a_checkpoint_is_refused_and_never_cut() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("log");
    let log = open(dir.path());
    let _ = append(&log, 0..10).await;
    let _ = append(&log, 10..12).await;
    assert_eq!(notary(&log, dir.path()).checkpoint().checkpoint().size, 12);
    drop(log);
    // Without the mark nothing else names the last batch; it is damaged as if it had never been written whole.
    std::fs::remove_file(folder.join("durable.mark")).unwrap();
    let segment = &files(&folder, "segment")[0];
    let mut bytes = std::fs::read(segment).unwrap();
    let last = bytes.windows(4).rposition(|window| window == b"MWB1").unwrap();
    bytes[last + 60] ^= 1;
    std::fs::write(segment, &bytes).unwrap();
    match EmbeddedLog::open(&folder, small()).map(|log| log.report().clone()) {
        Err(OpenError::Corrupt { position, reason, .. }) => {
            assert_eq!(position.get(), 10);
            assert!(reason.contains("a checkpoint says that everything below 12 was durable"), "{reason}");
        }
        other => panic!("expected a refusal, got {other:?}"),
    }
    assert_eq!(std::fs::read(segment).unwrap(), bytes, "nothing was changed");
    assert!(verify(&folder).is_err());
    // Without a checkpoint over it, it is a torn tail.
    let checkpoint = std::fs::read_to_string(folder.join("checkpoint")).unwrap();
    std::fs::write(folder.join("checkpoint"), checkpoint.replace("\n12\n", "\n10\n")).unwrap();
    assert_eq!(verify(&folder).unwrap().records, 10);
    assert_eq!(EmbeddedLog::open(&folder, small()).unwrap().report().records, 10);
}

#[tokio::test]
async fn segments_that_are_gone_are_no_new_log() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("log");
    let log = open(dir.path());
    let _ = append(&log, 0..10).await;
    drop(notary(&log, dir.path()));
    drop(log);
    for path in files(&folder, "segment").into_iter().chain([folder.join("durable.mark")]) {
        std::fs::remove_file(path).unwrap();
    }
    assert!(matches!(EmbeddedLog::open(&folder, Options::default()), Err(OpenError::Corrupt { .. })));
}

#[tokio::test]
async fn a_notary_follows_a_real_log_over_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let mut key = None;
    for round in 0..4_u64 {
        let log = open(dir.path());
        let notary = notary(&log, dir.path());
        assert_eq!(notary.checkpoint().checkpoint().size, round * 300);
        let _ = append(&log, round * 300..(round + 1) * 300).await;
        let signed = notary.sign().unwrap();
        assert_eq!(signed.checkpoint().root, log.tree().root());
        for position in [0, signed.checkpoint().size - 1] {
            let proof = notary.proof(Position::new(position), Arc::clone(&signed)).unwrap();
            proof.file().check(&proof.leaf, notary.verifier_key()).unwrap();
        }
        let known = key.get_or_insert_with(|| notary.verifier_key().clone());
        assert_eq!(notary.verifier_key(), known);
    }
    assert_eq!(verify(&dir.path().join("log")).unwrap().records, 1200);
}
