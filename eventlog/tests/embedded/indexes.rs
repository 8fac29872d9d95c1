use eventlog::embedded::EmbeddedLog;
use eventlog::{
    AppendCondition, Category, Direction, EventLog, EventType, Filter, Position, QueryItem, Record, Revision, StreamId,
    Tag, TimeSpan, Window,
};
use jiff::Timestamp;

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
                pages.push(log.read(Position::new(from), direction, filter, 50).await.unwrap().records);
            }
            for stream in ["order-1", "lot-1", "lot-2", "lot-3"] {
                let stream = StreamId::new(stream).unwrap();
                pages.push(log.read_stream(stream, Revision::new(from / 4), direction, 30).await.unwrap().records);
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

#[tokio::test]
async fn a_read_by_event_time_passes_over_segments_and_answers_the_same_without_ranges() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let at = |second: u64| Timestamp::from_second(second as i64).unwrap();
    for number in 0..RECORDS {
        let mut event = event(number);
        // Event times rise with the log, but for one record that is late by far.
        event.event_time = Some(at(if number == 200 { 3 } else { number }));
        let _ = log.append(AppendCondition::none(), vec![event]).await.unwrap();
    }
    let span = |from: u64, until: u64| TimeSpan { from: Some(at(from)), until: Some(at(until)) };
    let answers = |log: EmbeddedLog| async move {
        let mut found = Vec::new();
        for (from, until) in [(0, 10), (100, 105), (RECORDS - 1, RECORDS + 9), (1_000, 2_000)] {
            let window = Window { happened: span(from, until), ..Window::default() };
            for (direction, from) in [(Direction::Forward, 0), (Direction::Backward, u64::MAX)] {
                let page = log.read_within(window, Position::new(from), direction, Filter::all(), 100).await.unwrap();
                found.push((page.next, page.iter().map(|record| record.position.get()).collect::<Vec<_>>()));
            }
        }
        found
    };
    let seek =
        |direction, from: u64, (first, until)| log.seek_happened(Position::new(from), direction, span(first, until));
    assert_eq!(seek(Direction::Forward, 0, (1_000, 2_000)).await.unwrap(), None);
    let skipped = seek(Direction::Forward, 0, (100, 105)).await.unwrap().unwrap();
    assert!((50..=100).contains(&skipped.get()), "{skipped}");
    let skipped = seek(Direction::Backward, 180, (100, 105)).await.unwrap().unwrap();
    assert!((100..150).contains(&skipped.get()), "{skipped}");
    let late = seek(Direction::Forward, 60, (0, 10)).await.unwrap().unwrap();
    assert!((150..=200).contains(&late.get()), "{late}");
    let expected = answers(log).await;
    assert_eq!(expected[0].1, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 200]);
    assert_eq!(expected[3].1, [104, 103, 102, 101, 100]);

    // Index files of before there were ranges.
    for path in files(directory.path(), "index") {
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[76..96].fill(0);
        std::fs::write(&path, bytes).unwrap();
    }
    let log = open(directory.path());
    assert_eq!(log.report().indexes_rebuilt, 0);
    assert_eq!(
        log.seek_happened(Position::START, Direction::Forward, span(100, 105)).await.unwrap(),
        Some(Position::START)
    );
    assert_eq!(answers(log).await, expected);
}
