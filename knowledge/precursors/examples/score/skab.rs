//! SKAB: a water loop at 1 Hz with labelled anomalies. Everything about a way is chosen on the runs with even numbers and scored on the others, on the rows after those that are sound.

use std::path::Path;

use domain::events::{Side, Statistic};
use precursors::feature::{Feature, FeatureSpec, Point, SECOND_NS};
use precursors::trigger::{Change, Limits, Trigger};

use crate::multivariate::{Hotelling, quantile};
use crate::{folder, share};

/// The first rows of each run are sound, as the data set's authors say; in one of those with even numbers an anomaly begins before.
const SOUND: usize = 400;
const WINDOW_S: u64 = 30;
/// The windows that a rule about one sensor may have.
const WINDOWS_S: [u64; 2] = [30, 60];
const BASELINE_S: u64 = 300;
/// A warning ends when its condition has not held for so long.
const CLEAR_S: u64 = 60;
/// How long a condition may have to hold before it warns.
const HOLDS_S: [u64; 3] = [0, 10, 30];
/// How many thresholds are tried.
const THRESHOLDS: u32 = 400;

const SENSORS: [&str; 8] = [
    "accelerometer 1",
    "accelerometer 2",
    "current",
    "pressure",
    "temperature",
    "thermocouple",
    "voltage",
    "volume flow",
];

struct Run {
    even: bool,
    rows: Vec<Vec<f64>>,
    labels: Vec<bool>,
}

fn read(path: &Path, even: bool) -> Run {
    let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_path(path).unwrap();
    let (mut rows, mut labels) = (Vec::new(), Vec::new());
    for record in reader.records() {
        let record = record.unwrap();
        rows.push((1..9).map(|column| record[column].parse().unwrap()).collect());
        labels.push(record[9].parse::<f64>().unwrap() > 0.5);
    }
    Run { even, rows, labels }
}

fn runs() -> Result<Vec<Run>, String> {
    let mut runs = Vec::new();
    for group in ["valve1", "valve2", "other"] {
        let Ok(entries) = std::fs::read_dir(folder().join("skab").join(group)) else { continue };
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            let number: u32 = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
            runs.push(read(&path, number.is_multiple_of(2)));
        }
    }
    if runs.is_empty() { Err(format!("no runs in {}", folder().join("skab").display())) } else { Ok(runs) }
}

/// A score for each sample of a run; higher is stranger.
type Way = Box<dyn Fn(&Run) -> Vec<f64>>;

fn spec(statistic: Statistic, window_s: u64) -> FeatureSpec {
    FeatureSpec { statistic, window_s, baseline_s: if statistic.needs_baseline() { BASELINE_S } else { 0 } }
}

/// A sensor's statistic at each row, held until the next bucket is full; `None` before the first.
fn held(run: &Run, sensor: usize, spec: FeatureSpec) -> Vec<Option<f64>> {
    let mut feature = Feature::new(spec);
    let mut held = None;
    let values = run.rows.iter().enumerate().map(|(second, row)| {
        let point = feature.push(second as i64 * SECOND_NS, row[sensor], 0);
        held = point.map(|point| point.value).or(held);
        held
    });
    values.collect()
}

/// Of each row the greatest deviation of any sensor by a statistic, each in units of its scale.
fn windows(run: &Run, spec: FeatureSpec, scales: &[f64]) -> Vec<f64> {
    let mut scores = vec![0.0_f64; run.rows.len()];
    for (sensor, scale) in scales.iter().enumerate() {
        for (score, value) in scores.iter_mut().zip(held(run, sensor, spec)) {
            *score = score.max(value.map_or(0.0, |value| value.abs() / scale));
        }
    }
    scores
}

fn any_sensor(statistic: Statistic) -> Way {
    Box::new(move |run| windows(run, spec(statistic, WINDOW_S), &vec![1.0; run.rows[0].len()]))
}

/// The same, where a sensor's scale is what it reaches in one of a hundred sound rows of the runs that are chosen by.
fn any_sensor_scaled(runs: &[Run], statistic: Statistic) -> Way {
    let spec = spec(statistic, WINDOW_S);
    let scale = |sensor: usize| {
        let sound = runs.iter().filter(|run| run.even).flat_map(|run| {
            held(run, sensor, spec)
                .into_iter()
                .zip(&run.labels)
                .filter(|(_, label)| !**label)
                .filter_map(|(value, _)| value)
        });
        quantile(sound.map(f64::abs), 0.99).max(1e-12)
    };
    let scales: Vec<f64> = (0..runs[0].rows[0].len()).map(scale).collect();
    Box::new(move |run| windows(run, spec, &scales))
}

/// A rule as mining makes it: one sensor, one statistic, one side; that with the best F1 on the runs that are chosen by.
fn one_sensor(runs: &[Run]) -> (String, Way) {
    let chosen_by: Vec<&Run> = runs.iter().filter(|run| run.even).collect();
    let way = |sensor: usize, spec: FeatureSpec, sign: f64| -> Way {
        Box::new(move |run| {
            held(run, sensor, spec).into_iter().map(|value| value.map_or(f64::MIN, |value| sign * value)).collect()
        })
    };
    let mut best: Option<(f64, String, Way)> = None;
    for (sensor, sensor_name) in SENSORS.iter().enumerate() {
        for (statistic, window_s) in Statistic::ALL.into_iter().flat_map(|it| WINDOWS_S.map(|window_s| (it, window_s)))
        {
            for (side, sign) in [("high", 1.0), ("low", -1.0)] {
                let way = way(sensor, spec(statistic, window_s), sign);
                let scored: Vec<(&Run, Vec<f64>)> = chosen_by.iter().map(|run| (*run, way(run))).collect();
                let scored: Vec<(&Run, &Vec<f64>)> = scored.iter().map(|(run, scores)| (*run, scores)).collect();
                let f1 = Counts::of(&scored, best_threshold(&scored)).f1();
                if best.as_ref().is_none_or(|(other, ..)| f1 > *other) {
                    let name =
                        format!("ours: one rule, {} of {window_s} s {side}, {}", statistic.as_str(), sensor_name);
                    best = Some((f1, name, way));
                }
            }
        }
    }
    let (_, name, way) = best.unwrap();
    (name, way)
}

/// Of each row the greatest deviation of any sensor from the run's sound rows, in standard deviations.
fn shewhart(run: &Run) -> Vec<f64> {
    let of_sensor =
        |sensor: usize| run.rows[..SOUND].iter().map(|row| row[sensor]).collect::<domain::statistics::Summary>();
    let sound: Vec<_> = (0..run.rows[0].len()).map(of_sensor).collect();
    let deviation = |row: &Vec<f64>| {
        let each = row
            .iter()
            .zip(&sound)
            .map(|(value, sound)| (value - sound.mean).abs() / sound.deviation().unwrap().max(1e-9));
        each.fold(0.0, f64::max)
    };
    run.rows.iter().map(deviation).collect()
}

fn hotelling(run: &Run) -> Vec<f64> {
    let fitted = Hotelling::fit(&run.rows[..SOUND]);
    run.rows.iter().map(|row| fitted.distance(row)).collect()
}

#[derive(Default)]
struct Counts {
    hit: u64,
    missed: u64,
    wrong: u64,
    right: u64,
}

impl Counts {
    fn of(runs: &[(&Run, &Vec<f64>)], threshold: f64) -> Self {
        let mut counts = Self::default();
        for (run, scores) in runs {
            for (label, score) in run.labels.iter().zip(*scores).skip(SOUND) {
                match (*label, *score >= threshold) {
                    (true, true) => counts.hit += 1,
                    (true, false) => counts.missed += 1,
                    (false, true) => counts.wrong += 1,
                    (false, false) => counts.right += 1,
                }
            }
        }
        counts
    }

    fn f1(&self) -> f64 {
        2.0 * self.hit as f64 / (2 * self.hit + self.missed + self.wrong).max(1) as f64
    }
}

fn thresholds(runs: &[(&Run, &Vec<f64>)]) -> Vec<f64> {
    let mut all: Vec<f64> = runs.iter().flat_map(|(_, scores)| scores.iter().skip(SOUND).copied()).collect();
    all.sort_by(f64::total_cmp);
    let place = |step: u32| (all.len() - 1) * step as usize / THRESHOLDS as usize;
    let mut tried: Vec<f64> = (0..=THRESHOLDS).map(|step| all[place(step)]).collect();
    tried.dedup();
    tried
}

fn best_threshold(runs: &[(&Run, &Vec<f64>)]) -> f64 {
    let by_f1 = thresholds(runs).into_iter().map(|threshold| (Counts::of(runs, threshold).f1(), threshold));
    by_f1.max_by(|one, other| one.0.total_cmp(&other.0)).unwrap().1
}

/// What warnings are worth: each is raised once and stays until its condition is gone.
#[derive(Default)]
struct Warned {
    /// Warnings that were raised within an anomaly, and all others.
    hits: u64,
    wrong: u64,
    caught: u64,
    anomalies: u64,
    delays_s: Vec<f64>,
    sound_s: u64,
}

impl Warned {
    fn of(runs: &[(&Run, &Vec<f64>)], threshold: f64, hold_s: u64) -> Self {
        let mut warned = Self::default();
        for (run, scores) in runs {
            let mut trigger = Trigger::new(Limits { side: Side::AtLeast, threshold, hold_s, clear_s: CLEAR_S }, None);
            let mut begins: Option<(usize, bool)> = None;
            for (second, (label, score)) in run.labels.iter().zip(*scores).enumerate().skip(SOUND) {
                begins = label.then_some(begins.unwrap_or((second, false)));
                warned.anomalies += u64::from(begins == Some((second, false)));
                warned.sound_s += u64::from(!label);
                let point = Point { time_ns: second as i64 * SECOND_NS, value: *score };
                let Some(Change::Raised { .. }) = trigger.push(point) else { continue };
                match &mut begins {
                    None => warned.wrong += 1,
                    Some((since, caught)) => {
                        warned.hits += 1;
                        if !*caught {
                            *caught = true;
                            warned.caught += 1;
                            warned.delays_s.push((second - *since) as f64);
                        }
                    }
                }
            }
        }
        warned
    }

    /// F with precision counted twice as much as recall, as mining chooses.
    fn score(&self) -> f64 {
        let (found, told) = (self.hits + self.wrong, self.caught);
        if told == 0 {
            return 0.0;
        }
        let (precision, recall) = (self.hits as f64 / found as f64, told as f64 / self.anomalies as f64);
        1.25 * precision * recall / (0.25 * precision + recall)
    }

    fn shown(&self) -> String {
        let at = |probability| quantile(self.delays_s.iter().copied(), probability);
        let delay = if self.delays_s.is_empty() {
            "–".to_owned()
        } else {
            format!("{:.0} ({:.0}–{:.0})", at(0.5), at(0.25), at(0.75))
        };
        let (precision, recall) = (share(self.hits, self.hits + self.wrong), share(self.caught, self.anomalies));
        let hours = self.sound_s as f64 / 3_600.0;
        format!("{precision} | {recall} | {delay} | {:.1} ({} in {hours:.1} h)", self.wrong as f64 / hours, self.wrong)
    }
}

pub fn run() {
    println!("\n### SKAB\n");
    let runs = match runs() {
        Ok(runs) => runs,
        Err(reason) => return println!("SKIPPED: {reason}"),
    };
    let (rule, one_sensor) = one_sensor(&runs);
    let named = |name: &str, way: Way| (name.to_owned(), way);
    let ways: Vec<(String, Way)> = vec![
        named("baseline: everything is strange", Box::new(|run| vec![1.0; run.rows.len()])),
        named("baseline: each sample against the first 400, any sensor", Box::new(shewhart)),
        named("baseline: Hotelling's T² of each sample", Box::new(hotelling)),
        named("ours: level of 30 s against 300 s, any sensor", any_sensor(Statistic::Level)),
        named("ours: level, each sensor in its own scale", any_sensor_scaled(&runs, Statistic::Level)),
        named("ours: spread ratio, each sensor in its own scale", any_sensor_scaled(&runs, Statistic::SpreadRatio)),
        (rule, one_sensor),
    ];
    let tested = runs.iter().filter(|run| !run.even).count();
    println!(
        "{} runs; thresholds by F1 on the {} with even numbers, scored on the other {tested}, from row {SOUND} on. The F1's interval is over runs.\n",
        runs.len(),
        runs.len() - tested
    );
    println!("| way | F1 of seconds | false alarm rate | missing alarm rate |");
    println!("|---|---|---|---|");
    let mut warned = Vec::new();
    for (name, way) in ways {
        let scores: Vec<Vec<f64>> = runs.iter().map(way).collect();
        let part = |even: bool| -> Vec<(&Run, &Vec<f64>)> {
            runs.iter().zip(&scores).filter(|(run, _)| run.even == even).collect()
        };
        let (chosen_by, tested) = (part(true), part(false));
        let threshold = best_threshold(&chosen_by);
        let counts = Counts::of(&tested, threshold);
        let (low, high) = over_runs(&tested, threshold);
        println!(
            "| {name} | {:.3} [{low:.3}, {high:.3}] | {} | {} |",
            counts.f1(),
            share(counts.wrong, counts.wrong + counts.right),
            share(counts.missed, counts.missed + counts.hit),
        );
        let tried = thresholds(&chosen_by).into_iter().flat_map(|threshold| HOLDS_S.map(|hold_s| (threshold, hold_s)));
        let best = tried
            .map(|(threshold, hold_s)| (Warned::of(&chosen_by, threshold, hold_s).score(), threshold, hold_s))
            .reduce(|best, other| if other.0 > best.0 { other } else { best });
        let (_, threshold, hold_s) = best.unwrap();
        warned.push(format!("| {name} | {hold_s} | {} |", Warned::of(&tested, threshold, hold_s).shown()));
    }
    println!("\nAs warnings, with threshold and hold by F½ on the same runs; {CLEAR_S} s to clear:\n");
    println!(
        "| way | hold, s | precision | anomalies caught | delay, s: median (quartiles) | false warnings an hour |"
    );
    println!("|---|---|---|---|---|---|");
    warned.iter().for_each(|row| println!("{row}"));
}

/// 95 % of 2,000 bootstrap samples of runs.
fn over_runs(runs: &[(&Run, &Vec<f64>)], threshold: f64) -> (f64, f64) {
    let each: Vec<Counts> = runs.iter().map(|run| Counts::of(std::slice::from_ref(run), threshold)).collect();
    let mut state = 2_026_u64;
    let mut below = |end: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % end as u64) as usize
    };
    let mut sampled: Vec<f64> = (0..2_000)
        .map(|_| {
            let mut sum = Counts::default();
            for _ in 0..each.len() {
                let one = &each[below(each.len())];
                sum.hit += one.hit;
                sum.missed += one.missed;
                sum.wrong += one.wrong;
            }
            sum.f1()
        })
        .collect();
    sampled.sort_by(f64::total_cmp);
    (sampled[50], sampled[1_949])
}
