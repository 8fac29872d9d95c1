//! Job orders: created, started, worked on, completed.

use serde::{Deserialize, Serialize};

use super::{Aggregate, Contradiction, contradiction};
use crate::events::Event;
use crate::ids::{MaterialId, OrderId};

/// What is known of a job order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Its id.
    pub id: String,
    /// What is to be made, once it was created.
    pub product: Option<MaterialId>,
    /// Whether any work for it was reported.
    pub started: bool,
    /// Whether it is done.
    pub completed: bool,
}

impl State {
    /// An order that nothing has happened to.
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), product: None, started: false, completed: false }
    }

    fn is(&self, order: &OrderId) -> bool {
        self.id == order.as_str()
    }

    /// Whether the event is work for this order.
    fn is_worked_on(&self, event: &Event) -> bool {
        match event {
            Event::OrderStarted(e) => self.is(&e.order),
            Event::OperationReported(e) => self.is(&e.order),
            Event::MaterialConsumed(e) => self.is(&e.order),
            Event::MaterialProduced(e) => self.is(&e.order),
            Event::WarpingCompleted(e) => self.is(&e.order),
            Event::SizingCompleted(e) => self.is(&e.order),
            Event::BeamMounted(e) => self.is(&e.order),
            Event::WeftLotChanged(e) => self.is(&e.order),
            Event::ClothDoffed(e) => self.is(&e.order),
            _ => false,
        }
    }
}

impl Aggregate for State {
    fn evolve(mut self, event: &Event) -> Self {
        self.started |= self.is_worked_on(event);
        match event {
            Event::OrderCreated(e) if self.is(&e.order) => self.product = Some(e.product.clone()),
            Event::OrderCompleted(e) if self.is(&e.order) => self.completed = true,
            _ => {}
        }
        self
    }

    fn contradiction(&self, event: &Event) -> Option<Contradiction> {
        let id = &self.id;
        match event {
            Event::OrderCreated(e) if self.is(&e.order) && self.product.is_some() => contradiction(
                "order.created_twice",
                format!("order {id} was created before"),
                format!("工单 {id} 此前已建立"),
            ),
            Event::OrderStarted(e) if self.is(&e.order) && self.product.is_none() => contradiction(
                "order.not_created",
                format!("order {id} was never created"),
                format!("工单 {id} 从未建立"),
            ),
            Event::OrderCompleted(e) if self.is(&e.order) => {
                if self.completed {
                    let reason = format!("order {id} was completed before");
                    return contradiction("order.completed_twice", reason, format!("工单 {id} 此前已完工"));
                }
                if self.product.is_none() && !self.started {
                    return contradiction(
                        "order.not_created",
                        format!("order {id} was never created"),
                        format!("工单 {id} 从未建立"),
                    );
                }
                if !self.started {
                    let reason = format!("order {id} was never started, so that it cannot be completed");
                    return contradiction(
                        "order.completed_before_start",
                        reason,
                        format!("工单 {id} 从未开工，不能完工"),
                    );
                }
                None
            }
            event if self.completed && self.is_worked_on(event) => {
                let reason = format!("order {id} is completed, so that no work can be done for it");
                contradiction("order.work_after_completion", reason, format!("工单 {id} 已完工，不能再作业"))
            }
            _ => None,
        }
    }
}
