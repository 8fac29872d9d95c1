//! Ranks of an FMEA from figures: how often a mode happens, and how often it is noticed in time.
//!
//! The scales are data. Occurrence follows the words of the time-based alternative scale for processes of the AIAG & VDA FMEA Handbook (2019): more than once a shift, a day, a week, a
//! month, a year. That scale has words without a number at its ends (every time, once a year, never); the numbers there are ours. Detection has no scale of shares in the handbook: this one is
//! ours. Severity is a judgement, and follows from no count.

use serde::Serialize;

use crate::events::Rank;

/// A step of a scale: from this value on the rank is this one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Step {
    /// The least value.
    pub least: f64,
    /// The rank, from 1 to 10.
    pub rank: u8,
    /// In words, in Chinese.
    pub zh: &'static str,
    /// In words.
    pub en: &'static str,
}

const fn step(least: f64, rank: u8, zh: &'static str, en: &'static str) -> Step {
    Step { least, rank, zh, en }
}

/// O by failures a day at one asset, the highest rate first.
#[rustfmt::skip]
pub const OCCURRENCE: [Step; 10] = [
    step(24.0, 10, "每小时一次以上", "once an hour or more"),
    step(8.0, 9, "每班多次", "several times a shift"),
    step(3.0, 8, "每班一次以上", "more than once a shift"),
    step(1.0, 7, "每天一次以上", "more than once a day"),
    step(1.0 / 7.0, 6, "每周一次以上", "more than once a week"),
    step(12.0 / 365.25, 5, "每月一次以上", "more than once a month"),
    step(1.5 / 365.25, 4, "每年一次以上", "more than once a year"),
    step(0.75 / 365.25, 3, "约每年一次", "about once a year"),
    step(0.05 / 365.25, 2, "少于每年一次", "less than once a year"),
    step(0.0, 1, "二十年内不到一次", "less than once in twenty years"),
];

/// D by the share of episodes that were noticed before they did harm, the greatest share first.
#[rustfmt::skip]
pub const DETECTION: [Step; 10] = [
    step(0.999, 1, "几乎总能提前发现", "noticed in 99.9 % or more"),
    step(0.99, 2, "99% 以上提前发现", "noticed in 99 % or more"),
    step(0.97, 3, "97% 以上提前发现", "noticed in 97 % or more"),
    step(0.9, 4, "90% 以上提前发现", "noticed in 90 % or more"),
    step(0.8, 5, "80% 以上提前发现", "noticed in 80 % or more"),
    step(0.65, 6, "65% 以上提前发现", "noticed in 65 % or more"),
    step(0.5, 7, "一半以上提前发现", "noticed in half or more"),
    step(0.3, 8, "30% 以上提前发现", "noticed in 30 % or more"),
    step(0.1, 9, "10% 以上提前发现", "noticed in 10 % or more"),
    step(0.0, 10, "很少提前发现", "noticed in less than 10 %"),
];

/// The methods of ISO 14224 by which somebody who looks finds a failure before it does harm. By the others it is found by the harm, or by chance.
pub const FOUND_BY_LOOKING: [&str; 6] = [
    "periodic_maintenance",
    "functional_testing",
    "visual_inspection",
    "periodic_monitoring",
    "pressure_testing",
    "continuous_monitoring",
];

fn rank_of(scale: &[Step], value: f64) -> Option<Rank> {
    scale.iter().find(|step| value >= step.least).and_then(|step| Rank::new(step.rank))
}

/// O of a rate of failures by asset and day; `None` when it is no rate.
pub fn occurrence(per_day: f64) -> Option<Rank> {
    rank_of(&OCCURRENCE, per_day)
}

/// D of a share of episodes that were noticed in time; `None` when it is no share.
pub fn detection(share: f64) -> Option<Rank> {
    rank_of(&DETECTION, share).filter(|_| share <= 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scales_have_each_rank_once_and_in_order() {
        let ranks = |scale: &[Step]| scale.iter().map(|step| step.rank).collect::<Vec<_>>();
        assert_eq!(ranks(&OCCURRENCE), (1..=10).rev().collect::<Vec<_>>());
        assert_eq!(ranks(&DETECTION), (1..=10).collect::<Vec<_>>());
        for scale in [OCCURRENCE, DETECTION] {
            assert!(scale.windows(2).all(|pair| pair[0].least > pair[1].least));
            assert_eq!(scale[9].least, 0.0);
        }
        for method in FOUND_BY_LOOKING {
            assert!(crate::taxonomy::lookup_kind(crate::taxonomy::Kind::DetectionMethod, method).is_some(), "{method}");
        }
    }

    #[test]
    fn figures_have_the_rank_of_their_words() {
        let occurs = |per_day: f64| occurrence(per_day).map(Rank::get);
        assert_eq!(
            [2.0, 0.5, 1.0 / 20.0, 1.0 / 100.0, 1.0 / 365.25, 1.0 / 1000.0, 0.0].map(occurs),
            [7, 6, 5, 4, 3, 2, 1].map(Some)
        );
        assert_eq!([f64::INFINITY, 5.0, 9.0].map(occurs), [10, 8, 9].map(Some));
        assert_eq!([f64::NAN, -1.0].map(occurs), [None, None]);
        let detected = |share: f64| detection(share).map(Rank::get);
        assert_eq!([1.0, 0.95, 0.5, 0.05, 0.0].map(detected), [1, 4, 7, 10, 10].map(Some));
        assert_eq!([1.1, -0.1, f64::NAN].map(detected), [None; 3]);
    }
}
