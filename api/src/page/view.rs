//! What the overview shows, gathered from the read models.

use domain::Text;
use domain::events::MachineState;
use domain::ids::AssetId;
use eventlog::Position;
use jiff::{SignedDuration, Timestamp};
use projections::AsOf;

use crate::engine::Engine;

/// The most rows of a table on the page.
const MAX_ROWS: usize = 40;

/// The quantities that the overview shows for each asset that has them, in this order.
pub const QUANTITIES: [&str; 6] =
    ["loom_speed", "warp_tension", "weft_arrival_angle", "bearing_vibration", "bearing_temperature", "power"];

/// A value that is older is shown as old.
const OLD_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// Everything on the overview.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    /// The number of records in the log.
    pub records: u64,
    /// Records a second over the last seconds.
    pub records_per_s: f64,
    /// Readings a second over the last seconds.
    pub readings_per_s: f64,
    /// The greatest lag of a projection, in records.
    pub lag: u64,
    /// Faults that are open.
    pub open_faults: usize,
    /// What is connected.
    pub sources: Vec<SourceRow>,
    /// The assets with live values.
    pub assets: Vec<AssetRow>,
    /// The open faults, the newest first.
    pub faults: Vec<FaultRow>,
    /// A roll that can be traced, as an example: the one that was doffed last.
    pub latest_roll: Option<String>,
}

/// A source.
#[derive(Clone, Debug)]
pub struct SourceRow {
    /// Its name.
    pub name: String,
    /// Its protocol.
    pub kind: String,
    /// Where it is.
    pub address: String,
    /// Whether it is connected.
    pub connected: bool,
    /// Messages that came in.
    pub received: u64,
    /// The last error.
    pub last_error: Option<String>,
}

/// An asset with its latest values.
#[derive(Clone, Debug)]
pub struct AssetRow {
    /// The asset.
    pub asset: String,
    /// Its name.
    pub name: Text,
    /// What it does.
    pub state: Option<MachineState>,
    /// Its latest values, as long as [`QUANTITIES`].
    pub values: Vec<Option<LiveValue>>,
}

/// A value on the overview.
#[derive(Clone, Debug)]
pub struct LiveValue {
    /// The number.
    pub number: f64,
    /// Its unit (UCUM).
    pub unit: String,
    /// Whether it is older than a minute: it says how it was, not how it is.
    pub is_old: bool,
}

/// An open fault.
#[derive(Clone, Debug)]
pub struct FaultRow {
    /// The fault.
    pub fault: String,
    /// The asset.
    pub asset: String,
    /// What was seen.
    pub symptoms: Text,
    /// The failure mode, once coded.
    pub mode: Option<String>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Where the log says so.
    pub position: Option<Position>,
}

/// The overview of an engine, as it is now.
pub async fn overview_of(engine: &Engine) -> Overview {
    let now = Timestamp::now();
    let (records_per_s, readings_per_s) = engine.rates();
    let mut faults = open_faults(engine);
    let open_faults = faults.len();
    faults.truncate(MAX_ROWS);
    Overview {
        records: engine.log.tail().get(),
        records_per_s,
        readings_per_s,
        lag: engine.projection_states().iter().map(|state| state.lag).max().unwrap_or(0),
        open_faults,
        sources: engine
            .source_states()
            .into_iter()
            .map(|source| SourceRow {
                name: source.name,
                kind: source.kind.to_owned(),
                address: source.address,
                connected: source.connected,
                received: source.received,
                last_error: source.last_error,
            })
            .collect(),
        assets: assets(engine, now),
        faults,
        latest_roll: engine.latest_roll().await.unwrap_or_default(),
    }
}

/// An asset with the signal and the unit of each of [`QUANTITIES`] that it has.
type Registered = (AssetId, Text, Vec<Option<(String, String)>>);

fn assets(engine: &Engine, now: Timestamp) -> Vec<AssetRow> {
    let registered: Vec<Registered> = engine.catalog.read(|catalog, _| {
        catalog
            .assets(AsOf::LATEST)
            .map(|asset| {
                let id = asset.value.asset.clone();
                let signals = QUANTITIES
                    .iter()
                    .map(|quantity| {
                        let signal = catalog.signal_for(&id, quantity, AsOf::LATEST)?;
                        Some((signal.value.signal.as_str().to_owned(), signal.value.unit.as_str().to_owned()))
                    })
                    .collect();
                (id, asset.value.name.clone(), signals)
            })
            .collect()
    });
    let rows = registered.into_iter().filter(|(_, _, signals)| signals.iter().any(Option::is_some)).take(MAX_ROWS);
    rows.map(|(id, name, signals)| AssetRow {
        state: engine.states.read(|states, _| states.state_at(&id, now, AsOf::LATEST).map(|change| change.state)),
        values: engine.latest.read(|latest, _| {
            signals
                .iter()
                .map(|signal| {
                    let (signal, unit) = signal.as_ref()?;
                    let sample = latest.value(signal)?;
                    let is_old = now.duration_since(sample.time()) > OLD_AFTER;
                    Some(LiveValue { number: sample.value.as_f64()?, unit: unit.clone(), is_old })
                })
                .collect()
        }),
        asset: id.as_str().to_owned(),
        name,
    })
    .collect()
}

fn open_faults(engine: &Engine) -> Vec<FaultRow> {
    let mut rows: Vec<FaultRow> = engine.episodes.read(|episodes, _| {
        episodes
            .at(AsOf::LATEST)
            .filter(|episode| episode.fault.is_some() && !episode.closed)
            .map(|episode| FaultRow {
                fault: episode.id().to_owned(),
                asset: episode.asset.map(|asset| asset.as_str().to_owned()).unwrap_or_default(),
                symptoms: episode.symptoms.first().map(|text| (*text).clone()).unwrap_or_default(),
                mode: episode.mode.map(|mode| mode.as_str().to_owned()),
                since: episode.opened_at,
                position: episode.first_position(),
            })
            .collect()
    });
    rows.sort_by_key(|row| std::cmp::Reverse((row.since, row.position)));
    rows
}
