//! The schema of the index, and how a record version becomes a document.

use eventlog::Position;
use tantivy::schema::{
    Field, IndexRecordOption, NumericOptions, STORED, STRING, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::{TantivyDocument, Term};

use crate::record::{KnowledgeRecord, RecordId};
use crate::terms;
use crate::versions;

/// The end of a version that has none.
pub(super) const OPEN: u64 = u64::MAX;

/// The fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    /// Record and beginning: the identity of a version.
    pub key: Field,
    /// Record.
    pub id: Field,
    /// Knowledge base.
    pub base: Field,
    /// Kind.
    pub kind: Field,
    /// Asset.
    pub asset: Field,
    /// Class, in records about assets.
    pub class: Field,
    /// Chinese words.
    pub zh: Field,
    /// English words.
    pub en: Field,
    /// The words that codes are made of.
    pub labels: Field,
    /// Character n-grams.
    pub grams: Field,
    /// Codes, whole and in lower case.
    pub codes: Field,
    /// Event time in nanoseconds.
    pub event_time_ns: Field,
    /// The first position of the version.
    pub valid_from: Field,
    /// The first position of the next version, or [`OPEN`].
    pub valid_to: Field,
    /// The record.
    pub body: Field,
}

/// The names that the tokenizers are registered under.
pub(super) const ZH: &str = "millwright_zh";
pub(super) const EN: &str = "millwright_en";
pub(super) const GRAMS: &str = "millwright_grams";

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
            base: builder.add_text_field("base", STRING),
            kind: builder.add_text_field("kind", STRING),
            asset: builder.add_text_field("asset", STRING),
            class: builder.add_text_field("class", STRING),
            zh: builder.add_text_field("zh", words(ZH)),
            en: builder.add_text_field("en", words(EN)),
            labels: builder.add_text_field("labels", words(EN)),
            grams: builder.add_text_field("grams", words(GRAMS)),
            codes: builder.add_text_field("codes", STRING),
            event_time_ns: builder.add_i64_field("event_time_ns", number.clone()),
            valid_from: builder.add_u64_field("valid_from", number.clone()),
            valid_to: builder.add_u64_field("valid_to", number),
            body: builder.add_bytes_field("body", STORED),
        };
        (builder.build(), fields)
    }

    /// The term that names a version.
    pub fn version_key(&self, id: &RecordId, valid_from: Position) -> Term {
        Term::from_field_text(self.key, &format!("{id}@{valid_from}"))
    }

    /// The document of a version.
    pub fn document(&self, record: &KnowledgeRecord) -> Result<TantivyDocument, String> {
        let mut document = TantivyDocument::default();
        document.add_text(self.key, format!("{}@{}", record.id, record.valid_from));
        document.add_text(self.id, record.id.as_str());
        document.add_text(self.base, record.base.as_str());
        document.add_text(self.kind, record.kind.as_str());
        if let Some(asset) = &record.asset {
            document.add_text(self.asset, asset);
        }
        if let Some(class) = &record.class {
            document.add_text(self.class, class);
        }
        self.add_words(&mut document, record);
        if let Some(time) = record.event_time {
            document.add_i64(self.event_time_ns, nanoseconds(time));
        }
        document.add_u64(self.valid_from, record.valid_from.get());
        document.add_u64(self.valid_to, record.valid_to.map_or(OPEN, Position::get));
        document.add_bytes(self.body, &versions::encode(record)?);
        Ok(document)
    }

    fn add_words(&self, document: &mut TantivyDocument, record: &KnowledgeRecord) {
        let mut codes: Vec<String> = Vec::new();
        // Title and text often say the same; a word is worth more when it stands in both only where they differ.
        let title_counts = record.title != record.text;
        let titles = title_counts.then_some(&record.title);
        for text in titles.into_iter().chain(std::iter::once(&record.text)) {
            // Either language may hold words of the other one.
            for words in [&text.zh, &text.en].into_iter().flatten() {
                document.add_text(self.zh, words);
                document.add_text(self.en, words);
                document.add_text(self.grams, words);
                codes.extend(terms::codes(words));
            }
        }
        for code in &record.codes {
            document.add_text(self.labels, code);
            document.add_text(self.zh, code);
            codes.push(code.to_lowercase());
        }
        codes.sort_unstable();
        codes.dedup();
        for code in codes {
            document.add_text(self.codes, code);
        }
    }
}

/// A time as nanoseconds since 1970, at the nearest end of the range where it lies outside (1678 to 2262).
pub(super) fn nanoseconds(time: jiff::Timestamp) -> i64 {
    let ns = time.as_nanosecond();
    i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN } else { i64::MAX })
}
