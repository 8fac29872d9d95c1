//! Windows against the plainest arithmetic: every reading looked at for every row.

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// A reading of the first loom: when it was measured, how long after the one before it was logged, and its value.
#[derive(Clone, Debug)]
struct Told {
    second: i64,
    after: i64,
    value: i32,
}

fn told() -> impl Strategy<Value = Vec<Told>> {
    let one = (0_i64..200_000, 0_i64..9_000, -1000_i32..1000);
    prop::collection::vec(one.prop_map(|(second, after, value)| Told { second, after, value }), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_window_holds_what_it_says(
        told in told(),
        cut in any::<prop::sample::Index>(),
        window_s in 1_u64..90_000,
        lag_s in 0_u64..50_000,
        then in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut mill = Mill::new().await;
            let mut logged = 0;
            let mut known = Vec::new();
            for one in &told {
                logged += one.after;
                let position = mill.read(logged, &[("L1.tension", one.second, f64::from(one.value))]).await;
                known.push((position, logged, one.clone()));
            }
            let (as_of, ..) = known[cut.index(known.len())];
            let feature = |name: &str, aggregate: &str| json!({
                "kind": "reading", "name": name, "quantity": "tension", "aggregate": aggregate, "window_s": window_s, "lag_s": lag_s
            });
            let spec = spec((0, 220_000), json!({
                "assets": {"ids": ["L1"]}, "rows": {"on": "grid", "period_s": 7_000},
                "features": [feature("count", "count"), feature("max", "max")],
                "knowledge": if then { "as_known_then" } else { "as_known_now" },
            }));
            let mut expected = Vec::new();
            for row in (0..220_000).step_by(7_000) {
                let end = row - i64::try_from(lag_s).unwrap();
                let start = end - i64::try_from(window_s).unwrap();
                let inside = known.iter().filter(|(position, logged, one)| {
                    *position <= as_of && (!then || *logged <= row) && start <= one.second && one.second < end
                });
                let values: Vec<i32> = inside.map(|(.., one)| one.value).collect();
                // A model of the first seconds knows no signal yet, but its definition was logged at second 0.
                let max = values.iter().max().map_or("null".to_owned(), |max| format!("{max}.0"));
                expected.push(format!("L1 {row} count={}.0 max={max}", values.len()));
            }
            assert_eq!(mill.rows_as_of(spec, as_of).await, expected);
        });
    }
}
