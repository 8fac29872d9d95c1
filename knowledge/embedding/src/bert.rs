//! The network: tokens in, one vector out.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::BertModel;
use retrieval::vectors::{EmbedError, Embedder};
use tokenizers::Tokenizer;

use crate::folder::{Folder, ModelError, Pooling};

/// A BERT model.
pub struct Bert {
    identity: String,
    dimensions: usize,
    tokenizer: Tokenizer,
    network: BertModel,
    pooling: Pooling,
    normalise: bool,
    prompts: (String, String),
    /// The token that stands for what the vocabulary lacks.
    unknown: Option<u32>,
}

/// A text of which more tokens are unknown is in a language that the model does not know: four fifths of a Chinese sentence are for a model of English, and none of an English one
/// with slips and codes.
const MOST_UNKNOWN: f64 = 1.0 / 3.0;

/// A vector that is shorter than this has no direction.
const LEAST_LENGTH: f64 = 1e-12;

impl Bert {
    /// Reads and checks the model in the folder, and tries it once.
    ///
    /// # Errors
    /// [`ModelError`], which names the file, the field and the reason.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        let Folder { identity, config, tokenizer, pooling, normalise, prompts, weights, weights_path } =
            Folder::read(folder)?;
        let malformed = |source: candle_core::Error| ModelError::Malformed {
            path: weights_path.clone(),
            what: "file of this model's weights",
            source: source.into(),
        };
        let variables = VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu).map_err(malformed)?;
        let network = BertModel::load(variables, &config).map_err(malformed)?;
        let unknown = tokenizer.token_to_id("[UNK]");
        let dimensions = config.hidden_size;
        let model = Self { identity, dimensions, tokenizer, network, pooling, normalise, prompts, unknown };
        let tried = model.vector("", "1");
        if let Err(source) = tried {
            return Err(ModelError::Malformed { path: weights_path, what: "file of this model's weights", source });
        }
        Ok(model)
    }

    /// How the vectors of tokens become one.
    pub fn pooling(&self) -> Pooling {
        self.pooling
    }

    fn knows(&self, text: &str) -> Result<bool, Box<dyn std::error::Error + Send + Sync>> {
        let encoded = self.tokenizer.encode(text, false)?;
        let tokens = encoded.get_ids();
        let unknown = tokens.iter().filter(|token| Some(**token) == self.unknown).count();
        #[expect(clippy::cast_precision_loss, reason = "a share of few tokens")]
        Ok(unknown as f64 <= tokens.len() as f64 * MOST_UNKNOWN)
    }

    fn vector(&self, prompt: &str, text: &str) -> Result<Vec<f32>, Box<dyn std::error::Error + Send + Sync>> {
        let encoded = self.tokenizer.encode(format!("{prompt}{text}"), true)?;
        let tokens = encoded.get_ids();
        if tokens.is_empty() {
            return Err("the text has no tokens".into());
        }
        let tokens = Tensor::new(tokens, &Device::Cpu)?.unsqueeze(0)?;
        // One text and no padding: every token counts, and there is one sentence.
        let hidden = self.network.forward(&tokens, &tokens.zeros_like()?, None)?.squeeze(0)?;
        let pooled = match self.pooling {
            Pooling::Mean => hidden.mean(0)?,
            Pooling::Cls => hidden.get(0)?,
        };
        let mut vector: Vec<f32> = pooled.to_vec1()?;
        if vector.iter().any(|number| !number.is_finite()) {
            return Err("a number of the vector is not finite".into());
        }
        if self.normalise {
            let length = vector.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
            #[expect(clippy::cast_possible_truncation, reason = "a length as a factor of such numbers")]
            let length = length.max(LEAST_LENGTH) as f32;
            vector.iter_mut().for_each(|number| *number /= length);
        }
        Ok(vector)
    }

    fn embed(&self, prompt: &str, text: &str) -> Result<Option<Vec<f32>>, EmbedError> {
        let vector = self.knows(text).and_then(|knows| knows.then(|| self.vector(prompt, text)).transpose());
        vector.map_err(|source| EmbedError { model: self.identity.clone(), bytes: text.len(), source })
    }
}

impl Embedder for Bert {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn dimensions(&self) -> usize {
        self.dimensions
    }

    fn document(&self, text: &str) -> Result<Option<Vec<f32>>, EmbedError> {
        self.embed(&self.prompts.1, text)
    }

    fn question(&self, text: &str) -> Result<Option<Vec<f32>>, EmbedError> {
        self.embed(&self.prompts.0, text)
    }
}
