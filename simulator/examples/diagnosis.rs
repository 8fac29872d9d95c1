//! Scores diagnosis on the simulated mill against its hidden truth, and prints a table of docs/evaluation.md: each fault is asked about when it is observed, from what was known by then.

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

use std::collections::{BTreeMap, HashMap};

use domain::Event;
use domain::events::ReadingSign;
use domain::ids::{AssetId, Code, SignalId};
use domain::statistics::{LEVEL, Share, wilson};
use jiff::Timestamp;
use precursors::feature::SECOND_NS;
use precursors::look::{ALARMS_S, Glance};
use precursors::watch::Timeline;
use retrieval::casebase::{CaseBase, Experience, Seen};
use simulator::{HistoryOptions, Output, history};

const DAYS: i64 = 150;
const SEEDS: [u64; 2] = [7, 8];

/// The first faults are not asked about: nothing is known yet.
const LEARNT_FROM: usize = 60;

fn nanoseconds(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap()
}

/// A fault as it was when it was observed.
struct Asked {
    fault: String,
    position: u64,
    asset: String,
    text: String,
    alarms: Vec<String>,
    looked_alarms: Vec<String>,
    looked_readings: Vec<String>,
    truth: String,
    repeated: bool,
}

/// A mill that speaks, and what the system keeps of it.
#[derive(Default)]
struct Mill {
    base: CaseBase,
    glances: BTreeMap<(AssetId, Code), Glance>,
    timelines: BTreeMap<AssetId, Timeline>,
    raised: BTreeMap<AssetId, Vec<(i64, Code)>>,
    asked: Vec<Asked>,
}

fn named(sign: &ReadingSign) -> String {
    format!("{} {}", sign.quantity, sign.is.as_str())
}

impl Mill {
    fn read(&mut self, signal: &str, value: f64, time_ns: i64, position: u64) {
        let (asset, quantity) = signal.split_once('.').unwrap();
        let asset = AssetId::new(asset).unwrap();
        if self.timelines.get(&asset).is_some_and(|timeline| !timeline.may_run(time_ns, position)) {
            return;
        }
        self.glances.entry((asset, Code::new(quantity).unwrap())).or_default().push(time_ns, value, position);
    }

    fn look(&self, asset: &AssetId, time_ns: i64) -> (Vec<String>, Vec<String>) {
        let raised = self.raised.get(asset).into_iter().flatten();
        let lately = raised.filter(|(raised, _)| raised + i64::try_from(ALARMS_S).unwrap() * SECOND_NS >= time_ns);
        let mut alarms: Vec<String> = lately.map(|(_, code)| code.to_string()).collect();
        alarms.dedup();
        let of_asset = self.glances.iter().filter(|((other, _), _)| other == asset);
        let signal = SignalId::new("S").unwrap();
        let signs = of_asset.flat_map(|((_, quantity), glance)| glance.clone().signs((quantity, &signal), time_ns));
        (alarms, signs.map(|sign| named(&sign)).collect())
    }

    fn take(&mut self, event: Event, time_ns: i64, position: u64) {
        match event {
            Event::AssetRegistered(e) => self.base.is_of(e.asset.as_str(), e.class.as_str(), position),
            Event::MachineStateChanged(e) => self.timelines.entry(e.asset).or_default().add(time_ns, position, e.state),
            Event::AlarmRaised(e) => self.raised.entry(e.asset).or_default().push((time_ns, e.code)),
            Event::FaultObserved(e) => {
                let key = e.fault.to_string();
                let (looked_alarms, looked_readings) = self.look(&e.asset, time_ns);
                let alarms: Vec<String> = e.alarms.iter().map(ToString::to_string).collect();
                let text = [e.symptoms.zh, e.symptoms.en].into_iter().flatten().collect::<Vec<_>>().join(" ");
                self.asked.push(Asked {
                    fault: key.clone(),
                    position: position - 1,
                    asset: e.asset.to_string(),
                    text: text.clone(),
                    alarms: alarms.clone(),
                    looked_alarms: looked_alarms.clone(),
                    looked_readings: looked_readings.clone(),
                    truth: String::new(),
                    repeated: false,
                });
                self.base.happened_to(&key, e.asset.as_str(), position);
                self.base.said(&key, &text, position);
                for alarm in alarms.iter().chain(&looked_alarms) {
                    self.base.alarmed(&key, alarm, position);
                }
                for sign in &looked_readings {
                    self.base.showed(&key, sign, position);
                }
            }
            Event::FaultCoded(e) => {
                let key = e.fault.to_string();
                let labels = [Some(&e.mode), e.mechanism.as_ref(), e.cause.as_ref(), e.item.as_ref()];
                self.base.was_coded(&key, labels.map(|label| label.map(Code::as_str)), position);
            }
            _ => {}
        }
    }
}

fn run_mill(seed: u64) -> Mill {
    let end: Timestamp = "2026-05-01T06:00:00Z".parse().unwrap();
    let options = HistoryOptions { readings_seconds: 0, live_period_seconds: 60, ..HistoryOptions::new(seed, end, 1) };
    let mut live = history::history_with(options).unwrap().into_parts().2;
    let mut mill = Mill::default();
    let mut position = 0;
    for event in simulator::mill::definition(60_000) {
        position += 1;
        mill.take(event, nanoseconds(end), position);
    }
    let last = end + jiff::SignedDuration::from_hours(24 * DAYS);
    while live.now() < last {
        for output in live.advance(last) {
            position += 1;
            let time_ns = nanoseconds(output.time());
            match output {
                Output::Event(event) => mill.take(event.event, time_ns, position),
                Output::Readings { readings, .. } => {
                    // Counters only rise.
                    let read = readings
                        .iter()
                        .filter(|reading| reading.signal.starts_with("LOOM") && !reading.signal.ends_with(".picks"));
                    for reading in read {
                        mill.read(&reading.signal, reading.value.as_f64().unwrap(), time_ns, position);
                    }
                }
            }
        }
    }
    let truth = live.truth();
    for asked in &mut mill.asked {
        let fault = truth.of_episode(&asked.fault);
        asked.truth = fault.map_or_else(String::new, |fault| fault.mode.to_owned());
        asked.repeated = fault.is_some_and(|fault| fault.episodes.first() != Some(&asked.fault));
    }
    mill
}

#[derive(Default)]
struct Row {
    asked: u64,
    first: u64,
    three: u64,
    matched: u64,
    right_of_matched: u64,
    brier: f64,
    /// By tenths of the first candidate's probability: how many, how sure, how often right.
    bins: [(u64, f64, u64); 10],
}

impl Row {
    fn add(&mut self, order: &[(String, f64)], fits: bool, truth: &str) {
        let at = order.iter().position(|(mode, _)| mode == truth);
        let sure = order.first().map_or(0.0, |(_, probability)| *probability);
        let right = at == Some(0);
        self.asked += 1;
        self.first += u64::from(right);
        self.three += u64::from(at.is_some_and(|at| at < 3));
        self.matched += u64::from(fits);
        self.right_of_matched += u64::from(fits && right);
        self.brier += (sure - f64::from(u8::from(right))).powi(2);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a tenth of a probability")]
        let bin = &mut self.bins[((sure * 10.0) as usize).min(9)];
        (bin.0, bin.1, bin.2) = (bin.0 + 1, bin.1 + sure, bin.2 + u64::from(right));
    }

    fn shown(&self, name: &str) -> String {
        let share = |cases, trials| {
            wilson(Share::new(cases, trials), LEVEL).map_or_else(
                || "–".to_owned(),
                |bounds| format!("{:.3} [{:.3}, {:.3}]", bounds.value, bounds.low, bounds.high),
            )
        };
        let all = self.asked as f64;
        let ece: f64 = self.bins.iter().map(|(_, sure, right)| (sure - *right as f64).abs() / all).sum();
        format!(
            "| {name} | {} | {} | {} of {} | {} | {ece:.3}, {:.3} |",
            share(self.first, self.asked),
            share(self.three, self.asked),
            self.matched,
            self.asked,
            share(self.right_of_matched, self.matched),
            self.brier / all
        )
    }
}

fn main() {
    let ways: [(&str, [bool; 4]); 6] = [
        ("an asset and a time: readings", [false, false, false, true]),
        ("an asset and a time: alarms", [false, false, true, false]),
        ("**an asset and a time: readings and alarms**", [false, false, true, true]),
        ("words alone", [true, false, false, false]),
        ("words and the alarms that were named", [true, true, false, false]),
        ("words, alarms and readings", [true, true, true, true]),
    ];
    let mut rows: Vec<Row> = ways.iter().map(|_| Row::default()).collect();
    let (mut frequent, mut nothing) = (Row::default(), 0);
    for seed in SEEDS {
        let mill = run_mill(seed);
        eprintln!("mill {seed}: {} faults observed", mill.asked.len());
        let mut experiences: HashMap<u64, Experience> = HashMap::new();
        for asked in mill.asked.iter().skip(LEARNT_FROM) {
            let past = mill.base.at(asked.position);
            let lesson = mill.base.lesson(asked.position);
            let experience =
                lesson.map(|lesson| &*experiences.entry(lesson).or_insert_with(|| mill.base.at(lesson).learn()));
            if std::env::args().any(|argument| argument == "show") {
                eprintln!(
                    "{} {} {} | {:?} {:?} | {}",
                    asked.truth, asked.asset, asked.repeated, asked.looked_alarms, asked.looked_readings, asked.text
                );
            }
            nothing += usize::from(asked.looked_alarms.is_empty() && asked.looked_readings.is_empty());
            for ((_, [words, named, alarms, readings]), row) in ways.iter().zip(&mut rows) {
                let named = if *named { asked.alarms.clone() } else { Vec::new() };
                let looked = if *alarms { asked.looked_alarms.clone() } else { Vec::new() };
                let alarms = [named, looked].concat();
                let seen = Seen {
                    asset: Some(&asked.asset),
                    class: None,
                    text: if *words { &asked.text } else { "" },
                    alarms: &alarms,
                    readings: if *readings { &asked.looked_readings } else { &[] },
                };
                let ranking = past.rank(&seen, experience);
                let order: Vec<(String, f64)> =
                    ranking.modes.iter().map(|mode| (mode.mode.clone(), mode.probability)).collect();
                row.add(&order, ranking.fits, &asked.truth);
            }
            let ranking = past.rank(&Seen::default(), None);
            let mut order: Vec<(String, f64)> =
                ranking.modes.iter().map(|mode| (mode.mode.clone(), mode.n as f64 / ranking.n as f64)).collect();
            order.sort_by(|a, b| b.1.total_cmp(&a.1));
            frequent.add(&order, true, &asked.truth);
        }
    }
    println!("\n### Diagnosis in the simulated mill\n");
    println!("{} faults; in {nothing} of them neither readings nor alarms showed anything.\n", frequent.asked);
    println!("| asked by | hit@1 | hit@3 | a match was seen | right of these | ECE, Brier |");
    println!("|---|---|---|---|---|---|");
    println!("{}", frequent.shown("baseline: the most frequent"));
    for ((name, _), row) in ways.iter().zip(&rows) {
        println!("{}", row.shown(name));
    }
}
