//! Which signal measured a quantity of an asset when, and in which unit.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::ids::{AssetId, Code, SignalId};
use domain::units::Unit;
use eventlog::Position;

use crate::facts::Definition;

/// A stretch of time in which one signal measured the quantity. Before `from_ns` and from `to_ns` on it did not.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stretch {
    pub(crate) from_ns: i64,
    pub(crate) to_ns: i64,
    /// The signal's place in [`Bindings::signals`].
    pub(crate) signal: u16,
    pub(crate) unit: Unit,
}

/// The bindings of one quantity of one asset.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bindings {
    /// Every signal that measured it at some time, by id.
    pub(crate) signals: Vec<SignalId>,
    definitions: Vec<(u16, Vec<Definition>)>,
    /// Where a definition stands that may change something, ascending.
    changes: Vec<Position>,
    /// The stretches after so many of the changes.
    known: Vec<Option<Arc<[Stretch]>>>,
    asset: Option<(AssetId, Code)>,
}

impl Bindings {
    /// What was said of the quantity.
    pub(crate) fn of(asset: &AssetId, quantity: &Code, all: &BTreeMap<SignalId, Vec<Definition>>) -> Self {
        let measures = |one: &Definition| one.asset == *asset && one.quantity == *quantity;
        let mut bindings = Self { asset: Some((asset.clone(), quantity.clone())), ..Self::default() };
        for (signal, definitions) in all.iter().filter(|(_, definitions)| definitions.iter().any(measures)) {
            let Ok(index) = u16::try_from(bindings.signals.len()) else { break };
            bindings.signals.push(signal.clone());
            bindings.changes.extend(definitions.iter().map(|one| one.position));
            bindings.definitions.push((index, definitions.clone()));
        }
        bindings.changes.sort_unstable();
        bindings.known.resize(bindings.changes.len() + 1, None);
        bindings
    }

    /// The units that it was measured in.
    pub(crate) fn units(&self) -> impl Iterator<Item = &Unit> {
        let all = self.definitions.iter().flat_map(|(_, definitions)| definitions);
        all.filter(|one| self.is_about(one)).map(|one| &one.unit)
    }

    fn is_about(&self, definition: &Definition) -> bool {
        self.asset
            .as_ref()
            .is_some_and(|(asset, quantity)| definition.asset == *asset && definition.quantity == *quantity)
    }

    /// The stretches as they were known at a position, in order and apart from each other.
    pub(crate) fn at(&mut self, known: Position) -> Arc<[Stretch]> {
        let epoch = self.changes.partition_point(|position| *position <= known);
        if let Some(Some(stretches)) = self.known.get(epoch) {
            return Arc::clone(stretches);
        }
        let stretches: Arc<[Stretch]> = self.resolve(known).into();
        if let Some(place) = self.known.get_mut(epoch) {
            *place = Some(Arc::clone(&stretches));
        }
        stretches
    }

    /// Where several signals measured the quantity at one time, the first of them by id counts.
    fn resolve(&self, known: Position) -> Vec<Stretch> {
        let mut spans: Vec<Stretch> = Vec::new();
        for (signal, definitions) in &self.definitions {
            let mut versions: Vec<&Definition> = definitions.iter().filter(|one| one.position <= known).collect();
            versions.sort_by_key(|one| (one.since_ns, one.position));
            let ends = versions.iter().skip(1).map(|one| one.since_ns).chain([i64::MAX]);
            let lasting = versions.iter().zip(ends).filter(|(one, to_ns)| one.since_ns < *to_ns && self.is_about(one));
            spans.extend(lasting.map(|(one, to_ns)| Stretch {
                from_ns: one.since_ns,
                to_ns,
                signal: *signal,
                unit: one.unit.clone(),
            }));
        }
        let mut bounds: Vec<i64> = spans.iter().flat_map(|span| [span.from_ns, span.to_ns]).collect();
        bounds.sort_unstable();
        bounds.dedup();
        let mut stretches: Vec<Stretch> = Vec::new();
        for (from_ns, to_ns) in bounds.iter().copied().zip(bounds.iter().copied().skip(1)) {
            // The spans of the first signal by id come first.
            let Some(first) = spans.iter().find(|span| span.from_ns <= from_ns && to_ns <= span.to_ns) else {
                continue;
            };
            match stretches.last_mut() {
                Some(last) if (last.to_ns, last.signal, &last.unit) == (from_ns, first.signal, &first.unit) => {
                    last.to_ns = to_ns;
                }
                _ => stretches.push(Stretch { from_ns, to_ns, ..first.clone() }),
            }
        }
        stretches
    }
}
