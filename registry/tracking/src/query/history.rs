//! The history of metrics. It is not in memory: it is read from the run's stream in the log.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::Arc;

use domain::Event;
use domain::events::{MetricPoint, Real};
use eventlog::{Direction, MAX_PAGE, Revision, StreamId};
use parking_lot::Mutex;
use projections::Entry;

use crate::commands::find_run;
use crate::error::TrackingError;
use crate::search::{PageToken, QueryDigest};
use crate::state::rows::ordered;
use crate::tracking::Tracking;
use crate::view::{MetricHistory, RunPoints};

/// The most points in one answer, and how many are answered when nobody says how many.
pub const MAX_HISTORY: usize = 25_000;

/// The most runs in one question for sampled histories.
pub const MAX_RUNS_OF_HISTORIES: usize = 100;

/// The most steps of a sampled history, but for the first and last step of each run.
pub const MAX_SAMPLED_STEPS: usize = 2_500;

/// How many histories are kept for the next page or the next question, and how many points they have together at most (24 bytes each).
const MAX_KEPT: usize = 64;
const MAX_KEPT_POINTS: usize = 1_000_000;

#[derive(Clone, Copy, Debug)]
struct Point {
    at_ms: i64,
    step: i64,
    value: f64,
}

impl Point {
    fn compare(&self, other: &Self) -> std::cmp::Ordering {
        let order = (self.at_ms, self.step).cmp(&(other.at_ms, other.step));
        let values = || ordered(self.value).total_cmp(&ordered(other.value));
        order.then_with(values).then_with(|| self.value.is_nan().cmp(&other.value.is_nan()))
    }

    fn view(self, key: &str) -> MetricPoint {
        let (logged_model, dataset, dataset_digest) = (None, None, None);
        MetricPoint {
            key: key.to_owned(),
            value: Real(self.value),
            at_ms: self.at_ms,
            step: self.step,
            logged_model,
            dataset,
            dataset_digest,
        }
    }
}

/// A history as far as it was read.
#[derive(Clone)]
struct Kept {
    run: String,
    key: String,
    /// The first revision of the run's stream that is not in it.
    next: Revision,
    points: Arc<Vec<Point>>,
}

/// Histories that were asked for lately: what is new of them is read on from where they end.
#[derive(Default)]
pub(crate) struct Histories(Mutex<VecDeque<Kept>>);

impl Histories {
    fn get(&self, run: &str, key: &str) -> Option<Kept> {
        self.0.lock().iter().find(|kept| kept.run == run && kept.key == key).cloned()
    }

    fn keep(&self, new: Kept) {
        let mut kept = self.0.lock();
        kept.retain(|other| other.run != new.run || other.key != new.key);
        if new.points.len() > MAX_KEPT_POINTS {
            return;
        }
        kept.push_front(new);
        let mut points = 0;
        let fit = kept.iter().take(MAX_KEPT).take_while(|kept| {
            points += kept.points.len();
            points <= MAX_KEPT_POINTS
        });
        let fit = fit.count();
        kept.truncate(fit);
    }
}

impl Tracking {
    /// The history of a metric of a run, deleted or not: points by time, step and value, each once. At most [`MAX_HISTORY`] at a time, and so many when `max_results` does not
    /// say fewer. A metric that was never logged has an empty history. The whole history of the metric is held in memory while it is asked for, 24 bytes a point.
    ///
    /// # Errors
    /// [`TrackingError::NotFound`] for an unknown run, [`TrackingError::Invalid`] for a bad page token or number, [`TrackingError::Read`].
    pub async fn metric_history(
        &self,
        run: &str,
        key: &str,
        max_results: Option<i64>,
        page_token: Option<&str>,
    ) -> Result<MetricHistory, TrackingError> {
        let limit = super::limit(max_results, MAX_HISTORY)?.min(MAX_HISTORY);
        let digest = QueryDigest::of(["history", run, key]);
        let token = PageToken::decode(page_token.unwrap_or_default(), &digest)?;
        let offset = token.map_or(0, |token| token.offset);
        let all = self.history(run, key).await?;
        let points: Vec<MetricPoint> = all.iter().skip(offset).take(limit).map(|point| point.view(key)).collect();
        let shown = offset.saturating_add(points.len());
        let next = (shown < all.len()).then(|| PageToken { offset: shown, last: String::new() }.encode(&digest));
        Ok(MetricHistory { points, next_page_token: next })
    }

    /// The histories of a metric of several runs, sampled at the same steps: at most `max_results` steps (1 to [`MAX_SAMPLED_STEPS`]) between `first` and `last`, and the
    /// first and last step of each run among them. Points by step, time and value; at most [`MAX_HISTORY`] for each run.
    ///
    /// # Errors
    /// As [`metric_history`](Self::metric_history); [`TrackingError::Invalid`] for more than [`MAX_RUNS_OF_HISTORIES`] runs, or a span that ends before it begins.
    pub async fn sampled_histories(
        &self,
        runs: &[String],
        key: &str,
        span: Option<(i64, i64)>,
        max_results: Option<i64>,
    ) -> Result<Vec<RunPoints>, TrackingError> {
        if runs.len() > MAX_RUNS_OF_HISTORIES {
            return Err(TrackingError::invalid(format!(
                "GetMetricHistoryBulkInterval request must specify at most {MAX_RUNS_OF_HISTORIES} run_ids. Received {} run_ids.",
                runs.len()
            )));
        }
        let most = max_results.map_or(Some(MAX_SAMPLED_STEPS), |most| usize::try_from(most).ok());
        let Some(most) = most.filter(|most| (1..=MAX_SAMPLED_STEPS).contains(most)) else {
            return Err(TrackingError::invalid(format!("max_results must be between 1 and {MAX_SAMPLED_STEPS}.")));
        };
        if let Some((first, last)) = span
            && first > last
        {
            return Err(TrackingError::invalid(format!(
                "end_step must be greater than start_step. Found start_step={first} and end_step={last}."
            )));
        }
        let mut histories = Vec::with_capacity(runs.len());
        for run in runs {
            histories.push((run, self.history(run, key).await?));
        }
        let steps = sampled(histories.iter().map(|(_, points)| points.as_slice()), span, most);
        let sample = |(run, points): &(&String, Arc<Vec<Point>>)| {
            let mut points: Vec<Point> = points.iter().filter(|point| steps.contains(&point.step)).copied().collect();
            points.sort_by(|a, b| a.step.cmp(&b.step).then_with(|| a.compare(b)));
            let points = points.into_iter().take(MAX_HISTORY).map(|point| point.view(key)).collect();
            RunPoints { run: (*run).clone(), points }
        };
        Ok(histories.iter().map(sample).collect())
    }

    async fn history(&self, run: &str, key: &str) -> Result<Arc<Vec<Point>>, TrackingError> {
        let last = self.read(|state| find_run(state, run).map(|(_, row)| Revision::new(row.revision)))?;
        let kept = self.histories.get(run, key);
        let (mut next, known) = match kept {
            Some(kept) if kept.next > last => return Ok(kept.points),
            Some(kept) => (kept.next, kept.points),
            None => (Revision::START, Arc::default()),
        };
        let mut points = Vec::new();
        let stream = StreamId::of("run", run)?;
        loop {
            let page = self.log.read_stream(stream.clone(), next, Direction::Forward, MAX_PAGE).await?;
            let following = page.next;
            for record in page {
                next = record.revision.next();
                if let Some(Event::RunLogged(logged)) = Entry::decode(record).event() {
                    let matching = logged.metrics.iter().filter(|point| point.key == key);
                    points.extend(matching.map(|p| Point { at_ms: p.at_ms, step: p.step, value: p.value.0 }));
                }
            }
            match following {
                Some(following) => next = following,
                None => break,
            }
        }
        let points = if points.is_empty() {
            known
        } else {
            points.extend_from_slice(&known);
            points.sort_by(Point::compare);
            points.dedup_by(|a, b| a.compare(b).is_eq());
            Arc::new(points)
        };
        self.histories.keep(Kept { run: run.to_owned(), key: key.to_owned(), next, points: Arc::clone(&points) });
        Ok(points)
    }
}

/// The steps at which histories are shown: evenly many of those that any run has within the span, and the first and last of each run.
fn sampled<'a>(histories: impl Iterator<Item = &'a [Point]>, span: Option<(i64, i64)>, most: usize) -> HashSet<i64> {
    let (mut all, mut ends) = (BTreeSet::new(), Vec::new());
    for points in histories {
        let steps = || points.iter().map(|point| point.step);
        all.extend(steps());
        ends.extend(steps().min());
        ends.extend(steps().max());
    }
    let (first, last) = span.unwrap_or((0, all.last().copied().unwrap_or(0)));
    let within = |step: &i64| (first..=last).contains(step);
    let steps: Vec<i64> = all.into_iter().filter(within).collect();
    let mut chosen: HashSet<i64> = if steps.len() <= most {
        steps.iter().copied().collect()
    } else {
        (0..most).filter_map(|part| steps.get(part * steps.len() / most)).chain(steps.last()).copied().collect()
    };
    chosen.extend(ends.iter().filter(|step| within(step)));
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(steps: impl Iterator<Item = i64>) -> Vec<Point> {
        steps.map(|step| Point { at_ms: step, step, value: 0.0 }).collect()
    }

    fn sorted(steps: HashSet<i64>) -> Vec<i64> {
        let mut steps: Vec<i64> = steps.into_iter().collect();
        steps.sort_unstable();
        steps
    }

    #[test]
    fn steps_are_sampled_evenly_and_no_run_loses_its_ends() {
        let (long, short) = (points(0..100), points([7, 9].into_iter()));
        let both = || [long.as_slice(), short.as_slice()].into_iter();
        assert_eq!(sorted(sampled(both(), None, 4)), [0, 7, 9, 25, 50, 75, 99]);
        assert_eq!(sorted(sampled(both(), Some((8, 12)), 100)), [8, 9, 10, 11, 12]);
        assert_eq!(sorted(sampled(both(), Some((8, 40)), 2)), [8, 9, 24, 40]);
        assert!(sampled([].into_iter(), None, 4).is_empty());
        let negative = points(-5..3);
        assert_eq!(sorted(sampled([negative.as_slice()].into_iter(), None, 10)), [0, 1, 2]);
    }
}
