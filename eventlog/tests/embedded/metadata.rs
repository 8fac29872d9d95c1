use eventlog::metadata::{self, CategoryMetadata, RetentionClass, StreamMetadata};
use eventlog::{AppendCondition, AppendError, Category, Direction, EventLog, ReadError, Revision, StreamId};

use crate::support::{append, event, open};

#[tokio::test]
async fn metadata_are_known_after_reopening_wherever_they_stand() {
    let directory = tempfile::tempdir().unwrap();
    let (order, lot) = (StreamId::new("order-1").unwrap(), StreamId::new("lot-1").unwrap());
    let class = |name| Some(RetentionClass::new(name).unwrap());
    let log = open(directory.path());
    let _ = append(&log, 0..40).await;
    let deleted = StreamMetadata { deleted: true, ..StreamMetadata::default() };
    let _ = metadata::set_stream(&log, &order, &deleted, "test").await.unwrap();
    let lots = CategoryMetadata { retention_class: class("year") };
    let _ = metadata::set_category(&log, &Category::new("lot").unwrap(), &lots, "test").await.unwrap();
    // Enough to seal the segments with the metadata, and a later word about one stream in the segment that still grows.
    for start in (1_000..2_000).step_by(3) {
        let _ = log.append(AppendCondition::none(), vec![event(start + 1 - start % 3)]).await.unwrap();
    }
    let truncated = StreamMetadata {
        truncate_before: Some(Revision::new(300)),
        retention_class: class("day"),
        ..StreamMetadata::default()
    };
    let _ = metadata::set_stream(&log, &lot, &truncated, "test").await.unwrap();
    assert!(log.tail().get() > 300);
    drop(log);

    for _ in 0..2 {
        let log = open(directory.path());
        assert!(log.report().segments > 5);
        let refused = log.append(AppendCondition::none(), vec![event(3_000)]).await;
        assert!(matches!(refused, Err(AppendError::StreamDeleted { ref stream }) if *stream == order), "{refused:?}");
        let refused = log.read_stream(order.clone(), Revision::START, Direction::Forward, 1).await;
        assert!(matches!(refused, Err(ReadError::StreamDeleted { .. })), "{refused:?}");
        let page = log.read_stream(lot.clone(), Revision::START, Direction::Forward, 1).await.unwrap();
        assert_eq!(page[0].revision, Revision::new(300));
        assert_eq!(log.retention_class(&lot), class("day"));
        assert_eq!(log.retention_class(&StreamId::new("lot-2").unwrap()), class("year"));
        assert_eq!(log.retention_class(&order), None);
        let back = metadata::set_stream(&log, &lot, &StreamMetadata::default(), "test").await;
        assert!(matches!(back, Err(AppendError::Invalid { .. })), "{back:?}");
    }
}
