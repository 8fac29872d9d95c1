//! Fault episodes: observed, coded, closed.

use serde::{Deserialize, Serialize};

use super::{Aggregate, Contradiction, contradiction};
use crate::events::Event;
use crate::ids::{AssetId, Code, FaultId};

/// What is known of a fault episode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Its id.
    pub id: String,
    /// The asset, once it was observed.
    pub asset: Option<AssetId>,
    /// The failure mode of the last coding.
    pub mode: Option<Code>,
    /// Whether the asset does again what it should.
    pub closed: bool,
}

impl State {
    /// A fault that nobody has observed.
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), asset: None, mode: None, closed: false }
    }

    fn is(&self, fault: &FaultId) -> bool {
        self.id == fault.as_str()
    }

    fn not_there(&self, asset: &AssetId) -> Option<Contradiction> {
        let id = &self.id;
        match &self.asset {
            None => contradiction(
                "fault.not_observed",
                format!("fault {id} was never observed"),
                format!("故障 {id} 从未被发现"),
            ),
            Some(known) if known != asset => {
                let reason = format!("fault {id} is one of asset {known}, not of asset {asset}");
                contradiction("fault.other_asset", reason, format!("故障 {id} 属于设备 {known}，不属于设备 {asset}"))
            }
            Some(_) => None,
        }
    }
}

impl Aggregate for State {
    fn evolve(mut self, event: &Event) -> Self {
        match event {
            Event::FaultObserved(e) if self.is(&e.fault) => self.asset = self.asset.or_else(|| Some(e.asset.clone())),
            Event::FaultCoded(e) if self.is(&e.fault) => self.mode = Some(e.mode.clone()),
            Event::FaultClosed(e) if self.is(&e.fault) => self.closed = true,
            _ => {}
        }
        self
    }

    fn contradiction(&self, event: &Event) -> Option<Contradiction> {
        let id = &self.id;
        match event {
            Event::FaultObserved(e) if self.is(&e.fault) && self.asset.is_some() => {
                let reason = format!("fault {id} was observed before: each episode has an id of its own");
                contradiction("fault.observed_twice", reason, format!("故障 {id} 此前已登记：每次故障须有自己的编号"))
            }
            // A coding after the closing is normal: causes are often found later.
            Event::FaultCoded(e) if self.is(&e.fault) => self.not_there(&e.asset),
            Event::FaultClosed(e) if self.is(&e.fault) => {
                if self.closed {
                    return contradiction(
                        "fault.closed_twice",
                        format!("fault {id} was closed before"),
                        format!("故障 {id} 此前已关闭"),
                    );
                }
                self.not_there(&e.asset)
            }
            _ => None,
        }
    }
}
