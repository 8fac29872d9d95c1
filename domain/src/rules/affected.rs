//! Which aggregates an event touches.

use super::privacy::REGISTER;
use super::{AggregateKey, AggregateKind};
use crate::events::Event;
use crate::ids::{AssetId, LotId, OrderId};
use crate::personal::DataSubject;

/// Every aggregate whose rules look at the event and whose state it changes, each once, the stream's own first. All of them are among the
/// event's subjects.
pub fn affected(event: &Event) -> Vec<AggregateKey> {
    let mut keys = Keys(Vec::new());
    collect(event, &mut keys);
    keys.0
}

struct Keys(Vec<AggregateKey>);

impl Keys {
    fn add(&mut self, kind: AggregateKind, id: &str) -> &mut Self {
        if !self.0.iter().any(|key| key.kind == kind && key.id == id) {
            self.0.push(AggregateKey::new(kind, id));
        }
        self
    }

    fn lot(&mut self, id: &LotId) -> &mut Self {
        self.add(AggregateKind::Lot, id.as_str())
    }

    fn lots<'a>(&mut self, ids: impl IntoIterator<Item = &'a LotId>) -> &mut Self {
        ids.into_iter().fold(self, |keys, id| keys.lot(id))
    }

    fn order(&mut self, id: &OrderId) -> &mut Self {
        self.add(AggregateKind::Order, id.as_str())
    }

    fn asset(&mut self, id: &AssetId) -> &mut Self {
        self.add(AggregateKind::Asset, id.as_str())
    }
}

#[rustfmt::skip]
fn collect(event: &Event, keys: &mut Keys) {
    use AggregateKind as Kind;
    match event {
        Event::AssetMapped(e) => { keys.asset(&e.asset); }
        Event::AssetUnmapped(e) => { keys.asset(&e.asset); }
        Event::AssetRegistered(e) => { keys.asset(&e.asset); }
        Event::MachineStateChanged(e) => { keys.asset(&e.asset); }
        Event::SetPointChanged(e) => { keys.asset(&e.asset); }
        Event::AlarmRaised(e) => { keys.asset(&e.asset); }
        Event::AlarmAcknowledged(e) => { keys.asset(&e.asset); }
        Event::AlarmCleared(e) => { keys.asset(&e.asset); }
        Event::AlarmShelved(e) => { keys.asset(&e.asset); }
        Event::AlarmUnshelved(e) => { keys.asset(&e.asset); }
        Event::AlarmSuppressed(e) => { keys.asset(&e.asset); }
        Event::AlarmUnsuppressed(e) => { keys.asset(&e.asset); }
        Event::OrderCreated(e) => { keys.order(&e.order); }
        Event::OrderStarted(e) => { keys.order(&e.order); }
        Event::OperationReported(e) => { keys.order(&e.order); }
        Event::OrderCompleted(e) => { keys.order(&e.order); }
        Event::LotCreated(e) => { keys.lot(&e.lot); }
        Event::MaterialConsumed(e) => { keys.lot(&e.lot).order(&e.order); }
        Event::MaterialProduced(e) => { keys.lot(&e.lot).order(&e.order).lots(e.from.iter().map(|origin| &origin.lot)); }
        Event::LotSplit(e) => { keys.lot(&e.lot).lots(e.into.iter().map(|part| &part.lot)); }
        Event::LotsMerged(e) => { keys.lot(&e.lot).lots(e.from.iter().map(|origin| &origin.lot)); }
        Event::LotScrapped(e) => { keys.lot(&e.lot); }
        Event::LotCompleted(e) => { keys.lot(&e.lot); }
        Event::LotReleased(e) => { keys.lot(&e.lot); }
        Event::LotHeld(e) => { keys.lot(&e.lot); }
        Event::LotShipped(e) => { keys.lot(&e.lot); }
        Event::WarpingCompleted(e) => { keys.lot(&e.beam).order(&e.order).lots(e.from.iter().map(|origin| &origin.lot)); }
        Event::SizingCompleted(e) => { keys.lot(&e.beam).order(&e.order).lots(e.from.iter().map(|origin| &origin.lot)); }
        Event::BeamMounted(e) => { keys.asset(&e.asset).lot(&e.beam).order(&e.order); }
        Event::WarpTied(e) => { keys.asset(&e.asset).lot(&e.old_beam).lot(&e.new_beam); }
        Event::BeamFinished(e) => { keys.asset(&e.asset).lot(&e.beam); }
        Event::WeftLotChanged(e) => { keys.asset(&e.asset).lot(&e.lot).order(&e.order); }
        Event::ClothDoffed(e) => { keys.lot(&e.roll).asset(&e.asset).order(&e.order).lots(e.beams.iter().map(|origin| &origin.lot)).lots(&e.wefts); }
        Event::FaultObserved(e) => { keys.add(Kind::Fault, e.fault.as_str()); }
        Event::FaultCoded(e) => { keys.add(Kind::Fault, e.fault.as_str()); }
        Event::FaultClosed(e) => { keys.add(Kind::Fault, e.fault.as_str()); }
        Event::WorkOrderOpened(e) => { keys.add(Kind::WorkOrder, e.work_order.as_str()); }
        Event::WorkOrderProgressed(e) => { keys.add(Kind::WorkOrder, e.work_order.as_str()); }
        Event::WorkDone(e) => { keys.add(Kind::WorkOrder, e.work_order.as_str()); }
        Event::WorkOrderClosed(e) => { keys.add(Kind::WorkOrder, e.work_order.as_str()); }
        Event::InspectionRecorded(e) => { keys.add(Kind::Inspection, e.inspection.as_str()); }
        Event::NonconformanceRaised(e) => { keys.add(Kind::Nonconformance, e.nonconformance.as_str()); }
        Event::DispositionDecided(e) => { keys.add(Kind::Nonconformance, e.nonconformance.as_str()); }
        Event::SubjectErased(e) => {
            if let DataSubject::Person(person) = &e.subject { keys.add(Kind::Person, person.as_str()); }
            keys.add(Kind::Privacy, REGISTER);
        }
        Event::LegalHoldPlaced(_) | Event::LegalHoldReleased(_) => { keys.add(Kind::Privacy, REGISTER); }
        Event::QualificationGranted(e) => { keys.add(Kind::Person, e.person.as_str()); }
        Event::PersonLoggedIn(e) => { keys.add(Kind::Person, e.person.as_str()); }
        Event::PersonLoggedOut(e) => { keys.add(Kind::Person, e.person.as_str()); }
        Event::ArticleDrafted(e) => { keys.add(Kind::Article, e.article.as_str()); }
        Event::ArticleReviewed(e) => { keys.add(Kind::Article, e.article.as_str()); }
        Event::ArticleSuperseded(e) => { keys.add(Kind::Article, e.article.as_str()); }
        Event::ModelRegistered(e) => { keys.add(Kind::Model, e.model.as_str()); }
        Event::ModelVersionCreated(e) => { keys.add(Kind::Model, e.model.as_str()); }
        Event::ModelRenamed(e) => { keys.add(Kind::Model, e.model.as_str()); }
        Event::ModelDescribed(e) => { keys.add(Kind::Model, e.model.as_str()); }
        Event::ModelTagSet(e) => { keys.add(Kind::Model, e.model.as_str()); }
        Event::ModelTagRemoved(e) => { keys.add(Kind::Model, e.model.as_str()); }
        Event::ModelStageSet(e) => { keys.add(Kind::Model, e.model.as_str()); }
        Event::ModelVersionDeleted(e) => { keys.add(Kind::Model, e.model.as_str()); }
        Event::ModelDeleted(e) => { keys.add(Kind::Model, e.model.as_str()); }
        Event::ModelVersionEvaluated(e) => { keys.add(Kind::Model, e.model.as_str()); }
        Event::ModelVersionApproved(e) => { keys.add(Kind::Model, e.model.as_str()); }
        Event::ModelApprovalWithdrawn(e) => { keys.add(Kind::Model, e.model.as_str()); }
        Event::AliasSet(e) => { keys.add(Kind::Model, e.model.as_str()); }
        Event::AliasRemoved(e) => { keys.add(Kind::Model, e.model.as_str()); }
        Event::ModelDeployed(e) => { keys.add(Kind::Deployment, e.deployment.as_str()).add(Kind::Model, e.model.as_str()); }
        Event::DeploymentRetired(e) => { keys.add(Kind::Deployment, e.deployment.as_str()); }
        Event::PredictionMade(e) => { keys.add(Kind::Deployment, e.deployment.as_str()); }
        Event::EquipmentDefined(_) | Event::SignalDefined(_) | Event::CalibrationPerformed(_) | Event::InputQuarantined(_)
        | Event::QuarantineReleased(_) | Event::FileAttached(_) | Event::PackageImported(_) | Event::DictionaryEntryDefined(_) | Event::DictionaryEntryRemoved(_) | Event::NoticePolicySet(_) | Event::NoticePolicyRemoved(_) | Event::NoticeSent(_) | Event::NoticeFailed(_) | Event::NoticeAcknowledged(_) | Event::DiagnosisGiven(_) | Event::FaultExamined(_) | Event::WarningRaised(_) | Event::WarningCleared(_) | Event::DiscrepancyResolved(_) | Event::PersonRegistered(_) | Event::CustomerRegistered(_) | Event::RetentionApplied(_) => {}
        Event::MaintenancePlanDefined(_) | Event::MaintenancePlanRetired(_) | Event::PartDefined(_) | Event::PartsReceived(_) | Event::PartsCounted(_) | Event::PartsOrdered(_)
        | Event::ShiftPatternDefined(_) | Event::ShiftStarted(_) | Event::ShiftHandedOver(_) | Event::ShiftTakenOver(_) | Event::ControlLimitsFrozen(_) => {}
        // The life of runs and datasets is decided where they are kept.
        Event::GateDefined(_) | Event::GateRemoved(_) | Event::DatasetBuilt(_) | Event::ExperimentCreated(_) | Event::ExperimentRenamed(_) | Event::ExperimentDeleted(_) | Event::ExperimentRestored(_) | Event::ExperimentTagSet(_) | Event::ExperimentTagRemoved(_) | Event::RunCreated(_) | Event::RunUpdated(_) | Event::RunLogged(_) | Event::RunTagRemoved(_) | Event::RunDeleted(_) | Event::RunRestored(_) | Event::RunInputsLogged(_) | Event::RunOutputsLogged(_) | Event::LoggedModelCreated(_) | Event::LoggedModelFinalized(_) | Event::LoggedModelParamsLogged(_) | Event::LoggedModelTagsSet(_) | Event::LoggedModelTagRemoved(_) | Event::LoggedModelDeleted(_) | Event::ArtifactStored(_) | Event::ArtifactRemoved(_) | Event::WebhookCreated(_) | Event::WebhookUpdated(_) | Event::WebhookDeleted(_) => {}
    }
}
