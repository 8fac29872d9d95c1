//! While one batch is being synced the next one is ordered: its answers rest on what may still be lost.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::ThreadId;

use eventlog::embedded::disk::{Access, Disk, DiskFile, LocalDisk, Lock};
use eventlog::embedded::{EmbeddedLog, Options, verify};
use eventlog::{AppendCondition, AppendError, Appended, EventLog, Expected, NewEvent, Position, Revision};
use tokio::task::JoinHandle;

use crate::support::{all, append, assert_events, copy, event, events, open};

/// What the next syncs of segments do.
#[derive(Debug, Default)]
struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Whether syncs wait.
    shut: bool,
    /// How many wait.
    waiting: usize,
    /// Whether they fail when they go on.
    failing: bool,
    /// Whether they take no time.
    instant: bool,
    /// Who asked for the last one.
    by: Option<ThreadId>,
}

impl Gate {
    fn shut(&self) {
        self.state.lock().unwrap().shut = true;
    }

    fn open(&self, failing: bool) {
        let mut state = self.state.lock().unwrap();
        (state.shut, state.failing) = (false, failing);
        self.changed.notify_all();
    }

    /// Waits until a sync waits.
    fn reached(&self) {
        let state = self.state.lock().unwrap();
        drop(self.changed.wait_while(state, |state| state.waiting == 0).unwrap());
    }

    fn pass(&self) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.waiting += 1;
        state.by = Some(std::thread::current().id());
        self.changed.notify_all();
        let mut state = self.changed.wait_while(state, |state| state.shut).unwrap();
        state.waiting -= 1;
        if state.failing { Err(io::Error::other("the disk is gone")) } else { Ok(()) }
    }
}

/// The machine's disk with a gate before each sync of a batch.
#[derive(Debug)]
struct GatedDisk(Arc<Gate>);

#[derive(Debug)]
struct GatedFile(Arc<dyn DiskFile>, Arc<Gate>);

impl Disk for GatedDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        LocalDisk.create_folder(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        LocalDisk.list(folder)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let file = LocalDisk.open(path, access)?;
        let marks = path.extension().is_some_and(|extension| extension == "mark");
        Ok(if marks { file } else { Arc::new(GatedFile(file, Arc::clone(&self.0))) })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        LocalDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        LocalDisk.remove(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        LocalDisk.sync_folder(folder)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        LocalDisk.lock(path)
    }
}

impl DiskFile for GatedFile {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn write_all_parts_at(&self, parts: &mut [IoSlice<'_>], offset: u64) -> io::Result<()> {
        self.0.write_all_parts_at(parts, offset)
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        self.0.allocate(bytes)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.1.pass()?;
        if self.1.state.lock().unwrap().instant { Ok(()) } else { self.0.sync_data() }
    }

    fn sync_all(&self) -> io::Result<()> {
        self.0.sync_all()
    }
}

fn gated(directory: &Path) -> (Arc<EmbeddedLog>, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let options = Options { disk: Arc::new(GatedDisk(Arc::clone(&gate))), ..Options::default() };
    (Arc::new(EmbeddedLog::open(directory, options).unwrap()), gate)
}

type Answer = Result<Appended, AppendError>;

fn start(log: &Arc<EmbeddedLog>, condition: AppendCondition, events: Vec<NewEvent>) -> JoinHandle<Answer> {
    let log = Arc::clone(log);
    tokio::spawn(async move { log.append(condition, events).await })
}

fn expecting(number: u64, expected: Expected) -> AppendCondition {
    AppendCondition { streams: vec![(event(number).stream, expected)], no_match_after: None }
}

/// An append that is being synced, and behind it so many others that they are ordered meanwhile.
async fn in_flight(log: &Arc<EmbeddedLog>, gate: &Arc<Gate>) -> (JoinHandle<Answer>, Vec<JoinHandle<Answer>>) {
    gate.shut();
    let first = start(log, expecting(0, Expected::NoStream), events(0..1));
    let reached = Arc::clone(gate);
    tokio::task::spawn_blocking(move || reached.reached()).await.unwrap();
    let mut behind = Vec::new();
    for round in 1..40_u64 {
        // Number 0, 3, 6, … share a stream: each goes on where the one before it ended, on its way to the disk or not.
        let condition = expecting(0, Expected::Exactly(Revision::new(round - 1)));
        let log = Arc::clone(log);
        let append: JoinHandle<Answer> =
            tokio::spawn(async move { log.append(condition, vec![event(round * 3)]).await });
        behind.push(append);
        // In this order into the queue.
        tokio::task::yield_now().await;
    }
    (first, behind)
}

#[tokio::test]
async fn conditions_see_what_is_on_its_way_and_answers_wait_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let (log, gate) = gated(directory.path());
    let (first, behind) = in_flight(&log, &gate).await;
    let again = start(&log, AppendCondition::none(), events(0..1));
    let other = start(&log, AppendCondition::none(), {
        let mut other = events(0..1);
        other[0].schema_version = 2;
        other
    });
    let refused = start(&log, expecting(0, Expected::NoStream), events(300..301));
    tokio::task::yield_now().await;
    assert_eq!(log.tail(), Position::START);
    assert!(!first.is_finished() && !again.is_finished() && !other.is_finished() && !refused.is_finished());
    assert!(behind.iter().all(|append| !append.is_finished()));
    assert!(all(&log).await.is_empty());

    gate.open(false);
    assert_eq!(first.await.unwrap().unwrap().first, Position::START);
    for (index, append) in behind.into_iter().enumerate() {
        assert_eq!(append.await.unwrap().unwrap().first.get(), index as u64 + 1);
    }
    let again = again.await.unwrap().unwrap();
    assert_eq!((again.first, again.repeated), (Position::START, true));
    let conflict = other.await.unwrap();
    assert!(matches!(conflict, Err(AppendError::IdConflict { position: Some(Position::START), .. })), "{conflict:?}");
    let conflict = refused.await.unwrap();
    assert!(
        matches!(&conflict, Err(AppendError::Conflict { actual: Some(last), .. }) if last.get() == 39),
        "{conflict:?}"
    );
    assert_eq!(log.tail().get(), 40);
    log.close();
    assert_eq!(verify(directory.path()).unwrap().records, 40);
}

#[tokio::test]
async fn who_shared_a_batch_of_late_leaves_the_writing_to_others() {
    let directory = tempfile::tempdir().unwrap();
    let (log, gate) = gated(directory.path());
    gate.state.lock().unwrap().instant = true;
    let (first, behind) = in_flight(&log, &gate).await;
    gate.open(false);
    for append in std::iter::once(first).chain(behind) {
        let _ = append.await.unwrap().unwrap();
    }
    let by_itself = async |number: u64| {
        let _ = append(&log, number..number + 1).await;
        gate.state.lock().unwrap().by == Some(std::thread::current().id())
    };
    for number in 1_000..1_004 {
        assert!(!by_itself(number).await, "{number}");
    }
    // It had been the sharing: alone again, it writes itself as soon as some syncs in a row were quick.
    let mut number = 2_000;
    while !by_itself(number).await {
        number += 1;
        assert!(number < 100_000, "every append went over to another thread");
    }
}

#[tokio::test]
async fn a_failed_sync_refuses_everything_behind_it() {
    let directory = tempfile::tempdir().unwrap();
    let (log, gate) = gated(directory.path());
    let (first, behind) = in_flight(&log, &gate).await;
    let again = start(&log, AppendCondition::none(), events(0..1));
    gate.open(true);
    let mut refused = 0;
    for append in std::iter::once(first).chain(behind).chain([again]) {
        let answer = append.await.unwrap();
        assert!(matches!(answer, Err(AppendError::Poisoned(_))), "{answer:?}");
        refused += 1;
    }
    assert_eq!(refused, 41);
    gate.open(false);
    let later = log.append(AppendCondition::none(), events(900..901)).await;
    assert!(matches!(later, Err(AppendError::Poisoned(_))), "{later:?}");
    assert_eq!(log.tail(), Position::START);
    assert!(all(&log).await.is_empty());
    log.close();
    // What was written of it may be there, in order, and nothing else.
    let log = EmbeddedLog::open(directory.path(), Options::default()).unwrap();
    assert!(!log.report().closed_in_order);
    assert!(log.tail().get() <= 1, "{} records", log.tail());
    assert_eq!(
        log.append(AppendCondition::none(), events(901..902)).await.unwrap().first,
        log.tail().previous().unwrap()
    );
}

#[tokio::test]
async fn a_crash_between_two_syncs_leaves_the_first() {
    let directory = tempfile::tempdir().unwrap();
    let (log, gate) = gated(directory.path());
    let _ = append(&log, 0..3).await;
    gate.shut();
    let second = start(&log, AppendCondition::none(), events(3..5));
    let reached = Arc::clone(&gate);
    tokio::task::spawn_blocking(move || reached.reached()).await.unwrap();
    let third: Vec<_> =
        (5..40).map(|number| start(&log, AppendCondition::none(), events(number..number + 1))).collect();
    tokio::task::yield_now().await;
    let crashed = tempfile::tempdir().unwrap();
    copy(directory.path(), crashed.path());
    gate.open(false);
    let _ = second.await.unwrap().unwrap();
    for append in third {
        let _ = append.await.unwrap().unwrap();
    }
    // The second batch was written and not synced: here it is whole. The third one was in memory only.
    let after = open(crashed.path());
    assert_events(&all(&after).await, 5);
    assert_eq!(log.tail().get(), 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_append_that_meets_nobody_is_written_by_its_caller_and_whoever_comes_meanwhile_is_not_lost() {
    for failing in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let (log, gate) = gated(directory.path());
        gate.state.lock().unwrap().instant = true;
        // As soon as some syncs in a row were quick.
        let mut number = 0;
        while gate.state.lock().unwrap().by != Some(std::thread::current().id()) {
            let _ = append(&log, number..number + 1).await;
            number += 1;
            assert!(number < 100_000, "every append went over to another thread");
        }
        gate.shut();
        let first = start(&log, AppendCondition::none(), events(number..number + 1));
        let reached = Arc::clone(&gate);
        tokio::task::spawn_blocking(move || reached.reached()).await.unwrap();
        let behind: Vec<_> = (1..40)
            .map(|later| start(&log, AppendCondition::none(), events(number + later..number + later + 1)))
            .collect();
        assert_eq!(log.tail().get(), number);
        assert_eq!(all(&log).await.len() as u64, number, "readers go on");
        let closing = Arc::clone(&log);
        gate.open(failing);
        for append in std::iter::once(first).chain(behind) {
            let answer = append.await.unwrap();
            assert_eq!(matches!(answer, Err(AppendError::Poisoned(_))), failing, "{answer:?}");
        }
        // Closing waits for whoever still has a role.
        tokio::task::spawn_blocking(move || closing.close()).await.unwrap();
        assert_eq!(log.tail().get(), if failing { number } else { number + 40 });
        assert!(matches!(log.append(AppendCondition::none(), events(0..1)).await, Err(AppendError::Closed)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_get_dense_positions_and_revisions_over_many_segments() {
    let directory = tempfile::tempdir().unwrap();
    let log = Arc::new(open(directory.path()));
    let writers: Vec<_> = (0..32_u64)
        .map(|writer| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let mut positions = Vec::new();
                for number in 0..30_u64 {
                    let first = (writer * 30 + number) * 3;
                    let call = events(first..first + 1 + number % 3);
                    let appended = log.append(AppendCondition::none(), call).await.unwrap();
                    positions.extend(appended.first.get()..=appended.last.get());
                }
                positions
            })
        })
        .collect();
    let mut positions = Vec::new();
    for writer in writers {
        let of_writer = writer.await.unwrap();
        assert!(of_writer.is_sorted());
        positions.extend(of_writer);
    }
    positions.sort_unstable();
    assert_eq!(positions, (0..32 * 60).collect::<Vec<u64>>());
    assert_eq!(log.tail().get(), 32 * 60);
    log.close();
    let report = verify(directory.path()).unwrap();
    assert_eq!((report.records, report.streams), (32 * 60, 3));
    assert!(report.segments > 20);
}
