//! What a feature says of a row: only what happened before the row's time, and only from records that it may know.

use domain::conversion::Conversion;
use domain::events::MachineState;
use domain::units::Unit;
use eventlog::Position;

use crate::facts::AssetFacts;
use crate::spec::Feature;
use crate::table::Cell;
use crate::taken::Taken;

/// The cell of a feature that is not made of readings.
pub(crate) fn cell(
    feature: &Feature,
    facts: &AssetFacts,
    time_ns: i64,
    known: Position,
    taken: &mut Taken,
) -> Option<Cell> {
    match feature {
        Feature::Reading { .. } => None,
        Feature::State { .. } => {
            let state = facts.states.last_before(time_ns, known)?;
            taken.event(state.position);
            Some(Cell::Text(state_name(state.value).into()))
        }
        Feature::SetPoint { parameter, unit, .. } => {
            let set = facts.set_points.get(parameter)?.last_before(time_ns, known)?;
            taken.event(set.position);
            let (value, from) = &set.value;
            converted(*value, from, unit, taken)
        }
        Feature::Product { .. } => {
            let product = facts.products.last_before(time_ns, known)?;
            taken.event(product.position);
            Some(Cell::Text(product.value.as_str().into()))
        }
    }
}

/// A value that somebody wrote down, in the unit that is wanted. One that does not convert is left out.
pub(crate) fn converted(value: f64, from: &Unit, to: &Unit, taken: &mut Taken) -> Option<Cell> {
    match Conversion::between(from, to) {
        Ok(conversion) => Some(Cell::Float(conversion.apply(value))),
        Err(_) => {
            taken.left_out("other_unit");
            None
        }
    }
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
