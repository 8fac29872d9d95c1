//! How fast past cases answer: `cargo bench -p millwright-retrieval --bench diagnosis`. 100,000 episodes, `MILLWRIGHT_BENCH_EPISODES` says otherwise.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a benchmark prints its figures and stops at the first failure"
)]
#![allow(dead_code, reason = "each benchmark uses a part of the wording")]

mod wording;

use std::hint::black_box;
use std::time::Instant;

use retrieval::casebase::{CaseBase, Seen};
use wording::{Numbers, Wording, percentiles, questions, resident_mib};

fn main() {
    let count: usize = std::env::var("MILLWRIGHT_BENCH_EPISODES").map_or(100_000, |text| text.parse().unwrap());
    let mut wording = Wording::new(3);
    let mut numbers = Numbers(4);
    let mut base = CaseBase::default();
    let mut position = 1;
    let before = resident_mib();
    let begun = Instant::now();
    for number in 0..count {
        let record = wording.record();
        let key = format!("e{number}");
        base.happened_to(&key, &record.asset, position);
        base.said(&key, &record.text, position);
        for _ in 0..numbers.below(3) {
            base.alarmed(&key, &format!("A-{}", 100 + numbers.below(200)), position);
        }
        // One in five is never coded, as in the excavators' history.
        if number % 5 != 0 {
            base.was_coded(&key, [Some(&record.mode), None, None, None], position + 1);
        }
        position += 2;
    }
    println!(
        "{count} episodes taken in {:.1} s; they take {:.0} MiB",
        begun.elapsed().as_secs_f64(),
        resident_mib() - before
    );
    let begun = Instant::now();
    let lesson = base.lesson(u64::MAX).expect("enough is coded");
    let experience = base.at(lesson).learn();
    println!("learning from them: {:.1} s", begun.elapsed().as_secs_f64());
    let asked = questions(400, 6);
    for (name, end) in [("newest", u64::MAX), ("half way", position / 2)] {
        let (mut ranked, mut whole, mut fits) = (Vec::new(), Vec::new(), 0);
        for (number, text) in asked.iter().enumerate() {
            let alarms = vec![format!("A-{}", 100 + number % 200)];
            let seen = Seen { asset: Some("EX07"), class: None, text, alarms: &alarms, readings: &[] };
            let past = base.at(end);
            let begun = Instant::now();
            let ranking = past.rank(black_box(&seen), Some(&experience));
            ranked.push(begun.elapsed().as_secs_f64() * 1e3);
            let checks = past.checks(&ranking, &seen, 3);
            whole.push(begun.elapsed().as_secs_f64() * 1e3);
            fits += usize::from(ranking.fits && !checks.is_empty());
        }
        assert!(fits > 0, "nothing fits");
        percentiles(&format!("ranking, {name}"), ranked);
        percentiles(&format!("ranking with the next checks, {name}"), whole);
    }
    println!("{:.0} MiB resident at the end", resident_mib());
}
