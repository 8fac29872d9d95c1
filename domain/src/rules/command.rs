//! Commands: what somebody asks for, before it is decided.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_with::skip_serializing_none;

use super::{AggregateKey, AggregateKind, affected};
use crate::events::{ClothDoffed, DecodeError, Event, LotSplit, LotsMerged, ModelDeployed, ModelVersionCreated};
use crate::ids::{DeploymentId, PersonId};
use crate::values::Text;

/// What somebody asks for. Most commands propose one event and carry its very fields; some are worked out into several events, or complete
/// what the asker need not know.
///
/// As JSON: `{"command": "lot.ship", "data": {"lot": "R-1", "shipment": "S-7"}}`.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// One event, as proposed.
    Propose(Box<Event>),
    /// Divides a lot and creates its parts, which are of the same material and kind.
    SplitLot(LotSplit),
    /// Joins lots into a new one, which is created with the material and kind of the first.
    MergeLots(LotsMerged),
    /// Cuts a roll off a loom and creates its lot.
    DoffCloth(ClothDoffed),
    /// Creates a model version; version 0 (or none in JSON) asks for the next number.
    CreateVersion(ModelVersionCreated),
    /// Deploys a version, or moves a deployment to it; `replaces` is filled in when absent.
    Deploy(ModelDeployed),
    /// Moves a deployment back to a version that ran before.
    RollBack(RollBack),
}

/// Asks to move a deployment back.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollBack {
    /// The deployment.
    pub deployment: DeploymentId,
    /// The version to go back to; the one that ran before the present one, when absent.
    pub to: Option<u32>,
    /// Who decided.
    pub person: Option<PersonId>,
    /// Why.
    pub reason: Option<Text>,
}

/// Why a text is not a command.
#[derive(Debug, thiserror::Error)]
pub enum InvalidCommand {
    /// The name is not in the table.
    #[error("command {0:?} is not known")]
    Unknown(String),
    /// The data does not fit the command. The text names the field.
    #[error("command {command:?}: {reason}")]
    Data {
        /// The command.
        command: String,
        /// What does not fit, with the field's name.
        reason: String,
    },
}

/// Commands that propose one event, with the event's type.
const PROPOSALS: &[(&str, &str)] = &[
    ("equipment.define", "equipment.defined"),
    ("equipment.map_asset", "equipment.asset_mapped"),
    ("equipment.unmap_asset", "equipment.asset_unmapped"),
    ("asset.register", "asset.registered"),
    ("asset.change_state", "asset.state_changed"),
    ("asset.change_set_point", "asset.set_point_changed"),
    ("signal.define", "signal.defined"),
    ("signal.calibrate", "signal.calibrated"),
    ("order.create", "order.created"),
    ("order.start", "order.started"),
    ("order.report_operation", "order.operation_reported"),
    ("order.complete", "order.completed"),
    ("lot.create", "lot.created"),
    ("lot.consume", "lot.consumed"),
    ("lot.produce", "lot.produced"),
    ("lot.scrap", "lot.scrapped"),
    ("lot.complete", "lot.completed"),
    ("lot.release", "lot.released"),
    ("lot.hold", "lot.held"),
    ("lot.ship", "lot.shipped"),
    ("weaving.warp", "weaving.warped"),
    ("weaving.size", "weaving.sized"),
    ("weaving.mount_beam", "weaving.beam_mounted"),
    ("weaving.tie_warp", "weaving.warp_tied"),
    ("weaving.finish_beam", "weaving.beam_finished"),
    ("weaving.change_weft_lot", "weaving.weft_lot_changed"),
    ("alarm.acknowledge", "alarm.acknowledged"),
    ("alarm.shelve", "alarm.shelved"),
    ("alarm.unshelve", "alarm.unshelved"),
    ("alarm.suppress", "alarm.suppressed"),
    ("alarm.unsuppress", "alarm.unsuppressed"),
    ("fault.observe", "fault.observed"),
    ("fault.code", "fault.coded"),
    ("fault.close", "fault.closed"),
    ("work_order.open", "work_order.opened"),
    ("work_order.progress", "work_order.progressed"),
    ("work_order.report_work", "work_order.work_done"),
    ("work_order.close", "work_order.closed"),
    ("maintenance_plan.define", "maintenance_plan.defined"),
    ("maintenance_plan.retire", "maintenance_plan.retired"),
    ("part.define", "part.defined"),
    ("part.receive", "part.received"),
    ("part.count", "part.counted"),
    ("part.order", "part.ordered"),
    ("shift.define_pattern", "shift.pattern_defined"),
    ("shift.start", "shift.started"),
    ("shift.take_over", "shift.taken_over"),
    ("inspection.record", "inspection.recorded"),
    ("nonconformance.raise", "nonconformance.raised"),
    ("nonconformance.decide", "nonconformance.decided"),
    ("person.register", "person.registered"),
    ("person.qualify", "person.qualified"),
    ("person.log_in", "person.logged_in"),
    ("person.log_out", "person.logged_out"),
    ("customer.register", "customer.registered"),
    ("article.draft", "article.drafted"),
    ("article.review", "article.reviewed"),
    ("article.supersede", "article.superseded"),
    ("file.attach", "file.attached"),
    ("dictionary.define_entry", "dictionary.entry_defined"),
    ("dictionary.remove_entry", "dictionary.entry_removed"),
    ("notice_policy.set", "notice_policy.set"),
    ("notice_policy.remove", "notice_policy.removed"),
    ("notice.acknowledge", "notice.acknowledged"),
    ("model.register", "model.registered"),
    ("model.set_alias", "model.alias_set"),
    ("model.remove_alias", "model.alias_removed"),
    ("deployment.retire", "deployment.retired"),
    ("discrepancy.resolve", "discrepancy.resolved"),
    ("subject.erase", "subject.erased"),
    ("legal_hold.place", "legal_hold.placed"),
    ("legal_hold.release", "legal_hold.released"),
];

/// Commands that are worked out.
const DERIVED: &[&str] = &[
    "lot.split",
    "lot.merge",
    "weaving.doff_cloth",
    "model.create_version",
    "deployment.deploy",
    "deployment.roll_back",
];

impl Command {
    /// The name of every command.
    pub fn names() -> impl Iterator<Item = &'static str> {
        PROPOSALS.iter().map(|(command, _)| *command).chain(DERIVED.iter().copied())
    }

    /// Reads a command from its name and its data.
    ///
    /// # Errors
    /// [`InvalidCommand`] names the command, or the field and the reason.
    pub fn from_value(command: &str, mut data: Value) -> Result<Self, InvalidCommand> {
        let wrong = |reason: String| InvalidCommand::Data { command: command.to_owned(), reason };
        let read = |reason: serde_json::Error| wrong(reason.to_string());
        match command {
            "lot.split" => serde_json::from_value(data).map(Self::SplitLot).map_err(read),
            "lot.merge" => serde_json::from_value(data).map(Self::MergeLots).map_err(read),
            "weaving.doff_cloth" => serde_json::from_value(data).map(Self::DoffCloth).map_err(read),
            "model.create_version" => {
                if let Some(fields) = data.as_object_mut() {
                    fields.entry("version").or_insert(Value::from(0));
                }
                serde_json::from_value(data).map(Self::CreateVersion).map_err(read)
            }
            "deployment.deploy" => serde_json::from_value(data).map(Self::Deploy).map_err(read),
            "deployment.roll_back" => serde_json::from_value(data).map(Self::RollBack).map_err(read),
            _ => {
                let Some((_, event_type)) = PROPOSALS.iter().find(|(name, _)| *name == command) else {
                    return Err(InvalidCommand::Unknown(command.chars().take(80).collect()));
                };
                let version =
                    Event::TYPES.iter().find(|(name, _)| name == event_type).map_or(1, |(_, version)| *version);
                match Event::from_value(event_type, version, data) {
                    Ok(event) => Ok(Self::Propose(Box::new(event))),
                    Err(DecodeError::Payload { reason, .. }) => Err(wrong(reason)),
                    Err(error) => Err(wrong(error.to_string())),
                }
            }
        }
    }

    /// The aggregates whose states [`super::decide`] must be given.
    pub fn affected(&self) -> Vec<AggregateKey> {
        match self {
            Self::Propose(event) => affected(event),
            Self::SplitLot(split) => affected(&split.clone().into()),
            Self::MergeLots(merge) => affected(&merge.clone().into()),
            Self::DoffCloth(doff) => affected(&doff.clone().into()),
            Self::CreateVersion(version) => affected(&version.clone().into()),
            Self::Deploy(deploy) => affected(&deploy.clone().into()),
            Self::RollBack(back) => vec![AggregateKey::new(AggregateKind::Deployment, back.deployment.as_str())],
        }
    }
}

impl<E: Into<Event>> From<E> for Command {
    fn from(event: E) -> Self {
        Self::Propose(Box::new(event.into()))
    }
}

impl<'de> Deserialize<'de> for Command {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Written {
            command: String,
            data: Value,
        }
        let written = Written::deserialize(deserializer)?;
        Self::from_value(&written.command, written.data).map_err(serde::de::Error::custom)
    }
}
