use domain::events::{HoldScope, LegalHoldPlaced, LegalHoldReleased, PositionRange, RetentionApplied};
use domain::ids::{Code, HoldId};
use domain::personal::DataSubject;
use domain::{Event, Text};
use eventlog::Position;

use super::{Privacy, covers};
use crate::testing::{entries, erased, time};
use crate::{AsOf, Fold};

fn placed(hold: &str, tag: &str) -> Event {
    let scope = HoldScope { tags: vec![tag.to_owned()], ..HoldScope::default() };
    LegalHoldPlaced { hold: HoldId::new(hold).unwrap(), scope, reason: Text::guessed("claim"), person: None }.into()
}

fn released(hold: &str) -> Event {
    LegalHoldReleased { hold: HoldId::new(hold).unwrap(), reason: Text::guessed("over"), person: None }.into()
}

fn folded(events: Vec<Event>) -> Privacy {
    let mut privacy = Privacy::default();
    entries(events).iter().for_each(|entry| privacy.apply(entry));
    privacy
}

#[test]
fn erasures_are_found_by_subject_and_by_key() {
    let privacy = folded(vec![erased("person:P-17"), erased("customer:C-4"), erased("person:P-17")]);
    let subject = DataSubject::parse("person:P-17").unwrap();
    let first = privacy.erasure_of(&subject).unwrap();
    assert_eq!((first.position, first.actor.as_str()), (Position::START, "test"));
    assert_eq!(privacy.erasure_by_key(first.erased.data_key), Some(first));
    assert_eq!(privacy.erasures().len(), 3);
    assert!(privacy.erasure_of(&DataSubject::parse("person:P-18").unwrap()).is_none());
}

#[test]
fn a_hold_lasts_until_it_is_released_and_its_name_can_be_used_again() {
    let privacy =
        folded(vec![placed("H", "a:1"), placed("K", "a:2"), released("H"), released("H"), placed("H", "a:3")]);
    let lasting: Vec<&str> = privacy.lasting().map(|hold| hold.scope.tags[0].as_str()).collect();
    assert_eq!(lasting, ["a:3", "a:2"]);
    assert_eq!(privacy.holds(AsOf::LATEST).count(), 3);
    assert_eq!(privacy.holds(AsOf::through(Position::new(0))).count(), 1);
}

#[test]
fn what_expired_is_found_by_position() {
    let range = |first, last| PositionRange { first, last };
    let ranges = vec![range(2, 4), range(7, 7), range(9, 20)];
    let expiry = RetentionApplied {
        class: Code::new("telemetry").unwrap(),
        before: time(0),
        ranges: ranges.clone(),
        records: 16,
        frames: 16,
        readings: 100,
        carried: Vec::new(),
    };
    let privacy = folded(vec![expiry.into()]);
    for position in 0..25 {
        let expected = (2..=4).contains(&position) || position == 7 || (9..=20).contains(&position);
        assert_eq!(covers(&ranges, Position::new(position)), expected, "{position}");
        assert_eq!(privacy.expiry_of(Position::new(position)).is_some(), expected, "{position}");
    }
}
