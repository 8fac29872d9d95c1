//! Physical assets: the role that they fill, what they do, their set-points and alarms, and on looms the beams.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Aggregate, Contradiction, contradiction};
use crate::events::{BeamMounted, ClothDoffed, Event, Joining, MachineState, SetPointChanged, WarpTied};
use crate::ids::{AlarmId, AssetClass, AssetId, Code, EquipmentId, LotId, OrderId};
use crate::units::Unit;
use crate::values::Quantity;

/// How many set-points an asset remembers; those of further parameters are not judged.
pub const MAX_SET_POINTS: usize = 1024;
/// How many active alarms an asset remembers; further ones are not judged.
pub const MAX_ALARMS: usize = 4096;
/// How many beams a loom remembers to be on it at a time.
pub const MAX_BEAMS: usize = 8;

/// What is known of a physical asset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Its id.
    pub id: String,
    /// Its class, once it was registered.
    pub class: Option<AssetClass>,
    /// The role that it fills.
    pub role: Option<EquipmentId>,
    /// What it does.
    pub doing: Option<MachineState>,
    /// The last known value of each set-point.
    pub set_points: BTreeMap<Code, Quantity>,
    /// Alarms that are active.
    pub alarms: BTreeSet<AlarmId>,
    /// Whether anything was ever known of beams on it. Before that, no rule speaks of beams.
    pub is_loom: bool,
    /// The beams on it: one; or two, while the warp of the second is tied to that of the first.
    pub beams: Vec<LotId>,
    /// The beam that left last: its warp can still end up in the next roll.
    pub last_beam: Option<LotId>,
    /// The order that is woven.
    pub order: Option<OrderId>,
}

impl State {
    /// An asset that nothing has happened to.
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            class: None,
            role: None,
            doing: None,
            set_points: BTreeMap::new(),
            alarms: BTreeSet::new(),
            is_loom: false,
            beams: Vec::new(),
            last_beam: None,
            order: None,
        }
    }

    fn is(&self, asset: &AssetId) -> bool {
        self.id == asset.as_str()
    }

    /// Whether there is room for the set-point.
    fn remembers(&self, parameter: &Code) -> bool {
        self.set_points.len() < MAX_SET_POINTS || self.set_points.contains_key(parameter)
    }

    fn remove_beam(&mut self, beam: &LotId) {
        self.beams.retain(|known| known != beam);
        self.last_beam = Some(beam.clone());
    }

    fn bad_mount(&self, mount: &BeamMounted) -> Option<Contradiction> {
        let (id, beam) = (&self.id, &mount.beam);
        if self.beams.contains(beam) {
            let reason = format!("beam {beam} is on loom {id} already");
            return contradiction("loom.beam_mounted_twice", reason, format!("织轴 {beam} 已在织机 {id} 上"));
        }
        let room = match mount.joining {
            Joining::DrawnIn => 0,
            Joining::TiedIn => 1,
        };
        let first = self.beams.first().filter(|_| self.beams.len() > room)?;
        let reason = format!(
            "beam {first} is on loom {id}: it must be finished, or the new warp tied to it, before beam {beam} is mounted"
        );
        contradiction(
            "loom.beam_in_place",
            reason,
            format!("织机 {id} 上有织轴 {first}：须先了机或接经，才能上织轴 {beam}"),
        )
    }

    fn bad_tie(&self, tie: &WarpTied) -> Option<Contradiction> {
        let (id, old, new) = (&self.id, &tie.old_beam, &tie.new_beam);
        if old == new {
            let reason = format!("the warp of beam {old} cannot be tied to itself");
            return contradiction("loom.tied_to_itself", reason, format!("织轴 {old} 不能与自身接经"));
        }
        let missing = [new, old].into_iter().find(|beam| !self.is_or_was_on(beam))?;
        let reason = format!("beam {missing} is not on loom {id}, so that its warp cannot be tied there");
        contradiction("loom.beam_not_mounted", reason, format!("织轴 {missing} 不在织机 {id} 上，不能接经"))
    }

    fn is_or_was_on(&self, beam: &LotId) -> bool {
        !self.is_loom || self.beams.contains(beam) || self.last_beam.as_ref() == Some(beam)
    }

    fn bad_doff(&self, doff: &ClothDoffed) -> Option<Contradiction> {
        let (id, roll) = (&self.id, &doff.roll);
        let other = doff.beams.iter().map(|origin| &origin.lot).find(|beam| !self.is_or_was_on(beam))?;
        let reason = format!("beam {other} is not on loom {id}, so that roll {roll} cannot be of its warp");
        contradiction(
            "loom.doffed_from_other_beam",
            reason,
            format!("织轴 {other} 不在织机 {id} 上，布卷 {roll} 不可能用其经纱"),
        )
    }

    fn bad_change(&self, change: &SetPointChanged) -> Option<Contradiction> {
        let (id, parameter, unit) = (&self.id, &change.parameter, &change.unit);
        let (before, known) = (change.from?, self.set_points.get(parameter)?);
        let Ok(expected) = known.unit.convert(known.value, unit) else {
            let reason = format!(
                "set-point {parameter} of asset {id} was known in {}, which does not convert to {unit}",
                known.unit
            );
            let reason_zh = format!("设备 {id} 的设定值 {parameter} 原单位 {} 不能换算为 {unit}", known.unit);
            return contradiction("asset.set_point_unit", reason, reason_zh);
        };
        if (before - expected).abs() <= 1e-9 * before.abs().max(expected.abs()).max(1.0) {
            return None;
        }
        let reason = format!(
            "set-point {parameter} of asset {id} was known to be {expected} {unit}, not {before} {unit}: a change is missing"
        );
        let reason_zh =
            format!("设备 {id} 的设定值 {parameter} 已知为 {expected} {unit}，而不是 {before} {unit}：缺少一次更改");
        contradiction("asset.set_point_gap", reason, reason_zh)
    }

    fn evolve_loom(&mut self, event: &Event) {
        match event {
            Event::BeamMounted(e) if self.is(&e.asset) => {
                self.is_loom = true;
                if !self.beams.contains(&e.beam) {
                    if self.beams.len() >= MAX_BEAMS {
                        self.beams.remove(0);
                    }
                    self.beams.push(e.beam.clone());
                }
                self.order = Some(e.order.clone());
            }
            Event::WarpTied(e)
                if self.is(&e.asset) && (self.beams.contains(&e.old_beam) || self.last_beam.is_none()) =>
            {
                self.remove_beam(&e.old_beam);
            }
            Event::BeamFinished(e) if self.is(&e.asset) => {
                self.is_loom = true;
                self.remove_beam(&e.beam);
            }
            Event::WeftLotChanged(e) if self.is(&e.asset) => self.order = Some(e.order.clone()),
            _ => {}
        }
    }
}

impl Aggregate for State {
    fn evolve(mut self, event: &Event) -> Self {
        self.evolve_loom(event);
        match event {
            Event::AssetRegistered(e) if self.is(&e.asset) => self.class = Some(e.class.clone()),
            Event::AssetMapped(e) if self.is(&e.asset) => self.role = Some(e.equipment.clone()),
            Event::AssetUnmapped(e) if self.is(&e.asset) => self.role = self.role.filter(|role| *role != e.equipment),
            Event::MachineStateChanged(e) if self.is(&e.asset) => self.doing = Some(e.state),
            Event::SetPointChanged(e) if self.is(&e.asset) && e.to.is_finite() && self.remembers(&e.parameter) => {
                self.set_points.insert(e.parameter.clone(), Quantity::new(e.to, e.unit.clone()));
            }
            Event::AlarmRaised(e) if self.is(&e.asset) && self.alarms.len() < MAX_ALARMS => {
                self.alarms.insert(e.alarm.clone());
            }
            Event::AlarmCleared(e) if self.is(&e.asset) => {
                self.alarms.remove(&e.alarm);
            }
            _ => {}
        }
        self
    }

    fn contradiction(&self, event: &Event) -> Option<Contradiction> {
        let id = &self.id;
        match event {
            Event::AssetMapped(e) if self.is(&e.asset) => {
                let role = self.role.as_ref()?;
                let reason =
                    format!("asset {id} fills role {role}; it must leave it before it fills role {}", e.equipment);
                contradiction(
                    "asset.fills_a_role",
                    reason,
                    format!("设备 {id} 已担任 {role}，须先解除才能担任 {}", e.equipment),
                )
            }
            Event::AssetUnmapped(e) if self.is(&e.asset) && self.role.as_ref() != Some(&e.equipment) => {
                let reason = format!("asset {id} does not fill role {}", e.equipment);
                contradiction("asset.not_in_role", reason, format!("设备 {id} 并未担任 {}", e.equipment))
            }
            Event::SetPointChanged(e) if self.is(&e.asset) => self.bad_change(e),
            Event::AlarmRaised(e) if self.is(&e.asset) && self.alarms.contains(&e.alarm) => {
                let reason = format!("alarm {} of asset {id} is active already", e.alarm);
                contradiction("alarm.raised_twice", reason, format!("设备 {id} 的报警 {} 已处于激活状态", e.alarm))
            }
            Event::AlarmCleared(e)
                if self.is(&e.asset) && self.alarms.len() < MAX_ALARMS && !self.alarms.contains(&e.alarm) =>
            {
                let reason = format!("alarm {} of asset {id} is not active", e.alarm);
                contradiction("alarm.not_active", reason, format!("设备 {id} 的报警 {} 未激活", e.alarm))
            }
            Event::BeamMounted(e) if self.is(&e.asset) => self.bad_mount(e),
            Event::WarpTied(e) if self.is(&e.asset) => self.bad_tie(e),
            Event::BeamFinished(e) if self.is(&e.asset) && !self.beams.contains(&e.beam) && self.is_loom => {
                // A tie-in has taken the old beam off already; that it is finished is then no news and no contradiction.
                if self.last_beam.as_ref() == Some(&e.beam) && !self.beams.is_empty() {
                    return None;
                }
                let reason = format!("beam {} is not on loom {id}, so that it cannot be finished there", e.beam);
                contradiction("loom.beam_not_mounted", reason, format!("织轴 {} 不在织机 {id} 上，不能了机", e.beam))
            }
            Event::BeamFinished(e) if self.is(&e.asset) && !self.is_loom => {
                let reason =
                    format!("no beam was ever mounted on loom {id}, so that beam {} cannot be finished there", e.beam);
                contradiction("loom.beam_not_mounted", reason, format!("织机 {id} 从未上轴，织轴 {} 不能了机", e.beam))
            }
            Event::ClothDoffed(e) if self.is(&e.asset) => self.bad_doff(e),
            _ => None,
        }
    }
}

impl State {
    /// The last known value of a set-point, in this unit.
    pub fn set_point(&self, parameter: &Code, unit: &Unit) -> Option<f64> {
        let known = self.set_points.get(parameter)?;
        known.unit.convert(known.value, unit).ok()
    }
}
