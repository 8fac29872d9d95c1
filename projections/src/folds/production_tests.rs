use domain::Text;
use domain::events::{Joining, LotReleased, LotScrapped};
use domain::ids::{OrderId, PersonId};

use super::*;
use crate::testing::{entry, time};

fn asset() -> AssetId {
    AssetId::new("L07").unwrap()
}

fn lot(id: &str) -> LotId {
    LotId::new(id).unwrap()
}

fn material(id: &str) -> MaterialId {
    MaterialId::new(id).unwrap()
}

fn doffed(roll: &str, product: &str) -> Event {
    ClothDoffed {
        asset: asset(),
        roll: lot(roll),
        order: OrderId::new("O").unwrap(),
        product: material(product),
        picks: 1000,
        length_m: 10.0,
        beams: Vec::new(),
        wefts: Vec::new(),
        person: None,
    }
    .into()
}

#[test]
fn a_roll_was_woven_since_the_one_before() {
    let mut production = Production::default();
    // The second roll is logged first.
    production.apply(&entry(0, Some(time(20)), doffed("R-2", "a")));
    production.apply(&entry(1, Some(time(10)), doffed("R-1", "a")));
    production.apply(&entry(2, None, doffed("R-3", "a")));
    let shown = |as_of| {
        let rolls = production.rolls(&asset(), as_of);
        rolls.iter().map(|roll| (roll.doffed.value.roll.as_str().to_owned(), roll.from)).collect::<Vec<_>>()
    };
    assert_eq!(shown(AsOf::LATEST), [("R-1".to_owned(), None), ("R-2".to_owned(), Some(time(10)))]);
    assert_eq!(shown(AsOf::through(Position::new(0))), [("R-2".to_owned(), None)]);
    assert_eq!(production.roll(&lot("R-3"), AsOf::LATEST).unwrap().position, Position::new(2));
    assert!(production.roll(&lot("R-3"), AsOf::through(Position::new(1))).is_none());
}

#[test]
fn styles_follow_beams_and_rolls() {
    let mut production = Production::default();
    let mounted = BeamMounted {
        asset: asset(),
        beam: lot("B"),
        order: OrderId::new("O").unwrap(),
        product: material("a"),
        joining: Joining::DrawnIn,
        person: None,
    };
    production.apply(&entry(0, Some(time(0)), mounted));
    production.apply(&entry(1, Some(time(10)), doffed("R-1", "a")));
    production.apply(&entry(2, Some(time(20)), doffed("R-2", "b")));
    assert_eq!(production.styles(&asset(), AsOf::LATEST), [(time(0), &material("a")), (time(10), &material("b"))]);
    assert_eq!(production.assets().len(), 1);
}

#[test]
fn a_lot_is_held_until_it_is_released() {
    let mut production = Production::default();
    let held = || LotHeld { lot: lot("R-1"), reason: Some(Text::new("待检", "to be inspected")) };
    let person = Some(PersonId::new("P").unwrap());
    production.apply(&entry(0, Some(time(0)), LotReleased { lot: lot("R-1"), person: person.clone() }));
    production.apply(&entry(1, Some(time(1)), held()));
    production.apply(&entry(
        2,
        Some(time(2)),
        LotScrapped {
            lot: lot("R-1"),
            quantity: Some(domain::Quantity::new(1.0, domain::Unit::metre())),
            reason: None,
        },
    ));
    assert_eq!(production.held(AsOf::LATEST).count(), 1);
    production.apply(&entry(3, Some(time(3)), LotReleased { lot: lot("R-1"), person }));
    assert_eq!(production.held(AsOf::LATEST).count(), 0);
    assert_eq!(production.held(AsOf::through(Position::new(2))).count(), 1);
    production.apply(&entry(4, Some(time(4)), held()));
    assert_eq!(production.held(AsOf::LATEST).next().unwrap().0, Position::new(4));
}
