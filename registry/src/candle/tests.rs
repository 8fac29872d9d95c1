use bytes::Bytes;
use domain::events::Port;
use domain::ids::Code;
use domain::units::Unit;
use proptest::prelude::*;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::runtime::Unavailable;

fn port(name: &str) -> Port {
    Port { name: Code::new(name).unwrap(), unit: Unit::one(), low: None, high: None }
}

/// Rows (a, b) drawn evenly from −1 to 1, and the target 3a − b² + 10.
fn curve(rows: usize, seed: u64) -> (Samples, Samples) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut inputs = Vec::new();
    let mut targets = Vec::new();
    for _ in 0..rows {
        let (a, b): (f64, f64) = (random.random_range(-1.0..1.0), random.random_range(-1.0..1.0));
        inputs.extend([a, b]);
        targets.push(3.0 * a - b * b + 10.0);
    }
    let inputs = Samples::new(vec![port("a"), port("b")], inputs).unwrap();
    (inputs, Samples::new(vec![port("t")], targets).unwrap())
}

fn quick() -> TrainConfig {
    TrainConfig { hidden: vec![12], epochs: 30, batch: 64, ..TrainConfig::default() }
}

fn load(trained: &Trained) -> Box<dyn Model> {
    let files: Vec<_> = trained
        .files()
        .unwrap()
        .into_iter()
        .map(|file| VerifiedArtifact::of(&file.name, file.bytes).unwrap())
        .collect();
    CandleRuntime.load(&files).unwrap()
}

#[test]
fn a_curve_is_learnt_better_than_by_its_mean() {
    let (inputs, targets) = curve(1_200, 7);
    let trained = train_mlp(&inputs, &targets, &quick()).unwrap();
    let (rmse, baseline) = (trained.metrics["holdout_rmse.t"], trained.metrics["baseline_rmse.t"]);
    assert!(rmse < 0.15 * baseline, "rmse {rmse}, baseline {baseline}");
    assert_eq!(trained.samples, 960);
    assert!((trained.metrics["holdout_samples"] - 240.0).abs() < f64::EPSILON);
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_gives_others() {
    let (inputs, targets) = curve(300, 7);
    let config = TrainConfig { epochs: 3, ..quick() };
    let one = train_mlp(&inputs, &targets, &config).unwrap();
    let two = train_mlp(&inputs, &targets, &config).unwrap();
    assert_eq!(one, two);
    let other = train_mlp(&inputs, &targets, &TrainConfig { seed: 2, ..config }).unwrap();
    assert_ne!(one.weights, other.weights);
}

#[tokio::test]
async fn a_network_answers_the_same_after_it_was_stored() {
    let (inputs, targets) = curve(300, 7);
    let trained = train_mlp(&inputs, &targets, &TrainConfig { epochs: 3, ..quick() }).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = crate::ArtifactStore::open_folder(folder.path()).unwrap();
    let mut stored = Vec::new();
    for file in trained.files().unwrap() {
        let put = store.put(&file.name, file.bytes).await.unwrap();
        stored.push(store.get(put.artifact()).await.unwrap());
    }
    let before = CandleModel::new(trained.manifest.clone(), &trained.weights).unwrap();
    let after = CandleRuntime.load(&stored).unwrap();
    for row in [[0.0, 0.0], [0.5, -0.5], [-1.0, 1.0]] {
        assert_eq!(before.evaluate(&row), after.evaluate(&row));
    }
}

#[test]
fn an_autoencoder_tells_the_abnormal() {
    // Normal rows lie on a line; abnormal ones leave it.
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    for row in 0..1_000 {
        let a: f64 = random.random_range(-1.0..1.0);
        let abnormal = row % 10 == 9;
        let offset = if abnormal { 1.5 } else { 0.0 };
        let noise: f64 = random.random_range(-0.02..0.02);
        values.extend([a, 2.0 * a + offset + noise, -a]);
        labels.push(abnormal);
    }
    let inputs = Samples::new(vec![port("a"), port("b"), port("c")], values).unwrap();
    let config = TrainConfig { hidden: vec![4, 1, 4], epochs: 60, batch: 64, ..TrainConfig::default() };
    let trained = train_autoencoder(&inputs, Some(&labels), &config).unwrap();
    assert_eq!(trained.samples, 720);
    assert!(trained.metrics["holdout_auc"] > 0.95, "{:?}", trained.metrics);
    let model = load(&trained);
    let normal = model.evaluate(&[0.3, 0.6, -0.3]).unwrap();
    let abnormal = model.evaluate(&[0.3, 2.1, -0.3]).unwrap();
    assert!(abnormal[1] > 1.0 && abnormal[1] > normal[1], "normal {normal:?}, abnormal {abnormal:?}");
    let threshold = trained.metrics["threshold"];
    assert!((normal[0] / threshold - normal[1]).abs() < 1e-6, "the score is the error over the threshold");
}

#[test]
fn the_curve_under_the_roc_counts_pairs() {
    let area = |scored: &[(f64, bool)]| train::area_under_curve(scored);
    assert_eq!(area(&[(1.0, false), (2.0, true)]), Some(1.0));
    assert_eq!(area(&[(2.0, false), (1.0, true)]), Some(0.0));
    assert_eq!(area(&[(1.0, false), (1.0, true)]), Some(0.5));
    // Of the four pairs, three are in order.
    assert_eq!(area(&[(1.0, false), (2.0, true), (3.0, false), (4.0, true)]), Some(0.75));
    assert_eq!(area(&[(1.0, false)]), None);
}

#[test]
fn an_envelope_from_the_data_is_kept() {
    let (inputs, targets) = curve(300, 7);
    let config = TrainConfig { epochs: 2, envelope_margin: Some(0.1), ..quick() };
    let trained = train_mlp(&inputs, &targets, &config).unwrap();
    let model = load(&trained);
    assert!(model.evaluate(&[0.0, 0.0]).is_ok());
    let refused = model.evaluate(&[5.0, 0.0]).unwrap_err();
    assert!(matches!(&refused, Unavailable::OutsideEnvelope { input, .. } if input.as_str() == "a"), "{refused}");
    let rows: Vec<Vec<f64>> = (0..20).map(|row| vec![if row == 7 { 5.0 } else { 0.1 }, 0.0]).collect();
    let network = CandleModel::new(trained.manifest, &trained.weights).unwrap();
    for answers in [model.evaluate_batch(&rows), network.evaluate_chunk(&rows)] {
        assert_eq!(answers.len(), 20);
        assert!(answers.iter().enumerate().all(|(row, answer)| answer.is_err() == (row == 7)), "{answers:?}");
    }
}

#[test]
fn data_and_configurations_that_cannot_be_are_refused() {
    let (inputs, targets) = curve(100, 7);
    let refused = |config: TrainConfig| train_mlp(&inputs, &targets, &config).unwrap_err().to_string();
    assert!(refused(TrainConfig { holdout: 0.9, ..quick() }).starts_with("holdout:"));
    assert!(refused(TrainConfig { epochs: 0, ..quick() }).starts_with("epochs:"));
    assert!(refused(TrainConfig { learning_rate: f64::NAN, ..quick() }).starts_with("learning_rate:"));
    assert!(matches!(
        train_mlp(&inputs, &targets, &TrainConfig { hidden: vec![0], ..quick() }),
        Err(TrainError::Unusable(_))
    ));
    let (short, _) = curve(50, 7);
    assert!(matches!(train_mlp(&short, &targets, &quick()), Err(TrainError::Shape { .. })));
    let (few, few_targets) = curve(5, 7);
    assert!(matches!(train_mlp(&few, &few_targets, &quick()), Err(TrainError::Count { count: 5 })));
    assert!(matches!(Samples::new(vec![port("a")], vec![f64::NAN]), Err(TrainError::Shape { .. })));
    assert!(matches!(Samples::new(vec![port("a"), port("b")], vec![1.0]), Err(TrainError::Shape { .. })));
}

/// A network of one layer with chosen weights, as files.
fn small(weight: &[f32], shape: Vec<usize>, extra: bool) -> (Manifest, Bytes) {
    let manifest: Manifest = serde_json::from_value(serde_json::json!({
        "format": "millwright.network/1",
        "kind": "mlp",
        "inputs": [
            {"name": "a", "unit": "1", "mean": 1.0, "std": 2.0},
            {"name": "b", "unit": "1", "mean": 0.0, "std": 1.0}
        ],
        "layers": [{"inputs": 2, "outputs": 1, "activation": "identity"}],
        "outputs": [{"name": "out", "unit": "1", "mean": 5.0, "std": 10.0}]
    }))
    .unwrap();
    let bytes: Vec<u8> = weight.iter().flat_map(|value| value.to_le_bytes()).collect();
    let bias = 0.5_f32.to_le_bytes();
    let view = |shape, bytes| safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape, bytes).unwrap();
    let mut tensors =
        vec![("layers.0.weight", view(shape, bytes.as_slice())), ("layers.0.bias", view(vec![1], bias.as_slice()))];
    if extra {
        tensors.push(("surprise", view(vec![1], bias.as_slice())));
    }
    (manifest, safetensors::serialize(tensors, None).unwrap().into())
}

#[test]
fn a_network_computes_what_its_manifest_says() {
    let (manifest, weights) = small(&[3.0, 4.0], vec![1, 2], false);
    let model = CandleModel::new(manifest, &weights).unwrap();
    // ((5 − 1) / 2) × 3 + 1 × 4 + 0.5 = 10.5, and 10.5 × 10 + 5 = 110.
    assert_eq!(model.evaluate(&[5.0, 1.0]), Ok(vec![110.0]));
}

#[test]
fn weights_that_are_not_those_of_the_manifest_are_refused() {
    let refused = |weight: &[f32], shape: Vec<usize>, extra: bool| {
        let (manifest, weights) = small(weight, shape, extra);
        CandleModel::new(manifest, &weights).unwrap_err().to_string()
    };
    assert!(refused(&[3.0, 4.0], vec![2, 1], false).contains("its shape is [2, 1], [1, 2] is expected"));
    assert!(refused(&[3.0], vec![1, 1], false).contains("its shape is [1, 1]"));
    assert!(refused(&[f32::NAN, 1.0], vec![1, 2], false).contains("a weight is not a finite number"));
    assert!(refused(&[3.0, 4.0], vec![1, 2], true).contains("there are 3 tensors, the manifest needs 2"));
    let (manifest, weights) = small(&[3.0, 4.0], vec![1, 2], false);
    assert!(CandleModel::new(manifest.clone(), b"not a safetensors file").is_err());
    assert!(CandleModel::new(manifest.clone(), &weights[..weights.len() - 1]).is_err());
    let wider = Manifest { layers: vec![Layer { inputs: 3, outputs: 1, activation: Activation::Relu }], ..manifest };
    let refused = CandleModel::new(wider, &weights).unwrap_err().to_string();
    assert!(refused.contains("layers.0: it takes 3 values, and 2 come in"), "{refused}");
}

#[test]
fn a_version_without_one_of_its_files_does_not_load() {
    let (manifest, _) = small(&[3.0, 4.0], vec![1, 2], false);
    let json = serde_json::to_vec(&manifest).unwrap();
    let files = [VerifiedArtifact::of(MANIFEST_FILE, json.into()).unwrap()];
    let refused = CandleRuntime.load(&files).err().unwrap();
    assert_eq!(refused, LoadError::MissingFile { runtime: "candle", name: WEIGHTS_FILE.to_owned() });
}

#[test]
fn the_shipped_manifest_fits_weights_of_its_shapes() {
    let manifest =
        Manifest::parse(include_bytes!("../../../examples/models/loom-bearing-temperature.manifest.json")).unwrap();
    let parts: Vec<(String, Vec<usize>, Vec<u8>)> = manifest
        .layers
        .iter()
        .enumerate()
        .flat_map(|(index, layer)| {
            let zeros = |count: usize| vec![0_u8; count * 4];
            [
                (
                    Manifest::tensor(index, "weight"),
                    vec![layer.outputs, layer.inputs],
                    zeros(layer.outputs * layer.inputs),
                ),
                (Manifest::tensor(index, "bias"), vec![layer.outputs], zeros(layer.outputs)),
            ]
        })
        .collect();
    let views: Vec<_> = parts
        .iter()
        .map(|(name, shape, bytes)| {
            (
                name.as_str(),
                safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap(),
            )
        })
        .collect();
    let model = CandleModel::new(manifest, &safetensors::serialize(views, None).unwrap()).unwrap();
    // Without weights, the answer is the mean.
    assert_eq!(model.evaluate(&[590.0, 8.5, 2.4, 28.0, 72.0, 4.1]), Ok(vec![52.0]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn one_row_and_many_rows_agree(seed in any::<u64>(), count in 8_usize..40) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let (inputs, targets) = curve(20, seed);
        let config = TrainConfig { hidden: vec![5, 3], epochs: 1, seed, ..TrainConfig::default() };
        let trained = train_mlp(&inputs, &targets, &config).unwrap();
        let model = CandleModel::new(trained.manifest, &trained.weights).unwrap();
        let rows: Vec<Vec<f64>> =
            (0..count).map(|_| vec![random.random_range(-3.0..3.0), random.random_range(-3.0..3.0)]).collect();
        let by_tensors = model.evaluate_chunk(&rows);
        prop_assert_eq!(by_tensors.len(), count);
        for (row, many) in rows.iter().zip(by_tensors) {
            let (one, many) = (model.evaluate(row).unwrap()[0], many.unwrap()[0]);
            prop_assert!((one - many).abs() <= 1e-4 * one.abs().max(1.0), "{one} and {many}");
        }
    }

    #[test]
    fn manifests_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Manifest::parse(&bytes);
        let (manifest, _) = small(&[3.0, 4.0], vec![1, 2], false);
        prop_assert!(CandleModel::new(manifest, &bytes).is_err());
    }
}
