//! People and customers: who they are, what people may do, and where they are logged in.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::ids::{AssetId, Code, CustomerId, PersonId};
use crate::values::Text;

/// A person became known, or was described anew. What identifies somebody stands here and nowhere else.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonRegistered {
    /// The person.
    pub person: PersonId,
    /// The name.
    pub name: Text,
    /// How to reach the person: a telephone number or an address.
    pub contact: Option<String>,
    /// What else is worth knowing.
    pub note: Option<Text>,
}

/// A customer became known, or was described anew. What identifies somebody stands here and nowhere else.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomerRegistered {
    /// The customer.
    pub customer: CustomerId,
    /// The name.
    pub name: Text,
    /// How to reach the customer: a person, a telephone number, an address.
    pub contact: Option<String>,
    /// What else is worth knowing.
    pub note: Option<Text>,
}

/// A person may do a kind of work.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QualificationGranted {
    /// The person.
    pub person: PersonId,
    /// The skill.
    pub skill: Code,
    /// Until when.
    pub until: Option<Timestamp>,
}

/// A person took over an asset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonLoggedIn {
    /// The person.
    pub person: PersonId,
    /// The asset.
    pub asset: AssetId,
}

/// A person left an asset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonLoggedOut {
    /// The person.
    pub person: PersonId,
    /// The asset.
    pub asset: AssetId,
}
