use domain::events::{AssetRegistered, SignalDefined};
use domain::values::Text;
use eventlog::Direction;
use proptest::prelude::*;

use super::*;
use crate::commands::Decision;
use crate::testing::{append, caller, code, deploy, deployment, loom, model, plant, register, registry, version};

#[tokio::test]
async fn a_signal_that_moves_is_found_at_its_new_place_only() {
    let (log, _) = registry();
    plant(&log).await;
    let moved = SignalDefined {
        signal: SignalId::new("LOOM-01.warp_tension").unwrap(),
        asset: loom(2),
        quantity: code("back_rest_tension"),
        name: Text::default(),
        unit: Unit::one(),
        low: None,
        high: None,
        period_ms: None,
        deadband: None,
        address: None,
    };
    append(&log, moved.into()).await;
    let mut catalogue = Catalogue::default();
    for record in log.read(Position::START, Direction::Forward, Catalogue::filter().unwrap(), 100).await.unwrap() {
        assert!(catalogue.apply(&Entry::decode(record)));
    }
    assert_eq!(catalogue.signal(&loom(1), &code("warp_tension")), None);
    assert!(catalogue.signal(&loom(2), &code("back_rest_tension")).is_some());
    assert!(catalogue.signal(&loom(2), &code("warp_tension")).is_some());
    assert_eq!((catalogue.signal_count(), catalogue.asset_count()), (4, 2));
}

#[tokio::test]
async fn classes_cover_their_assets_and_nothing_else() {
    let (log, _) = registry();
    plant(&log).await;
    let other = AssetRegistered {
        asset: AssetId::new("COMPRESSOR-1").unwrap(),
        name: Text::default(),
        class: AssetClass::new("compressor").unwrap(),
        maker: None,
        model: None,
        serial: None,
    };
    append(&log, other.clone().into()).await;
    let mut catalogue = Catalogue::default();
    for record in log.read(Position::START, Direction::Forward, Catalogue::filter().unwrap(), 100).await.unwrap() {
        catalogue.apply(&Entry::decode(record));
    }
    let looms = Target::Class(AssetClass::new("loom").unwrap());
    assert!(catalogue.covers(&looms, &loom(1)));
    assert!(!catalogue.covers(&looms, &other.asset));
    assert!(catalogue.covers(&Target::Asset(other.asset.clone()), &other.asset));
}

/// A command against the registry, by number.
async fn command(registry: &crate::Registry, choice: u8, number: u32) {
    // What the rules refuse changes nothing, which is what the property is about.
    match choice {
        0 => drop(registry.create_version(&caller(), version(f64::from(number))).await),
        1 => drop(registry.set_alias(&caller(), &model(), &code("champion"), number).await),
        2 => drop(registry.remove_alias(&caller(), &model(), &code("champion")).await),
        3 => drop(registry.deploy(&caller(), deploy(number, 5)).await),
        4 => drop(registry.roll_back(&caller(), &deployment(), Decision::default()).await),
        _ => drop(registry.retire(&caller(), &deployment(), Decision::default()).await),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The facade's catalogue, kept up to date command by command, equals one that is folded from the whole log at the end.
    #[test]
    fn step_by_step_and_rebuilt_are_the_same(commands in prop::collection::vec((0_u8..6, 1_u32..4), 0..16)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (log, registry) = registry();
            plant(&log).await;
            register(&registry).await;
            for (choice, number) in commands {
                command(&registry, choice, number).await;
                registry.with_catalogue(|_| ()).await.unwrap();
            }
            let kept = registry.with_catalogue(Catalogue::clone).await.unwrap();
            let fresh = crate::Registry::new(log, crate::ArtifactStore::in_memory());
            let rebuilt = fresh.with_catalogue(Catalogue::clone).await.unwrap();
            prop_assert_eq!(kept, rebuilt);
            Ok(())
        })?;
    }
}
