//! `Repository` and `AggregateRoot` on the log.

use eventually_core::aggregate::{AggregateRoot, AggregateRootBuilder};
use eventually_core::repository::{Error, Repository};
use eventually_core::store::AppendError;
use eventually_core::versioning::Versioned;

use eventlog_eventually::{Store, StoreError};

use crate::order::{Command, Event, Order, OrderId, Refused, State};
use crate::{engines, on_files, orders};

type Orders = Repository<Order, Store<OrderId, Event>>;

fn repository(store: Store<OrderId, Event>) -> Orders {
    Repository::new(AggregateRootBuilder::from(Order), store)
}

async fn placed(orders: &mut Orders, id: OrderId) -> AggregateRoot<Order> {
    let mut root = orders.get(id).await.unwrap();
    assert_eq!((root.version(), root.state()), (0, &State::default()));
    root.handle(Command::Place { article: "K-100" }).await.unwrap();
    orders.add(root).await.unwrap()
}

#[tokio::test]
async fn an_aggregate_is_saved_and_loaded() {
    for (log, _folder) in engines() {
        let mut orders = repository(orders(&log));
        let mut root = placed(&mut orders, OrderId(7)).await;
        assert_eq!(root.version(), 2);
        root.handle(Command::AddPicks(0)).await.unwrap();
        root.handle(Command::AddPicks(30)).await.unwrap().handle(Command::AddPicks(12)).await.unwrap();
        assert_eq!(root.version(), 2);
        let root = orders.add(root).await.unwrap();
        assert_eq!(root.version(), 4);
        let mut again = orders.get(OrderId(7)).await.unwrap();
        assert_eq!((again.version(), again.state()), (4, root.state()));
        assert_eq!(again.state().picks, 42);
        assert_eq!(again.handle(Command::Place { article: "K-200" }).await.unwrap_err(), Refused("placed already"));
        // Nothing was decided: nothing is appended.
        assert_eq!(orders.add(again).await.unwrap().version(), 4);
        assert_eq!(orders.get(OrderId(8)).await.unwrap().version(), 0);
        assert_eq!(log.tail().get(), 4);
    }
}

#[tokio::test]
async fn of_two_that_loaded_the_same_version_the_second_meets_a_conflict() {
    for (log, _folder) in engines() {
        let mut orders = repository(orders(&log));
        placed(&mut orders, OrderId(1)).await;
        let mut first = orders.get(OrderId(1)).await.unwrap();
        let mut second = orders.get(OrderId(1)).await.unwrap();
        first.handle(Command::AddPicks(5)).await.unwrap();
        second.handle(Command::Ship).await.unwrap();
        orders.add(first).await.unwrap();
        let Err(Error::Store(error)) = orders.add(second).await else { panic!("the second must be refused") };
        assert!(error.is_conflict_error());
        assert!(matches!(&error, StoreError::Conflict { expected: 2, actual: 3, .. }), "{error}");
        assert_eq!(log.tail().get(), 3);
        let mut again = orders.get(OrderId(1)).await.unwrap();
        again.handle(Command::Ship).await.unwrap();
        let again = orders.add(again).await.unwrap();
        assert_eq!((again.version(), again.picks, again.shipped), (4, 5, true));
    }
}

#[tokio::test]
async fn two_that_both_create_one_source_do_not_both_succeed() {
    for (log, _folder) in engines() {
        let mut orders = repository(orders(&log));
        let mut late = orders.get(OrderId(1)).await.unwrap();
        placed(&mut orders, OrderId(1)).await;
        late.handle(Command::Place { article: "K-300" }).await.unwrap();
        let Err(Error::Store(error)) = orders.add(late).await else { panic!("the second must be refused") };
        assert!(matches!(error, StoreError::Conflict { expected: 0, actual: 2, .. }), "{error}");
        assert_eq!(orders.get(OrderId(1)).await.unwrap().article.as_deref(), Some("K-100"));
    }
}

#[tokio::test]
async fn no_update_is_lost_between_many_writers() {
    const WRITERS: u32 = 8;
    const UPDATES: u32 = 20;
    for (log, _folder) in engines() {
        let id = OrderId(1);
        placed(&mut repository(orders(&log)), id).await;
        let mut writers = tokio::task::JoinSet::new();
        for _ in 0..WRITERS {
            let mut orders = repository(orders(&log));
            writers.spawn(async move {
                let (mut done, mut conflicts) = (0, 0);
                while done < UPDATES {
                    let mut root = orders.get(id).await.unwrap();
                    root.handle(Command::AddPicks(1)).await.unwrap();
                    match orders.add(root).await {
                        Ok(_) => done += 1,
                        Err(Error::Store(error)) if error.is_conflict_error() => conflicts += 1,
                        Err(error) => panic!("{error}"),
                    }
                }
                conflicts
            });
        }
        let conflicts: u32 = writers.join_all().await.into_iter().sum();
        let root = repository(orders(&log)).get(id).await.unwrap();
        assert_eq!((root.picks, root.version()), (WRITERS * UPDATES, 2 + WRITERS * UPDATES), "{conflicts} conflicts");
    }
}

#[tokio::test]
async fn an_aggregate_outlives_the_process_that_wrote_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut root = placed(&mut repository(orders(&on_files(folder.path()))), OrderId(1)).await;
    root.handle(Command::AddPicks(3)).await.unwrap();
    repository(orders(&on_files(folder.path()))).add(root).await.unwrap();
    let root = repository(orders(&on_files(folder.path()))).get(OrderId(1)).await.unwrap();
    assert_eq!((root.version(), root.picks), (3, 3));
}

#[tokio::test]
async fn removing_is_refused_and_changes_nothing() {
    for (log, _folder) in engines() {
        let mut orders = repository(orders(&log));
        placed(&mut orders, OrderId(1)).await;
        let Err(Error::Store(error)) = orders.remove(OrderId(1)).await else { panic!("nothing is removed") };
        assert!(matches!(&error, StoreError::NotRemovable { stream } if stream.as_str() == "order-A-1"), "{error}");
        assert!(!error.is_conflict_error());
        assert_eq!(orders.get(OrderId(1)).await.unwrap().version(), 2);
    }
}
