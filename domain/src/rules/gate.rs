//! Gates: what must be so of a version before it is promoted.
//!
//! Everything here is a function of what was known at one position. Who promotes appends on the condition that nothing of it has changed since.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::events::{Better, GateDefined, Guarded, ModelVersionEvaluated, Requirement};
use crate::ids::{Code, ModelName, PersonId};

/// The alias of the version that gates compare with, where they name no other.
pub const CHAMPION: &str = "champion";

/// Who acts where no caller is authenticated: nobody can be told apart by it.
pub const UNAUTHENTICATED: &str = "local";

/// A version, with what speaks for it.
#[derive(Clone, Debug)]
pub struct Candidate<'a> {
    /// Its number.
    pub version: u32,
    /// Who made it, when that is known to be a person.
    pub author: Option<&'a PersonId>,
    /// Who or what registered it.
    pub actor: &'a str,
    /// How it did, with the positions, in log order.
    pub evaluations: Vec<(u64, &'a ModelVersionEvaluated)>,
    /// Who vouches for it, each once, and who or what said so.
    pub approvals: Vec<(&'a PersonId, &'a str)>,
}

/// Something that a gate asks for and that is not so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmet {
    /// The gate.
    pub gate: Code,
    /// What was looked at.
    pub what: String,
    /// What was found.
    pub found: String,
    /// What is wanted.
    pub wanted: String,
}

impl fmt::Display for Unmet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { gate, what, found, wanted } = self;
        write!(formatter, "gate {gate}: {what}: found {found}, wanted {wanted}")
    }
}

/// What a gate found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// What is not so; nothing, when the gate is passed.
    pub unmet: Vec<Unmet>,
    /// The positions of the evaluations that were counted.
    pub evaluations: BTreeSet<u64>,
}

/// Why somebody's approval of a version does not count.
pub fn not_independent(
    author: Option<&PersonId>,
    registered_by: &str,
    person: &PersonId,
    actor: &str,
) -> Option<String> {
    if author == Some(person) {
        return Some(format!("{person} made it"));
    }
    if author.is_none() && registered_by == person.as_str() {
        return Some(format!("{person} registered it"));
    }
    // One who is not authenticated can be anybody, so that the names of two such callers say nothing.
    if registered_by == actor && actor != UNAUTHENTICATED {
        return Some(format!("{actor} registered it, and said so"));
    }
    None
}

impl<'a> Candidate<'a> {
    /// The people whose approval counts.
    pub fn approved_by(&self) -> Vec<&'a PersonId> {
        let counts = |(person, actor): &&(&'a PersonId, &'a str)| {
            not_independent(self.author, self.actor, person, actor).is_none()
        };
        self.approvals.iter().filter(counts).map(|(person, _)| *person).collect()
    }

    fn measured(&self, wanted: &Requirement, like: Option<&str>) -> Option<(u64, &'a ModelVersionEvaluated, f64)> {
        let same = |sha256: Option<&str>| like.is_none_or(|like| sha256.is_none_or(|sha256| sha256 == like));
        self.evaluations.iter().rev().find_map(|(position, evaluated)| {
            let value = evaluated.metrics.get(&wanted.metric)?;
            (evaluated.dataset == wanted.dataset && same(evaluated.dataset_sha256.as_deref()))
                .then_some((*position, *evaluated, *value))
        })
    }
}

/// Whether a gate stands before this promotion of a model.
pub fn stands_before(gate: &GateDefined, model: &ModelName, promotion: &Guarded) -> bool {
    gate.model.as_ref().is_none_or(|guarded| guarded == model) && gate.guards.contains(promotion)
}

/// The alias of the version that a gate compares with.
pub fn champion_alias(gate: &GateDefined) -> &str {
    gate.champion.as_ref().map_or(CHAMPION, Code::as_str)
}

/// Checks a version against a gate. Where there is no champion, or it is the version itself, there is nothing to beat.
pub fn check(gate: &GateDefined, candidate: &Candidate<'_>, champion: Option<&Candidate<'_>>) -> Checked {
    let mut checked = Checked::default();
    let unmet = |what: String, found: String, wanted: String| Unmet { gate: gate.gate.clone(), what, found, wanted };
    let approved_by = candidate.approved_by();
    if approved_by.len() < usize::try_from(gate.approvals).unwrap_or(usize::MAX) {
        let names: Vec<&str> = approved_by.iter().map(|person| person.as_str()).collect();
        let found = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let wanted = format!("{} by people other than the author", gate.approvals);
        checked.unmet.push(unmet("approvals".to_owned(), found, wanted));
    }
    let rival = champion.filter(|champion| champion.version != candidate.version);
    for wanted in &gate.requires {
        let what = format!("{} on {}", wanted.metric, wanted.dataset);
        let Some((position, evaluated, value)) = candidate.measured(wanted, None) else {
            checked.unmet.push(unmet(what, "no evaluation".to_owned(), in_words(wanted)));
            continue;
        };
        checked.evaluations.insert(position);
        if let Some(threshold) = wanted.threshold
            && !reaches(wanted.better, value, threshold)
        {
            checked.unmet.push(unmet(what.clone(), value.to_string(), in_words(wanted)));
        }
        let (Some(margin), Some(rival)) = (wanted.beats_champion_by, rival) else { continue };
        let beside = format!("{what} beside version {}", rival.version);
        match rival.measured(wanted, evaluated.dataset_sha256.as_deref()) {
            None => {
                let found = format!("no evaluation of version {} on the same data", rival.version);
                checked.unmet.push(unmet(beside, found, "one to compare with".to_owned()));
            }
            Some((position, _, champion)) => {
                checked.evaluations.insert(position);
                let goal = match wanted.better {
                    Better::Higher => champion + margin,
                    Better::Lower => champion - margin,
                };
                if !reaches(wanted.better, value, goal) {
                    checked.unmet.push(unmet(beside, value.to_string(), bound(wanted.better, goal)));
                }
            }
        }
    }
    checked
}

fn reaches(better: Better, value: f64, goal: f64) -> bool {
    match better {
        Better::Higher => value >= goal,
        Better::Lower => value <= goal,
    }
}

fn bound(better: Better, goal: f64) -> String {
    match better {
        Better::Higher => format!("{goal} at least"),
        Better::Lower => format!("{goal} at most"),
    }
}

fn in_words(wanted: &Requirement) -> String {
    wanted.threshold.map_or_else(|| "an evaluation".to_owned(), |threshold| bound(wanted.better, threshold))
}
