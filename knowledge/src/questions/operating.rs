//! The states of assets.

use domain::events::MachineState;
use eventlog::Position;
use jiff::Timestamp;
use projections::AsOf;
use projections::folds::states::States;

use super::scope::{counted, position};
use super::{OperatingRow, Scope};
use crate::answer::{self, Answer, QuestionError};
use crate::cases::latest;
use crate::facade::Models;

/// The rows, by asset.
pub(crate) fn rows(models: &Models, scope: &Scope) -> Result<Answer<Vec<OperatingRow>>, QuestionError> {
    models.states.read(|states, checkpoint| {
        let as_of = position(scope.as_of, checkpoint);
        let mut rows = Vec::new();
        if let Some(at) = as_of {
            let then = AsOf::through(at);
            let wanted = |id: &str| scope.asset.as_deref().is_none_or(|asset| asset == id);
            for asset in states.assets().filter(|asset| wanted(asset.as_str())) {
                rows.extend(row(states, asset, scope, then));
            }
            if scope.class.is_some() {
                let classes = models.episodes.read(|episodes, _| {
                    let class = |row: &OperatingRow| {
                        let asset = domain::ids::AssetId::new(&row.asset).ok()?;
                        Some(episodes.class_of(&asset, then)?.as_str().to_owned())
                    };
                    rows.iter().map(class).collect::<Vec<_>>()
                });
                let mut classes = classes.into_iter();
                rows.retain(|_| classes.next().flatten() == scope.class);
            }
        }
        let limit = answer::limit(scope.limit);
        rows.truncate(limit);
        Ok(Answer {
            as_of,
            stores: vec![("states".to_owned(), checkpoint)],
            n: rows.iter().map(|row| row.n).sum(),
            evidence: latest(rows.iter().flat_map(|row| row.evidence.iter().copied())),
            value: rows,
        })
    })
}

fn row(states: &States, asset: &domain::ids::AssetId, scope: &Scope, then: AsOf) -> Option<OperatingRow> {
    let from = scope.from.unwrap_or(Timestamp::MIN);
    // Nothing is known beyond the last change: a state is not drawn out into the future.
    let newest = states.current(asset, then)?.time;
    let to = scope.to.map_or(newest, |to| to.min(newest));
    let intervals = states.intervals(asset, from, to, then);
    let mut hours: Vec<(String, f64)> = Vec::new();
    let (mut running, mut on) = (0.0, 0.0);
    for (state, total) in states.totals(asset, from, to, then) {
        let spent = total.seconds / 3600.0;
        running += if state == MachineState::Running { spent } else { 0.0 };
        on += if state == MachineState::Off { 0.0 } else { spent };
        hours.push((state_name(state).to_owned(), spent));
    }
    hours.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let stopped = |state| matches!(state, MachineState::Stopped | MachineState::Down | MachineState::Maintenance);
    let stops = intervals.iter().filter(|interval| stopped(interval.state));
    let positions: Vec<Position> = intervals.iter().map(|interval| interval.position).collect();
    Some(OperatingRow {
        asset: asset.as_str().to_owned(),
        hours,
        stops: counted(stops.map(|stop| stop.reason.as_ref().map_or(state_name(stop.state), |reason| reason.as_str()))),
        running_share: (on > 0.0).then(|| running / on),
        n: u64::try_from(intervals.len()).unwrap_or(u64::MAX),
        evidence: latest(positions.into_iter()),
    })
}

const fn state_name(state: MachineState) -> &'static str {
    match state {
        MachineState::Running => "running",
        MachineState::Stopped => "stopped",
        MachineState::Setup => "setup",
        MachineState::Idle => "idle",
        MachineState::Down => "down",
        MachineState::Maintenance => "maintenance",
        MachineState::Off => "off",
    }
}
