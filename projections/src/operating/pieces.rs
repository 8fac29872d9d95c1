//! One machine's time, cut into pieces in which nothing changes.

use domain::events::{MachineState, Milestone, Verdict};
use domain::ids::{AssetId, MaterialId};
use domain::performance::{Performance, Stops};
use domain::weaving::StopKind;
use eventlog::Position;
use jiff::Timestamp;

use super::{ByShift, OperatingKey, OperatingModels, OperatingRequest};
use crate::AsOf;
use crate::folds::quality::QualityScope;
use crate::folds::shifts::Turn;
use crate::folds::states::StateInterval;

/// The set-point that says a loom's nominal speed, in picks per minute.
pub const NOMINAL_SPEED: &str = "loom_speed";
/// The reason of a stop whose machine nobody tends yet.
const NOBODY_THERE: &str = "no_operator";
/// The reason of an idle machine that could not work: it had no order.
const NO_ORDER: &str = "no_order";

/// A stretch in which state, product, shift and roll are the same.
pub(crate) struct Piece<'a> {
    pub from: Timestamp,
    pub figures: Performance,
    pub position: Option<Position>,
    pub product: Option<&'a MaterialId>,
    turn: Option<&'a Turn>,
}

impl Piece<'_> {
    /// The key that the piece is booked on.
    pub(super) fn key(&self, asset: &AssetId, request: &OperatingRequest) -> OperatingKey {
        let mut key = OperatingKey {
            asset: request.by_asset.then(|| asset.clone()),
            product: self.product.filter(|_| request.by_product).cloned(),
            ..OperatingKey::default()
        };
        let Some(turn) = self.turn else { return key };
        let by = request.by_shift;
        key.shift_name = matches!(by, ByShift::Name | ByShift::Turn).then(|| turn.name.clone());
        key.crew = matches!(by, ByShift::Crew | ByShift::Turn).then(|| turn.crew.clone());
        key.shift = turn.shift.clone().filter(|_| by == ByShift::Turn);
        key.turn = (by == ByShift::Turn).then_some(turn.from);
        key
    }
}

/// A stretch of state with what it means.
struct Stretch {
    from: Timestamp,
    to: Timestamp,
    state: MachineState,
    position: Position,
    no_order: bool,
    stop: Option<StopStretch>,
}

/// A stretch that belongs to a stop.
struct StopStretch {
    kind: StopKind,
    /// Whether the stop began with it.
    begins: bool,
    /// When somebody came to the stop.
    arrival: Option<Timestamp>,
    /// How long the whole stop waited and was worked on, in seconds; told by the stretch that it begins with.
    lasted: Option<(f64, f64)>,
}

/// A roll with its running time.
struct CountedRoll<'a> {
    from: Timestamp,
    to: Timestamp,
    product: &'a MaterialId,
    picks: f64,
    running_s: f64,
    verdict: Option<Verdict>,
}

/// A window, and how far states are known: what a machine does last lasts until the horizon.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    pub from: Timestamp,
    pub to: Timestamp,
    pub horizon: Timestamp,
}

/// The pieces of an asset in a window, cut at further times where the caller needs them.
pub(crate) fn of_asset<'a>(
    models: OperatingModels<'a>,
    asset: &AssetId,
    turns: &[&'a Turn],
    Span { from, to, horizon }: Span,
    further_cuts: &[Timestamp],
    as_of: AsOf,
) -> Vec<Piece<'a>> {
    if to <= from {
        return Vec::new();
    }
    // A stop that reaches over an end of the window is judged whole: windows that meet then add up.
    let whole_from = models.states.last_running_before(asset, from, as_of).unwrap_or(Timestamp::MIN);
    let whole_to = models.states.next_running_after(asset, to, as_of).unwrap_or(horizon.max(to));
    let stretches = stretches(models, asset, (whole_from, whole_to), as_of);
    let rolls = rolls(models, asset, (from, to), as_of);
    let styles = models.production.styles(asset, as_of);
    let speeds = speeds(models, asset, as_of);
    let mut cuts: Vec<Timestamp> = vec![from, to];
    cuts.extend(further_cuts);
    cuts.extend(stretches.iter().flat_map(|stretch| [stretch.from, stretch.to]));
    cuts.extend(stretches.iter().filter_map(|stretch| stretch.stop.as_ref()?.arrival));
    cuts.extend(rolls.iter().flat_map(|roll| [roll.from, roll.to]));
    cuts.extend(styles.iter().map(|(time, _)| *time));
    cuts.extend(speeds.iter().map(|(time, _)| *time));
    cuts.extend(turns.iter().flat_map(|turn| [turn.from, turn.to]));
    cuts.retain(|cut| from <= *cut && *cut <= to);
    cuts.sort_unstable();
    cuts.dedup();
    let mut pieces = Vec::new();
    let mut stretch = stretches.iter().peekable();
    for pair in cuts.windows(2) {
        let [begin, end] = *pair else { continue };
        while stretch.next_if(|stretch| stretch.to <= begin).is_some() {}
        let now = stretch.peek().filter(|stretch| stretch.from <= begin);
        // Rolls follow each other: the first that was doffed later is the one on the loom.
        let on_loom = rolls.partition_point(|roll| roll.to <= begin);
        let roll = rolls.get(on_loom).filter(|roll| roll.from <= begin);
        let product = roll.map(|roll| roll.product).or_else(|| last_before(&styles, begin));
        let speed = last_before(&speeds, begin).filter(|speed| *speed > 0.0);
        // Where shifts overlap, the one that began last has the machine.
        let turn = turns.iter().rev().find(|turn| turn.from <= begin && begin < turn.to).copied();
        let mut figures = Performance::default();
        let seconds = end.duration_since(begin).as_secs_f64();
        match now {
            Some(stretch) => book(&mut figures, stretch, (begin, end), seconds),
            None => figures.unknown_s += seconds,
        }
        let scheduled_s = scheduled(turns.is_empty(), turn, now.copied(), seconds);
        figures.scheduled_s += scheduled_s;
        if let Some(roll) = roll {
            count(
                &mut figures,
                roll,
                speed,
                scheduled_s,
                now.is_some_and(|stretch| stretch.state == MachineState::Running),
            );
        }
        pieces.push(Piece { from: begin, figures, position: now.map(|stretch| stretch.position), product, turn });
    }
    pieces
}

fn last_before<T: Copy>(changes: &[(Timestamp, T)], at: Timestamp) -> Option<T> {
    let end = changes.partition_point(|(time, _)| *time <= at);
    changes.get(end.checked_sub(1)?).map(|(_, value)| *value)
}

/// The seconds of a piece in which the machine was to work: within a shift, less its share of the breaks, unless it had no order, was maintained by plan or off.
fn scheduled(no_shifts: bool, turn: Option<&Turn>, stretch: Option<&Stretch>, seconds: f64) -> f64 {
    let Some(stretch) = stretch else { return 0.0 };
    let away = stretch.no_order
        || stretch.state == MachineState::Off
        || (stretch.state == MachineState::Maintenance && stretch.stop.is_none());
    match turn {
        _ if away => 0.0,
        Some(turn) => {
            let lasts = turn.to.duration_since(turn.from).as_secs_f64();
            seconds * (1.0 - (turn.break_s / lasts).clamp(0.0, 1.0))
        }
        None if no_shifts => seconds,
        None => 0.0,
    }
}

/// Books the time of a piece of a stretch.
fn book(figures: &mut Performance, stretch: &Stretch, (begin, end): (Timestamp, Timestamp), seconds: f64) {
    figures.n += u64::from(begin == stretch.from);
    if let Some(stop) = &stretch.stop {
        figures.delay_s += seconds;
        let mut stops = Stops { count: u64::from(stop.begins && begin == stretch.from), ..Stops::default() };
        match stop.arrival {
            Some(arrival) if end <= arrival => stops.waiting_s = seconds,
            Some(_) => stops.repair_s = seconds,
            None => stops.unsplit_s = seconds,
        }
        if let (1, Some((waited_s, repaired_s))) = (stops.count, stop.lasted) {
            stops.waits.add(waited_s);
            stops.repairs.add(repaired_s);
        }
        *figures.stops_mut(stop.kind) += stops;
        return;
    }
    match stretch.state {
        MachineState::Running => figures.production_s += seconds,
        MachineState::Setup => figures.setup_s += seconds,
        MachineState::Maintenance => figures.planned_down_s += seconds,
        MachineState::Off => figures.off_s += seconds,
        MachineState::Idle if stretch.no_order => figures.no_order_s += seconds,
        // Idle with an order, for want of yarn or people.
        MachineState::Idle | MachineState::Stopped | MachineState::Down => figures.delay_s += seconds,
    }
}

/// Books what was made in a piece of a roll's time.
fn count(figures: &mut Performance, roll: &CountedRoll<'_>, speed: Option<f64>, scheduled_s: f64, runs: bool) {
    for kind in [StopKind::Warp, StopKind::Weft, StopKind::Mechanical, StopKind::Other] {
        let stops = figures.stops_mut(kind);
        stops.counted = stops.count;
    }
    let seconds = if runs { figures.production_s } else { 0.0 };
    let picks = roll.picks * seconds / roll.running_s;
    figures.counted_s += seconds;
    figures.picks += picks;
    if let Some(speed) = speed {
        figures.ideal_s += picks * 60.0 / speed;
        figures.ideal_of_s += seconds;
        figures.room_picks += speed * scheduled_s / 60.0;
        figures.room_of_picks += picks;
    }
    if let Some(verdict) = roll.verdict {
        figures.inspected_picks += picks;
        figures.good_picks += if verdict == Verdict::Pass { picks } else { 0.0 };
    }
}

/// The stretches of state in a window, with what stops they belong to.
fn stretches(
    models: OperatingModels<'_>,
    asset: &AssetId,
    (from, to): (Timestamp, Timestamp),
    as_of: AsOf,
) -> Vec<Stretch> {
    let intervals = models.states.intervals(asset, from, to, as_of);
    let mut stretches: Vec<Stretch> = Vec::new();
    for (index, interval) in intervals.iter().enumerate() {
        let reason = interval.reason.as_ref().map(|reason| reason.as_str());
        let before = stretches.last().and_then(|stretch| stretch.stop.as_ref());
        let own = StopKind::of(interval.state, reason);
        // Maintenance that follows a failure repairs it, and belongs to the stop.
        let kind = match (own, before) {
            (None, Some(before)) if interval.state == MachineState::Maintenance => Some(before.kind),
            (own, _) => own,
        };
        let stop = kind.map(|kind| {
            let kind = if reason == Some(NOBODY_THERE) { next_kind(&intervals, index).unwrap_or(kind) } else { kind };
            let goes_on = before.is_some_and(|before| before.kind == kind);
            StopStretch { kind, begins: !goes_on, arrival: None, lasted: None }
        });
        stretches.push(Stretch {
            from: interval.from,
            to: interval.to,
            state: interval.state,
            position: interval.position,
            no_order: interval.state == MachineState::Idle && reason == Some(NO_ORDER),
            stop,
        });
    }
    let (first, last) = (stretches.first().map(|stretch| stretch.from), stretches.last().map(|stretch| stretch.to));
    let (Some(first), Some(last)) = (first, last) else { return stretches };
    let signs = signs(models, asset, (first, last), as_of);
    for (begin, end) in stops(&stretches) {
        let whole = stretches.get(begin..end).unwrap_or_default();
        let (Some(first), Some(last)) = (whole.first(), whole.last()) else { continue };
        let attended = intervals.get(begin..end).unwrap_or_default();
        let (from, to) = (first.from, last.to);
        let arrival = arrival(&signs, attended, (from, to));
        let seconds = |from: Timestamp, to: Timestamp| to.duration_since(from).as_secs_f64();
        let mut lasted = arrival.map(|arrival| (seconds(from, arrival), seconds(arrival, to)));
        for stretch in stretches.get_mut(begin..end).unwrap_or_default() {
            if let Some(stop) = &mut stretch.stop {
                stop.arrival = arrival;
                stop.lasted = lasted.take();
            }
        }
    }
    stretches
}

/// The kind of what follows a stretch in which nobody was there.
fn next_kind(intervals: &[StateInterval], index: usize) -> Option<StopKind> {
    let next = intervals.get(index + 1)?;
    StopKind::of(next.state, next.reason.as_ref().map(|reason| reason.as_str()))
}

/// Where stops begin and end among the stretches.
fn stops(stretches: &[Stretch]) -> Vec<(usize, usize)> {
    let mut stops: Vec<(usize, usize)> = Vec::new();
    for (index, stretch) in stretches.iter().enumerate() {
        let Some(stop) = &stretch.stop else { continue };
        match stops.last_mut() {
            Some((_, end)) if *end == index && !stop.begins => *end = index + 1,
            _ => stops.push((index, index + 1)),
        }
    }
    stops
}

/// When somebody acknowledged an alarm of the machine or a technician came to it, sorted.
fn signs(
    models: OperatingModels<'_>,
    asset: &AssetId,
    (from, to): (Timestamp, Timestamp),
    as_of: AsOf,
) -> Vec<Timestamp> {
    let mut signs = models.alarms.acknowledged_between(asset, from, to, as_of);
    signs.extend(models.episodes.reached_between(asset, Milestone::TechnicianArrive, from, to, as_of));
    signs.sort_unstable();
    signs
}

/// When somebody came to a stop, by the first sign of it: the end of the stretch in which nobody was there, the beginning of the maintenance that follows a failure,
/// an alarm of the machine that somebody acknowledged, or a work order's milestone.
fn arrival(signs: &[Timestamp], intervals: &[StateInterval], (from, to): (Timestamp, Timestamp)) -> Option<Timestamp> {
    let mut first = signs.get(signs.partition_point(|sign| *sign < from)).copied();
    for (index, interval) in intervals.iter().enumerate() {
        let unattended = interval.reason.as_ref().is_some_and(|reason| reason.as_str() == NOBODY_THERE);
        let ended = (unattended && index + 1 < intervals.len()).then_some(interval.to);
        let repaired = (index > 0 && interval.state == MachineState::Maintenance).then_some(interval.from);
        first = first.into_iter().chain(ended).chain(repaired).min();
    }
    first.filter(|sign| *sign <= to)
}

/// The rolls that were woven in a window, with their picks and running time. A roll whose time is not known, or in which the machine never ran, counts nothing.
fn rolls<'a>(
    models: OperatingModels<'a>,
    asset: &AssetId,
    (from, to): (Timestamp, Timestamp),
    as_of: AsOf,
) -> Vec<CountedRoll<'a>> {
    let counted = |roll: &crate::folds::production::Roll<'a>| {
        let begin = roll.from.filter(|begin| *begin < to && roll.to > from)?;
        let totals = models.states.totals(asset, begin, roll.to, as_of);
        let running_s =
            totals.get(&MachineState::Running).map(|total| total.seconds).filter(|seconds| *seconds > 0.0)?;
        let doffed = &roll.doffed.value;
        let scope = QualityScope { lot: Some(doffed.roll.clone()), ..QualityScope::default() };
        let verdicts = models.quality.inspections_in(&scope, as_of).map(|fact| fact.value.verdict);
        let verdict = verdicts.filter(|verdict| *verdict != Verdict::Undecided).last();
        #[expect(clippy::cast_precision_loss, reason = "picks of a roll are far below 2^52")]
        let picks = doffed.picks as f64;
        Some(CountedRoll { from: begin, to: roll.to, product: &doffed.product, picks, running_s, verdict })
    };
    models.production.rolls(asset, as_of).iter().filter_map(counted).collect()
}

/// The nominal speeds of a loom by time.
fn speeds(models: OperatingModels<'_>, asset: &AssetId, as_of: AsOf) -> Vec<(Timestamp, f64)> {
    let changes = models.states.set_points(asset, as_of).iter();
    let mut speeds: Vec<_> = changes
        .filter(|fact| fact.value.parameter.as_str() == NOMINAL_SPEED)
        .filter_map(|fact| Some((fact.time?, fact.position, fact.value.to)))
        .collect();
    speeds.sort_by_key(|(time, position, _)| (*time, *position));
    speeds.into_iter().map(|(time, _, speed)| (time, speed)).collect()
}
