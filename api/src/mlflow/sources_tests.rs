use super::*;

#[test]
fn paths_of_uris() {
    for (uri, expected) in [
        ("mlflow-artifacts:/models", Some("models")),
        ("mlflow-artifacts:/models///", Some("models")),
        ("mlflow-artifacts:/models/foo///bar", Some("models/foo/bar")),
        ("mlflow-artifacts://host:9000/models", Some("models")),
        ("MLFLOW-ARTIFACTS:/1/r/artifacts", Some("1/r/artifacts")),
        ("mlflow-artifacts://host:9000", Some("")),
        ("s3://bucket/x", None),
        ("/local", None),
        ("a b:/x", None),
    ] {
        assert_eq!(own_path(uri).as_deref(), expected, "{uri}");
    }
}

fn check(source: &str, expected: Result<(), &str>) {
    match (check_source(source, false, "run_id"), expected) {
        (Ok(()), Ok(())) => {}
        (Err(refused), Err(said)) => assert!(refused.message().contains(said), "{source:?}: {refused:?}"),
        (found, _) => panic!("{source:?}: {found:?}"),
    }
}

#[test]
fn a_source_that_leads_out_is_refused() {
    for source in [
        "mlflow-artifacts:/models",
        "mlflow-artifacts:/models///",
        "mlflow-artifacts://host:9000/models/artifact/..../",
        "runs:/run_id/model",
        "models:/m-1",
        "models:/模型 a/3",
        "models:/pump@champion",
        "s3://bucket/a/b",
        "dbfs:/x",
    ] {
        check(source, Ok(()));
    }
    for source in [
        "mlflow-artifacts://host:9000/models/../../../",
        "http://host:9000/models/../../../",
        "https://host/api/2.0/mlflow-artifacts/artifacts/../../../",
        "s3a://my_bucket/api/2.0/mlflow-artifacts/artifacts/../../../",
        "mlflow-artifacts://host:9000/models/..%2f..%2fartifacts",
        "mlflow-artifacts://host:9000/models/%252e%252e%252f",
        "mlflow-artifacts://host:9000/models/artifact%00",
        "mlflow-artifacts:/models/./x",
        "mlflow-artifacts:/models\\..\\x",
        "dbfs:/r/artifacts/a%3f/../../../",
        "runs:/a/../../b",
        "models:/..",
        "mlflow-artifacts:",
        "runs:relative",
        "mlflow-artifacts:/%ff",
        &format!("s3://b/%{}2e", "25".repeat(40)),
    ] {
        check(source, Err("If supplying a source as an http, https,"));
    }
    for source in ["/tmp", "models/x", "file:///tmp", "FILE:/x", ""] {
        check(source, Err("To use a local path as a model version"));
    }
    check(&format!("s3://{}", "x".repeat(3_000)), Err("exceeds the maximum length"));
    assert!(check_source("dummy-source", true, "run_id").is_ok());
    assert!(check_source("/etc/passwd", true, "run_id").is_err());
    assert!(check_source("file:///etc/passwd", true, "run_id").is_err());
    assert!(check_source("http://h/../x", true, "run_id").is_err());
}

#[test]
fn references_to_models() {
    let registered = |name, which| Some(Reference::Registered { name, which });
    for (path, expected) in [
        ("/m-1", Some(Reference::Logged("m-1"))),
        ("/pump/3", registered("pump", Which::Number(3))),
        ("/pump/LATEST", registered("pump", Which::Latest)),
        ("/pump/production", registered("pump", Which::Stage(Stage::Production))),
        ("/pump@champion", registered("pump", Which::Alias("champion"))),
        ("/a@b@c", registered("a@b", Which::Alias("c"))),
        ("/pump/nowhere", None),
        ("/pump/", None),
        ("/pump@", None),
        ("/@x", None),
        ("//3", None),
        ("/a/b/c", None),
        ("/", None),
        ("", None),
    ] {
        assert_eq!(Reference::parse(path), expected, "{path}");
    }
}

#[test]
fn folders_of_frozen_files_name_their_model_whatever_it_is_called() {
    for id in ["pump", "rm-1", "a.b_c", "泵", "a/b", "..", ".x", "a b", "~61", "x#y"] {
        let model = ModelName::new(id).unwrap();
        let folder = folder_name(&model);
        assert!(super::super::paths::safe(&folder).is_ok(), "{folder}");
        assert_eq!(model_of_folder(&folder), Some(model), "{folder}");
    }
    for folder in ["~6", "~zz", "~é", "~ff", "~", ""] {
        assert_eq!(model_of_folder(folder), None, "{folder:?}");
    }
    assert!(is_frozen("_versions") && is_frozen("_versions/pump/1/MLmodel") && !is_frozen("_versionsx/1"));
}

#[test]
fn places_of_experiments() {
    for location in ["s3://bucket/x", "mlflow-artifacts:/teams/a", "my_location", "dbfs:/x?a=b"] {
        assert!(check_location(location).is_ok(), "{location}");
    }
    for location in [
        "runs:/r/x",
        "s3://b/x#y",
        "s3://b/x;y",
        "s3://b/x?../y",
        "s3://b/x?%252e%252e",
        "mlflow-artifacts:/../x",
        "mlflow-artifacts:/_versions/pump/1",
    ] {
        assert!(check_location(location).is_err(), "{location}");
    }
}
