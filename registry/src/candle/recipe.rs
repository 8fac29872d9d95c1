//! A recipe: what is needed to train a network from a dataset, and to train the same one again.

use bytes::Bytes;
use domain::events::{DatasetColumn, Port};
use domain::ids::Code;
use domain::units::Unit;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::train::{Samples, TrainConfig, TrainError, Trained, train_autoencoder, train_mlp};
use crate::error::RegistryError;

/// The column of a dataset that says when its rows are.
const TIME_COLUMN: &str = "time";

/// What is learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trainer {
    /// Targets from features.
    #[serde(rename = "candle.mlp")]
    Mlp,
    /// What is normal, from features.
    #[serde(rename = "candle.autoencoder")]
    Autoencoder,
}

/// Which columns of a dataset go in, which come out, and how the network is trained. Rows with an empty cell among these columns are left out; the others are taken
/// in the order of time, so that what is kept back to measure with is the newest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// What is learnt.
    pub trainer: Trainer,
    /// The columns that go in.
    pub features: Vec<String>,
    /// The columns that come out; none for an autoencoder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// What a row must be like to be learnt from; all of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<Bounds>,
    /// How.
    #[serde(default)]
    pub config: TrainConfig,
}

/// The column of a dataset whose value must lie above and below something for the row to count. A row whose cell is empty does not count.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// The column, in its own unit.
    pub column: String,
    /// Greater than this.
    pub above: Option<f64>,
    /// Less than this.
    pub below: Option<f64>,
}

impl Bounds {
    fn hold(&self, value: f64) -> bool {
        self.above.is_none_or(|above| value > above) && self.below.is_none_or(|below| value < below)
    }
}

impl Recipe {
    /// Trains from a dataset's file. The same file and recipe give the same weights, byte for byte, on the same kind of machine. It takes its time, and blocks.
    ///
    /// # Errors
    /// [`RegistryError::Invalid`] names the field, [`RegistryError::Dataset`] when the file cannot be read, [`RegistryError::Train`].
    pub fn train(&self, file: Bytes, columns: &[DatasetColumn]) -> Result<Trained, RegistryError> {
        let ports = |field: &str, names: &[String]| {
            let port = |(index, name): (usize, &String)| {
                let field = format!("{field}[{index}]");
                let column = columns.iter().find(|column| column.name == *name);
                let column = column
                    .ok_or_else(|| RegistryError::invalid(&field, format!("the dataset has no column {name:?}")))?;
                let name = Code::new(name).map_err(|error| RegistryError::invalid(&field, error))?;
                Ok(Port { name, unit: column.unit.clone().unwrap_or_else(Unit::one), low: None, high: None })
            };
            names.iter().enumerate().map(port).collect::<Result<Vec<_>, RegistryError>>()
        };
        let (features, targets) = (ports("features", &self.features)?, ports("targets", &self.targets)?);
        match self.trainer {
            Trainer::Mlp if targets.is_empty() => {
                return Err(RegistryError::invalid("targets", "candle.mlp learns at least one"));
            }
            Trainer::Autoencoder if !targets.is_empty() => {
                return Err(RegistryError::invalid("targets", "candle.autoencoder learns from features alone"));
            }
            _ => {}
        }
        for (index, Bounds { column, above, below }) in self.only.iter().enumerate() {
            if !columns.iter().any(|known| known.name == *column) {
                let reason = format!("the dataset has no column {column:?}");
                return Err(RegistryError::invalid(format!("only[{index}].column"), reason));
            }
            if above.is_none() && below.is_none() {
                return Err(RegistryError::invalid(format!("only[{index}]"), "write above, below, or both"));
            }
        }
        let learnt = 1 + self.features.len() + self.targets.len();
        let conditions = self.only.iter().map(|bounds| &bounds.column);
        let named = self.features.iter().chain(&self.targets).chain(conditions).cloned();
        let wanted: Vec<String> = std::iter::once(TIME_COLUMN.to_owned()).chain(named).collect();
        let rows = datasets::numbers(file, &wanted)?;
        let counts =
            |row: &Vec<f64>| row.iter().skip(learnt).zip(&self.only).all(|(value, bounds)| bounds.hold(*value));
        let rows = rows.into_iter().filter_map(|row| row.into_iter().collect::<Option<Vec<f64>>>());
        let mut rows: Vec<Vec<f64>> = rows.filter(counts).collect();
        // The file has one asset after the other. The sort keeps that order among rows of one time.
        rows.sort_by(|a, b| a.first().partial_cmp(&b.first()).unwrap_or(std::cmp::Ordering::Equal));
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for row in &rows {
            let (_, values) = row.split_at(1.min(row.len()));
            let (features, rest) = values.split_at(self.features.len().min(values.len()));
            inputs.extend_from_slice(features);
            outputs.extend(rest.iter().take(self.targets.len()));
        }
        let inputs = Samples::new(features, inputs)?;
        let trained = match self.trainer {
            Trainer::Mlp => train_mlp(&inputs, &Samples::new(targets, outputs)?, &self.config),
            Trainer::Autoencoder => train_autoencoder(&inputs, None, &self.config),
        };
        Ok(trained?)
    }
}

impl From<TrainError> for RegistryError {
    fn from(error: TrainError) -> Self {
        match error {
            TrainError::Config { field, reason } => Self::invalid(format!("config.{field}"), reason),
            other => Self::Train(other),
        }
    }
}
