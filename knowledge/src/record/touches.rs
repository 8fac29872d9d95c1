//! Which records an entry changes.

use domain::Event;
use domain::events::MachineState;
use projections::Entry;

use super::{Kind, RecordId};

/// The types of the events that change a record. An event of any other type never does.
pub const TYPES: &[&str] = &[
    "asset.registered",
    "equipment.defined",
    "equipment.asset_mapped",
    "equipment.asset_unmapped",
    "signal.defined",
    "asset.state_changed",
    "asset.set_point_changed",
    "alarm.raised",
    "alarm.acknowledged",
    "alarm.cleared",
    "fault.observed",
    "fault.coded",
    "fault.closed",
    "work_order.opened",
    "work_order.progressed",
    "work_order.work_done",
    "work_order.closed",
    "inspection.recorded",
    "nonconformance.raised",
    "nonconformance.decided",
    "article.drafted",
    "article.reviewed",
    "article.superseded",
    "file.attached",
];

/// The records that the entry changes, each once. An event without a name of its own (a stop, a set-point change) makes a record under the
/// id of its entry.
pub fn touches(entry: &Entry) -> Vec<RecordId> {
    let Some(event) = entry.event() else { return Vec::new() };
    let one = |kind, key: &str| vec![RecordId::new(kind, key)];
    match event {
        Event::AssetRegistered(e) => one(Kind::Asset, e.asset.as_str()),
        Event::EquipmentDefined(e) => one(Kind::Equipment, e.equipment.as_str()),
        Event::AssetMapped(e) => one(Kind::Equipment, e.equipment.as_str()),
        Event::AssetUnmapped(e) => one(Kind::Equipment, e.equipment.as_str()),
        Event::SignalDefined(e) => one(Kind::Signal, e.signal.as_str()),
        Event::MachineStateChanged(e) if matches!(e.state, MachineState::Down | MachineState::Maintenance) => {
            one(Kind::StateStop, &entry.id.to_string())
        }
        Event::SetPointChanged(_) => one(Kind::SetPointChange, &entry.id.to_string()),
        Event::AlarmRaised(e) => one(Kind::Alarm, e.alarm.as_str()),
        Event::AlarmAcknowledged(e) => one(Kind::Alarm, e.alarm.as_str()),
        Event::AlarmCleared(e) => one(Kind::Alarm, e.alarm.as_str()),
        Event::FaultObserved(e) => one(Kind::FaultEpisode, e.fault.as_str()),
        Event::FaultCoded(e) => {
            vec![RecordId::new(Kind::FaultEpisode, e.fault.as_str()), RecordId::new(Kind::FailureMode, e.mode.as_str())]
        }
        Event::FaultClosed(e) => one(Kind::FaultEpisode, e.fault.as_str()),
        Event::WorkOrderOpened(e) => one(Kind::WorkOrder, e.work_order.as_str()),
        Event::WorkOrderProgressed(e) => one(Kind::WorkOrder, e.work_order.as_str()),
        Event::WorkDone(e) => one(Kind::WorkOrder, e.work_order.as_str()),
        Event::WorkOrderClosed(e) => one(Kind::WorkOrder, e.work_order.as_str()),
        Event::InspectionRecorded(e) => one(Kind::Inspection, e.inspection.as_str()),
        Event::NonconformanceRaised(e) => one(Kind::Nonconformance, e.nonconformance.as_str()),
        Event::DispositionDecided(e) => one(Kind::Nonconformance, e.nonconformance.as_str()),
        Event::ArticleDrafted(e) => one(Kind::Article, e.article.as_str()),
        Event::ArticleReviewed(e) => one(Kind::Article, e.article.as_str()),
        Event::ArticleSuperseded(e) => one(Kind::Article, e.article.as_str()),
        Event::FileAttached(_) => one(Kind::File, &entry.id.to_string()),
        _ => Vec::new(),
    }
}
