//! The catalog: equipment, assets, signals and people, each described by versions.

use std::collections::{BTreeMap, BTreeSet};

use domain::Event;
use domain::events::{AssetRegistered, CalibrationPerformed, EquipmentDefined, QualificationGranted, SignalDefined};
use domain::ids::{AssetClass, AssetId, EquipmentId, PersonId, SignalId};
use domain::personal::DataSubject;
use eventlog::{Digest, Filter, Position};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{AsOf, Entry, Fact, Fold, History, filters, state_digest};

/// Whether something begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Change {
    Begin,
    End,
}

/// An asset filled a role, from one event to another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mapping {
    /// The asset.
    pub asset: AssetId,
    /// The role.
    pub equipment: EquipmentId,
    /// Since when; `None` means that the time is unknown.
    pub from: Option<Timestamp>,
    /// Until when; `None` means that it lasts, or that the time is unknown.
    pub to: Option<Timestamp>,
    /// Whether it lasts.
    pub open: bool,
    /// Where the log says that it began and ended.
    pub positions: Vec<Position>,
}

/// A person was logged in at an asset.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Login {
    /// The asset.
    pub asset: AssetId,
    /// Since when; `None` means that the time is unknown.
    pub from: Option<Timestamp>,
    /// Until when; `None` means that it lasts, or that the time is unknown.
    pub to: Option<Timestamp>,
    /// Whether it lasts.
    pub open: bool,
    /// Where the log says that it began and ended.
    pub positions: Vec<Position>,
}

/// What there is in the plant. Every description keeps its versions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalog {
    equipment: BTreeMap<EquipmentId, History<EquipmentDefined>>,
    assets: BTreeMap<AssetId, History<AssetRegistered>>,
    signals: BTreeMap<SignalId, History<SignalDefined>>,
    signals_by_asset: BTreeMap<AssetId, BTreeSet<SignalId>>,
    mappings: History<(AssetId, EquipmentId, Change)>,
    qualifications: BTreeMap<PersonId, History<QualificationGranted>>,
    logins: BTreeMap<PersonId, History<(AssetId, Change)>>,
    calibrations: BTreeMap<SignalId, History<CalibrationPerformed>>,
}

impl Fold for Catalog {
    const NAME: &'static str = "catalog";
    const VERSION: u32 = 1;

    fn filter() -> Filter {
        filters::types(&[
            "equipment.defined",
            "equipment.asset_mapped",
            "equipment.asset_unmapped",
            "asset.registered",
            "signal.defined",
            "signal.calibrated",
            "person.qualified",
            "person.logged_in",
            "person.logged_out",
            "subject.erased",
        ])
    }

    fn apply(&mut self, entry: &Entry) {
        match entry.event() {
            Some(Event::EquipmentDefined(event)) => {
                self.equipment.entry(event.equipment.clone()).or_default().push(entry, event.clone());
            }
            Some(Event::AssetRegistered(event)) => {
                self.assets.entry(event.asset.clone()).or_default().push(entry, event.clone());
            }
            Some(Event::SignalDefined(event)) => {
                self.signals_by_asset.entry(event.asset.clone()).or_default().insert(event.signal.clone());
                self.signals.entry(event.signal.clone()).or_default().push(entry, event.clone());
            }
            Some(Event::AssetMapped(event)) => {
                self.mappings.push(entry, (event.asset.clone(), event.equipment.clone(), Change::Begin));
            }
            Some(Event::AssetUnmapped(event)) => {
                self.mappings.push(entry, (event.asset.clone(), event.equipment.clone(), Change::End));
            }
            Some(Event::CalibrationPerformed(event)) => {
                self.calibrations.entry(event.signal.clone()).or_default().push(entry, event.clone());
            }
            Some(Event::QualificationGranted(event)) => {
                self.qualifications.entry(event.person.clone()).or_default().push(entry, event.clone());
            }
            Some(Event::PersonLoggedIn(event)) => {
                self.logins.entry(event.person.clone()).or_default().push(entry, (event.asset.clone(), Change::Begin));
            }
            Some(Event::PersonLoggedOut(event)) => {
                self.logins.entry(event.person.clone()).or_default().push(entry, (event.asset.clone(), Change::End));
            }
            Some(Event::SubjectErased(event)) => {
                if let DataSubject::Person(person) = &event.subject {
                    self.qualifications.remove(person);
                }
            }
            _ => {}
        }
    }

    fn digest(&self) -> Digest {
        state_digest(self)
    }
}

impl Catalog {
    /// A role, as it was described last.
    pub fn equipment(&self, id: &EquipmentId, as_of: AsOf) -> Option<&Fact<EquipmentDefined>> {
        self.equipment.get(id)?.last(as_of)
    }

    /// Every role, by id.
    pub fn all_equipment(&self, as_of: AsOf) -> impl Iterator<Item = &Fact<EquipmentDefined>> {
        self.equipment.values().filter_map(move |history| history.last(as_of))
    }

    /// An asset, as it was described last.
    pub fn asset(&self, id: &AssetId, as_of: AsOf) -> Option<&Fact<AssetRegistered>> {
        self.assets.get(id)?.last(as_of)
    }

    /// Every description of an asset.
    pub fn asset_versions(&self, id: &AssetId, as_of: AsOf) -> &[Fact<AssetRegistered>] {
        self.assets.get(id).map(|history| history.as_of(as_of)).unwrap_or_default()
    }

    /// Every asset, by id.
    pub fn assets(&self, as_of: AsOf) -> impl Iterator<Item = &Fact<AssetRegistered>> {
        self.assets.values().filter_map(move |history| history.last(as_of))
    }

    /// The class of an asset.
    pub fn class_of(&self, id: &AssetId, as_of: AsOf) -> Option<&AssetClass> {
        self.asset(id, as_of).map(|fact| &fact.value.class)
    }

    /// The assets of a class, by id.
    pub fn assets_of_class(&self, class: &AssetClass, as_of: AsOf) -> impl Iterator<Item = &Fact<AssetRegistered>> {
        self.assets(as_of).filter(move |fact| fact.value.class == *class)
    }

    /// A signal, as it was described last.
    pub fn signal(&self, id: &SignalId, as_of: AsOf) -> Option<&Fact<SignalDefined>> {
        self.signals.get(id)?.last(as_of)
    }

    /// Every signal, by id.
    pub fn signals(&self, as_of: AsOf) -> impl Iterator<Item = &Fact<SignalDefined>> {
        self.signals.values().filter_map(move |history| history.last(as_of))
    }

    /// The signals of an asset, by id.
    pub fn signals_of(&self, asset: &AssetId, as_of: AsOf) -> impl Iterator<Item = &Fact<SignalDefined>> {
        let ids = self.signals_by_asset.get(asset).into_iter().flatten();
        // A signal can have moved to another asset since.
        ids.filter_map(move |id| self.signal(id, as_of)).filter(move |fact| fact.value.asset == *asset)
    }

    /// The signal that measures a quantity at an asset; the first by id, where there are several.
    pub fn signal_for(&self, asset: &AssetId, quantity: &str, as_of: AsOf) -> Option<&Fact<SignalDefined>> {
        self.signals_of(asset, as_of).find(|fact| fact.value.quantity.as_str() == quantity)
    }

    /// Every stretch of time in which an asset filled a role, in the order in which they began in the log.
    pub fn mappings(&self, as_of: AsOf) -> Vec<Mapping> {
        let mut mappings: Vec<Mapping> = Vec::new();
        for fact in self.mappings.as_of(as_of) {
            let (asset, equipment, change) = &fact.value;
            let open = mappings
                .iter_mut()
                .rev()
                .find(|mapping| mapping.open && mapping.asset == *asset && mapping.equipment == *equipment);
            match (change, open) {
                // Said twice: the first one stands, and has one more proof.
                (Change::Begin, Some(mapping)) => mapping.positions.push(fact.position),
                (Change::Begin, None) => mappings.push(Mapping {
                    asset: asset.clone(),
                    equipment: equipment.clone(),
                    from: fact.time,
                    to: None,
                    open: true,
                    positions: vec![fact.position],
                }),
                (Change::End, Some(mapping)) => {
                    mapping.to = fact.time;
                    mapping.open = false;
                    mapping.positions.push(fact.position);
                }
                // An end without a beginning is a discrepancy, and says nothing about a stretch.
                (Change::End, None) => {}
            }
        }
        mappings
    }

    /// The roles that an asset filled at a time.
    pub fn roles_of(&self, asset: &AssetId, at: Timestamp, as_of: AsOf) -> Vec<Mapping> {
        let mut mappings = self.mappings(as_of);
        mappings.retain(|mapping| mapping.asset == *asset && covers(mapping.from, mapping.to, mapping.open, at));
        mappings
    }

    /// The assets that filled a role at a time.
    pub fn assets_in(&self, equipment: &EquipmentId, at: Timestamp, as_of: AsOf) -> Vec<Mapping> {
        let mut mappings = self.mappings(as_of);
        mappings
            .retain(|mapping| mapping.equipment == *equipment && covers(mapping.from, mapping.to, mapping.open, at));
        mappings
    }

    /// What a person may do, in log order.
    pub fn qualifications(&self, person: &PersonId, as_of: AsOf) -> &[Fact<QualificationGranted>] {
        self.qualifications.get(person).map(|history| history.as_of(as_of)).unwrap_or_default()
    }

    /// Whether a person had a skill at a time. A grant of unknown time counts from ever.
    pub fn is_qualified(&self, person: &PersonId, skill: &str, at: Timestamp, as_of: AsOf) -> bool {
        self.qualifications(person, as_of).iter().any(|fact| {
            fact.value.skill.as_str() == skill
                && fact.time.is_none_or(|since| since <= at)
                && fact.value.until.is_none_or(|until| at < until)
        })
    }

    /// Where a person was logged in, in log order.
    pub fn logins(&self, person: &PersonId, as_of: AsOf) -> Vec<Login> {
        let mut logins: Vec<Login> = Vec::new();
        let facts = self.logins.get(person).map(|history| history.as_of(as_of)).unwrap_or_default();
        for fact in facts {
            let (asset, change) = &fact.value;
            let open = logins.iter_mut().rev().find(|login| login.open && login.asset == *asset);
            match (change, open) {
                (Change::Begin, Some(login)) => login.positions.push(fact.position),
                (Change::Begin, None) => logins.push(Login {
                    asset: asset.clone(),
                    from: fact.time,
                    to: None,
                    open: true,
                    positions: vec![fact.position],
                }),
                (Change::End, Some(login)) => {
                    login.to = fact.time;
                    login.open = false;
                    login.positions.push(fact.position);
                }
                (Change::End, None) => {}
            }
        }
        logins
    }

    /// Everybody of whom a qualification or a log-in is known, by id.
    pub fn people(&self, as_of: AsOf) -> BTreeSet<&PersonId> {
        let qualified = self.qualifications.iter().filter(|(_, history)| !history.as_of(as_of).is_empty());
        let logged_in = self.logins.iter().filter(|(_, history)| !history.as_of(as_of).is_empty());
        qualified.map(|(person, _)| person).chain(logged_in.map(|(person, _)| person)).collect()
    }

    /// The calibrations of a signal's measuring chain, in log order.
    pub fn calibrations(&self, signal: &SignalId, as_of: AsOf) -> &[Fact<CalibrationPerformed>] {
        self.calibrations.get(signal).map(|history| history.as_of(as_of)).unwrap_or_default()
    }
}

fn covers(from: Option<Timestamp>, to: Option<Timestamp>, open: bool, at: Timestamp) -> bool {
    from.is_none_or(|from| from <= at) && (open || to.is_none_or(|to| at < to))
}
