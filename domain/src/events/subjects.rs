//! What an event concerns: the nodes that it touches in a trace, and the tags that the log indexes.

use super::Event;

/// A kind of thing that events concern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    /// A role in the hierarchy.
    Equipment,
    /// A physical asset.
    Asset,
    /// A signal.
    Signal,
    /// A job order.
    Order,
    /// A material lot.
    Lot,
    /// A product.
    Material,
    /// A shipment.
    Shipment,
    /// A fault episode.
    Fault,
    /// A maintenance work order.
    WorkOrder,
    /// A plan of preventive maintenance.
    MaintenancePlan,
    /// A spare part.
    Part,
    /// A shift.
    Shift,
    /// An inspection.
    Inspection,
    /// A nonconformance.
    Nonconformance,
    /// A person.
    Person,
    /// A customer.
    Customer,
    /// The register of erasures and legal holds; there is one.
    Privacy,
    /// A registered model.
    Model,
    /// A deployment.
    Deployment,
    /// A gate before promotions.
    Gate,
    /// An experiment.
    Experiment,
    /// A run.
    Run,
    /// A logged model.
    LoggedModel,
    /// A dataset.
    Dataset,
    /// A piece of knowledge that people wrote.
    Article,
}

impl SubjectKind {
    /// The name in tags and addresses (`work_order`).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equipment => "equipment",
            Self::Asset => "asset",
            Self::Signal => "signal",
            Self::Order => "order",
            Self::Lot => "lot",
            Self::Material => "material",
            Self::Shipment => "shipment",
            Self::Fault => "fault",
            Self::WorkOrder => "work_order",
            Self::MaintenancePlan => "maintenance_plan",
            Self::Part => "part",
            Self::Shift => "shift",
            Self::Inspection => "inspection",
            Self::Nonconformance => "nonconformance",
            Self::Person => "person",
            Self::Customer => "customer",
            Self::Privacy => "privacy",
            Self::Model => "model",
            Self::Deployment => "deployment",
            Self::Gate => "gate",
            Self::Experiment => "experiment",
            Self::Run => "run",
            Self::LoggedModel => "logged_model",
            Self::Dataset => "dataset",
            Self::Article => "article",
        }
    }
}

/// One thing that an event concerns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// What kind of thing.
    pub kind: SubjectKind,
    /// Its id.
    pub id: String,
}

impl Event {
    /// Everything that the event concerns, each thing once, the most important first.
    pub fn subjects(&self) -> Vec<Subject> {
        let mut list = List::default();
        collect(self, &mut list);
        list.0
    }
}

#[derive(Default)]
struct List(Vec<Subject>);

impl List {
    fn add(&mut self, kind: SubjectKind, id: &str) -> &mut Self {
        if !self.0.iter().any(|subject| subject.kind == kind && subject.id == id) {
            self.0.push(Subject { kind, id: id.to_owned() });
        }
        self
    }

    fn asset(&mut self, id: &crate::ids::AssetId) -> &mut Self {
        self.add(SubjectKind::Asset, id.as_str())
    }

    fn order(&mut self, id: &crate::ids::OrderId) -> &mut Self {
        self.add(SubjectKind::Order, id.as_str())
    }

    fn lot(&mut self, id: &crate::ids::LotId) -> &mut Self {
        self.add(SubjectKind::Lot, id.as_str())
    }

    fn fault(&mut self, id: &crate::ids::FaultId) -> &mut Self {
        self.add(SubjectKind::Fault, id.as_str())
    }

    fn work_order(&mut self, id: &crate::ids::WorkOrderId) -> &mut Self {
        self.add(SubjectKind::WorkOrder, id.as_str())
    }

    fn shift(&mut self, id: &crate::ids::ShiftId) -> &mut Self {
        self.add(SubjectKind::Shift, id.as_str())
    }

    fn register(&mut self) -> &mut Self {
        self.add(SubjectKind::Privacy, crate::rules::privacy::REGISTER)
    }

    fn model(&mut self, id: &crate::ids::ModelName) -> &mut Self {
        self.add(SubjectKind::Model, id.as_str())
    }

    fn deployment(&mut self, id: &crate::ids::DeploymentId) -> &mut Self {
        self.add(SubjectKind::Deployment, id.as_str())
    }

    fn gate(&mut self, id: &crate::ids::Code) -> &mut Self {
        self.add(SubjectKind::Gate, id.as_str())
    }

    fn experiment(&mut self, id: &crate::ids::ExperimentId) -> &mut Self {
        self.add(SubjectKind::Experiment, id.as_str())
    }

    fn run(&mut self, id: &crate::ids::RunId) -> &mut Self {
        self.add(SubjectKind::Run, id.as_str())
    }

    fn logged_model(&mut self, id: &crate::ids::LoggedModelId) -> &mut Self {
        self.add(SubjectKind::LoggedModel, id.as_str())
    }

    fn runs<'a>(&mut self, ids: impl IntoIterator<Item = &'a crate::ids::RunId>) -> &mut Self {
        ids.into_iter().fold(self, |list, id| list.run(id))
    }

    fn logged_models<'a>(&mut self, ids: impl IntoIterator<Item = &'a crate::ids::LoggedModelId>) -> &mut Self {
        ids.into_iter().fold(self, |list, id| list.logged_model(id))
    }

    fn material(&mut self, id: &crate::ids::MaterialId) -> &mut Self {
        self.add(SubjectKind::Material, id.as_str())
    }

    fn assets<'a>(&mut self, ids: impl IntoIterator<Item = &'a crate::ids::AssetId>) -> &mut Self {
        ids.into_iter().fold(self, |list, id| list.asset(id))
    }

    fn orders<'a>(&mut self, ids: impl IntoIterator<Item = &'a crate::ids::OrderId>) -> &mut Self {
        ids.into_iter().fold(self, |list, id| list.order(id))
    }

    fn lots<'a>(&mut self, ids: impl IntoIterator<Item = &'a crate::ids::LotId>) -> &mut Self {
        ids.into_iter().fold(self, |list, id| list.lot(id))
    }

    fn faults<'a>(&mut self, ids: impl IntoIterator<Item = &'a crate::ids::FaultId>) -> &mut Self {
        ids.into_iter().fold(self, |list, id| list.fault(id))
    }

    fn materials<'a>(&mut self, ids: impl IntoIterator<Item = &'a crate::ids::MaterialId>) -> &mut Self {
        ids.into_iter().fold(self, |list, id| list.material(id))
    }

    fn people<'a>(&mut self, ids: impl IntoIterator<Item = &'a crate::ids::PersonId>) -> &mut Self {
        ids.into_iter().fold(self, |list, id| list.add(SubjectKind::Person, id.as_str()))
    }

    fn inspections<'a>(&mut self, ids: impl IntoIterator<Item = &'a crate::ids::InspectionId>) -> &mut Self {
        ids.into_iter().fold(self, |list, id| list.add(SubjectKind::Inspection, id.as_str()))
    }
}

#[rustfmt::skip]
fn collect(event: &Event, list: &mut List) {
    match event {
        Event::EquipmentDefined(e) => { list.add(SubjectKind::Equipment, e.equipment.as_str()); if let Some(parent) = &e.parent { list.add(SubjectKind::Equipment, parent.as_str()); } }
        Event::AssetMapped(e) => { list.add(SubjectKind::Equipment, e.equipment.as_str()).asset(&e.asset); }
        Event::AssetUnmapped(e) => { list.add(SubjectKind::Equipment, e.equipment.as_str()).asset(&e.asset); }
        Event::AssetRegistered(e) => { list.asset(&e.asset); }
        Event::MachineStateChanged(e) => { list.asset(&e.asset); }
        Event::SetPointChanged(e) => { list.asset(&e.asset).people(&e.person).materials(&e.product); }
        Event::SignalDefined(e) => { list.add(SubjectKind::Signal, e.signal.as_str()).asset(&e.asset); }
        Event::CalibrationPerformed(e) => { list.add(SubjectKind::Signal, e.signal.as_str()).people(&e.person); }
        Event::OrderCreated(e) => { list.order(&e.order).orders(&e.parent).material(&e.product); }
        Event::OrderStarted(e) => { list.order(&e.order).assets(&e.asset).people(&e.person); }
        Event::OperationReported(e) => { list.order(&e.order).assets(&e.asset).people(&e.person); }
        Event::OrderCompleted(e) => { list.order(&e.order); }
        Event::LotCreated(e) => { list.lot(&e.lot).material(&e.material).orders(&e.order); }
        Event::MaterialConsumed(e) => { list.lot(&e.lot).order(&e.order).assets(&e.asset).lots(&e.into); }
        Event::MaterialProduced(e) => { list.lot(&e.lot).order(&e.order).assets(&e.asset).people(&e.person).lots(e.from.iter().map(|origin| &origin.lot)); }
        Event::LotSplit(e) => { list.lot(&e.lot).lots(e.into.iter().map(|part| &part.lot)); }
        Event::LotsMerged(e) => { list.lot(&e.lot).lots(e.from.iter().map(|origin| &origin.lot)); }
        Event::LotScrapped(e) => { list.lot(&e.lot); }
        Event::LotCompleted(e) => { list.lot(&e.lot); }
        Event::LotReleased(e) => { list.lot(&e.lot).people(&e.person); }
        Event::LotHeld(e) => { list.lot(&e.lot); }
        Event::LotShipped(e) => { list.lot(&e.lot).add(SubjectKind::Shipment, e.shipment.as_str()); }
        Event::WarpingCompleted(e) => { list.lot(&e.beam).order(&e.order).asset(&e.asset).lots(e.from.iter().map(|origin| &origin.lot)); }
        Event::SizingCompleted(e) => { list.lot(&e.beam).order(&e.order).asset(&e.asset).lots(e.from.iter().map(|origin| &origin.lot)); }
        Event::BeamMounted(e) => { list.asset(&e.asset).lot(&e.beam).order(&e.order).material(&e.product).people(&e.person); }
        Event::WarpTied(e) => { list.asset(&e.asset).lot(&e.old_beam).lot(&e.new_beam); }
        Event::BeamFinished(e) => { list.asset(&e.asset).lot(&e.beam); }
        Event::WeftLotChanged(e) => { list.asset(&e.asset).lot(&e.lot).order(&e.order); }
        Event::ClothDoffed(e) => { list.lot(&e.roll).asset(&e.asset).order(&e.order).material(&e.product).people(&e.person).lots(e.beams.iter().map(|origin| &origin.lot)).lots(&e.wefts); }
        Event::AlarmRaised(e) => { list.asset(&e.asset); }
        Event::AlarmAcknowledged(e) => { list.asset(&e.asset).people(&e.person); }
        Event::AlarmCleared(e) => { list.asset(&e.asset); }
        Event::AlarmShelved(e) => { list.asset(&e.asset).people(&e.person); }
        Event::AlarmUnshelved(e) => { list.asset(&e.asset).people(&e.person); }
        Event::AlarmSuppressed(e) => { list.asset(&e.asset).people(&e.person); }
        Event::AlarmUnsuppressed(e) => { list.asset(&e.asset).people(&e.person); }
        Event::FaultObserved(e) => { list.fault(&e.fault).asset(&e.asset).materials(&e.product).people(&e.person); }
        Event::FaultExamined(e) => { list.fault(&e.fault).asset(&e.asset); }
        Event::FaultCoded(e) => { list.fault(&e.fault).asset(&e.asset).people(&e.person); }
        Event::FaultClosed(e) => { list.fault(&e.fault).asset(&e.asset); }
        Event::WorkOrderOpened(e) => { list.work_order(&e.work_order).asset(&e.asset).faults(&e.fault); }
        Event::WorkOrderProgressed(e) => { list.work_order(&e.work_order).asset(&e.asset).people(&e.person); }
        Event::WorkDone(e) => { list.work_order(&e.work_order).asset(&e.asset).faults(&e.fault).people(&e.person); }
        Event::WorkOrderClosed(e) => { list.work_order(&e.work_order).asset(&e.asset); }
        Event::MaintenancePlanDefined(e) => { list.add(SubjectKind::MaintenancePlan, e.plan.as_str()).assets(&e.asset); }
        Event::MaintenancePlanRetired(e) => { list.add(SubjectKind::MaintenancePlan, e.plan.as_str()); }
        Event::PartDefined(e) => { list.add(SubjectKind::Part, e.part.as_str()); }
        Event::PartsReceived(e) => { list.add(SubjectKind::Part, e.part.as_str()); }
        Event::PartsCounted(e) => { list.add(SubjectKind::Part, e.part.as_str()); }
        Event::PartsOrdered(e) => { list.add(SubjectKind::Part, e.part.as_str()); }
        Event::ShiftPatternDefined(e) => { if let Some(equipment) = &e.equipment { list.add(SubjectKind::Equipment, equipment.as_str()); } }
        Event::ShiftStarted(e) => { list.shift(&e.shift).people(&e.person); if let Some(equipment) = &e.equipment { list.add(SubjectKind::Equipment, equipment.as_str()); } }
        Event::ShiftHandedOver(e) => { list.shift(&e.shift).people([&e.person]); }
        Event::ShiftTakenOver(e) => { list.shift(&e.shift).people([&e.person]); if let Some(next) = &e.next { list.shift(next); } }
        Event::ControlLimitsFrozen(e) => { list.assets(&e.asset).materials(&e.product).people(&e.person); }
        Event::InspectionRecorded(e) => { list.add(SubjectKind::Inspection, e.inspection.as_str()).lots(&e.lot).orders(&e.order).assets(&e.asset).materials(&e.product).people(&e.person); }
        Event::NonconformanceRaised(e) => { list.add(SubjectKind::Nonconformance, e.nonconformance.as_str()).inspections(&e.inspection).lots(&e.lot).orders(&e.order).assets(&e.asset); }
        Event::DispositionDecided(e) => { list.add(SubjectKind::Nonconformance, e.nonconformance.as_str()).lots(&e.lot).people(&e.person); }
        Event::PersonRegistered(e) => { list.people([&e.person]); }
        Event::CustomerRegistered(e) => { list.add(SubjectKind::Customer, e.customer.as_str()); }
        Event::SubjectErased(e) => { list.add(e.subject.kind(), e.subject.id()).register(); }
        Event::LegalHoldPlaced(_) | Event::LegalHoldReleased(_) => { list.register(); }
        Event::QualificationGranted(e) => { list.people([&e.person]); }
        Event::PersonLoggedIn(e) => { list.people([&e.person]).asset(&e.asset); }
        Event::PersonLoggedOut(e) => { list.people([&e.person]).asset(&e.asset); }
        Event::ModelRegistered(e) => { list.model(&e.model); }
        Event::ModelVersionCreated(e) => { list.model(&e.model).runs(&e.run).logged_models(&e.logged_model).people(&e.author); if let Some(dataset) = e.lineage.as_ref().and_then(|lineage| lineage.dataset.as_ref()) { list.add(SubjectKind::Dataset, dataset.as_str()); } }
        Event::ModelRenamed(e) => { list.model(&e.model); }
        Event::ModelDescribed(e) => { list.model(&e.model); }
        Event::ModelTagSet(e) => { list.model(&e.model); }
        Event::ModelTagRemoved(e) => { list.model(&e.model); }
        Event::ModelStageSet(e) => { list.model(&e.model); }
        Event::ModelVersionDeleted(e) => { list.model(&e.model); }
        Event::ModelDeleted(e) => { list.model(&e.model); }
        Event::ModelVersionEvaluated(e) => { list.model(&e.model).people(&e.person); }
        Event::ModelVersionApproved(e) => { list.model(&e.model).people([&e.person]); }
        Event::ModelApprovalWithdrawn(e) => { list.model(&e.model).people([&e.person]); }
        Event::GateDefined(e) => { list.gate(&e.gate); if let Some(model) = &e.model { list.model(model); } }
        Event::GateRemoved(e) => { list.gate(&e.gate); }
        Event::DatasetBuilt(e) => { list.add(SubjectKind::Dataset, e.dataset.as_str()); }
        Event::ExperimentCreated(e) => { list.experiment(&e.experiment); }
        Event::ExperimentRenamed(e) => { list.experiment(&e.experiment); }
        Event::ExperimentDeleted(e) => { list.experiment(&e.experiment); }
        Event::ExperimentRestored(e) => { list.experiment(&e.experiment); }
        Event::ExperimentTagSet(e) => { list.experiment(&e.experiment); }
        Event::ExperimentTagRemoved(e) => { list.experiment(&e.experiment); }
        Event::RunCreated(e) => { list.run(&e.run).experiment(&e.experiment); }
        Event::RunUpdated(e) => { list.run(&e.run); }
        Event::RunLogged(e) => { list.run(&e.run); }
        Event::RunTagRemoved(e) => { list.run(&e.run); }
        Event::RunDeleted(e) => { list.run(&e.run); }
        Event::RunRestored(e) => { list.run(&e.run); }
        Event::RunInputsLogged(e) => { list.run(&e.run).logged_models(&e.models); }
        Event::RunOutputsLogged(e) => { list.run(&e.run).logged_models(e.models.iter().map(|output| &output.logged_model)); }
        Event::LoggedModelCreated(e) => { list.logged_model(&e.logged_model).experiment(&e.experiment).runs(&e.run); }
        Event::LoggedModelFinalized(e) => { list.logged_model(&e.logged_model); }
        Event::LoggedModelParamsLogged(e) => { list.logged_model(&e.logged_model); }
        Event::LoggedModelTagsSet(e) => { list.logged_model(&e.logged_model); }
        Event::LoggedModelTagRemoved(e) => { list.logged_model(&e.logged_model); }
        Event::LoggedModelDeleted(e) => { list.logged_model(&e.logged_model); }
        Event::AliasSet(e) => { list.model(&e.model); }
        Event::AliasRemoved(e) => { list.model(&e.model); }
        Event::ModelDeployed(e) => { list.deployment(&e.deployment).model(&e.model); if let super::Target::Asset(asset) = &e.target { list.asset(asset); } }
        Event::DeploymentRetired(e) => { list.deployment(&e.deployment); }
        Event::DiagnosisGiven(e) => { list.assets(&e.asset).faults(&e.fault); }
        Event::WarningRaised(e) => { list.asset(&e.asset).add(SubjectKind::Article, e.rule.as_str()); }
        Event::WarningCleared(e) => { list.asset(&e.asset).add(SubjectKind::Article, e.rule.as_str()); }
        Event::PredictionMade(e) => { list.deployment(&e.deployment).model(&e.model).asset(&e.asset); }
        Event::ArticleDrafted(e) => { list.add(SubjectKind::Article, e.article.as_str()).people([&e.author]); }
        Event::ArticleReviewed(e) => { list.add(SubjectKind::Article, e.article.as_str()).people([&e.person]); }
        Event::ArticleSuperseded(e) => { list.add(SubjectKind::Article, e.article.as_str()).people([&e.person]); if let Some(by) = &e.by { list.add(SubjectKind::Article, by.as_str()); } }
        Event::DictionaryEntryDefined(e) => { list.people([&e.person]); }
        Event::DictionaryEntryRemoved(e) => { list.people([&e.person]); }
        Event::NoticePolicySet(e) => { list.people([&e.person]); for asset in &e.applies.assets { list.asset(asset); } list.people(e.steps.iter().flat_map(|step| &step.to).filter_map(|to| to.person())); }
        Event::NoticePolicyRemoved(e) => { list.people([&e.person]); }
        Event::NoticeSent(e) => { list.asset(&e.notice.asset).people(e.notice.to.person()); }
        Event::NoticeFailed(e) => { list.asset(&e.notice.asset).people(e.notice.to.person()); }
        Event::NoticeAcknowledged(e) => { list.people([&e.person]); }
        Event::PackageImported(e) => { list.people([&e.person]); for piece in &e.articles { list.add(SubjectKind::Article, piece.article.as_str()); } }
        Event::FileAttached(e) => { list.add(e.kind, &e.id).people(&e.person); }
        Event::InputQuarantined(_) | Event::QuarantineReleased(_) | Event::DiscrepancyResolved(_) | Event::RetentionApplied(_) | Event::ArtifactStored(_) | Event::ArtifactRemoved(_) | Event::WebhookCreated(_) | Event::WebhookUpdated(_) | Event::WebhookDeleted(_) => {}
    }
}
