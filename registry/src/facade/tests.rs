mod training;

use domain::Event;
use domain::events::{
    Artifact, Better, DatasetBuilt, GateDefined, Guarded, KeyValue, ModelApprovalWithdrawn, ModelKind, ModelRenamed,
    ModelVersionApproved, ModelVersionEvaluated, Requirement, Stage, Target, TrainedOn,
};
use domain::ids::{DatasetId, PersonId};
use domain::values::Text;
use eventlog::{EventId, Position};
use futures::future::join_all;
use jiff::Timestamp;

use super::*;
use crate::artifacts::ArtifactError;
use crate::candle::{Recipe, TrainConfig, Trainer};
use crate::commands::*;
use crate::runtime::Given;
use crate::testing::{
    append, append_readings, at, caller, code, deploy, deployment, loom, model, over, plant, reading, register,
    registry, version,
};

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
    let entry = registry.version(&model(), &champion).unwrap();
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
    let ran_at = |time: Timestamp| {
        registry.read(|models| {
            models.ran_on(&loom(1), time, AsOf::LATEST).map(|ran| ran.deployed.version).collect::<Vec<_>>()
        })
    };
    let ran_as_of = |position: Position| {
        let as_of = AsOf::through(position);
        registry.read(|models| models.running_on(&loom(1), as_of).map(|ran| ran.deployed.version).collect::<Vec<_>>())
    };
    assert_eq!(ran_at(at(9)), Vec::<u32>::new());
    assert_eq!(ran_at(at(10)), [1]);
    assert_eq!(ran_at(at(29)), [2]);
    assert_eq!(ran_at(at(30)), [1]);
    assert_eq!(ran_at(at(40)), Vec::<u32>::new());
    assert_eq!(ran_as_of(again.position), [2]);
    assert_eq!(ran_as_of(retired), Vec::<u32>::new());
    assert_eq!(registry.read(|models| models.deployment_history(&deployment(), AsOf::LATEST).len()), 4);
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
    let both = join_all((0..8).map(|index| {
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
    let registry = over(&log, store());
    register(&registry).await;
    let made = registry.create_version(&caller(), version(2.0)).await.unwrap();
    let sha256 = made.artifacts[0].sha256.clone();
    let file = folder.path().join("sha256").join(&sha256[..2]).join(&sha256);
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    // Another process finds the damage when it loads the version.
    let restarted = over(&log, store());
    restarted.catch_up().await.unwrap();
    let refused = restarted.predict_now(&model(), &VersionRef::Latest, &inputs(1.0, 1.0)).await.unwrap_err();
    assert!(matches!(refused, RegistryError::Artifact(ArtifactError::DigestMismatch { .. })), "unexpected {refused}");
    let refused = restarted.deploy(&caller(), deploy(1, 10)).await.unwrap_err();
    assert!(matches!(refused, RegistryError::Artifact(ArtifactError::DigestMismatch { .. })), "unexpected {refused}");
}

fn named(name: &str) -> NewModel {
    NewModel::named(name, ModelKind::Data)
}

fn subject(model: &ModelName, version: Option<u32>) -> Subject {
    Subject { model: model.clone(), version }
}

#[tokio::test]
async fn a_name_belongs_to_one_model_and_an_id_to_one_for_ever() {
    let (_, registry) = registry();
    let first = registry.create_model(&caller(), &named("quality")).await.unwrap().model;
    assert_eq!(first.as_str(), "quality");
    let taken = registry.create_model(&caller(), &named("quality")).await.unwrap_err();
    assert!(matches!(&taken, RegistryError::NameTaken { model, .. } if *model == first), "unexpected {taken}");
    registry.rename_model(&caller(), &first, "grade").await.unwrap();
    assert_eq!(registry.find("grade").unwrap(), first);
    let second = registry.create_model(&caller(), &named("quality")).await.unwrap().model;
    assert!(second.as_str().starts_with("rm-"), "the id of the first is for ever: {second}");
    assert_eq!(registry.find("quality").unwrap(), second);
    let taken = registry.rename_model(&caller(), &second, "grade").await.unwrap_err();
    assert!(matches!(taken, RegistryError::NameTaken { .. }), "unexpected {taken}");
    registry.delete_model(&caller(), &first, None).await.unwrap();
    assert_eq!(registry.find("grade").unwrap_err().to_string(), "model grade is not known");
    registry.rename_model(&caller(), &second, "grade").await.unwrap();
    // What is registered again is described anew, and keeps its id and its name.
    let again = registry.register_model(&caller(), &named("grade")).await.unwrap();
    assert_eq!((&again.model, registry.find("grade").unwrap()), (&second, second.clone()));
    for (name, reason) in [(" ", "name: it is empty"), ("a\u{7}b", "name: it holds a control character")] {
        assert_eq!(registry.create_model(&caller(), &named(name)).await.unwrap_err().to_string(), reason);
    }
    // A name that is no id gets one, and is found by its own text.
    let long = "x".repeat(300);
    let third = registry.create_model(&caller(), &named(&long)).await.unwrap().model;
    assert_eq!(registry.find(&long).unwrap(), third);
}

#[tokio::test]
async fn a_name_that_many_ask_for_at_once_is_given_once() {
    let (_, registry) = registry();
    let made = join_all((0..24).map(|index: u32| {
        let registry = Arc::clone(&registry);
        tokio::spawn(async move { registry.create_model(&caller(), &named(&format!("m{}", index % 3))).await })
    }))
    .await;
    let made: Vec<_> = made.into_iter().map(Result::unwrap).collect();
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 3);
    assert!(
        made.iter().flat_map(|made| made.as_ref().err()).all(|error| matches!(error, RegistryError::NameTaken { .. }))
    );
}

#[tokio::test]
async fn what_somebody_else_appends_meanwhile_is_seen_before_a_name_is_given() {
    let (log, registry) = registry();
    let first = registry.create_model(&caller(), &named("quality")).await.unwrap().model;
    // Not through the registry, and not waited for.
    append(&log, ModelRenamed { model: first.clone(), name: "grade".to_owned() }.into()).await;
    let taken = registry.create_model(&caller(), &named("grade")).await.unwrap_err();
    assert!(matches!(taken, RegistryError::NameTaken { .. }), "unexpected {taken}");
    append(&log, ModelRenamed { model: first, name: "other".to_owned() }.into()).await;
    registry.create_model(&caller(), &named("grade")).await.unwrap();
}

#[tokio::test]
async fn a_version_of_files_elsewhere_comes_with_all_that_is_said_about_it() {
    let (log, registry) = registry();
    let model = registry.create_model(&caller(), &named("sklearn")).await.unwrap().model;
    let tag = |key: &str| KeyValue { key: key.to_owned(), value: format!("{key}!") };
    let artifact = registry.artifacts().put("sub/model.pkl", "pickle".into()).await.unwrap().artifact().clone();
    let new = ExternalVersion {
        artifacts: vec![artifact.clone()],
        source: Some("runs:/r1/model".to_owned()),
        description: Some("first try".to_owned()),
        tags: vec![tag("a"), tag("b")],
        ..ExternalVersion::of(model.clone())
    };
    let tail = log.tail();
    let made = registry.create_external_version(&caller(), &new).await.unwrap();
    assert_eq!((made.version, log.tail().get() - tail.get()), (1, 4));
    registry.read(|models| {
        let version = models.model(&model, AsOf::LATEST).unwrap().version(1).unwrap();
        assert_eq!(version.created().value.artifacts, std::slice::from_ref(&artifact));
        assert_eq!((version.description(), version.tag("b")), (Some("first try"), Some("b!")));
        assert_eq!(version.created().value.runtime.as_str(), "mlflow");
    });
    // Its files are kept, and never run.
    let refused = registry.load(&model, &VersionRef::Latest).await.map(drop).unwrap_err();
    assert!(matches!(refused, RegistryError::Load(LoadError::UnknownRuntime { .. })), "unexpected {refused}");
    let twice =
        ExternalVersion { artifacts: vec![artifact.clone(), artifact.clone()], ..ExternalVersion::of(model.clone()) };
    let refused = registry.create_external_version(&caller(), &twice).await.unwrap_err();
    assert_eq!(refused.to_string(), r#"artifacts: there are two of the name "sub/model.pkl""#);
    let outside = Artifact { name: "../../etc/passwd".to_owned(), ..artifact };
    let outside = ExternalVersion { artifacts: vec![outside], ..ExternalVersion::of(model) };
    let refused = registry.create_external_version(&caller(), &outside).await.unwrap_err();
    assert!(matches!(refused, RegistryError::Artifact(ArtifactError::Name { .. })), "unexpected {refused}");
}

#[tokio::test]
async fn stages_tags_and_descriptions_are_read_as_soon_as_they_are_answered() {
    let (log, registry) = registry();
    let model = registry.create_model(&caller(), &named("staged")).await.unwrap().model;
    for _ in 0..3 {
        registry.create_external_version(&caller(), &ExternalVersion::of(model.clone())).await.unwrap();
    }
    let stage =
        |version, stage, archive_existing| StageChange { model: model.clone(), version, stage, archive_existing };
    for version in [1, 2] {
        registry.set_stage(&caller(), &stage(version, Stage::Production, false)).await.unwrap();
    }
    registry.set_stage(&caller(), &stage(3, Stage::Production, true)).await.unwrap();
    let stages = |registry: &Registry| {
        registry.read(|models| {
            let found = models.model(&model, AsOf::LATEST).unwrap();
            found.versions().map(|version| version.stage()).collect::<Vec<_>>()
        })
    };
    assert_eq!(stages(&registry), [Stage::Archived, Stage::Archived, Stage::Production]);
    let tag = KeyValue { key: "k".to_owned(), value: "v".to_owned() };
    registry.set_tags(&caller(), &subject(&model, Some(2)), std::slice::from_ref(&tag)).await.unwrap();
    registry.describe(&caller(), &subject(&model, None), "said").await.unwrap();
    let tags = registry
        .read(|models| models.model(&model, AsOf::LATEST).unwrap().version(2).unwrap().tag("k").map(str::to_owned));
    assert_eq!(tags.as_deref(), Some("v"));
    registry.remove_tag(&caller(), &subject(&model, Some(2)), "k").await.unwrap();
    let tail = log.tail();
    registry.remove_tag(&caller(), &subject(&model, Some(2)), "k").await.unwrap();
    assert_eq!(log.tail(), tail, "there was nothing to do");
    let unknown = registry.set_tags(&caller(), &subject(&model, Some(9)), &[tag]).await.unwrap_err();
    assert_eq!(unknown.to_string(), "version staged/9 is not known");
    assert_eq!(
        registry.read(|models| models.model(&model, AsOf::LATEST).unwrap().description().map(str::to_owned)).as_deref(),
        Some("said")
    );
}

#[tokio::test]
async fn what_is_needed_is_not_deleted() {
    let (log, registry) = registry();
    plant(&log).await;
    register(&registry).await;
    for factor in [2.0, 3.0, 4.0] {
        registry.create_version(&caller(), version(factor)).await.unwrap();
    }
    registry.deploy(&caller(), deploy(1, 10)).await.unwrap();
    registry.deploy(&caller(), deploy(2, 10)).await.unwrap();
    let refused =
        async |version| registry.delete_version(&caller(), &model(), version, None).await.unwrap_err().to_string();
    assert_eq!(refused(2).await, "model tension is in use: deployment tension-on-looms runs version 2");
    assert_eq!(
        refused(1).await,
        "model tension is in use: deployment tension-on-looms would be rolled back to version 1"
    );
    registry.set_alias(&caller(), &model(), &code("champion"), 3).await.unwrap();
    let gate = GateDefined {
        gate: code("release"),
        model: None,
        guards: vec![Guarded::Deployment],
        approvals: 0,
        requires: Vec::new(),
        champion: None,
    };
    append(&log, gate.into()).await;
    registry.catch_up().await.unwrap();
    assert_eq!(refused(3).await, "model tension is in use: version 3 is the champion that gate release compares with");
    let all = registry.delete_model(&caller(), &model(), None).await.unwrap_err();
    assert!(matches!(&all, RegistryError::InUse { by, .. } if by.len() == 3), "unexpected {all}");
    registry.retire(&caller(), &deployment(), Decision::default()).await.unwrap();
    registry.delete_version(&caller(), &model(), 1, Some(Text::new("旧", "old"))).await.unwrap();
    let gone = registry.version(&model(), &VersionRef::Number(1)).unwrap_err();
    assert_eq!(gone.to_string(), "version tension/1 is not known");
    let made = registry.create_version(&caller(), version(5.0)).await.unwrap();
    assert_eq!(made.version, 4);
}

/// A command against the registry, by number.
async fn any_command(registry: &Registry, choice: u8, number: u32) {
    let stage = StageChange { model: model(), version: number, stage: Stage::Staging, archive_existing: true };
    // What the rules refuse changes nothing, which is what the property is about.
    match choice {
        0 | 1 => drop(registry.create_version(&caller(), version(f64::from(number))).await),
        2 => drop(registry.set_alias(&caller(), &model(), &code("champion"), number).await),
        3 => drop(registry.remove_alias(&caller(), &model(), &code("champion")).await),
        4 => drop(registry.deploy(&caller(), deploy(number, 5)).await),
        5 => drop(registry.roll_back(&caller(), &deployment(), Decision::default()).await),
        6 => drop(registry.set_stage(&caller(), &stage).await),
        7 => drop(registry.delete_version(&caller(), &model(), number, None).await),
        8 => drop(registry.rename_model(&caller(), &model(), &format!("name {number}")).await),
        _ => drop(registry.retire(&caller(), &deployment(), Decision::default()).await),
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]

    /// Whatever is asked for, nothing that was logged contradicts what was known; and the read model that decided equals one that is folded from the log at the end.
    #[test]
    fn no_command_contradicts_and_the_read_model_is_the_log(commands in proptest::collection::vec((0_u8..10, 1_u32..4), 0..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (log, registry) = registry();
            plant(&log).await;
            register(&registry).await;
            for (choice, number) in commands {
                any_command(&registry, choice, number).await;
            }
            let (folds, _) = projections::replay(log.as_ref(), None).await.unwrap();
            proptest::prop_assert_eq!(folds.discrepancies.at(AsOf::LATEST).count(), 0);
            let kept = registry.read(Models::clone);
            proptest::prop_assert_eq!(kept, folds.models);
            Ok(())
        })?;
    }
}

fn release_gate(approvals: u32) -> GateDefined {
    let requirement = Requirement {
        dataset: "holdout".to_owned(),
        metric: "mae".to_owned(),
        better: Better::Lower,
        threshold: Some(1.0),
        beats_champion_by: Some(0.0),
    };
    let guards = vec![Guarded::Deployment, Guarded::Alias(code("champion")), Guarded::Stage(Stage::Production)];
    GateDefined { gate: code("release"), model: None, guards, approvals, requires: vec![requirement], champion: None }
}

fn evaluated(version: u32, mae: f64) -> ModelVersionEvaluated {
    let metrics = IndexMap::from([("mae".to_owned(), mae)]);
    let dataset = "holdout".to_owned();
    ModelVersionEvaluated {
        model: model(),
        version,
        dataset,
        dataset_sha256: None,
        metrics,
        samples: None,
        person: None,
    }
}

fn approved(version: u32, person: &str) -> ModelVersionApproved {
    ModelVersionApproved { model: model(), version, person: PersonId::new(person).unwrap(), note: None }
}

/// Three versions by P-1, registered by `tester`, and the gate.
async fn gated() -> (Arc<dyn EventLog>, Arc<Registry>) {
    let (log, registry) = registry();
    plant(&log).await;
    register(&registry).await;
    for factor in [2.0, 3.0, 4.0] {
        let new = NewVersion { author: Some(PersonId::new("P-1").unwrap()), ..version(factor) };
        registry.create_version(&caller(), new).await.unwrap();
    }
    (log, registry)
}

fn boss() -> Caller {
    Caller::named("boss")
}

#[tokio::test]
async fn a_promotion_is_refused_with_every_reason_and_passes_when_all_is_so() {
    let (_, registry) = gated().await;
    registry.set_alias(&caller(), &model(), &code("champion"), 1).await.unwrap();
    registry.evaluate(&caller(), &evaluated(1, 0.5)).await.unwrap();
    registry.define_gate(&boss(), &release_gate(1)).await.unwrap();
    registry.evaluate(&caller(), &evaluated(2, 1.5)).await.unwrap();
    let refused = registry.set_alias(&caller(), &model(), &code("champion"), 2).await.unwrap_err();
    expect_test::expect!["version 2 of model tension is not promoted: gate release: approvals: found none, wanted 1 by people other than the author; gate release: mae on holdout: found 1.5, wanted 1 at most; gate release: mae on holdout beside version 1: found 1.5, wanted 0.5 at most"]
    .assert_eq(&refused.to_string());
    let own = registry.approve(&boss(), &approved(2, "P-1")).await.unwrap_err();
    assert_eq!(own.to_string(), "P-1 cannot approve version 2 of model tension: P-1 made it");
    let same = registry.approve(&caller(), &approved(2, "P-2")).await.unwrap_err();
    assert!(matches!(same, RegistryError::OwnApproval { .. }), "unexpected {same}");
    registry.approve(&boss(), &approved(2, "P-2")).await.unwrap();
    let better = registry.evaluate(&caller(), &evaluated(2, 0.25)).await.unwrap();
    // Other aliases and stages are free.
    registry.set_alias(&caller(), &model(), &code("rival"), 3).await.unwrap();
    let stage = |stage| StageChange { model: model(), version: 3, stage, archive_existing: false };
    registry.set_stage(&caller(), &stage(Stage::Staging)).await.unwrap();
    assert!(matches!(
        registry.set_stage(&caller(), &stage(Stage::Production)).await,
        Err(RegistryError::GateRefused { .. })
    ));
    assert!(matches!(registry.deploy(&caller(), deploy(3, 10)).await, Err(RegistryError::GateRefused { .. })));
    let deployed = registry.deploy(&caller(), deploy(2, 10)).await.unwrap();
    let checked = registry
        .read(|models| models.deployment(&deployment(), AsOf::LATEST).unwrap().deployed.checked.clone().unwrap());
    assert_eq!((checked.position, checked.champion), (deployed.position.get() - 1, Some(1)));
    assert_eq!((checked.gates, checked.approved_by), (vec![code("release")], vec![PersonId::new("P-2").unwrap()]));
    assert!(checked.evaluations.contains(&better.get()));
    registry.set_alias(&caller(), &model(), &code("champion"), 2).await.unwrap();
    let withdrawn =
        ModelApprovalWithdrawn { model: model(), version: 2, person: PersonId::new("P-2").unwrap(), reason: None };
    registry.withdraw(&boss(), &withdrawn).await.unwrap();
    let again = registry.set_alias(&caller(), &model(), &code("champion"), 2).await.unwrap_err();
    assert!(matches!(&again, RegistryError::GateRefused { unmet, .. } if unmet.len() == 1), "unexpected {again}");
    registry.remove_gate(&boss(), &code("release"), None).await.unwrap();
    registry.deploy(&caller(), deploy(3, 10)).await.unwrap();
}

/// A log that lets something else happen between the decision of a promotion and its append.
struct Overtaken {
    log: Arc<dyn EventLog>,
    first: parking_lot::Mutex<Option<Event>>,
}

impl EventLog for Overtaken {
    fn log_id(&self) -> eventlog::LogId {
        self.log.log_id()
    }

    fn tail(&self) -> Position {
        self.log.tail()
    }

    fn watch_tail(&self) -> tokio::sync::watch::Receiver<Position> {
        self.log.watch_tail()
    }

    fn append(
        &self,
        condition: eventlog::AppendCondition,
        events: Vec<eventlog::NewEvent>,
    ) -> eventlog::BoxFuture<'_, Result<eventlog::Appended, eventlog::AppendError>> {
        Box::pin(async move {
            let promotes = events.iter().any(|event| event.event_type.as_str() == "deployment.deployed");
            let before = if promotes { self.first.lock().take() } else { None };
            if let Some(event) = before {
                append(&self.log, event).await;
            }
            self.log.append(condition, events).await
        })
    }

    fn read(
        &self,
        from: Position,
        direction: eventlog::Direction,
        filter: eventlog::Filter,
        limit: usize,
    ) -> eventlog::BoxFuture<'_, Result<eventlog::Page, eventlog::ReadError>> {
        self.log.read(from, direction, filter, limit)
    }

    fn read_stream(
        &self,
        stream: eventlog::StreamId,
        from: eventlog::Revision,
        direction: eventlog::Direction,
        limit: usize,
    ) -> eventlog::BoxFuture<'_, Result<eventlog::Page<eventlog::Revision>, eventlog::ReadError>> {
        self.log.read_stream(stream, from, direction, limit)
    }

    fn position_of(&self, id: EventId) -> eventlog::BoxFuture<'_, Result<Option<Position>, eventlog::ReadError>> {
        self.log.position_of(id)
    }

    fn last_position_at(
        &self,
        record_time: Timestamp,
    ) -> eventlog::BoxFuture<'_, Result<Option<Position>, eventlog::ReadError>> {
        self.log.last_position_at(record_time)
    }

    fn subscribe(
        &self,
        from: Position,
        filter: eventlog::Filter,
    ) -> eventlog::BoxStream<'static, Result<eventlog::Record, eventlog::ReadError>> {
        self.log.subscribe(from, filter)
    }
}

#[tokio::test]
async fn a_promotion_that_is_overtaken_passes_only_if_it_still_does() {
    let tighter = GateDefined { approvals: 2, ..release_gate(2) };
    let cases: [(Event, bool); 4] = [
        (
            ModelApprovalWithdrawn { model: model(), version: 2, person: PersonId::new("P-2").unwrap(), reason: None }
                .into(),
            false,
        ),
        (evaluated(2, 7.0).into(), false),
        (tighter.into(), false),
        (evaluated(2, 0.125).into(), true),
    ];
    for (meanwhile, passes) in cases {
        let inner: Arc<dyn EventLog> = Arc::new(eventlog::memory::MemoryLog::new());
        let said = format!("{meanwhile:?}");
        let overtaken = Arc::new(Overtaken { log: Arc::clone(&inner), first: parking_lot::Mutex::default() });
        let log: Arc<dyn EventLog> = Arc::clone(&overtaken) as Arc<dyn EventLog>;
        let registry = over(&log, ArtifactStore::in_memory());
        plant(&log).await;
        register(&registry).await;
        registry.create_version(&caller(), version(2.0)).await.unwrap();
        registry.create_version(&caller(), version(3.0)).await.unwrap();
        registry.define_gate(&boss(), &release_gate(1)).await.unwrap();
        registry.evaluate(&caller(), &evaluated(2, 0.25)).await.unwrap();
        registry.approve(&boss(), &approved(2, "P-2")).await.unwrap();
        *overtaken.first.lock() = Some(meanwhile);
        let outcome = registry.deploy(&caller(), deploy(2, 10)).await;
        assert!(overtaken.first.lock().is_none(), "nothing came in between");
        if passes {
            let position = outcome.unwrap().position;
            let checked = registry
                .read(|models| models.deployment(&deployment(), AsOf::LATEST).unwrap().deployed.checked.clone());
            assert_eq!(checked.unwrap().position, position.get() - 1, "it was checked anew, knowing {said}");
        } else {
            let refused = outcome.unwrap_err();
            assert!(matches!(refused, RegistryError::GateRefused { .. }), "after {said}: {refused}");
            assert!(registry.read(|models| models.deployment(&deployment(), AsOf::LATEST).is_none()));
        }
    }
}

#[tokio::test]
async fn a_roll_back_asks_no_gate_and_says_so() {
    let (_, registry) = gated().await;
    registry.deploy(&caller(), deploy(1, 10)).await.unwrap();
    registry.deploy(&caller(), deploy(2, 10)).await.unwrap();
    registry.set_alias(&caller(), &model(), &code("champion"), 1).await.unwrap();
    registry.set_alias(&caller(), &model(), &code("champion"), 3).await.unwrap();
    registry.define_gate(&boss(), &release_gate(2)).await.unwrap();
    let back = registry.roll_back(&caller(), &deployment(), Decision::default()).await.unwrap();
    assert_eq!((back.version, back.replaces), (1, Some(2)));
    let checked = registry
        .read(|models| models.deployment(&deployment(), AsOf::LATEST).unwrap().deployed.checked.clone().unwrap());
    assert_eq!((checked.gates, checked.waived), (vec![], vec![code("release")]));
    let (version, _) = registry.roll_back_alias(&caller(), &model(), &code("champion")).await.unwrap();
    assert_eq!(
        (version, registry.version(&model(), &VersionRef::Alias(code("champion"))).unwrap().created.version),
        (1, 1)
    );
    let never = registry.roll_back_alias(&caller(), &model(), &code("rival")).await.unwrap_err();
    assert_eq!(never.to_string(), "version tension@rival before is not known");
}

#[tokio::test]
async fn a_gate_that_asks_for_nothing_or_is_nowhere_is_refused() {
    let (_, registry) = registry();
    let bad = [
        (GateDefined { guards: vec![], ..release_gate(1) }, "guards: "),
        (GateDefined { requires: vec![], ..release_gate(0) }, "approvals: "),
        (GateDefined { model: Some(model()), ..release_gate(1) }, "model tension is not known"),
    ];
    for (gate, reason) in bad {
        let refused = registry.define_gate(&boss(), &gate).await.unwrap_err().to_string();
        assert!(refused.starts_with(reason), "{refused}");
    }
    let never = registry.remove_gate(&boss(), &code("release"), None).await.unwrap_err();
    assert_eq!(never.to_string(), "gate release is not known");
}
