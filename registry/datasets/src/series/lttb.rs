//! Largest triangle, three buckets: the points of a line that an eye would miss most (S. Steinarsson, Downsampling Time Series for Visual Representation, 2013).

/// The most points that one call looks at.
pub const MAX_LTTB_POINTS: usize = 5_000_000;

/// Which of the points, which ascend by time (nanoseconds since 1970), to keep: the first one, the last one, and of each bucket between them the one that makes the largest
/// triangle with the one before and the mean of the bucket behind. All of them, when there are no more than `count`.
pub fn largest_triangles(points: &[(i64, f64)], count: usize) -> Vec<usize> {
    let total = points.len();
    if count >= total {
        return (0..total).collect();
    }
    if count < 3 {
        return [0, total - 1].into_iter().take(count).collect();
    }
    let first_ns = points.first().map_or(0, |point| point.0);
    #[expect(
        clippy::cast_precision_loss,
        reason = "areas are compared, and only roughly equal ones could be taken for each other"
    )]
    let at = |index: usize| {
        points.get(index).map_or((0.0, 0.0), |(time_ns, value)| (time_ns.saturating_sub(first_ns) as f64 / 1e9, *value))
    };
    // The bucket with this number among those between the first and the last point.
    let bucket = |number: usize| {
        let bound = |number: usize| 1 + number * (total - 2) / (count - 2);
        bound(number)..bound(number + 1).min(total - 1)
    };
    let mut kept = Vec::with_capacity(count);
    kept.push(0);
    let mut before = at(0);
    for number in 0..count - 2 {
        let behind = if number + 1 < count - 2 { bucket(number + 1) } else { total - 1..total };
        #[expect(clippy::cast_precision_loss, reason = "a count of points")]
        let size = behind.len() as f64;
        let sum = behind.map(at).fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
        let mean = (sum.0 / size, sum.1 / size);
        let area = |index: usize| {
            let point = at(index);
            ((before.0 - mean.0) * (point.1 - before.1) - (before.0 - point.0) * (mean.1 - before.1)).abs()
        };
        // Of equal triangles the first one counts.
        let mut best: Option<(usize, f64)> = None;
        for index in bucket(number) {
            let area = area(index);
            if best.is_none_or(|(_, most)| area > most) {
                best = Some((index, area));
            }
        }
        if let Some((index, _)) = best {
            kept.push(index);
            before = at(index);
        }
    }
    kept.push(total - 1);
    kept
}
