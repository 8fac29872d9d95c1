//! Inspections: recorded once.

use serde::{Deserialize, Serialize};

use super::{Aggregate, Contradiction, contradiction};
use crate::events::{Event, Verdict};

/// What is known of an inspection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Its id.
    pub id: String,
    /// Its verdict, once it was recorded.
    pub verdict: Option<Verdict>,
}

impl State {
    /// An inspection that was never recorded.
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), verdict: None }
    }
}

impl Aggregate for State {
    fn evolve(mut self, event: &Event) -> Self {
        if let Event::InspectionRecorded(e) = event
            && self.id == e.inspection.as_str()
        {
            self.verdict = Some(e.verdict);
        }
        self
    }

    fn contradiction(&self, event: &Event) -> Option<Contradiction> {
        let id = &self.id;
        let Event::InspectionRecorded(e) = event else { return None };
        if *id != e.inspection.as_str() {
            return None;
        }
        if self.verdict.is_some() {
            let reason = format!("inspection {id} was recorded before");
            return contradiction("inspection.recorded_twice", reason, format!("检验 {id} 此前已记录"));
        }
        let wrong = e.defects.iter().find_map(|defect| defect.points.filter(|points| !(1..=4).contains(points)))?;
        let reason = format!("a defect has 1 to 4 points (ASTM D5430), not {wrong}");
        contradiction("inspection.points", reason, format!("每个疵点计 1 至 4 分（ASTM D5430），不是 {wrong} 分"))
    }
}
