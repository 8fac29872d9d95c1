use std::sync::Arc;

use domain::events::{DatasetInput, ModelOutput};
use domain::ids::LoggedModelId;
use expect_test::expect;
use tracking::{Batch, TrackingError};

use crate::support::{check, pair, point, run, store, tail};

#[tokio::test]
async fn the_latest_point_is_the_greatest_by_step_time_and_value() {
    type Logged = (f64, i64, i64);
    let cases: [(&[Logged], Logged); 8] = [
        (&[(0.5, 10, 1), (0.4, 11, 2)], (0.4, 11, 2)),
        (&[(0.4, 11, 2), (0.5, 10, 1)], (0.4, 11, 2)),
        (&[(1.0, 5, 0), (2.0, 4, 0)], (1.0, 5, 0)),
        (&[(1.0, 5, 0), (2.0, 5, 0)], (2.0, 5, 0)),
        (&[(2.0, 5, 0), (1.0, 5, 0)], (2.0, 5, 0)),
        (&[(f64::INFINITY, 5, 0), (1.0, 5, 0)], (f64::INFINITY, 5, 0)),
        (&[(f64::NAN, 5, 0), (1.0, 5, 0)], (1.0, 5, 0)),
        (&[(1.0, 5, -3), (1.5, 5, -4)], (1.0, 5, -3)),
    ];
    let tracking = store();
    for (logged, latest) in cases {
        for together in [true, false] {
            let id = run(&tracking, "0").await;
            let points: Vec<_> = logged.iter().map(|&(value, at, step)| point("loss", value, at, step)).collect();
            if together {
                tracking.log_batch("test", &id, Batch { metrics: points, ..Batch::default() }).await.unwrap();
            } else {
                for point in points {
                    tracking.log_metric("test", &id, point).await.unwrap();
                }
            }
            assert_eq!(tracking.run(&id).unwrap().metrics, [point("loss", latest.0, latest.1, latest.2)], "{logged:?}");
        }
    }
}

#[tokio::test]
async fn values_that_are_no_number_stay_what_they_are() {
    let tracking = store();
    let id = run(&tracking, "0").await;
    let metrics =
        vec![point("nan", f64::NAN, 1, 0), point("up", f64::INFINITY, 1, 0), point("down", f64::NEG_INFINITY, 1, 0)];
    tracking.log_batch("test", &id, Batch { metrics: metrics.clone(), ..Batch::default() }).await.unwrap();
    let mut expected = metrics;
    expected.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(tracking.run(&id).unwrap().metrics, expected);
}

#[tokio::test]
async fn a_parameter_never_changes() {
    let tracking = store();
    let id = run(&tracking, "0").await;
    tracking.log_param("test", &id, pair("p", "1")).await.unwrap();
    let before = tail(&tracking);
    tracking.log_param("test", &id, pair("p", "1")).await.unwrap();
    assert_eq!(tail(&tracking), before, "what is known already is no event");
    let text = tracking.log_param("test", &id, pair("p", "other")).await.unwrap_err().to_string();
    assert_eq!(
        text,
        format!(
            "Changing param values is not allowed. Param with key='p' was already logged with value='1' for run ID='{id}'. Attempted logging new value 'other'."
        )
    );
    let params = vec![pair("p", "it's"), pair("q", "2")];
    let text = tracking.log_batch("test", &id, Batch { params, ..Batch::default() }).await.unwrap_err().to_string();
    assert_eq!(
        text,
        format!(
            "Changing param values is not allowed. Params were already logged='[{{'key': 'p', 'old_value': '1', 'new_value': \"it's\"}}]' for run ID='{id}'."
        )
    );
    // All of a batch, or nothing.
    assert_eq!(tracking.run(&id).unwrap().params, [pair("p", "1")]);
    let batch = Batch {
        metrics: vec![point("m", 1.0, 0, 0)],
        params: vec![pair("p", "1"), pair("q", "")],
        tags: vec![pair("t", "a"), pair("t", "b")],
    };
    tracking.log_batch("test", &id, batch).await.unwrap();
    let run = tracking.run(&id).unwrap();
    assert_eq!(run.params, [pair("p", "1"), pair("q", "")]);
    assert_eq!(run.tags.first(), Some(&pair("mlflow.runName", &run.name)));
    assert_eq!(run.tags.last(), Some(&pair("t", "b")));
}

#[tokio::test]
async fn a_batch_is_one_event_and_has_its_limits() {
    let tracking = store();
    let id = run(&tracking, "0").await;
    let before = tail(&tracking);
    let many = |count: usize| (0..count).map(|n| point("m", 1.0, i64::try_from(n).unwrap(), 0)).collect::<Vec<_>>();
    tracking.log_batch("test", &id, Batch { metrics: many(1_000), ..Batch::default() }).await.unwrap();
    assert_eq!(tail(&tracking), before + 1);
    check(
        tracking.log_batch("test", &id, Batch { metrics: many(1_001), ..Batch::default() }).await,
        expect![
            "invalid: A batch logging request can contain at most 1000 metrics. Got 1001 metrics. Please split up metrics across multiple requests and try again."
        ],
    );
    let pairs = |count: usize| (0..count).map(|n| pair(&format!("k{n}"), "v")).collect::<Vec<_>>();
    check(
        tracking.log_batch("test", &id, Batch { tags: pairs(101), ..Batch::default() }).await,
        expect![
            "invalid: A batch logging request can contain at most 100 tags. Got 101 tags. Please split up tags across multiple requests and try again."
        ],
    );
    let all = Batch { metrics: many(900), params: pairs(100), tags: pairs(1) };
    check(
        tracking.log_batch("test", &id, all).await,
        expect![
            "invalid: A batch logging request can contain at most 1000 metrics, params, and tags. Got 1001 metrics, params, and tags. Please split up metrics, params, and tags across multiple requests and try again."
        ],
    );
    check(
        tracking.log_batch("test", &id, Batch { metrics: vec![point("a*", 1.0, 0, 0)], ..Batch::default() }).await,
        expect![[
            r#"invalid: Invalid value "a*" for parameter 'metrics[0].name' supplied: Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/)."#
        ]],
    );
    assert_eq!(tail(&tracking), before + 1, "what was refused left nothing behind");
}

#[tokio::test]
async fn tags_are_taken_away() {
    let tracking = store();
    let id = run(&tracking, "0").await;
    tracking.set_tag("test", &id, pair("k", "v")).await.unwrap();
    tracking.delete_tag("test", &id, "k").await.unwrap();
    let text = tracking.delete_tag("test", &id, "k").await.unwrap_err().to_string();
    assert_eq!(text, format!("No tag with name: k in run with id {id}"));
}

#[tokio::test]
async fn inputs_and_outputs() {
    let tracking = store();
    let id = run(&tracking, "0").await;
    let dataset = |name: &str, source: &str| DatasetInput {
        name: name.to_owned(),
        digest: "df32b07a".to_owned(),
        source_type: "code".to_owned(),
        source: source.to_owned(),
        schema: Some("{}".to_owned()),
        profile: None,
        tags: vec![pair("mlflow.data.context", "train")],
    };
    let model = |number: u32| LoggedModelId::new(&format!("m-{number}")).unwrap();
    let both = vec![dataset("a", "x"), dataset("b", "x"), dataset("a", "y")];
    tracking.log_inputs("test", &id, both, vec![model(1), model(1)]).await.unwrap();
    tracking.log_inputs("test", &id, vec![dataset("b", "z")], vec![model(2)]).await.unwrap();
    let output = |number, step| ModelOutput { logged_model: model(number), step };
    tracking.log_outputs("test", &id, vec![output(1, 3), output(2, 4)]).await.unwrap();
    tracking.log_outputs("test", &id, vec![output(1, 5)]).await.unwrap();
    let run = tracking.run(&id).unwrap();
    assert_eq!(run.datasets, [dataset("a", "x"), dataset("b", "x")]);
    assert_eq!(run.model_inputs, [model(1), model(2)]);
    assert_eq!(run.model_outputs, [output(1, 5), output(2, 4)]);
    check(
        tracking.log_inputs("test", &id, vec![dataset(&"n".repeat(501), "x")], vec![]).await,
        expect!["invalid: 'name' exceeds the maximum length of 500 characters"],
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_to_one_run_all_get_through() {
    let tracking = Arc::new(store());
    let id = run(&tracking, "0").await;
    let writers = (0..64_i64).map(|writer| {
        let (tracking, id) = (Arc::clone(&tracking), id.clone());
        tokio::spawn(async move {
            for step in 0..5 {
                tracking.log_metric("test", &id, point("loss", 0.5, writer, step)).await?;
                if writer % 4 == 0 {
                    tracking.log_param("test", &id, pair(&format!("p{writer}-{step}"), "1")).await?;
                    tracking.set_tag("test", &id, pair("who", &writer.to_string())).await?;
                }
            }
            Ok::<(), TrackingError>(())
        })
    });
    for written in futures::future::join_all(writers).await {
        written.unwrap().unwrap();
    }
    let run = tracking.run(&id).unwrap();
    assert_eq!(run.params.len(), 16 * 5);
    assert_eq!(run.metrics, [point("loss", 0.5, 63, 4)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_values_of_one_parameter_one_counts() {
    let tracking = Arc::new(store());
    for _ in 0..20 {
        let id = run(&tracking, "0").await;
        let writers = (0..8).map(|writer| {
            let (tracking, id) = (Arc::clone(&tracking), id.clone());
            tokio::spawn(async move { tracking.log_param("test", &id, pair("p", &writer.to_string())).await.is_ok() })
        });
        let taken =
            futures::future::join_all(writers).await.into_iter().filter(|taken| *taken.as_ref().unwrap()).count();
        assert_eq!(taken, 1);
        assert_eq!(tracking.run(&id).unwrap().params.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_list_in_a_tag_keeps_what_many_add_to_it() {
    let tracking = Arc::new(store());
    let id = run(&tracking, "0").await;
    let writers = (0..20).map(|number| {
        let (tracking, id) = (Arc::clone(&tracking), id.clone());
        tokio::spawn(async move {
            let item = serde_json::json!({ "number": number });
            tracking.push_to_tag("test", &id, "mlflow.log-model.history", item).await.unwrap();
            tracking.log_metric("test", &id, point("loss", 0.5, 1, number)).await.unwrap();
        })
    });
    futures::future::join_all(writers).await.into_iter().for_each(|written| written.unwrap());
    let run = tracking.run(&id).unwrap();
    let list = run.tags.iter().find(|tag| tag.key == "mlflow.log-model.history").unwrap();
    let list: Vec<serde_json::Value> = serde_json::from_str(&list.value).unwrap();
    assert_eq!(list.len(), 20);
    check(
        tracking.push_to_tag("test", &id, "mlflow.log-model.history", "x".repeat(8_000).into()).await,
        expect!["invalid: 'value' exceeds the maximum length of 8000 characters"],
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_written_live_is_what_the_log_says() {
    let tracking = Arc::new(store());
    let writers = (0..8_i64).map(|writer| {
        let tracking = Arc::clone(&tracking);
        tokio::spawn(async move {
            for number in 0..10 {
                let id = run(&tracking, "0").await;
                let batch = Batch {
                    metrics: vec![point("loss", 0.5, writer, number)],
                    params: vec![pair("p", &number.to_string())],
                    tags: vec![pair("who", &writer.to_string())],
                };
                tracking.log_batch("test", &id, batch).await.unwrap();
                if number % 3 == 0 {
                    tracking.delete_run("test", &id).await.unwrap();
                }
            }
        })
    });
    futures::future::join_all(writers).await.into_iter().for_each(|written| written.unwrap());
    let (checkpoint, live) = tracking.handle().digest().await.unwrap();
    let again = crate::support::over(tracking.log());
    again.catch_up().await.unwrap();
    assert_eq!(again.handle().digest().await.unwrap(), (checkpoint, live));
    assert_eq!(checkpoint.get(), 8 * 10 * 2 + 8 * 4);
}
