//! What several tests need: a log in memory with a registry, a small model, a mill of two looms, and readings.

use std::sync::Arc;

use domain::Event;
use domain::events::{AssetRegistered, ModelKind, SignalDefined, Target};
use domain::ids::{AssetClass, AssetId, Code, DeploymentId, ModelName, SignalId};
use domain::units::Unit;
use domain::values::Text;
use eventlog::frames::{Reading, StatusCode, Value};
use eventlog::memory::MemoryLog;
use eventlog::{AppendCondition, EventLog, Position};
use jiff::Timestamp;
use projections::folds::models::Models;
use projections::{MemoryProjection, Meta, Runner, seal, seal_readings};
use tokio_util::sync::CancellationToken;

use crate::artifacts::ArtifactStore;
use crate::commands::{Caller, Deploy, NewFile, NewModel, NewVersion, VersionRef};
use crate::facade::Registry;

pub(crate) fn registry() -> (Arc<dyn EventLog>, Arc<Registry>) {
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new());
    let registry = Arc::new(over(&log, ArtifactStore::in_memory()));
    (log, registry)
}

/// A registry over a log, with the read model that it decides on; the read model runs as long as the test's runtime does.
pub(crate) fn over(log: &Arc<dyn EventLog>, artifacts: ArtifactStore) -> Registry {
    let (projection, models) = MemoryProjection::<Models>::open(None).unwrap();
    let progress = Runner::start(Arc::clone(log), projection, CancellationToken::new());
    Registry::new(Arc::clone(log), artifacts, models, progress)
}

pub(crate) fn caller() -> Caller {
    Caller { event_time: Some(at(0)), ..Caller::named("tester") }
}

/// A moment so many seconds after the beginning of the tests' day.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::new(1_780_000_000 + second, 0).unwrap()
}

pub(crate) fn model() -> ModelName {
    ModelName::new("tension").unwrap()
}

pub(crate) fn code(text: &str) -> Code {
    Code::new(text).unwrap()
}

pub(crate) fn deployment() -> DeploymentId {
    DeploymentId::new("tension-on-looms").unwrap()
}

pub(crate) fn loom(number: u32) -> AssetId {
    AssetId::new(&format!("LOOM-0{number}")).unwrap()
}

pub(crate) async fn append(log: &Arc<dyn EventLog>, event: Event) -> Position {
    let sealed = seal(&event, Meta::own("tester", Some(at(0)))).unwrap();
    log.append(AppendCondition::none(), vec![sealed]).await.unwrap().first
}

pub(crate) async fn register(registry: &Registry) {
    let new = NewModel { text: Text::new("张力", "tension"), ..NewModel::named("tension", ModelKind::Mechanism) };
    let registered = registry.register_model(&caller(), &new).await.unwrap();
    assert_eq!(registered.model, model());
}

/// A mechanism: `factor` × tension in cN, valid from 0 to 600 cN.
pub(crate) fn version(factor: f64) -> NewVersion {
    let document = serde_json::json!({
        "format": "millwright.mechanism/1",
        "name": {"en": "tension"},
        "inputs": [
            {"name": "warp_tension", "unit": "cN", "low": 0.0, "high": 600.0},
            {"name": "loom_speed", "unit": "{pick}/min"}
        ],
        "parameters": [{"name": "factor", "unit": "1", "value": factor}],
        "formulas": [
            {"name": "load", "expression": "factor * warp_tension"},
            {"name": "pace", "expression": "warp_tension / loom_speed"}
        ],
        "outputs": [{"name": "load", "unit": "cN", "formula": "load"}, {"name": "pace", "unit": "cN.min", "formula": "pace"}]
    });
    let bytes = serde_json::to_vec(&document).unwrap().into();
    NewVersion::new(model(), code("mechanism"), vec![NewFile { name: "mechanism.json".to_owned(), bytes }])
}

pub(crate) fn deploy(number: u32, period_s: u32) -> Deploy {
    Deploy {
        deployment: deployment(),
        model: model(),
        version: VersionRef::Number(number),
        target: Target::Class(AssetClass::new("loom").unwrap()),
        period_s,
        person: None,
        reason: None,
    }
}

/// Two looms with tension in N (the model counts in cN) and speed.
pub(crate) async fn plant(log: &Arc<dyn EventLog>) {
    for number in [1, 2] {
        let asset = AssetRegistered {
            asset: loom(number),
            name: Text::new("织机", "loom"),
            class: AssetClass::new("loom").unwrap(),
            maker: None,
            model: None,
            serial: None,
        };
        append(log, asset.into()).await;
        for (quantity, unit) in [("warp_tension", "N"), ("loom_speed", "{pick}/min")] {
            let signal = SignalDefined {
                signal: SignalId::new(&format!("{}.{quantity}", loom(number))).unwrap(),
                asset: loom(number),
                quantity: code(quantity),
                name: Text::new("量", quantity),
                unit: Unit::new(unit).unwrap(),
                low: None,
                high: None,
                period_ms: Some(1_000),
                deadband: None,
                address: None,
            };
            append(log, signal.into()).await;
        }
    }
}

pub(crate) fn reading(number: u32, quantity: &str, second: i64, value: f64) -> Reading {
    Reading {
        signal: format!("{}.{quantity}", loom(number)).into(),
        time: at(second),
        sequence: None,
        value: Value::Float(value),
        status: StatusCode::GOOD,
    }
}

pub(crate) async fn append_readings(log: &Arc<dyn EventLog>, readings: Vec<Reading>) -> Position {
    let sealed = seal_readings("test", readings, Meta::own("test", None)).unwrap();
    log.append(AppendCondition::none(), vec![sealed]).await.unwrap().first
}
