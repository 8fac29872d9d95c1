//! How appends pass from their callers to the two committer threads, and the roles between those.
//!
//! There are two roles. Who has the [`Sequencer`] orders: it admits what waits and gives it places. Who has the [`Writer`] writes and syncs one batch.
//! A thread takes the sequencer, gathers a batch until the writer is free, takes the writer, and puts the sequencer back before it writes; so the other
//! thread orders the next batch while this one is being synced, and nobody hands a single append from thread to thread.
//!
//! It is one lock and one condition variable, no lock-free code of our own. What is in its `Option` is free; who took it out has the role. At any time all
//! threads that wait do so for the same reason: either both wait for work, or one waits for the writer that the other has.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::oneshot;

use super::batch::{self, Answer, Batch, Call};
use super::committer::{Sequencer, Writer};
use crate::AppendError;

/// While a batch is being synced, so many waiting commands wake the thread that orders; fewer wait until the sync is over, since waking costs more than
/// ordering them.
const ENOUGH_COMMANDS: usize = 16;

/// What the committers are told.
pub(super) enum Command {
    Append(Box<Call>, Answer),
    /// Close the segment and begin the next one, unless it is empty; the answer says whether that happened.
    Rotate(oneshot::Sender<Result<bool, AppendError>>),
}

impl Command {
    /// Bytes and records.
    pub(super) fn size(&self) -> (usize, usize) {
        match self {
            Self::Append(call, _) => (call.drafts.bytes, call.events.len()),
            Self::Rotate(_) => (0, 0),
        }
    }
}

pub(super) struct Handover {
    state: Mutex<State>,
    changed: Condvar,
}

/// What a thread with the sequencer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For {
    /// The writer, or enough commands.
    Either,
    /// The writer alone.
    Writer,
}

struct State {
    commands: VecDeque<Command>,
    /// Whether commands are taken.
    open: bool,
    /// Whether a thread ended by a panic and took a role with it.
    broken: bool,
    sequencer: Option<Box<Sequencer>>,
    writer: Option<Box<Writer>>,
    /// How many threads wait.
    waiting: usize,
    /// What the thread that has the sequencer waits for.
    sequencer_waits: Option<For>,
    /// Whether a thread was woken and has not run yet.
    called: bool,
    /// Whether a thread looks again and again for something to do, and need not be woken.
    watched: bool,
}

impl State {
    /// Whether there is nothing to do for a thread without a role.
    fn waits(&self) -> bool {
        self.open && !self.broken && !(self.due() && self.sequencer.is_some())
    }

    /// Takes commands off the queue, as many as a batch takes that holds so much already.
    fn take(&mut self, mut bytes: usize, mut records: usize) -> Vec<Command> {
        let mut taken = Vec::with_capacity(self.commands.len());
        while batch::takes_more(bytes, records)
            && let Some(command) = self.commands.pop_front()
        {
            let size = command.size();
            (bytes, records) = (bytes + size.0, records + size.1);
            taken.push(command);
        }
        taken
    }

    /// Whether what waits should be ordered now.
    fn due(&self) -> bool {
        !self.commands.is_empty() && (self.writer.is_some() || self.commands.len() >= ENOUGH_COMMANDS || !self.open)
    }
}

/// How long a committer looks for the next append before it sleeps. A writer that waits for each answer comes back within the time that waking a
/// thread takes, so that looking saves a part of its latency; where nobody comes, less and less is looked.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// How often in a row nobody came.
    disappointments: u32,
    /// How many times are passed over before the next try.
    passed_over: u32,
}

/// The longest look.
const LONGEST_LOOK: Duration = Duration::from_micros(60);

impl Patience {
    fn watches(&mut self) -> bool {
        match self.passed_over.checked_sub(1) {
            Some(rest) => {
                self.passed_over = rest;
                false
            }
            None => true,
        }
    }

    fn watch(&mut self, mut found: impl FnMut() -> bool) {
        let start = Instant::now();
        while start.elapsed() < LONGEST_LOOK {
            if found() {
                self.disappointments = 0;
                return;
            }
            // Whoever else has something to do goes first.
            std::thread::yield_now();
        }
        self.disappointments = (self.disappointments + 1).min(8);
        self.passed_over = 1 << self.disappointments;
    }
}

/// What the thread that orders does next.
pub(super) enum Next {
    /// Order these.
    Order(Box<Sequencer>, Vec<Command>),
    /// Write this. Somebody else may order now.
    Write(Box<Writer>, Batch),
    /// Nothing was gathered. Somebody else may order now.
    Nothing,
}

impl Handover {
    pub(super) fn new(sequencer: Sequencer, writer: Writer) -> Self {
        let state = State {
            commands: VecDeque::new(),
            open: true,
            broken: false,
            sequencer: Some(Box::new(sequencer)),
            writer: Some(Box::new(writer)),
            waiting: 0,
            sequencer_waits: None,
            called: false,
            watched: false,
        };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Puts a command at the end of the queue. When the log is closed it comes back.
    pub(super) fn push(&self, command: Command) -> Result<(), Command> {
        let mut state = self.state.lock();
        if !state.open {
            return Err(command);
        }
        state.commands.push_back(command);
        self.call_when_due(state);
        Ok(())
    }

    /// Takes no more commands; what is in the queue is still done.
    pub(super) fn close(&self) {
        self.state.lock().open = false;
        self.changed.notify_all();
    }

    /// A thread ends by a panic: nothing more can be done, and nobody may wait for it.
    pub(super) fn break_off(&self) {
        let mut state = self.state.lock();
        state.open = false;
        state.broken = true;
        let commands = std::mem::take(&mut state.commands);
        drop(state);
        self.changed.notify_all();
        drop(commands);
    }

    /// Takes the writer for ever, after the threads have ended. `None` when one of them lost it in a panic.
    pub(super) fn end(&self) -> Option<Box<Writer>> {
        let mut state = self.state.lock();
        state.sequencer = None;
        state.writer.take()
    }

    /// Waits for something to order, and takes the sequencer. `None` when the log is closed and everything is ordered.
    pub(super) fn sequencer(&self, patience: &mut Patience) -> Option<Box<Sequencer>> {
        let mut state = self.state.lock();
        if !state.watched && state.waits() && patience.watches() {
            state.watched = true;
            drop(state);
            patience.watch(|| self.state.try_lock().is_some_and(|state| !state.waits()));
            state = self.state.lock();
            state.watched = false;
        }
        loop {
            if state.broken || (!state.open && state.commands.is_empty()) {
                drop(state);
                self.changed.notify_all();
                return None;
            }
            if state.due()
                && let Some(sequencer) = state.sequencer.take()
            {
                return Some(sequencer);
            }
            self.wait(&mut state);
        }
    }

    /// More commands when there are enough, otherwise the writer when it is free; waits for one of them. `None` when the other thread ended by a panic.
    pub(super) fn next(&self, mut sequencer: Box<Sequencer>) -> Option<Next> {
        let mut state = self.state.lock();
        loop {
            if state.broken {
                return None;
            }
            let batch = &sequencer.batch;
            if state.due() && batch::takes_more(batch.bytes(), batch.records()) {
                let commands = state.take(batch.bytes(), batch.records());
                return Some(Next::Order(sequencer, commands));
            }
            if batch.is_empty() {
                state.sequencer = Some(sequencer);
                self.call_when_due(state);
                return Some(Next::Nothing);
            }
            if let Some(writer) = state.writer.take() {
                let batch = sequencer.close_batch();
                state.sequencer = Some(sequencer);
                self.call_when_due(state);
                return Some(Next::Write(writer, batch));
            }
            let more = batch::takes_more(batch.bytes(), batch.records());
            state.sequencer_waits = Some(if more { For::Either } else { For::Writer });
            self.wait(&mut state);
            state.sequencer_waits = None;
        }
    }

    /// Waits for the writer, so that nothing is on its way to the disk. `None` when the other thread ended by a panic.
    pub(super) fn writer(&self) -> Option<Box<Writer>> {
        let mut state = self.state.lock();
        loop {
            if state.broken {
                return None;
            }
            if let Some(writer) = state.writer.take() {
                return Some(writer);
            }
            state.sequencer_waits = Some(For::Writer);
            self.wait(&mut state);
            state.sequencer_waits = None;
        }
    }

    /// Puts the writer back.
    pub(super) fn release(&self, writer: Box<Writer>) {
        let mut state = self.state.lock();
        state.writer = Some(writer);
        if state.sequencer_waits.is_some() {
            self.call(state);
        } else {
            self.call_when_due(state);
        }
    }

    fn call_when_due(&self, state: MutexGuard<'_, State>) {
        let listens = state.sequencer_waits == Some(For::Either) || (state.sequencer.is_some() && !state.watched);
        if state.due() && listens {
            self.call(state);
        }
    }

    /// Wakes one thread, unless one is waking already: it will see everything that is in the state by then.
    fn call(&self, mut state: MutexGuard<'_, State>) {
        if state.waiting > 0 && !state.called {
            state.called = true;
            drop(state);
            self.changed.notify_one();
        }
    }

    fn wait(&self, state: &mut MutexGuard<'_, State>) {
        state.waiting += 1;
        self.changed.wait(state);
        state.waiting -= 1;
        state.called = false;
    }
}
