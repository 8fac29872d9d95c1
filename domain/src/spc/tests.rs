use proptest::prelude::*;

use super::*;
use crate::statistics::{LEVEL, Summary};

fn close(name: &str, found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{name} is {found}, not {expected}");
}

fn singles(values: &[f64]) -> Vec<MeasuredSubgroup> {
    values.iter().map(|value| MeasuredSubgroup::new("", [*value])).collect()
}

/// Montgomery, Introduction to Statistical Quality Control, appendix VI.
#[test]
fn factors_agree_with_the_tables() {
    for (size, a2, d3, d4, a3, b3, b4, c4) in [
        (2, 1.880, 0.0, 3.267, 2.659, 0.0, 3.267, 0.7979),
        (5, 0.577, 0.0, 2.114, 1.427, 0.0, 2.089, 0.9400),
        (7, 0.419, 0.076, 1.924, 1.182, 0.118, 1.882, 0.9594),
        (10, 0.308, 0.223, 1.777, 0.975, 0.284, 1.716, 0.9727),
        (25, 0.153, 0.459, 1.541, 0.606, 0.565, 1.435, 0.9896),
    ] {
        let factors = Factors::of(size).unwrap();
        close("A2", factors.a2(), a2, 1e-3);
        close("D3", factors.lower_range(), d3, 1e-3);
        close("D4", factors.upper_range(), d4, 2e-3);
        close("A3", factors.a3(), a3, 6e-4);
        close("B3", factors.lower_deviation(), b3, 6e-4);
        close("B4", factors.upper_deviation(), b4, 6e-4);
        close("c4", factors.c4, c4, 6e-5);
    }
    assert_eq!(Factors::of(1), None);
    assert_eq!(Factors::of(26), None);
}

/// NIST/SEMATECH e-Handbook 6.3.2.2: ten flow rates, mean 50.81, mean moving range 1.8778, limits 45.8159 and 55.8041. Ten values are too few for us to freeze
/// limits from; repeated three times with segments of ten, they give the same ranges.
#[test]
fn individuals_agree_with_nist() {
    let rates = [49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1];
    assert_eq!(VariableLimits::freeze(&singles(&rates)), Err(NoLimits::NotEnough { found: 10 }));
    let subgroups: Vec<MeasuredSubgroup> =
        ["a", "b", "c"].iter().flat_map(|beam| rates.map(|rate| MeasuredSubgroup::new(beam, [rate]))).collect();
    let limits = VariableLimits::freeze(&subgroups).unwrap();
    assert_eq!((limits.spread, limits.subgroups, limits.values), (SpreadChart::MovingRange, 30, 30));
    let point = limits.locations(&subgroups)[0].unwrap();
    close("center", point.center, 50.81, 1e-9);
    close("upper", point.upper, 55.8041, 5e-5);
    close("lower", point.lower, 45.8159, 5e-5);
    let ranges = limits.spreads(&subgroups);
    assert_eq!(ranges.iter().filter(|range| range.is_none()).count(), 3, "the first of each beam has no range");
    close("mean range", ranges[1].unwrap().center, 1.8778, 5e-5);
    close("upper range", ranges[1].unwrap().upper, 3.267 * 1.8778, 5e-3);
    // The step from one beam to the next is no variation of the process; as one segment it would be.
    let joined: Vec<MeasuredSubgroup> =
        subgroups.iter().map(|group| MeasuredSubgroup::new("", group.values.clone())).collect();
    assert!(VariableLimits::freeze(&joined).unwrap().sigma > limits.sigma);
}

/// Montgomery, table 6.1: X̿ = 1.5056 and R̄ = 0.32521 of 25 samples of five flow widths give 1.31795 and 1.69325, and 0.68749 for the range. Samples with this mean
/// and range stand for the table.
#[test]
fn means_and_ranges_agree_with_montgomery() {
    let half = 0.32521 / 2.0;
    let sample = [1.5056 - half, 1.5056, 1.5056, 1.5056, 1.5056 + half];
    let subgroups = vec![MeasuredSubgroup::new("wafers", sample); 25];
    let limits = VariableLimits::freeze(&subgroups).unwrap();
    assert_eq!(limits.spread, SpreadChart::Range);
    let (mean, range) = (limits.locations(&subgroups)[0].unwrap(), limits.spreads(&subgroups)[0].unwrap());
    close("upper mean", mean.upper, 1.693_25, 1e-4);
    close("lower mean", mean.lower, 1.317_95, 1e-4);
    close("range", range.center, 0.325_21, 1e-9);
    close("upper range", range.upper, 0.687_49, 2e-4);
    close("lower range", range.lower, 0.0, 1e-12);
    close("sigma", limits.sigma, 0.1398, 5e-5);
}

/// Montgomery, example 6.3: X̿ = 74.001 and s̄ = 0.0094 of 25 samples of five piston rings give 73.988 and 74.014, and 0.0196 for s.
#[test]
fn means_and_deviations_agree_with_montgomery() {
    // Five values with this mean and this deviation.
    let step = 0.0094 / 2.5_f64.sqrt();
    let sample = [-2.0, -1.0, 0.0, 1.0, 2.0].map(|place| 74.001 + place * step);
    let subgroups = vec![MeasuredSubgroup::new("rings", sample); 25];
    let limits = VariableLimits::freeze_with(&subgroups, SpreadChart::Deviation).unwrap();
    let (mean, deviation) = (limits.locations(&subgroups)[0].unwrap(), limits.spreads(&subgroups)[0].unwrap());
    close("upper mean", mean.upper, 74.014, 5e-4);
    close("lower mean", mean.lower, 73.988, 5e-4);
    close("upper deviation", deviation.upper, 0.0196, 5e-5);
    close("lower deviation", deviation.lower, 0.0, 1e-12);
}

/// NIST/SEMATECH e-Handbook 6.3.3.2: thirty wafers of fifty chips; 0.2313 with limits 0.0524 and 0.4102.
#[test]
fn shares_agree_with_nist() {
    let shares = [
        0.24, 0.30, 0.16, 0.20, 0.08, 0.14, 0.32, 0.18, 0.28, 0.20, 0.10, 0.12, 0.34, 0.24, 0.44, 0.16, 0.20, 0.10,
        0.26, 0.22, 0.40, 0.36, 0.48, 0.30, 0.18, 0.24, 0.14, 0.26, 0.18, 0.12,
    ];
    let wafers: Vec<CountedSubgroup> =
        shares.iter().map(|share| CountedSubgroup::new((share * 50.0_f64).round(), 50.0)).collect();
    let limits = AttributeLimits::freeze(AttributeChart::P, &wafers).unwrap();
    let points = limits.points(&wafers);
    close("center", limits.center, 0.2313, 5e-5);
    close("lower", points[0].lower, 0.0524, 5e-5);
    close("upper", points[0].upper, 0.4102, 5e-5);
    let scores: Vec<Option<f64>> = points.iter().map(|point| Some(point.z)).collect();
    let beyond: Vec<usize> = signals(&scores, &[Rule::BeyondThreeSigma]).iter().map(|signal| signal.index).collect();
    assert_eq!(beyond, [14, 22], "wafers 15 and 23 lie above the limit");
    // The chart of numbers is the same chart, fifty times as large.
    let numbers = AttributeLimits::freeze(AttributeChart::Np, &wafers).unwrap().point(&wafers[14]);
    close("number", numbers.value, 22.0, 1e-12);
    close("upper number", numbers.upper, 50.0 * points[14].upper, 1e-9);
    close("score", numbers.z, points[14].z, 1e-12);
}

/// NIST/SEMATECH e-Handbook 6.3.3.1: defects on twenty-five wafers; 16 with limits 4 and 28, and wafers 3 and 24 at or beyond the upper one.
#[test]
fn counts_agree_with_nist() {
    let defects = [
        16.0, 14.0, 28.0, 16.0, 12.0, 20.0, 10.0, 12.0, 10.0, 17.0, 19.0, 17.0, 14.0, 16.0, 15.0, 13.0, 14.0, 16.0,
        11.0, 20.0, 11.0, 19.0, 16.0, 31.0, 13.0,
    ];
    let wafers: Vec<CountedSubgroup> = defects.iter().map(|count| CountedSubgroup::new(*count, 1.0)).collect();
    let limits = AttributeLimits::freeze(AttributeChart::C, &wafers).unwrap();
    let points = limits.points(&wafers);
    assert_eq!((points[0].lower, points[0].center, points[0].upper), (4.0, 16.0, 28.0));
    let scores: Vec<Option<f64>> = points.iter().map(|point| Some(point.z)).collect();
    assert_eq!(signals(&scores, &[Rule::BeyondThreeSigma]), [Signal { index: 23, rule: Rule::BeyondThreeSigma }]);
    // The same defects on areas of four: a u chart has the rate, and limits by area.
    let rolls: Vec<CountedSubgroup> = defects.iter().map(|count| CountedSubgroup::new(*count, 4.0)).collect();
    let rate = AttributeLimits::freeze(AttributeChart::U, &rolls).unwrap().point(&rolls[23]);
    assert_eq!((rate.value, rate.center, rate.lower, rate.upper), (7.75, 4.0, 1.0, 7.0));
}

/// Laney's σz by its definition (Laney 2002; Minitab, methods and formulas for Laney P′): the mean moving range of z scores by 1.128 widens the limits.
#[test]
fn laney_widens_the_limits_of_large_subgroups() {
    // Thirty days of about 10,000 pieces whose share itself moves between 8 % and 12 %.
    let shares = [0.08, 0.11, 0.10, 0.12, 0.09];
    let days: Vec<CountedSubgroup> =
        (0..30).map(|day| CountedSubgroup::new(shares[day % 5] * 10_000.0, 10_000.0)).collect();
    let plain = AttributeLimits::freeze(AttributeChart::P, &days).unwrap();
    let laney = AttributeLimits::freeze(AttributeChart::LaneyP, &days).unwrap();
    let steps = [0.03, 0.01, 0.02, 0.03, 0.01];
    let mean: f64 = (0..29).map(|step| steps[step % 5]).sum::<f64>() / 29.0;
    let sigma_z = mean / (0.1 * 0.9 / 10_000.0_f64).sqrt() / 1.128;
    close("sigma z", laney.sigma_z, sigma_z, 1e-9);
    let outside = |limits: &AttributeLimits| limits.points(&days).iter().filter(|point| point.z.abs() > 3.0).count();
    assert_eq!((outside(&plain), outside(&laney)), (24, 0));
    let (found, matters) = attributes::overdispersion(AttributeChart::P, &days).unwrap();
    assert!(matters);
    close("found", found, sigma_z, 1e-9);
}

/// NIST/SEMATECH e-Handbook 6.1.6: limits 8 and 20, mean 16, deviation 2: Cp 1.0 and Cpk 0.6667.
#[test]
fn capability_agrees_with_nist() {
    let values = Summary { n: 50, mean: 16.0, squares: 49.0 * 4.0 };
    let both = Specification { lower: Some(8.0), upper: Some(20.0) };
    let found = capability(&values, Some(2.0), both, LEVEL).unwrap();
    close("Cp", found.cp.unwrap(), 1.0, 1e-12);
    close("Cpk", found.cpk.unwrap(), 0.666_7, 5e-5);
    let (pp, ppk) = (found.pp.unwrap(), found.ppk.unwrap());
    close("Pp", pp.value, 1.0, 1e-12);
    // NIST: with n = 50 and 95 %, the bounds of Cp are Cp √(χ²(α/2; 49) / 49): 0.8026 and 1.1970.
    close("low", pp.low, (31.555_f64 / 49.0).sqrt(), 1e-4);
    close("high", pp.high, (70.222_f64 / 49.0).sqrt(), 1e-4);
    // NIST: Cpk ± z √(1 / 9n + Cpk² / 2(n − 1)): 0.6667 ± 1.96 × 0.0823.
    close("half width", ppk.high - ppk.value, 1.959_96 * (1.0 / 450.0 + 0.444_444_f64 / 98.0).sqrt(), 1e-5);
    let above = capability(&values, Some(2.0), Specification { upper: Some(20.0), lower: None }, LEVEL).unwrap();
    assert_eq!((above.cp, above.pp), (None, None));
    close("one side", above.cpk.unwrap(), 0.666_7, 5e-5);
    assert_eq!(capability(&values, None, Specification::default(), LEVEL), None);
    assert_eq!(capability(&values, None, Specification { lower: Some(9.0), upper: Some(8.0) }, LEVEL), None);
}

#[test]
fn each_rule_has_its_pattern_and_its_near_miss() {
    let check = |rule: Rule, pattern: &[f64], near: &[f64]| {
        let found = |scores: &[f64]| {
            let scores: Vec<Option<f64>> = scores.iter().copied().map(Some).collect();
            signals(&scores, &[rule]).into_iter().map(|signal| signal.index).collect::<Vec<_>>()
        };
        assert_eq!(found(pattern), [pattern.len() - 1], "{rule:?}");
        assert!(found(near).is_empty(), "{rule:?}");
        let turned: Vec<f64> = pattern.iter().map(|z| -z).collect();
        assert_eq!(found(&turned), [pattern.len() - 1], "{rule:?} on the other side");
    };
    check(Rule::BeyondThreeSigma, &[0.0, 3.01], &[3.0, -3.0]);
    check(Rule::TwoOfThreeBeyondTwoSigma, &[2.1, 0.0, 2.1], &[2.1, 0.0, 0.0, 2.1, -2.1, 0.0]);
    check(Rule::FourOfFiveBeyondOneSigma, &[1.1, 1.1, 0.0, 1.1, 1.1], &[1.1, 1.1, 0.0, 1.1, 0.9, 1.1, 1.1]);
    check(Rule::EightOnOneSide, &[0.1; 8], &[0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.0, 0.1]);
    check(Rule::SixRisingOrFalling, &[0.0, 0.1, 0.2, 0.3, 0.4, 0.5], &[0.0, 0.1, 0.2, 0.3, 0.4, 0.4, 0.5]);
    let zigzag: Vec<f64> = (0..14).map(|i| if i % 2 == 0 { 0.1 } else { -0.1 }).collect();
    check(Rule::FourteenAlternating, &zigzag, &zigzag[..13]);
    check(
        Rule::FifteenWithinOneSigma,
        &[0.5; 15],
        &[0.5, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5],
    );
    check(
        Rule::EightOutsideOneSigma,
        &[1.1, -1.1, 1.1, -1.1, 1.1, 1.1, -1.1, 1.1],
        &[1.1, -1.1, 1.1, 0.9, 1.1, 1.1, -1.1, 1.1, -1.1],
    );
}

/// How rare each rule is by chance: 100,000 independent normal scores from a fixed generator against the probabilities of the patterns.
#[test]
fn rules_are_rare_by_chance() {
    let mut state = 42_u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    };
    let scores: Vec<Option<f64>> = (0..100_000)
        .map(|_| Some((-2.0 * uniform().ln()).sqrt() * (2.0 * std::f64::consts::PI * uniform()).cos()))
        .collect();
    let found = signals(&scores, &Rule::ALL);
    let share = |rule: Rule| found.iter().filter(|signal| signal.rule == rule).count() as f64 / 100_000.0;
    close("beyond three", share(Rule::BeyondThreeSigma), 0.0027, 0.0006);
    // Twice P(Z > 2) times P(at least one of the two before lies there): 2 × 0.02275 × 0.04498.
    close("two of three", share(Rule::TwoOfThreeBeyondTwoSigma), 0.002_05, 0.0006);
    close("eight on one side", share(Rule::EightOnOneSide), 2.0 / 256.0, 0.0015);
    // 6! orders, two of which rise or fall.
    close("six rising", share(Rule::SixRisingOrFalling), 2.0 / 720.0, 0.0008);
    close("fifteen within", share(Rule::FifteenWithinOneSigma), 0.6827_f64.powi(15), 0.0015);
    close("eight outside", share(Rule::EightOutsideOneSigma), 0.3173_f64.powi(8), 0.0005);
}

#[test]
fn a_dependent_series_has_residuals_that_are_not() {
    let mut state = 7_u64;
    let mut noise = || {
        let mut sum = 0.0;
        for _ in 0..12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            sum += (state >> 11) as f64 / (1_u64 << 53) as f64;
        }
        sum - 6.0
    };
    let mut subgroups = Vec::new();
    for beam in ["B-1", "B-2", "B-3"] {
        let mut value = 0.0;
        for _ in 0..200 {
            value = 0.7 * value + noise();
            subgroups.push(MeasuredSubgroup::new(beam, [10.0 + value]));
        }
    }
    let found = autocorrelation(&subgroups).unwrap();
    close("coefficient", found.coefficient, 0.7, 0.1);
    assert!(found.matters());
    let mean: Summary = subgroups.iter().flat_map(|group| group.values.iter().copied()).collect();
    let rest = residuals(&subgroups, mean.mean, found.coefficient);
    assert_eq!(rest.iter().filter(|group| group.values.is_empty()).count(), 3, "the first of each beam has none");
    assert!(!autocorrelation(&rest).unwrap().matters());
    // The dependent series breaks the rules of independent ones again and again; its residuals do not.
    let alarms = |groups: &[MeasuredSubgroup]| {
        let limits = VariableLimits::freeze(groups).unwrap();
        let scores: Vec<Option<f64>> = limits.locations(groups).into_iter().map(|point| Some(point?.z)).collect();
        signals(&scores, &[Rule::BeyondThreeSigma]).len()
    };
    assert!(alarms(&subgroups) > 20 && alarms(&rest) < 10, "{} {}", alarms(&subgroups), alarms(&rest));
    assert_eq!(autocorrelation(&subgroups[..10]), None);
}

#[test]
fn what_has_no_limits_says_why() {
    assert_eq!(VariableLimits::freeze(&[]), Err(NoLimits::NotEnough { found: 0 }));
    assert_eq!(VariableLimits::freeze(&singles(&[1.0; 30])), Err(NoLimits::NoVariation));
    let large = vec![MeasuredSubgroup::new("", (0..26).map(f64::from).collect::<Vec<_>>()); 30];
    assert_eq!(VariableLimits::freeze(&large), Err(NoLimits::TooLarge { size: 26 }));
    assert_eq!(VariableLimits::freeze(&singles(&[1.0, f64::NAN])), Err(NoLimits::Invalid { index: 1 }));
    let none = [CountedSubgroup::new(0.0, 10.0); 30];
    assert_eq!(AttributeLimits::freeze(AttributeChart::C, &none), Err(NoLimits::NoVariation));
    let mut over = [CountedSubgroup::new(3.0, 10.0); 30];
    over[4].count = 11.0;
    assert_eq!(AttributeLimits::freeze(AttributeChart::P, &over), Err(NoLimits::Invalid { index: 4 }));
    assert!(AttributeLimits::freeze(AttributeChart::U, &over).is_ok());
    assert_eq!(AttributeLimits::freeze(AttributeChart::P, &over[..4]), Err(NoLimits::NotEnough { found: 4 }));
}

proptest! {
    /// Limits move and stretch with the values: no unit is better than another.
    #[test]
    fn limits_follow_the_unit(values in prop::collection::vec(prop::collection::vec(-10.0..10.0f64, 1..6), 25..60), shift in -100.0..100.0f64, factor in 0.01..100.0f64) {
        let plain: Vec<MeasuredSubgroup> = values.iter().map(|group| MeasuredSubgroup::new("s", group.clone())).collect();
        let moved: Vec<MeasuredSubgroup> = values.iter().map(|group| MeasuredSubgroup::new("s", group.iter().map(|value| shift + factor * value).collect::<Vec<_>>())).collect();
        if let (Ok(one), Ok(other)) = (VariableLimits::freeze(&plain), VariableLimits::freeze(&moved)) {
            prop_assert!((other.sigma / factor / one.sigma - 1.0).abs() < 1e-6);
            for (a, b) in one.locations(&plain).into_iter().zip(other.locations(&moved)) {
                prop_assert!((a.unwrap().z - b.unwrap().z).abs() < 1e-5);
            }
        }
    }

    /// What is frozen judges each new subgroup alone: points do not depend on what else is charted.
    #[test]
    fn points_do_not_depend_on_each_other(counts in prop::collection::vec((0..20u32, 1..50u32), 25..80), cut in 0..80usize) {
        let subgroups: Vec<CountedSubgroup> = counts.iter().map(|(count, size)| CountedSubgroup::new(f64::from(*count), f64::from(*size))).collect();
        let Ok(limits) = AttributeLimits::freeze(AttributeChart::LaneyU, &subgroups) else { return Ok(()) };
        let cut = cut.min(subgroups.len());
        prop_assert_eq!(&limits.points(&subgroups)[..cut], &limits.points(&subgroups[..cut])[..]);
        for point in limits.points(&subgroups) {
            prop_assert!(0.0 <= point.lower && point.lower <= point.center && point.center <= point.upper, "{:?}", point);
        }
    }

    /// A signal looks back only: later points change no earlier signal.
    #[test]
    fn signals_look_back_only(scores in prop::collection::vec(prop::option::weighted(0.95, -4.0..4.0f64), 0..60), cut in 0..60usize) {
        let cut = cut.min(scores.len());
        let all: Vec<Signal> = signals(&scores, &Rule::ALL).into_iter().filter(|signal| signal.index < cut).collect();
        prop_assert_eq!(all, signals(&scores[..cut], &Rule::ALL));
    }
}
