use domain::ids::PersonId;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::Meta;
use crate::testing::id;

/// A mill whose record times are seconds from a start; events happen at their record time, where nothing else is said.
#[derive(Default)]
struct Mill {
    notices: Notices,
    entries: Vec<Entry>,
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

impl Mill {
    fn new(policy: Value) -> Self {
        let mut mill = Self::default();
        mill.says(0, "asset.registered", json!({"asset": "L07", "name": {"en": "loom 7"}, "class": "air-jet-loom"}));
        mill.says(0, "notice_policy.set", policy);
        mill
    }

    fn says(&mut self, second: i64, event_type: &str, data: Value) -> Position {
        self.says_late(second, second, event_type, data)
    }

    fn says_late(&mut self, second: i64, happened: i64, event_type: &str, data: Value) -> Position {
        let position = Position::new(self.entries.len() as u64);
        let event = Event::from_value(event_type, 1, data).unwrap();
        let mut meta = Meta::own("test", Some(at(happened)));
        meta.id = id(position.get());
        let sealed = crate::seal(&event, meta).unwrap();
        let entry = Entry::decode(eventlog::Record::from_new(sealed, position, eventlog::Revision::START, at(second)));
        self.notices.apply(&entry);
        self.entries.push(entry);
        position
    }

    fn alarm(&mut self, second: i64, alarm: &str) -> Position {
        self.says(second, "alarm.raised", raised(alarm, "L07", 600))
    }

    fn about(&mut self, second: i64, event_type: &str, alarm: &str) {
        self.says(second, event_type, json!({"alarm": alarm, "asset": "L07"}));
    }

    /// What is due at a second, as `step:recipient`, and the second of the next step.
    fn due(&self, second: i64) -> (String, Option<i64>) {
        let (due, next) = self.notices.due(at(second));
        let texts: Vec<String> =
            due.iter().map(|due| format!("{}:{}", due.notice.step, due.notice.to.recipient())).collect();
        (texts.join(" "), next.map(|time| time.as_second() - at(0).as_second()))
    }

    /// Tells everybody who is to be told.
    fn tell(&mut self, second: i64) -> String {
        let (due, _) = self.notices.due(at(second));
        let told = self.due(second).0;
        for due in due {
            let data = json!({"group": due.group, "notice": due.notice});
            self.says(second, "notice.sent", data);
        }
        told
    }
}

fn raised(alarm: &str, asset: &str, severity: u16) -> Value {
    json!({"alarm": alarm, "asset": asset, "code": format!("C-{alarm}"), "text": {"zh": "纬纱迟到", "en": "weft late"}, "severity": severity})
}

fn to(topic: &str) -> Value {
    json!({"channel": "mqtt", "topic": topic})
}

/// First `one`, after a hundred seconds `two`; what comes within ten seconds belongs together.
fn ladder(more: Value) -> Value {
    let mut policy = json!({"policy": "p", "window_s": 10, "steps": [{"after_s": 0, "to": [to("one")]}, {"after_s": 100, "to": [to("two")]}], "person": "P-1"});
    policy.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    policy
}

#[test]
fn a_flood_is_one_group_and_climbs_one_ladder() {
    let mut mill = Mill::new(ladder(json!({})));
    for number in 0..30 {
        mill.alarm(number, &format!("A{number}"));
    }
    assert_eq!(mill.tell(30), "1:one");
    mill.alarm(60, "late, and the group is open still");
    assert_eq!(mill.due(99), (String::new(), Some(100)));
    assert_eq!(mill.tell(100), "2:two");
    assert_eq!(mill.due(10_000), (String::new(), None));
    let groups: Vec<_> = mill.notices.groups(AsOf::LATEST).collect();
    assert_eq!((groups.len(), groups[0].members.len(), groups[0].step), (1, 31, 2));
    assert_eq!(groups[0].first_up.code.as_str(), "C-A0");
    assert_eq!(groups[0].told[1].notice.positions.len(), 31);
}

#[test]
fn acknowledgement_stops_and_what_comes_later_is_a_new_group() {
    let mut mill = Mill::new(ladder(json!({})));
    mill.alarm(0, "A");
    mill.alarm(1, "B");
    assert_eq!(mill.tell(1), "1:one");
    mill.about(20, "alarm.acknowledged", "A");
    assert_eq!(mill.due(100).0, "2:two", "one of two was seen");
    mill.about(21, "alarm.acknowledged", "B");
    assert_eq!(mill.due(10_000), (String::new(), None));
    mill.alarm(200, "C");
    assert_eq!(mill.tell(200), "1:one");
    assert_eq!(mill.notices.groups(AsOf::LATEST).count(), 2);
}

#[test]
fn what_is_raised_soon_after_an_acknowledgement_goes_on_by_the_same_ladder_from_then_on() {
    let mut mill = Mill::new(ladder(json!({})));
    mill.alarm(0, "A");
    assert_eq!(mill.tell(0), "1:one");
    mill.about(5, "alarm.acknowledged", "A");
    mill.alarm(8, "B");
    assert_eq!(mill.due(107), (String::new(), Some(108)));
    assert_eq!(mill.tell(108), "2:two");
}

#[test]
fn a_return_to_normal_stops_and_a_chattering_alarm_is_one_group() {
    let mut mill = Mill::new(ladder(json!({})));
    mill.alarm(0, "A");
    assert_eq!(mill.tell(0), "1:one");
    for second in (2..200).step_by(8) {
        mill.about(second, "alarm.cleared", "A");
        assert_eq!(mill.due(10_000), (String::new(), None), "nobody is called for what is over");
        mill.alarm(second + 4, "A");
        assert_eq!(mill.due(99).0, "", "one notice for each step");
    }
    assert_eq!(mill.tell(206), "2:two", "nobody has answered all the while");
    mill.about(210, "alarm.cleared", "A");
    mill.alarm(221, "A");
    assert_eq!(mill.tell(221), "1:one", "after the window it is news");
    assert_eq!(mill.notices.groups(AsOf::LATEST).count(), 2);
}

#[test]
fn the_whole_group_can_be_answered_for() {
    let mut mill = Mill::new(ladder(json!({})));
    mill.alarm(0, "A");
    mill.alarm(1, "B");
    let group = mill.notices.due(at(1)).0[0].group.clone();
    mill.says(2, "notice.acknowledged", json!({"group": group, "person": "P-31"}));
    assert_eq!(mill.due(10_000), (String::new(), None));
    let view = mill.notices.group(&group, AsOf::LATEST).unwrap();
    assert_eq!((view.open, view.acknowledged_by), (false, vec![PersonId::new("P-31").unwrap()]));
    mill.says(3, "notice.acknowledged", json!({"group": "unknown", "person": "P-31"}));
}

#[test]
fn what_is_kept_back_and_what_is_history_notifies_nobody() {
    let mut mill = Mill::new(ladder(json!({})));
    mill.says(0, "alarm.shelved", json!({"asset": "L07", "code": "C-A", "until": at(50).to_string()}));
    mill.says(0, "alarm.suppressed", json!({"asset": "L07", "code": "C-B", "how": "by_design"}));
    mill.alarm(1, "A");
    mill.alarm(1, "B");
    mill.says_late(10_000, 9_000, "alarm.raised", raised("old", "L07", 900));
    assert_eq!(mill.due(10_000), (String::new(), None));
    // Fifteen minutes are still the present; shelving ends by itself.
    mill.says_late(10_000, 9_100, "alarm.raised", raised("A", "L07", 900));
    assert_eq!(mill.due(10_000).0, "1:one");
    // What is shelved after it was raised waits for nobody.
    mill.says(10_001, "alarm.shelved", json!({"asset": "L07", "code": "C-A", "until": at(20_000).to_string()}));
    assert_eq!(mill.due(20_000), (String::new(), None));
}

#[test]
fn a_warning_opens_a_group_and_its_end_stops_it() {
    let mut mill = Mill::new(ladder(json!({"applies": {"codes": ["BEA*"], "severity_at_least": 900}})));
    let (time, evidence) = (at(5).to_string(), json!({"value": 6.0, "threshold": 5.0, "positions": []}));
    let mut evidence = evidence;
    for name in ["from", "to", "since"] {
        evidence[name] = json!(time);
    }
    let warning = json!({"warning": "W", "rule": "KB-20", "revision": 1, "asset": "L07", "mode": "BEA-WEA", "horizon_s": 60, "evidence": evidence});
    mill.says(5, "warning.raised", warning);
    assert_eq!(mill.tell(5), "1:one");
    assert_eq!(mill.notices.told(AsOf::LATEST)[0].notice.alarms, 1);
    mill.says(6, "warning.cleared", json!({"warning": "W", "rule": "KB-20", "asset": "L07", "by": "calm"}));
    assert_eq!(mill.due(1_000), (String::new(), None));
}

#[test]
fn the_narrowest_policy_counts_and_each_position_has_its_own() {
    let mut mill = Mill::new(ladder(json!({})));
    let named = |policy: &str, applies: Value| ladder(json!({"policy": policy, "applies": applies}));
    let first = mill.says(1, "notice_policy.set", named("severe", json!({"severity_at_least": 800})));
    mill.says(1, "notice_policy.set", named("class", json!({"classes": ["air-jet-loom"], "severity_at_least": 500})));
    mill.says(1, "notice_policy.set", named("asset", json!({"assets": ["L07"], "codes": ["E*"]})));
    let removed = mill.says(2, "notice_policy.removed", json!({"policy": "class", "person": "P-1"}));
    let chosen = |code: &str, severity: u16, as_of: AsOf| {
        let asset = AssetId::new("L07").unwrap();
        let fact = mill.notices.chosen(&asset, &Code::new(code).unwrap(), Some(severity), as_of);
        fact.and_then(|fact| fact.value.as_ref()).map(|policy| policy.policy.to_string())
    };
    let before = AsOf::through(Position::new(removed.get() - 1));
    assert_eq!(chosen("E1", 1, AsOf::LATEST).as_deref(), Some("asset"));
    assert_eq!(chosen("X", 900, AsOf::LATEST).as_deref(), Some("severe"));
    assert_eq!(chosen("X", 900, before).as_deref(), Some("class"));
    assert_eq!(chosen("X", 100, AsOf::LATEST).as_deref(), Some("p"));
    assert_eq!(chosen("X", 900, AsOf::through(Position::START)), None);
    assert_eq!(mill.notices.version(AsOf::through(first)), Some(first));
    assert_eq!(mill.notices.version(AsOf::LATEST), Some(removed));
}

#[test]
fn the_alarms_of_a_line_are_one_group_where_the_policy_says_so() {
    for (by, groups) in [("line", 2), ("asset", 3)] {
        let mut mill = Mill::new(ladder(json!({"group_by": by})));
        for (name, level, parent) in [
            ("line-1", "production_line", None),
            ("place-1", "work_unit", Some("line-1")),
            ("place-2", "work_unit", Some("line-1")),
        ] {
            let mut data = json!({"equipment": name, "name": {"en": name}, "level": level});
            if let Some(parent) = parent {
                data["parent"] = json!(parent);
            }
            mill.says(0, "equipment.defined", data);
        }
        for (asset, place) in [("L1", "place-1"), ("L2", "place-2")] {
            mill.says(0, "equipment.asset_mapped", json!({"asset": asset, "equipment": place}));
        }
        for asset in ["L1", "L2", "stands nowhere"] {
            mill.says(1, "alarm.raised", raised("A", asset, 500));
        }
        assert_eq!(mill.notices.groups(AsOf::LATEST).count(), groups, "{by}");
    }
}

#[test]
fn an_open_group_keeps_its_policy_and_is_settled_by_failures_too() {
    let mut mill = Mill::new(ladder(json!({})));
    mill.alarm(0, "A");
    mill.says(1, "notice_policy.set", ladder(json!({"steps": [{"after_s": 0, "to": [to("other")]}]})));
    let (due, _) = mill.notices.due(at(1));
    let data = json!({"group": due[0].group, "notice": due[0].notice, "reason": "nobody is there"});
    assert_eq!(due[0].notice.to.recipient(), "one");
    mill.says(1, "notice.failed", data);
    assert_eq!(
        mill.due(1),
        (String::new(), Some(100)),
        "what failed for good is not tried again, and the next step comes"
    );
    mill.about(2, "alarm.cleared", "A");
    mill.alarm(50, "A");
    assert_eq!(mill.due(50).0, "1:other");
}

fn history() -> impl Strategy<Value = Vec<(u8, u8, i64)>> {
    prop::collection::vec((0..9_u8, 0..4_u8, 0..12_i64), 1..80)
}

fn played(steps: &[(u8, u8, i64)]) -> Mill {
    let mut mill = Mill::new(ladder(json!({"group_by": "line"})));
    let mut now = 0;
    for (kind, which, pause) in steps {
        now += pause;
        let name = format!("A{which}");
        match kind {
            0..=3 => drop(mill.alarm(now, &name)),
            4 => mill.about(now, "alarm.cleared", &name),
            5 => mill.about(now, "alarm.acknowledged", &name),
            6 => {
                let data = json!({"asset": "L07", "code": format!("C-{name}"), "until": at(now + 20).to_string()});
                mill.says(now, "alarm.shelved", data);
            }
            7 => drop(mill.tell(now)),
            _ => {
                if let Some(due) = mill.notices.due(at(now)).0.first() {
                    let data = json!({"group": due.group, "person": "P-1"});
                    mill.says(now, "notice.acknowledged", data);
                }
            }
        }
    }
    mill
}

proptest! {
    /// What was known at a position is the same whether one looks back at it or stands there; no step of a group tells a recipient twice.
    #[test]
    fn as_of_a_position_equals_a_replay_to_it(steps in history(), cut in any::<prop::sample::Index>()) {
        let mill = played(&steps);
        let cut = cut.index(mill.entries.len());
        let mut then = Notices::default();
        mill.entries.iter().take(cut + 1).for_each(|entry| then.apply(entry));
        let as_of = AsOf::through(Position::new(cut as u64));
        let looking_back: Vec<_> = mill.notices.groups(as_of).map(|view| format!("{view:?}")).collect();
        let standing_there: Vec<_> = then.groups(AsOf::LATEST).map(|view| format!("{view:?}")).collect();
        prop_assert_eq!(looking_back, standing_there);
        prop_assert_eq!(mill.notices.told(as_of), then.told(AsOf::LATEST));
        let told: Vec<_> = mill.notices.told(AsOf::LATEST).iter().map(|told| (&told.group, told.notice.step, &told.notice.to)).collect();
        let once: std::collections::BTreeSet<_> = told.iter().collect();
        prop_assert_eq!(once.len(), told.len());
        let mut again = Notices::default();
        mill.entries.iter().for_each(|entry| again.apply(entry));
        prop_assert_eq!(again.digest(), mill.notices.digest());
    }
}
