//! What came in and was not understood, and what came in and contradicts.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use uuid::Uuid;

use crate::ids::PersonId;
use crate::values::Text;

/// An input was not understood. It is kept whole, and can be sent through again after the mapping is mended.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputQuarantined {
    /// The source that it came from (`mqtt:shed-1`, `import:orders.csv`).
    pub source: String,
    /// Where in the source: the topic, node or row.
    pub address: String,
    /// The field that is wrong, where one is.
    pub field: Option<String>,
    /// What is wrong.
    pub reason: String,
    /// The input, when it is UTF-8.
    pub text: Option<String>,
    /// The input in base64, when it is not.
    pub base64: Option<String>,
}

/// A quarantined input was sent through again.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuarantineReleased {
    /// The source of the input.
    pub source: String,
    /// The event that put it into quarantine.
    pub quarantined: Uuid,
    /// Who released it.
    pub person: Option<PersonId>,
}

/// A person resolved a discrepancy: an observation that contradicts what was known.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiscrepancyResolved {
    /// The event that contradicted.
    pub event: Uuid,
    /// Who resolved it.
    pub person: Option<PersonId>,
    /// What is true, and why.
    pub resolution: Text,
}
