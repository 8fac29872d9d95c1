//! Control limits: frozen from phase I, and kept with every earlier freezing.

use std::collections::BTreeMap;

use domain::Event;
use domain::events::ControlLimitsFrozen;
use domain::ids::{AssetId, Code, MaterialId};
use eventlog::{Digest, Filter};
use serde::{Deserialize, Serialize};

use crate::{AsOf, Entry, Fact, Fold, History, filters, state_digest};

/// Limits by chart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ControlLimits {
    charts: BTreeMap<(Code, Option<MaterialId>, Option<AssetId>), History<ControlLimitsFrozen>>,
}

impl Fold for ControlLimits {
    const NAME: &'static str = "control_limits";
    const VERSION: u32 = 1;

    fn filter() -> Filter {
        filters::types(&["control_limits.frozen"])
    }

    fn apply(&mut self, entry: &Entry) {
        if let Some(Event::ControlLimitsFrozen(event)) = entry.event() {
            let chart = (event.characteristic.clone(), event.product.clone(), event.asset.clone());
            self.charts.entry(chart).or_default().push(entry, event.clone());
        }
    }

    fn digest(&self) -> Digest {
        state_digest(self)
    }
}

impl ControlLimits {
    /// The limits of a chart, as frozen last.
    pub fn of(
        &self,
        characteristic: &Code,
        product: Option<&MaterialId>,
        asset: Option<&AssetId>,
        as_of: AsOf,
    ) -> Option<&Fact<ControlLimitsFrozen>> {
        let chart = (characteristic.clone(), product.cloned(), asset.cloned());
        self.charts.get(&chart)?.last(as_of)
    }

    /// Every freezing that was known, by chart.
    pub fn all(&self, as_of: AsOf) -> impl Iterator<Item = &Fact<ControlLimitsFrozen>> {
        self.charts.values().flat_map(move |history| history.as_of(as_of))
    }
}
