use domain::Event;
use domain::ids::{ArticleId, AssetId, WarningId};
use eventlog::Position;
use proptest::prelude::*;
use serde_json::json;

use super::Warnings;
use crate::testing::entries;
use crate::{AsOf, Entry, Fold};

fn raised(id: &str, rule: &str, asset: &str) -> Event {
    let evidence = json!({"value": 3.0, "threshold": 2.0, "from": "2026-03-02T04:10:00Z", "to": "2026-03-02T05:10:00Z", "since": "2026-03-02T05:10:00Z", "positions": [1]});
    let payload = json!({"warning": id, "rule": rule, "revision": 1, "asset": asset, "mode": "BEA-WEA", "horizon_s": 3600, "evidence": evidence});
    Event::from_value("warning.raised", 1, payload).unwrap()
}

fn cleared(id: &str, rule: &str, asset: &str) -> Event {
    let payload = json!({"warning": id, "rule": rule, "asset": asset, "by": "calm"});
    Event::from_value("warning.cleared", 1, payload).unwrap()
}

fn folded(entries: &[Entry]) -> Warnings {
    let mut warnings = Warnings::default();
    entries.iter().for_each(|entry| warnings.apply(entry));
    warnings
}

#[test]
fn a_warning_is_open_until_it_is_cleared_and_was_open_before() {
    let all = entries(vec![
        raised("w1", "R", "L1"),
        raised("w1", "R", "L2"),
        cleared("nobody", "R", "L1"),
        raised("w2", "R", "L2"),
        cleared("w1", "R", "L1"),
        cleared("w1", "R", "L1"),
    ]);
    let warnings = folded(&all);
    let open = |as_of| warnings.open(as_of).map(|view| view.raised.value.warning.to_string()).collect::<Vec<_>>();
    assert_eq!(open(AsOf::LATEST), ["w2"]);
    assert_eq!(open(AsOf::through(Position::new(3))), ["w1", "w2"]);
    let (rule, first, second) =
        (ArticleId::new("R").unwrap(), AssetId::new("L1").unwrap(), AssetId::new("L2").unwrap());
    assert!(warnings.open_of(&rule, &first, AsOf::LATEST).is_none());
    assert!(warnings.open_of(&rule, &second, AsOf::LATEST).is_some());
    let ended = warnings.warning(&WarningId::new("w1").unwrap(), AsOf::LATEST).unwrap();
    assert_eq!(ended.cleared.unwrap().position, Position::new(4));
    assert_eq!(warnings.all(AsOf::LATEST).count(), 2);
    assert_eq!(warnings.horizon(AsOf::LATEST), all[5].event_time);
}

fn any_event() -> impl Strategy<Value = Event> {
    (0..2_u8, 0..4_u8, 0..2_u8).prop_map(|(kind, id, place)| {
        let (id, asset) = (format!("w{id}"), format!("L{place}"));
        if kind == 0 { raised(&id, "R", &asset) } else { cleared(&id, "R", &asset) }
    })
}

proptest! {
    /// What was known at a position is what a replay up to it knows; and a fold that was written down and read goes on as if it had not been.
    #[test]
    fn as_of_is_a_replay_up_to_there(events in prop::collection::vec(any_event(), 1..30), cut in 0..30_usize) {
        let all = entries(events);
        let cut = cut.min(all.len() - 1);
        let whole = folded(&all);
        let then = AsOf::through(all[cut].position);
        let mut part = folded(&all[..=cut]);
        let views = |warnings: &Warnings, as_of| format!("{:?}", warnings.all(as_of).collect::<Vec<_>>());
        prop_assert_eq!(views(&whole, then), views(&part, AsOf::LATEST));
        prop_assert_eq!(whole.horizon(then), part.horizon(AsOf::LATEST));
        part = rmp_serde::from_slice(&rmp_serde::to_vec_named(&part).unwrap()).unwrap();
        all[cut + 1..].iter().for_each(|entry| part.apply(entry));
        prop_assert_eq!(part.digest(), whole.digest());
    }
}
