//! The schema of the index, and how a document is written.

use tantivy::schema::{
    FAST, Field, IndexRecordOption, NumericOptions, STORED, STRING, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::{TextAnalyzer, TokenizerManager};
use tantivy::{TantivyDocument, Term};

use super::{Document, Facet};
use crate::terms::{self, Terms};

/// The end of a version that has none.
pub(super) const OPEN: u64 = u64::MAX;

/// The names of the fields that say when a version is valid.
pub(super) const VALID_FROM: &str = "valid_from";
pub(super) const VALID_TO: &str = "valid_to";

/// The fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    /// The identity of a version.
    pub key: Field,
    /// The identity of the thing.
    pub id: Field,
    facets: [Field; Facet::ALL.len()],
    /// Chinese words.
    pub zh: Field,
    /// English words.
    pub en: Field,
    /// The words that codes are made of.
    pub labels: Field,
    /// Character n-grams.
    pub grams: Field,
    /// Syllables of Chinese.
    pub sounds: Field,
    /// Codes, whole and in lower case.
    pub codes: Field,
    /// Event time in nanoseconds.
    pub time_ns: Field,
    /// The first position of the version.
    pub valid_from: Field,
    /// The first position of the next version, or [`OPEN`].
    pub valid_to: Field,
    /// The body.
    pub body: Field,
}

/// The names that the tokenizers are registered under.
const ZH: &str = "millwright_zh";
const EN: &str = "millwright_en";
const GRAMS: &str = "millwright_grams";
const SOUNDS: &str = "millwright_sounds";

/// Makes the tokenizers known to an index.
pub(super) fn register(tokenizers: &TokenizerManager) {
    tokenizers.register(ZH, TextAnalyzer::from(Terms(terms::zh)));
    tokenizers.register(EN, TextAnalyzer::from(Terms(terms::en)));
    tokenizers.register(GRAMS, TextAnalyzer::from(Terms(terms::grams)));
    tokenizers.register(SOUNDS, TextAnalyzer::from(Terms(terms::sounds)));
}

impl Fields {
    /// The schema with its fields.
    pub fn schema() -> (Schema, Self) {
        let mut builder = Schema::builder();
        let words = |tokenizer| {
            // Frequencies without positions: nothing asks for phrases, and n-gram positions would double the index.
            let indexing =
                TextFieldIndexing::default().set_tokenizer(tokenizer).set_index_option(IndexRecordOption::WithFreqs);
            TextOptions::default().set_indexing_options(indexing)
        };
        let number = NumericOptions::default().set_fast().set_indexed();
        let fields = Self {
            key: builder.add_text_field("key", STRING),
            id: builder.add_text_field("id", STRING),
            facets: Facet::ALL.map(|facet| builder.add_text_field(facet.as_str(), STRING | FAST)),
            zh: builder.add_text_field("zh", words(ZH)),
            en: builder.add_text_field("en", words(EN)),
            labels: builder.add_text_field("labels", words(EN)),
            grams: builder.add_text_field("grams", words(GRAMS)),
            sounds: builder.add_text_field("sounds", words(SOUNDS)),
            codes: builder.add_text_field("codes", STRING),
            time_ns: builder.add_i64_field("time_ns", number.clone()),
            valid_from: builder.add_u64_field(VALID_FROM, number.clone()),
            valid_to: builder.add_u64_field(VALID_TO, number),
            body: builder.add_bytes_field("body", STORED),
        };
        (builder.build(), fields)
    }

    /// The field of a facet.
    pub fn facet(&self, facet: Facet) -> Field {
        let [base, kind, asset, class, mode, item] = self.facets;
        match facet {
            Facet::Base => base,
            Facet::Kind => kind,
            Facet::Asset => asset,
            Facet::Class => class,
            Facet::Mode => mode,
            Facet::Item => item,
        }
    }

    /// The term that names a version.
    pub fn version(&self, key: &str) -> Term {
        Term::from_field_text(self.key, key)
    }

    /// The document as Tantivy takes it.
    pub fn document(&self, from: &Document) -> TantivyDocument {
        let mut document = TantivyDocument::default();
        document.add_text(self.key, &from.key);
        document.add_text(self.id, &from.id);
        for (facet, value) in &from.facets {
            document.add_text(self.facet(*facet), value);
        }
        let mut codes: Vec<String> = Vec::new();
        for text in &from.texts {
            // Either language may hold words of the other one.
            for field in [self.zh, self.en, self.grams, self.sounds] {
                document.add_text(field, text);
            }
            codes.extend(terms::codes(text));
        }
        for code in &from.codes {
            document.add_text(self.labels, code);
            document.add_text(self.zh, code);
            codes.push(code.to_lowercase());
        }
        codes.sort_unstable();
        codes.dedup();
        for code in codes {
            document.add_text(self.codes, code);
        }
        if let Some(time_ns) = from.time_ns {
            document.add_i64(self.time_ns, time_ns);
        }
        document.add_u64(self.valid_from, from.valid_from);
        document.add_u64(self.valid_to, from.valid_to.unwrap_or(OPEN));
        document.add_bytes(self.body, &from.body);
        document
    }
}
