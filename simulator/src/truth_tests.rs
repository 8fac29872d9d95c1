use jiff::{SignedDuration, Timestamp};

use crate::training::fault_within;
use crate::{FaultTruth, Truth};

fn at(hours: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
}

fn fault(asset: &str, observed: Option<i64>, ended: Option<i64>) -> FaultTruth {
    FaultTruth {
        number: 1,
        asset: asset.to_owned(),
        kind: "bearing_wear",
        mode: "BEA-WEA",
        mechanism: "2.4",
        cause: "maintenance_error",
        item: "drive_bearing",
        why: "a seal let fly in",
        precursor_start: at(10),
        observed: observed.map(at),
        episodes: vec!["FLT-1".to_owned()],
        repairs: Vec::new(),
        coded: Vec::new(),
        ended: ended.map(at),
        rolls: vec!["RL-1".to_owned()],
    }
}

#[test]
fn the_truth_answers_what_is_there_what_is_hidden_and_what_was_touched() {
    let truth = Truth { faults: vec![fault("LOOM-01", Some(50), Some(60))], contradictions: Vec::new() };
    assert_eq!(truth.present("LOOM-01", at(9)).count(), 0);
    assert_eq!(truth.present("LOOM-01", at(10)).count(), 1);
    assert_eq!(truth.present("LOOM-02", at(20)).count(), 0);
    assert_eq!(truth.present("LOOM-01", at(60)).count(), 0);
    assert_eq!((truth.hidden_at(at(49)).count(), truth.hidden_at(at(50)).count()), (1, 0));
    assert!(truth.of_episode("FLT-1").is_some() && truth.of_episode("FLT-2").is_none());
    assert_eq!((truth.of_roll("RL-1").count(), truth.of_roll("RL-2").count()), (1, 0));
}

#[test]
fn the_label_is_true_from_a_day_before_the_fault_is_noticed_until_it_is_repaired() {
    let truth = Truth { faults: vec![fault("LOOM-01", Some(50), Some(60))], contradictions: Vec::new() };
    let label = |hour| fault_within(&truth, "LOOM-01", at(hour), SignedDuration::from_hours(24));
    assert_eq!([25, 26, 50, 59, 60].map(label), [false, true, true, true, false]);
    assert!(!fault_within(&truth, "LOOM-02", at(50), SignedDuration::from_hours(24)));
}

#[test]
fn each_line_of_the_truth_is_json() {
    let mut out = Vec::new();
    let truth = Truth { faults: vec![fault("LOOM-01", None, None); 2], contradictions: Vec::new() };
    truth.write_json_lines(&mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["truth"], &lines[0]["kind"]), (&"fault".into(), &"bearing_wear".into()));
}
