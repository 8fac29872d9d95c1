//! Registered models and their versions as rows of a search.

use std::borrow::Cow;

use projections::folds::models::{ModelView, VersionView};
use tracking::search::{Attribute, Entity, Filter, Order, PageToken, QueryDigest, Row, Start, Value, page};

use super::error::MlflowError;
use super::request::Fields;
use super::sources;

/// A registered model.
#[derive(Clone, Copy, Debug)]
pub struct ModelRow<'a>(pub ModelView<'a>);

/// A version of a registered model.
#[derive(Clone, Copy, Debug)]
pub struct VersionRow<'a>(pub VersionView<'a>);

/// A row that a page token can name.
pub trait Named {
    /// What no other row is called.
    fn id(&self) -> String;
}

impl Row for ModelRow<'_> {
    fn attribute(&self, attribute: Attribute) -> Value<'_> {
        match attribute {
            Attribute::Name => Value::text(self.0.name()),
            Attribute::CreationTime => Value::time_ms(Some(self.0.created().as_millisecond())),
            Attribute::LastUpdateTime => Value::time_ms(Some(self.0.updated().as_millisecond())),
            _ => Value::Absent,
        }
    }

    fn tag(&self, key: &str) -> Option<&str> {
        self.0.tag(key)
    }
}

impl Named for ModelRow<'_> {
    fn id(&self) -> String {
        self.0.id().as_str().to_owned()
    }
}

impl Row for VersionRow<'_> {
    fn attribute(&self, attribute: Attribute) -> Value<'_> {
        let created = self.0.created();
        match attribute {
            Attribute::Name => Value::text(self.0.model().name()),
            Attribute::VersionNumber => Value::Number(f64::from(self.0.number())),
            Attribute::RunId => created.value.run.as_ref().map_or(Value::Absent, |run| Value::text(run.as_str())),
            Attribute::SourcePath => Value::Text(Cow::Owned(sources::shown(self.0))),
            Attribute::CreationTime => Value::time_ms(Some(created.since().as_millisecond())),
            Attribute::LastUpdateTime => Value::time_ms(Some(self.0.updated().as_millisecond())),
            _ => Value::Absent,
        }
    }

    fn tag(&self, key: &str) -> Option<&str> {
        self.0.tag(key)
    }
}

impl Named for VersionRow<'_> {
    fn id(&self) -> String {
        format!("{}/{}", self.0.number(), self.0.model().id())
    }
}

/// What a client looks for.
#[derive(Debug)]
pub struct Query {
    filter: Filter,
    order: Order,
    token: Option<PageToken>,
    limit: usize,
    digest: QueryDigest,
}

impl Query {
    /// Reads a search: `filter`, `order_by`, `max_results` and `page_token`.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn of(fields: &Fields<'_>, entity: Entity, otherwise: usize, most: usize) -> Result<Self, MlflowError> {
        let text = fields.text_or_empty("filter")?;
        let orders = fields.texts("order_by")?;
        let limit = fields.max_results(otherwise, most)?;
        let kind = if entity == Entity::RegisteredModels { "registered models" } else { "model versions" };
        let digest = QueryDigest::of([kind, text].into_iter().chain(orders.iter().copied()));
        Ok(Self {
            filter: Filter::parse(entity, text)?,
            order: Order::parse(entity, &orders)?,
            token: PageToken::decode(fields.text_or_empty("page_token")?, &digest)?,
            limit,
            digest,
        })
    }

    /// The page that is asked for, and the token of the next one.
    pub fn page<R: Row + Named, T>(&self, rows: &[R], show: impl Fn(&R) -> T) -> (Vec<T>, Option<String>) {
        let shown_before = self.token.as_ref().map_or(0, |token| token.offset);
        let start = match &self.token {
            None => Start::Beginning,
            Some(token) => match rows.iter().find(|row| row.id() == token.last) {
                Some(row) => Start::After(row),
                None => Start::Offset(token.offset),
            },
        };
        let found = page(rows, &self.filter, &self.order, &start, self.limit);
        let next =
            found.rows.last().filter(|_| found.more).map(|last| {
                PageToken { offset: shown_before + found.rows.len(), last: last.id() }.encode(&self.digest)
            });
        (found.rows.into_iter().map(show).collect(), next)
    }
}
