//! Reading a model folder: what each file may say, and what it says.

use std::path::{Path, PathBuf};

use candle_transformers::models::bert::Config;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{Tokenizer, TruncationParams};

/// The largest settings file and the largest weights that are read, in bytes.
const MOST_SETTINGS_BYTES: u64 = 64 * 1024 * 1024;
const MOST_WEIGHT_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// How many tokens of a text count where the folder does not say.
const DEFAULT_TOKENS: usize = 512;

/// How many hexadecimal digits of the digest are in an identity.
const IDENTITY_DIGITS: usize = 16;

/// Why a folder holds no usable model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file is missing or cannot be read.
    #[error("{path}: it cannot be read")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is too large.
    #[error("{path}: it has {bytes} bytes, more than {most}")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The limit.
        most: u64,
    },
    /// A file is not what its name says.
    #[error("{path}: it is not what a {what} is")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// Why it is not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A field has a value that cannot be used.
    #[error("{path}: {field}: {reason}")]
    Field {
        /// The file.
        path: PathBuf,
        /// The field.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// How the vectors of a text's tokens become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// Their mean.
    Mean,
    /// The vector of the first token, `[CLS]`.
    Cls,
}

/// Everything that a folder says.
pub(crate) struct Folder {
    pub identity: String,
    pub config: Config,
    pub tokenizer: Tokenizer,
    pub pooling: Pooling,
    pub normalise: bool,
    /// What is put before a question, and before a document.
    pub prompts: (String, String),
    pub weights: Vec<u8>,
    pub weights_path: PathBuf,
}

#[derive(Deserialize)]
struct Module {
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SentenceConfig {
    max_seq_length: Option<usize>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TokenizerConfig {
    do_lower_case: Option<bool>,
    tokenize_chinese_chars: Option<bool>,
    strip_accents: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Prompts {
    prompts: std::collections::BTreeMap<String, String>,
}

/// The files that were read, and the digest over them.
struct Reader<'a> {
    root: &'a Path,
    digest: Sha256,
}

fn field(path: &Path, field: impl Into<String>, reason: impl Into<String>) -> ModelError {
    ModelError::Field { path: path.to_path_buf(), field: field.into(), reason: reason.into() }
}

impl Reader<'_> {
    fn bytes(&mut self, name: &str, most: u64) -> Result<(PathBuf, Vec<u8>), ModelError> {
        let path = self.root.join(name);
        let failed = |source| ModelError::File { path: path.clone(), source };
        let bytes = std::fs::metadata(&path).map_err(failed)?.len();
        if bytes > most {
            return Err(ModelError::TooLarge { path, bytes, most });
        }
        let content = std::fs::read(&path).map_err(failed)?;
        self.digest.update(name.as_bytes());
        self.digest.update(Sha256::digest(&content));
        Ok((path, content))
    }

    /// The same, or `None` where there is no such file.
    fn optional(&mut self, name: &str) -> Result<Option<(PathBuf, Vec<u8>)>, ModelError> {
        match self.bytes(name, MOST_SETTINGS_BYTES) {
            Err(ModelError::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
            other => other.map(Some),
        }
    }

    fn settings<T: DeserializeOwned + Default>(&mut self, name: &str) -> Result<T, ModelError> {
        self.optional(name)?
            .map_or_else(|| Ok(T::default()), |(path, bytes)| parsed(&path, &bytes, "JSON object of settings"))
    }
}

fn parsed<T: DeserializeOwned>(path: &Path, bytes: &[u8], what: &'static str) -> Result<T, ModelError> {
    serde_json::from_slice(bytes).map_err(|source| ModelError::Malformed {
        path: path.to_path_buf(),
        what,
        source: source.into(),
    })
}

impl Folder {
    pub fn read(root: &Path) -> Result<Self, ModelError> {
        let mut reader = Reader { root, digest: Sha256::new() };
        let (config_path, config) = reader.bytes("config.json", MOST_SETTINGS_BYTES)?;
        let config = bert(&config_path, &config)?;
        let (pooling, normalise) = modules(&mut reader, config.hidden_size)?;
        let tokens = reader.settings::<SentenceConfig>("sentence_bert_config.json")?.max_seq_length;
        let tokens = tokens.unwrap_or(DEFAULT_TOKENS).min(config.max_position_embeddings);
        let tokenizer = tokenizer(&mut reader, &config, tokens)?;
        let prompts = reader.settings::<Prompts>("config_sentence_transformers.json")?.prompts;
        let prompt = |names: &[&str]| names.iter().find_map(|name| prompts.get(*name)).cloned().unwrap_or_default();
        let prompts = (prompt(&["query"]), prompt(&["passage", "document"]));
        let (weights_path, weights) = reader.bytes("model.safetensors", MOST_WEIGHT_BYTES)?;
        let name = root.file_name().map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into_owned());
        let digest: String = reader.digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let identity = format!("{name}@{}", digest.get(..IDENTITY_DIGITS).unwrap_or(&digest));
        Ok(Self { identity, config, tokenizer, pooling, normalise, prompts, weights, weights_path })
    }
}

fn bert(path: &Path, bytes: &[u8]) -> Result<Config, ModelError> {
    let whole: serde_json::Value = parsed(path, bytes, "JSON object of a model's settings")?;
    match whole.get("model_type").and_then(serde_json::Value::as_str) {
        Some("bert") | None => {}
        Some(other) => return Err(field(path, "model_type", format!("it is {other:?}; only \"bert\" can be read"))),
    }
    let config: Config = parsed(path, bytes, "BERT model's settings")?;
    let positive = [
        ("vocab_size", config.vocab_size),
        ("hidden_size", config.hidden_size),
        ("num_hidden_layers", config.num_hidden_layers),
        ("num_attention_heads", config.num_attention_heads),
        ("intermediate_size", config.intermediate_size),
        ("max_position_embeddings", config.max_position_embeddings),
        ("type_vocab_size", config.type_vocab_size),
    ];
    if let Some((name, _)) = positive.iter().find(|(_, value)| *value == 0) {
        return Err(field(path, *name, "it is 0"));
    }
    if !config.hidden_size.is_multiple_of(config.num_attention_heads) {
        let reason = format!("{} does not divide hidden_size, {}", config.num_attention_heads, config.hidden_size);
        return Err(field(path, "num_attention_heads", reason));
    }
    Ok(config)
}

/// Pooling, and whether vectors are made 1 long. Without `modules.json` the mean is taken and made 1 long, as most models are trained.
fn modules(reader: &mut Reader<'_>, hidden: usize) -> Result<(Pooling, bool), ModelError> {
    let Some((path, bytes)) = reader.optional("modules.json")? else { return Ok((Pooling::Mean, true)) };
    let modules: Vec<Module> = parsed(&path, &bytes, "list of modules")?;
    let (mut pooling, mut normalise) = (Pooling::Mean, false);
    for module in &modules {
        match module.kind.rsplit('.').next().unwrap_or_default() {
            "Transformer" if module.path.is_empty() => {}
            "Transformer" => {
                return Err(field(&path, "path", "the network lies in a folder of its own, which is not read"));
            }
            "Pooling" => {
                let name = format!("{}/config.json", module.path);
                if module.path.split('/').any(|part| part == "..") || Path::new(&module.path).is_absolute() {
                    return Err(field(&path, "path", format!("{:?} lies outside of the folder", module.path)));
                }
                let (path, bytes) = reader.bytes(&name, MOST_SETTINGS_BYTES)?;
                pooling = pooled(&path, &bytes, hidden)?;
            }
            "Normalize" => normalise = true,
            other => return Err(field(&path, "type", format!("modules of the kind {other:?} cannot be run"))),
        }
    }
    Ok((pooling, normalise))
}

fn pooled(path: &Path, bytes: &[u8], hidden: usize) -> Result<Pooling, ModelError> {
    let config: serde_json::Map<String, serde_json::Value> = parsed(path, bytes, "JSON object of pooling settings")?;
    let length = config.get("word_embedding_dimension").and_then(serde_json::Value::as_u64);
    if length.is_some_and(|length| usize::try_from(length) != Ok(hidden)) {
        let reason = format!("it is {}, and the model's hidden_size is {hidden}", length.unwrap_or_default());
        return Err(field(path, "word_embedding_dimension", reason));
    }
    let chosen: Vec<&str> = config
        .iter()
        .filter(|(name, value)| name.starts_with("pooling_mode_") && value.as_bool() == Some(true))
        .map(|(name, _)| name.as_str())
        .collect();
    match chosen[..] {
        ["pooling_mode_mean_tokens"] => Ok(Pooling::Mean),
        ["pooling_mode_cls_token"] => Ok(Pooling::Cls),
        [] => Err(field(path, "pooling_mode_mean_tokens", "no way of pooling is chosen")),
        [other] => Err(field(path, other, "only pooling_mode_mean_tokens and pooling_mode_cls_token are known")),
        _ => Err(field(path, chosen.join(", "), "only one way of pooling can be chosen")),
    }
}

/// The tokenizer of `tokenizer.json`, or the usual one of BERT over `vocab.txt`; longer texts are cut, and nothing is padded.
fn tokenizer(reader: &mut Reader<'_>, config: &Config, tokens: usize) -> Result<Tokenizer, ModelError> {
    let (path, mut tokenizer) = match reader.optional("tokenizer.json")? {
        Some((path, bytes)) => {
            let read = Tokenizer::from_bytes(&bytes);
            let malformed = |source| ModelError::Malformed { path: path.clone(), what: "tokenizer", source };
            let tokenizer = read.map_err(malformed)?;
            (path, tokenizer)
        }
        None => {
            let settings: TokenizerConfig = reader.settings("tokenizer_config.json")?;
            let (path, bytes) = reader.bytes("vocab.txt", MOST_SETTINGS_BYTES)?;
            let tokenizer = by_vocabulary(&path, &bytes, &settings)?;
            (path, tokenizer)
        }
    };
    let known = tokenizer.get_vocab_size(true);
    if known > config.vocab_size {
        let reason = format!("{known} tokens are more than the {} that the network knows", config.vocab_size);
        return Err(field(&path, "vocab", reason));
    }
    if tokenizer.token_to_id("[CLS]").is_none() || tokenizer.token_to_id("[SEP]").is_none() {
        return Err(field(&path, "vocab", "it lacks [CLS] or [SEP]"));
    }
    let cut = TruncationParams { max_length: tokens, ..TruncationParams::default() };
    tokenizer.with_padding(None).with_truncation(Some(cut)).map_err(|source| ModelError::Malformed {
        path,
        what: "tokenizer",
        source,
    })?;
    Ok(tokenizer)
}

fn by_vocabulary(path: &Path, bytes: &[u8], settings: &TokenizerConfig) -> Result<Tokenizer, ModelError> {
    let malformed = |source| ModelError::Malformed { path: path.to_path_buf(), what: "vocabulary", source };
    let text = std::str::from_utf8(bytes).map_err(|source| malformed(source.into()))?;
    let words: Vec<&str> = text.lines().map(|line| line.trim_end_matches('\r')).collect();
    let number = |word: &str| {
        let at = words.iter().position(|own| *own == word);
        at.and_then(|at| u32::try_from(at).ok()).ok_or_else(|| field(path, word, "the vocabulary lacks it"))
    };
    let (cls, sep) = (number("[CLS]")?, number("[SEP]")?);
    number("[UNK]")?;
    // The library takes a file's name, and the file as it was checked above.
    let builder = WordPiece::from_file(&path.to_string_lossy()).unk_token("[UNK]".to_owned());
    let model = builder.build().map_err(malformed)?;
    let mut tokenizer = Tokenizer::new(model);
    tokenizer
        .with_normalizer(Some(BertNormalizer::new(
            true,
            settings.tokenize_chinese_chars.unwrap_or(true),
            settings.strip_accents,
            settings.do_lower_case.unwrap_or(true),
        )))
        .map_err(malformed)?
        .with_pre_tokenizer(Some(BertPreTokenizer))
        .with_post_processor(Some(BertProcessing::new(("[SEP]".to_owned(), sep), ("[CLS]".to_owned(), cls))));
    Ok(tokenizer)
}
