//! People: what they may do, and where they are logged in.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::ids::{AssetId, Code, PersonId};

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
