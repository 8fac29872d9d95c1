use domain::events::{LoggedModelStatus, MetricPoint};
use domain::ids::LoggedModelId;
use expect_test::expect;
use tracking::view::{FolderEntry, Stage};
use tracking::{NewLoggedModel, Tracking};

use crate::support::{check, pair, point, run, store};

async fn model(tracking: &Tracking, name: &str) -> String {
    let new = NewLoggedModel { name: Some(name.to_owned()), ..NewLoggedModel::default() };
    tracking.create_logged_model("test", new).await.unwrap().id.to_string()
}

#[tokio::test]
async fn a_logged_model_from_pending_to_ready() {
    let tracking = store();
    let run = run(&tracking, "0").await;
    let new = NewLoggedModel {
        name: Some("model".to_owned()),
        run: Some(run.clone()),
        params: vec![pair("p", "1")],
        tags: vec![pair("mlflow.user", "root")],
        ..NewLoggedModel::default()
    };
    let model = tracking.create_logged_model("test", new).await.unwrap();
    let id = model.id.to_string();
    assert_eq!((id.len(), &id[..2]), (34, "m-"));
    assert_eq!(model.artifact_uri, format!("mlflow-artifacts:/0/models/{id}/artifacts"));
    assert_eq!((model.status, model.run.as_ref().unwrap().as_str()), (LoggedModelStatus::Pending, &*run));
    tracking.log_logged_model_params("test", &id, vec![pair("p", "1"), pair("q", "2")]).await.unwrap();
    tracking.set_logged_model_tags("test", &id, vec![pair("a", "1"), pair("a", "2")]).await.unwrap();
    tracking.delete_logged_model_tag("test", &id, "mlflow.user").await.unwrap();
    let measured = |value, at| MetricPoint {
        logged_model: Some(LoggedModelId::new(&id).unwrap()),
        dataset: Some("ds".to_owned()),
        ..point("acc", value, at, 0)
    };
    tracking.log_metric("test", &run, measured(0.5, 1)).await.unwrap();
    tracking.log_metric("test", &run, measured(0.5, 1)).await.unwrap();
    tracking.log_metric("test", &run, measured(0.6, 2)).await.unwrap();
    let model = tracking.finalize_logged_model("test", &id, LoggedModelStatus::Ready).await.unwrap();
    assert_eq!(model.status, LoggedModelStatus::Ready);
    assert_eq!(model.params, [pair("p", "1"), pair("q", "2")]);
    assert_eq!(model.tags, [pair("a", "2")]);
    let points: Vec<_> = model.metrics.iter().map(|metric| metric.point.clone()).collect();
    assert_eq!(points, [measured(0.5, 1), measured(0.6, 2)]);
    assert_eq!(tracking.run(&run).unwrap().metrics, [point("acc", 0.6, 2, 0)]);
    tracking.delete_logged_model("test", &id).await.unwrap();
    let missing = tracking.logged_model(&id, false).unwrap_err().to_string();
    assert_eq!(missing, format!("Logged model with ID '{id}' not found."));
    assert_eq!(tracking.logged_model(&id, true).unwrap().stage, Stage::Deleted);
}

#[tokio::test]
async fn refusals_about_logged_models() {
    let tracking = store();
    let id = model(&tracking, "a").await;
    let new = |name: &str| NewLoggedModel { name: Some(name.to_owned()), ..NewLoggedModel::default() };
    check(
        tracking.create_logged_model("test", new("a.b")).await,
        expect![[
            r#"invalid: Invalid model name ('a.b') provided. Model name must be a non-empty string and cannot contain the following characters: ('/', ':', '.', '%', '"', "'")"#
        ]],
    );
    check(tracking.logged_model("m-1", true), expect!["not found: Logged model with ID 'm-1' not found."]);
    check(
        tracking.finalize_logged_model("test", "m-1", LoggedModelStatus::Ready).await,
        expect!["not found: Logged model with ID 'm-1' not found."],
    );
    let text = tracking.delete_logged_model_tag("test", &id, "k").await.unwrap_err().to_string();
    assert_eq!(text, format!("No tag with key 'k' found for model with ID '{id}'."));
    let run = run(&tracking, "0").await;
    let about_nothing =
        MetricPoint { logged_model: Some(LoggedModelId::new("m-1").unwrap()), ..point("acc", 1.0, 0, 0) };
    check(
        tracking.log_metric("test", &run, about_nothing).await,
        expect!["not found: Logged model with ID 'm-1' not found."],
    );
}

#[tokio::test]
async fn files_make_a_tree() {
    let tracking = store();
    let digest = "0".repeat(64);
    for path in [
        "1/r/artifacts/d.json",
        "1/r/artifacts/sub/x.txt",
        "1/r/artifacts/sub/y/z.txt",
        "1/r/artifacts/sub!",
        "1/models/m-1/artifacts/MLmodel",
        "top",
    ] {
        tracking.store_artifact("test", path, &digest, 12).await.unwrap();
    }
    let file = |name: &str| FolderEntry { name: name.to_owned(), bytes: Some(12) };
    let folder = |name: &str| FolderEntry { name: name.to_owned(), bytes: None };
    assert_eq!(tracking.artifact_folder(""), [folder("1"), file("top")]);
    assert_eq!(tracking.artifact_folder("1"), [folder("models"), folder("r")]);
    assert_eq!(tracking.artifact_folder("1/r/artifacts"), [file("d.json"), folder("sub"), file("sub!")]);
    assert_eq!(tracking.artifact_folder("1/r/artifacts/sub"), [file("x.txt"), folder("y")]);
    assert_eq!(tracking.artifact_folder("1/r/artifacts/d.json"), []);
    assert_eq!(tracking.artifact_folder("nowhere"), []);
    assert_eq!(tracking.artifacts_under("1/r").len(), 4);
    assert_eq!(tracking.artifacts_under("").len(), 6);
    assert_eq!(tracking.artifact("1/r/artifacts/d.json").unwrap().sha256, digest);
    check(tracking.artifact("1/r/artifacts/sub"), expect!["not found: No such artifact: '1/r/artifacts/sub'"]);
    check(
        tracking.store_artifact("test", "1/r/artifacts/sub", &digest, 1).await,
        expect![[r#"invalid: Invalid value "1/r/artifacts/sub" for parameter 'path' supplied: It is a folder."#]],
    );
    check(
        tracking.store_artifact("test", "1/r/artifacts/d.json/x", &digest, 1).await,
        expect![[
            r#"invalid: Invalid value "1/r/artifacts/d.json/x" for parameter 'path' supplied: '1/r/artifacts/d.json' is a file."#
        ]],
    );
    tracking.store_artifact("test", "1/r/artifacts/d.json", &"f".repeat(64), 13).await.unwrap();
    assert_eq!(tracking.artifact("1/r/artifacts/d.json").unwrap().bytes, 13);
    assert_eq!(tracking.remove_artifacts("test", "1/r/artifacts/sub").await.unwrap(), 2);
    assert_eq!(
        tracking.artifact_folder("1/r/artifacts"),
        [file("sub!"), FolderEntry { bytes: Some(13), ..file("d.json") }].into_iter().rev().collect::<Vec<_>>()
    );
    assert_eq!(tracking.remove_artifacts("test", "1").await.unwrap(), 3);
    check(tracking.remove_artifacts("test", "1").await, expect!["not found: No such artifact: '1'"]);
    assert_eq!(tracking.remove_artifacts("test", "top").await.unwrap(), 1);
    assert_eq!(tracking.artifacts_under(""), []);
}

#[tokio::test]
async fn paths_that_lead_elsewhere_are_refused() {
    let tracking = store();
    for path in ["../etc/passwd", "1/r/../../x", "/etc/passwd", "1//x", "1/r/artifacts/", "a\\b", "a\0b", ""] {
        let error = tracking.store_artifact("test", path, &"0".repeat(64), 1).await.unwrap_err();
        assert!(matches!(error, tracking::TrackingError::Invalid(_)), "{path:?}: {error}");
    }
    let error = tracking.store_artifact("test", "a", "not a digest", 1).await.unwrap_err();
    assert!(matches!(error, tracking::TrackingError::Invalid(_)), "{error}");
}
