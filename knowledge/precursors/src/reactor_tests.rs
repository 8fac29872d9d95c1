use std::time::Duration;

use domain::ids::{Code, PersonId};
use eventlog::frames::{Reading, StatusCode, Value};
use eventlog::memory::MemoryLog;
use eventlog::{AppendCondition, Direction, MAX_PAGE};
use jiff::Timestamp;
use projections::folds::alarms::Alarms;
use projections::folds::episodes::Episodes;
use projections::seal_readings;
use serde_json::{Value as Json, json};

use super::*;
use crate::feature::Feature;
use crate::history::{Models, Plan, Scope, judgements, live};
use crate::judge::Outcome;
use crate::mine::{Seen, raised};
use crate::watch::feature_of;

const PATIENCE: Duration = Duration::from_secs(20);

fn at(second: i64) -> Timestamp {
    Timestamp::new(1_780_000_000 + second, 0).unwrap()
}

fn event(event_type: &str, payload: Json) -> Event {
    Event::from_value(event_type, 1, payload).unwrap()
}

async fn append(log: &Arc<dyn EventLog>, second: i64, event: Event) -> Position {
    let sealed = seal(&event, Meta::own("test", Some(at(second)))).unwrap();
    log.append(AppendCondition::none(), vec![sealed]).await.unwrap().first
}

async fn read(log: &Arc<dyn EventLog>, signal: &str, values: &[(i64, f64)]) -> Position {
    let readings = values
        .iter()
        .map(|(second, value)| Reading {
            signal: signal.into(),
            time: at(*second),
            sequence: None,
            value: Value::Float(*value),
            status: StatusCode::GOOD,
        })
        .collect();
    let sealed = seal_readings("test", readings, Meta::own("test", None)).unwrap();
    log.append(AppendCondition::none(), vec![sealed]).await.unwrap().first
}

/// Two looms with a vibration, and no rule.
async fn mill() -> Arc<dyn EventLog> {
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new());
    for loom in ["L1", "L2"] {
        append(&log, 0, event("asset.registered", json!({"asset": loom, "name": {"en": loom}, "class": "loom"}))).await;
        let signal = json!({"signal": format!("{loom}.vibration"), "asset": loom, "quantity": "vibration", "name": {"en": "v"}, "unit": "mm/s"});
        append(&log, 0, event("signal.defined", signal)).await;
    }
    log
}

fn heat(threshold: f64) -> Json {
    json!({
        "mode": "BEA", "horizon_s": 600, "clear_s": 2,
        "condition": {"of": "readings", "quantity": "vibration", "statistic": "mean", "window_s": 6, "while_running": true, "side": "at_least", "threshold": threshold},
        "measured": {"as_of": 3, "warnings": {"cases": 3, "trials": 4}, "precision": {"low": 0.3, "value": 0.75, "high": 0.95}, "faults": {"cases": 3, "trials": 5}, "false_per_day": 0.5, "asset_days": 10.0}
    })
}

fn alarms() -> Json {
    json!({"mode": "BEA", "horizon_s": 600, "clear_s": 5, "condition": {"of": "alarms", "codes": ["E1*"], "window_s": 10, "at_least": 2}})
}

async fn approve(log: &Arc<dyn EventLog>, rule: &str, revision: u32, detection: Json) {
    let draft = json!({"article": rule, "revision": revision, "kind": "rule", "title": {"en": "t"}, "classes": ["loom"], "detection": detection, "author": "P-1"});
    append(log, 0, event("article.drafted", draft)).await;
    append(
        log,
        0,
        event("article.reviewed", json!({"article": rule, "revision": revision, "person": "P-2", "approved": true})),
    )
    .await;
}

/// Every warning event as `+L1@12` or `-L1@20`, times in seconds.
async fn said(log: &Arc<dyn EventLog>) -> String {
    let mut said = Vec::new();
    each_entry(&**log, filters::types(&["warning.raised", "warning.cleared"]), log.tail(), |entry| {
        let second = entry.event_time.unwrap().as_second() - 1_780_000_000;
        match entry.event().unwrap() {
            Event::WarningRaised(raised) => said.push(format!("+{}@{second}", raised.asset)),
            Event::WarningCleared(cleared) => said.push(format!("-{}@{second}", cleared.asset)),
            other => panic!("{other:?}"),
        }
    })
    .await
    .unwrap();
    said.join(" ")
}

struct Runs {
    handle: ReactorHandle,
    cancel: CancellationToken,
}

fn run(log: &Arc<dyn EventLog>, start: u64) -> Runs {
    let cancel = CancellationToken::new();
    let options = ReactorOptions { dir: None, start: Position::new(start) };
    let handle = start_reactor(log, FaultWarnings::new(Arc::clone(log)), options, cancel.clone()).unwrap();
    Runs { handle, cancel }
}

impl Runs {
    async fn answered(&self, log: &Arc<dyn EventLog>) {
        let last = log.tail().previous().unwrap();
        self.handle.wait_for(last, PATIENCE).await.unwrap();
        assert_eq!(self.handle.failed(), None);
    }

    async fn stop(self) {
        self.cancel.cancel();
        self.handle.stopped().await;
    }
}

/// Seconds 0 to 40 of a loom: it shakes from 10 to 20.
fn shaking() -> Vec<(i64, f64)> {
    (0..40).map(|second| (second, if (10..20).contains(&second) { 9.0 } else { 1.0 })).collect()
}

#[tokio::test]
async fn a_rule_warns_once_and_says_why_and_how_surely() {
    let log = mill().await;
    approve(&log, "R", 1, heat(5.0)).await;
    let runs = run(&log, 0);
    let frame = read(&log, "L1.vibration", &shaking()).await;
    read(&log, "L2.vibration", &[(1, 1.0), (9, 1.0)]).await;
    runs.answered(&log).await;
    // Means of six: 5 is reached when second 12 is over, and left when second 23 is; two seconds later the warning ends.
    assert_eq!(said(&log).await, "+L1@13 -L1@26");
    let mut found = None;
    each_entry(&*log, filters::types(&["warning.raised"]), log.tail(), |entry| found = entry.event().cloned())
        .await
        .unwrap();
    let Some(Event::WarningRaised(raised)) = found else { panic!("{found:?}") };
    assert_eq!((raised.rule.as_str(), raised.revision, raised.mode.as_str(), raised.horizon_s), ("R", 1, "BEA", 600));
    assert_eq!((raised.probability.unwrap().value, raised.n), (0.75, Some(4)));
    assert_eq!(raised.evidence.positions, [frame.get()]);
    assert_eq!((raised.evidence.value, raised.evidence.threshold), (5.0, 5.0));
    assert_eq!((raised.evidence.from, raised.evidence.to), (at(7), at(13)));
    runs.stop().await;
}

#[tokio::test]
async fn a_restart_anywhere_repeats_nothing_and_misses_nothing() {
    let log = mill().await;
    approve(&log, "R", 1, heat(5.0)).await;
    approve(&log, "A", 1, alarms()).await;
    let runs = run(&log, 0);
    for (second, value) in shaking() {
        read(&log, "L1.vibration", &[(second, value)]).await;
        if second % 15 == 3 || second % 15 == 7 {
            let alarm = json!({"alarm": format!("a{second}"), "asset": "L2", "code": "E10", "text": {"en": "x"}, "severity": 5});
            append(&log, second, event("alarm.raised", alarm)).await;
        }
    }
    runs.answered(&log).await;
    runs.stop().await;
    let once = said(&log).await;
    assert_eq!(once, "+L2@7 +L1@13 -L2@18 +L2@22 -L1@26 -L2@33 +L2@37");
    let tail = log.tail();
    // Answered again from any place, the log is what it was.
    for start in 0..tail.get() {
        let runs = run(&log, start);
        runs.answered(&log).await;
        runs.stop().await;
        assert_eq!(log.tail(), tail, "from {start} on");
    }
    // A replay appends nothing.
    projections::replay(&*log, None).await.unwrap();
    assert_eq!((log.tail(), said(&log).await), (tail, once));
}

#[tokio::test]
async fn a_crash_between_readings_changes_nothing() {
    let whole = mill().await;
    approve(&whole, "R", 1, heat(5.0)).await;
    let always = run(&whole, 0);
    for (second, value) in shaking() {
        read(&whole, "L1.vibration", &[(second, value)]).await;
    }
    always.answered(&whole).await;
    always.stop().await;
    let broken = mill().await;
    approve(&broken, "R", 1, heat(5.0)).await;
    let mut start = 0;
    for (second, value) in shaking() {
        read(&broken, "L1.vibration", &[(second, value)]).await;
        if second % 3 == 0 {
            let runs = run(&broken, start);
            runs.answered(&broken).await;
            start = runs.handle.checkpoint().get();
            runs.stop().await;
        }
    }
    let runs = run(&broken, start);
    runs.answered(&broken).await;
    runs.stop().await;
    assert_eq!(said(&broken).await, said(&whole).await);
    assert!(!said(&whole).await.is_empty());
}

#[tokio::test]
async fn a_rule_that_comes_into_force_late_knows_what_came_before_and_its_end_ends_its_warnings() {
    let log = mill().await;
    let runs = run(&log, 0);
    read(&log, "L1.vibration", &(0..10).map(|second| (second, 9.0)).collect::<Vec<_>>()).await;
    approve(&log, "R", 1, heat(5.0)).await;
    runs.answered(&log).await;
    assert_eq!(said(&log).await, "", "the condition has held, but no new value came");
    read(&log, "L1.vibration", &[(10, 9.0)]).await;
    runs.answered(&log).await;
    assert_eq!(said(&log).await, "+L1@10");
    // A revision that is approved takes the open warning over; a draft changes nothing.
    let draft = json!({"article": "R", "revision": 2, "kind": "rule", "title": {"en": "t"}, "classes": ["loom"], "detection": heat(100.0), "author": "P-1"});
    append(&log, 11, event("article.drafted", draft)).await;
    read(&log, "L1.vibration", &[(11, 9.0), (12, 9.0)]).await;
    runs.answered(&log).await;
    assert_eq!(said(&log).await, "+L1@10");
    append(
        &log,
        12,
        event("article.reviewed", json!({"article": "R", "revision": 2, "person": "P-2", "approved": true})),
    )
    .await;
    read(&log, "L1.vibration", &[(13, 9.0), (14, 9.0), (15, 9.0), (16, 9.0), (17, 9.0)]).await;
    runs.answered(&log).await;
    assert_eq!(said(&log).await, "+L1@10 -L1@15");
    approve(&log, "S", 1, heat(5.0)).await;
    read(&log, "L1.vibration", &[(18, 9.0)]).await;
    append(&log, 18, event("article.superseded", json!({"article": "S", "person": "P-3"}))).await;
    read(&log, "L1.vibration", &[(19, 9.0)]).await;
    runs.answered(&log).await;
    assert_eq!(said(&log).await, "+L1@10 -L1@15 +L1@18 -L1@18");
    runs.stop().await;
}

#[tokio::test]
async fn a_stopped_loom_and_bad_readings_do_not_warn() {
    let log = mill().await;
    approve(&log, "R", 1, heat(5.0)).await;
    let runs = run(&log, 0);
    append(&log, 5, event("asset.state_changed", json!({"asset": "L1", "state": "stopped"}))).await;
    read(&log, "L1.vibration", &shaking()).await;
    runs.answered(&log).await;
    assert_eq!(said(&log).await, "");
    append(&log, 60, event("asset.state_changed", json!({"asset": "L1", "state": "running"}))).await;
    read(&log, "L1.vibration", &(60..70).map(|second| (second, 9.0)).collect::<Vec<_>>()).await;
    runs.answered(&log).await;
    assert_eq!(said(&log).await, "+L1@63");
    runs.stop().await;
}

#[tokio::test]
async fn live_values_are_those_of_the_history() {
    let log = mill().await;
    approve(&log, "R", 1, heat(5.0)).await;
    let runs = run(&log, 0);
    append(&log, 14, event("asset.state_changed", json!({"asset": "L1", "state": "stopped"}))).await;
    append(&log, 17, event("asset.state_changed", json!({"asset": "L1", "state": "running"}))).await;
    let again = shaking().into_iter().map(|(second, value)| (second + 40, value)).collect::<Vec<_>>();
    read(&log, "L1.vibration", &shaking()).await;
    read(&log, "L1.vibration", &again).await;
    runs.answered(&log).await;
    runs.stop().await;
    // The way of mining: readings by signal, features, then the trigger.
    let detection: Detection = serde_json::from_value(heat(5.0)).unwrap();
    let spec = feature_of(&detection.condition).unwrap();
    let timelines = timelines(&*log, log.tail()).await.unwrap();
    let mut feature = Feature::new(spec);
    let mut points = Vec::new();
    let signal = SignalId::new("L1.vibration").unwrap();
    let timeline = timelines.values().next().unwrap();
    each_reading(&*log, &signal, Timestamp::MIN, log.tail(), |time_ns, value, position| {
        if timeline.may_run(time_ns, position) {
            points.extend(feature.push(time_ns, value, position));
        }
        true
    })
    .await
    .unwrap();
    let mut seen = Seen::default();
    seen.series.insert((Code::new("vibration").unwrap(), spec), points);
    let mined: Vec<String> = raised(&detection, &seen, i64::MAX)
        .into_iter()
        .map(|time_ns| format!("+L1@{}", timestamp(time_ns).as_second() - 1_780_000_000))
        .collect();
    let said = said(&log).await;
    let live: Vec<&str> = said.split(' ').filter(|change| change.starts_with('+')).collect();
    assert_eq!(live, mined);
    assert_eq!(live.len(), 2);
}

#[tokio::test]
async fn what_became_of_warnings_is_known_as_of_a_position() {
    let log = mill().await;
    approve(&log, "R", 1, heat(5.0)).await;
    let runs = run(&log, 0);
    read(&log, "L1.vibration", &shaking()).await;
    runs.answered(&log).await;
    let before = log.tail().previous().unwrap();
    append(&log, 100, event("fault.observed", json!({"fault": "F", "asset": "L1", "symptoms": {"en": "shakes"}})))
        .await;
    append(&log, 110, event("fault.coded", json!({"fault": "F", "asset": "L1", "mode": "BEA"}))).await;
    append(&log, 120, event("fault.closed", json!({"fault": "F", "asset": "L1"}))).await;
    let coded = log.tail().previous().unwrap();
    // Coded anew, it was another mode; and time goes on beyond the horizon.
    append(&log, 130, event("fault.coded", json!({"fault": "F", "asset": "L1", "mode": "BRK"}))).await;
    append(&log, 1_500, event("fault.observed", json!({"fault": "G", "asset": "L2", "symptoms": {"en": "stands"}})))
        .await;
    runs.answered(&log).await;
    runs.stop().await;
    let at_end = projections::replay(&*log, None).await.unwrap().0;
    let mut compared = 0;
    for (position, expected) in
        [(before, Outcome::Open), (coded, Outcome::Hit), (log.tail().previous().unwrap(), Outcome::False)]
    {
        let as_of = AsOf::through(position);
        let judged = judgements(&at_end.warnings, &at_end.episodes, as_of);
        assert_eq!(judged.iter().map(|judged| judged.outcome).collect::<Vec<_>>(), [expected], "as of {position}");
        let then = projections::replay(&*log, Some(position)).await.unwrap().0;
        assert_eq!(judged, judgements(&then.warnings, &then.episodes, AsOf::LATEST));
        let counted = live(&judged, &at_end.articles, as_of);
        assert_eq!(counted, live(&judged, &then.articles, AsOf::LATEST));
        assert_eq!(counted[0].mined.unwrap().value, 0.75);
        compared += 1;
    }
    assert_eq!(compared, 3);
    assert!(log.read(Position::START, Direction::Forward, Filter::all(), MAX_PAGE).await.unwrap().len() > 10);
}

#[tokio::test]
async fn mining_at_a_position_is_mining_a_log_that_ends_there() {
    let log = mill().await;
    let hour = 3_600;
    // Six faults a loom; an alarm three hours before each, and one that tells nothing.
    for number in 0..6 {
        for (loom, shift) in [("L1", 0), ("L2", 40 * hour)] {
            let fault_at = (number * 100 + 50) * hour + shift;
            for (code, second) in [("E1", fault_at - 3 * hour), ("E2", fault_at + 45 * hour)] {
                let alarm = json!({"alarm": format!("{loom}{code}{number}"), "asset": loom, "code": code, "text": {"en": "x"}, "severity": 5});
                append(&log, second, event("alarm.raised", alarm)).await;
            }
            let fault = format!("F{loom}{number}");
            append(
                &log,
                fault_at,
                event("fault.observed", json!({"fault": fault, "asset": loom, "symptoms": {"en": "x"}})),
            )
            .await;
            append(&log, fault_at + 60, event("fault.coded", json!({"fault": fault, "asset": loom, "mode": "BEA"})))
                .await;
            append(&log, fault_at + hour, event("fault.closed", json!({"fault": fault, "asset": loom}))).await;
        }
    }
    let last = log.tail().previous().unwrap();
    let scope = Scope { mode: Code::new("BEA").unwrap(), class: None, asset: None, horizon_s: 6 * 3_600 };
    let plan = |folds: &projections::Folds, at: Position| {
        let (catalog, episodes, alarms): (&Catalog, &Episodes, &Alarms) =
            (&folds.catalog, &folds.episodes, &folds.alarms);
        Plan::of(Models { catalog, episodes, alarms }, &scope, at)
    };
    let end = projections::replay(&*log, None).await.unwrap().0;
    let mined = plan(&end, last).mine(&*log).await.unwrap();
    let best = &mined.precursors[0];
    assert!(best.believed, "{best:?}");
    let title = crate::rules::title(&best.detection);
    assert!(title.any().contains("alarm E1 "), "{title:?}");
    let measured = best.detection.measured.as_ref().unwrap();
    assert_eq!((measured.warnings.cases, measured.warnings.trials), (5, 5));
    assert_eq!(measured.lead_s, Some([3.0 * 3_600.0; 3]));
    assert!(best.evidence.len() >= 24);
    // At an earlier position: as if nothing had come after.
    let earlier = Position::new(last.get() * 3 / 4);
    let then = projections::replay(&*log, Some(earlier)).await.unwrap().0;
    let (one, other) =
        (plan(&end, earlier).mine(&*log).await.unwrap(), plan(&then, earlier).mine(&*log).await.unwrap());
    assert_eq!(one, other);
    assert!(one.faults < mined.faults && one.faults >= 5);
    // And it can be promoted: the draft fits the rules.
    let person = PersonId::new("P-1").unwrap();
    let draft = crate::rules::promote(
        best,
        ArticleId::new("R").unwrap(),
        1,
        vec![domain::ids::AssetClass::new("loom").unwrap()],
        person,
    );
    assert!(domain::rules::States::new().contradictions(&draft.clone().into()).is_empty());
    append(&log, 0, draft.into()).await;
    append(
        &log,
        0,
        event("article.reviewed", json!({"article": "R", "revision": 1, "person": "P-2", "approved": true})),
    )
    .await;
    let after = projections::replay(&*log, None).await.unwrap().0;
    let rules = in_force(&after.articles, AsOf::LATEST);
    assert_eq!(rules[0].detection, best.detection);
    assert!(in_force(&after.articles, AsOf::through(last)).is_empty());
}
