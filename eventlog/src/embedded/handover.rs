//! How appends pass from their callers to the two committer threads, and the roles between those.
//!
//! There are two roles. Who has the [`Sequencer`] orders: it admits what waits and gives it places. Who has the [`Writer`] writes and syncs one batch.
//! A thread takes the sequencer, gathers a batch until the writer is free, takes the writer, and puts the sequencer back before it writes; so the other
//! thread orders the next batch while this one is being synced. A caller that finds both roles free and nobody before it may take them
//! itself; [`super::committer::submit`] says when.
//!
//! It is one lock and two condition variables, no lock-free code of our own. What is in its `Option` is free; who took it out has the role. Threads
//! without a role wait for work; who has the sequencer waits for the writer, and at the end the one that closes the log waits for both.

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

/// The log takes nothing more.
#[derive(Debug)]
pub(super) struct Closed;

pub(super) struct Handover {
    state: Mutex<State>,
    /// For the threads without a role.
    work: Condvar,
    /// For who has the sequencer, and for who closes the log.
    roles: Condvar,
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
    /// How many threads wait for work.
    idle: usize,
    /// What the thread that has the sequencer waits for.
    sequencer_waits: Option<For>,
    /// Whether a thread was woken to work and has not run yet.
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
            idle: 0,
            sequencer_waits: None,
            called: false,
            watched: false,
        };
        Self { state: Mutex::new(state), work: Condvar::new(), roles: Condvar::new() }
    }

    /// Puts a command at the end of the queue.
    pub(super) fn push(&self, command: Command) -> Result<(), Closed> {
        let mut state = self.state.lock();
        if !state.open {
            return Err(Closed);
        }
        state.commands.push_back(command);
        self.call(state);
        Ok(())
    }

    /// Takes the sequencer where nothing waits to be ordered, both roles are free, and `wanted` says so of them.
    pub(super) fn idle(&self, wanted: impl FnOnce(&Sequencer, &Writer) -> bool) -> Option<Box<Sequencer>> {
        let mut state = self.state.lock();
        let idle = state.open && state.commands.is_empty();
        let (Some(sequencer), Some(writer)) = (&state.sequencer, &state.writer) else { return None };
        if idle && wanted(sequencer, writer) { state.sequencer.take() } else { None }
    }

    /// Takes no more commands; what is in the queue is still done.
    pub(super) fn close(&self) {
        self.state.lock().open = false;
        self.work.notify_all();
        self.roles.notify_all();
    }

    /// A thread ends by a panic: nothing more can be done, and nobody may wait for it.
    pub(super) fn break_off(&self) {
        let mut state = self.state.lock();
        state.open = false;
        state.broken = true;
        let commands = std::mem::take(&mut state.commands);
        drop(state);
        self.work.notify_all();
        self.roles.notify_all();
        drop(commands);
    }

    /// Takes the writer for ever, after the threads have ended and the last caller that had a role gave it back. `None` when somebody lost it in a panic.
    pub(super) fn end(&self) -> Option<Box<Writer>> {
        let mut state = self.state.lock();
        while !state.broken && (state.sequencer.is_none() || state.writer.is_none()) {
            self.roles.wait(&mut state);
        }
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
                self.work.notify_all();
                return None;
            }
            if state.due()
                && let Some(sequencer) = state.sequencer.take()
            {
                return Some(sequencer);
            }
            state.idle += 1;
            self.work.wait(&mut state);
            state.idle -= 1;
            state.called = false;
        }
    }

    /// More commands when there are enough, otherwise the writer when it is free; waits for one of them. `None` when the other thread ended by a panic.
    pub(super) fn next(&self, sequencer: Box<Sequencer>) -> Option<Next> {
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
            if batch.is_empty() || state.writer.is_some() {
                return Some(self.hand_on(state, sequencer));
            }
            let more = batch::takes_more(batch.bytes(), batch.records());
            self.wait_for(&mut state, if more { For::Either } else { For::Writer });
        }
    }

    /// Writes what was gathered as soon as the writer is free, and nothing more is ordered before. `None` when somebody ended by a panic.
    pub(super) fn write_gathered(&self, sequencer: Box<Sequencer>) -> Option<Next> {
        let mut state = self.state.lock();
        loop {
            if state.broken {
                return None;
            }
            if sequencer.batch.is_empty() || state.writer.is_some() {
                return Some(self.hand_on(state, sequencer));
            }
            self.wait_for(&mut state, For::Writer);
        }
    }

    /// Puts the sequencer back, and takes the writer for what was gathered.
    fn hand_on(&self, mut state: MutexGuard<'_, State>, mut sequencer: Box<Sequencer>) -> Next {
        let writer = if sequencer.batch.is_empty() { None } else { state.writer.take() };
        let next = match writer {
            Some(writer) => Next::Write(writer, sequencer.close_batch()),
            None => Next::Nothing,
        };
        state.sequencer = Some(sequencer);
        self.call(state);
        next
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
            self.wait_for(&mut state, For::Writer);
        }
    }

    /// Puts the writer back.
    pub(super) fn release(&self, writer: Box<Writer>) {
        let mut state = self.state.lock();
        state.writer = Some(writer);
        self.call(state);
    }

    /// Wakes who has something to do now, unless it is awake.
    fn call(&self, mut state: MutexGuard<'_, State>) {
        let ends = !state.open;
        let holder = match state.sequencer_waits {
            Some(For::Either) => state.writer.is_some() || state.due(),
            Some(For::Writer) => state.writer.is_some(),
            None => false,
        };
        // A thread that was woken before and has not run yet will see everything that is in the state by then.
        let worker = state.sequencer.is_some() && !state.watched && state.due() && state.idle > 0 && !state.called;
        state.called |= worker;
        drop(state);
        if holder || ends {
            self.roles.notify_all();
        }
        if worker {
            self.work.notify_one();
        }
    }

    fn wait_for(&self, state: &mut MutexGuard<'_, State>, what: For) {
        state.sequencer_waits = Some(what);
        self.roles.wait(state);
        state.sequencer_waits = None;
    }
}
