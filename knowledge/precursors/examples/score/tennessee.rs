//! The Tennessee Eastman process: 21 faults that begin after sample 160 of 960, a sample each 3 minutes. Thresholds come from the normal training run alone.

use domain::events::{Side, Statistic};
use precursors::feature::{Feature, FeatureSpec, Point, SECOND_NS};
use precursors::trigger::{Change, Limits, Trigger};

use crate::multivariate::{Hotelling, quantile};
use crate::{folder, share};

const SAMPLE_S: u64 = 180;
const FAULT_BEGINS: usize = 160;
/// Faults that are said to be hardly visible in the measurements (Russell, Chiang and Braatz 2000).
const HARDLY_VISIBLE: [usize; 3] = [3, 9, 15];
/// The window and the baseline, in samples.
const WINDOW: u64 = 24;
const BASELINE: u64 = 120;

fn read(name: &str) -> Result<Vec<Vec<f64>>, String> {
    let path = folder().join("tennessee_eastman").join(name);
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let rows: Vec<Vec<f64>> = text
        .lines()
        .map(|line| line.split_whitespace().map(|cell| cell.parse().unwrap()).collect())
        .filter(|row: &Vec<f64>| !row.is_empty())
        .collect();
    // The normal training run is transposed.
    Ok(if rows.len() == 52 {
        (0..rows[0].len()).map(|at| rows.iter().map(|row| row[at]).collect()).collect()
    } else {
        rows
    })
}

type Scores = Vec<Option<f64>>;

/// The greatest of all variables, each in units of what it reaches in the normal run.
fn windows(rows: &[Vec<f64>], statistic: Statistic, scale: &[f64]) -> Scores {
    let spec = FeatureSpec {
        statistic,
        window_s: WINDOW * SAMPLE_S,
        baseline_s: if statistic.needs_baseline() { BASELINE * SAMPLE_S } else { 0 },
    };
    let mut scores: Scores = vec![None; rows.len()];
    for (variable, scale) in scale.iter().enumerate() {
        for (at, value) in one(rows, variable, spec) {
            let value = value.abs() / scale;
            scores[at] = Some(scores[at].map_or(value, |most: f64| most.max(value)));
        }
    }
    scores
}

/// A variable's values of a statistic, by the sample at which they are said.
fn one(rows: &[Vec<f64>], variable: usize, spec: FeatureSpec) -> Vec<(usize, f64)> {
    let mut feature = Feature::new(spec);
    let said = rows.iter().enumerate().filter_map(|(at, row)| {
        let point = feature.push(at as i64 * SAMPLE_S as i64 * SECOND_NS, row[variable], 0)?;
        Some((at, point.value))
    });
    said.collect()
}

fn shewhart(rows: &[Vec<f64>], normal: &[Vec<f64>]) -> Scores {
    let sound: Vec<domain::statistics::Summary> =
        (0..normal[0].len()).map(|variable| normal.iter().map(|row| row[variable]).collect()).collect();
    let score = |row: &Vec<f64>| {
        let each = row
            .iter()
            .zip(&sound)
            .map(|(value, sound)| (value - sound.mean).abs() / sound.deviation().unwrap().max(1e-12));
        Some(each.fold(0.0, f64::max))
    };
    rows.iter().map(score).collect()
}

/// The samples at which warnings are raised.
fn raised(scores: &Scores, threshold: f64) -> Vec<usize> {
    let limits = Limits { side: Side::AtLeast, threshold, hold_s: 0, clear_s: WINDOW * SAMPLE_S };
    let mut trigger = Trigger::new(limits, None);
    let said = scores.iter().enumerate().filter_map(|(at, score)| {
        let point = Point { time_ns: at as i64 * SAMPLE_S as i64 * SECOND_NS, value: (*score)? };
        matches!(trigger.push(point)?, Change::Raised { .. }).then_some(at)
    });
    said.collect()
}

/// What scores a run, fitted to the normal one.
type Way = Box<dyn Fn(&[Vec<f64>]) -> Scores>;

pub fn run() {
    println!("\n### Tennessee Eastman\n");
    let normal = match read("train/d00.dat") {
        Ok(normal) => normal,
        Err(reason) => return println!("SKIPPED: {reason}"),
    };
    let tests: Vec<(usize, Vec<Vec<f64>>)> =
        (0..=21).filter_map(|number| Some((number, read(&format!("test/d{number:02}_te.dat")).ok()?))).collect();
    let fitted = Hotelling::fit(&normal);
    let scaled = |statistic: Statistic| -> Way {
        let spec = FeatureSpec {
            statistic,
            window_s: WINDOW * SAMPLE_S,
            baseline_s: if statistic.needs_baseline() { BASELINE * SAMPLE_S } else { 0 },
        };
        let scale: Vec<f64> = (0..normal[0].len())
            .map(|variable| {
                quantile(one(&normal, variable, spec).into_iter().map(|(_, value)| value.abs()), 0.99).max(1e-12)
            })
            .collect();
        Box::new(move |rows| windows(rows, statistic, &scale))
    };
    let sound = normal.clone();
    let ways: Vec<(&str, Way)> = vec![
        ("baseline: each sample, any variable", Box::new(move |rows| shewhart(rows, &sound))),
        (
            "baseline: Hotelling's T² of each sample",
            Box::new(move |rows| rows.iter().map(|row| Some(fitted.distance(row))).collect()),
        ),
        ("ours: level of 24 samples against 120, any variable", scaled(Statistic::Level)),
        ("ours: slope over 24 samples, any variable", scaled(Statistic::Slope)),
        ("ours: spread ratio of 24 samples against 120, any variable", scaled(Statistic::SpreadRatio)),
        ("ours: spread of 24 samples, any variable", scaled(Statistic::Spread)),
    ];
    println!(
        "{} test runs. A threshold is the greatest score of the normal training run. A fault is caught by a warning that is raised after it began; a warning before that, or in the normal test run, is false.\n",
        tests.len()
    );
    println!(
        "| way | faults caught | without 3, 9 and 15 | delay of those caught, minutes: median (quartiles) | false warnings a day |"
    );
    println!("|---|---|---|---|---|");
    for (name, way) in &ways {
        let threshold = way(&normal).into_iter().flatten().fold(f64::MIN, f64::max);
        let (mut caught, mut visible, mut wrong, mut sound_samples) = (0, 0, 0, 0);
        let mut delays = Vec::new();
        for (number, rows) in &tests {
            let raised = raised(&way(rows), threshold);
            let begins = if *number == 0 { rows.len() } else { FAULT_BEGINS };
            wrong += raised.iter().filter(|at| **at < begins).count();
            sound_samples += begins;
            if let Some(at) = raised.iter().find(|at| **at >= begins) {
                caught += 1;
                visible += u64::from(!HARDLY_VISIBLE.contains(number));
                delays.push((at - begins) as f64 * 3.0);
            }
        }
        let faults = tests.iter().filter(|(number, _)| *number > 0).count() as u64;
        let at = |probability| if delays.is_empty() { f64::NAN } else { quantile(delays.iter().copied(), probability) };
        let days = sound_samples as f64 * 3.0 / 1_440.0;
        println!(
            "| {name} | {} | {} | {:.0} ({:.0}–{:.0}) | {:.3} ({wrong} in {days:.1} days) |",
            share(caught, faults),
            share(visible, faults.saturating_sub(HARDLY_VISIBLE.len() as u64)),
            at(0.5),
            at(0.25),
            at(0.75),
            wrong as f64 / days,
        );
    }
}
