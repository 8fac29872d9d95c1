//! Training of small networks on history. The same data, configuration and seed give the same weights, byte for byte, on the same machine.

use bytes::Bytes;
use candle_core::{DType, Device, Tensor, Var};
use candle_nn::optim::{AdamW, Optimizer as _, ParamsAdamW};
use domain::events::Port;
use domain::values::Text;
use indexmap::IndexMap;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError};
use serde::{Deserialize, Serialize};

use super::manifest::{
    Activation, FORMAT, Layer, MANIFEST_FILE, Manifest, NetworkInput, NetworkKind, NetworkOutput, WEIGHTS_FILE,
};
use super::network::{CandleModel, activate};
use crate::commands::NewFile;
use crate::runtime::{LoadError, Model as _};

/// The most samples of a training.
pub const MAX_SAMPLES: usize = 2_000_000;

/// The fewest samples of a training.
pub const MIN_SAMPLES: usize = 16;

/// The most passes over the data.
pub const MAX_EPOCHS: usize = 10_000;

/// The share of training errors that lie below an autoencoder's threshold.
pub const THRESHOLD_QUANTILE: f64 = 0.995;

/// Samples: rows in time order, the oldest first, columns as the ports say.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    ports: Vec<Port>,
    values: Vec<f64>,
}

impl Samples {
    /// Samples from values row by row, in time order.
    ///
    /// # Errors
    /// [`TrainError::Shape`] when the values do not fill whole rows, or one is not finite.
    pub fn new(ports: Vec<Port>, values: Vec<f64>) -> Result<Self, TrainError> {
        if ports.is_empty() || !values.len().is_multiple_of(ports.len()) {
            return Err(TrainError::Shape { what: "the values do not fill whole rows" });
        }
        if !values.iter().all(|value| value.is_finite()) {
            return Err(TrainError::Shape { what: "a value is not finite" });
        }
        Ok(Self { ports, values })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.values.len() / self.ports.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.ports.len())
    }

    fn width(&self) -> usize {
        self.ports.len()
    }

    /// Mean and standard deviation of each column over the chosen rows. A column that never changes has the deviation 1.
    #[expect(clippy::cast_precision_loss, reason = "there are far fewer samples than 2^52")]
    fn scales(&self, chosen: &[usize]) -> Vec<(f64, f64)> {
        let count = chosen.len().max(1) as f64;
        let rows: Vec<&[f64]> = self.rows().collect();
        let column =
            |index: usize| chosen.iter().filter_map(|row| rows.get(*row)?.get(index)).copied().collect::<Vec<f64>>();
        (0..self.width())
            .map(|index| {
                let values = column(index);
                let mean = values.iter().sum::<f64>() / count;
                let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
                let std = variance.sqrt();
                (rounded(mean), if std > 1e-12 { rounded(std) } else { 1.0 })
            })
            .collect()
    }

    /// The chosen rows, normalised, one after the other.
    #[expect(clippy::cast_possible_truncation, reason = "the network computes in 32-bit floating point")]
    fn normalised(&self, scales: &[(f64, f64)]) -> Vec<f32> {
        self.rows()
            .flat_map(|row| row.iter().zip(scales).map(|(value, (mean, std))| ((value - mean) / std) as f32))
            .collect()
    }
}

/// How to train.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// The widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// What follows each hidden layer.
    pub activation: Activation,
    /// How many passes over the data.
    pub epochs: usize,
    /// How many samples one step sees.
    pub batch: usize,
    /// The seed of everything random: first weights and the order of samples.
    pub seed: u64,
    /// The first step size; it falls to nothing along half a cosine.
    pub learning_rate: f64,
    /// The share of samples, the newest, that is kept back to measure with; from 0.05 to 0.5.
    pub holdout: f64,
    /// When given, inputs without bounds get the range of the training data, widened on both sides by this share of its width: the network then has no answer outside. An
    /// autoencoder needs none: what it has not seen is what it is for.
    pub envelope_margin: Option<f64>,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            hidden: vec![16, 16],
            activation: Activation::Tanh,
            epochs: 20,
            batch: 256,
            seed: 1,
            learning_rate: 0.01,
            holdout: 0.2,
            envelope_margin: None,
        }
    }
}

/// A network that was trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// The weights (safetensors).
    pub weights: Bytes,
    /// The architecture.
    pub manifest: Manifest,
    /// How good it is: see [`train_mlp`] and [`train_autoencoder`].
    pub metrics: IndexMap<String, f64>,
    /// How many samples it learnt from, those kept back not counted.
    pub samples: u64,
    /// The seed.
    pub seed: u64,
}

impl Trained {
    /// The files of a version.
    ///
    /// # Errors
    /// [`TrainError::Manifest`].
    pub fn files(&self) -> Result<Vec<NewFile>, TrainError> {
        let manifest = serde_json::to_vec_pretty(&self.manifest).map_err(TrainError::Manifest)?;
        Ok(vec![
            NewFile { name: MANIFEST_FILE.to_owned(), bytes: manifest.into() },
            NewFile { name: WEIGHTS_FILE.to_owned(), bytes: self.weights.clone() },
        ])
    }
}

/// Why a training did not happen.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The data do not fit together.
    #[error("the samples do not fit: {what}")]
    Shape {
        /// What does not fit.
        what: &'static str,
    },
    /// There are too few samples, or too many.
    #[error("there are {count} samples, {MIN_SAMPLES} to {MAX_SAMPLES} are needed")]
    Count {
        /// How many there are.
        count: usize,
    },
    /// A part of the configuration is not possible.
    #[error("{field}: {reason}")]
    Config {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The tensor library failed.
    #[error("the computation failed")]
    Candle(#[from] candle_core::Error),
    /// The weights could not be written.
    #[error("the weights cannot be written")]
    Weights(#[from] SafeTensorError),
    /// The manifest could not be written.
    #[error("the manifest cannot be written")]
    Manifest(#[source] serde_json::Error),
    /// The result is not a network that the runtime takes: the training did not converge to finite weights.
    #[error("the trained network cannot be used")]
    Unusable(#[from] LoadError),
}

/// Learns targets from inputs. Rows correspond, and are in time order; the newest share is kept back and measured with:
/// `holdout_mae.OUTPUT`, `holdout_rmse.OUTPUT`, `baseline_rmse.OUTPUT` (always answering the training mean), `holdout_samples`, `train_loss` (mean squared error,
/// normalised).
///
/// # Errors
/// [`TrainError`].
pub fn train_mlp(inputs: &Samples, targets: &Samples, config: &TrainConfig) -> Result<Trained, TrainError> {
    if inputs.len() != targets.len() {
        return Err(TrainError::Shape { what: "inputs and targets have different numbers of rows" });
    }
    let split = Split::new(inputs.len(), config)?;
    let learnt: Vec<usize> = (0..split.first_kept_back).collect();
    let scales = inputs.scales(&learnt);
    let target_scales = targets.scales(&learnt);
    let outputs = targets
        .ports
        .iter()
        .zip(&target_scales)
        .map(|(port, (mean, std))| NetworkOutput {
            name: port.name.clone(),
            unit: port.unit.clone(),
            mean: *mean,
            std: *std,
        })
        .collect();
    let manifest = manifest(NetworkKind::Mlp, inputs, &scales, outputs, &learnt, config);
    let data = Data {
        inputs: inputs.normalised(&scales),
        targets: targets.normalised(&target_scales),
        input_width: inputs.width(),
        target_width: targets.width(),
        learnt: learnt.clone(),
    };
    let (weights, loss) = fit(&manifest, &data, config)?;
    let model = CandleModel::new(manifest.clone(), &weights)?;
    let metrics = regression_metrics(&model, inputs, targets, &split, loss);
    Ok(Trained { weights, manifest, metrics, samples: learnt.len() as u64, seed: config.seed })
}

/// Learns what is normal. Its outputs are `reconstruction_error` (in standard deviations) and `anomaly_score` (the error over the threshold, which
/// [`THRESHOLD_QUANTILE`] of the training errors lie below: above 1 is abnormal). With labels (true: abnormal), only normal rows are learnt from. Metrics: `threshold`, `train_loss`,
/// `holdout_error` (mean error of the normal rows that were kept back), `holdout_false_alarms` (their share above the threshold), and with both kinds of labels among the rows kept
/// back `holdout_auc` (the area under the ROC curve) and `holdout_detected` (the share of abnormal rows above the threshold).
///
/// # Errors
/// [`TrainError`].
pub fn train_autoencoder(
    inputs: &Samples,
    labels: Option<&[bool]>,
    config: &TrainConfig,
) -> Result<Trained, TrainError> {
    if labels.is_some_and(|labels| labels.len() != inputs.len()) {
        return Err(TrainError::Shape { what: "inputs and labels have different numbers of rows" });
    }
    let split = Split::new(inputs.len(), config)?;
    let abnormal = |row: usize| labels.and_then(|labels| labels.get(row)).copied().unwrap_or(false);
    let learnt: Vec<usize> = (0..split.first_kept_back).filter(|row| !abnormal(*row)).collect();
    if learnt.len() < MIN_SAMPLES {
        return Err(TrainError::Count { count: learnt.len() });
    }
    let scales = inputs.scales(&learnt);
    let score = |name: &str, std: f64| {
        Ok::<_, TrainError>(NetworkOutput {
            name: domain::ids::Code::new(name).map_err(|_| TrainError::Shape { what: "an output has no name" })?,
            unit: domain::Unit::one(),
            mean: 0.0,
            std,
        })
    };
    let outputs = vec![score("reconstruction_error", 1.0)?, score("anomaly_score", 1.0)?];
    let mut manifest = manifest(NetworkKind::Autoencoder, inputs, &scales, outputs, &learnt, config);
    let normalised = inputs.normalised(&scales);
    let data = Data {
        targets: normalised.clone(),
        inputs: normalised,
        input_width: inputs.width(),
        target_width: inputs.width(),
        learnt: learnt.clone(),
    };
    let (weights, loss) = fit(&manifest, &data, config)?;
    let errors = errors_of(&CandleModel::new(manifest.clone(), &weights)?, inputs);
    let threshold = quantile(learnt.iter().filter_map(|row| errors.get(*row).copied()).collect()).max(1e-9);
    if let Some(output) = manifest.outputs.last_mut() {
        output.std = rounded(1.0 / threshold);
    }
    CandleModel::new(manifest.clone(), &weights)?;
    let kept_back: Vec<(f64, bool)> =
        errors.iter().enumerate().skip(split.first_kept_back).map(|(row, error)| (*error, abnormal(row))).collect();
    let mut metrics = IndexMap::from([("train_loss".to_owned(), loss), ("threshold".to_owned(), threshold)]);
    anomaly_metrics(&mut metrics, &kept_back, threshold);
    Ok(Trained { weights, manifest, metrics, samples: learnt.len() as u64, seed: config.seed })
}

/// The number with 12 significant digits: such numbers survive JSON bit by bit in every reader, so that a stored network answers as the trained one did.
fn rounded(value: f64) -> f64 {
    format!("{value:.11e}").parse().unwrap_or(value)
}

struct Split {
    first_kept_back: usize,
}

impl Split {
    fn new(count: usize, config: &TrainConfig) -> Result<Self, TrainError> {
        let wrong = |field, reason| Err(TrainError::Config { field, reason });
        if !(MIN_SAMPLES..=MAX_SAMPLES).contains(&count) {
            return Err(TrainError::Count { count });
        }
        if !(0.05..=0.5).contains(&config.holdout) {
            return wrong("holdout", "it must be from 0.05 to 0.5");
        }
        if config.epochs == 0 || config.epochs > MAX_EPOCHS {
            return wrong("epochs", "there must be 1 to 10000");
        }
        if config.batch == 0 {
            return wrong("batch", "it must be at least 1");
        }
        if !config.learning_rate.is_finite() || config.learning_rate <= 0.0 {
            return wrong("learning_rate", "it must be above 0");
        }
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of at most two million samples"
        )]
        let kept_back = (count as f64 * config.holdout).round() as usize;
        Ok(Self { first_kept_back: count - kept_back.clamp(1, count - 1) })
    }
}

fn manifest(
    kind: NetworkKind,
    samples: &Samples,
    scales: &[(f64, f64)],
    outputs: Vec<NetworkOutput>,
    learnt: &[usize],
    config: &TrainConfig,
) -> Manifest {
    let last = match kind {
        NetworkKind::Mlp => outputs.len(),
        NetworkKind::Autoencoder => samples.width(),
    };
    let mut layers = Vec::with_capacity(config.hidden.len() + 1);
    let mut width = samples.width();
    for hidden in &config.hidden {
        layers.push(Layer { inputs: width, outputs: *hidden, activation: config.activation });
        width = *hidden;
    }
    layers.push(Layer { inputs: width, outputs: last, activation: Activation::Identity });
    let rows: Vec<&[f64]> = samples.rows().collect();
    let input = |(index, (port, (mean, std))): (usize, (&Port, &(f64, f64)))| {
        let column = || learnt.iter().filter_map(|row| rows.get(*row)?.get(index)).copied();
        let (least, greatest) =
            column().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (value.min(low), value.max(high)));
        let widened = config.envelope_margin.map(|margin| margin.max(0.0) * (greatest - least));
        NetworkInput {
            name: port.name.clone(),
            unit: port.unit.clone(),
            low: port.low.or_else(|| widened.map(|widened| rounded(least - widened))),
            high: port.high.or_else(|| widened.map(|widened| rounded(greatest + widened))),
            mean: *mean,
            std: *std,
        }
    };
    let note = format!("trained on {} samples with seed {}", learnt.len(), config.seed);
    Manifest {
        format: FORMAT.to_owned(),
        kind,
        inputs: samples.ports.iter().zip(scales).enumerate().map(input).collect(),
        layers,
        outputs,
        note: Some(Text { zh: None, en: Some(note) }),
    }
}

struct Data {
    inputs: Vec<f32>,
    targets: Vec<f32>,
    input_width: usize,
    target_width: usize,
    /// The rows to learn from.
    learnt: Vec<usize>,
}

impl Data {
    fn gather(values: &[f32], width: usize, rows: &[usize]) -> candle_core::Result<Tensor> {
        let mut flat = Vec::with_capacity(rows.len() * width);
        for row in rows {
            flat.extend_from_slice(values.get(row * width..(row + 1) * width).unwrap_or_default());
        }
        Tensor::from_vec(flat, (rows.len(), width), &Device::Cpu)
    }
}

/// Fits the weights; answers them with the mean loss of the last pass.
fn fit(manifest: &Manifest, data: &Data, config: &TrainConfig) -> Result<(Bytes, f64), TrainError> {
    manifest.check()?;
    let mut random = ChaCha8Rng::seed_from_u64(config.seed);
    let layers = first_weights(manifest, &mut random)?;
    let variables = layers.iter().flat_map(|(weight, bias)| [weight.clone(), bias.clone()]).collect();
    let parameters = ParamsAdamW { lr: config.learning_rate, weight_decay: 1e-4, ..ParamsAdamW::default() };
    let mut optimizer = AdamW::new(variables, parameters)?;
    let mut order = data.learnt.clone();
    let mut loss_of_pass = f64::NAN;
    for epoch in 0..config.epochs {
        #[expect(clippy::cast_precision_loss, reason = "at most ten thousand passes")]
        let done = epoch as f64 / config.epochs as f64;
        optimizer.set_learning_rate(config.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * done).cos()));
        order.shuffle(&mut random);
        let mut losses = (0.0, 0.0);
        for rows in order.chunks(config.batch) {
            let mut values = Data::gather(&data.inputs, data.input_width, rows)?;
            for ((weight, bias), layer) in layers.iter().zip(&manifest.layers) {
                values = values.matmul(&weight.t()?)?.broadcast_add(bias.as_tensor())?;
                values = activate(&values, layer.activation)?;
            }
            let targets = Data::gather(&data.targets, data.target_width, rows)?;
            let loss = candle_nn::loss::mse(&values, &targets)?;
            optimizer.backward_step(&loss)?;
            losses = (losses.0 + f64::from(loss.to_scalar::<f32>()?), losses.1 + 1.0);
        }
        loss_of_pass = losses.0 / losses.1;
    }
    Ok((write(&layers)?, loss_of_pass))
}

/// Weights drawn evenly from ±√(6 / (inputs + outputs)) (Glorot and Bengio 2010), biases 0.
fn first_weights(manifest: &Manifest, random: &mut ChaCha8Rng) -> candle_core::Result<Vec<(Var, Var)>> {
    manifest
        .layers
        .iter()
        .map(|layer| {
            #[expect(clippy::cast_precision_loss, reason = "layers are at most a few thousand wide")]
            let bound = (6.0 / (layer.inputs + layer.outputs) as f32).sqrt();
            let drawn: Vec<f32> =
                (0..layer.inputs * layer.outputs).map(|_| random.random_range(-bound..bound)).collect();
            let weight = Tensor::from_vec(drawn, (layer.outputs, layer.inputs), &Device::Cpu)?;
            let bias = Tensor::zeros(layer.outputs, DType::F32, &Device::Cpu)?;
            Ok((Var::from_tensor(&weight)?, Var::from_tensor(&bias)?))
        })
        .collect()
}

fn write(layers: &[(Var, Var)]) -> Result<Bytes, TrainError> {
    let mut parts: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::with_capacity(layers.len() * 2);
    for (index, (weight, bias)) in layers.iter().enumerate() {
        for (part, variable) in [("weight", weight), ("bias", bias)] {
            let values = variable.as_tensor().flatten_all()?.to_vec1::<f32>()?;
            let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            parts.push((Manifest::tensor(index, part), variable.dims().to_vec(), bytes));
        }
    }
    let views = parts
        .iter()
        .map(|(name, shape, bytes)| Ok((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, SafeTensorError>>()?;
    Ok(safetensors::serialize(views, None)?.into())
}

#[expect(clippy::cast_precision_loss, reason = "there are far fewer samples than 2^52")]
fn regression_metrics(
    model: &CandleModel,
    inputs: &Samples,
    targets: &Samples,
    split: &Split,
    loss: f64,
) -> IndexMap<String, f64> {
    let rows: Vec<Vec<f64>> = inputs.rows().skip(split.first_kept_back).map(<[f64]>::to_vec).collect();
    let wanted: Vec<&[f64]> = targets.rows().skip(split.first_kept_back).collect();
    let answers = model.evaluate_batch(&rows);
    let mut metrics = IndexMap::from([("train_loss".to_owned(), loss)]);
    let answered = answers.iter().filter(|answer| answer.is_ok()).count();
    metrics.insert("holdout_samples".to_owned(), answered as f64);
    if answered == 0 {
        return metrics;
    }
    for (index, output) in model.manifest().outputs.iter().enumerate() {
        let mut sums = (0.0, 0.0, 0.0);
        for (answer, wanted) in answers.iter().zip(&wanted) {
            let Ok(answer) = answer else { continue };
            let (Some(answer), Some(wanted)) = (answer.get(index), wanted.get(index)) else { continue };
            let error = answer - wanted;
            sums = (sums.0 + error.abs(), sums.1 + error * error, sums.2 + (output.mean - wanted).powi(2));
        }
        let count = answered as f64;
        metrics.insert(format!("holdout_mae.{}", output.name), sums.0 / count);
        metrics.insert(format!("holdout_rmse.{}", output.name), (sums.1 / count).sqrt());
        metrics.insert(format!("baseline_rmse.{}", output.name), (sums.2 / count).sqrt());
    }
    metrics
}

/// The reconstruction error of each row. A row outside the envelope, which has no answer, counts as infinitely wrong.
fn errors_of(model: &CandleModel, inputs: &Samples) -> Vec<f64> {
    let rows: Vec<Vec<f64>> = inputs.rows().map(<[f64]>::to_vec).collect();
    let first = |answer: Vec<f64>| answer.first().copied();
    model.evaluate_batch(&rows).into_iter().map(|row| row.ok().and_then(first).unwrap_or(f64::INFINITY)).collect()
}

fn quantile(mut values: Vec<f64>) -> f64 {
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index into at most two million values"
    )]
    let index = (values.len() as f64 * THRESHOLD_QUANTILE) as usize;
    values.get(index.min(values.len().saturating_sub(1))).copied().unwrap_or(1.0)
}

fn anomaly_metrics(metrics: &mut IndexMap<String, f64>, kept_back: &[(f64, bool)], threshold: f64) {
    let errors = |abnormal: bool| {
        kept_back.iter().filter(move |(_, label)| *label == abnormal).map(|(error, _)| *error).collect::<Vec<_>>()
    };
    #[expect(clippy::cast_precision_loss, reason = "there are far fewer samples than 2^52")]
    let share =
        |values: &[f64]| values.iter().filter(|error| **error > threshold).count() as f64 / values.len().max(1) as f64;
    let (normal, abnormal) = (errors(false), errors(true));
    let finite: Vec<f64> = normal.iter().copied().filter(|error| error.is_finite()).collect();
    if !finite.is_empty() {
        #[expect(clippy::cast_precision_loss, reason = "there are far fewer samples than 2^52")]
        metrics.insert("holdout_error".to_owned(), finite.iter().sum::<f64>() / finite.len() as f64);
        metrics.insert("holdout_false_alarms".to_owned(), share(&normal));
    }
    if let Some(area) = area_under_curve(kept_back) {
        metrics.insert("holdout_auc".to_owned(), area);
        metrics.insert("holdout_detected".to_owned(), share(&abnormal));
    }
}

/// The area under the ROC curve: how often a random abnormal row scores above a random normal one, ties counting half (Mann and Whitney 1947). `None` when one of
/// the kinds is missing.
#[expect(clippy::cast_precision_loss, reason = "there are far fewer samples than 2^52")]
pub fn area_under_curve(scored: &[(f64, bool)]) -> Option<f64> {
    let mut sorted = scored.to_vec();
    sorted.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let abnormal = sorted.iter().filter(|(_, label)| *label).count() as f64;
    let normal = sorted.len() as f64 - abnormal;
    if abnormal == 0.0 || normal == 0.0 {
        return None;
    }
    let mut rank_sum = 0.0;
    let mut before = 0.0;
    for equal in sorted.chunk_by(|(a, _), (b, _)| a.total_cmp(b).is_eq()) {
        let middle = before + (equal.len() as f64 + 1.0) / 2.0;
        rank_sum += middle * equal.iter().filter(|(_, label)| *label).count() as f64;
        before += equal.len() as f64;
    }
    Some((rank_sum - abnormal * (abnormal + 1.0) / 2.0) / (abnormal * normal))
}
