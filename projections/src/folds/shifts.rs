//! Shifts: how they are planned, which were worked, and what one crew told the next.

use std::collections::BTreeMap;

use domain::Event;
use domain::events::{ShiftHandedOver, ShiftPatternDefined, ShiftStarted, ShiftTakenOver};
use domain::ids::{Code, EquipmentId, PersonId, ShiftId};
use domain::schedule::{ScheduleError, planned_turns};
use eventlog::{Digest, Filter, Position};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{AsOf, Entry, Fact, Fold, History, filters, state_digest};

/// A turn of a crew: worked, or only planned.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Turn {
    /// The shift, where somebody said that it began.
    pub shift: Option<ShiftId>,
    /// What it is called.
    pub name: Code,
    /// Which crew works.
    pub crew: Code,
    /// The part of the plant that it is for; all of it, when absent.
    pub equipment: Option<EquipmentId>,
    /// When it begins.
    pub from: Timestamp,
    /// When it ends.
    pub to: Timestamp,
    /// Planned breaks, in seconds; 0 where no pattern says.
    pub break_s: f64,
    /// Who leads it.
    pub person: Option<PersonId>,
    /// Where the log says so: the shift's beginning, or the pattern.
    pub position: Position,
}

/// A shift as it was known.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShiftView<'a> {
    /// The shift.
    pub shift: &'a ShiftId,
    /// How it began, as said last.
    pub started: Option<&'a Fact<ShiftStarted>>,
    /// What was handed over, as said last.
    pub handed_over: Option<&'a Fact<ShiftHandedOver>>,
    /// Who took it over, as said last.
    pub taken_over: Option<&'a Fact<ShiftTakenOver>>,
    /// Every event of it that was known.
    pub positions: Vec<Position>,
}

/// What the log says about one shift.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct ShiftFacts {
    started: History<ShiftStarted>,
    handed_over: History<ShiftHandedOver>,
    taken_over: History<ShiftTakenOver>,
}

/// Patterns and shifts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shifts {
    patterns: BTreeMap<Code, History<ShiftPatternDefined>>,
    shifts: BTreeMap<ShiftId, ShiftFacts>,
}

impl Fold for Shifts {
    const NAME: &'static str = "shifts";
    const VERSION: u32 = 1;

    fn filter() -> Filter {
        filters::types(&["shift.pattern_defined", "shift.started", "shift.handed_over", "shift.taken_over"])
    }

    fn apply(&mut self, entry: &Entry) {
        match entry.event() {
            Some(Event::ShiftPatternDefined(event)) => {
                self.patterns.entry(event.pattern.clone()).or_default().push(entry, event.clone());
            }
            Some(Event::ShiftStarted(event)) => {
                self.shifts.entry(event.shift.clone()).or_default().started.push(entry, event.clone());
            }
            Some(Event::ShiftHandedOver(event)) => {
                self.shifts.entry(event.shift.clone()).or_default().handed_over.push(entry, event.clone());
            }
            Some(Event::ShiftTakenOver(event)) => {
                self.shifts.entry(event.shift.clone()).or_default().taken_over.push(entry, event.clone());
            }
            _ => {}
        }
    }

    fn digest(&self) -> Digest {
        state_digest(self)
    }
}

impl Shifts {
    /// One shift, when it was known.
    pub fn shift(&self, id: &ShiftId, as_of: AsOf) -> Option<ShiftView<'_>> {
        let (id, facts) = self.shifts.get_key_value(id)?;
        view(id, facts, as_of)
    }

    /// Every shift that was known, by id.
    pub fn all(&self, as_of: AsOf) -> impl Iterator<Item = ShiftView<'_>> {
        self.shifts.iter().filter_map(move |(id, facts)| view(id, facts, as_of))
    }

    /// The patterns that were known, as said last, by id.
    pub fn patterns(&self, as_of: AsOf) -> impl Iterator<Item = &Fact<ShiftPatternDefined>> {
        self.patterns.values().filter_map(move |history| history.last(as_of))
    }

    /// The turns that touch a window, by time: those that somebody began, by their planned times, and those of the patterns that nobody began. A pattern's turn counts as begun when
    /// a shift with its crew and name, in its part of the plant, was begun within its time.
    ///
    /// # Errors
    /// [`ScheduleError`] names the pattern that cannot be worked out.
    pub fn turns(&self, from: Timestamp, to: Timestamp, as_of: AsOf) -> Result<Vec<Turn>, ScheduleError> {
        let mut planned: Vec<Turn> = Vec::new();
        for history in self.patterns.values() {
            let facts = history.as_of(as_of);
            let versions: Vec<&ShiftPatternDefined> = facts.iter().map(|fact| &fact.value).collect();
            let Some(last) = facts.last() else { continue };
            for turn in planned_turns(&versions, from, to)? {
                planned.push(Turn {
                    shift: None,
                    name: turn.name,
                    crew: turn.crew,
                    equipment: last.value.equipment.clone(),
                    from: turn.from,
                    to: turn.to,
                    break_s: f64::from(turn.break_minutes) * 60.0,
                    person: None,
                    position: last.position,
                });
            }
        }
        let mut turns: Vec<Turn> = Vec::new();
        for facts in self.shifts.values() {
            let Some(started) = facts.started.last(as_of) else { continue };
            let begun = &started.value;
            if begun.planned_start >= to || begun.planned_end <= from || begun.planned_end <= begun.planned_start {
                continue;
            }
            let same = |turn: &Turn| {
                (&turn.crew, &turn.name, &turn.equipment) == (&begun.crew, &begun.name, &begun.equipment)
                    && turn.from < begun.planned_end
                    && begun.planned_start < turn.to
            };
            let break_s = planned.iter().find(|turn| same(turn)).map_or(0.0, |turn| turn.break_s);
            planned.retain(|turn| !same(turn));
            turns.push(Turn {
                shift: Some(begun.shift.clone()),
                name: begun.name.clone(),
                crew: begun.crew.clone(),
                equipment: begun.equipment.clone(),
                from: begun.planned_start,
                to: begun.planned_end,
                break_s,
                person: begun.person.clone(),
                position: started.position,
            });
        }
        turns.extend(planned);
        turns.sort_by(|a, b| (a.from, a.to, &a.name, &a.crew).cmp(&(b.from, b.to, &b.name, &b.crew)));
        Ok(turns)
    }
}

fn view<'a>(shift: &'a ShiftId, facts: &'a ShiftFacts, as_of: AsOf) -> Option<ShiftView<'a>> {
    let mut positions: Vec<Position> = facts.started.as_of(as_of).iter().map(|fact| fact.position).collect();
    positions.extend(facts.handed_over.as_of(as_of).iter().map(|fact| fact.position));
    positions.extend(facts.taken_over.as_of(as_of).iter().map(|fact| fact.position));
    if positions.is_empty() {
        return None;
    }
    positions.sort_unstable();
    Some(ShiftView {
        shift,
        started: facts.started.last(as_of),
        handed_over: facts.handed_over.last(as_of),
        taken_over: facts.taken_over.last(as_of),
        positions,
    })
}

#[cfg(test)]
#[path = "shifts_tests.rs"]
mod tests;
