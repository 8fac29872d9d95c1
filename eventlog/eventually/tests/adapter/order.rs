//! An aggregate as `eventually-core` has it. It knows nothing of the log, except for the names of its events.

use std::fmt;
use std::str::FromStr;

use eventlog::{EventType, InvalidName};
use eventlog_eventually::EventKind;
use eventually_core::aggregate::Aggregate;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrderId(pub u64);

impl fmt::Display for OrderId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "A-{}", self.0)
    }
}

impl FromStr for OrderId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_prefix("A-").and_then(|number| number.parse().ok());
        number.map(Self).ok_or_else(|| format!("{text} is not an order"))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    Placed { article: String },
    PicksAdded { picks: u32 },
    Shipped,
}

#[derive(Clone, Debug)]
pub enum Command {
    Place { article: &'static str },
    AddPicks(u32),
    Ship,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub article: Option<String>,
    pub picks: u32,
    pub shipped: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Refused(pub &'static str);

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl std::error::Error for Refused {}

#[derive(Clone, Debug)]
pub struct Order;

impl Aggregate for Order {
    type Id = OrderId;
    type State = State;
    type Event = Event;
    type Command = Command;
    type Error = Refused;

    fn apply(mut state: State, event: Event) -> Result<State, Refused> {
        match event {
            Event::Placed { article } => state.article = Some(article),
            Event::PicksAdded { picks } => state.picks += picks,
            Event::Shipped => state.shipped = true,
        }
        Ok(state)
    }

    fn handle<'a, 's: 'a>(
        &'a self,
        _: &'s OrderId,
        state: &'s State,
        command: Command,
    ) -> BoxFuture<'a, Result<Option<Vec<Event>>, Refused>> {
        let decided = match (&state.article, command) {
            (None, Command::Place { article }) => {
                Ok(Some(vec![Event::Placed { article: article.to_owned() }, Event::PicksAdded { picks: 0 }]))
            }
            (None, _) => Err(Refused("no such order")),
            (Some(_), Command::Place { .. }) => Err(Refused("placed already")),
            (Some(_), _) if state.shipped => Err(Refused("shipped already")),
            (Some(_), Command::AddPicks(0)) => Ok(None),
            (Some(_), Command::AddPicks(picks)) => Ok(Some(vec![Event::PicksAdded { picks }])),
            (Some(_), Command::Ship) => Ok(Some(vec![Event::Shipped])),
        };
        Box::pin(std::future::ready(decided))
    }
}

pub fn naming(event: &Event) -> Result<EventKind, InvalidName> {
    let (name, schema_version) = match event {
        Event::Placed { .. } => ("order.placed", 2),
        Event::PicksAdded { .. } => ("order.picks_added", 1),
        Event::Shipped => ("order.shipped", 1),
    };
    Ok(EventKind { event_type: EventType::new(name)?, schema_version })
}
