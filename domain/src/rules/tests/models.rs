use expect_test::expect;
use serde_json::json;

use super::*;

fn registered() -> (&'static str, Value) {
    ("model.registered", json!({"model": "M", "kind": "mechanism", "description": {"en": "angle"}}))
}

fn version(number: Option<u32>) -> Value {
    let mut value = json!({"model": "M", "runtime": "mechanism", "inputs": [], "outputs": [], "artifacts": []});
    if let Some(number) = number {
        value["version"] = json!(number);
    }
    value
}

fn deploy(version: u32) -> Value {
    json!({"deployment": "D", "model": "M", "version": version, "target": {"asset": "L1"}, "period_s": 10})
}

#[test]
fn versions_have_no_gaps_and_do_not_change() {
    given(&[])
        .when("model.create_version", version(None), expect!["refused by model.not_registered on model M: model M was never registered"])
        .when("model.register", registered().1, expect![[r#"model.registered {"model":"M","kind":"mechanism","description":{"en":"angle"}}"#]])
        .when("model.create_version", version(Some(2)), expect!["refused by model.version_gap on model M: the next version of model M is 1, not 2"])
        .when("model.create_version", version(None), expect![[r#"model.version_created {"model":"M","version":1,"runtime":"mechanism","inputs":[],"outputs":[],"artifacts":[]}"#]])
        .when("model.create_version", version(Some(1)), expect!["refused by model.version_exists on model M: version 1 of model M is there already: versions do not change"])
        .when("model.set_alias", json!({"model": "M", "alias": "champion", "version": 2}), expect!["refused by model.no_such_version on model M: model M has no version 2"])
        .when("model.set_alias", json!({"model": "M", "alias": "champion", "version": 1}), expect![[r#"model.alias_set {"model":"M","alias":"champion","version":1}"#]])
        .when("model.remove_alias", json!({"model": "M", "alias": "rival"}), expect!["refused by model.no_such_alias on model M: model M has no alias rival"]);
    let mut wrong = version(None);
    wrong["artifacts"] = json!([{"name": "model.json", "sha256": "abc", "bytes": 3}]);
    given(&[registered()]).when("model.create_version", wrong, expect![[r#"refused by model.artifact_digest on model M: sha256 of artifact "model.json" is not 64 lower-case hexadecimal digits"#]]);
}

#[test]
fn a_deployment_moves_between_versions_that_are_there() {
    let created = |number| ("model.version_created", version(Some(number)));
    let retire = json!({"deployment": "D"});
    given(&[registered(), created(1), created(2), created(3)])
        .when("deployment.roll_back", json!({"deployment": "D"}), expect!["refused by deployment.not_running on deployment D: deployment D does not run, so that there is nothing to roll back"])
        .when("deployment.deploy", deploy(4), expect!["refused by model.no_such_version on model M: model M has no version 4"])
        .when("deployment.deploy", deploy(1), expect![[r#"deployment.deployed {"deployment":"D","model":"M","version":1,"target":{"asset":"L1"},"period_s":10}"#]])
        .when("deployment.roll_back", json!({"deployment": "D"}), expect!["refused by deployment.nothing_before on deployment D: no version ran in deployment D before version 1"])
        .when("deployment.deploy", deploy(2), expect![[r#"deployment.deployed {"deployment":"D","model":"M","version":2,"target":{"asset":"L1"},"period_s":10,"replaces":1}"#]])
        .when("deployment.roll_back", json!({"deployment": "D", "to": 3}), expect!["refused by deployment.never_ran on deployment D: version 3 did not run in deployment D before version 2"])
        .when("deployment.roll_back", json!({"deployment": "D", "reason": {"en": "drifts"}}), expect![[r#"deployment.deployed {"deployment":"D","model":"M","version":1,"target":{"asset":"L1"},"period_s":10,"replaces":2,"reason":{"en":"drifts"}}"#]])
        .observed("deployment.deployed", deploy(3), expect!["deployment.replaces_other on deployment D: deployment D runs version 1, and no version is said to be replaced"])
        .when("deployment.retire", retire.clone(), expect![[r#"deployment.retired {"deployment":"D"}"#]])
        .when("deployment.retire", retire, expect!["refused by deployment.retired_twice on deployment D: deployment D was retired before"])
        .when("deployment.roll_back", json!({"deployment": "D"}), expect!["refused by deployment.not_running on deployment D: deployment D does not run, so that there is nothing to roll back"])
        .when("deployment.deploy", deploy(2), expect!["refused by deployment.retired on deployment D: deployment D is retired; a new one needs an id of its own"]);
}

#[test]
fn only_a_version_that_ran_predicts() {
    let prediction = |version: u32| json!({"deployment": "D", "model": "M", "version": version, "asset": "L1", "inputs": [], "outputs": {"y": 1.0}});
    given(&[("deployment.deployed", deploy(1))]).observed("prediction.made", prediction(1), expect![[""]]).observed(
        "prediction.made",
        prediction(2),
        expect!["deployment.never_ran on deployment D: version 2 of model M never ran in deployment D"],
    );
}

#[test]
fn a_version_is_approved_by_others_than_its_author() {
    let made = json!({"model": "M", "version": 1, "runtime": "mechanism", "inputs": [], "outputs": [], "artifacts": [], "author": "P-1"});
    let approval = |version: u32, person: &str| json!({"model": "M", "version": version, "person": person});
    given(&[registered(), ("model.version_created", made)])
        .observed(
            "model.version_approved",
            approval(2, "P-2"),
            expect!["model.no_such_version on model M: model M has no version 2"],
        )
        .observed(
            "model.approval_withdrawn",
            approval(1, "P-2"),
            expect!["model.not_approved on model M: P-2 has not approved version 1 of model M"],
        )
        .observed("model.version_approved", approval(1, "P-2"), expect![[""]])
        .observed(
            "model.version_approved",
            approval(1, "P-2"),
            expect!["model.approved_twice on model M: P-2 has approved version 1 of model M already"],
        )
        .observed(
            "model.version_approved",
            approval(1, "P-1"),
            expect!["model.own_approval on model M: P-1 made version 1 of model M, and cannot approve it"],
        )
        .observed("model.approval_withdrawn", approval(1, "P-2"), expect![[""]])
        .observed("model.version_approved", approval(1, "P-2"), expect![[""]]);
}

#[test]
fn nothing_of_what_was_deleted_changes() {
    let created = |number| ("model.version_created", version(Some(number)));
    let one = || json!({"model": "M", "version": 1});
    let stage = |version: u32, archives: &[u32]| json!({"model": "M", "version": version, "stage": "production", "archives": archives});
    given(&[registered(), created(1), created(2), ("model.alias_set", json!({"model": "M", "alias": "champion", "version": 1}))])
        .observed("model.stage_set", stage(1, &[]), expect![[""]])
        .observed("model.stage_set", stage(2, &[1, 3]), expect!["model.no_such_version on model M: model M has no version 3"])
        .observed("model.version_deleted", one(), expect![[""]])
        .observed("model.version_deleted", one(), expect!["model.version_deleted on model M: version 1 of model M was deleted"])
        // Its aliases went with it.
        .when("model.remove_alias", json!({"model": "M", "alias": "champion"}), expect!["refused by model.no_such_alias on model M: model M has no alias champion"])
        .when("model.set_alias", json!({"model": "M", "alias": "champion", "version": 1}), expect!["refused by model.version_deleted on model M: version 1 of model M was deleted"])
        .when("deployment.deploy", deploy(1), expect!["refused by model.version_deleted on model M: version 1 of model M was deleted"])
        .observed("model.tag_set", json!({"model": "M", "version": 1, "key": "k", "value": "v"}), expect!["model.version_deleted on model M: version 1 of model M was deleted"])
        .observed("model.version_evaluated", json!({"model": "M", "version": 2, "dataset": "d", "dataset_sha256": "AB", "metrics": {}}), expect![[r#"model.dataset_digest on model M: dataset_sha256 "AB" is not 64 lower-case hexadecimal digits"#]])
        // Its number is not used again.
        .when("model.create_version", version(None), expect![[r#"model.version_created {"model":"M","version":3,"runtime":"mechanism","inputs":[],"outputs":[],"artifacts":[]}"#]])
        .observed("model.renamed", json!({"model": "M", "name": "N"}), expect![[""]])
        .observed("model.deleted", json!({"model": "M"}), expect![[""]])
        .observed("model.deleted", json!({"model": "M"}), expect!["model.deleted on model M: model M was deleted"])
        .when("model.register", registered().1, expect!["refused by model.deleted on model M: model M was deleted; a new model needs an id of its own"])
        .when("model.create_version", version(None), expect!["refused by model.deleted on model M: model M was deleted"])
        .when("deployment.deploy", deploy(2), expect!["refused by model.deleted on model M: model M was deleted"])
        .observed("model.described", json!({"model": "M", "description": "x"}), expect!["model.deleted on model M: model M was deleted"]);
    given(&[])
        .observed(
            "model.renamed",
            json!({"model": "M", "name": "N"}),
            expect!["model.not_registered on model M: model M was never registered"],
        )
        .observed(
            "model.tag_set",
            json!({"model": "M", "key": "k", "value": "v"}),
            expect!["model.not_registered on model M: model M was never registered"],
        );
}
