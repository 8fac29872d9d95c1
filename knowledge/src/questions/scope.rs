//! What the questions have in common: positions, filters and counts.

use std::collections::HashMap;

use eventlog::Position;
use jiff::Timestamp;
use projections::AsOf;

use super::Scope;
use crate::answer::Answer;
use crate::cases::{Case, cases, latest};
use crate::facade::Models;

/// Cases in the scope, with the position that they stand for.
pub(super) struct Known {
    pub as_of: Option<Position>,
    pub checkpoint: Position,
    pub cases: Vec<Case>,
    /// The newest event time that was known: how far anything was watched.
    pub horizon: Option<Timestamp>,
}

/// The position that an answer stands for.
pub(super) fn position(asked: Option<Position>, checkpoint: Position) -> Option<Position> {
    checkpoint.previous().map(|newest| asked.map_or(newest, |asked| asked.min(newest)))
}

/// Whether the time lies in the scope; without a time only when the scope has no bounds.
pub(super) fn in_time(scope: &Scope, time: Option<Timestamp>) -> bool {
    match time {
        Some(time) => scope.from.is_none_or(|from| from <= time) && scope.to.is_none_or(|to| time < to),
        None => scope.from.is_none() && scope.to.is_none(),
    }
}

impl Known {
    /// The cases in the scope, except for its code.
    pub fn new(models: &Models, scope: &Scope) -> Self {
        models.episodes.read(|episodes, checkpoint| {
            let as_of = position(scope.as_of, checkpoint);
            let Some(at) = as_of else { return Self { as_of, checkpoint, cases: Vec::new(), horizon: None } };
            let then = AsOf::through(at);
            let cases = cases(episodes, then)
                .into_iter()
                .filter(|case| scope.asset.is_none() || case.asset == scope.asset)
                .filter(|case| scope.class.is_none() || case.class == scope.class)
                .filter(|case| in_time(scope, case.time))
                .collect();
            Self { as_of, checkpoint, cases, horizon: episodes.horizon(then) }
        })
    }

    /// An answer that rests on these cases.
    pub fn answer<'a, T>(&self, of: impl Iterator<Item = &'a Case>, value: T) -> Answer<T> {
        let mut n = 0;
        let positions: Vec<Position> = of.inspect(|_| n += 1).flat_map(|case| case.positions.iter().copied()).collect();
        Answer {
            as_of: self.as_of,
            stores: vec![("episodes".to_owned(), self.checkpoint)],
            n,
            evidence: latest(positions.into_iter()),
            value,
        }
    }
}

/// Things with how often they came, the most first.
pub(super) fn counted<'a>(things: impl Iterator<Item = &'a str>) -> Vec<(String, u64)> {
    let mut counts: HashMap<&str, u64> = HashMap::new();
    for thing in things {
        *counts.entry(thing).or_default() += 1;
    }
    ranked(counts.into_iter().map(|(thing, count)| (thing.to_owned(), count)))
}

/// Counts, the most first.
pub(super) fn ranked(counts: impl Iterator<Item = (String, u64)>) -> Vec<(String, u64)> {
    let mut counts: Vec<(String, u64)> = counts.collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts
}

#[expect(clippy::cast_precision_loss, reason = "counts of events stay far below 2^52")]
pub(super) const fn real(count: u64) -> f64 {
    count as f64
}
