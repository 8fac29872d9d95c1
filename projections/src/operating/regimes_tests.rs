use std::sync::Arc;

use domain::Event;
use domain::events::*;
use domain::ids::*;
use eventlog::memory::MemoryLog;
use eventlog::{AppendCondition, EventLog, NewEvent, Position};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::json;

use super::deviations::{Deviation, DeviationRequest, Side, deviations};
use super::observed::{AssetPieces, ObservationModels, ObservationPlan, gather};
use super::regimes::{FEATURES, LEAST_PIECES, Regimes};
use crate::testing::{frame, history, logged, sealed, time};
use crate::{AsOf, Folds};

fn event<T: serde::de::DeserializeOwned + Into<Event>>(value: serde_json::Value) -> Event {
    serde_json::from_value::<T>(value).unwrap().into()
}

/// Numbers between −0.5 and 0.5 that look like chance, and are the same each time.
fn noise(index: i64) -> f64 {
    f64::from(i32::try_from((index * 7919 + index / 7 * 104_729) % 1000).unwrap()) / 1000.0 - 0.5
}

fn hour(hour: f64) -> Timestamp {
    time(0) + SignedDuration::from_secs_f64(hour * 3600.0)
}

/// What a loom does at an hour: speed and vibration.
type Loom = fn(f64) -> (f64, f64);

/// Two days at 600 picks a minute and two at 550, where it shakes less; then a day at 600 with three hours in which it shakes more, and two hours at 550 in which it shakes as is usual at 600.
fn five_days(hour: f64) -> (f64, f64) {
    match hour {
        hour if (100.0..103.0).contains(&hour) => (600.0, 3.0),
        hour if (110.0..112.0).contains(&hour) => (550.0, 2.0),
        hour if (48.0..96.0).contains(&hour) => (550.0, 1.6),
        _ => (600.0, 2.0),
    }
}

/// The events of a loom for so many hours: a frame each hour with a reading of each signal each five minutes.
fn events(hours: u64, loom: Loom) -> Vec<NewEvent> {
    let signal = |id: &str, quantity: &str| {
        event::<SignalDefined>(
            json!({"signal": id, "asset": "L07", "quantity": quantity, "name": {"en": quantity}, "unit": "1"}),
        )
    };
    let mounted = json!({"asset": "L07", "beam": "B", "order": "O", "product": "poplin", "joining": "drawn_in"});
    let first = [
        signal("s.speed", "loom_speed"),
        signal("s.vib", "bearing_vibration"),
        signal("s.picks", "picks"),
        event::<BeamMounted>(mounted),
        event::<MachineStateChanged>(json!({"asset": "L07", "state": "running"})),
    ];
    let mut made: Vec<NewEvent> =
        (0..).zip(first).map(|(number, event)| sealed(number, Some(time(0)), event)).collect();
    for hour in 0..hours {
        let mut readings = Vec::new();
        for step in 0..12 {
            let second = i64::try_from(hour).unwrap() * 3600 + step * 300;
            #[expect(clippy::cast_precision_loss, reason = "seconds of a test")]
            let (speed, vibration) = loom(second as f64 / 3600.0);
            readings.push(("s.speed", second, speed + noise(second)));
            readings.push(("s.vib", second, vibration + 0.1 * noise(second / 3)));
            #[expect(clippy::cast_precision_loss, reason = "seconds of a test")]
            readings.push(("s.picks", second, second as f64 * 10.0));
        }
        made.push(frame(100 + hour, readings));
    }
    made
}

async fn log_of(events: &[NewEvent]) -> Arc<dyn EventLog> {
    let log = MemoryLog::new();
    for events in events.chunks(100).filter(|events| !events.is_empty()) {
        assert!(!log.append(AppendCondition::none(), events.to_vec()).await.unwrap().repeated);
    }
    Arc::new(log)
}

fn folds_of(events: &[NewEvent]) -> Folds {
    let mut folds = Folds::default();
    events.iter().zip(0..).for_each(|(event, position)| folds.apply(&logged(position, event.clone())));
    folds
}

async fn observe(
    log: &Arc<dyn EventLog>,
    folds: &Folds,
    assets: &[AssetId],
    window: (Timestamp, Timestamp),
    as_of: AsOf,
) -> Vec<AssetPieces> {
    let models = ObservationModels { catalog: &folds.catalog, states: &folds.states, production: &folds.production };
    gather(&**log, ObservationPlan::new(models, assets, window, None, as_of)).await.unwrap()
}

fn features() -> Vec<Code> {
    FEATURES.iter().map(|feature| Code::new(feature).unwrap()).collect()
}

fn looms() -> Vec<AssetId> {
    vec![AssetId::new("L07").unwrap()]
}

fn request(from: f64, to: f64) -> DeviationRequest {
    DeviationRequest { least_z: 3.0, least: SignedDuration::from_mins(30), from: hour(from), to: hour(to) }
}

async fn learnt(loom: Loom) -> (Regimes, Vec<AssetPieces>) {
    let events = events(120, loom);
    let (log, folds) = (log_of(&events).await, folds_of(&events));
    let observed = observe(&log, &folds, &looms(), (hour(0.0), hour(96.0)), AsOf::LATEST).await;
    let all = observe(&log, &folds, &looms(), (hour(96.0), hour(120.0)), AsOf::LATEST).await;
    (Regimes::learn(&observed, &features()), all)
}

#[tokio::test]
async fn two_speeds_are_two_regimes_each_with_its_own_baseline() {
    let (regimes, _) = learnt(five_days).await;
    let names: Vec<&str> = regimes.regimes.iter().map(|regime| regime.regime.as_str()).collect();
    assert_eq!(names, ["poplin;loom_speed=1/2", "poplin;loom_speed=2/2"]);
    assert_eq!(regimes.features, [Code::new("loom_speed").unwrap()]);
    assert_eq!(regimes.counters.iter().map(Code::as_str).collect::<Vec<_>>(), ["picks"]);
    assert_eq!(regimes.unassigned, 0);
    let vibration = Code::new("bearing_vibration").unwrap();
    for (regime, usual) in regimes.regimes.iter().zip([1.6, 2.0]) {
        assert!(regime.pieces.abs_diff(288) <= 2 && (regime.running_h - 48.0).abs() < 0.5, "{regime:?}");
        let baseline = regime.baseline(&vibration).unwrap();
        assert!((baseline.median.value - usual).abs() < 0.02, "{baseline:?}");
        assert!(baseline.median.low.unwrap() <= baseline.median.value && baseline.median.n > 280);
        assert!(usual - 0.06 < baseline.low.value && baseline.high.value < usual + 0.06 && baseline.scale > 0.0);
        assert!(regime.baseline(&Code::new("picks").unwrap()).is_none());
        let (first, last) = regime.positions.unwrap();
        assert!(first >= Position::new(5) && last < Position::new(5 + 96));
    }
    let cut = regimes.regimes[0].ranges[0].to.unwrap();
    assert!((551.0..599.0).contains(&cut), "{cut}");
}

#[tokio::test]
async fn what_is_usual_at_one_speed_deviates_at_another() {
    let (regimes, looked_at) = learnt(five_days).await;
    let found = deviations(&regimes, &looked_at, request(96.0, 120.0));
    let shown: Vec<_> =
        found.iter().map(|found| (found.quantity.as_str(), found.side, found.regime.as_str(), found.open)).collect();
    assert_eq!(
        shown,
        [
            ("bearing_vibration", Side::Above, "poplin;loom_speed=2/2", false),
            ("bearing_vibration", Side::Above, "poplin;loom_speed=1/2", false),
        ]
    );
    let Deviation { start, end, pieces, robust_z, positions, peak_at, .. } = &found[0];
    assert!((*start - hour(100.0)).abs().total(jiff::Unit::Second).unwrap() <= 600.0, "{start}");
    assert!((*end - hour(103.0)).abs().total(jiff::Unit::Second).unwrap() <= 600.0, "{end}");
    assert!((17..=19).contains(pieces) && robust_z.unwrap() > 10.0 && start <= peak_at && peak_at < end);
    // The frames of hours 100 to 102 stand behind five other events.
    assert!(
        !positions.is_empty() && positions.iter().all(|position| (105..=108).contains(&position.get())),
        "{positions:?}"
    );
    // Shorter than asked for is none; what lasts to the end of the window is open.
    let long = DeviationRequest { least: SignedDuration::from_hours(4), ..request(96.0, 120.0) };
    assert!(deviations(&regimes, &looked_at, long).is_empty());
    let cut = deviations(&regimes, &looked_at, request(96.0, 101.5));
    assert!(cut.len() == 1 && cut[0].open, "{cut:?}");
    let calm: Vec<_> = deviations(&regimes, &looked_at, request(113.0, 120.0));
    assert!(calm.is_empty(), "{calm:?}");
}

#[tokio::test]
async fn a_machine_that_stands_and_a_short_history_say_nothing() {
    let mut made = events(30, |hour| if hour < 20.0 { (600.0, 2.0) } else { (0.0, 9.0) });
    made.push(sealed(1000, Some(time(20)), event::<MachineStateChanged>(json!({"asset": "L07", "state": "down"}))));
    let (log, folds) = (log_of(&made).await, folds_of(&made));
    let observed = observe(&log, &folds, &looms(), (hour(0.0), hour(30.0)), AsOf::LATEST).await;
    let regimes = Regimes::learn(&observed, &features());
    assert_eq!(regimes.regimes.len(), 1);
    assert!((regimes.regimes[0].running_h - 20.0).abs() < 0.2);
    assert!(regimes.regimes[0].baselines.iter().all(|baseline| baseline.high.value < 601.0));
    // Five hours are fewer pieces than a regime needs: it is there, and knows nothing.
    let short = observe(&log, &folds, &looms(), (hour(0.0), hour(5.0)), AsOf::LATEST).await;
    let regimes = Regimes::learn(&short, &features());
    assert!(regimes.regimes[0].pieces < LEAST_PIECES && regimes.regimes[0].baselines.is_empty());
    assert!(deviations(&regimes, &observed, request(0.0, 30.0)).is_empty());
    assert_eq!(Regimes::learn(&[], &features()), Regimes::default());
}

#[tokio::test]
async fn a_signal_that_is_sent_when_it_changes_keeps_its_value_for_an_hour() {
    let mut made = events(3, five_days);
    made.push(sealed(
        2000,
        None,
        event::<SignalDefined>(
            json!({"signal": "s.hum", "asset": "L07", "quantity": "humidity", "name": {"en": "h"}, "unit": "%"}),
        ),
    ));
    made.push(frame(2001, vec![("s.hum", 900, 65.0)]));
    let (log, folds) = (log_of(&made).await, folds_of(&made));
    let observed = observe(&log, &folds, &looms(), (hour(0.0), hour(3.0)), AsOf::LATEST).await;
    let humidity = Code::new("humidity").unwrap();
    let held = observed[0].pieces.iter().filter_map(|piece| piece.values.get(&humidity));
    let counts: Vec<u64> = held.map(|measured| measured.n).collect();
    assert_eq!(counts, [1, 0, 0, 0, 0, 0, 0]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// What was known at a position is what a log that ended there says, whatever came later, and late.
    #[test]
    fn looking_back_equals_having_stood_there(seeds in prop::collection::vec(any::<u64>(), 1..60), hours in 1..40_u64, cut in any::<prop::sample::Index>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut made = events(hours, five_days);
            // Random events of other machines, and of this log's other signals, lie between.
            for (index, mut event) in history(&seeds).into_iter().enumerate() {
                event.id = eventlog::EventId::derived("random", &index.to_string());
                made.insert((index * 7) % made.len(), event);
            }
            let cut = cut.index(made.len());
            let (all, then) = (log_of(&made).await, log_of(&made[..=cut]).await);
            let (folds, folds_then) = (folds_of(&made), folds_of(&made[..=cut]));
            let assets: Vec<AssetId> = ["A0", "A1", "A2", "L07"].iter().map(|id| AssetId::new(id).unwrap()).collect();
            let window = (time(0), time(400));
            let as_of = AsOf::through(Position::new(cut as u64));
            let looking_back = observe(&all, &folds, &assets, window, as_of).await;
            let standing_there = observe(&then, &folds_then, &assets, window, AsOf::LATEST).await;
            prop_assert_eq!(&looking_back, &standing_there);
            let (back, there) = (Regimes::learn(&looking_back, &features()), Regimes::learn(&standing_there, &features()));
            prop_assert_eq!(
                deviations(&back, &looking_back, request(0.0, 400.0)),
                deviations(&there, &standing_there, request(0.0, 400.0))
            );
            prop_assert_eq!(back, there);
            Ok(())
        })?;
    }
}
