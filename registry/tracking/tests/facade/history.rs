use domain::events::MetricPoint;
use expect_test::expect;
use tracking::Batch;

use crate::support::{check, point, run, store};

#[tokio::test]
async fn a_history_is_by_time_step_and_value_and_holds_each_point_once() {
    let tracking = store();
    let id = run(&tracking, "0").await;
    assert_eq!(tracking.metric_history(&id, "loss", None, None).await.unwrap().points, []);
    let first = vec![
        point("loss", 0.5, 20, 2),
        point("loss", 0.7, 10, 1),
        point("acc", 1.0, 1, 1),
        point("loss", f64::NAN, 10, 1),
    ];
    tracking.log_batch("test", &id, Batch { metrics: first, ..Batch::default() }).await.unwrap();
    let expected = [point("loss", f64::NAN, 10, 1), point("loss", 0.7, 10, 1), point("loss", 0.5, 20, 2)];
    assert_eq!(tracking.metric_history(&id, "loss", None, None).await.unwrap().points, expected);
    // What is logged again is known; what is new is read on from where the last answer ended.
    let more = vec![point("loss", 0.5, 20, 2), point("loss", f64::INFINITY, 5, 0)];
    tracking.log_batch("test", &id, Batch { metrics: more, ..Batch::default() }).await.unwrap();
    let history = tracking.metric_history(&id, "loss", None, None).await.unwrap();
    assert_eq!(history.points.first(), Some(&point("loss", f64::INFINITY, 5, 0)));
    assert_eq!(history.points[1..], expected);
    tracking.delete_run("test", &id).await.unwrap();
    assert_eq!(tracking.metric_history(&id, "loss", None, None).await.unwrap(), history);
    check(tracking.metric_history("abc", "loss", None, None).await, expect!["not found: Run with id=abc not found"]);
}

#[tokio::test]
async fn a_history_comes_in_pages() {
    let tracking = store();
    let id = run(&tracking, "0").await;
    let all: Vec<MetricPoint> = (0..2_500).map(|step| point("loss", 1.0, step, step)).collect();
    for part in all.chunks(900) {
        tracking.log_batch("test", &id, Batch { metrics: part.to_vec(), ..Batch::default() }).await.unwrap();
    }
    let (mut found, mut token) = (Vec::new(), None);
    loop {
        let page = tracking.metric_history(&id, "loss", Some(700), token.as_deref()).await.unwrap();
        found.extend(page.points);
        token = page.next_page_token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(found, all);
    let first = tracking.metric_history(&id, "loss", Some(1), None).await.unwrap();
    let elsewhere = tracking.metric_history(&id, "acc", Some(1), first.next_page_token.as_deref()).await;
    check(elsewhere, expect!["invalid: Invalid page token, it belongs to another query"]);
    check(
        tracking.metric_history(&id, "loss", Some(-1), None).await,
        expect!["invalid: Invalid value -1 for parameter 'max_results' supplied. It must be a positive integer"],
    );
}

#[tokio::test]
async fn histories_of_several_runs_are_sampled_at_the_same_steps() {
    let tracking = store();
    let (long, short) = (run(&tracking, "0").await, run(&tracking, "0").await);
    let metrics = (0..1_000).map(|step| point("loss", 1.0, 1_000 - step, step)).collect();
    tracking.log_batch("test", &long, Batch { metrics, ..Batch::default() }).await.unwrap();
    tracking.log_metric("test", &short, point("loss", 2.0, 0, 333)).await.unwrap();
    let runs = [long.clone(), short.clone()];
    let sampled = tracking.sampled_histories(&runs, "loss", None, Some(10)).await.unwrap();
    let steps = |at: usize| sampled[at].points.iter().map(|point| point.step).collect::<Vec<_>>();
    assert_eq!(steps(0), [0, 100, 200, 300, 333, 400, 500, 600, 700, 800, 900, 999]);
    assert_eq!((steps(1), &*sampled[1].run), (vec![333], &*short));
    let within = tracking.sampled_histories(&runs, "loss", Some((998, 2_000)), None).await.unwrap();
    assert_eq!(within[0].points, [point("loss", 1.0, 2, 998), point("loss", 1.0, 1, 999)]);
    check(
        tracking.sampled_histories(&runs, "loss", Some((2, 1)), None).await,
        expect!["invalid: end_step must be greater than start_step. Found start_step=2 and end_step=1."],
    );
    check(
        tracking.sampled_histories(&runs, "loss", None, Some(2_501)).await,
        expect!["invalid: max_results must be between 1 and 2500."],
    );
    let many = vec![long; 101];
    check(
        tracking.sampled_histories(&many, "loss", None, None).await,
        expect![
            "invalid: GetMetricHistoryBulkInterval request must specify at most 100 run_ids. Received 101 run_ids."
        ],
    );
}
