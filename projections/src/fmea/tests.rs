use domain::Event;
use domain::events::*;
use eventlog::Position;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::Folds;
use crate::testing::{entry, history, logged, sealed, time};

fn event<T: serde::de::DeserializeOwned + Into<Event>>(value: Value) -> Event {
    serde_json::from_value::<T>(value).unwrap().into()
}

fn row(item: &str, mode: &str, occurrence: u8, detection: u8) -> Value {
    json!({"item": item, "mode": mode, "severity": 6, "occurrence": occurrence, "detection": detection})
}

fn sheet(rows: &[Value]) -> Event {
    event::<ArticleDrafted>(
        json!({"article": "FMEA-1", "revision": 1, "kind": "fmea", "title": {"en": "looms"}, "rows": rows, "classes": ["air-jet-loom"], "author": "P-1"}),
    )
}

fn given(mut events: Vec<(i64, Event)>) -> Folds {
    events.sort_by_key(|(hour, _)| *hour);
    let mut folds = Folds::default();
    for ((hour, event), position) in events.into_iter().zip(0..) {
        folds.apply(&entry(position, Some(time(hour)), event));
    }
    folds
}

fn models(folds: &Folds) -> FmeaModels<'_> {
    FmeaModels { articles: &folds.articles, episodes: &folds.episodes, states: &folds.states, alarms: &folds.alarms }
}

fn request() -> FmeaRequest {
    FmeaRequest {
        article: ArticleId::new("FMEA-1").unwrap(),
        from: None,
        to: None,
        clock: Clock::Calendar,
        lead: SignedDuration::from_hours(24),
        as_of: AsOf::LATEST,
    }
}

/// A fault of a loom with its mode, item and detection method.
fn fault(hour: i64, id: &str, (mode, item): (&str, &str), detection: Option<&str>) -> Vec<(i64, Event)> {
    vec![
        (
            hour,
            event::<FaultObserved>(
                json!({"fault": id, "asset": "L07", "symptoms": {"en": "x"}, "alarms": ["HOT"], "detection": detection}),
            ),
        ),
        (hour, event::<FaultCoded>(json!({"fault": id, "asset": "L07", "mode": mode, "item": item}))),
        (hour + 1, event::<FaultClosed>(json!({"fault": id, "asset": "L07"}))),
    ]
}

fn alarm(hour: i64, id: &str, code: &str) -> (i64, Event) {
    (
        hour,
        event::<AlarmRaised>(json!({"alarm": id, "asset": "L07", "code": code, "text": {"en": "a"}, "severity": 500})),
    )
}

/// Ten days of a loom that runs half of the time, with ten bearing faults: three of them warned of, two found by an inspection.
fn ten_days(rows: &[Value]) -> Vec<(i64, Event)> {
    let mut events = vec![
        (0, event::<AssetRegistered>(json!({"asset": "L07", "name": {"en": "loom"}, "class": "air-jet-loom"}))),
        (0, event::<AssetRegistered>(json!({"asset": "C1", "name": {"en": "compressor"}, "class": "compressor"}))),
        (0, sheet(rows)),
        (0, event::<MachineStateChanged>(json!({"asset": "L07", "state": "running"}))),
        (0, event::<MachineStateChanged>(json!({"asset": "C1", "state": "running"}))),
        (120, event::<MachineStateChanged>(json!({"asset": "L07", "state": "off"}))),
        (240, event::<MachineStateChanged>(json!({"asset": "C1", "state": "off"}))),
    ];
    for index in 0..10_i64 {
        let method = match index {
            0 | 1 => Some("visual_inspection"),
            2 => None,
            _ => Some("production_interference"),
        };
        let item = if index < 7 { "drive_bearing" } else { "main_motor" };
        events.extend(fault(5 + index * 20, &format!("F-{index}"), ("BEA-WEA", item), method));
    }
    // Two hours before three of them; one that came with the fault, one of another kind, and one that belonged to the fault before.
    events.extend([alarm(43, "A-2", "HOT"), alarm(63, "A-3", "HOT"), alarm(83, "A-4", "HOT")]);
    events.extend([alarm(105, "A-5", "HOT"), alarm(123, "A-6", "DOOR"), alarm(145, "A-7", "HOT")]);
    events
}

fn ranks(recomputed: Option<Recomputed>) -> (u8, u8, u8, bool, bool) {
    let found = recomputed.unwrap();
    (found.rank.get(), found.least.get(), found.greatest.get(), found.differs, found.is_sure)
}

#[test]
fn ranks_follow_from_counts_that_can_be_made_by_hand() {
    let folds = given(ten_days(&[row("bearing", "BEA-WEA", 3, 8), row("reed", "REE-DAM", 6, 6)]));
    let sheet = compare(models(&folds), &request()).unwrap();
    assert_eq!(sheet.assets.iter().map(|asset| asset.as_str()).collect::<Vec<_>>(), ["L07"]);
    assert!((sheet.exposure_days - 10.0).abs() < 1e-9 && sheet.standing == Standing::Draft);
    let bearing = &sheet.rows[0];
    // Ten in ten days: between 0.48 and 1.84 a day, more than once a week or a day. The expert's 3 is far off.
    assert_eq!((bearing.episodes, bearing.risk_priority, bearing.by_item), (10, 144, false));
    let per_day = bearing.per_day.unwrap();
    assert!(
        (per_day.value - 1.0).abs() < 1e-9 && (per_day.low - 0.4795).abs() < 1e-3 && per_day.high > 1.6,
        "{per_day:?}"
    );
    assert_eq!(ranks(bearing.occurrence), (7, 6, 7, true, true));
    // The alarm that came with a fault, that of another kind, and those while a fault lasted warned of nothing.
    assert_eq!((bearing.warned, bearing.found_by_looking, bearing.unknown_detection), (3, 2, 1));
    assert_eq!(bearing.noticed, Share::new(5, 10));
    assert_eq!(bearing.lead_h.unwrap().value, 2.0);
    assert_eq!(ranks(bearing.detection), (7, 6, 9, false, false));
    assert_eq!(bearing.recomputed_risk_priority, Some(6 * 7 * 7));
    assert!(!bearing.positions.is_empty() && bearing.positions.len() <= MAX_POSITIONS);
    // None in ten days says that it is rarer than 0.37 a day, and little about how rare.
    let reed = &sheet.rows[1];
    assert_eq!((reed.episodes, reed.detection, reed.recomputed_risk_priority), (0, None, None));
    assert!((reed.per_day.unwrap().high - 0.3689).abs() < 1e-3);
    assert_eq!(ranks(reed.occurrence), (5, 1, 6, false, false));
    // By running time there were five days.
    let running = compare(models(&folds), &FmeaRequest { clock: Clock::Running, ..request() }).unwrap();
    assert!((running.exposure_days - 5.0).abs() < 1e-9 && (running.rows[0].per_day.unwrap().value - 2.0).abs() < 1e-9);
    // In a window its own episodes count.
    let window = FmeaRequest { from: Some(time(100)), to: Some(time(150)), ..request() };
    let window = compare(models(&folds), &window).unwrap();
    assert_eq!((window.rows[0].episodes, window.rows[0].warned), (3, 0));
    assert!((window.exposure_days - 50.0 / 24.0).abs() < 1e-9);
}

#[test]
fn rows_of_one_mode_are_told_apart_by_item_in_words_or_as_a_code() {
    let rows = [row("主传动轴承", "BEA-WEA", 3, 8), row("MAIN_MOTOR", "BEA-WEA", 3, 8), row("gear", "BEA-WEA", 3, 8)];
    let folds = given(ten_days(&rows));
    let sheet = compare(models(&folds), &request()).unwrap();
    let shown: Vec<_> = sheet.rows.iter().map(|row| (row.by_item, row.episodes)).collect();
    assert_eq!(shown, [(true, 7), (true, 3), (true, 0)]);
}

#[test]
fn what_is_no_sheet_is_named() {
    let mut events = ten_days(&[row("bearing", "BEA-WEA", 3, 8)]);
    events.push((
        1,
        event::<ArticleDrafted>(
            json!({"article": "KB-1", "revision": 1, "kind": "rule", "title": {"en": "x"}, "author": "P-1"}),
        ),
    ));
    let folds = given(events);
    let asked = |article: &str, as_of| {
        let article = ArticleId::new(article).unwrap();
        compare(models(&folds), &FmeaRequest { article, as_of, ..request() })
            .map(|sheet| sheet.exposure_days)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(asked("KB-1", AsOf::LATEST), "article KB-1 is of the kind Rule, and no FMEA sheet");
    assert_eq!(asked("FMEA-2", AsOf::LATEST), "article FMEA-2 is not known");
    assert_eq!(asked("FMEA-1", AsOf::through(Position::new(1))), "article FMEA-1 is not known");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Looking back equals standing there.
    #[test]
    fn as_of_equals_a_replay(seeds in prop::collection::vec(any::<u64>(), 1..120), cut in any::<prop::sample::Index>()) {
        let rows = [row("x", "code-0", 3, 3), row("code-1", "code-1", 3, 3), row("code-2", "code-1", 3, 3)];
        let Event::ArticleDrafted(mut drafted) = sheet(&rows) else { unreachable!() };
        drafted.classes.clear();
        let mut events = vec![sealed(10_000, Some(time(0)), drafted)];
        events.extend(history(&seeds));
        let cut = cut.index(events.len()) as u64;
        let (mut all, mut then) = (Folds::default(), Folds::default());
        for (event, position) in events.into_iter().zip(0..) {
            let entry = logged(position, event);
            all.apply(&entry);
            if position <= cut {
                then.apply(&entry);
            }
        }
        for clock in [Clock::Running, Clock::Calendar] {
            let back = FmeaRequest { clock, as_of: AsOf::through(Position::new(cut)), ..request() };
            let there = FmeaRequest { clock, ..request() };
            prop_assert_eq!(compare(models(&all), &back).unwrap(), compare(models(&then), &there).unwrap());
        }
    }
}
