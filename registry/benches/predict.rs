//! How fast models answer and networks learn: `cargo bench -p millwright-registry`. Prints one line for each case: the median of many rounds.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a benchmark prints its figures and stops at the first failure"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use domain::events::Port;
use domain::ids::Code;
use domain::units::Unit;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use registry::candle::{CandleModel, Samples, TrainConfig, train_mlp};
use registry::mechanism::MechanismModel;
use registry::{Given, Inputs, Model};

const ROUNDS: usize = 41;

fn main() {
    let json = include_bytes!("../../examples/models/loom-weft-arrival.json");
    let mechanism = MechanismModel::parse(json).expect("the example compiles");
    let values = [4.2, 600.0, 222.0];
    measure(&format!("mechanism, {} nodes, values in order", mechanism.cost()), 10_000, || {
        black_box(mechanism.evaluate(black_box(&values))).is_ok()
    });
    let inputs: Inputs = mechanism
        .signature()
        .inputs
        .iter()
        .zip(values)
        .map(|(port, value)| (port.name.clone(), Given::plain(value)))
        .collect();
    measure("mechanism, named inputs", 10_000, || black_box(mechanism.predict(black_box(&inputs))).is_ok());

    let (samples, targets) = data(20_000);
    let begun = Instant::now();
    let trained = train_mlp(&samples, &targets, &TrainConfig::default()).expect("the training converges");
    println!("training, 20,000 samples × 8, 16-16, 20 epochs: {:.2} s", begun.elapsed().as_secs_f64());
    let network = CandleModel::new(trained.manifest, &trained.weights).expect("the network loads");
    let row = [0.1; 8];
    measure("network 8-16-16-1, one row", 10_000, || black_box(network.evaluate(black_box(&row))).is_ok());
    for count in [16_usize, 256, 4_096] {
        let rows = vec![row.to_vec(); count];
        measure(&format!("network 8-16-16-1, {count} rows"), 20, || {
            black_box(network.evaluate_batch(black_box(&rows))).len() == count
        });
    }
}

fn measure(name: &str, repeat: u32, mut work: impl FnMut() -> bool) {
    let mut rounds: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            let good = (0..repeat).filter(|_| work()).count();
            let taken = begun.elapsed();
            assert_eq!(good, repeat as usize, "{name}: an answer is missing");
            taken / repeat
        })
        .collect();
    rounds.sort();
    let median = rounds.get(ROUNDS / 2).copied().unwrap_or_default();
    println!("{name}: {} ns", median.as_nanos());
}

/// Eight random columns and a smooth target.
fn data(rows: usize) -> (Samples, Samples) {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let port = |name: String| Port {
        name: Code::new(&name).expect("the name is valid"),
        unit: Unit::one(),
        low: None,
        high: None,
    };
    let (mut inputs, mut targets) = (Vec::with_capacity(rows * 8), Vec::with_capacity(rows));
    for _ in 0..rows {
        let row: [f64; 8] = std::array::from_fn(|_| random.random_range(-1.0..1.0));
        targets.push(row.iter().map(|value| value.tanh()).sum());
        inputs.extend(row);
    }
    let ports = (0..8).map(|column| port(format!("x{column}"))).collect();
    (
        Samples::new(ports, inputs).expect("the rows are whole"),
        Samples::new(vec![port("y".to_owned())], targets).expect("the rows are whole"),
    )
}
