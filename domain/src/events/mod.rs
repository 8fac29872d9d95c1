//! The events of the factory: what happened, as the log keeps it.
//!
//! One table, below, names each event's type, version, stream and key. A payload is the JSON of its struct. Fields are only ever added, and then optional; a
//! change of meaning makes a new version, and a step in [`LIFTS`] from the old one. [`Event::decode`] knows the present versions only: who reads a log lifts
//! first.

pub mod advice;
pub mod articles;
pub mod condition;
pub mod control_limits;
pub mod detection;
pub mod dictionary;
pub mod intake;
pub mod maintenance;
pub mod models;
pub mod notices;
pub mod people;
pub mod plant;
pub mod privacy;
pub mod production;
pub mod quality;
pub mod shifts;
pub mod suppression;
pub mod tracking;
pub mod upkeep;
pub mod weaving;
pub mod webhooks;

mod examples;
mod own;
mod subjects;

#[cfg(test)]
mod tests;

pub use advice::*;
pub use articles::*;
pub use condition::*;
pub use control_limits::*;
pub use detection::*;
pub use dictionary::*;
pub use examples::{examples, story};
pub use intake::*;
pub use maintenance::*;
pub use models::*;
pub use notices::*;
pub use own::{is_done, is_own};
pub use people::*;
pub use plant::*;
pub use privacy::*;
pub use production::*;
pub use quality::*;
pub use shifts::*;
pub use subjects::{Subject, SubjectKind};
pub use suppression::*;
pub use tracking::*;
pub use upkeep::*;
pub use weaving::*;
pub use webhooks::*;

/// A step from one version of an event type to the next.
#[derive(Clone, Copy, Debug)]
pub struct Lift {
    /// The type.
    pub event_type: &'static str,
    /// The old version.
    pub version: u16,
    /// What the old payload is in the next version; the error says what does not fit.
    pub lift: fn(serde_json::Value) -> Result<serde_json::Value, String>,
}

/// Every step from an old version. It is empty as long as every type is at its first version; a test of the projections finds a gap.
pub const LIFTS: &[Lift] = &[];

/// Why a payload is not an event.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The type is not in the table.
    #[error("event type {0:?} is not known")]
    UnknownType(String),
    /// The version is not the present one.
    #[error("version {version} of event type {event_type:?} is not known")]
    UnknownVersion {
        /// The type.
        event_type: String,
        /// The version.
        version: u16,
    },
    /// The payload does not fit the type. The text names the field.
    #[error("event type {event_type:?}: {reason}")]
    Payload {
        /// The type.
        event_type: String,
        /// What does not fit, with the field's name.
        reason: String,
    },
}

macro_rules! events {
    ($($(#[$doc:meta])* $type:literal $version:literal => $name:ident in $category:literal by $($key:ident).+;)*) => {
        /// Anything that can happen.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Event {
            $($(#[$doc])* $name($name),)*
        }

        $(impl From<$name> for Event {
            fn from(event: $name) -> Self {
                Self::$name(event)
            }
        })*

        impl Event {
            /// Every event type with its current version, in the order of the table.
            pub const TYPES: &'static [(&'static str, u16)] = &[$(($type, $version)),*];

            /// The event's type (`lot.shipped`).
            pub const fn event_type(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => $type,)*
                }
            }

            /// The version that [`Event::encode`] writes.
            pub const fn schema_version(&self) -> u16 {
                match self {
                    $(Self::$name(_) => $version,)*
                }
            }

            /// The category of the event's stream (`lot`).
            pub const fn category(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => $category,)*
                }
            }

            /// The key of the event's stream: the id of the thing that the event is about.
            pub fn key(&self) -> std::borrow::Cow<'_, str> {
                match self {
                    $(Self::$name(event) => key_text(&event.$($key).+),)*
                }
            }

            /// The payload as JSON.
            ///
            /// # Errors
            /// Only when a number is NaN or infinite, which JSON cannot say.
            pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
                match self {
                    $(Self::$name(event) => serde_json::to_vec(event),)*
                }
            }

            /// Reads a payload of the given type in its present version.
            ///
            /// # Errors
            /// [`DecodeError`] names the type, or the field and the reason.
            pub fn decode(event_type: &str, version: u16, payload: &[u8]) -> Result<Self, DecodeError> {
                let mut json = serde_json::Deserializer::from_slice(payload);
                let event = Self::read(event_type, version, &mut json)?;
                json.end().map(|()| event).map_err(|error| unreadable(event_type, &error))
            }

            /// Reads an event of a type in its present version from a JSON value.
            ///
            /// # Errors
            /// [`DecodeError`] names the type, or the field and the reason.
            pub fn from_value(event_type: &str, version: u16, value: serde_json::Value) -> Result<Self, DecodeError> {
                Self::read(event_type, version, value)
            }

            fn read<'de, J>(event_type: &str, version: u16, json: J) -> Result<Self, DecodeError>
            where
                J: serde::Deserializer<'de, Error = serde_json::Error>,
            {
                let read = match event_type {
                    $($type if version == $version => serde::Deserialize::deserialize(json).map(Self::$name),)*
                    $($type)|* => {
                        return Err(DecodeError::UnknownVersion { event_type: event_type.to_owned(), version });
                    }
                    _ => return Err(DecodeError::UnknownType(event_type.to_owned())),
                };
                read.map_err(|error| unreadable(event_type, &error))
            }
        }
    };
}

fn unreadable(event_type: &str, error: &serde_json::Error) -> DecodeError {
    DecodeError::Payload { event_type: event_type.to_owned(), reason: error.to_string() }
}

trait Key {
    fn text(&self) -> std::borrow::Cow<'_, str>;
}

fn key_text<K: Key>(key: &K) -> std::borrow::Cow<'_, str> {
    key.text()
}

impl Key for String {
    fn text(&self) -> std::borrow::Cow<'_, str> {
        self.as_str().into()
    }
}

impl Key for uuid::Uuid {
    fn text(&self) -> std::borrow::Cow<'_, str> {
        self.to_string().into()
    }
}

impl Key for crate::personal::DataSubject {
    fn text(&self) -> std::borrow::Cow<'_, str> {
        self.to_string().into()
    }
}

macro_rules! id_keys {
    ($($name:ident)*) => {$(impl Key for crate::ids::$name {
        fn text(&self) -> std::borrow::Cow<'_, str> {
            self.as_str().into()
        }
    })*};
}

id_keys!(EquipmentId AssetId SignalId OrderId LotId FaultId WorkOrderId InspectionId NonconformanceId PersonId CustomerId HoldId ModelName DeploymentId ExperimentId RunId LoggedModelId DatasetId WebhookId ArticleId WarningId Code ShiftId PlanId AlarmGroupId);

events! {
    /// See [`EquipmentDefined`].
    "equipment.defined" 1 => EquipmentDefined in "equipment" by equipment;
    /// See [`AssetMapped`].
    "equipment.asset_mapped" 1 => AssetMapped in "equipment" by equipment;
    /// See [`AssetUnmapped`].
    "equipment.asset_unmapped" 1 => AssetUnmapped in "equipment" by equipment;
    /// See [`AssetRegistered`].
    "asset.registered" 1 => AssetRegistered in "asset" by asset;
    /// See [`MachineStateChanged`].
    "asset.state_changed" 1 => MachineStateChanged in "asset" by asset;
    /// See [`SetPointChanged`].
    "asset.set_point_changed" 1 => SetPointChanged in "asset" by asset;
    /// See [`SignalDefined`].
    "signal.defined" 1 => SignalDefined in "signal" by signal;
    /// See [`CalibrationPerformed`].
    "signal.calibrated" 1 => CalibrationPerformed in "signal" by signal;
    /// See [`OrderCreated`].
    "order.created" 1 => OrderCreated in "order" by order;
    /// See [`OrderStarted`].
    "order.started" 1 => OrderStarted in "order" by order;
    /// See [`OperationReported`].
    "order.operation_reported" 1 => OperationReported in "order" by order;
    /// See [`OrderCompleted`].
    "order.completed" 1 => OrderCompleted in "order" by order;
    /// See [`LotCreated`].
    "lot.created" 1 => LotCreated in "lot" by lot;
    /// See [`MaterialConsumed`].
    "lot.consumed" 1 => MaterialConsumed in "lot" by lot;
    /// See [`MaterialProduced`].
    "lot.produced" 1 => MaterialProduced in "lot" by lot;
    /// See [`LotSplit`].
    "lot.split" 1 => LotSplit in "lot" by lot;
    /// See [`LotsMerged`].
    "lot.merged" 1 => LotsMerged in "lot" by lot;
    /// See [`LotScrapped`].
    "lot.scrapped" 1 => LotScrapped in "lot" by lot;
    /// See [`LotCompleted`].
    "lot.completed" 1 => LotCompleted in "lot" by lot;
    /// See [`LotReleased`].
    "lot.released" 1 => LotReleased in "lot" by lot;
    /// See [`LotHeld`].
    "lot.held" 1 => LotHeld in "lot" by lot;
    /// See [`LotShipped`].
    "lot.shipped" 1 => LotShipped in "lot" by lot;
    /// See [`WarpingCompleted`].
    "weaving.warped" 1 => WarpingCompleted in "lot" by beam;
    /// See [`SizingCompleted`].
    "weaving.sized" 1 => SizingCompleted in "lot" by beam;
    /// See [`BeamMounted`].
    "weaving.beam_mounted" 1 => BeamMounted in "asset" by asset;
    /// See [`WarpTied`].
    "weaving.warp_tied" 1 => WarpTied in "asset" by asset;
    /// See [`BeamFinished`].
    "weaving.beam_finished" 1 => BeamFinished in "asset" by asset;
    /// See [`WeftLotChanged`].
    "weaving.weft_lot_changed" 1 => WeftLotChanged in "asset" by asset;
    /// See [`ClothDoffed`].
    "weaving.cloth_doffed" 1 => ClothDoffed in "lot" by roll;
    /// See [`AlarmRaised`].
    "alarm.raised" 1 => AlarmRaised in "asset" by asset;
    /// See [`AlarmAcknowledged`].
    "alarm.acknowledged" 1 => AlarmAcknowledged in "asset" by asset;
    /// See [`AlarmCleared`].
    "alarm.cleared" 1 => AlarmCleared in "asset" by asset;
    /// See [`AlarmShelved`].
    "alarm.shelved" 1 => AlarmShelved in "asset" by asset;
    /// See [`AlarmUnshelved`].
    "alarm.unshelved" 1 => AlarmUnshelved in "asset" by asset;
    /// See [`AlarmSuppressed`].
    "alarm.suppressed" 1 => AlarmSuppressed in "asset" by asset;
    /// See [`AlarmUnsuppressed`].
    "alarm.unsuppressed" 1 => AlarmUnsuppressed in "asset" by asset;
    /// See [`FaultObserved`].
    "fault.observed" 1 => FaultObserved in "fault" by fault;
    /// See [`FaultCoded`].
    "fault.coded" 1 => FaultCoded in "fault" by fault;
    /// See [`FaultExamined`].
    "fault.examined" 1 => FaultExamined in "fault" by fault;
    /// See [`FaultClosed`].
    "fault.closed" 1 => FaultClosed in "fault" by fault;
    /// See [`WarningRaised`].
    "warning.raised" 1 => WarningRaised in "warning" by warning;
    /// See [`WarningCleared`].
    "warning.cleared" 1 => WarningCleared in "warning" by warning;
    /// See [`DiagnosisGiven`].
    "diagnosis.given" 1 => DiagnosisGiven in "diagnosis" by diagnosis;
    /// See [`WorkOrderOpened`].
    "work_order.opened" 1 => WorkOrderOpened in "workorder" by work_order;
    /// See [`WorkOrderProgressed`].
    "work_order.progressed" 1 => WorkOrderProgressed in "workorder" by work_order;
    /// See [`WorkDone`].
    "work_order.work_done" 1 => WorkDone in "workorder" by work_order;
    /// See [`WorkOrderClosed`].
    "work_order.closed" 1 => WorkOrderClosed in "workorder" by work_order;
    /// See [`MaintenancePlanDefined`].
    "maintenance_plan.defined" 1 => MaintenancePlanDefined in "maintenance_plan" by plan;
    /// See [`MaintenancePlanRetired`].
    "maintenance_plan.retired" 1 => MaintenancePlanRetired in "maintenance_plan" by plan;
    /// See [`PartDefined`].
    "part.defined" 1 => PartDefined in "part" by part;
    /// See [`PartsReceived`].
    "part.received" 1 => PartsReceived in "part" by part;
    /// See [`PartsCounted`].
    "part.counted" 1 => PartsCounted in "part" by part;
    /// See [`PartsOrdered`].
    "part.ordered" 1 => PartsOrdered in "part" by part;
    /// See [`ShiftPatternDefined`].
    "shift.pattern_defined" 1 => ShiftPatternDefined in "shift_pattern" by pattern;
    /// See [`ShiftStarted`].
    "shift.started" 1 => ShiftStarted in "shift" by shift;
    /// See [`ShiftHandedOver`].
    "shift.handed_over" 1 => ShiftHandedOver in "shift" by shift;
    /// See [`ShiftTakenOver`].
    "shift.taken_over" 1 => ShiftTakenOver in "shift" by shift;
    /// See [`InspectionRecorded`].
    "inspection.recorded" 1 => InspectionRecorded in "inspection" by inspection;
    /// See [`NonconformanceRaised`].
    "nonconformance.raised" 1 => NonconformanceRaised in "nonconformance" by nonconformance;
    /// See [`DispositionDecided`].
    "nonconformance.decided" 1 => DispositionDecided in "nonconformance" by nonconformance;
    /// See [`ControlLimitsFrozen`].
    "control_limits.frozen" 1 => ControlLimitsFrozen in "control_limits" by characteristic;
    /// See [`PersonRegistered`].
    "person.registered" 1 => PersonRegistered in "person" by person;
    /// See [`QualificationGranted`].
    "person.qualified" 1 => QualificationGranted in "person" by person;
    /// See [`PersonLoggedIn`].
    "person.logged_in" 1 => PersonLoggedIn in "person" by person;
    /// See [`PersonLoggedOut`].
    "person.logged_out" 1 => PersonLoggedOut in "person" by person;
    /// See [`CustomerRegistered`].
    "customer.registered" 1 => CustomerRegistered in "customer" by customer;
    /// See [`ModelRegistered`].
    "model.registered" 1 => ModelRegistered in "model" by model;
    /// See [`ModelVersionCreated`].
    "model.version_created" 1 => ModelVersionCreated in "model" by model;
    /// See [`AliasSet`].
    "model.alias_set" 1 => AliasSet in "model" by model;
    /// See [`AliasRemoved`].
    "model.alias_removed" 1 => AliasRemoved in "model" by model;
    /// See [`ModelDeployed`].
    "deployment.deployed" 1 => ModelDeployed in "deployment" by deployment;
    /// See [`DeploymentRetired`].
    "deployment.retired" 1 => DeploymentRetired in "deployment" by deployment;
    /// See [`ModelRenamed`].
    "model.renamed" 1 => ModelRenamed in "model" by model;
    /// See [`ModelDescribed`].
    "model.described" 1 => ModelDescribed in "model" by model;
    /// See [`ModelTagSet`].
    "model.tag_set" 1 => ModelTagSet in "model" by model;
    /// See [`ModelTagRemoved`].
    "model.tag_removed" 1 => ModelTagRemoved in "model" by model;
    /// See [`ModelStageSet`].
    "model.stage_set" 1 => ModelStageSet in "model" by model;
    /// See [`ModelVersionDeleted`].
    "model.version_deleted" 1 => ModelVersionDeleted in "model" by model;
    /// See [`ModelDeleted`].
    "model.deleted" 1 => ModelDeleted in "model" by model;
    /// See [`ModelVersionEvaluated`].
    "model.version_evaluated" 1 => ModelVersionEvaluated in "model" by model;
    /// See [`ModelVersionApproved`].
    "model.version_approved" 1 => ModelVersionApproved in "model" by model;
    /// See [`ModelApprovalWithdrawn`].
    "model.approval_withdrawn" 1 => ModelApprovalWithdrawn in "model" by model;
    /// See [`GateDefined`].
    "gate.defined" 1 => GateDefined in "gate" by gate;
    /// See [`GateRemoved`].
    "gate.removed" 1 => GateRemoved in "gate" by gate;
    /// See [`DatasetBuilt`].
    "dataset.built" 1 => DatasetBuilt in "dataset" by dataset;
    /// See [`ExperimentCreated`].
    "experiment.created" 1 => ExperimentCreated in "experiment" by experiment;
    /// See [`ExperimentRenamed`].
    "experiment.renamed" 1 => ExperimentRenamed in "experiment" by experiment;
    /// See [`ExperimentDeleted`].
    "experiment.deleted" 1 => ExperimentDeleted in "experiment" by experiment;
    /// See [`ExperimentRestored`].
    "experiment.restored" 1 => ExperimentRestored in "experiment" by experiment;
    /// See [`ExperimentTagSet`].
    "experiment.tag_set" 1 => ExperimentTagSet in "experiment" by experiment;
    /// See [`ExperimentTagRemoved`].
    "experiment.tag_removed" 1 => ExperimentTagRemoved in "experiment" by experiment;
    /// See [`RunCreated`].
    "run.created" 1 => RunCreated in "run" by run;
    /// See [`RunUpdated`].
    "run.updated" 1 => RunUpdated in "run" by run;
    /// See [`RunLogged`].
    "run.logged" 1 => RunLogged in "run" by run;
    /// See [`RunTagRemoved`].
    "run.tag_removed" 1 => RunTagRemoved in "run" by run;
    /// See [`RunDeleted`].
    "run.deleted" 1 => RunDeleted in "run" by run;
    /// See [`RunRestored`].
    "run.restored" 1 => RunRestored in "run" by run;
    /// See [`RunInputsLogged`].
    "run.inputs_logged" 1 => RunInputsLogged in "run" by run;
    /// See [`RunOutputsLogged`].
    "run.outputs_logged" 1 => RunOutputsLogged in "run" by run;
    /// See [`LoggedModelCreated`].
    "logged_model.created" 1 => LoggedModelCreated in "logged_model" by logged_model;
    /// See [`LoggedModelFinalized`].
    "logged_model.finalized" 1 => LoggedModelFinalized in "logged_model" by logged_model;
    /// See [`LoggedModelParamsLogged`].
    "logged_model.params_logged" 1 => LoggedModelParamsLogged in "logged_model" by logged_model;
    /// See [`LoggedModelTagsSet`].
    "logged_model.tags_set" 1 => LoggedModelTagsSet in "logged_model" by logged_model;
    /// See [`LoggedModelTagRemoved`].
    "logged_model.tag_removed" 1 => LoggedModelTagRemoved in "logged_model" by logged_model;
    /// See [`LoggedModelDeleted`].
    "logged_model.deleted" 1 => LoggedModelDeleted in "logged_model" by logged_model;
    /// See [`ArtifactStored`].
    "artifact.stored" 1 => ArtifactStored in "artifact" by root;
    /// See [`ArtifactRemoved`].
    "artifact.removed" 1 => ArtifactRemoved in "artifact" by root;
    /// See [`WebhookCreated`].
    "webhook.created" 1 => WebhookCreated in "webhook" by webhook;
    /// See [`WebhookUpdated`].
    "webhook.updated" 1 => WebhookUpdated in "webhook" by webhook;
    /// See [`WebhookDeleted`].
    "webhook.deleted" 1 => WebhookDeleted in "webhook" by webhook;
    /// See [`PredictionMade`].
    "prediction.made" 1 => PredictionMade in "prediction" by deployment;
    /// See [`ArticleDrafted`].
    "article.drafted" 1 => ArticleDrafted in "article" by article;
    /// See [`ArticleReviewed`].
    "article.reviewed" 1 => ArticleReviewed in "article" by article;
    /// See [`ArticleSuperseded`].
    "article.superseded" 1 => ArticleSuperseded in "article" by article;
    /// See [`PackageImported`].
    "package.imported" 1 => PackageImported in "package" by package;
    /// See [`FileAttached`].
    "file.attached" 1 => FileAttached in "attachment" by id;
    /// See [`DictionaryEntryDefined`].
    "dictionary.entry_defined" 1 => DictionaryEntryDefined in "dictionary" by entry;
    /// See [`DictionaryEntryRemoved`].
    "dictionary.entry_removed" 1 => DictionaryEntryRemoved in "dictionary" by entry;
    /// See [`NoticePolicySet`].
    "notice_policy.set" 1 => NoticePolicySet in "notice_policy" by policy;
    /// See [`NoticePolicyRemoved`].
    "notice_policy.removed" 1 => NoticePolicyRemoved in "notice_policy" by policy;
    /// See [`NoticeSent`].
    "notice.sent" 1 => NoticeSent in "notice" by group;
    /// See [`NoticeFailed`].
    "notice.failed" 1 => NoticeFailed in "notice" by group;
    /// See [`NoticeAcknowledged`].
    "notice.acknowledged" 1 => NoticeAcknowledged in "notice" by group;
    /// See [`InputQuarantined`].
    "input.quarantined" 1 => InputQuarantined in "quarantine" by source;
    /// See [`QuarantineReleased`].
    "input.released" 1 => QuarantineReleased in "quarantine" by source;
    /// See [`DiscrepancyResolved`].
    "discrepancy.resolved" 1 => DiscrepancyResolved in "discrepancy" by event;
    /// See [`SubjectErased`].
    "subject.erased" 1 => SubjectErased in "erasure" by subject;
    /// See [`LegalHoldPlaced`].
    "legal_hold.placed" 1 => LegalHoldPlaced in "hold" by hold;
    /// See [`LegalHoldReleased`].
    "legal_hold.released" 1 => LegalHoldReleased in "hold" by hold;
    /// See [`RetentionApplied`].
    "retention.applied" 1 => RetentionApplied in "retention" by class;
}
