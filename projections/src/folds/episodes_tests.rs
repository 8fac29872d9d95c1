use domain::Text;
use domain::events::*;
use domain::ids::*;
use eventlog::Position;
use proptest::prelude::*;

use super::Episodes;
use crate::folds::episode_view::Success;
use crate::testing::{entry, time};
use crate::{AsOf, Fold};

fn asset() -> AssetId {
    AssetId::new("loom-1").unwrap()
}

fn fault(name: &str) -> FaultId {
    FaultId::new(name).unwrap()
}

fn code(name: &str) -> Code {
    Code::new(name).unwrap()
}

struct Story {
    episodes: Episodes,
    position: u64,
}

impl Story {
    fn new() -> Self {
        Self { episodes: Episodes::default(), position: 0 }
    }

    fn say(mut self, hour: i64, event: impl Into<domain::Event>) -> Self {
        self.episodes.apply(&entry(self.position, Some(time(hour)), event));
        self.position += 1;
        self
    }

    fn observed(self, hour: i64, name: &str) -> Self {
        let event = FaultObserved {
            fault: fault(name),
            asset: asset(),
            symptoms: Text::guessed("bucket won't open"),
            alarms: vec![code("E7")],
            detection: None,
            impact: None,
            product: None,
            person: None,
        };
        self.say(hour, event)
    }

    fn coded(self, hour: i64, name: &str, mode: &str) -> Self {
        let event = FaultCoded {
            fault: fault(name),
            asset: asset(),
            mode: code(mode),
            mechanism: None,
            cause: None,
            item: None,
            person: None,
        };
        self.say(hour, event)
    }

    fn closed(self, hour: i64, name: &str) -> Self {
        self.say(hour, FaultClosed { fault: fault(name), asset: asset(), restored: None })
    }

    fn order(self, hour: i64, name: &str, of: Option<&str>) -> Self {
        let event = WorkOrderOpened {
            work_order: WorkOrderId::new(name).unwrap(),
            asset: asset(),
            fault: of.map(fault),
            category: Category::Corrective,
            description: Text::guessed("cylinder leaking"),
            item: Some(code("bucket")),
            priority: None,
        };
        self.say(hour, event)
    }

    fn done(self, hour: i64, name: &str, hours: f64) -> Self {
        let event = WorkDone {
            work_order: WorkOrderId::new(name).unwrap(),
            asset: asset(),
            fault: None,
            activity: code("replace"),
            item: None,
            text: None,
            parts: vec![],
            hours: Some(hours),
            cost: None,
            person: None,
        };
        self.say(hour, event)
    }

    fn finished(self, hour: i64, name: &str, outcome: Outcome) -> Self {
        let work_order = WorkOrderId::new(name).unwrap();
        self.say(
            hour,
            WorkOrderClosed { work_order, asset: asset(), outcome, hours: None, cost: None, machine_up: None },
        )
    }

    fn success(&self, name: &str) -> Success {
        self.episodes.fault_at(&fault(name), AsOf::LATEST).unwrap().success
    }
}

#[test]
fn an_episode_joins_fault_and_work() {
    let story = Story::new()
        .observed(0, "F1")
        .coded(1, "F1", "leak")
        .order(2, "W1", Some("F1"))
        .done(3, "W1", 1.5)
        .done(4, "W1", 0.5)
        .finished(5, "W1", Outcome::Solved)
        .coded(6, "F1", "structural");
    let view = story.episodes.fault_at(&fault("F1"), AsOf::LATEST).unwrap();
    assert_eq!(view.mode, Some(&code("structural")));
    assert_eq!(view.codings.len(), 2);
    assert_eq!(view.item, Some(&code("bucket")));
    assert_eq!(view.symptoms.len(), 2);
    assert_eq!(view.actions().count(), 2);
    assert_eq!(view.hours_of_work(), Some(2.0));
    assert_eq!((view.closed, view.closed_at, view.hours_to_restore()), (true, Some(time(5)), Some(5.0)));
    assert_eq!(view.positions, (0..7).map(Position::new).collect::<Vec<_>>());
    let before = story.episodes.fault_at(&fault("F1"), AsOf::through(Position::new(3))).unwrap();
    assert_eq!((before.mode, before.closed, before.positions.len()), (Some(&code("leak")), false, 4));
}

#[test]
fn success_needs_the_window_to_pass_without_the_same_mode() {
    let repaired = || Story::new().observed(0, "F1").coded(0, "F1", "leak").closed(10, "F1");
    assert_eq!(repaired().success("F1"), Success::Censored);
    // Another mode is no recurrence; the window is 72 hours.
    assert_eq!(repaired().observed(82, "F2").coded(82, "F2", "stuck").success("F1"), Success::Worked);
    assert_eq!(repaired().observed(81, "F2").success("F1"), Success::Censored);
    let back = repaired().observed(82, "F2").coded(83, "F2", "leak");
    assert_eq!(back.success("F1"), Success::CameBack { position: Position::new(3) });
    assert_eq!(repaired().observed(83, "F2").coded(83, "F2", "leak").success("F1"), Success::Worked);
    // It came back before it was coded: known only once it is.
    let position = Position::new(3);
    assert_eq!(back.episodes.fault_at(&fault("F1"), AsOf::through(position)).unwrap().success, Success::Worked);
}

#[test]
fn a_closing_that_says_not_solved_is_a_failure_and_an_open_episode_is_neither() {
    let story = Story::new().observed(0, "F1").coded(0, "F1", "leak").order(1, "W1", Some("F1"));
    assert_eq!(story.success("F1"), Success::Open);
    let story = story.finished(2, "W1", Outcome::NotSolved);
    assert_eq!(story.success("F1"), Success::NotSolved { position: Position::new(3) });
    // A second work order that solved it has the last word.
    let story = story.order(3, "W2", Some("F1")).finished(4, "W2", Outcome::Solved).observed(100, "F9");
    assert_eq!(story.success("F1"), Success::Worked);
}

#[test]
fn work_orders_without_a_fault_are_episodes_too() {
    let story = Story::new().order(0, "W1", None).finished(3, "W1", Outcome::Unknown).observed(4, "F1");
    let episodes: Vec<_> = story.episodes.at(AsOf::LATEST).collect();
    assert_eq!(episodes.iter().map(|episode| episode.id()).collect::<Vec<_>>(), ["F1", "W1"]);
    assert_eq!(episodes[1].symptoms[0].any(), "cylinder leaking");
    assert_eq!(episodes[1].success, Success::Censored);
    let counts = story.episodes.counts(AsOf::LATEST);
    assert_eq!(counts[&(None, None)].episodes, 2);
    assert_eq!(counts[&(None, None)].open, 1);
}

proptest! {
    #[test]
    fn what_helped_is_judged_the_same_by_what_happened_after(
        steps in proptest::collection::vec((0..12_u8, 0..4_u8, 0..400_i64), 1..80),
        latest in 1..8_usize,
    ) {
        let mut story = Story::new();
        for (number, what, hour) in steps {
            let name = format!("F{number}");
            story = match what {
                0 => story.observed(hour, &name),
                1 => story.coded(hour, &name, "leak"),
                2 => story.coded(hour, &name, "stuck"),
                _ => story.closed(hour, &name),
            };
        }
        let leaks = story.episodes.at(AsOf::LATEST).filter(|view| view.mode == Some(&code("leak")));
        let leaks: Vec<_> = leaks.filter_map(|view| Some((view.fault?.clone(), view.opened_at))).collect();
        let counted: Vec<FaultId> = leaks.iter().rev().take(latest).map(|(fault, _)| fault.clone()).collect();
        let judged = story.episodes.judged_by(&counted, AsOf::LATEST, |time| {
            let after = leaks.iter().filter(|(_, opened)| opened.is_some_and(|opened| opened > time));
            after.map(|(fault, _)| fault.clone()).collect()
        });
        prop_assert_eq!(judged.len(), counted.len());
        for (view, fault) in judged.iter().zip(&counted) {
            let alone = story.episodes.fault_at(fault, AsOf::LATEST).unwrap();
            prop_assert_eq!(&view.success, &alone.success);
        }
    }
}
