//! Scores precursors and detection rules on the simulated mill, and prints tables of docs/evaluation.md: rules are mined on the first part of its history and run on the rest,
//! which they were not chosen by.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "an evaluation that cannot make what it scores must fail, and what it prints is its result"
)]

use std::collections::BTreeMap;
use std::time::Instant;

use domain::Event;
use domain::events::{Condition, Detection};
use domain::ids::{AssetId, Code, FaultId};
use precursors::feature::{Feature, FeatureSpec, SECOND_NS};
use precursors::judge::{Fault, Judged, Tally, without_recurrences};
use precursors::mine::{AlarmSeen, Mined, Question, Seen, Sight, mine, raised, specs};
use precursors::watch::Timeline;
use simulator::{HistoryOptions, Output, Truth, history};

const DAYS: i64 = 150;
const MINED_DAYS: i64 = 100;
const HORIZON_S: u64 = 48 * 3_600;
const SEEDS: [u64; 2] = [7, 8];
const DAY_NS: i64 = 86_400 * SECOND_NS;

/// Warnings of one mode within this time are one group: it notifies once.
const GROUP_NS: i64 = DAY_NS;

#[derive(Clone, Default)]
struct Episode {
    asset: Option<AssetId>,
    time_ns: i64,
    until_ns: Option<i64>,
    mode: Option<Code>,
    /// The mode that it was coded as when mining ended.
    mode_then: Option<Code>,
}

/// Everything that a mill said: what was seen before mining ended, and after.
struct Said {
    before: Sight,
    after: Sight,
    episodes: BTreeMap<FaultId, Episode>,
    truth: Truth,
}

fn nanoseconds(time: jiff::Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap()
}

type Features = BTreeMap<(AssetId, Code), Vec<(FeatureSpec, Feature)>>;

fn run_mill(seed: u64) -> Said {
    let end: jiff::Timestamp = "2026-05-01T06:00:00Z".parse().unwrap();
    let options = HistoryOptions { readings_seconds: 0, live_period_seconds: 60, ..HistoryOptions::new(seed, end, 1) };
    let mut live = history::history_with(options).unwrap().into_parts().2;
    let start_ns = nanoseconds(end);
    let mut said = Said {
        before: Sight { from_ns: start_ns, to_ns: start_ns + MINED_DAYS * DAY_NS, ..Sight::default() },
        after: Sight { from_ns: start_ns + MINED_DAYS * DAY_NS, to_ns: start_ns + DAYS * DAY_NS, ..Sight::default() },
        episodes: BTreeMap::new(),
        truth: Truth::default(),
    };
    let mut features = Features::new();
    let mut timelines: BTreeMap<AssetId, Timeline> = BTreeMap::new();
    let mut position = 0;
    let last = end + jiff::SignedDuration::from_hours(24 * DAYS);
    while live.now() < last {
        for output in live.advance(last) {
            position += 1;
            let time_ns = nanoseconds(output.time());
            let before = time_ns < said.before.to_ns;
            let sight = if before { &mut said.before } else { &mut said.after };
            match output {
                Output::Event(event) => {
                    let now = Now { time_ns, position, before };
                    take_event(event.event, now, sight, &mut timelines, &mut said.episodes);
                }
                Output::Readings { readings, .. } => {
                    for reading in readings {
                        let (asset, quantity) = reading.signal.split_once('.').unwrap();
                        // Counters only rise.
                        if quantity == "picks" || !asset.starts_with("LOOM") {
                            continue;
                        }
                        let asset = AssetId::new(asset).unwrap();
                        if timelines.get(&asset).is_some_and(|timeline| !timeline.may_run(time_ns, position)) {
                            continue;
                        }
                        let key = (asset.clone(), Code::new(quantity).unwrap());
                        let features = features
                            .entry(key)
                            .or_insert_with(|| specs().into_iter().map(|spec| (spec, Feature::new(spec))).collect());
                        let value = reading.value.as_f64().unwrap();
                        for (spec, feature) in features {
                            if let Some(point) = feature.push(time_ns, value, position) {
                                let seen = sight.assets.entry(asset.clone()).or_default();
                                seen.series.entry((Code::new(quantity).unwrap(), *spec)).or_default().push(point);
                            }
                        }
                    }
                }
            }
        }
    }
    said.truth = live.truth().clone();
    said
}

#[derive(Clone, Copy)]
struct Now {
    time_ns: i64,
    position: u64,
    /// Whether mining has not ended yet.
    before: bool,
}

fn take_event(
    event: Event,
    now: Now,
    sight: &mut Sight,
    timelines: &mut BTreeMap<AssetId, Timeline>,
    episodes: &mut BTreeMap<FaultId, Episode>,
) {
    let Now { time_ns, position, before } = now;
    match event {
        Event::MachineStateChanged(changed) => {
            timelines.entry(changed.asset).or_default().add(time_ns, position, changed.state);
        }
        Event::AlarmRaised(alarm) => {
            let seen: &mut Seen = sight.assets.entry(alarm.asset).or_default();
            seen.alarms.push(AlarmSeen { time_ns, position, code: alarm.code });
        }
        Event::FaultObserved(fault) => {
            let episode = episodes.entry(fault.fault).or_default();
            (episode.asset, episode.time_ns) = (Some(fault.asset), time_ns);
        }
        Event::FaultCoded(fault) => {
            let episode = episodes.entry(fault.fault).or_default();
            episode.mode = Some(fault.mode);
            if before {
                episode.mode_then = episode.mode.clone();
            }
        }
        Event::FaultClosed(fault) => episodes.entry(fault.fault).or_default().until_ns = Some(time_ns),
        _ => {}
    }
}

/// Faults by mode and asset: as coded when mining ended, or at the end.
fn faults(said: &Said, at_end: bool) -> BTreeMap<Code, BTreeMap<AssetId, Vec<Fault>>> {
    let mut faults: BTreeMap<Code, BTreeMap<AssetId, Vec<Fault>>> = BTreeMap::new();
    for (number, episode) in (0..).zip(said.episodes.values()) {
        let mode = if at_end { &episode.mode } else { &episode.mode_then };
        let (Some(mode), Some(asset)) = (mode, &episode.asset) else { continue };
        if !at_end && episode.time_ns >= said.before.to_ns {
            continue;
        }
        let until_ns = episode.until_ns.filter(|until| at_end || *until < said.before.to_ns);
        let fault = Fault { time_ns: episode.time_ns, until_ns, position: number };
        faults.entry(mode.clone()).or_default().entry(asset.clone()).or_default().push(fault);
    }
    faults
}

/// The rules that are promoted: the best believed ones of each sort, that were right so often when they were mined.
fn promoted(mined: &Mined, alarms: usize, readings: usize, least: f64) -> Vec<Detection> {
    let of = |is_alarm: bool, most: usize| {
        let right = |detection: &Detection| {
            detection
                .measured
                .as_ref()
                .and_then(|measured| measured.precision)
                .is_some_and(|precision| precision.value >= least)
        };
        let believed = mined.precursors.iter().filter(|precursor| precursor.believed && right(&precursor.detection));
        let sort = believed
            .filter(move |precursor| matches!(precursor.detection.condition, Condition::Alarms { .. }) == is_alarm);
        sort.take(most).map(|precursor| precursor.detection.clone()).collect::<Vec<_>>()
    };
    [of(true, alarms), of(false, readings)].concat()
}

/// What rules of a mode say on the rest: one group notifies once.
fn groups(rules: &[Detection], seen: &Seen, to_ns: i64) -> Vec<i64> {
    let mut times: Vec<i64> = rules.iter().flat_map(|rule| raised(rule, seen, to_ns)).collect();
    times.sort_unstable();
    times.dedup_by(|later, earlier| *later - *earlier < GROUP_NS);
    times
}

#[derive(Default)]
struct Row {
    tally: Tally,
    /// Warnings while a growing or standing fault of the mode was really there, of all.
    true_in_truth: u64,
    warnings: u64,
}

impl Row {
    fn shown(&self, name: &str, days: f64) -> String {
        let tally = &self.tally;
        let measured = tally.measured(0, None);
        let lead = measured.lead_s.map_or_else(
            || "–".to_owned(),
            |lead| format!("{:.1} ({:.1}–{:.1})", lead[1] / 3_600.0, lead[0] / 3_600.0, lead[2] / 3_600.0),
        );
        format!(
            "| {name} | {} | {} | {lead} | {:.3} | {} |",
            share(tally.hits, tally.hits + tally.misses),
            share(tally.caught, tally.faults),
            tally.misses as f64 / days,
            share(self.true_in_truth, self.warnings),
        )
    }
}

/// Cases out of trials with Wilson's interval.
fn share(cases: u64, trials: u64) -> String {
    use domain::statistics::{LEVEL, Share, wilson};
    match wilson(Share::new(cases, trials), LEVEL) {
        Some(bounds) => format!("{:.3} [{:.3}, {:.3}] ({cases}/{trials})", bounds.value, bounds.low, bounds.high),
        None => format!("– ({cases}/{trials})"),
    }
}

fn main() {
    println!("\n### The simulated mill\n");
    let horizon_ns = i64::try_from(HORIZON_S).unwrap() * SECOND_NS;
    let ways = [
        ("alarms alone", 2, 0, 0.0),
        ("readings alone", 0, 2, 0.0),
        ("alarms and readings", 1, 2, 0.0),
        ("readings alone, right at least every second time when mined", 0, 2, 0.5),
        ("alarms and readings, right at least every second time when mined", 1, 2, 0.5),
    ];
    let mut totals: Vec<Row> = ways.iter().map(|_| Row::default()).collect();
    let mut by_mode: BTreeMap<Code, Row> = BTreeMap::new();
    let mut rules_made = 0;
    let (mut candidates, mut tried) = (0, 0);
    for seed in SEEDS {
        let began = Instant::now();
        let said = run_mill(seed);
        eprintln!("mill {seed}: simulated in {:.0} s", began.elapsed().as_secs_f64());
        let began = Instant::now();
        let (then, end) = (faults(&said, false), faults(&said, true));
        for (mode, of_mode) in &then {
            let question = Question { mode: mode.clone(), horizon_s: HORIZON_S, as_of: 0 };
            let mined = mine(&said.before, of_mode, &question);
            candidates += mined.candidates;
            tried += mined.tried;
            for (index, (_, alarms, readings, least)) in ways.iter().enumerate() {
                let rules = promoted(&mined, *alarms, *readings, *least);
                let last = index + 1 == ways.len();
                if last {
                    rules_made += rules.len();
                    for rule in &rules {
                        let measured = rule.measured.as_ref().unwrap();
                        eprintln!(
                            "  {mode}: {} precision {:?}",
                            precursors::rules::title(rule).any(),
                            measured.precision
                        );
                    }
                }
                score(&said, (mode, &end), &rules, horizon_ns, &mut totals[index]);
                if last {
                    score(&said, (mode, &end), &rules, horizon_ns, by_mode.entry(mode.clone()).or_default());
                }
            }
        }
        eprintln!("mill {seed}: mined and scored in {:.0} s", began.elapsed().as_secs_f64());
    }
    let days = (DAYS - MINED_DAYS) as f64 * SEEDS.len() as f64;
    println!(
        "{} mills of 24 looms (seeds {SEEDS:?}), a reading a minute: rules mined on {MINED_DAYS} days, run on the {} days after them. {candidates} candidates, {tried} tried on later parts, {rules_made} rules.\n",
        SEEDS.len(),
        DAYS - MINED_DAYS,
    );
    println!(
        "| rules | precision | recall | lead time, hours: median (quartiles) | false alarms a day and mill | fault really there |"
    );
    println!("|---|---|---|---|---|---|");
    for ((name, ..), row) in ways.iter().zip(&totals) {
        println!("{}", row.shown(name, days));
    }
    println!("\nBy mode, with the rules of the last row:\n");
    println!(
        "| mode | precision | recall | lead time, hours: median (quartiles) | false alarms a day and mill | fault really there |"
    );
    println!("|---|---|---|---|---|---|");
    for (mode, row) in &by_mode {
        println!("{}", row.shown(mode.as_str(), days));
    }
}

fn score(
    said: &Said,
    (mode, end): (&Code, &BTreeMap<Code, BTreeMap<AssetId, Vec<Fault>>>),
    rules: &[Detection],
    horizon_ns: i64,
    row: &mut Row,
) {
    for (asset, seen) in &said.after.assets {
        let faults = end.get(mode).and_then(|of_mode| of_mode.get(asset)).cloned().unwrap_or_default();
        let faults = without_recurrences(faults, horizon_ns);
        let raised = groups(rules, seen, said.after.to_ns);
        let judged =
            Judged { raised_ns: &raised, faults: &faults, from_ns: said.after.from_ns, to_ns: said.after.to_ns };
        row.tally.add(judged, horizon_ns);
        row.warnings += raised.len() as u64;
        let really = |time_ns: &&i64| {
            let time = jiff::Timestamp::from_nanosecond(i128::from(**time_ns)).unwrap();
            said.truth.present(asset.as_str(), time).any(|fault| fault.mode == mode.as_str())
        };
        row.true_in_truth += raised.iter().filter(really).count() as u64;
    }
}
