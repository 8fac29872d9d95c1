use domain::events::*;
use domain::ids::PersonId;
use domain::values::Text;
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::testing::{entry, time};

fn model(text: &str) -> ModelName {
    ModelName::new(text).unwrap()
}

fn code(text: &str) -> Code {
    Code::new(text).unwrap()
}

fn registered(id: &str, name: Option<&str>) -> Event {
    let name = name.map(str::to_owned);
    ModelRegistered { model: model(id), name, kind: ModelKind::Data, description: Text::default() }.into()
}

fn version(id: &str, version: u32) -> Event {
    ModelVersionCreated {
        model: model(id),
        version,
        runtime: code("candle"),
        inputs: vec![],
        outputs: vec![],
        artifacts: vec![],
        trained_on: None,
        metrics: indexmap::IndexMap::new(),
        note: None,
        author: None,
        source: None,
        run: None,
        logged_model: None,
        lineage: None,
    }
    .into()
}

fn deployed(deployment: &str, version: u32) -> Event {
    ModelDeployed {
        deployment: DeploymentId::new(deployment).unwrap(),
        model: model("M0"),
        version,
        target: Target::Class(AssetClass::new("loom").unwrap()),
        period_s: 10,
        replaces: None,
        person: None,
        reason: None,
        checked: None,
    }
    .into()
}

/// An event of the registry, chosen by numbers.
fn chosen(kind: u8, a: u8, b: u8) -> Event {
    let id = format!("M{}", a % 3);
    let (model, number, key) = (model(&id), u32::from(b % 3) + 1, format!("k{}", b % 2));
    let alias = code(&format!("a{}", b % 2));
    let of = (!b.is_multiple_of(4)).then_some(number);
    let person = PersonId::new(&format!("P{}", b % 2)).unwrap();
    match kind % 20 {
        0 => registered(&id, b.is_multiple_of(3).then_some("M1")),
        1 | 2 => version(&id, number),
        3 | 4 => AliasSet { model, alias, version: number, checked: None }.into(),
        5 => AliasRemoved { model, alias }.into(),
        6 => ModelRenamed { model, name: format!("M{}", b % 4) }.into(),
        7 => ModelDescribed { model, version: of, description: format!("text {a}") }.into(),
        8 | 9 => ModelTagSet { model, version: of, key, value: format!("{a}") }.into(),
        10 => ModelTagRemoved { model, version: of, key }.into(),
        11 => {
            ModelStageSet { model, version: number, stage: Stage::Production, archives: vec![1], checked: None }.into()
        }
        12 => ModelVersionDeleted { model, version: number, reason: None }.into(),
        13 => ModelDeleted { model, reason: None }.into(),
        14 => ModelVersionApproved { model, version: number, person, note: None }.into(),
        15 => ModelApprovalWithdrawn { model, version: number, person, reason: None }.into(),
        16 => {
            let metrics = indexmap::IndexMap::from([("mae".to_owned(), f64::from(a) / 4.0)]);
            let dataset = "holdout".to_owned();
            ModelVersionEvaluated {
                model,
                version: number,
                dataset,
                dataset_sha256: None,
                metrics,
                samples: None,
                person: None,
            }
            .into()
        }
        17 => {
            let guards = vec![Guarded::Deployment];
            GateDefined { gate: alias, model: Some(model), guards, approvals: 1, requires: vec![], champion: None }
                .into()
        }
        18 => GateRemoved { gate: alias, reason: None }.into(),
        _ if b.is_multiple_of(3) => {
            DeploymentRetired { deployment: DeploymentId::new(&format!("D{}", a % 2)).unwrap(), reason: None }.into()
        }
        _ => deployed(&format!("D{}", a % 2), number),
    }
}

/// Everything that the fold answers as of a position, as text.
fn answers(models: &Models, as_of: AsOf) -> Vec<String> {
    let mut answers = Vec::new();
    for name in ["M0", "M1", "M2", "M3"] {
        answers.push(format!("{name}: {:?}", models.find(name, as_of).map(|found| found.id().clone())));
        let Some(found) = models.model_ever(&model(name), as_of) else { continue };
        let offered = models.model(&model(name), as_of).is_some();
        answers.push(format!("{} {offered} {:?} {:?}", found.name(), found.created(), found.updated()));
        answers.push(format!("{:?} {:?}", found.description(), found.tags().collect::<Vec<_>>()));
        answers.push(format!("{:?} {:?}", found.aliases().collect::<Vec<_>>(), found.names()));
        for alias in found.aliases_ever() {
            answers.push(format!("{:?} {:?}", found.alias(alias.as_str()), found.alias_history(alias)));
        }
        answers.push(format!("{:?}", found.latest().map(|latest| latest.number())));
        for version in found.versions_ever() {
            answers.push(format!("{:?} {:?} {:?}", version.number(), version.created(), version.updated()));
            answers.push(format!("{:?} {:?} {:?}", version.description(), version.stages(), version.deleted()));
            answers.push(format!(
                "{:?} {:?}",
                version.tags().collect::<Vec<_>>(),
                version.aliases().collect::<Vec<_>>()
            ));
            answers.push(format!("{:?} {:?}", version.evaluations(), version.approvals()));
        }
    }
    answers.extend(models.models(as_of).map(|model| model.id().to_string()));
    answers.extend(models.gates(as_of).map(|gate| format!("{gate:?}")));
    for deployment in models.deployments(as_of) {
        answers.push(format!("{deployment:?} {:?}", models.deployment_history(deployment.deployment, as_of)));
    }
    let loom = AssetId::new("loom").unwrap();
    answers.extend(models.running_on(&loom, as_of).map(|ran| format!("{ran:?}")));
    answers.extend((0..5).flat_map(|hour| {
        models.ran_on(&loom, time(hour * 10), as_of).map(|ran| format!("{ran:?}")).collect::<Vec<_>>()
    }));
    answers
}

fn loom() -> Entry {
    let name = Text::default();
    let (asset, class) = (AssetId::new("loom").unwrap(), AssetClass::new("loom").unwrap());
    entry(0, None, AssetRegistered { asset, name, class, maker: None, model: None, serial: None })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// What was known at a position is the same whether one looks back at it or stands there; and a state that was written and read goes on as the one that was not.
    #[test]
    fn looking_back_equals_standing_there(
        events in prop::collection::vec((any::<u8>(), any::<u8>(), any::<u8>(), prop::option::of(0_i64..50)), 1..80),
        cut in any::<prop::sample::Index>(),
    ) {
        let cut = cut.index(events.len()) as u64;
        let (mut all, mut then) = (Models::default(), Models::default());
        all.apply(&loom());
        then.apply(&loom());
        for ((kind, a, b, hour), position) in events.into_iter().zip(1..) {
            let entry = entry(position, hour.map(time), chosen(kind, a, b));
            all.apply(&entry);
            if position <= cut {
                then.apply(&entry);
            }
            if position == cut {
                all = rmp_serde::from_slice(&rmp_serde::to_vec_named(&all).unwrap()).unwrap();
                prop_assert_eq!(&all, &then);
            }
        }
        prop_assert_eq!(answers(&all, AsOf::through(Position::new(cut))), answers(&then, AsOf::LATEST));
    }
}

fn fold(events: Vec<(Option<Timestamp>, Event)>) -> Models {
    let mut models = Models::default();
    models.apply(&loom());
    for ((time, event), position) in events.into_iter().zip(1..) {
        models.apply(&entry(position, time, event));
    }
    models
}

#[test]
fn a_name_moves_and_is_free_again_and_an_id_is_for_ever() {
    let renamed = |id: &str, name: &str| ModelRenamed { model: model(id), name: name.to_owned() }.into();
    let deleted = |id: &str| ModelDeleted { model: model(id), reason: None }.into();
    let events =
        [registered("tension", None), renamed("tension", "warp"), registered("rm-1", Some("tension")), deleted("rm-1")];
    let models = fold(events.map(|event| (None, event)).into());
    let found = |name: &str, through: u64| {
        models.find(name, AsOf::through(Position::new(through))).map(|model| model.id().to_string())
    };
    let table: Vec<String> =
        (1..=4).map(|at| format!("{at}: {:?} {:?}", found("tension", at), found("warp", at))).collect();
    expect_test::expect![[r#"
        1: Some("tension") None
        2: Some("tension") Some("tension")
        3: Some("rm-1") Some("tension")
        4: Some("tension") Some("tension")"#]]
    .assert_eq(&table.join("\n"));
    assert!(models.is_known(&model("rm-1")));
    assert!(models.model(&model("rm-1"), AsOf::LATEST).is_none());
}

#[test]
fn what_is_deleted_has_no_aliases_and_no_stage_to_be_found_in() {
    let set = |alias: &str, version| AliasSet { model: model("M0"), alias: code(alias), version, checked: None }.into();
    let models = fold(
        [
            registered("M0", None),
            version("M0", 1),
            version("M0", 2),
            set("champion", 1),
            set("rival", 2),
            ModelVersionDeleted { model: model("M0"), version: 1, reason: None }.into(),
        ]
        .map(|event| (None, event))
        .into(),
    );
    let found = models.find("M0", AsOf::LATEST).unwrap();
    assert_eq!((found.alias("champion"), found.alias("rival")), (None, Some(2)));
    assert_eq!(found.versions().map(|version| version.number()).collect::<Vec<_>>(), [2]);
    assert!(found.version_ever(1).is_some_and(|version| version.deleted().is_some()));
    let history: Vec<_> = found.alias_history(&code("champion")).iter().map(|said| said.value).collect();
    assert_eq!(history, [Some(1), None]);
}

/// Entries of the tests are logged long after their event times.
#[test]
fn a_change_of_unknown_time_counts_from_when_it_was_logged() {
    let models =
        fold(vec![(Some(time(10)), deployed("D", 1)), (None, deployed("D", 2)), (Some(time(5)), deployed("E", 3))]);
    let loom = AssetId::new("loom").unwrap();
    let ran = |at: Timestamp| {
        models
            .ran_on(&loom, at, AsOf::LATEST)
            .map(|ran| (ran.deployment.to_string(), ran.deployed.version))
            .collect::<Vec<_>>()
    };
    let logged = models.deployment_history(&DeploymentId::new("D").unwrap(), AsOf::LATEST)[1].recorded;
    let (d, e) = (|version| ("D".to_owned(), version), ("E".to_owned(), 3));
    assert_eq!(ran(time(4)), []);
    assert_eq!(ran(time(9)), std::slice::from_ref(&e));
    assert_eq!(ran(time(10)), [d(1), e.clone()]);
    assert_eq!(ran(logged - jiff::SignedDuration::from_secs(1)), [d(1), e.clone()]);
    assert_eq!(ran(logged), [d(2), e]);
}
