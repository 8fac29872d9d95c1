//! The signals of the plant, as models need to know them.

use std::collections::BTreeMap;

use domain::events::SignalDefined;
use domain::ids::{AssetId, Code, SignalId};
use domain::units::Unit;

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
    owners: BTreeMap<SignalId, (AssetId, Code)>,
}

impl Signals {
    /// Takes a definition in.
    pub(super) fn define(&mut self, defined: &SignalDefined) {
        // Described anew, a signal may have moved to another asset or quantity.
        if let Some((asset, quantity)) =
            self.owners.insert(defined.signal.clone(), (defined.asset.clone(), defined.quantity.clone()))
            && let Some(signals) = self.by_quantity.get_mut(&asset)
            && signals.get(&quantity).is_some_and(|entry| entry.signal == defined.signal)
        {
            signals.remove(&quantity);
        }
        let entry =
            SignalEntry { signal: defined.signal.clone(), unit: defined.unit.clone(), period_ms: defined.period_ms };
        self.by_quantity.entry(defined.asset.clone()).or_default().insert(defined.quantity.clone(), entry);
    }

    /// The asset that a signal measures.
    pub(super) fn owner(&self, signal: &SignalId) -> Option<&AssetId> {
        self.owners.get(signal).map(|(asset, _)| asset)
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
        signals.define(&defined("warp_tension", 1));
        assert_eq!(signals.owner(&SignalId::new("S-1").unwrap()), Some(&loom(1)));
        signals.define(&defined("back_rest_tension", 2));
        assert_eq!(signals.signal(&loom(1), &code("warp_tension")), None);
        assert!(signals.signal(&loom(2), &code("back_rest_tension")).is_some());
        assert_eq!(signals.signal(&loom(2), &code("warp_tension")), None);
        assert_eq!((signals.count(), signals.owner(&SignalId::new("S-1").unwrap())), (1, Some(&loom(2))));
    }
}
