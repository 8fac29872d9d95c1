//! How an entry makes the next version of a record.

use domain::events::{
    ArticleDrafted, AssetRegistered, EquipmentDefined, FaultCoded, FaultObserved, FileAttached, InspectionRecorded,
    NonconformanceRaised, SetPointChanged, SignalDefined, SubjectKind, WorkDone,
};
use domain::ids::AssetId;
use domain::{Event, Text};
use eventlog::Position;
use projections::Entry;
use projections::folds::articles::Standing;

use super::{
    AlarmDetail, ArticleDetail, AssetDetail, Detail, EquipmentDetail, FaultDetail, Figure, FileDetail,
    InspectionDetail, Kind, KnowledgeRecord, Link, MAX_EVIDENCE, NonconformanceDetail, RecordId, Relation,
    SetPointDetail, SignalDetail, StopDetail, Work, WorkOrderDetail, articles,
};

/// The next version of the record `id` after the entry, valid from the entry's position on; `None` when the entry changes nothing in it. The
/// caller ends the former version there.
///
/// What comes late or contradicts is taken as it is: a closing before its opening makes a record that is closed, and the opening then adds to it.
pub fn evolve(id: &RecordId, current: Option<&KnowledgeRecord>, entry: &Entry) -> Option<KnowledgeRecord> {
    let event = entry.event()?;
    let kind = Kind::parse(id.kind())?;
    if kind == Kind::FailureMode && current.is_some() {
        // A mode is known from its first coding on; how often it occurs is counted at the asked position.
        return None;
    }
    let mut next = match current {
        Some(record) => continued(record, entry.position),
        None => blank(id, kind, event, entry)?,
    };
    apply(&mut next, event, entry);
    describe(&mut next);
    Some(next)
}

fn continued(record: &KnowledgeRecord, position: Position) -> KnowledgeRecord {
    let mut next = record.clone();
    next.valid_from = position;
    next.valid_to = None;
    if next.evidence.len() >= MAX_EVIDENCE {
        // The first position stays: it says how the record began.
        next.evidence.remove(1);
    }
    next.evidence.push(position);
    next
}

fn blank(id: &RecordId, kind: Kind, event: &Event, entry: &Entry) -> Option<KnowledgeRecord> {
    let detail = match (kind, event) {
        (Kind::Asset, _) => Detail::Asset(AssetDetail::default()),
        (Kind::Equipment, _) => Detail::Equipment(EquipmentDetail::default()),
        (Kind::Signal, Event::SignalDefined(e)) => Detail::Signal(signal(e)),
        (Kind::StateStop, Event::MachineStateChanged(e)) => {
            Detail::StateStop(StopDetail { state: e.state, reason: e.reason.clone() })
        }
        (Kind::Alarm, _) => Detail::Alarm(AlarmDetail::default()),
        (Kind::FaultEpisode, _) => Detail::FaultEpisode(FaultDetail::default()),
        (Kind::FailureMode, Event::FaultCoded(e)) => Detail::FailureMode { mode: e.mode.clone() },
        (Kind::SetPointChange, Event::SetPointChanged(e)) => Detail::SetPointChange(set_point(e)),
        (Kind::WorkOrder, _) => Detail::WorkOrder(WorkOrderDetail::default()),
        (Kind::Inspection, Event::InspectionRecorded(e)) => Detail::Inspection(inspection(e)),
        (Kind::Nonconformance, _) => Detail::Nonconformance(NonconformanceDetail::default()),
        (Kind::Article, Event::ArticleDrafted(e)) => Detail::Article(ArticleDetail::drafted(e)),
        (Kind::File, Event::FileAttached(e)) => Detail::File(file(e)),
        _ => return None,
    };
    Some(KnowledgeRecord {
        id: id.clone(),
        base: kind.base(),
        kind,
        asset: None,
        class: None,
        title: Text::default(),
        text: Text::default(),
        codes: Vec::new(),
        event_time: entry.event_time,
        numbers: Vec::new(),
        detail,
        links: Vec::new(),
        valid_from: entry.position,
        valid_to: None,
        evidence: vec![entry.position],
    })
}

fn apply(next: &mut KnowledgeRecord, event: &Event, entry: &Entry) {
    let asset = |asset: &AssetId| Some(asset.as_str().to_owned());
    match (&mut next.detail, event) {
        (Detail::Asset(detail), Event::AssetRegistered(e)) => {
            *detail = asset_detail(e);
            next.asset = asset(&e.asset);
            next.class = Some(e.class.as_str().to_owned());
            next.title = e.name.clone();
        }
        (Detail::Equipment(detail), Event::EquipmentDefined(e)) => {
            equipment(detail, e);
            next.title = e.name.clone();
        }
        (Detail::Equipment(detail), Event::AssetMapped(e)) if !detail.assets.contains(&e.asset) => {
            detail.assets.push(e.asset.clone());
        }
        (Detail::Equipment(detail), Event::AssetUnmapped(e)) => detail.assets.retain(|asset| *asset != e.asset),
        (Detail::Signal(detail), Event::SignalDefined(e)) => {
            *detail = signal(e);
            next.asset = asset(&e.asset);
            next.title = e.name.clone();
        }
        (Detail::StateStop(_), Event::MachineStateChanged(e)) => next.asset = asset(&e.asset),
        (Detail::Alarm(detail), Event::AlarmRaised(e)) => {
            detail.code = Some(e.code.clone());
            detail.severity = Some(e.severity);
            next.asset = asset(&e.asset);
            next.title = e.text.clone();
            next.event_time = entry.event_time;
        }
        (Detail::Alarm(detail), Event::AlarmAcknowledged(e)) => {
            detail.acknowledged = true;
            next.asset = asset(&e.asset);
        }
        (Detail::Alarm(detail), Event::AlarmCleared(e)) => {
            detail.cleared = true;
            detail.cleared_time = entry.event_time;
            next.asset = asset(&e.asset);
        }
        (Detail::FaultEpisode(detail), Event::FaultObserved(e)) => {
            observed(detail, e);
            next.asset = asset(&e.asset);
            next.event_time = entry.event_time;
        }
        (Detail::FaultEpisode(detail), Event::FaultCoded(e)) => {
            coded(detail, e);
            next.asset = asset(&e.asset);
        }
        (Detail::FaultEpisode(detail), Event::FaultClosed(e)) => {
            detail.closed = true;
            detail.restored = e.restored.or(entry.event_time);
            next.asset = asset(&e.asset);
        }
        (Detail::SetPointChange(_), Event::SetPointChanged(e)) => next.asset = asset(&e.asset),
        (Detail::WorkOrder(detail), _) => {
            if let Some(opened) = work_order(detail, event, entry) {
                next.event_time = opened.event_time;
            }
            if let Some(id) = work_order_asset(event) {
                next.asset = asset(id);
            }
        }
        (Detail::Inspection(detail), Event::InspectionRecorded(e)) => {
            *detail = inspection(e);
            next.asset = e.asset.as_ref().and_then(asset);
            next.event_time = entry.event_time;
        }
        (Detail::Nonconformance(detail), Event::NonconformanceRaised(e)) => {
            nonconformance(detail, e);
            next.asset = e.asset.as_ref().and_then(asset);
            next.text = e.description.clone().unwrap_or_default();
            next.event_time = entry.event_time;
        }
        (Detail::Nonconformance(detail), Event::DispositionDecided(e)) => {
            detail.disposition = Some(e.disposition);
            if detail.lot.is_none() {
                detail.lot.clone_from(&e.lot);
            }
        }
        (Detail::Article(detail), event) => {
            if let Some(shown) = article(detail, event) {
                next.base = articles::base_of(shown.kind);
                next.text = articles::words(&shown);
            }
            if let Event::ArticleSuperseded(e) = event {
                detail.standing = Standing::Superseded;
                let by = e.by.iter().map(|by| RecordId::new(Kind::Article, by.as_str()));
                next.links = by.map(|to| Link { relation: Relation::SupersededBy, to }).collect();
            }
        }
        (Detail::File(_), Event::FileAttached(e)) => {
            next.text = articles::words_of_file(e);
            next.title = e.attachment.caption.clone().unwrap_or_else(|| Text::guessed(&e.attachment.file.name));
            if e.kind == SubjectKind::Asset {
                next.asset = Some(e.id.clone());
            }
        }
        _ => {}
    }
}

/// Folds an event of an article; answers the revision that is shown from now on, when it is another one. The first draft is shown at once, each further one when it is approved.
fn article(detail: &mut ArticleDetail, event: &Event) -> Option<ArticleDrafted> {
    match event {
        Event::ArticleDrafted(draft) => {
            detail.waiting = Some(Box::new(draft.clone()));
            (draft.revision == detail.revision).then(|| draft.clone())
        }
        Event::ArticleReviewed(review) => {
            let waiting = detail.waiting.take_if(|waiting| waiting.revision == review.revision)?;
            if !review.approved {
                return None;
            }
            detail.show(&waiting);
            if detail.standing == Standing::Draft {
                detail.standing = Standing::Approved;
            }
            Some(*waiting)
        }
        _ => None,
    }
}

fn file(e: &FileAttached) -> FileDetail {
    let (kind, key) = articles::node_of(e);
    FileDetail {
        of: RecordId::node(kind, key).to_string(),
        name: e.attachment.file.name.clone(),
        media_type: e.attachment.media_type.clone(),
        sha256: e.attachment.file.sha256.clone(),
    }
}

fn asset_detail(e: &AssetRegistered) -> AssetDetail {
    AssetDetail { maker: e.maker.clone(), model: e.model.clone(), serial: e.serial.clone() }
}

fn equipment(detail: &mut EquipmentDetail, e: &EquipmentDefined) {
    detail.level = Some(e.level);
    detail.parent.clone_from(&e.parent);
}

fn signal(e: &SignalDefined) -> SignalDetail {
    SignalDetail { quantity: e.quantity.clone(), unit: e.unit.to_string(), low: e.low, high: e.high }
}

fn set_point(e: &SetPointChanged) -> SetPointDetail {
    SetPointDetail {
        parameter: e.parameter.clone(),
        from: e.from,
        to: e.to,
        unit: e.unit.to_string(),
        product: e.product.clone(),
        person: e.person.clone(),
        reason: e.reason.clone(),
    }
}

fn observed(detail: &mut FaultDetail, e: &FaultObserved) {
    detail.symptoms = e.symptoms.clone();
    detail.alarms.clone_from(&e.alarms);
    detail.detection.clone_from(&e.detection);
    detail.impact = e.impact;
    detail.product.clone_from(&e.product);
}

fn coded(detail: &mut FaultDetail, e: &FaultCoded) {
    detail.mode = Some(e.mode.clone());
    detail.mechanism.clone_from(&e.mechanism);
    detail.cause.clone_from(&e.cause);
    detail.item.clone_from(&e.item);
}

fn inspection(e: &InspectionRecorded) -> InspectionDetail {
    InspectionDetail {
        lot: e.lot.clone(),
        order: e.order.clone(),
        product: e.product.clone(),
        measurements: e.measurements.clone(),
        defects: e.defects.clone(),
        verdict: e.verdict,
        person: e.person.clone(),
        repeated: e.repeated.unwrap_or(false),
    }
}

fn nonconformance(detail: &mut NonconformanceDetail, e: &NonconformanceRaised) {
    detail.inspection.clone_from(&e.inspection);
    detail.lot.clone_from(&e.lot);
    detail.order.clone_from(&e.order);
    detail.code = Some(e.code.clone());
}

/// Folds a work order's event; answers the entry when it is the opening, whose time is the work order's.
fn work_order<'a>(detail: &mut WorkOrderDetail, event: &Event, entry: &'a Entry) -> Option<&'a Entry> {
    match event {
        Event::WorkOrderOpened(e) => {
            detail.fault = e.fault.clone().or_else(|| detail.fault.take());
            detail.category = Some(e.category);
            detail.description = e.description.clone();
            detail.item.clone_from(&e.item);
            detail.priority = e.priority;
            return Some(entry);
        }
        Event::WorkOrderProgressed(e) if detail.milestones.len() < MAX_PARTS => {
            detail.milestones.push((e.milestone, entry.event_time));
        }
        Event::WorkDone(e) => {
            if detail.fault.is_none() {
                detail.fault.clone_from(&e.fault);
            }
            if detail.work.len() < MAX_PARTS {
                detail.work.push(work(e, entry.position));
            }
        }
        Event::WorkOrderClosed(e) => {
            detail.outcome = Some(e.outcome);
            detail.hours = e.hours;
            detail.cost = e.cost;
            detail.machine_up = e.machine_up;
        }
        _ => {}
    }
    None
}

/// The most milestones, and the most pieces of work, that a version keeps; further ones stay in the log.
const MAX_PARTS: usize = 256;

fn work(e: &WorkDone, position: Position) -> Work {
    Work {
        activity: e.activity.clone(),
        item: e.item.clone(),
        text: e.text.clone(),
        parts: e.parts.clone(),
        hours: e.hours,
        cost: e.cost,
        position,
    }
}

fn work_order_asset(event: &Event) -> Option<&AssetId> {
    match event {
        Event::WorkOrderOpened(e) => Some(&e.asset),
        Event::WorkOrderProgressed(e) => Some(&e.asset),
        Event::WorkDone(e) => Some(&e.asset),
        Event::WorkOrderClosed(e) => Some(&e.asset),
        _ => None,
    }
}

/// Fills in what follows from the detail: title, text, codes, numbers and links.
fn describe(next: &mut KnowledgeRecord) {
    let mut facts = Facts::default();
    if next.kind != Kind::File {
        facts.code(next.id.key());
    }
    if let Some(asset) = &next.asset {
        facts.code(asset);
        if next.kind != Kind::Asset {
            facts.link(Relation::OfAsset, "asset", asset);
        }
    }
    match &next.detail {
        Detail::Asset(detail) => {
            if let Some(class) = &next.class {
                facts.coded(Relation::OfClass, "class", class);
            }
            for code in [&detail.maker, &detail.model, &detail.serial].into_iter().flatten() {
                facts.code(code);
            }
        }
        Detail::Equipment(detail) => {
            if let Some(parent) = &detail.parent {
                facts.link(Relation::PartOf, "equipment", parent.as_str());
            }
            for asset in &detail.assets {
                facts.coded(Relation::Fills, "asset", asset.as_str());
            }
        }
        Detail::Signal(detail) => facts.code(detail.quantity.as_str()),
        Detail::StateStop(detail) => {
            if let Some(reason) = &detail.reason {
                facts.code(reason.as_str());
                next.title = Text { zh: None, en: Some(reason.as_str().to_owned()) };
            }
        }
        Detail::Alarm(detail) => {
            if let Some(code) = &detail.code {
                facts.coded(Relation::WithAlarm, "alarm_code", code.as_str());
            }
        }
        Detail::FaultEpisode(detail) => {
            next.title = detail.symptoms.clone();
            next.text = detail.symptoms.clone();
            describe_fault(detail, &mut facts);
        }
        Detail::FailureMode { mode } => {
            next.title = Text::guessed(mode.as_str());
            // A mode belongs to no single asset: its episodes do.
            next.asset = None;
            facts = Facts::default();
            facts.code(mode.as_str());
        }
        Detail::SetPointChange(detail) => {
            next.title = Text::guessed(detail.parameter.as_str());
            next.text = detail.reason.clone().unwrap_or_default();
            facts.code(detail.parameter.as_str());
            facts.figures.push(Figure::single("to", detail.to));
            facts.figures.extend(detail.from.map(|from| Figure::single("from", from)));
            if let Some(product) = &detail.product {
                facts.coded(Relation::OfProduct, "product", product.as_str());
            }
        }
        Detail::WorkOrder(detail) => {
            next.title = detail.description.clone();
            next.text = work_order_text(detail);
            describe_work_order(detail, &mut facts);
        }
        Detail::Inspection(detail) => describe_inspection(detail, &mut facts),
        Detail::Nonconformance(detail) => {
            if let Some(code) = &detail.code {
                next.title = Text::guessed(code.as_str());
                facts.coded(Relation::FoundDefect, "defect", code.as_str());
            }
            if let Some(inspection) = &detail.inspection {
                facts.coded(Relation::FoundBy, Kind::Inspection.as_str(), inspection.as_str());
            }
            if let Some(lot) = &detail.lot {
                facts.coded(Relation::OfLot, "lot", lot.as_str());
            }
            if let Some(order) = &detail.order {
                facts.coded(Relation::OfOrder, "order", order.as_str());
            }
        }
        Detail::Article(detail) => {
            next.title = detail.headline();
            // What took its place is said once, and stays.
            facts.links.extend(next.links.iter().filter(|link| link.relation == Relation::SupersededBy).cloned());
            for code in &detail.about {
                facts.coded(Relation::About, Kind::FailureMode.as_str(), code.as_str());
            }
            for class in &detail.classes {
                facts.coded(Relation::OfClass, "class", class.as_str());
            }
        }
        Detail::File(detail) => {
            facts.code(&detail.name);
            if let Some(of) = RecordId::parse(&detail.of) {
                facts.code(of.key());
                facts.links.push(Link { relation: Relation::BelongsTo, to: of });
            }
        }
    }
    facts.links.sort();
    facts.links.dedup();
    next.codes = facts.codes;
    next.links = facts.links;
    next.numbers = facts.figures;
}

fn describe_fault(detail: &FaultDetail, facts: &mut Facts) {
    if let Some(mode) = &detail.mode {
        facts.coded(Relation::HasMode, Kind::FailureMode.as_str(), mode.as_str());
    }
    if let Some(mechanism) = &detail.mechanism {
        facts.code(mechanism.as_str());
    }
    if let Some(cause) = &detail.cause {
        facts.coded(Relation::HasCause, "cause", cause.as_str());
    }
    if let Some(item) = &detail.item {
        facts.coded(Relation::ConcernsItem, "item", item.as_str());
    }
    for alarm in &detail.alarms {
        facts.coded(Relation::WithAlarm, "alarm_code", alarm.as_str());
    }
    if let Some(product) = &detail.product {
        facts.coded(Relation::OfProduct, "product", product.as_str());
    }
}

fn describe_work_order(detail: &WorkOrderDetail, facts: &mut Facts) {
    if let Some(fault) = &detail.fault {
        facts.coded(Relation::Answers, Kind::FaultEpisode.as_str(), fault.as_str());
    }
    if let Some(item) = &detail.item {
        facts.coded(Relation::ConcernsItem, "item", item.as_str());
    }
    for work in &detail.work {
        facts.code(work.activity.as_str());
        let action = match &work.item {
            Some(item) => {
                facts.code(item.as_str());
                format!("{} {}", work.activity, item)
            }
            None => work.activity.as_str().to_owned(),
        };
        facts.link(Relation::Did, "action", &action);
        for part in &work.parts {
            facts.coded(Relation::Used, "part", part.part.as_str());
        }
    }
    let counted = u64::try_from(detail.work.len()).unwrap_or(u64::MAX);
    if let Some(hours) = detail.hours.or_else(|| sum(detail.work.iter().map(|work| work.hours))) {
        facts.figures.push(Figure {
            name: "work_hours".to_owned(),
            value: hours,
            n: counted.max(1),
            low: None,
            high: None,
        });
    }
    if let Some(cost) = detail.cost.or_else(|| sum(detail.work.iter().map(|work| work.cost))) {
        facts.figures.push(Figure { name: "cost".to_owned(), value: cost, n: counted.max(1), low: None, high: None });
    }
}

/// The sum of those that are known; `None` when none is.
fn sum(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    values.flatten().fold(None, |total, value| Some(total.unwrap_or(0.0) + value))
}

fn describe_inspection(detail: &InspectionDetail, facts: &mut Facts) {
    if let Some(lot) = &detail.lot {
        facts.coded(Relation::OfLot, "lot", lot.as_str());
    }
    if let Some(order) = &detail.order {
        facts.coded(Relation::OfOrder, "order", order.as_str());
    }
    if let Some(product) = &detail.product {
        facts.coded(Relation::OfProduct, "product", product.as_str());
    }
    let mut count = 0_u64;
    let mut points = 0_u64;
    for defect in &detail.defects {
        facts.coded(Relation::FoundDefect, "defect", defect.code.as_str());
        let times = u64::from(defect.count.unwrap_or(1));
        count = count.saturating_add(times);
        points = points.saturating_add(u64::from(defect.points.unwrap_or(0)).saturating_mul(times));
    }
    for measurement in &detail.measurements {
        facts.code(measurement.characteristic.as_str());
        facts.figures.push(Figure {
            name: measurement.characteristic.as_str().to_owned(),
            value: measurement.value,
            n: 1,
            low: measurement.lower_limit,
            high: measurement.upper_limit,
        });
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of defects stay far below 2^52")]
    if !detail.defects.is_empty() {
        facts.figures.push(Figure { name: "defects".to_owned(), value: count as f64, n: count, low: None, high: None });
        facts.figures.push(Figure { name: "points".to_owned(), value: points as f64, n: count, low: None, high: None });
    }
}

fn work_order_text(detail: &WorkOrderDetail) -> Text {
    let texts = || std::iter::once(&detail.description).chain(detail.work.iter().filter_map(|work| work.text.as_ref()));
    let join = |parts: Vec<&str>| (!parts.is_empty()).then(|| parts.join("\n"));
    Text {
        zh: join(texts().filter_map(|text| text.zh.as_deref()).collect()),
        en: join(texts().filter_map(|text| text.en.as_deref()).collect()),
    }
}

#[derive(Default)]
struct Facts {
    codes: Vec<String>,
    links: Vec<Link>,
    figures: Vec<Figure>,
}

impl Facts {
    fn code(&mut self, code: &str) {
        if !self.codes.iter().any(|known| known == code) {
            self.codes.push(code.to_owned());
        }
    }

    fn link(&mut self, relation: Relation, kind: &str, key: &str) {
        self.links.push(Link { relation, to: RecordId::node(kind, key) });
    }

    fn coded(&mut self, relation: Relation, kind: &str, key: &str) {
        self.code(key);
        self.link(relation, kind, key);
    }
}
