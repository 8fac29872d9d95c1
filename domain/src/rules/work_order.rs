//! Maintenance work orders: opened, milestone after milestone, worked on, closed.

use serde::{Deserialize, Serialize};

use super::{Aggregate, Contradiction, contradiction};
use crate::events::{Event, Milestone};
use crate::ids::{AssetId, FaultId, WorkOrderId};

/// What is known of a work order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Its id.
    pub id: String,
    /// The asset, once it was opened.
    pub asset: Option<AssetId>,
    /// The fault that it answers.
    pub fault: Option<FaultId>,
    /// The furthest milestone that it reached.
    pub reached: Option<Milestone>,
    /// Whether it is closed.
    pub closed: bool,
}

impl State {
    /// A work order that was never opened.
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), asset: None, fault: None, reached: None, closed: false }
    }

    fn is(&self, work_order: &WorkOrderId) -> bool {
        self.id == work_order.as_str()
    }

    fn not_there(&self, asset: &AssetId) -> Option<Contradiction> {
        let id = &self.id;
        match &self.asset {
            None => contradiction(
                "work_order.not_opened",
                format!("work order {id} was never opened"),
                format!("维修工单 {id} 从未开立"),
            ),
            Some(known) if known != asset => {
                let reason = format!("work order {id} is for asset {known}, not for asset {asset}");
                contradiction(
                    "work_order.other_asset",
                    reason,
                    format!("维修工单 {id} 针对设备 {known}，不是设备 {asset}"),
                )
            }
            Some(_) => None,
        }
    }

    fn over(&self) -> Option<Contradiction> {
        let id = &self.id;
        if !self.closed {
            return None;
        }
        contradiction(
            "work_order.work_after_close",
            format!("work order {id} is closed"),
            format!("维修工单 {id} 已关闭"),
        )
    }
}

impl Aggregate for State {
    fn evolve(mut self, event: &Event) -> Self {
        match event {
            Event::WorkOrderOpened(e) if self.is(&e.work_order) => {
                self.asset = self.asset.or_else(|| Some(e.asset.clone()));
                self.fault = self.fault.or_else(|| e.fault.clone());
            }
            Event::WorkOrderProgressed(e) if self.is(&e.work_order) => {
                self.reached = self.reached.max(Some(e.milestone))
            }
            Event::WorkOrderClosed(e) if self.is(&e.work_order) => self.closed = true,
            _ => {}
        }
        self
    }

    fn contradiction(&self, event: &Event) -> Option<Contradiction> {
        let id = &self.id;
        match event {
            Event::WorkOrderOpened(e) if self.is(&e.work_order) && self.asset.is_some() => {
                let reason = format!("work order {id} was opened before");
                contradiction("work_order.opened_twice", reason, format!("维修工单 {id} 此前已开立"))
            }
            Event::WorkOrderProgressed(e) if self.is(&e.work_order) => {
                self.not_there(&e.asset).or_else(|| self.over()).or_else(|| {
                    let reached = self.reached.filter(|reached| *reached > e.milestone)?;
                    let (reached, milestone) = (name(reached), name(e.milestone));
                    let reason =
                        format!("work order {id} has reached {reached}, so that it cannot go back to {milestone}");
                    contradiction(
                        "work_order.backwards",
                        reason,
                        format!("维修工单 {id} 已到 {reached}，不能退回 {milestone}"),
                    )
                })
            }
            Event::WorkDone(e) if self.is(&e.work_order) => self.not_there(&e.asset).or_else(|| self.over()),
            Event::WorkOrderClosed(e) if self.is(&e.work_order) => {
                if self.closed {
                    let reason = format!("work order {id} was closed before");
                    return contradiction("work_order.closed_twice", reason, format!("维修工单 {id} 此前已关闭"));
                }
                self.not_there(&e.asset)
            }
            _ => None,
        }
    }
}

/// The milestone as it is written in events.
const fn name(milestone: Milestone) -> &'static str {
    match milestone {
        Milestone::MachineDown => "machine_down",
        Milestone::WorkorderStart => "workorder_start",
        Milestone::TechnicianArrive => "technician_arrive",
        Milestone::SolutionFound => "solution_found",
        Milestone::PartOrdered => "part_ordered",
        Milestone::PartReceived => "part_received",
        Milestone::SolutionSolve => "solution_solve",
        Milestone::MachineUp => "machine_up",
        Milestone::WorkorderCompletion => "workorder_completion",
    }
}
