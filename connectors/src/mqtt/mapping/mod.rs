//! From topics and payloads to readings and events: functions of text and bytes, without a socket.

mod config;
mod events;
mod fields;
mod part;
mod readings;
mod template;
mod time;

use bytes::Bytes;
use eventlog::NewEvent;
use eventlog::frames::Reading;
use jiff::Timestamp;

pub use config::{Contents, Fields, MappingError, MissingTime, Numbers, Subscription};
pub use time::TimeFormat;

use fields::CompiledFields;
use template::{Template, filter_of};

/// The most readings, and the most events, that one message may hold.
pub const MAX_MESSAGE_ITEMS: usize = 10_000;

/// What a message says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded {
    /// Readings that were understood.
    pub readings: Vec<Reading>,
    /// Events that were understood, ready for the log.
    pub events: Vec<NewEvent>,
    /// Parts that were not understood.
    pub rejected: Vec<Rejected>,
}

/// A message, or a part of one, that was not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Where in the message, as a JSON pointer; empty for the whole.
    pub pointer: String,
    /// The field that is wrong.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
    /// The part, as a message that can be read again by itself: of a reading also what surrounds it, without the other readings.
    pub payload: Bytes,
}

/// The compiled mapping of one source.
#[derive(Clone, Debug)]
pub struct Mapping {
    source: String,
    routes: Vec<Route>,
}

/// One compiled subscription.
#[derive(Clone, Debug)]
pub(super) struct Route {
    filter: String,
    topic: Template,
    contents: Contents,
    fields: CompiledFields,
    signal: Template,
    settings: Subscription,
}

impl Mapping {
    /// Compiles the subscriptions of a source; `source` is what its events are logged as coming from.
    ///
    /// # Errors
    /// [`MappingError`] names the subscription's field.
    pub fn compile(source: &str, subscriptions: &[Subscription]) -> Result<Self, MappingError> {
        if subscriptions.is_empty() {
            return Err(MappingError::new("subscriptions", "at least one is expected"));
        }
        let routes = subscriptions
            .iter()
            .enumerate()
            .map(|(index, subscription)| {
                Route::compile(subscription)
                    .map_err(|error| MappingError { field: format!("subscriptions[{index}].{}", error.field), ..error })
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { source: source.to_owned(), routes })
    }

    /// The topic filters to subscribe to, each once.
    pub fn filters(&self) -> Vec<String> {
        let mut filters: Vec<String> = Vec::new();
        for route in &self.routes {
            if !filters.contains(&route.filter) {
                filters.push(route.filter.clone());
            }
        }
        filters
    }

    /// Reads a message. The first subscription whose topic fits decides; `arrival` stands in for a missing time only where the configuration says so.
    pub fn decode(&self, topic: &str, payload: &Bytes, arrival: Timestamp) -> Decoded {
        let whole = |field: &str, reason: String| Decoded {
            rejected: vec![Rejected {
                pointer: String::new(),
                field: field.to_owned(),
                reason,
                payload: payload.clone(),
            }],
            ..Decoded::default()
        };
        let Some((route, variables)) = self.routes.iter().find_map(|route| Some((route, route.topic.captures(topic)?)))
        else {
            return whole("topic", "no subscription of the source has a topic of this form".to_owned());
        };
        let message: serde_json::Value = match serde_json::from_slice(payload) {
            Ok(message) => message,
            Err(error) => return whole("payload", format!("it is not JSON: {error}")),
        };
        let decoded = match route.contents {
            Contents::Readings => readings::decode(route, &variables, &message, payload, arrival),
            Contents::Events => events::decode(&self.source, route, &message),
        };
        match decoded {
            Ok(decoded) => decoded,
            Err(Fault { field, reason }) => whole(&field, reason),
        }
    }
}

impl Route {
    fn compile(subscription: &Subscription) -> Result<Self, MappingError> {
        let topic = Template::topic(&subscription.topic).map_err(|reason| MappingError::new("topic", reason))?;
        let filter = match &subscription.filter {
            Some(filter) => template::check_filter(filter)
                .map(|()| filter.clone())
                .map_err(|reason| MappingError::new("filter", reason))?,
            None => filter_of(&topic),
        };
        let signal = Template::text(&subscription.signal).map_err(|reason| MappingError::new("signal", reason))?;
        let fields = CompiledFields::compile(&subscription.fields)?;
        Ok(Self { filter, topic, contents: subscription.contents, fields, signal, settings: subscription.clone() })
    }
}

/// What is wrong with an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    field: String,
    reason: String,
}

impl Fault {
    fn new(field: &str, reason: impl Into<String>) -> Self {
        Self { field: field.to_owned(), reason: reason.into() }
    }

    fn reject(self, pointer: String, part: &serde_json::Value) -> Rejected {
        Rejected { pointer, field: self.field, reason: self.reason, payload: part.to_string().into() }
    }
}

#[cfg(test)]
#[path = "../mapping_tests.rs"]
mod tests;
