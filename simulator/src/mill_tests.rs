use std::collections::BTreeSet;

use domain::Event;
use domain::events::EquipmentLevel;

use super::{LOOM_SIGNALS, LOOMS, OPC_UA_LOOMS, STYLES, definition, loom_name, quantity_of, signal_name};

#[test]
fn the_plant_is_defined_once_and_every_parent_comes_first() {
    let mut known = BTreeSet::new();
    let (mut signals, mut looms, mut enterprises) = (BTreeSet::new(), 0, 0);
    for event in definition(1000) {
        match event {
            Event::EquipmentDefined(defined) => {
                assert!(defined.parent.is_none_or(|parent| known.contains(parent.as_str())), "{}", defined.equipment);
                enterprises += u32::from(defined.level == EquipmentLevel::Enterprise);
                assert!(known.insert(defined.equipment.to_string()));
                assert!(defined.name.zh.is_some() && defined.name.en.is_some());
            }
            Event::AssetRegistered(asset) => looms += usize::from(asset.class.as_str() == super::LOOM_CLASS),
            Event::AssetMapped(mapped) => assert!(known.contains(mapped.equipment.as_str())),
            Event::SignalDefined(signal) => {
                assert!(signal.low < signal.high);
                let opc_ua = OPC_UA_LOOMS.contains(&signal.asset.as_str());
                assert_eq!(signal.address.is_some_and(|address| address.starts_with("opcua:")), opc_ua);
                assert!(signals.insert(signal.signal.to_string()));
            }
            Event::QualificationGranted(_) => {}
            other => panic!("{other:?} defines nothing"),
        }
    }
    assert_eq!((looms, enterprises, signals.len()), (LOOMS, 1, LOOMS * LOOM_SIGNALS.len() + 3));
}

#[test]
fn names_of_signals_have_the_asset_and_the_quantity() {
    let signal = signal_name(&loom_name(6), "warp_tension");
    assert_eq!(signal, "LOOM-07.warp_tension");
    assert_eq!(quantity_of(&signal), "warp_tension");
}

#[test]
fn the_sheeting_weaves_14_4_metres_an_hour() {
    let sheeting = &STYLES[0];
    let metres = domain::weaving::metres_per_hour(sheeting.speed, sheeting.picks_per_cm).unwrap();
    assert!((metres - 14.4).abs() < 1e-9);
}
