//! Nonconformances: raised, decided.

use serde::{Deserialize, Serialize};

use super::{Aggregate, Contradiction, contradiction};
use crate::events::{Disposition, Event};
use crate::ids::{LotId, NonconformanceId};

/// What is known of a nonconformance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Its id.
    pub id: String,
    /// Whether it was raised.
    pub raised: bool,
    /// The lot that it is about.
    pub lot: Option<LotId>,
    /// What becomes of the material, once that is decided.
    pub disposition: Option<Disposition>,
}

impl State {
    /// A nonconformance that was never raised.
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), raised: false, lot: None, disposition: None }
    }

    fn is(&self, nonconformance: &NonconformanceId) -> bool {
        self.id == nonconformance.as_str()
    }
}

impl Aggregate for State {
    fn evolve(mut self, event: &Event) -> Self {
        match event {
            Event::NonconformanceRaised(e) if self.is(&e.nonconformance) => {
                self.raised = true;
                self.lot = self.lot.or_else(|| e.lot.clone());
            }
            Event::DispositionDecided(e) if self.is(&e.nonconformance) => self.disposition = Some(e.disposition),
            _ => {}
        }
        self
    }

    fn contradiction(&self, event: &Event) -> Option<Contradiction> {
        let id = &self.id;
        match event {
            Event::NonconformanceRaised(e) if self.is(&e.nonconformance) && self.raised => {
                let reason = format!("nonconformance {id} was raised before");
                contradiction("nonconformance.raised_twice", reason, format!("不合格 {id} 此前已提出"))
            }
            Event::DispositionDecided(e) if self.is(&e.nonconformance) => {
                if !self.raised {
                    let reason = format!("nonconformance {id} was never raised");
                    return contradiction("nonconformance.not_raised", reason, format!("不合格 {id} 从未提出"));
                }
                if self.disposition.is_some() {
                    let reason = format!("nonconformance {id} was decided before");
                    return contradiction("nonconformance.decided_twice", reason, format!("不合格 {id} 此前已处置"));
                }
                let (known, lot) = (self.lot.as_ref()?, e.lot.as_ref()?);
                if known == lot {
                    return None;
                }
                let reason = format!("nonconformance {id} is about lot {known}, not about lot {lot}");
                contradiction(
                    "nonconformance.other_lot",
                    reason,
                    format!("不合格 {id} 针对批次 {known}，不是批次 {lot}"),
                )
            }
            _ => None,
        }
    }
}
