//! Alarms that are kept from the operator on purpose (ISA-18.2, IEC 62682): shelved, suppressed by design, out of service.
//!
//! They are about the alarm of an asset, named by its code, and not about one occurrence of it: what is shelved stays shelved when it comes again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::ids::{AssetId, Code, PersonId};
use crate::values::Text;

/// An operator put an alarm aside for a time.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlarmShelved {
    /// The asset.
    pub asset: AssetId,
    /// The alarm's code.
    pub code: Code,
    /// When it comes back by itself: nothing is shelved for ever.
    pub until: Timestamp,
    /// Who.
    pub person: Option<PersonId>,
    /// Why.
    pub reason: Option<Text>,
}

/// An operator took a shelved alarm back before its time.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlarmUnshelved {
    /// The asset.
    pub asset: AssetId,
    /// The alarm's code.
    pub code: Code,
    /// Who.
    pub person: Option<PersonId>,
}

/// How an alarm is kept back, other than by an operator for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Suppression {
    /// By the logic of the plant, since it says nothing in the present state (suppressed by design).
    ByDesign,
    /// By maintenance, since its measuring chain does not work (out of service).
    OutOfService,
}

/// An alarm is kept back until further notice.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlarmSuppressed {
    /// The asset.
    pub asset: AssetId,
    /// The alarm's code.
    pub code: Code,
    /// How.
    pub how: Suppression,
    /// Who, where it was somebody.
    pub person: Option<PersonId>,
    /// Why.
    pub reason: Option<Text>,
}

/// An alarm is no longer kept back in this way.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlarmUnsuppressed {
    /// The asset.
    pub asset: AssetId,
    /// The alarm's code.
    pub code: Code,
    /// How it was kept back.
    pub how: Suppression,
    /// Who, where it was somebody.
    pub person: Option<PersonId>,
}
