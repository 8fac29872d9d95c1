//! How a command is carried out.

use std::time::Duration;

use domain::Event;
use eventlog::{AppendError, Direction, EventId, Filter, MAX_PAGE, NewEvent, Position};
use jiff::Timestamp;
use projections::folds::models::Models;
use projections::{Entry, Meta, seal};

use super::Registry;
use super::topic::Topic;
use crate::commands::Caller;
use crate::error::RegistryError;

/// How often a command is tried when others change the same things.
pub const MAX_ATTEMPTS: usize = 16;

/// How long a command waits until the read model has taken in what it appended.
pub const VISIBLE_WITHIN: Duration = Duration::from_secs(30);

/// What a command did.
#[derive(Clone, Debug)]
pub(super) struct Done {
    /// Where the first event stands; the last position that was known when there was nothing to do.
    pub(super) position: Position,
    /// What was appended.
    pub(super) events: Vec<Event>,
}

impl Registry {
    /// Decides a command on what is known, and appends the outcome on the condition that nothing was added to the topic meanwhile. No event means that there is nothing
    /// to do.
    pub(super) async fn command(
        &self,
        caller: &Caller,
        topic: Topic,
        ask: impl Fn(&Models, Position) -> Result<Vec<Event>, RegistryError>,
    ) -> Result<Done, RegistryError> {
        if let Some(done) = self.repeated(caller).await? {
            return Ok(done);
        }
        let _turn = self.turns.take(&topic).await;
        let mut caught_up = false;
        for _ in 0..MAX_ATTEMPTS {
            let (asked, next) = self.models.read(|models, next| (ask(models, next), next));
            let events = match asked {
                Ok(events) => events,
                Err(_) if !caught_up && self.log.tail() > next => {
                    self.catch_up().await?;
                    caught_up = true;
                    continue;
                }
                Err(refusal) => return Err(refusal),
            };
            if events.is_empty() {
                return Ok(Done { position: next.previous().unwrap_or(Position::START), events });
            }
            match self.log.append(topic.unchanged_since(next)?, seal_all(caller, &events)?).await {
                Ok(appended) => {
                    self.see(appended.last).await?;
                    return Ok(Done { position: appended.first, events });
                }
                Err(AppendError::QueryMatched { position }) => self.see(position).await?,
                // The same command, sent twice at once, has been carried out meanwhile.
                Err(error @ AppendError::IdConflict { .. }) => {
                    return self.repeated(caller).await?.ok_or(RegistryError::Append(error));
                }
                Err(error) => return Err(RegistryError::Append(error)),
            }
        }
        Err(RegistryError::Busy { topic: topic.to_string(), attempts: MAX_ATTEMPTS })
    }

    /// Waits until the read model knows everything that the log holds now.
    pub(super) async fn catch_up(&self) -> Result<(), RegistryError> {
        match self.log.tail().previous() {
            Some(last) => self.see(last).await,
            None => Ok(()),
        }
    }

    async fn see(&self, position: Position) -> Result<(), RegistryError> {
        let seen = self.progress.wait_for(position, VISIBLE_WITHIN).await;
        seen.map_err(|source| RegistryError::NotVisible { position, source })
    }

    /// What the command did already, when it is a repetition.
    async fn repeated(&self, caller: &Caller) -> Result<Option<Done>, RegistryError> {
        let Some(id) = caller.event_id else { return Ok(None) };
        let Some(position) = self.log.position_of(id).await? else { return Ok(None) };
        let mut last = position;
        for ordinal in 1..MAX_PAGE {
            // The events of one command stand together.
            match self.log.position_of(event_id(id, ordinal)).await? {
                Some(next) => last = next,
                None => break,
            }
        }
        let count = usize::try_from(last.get() - position.get()).unwrap_or(MAX_PAGE).saturating_add(1);
        let page = self.log.read(position, Direction::Forward, Filter::all(), count).await?;
        let events: Option<Vec<Event>> =
            page.into_iter().map(|record| Entry::decode(record).event().cloned()).collect();
        let events = events.ok_or_else(|| other_event(caller))?;
        self.see(last).await?;
        Ok(Some(Done { position, events }))
    }
}

/// The id of a command's event: the command's own for the first, derived from it for the others.
fn event_id(command: EventId, ordinal: usize) -> EventId {
    if ordinal == 0 { command } else { EventId::derived("command", &format!("{command}/{ordinal}")) }
}

fn seal_all(caller: &Caller, events: &[Event]) -> Result<Vec<NewEvent>, RegistryError> {
    let id = caller.event_id.unwrap_or_else(EventId::generate);
    let time = caller.event_time.unwrap_or_else(Timestamp::now);
    let sealed = events.iter().enumerate().map(|(ordinal, event)| {
        let mut meta = Meta::own(&caller.actor, Some(time));
        meta.correlation_id = caller.correlation_id;
        meta.id = event_id(id, ordinal);
        Ok(seal(event, meta)?)
    });
    sealed.collect()
}

/// The id of the command stands for something else.
pub(super) fn other_event(caller: &Caller) -> RegistryError {
    let id = caller.event_id.map(|id| id.to_string()).unwrap_or_default();
    RegistryError::conflict("event", id, "the id stands for another event")
}
