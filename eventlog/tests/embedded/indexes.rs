use eventlog::embedded::EmbeddedLog;
use eventlog::{
    Category, Direction, EventLog, EventType, Filter, Position, QueryItem, Record, Revision, StreamId, Tag,
};

use crate::support::{append, event, files, open};

const RECORDS: u64 = 240;

/// Everything that the index answers.
async fn answers(log: &EmbeddedLog) -> (Vec<Vec<Record>>, Vec<Option<Position>>) {
    let mut pages = Vec::new();
    let item = |categories: &[&str], types: &[&str], tags: &[&str]| QueryItem {
        categories: categories.iter().map(|name| Category::new(name).unwrap()).collect(),
        types: types.iter().map(|name| EventType::new(name).unwrap()).collect(),
        tags: tags.iter().map(|name| Tag::new(name).unwrap()).collect(),
    };
    let filters = [
        vec![item(&["lot"], &[], &[])],
        vec![item(&[], &["odd"], &["number:3"])],
        vec![item(&["order"], &["even"], &[]), item(&[], &[], &["number:1"])],
        vec![item(&["nothing"], &[], &[])],
    ];
    for direction in [Direction::Forward, Direction::Backward] {
        for from in [0, 100, RECORDS] {
            for items in &filters {
                let filter = Filter { items: items.clone() };
                pages.push(log.read(Position::new(from), direction, filter, 50).await.unwrap());
            }
            for stream in ["order-1", "lot-1", "lot-2", "lot-3"] {
                let stream = StreamId::new(stream).unwrap();
                pages.push(log.read_stream(stream, Revision::new(from / 4), direction, 30).await.unwrap());
            }
        }
    }
    let mut positions = Vec::new();
    for number in 0..RECORDS + 5 {
        positions.push(log.position_of(event(number).id).await.unwrap());
    }
    (pages, positions)
}

#[tokio::test]
async fn deleted_and_damaged_indexes_are_built_anew_and_answer_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    for start in 0..RECORDS / 8 {
        let _ = append(&log, start * 8..start * 8 + 8).await;
    }
    let expected = answers(&log).await;
    assert!(expected.0.iter().map(Vec::len).sum::<usize>() > 300);
    drop(log);

    let sealed = files(directory.path(), "segment").len() - 1;
    let indexes = files(directory.path(), "index");
    assert_eq!(indexes.len(), sealed, "each sealed segment has its index");
    assert!(sealed > 5);
    let bytes: Vec<Vec<u8>> = indexes.iter().map(|path| std::fs::read(path).unwrap()).collect();

    let log = open(directory.path());
    assert_eq!(log.report().indexes_rebuilt, 0);
    assert_eq!(answers(&log).await, expected);
    drop(log);

    // One is missing, one is cut, one is of another segment, one has a damaged header.
    std::fs::remove_file(&indexes[0]).unwrap();
    std::fs::write(&indexes[1], &bytes[1][..bytes[1].len() / 2]).unwrap();
    std::fs::copy(&indexes[4], &indexes[2]).unwrap();
    let mut damaged = bytes[3].clone();
    damaged[70] ^= 1;
    std::fs::write(&indexes[3], damaged).unwrap();
    let log = open(directory.path());
    assert_eq!(log.report().indexes_rebuilt, 4);
    assert_eq!(answers(&log).await, expected);
    drop(log);

    indexes.iter().for_each(|path| std::fs::remove_file(path).unwrap());
    let log = open(directory.path());
    assert_eq!(log.report().indexes_rebuilt, sealed);
    assert_eq!(answers(&log).await, expected);
    let rebuilt: Vec<Vec<u8>> = indexes.iter().map(|path| std::fs::read(path).unwrap()).collect();
    assert_eq!(rebuilt, bytes, "a rebuilt index is byte for byte the one before");
}
