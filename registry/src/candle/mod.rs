//! Networks: weights in safetensors (a format that holds numbers only and runs nothing) with a manifest that says what they mean, and their training.

pub mod manifest;
pub mod recipe;
pub mod train;

mod network;

pub use manifest::{
    Activation, Layer, MANIFEST_FILE, Manifest, NetworkInput, NetworkKind, NetworkOutput, WEIGHTS_FILE,
};
pub use network::CandleModel;
pub use recipe::{Recipe, Trainer};
pub use train::{Samples, TrainConfig, TrainError, Trained, train_autoencoder, train_mlp};

use crate::artifacts::VerifiedArtifact;
use crate::runtime::{LoadError, Model, ModelRuntime, find_file};

/// Runs networks on candle.
#[derive(Clone, Copy, Debug, Default)]
pub struct CandleRuntime;

impl ModelRuntime for CandleRuntime {
    fn name(&self) -> &'static str {
        "candle"
    }

    fn load(&self, artifacts: &[VerifiedArtifact]) -> Result<Box<dyn Model>, LoadError> {
        let manifest = Manifest::parse(find_file(artifacts, self.name(), MANIFEST_FILE)?.bytes())?;
        let weights = find_file(artifacts, self.name(), WEIGHTS_FILE)?;
        Ok(Box::new(CandleModel::new(manifest, weights.bytes())?))
    }
}

#[cfg(test)]
mod tests;
