//! A loaded network. Small work goes row by row through plain loops over the weights, because a tensor library's fixed cost per operation, and its handing out of work to
//! threads, are many times the arithmetic of so small a network (see `benches/predict.rs`); large work goes through candle's matrix products.

use candle_core::{Device, Tensor};
use safetensors::{Dtype, SafeTensors};

use super::manifest::{Activation, Manifest, NetworkKind, WEIGHTS_FILE, invalid};
use crate::runtime::{LoadError, MAX_BATCH_ROWS, Model, Signature, Unavailable};

/// Batches with fewer multiplications than this (rows × weights) are computed row by row: measured on two cores, a network of 400 weights is still faster that way at 4,096 rows.
const MIN_TENSOR_WORK: usize = 4 * 1024 * 1024;

/// A network with its weights.
#[derive(Clone, Debug)]
pub struct CandleModel {
    manifest: Manifest,
    signature: Signature,
    layers: Vec<Dense>,
}

#[derive(Clone, Debug)]
struct Dense {
    inputs: usize,
    /// Row by row: one row for each output.
    weight: Vec<f32>,
    bias: Vec<f32>,
    activation: Activation,
    /// inputs × outputs.
    transposed: Tensor,
    bias_tensor: Tensor,
}

impl CandleModel {
    /// Puts weights (safetensors) into the network that the manifest describes. The tensors must be those of the manifest, no more and no fewer, in their exact shapes.
    ///
    /// # Errors
    /// [`LoadError::Invalid`] names the file and the field or tensor.
    pub fn new(manifest: Manifest, weights: &[u8]) -> Result<Self, LoadError> {
        manifest.check()?;
        let file = SafeTensors::deserialize(weights).map_err(|error| invalid(WEIGHTS_FILE, "header", error))?;
        let expected = manifest.layers.len() * 2;
        if file.len() != expected {
            let reason = format!("there are {} tensors, the manifest needs {expected}", file.len());
            return Err(invalid(WEIGHTS_FILE, "header", reason));
        }
        let mut layers = Vec::with_capacity(manifest.layers.len());
        for (index, layer) in manifest.layers.iter().enumerate() {
            let weight = read(&file, &Manifest::tensor(index, "weight"), &[layer.outputs, layer.inputs])?;
            let bias = read(&file, &Manifest::tensor(index, "bias"), &[layer.outputs])?;
            let failed = |error| invalid(WEIGHTS_FILE, Manifest::tensor(index, "weight"), error);
            let transposed = Tensor::from_slice(&weight, (layer.outputs, layer.inputs), &Device::Cpu)
                .and_then(|tensor| tensor.t()?.contiguous())
                .map_err(failed)?;
            let bias_tensor = Tensor::from_slice(&bias, layer.outputs, &Device::Cpu).map_err(failed)?;
            layers.push(Dense {
                inputs: layer.inputs,
                weight,
                bias,
                activation: layer.activation,
                transposed,
                bias_tensor,
            });
        }
        Ok(Self { signature: manifest.signature(), manifest, layers })
    }

    /// The architecture.
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn normalised(&self, values: &[f64]) -> Vec<f32> {
        #[expect(clippy::cast_possible_truncation, reason = "the network computes in 32-bit floating point")]
        self.manifest
            .inputs
            .iter()
            .zip(values)
            .map(|(input, value)| ((value - input.mean) / input.std) as f32)
            .collect()
    }

    /// The answer from the normalised inputs and the last layer's values.
    fn answer(&self, normalised: &[f32], raw: &[f32]) -> Result<Vec<f64>, Unavailable> {
        let head: Vec<f64> = match self.manifest.kind {
            NetworkKind::Mlp => raw.iter().map(|value| f64::from(*value)).collect(),
            NetworkKind::Autoencoder => vec![reconstruction_error(normalised, raw); self.manifest.outputs.len()],
        };
        self.manifest
            .outputs
            .iter()
            .zip(head)
            .map(|(output, raw)| {
                let value = raw.mul_add(output.std, output.mean);
                if value.is_finite() {
                    Ok(value)
                } else {
                    Err(Unavailable::OutputNotFinite { output: output.name.clone() })
                }
            })
            .collect()
    }

    fn forward(&self, normalised: &[f32]) -> Vec<f32> {
        self.layers.iter().fold(normalised.to_vec(), |values, layer| layer.forward(&values))
    }

    fn forward_many(&self, rows: Vec<f32>, count: usize) -> candle_core::Result<Vec<Vec<f32>>> {
        let mut values = Tensor::from_vec(rows, (count, self.manifest.inputs.len()), &Device::Cpu)?;
        for layer in &self.layers {
            values = values.matmul(&layer.transposed)?.broadcast_add(&layer.bias_tensor)?;
            values = activate(&values, layer.activation)?;
        }
        values.to_vec2()
    }
}

impl Dense {
    fn forward(&self, values: &[f32]) -> Vec<f32> {
        self.weight
            .chunks_exact(self.inputs)
            .zip(&self.bias)
            .map(|(row, bias)| {
                let sum: f32 = row.iter().zip(values).map(|(weight, value)| weight * value).sum();
                let sum = sum + bias;
                match self.activation {
                    Activation::Identity => sum,
                    Activation::Relu => sum.max(0.0),
                    Activation::Tanh => sum.tanh(),
                    Activation::Sigmoid => 1.0 / (1.0 + (-sum).exp()),
                }
            })
            .collect()
    }
}

pub(super) fn activate(values: &Tensor, activation: Activation) -> candle_core::Result<Tensor> {
    match activation {
        Activation::Identity => Ok(values.clone()),
        Activation::Relu => values.relu(),
        Activation::Tanh => values.tanh(),
        Activation::Sigmoid => candle_nn::ops::sigmoid(values),
    }
}

/// The root of the mean squared difference.
#[expect(clippy::cast_precision_loss, reason = "a network has far fewer inputs than 2^52")]
fn reconstruction_error(normalised: &[f32], rebuilt: &[f32]) -> f64 {
    let squares: f64 = normalised.iter().zip(rebuilt).map(|(value, rebuilt)| f64::from(value - rebuilt).powi(2)).sum();
    (squares / normalised.len().max(1) as f64).sqrt()
}

impl Model for CandleModel {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn evaluate(&self, values: &[f64]) -> Result<Vec<f64>, Unavailable> {
        self.signature.check_envelope(values)?;
        let normalised = self.normalised(values);
        self.answer(&normalised, &self.forward(&normalised))
    }

    fn evaluate_batch(&self, rows: &[Vec<f64>]) -> Vec<Result<Vec<f64>, Unavailable>> {
        let weights: usize = self.layers.iter().map(|layer| layer.weight.len()).sum();
        if rows.len().saturating_mul(weights) < MIN_TENSOR_WORK {
            return rows.iter().map(|row| self.evaluate(row)).collect();
        }
        rows.chunks(MAX_BATCH_ROWS).flat_map(|rows| self.evaluate_chunk(rows)).collect()
    }
}

impl CandleModel {
    /// Computes rows by tensors.
    pub(super) fn evaluate_chunk(&self, rows: &[Vec<f64>]) -> Vec<Result<Vec<f64>, Unavailable>> {
        // Rows outside the envelope do not enter the product; their places are kept.
        let prepared: Vec<Result<Vec<f32>, Unavailable>> =
            rows.iter().map(|row| self.signature.check_envelope(row).map(|()| self.normalised(row))).collect();
        let flat: Vec<f32> = prepared.iter().flatten().flatten().copied().collect();
        let count = prepared.iter().filter(|row| row.is_ok()).count();
        let computed = if count == 0 { Ok(Vec::new()) } else { self.forward_many(flat, count) };
        let mut raw = match computed {
            Ok(raw) => raw.into_iter(),
            Err(error) => return rows.iter().map(|_| Err(Unavailable::Failed(error.to_string()))).collect(),
        };
        prepared
            .into_iter()
            .map(|row| {
                let normalised = row?;
                let raw = raw.next().ok_or_else(|| Unavailable::Failed("a row is missing".to_owned()))?;
                self.answer(&normalised, &raw)
            })
            .collect()
    }
}

fn read(file: &SafeTensors<'_>, name: &str, shape: &[usize]) -> Result<Vec<f32>, LoadError> {
    let wrong = |reason: String| Err(invalid(WEIGHTS_FILE, name, reason));
    let Ok(view) = file.tensor(name) else { return wrong("the tensor is missing".to_owned()) };
    if view.dtype() != Dtype::F32 {
        return wrong(format!("it is of type {:?}, F32 is expected", view.dtype()));
    }
    if view.shape() != shape {
        return wrong(format!("its shape is {:?}, {shape:?} is expected", view.shape()));
    }
    let (chunks, rest) = view.data().as_chunks::<4>();
    let values: Vec<f32> = chunks.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    if !rest.is_empty() || values.len() != shape.iter().product::<usize>() {
        return wrong("its data does not fill its shape".to_owned());
    }
    if !values.iter().all(|value| value.is_finite()) {
        return wrong("a weight is not a finite number".to_owned());
    }
    Ok(values)
}
