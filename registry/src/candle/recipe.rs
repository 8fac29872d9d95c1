//! A recipe: what is needed to train a network from a dataset, and to train the same one again.

use bytes::Bytes;
use domain::events::{DatasetColumn, Port};
use domain::ids::Code;
use domain::units::Unit;
use serde::{Deserialize, Serialize};

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
    /// How.
    #[serde(default)]
    pub config: TrainConfig,
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
        let time = std::iter::once(TIME_COLUMN.to_owned());
        let wanted: Vec<String> = time.chain(self.features.iter().chain(&self.targets).cloned()).collect();
        let rows = datasets::numbers(file, &wanted)?;
        let mut rows: Vec<Vec<f64>> = rows.into_iter().filter_map(|row| row.into_iter().collect()).collect();
        // The file has one asset after the other. The sort keeps that order among rows of one time.
        rows.sort_by(|a, b| a.first().partial_cmp(&b.first()).unwrap_or(std::cmp::Ordering::Equal));
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for row in &rows {
            let (_, values) = row.split_at(1.min(row.len()));
            let (features, targets) = values.split_at(self.features.len().min(values.len()));
            inputs.extend_from_slice(features);
            outputs.extend_from_slice(targets);
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
