use super::*;
use crate::testing::Mill;
use surrealdb::engine::any::connect;

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_arrived_and_was_held_for_lost_is_sent_again_without_harm() {
    let mut mill = Mill::looms();
    let connection = connect("mem://").await.unwrap();
    let store = Store::open(&connection, "g0", 2, false, 2_048).await.unwrap();
    let half = mill.entries.len() / 2;
    store.apply(&mill.entries[..half], Position::new(half as u64), 2).await.unwrap();
    store.flush(2).await.unwrap();
    mill.coded(9_999, "N-0", "LOOM-01", "AIR_PRESSURE_LOW");
    store.apply(&mill.entries[half..], mill.through(), 2).await.unwrap();
    {
        let mut writing = store.writing.lock().await;
        store.write(&mut writing, 2).await.unwrap();
        let flight = writing.flight.as_mut().unwrap();
        flight.task.as_mut().unwrap().await.unwrap().unwrap();
        // As if its answer had been an error.
        flight.task = None;
        assert_eq!(writing.stored, Position::new(half as u64));
        store.land(&mut writing).await.unwrap();
        assert_eq!(writing.stored, mill.through());
    }
    let whole = Store::open(&connection, "g1", 2, false, 2_048).await.unwrap();
    whole.apply(&mill.entries, mill.through(), 2).await.unwrap();
    assert_eq!(store.digest(2).await.unwrap(), whole.digest(2).await.unwrap());
    let again = Store::open(&connection, "g0", 2, false, 2_048).await.unwrap();
    assert_eq!(again.applied(), mill.through());
}
