//! How long repairs take, phase by phase (the times of NIST's Nestor).

use domain::events::Milestone;
use domain::statistics::{Quantile, quantile};
use eventlog::Position;
use jiff::Timestamp;
use serde::Serialize;

use super::{MaintenanceScope, latest};
use crate::AsOf;
use crate::folds::episode_view::WorkOrderView;
use crate::folds::episodes::Episodes;

/// A phase of a repair: from one milestone to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// From the machine's going down to the work order's start: somebody notices, and asks for help.
    Administration,
    /// From the work order's start to the technician's arrival.
    Response,
    /// From the technician's arrival until it is known what to do.
    Diagnosis,
    /// From the order of a part to its coming.
    PartsWait,
    /// From knowing what to do (or the coming of the part, if that is later) until the solution is in place.
    Repair,
    /// From the solution until the machine is up.
    Restart,
    /// From the machine's being up until the work order is completed.
    Completion,
    /// From the machine's going down until it is up.
    Down,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 8] = [
        Self::Administration,
        Self::Response,
        Self::Diagnosis,
        Self::PartsWait,
        Self::Repair,
        Self::Restart,
        Self::Completion,
        Self::Down,
    ];

    /// When the phase began and ended in a work order, where both are known.
    fn of(self, order: &WorkOrderView<'_>) -> Option<(Timestamp, Timestamp)> {
        let at = |milestone| order.milestone(milestone);
        match self {
            Self::Administration => Some((at(Milestone::MachineDown)?, at(Milestone::WorkorderStart)?)),
            Self::Response => Some((at(Milestone::WorkorderStart)?, at(Milestone::TechnicianArrive)?)),
            Self::Diagnosis => Some((at(Milestone::TechnicianArrive)?, at(Milestone::SolutionFound)?)),
            Self::PartsWait => Some((at(Milestone::PartOrdered)?, at(Milestone::PartReceived)?)),
            Self::Repair => {
                let known = at(Milestone::SolutionFound).into_iter().chain(at(Milestone::PartReceived)).max()?;
                Some((known, at(Milestone::SolutionSolve)?))
            }
            Self::Restart => Some((at(Milestone::SolutionSolve)?, order.machine_up?)),
            Self::Completion => Some((order.machine_up?, at(Milestone::WorkorderCompletion).or(order.closed_at)?)),
            Self::Down => Some((at(Milestone::MachineDown)?, order.machine_up?)),
        }
    }
}

/// How long a phase takes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PhaseRecord {
    /// The phase.
    pub phase: Phase,
    /// Hours, half of the times, with bounds at 90 %.
    pub p50_h: Option<Quantile>,
    /// Hours, in nine of ten times, with bounds at 90 %.
    pub p90_h: Option<Quantile>,
    /// How many work orders say.
    pub n: u64,
    /// Work orders whose times are in the wrong order: they say nothing.
    pub contradictory: u64,
    /// The latest positions that say so.
    pub positions: Vec<Position>,
}

/// The phases of the repairs in a scope. Phases that have begun and not ended are in none of the figures.
pub fn repair_times(episodes: &Episodes, scope: &MaintenanceScope, as_of: AsOf) -> Vec<PhaseRecord> {
    let known: Vec<_> = episodes.at(as_of).filter(|episode| scope.holds(episode)).collect();
    let orders = || known.iter().flat_map(|episode| &episode.work_orders);
    let record = |phase: Phase| {
        let (mut hours, mut contradictory, mut positions) = (Vec::new(), 0, Vec::new());
        for order in orders() {
            let Some((from, to)) = phase.of(order) else { continue };
            if to < from {
                contradictory += 1;
                continue;
            }
            hours.push(to.duration_since(from).as_secs_f64() / 3600.0);
            positions.extend(order.milestones.iter().map(|reached| reached.position));
        }
        PhaseRecord {
            phase,
            p50_h: quantile(hours.iter().copied(), 0.5, 0.9),
            p90_h: quantile(hours.iter().copied(), 0.9, 0.9),
            n: u64::try_from(hours.len()).unwrap_or(u64::MAX),
            contradictory,
            positions: latest(positions),
        }
    };
    Phase::ALL.into_iter().map(record).collect()
}
