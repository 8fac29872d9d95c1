use expect_test::expect;
use tracking::view::Stage;
use tracking::{NewExperiment, TrackingError};

use crate::support::{check, experiment, pair, run, store, tail};

#[tokio::test]
async fn the_default_experiment_is_there_without_an_event() {
    let tracking = store();
    let default = tracking.experiment("0").unwrap();
    assert_eq!(
        (&*default.name, &*default.artifact_location, default.stage),
        ("Default", "mlflow-artifacts:/0", Stage::Active)
    );
    assert_eq!(tracking.experiment("").unwrap(), default);
    assert_eq!(tracking.experiment_by_name("Default").unwrap(), default);
    assert_eq!(tail(&tracking), 0);
    tracking.delete_experiment("test", "0").await.unwrap();
    tracking.restore_experiment("test", "0").await.unwrap();
    tracking.rename_experiment("test", "0", "Trials").await.unwrap();
    assert_eq!(&*tracking.experiment("0").unwrap().name, "Trials");
    assert_eq!(experiment(&tracking, "Default").await, "1");
}

#[tokio::test]
async fn experiments_are_numbered_and_have_names_of_their_own() {
    let tracking = store();
    assert_eq!(experiment(&tracking, "weft").await, "1");
    let new = NewExperiment {
        name: "纬停".to_owned(),
        artifact_location: Some("s3://bucket/x".to_owned()),
        tags: vec![pair("team", "a"), pair("b", "2"), pair("team", "c")],
    };
    let second = tracking.create_experiment("test", new).await.unwrap();
    assert_eq!((second.id.as_str(), &*second.artifact_location), ("2", "s3://bucket/x"));
    assert_eq!(second.tags, [pair("b", "2"), pair("team", "c")]);
    assert!(second.created_ms > 0 && second.created_ms == second.updated_ms);
    let again = NewExperiment { name: "weft".to_owned(), ..NewExperiment::default() };
    check(
        tracking.create_experiment("test", again.clone()).await,
        expect!["exists: Experiment(name=weft) already exists."],
    );
    tracking.delete_experiment("test", "1").await.unwrap();
    check(tracking.create_experiment("test", again).await, expect!["exists: Experiment(name=weft) already exists."]);
    check(
        tracking.rename_experiment("test", "2", "weft").await,
        expect!["exists: Experiment(name=weft) already exists."],
    );
    check(tracking.rename_experiment("test", "1", "x").await, expect!["state: Cannot rename a non-active experiment."]);
    tracking.rename_experiment("test", "2", "warp").await.unwrap();
    tracking.rename_experiment("test", "2", "warp").await.unwrap();
    check(tracking.experiment_by_name("纬停"), expect!["not found: Could not find experiment with name '纬停'"]);
    assert_eq!(experiment(&tracking, "纬停").await, "3");
}

#[tokio::test]
async fn refusals_are_worded_as_clients_know_them() {
    let tracking = store();
    experiment(&tracking, "weft").await;
    check(tracking.experiment("9"), expect!["not found: No Experiment with id=9 exists"]);
    check(
        tracking.experiment("x"),
        expect!["invalid: Invalid experiment ID 'x'. Experiment ID must be a valid integer."],
    );
    check(tracking.restore_experiment("test", "1").await, expect!["not found: No Experiment with id=1 exists"]);
    tracking.delete_experiment("test", "1").await.unwrap();
    check(tracking.delete_experiment("test", "1").await, expect!["not found: No Experiment with id=1 exists"]);
    check(
        tracking.set_experiment_tag("test", "1", pair("k", "v")).await,
        expect!["not active: The experiment 1 must be in the 'active' state. Current state is deleted."],
    );
    check(
        tracking.create_run("test", tracking::NewRun { experiment: "1".into(), ..Default::default() }).await,
        expect!["not active: The experiment 1 must be in the 'active' state. Current state is deleted."],
    );
    tracking.restore_experiment("test", "1").await.unwrap();
    tracking.set_experiment_tag("test", "1", pair("k", "v")).await.unwrap();
    check(
        tracking.delete_experiment_tag("test", "1", "other").await,
        expect!["not found: No tag with name: other in experiment with id 1"],
    );
    tracking.delete_experiment_tag("test", "1", "k").await.unwrap();
    assert!(tracking.experiment("1").unwrap().tags.is_empty());
    let new = |name: &str| NewExperiment { name: name.to_owned(), ..NewExperiment::default() };
    check(tracking.create_experiment("test", new("")).await, expect!["invalid: Invalid experiment name: ''"]);
}

#[tokio::test]
async fn deleting_an_experiment_takes_its_active_runs_along_and_restoring_brings_back_those() {
    let tracking = store();
    let id = experiment(&tracking, "weft").await;
    let (kept, gone) = (run(&tracking, &id).await, run(&tracking, &id).await);
    let other = run(&tracking, "0").await;
    tracking.delete_run("test", &gone).await.unwrap();
    tracking.delete_experiment("test", &id).await.unwrap();
    let stage = |run: &str| tracking.run(run).unwrap().stage;
    assert_eq!((stage(&kept), stage(&gone), stage(&other)), (Stage::Deleted, Stage::Deleted, Stage::Active));
    tracking.restore_experiment("test", &id).await.unwrap();
    assert_eq!((stage(&kept), stage(&gone), stage(&other)), (Stage::Active, Stage::Deleted, Stage::Active));
}

#[tokio::test]
async fn of_many_who_want_one_name_one_gets_it() {
    let tracking = store();
    let new = || NewExperiment { name: "weft".to_owned(), ..NewExperiment::default() };
    let asked = (0..20).map(|_| tracking.create_experiment("test", new()));
    let answers = futures::future::join_all(asked).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(
        answers
            .iter()
            .filter_map(|answer| answer.as_ref().err())
            .all(|error| matches!(error, TrackingError::Exists(_)))
    );
    let others = (0..20).map(|number| {
        let name = format!("other {number}");
        tracking.create_experiment("test", NewExperiment { name, ..NewExperiment::default() })
    });
    let mut ids: Vec<u64> = futures::future::join_all(others)
        .await
        .into_iter()
        .map(|made| made.unwrap().id.as_str().parse().unwrap())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, (2..22).collect::<Vec<u64>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_who_tag_one_experiment_all_get_through() {
    let tracking = std::sync::Arc::new(store());
    let writers = (0..64).map(|writer| {
        let tracking = std::sync::Arc::clone(&tracking);
        tokio::spawn(async move { tracking.set_experiment_tag("test", "0", pair(&format!("k{writer}"), "v")).await })
    });
    futures::future::join_all(writers).await.into_iter().for_each(|tagged| tagged.unwrap().unwrap());
    assert_eq!(tracking.experiment("0").unwrap().tags.len(), 64);
}
