//! What is wrong with a search, in the words that MLflow's clients know.

use thiserror::Error;

/// Why a search was refused. Each is an invalid parameter: over MLflow's protocol, `INVALID_PARAMETER_VALUE`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SearchError {
    /// More text than a search may have.
    #[error("Invalid {what}: it has {length} {unit}, and at most {most} are allowed.")]
    TooLong {
        /// The filter, a key to order by, a pattern, or a page token.
        what: &'static str,
        /// How long it is.
        length: usize,
        /// Of what (bytes, characters, conditions, items, keys).
        unit: &'static str,
        /// How long it may be.
        most: usize,
    },
    /// Something that is no condition.
    #[error("Invalid clause(s) in filter string: '{clause}'{hint}")]
    Clause {
        /// The text, cut short.
        clause: String,
        /// What to write instead; empty when nothing helps.
        hint: &'static str,
    },
    /// More than one statement.
    #[error("Search filter contained multiple expression '{0}'. Provide AND-ed expression list.")]
    Statements(String),
    /// A condition that begins with something else than a key, or lacks a part.
    #[error("Invalid comparison clause. {0}")]
    Comparison(String),
    /// A key with a prefix that the entity does not have.
    #[error("Invalid entity type '{prefix}'. {valid}")]
    Prefix {
        /// The prefix.
        prefix: String,
        /// Those that it has, as a sentence.
        valid: &'static str,
    },
    /// An attribute that the entity does not have.
    #[error("Invalid attribute key '{key}' specified. Valid keys are '{valid}'")]
    Attribute {
        /// The key.
        key: String,
        /// Those that it has.
        valid: String,
    },
    /// A property that datasets do not have.
    #[error("Invalid dataset key '{0}' specified. Valid keys are '{{'context', 'digest', 'name'}}'")]
    Dataset(String),
    /// A comparison that a field of runs does not allow.
    #[error("Invalid comparator '{comparator}' not one of '{valid}'")]
    RunComparator {
        /// The comparison.
        comparator: String,
        /// Those that it allows.
        valid: String,
    },
    /// A comparison that a field of logged models does not allow.
    #[error("Invalid comparison operator for {field}: '{comparator}'. Expected one of {valid}.")]
    LoggedModelComparator {
        /// The field.
        field: String,
        /// The comparison.
        comparator: String,
        /// Those that it allows.
        valid: String,
    },
    /// A comparison that a field of another entity does not allow.
    #[error("Invalid comparator for {field}: {comparator}. Valid comparators are {valid}")]
    Comparator {
        /// The field.
        field: String,
        /// The comparison.
        comparator: String,
        /// Those that it allows.
        valid: String,
    },
    /// `IS NULL` of something that is never absent.
    #[error("IS NULL / IS NOT NULL is only supported for {supported}, not for '{kind}' '{key}'")]
    Null {
        /// What it is supported for.
        supported: &'static str,
        /// What kind of field it was asked of.
        kind: &'static str,
        /// The key.
        key: String,
    },
    /// A value of the wrong kind, or a list where none is allowed.
    #[error("{0}")]
    Value(String),
    /// A key to order by that cannot be read.
    #[error("Invalid order_by clause '{0}'. Could not be parsed.")]
    OrderClause(String),
    /// Something else than `ASC` or `DESC` after a key to order by.
    #[error("Invalid ordering key in order_by clause '{0}'.")]
    OrderDirection(String),
    /// A key that cannot be ordered by.
    #[error("Invalid order by key '{key}' specified. Valid keys are '{valid}'")]
    OrderKey {
        /// The key.
        key: String,
        /// Those that can.
        valid: String,
    },
    /// A kind of field that cannot be ordered by.
    #[error("Invalid order_by entity: {0}")]
    OrderEntity(&'static str),
    /// One field twice.
    #[error("`order_by` contains duplicate fields: {0}")]
    OrderTwice(String),
    /// A field of logged models that cannot be ordered by.
    #[error("Invalid order by field name: {field}{hint}")]
    OrderField {
        /// The field.
        field: String,
        /// What can be ordered by.
        hint: &'static str,
    },
    /// A dataset to restrict to, without a name.
    #[error("`dataset_name` in the `{0}` clause must be specified.")]
    DatasetName(&'static str),
    /// A page token that is none.
    #[error("Invalid page token, {0}")]
    PageToken(&'static str),
}
