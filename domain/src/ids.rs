//! Typed ids: what a thing is called by the factory. A `LotId` never stands where an `AssetId` belongs.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The longest id, in bytes.
pub const MAX_ID_BYTES: usize = 256;

/// An id that is not taken, with the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {text:?} is not valid: {reason}")]
pub struct InvalidId {
    kind: &'static str,
    text: String,
    reason: &'static str,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $kind:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id with this text: 1 to 256 bytes, not only white space, no control characters.
            ///
            /// # Errors
            /// [`InvalidId`] names what is wrong.
            pub fn new(text: &str) -> Result<Self, InvalidId> {
                let invalid = |reason| InvalidId { kind: $kind, text: text.chars().take(80).collect(), reason };
                if text.trim().is_empty() {
                    return Err(invalid("it is empty"));
                }
                if text.len() > MAX_ID_BYTES {
                    return Err(invalid("it is longer than 256 bytes"));
                }
                if text.chars().any(char::is_control) {
                    return Err(invalid("it holds a control character"));
                }
                Ok(Self(text.into()))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!($kind, " {:?}"), &*self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// A role in the equipment hierarchy (ISA-95 Equipment).
    EquipmentId "equipment";
    /// A thing with a serial number (ISA-95 PhysicalAsset).
    AssetId "asset";
    /// A class of assets that share failure modes and models (`air-jet-loom`).
    AssetClass "asset class";
    /// A measured quantity of an asset: an entry of the tag catalog.
    SignalId "signal";
    /// A job order (ISA-95 JobOrder): work to be done.
    OrderId "order";
    /// A material lot (ISA-95 MaterialLot): yarn lot, beam, roll, shipment unit.
    LotId "lot";
    /// What a lot is made of (ISA-95 MaterialDefinition): a product or style.
    MaterialId "material";
    /// A shipment that lots leave with.
    ShipmentId "shipment";
    /// An alarm condition of an asset.
    AlarmId "alarm";
    /// Alarms and warnings that belong together, and that are told once.
    AlarmGroupId "alarm group";
    /// A fault episode: from the first observation to the closing.
    FaultId "fault";
    /// A maintenance work order.
    WorkOrderId "work order";
    /// An inspection.
    InspectionId "inspection";
    /// A nonconformance (ISO 9000).
    NonconformanceId "nonconformance";
    /// A shift: one crew's work between two handovers.
    ShiftId "shift";
    /// A plan of preventive maintenance.
    PlanId "maintenance plan";
    /// A person, by personnel number or pseudonym.
    PersonId "person";
    /// A customer, by customer number or pseudonym.
    CustomerId "customer";
    /// A legal hold.
    HoldId "legal hold";
    /// A registered model.
    ModelName "model";
    /// A deployment of a model version to an asset or a class.
    DeploymentId "deployment";
    /// A set of runs that belong together.
    ExperimentId "experiment";
    /// One attempt: its parameters, metrics and what it logged.
    RunId "run";
    /// A model that a run logged, whether it is registered or not.
    LoggedModelId "logged model";
    /// A table for training, built from the log.
    DatasetId "dataset";
    /// A warning that a detection rule raised.
    WarningId "warning";
    /// A piece of knowledge that people wrote.
    ArticleId "article";
    /// An address that is told what happens in the registry.
    WebhookId "webhook";
    /// A code from a taxonomy (failure mode, mechanism, cause, activity, defect, state reason).
    Code "code";
}
