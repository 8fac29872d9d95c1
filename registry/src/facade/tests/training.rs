use super::*;

/// A dataset of what both looms did in a thousand seconds, with its file in the store.
async fn dataset(log: &Arc<dyn EventLog>, registry: &Registry) -> DatasetBuilt {
    for second in (0..1000).step_by(5) {
        let wave = f64::from(second).sin();
        let readings = [1, 2].into_iter().flat_map(|number| {
            let tension = 3.0 + wave * f64::from(number);
            let second = i64::from(second);
            [
                reading(number, "warp_tension", second, tension),
                reading(number, "loom_speed", second, 500.0 + 10.0 * tension),
            ]
        });
        append_readings(log, readings.collect()).await;
    }
    let reading = |name: &str, quantity: &str, unit: &str| serde_json::json!({"kind": "reading", "name": name, "quantity": quantity, "aggregate": "mean", "window_s": 20, "unit": unit});
    let spec = serde_json::json!({
        "name": "speeds", "assets": {"class": "loom"}, "rows": {"on": "grid", "period_s": 10}, "from": at(30), "to": at(1000),
        "features": [reading("warp_tension", "warp_tension", "N"), reading("loom_speed", "loom_speed", "{pick}/min")],
    });
    let spec = datasets::spec::Spec::from_value(spec).unwrap();
    let mut file = Vec::new();
    let built = datasets::build(log.as_ref(), &spec, log.tail().previous().unwrap(), &mut file).await.unwrap();
    registry.artifacts().put(datasets::FILE_NAME, file.into()).await.unwrap();
    let built = datasets::built_event(DatasetId::new("d-1").unwrap(), &built);
    append(log, built.clone().into()).await;
    built
}

#[tokio::test]
async fn what_was_trained_here_comes_out_again_byte_by_byte_and_only_from_the_same_data() {
    let (log, registry) = registry();
    plant(&log).await;
    let dataset = dataset(&log, &registry).await;
    assert!(dataset.rows > 150, "only {} rows", dataset.rows);
    let model = registry.create_model(&caller(), &named("speed")).await.unwrap().model;
    let recipe = Recipe {
        trainer: Trainer::Mlp,
        features: vec!["warp_tension".to_owned()],
        targets: vec!["loom_speed".to_owned()],
        only: Vec::new(),
        config: TrainConfig { epochs: 3, hidden: vec![8], batch: 16, ..TrainConfig::default() },
    };
    let training = |recipe: Recipe| Training { model: model.clone(), recipe, author: None, note: None };
    let made = registry.train(&caller(), training(recipe.clone()), &dataset).await.unwrap();
    assert_eq!(made.inputs[0].unit.to_string(), "N");
    let created = registry.version(&model, &VersionRef::Latest).unwrap().created;
    let lineage = created.lineage.unwrap();
    assert_eq!(
        (lineage.dataset, lineage.dataset_sha256),
        (Some(dataset.dataset.clone()), Some(dataset.file.sha256.clone()))
    );
    assert_eq!(created.trained_on.as_ref().map(|range| range.first_position), dataset.first_position);
    // The log goes on; the past stays.
    append_readings(&log, vec![reading(1, "warp_tension", 995, 99.0)]).await;
    let latest = VersionRef::Latest;
    let again = registry.reproduce(&model, &latest, Some(&dataset)).await.unwrap();
    assert!(again.same && again.files.len() == 2 && again.not_made.is_empty(), "{again:?}");
    assert_eq!(again.rows, Some(dataset.rows));
    // Known a little less long, other data and another network come out.
    let earlier = DatasetBuilt { as_of: dataset.as_of - 40, ..dataset.clone() };
    let differs = registry.reproduce(&model, &latest, Some(&earlier)).await.unwrap();
    assert!(!differs.same && differs.dataset.is_some_and(|dataset| !dataset.same), "{:?}", differs.files);
    assert!(differs.files.iter().any(|file| !file.same));
    let nothing = registry.reproduce(&model, &latest, None).await.unwrap();
    assert!(!nothing.same && nothing.not_made.len() == 1);
    // Another seed, another network; and what differs is named.
    let seeded = Recipe { config: TrainConfig { seed: 2, ..recipe.config.clone() }, ..recipe.clone() };
    registry.train(&caller(), training(seeded), &dataset).await.unwrap();
    let compared = registry.read(|models| {
        let found = models.model(&model, AsOf::LATEST).unwrap();
        crate::compare::compare(found.version(1).unwrap(), found.version(2).unwrap())
    });
    assert!(compared.same_signature);
    let names =
        |differences: &[crate::compare::Difference]| differences.iter().map(|one| one.what.clone()).collect::<Vec<_>>();
    assert_eq!(names(&compared.parameters), ["config.seed"]);
    assert_eq!(names(&compared.lineage), ["trained_on.seed"]);
    assert_eq!(names(&compared.files), ["manifest.json", "model.safetensors"]);
    let error = compared.metrics["holdout_rmse.loom_speed"];
    assert!((error.difference.unwrap() - (error.b.unwrap() - error.a.unwrap())).abs() < 1e-12);
    let known = recipe.clone();
    let unknown = Recipe { features: vec!["humidity".to_owned()], ..recipe };
    let refused = registry.train(&caller(), training(unknown), &dataset).await.unwrap_err();
    assert_eq!(refused.to_string(), r#"features[0]: the dataset has no column "humidity""#);
    // What a row must be like: fewer samples, and what is wrong is named.
    let only = |text: serde_json::Value| Recipe { only: serde_json::from_value(text).unwrap(), ..known.clone() };
    let all = created.trained_on.unwrap().samples;
    let fast =
        only(serde_json::json!([{"column": "loom_speed", "above": 530.0}, {"column": "warp_tension", "below": 4.0}]));
    registry.train(&caller(), training(fast), &dataset).await.unwrap();
    let fewer = registry.version(&model, &VersionRef::Latest).unwrap().created.trained_on.unwrap().samples;
    assert!(fewer > 10 && fewer < all, "{fewer} of {all}");
    let mut refusals = Vec::new();
    for wrong in [serde_json::json!([{"column": "x", "above": 1.0}]), serde_json::json!([{"column": "loom_speed"}])] {
        refusals.push(registry.train(&caller(), training(only(wrong)), &dataset).await.unwrap_err().to_string());
    }
    assert_eq!(refusals, [r#"only[0].column: the dataset has no column "x""#, "only[0]: write above, below, or both"]);
}
