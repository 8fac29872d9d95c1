use domain::Event;
use serde_json::json;

use super::*;
use crate::testing::{entry, time};

fn event<T: serde::de::DeserializeOwned + Into<Event>>(value: serde_json::Value) -> Event {
    serde_json::from_value::<T>(value).unwrap().into()
}

fn used(count: f64) -> Event {
    event::<WorkDone>(
        json!({"work_order": "W", "asset": "L07", "activity": "replace", "parts": [{"part": "6205", "count": count}]}),
    )
}

fn given(events: Vec<Event>) -> Upkeep {
    let mut upkeep = Upkeep::default();
    for (event, position) in events.into_iter().zip(0_u32..) {
        upkeep.apply(&entry(position.into(), Some(time(position.into())), event));
    }
    upkeep
}

#[test]
fn the_stock_is_the_last_count_and_what_came_and_went_since() {
    let received = |count: f64| event::<domain::events::PartsReceived>(json!({"part": "6205", "count": count}));
    let counted = |count: f64| event::<domain::events::PartsCounted>(json!({"part": "6205", "count": count}));
    let ordered = |count: f64| {
        event::<PartsOrdered>(json!({"part": "6205", "count": count, "expected": time(100 + i64::from(count as i32))}))
    };
    let upkeep = given(vec![
        used(1.0),
        received(4.0),
        used(2.0),
        counted(5.0),
        used(1.0),
        ordered(6.0),
        ordered(3.0),
        received(7.0),
    ]);
    let part = Code::new("6205").unwrap();
    let at = |position: u64| {
        let view = upkeep.part(&part, AsOf::through(Position::new(position))).unwrap();
        (view.stock, view.ordered, view.used)
    };
    assert_eq!(at(0), (None, 0.0, 1.0), "what was never counted is not known");
    assert_eq!(at(2), (Some(2.0), 0.0, 3.0));
    assert_eq!(at(3), (Some(5.0), 0.0, 3.0));
    assert_eq!(at(6), (Some(4.0), 9.0, 4.0));
    assert_eq!(at(7), (Some(11.0), 2.0, 4.0), "seven answer the first order of six, and one of the second");
    let view = upkeep.part(&part, AsOf::LATEST).unwrap();
    assert_eq!((view.expected, view.n, view.used_between), (Some(time(103)), 3, Some((time(0), time(4)))));
    assert_eq!(view.positions.len(), 8);
}

#[test]
fn a_plan_is_followed_until_it_is_retired() {
    let plan = |days: f64| {
        event::<MaintenancePlanDefined>(
            json!({"plan": "PM", "name": {"en": "grease"}, "asset": "L07", "activity": "service", "every": {"days": days}}),
        )
    };
    let retired = event::<domain::events::MaintenancePlanRetired>(json!({"plan": "PM"}));
    let upkeep = given(vec![plan(10.0), plan(20.0), retired]);
    let days = |position| {
        upkeep.plans(AsOf::through(Position::new(position))).map(|(_, plan)| plan.every.days).collect::<Vec<_>>()
    };
    assert_eq!((days(0), days(1), days(2)), (vec![Some(10.0)], vec![Some(20.0)], vec![]));
}
