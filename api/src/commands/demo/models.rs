//! The demo's two models: a mechanism document that ships with the program, and a network that is trained on the readings in the log.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, bail};
use domain::Text;
use domain::events::{ModelKind, Port, Target, TrainedOn};
use domain::ids::{AssetClass, Code, DeploymentId, ModelName};
use domain::units::Unit;
use eventlog::{Category, Direction, EventLog, Filter, MAX_PAGE, Position, QueryItem};
use projections::{Entry, READINGS_TYPE};
use registry::candle::train::{Samples, TrainConfig, train_mlp};
use registry::{Caller, Deploy, NewFile, NewModel, NewVersion, VersionRef};
use simulator::training::{BEARING_TEMPERATURE, TrainingSet};

use crate::engine::Engine;

/// When a weft should arrive, from air pressure, speed, width and yarn.
const WEFT_ARRIVAL: &str = include_str!("../../../../examples/models/loom-weft-arrival.json");

/// Seconds between predictions for one loom.
const PERIOD_S: u32 = 10;

/// Registers, trains and deploys both; says what it did. What an earlier run of the demo deployed stays.
pub(super) async fn train_and_deploy(engine: &Engine) -> anyhow::Result<Vec<String>> {
    let known = engine.registry.read(|models| models.active().count());
    if known > 0 {
        return Ok(vec![format!("{known} deployments go on from the last run")]);
    }
    Ok(vec![mechanism(engine).await?, bearing(engine).await?])
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

async fn bearing(engine: &Engine) -> anyhow::Result<String> {
    let set = BEARING_TEMPERATURE;
    let about = Text::new("由负荷与磨损推算主轴承温度", "main bearing temperature from what loads and wears it");
    let model = register(engine, "bearing-temperature", ModelKind::Data, about).await?;
    let started = Instant::now();
    let table = examples(engine, &set).await?;
    let (rows, first, last) = (table.targets.len(), table.first, table.last);
    let inputs = Samples::new(ports(engine, set.features)?, table.inputs)?;
    let targets = Samples::new(
        vec![Port { name: Code::new(set.target)?, unit: Unit::new(set.target_unit)?, low: None, high: None }],
        table.targets,
    )?;
    let config = TrainConfig::default();
    let trained = tokio::task::spawn_blocking(move || train_mlp(&inputs, &targets, &config)).await??;
    let error = trained.metrics.get(&format!("holdout_rmse.{}", set.target)).copied();
    let baseline = trained.metrics.get(&format!("baseline_rmse.{}", set.target)).copied();
    let version = NewVersion {
        trained_on: Some(TrainedOn {
            first_position: first.get(),
            last_position: last.get(),
            samples: trained.samples,
            seed: Some(trained.seed),
        }),
        metrics: trained.metrics.clone(),
        ..NewVersion::new(model.clone(), Code::new("candle")?, trained.files()?)
    };
    let created = engine.registry.create_version(&caller(), version).await?;
    deploy(engine, &model, set.class).await?;
    Ok(format!(
        "candle model {model} version {} learnt from {rows} moments of readings in {:.1} s: error {} Cel (always answering the mean: {} Cel); deployed to class {}",
        created.version,
        started.elapsed().as_secs_f64(),
        number(error),
        number(baseline),
        set.class
    ))
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "?".to_owned(), |value| format!("{value:.2}"))
}

/// The ports of quantities, with their units from the tag catalog.
fn ports(engine: &Engine, quantities: &[&str]) -> anyhow::Result<Vec<Port>> {
    quantities
        .iter()
        .map(|quantity| {
            let unit = engine.catalog.read(|catalog, _| {
                catalog
                    .signals(projections::AsOf::LATEST)
                    .find(|signal| signal.value.quantity.as_str() == *quantity)
                    .map(|signal| signal.value.unit.clone())
            });
            let unit = unit.with_context(|| format!("no signal measures {quantity}"))?;
            Ok(Port { name: Code::new(quantity)?, unit, low: None, high: None })
        })
        .collect()
}

/// A table of examples in time order, and the log positions that it comes from.
struct Table {
    inputs: Vec<f64>,
    targets: Vec<f64>,
    first: Position,
    last: Position,
}

/// One moment of one asset: the values of the features and of the target, as far as they are known.
type Moment = (Vec<Option<f64>>, Option<f64>, Option<f64>);

/// The readings in the log as examples: moments at which the loom has run for long enough, and every quantity has a good value.
async fn examples(engine: &Engine, set: &TrainingSet) -> anyhow::Result<Table> {
    let (moments, first, last) = moments(engine.log.as_ref(), set).await?;
    let mut rows: Vec<(i64, Vec<f64>, f64)> = Vec::new();
    for by_time in moments.values() {
        let mut running_since = None;
        for (time_ns, (features, target, speed)) in by_time {
            if speed.is_none_or(|speed| speed <= f64::from(set.running_above)) {
                running_since = None;
                continue;
            }
            let since = *running_since.get_or_insert(*time_ns);
            if time_ns - since < i64::from(set.settled_seconds) * 1_000_000_000 {
                continue;
            }
            if let (Some(features), Some(target)) = (features.iter().copied().collect::<Option<Vec<_>>>(), target) {
                rows.push((*time_ns, features, *target));
            }
        }
    }
    if rows.is_empty() {
        bail!("the log holds no moment at which a loom ran and every quantity was read: nothing to learn from");
    }
    rows.sort_by_key(|(time_ns, _, _)| *time_ns);
    let targets = rows.iter().map(|(_, _, target)| *target).collect();
    Ok(Table { inputs: rows.into_iter().flat_map(|(_, features, _)| features).collect(), targets, first, last })
}

/// Every moment of every asset of the class, from the frames in the log.
async fn moments(
    log: &dyn EventLog,
    set: &TrainingSet,
) -> anyhow::Result<(BTreeMap<String, BTreeMap<i64, Moment>>, Position, Position)> {
    let filter =
        Filter { items: vec![QueryItem { categories: vec![Category::new("readings")?], ..QueryItem::default() }] };
    let mut moments: BTreeMap<String, BTreeMap<i64, Moment>> = BTreeMap::new();
    let (mut first, mut last, mut from) = (None, Position::START, Position::START);
    let end = log.tail();
    while from < end {
        let records = log.read(from, Direction::Forward, filter.clone(), MAX_PAGE.min(64)).await?;
        let Some(newest) = records.last().map(|record| record.position) else { break };
        from = newest.next();
        for record in records.into_iter().filter(|record| record.event_type.as_str() == READINGS_TYPE) {
            first.get_or_insert(record.position);
            last = record.position;
            let entry = Entry::decode(record);
            for column in entry.readings().iter().flat_map(|frame| &frame.columns) {
                let Some((asset, quantity)) = column.signal.split_once('.') else { continue };
                let feature = set.features.iter().position(|feature| *feature == quantity);
                if feature.is_none() && quantity != set.target && quantity != set.running {
                    continue;
                }
                let by_time = moments.entry(asset.to_owned()).or_default();
                for (index, time_ns) in column.times_ns.iter().enumerate() {
                    if !column.statuses.get(index).is_some_and(|status| status.is_good()) {
                        continue;
                    }
                    let value = column.values.get(index).and_then(|value| value.as_f64());
                    let moment =
                        by_time.entry(*time_ns).or_insert_with(|| (vec![None; set.features.len()], None, None));
                    if let Some(slot) = feature.and_then(|feature| moment.0.get_mut(feature)) {
                        *slot = value;
                    }
                    if quantity == set.target {
                        moment.1 = value;
                    }
                    if quantity == set.running {
                        moment.2 = value;
                    }
                }
            }
        }
    }
    let first = first.context("the log holds no readings to learn from")?;
    Ok((moments, first, last))
}
