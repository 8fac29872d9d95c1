use std::fmt::Write as _;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::testing::TestRow;
use super::{Attribute, Entity, Field, LoggedModelOrder, ORDER_KEYS_MAX, Order};

fn check(entity: Entity, orders: &[&[&str]], expected: &Expect) {
    let mut text = String::new();
    for keys in orders {
        let _ = writeln!(text, "{keys:?}");
        match Order::parse(entity, keys) {
            Ok(order) => {
                for key in order.keys() {
                    let _ = writeln!(text, "    {:?}{}", key.field, if key.descending { " descending" } else { "" });
                }
            }
            Err(error) => {
                let _ = writeln!(text, "  ! {error}");
            }
        }
    }
    expected.assert_eq(&text);
}

#[test]
fn orders_of_runs() {
    check(
        Entity::Runs,
        &[
            &[],
            &["start_time"],
            &["attributes.start_time ASC", "metrics.loss DESC", "params.`a b` asc", "tag.\"x\" Desc"],
            &["metrics.a.b.c"],
            &["Created DESC", "run_id DESC"],
            &["start_time", "attribute.created DESC"],
            &["metrics.loss", "metric.loss DESC"],
            &["foo"],
            &["attributes.foo DESC"],
            &["trait.a"],
            &["datasets.name"],
            &["metrics.loss SIDEWAYS"],
            &["metrics.loss DESC NULLS FIRST"],
            &["metrics.learning-rate"],
            &["metrics.loss, start_time"],
            &["metrics."],
            &["metrics. loss"],
            &["metrics.`loss"],
            &["'start_time'"],
            &["5"],
            &["DESC"],
            &[""],
        ],
        &expect![[r#"
            []
                Attribute(StartTime) descending
                Attribute(RunId)
            ["start_time"]
                Attribute(StartTime)
                Attribute(RunId)
            ["attributes.start_time ASC", "metrics.loss DESC", "params.`a b` asc", "tag.\"x\" Desc"]
                Attribute(StartTime)
                Metric("loss") descending
                Param("a b")
                Tag("x") descending
                Attribute(RunId)
            ["metrics.a.b.c"]
                Metric("a.b.c")
                Attribute(StartTime) descending
                Attribute(RunId)
            ["Created DESC", "run_id DESC"]
                Attribute(StartTime) descending
                Attribute(RunId) descending
            ["start_time", "attribute.created DESC"]
              ! `order_by` contains duplicate fields: attribute.created DESC
            ["metrics.loss", "metric.loss DESC"]
              ! `order_by` contains duplicate fields: metric.loss DESC
            ["foo"]
              ! Invalid attribute key 'foo' specified. Valid keys are '{'Created', 'artifact_uri', 'created', 'end_time', 'run_id', 'run_name', 'start_time', 'status', 'user_id'}'
            ["attributes.foo DESC"]
              ! Invalid attribute key 'foo' specified. Valid keys are '{'Created', 'artifact_uri', 'created', 'end_time', 'run_id', 'run_name', 'start_time', 'status', 'user_id'}'
            ["trait.a"]
              ! Invalid entity type 'trait'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']
            ["datasets.name"]
              ! Invalid order_by entity: dataset
            ["metrics.loss SIDEWAYS"]
              ! Invalid ordering key in order_by clause 'metrics.loss SIDEWAYS'.
            ["metrics.loss DESC NULLS FIRST"]
              ! Invalid order_by clause 'metrics.loss DESC NULLS FIRST'. Could not be parsed.
            ["metrics.learning-rate"]
              ! Invalid order_by clause 'metrics.learning-rate'. Could not be parsed.
            ["metrics.loss, start_time"]
              ! Invalid order_by clause 'metrics.loss, start_time'. Could not be parsed.
            ["metrics."]
              ! Invalid order_by clause 'metrics.'. Could not be parsed.
            ["metrics. loss"]
              ! Invalid order_by clause 'metrics. loss'. Could not be parsed.
            ["metrics.`loss"]
              ! Invalid order_by clause 'metrics.`loss'. Could not be parsed.
            ["'start_time'"]
              ! Invalid order_by clause ''start_time''. Could not be parsed.
            ["5"]
              ! Invalid order_by clause '5'. Could not be parsed.
            ["DESC"]
              ! Invalid attribute key 'DESC' specified. Valid keys are '{'Created', 'artifact_uri', 'created', 'end_time', 'run_id', 'run_name', 'start_time', 'status', 'user_id'}'
            [""]
              ! Invalid order_by clause ''. Could not be parsed.
        "#]],
    );
}

#[test]
fn orders_of_experiments_and_the_registry() {
    check(
        Entity::Experiments,
        &[&[], &["name"], &["experiment_id ASC"], &["tags.a"], &["last_update_time DESC", "name ASC"], &["status"]],
        &expect![[r#"
            []
                Attribute(CreationTime) descending
                Attribute(ExperimentId)
            ["name"]
                Attribute(Name)
                Attribute(ExperimentId) descending
            ["experiment_id ASC"]
                Attribute(ExperimentId)
            ["tags.a"]
              ! Invalid order_by entity: tag
            ["last_update_time DESC", "name ASC"]
                Attribute(LastUpdateTime) descending
                Attribute(Name)
                Attribute(ExperimentId) descending
            ["status"]
              ! Invalid attribute key 'status' specified. Valid keys are '{'creation_time', 'experiment_id', 'last_update_time', 'name'}'
        "#]],
    );
    check(
        Entity::RegisteredModels,
        &[
            &[],
            &["name DESC"],
            &["timestamp"],
            &["last_updated_timestamp DESC", "creation_timestamp"],
            &["run_id"],
            &["tag.x"],
        ],
        &expect![[r#"
            []
                Attribute(Name)
            ["name DESC"]
                Attribute(Name) descending
            ["timestamp"]
                Attribute(LastUpdateTime)
                Attribute(Name)
            ["last_updated_timestamp DESC", "creation_timestamp"]
                Attribute(LastUpdateTime) descending
                Attribute(CreationTime)
                Attribute(Name)
            ["run_id"]
              ! Invalid order by key 'run_id' specified. Valid keys are '{'creation_timestamp', 'last_updated_timestamp', 'name', 'timestamp'}'
            ["tag.x"]
              ! Invalid order_by entity: tag
        "#]],
    );
    check(
        Entity::ModelVersions,
        &[&[], &["name DESC"], &["version_number"], &["creation_timestamp DESC"], &["run_id"], &["tag.x"]],
        &expect![[r#"
            []
                Attribute(LastUpdateTime) descending
                Attribute(Name)
                Attribute(VersionNumber) descending
            ["name DESC"]
                Attribute(Name) descending
                Attribute(VersionNumber) descending
            ["version_number"]
                Attribute(VersionNumber)
                Attribute(Name)
            ["creation_timestamp DESC"]
                Attribute(CreationTime) descending
                Attribute(Name)
                Attribute(VersionNumber) descending
            ["run_id"]
              ! Invalid attribute key 'run_id' specified. Valid keys are '{'creation_timestamp', 'last_updated_timestamp', 'name', 'version_number'}'
            ["tag.x"]
              ! Invalid order_by entity: tag
        "#]],
    );
}

fn by(field: &str, ascending: bool, dataset: Option<&str>) -> LoggedModelOrder {
    LoggedModelOrder {
        field_name: field.to_owned(),
        ascending,
        dataset_name: dataset.map(str::to_owned),
        dataset_digest: None,
    }
}

#[test]
fn orders_of_logged_models() {
    let order =
        Order::of_logged_models(&[by("creation_timestamp", true, None), by("metrics.`a b`", false, Some("train"))])
            .unwrap();
    assert_eq!(order.keys()[0].field, Field::Attribute(Attribute::CreationTime));
    assert_eq!(order.keys()[1].field, Field::Metric(String::from("a b")));
    assert_eq!(order.keys().len(), 3, "the id breaks ties, and the time of creation is there already");
    let refused = |keys: &[LoggedModelOrder]| Order::of_logged_models(keys).unwrap_err().to_string();
    expect!["Invalid order by field name: nothing"].assert_eq(&refused(&[by("nothing", true, None)]));
    expect!["Invalid order by field name: params.lr. Only metrics are supported."].assert_eq(&refused(&[by(
        "params.lr",
        true,
        None,
    )]));
    let digest_alone = LoggedModelOrder { dataset_digest: Some(String::from("d")), ..by("metrics.a", true, None) };
    expect!["`dataset_name` in the `order_by` clause must be specified."].assert_eq(&refused(&[digest_alone]));
}

#[test]
fn the_latest_metric_on_the_dataset_is_ordered_by() {
    let model = |name: &str| TestRow::default().text(Attribute::ModelId, name);
    let rows = [
        model("m-1").point("loss", 0.9, 5, Some(("train", "d"))).point("loss", 0.1, 9, Some(("test", "d"))),
        model("m-2").point("loss", 0.2, 5, Some(("train", "d"))).point("loss", 0.3, 4, Some(("train", "d"))),
        model("m-3"),
    ];
    let sorted = |keys: &[LoggedModelOrder]| {
        let order = Order::of_logged_models(keys).unwrap();
        let mut rows: Vec<&TestRow> = rows.iter().collect();
        rows.sort_by(|left, right| order.compare(*left, *right));
        rows.iter().map(|row| row.texts[&(Attribute::ModelId as u8)].as_str()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(sorted(&[by("metrics.loss", true, None)]), "m-1 m-2 m-3");
    assert_eq!(sorted(&[by("metrics.loss", true, Some("train"))]), "m-2 m-1 m-3");
    assert_eq!(sorted(&[by("metrics.loss", false, Some("train"))]), "m-1 m-2 m-3");
    assert_eq!(sorted(&[by("metrics.loss", false, Some("nowhere"))]), "m-1 m-2 m-3");
}

#[test]
fn what_is_not_there_comes_last_and_nan_before_it_in_both_directions() {
    let rows = [
        TestRow::run("none", 1.0),
        TestRow::run("nan", 1.0).metric("loss", f64::NAN),
        TestRow::run("one", 1.0).metric("loss", 1.0),
        TestRow::run("infinite", 1.0).metric("loss", f64::INFINITY),
        TestRow::run("minus", 1.0).metric("loss", -1.0),
        TestRow::run("one-later", 2.0).metric("loss", 1.0),
        TestRow::run("a-none", 1.0),
    ];
    let sorted = |key: &str| {
        let order = Order::parse(Entity::Runs, &[key]).unwrap();
        let mut rows: Vec<&TestRow> = rows.iter().collect();
        rows.sort_by(|left, right| order.compare(*left, *right));
        rows.iter().map(|row| row.id()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(sorted("metrics.loss"), "minus one-later one infinite nan a-none none");
    assert_eq!(sorted("metrics.loss DESC"), "infinite one-later one minus nan a-none none");
    assert_eq!(sorted("params.x DESC"), "one-later a-none infinite minus nan none one");
}

#[test]
fn orders_are_bounded() {
    let keys: Vec<String> = (0..=ORDER_KEYS_MAX).map(|n| format!("metrics.m{n}")).collect();
    assert!(Order::parse(Entity::Runs, &keys[1..]).is_ok());
    expect!["Invalid order_by: it has 21 keys, and at most 20 are allowed."]
        .assert_eq(&Order::parse(Entity::Runs, &keys).unwrap_err().to_string());
    expect!["Invalid order_by: it has 3008 bytes, and at most 2048 are allowed."]
        .assert_eq(&Order::parse(Entity::Runs, &[format!("metrics.{}", "a".repeat(3_000))]).unwrap_err().to_string());
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,60}", key in "(metrics|params|tags)\\.[a`\". ]{0,6} ?(ASC|DESC|x)?") {
        for entity in [Entity::Experiments, Entity::Runs, Entity::RegisteredModels, Entity::ModelVersions] {
            for text in [&text, &key] {
                if let Ok(order) = Order::parse(entity, &[text]) {
                    prop_assert!(!order.keys().is_empty());
                }
            }
        }
    }

    #[test]
    fn an_order_is_total(values in prop::collection::vec((prop::option::of(prop::sample::select(vec![0.0, -0.0, 1.0, f64::NAN, f64::INFINITY])), 0_u8..3), 1..20), descending in any::<bool>()) {
        let rows: Vec<TestRow> = values.iter().enumerate().map(|(n, (metric, start))| {
            let row = TestRow::run(&format!("run-{n:02}"), f64::from(*start));
            match metric { Some(value) => row.metric("m", *value), None => row }
        }).collect();
        let order = Order::parse(Entity::Runs, &[if descending { "metrics.m DESC" } else { "metrics.m" }]).unwrap();
        for a in &rows {
            for b in &rows {
                prop_assert_eq!(order.compare(a, b), order.compare(b, a).reverse());
                prop_assert_eq!(order.compare(a, b).is_eq(), a.id() == b.id());
                for c in &rows {
                    if order.compare(a, b).is_le() && order.compare(b, c).is_le() {
                        prop_assert!(order.compare(a, c).is_le());
                    }
                }
            }
        }
    }
}
