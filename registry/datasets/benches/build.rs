//! How fast a dataset is built: 100 assets over a month, from a sealed log.
//!
//! `cargo bench -p millwright-datasets --bench build`. Each asset has three signals, half of them random walks with a resolution of 0.01, the others noise, read each 30 s; `MILLWRIGHT_PERIOD_S`
//! sets another period.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints")]

use std::sync::Arc;
use std::time::Instant;

use datasets::{Forget, Knowledge, Spec, build};
use domain::Event;
use domain::events::{AssetRegistered, FaultCoded, FaultObserved, SignalDefined};
use domain::ids::{AssetClass, AssetId, Code, FaultId, SignalId};
use domain::units::Unit;
use domain::values::Text;
use eventlog::embedded::{EmbeddedLog, Options};
use eventlog::frames::{Reading, StatusCode, Value};
use eventlog::{AppendCondition, EventLog};
use jiff::{SignedDuration, Timestamp};
use projections::{Meta, seal, seal_readings};
use serde_json::json;

const ASSETS: usize = 100;
const QUANTITIES: [&str; 3] = ["tension", "speed", "pressure"];
const DAYS: i64 = 30;

/// A generator whose stream never changes (SplitMix64).
struct Chance(u64);

impl Chance {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

fn start() -> Timestamp {
    Timestamp::new(1_780_000_000, 0).unwrap()
}

async fn tell(log: &EmbeddedLog, second: i64, event: impl Into<Event>) {
    let meta = Meta::own("bench", Some(start() + SignedDuration::from_secs(second)));
    let _ = log.append(AppendCondition::none(), vec![seal(&event.into(), meta).unwrap()]).await.unwrap();
}

async fn plant(log: &EmbeddedLog) -> Vec<Arc<str>> {
    let mut signals = Vec::new();
    for number in 0..ASSETS {
        let asset = AssetId::new(&format!("L{number:03}")).unwrap();
        let registered = AssetRegistered {
            asset: asset.clone(),
            name: Text::new("织机", "loom"),
            class: AssetClass::new("loom").unwrap(),
            maker: None,
            model: None,
            serial: None,
        };
        tell(log, 0, registered).await;
        for quantity in QUANTITIES {
            let signal = format!("{asset}.{quantity}");
            let defined = SignalDefined {
                signal: SignalId::new(&signal).unwrap(),
                asset: asset.clone(),
                quantity: Code::new(quantity).unwrap(),
                name: Text::new("量", quantity),
                unit: Unit::new("kN").unwrap(),
                low: None,
                high: None,
                period_ms: None,
                deadband: None,
                address: None,
            };
            tell(log, 0, defined).await;
            signals.push(signal.into());
        }
        for day in 0..DAYS {
            let fault = FaultId::new(&format!("F{number}-{day}")).unwrap();
            let observed = FaultObserved {
                fault: fault.clone(),
                asset: asset.clone(),
                symptoms: Text::new("停车", "stopped"),
                alarms: Vec::new(),
                detection: None,
                impact: None,
                product: None,
                person: None,
            };
            let second = day * 86_400 + 37 * i64::try_from(number).unwrap();
            tell(log, second, observed).await;
            let coded = FaultCoded {
                fault,
                asset: asset.clone(),
                mode: Code::new("BRD").unwrap(),
                mechanism: None,
                cause: None,
                item: None,
                person: None,
            };
            tell(log, second, coded).await;
        }
    }
    signals
}

async fn readings(log: &EmbeddedLog, signals: &[Arc<str>], period_s: i64) -> u64 {
    let mut chance = Chance(7);
    let mut levels = vec![100.0_f64; signals.len()];
    let steps = DAYS * 86_400 / period_s;
    let mut frame = Vec::new();
    let mut count = 0;
    for step in 0..steps {
        let time = start() + SignedDuration::from_secs(step * period_s);
        for (index, (signal, level)) in signals.iter().zip(&mut levels).enumerate() {
            let value = if index % 2 == 0 {
                *level = ((*level + chance.unit() * 0.5) * 100.0).round() / 100.0;
                *level
            } else {
                50.0 + chance.unit()
            };
            let (value, status) = (Value::Float(value), StatusCode::GOOD);
            frame.push(Reading { signal: Arc::clone(signal), time, sequence: None, value, status });
        }
        if step % 50 == 49 || step + 1 == steps {
            count += frame.len() as u64;
            let sealed = seal_readings("bench", std::mem::take(&mut frame), Meta::own("bench", None)).unwrap();
            let _ = log.append(AppendCondition::none(), vec![sealed]).await.unwrap();
        }
    }
    count
}

fn spec(knowledge: Knowledge) -> Spec {
    let mut features = Vec::new();
    for quantity in QUANTITIES {
        for aggregate in ["mean", "std", "min", "max"] {
            let name = format!("{quantity}_{aggregate}");
            features.push(json!({"kind": "reading", "name": name, "quantity": quantity, "aggregate": aggregate, "window_s": 3600, "unit": "N"}));
        }
    }
    let end = start() + SignedDuration::from_hours(24 * DAYS);
    let spec = json!({
        "name": "bench", "assets": {"class": "loom"}, "rows": {"on": "grid", "period_s": 300}, "from": start(), "to": end,
        "features": features, "knowledge": knowledge,
        "labels": [{"kind": "fault_within", "name": "fault", "horizon_s": 28_800}, {"kind": "time_to_fault", "name": "next", "unit": "h"}],
    });
    Spec::from_value(spec).unwrap()
}

fn main() {
    let period_s = std::env::var("MILLWRIGHT_PERIOD_S").ok().and_then(|text| text.parse().ok()).unwrap_or(30);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let log = EmbeddedLog::open(dir.path(), Options::default()).unwrap();
        let signals = plant(&log).await;
        let count = readings(&log, &signals, period_s).await;
        log.rotate().await.unwrap();
        let segments = log.seal_all().await.unwrap();
        println!("{count} readings of {} signals in {segments} sealed segments", signals.len());
        let as_of = log.tail().previous().unwrap();
        for knowledge in [Knowledge::AsKnownNow, Knowledge::AsKnownThen] {
            let began = Instant::now();
            let built = build(&log, &spec(knowledge), as_of, &mut Forget).await.unwrap();
            let seconds = began.elapsed().as_secs_f64();
            println!(
                "{knowledge:?}: {} rows of {} columns, {} readings, {} MB in {seconds:.1} s: {:.0} rows/s, {:.2} M readings/s",
                built.rows,
                built.columns.len(),
                built.readings,
                built.bytes / 1_000_000,
                built.rows as f64 / seconds,
                built.readings as f64 / seconds / 1e6
            );
        }
        log.close();
    });
}
