//! From a command to its events, or to the reason why not.

use serde::Serialize;

use super::{AggregateKey, AggregateKind, AggregateState, Command, RollBack, States, affected, deployment, lot, model};
use crate::events::{
    ClothDoffed, Event, LotCreated, LotKind, LotPart, LotSplit, LotsMerged, ModelDeployed, ModelVersionCreated,
};
use crate::ids::{LotId, MaterialId};
use crate::units::Unit;
use crate::values::Quantity;

/// A command is impossible: it contradicts what is known, or what it needs is not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{reason}")]
pub struct Rejection {
    /// The rule's stable name (`lot.shipped_twice`).
    pub rule: &'static str,
    /// The aggregate that knows it.
    pub on: AggregateKey,
    /// What does not fit, in English.
    pub reason: String,
    /// What does not fit, in Chinese.
    pub reason_zh: String,
}

/// Works a command out into events. `states` holds what is known of [`Command::affected`]; an aggregate that is not in it is one that
/// nothing has happened to. A roll-back is judged by the deployment alone: a version that ran there is a version that the model has.
///
/// # Errors
/// [`Rejection`] names the rule and the reason. No event that is returned contradicts `states`, or the events before it.
pub fn decide(states: &States, command: Command) -> Result<Vec<Event>, Rejection> {
    let judged = command.affected();
    let events = plan(states, command)?;
    judge(states, &judged, &events)?;
    Ok(events)
}

/// Judges events that somebody asks for together, each after the ones before it.
///
/// # Errors
/// [`Rejection`] names the first rule that one of them breaks.
pub fn judge_all(states: &States, events: &[Event]) -> Result<(), Rejection> {
    let mut judged: Vec<AggregateKey> = events.iter().flat_map(affected).collect();
    judged.sort();
    judged.dedup();
    judge(states, &judged, events)
}

fn judge(states: &States, judged: &[AggregateKey], events: &[Event]) -> Result<(), Rejection> {
    // The states are copied only where an event is judged after another one: a model can have many versions.
    if let [event] = events {
        return refuse(states, judged, event);
    }
    let mut known = States::new();
    for key in judged {
        let state = states.get(key).cloned().unwrap_or_else(|| AggregateState::new(key));
        known.insert(key.clone(), state);
    }
    for event in events {
        refuse(&known, judged, event)?;
        known.evolve(event);
    }
    Ok(())
}

fn refuse(known: &States, judged: &[AggregateKey], event: &Event) -> Result<(), Rejection> {
    match known.contradictions(event).into_iter().find(|(key, _)| judged.contains(key)) {
        Some((on, found)) => Err(Rejection { rule: found.rule, on, reason: found.reason, reason_zh: found.reason_zh }),
        None => Ok(()),
    }
}

fn plan(states: &States, command: Command) -> Result<Vec<Event>, Rejection> {
    match command {
        Command::Propose(event) => Ok(vec![*event]),
        Command::SplitLot(split) => split_lot(states, split),
        Command::MergeLots(merge) => merge_lots(states, merge),
        Command::DoffCloth(doff) => Ok(doff_cloth(doff)),
        Command::CreateVersion(version) => Ok(vec![numbered(states, version).into()]),
        Command::Deploy(deploy) => Ok(vec![replacing(states, deploy).into()]),
        Command::RollBack(back) => roll_back(states, back),
    }
}

fn lot_state<'a>(states: &'a States, lot: &LotId) -> Option<&'a lot::State> {
    match states.get(&AggregateKey::new(AggregateKind::Lot, lot.as_str())) {
        Some(AggregateState::Lot(state)) => Some(state),
        _ => None,
    }
}

/// What a lot is made of and what it is, or the rejection that says that this is not known.
fn nature(states: &States, lot: &LotId) -> Result<(MaterialId, LotKind), Rejection> {
    lot_state(states, lot).and_then(|state| Some((state.material.clone()?, state.kind?))).ok_or_else(|| Rejection {
        rule: "lot.material_unknown",
        on: AggregateKey::new(AggregateKind::Lot, lot.as_str()),
        reason: format!("lot {lot} was never created, so that it is not known what it is made of"),
        reason_zh: format!("批次 {lot} 从未建立，不知道它是什么物料"),
    })
}

fn split_lot(states: &States, split: LotSplit) -> Result<Vec<Event>, Rejection> {
    let (material, kind) = nature(states, &split.lot)?;
    let created = |part: &LotPart| {
        let stretch = || part.interval.map(|interval| Quantity::new(interval.length_m(), Unit::metre()));
        LotCreated {
            lot: part.lot.clone(),
            material: material.clone(),
            kind,
            quantity: part.quantity.clone().or_else(stretch),
            supplier: None,
            order: None,
        }
    };
    let parts: Vec<Event> = split.into.iter().map(|part| created(part).into()).collect();
    Ok(std::iter::once(split.into()).chain(parts).collect())
}

fn merge_lots(states: &States, merge: LotsMerged) -> Result<Vec<Event>, Rejection> {
    let Some(first) = merge.from.first() else {
        return Err(Rejection {
            rule: "lot.merged_from_nothing",
            on: AggregateKey::new(AggregateKind::Lot, merge.lot.as_str()),
            reason: format!("lot {} is merged from no lot", merge.lot),
            reason_zh: format!("批次 {} 没有合并来源", merge.lot),
        });
    };
    let (material, kind) = nature(states, &first.lot)?;
    let lot = merge.lot.clone();
    let quantity = merge.quantity.clone();
    Ok(vec![merge.into(), LotCreated { lot, material, kind, quantity, supplier: None, order: None }.into()])
}

fn doff_cloth(doff: ClothDoffed) -> Vec<Event> {
    let created = LotCreated {
        lot: doff.roll.clone(),
        material: doff.product.clone(),
        kind: LotKind::Roll,
        quantity: Some(Quantity::new(doff.length_m, Unit::metre())),
        supplier: None,
        order: Some(doff.order.clone()),
    };
    vec![created.into(), doff.into()]
}

fn numbered(states: &States, version: ModelVersionCreated) -> ModelVersionCreated {
    if version.version != 0 {
        return version;
    }
    let last = states.model(&version.model).map_or(0, model::State::last_version);
    ModelVersionCreated { version: last.saturating_add(1), ..version }
}

fn replacing(states: &States, deploy: ModelDeployed) -> ModelDeployed {
    let running = states.deployment(&deploy.deployment).and_then(deployment::State::running);
    ModelDeployed { replaces: deploy.replaces.or(running), ..deploy }
}

fn roll_back(states: &States, back: RollBack) -> Result<Vec<Event>, Rejection> {
    let rejected = |rule, reason: String, reason_zh: String| Rejection {
        rule,
        on: AggregateKey::new(AggregateKind::Deployment, back.deployment.as_str()),
        reason,
        reason_zh,
    };
    let name = &back.deployment;
    let Some((state, running)) = states.deployment(name).and_then(|state| Some((state, state.running()?))) else {
        let reason = format!("deployment {name} does not run, so that there is nothing to roll back");
        return Err(rejected("deployment.not_running", reason, format!("部署 {name} 未在运行，无法回退")));
    };
    let Some(version) = back.to.or_else(|| state.before(running)) else {
        let reason = format!("no version ran in deployment {name} before version {running}");
        return Err(rejected(
            "deployment.nothing_before",
            reason,
            format!("部署 {name} 在版本 {running} 之前没有运行过其他版本"),
        ));
    };
    if version == running || !state.history.contains(&version) {
        let reason = format!("version {version} did not run in deployment {name} before version {running}");
        return Err(rejected(
            "deployment.never_ran",
            reason,
            format!("版本 {version} 未曾在部署 {name} 中先于版本 {running} 运行"),
        ));
    }
    let Some((model, target, period_s)) = state.settings() else {
        let reason = format!("deployment {name} does not run, so that there is nothing to roll back");
        return Err(rejected("deployment.not_running", reason, format!("部署 {name} 未在运行，无法回退")));
    };
    let (deployment, replaces) = (back.deployment, Some(running));
    Ok(vec![
        ModelDeployed {
            deployment,
            model,
            version,
            target,
            period_s,
            replaces,
            person: back.person,
            reason: back.reason,
            checked: None,
        }
        .into(),
    ])
}
