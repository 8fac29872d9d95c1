use expect_test::expect;
use serde_json::json;

use super::*;

fn beam(lot: &str) -> (&'static str, Value) {
    (
        "lot.created",
        json!({"lot": lot, "material": "warp", "kind": "weaver_beam", "quantity": {"value": 2000.0, "unit": "m"}}),
    )
}

fn mount(asset: &str, beam: &str, joining: &str) -> Value {
    json!({"asset": asset, "beam": beam, "order": "O", "product": "poplin", "joining": joining})
}

fn finish(asset: &str, beam: &str) -> Value {
    json!({"asset": asset, "beam": beam})
}

fn doff(roll: &str, beams: &[(&str, f64, f64)]) -> Value {
    let beams: Vec<Value> = beams
        .iter()
        .map(|(lot, start_m, end_m)| json!({"lot": lot, "interval": {"start_m": start_m, "end_m": end_m}}))
        .collect();
    json!({"asset": "L1", "roll": roll, "order": "O", "product": "poplin", "picks": 250_000, "length_m": 100.0, "beams": beams})
}

#[test]
fn a_beam_is_on_one_loom_and_a_loom_has_one_beam() {
    given(&[beam("B1"), beam("B2")])
        .when("weaving.finish_beam", finish("L1", "B1"), expect!["refused by loom.beam_not_mounted on asset L1: no beam was ever mounted on loom L1, so that beam B1 cannot be finished there"])
        .when("weaving.mount_beam", mount("L1", "B1", "drawn_in"), expect![[r#"weaving.beam_mounted {"asset":"L1","beam":"B1","order":"O","product":"poplin","joining":"drawn_in"}"#]])
        .when("weaving.mount_beam", mount("L2", "B1", "drawn_in"), expect!["refused by lot.on_two_looms on lot B1: beam B1 is on loom L1, so that it cannot be on loom L2"])
        .when("weaving.mount_beam", mount("L1", "B1", "drawn_in"), expect!["refused by loom.beam_mounted_twice on asset L1: beam B1 is on loom L1 already"])
        .when("weaving.mount_beam", mount("L1", "B2", "drawn_in"), expect!["refused by loom.beam_in_place on asset L1: beam B1 is on loom L1: it must be finished, or the new warp tied to it, before beam B2 is mounted"])
        .when("weaving.mount_beam", mount("L1", "B9", "tied_in"), expect!["refused by lot.unknown on lot B9: lot B9 is not known"])
        .when("weaving.finish_beam", finish("L1", "B2"), expect!["refused by loom.beam_not_mounted on asset L1: beam B2 is not on loom L1, so that it cannot be finished there"])
        .when("weaving.finish_beam", finish("L1", "B1"), expect![[r#"weaving.beam_finished {"asset":"L1","beam":"B1"}"#]])
        .when("weaving.finish_beam", finish("L1", "B1"), expect!["refused by loom.beam_not_mounted on asset L1: beam B1 is not on loom L1, so that it cannot be finished there"])
        .when("weaving.mount_beam", mount("L1", "B2", "drawn_in"), expect![[r#"weaving.beam_mounted {"asset":"L1","beam":"B2","order":"O","product":"poplin","joining":"drawn_in"}"#]]);
}

#[test]
fn a_new_warp_is_tied_to_the_old_one() {
    given(&[beam("B1"), beam("B2"), beam("B3"), ("weaving.beam_mounted", mount("L1", "B1", "drawn_in"))])
        .when("weaving.tie_warp", json!({"asset": "L1", "old_beam": "B1", "new_beam": "B2"}), expect!["refused by loom.beam_not_mounted on asset L1: beam B2 is not on loom L1, so that its warp cannot be tied there"])
        .when("weaving.mount_beam", mount("L1", "B2", "tied_in"), expect![[r#"weaving.beam_mounted {"asset":"L1","beam":"B2","order":"O","product":"poplin","joining":"tied_in"}"#]])
        .when("weaving.mount_beam", mount("L1", "B3", "tied_in"), expect!["refused by loom.beam_in_place on asset L1: beam B1 is on loom L1: it must be finished, or the new warp tied to it, before beam B3 is mounted"])
        .when("weaving.tie_warp", json!({"asset": "L1", "old_beam": "B1", "new_beam": "B1"}), expect!["refused by loom.tied_to_itself on asset L1: the warp of beam B1 cannot be tied to itself"])
        .when("weaving.tie_warp", json!({"asset": "L1", "old_beam": "B1", "new_beam": "B2"}), expect![[r#"weaving.warp_tied {"asset":"L1","old_beam":"B1","new_beam":"B2"}"#]])
        .when("weaving.finish_beam", finish("L1", "B1"), expect![[r#"weaving.beam_finished {"asset":"L1","beam":"B1"}"#]])
        .when("weaving.doff_cloth", doff("R1", &[("B1", 1960.0, 2000.0), ("B2", 0.0, 66.0)]), expect![[r#"
            lot.created {"lot":"R1","material":"poplin","kind":"roll","quantity":{"value":100.0,"unit":"m"},"order":"O"}
            weaving.cloth_doffed {"asset":"L1","roll":"R1","order":"O","product":"poplin","picks":250000,"length_m":100.0,"beams":[{"lot":"B1","interval":{"start_m":1960.0,"end_m":2000.0}},{"lot":"B2","interval":{"start_m":0.0,"end_m":66.0}}]}"#]])
        .when("weaving.mount_beam", mount("L1", "B3", "tied_in"), expect![[r#"weaving.beam_mounted {"asset":"L1","beam":"B3","order":"O","product":"poplin","joining":"tied_in"}"#]]);
}

#[test]
fn a_roll_is_of_the_warp_on_the_loom() {
    given(&[beam("B1"), beam("B2"), ("weaving.beam_mounted", mount("L1", "B1", "drawn_in"))])
        .when("weaving.doff_cloth", doff("R1", &[("B1", 0.0, 106.0)]), expect![[r#"
            lot.created {"lot":"R1","material":"poplin","kind":"roll","quantity":{"value":100.0,"unit":"m"},"order":"O"}
            weaving.cloth_doffed {"asset":"L1","roll":"R1","order":"O","product":"poplin","picks":250000,"length_m":100.0,"beams":[{"lot":"B1","interval":{"start_m":0.0,"end_m":106.0}}]}"#]])
        .when("weaving.doff_cloth", doff("R2", &[("B1", 100.0, 206.0)]), expect!["refused by lot.stretch_taken_twice on lot B1: 100 m to 206 m of lot B1 overlaps 0 m to 106 m, which was taken for lot R1"])
        .when("weaving.doff_cloth", doff("R2", &[("B2", 0.0, 106.0)]), expect!["refused by loom.doffed_from_other_beam on asset L1: beam B2 is not on loom L1, so that roll R2 cannot be of its warp"])
        .when("weaving.doff_cloth", doff("R1", &[("B1", 106.0, 212.0)]), expect!["refused by lot.made_twice on lot R1: lot R1 came to be before"])
        .when("weaving.doff_cloth", doff("R2", &[("B1", 1950.0, 2056.0)]), expect!["refused by lot.beyond_its_end on lot B1: lot B1 is 2000 m long, so that it has no stretch from 1950 m to 2056 m"]);
}

#[test]
fn set_points_and_alarms_and_roles_follow_each_other() {
    let change = |from: f64, to: f64, unit: &str| json!({"asset": "L1", "parameter": "tension", "from": from, "to": to, "unit": unit});
    let alarm = json!({"alarm": "A1", "asset": "L1", "code": "E1", "text": {"en": "hot"}, "severity": 500});
    given(&[])
        .observed("asset.set_point_changed", change(2.0, 2.5, "kN"), expect![[""]])
        .observed("asset.set_point_changed", change(2500.0, 2600.0, "N"), expect![[""]])
        .observed("asset.set_point_changed", change(2.5, 2.7, "kN"), expect!["asset.set_point_gap on asset L1: set-point tension of asset L1 was known to be 2.6 kN, not 2.5 kN: a change is missing"])
        .observed("asset.set_point_changed", change(2.7, 2.7, "Cel"), expect!["asset.set_point_unit on asset L1: set-point tension of asset L1 was known in kN, which does not convert to Cel"])
        .observed("alarm.cleared", json!({"alarm": "A1", "asset": "L1"}), expect!["alarm.not_active on asset L1: alarm A1 of asset L1 is not active"])
        .observed("alarm.raised", alarm.clone(), expect![[""]])
        .observed("alarm.raised", alarm, expect!["alarm.raised_twice on asset L1: alarm A1 of asset L1 is active already"])
        .when("equipment.unmap_asset", json!({"asset": "L1", "equipment": "P1"}), expect!["refused by asset.not_in_role on asset L1: asset L1 does not fill role P1"])
        .when("equipment.map_asset", json!({"asset": "L1", "equipment": "P1"}), expect![[r#"equipment.asset_mapped {"asset":"L1","equipment":"P1"}"#]])
        .when("equipment.map_asset", json!({"asset": "L1", "equipment": "P2"}), expect!["refused by asset.fills_a_role on asset L1: asset L1 fills role P1; it must leave it before it fills role P2"])
        .when("person.log_out", json!({"asset": "L1", "person": "W"}), expect!["refused by person.not_logged_in on person W: person W is not logged in at asset L1"])
        .when("person.log_in", json!({"asset": "L1", "person": "W"}), expect![[r#"person.logged_in {"person":"W","asset":"L1"}"#]])
        .when("person.log_in", json!({"asset": "L1", "person": "W"}), expect!["refused by person.logged_in_twice on person W: person W is logged in at asset L1 already"]);
}
