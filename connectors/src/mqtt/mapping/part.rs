//! What is kept of a message of which a part was not understood: that part with what surrounds it, so that it can be read again by itself when the mapping is mended.

use bytes::Bytes;
use serde_json::Value as Json;

use super::{Fault, Rejected};
use crate::ingest::MAX_QUARANTINED_BYTES;

/// A part that was not understood.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// Where it is, as a JSON pointer.
    pub(super) pointer: String,
    /// How many levels down the items are: from an array there, the other items are left out.
    pub(super) items_at: usize,
    /// Whether it is one of many values that can be kept without the others.
    pub(super) cut_out: bool,
    pub(super) fault: Fault,
}

/// The parts, each as the message that holds nothing else. Parts that are kept in the same message are kept once, under the first one's reason. When all of them
/// together would take more than quarantine keeps of one input, the message is kept instead, once.
pub(super) fn in_their_message(message: &Json, payload: &Bytes, parts: Vec<Part>) -> Vec<Rejected> {
    let count = parts.len();
    let mut bytes = 0;
    let mut kept: Vec<(Rejected, usize)> = Vec::with_capacity(count);
    for part in parts {
        let levels: Vec<String> = part.pointer.split('/').skip(1).map(unescape).collect();
        let alone: Bytes =
            if levels.is_empty() { payload.clone() } else { part.of(message, &levels, 0).to_string().into() };
        let Fault { field, reason } = part.fault;
        match kept.last_mut() {
            Some((same, more)) if same.payload == alone && same.field == field => *more += 1,
            _ => {
                bytes += alone.len();
                kept.push((Rejected { pointer: part.pointer, field, reason, payload: alone }, 0));
            }
        }
        if bytes > MAX_QUARANTINED_BYTES && kept.len() > 1 {
            return whole(kept, payload, count);
        }
    }
    kept.into_iter().map(|(rejected, more)| and_more(rejected, more)).collect()
}

fn whole(kept: Vec<(Rejected, usize)>, payload: &Bytes, count: usize) -> Vec<Rejected> {
    let first = kept.into_iter().next();
    first
        .map(|(first, _)| {
            let reason = format!("{}: {}", first.pointer, first.reason);
            and_more(Rejected { pointer: String::new(), payload: payload.clone(), reason, ..first }, count - 1)
        })
        .into_iter()
        .collect()
}

fn and_more(rejected: Rejected, more: usize) -> Rejected {
    match more {
        0 => rejected,
        more => Rejected { reason: format!("{} (and {more} more)", rejected.reason), ..rejected },
    }
}

impl Part {
    /// The JSON without the siblings of the part, which lies `levels` deeper.
    fn of(&self, json: &Json, levels: &[String], depth: usize) -> Json {
        let Some((level, deeper)) = levels.split_first() else { return json.clone() };
        match json {
            Json::Array(items) => {
                let index: Option<usize> = level.parse().ok();
                let others_too = depth != self.items_at;
                let items = items.iter().enumerate();
                let kept = items
                    .filter(|(at, _)| others_too || Some(*at) == index)
                    .map(|(at, item)| if Some(at) == index { self.of(item, deeper, depth + 1) } else { item.clone() });
                Json::Array(kept.collect())
            }
            Json::Object(fields) => {
                let others_too = !(self.cut_out && deeper.is_empty());
                let kept = fields.iter().filter(|(name, _)| others_too || *name == level).map(|(name, part)| {
                    let part = if name == level { self.of(part, deeper, depth + 1) } else { part.clone() };
                    (name.clone(), part)
                });
                Json::Object(kept.collect())
            }
            scalar => scalar.clone(),
        }
    }
}

/// A level of a JSON pointer as a name.
fn unescape(level: &str) -> String {
    level.replace("~1", "/").replace("~0", "~")
}
