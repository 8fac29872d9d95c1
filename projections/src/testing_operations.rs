//! Random events of operations: what is kept back, shifts, plans, parts, calibrations of charts.

use domain::events::*;
use domain::ids::*;
use domain::{Event, Unit};

use crate::testing::{Dice, time};

impl Dice {
    fn time(&mut self) -> jiff::Timestamp {
        time(i64::try_from(self.below(400)).unwrap())
    }

    fn shift(&mut self) -> ShiftId {
        ShiftId::new(&self.name("shift-", 4)).unwrap()
    }

    fn plan(&mut self) -> PlanId {
        PlanId::new(&self.name("plan-", 3)).unwrap()
    }

    fn suppression(&mut self) -> Suppression {
        if self.coin() { Suppression::ByDesign } else { Suppression::OutOfService }
    }

    pub(crate) fn operations_event(&mut self) -> Event {
        let d = self;
        match d.below(17) {
            0 | 1 => {
                let (asset, code, until) = (d.asset(), d.code(), d.time());
                AlarmShelved { asset, code, until, person: d.some(Self::person), reason: None }.into()
            }
            2 => AlarmUnshelved { asset: d.asset(), code: d.code(), person: None }.into(),
            3 => AlarmSuppressed { asset: d.asset(), code: d.code(), how: d.suppression(), person: None, reason: None }
                .into(),
            4 => AlarmUnsuppressed { asset: d.asset(), code: d.code(), how: d.suppression(), person: None }.into(),
            5 => AlarmAcknowledged {
                alarm: AlarmId::new(&d.name("alarm", 3)).unwrap(),
                asset: d.asset(),
                person: d.some(Self::person),
            }
            .into(),
            6 | 7 => {
                let start = d.time();
                ShiftStarted {
                    shift: d.shift(),
                    pattern: None,
                    equipment: None,
                    name: d.code(),
                    crew: d.code(),
                    planned_start: start,
                    planned_end: start + jiff::SignedDuration::from_hours(8),
                    person: d.some(Self::person),
                }
                .into()
            }
            8 => ShiftHandedOver {
                shift: d.shift(),
                person: d.person(),
                content: Handover::default(),
                remarks: d.some(Self::text),
            }
            .into(),
            9 => MaintenancePlanDefined {
                plan: d.plan(),
                name: d.text(),
                asset: d.some(Self::asset),
                class: d.some(|d| AssetClass::new(&d.name("class", 2)).unwrap()),
                activity: d.code(),
                item: None,
                every: DueEvery { running_hours: Some(40.0), picks: d.some(|_| 2500.0), ..DueEvery::default() },
                parts: vec![PartUsed { part: d.code(), count: 1.0 }],
                hours: None,
            }
            .into(),
            10 => MaintenancePlanRetired { plan: d.plan() }.into(),
            11 => PartDefined {
                part: d.code(),
                name: d.text(),
                substitutes: vec![d.code()],
                lead_time_days: d.some(|_| 3.5),
                minimum: Some(2.0),
            }
            .into(),
            12 => PartsReceived { part: d.code(), count: 3.0 }.into(),
            13 => PartsCounted { part: d.code(), count: 5.0 }.into(),
            14 => PartsOrdered { part: d.code(), count: 2.0, expected: d.some(Self::time) }.into(),
            15 => LotHeld { lot: d.lot(), reason: d.some(Self::text) }.into(),
            _ => SetPointChanged {
                asset: d.asset(),
                parameter: d.code(),
                from: d.some(|_| 1.5),
                to: 2.5,
                unit: Unit::one(),
                person: d.some(Self::person),
                product: None,
                reason: None,
            }
            .into(),
        }
    }
}
