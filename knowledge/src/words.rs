//! The words of the plant, as the log has them, for whoever looks for texts.

use std::sync::Arc;

use eventlog::Position;
use parking_lot::Mutex;
use projections::folds::dictionary::Dictionary;
use projections::{AsOf, Shared};
use retrieval::curated::Curated;
use retrieval::suggest::suggest;
use serde::Serialize;

use crate::record::{Detail, KnowledgeRecord};

/// Two words that may mean the same, as past texts use them: a question to whoever curates the dictionary.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SuggestedPair {
    /// The words; the first may be short for the second, where it is an abbreviation.
    pub words: [String; 2],
    /// Whether the first may be short for the second.
    pub abbreviation: bool,
    /// How alike their neighbours and the codes of their texts are, from 0 to 1.
    pub likeness: f64,
    /// In how many texts each stands.
    pub texts: [usize; 2],
    /// What they share, the most telling first.
    pub shared: Vec<String>,
}

/// Pairs that are worth a question, the most alike first, from the texts of fault episodes.
pub(crate) fn pairs(records: &[KnowledgeRecord], curated: &Curated, limit: usize) -> Vec<SuggestedPair> {
    let told: Vec<(String, Option<&str>)> = records
        .iter()
        .map(|record| {
            let text = [record.text.zh.as_deref(), record.text.en.as_deref()].into_iter().flatten().collect::<Vec<_>>();
            let mode = match &record.detail {
                Detail::FaultEpisode(fault) => fault.mode.as_ref().map(|mode| mode.as_str()),
                _ => None,
            };
            (text.join(" "), mode)
        })
        .collect();
    let texts: Vec<(&str, Option<&str>)> = told.iter().map(|(text, mode)| (text.as_str(), *mode)).collect();
    suggest(&texts, curated, limit)
        .into_iter()
        .map(|found| SuggestedPair {
            words: found.words.into(),
            abbreviation: found.abbreviation,
            likeness: found.likeness,
            texts: found.texts.into(),
            shared: found.shared,
        })
        .collect()
}

/// The dictionary of the plant at any position. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Words {
    dictionary: Shared<Dictionary>,
    /// The last ones that were asked for: most questions are about now.
    last: Arc<Mutex<Arc<Curated>>>,
}

impl Words {
    pub fn new(dictionary: Shared<Dictionary>) -> Self {
        Self { dictionary, last: Arc::default() }
    }

    /// The words as they were known: the last position that counts, or now.
    pub fn at(&self, as_of: Option<Position>) -> Arc<Curated> {
        self.dictionary.read(|dictionary, _| {
            let as_of = as_of.map_or(AsOf::LATEST, AsOf::through);
            let version = dictionary.version(as_of).map(Position::get);
            let mut last = self.last.lock();
            if last.position() != version {
                let words = dictionary.at(as_of);
                *last = Arc::new(Curated::new(version, words.same, words.abbreviations));
            }
            Arc::clone(&last)
        })
    }
}
