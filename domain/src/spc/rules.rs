//! Rules that tell a signal from chance: Western Electric's four, and Nelson's further ones.

use serde::{Deserialize, Serialize};

/// A pattern that is rare in a process in control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// A point beyond three standard errors (Western Electric 1, Nelson 1).
    BeyondThreeSigma,
    /// Two of three successive points beyond two standard errors on one side (Western Electric 2, Nelson 5).
    TwoOfThreeBeyondTwoSigma,
    /// Four of five successive points beyond one standard error on one side (Western Electric 3, Nelson 6).
    FourOfFiveBeyondOneSigma,
    /// Eight successive points on one side of the centre (Western Electric 4; Nelson's second rule takes nine).
    EightOnOneSide,
    /// Six successive points that rise, or fall (Nelson 3).
    SixRisingOrFalling,
    /// Fourteen successive points that go up and down in turn (Nelson 4).
    FourteenAlternating,
    /// Fifteen successive points within one standard error (Nelson 7): strata are mixed, or the limits are too wide.
    FifteenWithinOneSigma,
    /// Eight successive points outside of one standard error on either side (Nelson 8): two processes are mixed.
    EightOutsideOneSigma,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 8] = [
        Self::BeyondThreeSigma,
        Self::TwoOfThreeBeyondTwoSigma,
        Self::FourOfFiveBeyondOneSigma,
        Self::EightOnOneSide,
        Self::SixRisingOrFalling,
        Self::FourteenAlternating,
        Self::FifteenWithinOneSigma,
        Self::EightOutsideOneSigma,
    ];

    /// The rules of Western Electric (1956).
    pub const WESTERN_ELECTRIC: [Self; 4] =
        [Self::BeyondThreeSigma, Self::TwoOfThreeBeyondTwoSigma, Self::FourOfFiveBeyondOneSigma, Self::EightOnOneSide];

    /// How many successive points it looks at.
    pub const fn window(self) -> usize {
        match self {
            Self::BeyondThreeSigma => 1,
            Self::TwoOfThreeBeyondTwoSigma => 3,
            Self::FourOfFiveBeyondOneSigma => 5,
            Self::SixRisingOrFalling => 6,
            Self::EightOnOneSide | Self::EightOutsideOneSigma => 8,
            Self::FourteenAlternating => 14,
            Self::FifteenWithinOneSigma => 15,
        }
    }

    /// Whether the last of these points, as standard scores, completes the pattern. Of a rule "k of n" the last point is one of the k.
    fn is_met(self, window: &[f64]) -> bool {
        let Some(last) = window.last() else { return false };
        let sided = |beyond: f64, least: usize| {
            let side = last.signum();
            last.abs() > beyond && window.iter().filter(|z| *z * side > beyond).count() >= least
        };
        let steps = || window.windows(2).filter_map(|pair| Some(pair.last()? - pair.first()?));
        match self {
            Self::BeyondThreeSigma => last.abs() > 3.0,
            Self::TwoOfThreeBeyondTwoSigma => sided(2.0, 2),
            Self::FourOfFiveBeyondOneSigma => sided(1.0, 4),
            Self::EightOnOneSide => sided(0.0, 8),
            Self::SixRisingOrFalling => steps().all(|step| step > 0.0) || steps().all(|step| step < 0.0),
            Self::FourteenAlternating => {
                let steps: Vec<f64> = steps().collect();
                steps.windows(2).all(|pair| matches!(pair, [before, after] if before * after < 0.0))
            }
            Self::FifteenWithinOneSigma => window.iter().all(|z| z.abs() < 1.0),
            Self::EightOutsideOneSigma => window.iter().all(|z| z.abs() > 1.0),
        }
    }
}

/// A rule that a point completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// Which point, from 0: the last one of the pattern.
    pub index: usize,
    /// Which rule.
    pub rule: Rule,
}

/// The signals of a chart, by point and rule. The scores say how many standard errors each point lies from the centre ([`super::Point::z`]); a point that is
/// missing breaks every run.
pub fn signals(scores: &[Option<f64>], rules: &[Rule]) -> Vec<Signal> {
    let mut found = Vec::new();
    let mut run: Vec<f64> = Vec::new();
    for (index, score) in scores.iter().enumerate() {
        let Some(z) = score.filter(|z| !z.is_nan()) else {
            run.clear();
            continue;
        };
        run.push(z);
        for rule in rules {
            let window = run.len().checked_sub(rule.window()).and_then(|first| run.get(first..));
            if window.is_some_and(|window| rule.is_met(window)) {
                found.push(Signal { index, rule: *rule });
            }
        }
    }
    found
}
