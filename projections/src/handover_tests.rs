use domain::Event;
use domain::events::*;
use jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::Folds;
use crate::testing::{entry, time};

fn minute(minute: i64) -> Timestamp {
    time(0) + SignedDuration::from_mins(minute)
}

fn event<T: serde::de::DeserializeOwned + Into<Event>>(value: serde_json::Value) -> Event {
    serde_json::from_value::<T>(value).unwrap().into()
}

fn composed(folds: &Folds, as_of: u64, is_ours: &dyn Fn(&AssetId) -> bool) -> Handover {
    let models = HandoverModels {
        episodes: &folds.episodes,
        alarms: &folds.alarms,
        states: &folds.states,
        production: &folds.production,
    };
    handover(models, (minute(0), minute(480)), Position::new(as_of), is_ours)
}

#[test]
fn a_handover_lists_what_is_open() {
    let set_point = |parameter: &str, to: f64| {
        event::<SetPointChanged>(json!({"asset": "L07", "parameter": parameter, "to": to, "unit": "bar"}))
    };
    let events = vec![
        (-60, set_point("air_pressure", 5.0)),
        (-60, set_point("nozzle_pressure", 3.0)),
        (10, event::<FaultObserved>(json!({"fault": "F-1", "asset": "L07", "symptoms": {"en": "noise"}}))),
        (15, event::<FaultObserved>(json!({"fault": "F-2", "asset": "L08", "symptoms": {"en": "hot"}}))),
        (20, event::<FaultClosed>(json!({"fault": "F-2", "asset": "L08"}))),
        (30, event::<AlarmShelved>(json!({"asset": "L07", "code": "E1", "until": minute(600), "person": "P-1"}))),
        (31, event::<AlarmShelved>(json!({"asset": "L07", "code": "E2", "until": minute(60)}))),
        (32, event::<AlarmSuppressed>(json!({"asset": "L08", "code": "E3", "how": "out_of_service"}))),
        (40, set_point("air_pressure", 5.4)),
        (41, set_point("nozzle_pressure", 3.3)),
        (90, set_point("nozzle_pressure", 3.0)),
        (100, event::<LotHeld>(json!({"lot": "R-1", "reason": {"en": "second inspection"}}))),
        (
            110,
            event::<WorkOrderOpened>(
                json!({"work_order": "W-1", "asset": "L08", "category": "preventive", "description": {"en": "grease"}}),
            ),
        ),
        (
            111,
            event::<WorkOrderOpened>(
                json!({"work_order": "W-2", "asset": "L07", "category": "corrective", "description": {"en": "look"}, "priority": 1}),
            ),
        ),
    ];
    let mut folds = Folds::default();
    for ((at, event), position) in events.into_iter().zip(0..) {
        folds.apply(&entry(position, Some(minute(at)), event));
    }
    let all = composed(&folds, 13, &|_| true);
    assert_eq!(all.as_of, 13);
    assert_eq!(all.open_faults.iter().map(|fault| fault.fault.as_str()).collect::<Vec<_>>(), ["F-1"]);
    assert_eq!(all.shelved_alarms.iter().map(|alarm| alarm.code.as_str()).collect::<Vec<_>>(), ["E1"]);
    assert_eq!((all.suppressed_alarms.len(), all.suppressed_alarms[0].since), (1, Some(minute(32))));
    let changed = &all.changed_set_points;
    assert_eq!(
        (changed.len(), changed[0].parameter.as_str(), changed[0].from, changed[0].to),
        (1, "air_pressure", Some(5.0), 5.4)
    );
    assert_eq!(all.held_lots.len(), 1);
    assert_eq!(all.open_work.iter().map(|work| work.work_order.as_str()).collect::<Vec<_>>(), ["W-2", "W-1"]);
    // What another shift tends is not ours; what was not known then is not in it.
    let ours = composed(&folds, 13, &|asset| asset.as_str() == "L07");
    assert_eq!((ours.suppressed_alarms.len(), ours.open_work.len(), ours.held_lots.len()), (0, 1, 1));
    let earlier = composed(&folds, 3, &|_| true);
    assert_eq!((earlier.open_faults.len(), earlier.open_work.len(), earlier.shelved_alarms.len()), (2, 0, 0));
    // It can be logged, and read again.
    let signed = ShiftHandedOver {
        shift: domain::ids::ShiftId::new("S").unwrap(),
        person: domain::ids::PersonId::new("P").unwrap(),
        content: all,
        remarks: None,
    };
    let written = Event::from(signed.clone()).encode().unwrap();
    assert_eq!(Event::decode("shift.handed_over", 1, &written).unwrap(), signed.into());
}
