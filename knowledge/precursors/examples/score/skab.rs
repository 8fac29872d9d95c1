//! SKAB: a water loop at 1 Hz with labelled anomalies. The threshold of each way is chosen on the runs with even numbers and scored on the others.

use std::path::Path;

use domain::events::Statistic;
use precursors::feature::{Feature, FeatureSpec, SECOND_NS};

use crate::multivariate::{Hotelling, quantile};
use crate::{folder, share};

/// The first rows of each run are sound, as the data set's authors say.
const SOUND: usize = 400;
const WINDOW_S: u64 = 30;
const BASELINE_S: u64 = 300;

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
type Way = fn(&Run) -> Vec<f64>;

/// Of each row the greatest deviation of any sensor by a statistic, held until the next bucket is full.
fn windows(run: &Run, statistic: Statistic) -> Vec<f64> {
    let spec = FeatureSpec {
        statistic,
        window_s: WINDOW_S,
        baseline_s: if statistic.needs_baseline() { BASELINE_S } else { 0 },
    };
    let mut scores = vec![0.0_f64; run.rows.len()];
    for sensor in 0..run.rows[0].len() {
        let mut feature = Feature::new(spec);
        let mut held = 0.0;
        for (second, row) in run.rows.iter().enumerate() {
            if let Some(point) = feature.push(second as i64 * SECOND_NS, row[sensor], 0) {
                held = point.value.abs();
            }
            scores[second] = scores[second].max(held);
        }
    }
    scores
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
    fn of<'a>(runs: impl Iterator<Item = (&'a Run, &'a Vec<f64>)>, threshold: f64) -> Self {
        let mut counts = Self::default();
        for (run, scores) in runs {
            for (label, score) in run.labels.iter().zip(scores) {
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

pub fn run() {
    println!("\n### SKAB\n");
    let runs = match runs() {
        Ok(runs) => runs,
        Err(reason) => return println!("SKIPPED: {reason}"),
    };
    let ways: [(&str, Way); 4] = [
        ("baseline: each sample against the first 400, any sensor", shewhart),
        ("baseline: Hotelling's T² of each sample", hotelling),
        ("ours: level of 30 s against 300 s, any sensor", |run| windows(run, Statistic::Level)),
        ("ours: spread ratio of 30 s against 300 s, any sensor", |run| windows(run, Statistic::SpreadRatio)),
    ];
    let tested = runs.iter().filter(|run| !run.even).count();
    println!(
        "{} runs; thresholds by F1 on the {} with even numbers, scored on the other {tested}. The F1's interval is over runs.\n",
        runs.len(),
        runs.len() - tested
    );
    println!("| way | F1 of seconds | false alarm rate | missing alarm rate |");
    println!("|---|---|---|---|");
    for (name, way) in ways {
        let scores: Vec<Vec<f64>> = runs.iter().map(way).collect();
        let part = |even: bool| runs.iter().zip(&scores).filter(move |(run, _)| run.even == even);
        let all: Vec<f64> = part(true).flat_map(|(_, scores)| scores.iter().copied()).collect();
        let tried = (1..400).map(|step| quantile(all.iter().copied(), f64::from(step) / 400.0));
        let best = tried
            .max_by(|one, other| Counts::of(part(true), *one).f1().total_cmp(&Counts::of(part(true), *other).f1()));
        let threshold = best.unwrap();
        let counts = Counts::of(part(false), threshold);
        let (low, high) = over_runs(&part(false).collect::<Vec<_>>(), threshold);
        println!(
            "| {name} | {:.3} [{low:.3}, {high:.3}] | {} | {} |",
            counts.f1(),
            share(counts.wrong, counts.wrong + counts.right),
            share(counts.missed, counts.missed + counts.hit),
        );
    }
}

/// 95 % of 2,000 bootstrap samples of runs.
fn over_runs(runs: &[(&Run, &Vec<f64>)], threshold: f64) -> (f64, f64) {
    let each: Vec<Counts> =
        runs.iter().map(|(run, scores)| Counts::of(std::iter::once((*run, *scores)), threshold)).collect();
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
