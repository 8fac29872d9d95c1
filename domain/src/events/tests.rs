use std::collections::BTreeSet;

use expect_test::expect;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::rules::affected;

#[test]
fn there_is_an_example_of_every_type() {
    let types: Vec<&str> = examples().iter().map(Event::event_type).collect();
    let expected: Vec<&str> = Event::TYPES.iter().map(|(event_type, _)| *event_type).collect();
    assert_eq!(types, expected);
    assert_eq!(story().len(), examples().len());
}

#[test]
fn every_event_is_the_same_after_writing_and_reading() {
    for event in examples() {
        let payload = event.encode().unwrap();
        let read = Event::decode(event.event_type(), event.schema_version(), &payload).unwrap();
        assert_eq!(read, event);
        assert_eq!(read.encode().unwrap(), payload);
    }
}

#[test]
fn an_unknown_field_is_refused_by_name() {
    for event in examples() {
        let mut value: Value = serde_json::from_slice(&event.encode().unwrap()).unwrap();
        value["colour"] = json!("blue");
        let error = Event::from_value(event.event_type(), event.schema_version(), value).unwrap_err().to_string();
        assert!(error.contains("colour") && error.contains(event.event_type()), "{error}");
    }
}

#[test]
fn wrong_payloads_are_refused_with_the_reason() {
    let check = |event_type: &str, version: u16, payload: &str, expected: expect_test::Expect| {
        expected.assert_eq(&Event::decode(event_type, version, payload.as_bytes()).unwrap_err().to_string());
    };
    check("lot.melted", 1, "{}", expect![[r#"event type "lot.melted" is not known"#]]);
    check("lot.shipped", 2, "{}", expect![[r#"version 2 of event type "lot.shipped" is not known"#]]);
    check("lot.shipped", 0, "{}", expect![[r#"version 0 of event type "lot.shipped" is not known"#]]);
    check(
        "lot.shipped",
        1,
        "{",
        expect![[r#"event type "lot.shipped": EOF while parsing an object at line 1 column 1"#]],
    );
    check(
        "lot.shipped",
        1,
        r#"{"lot": "R-1"}"#,
        expect![[r#"event type "lot.shipped": missing field `shipment` at line 1 column 14"#]],
    );
    check(
        "lot.shipped",
        1,
        r#"{"lot": " ", "shipment": "S"}"#,
        expect![[r#"event type "lot.shipped": lot " " is not valid: it is empty at line 1 column 11"#]],
    );
    check(
        "lot.created",
        1,
        r#"{"lot": "Y", "material": "M", "kind": "yarn", "quantity": {"value": 1, "unit": "stone"}}"#,
        expect![[
            r#"event type "lot.created": unit "stone" is not a UCUM code: Unknown unit: 'stone' at line 1 column 87"#
        ]],
    );
    check(
        "asset.state_changed",
        1,
        r#"{"asset": "L1", "state": "asleep"}"#,
        expect![[
            r#"event type "asset.state_changed": unknown variant `asleep`, expected one of `running`, `stopped`, `setup`, `idle`, `down`, `maintenance`, `off` at line 1 column 33"#
        ]],
    );
}

#[test]
fn streams_are_keyed_by_the_thing_that_the_event_is_about() {
    let keys: Vec<String> =
        examples().iter().map(|event| format!("{} {}-{}", event.event_type(), event.category(), event.key())).collect();
    expect![[r#"
        equipment.defined equipment-shed-1/loom-07
        equipment.asset_mapped equipment-shed-1/loom-07
        equipment.asset_unmapped equipment-shed-1/loom-07
        asset.registered asset-L07
        asset.state_changed asset-L07
        asset.set_point_changed asset-L07
        signal.defined signal-L07.warp_tension
        signal.calibrated signal-L07.warp_tension
        order.created order-JO-2041
        order.started order-JO-2041
        order.operation_reported order-JO-2041
        order.completed order-JO-2041
        lot.created lot-Y-550
        lot.consumed lot-Y-550
        lot.produced lot-SW-9
        lot.split lot-R-7001
        lot.merged lot-PK-1
        lot.scrapped lot-SW-9
        lot.completed lot-R-7001
        lot.released lot-PK-1
        lot.held lot-PK-1
        lot.shipped lot-PK-1
        weaving.warped lot-WB-310
        weaving.sized lot-B-118
        weaving.beam_mounted asset-L07
        weaving.warp_tied asset-L07
        weaving.beam_finished asset-L07
        weaving.weft_lot_changed asset-L07
        weaving.cloth_doffed lot-R-7001
        alarm.raised asset-L07
        alarm.acknowledged asset-L07
        alarm.cleared asset-L07
        alarm.shelved asset-L07
        alarm.unshelved asset-L07
        alarm.suppressed asset-L07
        alarm.unsuppressed asset-L07
        fault.observed fault-F-310
        fault.coded fault-F-310
        fault.examined fault-F-310
        fault.closed fault-F-310
        warning.raised warning-0195590c-7c00-8000-8000-0000000000e1
        warning.cleared warning-0195590c-7c00-8000-8000-0000000000e1
        diagnosis.given diagnosis-0195590c-7c00-7000-8000-0000000000d1
        work_order.opened workorder-WO-812
        work_order.progressed workorder-WO-812
        work_order.work_done workorder-WO-812
        work_order.closed workorder-WO-812
        maintenance_plan.defined maintenance_plan-PM-7
        maintenance_plan.retired maintenance_plan-PM-7
        part.defined part-6205-2RS
        part.received part-6205-2RS
        part.counted part-6205-2RS
        part.ordered part-6205-2RS
        shift.pattern_defined shift_pattern-three-shifts
        shift.started shift-S-20260302-early
        shift.handed_over shift-S-20260302-early
        shift.taken_over shift-S-20260302-early
        inspection.recorded inspection-I-901
        nonconformance.raised nonconformance-NC-55
        nonconformance.decided nonconformance-NC-55
        control_limits.frozen control_limits-width
        person.registered person-P-12
        person.qualified person-P-12
        person.logged_in person-P-12
        person.logged_out person-P-12
        customer.registered customer-C-4
        model.registered model-weft-arrival
        model.version_created model-weft-arrival
        model.alias_set model-weft-arrival
        model.alias_removed model-weft-arrival
        deployment.deployed deployment-weft-arrival@looms
        deployment.retired deployment-weft-arrival@looms
        model.renamed model-weft-arrival
        model.described model-weft-arrival
        model.tag_set model-weft-arrival
        model.tag_removed model-weft-arrival
        model.stage_set model-weft-arrival
        model.version_deleted model-weft-arrival
        model.deleted model-weft-arrival
        model.version_evaluated model-weft-arrival
        model.version_approved model-weft-arrival
        model.approval_withdrawn model-weft-arrival
        gate.defined gate-production
        gate.removed gate-production
        dataset.built dataset-DS-0001
        experiment.created experiment-1
        experiment.renamed experiment-1
        experiment.deleted experiment-1
        experiment.restored experiment-1
        experiment.tag_set experiment-1
        experiment.tag_removed experiment-1
        run.created run-c375fbfb43a04b09b09cca83ad72ad0b
        run.updated run-c375fbfb43a04b09b09cca83ad72ad0b
        run.logged run-c375fbfb43a04b09b09cca83ad72ad0b
        run.tag_removed run-c375fbfb43a04b09b09cca83ad72ad0b
        run.deleted run-c375fbfb43a04b09b09cca83ad72ad0b
        run.restored run-c375fbfb43a04b09b09cca83ad72ad0b
        run.inputs_logged run-c375fbfb43a04b09b09cca83ad72ad0b
        run.outputs_logged run-c375fbfb43a04b09b09cca83ad72ad0b
        logged_model.created logged_model-m-b1a0ceda14274cfe822aee0e57467b20
        logged_model.finalized logged_model-m-b1a0ceda14274cfe822aee0e57467b20
        logged_model.params_logged logged_model-m-b1a0ceda14274cfe822aee0e57467b20
        logged_model.tags_set logged_model-m-b1a0ceda14274cfe822aee0e57467b20
        logged_model.tag_removed logged_model-m-b1a0ceda14274cfe822aee0e57467b20
        logged_model.deleted logged_model-m-b1a0ceda14274cfe822aee0e57467b20
        artifact.stored artifact-1/c375fbfb43a04b09b09cca83ad72ad0b
        artifact.removed artifact-1/c375fbfb43a04b09b09cca83ad72ad0b
        webhook.created webhook-0195590c-7c00-7000-8000-000000000004
        webhook.updated webhook-0195590c-7c00-7000-8000-000000000004
        webhook.deleted webhook-0195590c-7c00-7000-8000-000000000004
        prediction.made prediction-weft-arrival@looms
        article.drafted article-KB-12
        article.reviewed article-KB-12
        article.superseded article-KB-12
        package.imported package-2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
        file.attached attachment-F-310
        dictionary.entry_defined dictionary-heald-frame
        dictionary.entry_removed dictionary-heald-frame
        notice_policy.set notice_policy-weaving
        notice_policy.removed notice_policy-weaving
        notice.sent notice-0195590c-7c00-8000-8000-0000000000f1
        notice.failed notice-0195590c-7c00-8000-8000-0000000000f1
        notice.acknowledged notice-0195590c-7c00-8000-8000-0000000000f1
        input.quarantined quarantine-mqtt:shed-1
        input.released quarantine-mqtt:shed-1
        discrepancy.resolved discrepancy-0195590c-7c00-7000-8000-000000000002
        subject.erased erasure-person:P-12
        legal_hold.placed hold-H-2026-3
        legal_hold.released hold-H-2026-3
        retention.applied retention-telemetry"#]]
    .assert_eq(&keys.join("\n"));
}

#[test]
fn subjects_are_named_once_and_hold_every_aggregate() {
    for event in examples() {
        let subjects = event.subjects();
        assert_eq!(subjects.iter().collect::<BTreeSet<_>>().len(), subjects.len(), "{event:?}");
        for key in affected(&event) {
            let subject = Subject { kind: key.kind.subject_kind(), id: key.id };
            assert!(subjects.contains(&subject), "{} touches {subject:?}, and does not name it", event.event_type());
        }
    }
}

proptest! {
    #[test]
    fn no_payload_makes_decoding_panic(index in 0..Event::TYPES.len(), version in 0..3_u16, payload in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Event::decode(Event::TYPES[index].0, version, &payload);
    }

    /// Every field in turn is replaced by something else: that reads as an event or is refused, and an event that was read can be written.
    #[test]
    fn no_value_makes_decoding_panic(index in 0..Event::TYPES.len(), field in any::<prop::sample::Index>(), number in any::<f64>(), text in "\\PC{0,12}") {
        let event = &examples()[index];
        let value: Value = serde_json::from_slice(&event.encode().unwrap()).unwrap();
        let names: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        for other in [json!(number), json!(text), json!(null), json!([]), json!({})] {
            let mut changed = value.clone();
            changed[field.get(&names).as_str()] = other;
            if let Ok(read) = Event::from_value(event.event_type(), event.schema_version(), changed) {
                prop_assert!(read.encode().is_ok());
                let _ = (read.key().len(), read.subjects(), affected(&read));
            }
        }
    }
}

#[test]
fn a_policy_that_cannot_be_followed_names_the_field() {
    let check = |change: Value, expected: &str| {
        let mut policy = json!({"policy": "p", "steps": [{"after_s": 0, "to": [{"channel": "mqtt", "topic": "t"}]}], "person": "P-1"});
        policy.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let error = Event::from_value("notice_policy.set", 1, policy).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let mqtt = |topic: &str| json!({"channel": "mqtt", "topic": topic});
    let step = |after_s: u64, to: Value| json!({"after_s": after_s, "to": to});
    check(json!({"steps": []}), "steps: there are 0");
    check(json!({"steps": [step(0, json!([]))]}), "steps[0].to: there are 0");
    check(
        json!({"steps": [step(9, json!([mqtt("t")])), step(9, json!([mqtt("t")]))]}),
        "steps[1].after_s: 9 is not later",
    );
    check(json!({"steps": [step(604_801, json!([mqtt("t")]))]}), "steps[0].after_s: 604801 is more");
    check(json!({"steps": [step(0, json!([mqtt("a/#")]))]}), "steps[0].to[0].topic: \"a/#\" has a wildcard");
    check(json!({"steps": [step(0, json!([mqtt("t"), mqtt("t")]))]}), "steps[0].to[1]: it is there twice");
    check(json!({"steps": [step(0, json!([{"channel": "webhook", "webhook": " "}]))]}), "steps[0].to[0].webhook: ");
    check(json!({"steps": [step(0, json!([{"channel": "pigeon"}]))]}), "unknown variant `pigeon`");
    check(json!({"applies": {"severity_at_least": 0}}), "applies.severity_at_least: 0 is not from 1 to 1000");
    check(json!({"window_s": 604_801}), "window_s: 604801 is more");
}

#[test]
fn a_dictionary_entry_that_says_nothing_or_too_much_names_the_field() {
    let check = |meaning: Value, reason: &str| {
        let entry = serde_json::json!({"entry": "e", "person": "P-1", "meaning": meaning});
        let error = Event::from_value("dictionary.entry_defined", 1, entry).unwrap_err().to_string();
        assert!(error.contains(reason), "{error:?} does not say {reason:?}");
    };
    let same = |phrases: Vec<String>| serde_json::json!({"kind": "same", "phrases": phrases});
    let words = |words: &[&str]| same(words.iter().map(|word| (*word).to_owned()).collect());
    check(words(&["综框"]), "phrases: there are 1; a group has 2 to 20");
    check(same((0..21).map(|n| n.to_string()).collect()), "phrases: there are 21");
    check(words(&["a", " "]), "phrases: \" \" is empty");
    check(words(&["a", &"b".repeat(65)]), "longer than 64 characters");
    check(words(&["Frame", "frame"]), "phrases: \"frame\" is there twice");
    let short =
        |short: &str, long: &str| serde_json::json!({"kind": "abbreviation", "short": short, "stands_for": long});
    check(short("n z l", "nozzle"), "short: \"n z l\" has a blank");
    check(short("nzl", ""), "stands_for: \"\" is empty");
    check(short(&"n".repeat(17), "nozzle"), "longer than 16 characters");
    check(serde_json::json!({"kind": "homophone"}), "unknown variant `homophone`");
}

#[test]
fn a_kind_of_event_is_reported_by_people_and_machines_or_said_by_millwright_alone() {
    let mut reported: Vec<&str> = Event::TYPES
        .iter()
        .filter(|(name, _)| !is_own(name) && !is_done(name))
        .filter_map(|(name, _)| name.split_once('.').map(|(kind, _)| kind))
        .collect();
    reported.dedup();
    assert!(
        is_own("fault.examined") && !is_own("fault.observed"),
        "what people saw is reported, what Millwright saw is not"
    );
    expect![[r#"
        equipment
        asset
        signal
        order
        lot
        weaving
        alarm
        fault
        work_order
        maintenance_plan
        part
        shift
        inspection
        nonconformance
        control_limits
        person
        customer
        article
        file
        dictionary
        notice_policy
    "#]]
    .assert_eq(&(reported.join("\n") + "\n"));
}
