//! The schema of the index, and how a document is written.

use std::collections::VecDeque;

use tantivy::query::TermQuery;
use tantivy::schema::{
    FAST, Field, INDEXED, IndexRecordOption, NumericOptions, STORED, STRING, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::{TextAnalyzer, Token, TokenStream, Tokenizer, TokenizerManager};
use tantivy::{TantivyDocument, Term};

use super::{Document, Facet};
use crate::terms;

/// The end of a version that has none.
pub(super) const OPEN: u64 = u64::MAX;

/// The names of the fields that say when a version is valid.
pub(super) const VALID_FROM: &str = "valid_from";
pub(super) const VALID_TO: &str = "valid_to";

/// The fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    /// The identity of the thing.
    pub id: Field,
    /// The same, of a version that has no end: a thing has one at most.
    pub head: Field,
    /// Whether the version has no end.
    pub open: Field,
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
    for (name, cut) in [(ZH, terms::zh as Cut), (EN, terms::en), (GRAMS, terms::grams), (SOUNDS, terms::sounds)] {
        tokenizers.register(name, TextAnalyzer::from(Remembering { cut, known: VecDeque::new() }));
    }
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
        // Numbers are looked at document by document: nearly every one is another, and a dictionary of them would cost more than that of all words.
        let number = NumericOptions::default().set_fast();
        let fields = Self {
            id: builder.add_text_field("id", STRING),
            head: builder.add_text_field("head", STRING),
            open: builder.add_bool_field("open", INDEXED),
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

    /// The term of the version of a thing that has no end.
    pub fn head(&self, id: &str) -> Term {
        Term::from_field_text(self.head, id)
    }

    /// Matches versions that have no end.
    pub fn open(&self) -> TermQuery {
        TermQuery::new(Term::from_field_bool(self.open, true), IndexRecordOption::Basic)
    }

    /// The document as Tantivy takes it.
    pub fn document(&self, from: &Document) -> TantivyDocument {
        let mut document = TantivyDocument::default();
        document.add_text(self.id, &from.id);
        if from.valid_to.is_none() {
            document.add_text(self.head, &from.id);
            document.add_bool(self.open, true);
        }
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

/// How a text is cut into terms.
type Cut = fn(&str) -> Vec<Token>;

/// The texts whose terms are remembered, and the longest of them in bytes.
const KNOWN_TEXTS: usize = 8;
const KNOWN_TEXT_BYTES: usize = 4 * 1024;

/// Cuts texts, and remembers the last ones: the versions of a record are written one after the other, and mostly say the same.
#[derive(Clone)]
struct Remembering {
    cut: Cut,
    known: VecDeque<(String, Vec<Token>)>,
}

impl Tokenizer for Remembering {
    type TokenStream<'a> = Remembered<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Remembered<'a> {
        match self.known.iter().position(|(known, _)| known == text) {
            Some(place) => self.known.swap(0, place),
            None => {
                self.known.retain(|(known, _)| known.len() <= KNOWN_TEXT_BYTES);
                self.known.truncate(KNOWN_TEXTS - 1);
                self.known.push_front((text.to_owned(), (self.cut)(text)));
            }
        }
        let terms = self.known.front_mut().map(|(_, terms)| terms.as_mut_slice()).unwrap_or_default();
        Remembered { terms: terms.iter_mut(), token: None, before: Token::default() }
    }
}

/// The terms of one text. Nothing behind them changes them: they are for the next time, too.
struct Remembered<'a> {
    terms: std::slice::IterMut<'a, Token>,
    token: Option<&'a mut Token>,
    /// What stands for the token before the first one.
    before: Token,
}

impl TokenStream for Remembered<'_> {
    fn advance(&mut self) -> bool {
        self.token = self.terms.next();
        self.token.is_some()
    }

    fn token(&self) -> &Token {
        self.token.as_deref().unwrap_or(&self.before)
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token.as_deref_mut().unwrap_or(&mut self.before)
    }
}
