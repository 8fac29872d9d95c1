use domain::Text;
use serde_json::json;

use super::*;
use crate::testing::{entry, time};

fn pattern() -> Event {
    let pattern: ShiftPatternDefined = serde_json::from_value(json!({
        "pattern": "two", "name": {"en": "two shifts"}, "equipment": "shed-1", "time_zone": "Asia/Shanghai", "first_day": "2025-06-01", "cycle_days": 1,
        "shifts": [
            {"day": 0, "name": "day", "crew": "A", "start": "08:00:00", "minutes": 720, "break_minutes": 60},
            {"day": 0, "name": "night", "crew": "B", "start": "20:00:00", "minutes": 720, "break_minutes": 60},
        ],
    }))
    .unwrap();
    pattern.into()
}

fn started(shift: &str, crew: &str, from: Timestamp, to: Timestamp) -> Event {
    ShiftStarted {
        shift: ShiftId::new(shift).unwrap(),
        pattern: None,
        equipment: Some(EquipmentId::new("shed-1").unwrap()),
        name: Code::new("night").unwrap(),
        crew: Code::new(crew).unwrap(),
        planned_start: from,
        planned_end: to,
        person: Some(PersonId::new("P-1").unwrap()),
    }
    .into()
}

#[test]
fn a_shift_that_was_begun_takes_the_place_of_the_planned_one() {
    let mut shifts = Shifts::default();
    shifts.apply(&entry(0, None, pattern()));
    // 2025-06-15 20:00 in Shanghai is 12:00 UTC; the window is that night and the day after.
    let (from, to): (Timestamp, Timestamp) =
        ("2025-06-15T12:00:00Z".parse().unwrap(), "2025-06-16T12:00:00Z".parse().unwrap());
    let shown = |shifts: &Shifts, as_of| {
        let turns = shifts.turns(from, to, as_of).unwrap();
        turns
            .iter()
            .map(|turn| format!("{} {} {:?} {}", turn.name, turn.crew, turn.shift.is_some(), turn.break_s))
            .collect::<Vec<_>>()
    };
    assert_eq!(shown(&shifts, AsOf::LATEST), ["night B false 3600", "day A false 3600"]);
    let night_end: Timestamp = "2025-06-16T00:00:00Z".parse().unwrap();
    shifts.apply(&entry(1, Some(from), started("S-1", "B", from, night_end)));
    assert_eq!(shown(&shifts, AsOf::LATEST), ["night B true 3600", "day A false 3600"]);
    assert_eq!(shown(&shifts, AsOf::through(Position::new(0))), ["night B false 3600", "day A false 3600"]);
    // Another crew steps in: the plan of the first one stands beside it.
    shifts.apply(&entry(2, Some(from), started("S-2", "C", from, night_end)));
    assert_eq!(shown(&shifts, AsOf::LATEST).len(), 3);
}

#[test]
fn a_handover_is_kept_with_its_signatures() {
    let mut shifts = Shifts::default();
    let (shift, person) = (ShiftId::new("S-1").unwrap(), PersonId::new("P-1").unwrap());
    let handed = ShiftHandedOver {
        shift: shift.clone(),
        person,
        content: domain::events::Handover::default(),
        remarks: Some(Text::new("看三号机", "watch loom 3")),
    };
    let taken =
        ShiftTakenOver { shift: shift.clone(), next: None, person: PersonId::new("P-2").unwrap(), remarks: None };
    shifts.apply(&entry(0, Some(time(0)), started("S-1", "A", time(-8), time(0))));
    shifts.apply(&entry(1, Some(time(0)), handed));
    shifts.apply(&entry(2, Some(time(0)), taken));
    let view = shifts.shift(&shift, AsOf::LATEST).unwrap();
    assert_eq!(view.positions.len(), 3);
    assert_eq!(view.taken_over.unwrap().value.person.as_str(), "P-2");
    assert!(shifts.shift(&shift, AsOf::through(Position::new(1))).unwrap().taken_over.is_none());
    assert!(shifts.shift(&ShiftId::new("S-9").unwrap(), AsOf::LATEST).is_none());
}
