use domain::Text;
use domain::events::AlarmRaised;
use domain::ids::AlarmId;
use proptest::prelude::*;

use super::*;
use crate::testing::time;

fn alarm(asset: &str, code: &str) -> AlarmRaised {
    AlarmRaised {
        alarm: AlarmId::new("a").unwrap(),
        asset: AssetId::new(asset).unwrap(),
        code: Code::new(code).unwrap(),
        text: Text::new("报警", "alarm"),
        severity: 500,
    }
}

fn second(second: i64) -> Timestamp {
    time(0) + SignedDuration::from_secs(second)
}

fn at(raised: &AlarmRaised, seconds: i64, position: u64) -> Activation<'_> {
    Activation {
        raised,
        raised_at: second(seconds),
        position: Position::new(position),
        acknowledged_at: None,
        acknowledged: false,
        cleared_at: None,
        cleared: false,
        suppressed: false,
    }
}

fn series(raised: &AlarmRaised, seconds: impl IntoIterator<Item = i64>) -> Vec<Activation<'_>> {
    seconds.into_iter().zip(0..).map(|(seconds, position)| at(raised, seconds, position)).collect()
}

fn shed(_: &AssetId) -> Option<String> {
    Some("shed-1".to_owned())
}

const DAY: i64 = 86_400;

#[test]
fn the_first_of_a_group_is_the_one_to_look_at() {
    let (pressure, weft, other) = (alarm("L07", "AIR"), alarm("L07", "WEFT"), alarm("L08", "AIR"));
    let activations = [at(&pressure, 0, 0), at(&other, 1, 1), at(&weft, 20, 2), at(&weft, 45, 3), at(&pressure, 90, 4)];
    let found = groups(&activations, GROUP_GAP);
    let shown: Vec<_> = found.iter().map(|group| (group.first_up.position.get(), group.followed.len())).collect();
    assert_eq!(shown, [(0, 2), (1, 0), (4, 0)]);
}

#[test]
fn three_in_a_minute_chatter() {
    let raised = alarm("L07", "E1");
    assert!(chattering(&series(&raised, [0, 30, 61, 92])).is_empty());
    let activations = series(&raised, [0, 30, 60, 80, 1000, 1030, 1060, 2000]);
    let found = chattering(&activations);
    assert_eq!((found.len(), found[0].bursts, found[0].raised), (1, 2, 7));
    let mut hidden = activations.clone();
    hidden.iter_mut().for_each(|activation| activation.suppressed = true);
    assert!(chattering(&hidden).is_empty(), "what nobody sees burdens nobody");
}

#[test]
fn fleeting_alarms_are_over_before_anybody_can_act() {
    let raised = alarm("L07", "E1");
    let ended = |seconds: i64, acknowledged| Activation {
        cleared_at: Some(second(seconds)),
        cleared: true,
        acknowledged,
        ..at(&raised, 0, 0)
    };
    assert_eq!(fleeting(&[ended(9, false), ended(10, false), ended(9, true), at(&raised, 0, 0)]).len(), 1);
}

#[test]
fn stale_alarms_have_lasted_a_day() {
    let raised = alarm("L07", "E1");
    let lasting = at(&raised, 0, 0);
    let over = Activation { cleared: true, cleared_at: Some(second(DAY + 50)), ..lasting.clone() };
    let over_some_time = Activation { cleared: true, ..lasting.clone() };
    let activations = [lasting, over, over_some_time];
    assert_eq!(stale(&activations, second(DAY)).len(), 0);
    assert_eq!(stale(&activations, second(DAY + 1)).len(), 2);
    assert_eq!(stale(&activations, second(DAY + 50)).len(), 1);
}

#[test]
fn a_flood_begins_above_ten_and_ends_below_five() {
    let raised = alarm("L07", "E1");
    // Ten in ten minutes are no flood.
    let ten = series(&raised, (0..10).map(|i| i * 60));
    assert!(floods(&ten, (second(0), second(DAY)), shed).is_empty());
    // Eleven are; five of these came at 360 s or later, so that at 360 + 600 s four are left.
    let eleven = series(&raised, (0..11).map(|i| i * 59));
    let found = floods(&eleven, (second(0), second(DAY)), shed);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].from, found[0].to), (second(590), second(6 * 59 + 600)));
    assert_eq!((found[0].alarms, found[0].peak, found[0].positions.len()), (11, 11, 11));
    // One alarm each 119 s keeps five in the window, and the flood up until the end of the asked time. At 120 s the fifth leaves as the next one comes.
    let kept_up: Vec<i64> = (0..11).map(|i| i * 59).chain((1..100).map(|i| 590 + i * 119)).collect();
    let kept_up = series(&raised, kept_up);
    let found = floods(&kept_up, (second(0), second(12_400)), shed);
    assert_eq!((found.len(), found[0].alarms, found[0].to), (1, 110, second(12_400)));
    // Two floods, far from each other, and one place more.
    let twice: Vec<i64> = (0..20).chain(5000..5030).collect();
    let twice = series(&raised, twice);
    assert_eq!(floods(&twice, (second(0), second(DAY)), shed).len(), 2);
    assert!(floods(&twice, (second(0), second(DAY)), |_| None).is_empty());
    let rate = rates(&twice, (second(0), second(DAY)), ["shed-2".to_owned()], shed);
    assert_eq!(rate.len(), 2);
    assert_eq!(rate[0].per_10_min, Ratio::new(50.0, 144.0));
    assert_eq!(rate[0].per_day.value(), Some(50.0));
    assert_eq!(rate[0].peak_10_min, 30);
    assert_eq!((rate[1].place.as_str(), rate[1].per_hour.value()), ("shed-2", Some(0.0)));
    let flooded: f64 = floods(&twice, (second(0), second(DAY)), shed)
        .iter()
        .map(|flood| flood.to.duration_since(flood.from).as_secs_f64())
        .sum();
    assert_eq!(rate[0].in_flood, Ratio::new(flooded, 86_400.0));
}

#[test]
fn bad_actors_come_with_their_share() {
    let (worst, other) = (alarm("L07", "E1"), alarm("L08", "E1"));
    let mut activations = series(&worst, 0..30);
    activations.extend(series(&other, 0..10));
    let found = bad_actors(&activations, 10);
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].share, found[1].cumulative), (Ratio::new(30.0, 40.0), Ratio::new(40.0, 40.0)));
    assert_eq!(found[0].positions.len(), MAX_POSITIONS);
    assert_eq!(bad_actors(&activations, 1).len(), 1);
}

proptest! {
    /// Each flood by its definition: counted anew at each alarm and each end.
    #[test]
    fn floods_hold_their_definition(steps in prop::collection::vec(0..200i64, 1..120)) {
        let raised = alarm("L07", "E1");
        let seconds: Vec<i64> = steps.iter().scan(0, |sum, step| { *sum += step; Some(*sum) }).collect();
        let end = seconds.last().unwrap() + 10_000;
        let activations = series(&raised, seconds.iter().copied());
        let found = floods(&activations, (second(0), second(end)), shed);
        let recent = |at: Timestamp| seconds.iter().filter(|s| { let age = at.duration_since(second(**s)).as_secs(); (0..600).contains(&age) }).count();
        for flood in &found {
            prop_assert!(recent(flood.from) > FLOOD_BEGINS_ABOVE);
            // An alarm of the very moment in which the count falls comes after the flood.
            let left = seconds.iter().filter(|s| (1..600).contains(&flood.to.duration_since(second(**s)).as_secs())).count();
            prop_assert!(left < FLOOD_ENDS_BELOW);
            for s in seconds.iter().filter(|s| flood.from <= second(**s) && second(**s) < flood.to) {
                prop_assert!(recent(second(*s)) >= FLOOD_ENDS_BELOW);
            }
        }
        for pair in found.windows(2) {
            prop_assert!(pair[0].to <= pair[1].from);
        }
        for (index, s) in seconds.iter().enumerate() {
            // Of alarms at one time the last sees them all.
            if seconds.get(index + 1) != Some(s) && recent(second(*s)) > FLOOD_BEGINS_ABOVE {
                prop_assert!(found.iter().any(|flood| flood.from <= second(*s) && second(*s) <= flood.to), "{s}");
            }
        }
    }
}
