//! What a spec may not say, each with its field.

use serde_json::json;

use super::*;
use crate::DatasetError;

fn check(parts: Json, expected: &str) {
    let error = Spec::from_value(spec((0, 60), parts)).unwrap_err();
    assert!(error.to_string().contains(expected), "{error}, not {expected}");
}

#[test]
fn a_spec_that_cannot_mean_anything_is_refused() {
    let state = json!([{"kind": "state", "name": "state"}]);
    check(json!({}), "features: a dataset needs a feature or a label");
    check(json!({"features": state, "to": at(0)}), "to: ");
    check(json!({"features": state, "name": " "}), "name: it is empty");
    check(json!({"features": state, "rows": {"on": "grid", "period_s": 0}}), "rows.period_s: 0 s is not from 1");
    check(json!({"features": state, "assets": {"ids": []}}), "assets.ids: there are 0");
    check(json!({"features": state, "colour": 1}), "unknown field `colour`");
    check(json!({"features": [{"kind": "state", "name": "time"}]}), "features[0].name: \"time\" is a column already");
    check(json!({"features": [{"kind": "state", "name": "a"}, {"kind": "product", "name": "a"}]}), "features[1].name");
    check(
        json!({"labels": [{"kind": "time_to_fault", "name": "t", "unit": "kg"}]}),
        "labels[0].unit: kg is no unit of time",
    );
    check(json!({"labels": [{"kind": "time_to_fault", "name": "t", "unit": "hours"}]}), "is not a UCUM code");
    let percentile = json!({"percentile": 101.0});
    check(
        json!({"features": [{"kind": "reading", "name": "p", "quantity": "tension", "aggregate": percentile, "window_s": 60}]}),
        "features[0].aggregate.percentile: 101 is not from 0 to 100",
    );
    check(
        json!({"features": [{"kind": "reading", "name": "p", "quantity": "tension", "aggregate": "mean", "window_s": 99_999_999}]}),
        "features[0].window_s",
    );
}

async fn refused(parts: Json) -> DatasetError {
    let mut mill = Mill::new().await;
    mill.tell(1, Some(1), defined("L2.tension", "L2", "tension", "N")).await;
    mill.tell(1, Some(1), defined("L1.temperature", "L1", "temperature", "Cel")).await;
    let spec = Spec::from_value(spec((0, 60), parts)).unwrap();
    build(&mill.log, &spec, mill.last(), &mut Vec::new()).await.unwrap_err()
}

#[tokio::test]
async fn a_spec_that_does_not_fit_the_mill_is_refused() {
    let reading = |quantity: &str, unit: Json| {
        let mut feature =
            json!({"kind": "reading", "name": "x", "quantity": quantity, "aggregate": "mean", "window_s": 60});
        if !unit.is_null() {
            feature["unit"] = unit;
        }
        json!({"features": [feature]})
    };
    let text = refused(reading("tension", json!(null))).await.to_string();
    assert!(text.starts_with("features[0].unit: signals measure tension in"), "{text}");
    let text = refused(reading("tension", json!("Cel"))).await.to_string();
    assert!(text.starts_with("features[0].unit: tension of L1 is measured in kN"), "{text}");
    let text = refused(reading("speed", json!(null))).await.to_string();
    assert_eq!(text, "features[0].quantity: no signal of these assets measures speed at that position");
    let mut nobody = reading("tension", json!("N"));
    nobody["assets"] = json!({"ids": ["L9"]});
    assert_eq!(refused(nobody.clone()).await.to_string(), "assets.ids: asset L9 was not registered at that position");
    nobody["assets"] = json!({"class": "warper"});
    assert!(refused(nobody).await.to_string().starts_with("assets.class: no asset"));
    let mut long = reading("tension", json!("N"));
    (long["rows"], long["to"]) = (json!({"on": "grid", "period_s": 1}), json!(at(10_000_000)));
    assert!(matches!(refused(long).await, DatasetError::TooLarge { .. }));
}

#[tokio::test]
async fn a_position_that_is_not_written_is_refused() {
    let mill = Mill::new().await;
    let spec = Spec::from_value(spec((0, 60), json!({"features": [{"kind": "state", "name": "state"}]}))).unwrap();
    let error = build(&mill.log, &spec, mill.log.tail(), &mut Vec::new()).await.unwrap_err();
    assert!(matches!(error, DatasetError::Beyond { .. }), "{error}");
}
