//! The architecture of a network: what its weights mean.

use domain::events::Port;
use domain::ids::Code;
use domain::units::Unit;
use domain::values::Text;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::mechanism::check_bounds;
use crate::runtime::{LoadError, MAX_PORTS, Signature};

/// The name of the manifest in a version.
pub const MANIFEST_FILE: &str = "manifest.json";

/// The name of the weights in a version.
pub const WEIGHTS_FILE: &str = "model.safetensors";

/// What `format` must say.
pub const FORMAT: &str = "millwright.network/1";

/// The largest manifest, in bytes.
pub const MAX_MANIFEST_BYTES: usize = 256 * 1024;

/// The most layers of a network.
pub const MAX_LAYERS: usize = 16;

/// The most values between two layers.
pub const MAX_WIDTH: usize = 4_096;

/// The most weights and biases of a network.
pub const MAX_WEIGHTS: usize = 16 * 1024 * 1024;

/// What a network computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkKind {
    /// The last layer's values are the outputs.
    Mlp,
    /// The last layer rebuilds the inputs. Each output is computed from the reconstruction error: the root of the mean squared difference, in standard deviations.
    Autoencoder,
}

/// What follows a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// Nothing.
    Identity,
    /// max(x, 0).
    Relu,
    /// The hyperbolic tangent.
    Tanh,
    /// 1 / (1 + exp(−x)).
    Sigmoid,
}

/// A network's manifest.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Always [`FORMAT`].
    pub format: String,
    /// What the network computes.
    pub kind: NetworkKind,
    /// What goes in, in the order of the first layer's columns.
    pub inputs: Vec<NetworkInput>,
    /// The layers. The weights of layer `i` are the tensors `layers.i.weight` (outputs × inputs) and `layers.i.bias` (outputs), both 32-bit floating point.
    pub layers: Vec<Layer>,
    /// What comes out, in the order of the last layer's rows.
    pub outputs: Vec<NetworkOutput>,
    /// Anything worth saying.
    pub note: Option<Text>,
}

/// An input with its normalisation: the network sees (value − mean) / std.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkInput {
    /// Its name: the quantity in the tag catalog.
    pub name: Code,
    /// The unit of `mean` and `std` and of what goes in.
    pub unit: Unit,
    /// The least value that the network is valid for.
    pub low: Option<f64>,
    /// The greatest value that the network is valid for.
    pub high: Option<f64>,
    /// The mean in the training data.
    pub mean: f64,
    /// The standard deviation in the training data; above 0.
    pub std: f64,
}

/// A dense layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// How many values go in.
    pub inputs: usize,
    /// How many values come out.
    pub outputs: usize,
    /// What follows.
    pub activation: Activation,
}

/// An output: value = raw × std + mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkOutput {
    /// Its name.
    pub name: Code,
    /// Its unit.
    pub unit: Unit,
    /// What is added.
    pub mean: f64,
    /// What is multiplied with; not 0.
    pub std: f64,
}

pub(super) fn invalid(file: &str, field: impl Into<String>, reason: impl std::fmt::Display) -> LoadError {
    LoadError::Invalid { file: file.to_owned(), field: field.into(), reason: reason.to_string() }
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// [`LoadError::Invalid`] names the field.
    pub fn parse(json: &[u8]) -> Result<Self, LoadError> {
        if json.len() > MAX_MANIFEST_BYTES {
            let reason = format!("it has {} bytes, the limit is {MAX_MANIFEST_BYTES}", json.len());
            return Err(invalid(MANIFEST_FILE, "manifest", reason));
        }
        let manifest: Self = serde_json::from_slice(json).map_err(|error| invalid(MANIFEST_FILE, "manifest", error))?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The name of a layer's tensor.
    pub(super) fn tensor(layer: usize, part: &str) -> String {
        format!("layers.{layer}.{part}")
    }

    /// Checks that the parts fit together.
    ///
    /// # Errors
    /// [`LoadError::Invalid`] names the field.
    pub fn check(&self) -> Result<(), LoadError> {
        let wrong = |field: String, reason: String| Err(invalid(MANIFEST_FILE, field, reason));
        if self.format != FORMAT {
            return wrong("format".to_owned(), format!("it must be {FORMAT:?}"));
        }
        for (field, count, limit) in [
            ("inputs", self.inputs.len(), MAX_PORTS),
            ("outputs", self.outputs.len(), MAX_PORTS),
            ("layers", self.layers.len(), MAX_LAYERS),
        ] {
            if count == 0 || count > limit {
                return wrong(field.to_owned(), format!("there must be 1 to {limit}"));
            }
        }
        self.check_ports()?;
        let mut width = self.inputs.len();
        let mut weights = 0_usize;
        for (index, layer) in self.layers.iter().enumerate() {
            let field = format!("layers.{index}");
            if layer.inputs != width {
                return wrong(field, format!("it takes {} values, and {width} come in", layer.inputs));
            }
            if layer.outputs == 0 || layer.outputs > MAX_WIDTH {
                return wrong(field, format!("it must have 1 to {MAX_WIDTH} outputs"));
            }
            width = layer.outputs;
            weights = weights.saturating_add(layer.outputs.saturating_mul(layer.inputs.saturating_add(1)));
        }
        if weights > MAX_WEIGHTS {
            return wrong("layers".to_owned(), format!("there are {weights} weights, the limit is {MAX_WEIGHTS}"));
        }
        let (needed, what) = match self.kind {
            NetworkKind::Mlp => (self.outputs.len(), "the outputs"),
            NetworkKind::Autoencoder => (self.inputs.len(), "the inputs, which it rebuilds"),
        };
        if width != needed {
            return wrong("layers".to_owned(), format!("the last layer has {width} values, {what} are {needed}"));
        }
        Ok(())
    }

    fn check_ports(&self) -> Result<(), LoadError> {
        for (index, input) in self.inputs.iter().enumerate() {
            let field = format!("inputs.{}", input.name);
            check_bounds(input.low, input.high).map_err(|reason| invalid(MANIFEST_FILE, field.clone(), reason))?;
            if !input.mean.is_finite() || !input.std.is_finite() || input.std <= 0.0 {
                return Err(invalid(MANIFEST_FILE, field, "mean must be finite and std above 0"));
            }
            if self.inputs.iter().take(index).any(|other| other.name == input.name) {
                return Err(invalid(MANIFEST_FILE, field, "the name is taken"));
            }
        }
        for (index, output) in self.outputs.iter().enumerate() {
            let field = format!("outputs.{}", output.name);
            if !output.mean.is_finite() || !output.std.is_finite() || output.std == 0.0 {
                return Err(invalid(MANIFEST_FILE, field, "mean must be finite and std finite and not 0"));
            }
            if self.outputs.iter().take(index).any(|other| other.name == output.name) {
                return Err(invalid(MANIFEST_FILE, field, "the name is taken"));
            }
        }
        Ok(())
    }

    /// What goes in and out.
    pub fn signature(&self) -> Signature {
        let input = |input: &NetworkInput| Port {
            name: input.name.clone(),
            unit: input.unit.clone(),
            low: input.low,
            high: input.high,
        };
        let output = |output: &NetworkOutput| Port {
            name: output.name.clone(),
            unit: output.unit.clone(),
            low: None,
            high: None,
        };
        Signature {
            inputs: self.inputs.iter().map(input).collect(),
            outputs: self.outputs.iter().map(output).collect(),
        }
    }
}
