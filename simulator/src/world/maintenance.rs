//! Faults from the beginning to the coding: who notices, what is written, what is done, and whether it helps.

use std::sync::Arc;

use domain::events::{
    AlarmAcknowledged, AlarmCleared, AlarmRaised, Category, FaultClosed, FaultCoded, FaultObserved, Impact,
    MachineState, Milestone, Outcome, PartUsed, WorkDone, WorkOrderClosed, WorkOrderOpened, WorkOrderProgressed,
};
use domain::ids::PersonId;
use domain::values::Text;

use super::{Action as Due, DAY, HOUR, MINUTE, World};
use crate::fault::{Action, ActiveFault, FaultKind, Spec, spec};
use crate::mill::{ENGINEER, FIXERS, LOOMS, loom_name};
use crate::names;
use crate::truth::{FaultTruth, RepairTruth};

/// Mean days of running from the end of one fault to the beginning of the next.
const SOUND_DAYS: f64 = 7.0;
/// The part of looms that have something growing when the history begins.
const GROWING_FIRST: f64 = 0.3;
/// How often the first repair is the right one.
const RIGHT_FIRST: f64 = 0.7;
/// How often a repair is the right one when the fault came back.
const RIGHT_AGAIN: f64 = 0.92;
/// How often somebody sees at once that a wrong repair did not help.
const SEEN_AT_ONCE: f64 = 0.3;
/// How often a part has to be ordered.
const PART_ORDERED: f64 = 0.12;
/// How often a fault is coded days later, is coded wrongly at first, and a work order is closed a second time.
const CODED_LATE: f64 = 0.15;
const MISCODED: f64 = 0.10;
const CLOSED_TWICE: f64 = 0.02;
/// Days between two cleanings of a loom.
const SERVICE_DAYS: f64 = 10.0;
/// What an hour of a fixer costs, in yuan.
const HOUR_COST: f64 = 48.0;
/// How often the mill looks at its looms.
const LOOK_SECONDS: f64 = 10.0 * MINUTE;

/// What is done by plan.
static SERVICE: Action = Action {
    activity: "service",
    zh: "清洁，加油，检查",
    en: "cleaned, oiled, checked",
    part: Some(("OIL-VG100", 1)),
    hours: 0.8,
    part_cost: 18.0,
};

/// Maintenance as it stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Upkeep {
    looms: Vec<Watch>,
    alarms: u32,
    faults: u32,
    work_orders: u32,
    /// Until when each fixer is busy, in seconds since the beginning.
    busy: Vec<f64>,
}

/// What is known of a loom's present fault.
#[derive(Clone, Debug, Default)]
struct Watch {
    alarm: Option<Arc<str>>,
    episode: Option<Arc<str>>,
    attempts: u32,
}

/// How far a work order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Begin,
    Arrive,
    Find,
    Part,
    Solve,
    Up,
    Complete,
}

/// A work order on its way.
#[derive(Clone, Debug)]
pub(super) struct Job {
    loom: usize,
    id: Arc<str>,
    episode: Option<Arc<str>>,
    kind: Option<FaultKind>,
    truth: usize,
    fixer: usize,
    step: Step,
    /// Whether what is done now takes the cause away.
    helps: bool,
    /// Whether something was done before under this work order, and did not help.
    tried: bool,
    hours: f64,
    cost: f64,
    up_at: f64,
}

/// A coding of an episode.
#[derive(Clone, Debug)]
pub(super) struct Coding {
    loom: usize,
    episode: Arc<str>,
    truth: usize,
    kind: FaultKind,
    as_kind: FaultKind,
}

impl World {
    pub(super) fn begin_upkeep(&mut self) {
        self.upkeep.looms = vec![Watch::default(); LOOMS];
        self.upkeep.busy = vec![0.0; FIXERS.len()];
        for loom in 0..LOOMS {
            let after =
                if self.random.chance(GROWING_FIRST) { 3.0 * HOUR } else { self.random.exponential(SOUND_DAYS * DAY) };
            self.plan(after, Due::FaultBegins(loom));
            let service = self.random.between(0.4, SERVICE_DAYS) * DAY;
            self.plan(service, Due::Preventive(loom));
        }
    }

    pub(super) fn fault_begins(&mut self, loom: usize) {
        let now = self.now();
        let kind = self.draw_kind();
        let kind_spec = spec(kind);
        let truth = self.truth.faults.len();
        let why = self.random.text(kind_spec.why);
        let fault = ActiveFault::begin(kind, truth, now, &mut self.random);
        let Some(machine) = self.looms.get_mut(loom).filter(|machine| machine.fault.is_none()) else { return };
        machine.fault = Some(fault);
        let number = u32::try_from(truth).unwrap_or(u32::MAX).saturating_add(1);
        let precursor_start = self.instant(now);
        self.truth.faults.push(FaultTruth {
            number,
            asset: loom_name(loom),
            kind: kind.as_str(),
            mode: kind_spec.mode,
            mechanism: kind_spec.mechanism,
            cause: kind_spec.cause,
            item: kind_spec.item,
            why,
            precursor_start,
            observed: None,
            episodes: Vec::new(),
            repairs: Vec::new(),
            coded: Vec::new(),
            ended: None,
            rolls: Vec::new(),
        });
    }

    fn draw_kind(&mut self) -> FaultKind {
        let total: f64 = FaultKind::ALL.iter().map(|kind| spec(*kind).weight).sum();
        let mut draw = self.random.uniform() * total;
        for kind in FaultKind::ALL {
            draw -= spec(kind).weight;
            if draw <= 0.0 {
                return kind;
            }
        }
        FaultKind::NozzleClogging
    }

    /// Every ten minutes: who needs a beam, what alarms come, what do the weavers notice.
    pub(super) fn look(&mut self) {
        self.plan(LOOK_SECONDS, Due::Look);
        self.look_at_beams();
        for index in 0..self.looms.len() {
            let Some(fault) = self.looms.get(index).and_then(|loom| loom.fault) else { continue };
            let severity = self.looms.get(index).map_or(0.0, crate::physics::Loom::severity);
            let runs = self.looms.get(index).is_some_and(crate::physics::Loom::runs);
            let Some(watch) = self.upkeep.looms.get(index) else { continue };
            let (alarmed, noticed) = (watch.alarm.is_some(), watch.episode.is_some());
            if runs && severity >= fault.alarm_at && !alarmed && !noticed {
                self.raise(index, spec(fault.kind));
            }
            if severity >= fault.noticed_at && !noticed && self.is_free(index) {
                self.observe(index, fault);
            }
        }
    }

    fn raise(&mut self, index: usize, kind: &Spec) {
        let Some((code, zh, en, severity)) = kind.alarm else { return };
        self.upkeep.alarms += 1;
        let id: Arc<str> = format!("AL-{:06}", self.upkeep.alarms).into();
        let event = AlarmRaised {
            alarm: names::alarm(&id),
            asset: self.loom_id(index),
            code: names::code(code),
            text: Text::new(zh, en),
            severity,
        };
        self.emit(self.now(), event);
        if let Some(watch) = self.upkeep.looms.get_mut(index) {
            watch.alarm = Some(id.clone());
        }
        let after = self.random.between(1.0, 15.0) * MINUTE;
        self.plan(after, Due::Acknowledge { loom: index, alarm: id });
    }

    pub(super) fn acknowledge(&mut self, loom: usize, alarm: &str) {
        let event = AlarmAcknowledged {
            alarm: names::alarm(alarm),
            asset: self.loom_id(loom),
            person: Some(self.weaver_of(loom)),
        };
        self.emit(self.now(), event);
    }

    fn observe(&mut self, index: usize, fault: ActiveFault) {
        let now = self.now();
        let kind = spec(fault.kind);
        self.upkeep.faults += 1;
        let episode: Arc<str> = format!("FLT-{:05}", self.upkeep.faults).into();
        let alarmed = self.upkeep.looms.get(index).is_some_and(|watch| watch.alarm.is_some());
        let symptoms = self.words(index, kind);
        let product = self.looms.get(index).map(|loom| names::material(loom.style.id));
        let event = FaultObserved {
            fault: names::fault(&episode),
            asset: self.loom_id(index),
            symptoms,
            alarms: kind.alarm.filter(|_| alarmed).map(|(code, ..)| names::code(code)).into_iter().collect(),
            detection: Some(names::code(if alarmed { "continuous_monitoring" } else { "production_interference" })),
            impact: Some(if kind.critical { Impact::Critical } else { Impact::Degraded }),
            product,
            person: Some(self.weaver_of(index)),
        };
        self.emit(now, event);
        let noticed_at = self.instant(now);
        if let Some(truth) = self.truth.faults.get_mut(fault.truth) {
            truth.observed.get_or_insert(noticed_at);
            truth.episodes.push(episode.to_string());
        }
        if let Some(watch) = self.upkeep.looms.get_mut(index) {
            watch.episode = Some(episode);
        }
        if kind.critical {
            self.take_down(index, MachineState::Down, stop_reason(fault.kind));
        }
        let after =
            if kind.critical { self.random.between(3.0, 12.0) } else { self.random.between(8.0, 60.0) } * MINUTE;
        self.plan(after, Due::OpenWork(index));
    }

    /// A symptom as weavers write it: seldom with the loom's number, mostly in Chinese.
    fn words(&mut self, index: usize, kind: &Spec) -> Text {
        let zh = self.random.chance(0.7);
        let text = self.random.text(if zh { kind.zh } else { kind.en });
        let numbered = self.random.chance(0.25);
        Text::guessed(&match (numbered, zh) {
            (false, _) => text.to_owned(),
            (true, true) => format!("{}#机{text}", index + 1),
            (true, false) => format!("loom {} {text}", index + 1),
        })
    }

    fn take_down(&mut self, index: usize, state: MachineState, reason: &'static str) {
        if let Some(book) = self.books.get_mut(index) {
            book.held = true;
        }
        let now = self.now();
        self.halt(now, index, (state, reason), None);
    }

    pub(super) fn open_work(&mut self, index: usize) {
        let Some(fault) = self.looms.get(index).and_then(|loom| loom.fault) else { return };
        let Some((episode, attempts)) =
            self.upkeep.looms.get(index).and_then(|watch| Some((watch.episode.clone()?, watch.attempts)))
        else {
            return;
        };
        let kind = spec(fault.kind);
        let by_condition = kind.alarm.is_some() && !kind.critical && self.random.chance(0.3);
        let category = if by_condition { Category::ConditionBased } else { Category::Corrective };
        let description = self.words(index, kind);
        let helps = self.random.chance(if attempts == 0 { RIGHT_FIRST } else { RIGHT_AGAIN });
        let job = self.new_job(index, Some((episode, fault.kind, fault.truth)), helps);
        let event = WorkOrderOpened {
            work_order: names::work_order(&job.id),
            asset: self.loom_id(index),
            fault: job.episode.as_deref().map(names::fault),
            category,
            description,
            item: Some(names::code(kind.item)),
            priority: Some(if kind.critical { 1 } else { 2 }),
        };
        self.emit(self.now(), event);
        self.begin_job(job);
    }

    pub(super) fn preventive(&mut self, index: usize) {
        self.plan(SERVICE_DAYS * DAY, Due::Preventive(index));
        let job = self.new_job(index, None, true);
        let event = WorkOrderOpened {
            work_order: names::work_order(&job.id),
            asset: self.loom_id(index),
            fault: None,
            category: Category::Preventive,
            description: Text::new("计划保养：清洁加油", "planned service: clean and oil"),
            item: None,
            priority: Some(4),
        };
        self.emit(self.now(), event);
        self.begin_job(job);
    }

    fn new_job(&mut self, loom: usize, fault: Option<(Arc<str>, FaultKind, usize)>, helps: bool) -> Job {
        self.upkeep.work_orders += 1;
        let first = self.upkeep.busy.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(fixer, _)| fixer);
        let (episode, kind, truth) = match fault {
            Some((episode, kind, truth)) => (Some(episode), Some(kind), truth),
            None => (None, None, 0),
        };
        Job {
            loom,
            id: format!("WO-{:05}", self.upkeep.work_orders).into(),
            episode,
            kind,
            truth,
            fixer: first,
            step: Step::Begin,
            helps,
            tried: false,
            hours: 0.0,
            cost: 0.0,
            up_at: 0.0,
        }
    }

    fn begin_job(&mut self, job: Job) {
        let now = self.now();
        let free = self.upkeep.busy.get(job.fixer).copied().unwrap_or(now);
        let begin = free.max(now + self.random.between(4.0, 30.0) * MINUTE);
        if let Some(busy) = self.upkeep.busy.get_mut(job.fixer) {
            *busy = begin + 1.5 * HOUR;
        }
        self.plan(begin - now, Due::Work(job));
    }

    /// The next step of a work order.
    pub(super) fn work(&mut self, job: Job) {
        match job.step {
            Step::Begin => self.step_begin(job),
            Step::Arrive => self.step_arrive(job),
            Step::Find => self.step_find(job),
            Step::Part => {
                self.reach(&job, Milestone::PartReceived);
                self.go_on(job, Step::Solve, (0.3, 0.8));
            }
            Step::Solve => self.step_solve(job),
            Step::Up => self.step_up(job),
            Step::Complete => self.step_complete(&job),
        }
    }

    fn person(job: &Job) -> PersonId {
        names::person(FIXERS.get(job.fixer).copied().unwrap_or(FIXERS[0]))
    }

    fn reach(&mut self, job: &Job, milestone: Milestone) {
        let event = WorkOrderProgressed {
            work_order: names::work_order(&job.id),
            asset: self.loom_id(job.loom),
            milestone,
            person: Some(Self::person(job)),
        };
        self.emit(self.now(), event);
    }

    fn go_on(&mut self, mut job: Job, step: Step, hours: (f64, f64)) {
        job.step = step;
        let after = self.random.between(hours.0, hours.1) * HOUR;
        self.plan(after, Due::Work(job));
    }

    /// The loom is stopped for the work, when it is not down already. While its beam is changed, the fixer waits.
    fn step_begin(&mut self, job: Job) {
        let down = job.kind.is_some_and(|kind| spec(kind).critical);
        if !down && !self.is_free(job.loom) {
            return self.go_on(job, Step::Begin, (0.3, 0.5));
        }
        if !down {
            let reason = job.kind.map_or("cleaning", stop_reason);
            self.take_down(job.loom, MachineState::Maintenance, reason);
        }
        self.reach(&job, Milestone::MachineDown);
        self.reach(&job, Milestone::WorkorderStart);
        self.go_on(job, Step::Arrive, (0.02, 0.2));
    }

    fn step_arrive(&mut self, job: Job) {
        self.set_state(self.now(), job.loom, MachineState::Maintenance, job.kind.map_or("cleaning", stop_reason));
        self.reach(&job, Milestone::TechnicianArrive);
        self.go_on(job, Step::Find, (0.05, 0.5));
    }

    fn step_find(&mut self, job: Job) {
        self.reach(&job, Milestone::SolutionFound);
        let action = action_of(&job);
        if job.kind.is_some() && action.part.is_some() && self.random.chance(PART_ORDERED) {
            self.reach(&job, Milestone::PartOrdered);
            return self.go_on(job, Step::Part, (2.0, 14.0));
        }
        self.go_on(job, Step::Solve, (action.hours * 0.7, action.hours * 1.5));
    }

    fn step_solve(&mut self, mut job: Job) {
        let action = action_of(&job);
        let hours = (action.hours * self.random.between(0.7, 1.5) * 100.0).round() / 100.0;
        let cost =
            (hours * HOUR_COST + action.part.map_or(0.0, |(_, count)| f64::from(count) * action.part_cost)).round();
        job.hours += hours;
        job.cost += cost;
        let zh = self.random.chance(0.7);
        let now = self.now();
        let event = WorkDone {
            work_order: names::work_order(&job.id),
            asset: self.loom_id(job.loom),
            fault: job.episode.as_deref().map(names::fault),
            activity: names::code(action.activity),
            item: job.kind.map(|kind| names::code(spec(kind).item)),
            text: Some(Text::guessed(if zh { action.zh } else { action.en })),
            parts: action
                .part
                .map(|(part, count)| PartUsed { part: names::code(part), count: f64::from(count) })
                .into_iter()
                .collect(),
            hours: Some(hours),
            cost: Some(cost),
            person: Some(Self::person(&job)),
        };
        self.emit(now, event);
        self.remember_repair(&job, action);
        if job.kind.is_some() && !job.helps && !job.tried && self.random.chance(SEEN_AT_ONCE) {
            // The trial run shows that it did not help: something else is done under the same work order.
            job.tried = true;
            job.helps = true;
            let again = action_of(&job).hours;
            return self.go_on(job, Step::Solve, (again * 0.8, again * 1.6));
        }
        self.reach(&job, Milestone::SolutionSolve);
        self.go_on(job, Step::Up, (0.05, 0.25));
    }

    fn remember_repair(&mut self, job: &Job, action: &Action) {
        let time = self.instant(self.now());
        if job.kind.is_none() {
            return;
        }
        if let Some(truth) = self.truth.faults.get_mut(job.truth) {
            truth.repairs.push(RepairTruth {
                time,
                work_order: job.id.to_string(),
                activity: action.activity.to_owned(),
                helped: job.helps,
            });
        }
    }

    fn step_up(&mut self, mut job: Job) {
        let now = self.now();
        job.up_at = now;
        self.reach(&job, Milestone::MachineUp);
        if let Some(book) = self.books.get_mut(job.loom) {
            book.held = false;
        }
        self.run(now, job.loom);
        if let Some(kind) = job.kind {
            self.end_episode(&job, kind);
        }
        self.go_on(job, Step::Complete, (0.2, 2.5));
    }

    fn end_episode(&mut self, job: &Job, kind: FaultKind) {
        let now = self.now();
        let Some(watch) = self.upkeep.looms.get_mut(job.loom) else { return };
        let (alarm, episode) = (watch.alarm.take(), watch.episode.take());
        watch.attempts = if job.helps { 0 } else { watch.attempts + 1 };
        if let Some(alarm) = alarm {
            self.emit(now, AlarmCleared { alarm: names::alarm(&alarm), asset: self.loom_id(job.loom) });
        }
        if let Some(episode) = episode {
            self.emit(
                now,
                FaultClosed { fault: names::fault(&episode), asset: self.loom_id(job.loom), restored: None },
            );
            self.plan_coding(job, kind, episode);
        }
        let ended = self.instant(now);
        if job.helps {
            if let Some(loom) = self.looms.get_mut(job.loom) {
                loom.fault = None;
            }
            if let Some(truth) = self.truth.faults.get_mut(job.truth) {
                truth.ended = Some(ended);
            }
            let after = self.random.exponential(SOUND_DAYS * DAY);
            self.plan(after, Due::FaultBegins(job.loom));
        } else if let Some(fault) = self.looms.get_mut(job.loom).and_then(|loom| loom.fault.as_mut()) {
            fault.soothe(now, &mut self.random);
        }
    }

    fn plan_coding(&mut self, job: &Job, kind: FaultKind, episode: Arc<str>) {
        let late = self.random.chance(CODED_LATE);
        let after = if late { self.random.between(24.0, 72.0) } else { self.random.between(0.3, 4.0) } * HOUR;
        let wrong = self.random.chance(MISCODED);
        let as_kind = if wrong { spec(kind).mistaken } else { kind };
        let coding = Coding { loom: job.loom, episode, truth: job.truth, kind, as_kind };
        self.plan(after, Due::Code(coding));
    }

    pub(super) fn code(&mut self, coding: Coding) {
        let kind = spec(coding.as_kind);
        let event = FaultCoded {
            fault: names::fault(&coding.episode),
            asset: self.loom_id(coding.loom),
            mode: names::code(kind.mode),
            mechanism: Some(names::code(kind.mechanism)),
            cause: Some(names::code(kind.cause)),
            item: Some(names::code(kind.item)),
            person: Some(names::person(ENGINEER)),
        };
        self.emit(self.now(), event);
        if let Some(truth) = self.truth.faults.get_mut(coding.truth) {
            truth.coded.push(kind.mode.to_owned());
        }
        if coding.as_kind != coding.kind {
            let after = self.random.between(20.0, 90.0) * HOUR;
            self.plan(after, Due::Code(Coding { as_kind: coding.kind, ..coding }));
        }
    }

    fn step_complete(&mut self, job: &Job) {
        self.reach(job, Milestone::WorkorderCompletion);
        let event = self.closing(job);
        self.emit(self.now(), event);
        if self.random.chance(CLOSED_TWICE) {
            self.plan(DAY, Due::CloseAgain(job.clone()));
        }
    }

    fn closing(&self, job: &Job) -> WorkOrderClosed {
        WorkOrderClosed {
            work_order: names::work_order(&job.id),
            asset: self.loom_id(job.loom),
            // What the fixer believes: that a wrong repair did not help shows only when the fault comes back.
            outcome: Outcome::Solved,
            hours: Some((job.hours * 100.0).round() / 100.0),
            cost: Some(job.cost),
            machine_up: Some(self.instant(job.up_at)),
        }
    }

    pub(super) fn close_again(&mut self, job: &Job) {
        let event = self.closing(job);
        self.emit_contradicting(self.now(), event, "the office keyed the closing of a work order a second time");
    }
}

fn action_of(job: &Job) -> &'static Action {
    match job.kind {
        None => &SERVICE,
        Some(kind) if job.helps => &spec(kind).right,
        Some(kind) => &spec(kind).wrong,
    }
}

const fn stop_reason(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::ElectricalControl | FaultKind::AccumulatorSensor => "electrical_fault",
        FaultKind::AirLeak => "air_shortage",
        _ => "mechanical_fault",
    }
}
