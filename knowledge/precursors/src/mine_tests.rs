use domain::ids::{AssetId, Code};

use super::*;
use crate::feature::{Feature, SECOND_NS};

const HOUR_NS: i64 = 3_600 * SECOND_NS;
const DAY_NS: i64 = 24 * HOUR_NS;

/// Numbers between 0 and 1 that look random (xorshift, Marsaglia 2003).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn code(text: &str) -> Code {
    Code::new(text).unwrap()
}

/// Eight machines over sixty days, a reading each ten minutes, five faults each. Before a fault the heat rises over a day when `tells` says so; the noise never tells anything.
fn plant(seed: u64, tells: bool) -> (Sight, BTreeMap<AssetId, Vec<Fault>>) {
    let mut noise = Noise(seed);
    let mut sight = Sight { from_ns: 0, to_ns: 60 * DAY_NS, ..Sight::default() };
    let mut faults = BTreeMap::new();
    let specs = specs_with(&[7_200], BASELINE_S);
    for machine in 0..8 {
        let asset = AssetId::new(&format!("M{machine}")).unwrap();
        let of_asset: Vec<Fault> = (0..5)
            .map(|number| {
                let time_ns = (6 + 11 * number) * DAY_NS + (noise.next() * 4.0 * DAY_NS as f64) as i64;
                Fault { time_ns, until_ns: Some(time_ns + HOUR_NS), position: 0 }
            })
            .collect();
        let mut seen = Seen::default();
        for quantity in ["heat", "noise"] {
            for spec in &specs {
                let mut draw = Noise(seed * 31 + machine * 7 + quantity.len() as u64);
                let mut feature = Feature::new(*spec);
                let mut points = Vec::new();
                for step in 0..(60 * 144) {
                    let time_ns = step * 600 * SECOND_NS;
                    let next = of_asset.iter().map(|fault| fault.time_ns - time_ns).find(|left| *left > 0);
                    let rise = next.map_or(0.0, |left| (1.0 - left as f64 / DAY_NS as f64).max(0.0));
                    let value = draw.next() + if tells && quantity == "heat" { 3.0 * rise } else { 0.0 };
                    points.extend(feature.push(time_ns, value, step.unsigned_abs()));
                }
                seen.series.insert((code(quantity), *spec), points);
            }
        }
        // Alarms that come as they like.
        for day in 0..60_i64 {
            let time_ns = day * DAY_NS + (noise.next() * DAY_NS as f64) as i64;
            seen.alarms.push(AlarmSeen { time_ns, position: day.unsigned_abs(), code: code("E1") });
        }
        sight.assets.insert(asset.clone(), seen);
        faults.insert(asset, of_asset);
    }
    (sight, faults)
}

fn question() -> Question {
    Question { mode: code("M"), horizon_s: 86_400, as_of: 5 }
}

#[test]
fn a_precursor_that_is_there_is_found_with_its_lead_time() {
    let (sight, faults) = plant(11, true);
    let mined = mine(&sight, &faults, &question());
    assert_eq!(mined.faults, 40);
    let best = &mined.precursors[0];
    assert!(best.believed);
    let measured = best.detection.measured.as_ref().unwrap();
    let Condition::Readings { quantity, .. } = &best.detection.condition else { panic!("{best:?}") };
    assert_eq!(quantity.as_str(), "heat");
    assert_eq!((measured.faults.trials, measured.as_of), (16, 5));
    assert!(measured.recall.unwrap().value >= 0.9, "{measured:?}");
    assert!(measured.precision.unwrap().value >= 0.9, "{measured:?}");
    let [low, middle, high] = measured.lead_s.unwrap();
    assert!(low <= middle && middle <= high && middle > 3_600.0 && high <= 86_400.0, "{measured:?}");
    // Nothing that knows nothing is believed.
    for other in mined.precursors.iter().filter(|other| other.believed) {
        let Condition::Readings { quantity, .. } = &other.detection.condition else { panic!("{other:?}") };
        assert_eq!(quantity.as_str(), "heat");
    }
    assert!(mined.tried <= mined.candidates);
}

#[test]
fn where_nothing_tells_hardly_anything_is_believed() {
    let mut tried = 0;
    let mut plants_with_any = 0;
    for seed in 1..=12 {
        let (sight, faults) = plant(seed, false);
        let mined = mine(&sight, &faults, &question());
        tried += mined.tried;
        plants_with_any += usize::from(mined.precursors.iter().any(|precursor| precursor.believed));
    }
    assert!(tried > 12, "only {tried} candidates were tried");
    // At most a tenth of the plants on average; five or more of twelve would happen once in two hundred such tests.
    assert!(plants_with_any <= 4, "{plants_with_any} of 12 plants");
}

#[test]
fn live_and_mining_warn_at_the_same_moments() {
    let (sight, faults) = plant(11, true);
    let mined = mine(&sight, &faults, &question());
    let (asset, seen) = sight.assets.first_key_value().unwrap();
    let best = &mined.precursors[0].detection;
    let Condition::Readings { quantity, .. } = &best.condition else { panic!("{best:?}") };
    let mut watch = Watch::new(best);
    let mut live = Vec::new();
    let mut draw = Noise(11 * 31 + quantity.as_str().len() as u64);
    for step in 0..(60 * 144) {
        let time_ns = step * 600 * SECOND_NS;
        let next = faults[asset].iter().map(|fault| fault.time_ns - time_ns).find(|left| *left > 0);
        let rise = next.map_or(0.0, |left| (1.0 - left as f64 / DAY_NS as f64).max(0.0));
        let change = watch.reading(time_ns, draw.next() + 3.0 * rise, 0, None);
        live.extend(change.and_then(|change| match change {
            Change::Raised { time_ns, .. } => Some(time_ns),
            Change::Cleared { .. } => None,
        }));
    }
    assert!(live.len() >= 5, "{live:?}");
    assert_eq!(raised(best, seen, sight.to_ns), live);
}

#[test]
fn too_few_faults_are_said_and_nothing_is_guessed() {
    let (sight, mut faults) = plant(3, true);
    for (number, of_asset) in faults.values_mut().enumerate() {
        of_asset.truncate(usize::from(number < 4));
    }
    let mined = mine(&sight, &faults, &question());
    assert_eq!((mined.faults, mined.candidates, mined.precursors.len()), (4, 0, 0));
}
