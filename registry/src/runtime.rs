//! What every kind of model has in common: a signature, named inputs in, named outputs out, or the reason why there are none.

use domain::conversion::Conversion;
use domain::events::Port;
use domain::ids::{Code, ModelName};
use domain::units::Unit;
use eventlog::frames::StatusCode;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::artifacts::VerifiedArtifact;

/// The most inputs, and the most outputs, of a model.
pub const MAX_PORTS: usize = 256;

/// The most rows of one batch prediction.
pub const MAX_BATCH_ROWS: usize = 100_000;

/// One value on its way into a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// The number.
    pub value: f64,
    /// The unit that the number is in; without it the model's own unit is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
}

impl Given {
    /// A value in the model's own unit.
    pub const fn plain(value: f64) -> Self {
        Self { value, unit: None }
    }

    /// A value in a unit of its own.
    pub const fn with_unit(value: f64, unit: Unit) -> Self {
        Self { value, unit: Some(unit) }
    }
}

/// Values by the names of the model's inputs.
pub type Inputs = IndexMap<Code, Given>;

/// Values by the names of the model's outputs, in the model's order.
pub type Outputs = IndexMap<String, f64>;

/// What goes into a model and what comes out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// The inputs, in the order of the values of [`Model::evaluate`].
    pub inputs: Vec<Port>,
    /// The outputs, in the order of the values that [`Model::evaluate`] answers.
    pub outputs: Vec<Port>,
}

impl Signature {
    /// The numbers of named inputs in the signature's order and units. Names that the model does not ask for are left aside.
    ///
    /// # Errors
    /// [`Unavailable`] names the first input that is missing, is not a finite number or comes in a unit of another kind.
    pub fn bind(&self, inputs: &Inputs) -> Result<Vec<f64>, Unavailable> {
        self.inputs
            .iter()
            .map(|port| {
                let given =
                    inputs.get(&port.name).ok_or_else(|| Unavailable::MissingInput { input: port.name.clone() })?;
                let value = match &given.unit {
                    Some(unit) if unit != &port.unit => Conversion::between(unit, &port.unit)
                        .map_err(|reason| Unavailable::UnitMismatch {
                            input: port.name.clone(),
                            given: unit.clone(),
                            wanted: port.unit.clone(),
                            reason: reason.to_string(),
                        })?
                        .apply(given.value),
                    Some(_) | None => given.value,
                };
                if value.is_finite() {
                    Ok(value)
                } else {
                    Err(Unavailable::InputNotFinite { input: port.name.clone() })
                }
            })
            .collect()
    }

    /// Whether every value lies in the range that the model is valid for.
    ///
    /// # Errors
    /// [`Unavailable`] names the first input that is outside, or that no value stands for.
    pub fn check_envelope(&self, values: &[f64]) -> Result<(), Unavailable> {
        for (index, port) in self.inputs.iter().enumerate() {
            let value = *values.get(index).ok_or_else(|| Unavailable::MissingInput { input: port.name.clone() })?;
            if !value.is_finite() {
                return Err(Unavailable::InputNotFinite { input: port.name.clone() });
            }
            let outside = |bound, side| Unavailable::OutsideEnvelope {
                input: port.name.clone(),
                value,
                unit: port.unit.clone(),
                side,
                bound,
            };
            if let Some(high) = port.high.filter(|high| value > *high) {
                return Err(outside(high, Side::Above));
            }
            if let Some(low) = port.low.filter(|low| value < *low) {
                return Err(outside(low, Side::Below));
            }
        }
        Ok(())
    }

    /// The outputs by name.
    pub fn name_outputs(&self, values: &[f64]) -> Outputs {
        self.outputs.iter().zip(values).map(|(port, value)| (port.name.as_str().to_owned(), *value)).collect()
    }
}

/// On which side of its range a value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It is greater than the greatest valid value.
    Above,
    /// It is less than the least valid value.
    Below,
}

impl std::fmt::Display for Side {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Above => "above",
            Self::Below => "below",
        })
    }
}

/// Why a model has no answer. This is not a failure of the program: it is what a model says when its answer would not be true.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Unavailable {
    /// Nobody gave the input.
    #[error("input {input} is missing")]
    MissingInput {
        /// The input.
        input: Code,
    },
    /// No signal of the asset measures the input.
    #[error("input {input} is missing: asset {asset} has no signal of this quantity")]
    MissingSignal {
        /// The input.
        input: Code,
        /// The asset.
        asset: domain::ids::AssetId,
    },
    /// The signal exists, and has no reading yet.
    #[error("input {input} is missing: signal {signal} has no reading")]
    NoReading {
        /// The input.
        input: Code,
        /// The signal.
        signal: domain::ids::SignalId,
    },
    /// The newest reading is too old beside the others.
    #[error("input {input} is stale: its newest reading is {age_s} s old, the limit is {limit_s} s")]
    Stale {
        /// The input.
        input: Code,
        /// How much older it is than the newest reading of the asset, in whole seconds.
        age_s: u64,
        /// How old it may be, in whole seconds.
        limit_s: u64,
    },
    /// The source says that the value is not to be used.
    #[error("input {input} has the bad status {status}")]
    BadStatus {
        /// The input.
        input: Code,
        /// The status (OPC UA).
        status: StatusCode,
    },
    /// The value is NaN, infinite or a text.
    #[error("input {input} is not a finite number")]
    InputNotFinite {
        /// The input.
        input: Code,
    },
    /// The value comes in a unit that the model's unit cannot be computed from.
    #[error("input {input} is in {given}, the model wants {wanted}: {reason}")]
    UnitMismatch {
        /// The input.
        input: Code,
        /// The unit that came.
        given: Unit,
        /// The model's unit.
        wanted: Unit,
        /// Why one cannot be computed from the other.
        reason: String,
    },
    /// The model is not valid for this value.
    #[error("input {input} {value} {unit} is {side} {bound}")]
    OutsideEnvelope {
        /// The input.
        input: Code,
        /// The value, in the model's unit.
        value: f64,
        /// The model's unit.
        unit: Unit,
        /// Which bound is passed.
        side: Side,
        /// The bound, in the model's unit.
        bound: f64,
    },
    /// A formula has no value here: a division by zero, the root of a negative number, a place outside a table, a number too large.
    #[error("formula {formula} has no value: {reason}")]
    Undefined {
        /// The formula.
        formula: String,
        /// What has no value, with the numbers.
        reason: String,
    },
    /// The result is NaN or infinite.
    #[error("output {output} is not a finite number")]
    OutputNotFinite {
        /// The output.
        output: Code,
    },
    /// The version that should run cannot be loaded.
    #[error("version {version} of model {model} cannot be loaded: {reason}")]
    NotLoaded {
        /// The model.
        model: ModelName,
        /// The version.
        version: u32,
        /// Why.
        reason: String,
    },
    /// The runtime itself failed.
    #[error("the model could not be computed: {0}")]
    Failed(String),
}

impl Unavailable {
    /// The kind of reason as one word, for counting and for telling whether the state changed.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::MissingInput { .. } | Self::MissingSignal { .. } | Self::NoReading { .. } => "missing",
            Self::Stale { .. } => "stale",
            Self::BadStatus { .. } => "bad_status",
            Self::InputNotFinite { .. } => "input_not_finite",
            Self::UnitMismatch { .. } => "unit_mismatch",
            Self::OutsideEnvelope { .. } => "outside_envelope",
            Self::Undefined { .. } => "undefined",
            Self::OutputNotFinite { .. } => "output_not_finite",
            Self::NotLoaded { .. } => "not_loaded",
            Self::Failed(_) => "failed",
        }
    }
}

/// Why files do not make a model. The text names the file and the field.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LoadError {
    /// A file that the runtime needs is not among the version's.
    #[error("the version has no file {name:?}, which runtime {runtime} needs")]
    MissingFile {
        /// The runtime.
        runtime: &'static str,
        /// The file.
        name: String,
    },
    /// A file does not say what it must.
    #[error("file {file:?}, {field}: {reason}")]
    Invalid {
        /// The file.
        file: String,
        /// The field in it.
        field: String,
        /// What is wrong.
        reason: String,
    },
    /// The version claims another signature than its files have.
    #[error("the files have other {what} than the version says")]
    Signature {
        /// `inputs` or `outputs`.
        what: &'static str,
    },
    /// Nobody knows the runtime.
    #[error("runtime {name:?} is not known")]
    UnknownRuntime {
        /// The name.
        name: String,
    },
}

/// A model, loaded and ready. It is immutable: the same values give the same answer.
pub trait Model: Send + Sync {
    /// What goes in and out.
    fn signature(&self) -> &Signature;

    /// Computes the outputs from values in the signature's order and units. It MUST check the validity envelope, MUST answer finite numbers only, MUST end (its cost is
    /// bounded by the model's size) and MUST NOT have effects.
    ///
    /// # Errors
    /// [`Unavailable`] says why there is no answer.
    fn evaluate(&self, values: &[f64]) -> Result<Vec<f64>, Unavailable>;

    /// Computes many rows. Each row's answer is the one that [`evaluate`](Self::evaluate) gives, up to rounding.
    fn evaluate_batch(&self, rows: &[Vec<f64>]) -> Vec<Result<Vec<f64>, Unavailable>> {
        rows.iter().map(|row| self.evaluate(row)).collect()
    }

    /// Computes named outputs from named inputs, converting units.
    ///
    /// # Errors
    /// [`Unavailable`] says why there is no answer.
    fn predict(&self, inputs: &Inputs) -> Result<Outputs, Unavailable> {
        let signature = self.signature();
        let values = signature.bind(inputs)?;
        Ok(signature.name_outputs(&self.evaluate(&values)?))
    }
}

/// Makes models of one kind from their files.
///
/// `load` MUST be a pure function of the files, MUST bound its work by named limits, and MUST NOT execute anything that it finds in them.
pub trait ModelRuntime: Send + Sync {
    /// The name in versions (`mechanism`, `candle`).
    fn name(&self) -> &'static str;

    /// Makes a model from the files of a version.
    ///
    /// # Errors
    /// [`LoadError`] names the file and the field.
    fn load(&self, artifacts: &[VerifiedArtifact]) -> Result<Box<dyn Model>, LoadError>;
}

pub(crate) fn find_file<'a>(
    artifacts: &'a [VerifiedArtifact],
    runtime: &'static str,
    name: &str,
) -> Result<&'a VerifiedArtifact, LoadError> {
    artifacts
        .iter()
        .find(|artifact| artifact.name() == name)
        .ok_or_else(|| LoadError::MissingFile { runtime, name: name.to_owned() })
}
