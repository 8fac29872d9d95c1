use std::collections::BTreeMap;
use std::sync::Arc;

use domain::events::{Category, Outcome, WorkOrderClosed, WorkOrderOpened};
use eventlog::Position;
use proptest::prelude::*;

use super::*;
use crate::testing::{Mill, asset, code, fault, order};
use crate::versions::{Pending, SetDigest, decode, encode};

fn fold(entries: &[Arc<projections::Entry>]) -> BTreeMap<(RecordId, Position), KnowledgeRecord> {
    let mut all: BTreeMap<(RecordId, Position), KnowledgeRecord> = BTreeMap::new();
    let mut heads: BTreeMap<RecordId, KnowledgeRecord> = BTreeMap::new();
    for entry in entries {
        for id in touches(entry) {
            let Some(next) = evolve(&id, heads.get(&id), entry) else { continue };
            if let Some(before) = heads.get(&id) {
                all.get_mut(&(id.clone(), before.valid_from)).unwrap().valid_to = Some(entry.position);
            }
            all.insert((id.clone(), next.valid_from), next.clone());
            heads.insert(id, next);
        }
    }
    all
}

#[test]
fn every_type_that_touches_is_in_the_filter() {
    let mill = Mill::looms();
    let mut touched = 0;
    for entry in &mill.entries {
        if !touches(entry).is_empty() {
            touched += 1;
            assert!(TYPES.contains(&entry.event().unwrap().event_type()));
        }
    }
    assert!(touched > 50);
    for name in TYPES {
        assert!(domain::Event::TYPES.iter().any(|(known, _)| known == name), "{name}");
    }
}

#[test]
fn a_new_coding_makes_a_version_and_ends_the_former_one() {
    let mut mill = Mill::new();
    let coded =
        mill.episode(1, "F-1", "LOOM-01", ("异响", "noise"), &["A-1"], Some("BEARING_WORN"), ("replace", "bearing"));
    let again = mill.coded(9, "F-1", "LOOM-01", "BELT_LOOSE");
    let all = fold(&mill.entries);
    let id = RecordId::new(Kind::FaultEpisode, "F-1");
    let modes: Vec<(u64, Option<u64>, Option<String>)> = all
        .iter()
        .filter(|((record, _), _)| *record == id)
        .map(|(_, record)| {
            let Detail::FaultEpisode(detail) = &record.detail else { panic!("not a fault") };
            (
                record.valid_from.get(),
                record.valid_to.map(Position::get),
                detail.mode.as_ref().map(|mode| mode.as_str().to_owned()),
            )
        })
        .collect();
    let closed = again.get() - 1;
    assert_eq!(
        modes,
        [
            (0, Some(coded.get()), None),
            (coded.get(), Some(closed), Some("BEARING_WORN".to_owned())),
            (closed, Some(again.get()), Some("BEARING_WORN".to_owned())),
            (again.get(), None, Some("BELT_LOOSE".to_owned())),
        ]
    );
    let last = &all[&(id, again)];
    assert_eq!(last.evidence.first(), Some(&Position::START));
    assert_eq!(last.evidence.last(), Some(&again));
    assert!(last.links.iter().any(|link| link.relation == Relation::HasMode && link.to.key() == "BELT_LOOSE"));
    assert!(!last.links.iter().any(|link| link.to.key() == "BEARING_WORN"));
}

#[test]
fn a_closing_before_its_opening_is_taken_as_it_comes() {
    let mut mill = Mill::new();
    mill.add(
        5,
        WorkOrderClosed {
            work_order: order("W"),
            asset: asset("L"),
            outcome: Outcome::Solved,
            hours: Some(0.1),
            cost: None,
            machine_up: None,
        },
    );
    mill.add(
        1,
        WorkOrderOpened {
            work_order: order("W"),
            asset: asset("L"),
            fault: Some(fault("F")),
            category: Category::Corrective,
            description: domain::Text::new("漏油", "leak"),
            item: Some(code("boom")),
            priority: None,
        },
    );
    let all = fold(&mill.entries);
    let record = &all[&(RecordId::new(Kind::WorkOrder, "W"), Position::new(1))];
    let Detail::WorkOrder(detail) = &record.detail else { panic!("not a work order") };
    assert_eq!(detail.outcome, Some(Outcome::Solved));
    assert_eq!(record.title.en.as_deref(), Some("leak"));
    assert_eq!(record.event_time, mill.entries[1].event_time);
}

#[test]
fn stored_records_come_back_bit_by_bit() {
    let all = fold(&Mill::looms().entries);
    for record in all.values() {
        assert_eq!(decode(&encode(record).unwrap()).unwrap(), *record);
    }
    assert!(all.len() > 50);
}

/// A history of a few faults and work orders in any order.
fn histories() -> impl Strategy<Value = Vec<(u8, u8, u8)>> {
    proptest::collection::vec((0..7_u8, 0..4_u8, 0..3_u8), 1..60)
}

fn mill(steps: &[(u8, u8, u8)]) -> Mill {
    use domain::events::{FaultClosed, FaultObserved, WorkDone};
    let mut mill = Mill::new();
    for (at, (what, which, how)) in steps.iter().enumerate() {
        let hours = at as i64;
        let id = format!("F-{which}");
        let loom = format!("LOOM-{how}");
        match what {
            0 => mill.add(
                hours,
                FaultObserved {
                    fault: fault(&id),
                    asset: asset(&loom),
                    symptoms: domain::Text::new("异响", "noise"),
                    alarms: vec![code(&format!("A-{how}"))],
                    detection: None,
                    impact: None,
                    product: None,
                    person: None,
                },
            ),
            1 | 2 => mill.coded(hours, &id, &loom, &format!("MODE-{how}")),
            3 => mill.add(hours, FaultClosed { fault: fault(&id), asset: asset(&loom), restored: None }),
            4 => mill.add(
                hours,
                WorkDone {
                    work_order: order(&id),
                    asset: asset(&loom),
                    fault: Some(fault(&id)),
                    activity: code("repair"),
                    item: None,
                    text: None,
                    parts: vec![],
                    hours: Some(0.1 * f64::from(*how)),
                    cost: None,
                    person: None,
                },
            ),
            5 => mill.inspection(hours, &format!("I-{which}"), &loom, "R", &[("HOLE", *how)]),
            _ => mill.set_point(hours, &loom, "pressure", 0.1 + f64::from(*how)),
        };
    }
    mill
}

proptest! {
    #[test]
    fn batches_never_show(steps in histories(), sizes in proptest::collection::vec(1..9_usize, 1..40), write_every in 1..5_usize) {
        let mill = mill(&steps);
        let whole = fold(&mill.entries);
        // The same through the pending versions, cut into batches, some of them written before the next one.
        let mut store: BTreeMap<(RecordId, Position), KnowledgeRecord> = BTreeMap::new();
        let mut pending = Pending::new(Position::START);
        let mut rest = mill.entries.as_slice();
        let mut sizes = sizes.iter().cycle();
        let mut batch = 0;
        while !rest.is_empty() {
            let (now, later) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            rest = later;
            let missing = pending.missing(now);
            let found = store.values().filter(|record| missing.contains(&record.id) && record.valid_to.is_none()).cloned().collect();
            pending.loaded(missing, found);
            now.iter().for_each(|entry| pending.apply(entry));
            batch += 1;
            if batch % write_every == 0 {
                write(&mut pending, &mut store);
                // A crash between writes and reads loses nothing that the store does not have.
                pending = Pending::new(Position::START);
            }
        }
        write(&mut pending, &mut store);
        prop_assert_eq!(&store, &whole);
        let digest = |versions: &BTreeMap<(RecordId, Position), KnowledgeRecord>, backward: bool| {
            let mut digest = SetDigest::default();
            let mut bytes: Vec<Vec<u8>> = versions.values().map(|record| encode(record).unwrap()).collect();
            if backward {
                bytes.reverse();
            }
            bytes.iter().for_each(|bytes| digest.add(bytes));
            digest.finish()
        };
        prop_assert_eq!(digest(&store, false), digest(&whole, true));
    }

    #[test]
    fn at_every_position_at_most_one_version_is_valid(steps in histories()) {
        let mill = mill(&steps);
        let all = fold(&mill.entries);
        for at in 0..mill.entries.len() as u64 {
            let mut valid: Vec<&RecordId> = all.values().filter(|record| record.valid_at(Position::new(at))).map(|record| &record.id).collect();
            let count = valid.len();
            valid.sort();
            valid.dedup();
            prop_assert_eq!(count, valid.len());
        }
    }
}

fn write(pending: &mut Pending, store: &mut BTreeMap<(RecordId, Position), KnowledgeRecord>) {
    for change in pending.changes() {
        let key = (change.record.id.clone(), change.record.valid_from);
        assert_eq!(store.contains_key(&key), change.stored, "{key:?}");
        store.insert(key, (*change.record).clone());
    }
    pending.written();
}

fn written(event_type: &str, payload: serde_json::Value) -> domain::Event {
    domain::Event::from_value(event_type, 1, payload).unwrap()
}

#[test]
fn an_article_shows_what_is_approved_and_says_what_is_not() {
    let draft = |revision: u32, body: &str| {
        written(
            "article.drafted",
            serde_json::json!({"article": "KB-1", "revision": revision, "kind": "fmea", "title": {"zh": "钢筘", "en": "Reed"}, "body": {"en": body}, "author": "P-1",
                "rows": [{"item": "reed", "mode": "REED_MARK", "severity": 7, "occurrence": 3, "detection": 5, "effect": {"zh": "筘痕"}}]}),
        )
    };
    let review = |revision: u32, approved: bool| {
        written(
            "article.reviewed",
            serde_json::json!({"article": "KB-1", "revision": revision, "person": "P-2", "approved": approved}),
        )
    };
    let mut mill = Mill::new();
    let events = [
        draft(1, "one"),
        review(1, true),
        draft(2, "two"),
        review(2, true),
        written("article.superseded", serde_json::json!({"article": "KB-1", "by": "KB-2", "person": "P-2"})),
    ];
    for (hour, event) in (0..).zip(events) {
        mill.add(hour, event);
    }
    let all = fold(&mill.entries);
    let shown: Vec<(&str, bool, bool)> = all
        .values()
        .map(|record| (record.title.any(), record.text.any().contains("one"), record.text.any().contains("two")))
        .collect();
    assert_eq!(
        shown,
        [
            ("[draft] Reed", true, false),
            ("Reed", true, false),
            ("Reed", true, false),
            ("Reed", false, true),
            ("[superseded] Reed", false, true),
        ]
    );
    let last = all.values().next_back().unwrap();
    assert_eq!(last.base, Base::Fault);
    assert!(last.text.any_zh().contains("筘痕") && last.codes.contains(&"REED_MARK".to_owned()));
    let relations: Vec<Relation> = last.links.iter().map(|link| link.relation).collect();
    assert_eq!(relations, [Relation::About, Relation::SupersededBy]);
}

#[test]
fn a_file_is_found_by_its_words_and_belongs_to_its_episode() {
    let mut mill = Mill::new();
    mill.add(
        0,
        written(
            "file.attached",
            serde_json::json!({"kind": "fault", "id": "F-1", "attachment": {"file": {"name": "knock.ogg", "sha256": "ab".repeat(32), "bytes": 5}, "media_type": "audio/ogg", "text": "每转一次敲击声"}}),
        ),
    );
    let all = fold(&mill.entries);
    let record = all.values().next().unwrap();
    assert_eq!((record.kind, record.title.any()), (Kind::File, "knock.ogg"));
    assert!(record.text.any_zh().contains("敲击"));
    assert_eq!(record.links, [Link { relation: Relation::BelongsTo, to: RecordId::new(Kind::FaultEpisode, "F-1") }]);
}
