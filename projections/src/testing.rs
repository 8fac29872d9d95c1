//! What the tests of this crate share: entries made by hand, and event sequences made from numbers.

use domain::events::*;
use domain::ids::*;
use domain::{Event, Interval, Quantity, Text, Unit};
use eventlog::frames::{Reading, StatusCode, Value};
use eventlog::{EventId, NewEvent, Position, Record, Revision};
use jiff::{SignedDuration, Timestamp};

use crate::{Entry, Meta, seal, seal_readings};

/// The instant that times of tests count from.
pub(crate) fn time(hours: i64) -> Timestamp {
    Timestamp::from_second(1_750_000_000).unwrap() + SignedDuration::from_hours(hours)
}

/// A named event id.
pub(crate) fn id(number: u64) -> EventId {
    EventId::derived("test", &number.to_string())
}

pub(crate) fn sealed(number: u64, at: Option<Timestamp>, event: impl Into<Event>) -> NewEvent {
    let mut meta = Meta::own("test", at);
    meta.id = id(number);
    seal(&event.into(), meta).unwrap()
}

/// The entry that an event becomes at a position; it goes through its JSON form, as in the log.
pub(crate) fn entry(position: u64, at: Option<Timestamp>, event: impl Into<Event>) -> Entry {
    logged(position, sealed(position, at, event))
}

pub(crate) fn logged(position: u64, event: NewEvent) -> Entry {
    let recorded = Timestamp::from_second(1_800_000_000 + i64::try_from(position).unwrap()).unwrap();
    let entry = Entry::decode(Record::from_new(event, Position::new(position), Revision::START, recorded));
    assert!(!matches!(entry.content, crate::Content::Unknown { .. }), "{:?}", entry.content);
    entry
}

/// Entries at positions 0, 1, 2, …, each an hour after the one before.
pub(crate) fn entries(events: Vec<Event>) -> Vec<Entry> {
    let hours = 0_i64..;
    events
        .into_iter()
        .zip(0..)
        .zip(hours)
        .map(|((event, position), hour)| entry(position, Some(time(hour)), event))
        .collect()
}

pub(crate) fn frame(position: u64, readings: Vec<(&str, i64, f64)>) -> NewEvent {
    let readings = readings
        .into_iter()
        .map(|(signal, second, value)| Reading {
            signal: signal.into(),
            time: time(0) + SignedDuration::from_secs(second),
            sequence: None,
            value: Value::Float(value),
            status: StatusCode::GOOD,
        })
        .collect();
    let mut meta = Meta::own("test", None);
    meta.id = id(position);
    seal_readings("shed", readings, meta).unwrap()
}

pub(crate) fn erased(subject: &str) -> Event {
    let subject = domain::personal::DataSubject::parse(subject).unwrap();
    let data_key = eventlog::privacy::DataKeys::id_of(&crate::subject_tag(&subject).unwrap());
    let reason = Text::new("离职", "left");
    SubjectErased { subject, reason, basis: None, requested_by: None, data_key }.into()
}

pub(crate) fn metres(start_m: f64, end_m: f64) -> Option<Interval> {
    Some(Interval { start_m, end_m })
}

pub(crate) fn origin(lot: &str, interval: Option<Interval>) -> Origin {
    Origin { lot: LotId::new(lot).unwrap(), interval, quantity: None }
}

/// Hands out small choices from one number, so that proptest can shrink a history by dropping numbers.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn below(&mut self, count: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % count
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    pub(crate) fn name(&mut self, prefix: &str, count: u64) -> String {
        format!("{prefix}{}", self.below(count))
    }

    pub(crate) fn metres(&mut self) -> Option<Interval> {
        let start = self.below(90);
        let length = 1 + self.below(40);
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        if self.coin() { metres(start as f64, (start + length) as f64) } else { None }
    }

    pub(crate) fn lot(&mut self) -> LotId {
        LotId::new(&self.name("L", 8)).unwrap()
    }

    pub(crate) fn asset(&mut self) -> AssetId {
        AssetId::new(&self.name("A", 3)).unwrap()
    }

    pub(crate) fn order(&mut self) -> OrderId {
        OrderId::new(&self.name("O", 3)).unwrap()
    }

    pub(crate) fn person(&mut self) -> PersonId {
        PersonId::new(&self.name("P", 2)).unwrap()
    }

    pub(crate) fn code(&mut self) -> Code {
        Code::new(&self.name("code-", 3)).unwrap()
    }

    pub(crate) fn fault(&mut self) -> FaultId {
        FaultId::new(&self.name("F", 5)).unwrap()
    }

    pub(crate) fn work_order(&mut self) -> WorkOrderId {
        WorkOrderId::new(&self.name("W", 5)).unwrap()
    }

    pub(crate) fn model(&mut self) -> ModelName {
        ModelName::new(&self.name("M", 2)).unwrap()
    }

    pub(crate) fn deployment(&mut self) -> DeploymentId {
        DeploymentId::new(&self.name("D", 2)).unwrap()
    }

    pub(crate) fn version(&mut self) -> u32 {
        1 + u32::try_from(self.below(3)).unwrap()
    }

    pub(crate) fn some<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.coin() { Some(make(self)) } else { None }
    }

    pub(crate) fn text(&mut self) -> Text {
        Text::new(&self.name("断经", 3), &self.name("warp break ", 3))
    }

    pub(crate) fn origins(&mut self) -> Vec<Origin> {
        (0..self.below(3)).map(|_| Origin { lot: self.lot(), interval: self.metres(), quantity: None }).collect()
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each kind of event")]
    fn event(&mut self) -> Event {
        let d = self;
        if d.below(4) == 0 {
            return d.operations_event();
        }
        match d.below(38) {
            0 => AssetRegistered {
                asset: d.asset(),
                name: d.text(),
                class: AssetClass::new(&d.name("class", 2)).unwrap(),
                maker: None,
                model: None,
                serial: None,
            }
            .into(),
            1 => AssetMapped { asset: d.asset(), equipment: EquipmentId::new(&d.name("E", 2)).unwrap() }.into(),
            2 => AssetUnmapped { asset: d.asset(), equipment: EquipmentId::new(&d.name("E", 2)).unwrap() }.into(),
            3 => SignalDefined {
                signal: SignalId::new(&d.name("S", 4)).unwrap(),
                asset: d.asset(),
                quantity: d.code(),
                name: d.text(),
                unit: Unit::one(),
                low: None,
                high: Some(0.1),
                period_ms: Some(1000),
                deadband: None,
                address: None,
            }
            .into(),
            4 | 5 => {
                let states = [MachineState::Running, MachineState::Stopped, MachineState::Down, MachineState::Setup];
                let state = states[usize::try_from(d.below(4)).unwrap()];
                MachineStateChanged { asset: d.asset(), state, reason: d.some(Self::code) }.into()
            }
            6 | 7 => FaultObserved {
                fault: d.fault(),
                asset: d.asset(),
                symptoms: d.text(),
                alarms: vec![d.code()],
                detection: None,
                impact: d.some(|_| Impact::Degraded),
                product: None,
                person: d.some(Self::person),
            }
            .into(),
            8 | 9 => FaultCoded {
                fault: d.fault(),
                asset: d.asset(),
                mode: d.code(),
                mechanism: None,
                cause: d.some(Self::code),
                item: d.some(Self::code),
                person: None,
            }
            .into(),
            10 => FaultClosed { fault: d.fault(), asset: d.asset(), restored: None }.into(),
            11 => WorkOrderOpened {
                work_order: d.work_order(),
                asset: d.asset(),
                fault: d.some(Self::fault),
                category: Category::Corrective,
                description: d.text(),
                item: d.some(Self::code),
                priority: None,
            }
            .into(),
            12 => WorkDone {
                work_order: d.work_order(),
                asset: d.asset(),
                fault: d.some(Self::fault),
                activity: d.code(),
                item: None,
                text: d.some(Self::text),
                parts: vec![PartUsed { part: d.code(), count: 2.0 }],
                hours: Some(0.3),
                cost: None,
                person: None,
            }
            .into(),
            13 => WorkOrderClosed {
                work_order: d.work_order(),
                asset: d.asset(),
                outcome: if d.coin() { Outcome::Solved } else { Outcome::NotSolved },
                hours: None,
                cost: None,
                machine_up: None,
            }
            .into(),
            14 => WorkOrderProgressed {
                work_order: d.work_order(),
                asset: d.asset(),
                milestone: Milestone::MachineUp,
                person: None,
            }
            .into(),
            15 => OrderCreated {
                order: d.order(),
                product: MaterialId::new(&d.name("style", 2)).unwrap(),
                quantity: None,
                parent: d.some(Self::order),
                customer: None,
                due: None,
                note: None,
            }
            .into(),
            16 => OperationReported {
                order: d.order(),
                operation: d.code(),
                asset: d.some(Self::asset),
                person: d.some(Self::person),
                started: None,
                ended: None,
                completed: Some(0.1),
                review: d.some(|_| 1.0),
                rejected: None,
                rework: Some(d.coin()),
                report: None,
            }
            .into(),
            17 => LotCreated {
                lot: d.lot(),
                material: MaterialId::new(&d.name("yarn", 2)).unwrap(),
                kind: LotKind::Yarn,
                quantity: Some(Quantity::new(0.1, Unit::one())),
                supplier: None,
                order: d.some(Self::order),
            }
            .into(),
            18 => MaterialConsumed {
                lot: d.lot(),
                order: d.order(),
                quantity: None,
                interval: d.metres(),
                asset: d.some(Self::asset),
                into: d.some(Self::lot),
            }
            .into(),
            19 => MaterialProduced {
                lot: d.lot(),
                order: d.order(),
                quantity: None,
                asset: d.some(Self::asset),
                person: None,
                from: d.origins(),
            }
            .into(),
            20 => LotSplit { lot: d.lot(), into: vec![LotPart { lot: d.lot(), quantity: None, interval: d.metres() }] }
                .into(),
            21 => LotsMerged { lot: d.lot(), from: d.origins(), quantity: None }.into(),
            22 => SizingCompleted {
                order: d.order(),
                asset: d.asset(),
                beam: d.lot(),
                from: d.origins(),
                ends: 100,
                length_m: 100.0,
                size_percent: Some(12.5),
            }
            .into(),
            23 | 24 => ClothDoffed {
                asset: d.asset(),
                roll: d.lot(),
                order: d.order(),
                product: MaterialId::new(&d.name("style", 2)).unwrap(),
                picks: 1000,
                length_m: 50.0,
                beams: d.origins(),
                wefts: vec![d.lot()],
                person: None,
            }
            .into(),
            25 => {
                LotShipped { lot: d.lot(), shipment: ShipmentId::new(&d.name("T", 2)).unwrap(), customer: None }.into()
            }
            26 => InspectionRecorded {
                inspection: InspectionId::new(&d.name("I", 4)).unwrap(),
                lot: d.some(Self::lot),
                order: d.some(Self::order),
                asset: d.some(Self::asset),
                product: None,
                measurements: vec![],
                defects: vec![Defect { code: d.code(), points: Some(2), at_m: None, count: d.some(|_| 3) }],
                verdict: if d.coin() { Verdict::Pass } else { Verdict::Fail },
                person: None,
                repeated: d.some(|_| true),
            }
            .into(),
            27 => NonconformanceRaised {
                nonconformance: NonconformanceId::new(&d.name("N", 2)).unwrap(),
                inspection: None,
                lot: d.some(Self::lot),
                order: None,
                asset: None,
                code: d.code(),
                description: None,
            }
            .into(),
            28 => ModelVersionCreated {
                model: d.model(),
                version: d.version(),
                runtime: d.code(),
                inputs: vec![],
                outputs: vec![],
                artifacts: vec![],
                trained_on: None,
                metrics: indexmap::IndexMap::from([("mae".to_owned(), 0.1)]),
                note: None,
                author: None,
                source: None,
                run: None,
                logged_model: None,
                lineage: None,
            }
            .into(),
            29 => AliasSet { model: d.model(), alias: d.code(), version: d.version(), checked: None }.into(),
            30 => ModelDeployed {
                deployment: d.deployment(),
                model: d.model(),
                version: d.version(),
                target: Target::Asset(d.asset()),
                period_s: 10,
                replaces: None,
                person: None,
                reason: None,
                checked: None,
            }
            .into(),
            31 => PredictionMade {
                deployment: d.deployment(),
                model: d.model(),
                version: d.version(),
                asset: d.asset(),
                inputs: vec![InputUsed {
                    name: d.code(),
                    signal: SignalId::new(&d.name("S", 4)).unwrap(),
                    position: d.below(5),
                    row: 0,
                    value: 0.1,
                }],
                outputs: indexmap::IndexMap::from([("risk".to_owned(), 0.3)]),
                unavailable: None,
            }
            .into(),
            32 => AlarmRaised {
                alarm: AlarmId::new(&d.name("alarm", 3)).unwrap(),
                asset: d.asset(),
                code: d.code(),
                text: d.text(),
                severity: 500,
            }
            .into(),
            33 | 34 => PersonRegistered {
                person: d.person(),
                name: d.text(),
                contact: d.some(|d| d.name("phone ", 9)),
                note: None,
            }
            .into(),
            35 => QualificationGranted { person: d.person(), skill: d.code(), until: None }.into(),
            36 => CustomerRegistered {
                customer: CustomerId::new(&d.name("C", 2)).unwrap(),
                name: d.text(),
                contact: None,
                note: d.some(Self::text),
            }
            .into(),
            _ => AlarmCleared { alarm: AlarmId::new(&d.name("alarm", 3)).unwrap(), asset: d.asset() }.into(),
        }
    }
}

/// The events of a history that is made from numbers: one event, or one frame of readings, a number.
pub(crate) fn history(seeds: &[u64]) -> Vec<NewEvent> {
    let made = seeds.iter().zip(0_u64..).map(|(seed, position)| {
        let mut dice = Dice(*seed);
        if dice.below(8) == 0 {
            let readings = (0..1 + dice.below(4)).map(|_| {
                let signal = if dice.coin() { "S0" } else { "S1" };
                (signal, i64::try_from(dice.below(300)).unwrap(), 0.1)
            });
            return frame(position, readings.collect());
        }
        let hours = i64::try_from(dice.below(400)).unwrap();
        let at = if dice.below(6) == 0 { None } else { Some(time(hours)) };
        sealed(position, at, dice.event())
    });
    made.collect()
}
