//! Past episodes and work orders, indexed by what was seen: a projection in memory that diagnosis, coding and search draw on.
//!
//! It is folded from the beginning of the log at every start, and keeps nothing on disk: what it holds is derived from texts that the log has.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use domain::events::Category;
use domain::{Event, Text};
use eventlog::{BoxFuture, Digest, Filter, Position};
use parking_lot::{Mutex, RwLock};
use projections::{Entry, Projection, ProjectionError, Rebuildable};
use retrieval::casebase::{CaseBase, Cases, Experience, learn};
use sha2::Digest as _;

use crate::record::{Kind, RecordId};
use crate::search_index::nanoseconds;

/// The projection's name.
pub(crate) const NAME: &str = "knowledge_cases";

/// The version of the fold.
pub(crate) const VERSION: u32 = 2;

/// Experiences that are kept: those that answered lately, for the present and for the past.
const KEPT_EXPERIENCES: usize = 4;

/// What is said of a work order, until a fault takes it over.
#[derive(Clone, Debug, Default)]
struct Order {
    fault: Option<String>,
    said: Vec<Text>,
}

struct State {
    base: CaseBase,
    orders: HashMap<String, Order>,
    applied: Position,
    /// SHA-256 over every fact in its order.
    digest: sha2::Sha256,
}

impl Default for State {
    fn default() -> Self {
        Self {
            base: CaseBase::default(),
            orders: HashMap::new(),
            applied: Position::START,
            digest: sha2::Sha256::new(),
        }
    }
}

#[derive(Default)]
struct Shared {
    state: RwLock<State>,
    /// Experiences by the position that they were gathered through, and when each was used last: a count of uses.
    experiences: Mutex<Kept>,
    /// Whether one is being gathered for the newest answers.
    gathering: Mutex<()>,
}

/// Experiences that are kept: who was not used for longest goes first.
#[derive(Default)]
struct Kept {
    by_lesson: BTreeMap<u64, (Arc<Experience>, u64)>,
    uses: u64,
}

impl Kept {
    fn used(&mut self, lesson: u64) -> Option<Arc<Experience>> {
        self.uses += 1;
        let (experience, used) = self.by_lesson.get_mut(&lesson)?;
        *used = self.uses;
        Some(Arc::clone(experience))
    }

    fn keep(&mut self, lesson: u64, experience: Arc<Experience>) {
        self.uses += 1;
        self.by_lesson.insert(lesson, (experience, self.uses));
        while self.by_lesson.len() > KEPT_EXPERIENCES {
            let oldest = self.by_lesson.iter().min_by_key(|(_, (_, used))| *used).map(|(lesson, _)| *lesson);
            let Some(oldest) = oldest else { break };
            self.by_lesson.remove(&oldest);
        }
    }

    /// The newest one before a lesson.
    fn before(&mut self, lesson: u64) -> Option<Arc<Experience>> {
        let (older, _) = self.by_lesson.range(..lesson).next_back()?;
        let older = *older;
        self.used(older)
    }
}

/// What is learnt from is looked at shortly each time: what is folded, and who asks, wait for one look and not for the whole lesson.
impl Cases for Shared {
    fn look<R>(&self, look: impl FnOnce(&CaseBase) -> R) -> R {
        look(&self.state.read().base)
    }
}

/// The index as questions use it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct CaseIndex(Arc<RwLock<Arc<Shared>>>);

/// The index as the runner holds it.
pub struct CaseProjection {
    index: CaseIndex,
}

fn fault_key(fault: &domain::ids::FaultId) -> String {
    RecordId::new(Kind::FaultEpisode, fault.as_str()).as_str().to_owned()
}

/// What readings show, as cases are compared by it: `warp_tension high`.
pub(crate) fn shown(sign: &domain::events::ReadingSign) -> String {
    format!("{} {}", sign.quantity, sign.is.as_str())
}

fn order_key(order: &domain::ids::WorkOrderId) -> String {
    RecordId::new(Kind::WorkOrder, order.as_str()).as_str().to_owned()
}

impl State {
    fn said(&mut self, key: &str, text: &Text, position: u64) {
        for words in [&text.zh, &text.en].into_iter().flatten() {
            self.base.said(key, words, position);
        }
    }

    /// A work order belongs to the fault that it answers; what was said of it before is told of the fault from now on.
    fn answers(&mut self, order: &domain::ids::WorkOrderId, fault: Option<&domain::ids::FaultId>, position: u64) {
        let (own, Some(fault)) = (order_key(order), fault.map(fault_key)) else { return };
        let known = self.orders.entry(own.clone()).or_default();
        if known.fault.is_some() {
            return;
        }
        known.fault = Some(fault.clone());
        let said = known.said.clone();
        if !said.is_empty() {
            self.base.merged(&own, position);
        }
        for text in said {
            self.said(&fault, &text, position);
        }
    }

    fn apply(&mut self, entry: &Entry) {
        let Some(event) = entry.event() else { return };
        let position = entry.position.get();
        match event {
            Event::AssetRegistered(e) => self.base.is_of(e.asset.as_str(), e.class.as_str(), position),
            Event::FaultObserved(e) => {
                let key = fault_key(&e.fault);
                self.base.happened_to(&key, e.asset.as_str(), position);
                if let Some(time) = entry.event_time {
                    self.base.happened_at(&key, nanoseconds(time), position);
                }
                self.said(&key, &e.symptoms, position);
                for alarm in &e.alarms {
                    self.base.alarmed(&key, alarm.as_str(), position);
                }
            }
            Event::FaultExamined(e) => {
                let key = fault_key(&e.fault);
                self.base.happened_to(&key, e.asset.as_str(), position);
                for alarm in &e.alarms {
                    self.base.alarmed(&key, alarm.as_str(), position);
                }
                for sign in &e.readings {
                    self.base.showed(&key, &shown(sign), position);
                }
            }
            Event::FaultCoded(e) => {
                let key = fault_key(&e.fault);
                self.base.happened_to(&key, e.asset.as_str(), position);
                let labels = [Some(&e.mode), e.mechanism.as_ref(), e.cause.as_ref(), e.item.as_ref()];
                self.base.was_coded(&key, labels.map(|label| label.map(domain::ids::Code::as_str)), position);
            }
            Event::WorkOrderOpened(e) if e.category != Category::Preventive => {
                self.answers(&e.work_order, e.fault.as_ref(), position);
                let own = order_key(&e.work_order);
                let order = self.orders.entry(own.clone()).or_default();
                order.said.push(e.description.clone());
                let key = order.fault.clone().unwrap_or(own);
                self.base.happened_to(&key, e.asset.as_str(), position);
                self.said(&key, &e.description, position);
            }
            Event::WorkDone(e) => self.answers(&e.work_order, e.fault.as_ref(), position),
            _ => return,
        }
        self.digest.update(position.to_le_bytes());
        self.digest.update(entry.id.as_uuid().as_bytes());
    }
}

impl CaseIndex {
    fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.0.read())
    }

    /// The first position that is not applied.
    pub fn checkpoint(&self) -> Position {
        self.shared().state.read().applied
    }

    /// Looks at the cases, with the experience that counts at the position. An answer for the present takes the newest experience that is ready, and has
    /// the next one gathered meanwhile; an answer for the past has exactly the one that counted then.
    pub fn look<R>(
        &self,
        asked: Option<Position>,
        at: Position,
        look: impl FnOnce(&CaseBase, Option<&Experience>) -> R,
    ) -> R {
        let shared = self.shared();
        let lesson = shared.state.read().base.lesson(at.get());
        let experience = match (lesson, asked) {
            (None, _) => None,
            (Some(lesson), Some(_)) => Some(shared.experience(lesson)),
            (Some(lesson), None) => Some(shared.newest(lesson)),
        };
        let state = shared.state.read();
        look(&state.base, experience.as_deref())
    }

    /// The experience that counts at a position, or the newest one before it that is ready, and that of the position is gathered meanwhile: for what is only ranked by it, and need not wait.
    pub fn soon(&self, at: Position) -> Option<Arc<Experience>> {
        let shared = self.shared();
        let lesson = shared.state.read().base.lesson(at.get())?;
        shared.soon(lesson)
    }
}

impl Shared {
    fn ready(&self, lesson: u64) -> Option<Arc<Experience>> {
        self.experiences.lock().used(lesson)
    }

    /// Gathers an experience.
    fn experience(&self, lesson: u64) -> Arc<Experience> {
        let _one_at_a_time = self.gathering.lock();
        if let Some(ready) = self.ready(lesson) {
            return ready;
        }
        let gathered = Arc::new(learn(self, lesson));
        self.experiences.lock().keep(lesson, Arc::clone(&gathered));
        gathered
    }

    /// The experience, or the newest one before it that is ready; then it is gathered meanwhile.
    fn soon(self: &Arc<Self>, lesson: u64) -> Option<Arc<Experience>> {
        if let Some(ready) = self.ready(lesson) {
            return Some(ready);
        }
        let older = self.experiences.lock().before(lesson);
        let shared = Arc::clone(self);
        if self.gathering.try_lock().is_some() {
            // Whoever asks next has it; this answer does not wait for it.
            std::thread::spawn(move || shared.experience(lesson));
        }
        older
    }

    fn newest(self: &Arc<Self>, lesson: u64) -> Arc<Experience> {
        self.soon(lesson).unwrap_or_else(|| self.experience(lesson))
    }
}

impl CaseProjection {
    /// An empty index, with the handle that questions use.
    pub(crate) fn open() -> (Self, CaseIndex) {
        let index = CaseIndex(Arc::new(RwLock::new(Arc::new(Shared::default()))));
        (Self { index: index.clone() }, index)
    }
}

impl Projection for CaseProjection {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn filter(&self) -> Filter {
        let names = [
            "asset.registered",
            "fault.observed",
            "fault.examined",
            "fault.coded",
            "work_order.opened",
            "work_order.work_done",
        ];
        let types = names.iter().filter_map(|name| eventlog::EventType::new(name).ok()).collect();
        Filter { items: vec![eventlog::QueryItem { categories: Vec::new(), types, tags: Vec::new() }] }
    }

    fn checkpoint(&self) -> Position {
        self.index.checkpoint()
    }

    fn apply<'a>(
        &'a mut self,
        entries: &'a [Arc<Entry>],
        through: Position,
    ) -> BoxFuture<'a, Result<(), ProjectionError>> {
        let shared = self.index.shared();
        let mut state = shared.state.write();
        for entry in entries {
            state.apply(entry);
        }
        state.applied = through;
        Box::pin(std::future::ready(Ok(())))
    }

    fn flush(&mut self) -> BoxFuture<'_, Result<(), ProjectionError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn digest(&mut self) -> BoxFuture<'_, Result<Digest, ProjectionError>> {
        let digest = self.index.shared().state.read().digest.clone().finalize();
        Box::pin(std::future::ready(Ok(Digest::new(digest.into()))))
    }
}

impl Rebuildable for CaseProjection {
    fn beside(&self) -> BoxFuture<'_, Result<Self, ProjectionError>> {
        Box::pin(std::future::ready(Ok(Self::open().0)))
    }

    fn replace(&mut self, rebuilt: Self) -> BoxFuture<'_, Result<(), ProjectionError>> {
        *self.index.0.write() = rebuilt.index.shared();
        Box::pin(std::future::ready(Ok(())))
    }
}
