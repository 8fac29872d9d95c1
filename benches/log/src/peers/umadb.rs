//! UmaDB: its engine in this process, without its gRPC server, wired as that server wires it. It syncs the data pages and then the header: two syncs a
//! commit, shared by all appends that wait.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context as _;
use tokio::sync::{mpsc, oneshot, watch};
use umadb_core::db::UmaDb;
use umadb_core::io_shell::io_shell::start_io_uring_thread;
use umadb_core::mvcc::{Mvcc, StorageOptions};
use umadb_core::writer_thread_blocking::writer_thread_blocking;
use umadb_core::writer_thread_pipelining::writer_thread_pipelining;
use umadb_core::writer_thread_request::WriterThreadRequest;
use umadb_dcb::{DcbEvent, DcbEventStoreSync as _};
use uuid::Uuid;

use super::check_stored;
use crate::events::{Events, TYPE};
use crate::measure::{Measured, Writer, measure};

/// The version in the manifest.
pub const VERSION: &str = "UmaDB 0.7.8 (umadb-core)";

/// How it answers.
pub const DURABILITY: &str = "yes: two syncs a commit (group commit)";

/// What its server allows in a commit before it stops gathering.
const MAX_BATCH_EVENTS: usize = 2048;

/// Requests that may wait, as in its server.
const QUEUE: usize = 1024;

/// How its writer gets bytes to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `pwrite` and `fdatasync` from the writer's thread, its default.
    Blocking,
    /// Through io_uring while the next batch is built, its option `--pipelined-writer`.
    IoUring,
}

/// The engine.
pub struct Uma {
    requests: mpsc::Sender<WriterThreadRequest>,
    mvcc: Arc<Mvcc>,
    threads: Vec<JoinHandle<()>>,
}

impl Uma {
    /// Opens an empty store, and appends once to see that it works here: io_uring is forbidden in many containers.
    ///
    /// # Errors
    /// When it does not open or does not append.
    pub async fn start(folder: &Path, way: Way) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let options = StorageOptions::default().db_path(folder).pipelined_writer(way == Way::IoUring);
        let mvcc = Arc::new(without_its_words(|| Mvcc::new(false, options))??);
        let (requests, waiting) = mpsc::channel(QUEUE);
        let (head, _) = watch::channel(None);
        let mut threads = Vec::new();
        let writer_mvcc = Arc::clone(&mvcc);
        if way == Way::IoUring {
            let (jobs, work) = mpsc::unbounded_channel();
            let (file, page) = (mvcc.db_path.clone(), mvcc.page_size);
            threads.push(std::thread::spawn(move || start_io_uring_thread(file, page, work)));
            threads.push(std::thread::spawn(move || {
                writer_thread_pipelining(jobs, writer_mvcc, waiting, head, MAX_BATCH_EVENTS);
            }));
        } else {
            threads.push(std::thread::spawn(move || {
                writer_thread_blocking(writer_mvcc, waiting, head, MAX_BATCH_EVENTS);
            }));
        }
        let uma = Self { requests, mvcc, threads };
        uma.writer(1).write().await.with_context(|| format!("the first append ({way:?})"))?;
        Ok(uma)
    }

    fn writer(&self, per_call: u64) -> UmaWriter {
        UmaWriter { requests: self.requests.clone(), events: Events::new(), per_call }
    }

    /// So many writers at the same time with so many events a call.
    ///
    /// # Errors
    /// When an append fails.
    pub async fn run(&self, writers: u64, per_call: u64, seconds: f64) -> anyhow::Result<Measured> {
        let all = (0..writers).map(|_| self.writer(per_call)).collect();
        let (_, measured) = measure(all, per_call, seconds).await?;
        Ok(measured)
    }

    /// Compares what it holds with what was acknowledged.
    ///
    /// # Errors
    /// When events are missing.
    pub fn check(&self, counted: u64) -> anyhow::Result<()> {
        let stored = self.store().head()?.unwrap_or(0);
        check_stored("UmaDB", stored, counted)
    }

    /// Its contract for reading.
    pub fn store(&self) -> UmaDb {
        UmaDb::from_arc(Arc::clone(&self.mvcc))
    }

    /// Ends its threads.
    ///
    /// # Errors
    /// When one of them panicked.
    pub async fn stop(self) -> anyhow::Result<()> {
        let Self { requests, mvcc, threads } = self;
        // A thread that is gone already takes no message; joining it says how it went.
        let _ = requests.send(WriterThreadRequest::Shutdown).await;
        drop((requests, mvcc));
        let join = move || threads.into_iter().all(|thread| thread.join().is_ok());
        anyhow::ensure!(tokio::task::spawn_blocking(join).await?, "a thread of UmaDB panicked");
        Ok(())
    }
}

/// Sends what the work prints to the error output: the engine greets on standard out, where the tables go.
fn without_its_words<T>(work: impl FnOnce() -> T) -> anyhow::Result<T> {
    std::io::stdout().flush()?;
    let out = rustix::io::dup(std::io::stdout())?;
    rustix::stdio::dup2_stdout(std::io::stderr())?;
    let done = work();
    std::io::stdout().flush()?;
    rustix::stdio::dup2_stdout(&out)?;
    Ok(done)
}

struct UmaWriter {
    requests: mpsc::Sender<WriterThreadRequest>,
    events: Events,
    per_call: u64,
}

impl Writer for UmaWriter {
    async fn write(&mut self) -> anyhow::Result<()> {
        let events = self.events.take(self.per_call).into_iter().map(|event| {
            // Streams are tags here.
            let tags = [format!("workorder:{}", event.key), format!("asset:{}", event.asset)];
            DcbEvent::new().event_type(TYPE).tags(tags).data(event.payload).uuid(Uuid::now_v7())
        });
        let (response_tx, answer) = oneshot::channel();
        let request = WriterThreadRequest::Append {
            events: events.collect(),
            condition: None,
            tracking_info: None,
            response_tx,
            cancel: None,
        };
        self.requests.send(request).await.ok().context("the writer of UmaDB is gone")?;
        answer.await.context("UmaDB did not answer")??;
        Ok(())
    }
}
