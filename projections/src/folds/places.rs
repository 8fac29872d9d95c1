//! Where an asset stands: the parts of the plant that its role is in.

use domain::events::EquipmentLevel;
use domain::ids::{AssetId, EquipmentId};
use jiff::Timestamp;

use super::catalog::Catalog;
use crate::AsOf;

/// No hierarchy is deeper; what goes on in circles ends here.
const MAX_DEPTH: usize = 16;

impl Catalog {
    /// The roles that an asset fills at a time, each with the roles that it is a part of, from the nearest to the farthest.
    pub fn places_of(&self, asset: &AssetId, at: Timestamp, as_of: AsOf) -> Vec<EquipmentId> {
        let mut places: Vec<EquipmentId> = Vec::new();
        for mapping in self.roles_of(asset, at, as_of) {
            let mut next = Some(mapping.equipment);
            for _ in 0..MAX_DEPTH {
                let Some(place) = next.take().filter(|place| !places.contains(place)) else { break };
                next = self.equipment(&place, as_of).and_then(|fact| fact.value.parent.clone());
                places.push(place);
            }
        }
        places
    }

    /// Whether an asset is in a part of the plant at a time.
    pub fn is_in(&self, asset: &AssetId, equipment: &EquipmentId, at: Timestamp, as_of: AsOf) -> bool {
        self.places_of(asset, at, as_of).contains(equipment)
    }

    /// The area of an asset at a time: the nearest part of the plant above it of the level area, or else the farthest above its own place.
    pub fn area_of(&self, asset: &AssetId, at: Timestamp, as_of: AsOf) -> Option<EquipmentId> {
        let places = self.places_of(asset, at, as_of);
        let is_area = |place: &&EquipmentId| {
            self.equipment(place, as_of).is_some_and(|fact| fact.value.level == EquipmentLevel::Area)
        };
        places.iter().find(is_area).or_else(|| places.last()).cloned()
    }
}

#[cfg(test)]
mod tests {
    use domain::Event;
    use domain::events::{AssetMapped, EquipmentDefined};
    use serde_json::{Value, json};

    use super::*;
    use crate::Fold as _;
    use crate::testing::{entry, time};

    fn event<T: serde::de::DeserializeOwned + Into<Event>>(value: Value) -> Event {
        serde_json::from_value::<T>(value).unwrap().into()
    }

    #[test]
    fn an_asset_is_in_all_that_its_role_is_a_part_of() {
        let defined = |equipment: &str, level: &str, parent: Option<&str>| {
            let mut value = json!({"equipment": equipment, "name": {"en": equipment}, "level": level});
            if let Some(parent) = parent {
                value["parent"] = json!(parent);
            }
            event::<EquipmentDefined>(value)
        };
        let mut catalog = Catalog::default();
        let events = [
            defined("mill", "site", None),
            defined("shed-1", "area", Some("mill")),
            defined("loom-07", "work_unit", Some("shed-1")),
            event::<AssetMapped>(json!({"asset": "L07", "equipment": "loom-07"})),
        ];
        for (event, position) in events.into_iter().zip(0..) {
            catalog.apply(&entry(position, Some(time(0)), event));
        }
        let (asset, id) = (AssetId::new("L07").unwrap(), |text: &str| EquipmentId::new(text).unwrap());
        assert_eq!(catalog.places_of(&asset, time(1), AsOf::LATEST), [id("loom-07"), id("shed-1"), id("mill")]);
        assert_eq!(catalog.area_of(&asset, time(1), AsOf::LATEST), Some(id("shed-1")));
        assert!(catalog.is_in(&asset, &id("mill"), time(1), AsOf::LATEST));
        assert!(!catalog.is_in(&asset, &id("mill"), time(-1), AsOf::LATEST));
        // A circle ends.
        catalog.apply(&entry(4, Some(time(0)), defined("mill", "site", Some("loom-07"))));
        assert_eq!(catalog.places_of(&asset, time(1), AsOf::LATEST).len(), 3);
    }
}
