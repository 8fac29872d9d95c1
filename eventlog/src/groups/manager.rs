//! Groups at work: they read the log, hand out records, and keep their state in the log.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::events::{
    DEFINED, DELETED, Defined, PARKED, PROGRESSED, ParkedNow, Progressed, REPLAYED, RESET, Replayed, Streams, event,
    parsed,
};
use super::state::State;
use super::{
    Definition, Delivery, GroupError, GroupName, GroupStatus, MAX_DELAY, MAX_FETCH, MAX_GROUPS, MAX_PARKED, Parked,
    Receipt, Refusal, SAVE_AFTER, SAVE_EVERY, Settled, Start,
};
use crate::metadata::is_system;
use crate::page::weight;
use crate::{
    AppendCondition, AppendError, Direction, EventLog, EventType, Expected, Filter, InvalidName, MAX_PAGE_BYTES,
    NewEvent, Position, QueryItem, Record, Revision,
};

/// The records that are looked at in one go where a page held nothing to deliver.
const SCAN_PAGE: usize = 1_000;

/// The records of a group's own streams that are read in one go.
const LOAD_PAGE: usize = 1_000;

/// Who appends the state of groups, where nobody asked for it.
const ACTOR: &str = "groups";

/// The groups of a log. Dropping it leaves unsaved progress behind, which costs deliveries anew; [`close`](Self::close) saves it.
pub struct Groups {
    inner: Arc<Inner>,
    saver: JoinHandle<()>,
}

struct Inner {
    log: Arc<dyn EventLog>,
    started: Instant,
    groups: RwLock<BTreeMap<GroupName, Arc<Shared>>>,
    /// One at a time defines and deletes.
    defining: Mutex<()>,
    unsaved: Arc<Notify>,
}

/// One group, shared by those who ask.
struct Shared {
    group: Mutex<Group>,
    /// Something can be delivered that could not before.
    changed: Notify,
}

struct Group {
    name: GroupName,
    definition: Definition,
    streams: Streams,
    state: State,
    /// The last revision of the progress stream: the next append finds it there, or somebody else serves the group.
    revision: Option<Revision>,
    /// Settled or delivered since the last save.
    changes: usize,
    parked: Vec<Parked>,
    replayed: Vec<Position>,
    deleted: bool,
    served_elsewhere: bool,
}

fn invalid(field: &'static str) -> impl FnOnce(InvalidName) -> GroupError {
    move |error| GroupError::Invalid { field, reason: error.to_string() }
}

impl Groups {
    /// Opens all groups of a log. Call it within a tokio runtime: a task saves the progress.
    ///
    /// # Errors
    /// [`GroupError::Read`] and [`GroupError::State`].
    pub async fn open(log: Arc<dyn EventLog>) -> Result<Self, GroupError> {
        let mut groups = BTreeMap::new();
        for (name, definition) in definitions(&*log).await? {
            let group = Group::load(&*log, name.clone(), definition).await?;
            groups.insert(name, Arc::new(Shared { group: Mutex::new(group), changed: Notify::new() }));
        }
        let inner = Arc::new(Inner {
            log,
            started: Instant::now(),
            groups: RwLock::new(groups),
            defining: Mutex::new(()),
            unsaved: Arc::new(Notify::new()),
        });
        let saver = tokio::spawn(save_at_times(Arc::downgrade(&inner), Arc::clone(&inner.unsaved)));
        Ok(Self { inner, saver })
    }

    /// Makes a group, or changes what an existing one delivers from now on and how. Answers whether it is new.
    ///
    /// # Errors
    /// [`GroupError`].
    pub async fn define(&self, name: &GroupName, definition: Definition, actor: &str) -> Result<bool, GroupError> {
        definition.check()?;
        let _one_at_a_time = self.inner.defining.lock().await;
        let log = &*self.inner.log;
        let streams = Streams::of(name).map_err(invalid("name"))?;
        let defined = Defined { name: name.clone(), definition: definition.clone() };
        let defined = event(&streams.definition, DEFINED, &defined, actor).map_err(invalid("name"))?;
        if let Ok(existing) = self.inner.group(name) {
            let mut group = existing.group.lock().await;
            let appended = log.append(AppendCondition::none(), vec![defined]).await;
            let _ = appended.map_err(|source| GroupError::Save { group: name.clone(), source })?;
            group.definition = definition;
            existing.changed.notify_waiters();
            return Ok(false);
        }
        if self.inner.groups.read().len() >= MAX_GROUPS {
            return Err(GroupError::TooMany);
        }
        let cursor = match definition.start {
            Start::Beginning => Position::START,
            Start::Tail => log.tail(),
            Start::Position(position) => position,
        };
        let mut group = Group::new(name.clone(), definition, streams, State::restored(cursor, &[], Vec::new()));
        // A group of this name that was deleted left its progress.
        group.revision = last_revision(log, &group).await?;
        let reset = event(&group.streams.parked, RESET, &serde_json::Value::Null, actor).map_err(invalid("name"))?;
        group.save_with(log, vec![defined, reset]).await?;
        let shared = Arc::new(Shared { group: Mutex::new(group), changed: Notify::new() });
        self.inner.groups.write().insert(name.clone(), shared);
        Ok(true)
    }

    /// Deletes a group with its progress and what it parked. The records stay where they are.
    ///
    /// # Errors
    /// [`GroupError`].
    pub async fn delete(&self, name: &GroupName, actor: &str) -> Result<(), GroupError> {
        let _one_at_a_time = self.inner.defining.lock().await;
        let shared = self.inner.group(name)?;
        let mut group = shared.group.lock().await;
        let deleted = Defined { name: name.clone(), definition: group.definition.clone() };
        let deleted = event(&group.streams.definition, DELETED, &deleted, actor).map_err(invalid("name"))?;
        let appended = self.inner.log.append(AppendCondition::none(), vec![deleted]).await;
        let _ = appended.map_err(|source| GroupError::Save { group: name.clone(), source })?;
        group.deleted = true;
        self.inner.groups.write().remove(name);
        shared.changed.notify_waiters();
        Ok(())
    }

    /// How every group is doing, by name.
    pub async fn list(&self) -> Vec<GroupStatus> {
        let groups: Vec<Arc<Shared>> = self.inner.groups.read().values().cloned().collect();
        let mut statuses = Vec::with_capacity(groups.len());
        for shared in groups {
            statuses.push(shared.group.lock().await.status(self.inner.log.tail()));
        }
        statuses
    }

    /// How one group is doing.
    ///
    /// # Errors
    /// [`GroupError::Unknown`].
    pub async fn status(&self, name: &GroupName) -> Result<GroupStatus, GroupError> {
        let shared = self.inner.group(name)?;
        let status = shared.group.lock().await.status(self.inner.log.tail());
        Ok(status)
    }

    /// Hands out up to `most` records (and up to [`MAX_FETCH`]), and waits for the first one up to `patience`. The answer can be empty.
    ///
    /// A caller that goes away while it waits has lost nothing; one that goes away with the answer lets the leases run out.
    ///
    /// # Errors
    /// [`GroupError`].
    pub async fn fetch(&self, name: &GroupName, most: usize, patience: Duration) -> Result<Vec<Delivery>, GroupError> {
        if !(1..=MAX_FETCH).contains(&most) {
            return Err(GroupError::Invalid { field: "max", reason: format!("{most} is not from 1 to {MAX_FETCH}") });
        }
        let shared = self.inner.group(name)?;
        let deadline = Instant::now() + patience.min(MAX_DELAY);
        let mut tail = self.inner.log.watch_tail();
        loop {
            // Ordering: both are marked as seen before the group is asked, so that what changes in between wakes the wait below.
            tail.borrow_and_update();
            let changed = shared.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let over = Instant::now() >= deadline;
            let next_change = {
                let mut group = shared.group.lock().await;
                let deliveries = group.take(&self.inner, most).await?;
                if !deliveries.is_empty() || over {
                    return Ok(deliveries);
                }
                group.state.next_change()
            };
            let wake = next_change.map_or(deadline, |at| deadline.min(self.inner.started + at));
            tokio::select! {
                () = &mut changed => {}
                () = tokio::time::sleep_until(wake) => {}
                announced = tail.changed() => if announced.is_err() { return Ok(Vec::new()) },
            }
        }
    }

    /// Takes records as done.
    ///
    /// # Errors
    /// [`GroupError`]. After [`GroupError::Save`] the records count as done in this process, and may be delivered again after its end.
    pub async fn acknowledge(&self, name: &GroupName, receipts: &[Receipt]) -> Result<Settled, GroupError> {
        let shared = self.inner.group(name)?;
        let mut group = shared.group.lock().await;
        group.check_served(name)?;
        let settled = group.state.acknowledge(receipts);
        group.changed(settled.settled, &self.inner);
        if group.changes >= SAVE_AFTER {
            group.save(&*self.inner.log).await?;
        }
        // There may be room for more in flight.
        shared.changed.notify_waiters();
        Ok(settled)
    }

    /// Takes records back that could not be handled.
    ///
    /// # Errors
    /// [`GroupError`].
    pub async fn refuse(
        &self,
        name: &GroupName,
        receipts: &[Receipt],
        refusal: Refusal,
        reason: &str,
    ) -> Result<Settled, GroupError> {
        if matches!(refusal, Refusal::Retry(delay) if delay > MAX_DELAY) {
            let reason = format!("a retry is delayed by {} s at most", MAX_DELAY.as_secs());
            return Err(GroupError::Invalid { field: "delay_ms", reason });
        }
        let shared = self.inner.group(name)?;
        let mut group = shared.group.lock().await;
        group.check_served(name)?;
        let limits = (self.inner.now(), group.definition.max_attempts);
        let (settled, parked) = group.state.refuse(receipts, &refusal, reason, limits);
        group.changed(settled.settled, &self.inner);
        group.note_parked(parked);
        if !group.parked.is_empty() {
            group.save(&*self.inner.log).await?;
        }
        shared.changed.notify_waiters();
        Ok(settled)
    }

    /// Parked records from a position on, in the order of the log.
    ///
    /// # Errors
    /// [`GroupError::Unknown`].
    pub async fn parked(&self, name: &GroupName, from: Position, most: usize) -> Result<Vec<Parked>, GroupError> {
        let shared = self.inner.group(name)?;
        let group = shared.group.lock().await;
        Ok(group.state.parked().range(from..).take(most).map(|(_, parked)| parked.clone()).collect())
    }

    /// Delivers parked records again: those named, or all. Answers those that are; no more than may be in flight.
    ///
    /// # Errors
    /// [`GroupError`].
    pub async fn replay_parked(
        &self,
        name: &GroupName,
        positions: Option<&[Position]>,
    ) -> Result<Vec<Position>, GroupError> {
        let shared = self.inner.group(name)?;
        let mut group = shared.group.lock().await;
        group.check_served(name)?;
        let room = group.definition.max_in_flight.saturating_sub(group.state.open_count());
        let replayed = group.state.replay(positions, self.inner.now(), room);
        group.note_replayed(&replayed);
        if !group.replayed.is_empty() {
            group.save(&*self.inner.log).await?;
        }
        shared.changed.notify_waiters();
        Ok(replayed)
    }

    /// Saves all progress.
    ///
    /// # Errors
    /// The first [`GroupError`]; the other groups are saved all the same.
    pub async fn close(&self) -> Result<(), GroupError> {
        self.saver.abort();
        self.inner.save_all().await
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        self.saver.abort();
    }
}

impl std::fmt::Debug for Groups {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.inner.groups.read().keys()).finish()
    }
}

impl Inner {
    fn group(&self, name: &GroupName) -> Result<Arc<Shared>, GroupError> {
        self.groups.read().get(name).cloned().ok_or_else(|| GroupError::Unknown(name.clone()))
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    async fn save_all(&self) -> Result<(), GroupError> {
        let groups: Vec<Arc<Shared>> = self.groups.read().values().cloned().collect();
        let mut result = Ok(());
        for shared in groups {
            let mut group = shared.group.lock().await;
            if group.has_unsaved() {
                result = result.and(group.save(&*self.log).await);
            }
        }
        result
    }
}

/// Saves what changed, [`SAVE_EVERY`] after it did.
async fn save_at_times(inner: std::sync::Weak<Inner>, unsaved: Arc<Notify>) {
    loop {
        unsaved.notified().await;
        tokio::time::sleep(SAVE_EVERY).await;
        let Some(inner) = inner.upgrade() else { return };
        if let Err(error) = inner.save_all().await {
            tracing::warn!(%error, "the progress of a group could not be saved; what was acknowledged may be delivered again");
            if matches!(&error, GroupError::Save { source, .. } if source.retryable()) {
                unsaved.notify_one();
            }
        }
    }
}

impl Group {
    fn new(name: GroupName, definition: Definition, streams: Streams, state: State) -> Self {
        Self {
            name,
            definition,
            streams,
            state,
            revision: None,
            changes: 0,
            parked: Vec::new(),
            replayed: Vec::new(),
            deleted: false,
            served_elsewhere: false,
        }
    }

    /// The group as its streams have it.
    async fn load(log: &dyn EventLog, name: GroupName, definition: Definition) -> Result<Self, GroupError> {
        let streams = Streams::of(&name).map_err(invalid("name"))?;
        let last = Revision::new(u64::MAX);
        let page = log.read_stream(streams.progress.clone(), last, Direction::Backward, 1).await?;
        let progressed: Progressed = match page.first() {
            Some(record) => parsed(record)?,
            None => Progressed { cursor: Position::START, open: Vec::new() },
        };
        let parked = load_parked(log, &streams).await?;
        let state = State::restored(progressed.cursor, &progressed.open, parked);
        let mut group = Self::new(name, definition, streams, state);
        group.revision = page.first().map(|record| record.revision);
        Ok(group)
    }

    fn status(&self, tail: Position) -> GroupStatus {
        let leased = self.state.leased_count();
        GroupStatus {
            name: self.name.clone(),
            definition: self.definition.clone(),
            cursor: self.state.cursor(),
            lag: tail.get().saturating_sub(self.state.cursor().get()),
            leased,
            waiting: self.state.open_count() - leased,
            parked: self.state.parked().len(),
        }
    }

    fn check_served(&self, name: &GroupName) -> Result<(), GroupError> {
        match (self.deleted, self.served_elsewhere) {
            (true, _) => Err(GroupError::Unknown(name.clone())),
            (_, true) => Err(GroupError::Elsewhere(name.clone())),
            _ => Ok(()),
        }
    }

    fn changed(&mut self, count: usize, inner: &Inner) {
        self.changes += count;
        if self.changes > 0 {
            inner.unsaved.notify_one();
        }
    }

    /// Keeps for the next save what was parked. Only the last word about a record is kept, since a save may have to be tried again.
    fn note_parked(&mut self, parked: Vec<Parked>) {
        self.replayed.retain(|position| parked.iter().all(|parked| parked.position != *position));
        self.parked.extend(parked);
    }

    /// Keeps for the next save what was replayed.
    fn note_replayed(&mut self, replayed: &[Position]) {
        self.parked.retain(|parked| !replayed.contains(&parked.position));
        self.replayed.extend(replayed);
    }

    fn has_unsaved(&self) -> bool {
        let unsaved = self.changes > 0 || !self.parked.is_empty() || !self.replayed.is_empty();
        unsaved && !self.deleted && !self.served_elsewhere
    }

    /// Leases what can be delivered now.
    async fn take(&mut self, inner: &Inner, most: usize) -> Result<Vec<Delivery>, GroupError> {
        let name = self.name.clone();
        self.check_served(&name)?;
        let parked = self.state.expire(inner.now(), self.definition.max_attempts);
        self.note_parked(parked);
        if !self.parked.is_empty() {
            self.save(&*inner.log).await?;
        }
        if self.state.parked().len() >= MAX_PARKED {
            return Err(GroupError::ParkedFull(name));
        }
        let mut records = self.due(inner, most).await?;
        let cursor = if records.is_empty() { Some(self.fresh(inner, most, &mut records).await?) } else { None };
        // From here on nothing waits: a caller that goes away before has taken nothing.
        let until = inner.now() + self.definition.lease();
        let lease = |record: Record| Delivery { attempt: self.state.lease(record.position, until), record };
        let deliveries: Vec<Delivery> = records.into_iter().map(lease).collect();
        // A cursor that moves over records that concern nobody is not worth a record of its own, which would move it again.
        if let Some(cursor) = cursor {
            self.state.advance(cursor);
        }
        self.changed(deliveries.len(), inner);
        Ok(deliveries)
    }

    /// Records that are to be delivered again.
    async fn due(&self, inner: &Inner, most: usize) -> Result<Vec<Record>, GroupError> {
        let mut records = Vec::new();
        let mut bytes = 0;
        for position in self.state.due(inner.now(), most) {
            let page = inner.log.read(position, Direction::Forward, Filter::all(), 1).await?;
            let record = page.into_iter().next().filter(|record| record.position == position);
            let record = record.ok_or_else(|| GroupError::State {
                position,
                reason: "the log ends before a record that was delivered".to_owned(),
            })?;
            bytes += weight(&record);
            if bytes > MAX_PAGE_BYTES && !records.is_empty() {
                break;
            }
            records.push(record);
        }
        Ok(records)
    }

    /// Records that were never delivered, as many as there is room for. Answers the cursor behind them.
    async fn fresh(&self, inner: &Inner, most: usize, records: &mut Vec<Record>) -> Result<Position, GroupError> {
        let room = self.definition.max_in_flight.saturating_sub(self.state.open_count()).min(most);
        let mut cursor = self.state.cursor();
        let mut wanted = room;
        while records.is_empty() && room > 0 {
            let tail = inner.log.tail();
            if cursor >= tail {
                break;
            }
            let page = inner.log.read(cursor, Direction::Forward, self.definition.filter.clone(), wanted).await?;
            let end = page.last().map_or(tail, |record| record.position.next()).max(cursor);
            let behind = page.next.unwrap_or_else(|| end.max(tail));
            cursor = behind;
            for record in page {
                if records.len() == room {
                    cursor = record.position;
                    break;
                }
                if !is_system(&record.stream) {
                    records.push(record);
                }
            }
            wanted = SCAN_PAGE;
        }
        Ok(cursor)
    }

    async fn save(&mut self, log: &dyn EventLog) -> Result<(), GroupError> {
        self.save_with(log, Vec::new()).await
    }

    /// Appends the state, together with further events: all or nothing.
    async fn save_with(&mut self, log: &dyn EventLog, mut events: Vec<NewEvent>) -> Result<(), GroupError> {
        let name = self.name.clone();
        self.check_served(&name)?;
        let streams = &self.streams;
        if !self.parked.is_empty() {
            let parked = ParkedNow { parked: self.parked.clone() };
            events.push(event(&streams.parked, PARKED, &parked, ACTOR).map_err(invalid("name"))?);
        }
        if !self.replayed.is_empty() {
            let replayed = Replayed { positions: self.replayed.clone() };
            events.push(event(&streams.parked, REPLAYED, &replayed, ACTOR).map_err(invalid("name"))?);
        }
        let progressed = Progressed { cursor: self.state.cursor(), open: self.state.open() };
        events.push(event(&streams.progress, PROGRESSED, &progressed, ACTOR).map_err(invalid("name"))?);
        let expected = self.revision.map_or(Expected::NoStream, Expected::Exactly);
        let condition = AppendCondition::stream(streams.progress.clone(), expected);
        match log.append(condition, events).await {
            Ok(_) => {
                self.revision = Some(self.revision.map_or(Revision::START, Revision::next));
                self.changes = 0;
                self.parked.clear();
                self.replayed.clear();
                Ok(())
            }
            Err(AppendError::Conflict { .. }) => {
                self.served_elsewhere = true;
                Err(GroupError::Elsewhere(name))
            }
            Err(source) => Err(GroupError::Save { group: name, source }),
        }
    }
}

async fn last_revision(log: &dyn EventLog, group: &Group) -> Result<Option<Revision>, GroupError> {
    let last = Revision::new(u64::MAX);
    let page = log.read_stream(group.streams.progress.clone(), last, Direction::Backward, 1).await?;
    Ok(page.first().map(|record| record.revision))
}

/// The groups that there are, as last defined.
async fn definitions(log: &dyn EventLog) -> Result<HashMap<GroupName, Definition>, GroupError> {
    let types = [DEFINED, DELETED].map(EventType::new).into_iter().collect::<Result<Vec<_>, _>>();
    let types = types.map_err(invalid("type"))?;
    let filter = Filter { items: vec![QueryItem { types, ..QueryItem::default() }] };
    let mut groups = HashMap::new();
    let mut next = Some(Position::START);
    while let Some(from) = next {
        let page = log.read(from, Direction::Forward, filter.clone(), LOAD_PAGE).await?;
        for record in &page {
            let Defined { name, definition } = parsed(record)?;
            match record.event_type.as_str() {
                DEFINED => groups.insert(name, definition),
                _ => groups.remove(&name),
            };
        }
        next = page.next;
    }
    Ok(groups)
}

/// What is parked now.
async fn load_parked(log: &dyn EventLog, streams: &Streams) -> Result<Vec<Parked>, GroupError> {
    let mut parked = BTreeMap::new();
    let mut next = Some(Revision::START);
    while let Some(from) = next {
        let page = log.read_stream(streams.parked.clone(), from, Direction::Forward, LOAD_PAGE).await?;
        for record in &page {
            match record.event_type.as_str() {
                PARKED => {
                    let now: ParkedNow = parsed(record)?;
                    parked.extend(now.parked.into_iter().map(|parked| (parked.position, parked)));
                }
                REPLAYED => {
                    let replayed: Replayed = parsed(record)?;
                    replayed.positions.iter().for_each(|position| drop(parked.remove(position)));
                }
                RESET => parked.clear(),
                _ => {}
            }
        }
        next = page.next;
    }
    Ok(parked.into_values().collect())
}
