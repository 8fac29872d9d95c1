use uuid::Uuid;

use super::*;
use crate::transparency::cosignature::tests::TestWitness;
use crate::transparency::test_log::{TestLog, leaf};
use crate::transparency::{CosignatureKey, check_inclusion};

const LOG: LogId = LogId::new(Uuid::from_u128(7));

struct Setting {
    dir: tempfile::TempDir,
    log: Arc<TestLog>,
}

impl Setting {
    fn new(count: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("log")).unwrap();
        Self { dir, log: Arc::new(TestLog::new(count)) }
    }

    fn options(&self) -> Options {
        Options::in_data_folder(self.dir.path())
    }

    fn try_open(&self) -> Result<Notary, NotaryError> {
        Notary::open(Arc::clone(&self.log) as Arc<dyn LeafSource>, LOG, self.options())
    }

    fn open(&self) -> Notary {
        self.try_open().unwrap()
    }

    fn stored(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log/checkpoint")).unwrap()
    }
}

#[test]
fn the_log_is_signed_as_it_grows_and_after_a_restart() {
    let setting = Setting::new(0);
    let notary = setting.open();
    assert_eq!(notary.checkpoint().checkpoint().size, 0);
    assert_eq!(notary.origin().as_str(), "millwright/00000000-0000-0000-0000-000000000007");
    for size in [1, 2, 255, 256, 257, 70_000] {
        setting.log.grow(size);
        let signed = notary.sign().unwrap();
        assert_eq!(signed.checkpoint().size, size);
        assert_eq!(setting.stored(), signed.note());
        assert_eq!(SignedCheckpoint::open(setting.stored().as_bytes(), notary.verifier_key()).unwrap(), *signed);
        assert_eq!(notary.sign().unwrap(), signed, "what has not grown is not signed again");
    }
    let before = notary.checkpoint();
    drop(notary);
    setting.log.grow(70_001);
    let notary = setting.open();
    assert_eq!(notary.checkpoint().checkpoint().size, 70_001);
    let (path, [old, _]) = notary.consistency(70_000, 70_001).unwrap();
    assert_eq!(old, before.checkpoint().root);
    assert!(!path.is_empty());
}

#[test]
fn proofs_and_entries_are_those_of_the_leaves() {
    let setting = Setting::new(600);
    let notary = setting.open();
    for index in [0, 255, 256, 599] {
        let proof = notary.proof(Position::new(index), notary.checkpoint()).unwrap();
        assert_eq!(proof.leaf, leaf(index).into_bytes());
        let signed = proof.checkpoint.checkpoint();
        check_inclusion(&proof.path, (index, proof.leaf_hash), (signed.size, signed.root)).unwrap();
        let file = proof.file();
        assert_eq!(ProofFile::parse(&file.text()).unwrap(), file);
        assert_eq!(*file.check(&proof.leaf, notary.verifier_key()).unwrap().checkpoint(), *signed);
        assert!(file.check(b"another leaf", notary.verifier_key()).is_err());
    }
    assert!(notary.proof(Position::new(600), notary.checkpoint()).is_err());
    assert_eq!(notary.entries(2, 88).unwrap().unwrap().len(), 88);
    assert_eq!(notary.entries(2, 89).unwrap(), None);
    assert_eq!(notary.tile(TileId { level: 0, index: 1 }, 256).unwrap().unwrap().len(), 8192);
    assert_eq!(notary.tile(TileId { level: 1, index: 0 }, 3).unwrap(), None);
    // What is not signed yet is not shown.
    setting.log.grow(610);
    assert_eq!(notary.entries(2, 89).unwrap(), None);
    assert!(notary.consistency(600, 610).is_err());
    assert!(notary.consistency(601, 600).is_err());
    // A changed leaf is not handed out as if it were right.
    setting.log.change(3);
    assert!(matches!(notary.proof(Position::new(3), notary.checkpoint()), Err(TreeError::Changed { .. })));
    assert!(matches!(notary.entries(0, 256), Err(TreeError::Changed { .. })));
}

#[test]
fn a_log_that_is_shorter_than_its_checkpoint_is_not_signed() {
    let setting = Setting::new(300);
    let stored = {
        setting.open();
        setting.stored()
    };
    setting.log.cut(299);
    let error = setting.try_open().unwrap_err();
    assert!(matches!(error, NotaryError::Shortened { records: 299, signed: 300 }), "{error}");
    assert!(!error.retryable() && error.to_string().contains("history was lost"));
    assert_eq!(setting.stored(), stored);
}

#[test]
fn a_log_with_another_history_is_not_signed() {
    for index in [0, 255, 256, 299] {
        let setting = Setting::new(300);
        let stored = {
            setting.open();
            setting.stored()
        };
        setting.log.change(index);
        setting.log.grow(400);
        // With the tiles of the old history, and without any.
        let error = setting.try_open().unwrap_err();
        assert!(
            matches!(error, NotaryError::Rewritten { signed: 300, .. } | NotaryError::Tree(TreeError::Changed { .. })),
            "{error}"
        );
        let _ = std::fs::remove_dir_all(setting.dir.path().join("log/tiles"));
        let error = setting.try_open().unwrap_err();
        assert!(matches!(error, NotaryError::Rewritten { signed: 300, .. }), "{error}");
        assert!(!error.retryable());
        assert_eq!(setting.stored(), stored);
    }
}

#[test]
fn a_checkpoint_of_nobody_knows_whom_is_not_built_on() {
    let setting = Setting::new(10);
    drop(setting.open());
    let file = setting.dir.path().join("log/checkpoint");
    let good = setting.stored();
    for bad in [
        String::new(),
        good.replace("\n10\n", "\n9\n"),
        good.replace("millwright", "millwrong"),
        good[..good.len() - 2].to_owned(),
    ] {
        std::fs::write(&file, &bad).unwrap();
        assert!(matches!(setting.try_open(), Err(NotaryError::Stored { .. })), "{bad:?}");
        assert_eq!(setting.stored(), bad, "it is left as it is");
    }
    std::fs::write(&file, good).unwrap();
    drop(setting.open());
    // The key and its verifier key are gone; the checkpoint shows that there was one.
    std::fs::remove_dir_all(setting.dir.path().join("keys")).unwrap();
    std::fs::remove_file(setting.dir.path().join("log.vkey")).unwrap();
    assert!(matches!(setting.try_open(), Err(NotaryError::Key(KeyError::Lost { .. }))));
}

#[tokio::test]
async fn it_follows_the_log_and_stops_when_history_turns_out_to_be_another() {
    let setting = Setting::new(5);
    let mut options = setting.options();
    options.interval = Duration::from_millis(1);
    let notary = Notary::open(Arc::clone(&setting.log) as Arc<dyn LeafSource>, LOG, options).unwrap();
    let running = {
        let notary = notary.clone();
        tokio::spawn(async move { notary.run().await })
    };
    let patience = Duration::from_secs(60);
    for size in [6, 300, 301] {
        setting.log.grow(size);
        let covering = notary.covering(Position::new(size - 1), Covered::Signed, patience).await.unwrap();
        assert!(covering.checkpoint().size >= size);
        assert_eq!(notary.grown_beyond(size - 1).await.checkpoint().size, size);
    }
    let early = notary.covering(Position::new(301), Covered::Signed, Duration::from_millis(1)).await;
    assert!(matches!(early, Err(WaitError::Timeout { size: 301, .. })));
    let unseen = notary.covering(Position::new(0), Covered::Witnessed, Duration::from_millis(1)).await;
    assert!(matches!(unseen, Err(WaitError::Timeout { size: 0, .. })));
    setting.log.change(300);
    setting.log.grow(302);
    let refused = notary.covering(Position::new(301), Covered::Signed, patience).await;
    assert!(matches!(refused, Err(WaitError::Stopped { .. })), "{refused:?}");
    running.await.unwrap();
    assert!(notary.stopped().is_some());
    assert_eq!(notary.checkpoint().checkpoint().size, 301, "the last good one stays");
}

#[test]
fn cosignatures_go_with_the_checkpoint_that_they_are_about() {
    let setting = Setting::new(5);
    let notary = setting.open();
    let witness = TestWitness::new("witness.example/w1", 1);
    let key = CosignatureKey::parse(&witness.vkey()).unwrap();
    let cosign = |checkpoint: &SignedCheckpoint| {
        checkpoint.cosigned(&witness.line(9, &checkpoint.checkpoint().body()), &key).unwrap()
    };
    let five = notary.checkpoint();
    notary.cosigned(cosign(&five)).unwrap();
    assert!(notary.checkpoint().is_cosigned_by(&key));
    assert_eq!(setting.stored(), notary.checkpoint().note());
    setting.log.grow(6);
    let six = notary.sign().unwrap();
    assert!(!six.is_cosigned_by(&key));
    assert_eq!(notary.witnessed().unwrap().checkpoint().size, 5);
    setting.log.grow(7);
    notary.sign().unwrap();
    // It came late: the newest stays as it is.
    notary.cosigned(cosign(&six)).unwrap();
    assert_eq!((notary.witnessed().unwrap().checkpoint().size, notary.checkpoint().checkpoint().size), (6, 7));
    notary.cosigned(cosign(&five)).unwrap();
    assert_eq!(notary.witnessed().unwrap().checkpoint().size, 6);
    assert!(!notary.checkpoint().is_cosigned_by(&key));
}
