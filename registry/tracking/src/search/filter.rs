//! Filters: conditions joined by `AND`.

use std::borrow::Cow;

use super::grammar::{Kind as FieldKind, set};
use super::lexer::{self, Kind, Token, shortened};
use super::{
    CLAUSES_MAX, DATASETS_MAX, DatasetAttribute, Entity, FILTER_BYTES_MAX, Field, IS_PROMPT_TAG, LIST_ITEMS_MAX,
    MetricView, Pattern, Row, SearchError, Value,
};

/// A filter, ready to be tried on rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    entity: Entity,
    clauses: Vec<Clause>,
    without_prompts: bool,
    datasets: Vec<DatasetFilter>,
}

/// One condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    /// What it is about.
    pub field: Field,
    /// What must be so.
    pub test: Test,
}

/// What must be so of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// The number is this one.
    Equal(f64),
    /// The number is another one; NaN is.
    NotEqual(f64),
    /// The number is less.
    Less(f64),
    /// The number is not greater.
    AtMost(f64),
    /// The number is greater.
    Greater(f64),
    /// The number is not less.
    AtLeast(f64),
    /// The text is this one.
    Is(String),
    /// The text is another one.
    IsNot(String),
    /// The text fits.
    Like(Pattern),
    /// The text is one of these, which are sorted.
    OneOf(Vec<String>),
    /// The text is none of these, which are sorted.
    NoneOf(Vec<String>),
    /// There is no value.
    Absent,
    /// There is a value.
    Present,
}

/// A dataset that metrics of logged models must have been measured on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetFilter {
    /// Its name.
    pub name: String,
    /// Its digest; any, when absent.
    pub digest: Option<String>,
}

impl DatasetFilter {
    /// Whether a metric was measured on the dataset.
    pub fn covers(&self, metric: &MetricView<'_>) -> bool {
        metric.dataset == Some(self.name.as_str())
            && self.digest.as_deref().is_none_or(|digest| metric.dataset_digest == Some(digest))
    }
}

impl Filter {
    /// Reads a filter. Nothing but white space is the filter that every row passes.
    ///
    /// Registered models and their versions include prompts, which clients ask for, or not, by the tag [`IS_PROMPT_TAG`]; models do not have it. So a
    /// filter whose first condition on that tag does not ask for prompts leaves prompts out, and its conditions on the tag say nothing else.
    ///
    /// # Errors
    /// When it is no filter of this entity, or larger than a filter may be.
    pub fn parse(entity: Entity, text: &str) -> Result<Self, SearchError> {
        too_long("filter string", text.len(), "bytes", FILTER_BYTES_MAX)?;
        let mut clauses = Parser { entity, text, tokens: &lexer::tokens(text)?, at: 0 }.clauses()?;
        let prompts = matches!(entity, Entity::RegisteredModels | Entity::ModelVersions);
        let without_prompts = prompts && !asks_for_prompts(&clauses);
        if without_prompts {
            clauses.retain(|clause| !is_prompt(clause));
        }
        Ok(Self { entity, clauses, without_prompts, datasets: Vec::new() })
    }

    /// The filter that every row passes; prompts do not.
    pub fn all(entity: Entity) -> Self {
        let without_prompts = matches!(entity, Entity::RegisteredModels | Entity::ModelVersions);
        Self { entity, clauses: Vec::new(), without_prompts, datasets: Vec::new() }
    }

    /// Restricts a search of logged models to metrics that were measured on one of these datasets. Where the filter has no condition on a metric, a model
    /// passes that has any metric on one of them.
    ///
    /// # Errors
    /// When a dataset has no name, or there are more than [`DATASETS_MAX`].
    pub fn on_datasets(mut self, datasets: Vec<DatasetFilter>) -> Result<Self, SearchError> {
        too_long("`datasets` clause", datasets.len(), "datasets", DATASETS_MAX)?;
        if datasets.iter().any(|dataset| dataset.name.is_empty()) {
            return Err(SearchError::DatasetName("datasets"));
        }
        self.datasets = datasets;
        Ok(self)
    }

    /// What it is for.
    pub fn entity(&self) -> Entity {
        self.entity
    }

    /// Its conditions, each of which must hold. A store may answer some of them by an index, as long as it asks [`Filter::matches`] in the end.
    pub fn clauses(&self) -> &[Clause] {
        &self.clauses
    }

    /// Whether a row passes.
    pub fn matches<R: Row + ?Sized>(&self, row: &R) -> bool {
        if self.without_prompts && row.tag(IS_PROMPT_TAG) == Some("true") {
            return false;
        }
        self.clauses.iter().all(|clause| self.holds(clause, row)) && self.measured_on_datasets(row)
    }

    fn measured_on_datasets<R: Row + ?Sized>(&self, row: &R) -> bool {
        let restricted = !self.datasets.is_empty();
        let by_metric = self.clauses.iter().any(|clause| matches!(clause.field, Field::Metric(_)));
        !restricted || by_metric || row.any_metric(&mut |metric| self.counts(&metric))
    }

    fn counts(&self, metric: &MetricView<'_>) -> bool {
        self.datasets.is_empty() || self.datasets.iter().any(|dataset| dataset.covers(metric))
    }

    fn holds<R: Row + ?Sized>(&self, clause: &Clause, row: &R) -> bool {
        let test = &clause.test;
        match &clause.field {
            Field::Attribute(attribute) => test.of_value(row.attribute(*attribute)),
            Field::Tag(key) => test.of_text(row.tag(key)),
            Field::Param(key) => test.of_text(row.param(key)),
            Field::Metric(key) if self.entity == Entity::LoggedModels => {
                row.any_metric(&mut |metric| metric.key == key && self.counts(&metric) && test.of_number(metric.value))
            }
            Field::Metric(key) => row.metric(key).is_some_and(|value| test.of_number(value)),
            Field::Dataset(DatasetAttribute::Name) => row.any_dataset(&mut |dataset| test.of_text(Some(dataset.name))),
            Field::Dataset(DatasetAttribute::Digest) => {
                row.any_dataset(&mut |dataset| test.of_text(Some(dataset.digest)))
            }
            Field::Dataset(DatasetAttribute::Context) => row.any_dataset(&mut |dataset| test.of_text(dataset.context)),
        }
    }
}

impl Test {
    fn of_value(&self, value: Value<'_>) -> bool {
        match value {
            Value::Absent => matches!(self, Self::Absent),
            Value::Text(text) => self.of_text(Some(&text)),
            Value::Number(number) => match self {
                Self::Is(_) | Self::IsNot(_) | Self::Like(_) | Self::OneOf(_) | Self::NoneOf(_) => {
                    self.of_text(Some(&number.to_string()))
                }
                _ => self.of_number(number),
            },
        }
    }

    fn of_text(&self, value: Option<&str>) -> bool {
        let Some(value) = value else { return matches!(self, Self::Absent) };
        let among = |list: &[String]| list.binary_search_by(|item| item.as_str().cmp(value)).is_ok();
        match self {
            Self::Is(text) => value == text,
            Self::IsNot(text) => value != text,
            Self::Like(pattern) => pattern.fits(value),
            Self::OneOf(list) => among(list),
            Self::NoneOf(list) => !among(list),
            Self::Present => true,
            Self::Absent
            | Self::Equal(_)
            | Self::NotEqual(_)
            | Self::Less(_)
            | Self::AtMost(_)
            | Self::Greater(_)
            | Self::AtLeast(_) => false,
        }
    }

    #[expect(clippy::float_cmp, reason = "the client asks for equality of floats, and gets it")]
    pub(crate) fn of_number(&self, value: f64) -> bool {
        match self {
            Self::Equal(number) => value == *number,
            Self::NotEqual(number) => value != *number,
            Self::Less(number) => value < *number,
            Self::AtMost(number) => value <= *number,
            Self::Greater(number) => value > *number,
            Self::AtLeast(number) => value >= *number,
            Self::Present => true,
            Self::Is(_) | Self::IsNot(_) | Self::Like(_) | Self::OneOf(_) | Self::NoneOf(_) | Self::Absent => false,
        }
    }
}

fn is_prompt(clause: &Clause) -> bool {
    matches!(&clause.field, Field::Tag(key) if key == IS_PROMPT_TAG)
}

fn asks_for_prompts(clauses: &[Clause]) -> bool {
    clauses.iter().find(|clause| is_prompt(clause)).is_some_and(|clause| match &clause.test {
        Test::Is(value) => value.eq_ignore_ascii_case("true"),
        Test::IsNot(value) => value.eq_ignore_ascii_case("false"),
        _ => false,
    })
}

pub(super) fn too_long(what: &'static str, length: usize, unit: &'static str, most: usize) -> Result<(), SearchError> {
    if length > most { Err(SearchError::TooLong { what, length, unit, most }) } else { Ok(()) }
}

/// What stands on the right of a comparison.
enum Literal<'t> {
    Text(&'t str),
    Number(f64, &'t str),
    List(Vec<String>, &'t str),
    /// A word without quotes, or in the wrong ones.
    Bare(&'t str),
}

impl<'t> Literal<'t> {
    /// As MLflow's messages show it.
    fn shown(&self) -> Cow<'t, str> {
        match self {
            Self::Text(text) => Cow::Owned(format!("'{}'", shortened(text))),
            Self::Number(_, raw) => Cow::Borrowed(raw),
            Self::List(_, raw) | Self::Bare(raw) => Cow::Owned(shortened(raw)),
        }
    }
}

/// What a key names, and how it is compared.
struct Subject {
    kind: FieldKind,
    field: Field,
    key: String,
    numeric: bool,
}

struct Parser<'t> {
    entity: Entity,
    text: &'t str,
    tokens: &'t [Token<'t>],
    at: usize,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<Token<'t>> {
        self.tokens.get(self.at).copied()
    }

    fn next(&mut self) -> Option<Token<'t>> {
        let token = self.peek();
        self.at += usize::from(token.is_some());
        token
    }

    /// Takes the next token if it is this word.
    fn word(&mut self, word: &str) -> bool {
        let is = self.peek().is_some_and(|token| token.is_word(word));
        self.at += usize::from(is);
        is
    }

    /// The text between two places.
    fn between(&self, start: usize, end: usize) -> &'t str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// The text from a place until before the next `AND`.
    fn rest_of_clause(&self, start: usize) -> &'t str {
        let and = self.tokens.iter().find(|token| token.start > start && token.is_word("AND"));
        self.between(start, and.map_or(self.text.len(), |token| token.start))
    }

    fn refused(&self, start: usize) -> SearchError {
        SearchError::Clause { clause: shortened(self.rest_of_clause(start)), hint: "" }
    }

    fn clauses(mut self) -> Result<Vec<Clause>, SearchError> {
        let mut clauses = Vec::new();
        if self.tokens.is_empty() {
            return Ok(clauses);
        }
        loop {
            clauses.push(self.clause()?);
            too_long("filter string", clauses.len(), "conditions", CLAUSES_MAX)?;
            match self.next() {
                None => return Ok(clauses),
                Some(token) if token.is_word("AND") => {}
                Some(token) if token.kind == Kind::Semicolon && self.peek().is_some() => {
                    return Err(SearchError::Statements(shortened(self.text)));
                }
                Some(token) => return Err(self.refused(token.start)),
            }
        }
    }

    fn clause(&mut self) -> Result<Clause, SearchError> {
        let start = self.peek().map_or(self.text.len(), |token| token.start);
        let subject = self.subject()?;
        let Some(comparator) = self.comparator()? else {
            return Err(match self.peek() {
                Some(token) if matches!(token.kind, Kind::Other | Kind::Number | Kind::Dot) => SearchError::Clause {
                    clause: shortened(self.rest_of_clause(start)),
                    hint: ". A key with other characters than letters, digits, '_' and '.' needs backticks.",
                },
                _ => self.refused(start),
            });
        };
        let test = match comparator.as_str() {
            "IS NULL" => self.null(&subject, Test::Absent)?,
            "IS NOT NULL" => self.null(&subject, Test::Present)?,
            _ => {
                let literal = self.literal(start)?;
                self.test(&subject, &comparator, literal)?
            }
        };
        Ok(Clause { field: subject.field, test })
    }

    /// The key on the left.
    fn subject(&mut self) -> Result<Subject, SearchError> {
        let start = self.peek().map_or(self.text.len(), |token| token.start);
        match self.peek() {
            Some(token) if token.is_word("AND") || token.is_word("OR") || token.is_word("NOT") => {
                return Err(self.refused(start));
            }
            Some(token) if matches!(token.kind, Kind::Word | Kind::Double | Kind::Backtick) => {}
            Some(token) if matches!(token.kind, Kind::Single | Kind::Number) => {
                return Err(SearchError::Comparison(format!("Expected 'Identifier' found '{}'", shortened(token.raw))));
            }
            Some(_) => return Err(self.refused(start)),
            None => return Err(SearchError::Clause { clause: String::from("AND"), hint: "" }),
        }
        let mut parts: Vec<Token<'t>> = Vec::new();
        while let Some(part) = self.next() {
            parts.push(part);
            let touching = |parser: &Self, end: usize| parser.peek().filter(|next| next.start == end);
            let Some(dot) = touching(self, part.end()).filter(|next| next.kind == Kind::Dot) else { break };
            self.at += 1;
            let followed = touching(self, dot.end())
                .is_some_and(|next| matches!(next.kind, Kind::Word | Kind::Double | Kind::Backtick));
            if !followed {
                return Err(self.refused(start));
            }
        }
        key(self.entity, &parts)
    }

    /// The comparison in capitals; nothing when there is none, and nothing is taken then.
    fn comparator(&mut self) -> Result<Option<String>, SearchError> {
        let Some(token) = self.peek() else { return Ok(None) };
        if token.kind == Kind::Operator {
            self.at += 1;
            return Ok(Some(token.raw.to_owned()));
        }
        let before = self.at;
        let found = if self.word("IS") {
            let not = self.word("NOT");
            self.word("NULL").then_some(if not { "IS NOT NULL" } else { "IS NULL" })
        } else {
            let not = self.word("NOT");
            ["IN", "LIKE", "ILIKE"].iter().find(|word| self.word(word)).map(|word| match (not, *word) {
                (true, "IN") => "NOT IN",
                (true, "LIKE") => "NOT LIKE",
                (true, _) => "NOT ILIKE",
                (false, word) => word,
            })
        };
        if found.is_none() {
            self.at = before;
        }
        Ok(found.map(str::to_owned))
    }

    fn literal(&mut self, clause: usize) -> Result<Literal<'t>, SearchError> {
        let Some(token) = self.next() else {
            return Err(SearchError::Comparison(String::from("Expected 3 tokens found 2")));
        };
        match token.kind {
            Kind::Single | Kind::Double => Ok(Literal::Text(token.content())),
            Kind::Number => {
                token.raw.parse().map(|number| Literal::Number(number, token.raw)).map_err(|_| self.refused(clause))
            }
            Kind::Open => self.list(token.start),
            Kind::Word if token.is_word("AND") => {
                Err(SearchError::Comparison(String::from("Expected 3 tokens found 2")))
            }
            Kind::Word | Kind::Backtick => Ok(Literal::Bare(token.raw)),
            _ => Err(self.refused(clause)),
        }
    }

    /// The rest of a list whose opening parenthesis was taken.
    fn list(&mut self, start: usize) -> Result<Literal<'t>, SearchError> {
        let wrong = |what: &str| SearchError::Value(format!("While parsing a list in the query, {what}"));
        let ill_formed = || wrong("expected a non-empty list of string values, but got ill-formed list.");
        let mut items = Vec::new();
        let mut after_comma = true;
        loop {
            let token = self.next().ok_or_else(ill_formed)?;
            match token.kind {
                Kind::Close if items.is_empty() && after_comma => {
                    return Err(wrong("expected a non-empty list of string values, but got empty list"));
                }
                Kind::Close => {
                    items.sort_unstable();
                    return Ok(Literal::List(items, self.between(start, token.end())));
                }
                Kind::Single | Kind::Double if after_comma => {
                    items.push(token.content().to_owned());
                    after_comma = false;
                    too_long("list in the query", items.len(), "items", LIST_ITEMS_MAX)?;
                }
                Kind::Comma if !after_comma => after_comma = true,
                Kind::Number if after_comma => {
                    return Err(wrong(&format!(
                        "expected string value, punctuation, or whitespace, but got different type in list: {}",
                        shortened(token.raw)
                    )));
                }
                _ => return Err(ill_formed()),
            }
        }
    }

    fn null(&self, subject: &Subject, test: Test) -> Result<Test, SearchError> {
        if self.entity.may_be_null(subject.kind) {
            return Ok(test);
        }
        let supported = match self.entity {
            Entity::Runs => "tags and params",
            Entity::Experiments => "tags",
            Entity::LoggedModels | Entity::RegisteredModels | Entity::ModelVersions => {
                "tags of runs and experiments, and params of runs"
            }
        };
        Err(SearchError::Null { supported, kind: subject.kind.name(), key: shortened(&subject.key) })
    }

    fn test(&self, subject: &Subject, comparator: &str, literal: Literal<'t>) -> Result<Test, SearchError> {
        let list_comparison = matches!(comparator, "IN" | "NOT IN");
        let text = |literal: Literal<'t>| self.text_value(subject, literal);
        if subject.numeric {
            let number = self.number_value(subject, &literal)?;
            return match comparator {
                "=" => Ok(Test::Equal(number)),
                "!=" => Ok(Test::NotEqual(number)),
                "<" => Ok(Test::Less(number)),
                "<=" => Ok(Test::AtMost(number)),
                ">" => Ok(Test::Greater(number)),
                ">=" => Ok(Test::AtLeast(number)),
                _ => Err(self.invalid_comparator(subject, comparator)),
            };
        }
        match literal {
            Literal::List(items, raw) => {
                let allowed = self.entity.list_comparators(&subject.field, subject.numeric);
                match (comparator, allowed.is_empty()) {
                    (_, true) => Err(self.wrong_value(subject, &Literal::List(items, raw))),
                    ("IN", false) => Ok(Test::OneOf(items)),
                    ("NOT IN", false) if allowed.contains(&"NOT IN") => Ok(Test::NoneOf(items)),
                    _ => Err(self.invalid_comparator(subject, comparator)),
                }
            }
            single if list_comparison => {
                let shown = single.shown();
                Err(SearchError::Value(format!(
                    "Expected a list of quoted string values after {comparator}. Got value {shown}"
                )))
            }
            single => match comparator {
                "=" => Ok(Test::Is(text(single)?)),
                "!=" => Ok(Test::IsNot(text(single)?)),
                "LIKE" => Ok(Test::Like(Pattern::new(&text(single)?, false)?)),
                "ILIKE" => Ok(Test::Like(Pattern::new(&text(single)?, true)?)),
                _ => text(single).and(Err(self.invalid_comparator(subject, comparator))),
            },
        }
    }

    fn number_value(&self, subject: &Subject, literal: &Literal<'t>) -> Result<f64, SearchError> {
        match literal {
            Literal::Number(number, _) => Ok(*number),
            // The original reads a quoted version as a number, and its clients write it so.
            Literal::Text(text) if self.entity == Entity::ModelVersions => match text.parse::<u32>() {
                Ok(version) => Ok(f64::from(version)),
                Err(_) => Err(SearchError::Value(format!("Expected a version number. Found '{}'", shortened(text)))),
            },
            other if subject.kind == FieldKind::Metric => {
                Err(SearchError::Value(format!("Expected numeric value type for metric. Found {}", other.shown())))
            }
            other => Err(SearchError::Value(format!(
                "Expected numeric value type for numeric attribute: {}. Found {}",
                subject.key,
                other.shown()
            ))),
        }
    }

    fn text_value(&self, subject: &Subject, literal: Literal<'t>) -> Result<String, SearchError> {
        match literal {
            Literal::Text(text) => Ok(text.to_owned()),
            // Logged models have a grammar of their own, in which a parameter may be compared with a number: what is compared is its text.
            Literal::Number(_, raw) if self.entity == Entity::LoggedModels => Ok(raw.to_owned()),
            Literal::Bare(raw) => Err(SearchError::Value(format!(
                "Parameter value is either not quoted or unidentified quote types used for string value {}. Use either single or double quotes.",
                shortened(raw)
            ))),
            other => Err(self.wrong_value(subject, &other)),
        }
    }

    fn wrong_value(&self, subject: &Subject, literal: &Literal<'t>) -> SearchError {
        let shown = literal.shown();
        SearchError::Value(match (subject.kind, literal) {
            (FieldKind::Attribute, Literal::List(..)) => {
                String::from("Only the 'run_id' attribute supports comparison with a list of quoted string values.")
            }
            (FieldKind::Attribute, _) => format!("Expected a quoted string value for attributes. Got value {shown}"),
            (FieldKind::Dataset, _) => {
                format!("Expected a quoted string value for dataset attributes. Got value {shown}")
            }
            (kind, _) => {
                format!("Expected a quoted string value for {} (e.g. 'my-value'). Got value {shown}", kind.name())
            }
        })
    }

    fn invalid_comparator(&self, subject: &Subject, comparator: &str) -> SearchError {
        let valid = set(self.entity.comparators(&subject.field, subject.kind, subject.numeric).into_iter());
        let comparator = shortened(comparator);
        match self.entity {
            Entity::Runs => SearchError::RunComparator { comparator, valid },
            Entity::LoggedModels => SearchError::LoggedModelComparator {
                field: format!("{} '{}'", subject.kind.name(), shortened(&subject.key)),
                comparator,
                valid,
            },
            Entity::Experiments | Entity::RegisteredModels | Entity::ModelVersions => {
                let field = match (subject.kind, self.entity, subject.numeric) {
                    (FieldKind::Attribute, Entity::Experiments, true) => String::from("numeric attribute"),
                    (FieldKind::Attribute, Entity::Experiments, false) => String::from("string attribute"),
                    (FieldKind::Attribute, _, true) => format!("attribute {}", subject.key),
                    (kind, ..) => kind.name().to_owned(),
                };
                SearchError::Comparator { field, comparator, valid }
            }
        }
    }
}

/// Splits a key into its kind and the rest.
pub(super) fn split_key<'t>(entity: Entity, parts: &[Token<'t>]) -> Result<(FieldKind, Cow<'t, str>), SearchError> {
    match parts {
        [only] => Ok((FieldKind::Attribute, Cow::Borrowed(only.content()))),
        [prefix, key] => Ok((entity.kind(prefix.content())?, Cow::Borrowed(key.content()))),
        [prefix, rest @ ..] => {
            let kind = entity.kind(prefix.content())?;
            if rest.iter().any(|part| part.kind != Kind::Word) {
                let written: Vec<&str> = parts.iter().map(|part| part.raw).collect();
                return Err(SearchError::Clause {
                    clause: shortened(&written.join(".")),
                    hint: ". A key is quoted as a whole, or not at all.",
                });
            }
            let words: Vec<&str> = rest.iter().map(|part| part.raw).collect();
            Ok((kind, Cow::Owned(words.join("."))))
        }
        [] => Ok((FieldKind::Attribute, Cow::Borrowed(""))),
    }
}

fn key(entity: Entity, parts: &[Token<'_>]) -> Result<Subject, SearchError> {
    let (kind, key) = split_key(entity, parts)?;
    let key = key.into_owned();
    let (field, numeric) = match kind {
        FieldKind::Attribute => {
            let rule = entity.filter_attribute(&key)?;
            (Field::Attribute(rule.attribute), rule.numeric)
        }
        FieldKind::Metric => (Field::Metric(key.clone()), true),
        FieldKind::Param => (Field::Param(key.clone()), false),
        FieldKind::Tag => (Field::Tag(key.clone()), false),
        FieldKind::Dataset => (Field::Dataset(DatasetAttribute::named(&key)?), false),
    };
    Ok(Subject { kind, field, key, numeric })
}
