//! What the tests of this crate share: entries without a log, and a small weaving mill's history.

use std::sync::Arc;

use domain::events::*;
use domain::ids::*;
use domain::{Event, Text, Unit};
use eventlog::{EventId, Position, Revision, StreamId};
use jiff::{SignedDuration, Timestamp};
use projections::{Content, Entry};

/// Builds entries at consecutive positions.
pub(crate) struct Mill {
    pub entries: Vec<Arc<Entry>>,
    pub start: Timestamp,
}

pub(crate) fn asset(id: &str) -> AssetId {
    AssetId::new(id).unwrap()
}

pub(crate) fn code(code: &str) -> Code {
    Code::new(code).unwrap()
}

pub(crate) fn fault(id: &str) -> FaultId {
    FaultId::new(id).unwrap()
}

pub(crate) fn order(id: &str) -> WorkOrderId {
    WorkOrderId::new(id).unwrap()
}

impl Mill {
    pub fn new() -> Self {
        Self { entries: Vec::new(), start: "2026-01-01T00:00:00Z".parse().unwrap() }
    }

    /// Adds an event, `hours` after the start; answers its position.
    pub fn add(&mut self, hours: i64, event: impl Into<Event>) -> Position {
        let event = event.into();
        let position = Position::new(self.entries.len() as u64);
        let time = self.start.checked_add(SignedDuration::from_hours(hours)).unwrap();
        self.entries.push(Arc::new(Entry {
            position,
            revision: Revision::START,
            stream: StreamId::of(event.category(), &event.key()).unwrap(),
            id: EventId::derived("test", &position.to_string()),
            record_time: time,
            event_time: Some(time),
            source: None,
            external_id: None,
            actor: "test".to_owned(),
            causation_id: None,
            content: Content::Event(Box::new(event)),
        }));
        position
    }

    pub fn through(&self) -> Position {
        Position::new(self.entries.len() as u64)
    }

    pub fn register(&mut self, id: &str, class: &str) {
        self.add(
            0,
            AssetRegistered {
                asset: asset(id),
                name: Text::new(&format!("喷气织机 {id}"), &format!("Air-jet loom {id}")),
                class: AssetClass::new(class).unwrap(),
                maker: None,
                model: None,
                serial: None,
            },
        );
    }

    /// A fault from observation to closing, with the work; answers the position of its coding.
    #[expect(clippy::too_many_arguments, reason = "a row of a table of episodes reads best in one line")]
    pub fn episode(
        &mut self,
        hours: i64,
        id: &str,
        at: &str,
        said: (&str, &str),
        alarms: &[&str],
        mode: Option<&str>,
        work: (&str, &str),
    ) -> Position {
        self.add(
            hours,
            FaultObserved {
                fault: fault(id),
                asset: asset(at),
                symptoms: Text::new(said.0, said.1),
                alarms: alarms.iter().map(|alarm| code(alarm)).collect(),
                detection: None,
                impact: None,
                product: None,
                person: None,
            },
        );
        let coded = match mode {
            Some(mode) => self.coded(hours, id, at, mode),
            None => Position::new(self.entries.len() as u64 - 1),
        };
        let wo = format!("WO-{id}");
        self.add(
            hours,
            WorkOrderOpened {
                work_order: order(&wo),
                asset: asset(at),
                fault: Some(fault(id)),
                category: Category::Corrective,
                description: Text::new(said.0, said.1),
                item: None,
                priority: None,
            },
        );
        self.add(
            hours + 1,
            WorkDone {
                work_order: order(&wo),
                asset: asset(at),
                fault: Some(fault(id)),
                activity: code(work.0),
                item: Some(code(work.1)),
                text: None,
                parts: vec![],
                hours: Some(1.5),
                cost: Some(120.0),
                person: None,
            },
        );
        self.add(
            hours + 2,
            WorkOrderClosed {
                work_order: order(&wo),
                asset: asset(at),
                outcome: Outcome::Solved,
                hours: Some(1.5),
                cost: Some(120.0),
                machine_up: None,
            },
        );
        self.add(hours + 2, FaultClosed { fault: fault(id), asset: asset(at), restored: None });
        coded
    }

    pub fn coded(&mut self, hours: i64, id: &str, at: &str, mode: &str) -> Position {
        self.add(
            hours,
            FaultCoded {
                fault: fault(id),
                asset: asset(at),
                mode: code(mode),
                mechanism: None,
                cause: None,
                item: None,
                person: None,
            },
        )
    }

    pub fn inspection(&mut self, hours: i64, id: &str, at: &str, lot: &str, defects: &[(&str, u8)]) -> Position {
        self.add(
            hours,
            InspectionRecorded {
                inspection: InspectionId::new(id).unwrap(),
                lot: Some(LotId::new(lot).unwrap()),
                order: None,
                asset: Some(asset(at)),
                product: Some(MaterialId::new("POPLIN-40").unwrap()),
                measurements: vec![],
                defects: defects
                    .iter()
                    .map(|(kind, points)| Defect {
                        code: code(kind),
                        points: Some(*points),
                        at_m: Some(0.1 + 0.2),
                        count: None,
                    })
                    .collect(),
                verdict: if defects.is_empty() { Verdict::Pass } else { Verdict::Fail },
                person: None,
                repeated: None,
            },
        )
    }

    pub fn set_point(&mut self, hours: i64, at: &str, parameter: &str, to: f64) -> Position {
        self.add(
            hours,
            SetPointChanged {
                asset: asset(at),
                parameter: code(parameter),
                from: None,
                to,
                unit: Unit::new("kPa").unwrap(),
                person: None,
                product: None,
                reason: Some(Text::new("纬缩太多", "too many weft curls")),
            },
        )
    }

    /// Four looms with a month of faults of four modes.
    pub fn looms() -> Self {
        let mut mill = Self::new();
        for loom in ["LOOM-01", "LOOM-02", "LOOM-03"] {
            mill.register(loom, "air-jet-loom");
        }
        mill.register("RAPIER-01", "rapier-loom");
        let mut hours = 10;
        for round in 0..6 {
            let loom = ["LOOM-01", "LOOM-02", "LOOM-03"][round % 3];
            let mut next = |name: &str| {
                hours += 100;
                (hours, format!("{name}-{round}"))
            };
            let (at, id) = next("N");
            mill.episode(
                at,
                &id,
                loom,
                ("主喷嘴堵塞，纬纱到达迟", "main nozzle clogged, weft arrives late"),
                &["A-301"],
                Some("NOZZLE_CLOGGED"),
                ("clean", "main-nozzle"),
            );
            let (at, id) = next("T");
            mill.episode(
                at,
                &id,
                loom,
                ("经纱张力波动，经停频繁", "warp tension swings, many warp stops"),
                &["A-110", "A-111"],
                Some("LETOFF_WORN"),
                ("replace", "let-off-gear"),
            );
            let (at, id) = next("B");
            mill.episode(
                at,
                &id,
                loom,
                ("主轴轴承异响，温度高", "main shaft bearing noisy and hot"),
                &["A-520"],
                Some("BEARING_WORN"),
                ("replace", "bearing"),
            );
            if round % 2 == 0 {
                let (at, id) = next("C");
                mill.episode(
                    at,
                    &id,
                    "RAPIER-01",
                    ("剪刀不切纬纱", "cutter does not cut the weft"),
                    &["A-402"],
                    Some("CUTTER_DULL"),
                    ("replace", "cutter"),
                );
            }
        }
        mill.episode(
            hours + 200,
            "U-1",
            "LOOM-02",
            ("储纬器不转", "accumulator drum does not turn"),
            &[],
            None,
            ("repair", "accumulator"),
        );
        mill.inspection(hours + 300, "INS-1", "LOOM-01", "ROLL-1", &[("WEFT_BAR", 4), ("HOLE", 4)]);
        mill.inspection(hours + 301, "INS-2", "LOOM-02", "ROLL-2", &[]);
        mill.set_point(hours + 290, "LOOM-01", "main_pressure", 410.3);
        mill
    }
}
