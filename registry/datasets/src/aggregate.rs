//! Numbers made of the readings of a window. Sums go in the order of time, so that equal readings give equal bits.

use crate::spec::Aggregate;

/// A reading of a window: nanoseconds since 1970, and the value.
pub(crate) type Point = (i64, f64);

/// What an aggregate makes of the points, which ascend by time. `scratch` is for whoever must sort.
pub(crate) fn aggregate(kind: Aggregate, points: &[Point], scratch: &mut Vec<f64>) -> Option<f64> {
    if kind == Aggregate::Count {
        return Some(count(points));
    }
    let (first, last) = (points.first()?.1, points.last()?.1);
    match kind {
        Aggregate::Count => Some(count(points)),
        Aggregate::First => Some(first),
        Aggregate::Last => Some(last),
        Aggregate::Min => Some(least(points)),
        Aggregate::Max => Some(greatest(points)),
        Aggregate::Range => Some(greatest(points) - least(points)),
        Aggregate::Mean => Some(mean(points)),
        Aggregate::Std => deviation(points),
        Aggregate::Slope => slope(points),
        Aggregate::Percentile(percent) => percentile(points, percent, scratch),
    }
    // A sum of finite numbers may be none.
    .filter(|value| value.is_finite())
}

#[expect(clippy::cast_precision_loss, reason = "a window holds far fewer than 2^52 readings")]
fn count(points: &[Point]) -> f64 {
    points.len() as f64
}

fn least(points: &[Point]) -> f64 {
    points.iter().map(|(_, value)| *value).fold(f64::INFINITY, f64::min)
}

fn greatest(points: &[Point]) -> f64 {
    points.iter().map(|(_, value)| *value).fold(f64::NEG_INFINITY, f64::max)
}

pub(crate) fn mean(points: &[Point]) -> f64 {
    points.iter().map(|(_, value)| *value).fold(0.0, |sum, value| sum + value) / count(points)
}

fn deviation(points: &[Point]) -> Option<f64> {
    if points.len() < 2 {
        return None;
    }
    let mean = mean(points);
    let squares = points.iter().fold(0.0, |sum, (_, value)| sum + (value - mean) * (value - mean));
    Some((squares / (count(points) - 1.0)).sqrt())
}

fn slope(points: &[Point]) -> Option<f64> {
    let first_ns = points.first()?.0;
    #[expect(
        clippy::cast_precision_loss,
        reason = "within a window, seconds as floating-point numbers are exact to well below a microsecond"
    )]
    let seconds = |time_ns: i64| time_ns.saturating_sub(first_ns) as f64 / 1e9;
    let mean_s = points.iter().fold(0.0, |sum, (time_ns, _)| sum + seconds(*time_ns)) / count(points);
    let mean = mean(points);
    let (mut above, mut below) = (0.0, 0.0);
    for (time_ns, value) in points {
        let apart = seconds(*time_ns) - mean_s;
        above += apart * (value - mean);
        below += apart * apart;
    }
    (below > 0.0).then(|| above / below)
}

fn percentile(points: &[Point], percent: f64, scratch: &mut Vec<f64>) -> Option<f64> {
    scratch.clear();
    scratch.extend(points.iter().map(|(_, value)| *value));
    scratch.sort_unstable_by(f64::total_cmp);
    let at = (count(points) - 1.0) * percent / 100.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the number of readings")]
    let (below, part) = (at.floor() as usize, at - at.floor());
    let low = *scratch.get(below)?;
    let high = scratch.get(below + 1).copied().unwrap_or(low);
    Some(low + (high - low) * part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Aggregate, values: &[f64], expected: Option<f64>) {
        let points: Vec<Point> = (0_i64..).map(|second| second * 1_000_000_000).zip(values.iter().copied()).collect();
        let got = aggregate(kind, &points, &mut Vec::new());
        let near = match (got, expected) {
            (Some(got), Some(expected)) => (got - expected).abs() < 1e-12,
            (got, expected) => got == expected,
        };
        assert!(near, "{kind:?} of {values:?} is {got:?}, not {expected:?}");
    }

    #[test]
    fn aggregates_are_what_their_names_say() {
        let values = [4.0, 1.0, 7.0, 2.0];
        check(Aggregate::Mean, &values, Some(3.5));
        check(Aggregate::Min, &values, Some(1.0));
        check(Aggregate::Max, &values, Some(7.0));
        check(Aggregate::Range, &values, Some(6.0));
        check(Aggregate::First, &values, Some(4.0));
        check(Aggregate::Last, &values, Some(2.0));
        check(Aggregate::Count, &values, Some(4.0));
        check(Aggregate::Std, &values, Some(7.0_f64.sqrt()));
        check(Aggregate::Percentile(50.0), &values, Some(3.0));
        check(Aggregate::Percentile(100.0), &values, Some(7.0));
        check(Aggregate::Slope, &[1.0, 3.0, 5.0], Some(2.0));
    }

    #[test]
    fn too_few_readings_give_nothing() {
        check(Aggregate::Mean, &[], None);
        check(Aggregate::Count, &[], Some(0.0));
        check(Aggregate::Std, &[1.0], None);
        check(Aggregate::Slope, &[1.0], None);
        check(Aggregate::Percentile(90.0), &[5.0], Some(5.0));
        check(Aggregate::Mean, &[f64::MAX, f64::MAX], None);
    }
}
