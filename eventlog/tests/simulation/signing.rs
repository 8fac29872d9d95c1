//! One seed of signing: a log that is signed lives several lives on a disk that fails. What was shown to anybody is never taken back.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eventlog::embedded::{EmbeddedLog, OpenError, Options};
use eventlog::transparency::{self, Checkpoint, LeafSource, Notary, check_consistency};
use eventlog::{AppendCondition, EventLog};

use crate::chance::Chance;
use crate::disk::{Fault, SimulatedDisk};
use crate::driver::event;

/// What one seed tested.
#[derive(Clone, Copy, Debug, Default)]
pub struct Signed {
    pub shown: u64,
    pub compared: u64,
    pub refused: u64,
    pub crashes: u64,
}

struct Run {
    chance: Chance,
    disk: SimulatedDisk,
    folder: PathBuf,
    /// The key lies on a disk that works: it is made once, before anything is signed.
    keys: PathBuf,
    shown: Vec<Checkpoint>,
    next: u64,
    signed: Signed,
}

pub async fn run(seed: u64, keys: &Path) -> Signed {
    let mut run = Run {
        chance: Chance::new(seed, "signing"),
        disk: SimulatedDisk::new(seed),
        folder: PathBuf::from("/log"),
        keys: keys.to_owned(),
        shown: Vec::new(),
        next: 1,
        signed: Signed::default(),
    };
    for _ in 0..4 {
        run.life().await;
    }
    run.signed
}

impl Run {
    /// Opens the log and its notary. Only what passes may stand in the way: a notary that finds history lost or changed on a disk that keeps its promises is wrong.
    fn open(&mut self) -> (Arc<EmbeddedLog>, Notary) {
        loop {
            self.perhaps_a_fault();
            let options = Options { segment_bytes: 8 * 1024, disk: Arc::new(self.disk.clone()), ..Options::default() };
            let log = match EmbeddedLog::open(&self.folder, options) {
                Ok(log) => Arc::new(log),
                Err(OpenError::Io { .. }) => {
                    self.crash();
                    continue;
                }
                Err(other) => panic!("a log that was never damaged opens, but: {other}"),
            };
            let options = transparency::Options {
                log_folder: self.folder.clone(),
                disk: Arc::new(self.disk.clone()),
                ..transparency::Options::in_data_folder(&self.keys)
            };
            match Notary::open(Arc::clone(&log) as Arc<dyn LeafSource>, log.log_id(), options) {
                Ok(notary) => return (log, notary),
                Err(error) => assert!(error.retryable(), "what was signed is there, but: {error}"),
            }
            self.signed.refused += 1;
            self.disk.cut_now();
            drop(log);
            self.crash();
        }
    }

    fn perhaps_a_fault(&mut self) {
        if self.chance.per_mille(300) {
            let faults = [Fault::PowerCut, Fault::SyncFails, Fault::WriteFails, Fault::Full];
            self.disk.plan(faults[self.chance.below(4) as usize], self.chance.below(20));
        }
    }

    fn crash(&mut self) {
        self.signed.crashes += 1;
        if !self.disk.is_powered() || self.chance.per_mille(500) {
            self.disk.power_on();
        } else {
            self.disk.process_ends();
        }
        self.disk.make_room();
    }

    async fn life(&mut self) {
        let (log, notary) = self.open();
        self.compare(&notary);
        for _ in 0..self.chance.below(12) {
            let count = 1 + self.chance.below(90);
            self.perhaps_a_fault();
            let events = (0..count).map(|number| event(self.next + number, 40)).collect();
            self.next += count;
            // What was refused or cut off is nobody's; the log itself is tested elsewhere.
            let _ = log.append(AppendCondition::none(), events).await;
            self.perhaps_a_fault();
            match notary.sign() {
                Ok(shown) => {
                    self.shown.push(shown.checkpoint().clone());
                    self.signed.shown += 1;
                }
                Err(error) => {
                    assert!(error.retryable(), "{error}");
                    self.signed.refused += 1;
                }
            }
            self.disk.cancel();
        }
        self.compare(&notary);
        self.disk.cut_now();
        drop((log, notary));
        self.crash();
    }

    /// The newest checkpoint extends each that was ever shown.
    fn compare(&mut self, notary: &Notary) {
        self.disk.cancel();
        if !self.disk.is_powered() {
            return;
        }
        let now = notary.checkpoint().checkpoint().clone();
        for shown in &self.shown {
            assert!(shown.size <= now.size, "{} records were signed for, now it is {}", shown.size, now.size);
            let (path, _) = notary.consistency(shown.size, now.size).unwrap();
            check_consistency(&path, (shown.size, shown.root), (now.size, now.root)).unwrap();
            self.signed.compared += 1;
        }
    }
}
