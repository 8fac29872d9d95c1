//! A small mill in a log whose clock the tests set, and datasets of it as text.

mod content;
mod determinism;
mod knowledge;
mod property;
mod refusals;

use std::sync::Arc;

use domain::Event;
use domain::events::*;
use domain::ids::*;
use domain::units::Unit;
use domain::values::Text;
use eventlog::frames::{Reading, StatusCode, Value};
use eventlog::memory::MemoryLog;
use eventlog::{AppendCondition, Clock, EventId, EventLog, NewEvent, Position};
use jiff::Timestamp;
use parking_lot::Mutex;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use projections::{Meta, seal, seal_readings};
use serde_json::{Value as Json, json};

use crate::{Built, Spec, build};

/// A moment so many seconds after the beginning of the tests' day.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::new(1_780_000_000 + second, 0).unwrap()
}

/// A log in memory whose record times are those that the tests say, and everything that was appended to it.
pub(crate) struct Mill {
    pub(crate) log: MemoryLog,
    clock: Arc<Mutex<Timestamp>>,
    pub(crate) appended: Vec<NewEvent>,
}

impl Mill {
    /// Two looms of a class, whose tension is measured in kN.
    pub(crate) async fn new() -> Self {
        let clock = Arc::new(Mutex::new(at(0)));
        let told = Arc::clone(&clock);
        let log = MemoryLog::with_clock(Clock::from_fn(move || *told.lock()));
        let mut mill = Self { log, clock, appended: Vec::new() };
        for loom in ["L1", "L2"] {
            mill.tell(0, Some(0), registered(loom)).await;
            mill.tell(0, Some(0), defined(&format!("{loom}.tension"), loom, "tension", "kN")).await;
        }
        mill
    }

    /// Appends an event that happened at one second and is logged at another.
    pub(crate) async fn tell(&mut self, logged: i64, happened: Option<i64>, event: impl Into<Event>) -> Position {
        let meta = self.meta(happened);
        self.append(logged, seal(&event.into(), meta).unwrap()).await
    }

    /// Appends readings of signals: second and value.
    pub(crate) async fn read(&mut self, logged: i64, readings: &[(&str, i64, f64)]) -> Position {
        let readings = readings.iter().map(|(signal, second, value)| reading(signal, *second, Value::Float(*value)));
        self.frame(logged, readings.collect()).await
    }

    pub(crate) async fn frame(&mut self, logged: i64, readings: Vec<Reading>) -> Position {
        let meta = self.meta(None);
        self.append(logged, seal_readings("test", readings, meta).unwrap()).await
    }

    fn meta(&self, happened: Option<i64>) -> Meta {
        let mut meta = Meta::own("tester", happened.map(at));
        meta.id = EventId::derived("datasets", &self.appended.len().to_string());
        meta
    }

    async fn append(&mut self, logged: i64, event: NewEvent) -> Position {
        *self.clock.lock() = at(logged);
        self.appended.push(event.clone());
        self.log.append(AppendCondition::none(), vec![event]).await.unwrap().first
    }

    /// The position of the last record.
    pub(crate) fn last(&self) -> Position {
        self.log.tail().previous().unwrap()
    }

    /// The rows of a dataset as of the last record.
    pub(crate) async fn rows(&self, spec: Json) -> Vec<String> {
        self.rows_as_of(spec, self.last()).await
    }

    pub(crate) async fn rows_as_of(&self, spec: Json, as_of: Position) -> Vec<String> {
        rows(&made(&self.log, spec, as_of).await.1)
    }
}

/// Builds a dataset into memory.
pub(crate) async fn made(log: &dyn EventLog, spec: Json, as_of: Position) -> (Built, Vec<u8>) {
    let spec = Spec::from_value(spec).unwrap();
    let mut file = Vec::new();
    let built = build(log, &spec, as_of, &mut file).await.unwrap();
    assert_eq!(built.bytes, file.len() as u64);
    assert_eq!(built.sha256, eventlog::Digest::of(&file));
    (built, file)
}

/// The rows of a file, as Parquet's own reader reads them: `asset second: column=value …`.
pub(crate) fn rows(file: &[u8]) -> Vec<String> {
    let reader = SerializedFileReader::new(bytes::Bytes::copy_from_slice(file)).unwrap();
    let shown = reader.get_row_iter(None).unwrap().map(|row| {
        let row = row.unwrap();
        let cells = row.get_column_iter().map(|(name, field)| match (name.as_str(), field) {
            ("time", parquet::record::Field::Long(ns)) => (ns / 1_000_000_000 - 1_780_000_000).to_string(),
            ("asset", parquet::record::Field::Str(asset)) => asset.clone(),
            (name, parquet::record::Field::Str(text)) => format!("{name}={text}"),
            (name, parquet::record::Field::Double(value)) => format!("{name}={value:?}"),
            (name, field) => format!("{name}={field}"),
        });
        cells.collect::<Vec<_>>().join(" ")
    });
    shown.collect()
}

/// A spec over both looms, from one second to another.
pub(crate) fn spec(seconds: (i64, i64), parts: Json) -> Json {
    let mut spec = json!({
        "name": "test", "assets": {"class": "loom"}, "rows": {"on": "grid", "period_s": 60},
        "from": at(seconds.0), "to": at(seconds.1),
    });
    for (key, value) in parts.as_object().unwrap() {
        spec[key] = value.clone();
    }
    spec
}

pub(crate) fn registered(asset: &str) -> AssetRegistered {
    AssetRegistered {
        asset: AssetId::new(asset).unwrap(),
        name: Text::new("织机", "loom"),
        class: AssetClass::new("loom").unwrap(),
        maker: None,
        model: None,
        serial: None,
    }
}

pub(crate) fn defined(signal: &str, asset: &str, quantity: &str, unit: &str) -> SignalDefined {
    SignalDefined {
        signal: SignalId::new(signal).unwrap(),
        asset: AssetId::new(asset).unwrap(),
        quantity: code(quantity),
        name: Text::new("量", quantity),
        unit: Unit::new(unit).unwrap(),
        low: None,
        high: None,
        period_ms: None,
        deadband: None,
        address: None,
    }
}

pub(crate) fn reading(signal: &str, second: i64, value: Value) -> Reading {
    Reading { signal: signal.into(), time: at(second), sequence: None, value, status: StatusCode::GOOD }
}

pub(crate) fn code(text: &str) -> Code {
    Code::new(text).unwrap()
}

pub(crate) fn fault(id: &str, asset: &str) -> FaultObserved {
    FaultObserved {
        fault: FaultId::new(id).unwrap(),
        asset: AssetId::new(asset).unwrap(),
        symptoms: Text::new("停车", "stopped"),
        alarms: Vec::new(),
        detection: None,
        impact: None,
        product: None,
        person: None,
    }
}

pub(crate) fn coded(id: &str, asset: &str, mode: &str) -> FaultCoded {
    FaultCoded {
        fault: FaultId::new(id).unwrap(),
        asset: AssetId::new(asset).unwrap(),
        mode: code(mode),
        mechanism: None,
        cause: None,
        item: None,
        person: None,
    }
}
