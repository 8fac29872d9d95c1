use domain::events::{Target, TrainedOn};
use eventlog::EventId;

use super::*;
use crate::artifacts::ArtifactError;
use crate::runtime::Given;
use crate::testing::{at, caller, code, deploy, deployment, loom, model, plant, register, registry, version};

fn inputs(tension: f64, speed: f64) -> Inputs {
    [(code("warp_tension"), Given::plain(tension)), (code("loom_speed"), Given::plain(speed))].into()
}

#[tokio::test]
async fn a_version_is_made_named_and_asked() {
    let (_, registry) = registry();
    register(&registry).await;
    let trained_on = TrainedOn { first_position: 3, last_position: 9, samples: 7, seed: Some(1) };
    let new = NewVersion {
        trained_on: Some(trained_on.clone()),
        example: Some(inputs(30.0, 600.0)),
        metrics: IndexMap::from([("mae".to_owned(), 0.5)]),
        ..version(2.0)
    };
    let made = registry.create_version(&caller(), new).await.unwrap();
    assert_eq!((made.version, made.smoke.unwrap()["load"]), (1, 60.0));
    let second = registry.create_version(&caller(), version(3.0)).await.unwrap();
    assert_eq!(second.version, 2);
    registry.set_alias(&caller(), &model(), &code("champion"), 1).await.unwrap();
    let champion = VersionRef::Alias(code("champion"));
    let answer = registry.predict_now(&model(), &champion, &inputs(30.0, 600.0)).await.unwrap();
    assert_eq!((answer.version, answer.version_position), (1, made.position));
    assert_eq!(answer.outputs.unwrap(), IndexMap::from([("load".to_owned(), 60.0), ("pace".to_owned(), 0.05)]));
    let latest = registry.predict_now(&model(), &VersionRef::Latest, &inputs(30.0, 0.0)).await.unwrap();
    assert_eq!(latest.version, 2);
    assert!(latest.outputs.unwrap_err().to_string().contains("division of 30 by zero"));
    // Lineage: the version says what it was trained on.
    let entry = registry.version(&model(), &champion).await.unwrap();
    assert_eq!(entry.created.trained_on, Some(trained_on));
    registry.remove_alias(&caller(), &model(), &code("champion")).await.unwrap();
    let gone = registry.predict_now(&model(), &champion, &inputs(1.0, 1.0)).await.unwrap_err();
    assert!(matches!(gone, RegistryError::NotFound { kind: "alias", .. }), "unexpected {gone}");
}

#[tokio::test]
async fn what_is_not_there_or_not_right_is_refused_and_logs_nothing() {
    let (log, registry) = registry();
    let unknown = registry.create_version(&caller(), version(2.0)).await.unwrap_err();
    assert!(matches!(unknown, RegistryError::NotFound { kind: "model", .. }), "unexpected {unknown}");
    register(&registry).await;
    let tail = log.tail();
    let broken = NewVersion {
        files: vec![crate::NewFile { name: "mechanism.json".to_owned(), bytes: "{}".into() }],
        ..version(2.0)
    };
    assert!(matches!(registry.create_version(&caller(), broken).await, Err(RegistryError::Load(_))));
    let no_runtime = NewVersion { runtime: code("python"), ..version(2.0) };
    assert!(matches!(
        registry.create_version(&caller(), no_runtime).await,
        Err(RegistryError::Load(LoadError::UnknownRuntime { .. }))
    ));
    let no_answer = NewVersion { example: Some(inputs(601.0, 1.0)), ..version(2.0) };
    let refused = registry.create_version(&caller(), no_answer).await.unwrap_err();
    assert_eq!(refused.to_string(), "example: input warp_tension 601 cN is above 600");
    let backward = TrainedOn { first_position: 9, last_position: 3, samples: 1, seed: None };
    let refused = registry
        .create_version(&caller(), NewVersion { trained_on: Some(backward), ..version(2.0) })
        .await
        .unwrap_err();
    assert!(matches!(refused, RegistryError::Invalid { ref field, .. } if field == "trained_on"));
    let alias = registry.set_alias(&caller(), &model(), &code("champion"), 1).await.unwrap_err();
    assert!(matches!(alias, RegistryError::NotFound { kind: "version", .. }), "unexpected {alias}");
    let deployed = registry.deploy(&caller(), deploy(1, 10)).await.unwrap_err();
    assert!(matches!(deployed, RegistryError::NotFound { kind: "version", .. }), "unexpected {deployed}");
    let never = registry.deploy(&caller(), deploy(1, 0)).await.unwrap_err();
    assert!(matches!(never, RegistryError::Invalid { ref field, .. } if field == "period_s"));
    let retired = registry.retire(&caller(), &deployment(), Decision::default()).await.unwrap_err();
    assert!(matches!(retired, RegistryError::NotFound { kind: "deployment", .. }), "unexpected {retired}");
    assert_eq!(log.tail(), tail);
}

#[tokio::test]
async fn a_deployment_is_upgraded_rolled_back_and_retired() {
    let (log, registry) = registry();
    plant(&log).await;
    register(&registry).await;
    registry.create_version(&caller(), version(2.0)).await.unwrap();
    registry.create_version(&caller(), version(3.0)).await.unwrap();
    let by = |second| Caller { event_time: Some(at(second)), ..caller() };
    let first = registry.deploy(&by(10), deploy(1, 10)).await.unwrap();
    assert_eq!((first.version, first.replaces), (1, None));
    let early = registry.roll_back(&by(15), &deployment(), Decision::default()).await.unwrap_err();
    assert!(matches!(early, RegistryError::Rejected(_)), "unexpected {early}");
    let again = registry.deploy(&by(20), Deploy { version: VersionRef::Latest, ..deploy(1, 10) }).await.unwrap();
    assert_eq!((again.version, again.replaces), (2, Some(1)));
    let back = registry.roll_back(&by(30), &deployment(), Decision::default()).await.unwrap();
    assert_eq!((back.version, back.replaces), (1, Some(2)));
    let elsewhere = Deploy { target: Target::Asset(loom(1)), ..deploy(2, 10) };
    assert!(matches!(registry.deploy(&by(35), elsewhere).await, Err(RegistryError::Rejected(_))));
    let retired = registry.retire(&by(40), &deployment(), Decision::default()).await.unwrap();
    assert!(matches!(
        registry.retire(&by(50), &deployment(), Decision::default()).await,
        Err(RegistryError::Rejected(_))
    ));
    let ran = async |moment| {
        let ran = registry.what_ran(&loom(1), moment).await.unwrap();
        ran.iter().map(|ran| ran.version).collect::<Vec<_>>()
    };
    assert_eq!(ran(Moment::At(at(9))).await, Vec::<u32>::new());
    assert_eq!(ran(Moment::At(at(10))).await, [1]);
    assert_eq!(ran(Moment::At(at(29))).await, [2]);
    assert_eq!(ran(Moment::At(at(30))).await, [1]);
    assert_eq!(ran(Moment::At(at(40))).await, Vec::<u32>::new());
    assert_eq!(ran(Moment::AsOf(again.position)).await, [2]);
    assert_eq!(ran(Moment::AsOf(retired)).await, Vec::<u32>::new());
    assert_eq!(registry.deployment(&deployment()).await.unwrap().steps.len(), 4);
}

#[tokio::test]
async fn a_repeated_command_answers_as_the_first_time() {
    let (log, registry) = registry();
    register(&registry).await;
    let by = || Caller { event_id: Some(EventId::derived("test", "1")), ..caller() };
    let one = registry.create_version(&by(), version(2.0)).await.unwrap();
    let tail = log.tail();
    let two = registry.create_version(&by(), version(2.0)).await.unwrap();
    assert_eq!((one.version, one.position), (two.version, two.position));
    let other = registry.deploy(&by(), deploy(1, 10)).await.unwrap_err();
    assert!(matches!(other, RegistryError::Conflict { .. }), "unexpected {other}");
    assert_eq!(log.tail(), tail);
}

#[tokio::test]
async fn versions_made_at_once_get_different_numbers() {
    let (_, registry) = registry();
    register(&registry).await;
    let both = futures::future::join_all((0..8).map(|index| {
        let registry = Arc::clone(&registry);
        async move {
            let made = tokio::spawn(async move { registry.create_version(&caller(), version(f64::from(index))).await });
            made.await.unwrap().unwrap().version
        }
    }))
    .await;
    let mut numbers = both;
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=8).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_damaged_file_is_never_run() {
    let folder = tempfile::tempdir().unwrap();
    let log: Arc<dyn EventLog> = Arc::new(eventlog::memory::MemoryLog::new());
    let store = || ArtifactStore::open_folder(folder.path()).unwrap();
    let registry = Registry::new(Arc::clone(&log), store());
    register(&registry).await;
    let made = registry.create_version(&caller(), version(2.0)).await.unwrap();
    let sha256 = made.artifacts[0].sha256.clone();
    let file = folder.path().join("sha256").join(&sha256[..2]).join(&sha256);
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    // Another process finds the damage when it loads the version.
    let restarted = Registry::new(log, store());
    let refused = restarted.predict_now(&model(), &VersionRef::Latest, &inputs(1.0, 1.0)).await.unwrap_err();
    assert!(matches!(refused, RegistryError::Artifact(ArtifactError::DigestMismatch { .. })), "unexpected {refused}");
    let refused = restarted.deploy(&caller(), deploy(1, 10)).await.unwrap_err();
    assert!(matches!(refused, RegistryError::Artifact(ArtifactError::DigestMismatch { .. })), "unexpected {refused}");
}
