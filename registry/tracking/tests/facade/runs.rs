use domain::events::RunStatus;
use expect_test::expect;
use tracking::view::Stage;
use tracking::{NewRun, RunUpdate};

use crate::support::{check, pair, run, store};

#[tokio::test]
async fn a_run_begins_running_with_a_name() {
    let tracking = store();
    let new = NewRun {
        experiment: "0".to_owned(),
        name: Some("r1".to_owned()),
        user: Some("root".to_owned()),
        started_ms: Some(1_795_328_600_668),
        tags: vec![pair("mlflow.user", "root"), pair("mlflow.runName", "r1")],
    };
    let run = tracking.create_run("test", new).await.unwrap();
    assert_eq!(run.id.as_str().len(), 32);
    assert_eq!(run.artifact_uri, format!("mlflow-artifacts:/0/{}/artifacts", run.id));
    assert_eq!((&*run.name, &*run.user, run.status, run.stage), ("r1", "root", RunStatus::Running, Stage::Active));
    assert_eq!((run.started_ms, run.ended_ms), (Some(1_795_328_600_668), None));
    assert_eq!(run.tags, [pair("mlflow.runName", "r1"), pair("mlflow.user", "root")]);
    assert_eq!(tracking.run(run.id.as_str()).unwrap(), run);
    let unnamed = tracking.create_run("test", NewRun::default()).await.unwrap();
    assert_eq!(unnamed.name.split('-').count(), 3, "{}", unnamed.name);
    assert_eq!(unnamed.tags, [pair("mlflow.runName", &unnamed.name)]);
    let tagged = NewRun { tags: vec![pair("mlflow.runName", "by tag")], ..NewRun::default() };
    assert_eq!(tracking.create_run("test", tagged).await.unwrap().name, "by tag");
    let both = NewRun { name: Some("a".into()), tags: vec![pair("mlflow.runName", "b")], ..NewRun::default() };
    check(
        tracking.create_run("test", both).await,
        expect![
            "invalid: Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values (run_name='a', mlflow.runName='b')."
        ],
    );
}

#[tokio::test]
async fn a_run_ends_and_is_called_otherwise() {
    let tracking = store();
    let id = run(&tracking, "0").await;
    let ended = RunUpdate { status: Some(RunStatus::Finished), ended_ms: Some(7), name: None };
    let run = tracking.update_run("test", &id, ended).await.unwrap();
    assert_eq!((run.status, run.ended_ms), (RunStatus::Finished, Some(7)));
    let renamed = RunUpdate { name: Some("second".into()), ..RunUpdate::default() };
    let run = tracking.update_run("test", &id, renamed).await.unwrap();
    assert_eq!((&*run.name, run.status), ("second", RunStatus::Finished));
    assert_eq!(run.tags, [pair("mlflow.runName", "second")]);
    tracking.set_tag("test", &id, pair("mlflow.runName", "third")).await.unwrap();
    let run = tracking.run(&id).unwrap();
    assert_eq!((&*run.name, run.tags), ("third", vec![pair("mlflow.runName", "third")]));
    tracking.delete_tag("test", &id, "mlflow.runName").await.unwrap();
    let run = tracking.run(&id).unwrap();
    assert_eq!((&*run.name, run.tags.len()), ("third", 0));
}

#[tokio::test]
async fn a_deleted_run_takes_nothing_until_it_is_restored() {
    let tracking = store();
    let id = run(&tracking, "0").await;
    tracking.delete_run("test", &id).await.unwrap();
    tracking.delete_run("test", &id).await.unwrap();
    let refused = format!("The run {id} must be in the 'active' state. Current state is deleted.");
    let errors = [
        tracking.set_tag("test", &id, pair("k", "v")).await.unwrap_err(),
        tracking.delete_tag("test", &id, "k").await.unwrap_err(),
        tracking.log_param("test", &id, pair("k", "v")).await.unwrap_err(),
        tracking.log_metric("test", &id, crate::support::point("m", 1.0, 0, 0)).await.unwrap_err(),
        tracking.log_batch("test", &id, Default::default()).await.unwrap_err(),
        tracking.log_inputs("test", &id, vec![], vec![]).await.unwrap_err(),
        tracking.log_outputs("test", &id, vec![]).await.unwrap_err(),
        tracking.update_run("test", &id, RunUpdate::default()).await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(&error, tracking::TrackingError::NotActive(text) if *text == refused), "{error}");
    }
    tracking.restore_run("test", &id).await.unwrap();
    tracking.restore_run("test", &id).await.unwrap();
    tracking.set_tag("test", &id, pair("k", "v")).await.unwrap();
    check(tracking.run("abc"), expect!["not found: Run with id=abc not found"]);
    check(tracking.delete_run("test", "abc").await, expect!["not found: Run with id=abc not found"]);
    check(
        tracking.log_batch("test", "../x", Default::default()).await,
        expect![[r#"invalid: Invalid value "../x" for parameter 'run_id' supplied."#]],
    );
}
