//! One seed: a log lives several lives on a disk that fails.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use eventlog::embedded::{EmbeddedLog, OpenError, Options, verify_on};
use eventlog::frames::{self, Reading, StatusCode, Value};
use eventlog::{
    AppendCondition, AppendError, Clock, ContentType, DigestAlgorithm, EventId, EventLog, EventType, Expected,
    NewEvent, PayloadDigest, Revision, StreamId, Tag,
};
use futures::future::join_all;
use jiff::Timestamp;

use crate::chance::Chance;
use crate::disk::{Fault, Seen, SimulatedDisk};
use crate::model::{Model, is_hole};

/// What one seed tested.
#[derive(Clone, Debug, Default)]
pub struct Tested {
    pub compared: u64,
    pub lives: u64,
    pub acknowledged: u64,
    pub repeated: u64,
    pub refused: u64,
    pub poisoned: u64,
    pub cut_tails: u64,
    pub survived: u64,
    pub vanished: u64,
    pub flips: u64,
    pub flips_reported: u64,
    pub opens_interrupted: u64,
    pub sealed: u64,
    pub seen: Seen,
}

struct Run {
    chance: Chance,
    disk: SimulatedDisk,
    folder: PathBuf,
    clock: Arc<AtomicI64>,
    model: Model,
    next: u64,
    tested: Tested,
    options: Options,
}

pub fn event_id(number: u64) -> EventId {
    EventId::derived("simulation", &number.to_string())
}

/// Event number `number`, with a payload of about `size` bytes; every eleventh is a frame of readings.
pub fn event(number: u64, size: u64) -> NewEvent {
    let stream = StreamId::new(["order-1", "lot-1", "lot-2", "readings-a"][(number % 4) as usize]).unwrap();
    let event_type = EventType::new(["a", "b", "c"][(number % 3) as usize]).unwrap();
    let filling: String = (0..size).map(|index| char::from(b'a' + ((number ^ index) % 26) as u8)).collect();
    let payload = Bytes::from(format!("{{\"number\":{number},\"filling\":\"{filling}\"}}"));
    let mut event = NewEvent::json(event_id(number), stream, event_type, 1, "simulation", payload);
    event.tags = vec![Tag::of("number", &(number % 5).to_string()).unwrap()];
    if number.is_multiple_of(11) {
        let reading = |index: u64| Reading {
            signal: ["tension", "speed"][(index % 2) as usize].into(),
            time: Timestamp::from_millisecond((number * 1_000 + index) as i64).unwrap(),
            sequence: Some(index),
            value: Value::Float(index as f64 / 10.0),
            status: StatusCode::GOOD,
        };
        let encoded = frames::encode((0..=size / 16).map(reading).collect()).unwrap();
        event.content_type = ContentType::Frame;
        event.payload_digest = PayloadDigest { algorithm: DigestAlgorithm::FrameSha256, digest: encoded.digest };
        event.payload = encoded.bytes;
    }
    event
}

/// Runs one seed; `lying` makes the disk forget what it promised, to show that the checker notices.
pub async fn run(seed: u64, lying: bool) -> Tested {
    let disk = SimulatedDisk::new(seed);
    let clock = Arc::new(AtomicI64::new(1_700_000_000_000_000_000));
    let ticking = Arc::clone(&clock);
    let now = move || Timestamp::from_nanosecond(i128::from(ticking.load(Ordering::Relaxed))).unwrap();
    let mut run = Run {
        chance: Chance::new(seed, "driver"),
        folder: PathBuf::from("/log"),
        clock,
        model: Model::default(),
        next: 1,
        tested: Tested::default(),
        options: Options {
            segment_bytes: 8 * 1024,
            clock: Clock::from_fn(now),
            disk: Arc::new(disk.clone()),
            ..Options::default()
        },
        disk,
    };
    if lying {
        run.disk.lie();
    }
    let lives = 2 + run.chance.below(5);
    for _ in 0..lives {
        run.life().await;
    }
    run.last_life().await;
    run.tested.compared = run.model.compared;
    (run.tested.survived, run.tested.vanished) = (run.model.survived, run.model.vanished);
    run.tested.seen = run.disk.seen();
    run.tested
}

impl Run {
    /// Opens the log, perhaps with a fault on the way, which only ever makes it fail: trying again after the crash is always possible.
    async fn open(&mut self) -> EmbeddedLog {
        loop {
            if self.chance.per_mille(120) {
                let fault =
                    [Fault::PowerCut, Fault::SyncFails, Fault::WriteFails, Fault::Full][self.chance.below(4) as usize];
                self.disk.plan(fault, self.chance.below(12));
            }
            match EmbeddedLog::open(&self.folder, self.options.clone()) {
                Ok(log) => {
                    self.tested.lives += 1;
                    self.tested.cut_tails += u64::from(log.report().truncated_bytes > 0);
                    return log;
                }
                Err(OpenError::Io { .. }) => {
                    self.tested.opens_interrupted += 1;
                    self.crash();
                }
                Err(other) => panic!("a log that was never damaged opens, but: {other}"),
            }
        }
    }

    /// The process dies, with or without the machine.
    fn crash(&mut self) {
        if !self.disk.is_powered() || self.chance.per_mille(400) {
            self.disk.power_on()
        } else {
            self.disk.process_ends()
        }
        self.disk.make_room();
    }

    async fn life(&mut self) {
        let log = self.open().await;
        let disk = self.disk.clone();
        // A fault that was planned for the opening may strike only now; the check needs a disk that works.
        self.disk.cancel();
        if !self.disk.is_powered() {
            drop(log);
            self.crash();
            return;
        }
        self.model.check(&log, &disk, &self.folder).await;
        if self.chance.per_mille(700) {
            let fault = [Fault::PowerCut, Fault::PowerCut, Fault::SyncFails, Fault::WriteFails, Fault::Full]
                [self.chance.below(5) as usize];
            self.disk.plan(fault, self.chance.below(80));
        }
        let calls = 1 + self.chance.below(40);
        let mut broken = false;
        for _ in 0..calls {
            if self.chance.per_mille(30) {
                // Whether it comes through or meets a fault: the log is the same afterwards.
                self.tested.sealed += log.seal_all().await.map_or(0, |sealed| sealed as u64);
            }
            self.clock.fetch_add(self.chance.below(2_000) as i64 - 500, Ordering::Relaxed);
            broken = if self.chance.per_mille(80) { self.burst(&log).await } else { self.call(&log, broken).await }
                || broken;
        }
        if broken {
            self.readable(&log).await;
        } else {
            self.model.assert_whole();
        }
        if !broken && self.chance.per_mille(350) {
            log.close();
            drop(log);
            if !self.disk.is_powered() {
                self.crash();
                return;
            }
            self.disk.cancel();
            if self.chance.per_mille(300) {
                self.disk.power_on();
            }
            if self.chance.per_mille(500) {
                self.damage().await;
            }
        } else if self.chance.per_mille(500) {
            // Ordering: the machine dies first, so that the orderly close of dropping reaches no disk.
            self.disk.cut_now();
            drop(log);
            self.crash();
        } else {
            drop(log);
            self.crash();
        }
    }

    /// Nothing fails any more: everything must be there, and the log must take events again.
    async fn last_life(&mut self) {
        self.disk.cancel();
        if !self.disk.is_powered() {
            self.disk.power_on();
        }
        self.disk.make_room();
        let log = EmbeddedLog::open(&self.folder, self.options.clone()).unwrap();
        let disk = self.disk.clone();
        self.model.check(&log, &disk, &self.folder).await;
        let events = self.events();
        let appended = log.append(AppendCondition::none(), events.clone()).await.unwrap();
        self.model.acknowledged(events, appended);
        self.model.check(&log, &disk, &self.folder).await;
        log.close();
    }

    fn events(&mut self) -> Vec<NewEvent> {
        let count = if self.chance.per_mille(600) { 1 } else { 1 + self.chance.below(12) };
        let size = if count > 1 { 60 } else { [20, 120, 900, 9_000][self.chance.below(4) as usize] };
        let first = self.next;
        self.next += count;
        (first..first + count).map(|number| event(number, size)).collect()
    }

    /// One append: new events, old ones again, or one that must be refused. Answers whether the log takes nothing more.
    async fn call(&mut self, log: &EmbeddedLog, broken: bool) -> bool {
        let known = self.model.durable.len() as u64;
        if known > 0 && self.chance.per_mille(100) {
            return self.again(log, broken).await;
        }
        let events = self.events();
        let mut condition = AppendCondition::none();
        let mut must_fail = false;
        if self.chance.per_mille(200) {
            let stream = events[0].stream.clone();
            let count = self.model.durable.iter().filter(|event| event.stream == stream).count() as u64;
            must_fail = self.chance.per_mille(500);
            let expected = match (must_fail, count) {
                (false, 0) | (true, 1..) => Expected::NoStream,
                (false, _) => Expected::Exactly(Revision::new(count - 1)),
                (true, 0) => Expected::Exactly(Revision::START),
            };
            condition = AppendCondition::stream(stream, expected);
        }
        let answer = log.append(condition, events.clone()).await;
        match answer {
            Ok(appended) => {
                assert!(!must_fail && !broken, "an append was taken that must be refused");
                self.tested.acknowledged += events.len() as u64;
                self.model.acknowledged(events, appended);
                false
            }
            Err(AppendError::Conflict { .. }) => {
                assert!(must_fail, "a condition that holds was refused");
                self.tested.refused += 1;
                broken
            }
            Err(error) => self.refused(error, events, broken),
        }
    }

    fn refused(&mut self, error: AppendError, events: Vec<NewEvent>, broken: bool) -> bool {
        match error {
            AppendError::DiskFull(_) => {
                self.tested.refused += 1;
                // Nothing was written: the same call may be tried again when there is room, and is then new.
                self.disk.make_room();
                broken
            }
            AppendError::Poisoned(_) => {
                self.tested.poisoned += 1;
                self.model.unanswered.push(events);
                true
            }
            AppendError::Check(_) if !self.disk.is_powered() => {
                self.model.unanswered.push(events);
                true
            }
            other => panic!("an append failed for no reason: {other:?}"),
        }
    }

    /// A repetition of what is known: the first answer comes back, also when the log was opened anew in between.
    async fn again(&mut self, log: &EmbeddedLog, broken: bool) -> bool {
        let known = self.model.durable.len() as u64;
        let first = self.chance.below(known);
        let count = 1 + self.chance.below((known - first).min(4));
        let events = self.model.durable[first as usize..(first + count) as usize].to_vec();
        match log.append(AppendCondition::none(), events.clone()).await {
            Ok(appended) => {
                assert!(appended.repeated && appended.first.get() == first);
                self.model.acknowledged(events, appended);
                self.tested.repeated += 1;
                broken
            }
            Err(AppendError::Poisoned(_) | AppendError::Check(_)) => true,
            Err(other) => panic!("a repetition was refused: {other:?}"),
        }
    }

    /// Several appends at the same time.
    async fn burst(&mut self, log: &EmbeddedLog) -> bool {
        let calls: Vec<Vec<NewEvent>> = (0..2 + self.chance.below(6)).map(|_| self.events()).collect();
        let answers = join_all(calls.iter().map(|events| log.append(AppendCondition::none(), events.clone()))).await;
        let mut broken = false;
        for (events, answer) in calls.into_iter().zip(answers) {
            match answer {
                Ok(appended) => {
                    self.tested.acknowledged += events.len() as u64;
                    self.model.acknowledged(events, appended);
                }
                Err(error) => broken = self.refused(error, events, broken) || broken,
            }
        }
        broken
    }

    /// A log that takes nothing more still answers what is durable, as long as the disk reads.
    async fn readable(&mut self, log: &EmbeddedLog) {
        self.disk.cancel();
        if self.disk.is_powered() {
            assert!(log.tail().get() >= self.model.durable.len() as u64);
            let known = self.model.durable.iter().enumerate().filter(|(_, event)| !is_hole(event));
            for (position, event) in known.rev().take(5) {
                assert_eq!(log.position_of(event.id).await.unwrap().map(|found| found.get()), Some(position as u64));
            }
        }
    }

    /// A bit flips in a log that was closed in order. Whatever happens is reported, and never makes the log shorter or other than it was.
    async fn damage(&mut self) {
        let files: Vec<(String, usize)> =
            self.disk.files(&self.folder).into_iter().filter(|(_, bytes)| *bytes > 0).collect();
        let (name, bytes) = files[self.chance.below(files.len() as u64) as usize].clone();
        let (byte, bit) = (self.chance.below(bytes as u64) as usize, self.chance.below(8) as u32);
        let path = self.folder.join(&name);
        self.disk.flip(&path, byte, bit);
        self.tested.flips += 1;
        let verified = verify_on(Arc::new(self.disk.clone()), &self.folder);
        let reported = match EmbeddedLog::open(&self.folder, self.options.clone()) {
            Err(OpenError::Corrupt { .. } | OpenError::Version { .. }) => true,
            Err(other) => panic!("{name}, byte {byte}, bit {bit}: {other}"),
            Ok(log) => {
                let seen = self.model.check_damaged(&log).await;
                log.close();
                seen
            }
        };
        if reported && (name.ends_with(".segment") || name.ends_with(".sealed")) {
            assert!(verified.is_err(), "{name}, byte {byte}, bit {bit}: verify did not see what reading saw");
        }
        self.tested.flips_reported += u64::from(reported);
        self.disk.flip(&path, byte, bit);
    }
}

/// Shown when a seed fails.
pub fn how_to_repeat(seed: u64) -> String {
    format!("MILLWRIGHT_FIRST_SEED={seed} MILLWRIGHT_SEEDS=1 cargo test -p millwright-eventlog --test simulation")
}

impl Tested {
    /// Adds up what several seeds tested.
    pub fn add(&mut self, other: &Self) {
        for (sum, more) in self.counts().into_iter().zip(other.clone().counts()) {
            *sum += *more;
        }
    }

    fn counts(&mut self) -> [&mut u64; 22] {
        let Seen {
            writes,
            syncs,
            failed_writes,
            failed_syncs,
            refused_for_room,
            power_cuts,
            torn_writes,
            lost_names,
            short_reads,
        } = &mut self.seen;
        [
            &mut self.compared,
            &mut self.lives,
            &mut self.acknowledged,
            &mut self.repeated,
            &mut self.refused,
            &mut self.poisoned,
            &mut self.cut_tails,
            &mut self.survived,
            &mut self.vanished,
            &mut self.flips,
            &mut self.flips_reported,
            &mut self.opens_interrupted,
            &mut self.sealed,
            writes,
            syncs,
            failed_writes,
            failed_syncs,
            refused_for_room,
            power_cuts,
            torn_writes,
            lost_names,
            short_reads,
        ]
    }

    /// A run that met no fault of some kind, or compared nothing, tested less than it says.
    pub fn assert_everything_happened(&self) {
        let mut copy = self.clone();
        for (index, count) in copy.counts().into_iter().enumerate() {
            assert!(*count > 0, "count {index} of {self:?} is zero");
        }
    }
}
