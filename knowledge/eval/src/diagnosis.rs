//! Diagnosis, asked before each work order of excavators: which failure mode will people code it with?

use std::time::Instant;

use retrieval::casebase::{CaseBase, Experience, Pool, Seen};

use crate::Split;
use crate::baseline::{Plain, frequent, grams, votes};
use crate::codes::calibration;
use crate::data::{self, WorkOrder};
use crate::score::mean;
use crate::table::{Way, print, skipped};

/// A history, one work order a position.
pub fn history<'a>(orders: impl Iterator<Item = (u64, &'a WorkOrder)>) -> CaseBase {
    let mut base = CaseBase::default();
    for (position, order) in orders {
        let key = position.to_string();
        base.happened_to(&key, &order.asset, position);
        base.said(&key, &order.text, position);
        if !order.mode.is_empty() {
            base.was_coded(&key, [Some(&order.mode), None, None, Some(order.system.as_str())], position);
        }
    }
    base
}

pub fn run(split: Split) {
    let rows = match data::excavators() {
        Ok(rows) => rows,
        Err(reason) => return skipped("Diagnosis: work orders of excavators", &reason),
    };
    let all: Vec<(u64, &WorkOrder)> = (0..).zip(&rows).collect();
    let coded: Vec<(u64, &WorkOrder)> = all.iter().filter(|(_, order)| !order.mode.is_empty()).copied().collect();
    let (earlier, later) = split.of(&coded);
    let base = history(all.into_iter());
    let mut experience: Option<Experience> = None;
    let names = ["baseline: votes of the 10 nearest by BM25 over characters", "baseline: the most frequent", "ours"];
    // To choose weights by; the temperature moves no rank.
    let settings: Vec<Pool> = if split == Split::Dev {
        let base = Pool::default();
        [0.0, 0.5, 1.0, 2.0, 4.0].map(|looks| Pool { looks, ..base }).to_vec()
    } else {
        Vec::new()
    };
    let names = names.iter().map(|name| (*name).to_owned()).chain(settings.iter().map(|pool| format!("{pool:?}")));
    let mut ways: Vec<Way> = names.map(|name| Way { name, scores: vec![Vec::new(), Vec::new()] }).collect();
    let near = Plain::new(coded.iter().map(|(_, order)| order.text.as_str()), &grams);
    let labels: Vec<&str> = coded.iter().map(|(_, order)| order.mode.as_str()).collect();
    let often = frequent(earlier.iter().map(|(_, order)| order.mode.as_str()));
    let (mut sure, mut taken, mut answered, mut abstained) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (at, (position, order)) in (earlier.len()..).zip(later) {
        let before = position - 1;
        let lesson = base.lesson(before);
        if lesson != experience.as_ref().map(|experience| experience.through) {
            experience = lesson.map(|lesson| base.at(lesson).learn());
        }
        let begin = Instant::now();
        let seen = Seen { asset: Some(&order.asset), class: None, text: &order.text, ..Seen::default() };
        let ranking = base.at(before).rank(&seen, experience.as_ref());
        taken.push(begin.elapsed().as_secs_f64() * 1e3);
        let ours: Vec<&str> = ranking.modes.iter().map(|mode| mode.mode.as_str()).collect();
        let known: Vec<(usize, f64)> =
            near.best(&order.text, 200).into_iter().filter(|(other, _)| *other < at).take(10).collect();
        let others: Vec<_> =
            settings.iter().map(|pool| base.at(before).rank_by(&seen, experience.as_ref(), *pool)).collect();
        let others = others.iter().map(|ranking| ranking.modes.iter().map(|mode| mode.mode.as_str()).collect());
        let all = [votes(&known, &labels), often.clone(), ours].into_iter().chain(others);
        for (way, ranked) in ways.iter_mut().zip(all) {
            for (scores, depth) in way.scores.iter_mut().zip([1, 3]) {
                let hit = ranked.iter().take(depth).any(|mode| *mode == order.mode);
                scores.push(f64::from(u8::from(hit)));
            }
        }
        let first = &ranking.modes[0];
        let right = first.mode == order.mode;
        sure.push((first.probability, right));
        if ranking.fits {
            answered.push(f64::from(u8::from(right)))
        } else {
            abstained.push(f64::from(u8::from(right)))
        }
    }
    print("Diagnosis: failure modes of excavators, asked before each work order", &["hit@1", "hit@3"], &ways);
    let (ece, brier) = calibration(&sure);
    println!(
        "\nCalibration of the first candidate: ECE {ece:.3}, Brier {brier:.3}. A match in {} of {}, {:.3} of them right; of those that it abstains on, {:.3} would have been right.",
        answered.len(),
        sure.len(),
        mean(&answered),
        mean(&abstained)
    );
    strangers(&base, experience.as_ref());
    taken.sort_by(f64::total_cmp);
    println!("\nTime to rank: p50 {:.2} ms, p99 {:.2} ms.", taken[taken.len() / 2], taken[taken.len() * 99 / 100]);
}

/// What has nothing to do with excavators should fit nothing.
fn strangers(base: &CaseBase, experience: Option<&Experience>) {
    let texts = [
        "invoice from the supplier was not paid",
        "printer out of paper",
        "canteen food too salty",
        "please book a meeting room for monday",
        "password of the payroll system expired",
        "the gate guard needs a new jacket",
        "coffee machine in the office is dirty",
        "email does not arrive",
        "parking lot is full",
        "annual leave request for john",
    ];
    let fits = texts.iter().filter(|text| base.at(u64::MAX).rank(&Seen { text, ..Seen::default() }, experience).fits);
    println!(
        "\nOf {} texts that have nothing to do with excavators, {} were taken for a match.",
        texts.len(),
        fits.count()
    );
}
