//! The signals of the plant, as models need to know them.

use std::collections::BTreeMap;

use domain::events::SignalDefined;
use domain::ids::{AssetId, Code, SignalId};
use domain::units::Unit;
use eventlog::Position;

/// A signal as models need to know it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SignalEntry {
    /// The signal.
    pub(super) signal: SignalId,
    /// The unit of its values.
    pub(super) unit: Unit,
    /// Its sampling period in milliseconds.
    pub(super) period_ms: Option<u64>,
}

/// Which signal measures what, where.
#[derive(Debug, Default)]
pub(super) struct Signals {
    by_quantity: BTreeMap<AssetId, BTreeMap<Code, SignalEntry>>,
    owners: BTreeMap<SignalId, Binding>,
}

/// What a signal measures.
#[derive(Debug)]
struct Binding {
    asset: AssetId,
    quantity: Code,
    unit: Unit,
    /// Where it came to measure this, when it measured something else before.
    rebound: Option<Position>,
}

impl Signals {
    /// Takes a definition in; answers whether the signal measured something else before, or in another unit.
    pub(super) fn define(&mut self, defined: &SignalDefined, position: Position) -> bool {
        let known = self.owners.get(&defined.signal);
        let other = known.is_some_and(|known| {
            known.asset != defined.asset || known.quantity != defined.quantity || known.unit != defined.unit
        });
        let rebound = if other { Some(position) } else { known.and_then(|known| known.rebound) };
        let (asset, quantity, unit) = (defined.asset.clone(), defined.quantity.clone(), defined.unit.clone());
        let binding = Binding { asset, quantity, unit, rebound };
        if let Some(Binding { asset, quantity, .. }) = self.owners.insert(defined.signal.clone(), binding)
            && let Some(signals) = self.by_quantity.get_mut(&asset)
            && signals.get(&quantity).is_some_and(|entry| entry.signal == defined.signal)
        {
            signals.remove(&quantity);
        }
        let entry =
            SignalEntry { signal: defined.signal.clone(), unit: defined.unit.clone(), period_ms: defined.period_ms };
        self.by_quantity.entry(defined.asset.clone()).or_default().insert(defined.quantity.clone(), entry);
        other
    }

    /// Whether a reading at a position is of what the signal measures now.
    pub(super) fn is_current(&self, signal: &SignalId, position: Position) -> bool {
        self.owners.get(signal).and_then(|known| known.rebound).is_none_or(|rebound| rebound < position)
    }

    /// The asset that a signal measures.
    pub(super) fn owner(&self, signal: &SignalId) -> Option<&AssetId> {
        self.owners.get(signal).map(|known| &known.asset)
    }

    /// The signal that measures a quantity of an asset.
    pub(super) fn signal(&self, asset: &AssetId, quantity: &Code) -> Option<&SignalEntry> {
        self.by_quantity.get(asset)?.get(quantity)
    }

    /// How many signals there are.
    pub(super) fn count(&self) -> usize {
        self.owners.len()
    }

    /// How many assets have signals: nothing is predicted for others.
    pub(super) fn asset_count(&self) -> usize {
        self.by_quantity.len()
    }
}

#[cfg(test)]
mod tests {
    use domain::values::Text;

    use super::*;
    use crate::testing::{code, loom};

    fn defined(quantity: &str, asset: u32) -> SignalDefined {
        SignalDefined {
            signal: SignalId::new("S-1").unwrap(),
            asset: loom(asset),
            quantity: code(quantity),
            name: Text::default(),
            unit: Unit::one(),
            low: None,
            high: None,
            period_ms: None,
            deadband: None,
            address: None,
        }
    }

    #[test]
    fn a_signal_that_moves_is_found_at_its_new_place_only() {
        let mut signals = Signals::default();
        assert!(!signals.define(&defined("warp_tension", 1), Position::new(3)));
        assert!(signals.is_current(&SignalId::new("S-1").unwrap(), Position::new(1)));
        assert_eq!(signals.owner(&SignalId::new("S-1").unwrap()), Some(&loom(1)));
        assert!(signals.define(&defined("back_rest_tension", 2), Position::new(7)));
        // Said again, it is what it was.
        assert!(!signals.define(&defined("back_rest_tension", 2), Position::new(9)));
        let current = |position| signals.is_current(&SignalId::new("S-1").unwrap(), Position::new(position));
        assert_eq!([current(6), current(8)], [false, true]);
        assert_eq!(signals.signal(&loom(1), &code("warp_tension")), None);
        assert!(signals.signal(&loom(2), &code("back_rest_tension")).is_some());
        assert_eq!(signals.signal(&loom(2), &code("warp_tension")), None);
        assert_eq!((signals.count(), signals.owner(&SignalId::new("S-1").unwrap())), (1, Some(&loom(2))));
    }
}
