//! Failure modes and their episodes.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::scope::{Known, counted, real};
use super::{ModeSummary, ModeView, Mtbf, Scope};
use crate::answer::{self, Answer, QuestionError};
use crate::cases::{Case, latest, median, scores};
use crate::diagnose::PastCase;
use crate::facade::Models;

/// The episodes that a mode is shown with.
const SHOWN_EPISODES: usize = 20;

/// The z of the 5 % and 95 % quantiles.
const Z: f64 = 1.644_853_626_951_472_2;

/// The modes in numbers, the most frequent first.
pub(crate) fn modes(models: &Models, scope: &Scope) -> Result<Answer<Vec<ModeSummary>>, QuestionError> {
    let known = Known::new(models, scope);
    let watched = watched_hours(&known);
    let mut groups: BTreeMap<Option<&str>, Vec<&Case>> = BTreeMap::new();
    for case in faults(&known, scope) {
        groups.entry(case.mode.as_deref()).or_default().push(case);
    }
    let mut rows: Vec<ModeSummary> = groups.into_iter().map(|(mode, cases)| summary(mode, &cases, watched)).collect();
    rows.sort_by(|a, b| b.n.cmp(&a.n).then_with(|| a.mode.cmp(&b.mode)));
    rows.truncate(answer::limit(scope.limit));
    Ok(known.answer(faults(&known, scope), rows))
}

/// One mode with its episodes and what helped.
pub(crate) fn mode(models: &Models, mode: &str, scope: &Scope) -> Result<Answer<ModeView>, QuestionError> {
    let known = Known::new(models, scope);
    let watched = watched_hours(&known);
    let mut cases: Vec<&Case> = faults(&known, scope).filter(|case| case.mode.as_deref() == Some(mode)).collect();
    if cases.is_empty() {
        return Err(QuestionError::NotFound { kind: "failure mode", id: mode.to_owned() });
    }
    newest_first(&mut cases);
    let view = ModeView {
        summary: summary(Some(mode), &cases, watched),
        episodes: cases.iter().take(SHOWN_EPISODES).map(|case| case.shown(1.0)).collect(),
        actions: scores(cases.iter().map(|case| case.done())),
    };
    Ok(known.answer(cases.iter().copied(), view))
}

/// Episodes, the latest first.
pub(crate) fn episodes(models: &Models, scope: &Scope) -> Result<Answer<Vec<PastCase>>, QuestionError> {
    let known = Known::new(models, scope);
    let mut cases: Vec<&Case> = faults(&known, scope).collect();
    newest_first(&mut cases);
    let rows = cases.iter().take(answer::limit(scope.limit)).map(|case| case.shown(1.0)).collect();
    Ok(known.answer(cases.iter().copied(), rows))
}

fn faults<'a>(known: &'a Known, scope: &'a Scope) -> impl Iterator<Item = &'a Case> {
    let of_code = |case: &&Case| scope.code.is_none() || case.mode == scope.code;
    known.cases.iter().filter(|case| case.is_fault).filter(of_code)
}

fn newest_first(cases: &mut [&Case]) {
    cases.sort_by(|a, b| b.time.cmp(&a.time).then_with(|| a.id.cmp(&b.id)));
}

fn summary(mode: Option<&str>, cases: &[&Case], watched_hours: f64) -> ModeSummary {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let timed = count(cases.iter().filter(|case| case.time.is_some()).count());
    ModeSummary {
        mode: mode.map(str::to_owned),
        n: count(cases.len()),
        open: count(cases.iter().filter(|case| !case.closed).count()),
        assets: counted(cases.iter().filter_map(|case| case.asset.as_deref())),
        causes: counted(cases.iter().filter_map(|case| case.cause.as_deref())),
        items: counted(cases.iter().filter_map(|case| case.item.as_deref())),
        alarms: counted(cases.iter().flat_map(|case| case.alarms.iter().map(String::as_str))),
        first_seen: cases.iter().filter_map(|case| case.time).min(),
        last_seen: cases.iter().filter_map(|case| case.time).max(),
        mtbf: mtbf(timed, watched_hours),
        median_hours_to_restore: median(cases.iter().filter_map(|case| case.hours_to_restore).collect()),
        evidence: latest(cases.iter().flat_map(|case| case.positions.iter().copied())),
    }
}

/// Hours from each asset's first event with a time to the newest event time of all: the time without a failure at the end is watched, too.
fn watched_hours(known: &Known) -> f64 {
    let mut first: BTreeMap<&str, Timestamp> = BTreeMap::new();
    for case in &known.cases {
        if let (Some(asset), Some(time)) = (case.asset.as_deref(), case.time) {
            let begin = first.entry(asset).or_insert(time);
            *begin = (*begin).min(time);
        }
    }
    let Some(end) = known.horizon else { return 0.0 };
    first.values().map(|begin| end.duration_since(*begin).as_secs_f64().max(0.0) / 3600.0).sum()
}

/// Time over failures, with chi-square bounds: 2T / χ²(0.95; 2n + 2) to 2T / χ²(0.05; 2n), for an exponential time between failures.
fn mtbf(failures: u64, watched_hours: f64) -> Option<Mtbf> {
    if failures < 2 || watched_hours <= 0.0 {
        return None;
    }
    let n = real(failures);
    Some(Mtbf {
        hours: watched_hours / n,
        n: failures,
        watched_hours,
        low: 2.0 * watched_hours / chi_square(Z, 2.0 * n + 2.0),
        high: 2.0 * watched_hours / chi_square(-Z, 2.0 * n),
    })
}

/// The quantile of the chi-square distribution at the normal quantile `z` (Wilson and Hilferty, 1931); within 1 % from 4 degrees of freedom on.
fn chi_square(z: f64, degrees: f64) -> f64 {
    let part = 2.0 / (9.0 * degrees);
    degrees * (1.0 - part + z * part.sqrt()).powi(3)
}

#[cfg(test)]
#[path = "faults_tests.rs"]
mod tests;
