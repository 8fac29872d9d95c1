use expect_test::expect;
use serde_json::json;

use super::*;

fn yarn() -> (&'static str, Value) {
    (
        "lot.created",
        json!({"lot": "Y", "material": "cotton", "kind": "yarn", "quantity": {"value": 100.0, "unit": "kg"}}),
    )
}

fn roll() -> (&'static str, Value) {
    (
        "lot.created",
        json!({"lot": "R", "material": "poplin", "kind": "roll", "quantity": {"value": 100.0, "unit": "m"}}),
    )
}

fn consume(value: f64, unit: &str) -> Value {
    json!({"lot": "Y", "order": "O", "quantity": {"value": value, "unit": unit}})
}

fn stretch(start_m: f64, end_m: f64, into: &str) -> Value {
    json!({"lot": "R", "order": "O", "interval": {"start_m": start_m, "end_m": end_m}, "into": into})
}

#[test]
fn a_lot_is_shipped_once_and_after_its_release() {
    given(&[roll()])
        .when(
            "lot.ship",
            json!({"lot": "R", "shipment": "S1"}),
            expect![
                "refused by lot.shipped_before_release on lot R: lot R was not released, so that it cannot be shipped"
            ],
        )
        .when("lot.release", json!({"lot": "R"}), expect![[r#"lot.released {"lot":"R"}"#]])
        .when("lot.hold", json!({"lot": "R"}), expect![[r#"lot.held {"lot":"R"}"#]])
        .when(
            "lot.ship",
            json!({"lot": "R", "shipment": "S1"}),
            expect!["refused by lot.used_while_held on lot R: lot R is held"],
        )
        .when("lot.release", json!({"lot": "R"}), expect![[r#"lot.released {"lot":"R"}"#]])
        .when(
            "lot.ship",
            json!({"lot": "R", "shipment": "S1"}),
            expect![[r#"lot.shipped {"lot":"R","shipment":"S1"}"#]],
        )
        .when(
            "lot.ship",
            json!({"lot": "R", "shipment": "S2"}),
            expect!["refused by lot.shipped_twice on lot R: lot R was shipped before, with shipment S1"],
        )
        .when(
            "lot.hold",
            json!({"lot": "R"}),
            expect!["refused by lot.changed_after_its_end on lot R: lot R is gone: it was shipped or scrapped"],
        )
        .when(
            "lot.consume",
            stretch(0.0, 1.0, "X"),
            expect!["refused by lot.used_after_shipment on lot R: lot R has left with shipment S1"],
        )
        .when(
            "lot.scrap",
            json!({"lot": "R"}),
            expect!["refused by lot.used_after_shipment on lot R: lot R has left with shipment S1"],
        );
    given(&[]).when(
        "lot.ship",
        json!({"lot": "R", "shipment": "S1"}),
        expect!["refused by lot.unknown on lot R: lot R is not known"],
    );
}

#[test]
fn no_more_is_taken_than_there_is() {
    given(&[yarn()])
        .when("lot.consume", consume(60.0, "kg"), expect![[r#"lot.consumed {"lot":"Y","order":"O","quantity":{"value":60.0,"unit":"kg"}}"#]])
        .when("lot.consume", consume(60.0, "kg"), expect!["refused by lot.more_than_there_is on lot Y: 60 kg cannot be taken from lot Y: of 100 kg, 40 kg are left"])
        .when("lot.consume", consume(41_000.0, "g"), expect!["refused by lot.more_than_there_is on lot Y: 41000 g cannot be taken from lot Y: of 100000 g, 40000 g are left"])
        .when("lot.consume", consume(-1.0, "kg"), expect!["refused by lot.not_an_amount on lot Y: -1 kg of lot Y is no amount that can be taken"])
        // Metres of a lot that is known in kilograms: nothing is known to contradict.
        .when("lot.consume", consume(5000.0, "m"), expect![[r#"lot.consumed {"lot":"Y","order":"O","quantity":{"value":5000.0,"unit":"m"}}"#]])
        .when("lot.scrap", json!({"lot": "Y", "quantity": {"value": 50.0, "unit": "kg"}}), expect!["refused by lot.more_than_there_is on lot Y: 50 kg cannot be taken from lot Y: of 100 kg, 40 kg are left"])
        .when("lot.produce", json!({"lot": "Y", "order": "O", "quantity": {"value": 10.0, "unit": "kg"}}), expect![[r#"lot.produced {"lot":"Y","order":"O","quantity":{"value":10.0,"unit":"kg"}}"#]])
        .when("lot.consume", consume(50.0, "kg"), expect![[r#"lot.consumed {"lot":"Y","order":"O","quantity":{"value":50.0,"unit":"kg"}}"#]])
        .when("lot.complete", json!({"lot": "Y"}), expect![[r#"lot.completed {"lot":"Y"}"#]])
        .when("lot.complete", json!({"lot": "Y"}), expect!["refused by lot.completed_twice on lot Y: lot Y was completed before"])
        .when("lot.produce", json!({"lot": "Y", "order": "O"}), expect!["refused by lot.grown_after_completion on lot Y: lot Y is complete, so that nothing can be added to it"])
        .when("lot.scrap", json!({"lot": "Y"}), expect![[r#"lot.scrapped {"lot":"Y"}"#]])
        .when("lot.consume", consume(0.1, "kg"), expect!["refused by lot.used_after_scrap on lot Y: lot Y was scrapped"])
        .when("lot.create", yarn().1, expect!["refused by lot.made_twice on lot Y: lot Y came to be before"]);
    given(&[]).when("lot.consume", consume(1.0, "kg"), expect!["refused by lot.unknown on lot Y: lot Y is not known"]);
}

#[test]
fn no_stretch_is_taken_twice() {
    given(&[roll()])
        .when("lot.consume", stretch(0.0, 40.0, "A"), expect![[r#"lot.consumed {"lot":"R","order":"O","interval":{"start_m":0.0,"end_m":40.0},"into":"A"}"#]])
        .when("lot.consume", stretch(39.0, 60.0, "B"), expect!["refused by lot.stretch_taken_twice on lot R: 39 m to 60 m of lot R overlaps 0 m to 40 m, which was taken for lot A"])
        .when("lot.consume", stretch(40.0, 60.0, "B"), expect![[r#"lot.consumed {"lot":"R","order":"O","interval":{"start_m":40.0,"end_m":60.0},"into":"B"}"#]])
        .when("lot.consume", stretch(90.0, 120.0, "C"), expect!["refused by lot.beyond_its_end on lot R: lot R is 100 m long, so that it has no stretch from 90 m to 120 m"])
        .when("lot.consume", stretch(70.0, 65.0, "C"), expect!["refused by lot.not_a_stretch on lot R: 70 m to 65 m is no stretch of lot R"]);
}

#[test]
fn a_use_that_both_sides_tell_counts_once() {
    let produced =
        json!({"lot": "A", "order": "O", "from": [{"lot": "R", "interval": {"start_m": 0.0, "end_m": 40.0}}]});
    given(&[roll()])
        .observed("lot.consumed", stretch(0.0, 40.0, "A"), expect![[""]])
        .observed("lot.produced", produced.clone(), expect![[""]])
        .observed(
            "lot.produced",
            produced,
            expect![
                "lot.stretch_taken_twice on lot R: 0 m to 40 m of lot R overlaps 0 m to 40 m, which was taken for lot A"
            ],
        )
        .when(
            "lot.consume",
            stretch(40.0, 100.0, "B"),
            expect![
                "refused by lot.more_than_there_is on lot R: 60 m cannot be taken from lot R: of 100 m, 20 m are left"
            ],
        );
}

#[test]
fn parts_of_a_split_are_created_and_do_not_exceed_the_lot() {
    let part = |lot: &str, value: f64| json!({"lot": lot, "quantity": {"value": value, "unit": "m"}});
    given(&[roll()])
        .when("lot.split", json!({"lot": "R", "into": [part("R1", 60.0), part("R2", 50.0)]}), expect!["refused by lot.more_than_there_is on lot R: 50 m cannot be taken from lot R: of 100 m, 40 m are left"])
        .when("lot.split", json!({"lot": "R", "into": [part("R1", 60.0), part("R2", 40.0)]}), expect![[r#"
            lot.split {"lot":"R","into":[{"lot":"R1","quantity":{"value":60.0,"unit":"m"}},{"lot":"R2","quantity":{"value":40.0,"unit":"m"}}]}
            lot.created {"lot":"R1","material":"poplin","kind":"roll","quantity":{"value":60.0,"unit":"m"}}
            lot.created {"lot":"R2","material":"poplin","kind":"roll","quantity":{"value":40.0,"unit":"m"}}"#]])
        .when("lot.split", json!({"lot": "R1", "into": [part("R2", 10.0)]}), expect!["refused by lot.made_twice on lot R2: lot R2 came to be before"])
        .when("lot.split", json!({"lot": "R1", "into": [{"lot": "R3"}, {"lot": "R4"}]}), expect![[r#"
            lot.split {"lot":"R1","into":[{"lot":"R3"},{"lot":"R4"}]}
            lot.created {"lot":"R3","material":"poplin","kind":"roll"}
            lot.created {"lot":"R4","material":"poplin","kind":"roll"}"#]])
        .when("lot.split", json!({"lot": "R1", "into": [part("R5", 1.0)]}), expect!["refused by lot.used_after_split on lot R1: lot R1 was split into other lots"]);
    given(&[]).when("lot.split", json!({"lot": "R", "into": [part("R1", 60.0)]}), expect!["refused by lot.material_unknown on lot R: lot R was never created, so that it is not known what it is made of"]);
}

#[test]
fn lots_are_merged_into_a_new_one() {
    given(&[yarn(), roll()])
        .when(
            "lot.merge",
            json!({"lot": "M", "from": []}),
            expect!["refused by lot.merged_from_nothing on lot M: lot M is merged from no lot"],
        )
        .when(
            "lot.merge",
            json!({"lot": "M", "from": [{"lot": "R"}], "quantity": {"value": 100.0, "unit": "m"}}),
            expect![[r#"
            lot.merged {"lot":"M","from":[{"lot":"R"}],"quantity":{"value":100.0,"unit":"m"}}
            lot.created {"lot":"M","material":"poplin","kind":"roll","quantity":{"value":100.0,"unit":"m"}}"#]],
        )
        .when(
            "lot.merge",
            json!({"lot": "N", "from": [{"lot": "R"}]}),
            expect!["refused by lot.used_after_merge on lot R: lot R was merged into lot M"],
        )
        .when(
            "lot.merge",
            json!({"lot": "M", "from": [{"lot": "Y"}]}),
            expect!["refused by lot.made_twice on lot M: lot M came to be before"],
        );
}

#[test]
fn an_order_is_created_started_and_completed_once() {
    given(&[])
        .when("order.start", json!({"order": "O"}), expect!["refused by order.not_created on order O: order O was never created"])
        .when("order.complete", json!({"order": "O"}), expect!["refused by order.not_created on order O: order O was never created"])
        .when("order.create", json!({"order": "O", "product": "poplin"}), expect![[r#"order.created {"order":"O","product":"poplin"}"#]])
        .when("order.create", json!({"order": "O", "product": "poplin"}), expect!["refused by order.created_twice on order O: order O was created before"])
        .when("order.complete", json!({"order": "O"}), expect!["refused by order.completed_before_start on order O: order O was never started, so that it cannot be completed"])
        .when("order.start", json!({"order": "O", "asset": "L1"}), expect![[r#"order.started {"order":"O","asset":"L1"}"#]])
        .when("order.start", json!({"order": "O", "asset": "L2"}), expect![[r#"order.started {"order":"O","asset":"L2"}"#]])
        .when("order.complete", json!({"order": "O"}), expect![[r#"order.completed {"order":"O"}"#]])
        .when("order.complete", json!({"order": "O"}), expect!["refused by order.completed_twice on order O: order O was completed before"])
        .when("order.report_operation", json!({"order": "O", "operation": "weaving"}), expect!["refused by order.work_after_completion on order O: order O is completed, so that no work can be done for it"]);
}
