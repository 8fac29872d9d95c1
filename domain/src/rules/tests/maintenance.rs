use expect_test::expect;
use serde_json::json;

use super::*;

#[test]
fn a_fault_is_observed_and_closed_once() {
    let observe = json!({"fault": "F", "asset": "L1", "symptoms": {"zh": "异响"}});
    given(&[])
        .when("fault.close", json!({"fault": "F", "asset": "L1"}), expect!["refused by fault.not_observed on fault F: fault F was never observed"])
        .when("fault.observe", observe.clone(), expect![[r#"fault.observed {"fault":"F","asset":"L1","symptoms":{"zh":"异响"}}"#]])
        .when("fault.observe", observe, expect!["refused by fault.observed_twice on fault F: fault F was observed before: each episode has an id of its own"])
        .when("fault.code", json!({"fault": "F", "asset": "L2", "mode": "VIB"}), expect!["refused by fault.other_asset on fault F: fault F is one of asset L1, not of asset L2"])
        .when("fault.close", json!({"fault": "F", "asset": "L1"}), expect![[r#"fault.closed {"fault":"F","asset":"L1"}"#]])
        .when("fault.close", json!({"fault": "F", "asset": "L1"}), expect!["refused by fault.closed_twice on fault F: fault F was closed before"])
        // The cause is often found after the closing.
        .when("fault.code", json!({"fault": "F", "asset": "L1", "mode": "VIB"}), expect![[r#"fault.coded {"fault":"F","asset":"L1","mode":"VIB"}"#]]);
}

#[test]
fn a_work_order_goes_forward_and_ends() {
    let progress = |milestone: &str| json!({"work_order": "W", "asset": "L1", "milestone": milestone});
    let work = json!({"work_order": "W", "asset": "L1", "activity": "replace"});
    let close = json!({"work_order": "W", "asset": "L1", "outcome": "solved"});
    let open = json!({"work_order": "W", "asset": "L1", "category": "corrective", "description": {"en": "bearing"}});
    given(&[])
        .when("work_order.report_work", work.clone(), expect!["refused by work_order.not_opened on work_order W: work order W was never opened"])
        .when("work_order.open", open.clone(), expect![[r#"work_order.opened {"work_order":"W","asset":"L1","category":"corrective","description":{"en":"bearing"}}"#]])
        .when("work_order.open", open, expect!["refused by work_order.opened_twice on work_order W: work order W was opened before"])
        .when("work_order.progress", progress("solution_found"), expect![[r#"work_order.progressed {"work_order":"W","asset":"L1","milestone":"solution_found"}"#]])
        .when("work_order.progress", progress("technician_arrive"), expect!["refused by work_order.backwards on work_order W: work order W has reached solution_found, so that it cannot go back to technician_arrive"])
        .when("work_order.progress", progress("machine_up"), expect![[r#"work_order.progressed {"work_order":"W","asset":"L1","milestone":"machine_up"}"#]])
        .when("work_order.report_work", work.clone(), expect![[r#"work_order.work_done {"work_order":"W","asset":"L1","activity":"replace"}"#]])
        .when("work_order.close", close.clone(), expect![[r#"work_order.closed {"work_order":"W","asset":"L1","outcome":"solved"}"#]])
        .when("work_order.close", close.clone(), expect!["refused by work_order.closed_twice on work_order W: work order W was closed before"])
        .when("work_order.report_work", work.clone(), expect!["refused by work_order.work_after_close on work_order W: work order W is closed"])
        .when("work_order.progress", progress("workorder_completion"), expect!["refused by work_order.work_after_close on work_order W: work order W is closed"])
        // The same facts as observations are kept, and the rule names what contradicts.
        .observed("work_order.work_done", work, expect!["work_order.work_after_close on work_order W: work order W is closed"])
        .observed("work_order.closed", close, expect!["work_order.closed_twice on work_order W: work order W was closed before"]);
}

#[test]
fn a_nonconformance_is_decided_once() {
    let raise = json!({"nonconformance": "N", "lot": "R", "code": "hole"});
    let decided = |lot: &str| json!({"nonconformance": "N", "lot": lot, "disposition": "rework"});
    given(&[])
        .when("nonconformance.decide", decided("R"), expect!["refused by nonconformance.not_raised on nonconformance N: nonconformance N was never raised"])
        .when("nonconformance.raise", raise.clone(), expect![[r#"nonconformance.raised {"nonconformance":"N","lot":"R","code":"hole"}"#]])
        .when("nonconformance.raise", raise, expect!["refused by nonconformance.raised_twice on nonconformance N: nonconformance N was raised before"])
        .when("nonconformance.decide", decided("Q"), expect!["refused by nonconformance.other_lot on nonconformance N: nonconformance N is about lot R, not about lot Q"])
        .when("nonconformance.decide", decided("R"), expect![[r#"nonconformance.decided {"nonconformance":"N","lot":"R","disposition":"rework"}"#]])
        .when("nonconformance.decide", decided("R"), expect!["refused by nonconformance.decided_twice on nonconformance N: nonconformance N was decided before"]);
}

#[test]
fn an_inspection_is_recorded_once_with_points_from_1_to_4() {
    let record =
        |points: u8| json!({"inspection": "I", "verdict": "pass", "defects": [{"code": "hole", "points": points}]});
    given(&[])
        .when(
            "inspection.record",
            record(5),
            expect!["refused by inspection.points on inspection I: a defect has 1 to 4 points (ASTM D5430), not 5"],
        )
        .when(
            "inspection.record",
            record(4),
            expect![[
                r#"inspection.recorded {"inspection":"I","defects":[{"code":"hole","points":4}],"verdict":"pass"}"#
            ]],
        )
        .when(
            "inspection.record",
            record(4),
            expect!["refused by inspection.recorded_twice on inspection I: inspection I was recorded before"],
        );
}
