//! Orders: keys, each ascending or descending, and the tie-breaks of each entity.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::filter::{split_key, too_long};
use super::grammar::{Kind as FieldKind, set};
use super::lexer::{self, Kind, Token, shortened};
use super::{Attribute, DatasetFilter, Entity, Field, ORDER_KEY_BYTES_MAX, ORDER_KEYS_MAX, Row, SearchError, Value};

/// An order of rows. It ends with a key that no two rows share, so that it is total.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    entity: Entity,
    keys: Vec<OrderKey>,
}

/// What to order by.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderKey {
    /// The field.
    pub field: Field,
    /// Whether the greatest value comes first. Rows without a value come last either way, and those whose value is NaN before them.
    pub descending: bool,
    /// For a metric of logged models: the dataset that it was measured on.
    pub dataset: Option<DatasetFilter>,
}

/// What to order logged models by, as the protocol says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedModelOrder {
    /// An attribute, or `metrics.` and a metric.
    pub field_name: String,
    /// The least first; the default of the protocol.
    pub ascending: bool,
    /// The dataset that the metric was measured on, by name.
    pub dataset_name: Option<String>,
    /// The dataset's digest.
    pub dataset_digest: Option<String>,
}

/// What a row is ordered by, taken out of it once: a row is compared with many others.
#[derive(Clone, Debug, PartialEq)]
pub struct SortKey<'a>(Vec<Part<'a>>);

#[derive(Clone, Debug, PartialEq)]
struct Part<'a> {
    value: PartValue<'a>,
    descending: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum PartValue<'a> {
    Number(f64),
    Text(Cow<'a, str>),
    NotANumber,
    Absent,
}

impl Order {
    /// Reads keys as MLflow's clients write them: a field, and `ASC` or `DESC`.
    ///
    /// Ties are broken as MLflow breaks them: runs by start, the latest first, and then id; experiments by id, the greatest first (without keys: the latest created
    /// first, and then by id, the least first); registered models by name; versions by name and then number, the greatest first (without keys: the latest
    /// changed first).
    ///
    /// # Errors
    /// When a key cannot be read or is there twice, or there are too many.
    pub fn parse<S: AsRef<str>>(entity: Entity, keys: &[S]) -> Result<Self, SearchError> {
        too_long("order_by", keys.len(), "keys", ORDER_KEYS_MAX)?;
        let mut parsed: Vec<OrderKey> = Vec::new();
        for text in keys {
            let key = parse_key(entity, text.as_ref())?;
            if parsed.iter().any(|other| other.field == key.field) {
                return Err(SearchError::OrderTwice(shortened(text.as_ref())));
            }
            parsed.push(key);
        }
        Ok(Self::with_ties(entity, parsed))
    }

    /// Takes the keys of a search of logged models. Ties are broken by time of creation, the latest first, and then id.
    ///
    /// # Errors
    /// When a field is unknown, or there are too many.
    pub fn of_logged_models(keys: &[LoggedModelOrder]) -> Result<Self, SearchError> {
        too_long("order_by", keys.len(), "keys", ORDER_KEYS_MAX)?;
        let mut parsed: Vec<OrderKey> = Vec::new();
        for key in keys {
            too_long("order_by", key.field_name.len(), "bytes", ORDER_KEY_BYTES_MAX)?;
            let refused = |hint| SearchError::OrderField { field: shortened(&key.field_name), hint };
            let field = match key.field_name.split_once('.') {
                None => {
                    let rule = Entity::LoggedModels.order_attribute(&key.field_name).map_err(|_| refused(""))?;
                    Field::Attribute(rule.attribute)
                }
                Some(("metrics", metric)) => Field::Metric(unquoted(metric).to_owned()),
                Some(_) => return Err(refused(". Only metrics are supported.")),
            };
            let dataset = match (&key.dataset_name, &key.dataset_digest) {
                (Some(name), digest) if !name.is_empty() => {
                    Some(DatasetFilter { name: name.clone(), digest: digest.clone() })
                }
                (_, Some(_)) => return Err(SearchError::DatasetName("order_by")),
                _ => None,
            };
            let key = OrderKey { field, descending: !key.ascending, dataset };
            if parsed.iter().any(|other| other.field == key.field && other.dataset == key.dataset) {
                return Err(SearchError::OrderTwice(shortened(&format!("{:?}", key.field))));
            }
            parsed.push(key);
        }
        Ok(Self::with_ties(Entity::LoggedModels, parsed))
    }

    fn with_ties(entity: Entity, mut keys: Vec<OrderKey>) -> Self {
        let (ascending, descending) = (false, true);
        let unordered = keys.is_empty();
        let ties: &[(Attribute, bool)] = match entity {
            Entity::Runs => &[(Attribute::StartTime, descending), (Attribute::RunId, ascending)],
            Entity::Experiments if unordered => {
                &[(Attribute::CreationTime, descending), (Attribute::ExperimentId, ascending)]
            }
            Entity::Experiments => &[(Attribute::ExperimentId, descending)],
            Entity::RegisteredModels => &[(Attribute::Name, ascending)],
            Entity::ModelVersions if unordered => &[
                (Attribute::LastUpdateTime, descending),
                (Attribute::Name, ascending),
                (Attribute::VersionNumber, descending),
            ],
            Entity::ModelVersions => &[(Attribute::Name, ascending), (Attribute::VersionNumber, descending)],
            Entity::LoggedModels => &[(Attribute::CreationTime, descending), (Attribute::ModelId, ascending)],
        };
        for (attribute, descending) in ties {
            let field = Field::Attribute(*attribute);
            if keys.iter().all(|key| key.field != field) {
                keys.push(OrderKey { field, descending: *descending, dataset: None });
            }
        }
        Self { entity, keys }
    }

    /// What it is for.
    pub fn entity(&self) -> Entity {
        self.entity
    }

    /// Its keys with the tie-breaks, the most important first.
    pub fn keys(&self) -> &[OrderKey] {
        &self.keys
    }

    /// What a row is ordered by.
    pub fn sort_key<'a, R: Row + ?Sized>(&self, row: &'a R) -> SortKey<'a> {
        let part = |key: &OrderKey| Part { value: value_of(self.entity, key, row), descending: key.descending };
        SortKey(self.keys.iter().map(part).collect())
    }

    /// Which of two rows comes first.
    pub fn compare<R: Row + ?Sized>(&self, left: &R, right: &R) -> Ordering {
        self.sort_key(left).cmp(&self.sort_key(right))
    }
}

fn value_of<'a, R: Row + ?Sized>(entity: Entity, key: &OrderKey, row: &'a R) -> PartValue<'a> {
    let text = |text: Option<&'a str>| text.map_or(PartValue::Absent, |text| PartValue::Text(Cow::Borrowed(text)));
    match &key.field {
        Field::Attribute(attribute) => match row.attribute(*attribute) {
            Value::Absent => PartValue::Absent,
            Value::Number(number) => PartValue::number(number),
            Value::Text(text) => PartValue::Text(text),
        },
        Field::Tag(key) => text(row.tag(key)),
        Field::Param(key) => text(row.param(key)),
        Field::Metric(metric) => {
            let value = if entity == Entity::LoggedModels {
                latest_metric(row, metric, key.dataset.as_ref())
            } else {
                row.metric(metric)
            };
            value.map_or(PartValue::Absent, PartValue::number)
        }
        Field::Dataset(_) => PartValue::Absent,
    }
}

/// The latest value of a metric of a logged model, on a dataset if one is asked for.
fn latest_metric<R: Row + ?Sized>(row: &R, metric: &str, dataset: Option<&DatasetFilter>) -> Option<f64> {
    let mut latest: Option<((i64, i64), f64)> = None;
    row.any_metric(&mut |found| {
        let at = (found.at_ms, found.step);
        let counts = found.key == metric && dataset.is_none_or(|dataset| dataset.covers(&found));
        if counts && latest.is_none_or(|(best, _)| at > best) {
            latest = Some((at, found.value));
        }
        false
    });
    latest.map(|(_, value)| value)
}

impl PartValue<'_> {
    fn number(number: f64) -> Self {
        if number.is_nan() { Self::NotANumber } else { Self::Number(number) }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Number(_) => 0,
            Self::Text(_) => 1,
            Self::NotANumber => 2,
            Self::Absent => 3,
        }
    }
}

impl Eq for SortKey<'_> {}

impl PartialOrd for SortKey<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SortKey<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0
            .iter()
            .zip(&other.0)
            .map(|(left, right)| left.compare(right))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

impl Part<'_> {
    fn compare(&self, other: &Self) -> Ordering {
        let values = match (&self.value, &other.value) {
            // NaN is a value of its own here, so that numbers always compare.
            (PartValue::Number(left), PartValue::Number(right)) => left.partial_cmp(right).unwrap_or(Ordering::Equal),
            (PartValue::Text(left), PartValue::Text(right)) => left.cmp(right),
            (left, right) => return left.rank().cmp(&right.rank()),
        };
        if self.descending { values.reverse() } else { values }
    }
}

fn parse_key(entity: Entity, text: &str) -> Result<OrderKey, SearchError> {
    too_long("order_by", text.len(), "bytes", ORDER_KEY_BYTES_MAX)?;
    let unreadable = || SearchError::OrderClause(shortened(text));
    let tokens = lexer::tokens(text).map_err(|_| unreadable())?;
    let (parts, rest) = key_parts(&tokens).ok_or_else(unreadable)?;
    let descending = match rest {
        [] => false,
        [direction] if direction.is_word("ASC") => false,
        [direction] if direction.is_word("DESC") => true,
        [direction] if direction.kind == Kind::Word => return Err(SearchError::OrderDirection(shortened(text))),
        _ => return Err(unreadable()),
    };
    let (kind, key) = split_key(entity, &parts).map_err(|error| match error {
        SearchError::Clause { .. } => unreadable(),
        other => other,
    })?;
    let field = match (entity, kind) {
        (_, FieldKind::Attribute) => Field::Attribute(order_attribute(entity, &key)?),
        (Entity::Runs, FieldKind::Metric) => Field::Metric(key.into_owned()),
        (Entity::Runs, FieldKind::Param) => Field::Param(key.into_owned()),
        (Entity::Runs, FieldKind::Tag) => Field::Tag(key.into_owned()),
        (_, kind) => return Err(SearchError::OrderEntity(kind.name())),
    };
    Ok(OrderKey { field, descending, dataset: None })
}

fn order_attribute(entity: Entity, key: &str) -> Result<Attribute, SearchError> {
    entity.order_attribute(key).map(|rule| rule.attribute).map_err(|error| match entity {
        Entity::RegisteredModels => SearchError::OrderKey {
            key: shortened(key),
            valid: set(entity.attributes().iter().filter(|rule| rule.order).map(|rule| rule.key)),
        },
        _ => error,
    })
}

/// The parts of the key that a clause begins with, without the points between them, and what comes after.
fn key_parts<'s, 't>(tokens: &'s [Token<'t>]) -> Option<(Vec<Token<'t>>, &'s [Token<'t>])> {
    let mut parts: Vec<Token<'t>> = Vec::new();
    let mut rest = tokens;
    loop {
        let (part, after) = rest.split_first()?;
        if !matches!(part.kind, Kind::Word | Kind::Double | Kind::Backtick) {
            return None;
        }
        parts.push(*part);
        match after.split_first() {
            Some((dot, behind)) if dot.kind == Kind::Dot && dot.start == part.end() => {
                if behind.first().is_none_or(|next| next.start != dot.end()) {
                    return None;
                }
                rest = behind;
            }
            _ => return Some((parts, after)),
        }
    }
}

fn unquoted(key: &str) -> &str {
    key.strip_prefix('`').and_then(|key| key.strip_suffix('`')).unwrap_or(key)
}
