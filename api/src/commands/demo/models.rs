//! The demo's two models: a mechanism document that ships with the program, and a network that is trained on a dataset of the readings in the log, so
//! that it can be reproduced.

use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use datasets::Spec;
use domain::Text;
use domain::events::{DatasetBuilt, ModelKind, Target};
use domain::ids::{AssetClass, Code, DeploymentId, ModelName};
use domain::units::Unit;
use eventlog::Position;
use jiff::{SignedDuration, Timestamp};
use projections::folds::datasets::Datasets;
use projections::{AsOf, Fold as _};
use registry::candle::recipe::Bounds;
use registry::candle::train::TrainConfig;
use registry::candle::{Recipe, Trainer};
use registry::facade::Training;
use registry::{Caller, Deploy, NewFile, NewModel, NewVersion, VersionRef};
use serde_json::json;
use simulator::training::{BEARING_TEMPERATURE, TrainingSet};

use crate::engine::Engine;
use crate::problem::Problem;

/// When a weft should arrive, from air pressure, speed, width and yarn.
const WEFT_ARRIVAL: &str = include_str!("../../../../examples/models/loom-weft-arrival.json");

/// Seconds between predictions for one loom.
const PERIOD_S: u32 = 10;

/// How long the dataset and the read models may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// Registers, trains (on the readings before `until`) and deploys both; says what it did. What an earlier run of the demo deployed stays.
pub(super) async fn train_and_deploy(engine: &Engine, until: Timestamp) -> anyhow::Result<Vec<String>> {
    let known = engine.registry.read(|models| models.active().count());
    if known > 0 {
        return Ok(vec![format!("{known} deployments go on from the last run")]);
    }
    Ok(vec![mechanism(engine).await?, bearing(engine, until).await?])
}

fn caller() -> Caller {
    Caller::named("demo")
}

async fn register(engine: &Engine, name: &str, kind: ModelKind, text: Text) -> anyhow::Result<ModelName> {
    let new = NewModel { text, ..NewModel::named(name, kind) };
    Ok(engine.registry.register_model(&caller(), &new).await?.model)
}

async fn deploy(engine: &Engine, model: &ModelName, class: &str) -> anyhow::Result<u32> {
    let request = Deploy {
        deployment: DeploymentId::new(model.as_str())?,
        model: model.clone(),
        version: VersionRef::Latest,
        target: Target::Class(AssetClass::new(class)?),
        period_s: PERIOD_S,
        person: None,
        reason: Some(Text::new("演示", "demo")),
    };
    Ok(engine.registry.deploy(&caller(), request).await?.version)
}

async fn mechanism(engine: &Engine) -> anyhow::Result<String> {
    let about = Text::new(
        "由气压、车速、筘幅和纬纱细度计算纬纱到达角",
        "weft arrival angle from air pressure, speed, reed width and weft yarn",
    );
    let model = register(engine, "weft-arrival", ModelKind::Mechanism, about).await?;
    let files = vec![NewFile { name: registry::mechanism::FILE_NAME.to_owned(), bytes: WEFT_ARRIVAL.into() }];
    let version = NewVersion::new(model.clone(), Code::new("mechanism")?, files);
    let created = engine.registry.create_version(&caller(), version).await?;
    deploy(engine, &model, BEARING_TEMPERATURE.class).await?;
    Ok(format!(
        "mechanism model {model} version {} is deployed to class {}",
        created.version, BEARING_TEMPERATURE.class
    ))
}

async fn bearing(engine: &Engine, until: Timestamp) -> anyhow::Result<String> {
    let set = BEARING_TEMPERATURE;
    let about = Text::new("由负荷与磨损推算主轴承温度", "main bearing temperature from what loads and wears it");
    let model = register(engine, "bearing-temperature", ModelKind::Data, about).await?;
    let started = Instant::now();
    let dataset = dataset(engine, &set, until).await?;
    let recipe = Recipe {
        trainer: Trainer::Mlp,
        features: set.features.iter().map(ToString::to_string).collect(),
        targets: vec![set.target.to_owned()],
        only: vec![Bounds { column: SLOWEST.to_owned(), above: Some(f64::from(set.running_above)), below: None }],
        config: TrainConfig::default(),
    };
    let training = Training { model: model.clone(), recipe, author: None, note: None };
    let created = engine.registry.train(&caller(), training, &dataset).await?;
    deploy(engine, &model, set.class).await?;
    let made = engine.registry.version(&model, &VersionRef::Number(created.version))?.created;
    let metric = |kind: &str| made.metrics.get(&format!("{kind}.{}", set.target)).copied();
    let samples = made.trained_on.map_or(0, |range| range.samples);
    Ok(format!(
        "candle model {model} version {} learnt from {samples} of {} rows of dataset {} in {:.1} s: error {} Cel (always answering the mean: {} Cel); deployed to class {}",
        created.version,
        dataset.rows,
        dataset.name,
        started.elapsed().as_secs_f64(),
        number(metric("holdout_rmse")),
        number(metric("baseline_rmse")),
        set.class
    ))
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "?".to_owned(), |value| format!("{value:.2}"))
}

/// The column that says how slow a loom was at its slowest, for as long as it must have run before a row counts.
const SLOWEST: &str = "slowest";

/// The readings of the history as a dataset: one row for each loom and each few seconds.
async fn dataset(engine: &Engine, set: &TrainingSet, until: Timestamp) -> anyhow::Result<DatasetBuilt> {
    let known = Position::new(engine.log.tail().get().saturating_sub(1));
    engine.wait_for_one(projections::folds::catalog::Catalog::NAME, known, PATIENCE).await.map_err(failed)?;
    let column = |name: &str, quantity: &str, aggregate: &str, window_s: u32| {
        let unit = unit(engine, quantity)?;
        anyhow::Ok(
            json!({"kind": "reading", "name": name, "quantity": quantity, "aggregate": aggregate, "window_s": window_s, "unit": unit}),
        )
    };
    let present =
        set.features.iter().chain([&set.target]).map(|quantity| column(quantity, quantity, "last", set.period_seconds));
    let features =
        present.chain([column(SLOWEST, set.running, "min", set.settled_seconds)]).collect::<Result<Vec<_>, _>>()?;
    let from = until - SignedDuration::from_secs(i64::from(set.history_seconds - set.settled_seconds));
    let spec = Spec::from_value(json!({
        "name": "bearing-temperature", "assets": {"class": set.class}, "rows": {"on": "grid", "period_s": set.period_seconds},
        "from": from, "to": until, "features": features,
    }))?;
    let job = engine.dataset_builds.begin(&caller().actor, spec, known).map_err(failed)?;
    let id = job.dataset.clone();
    let ended = job.wait(PATIENCE).await.context("the dataset is not built in time")?;
    let position = ended.map_err(failed)?;
    engine.wait_for_one(Datasets::NAME, position, PATIENCE).await.map_err(failed)?;
    let built =
        engine.datasets.read(|datasets, _| datasets.dataset(&id, AsOf::LATEST).map(|dataset| dataset.built.clone()));
    built.context("the dataset that was built is not known")
}

fn failed(problem: Problem) -> anyhow::Error {
    anyhow!(problem.detail)
}

/// The unit of a quantity, from the tag catalog.
fn unit(engine: &Engine, quantity: &str) -> anyhow::Result<Unit> {
    let unit = engine.catalog.read(|catalog, _| {
        catalog
            .signals(AsOf::LATEST)
            .find(|signal| signal.value.quantity.as_str() == quantity)
            .map(|signal| signal.value.unit.clone())
    });
    unit.with_context(|| format!("no signal measures {quantity}"))
}
