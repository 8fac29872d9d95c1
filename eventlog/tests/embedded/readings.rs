//! Readings of one signal and span: the same from every form of a segment as from reading everything.

use eventlog::embedded::EmbeddedLog;
use eventlog::memory::MemoryLog;
use eventlog::{AppendCondition, EventLog, Position, ReadingAddress, ReadingsQuery, SignalReading, frames};
use jiff::Timestamp;
use proptest::prelude::*;

use crate::mixed::{Given, Written, everything, log, new_event, options, reading, signal, written};

/// What is asked for, as numbers that can shrink.
#[derive(Clone, Debug)]
struct Asked {
    signal: u8,
    from: i32,
    length: u32,
    below: u64,
    limit: usize,
}

fn asked() -> impl Strategy<Value = Asked> {
    let from = prop_oneof![Just(i32::MIN), -9..60_i32, any::<i32>()];
    let length = prop_oneof![Just(u32::MAX), 0..60_u32];
    (0..6_u8, from, length, 0..50_u64, 1..30_usize).prop_map(|(signal, from, length, below, limit)| Asked {
        signal,
        from,
        length,
        below,
        limit,
    })
}

fn query(asked: &Asked) -> ReadingsQuery {
    let time = |number: i64| Timestamp::from_nanosecond(i128::from(number) * 1_000_003).unwrap();
    ReadingsQuery {
        signal: signal(asked.signal).to_owned(),
        from: time(i64::from(asked.from)),
        to: time(i64::from(asked.from) + i64::from(asked.length)),
        below: Position::new(asked.below),
        start: ReadingAddress::START,
        limit: asked.limit,
    }
}

/// Page by page to the end.
async fn all_pages(log: &dyn EventLog, mut query: ReadingsQuery) -> Vec<SignalReading> {
    let mut readings = Vec::new();
    loop {
        let page = log.readings(query.clone()).await.unwrap();
        assert!(page.readings.len() <= query.limit);
        assert!(page.next.is_none() || page.readings.len() == query.limit);
        readings.extend(page.readings);
        match page.next {
            Some(next) => query.start = next,
            None => return readings,
        }
    }
}

/// The definition: every record, every reading.
async fn by_definition(log: &EmbeddedLog, query: &ReadingsQuery) -> Vec<SignalReading> {
    let mut found = Vec::new();
    for record in everything(log).await.into_iter().filter(|record| record.position < query.below) {
        let Ok(frame) = frames::decode(&record.payload) else { continue };
        for (row, reading) in frame.readings() {
            if *reading.signal == *query.signal && reading.time >= query.from && reading.time < query.to {
                let address = ReadingAddress { position: record.position, row };
                let frames::Reading { time, sequence, value, status, .. } = reading;
                found.push(SignalReading { address, time, sequence, value, status });
            }
        }
    }
    found
}

/// NaN is not equal to itself; its text is.
fn shown(readings: &[SignalReading]) -> Vec<String> {
    readings.iter().map(|reading| format!("{reading:?}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn every_form_of_a_segment_gives_the_same_readings(
        all in prop::collection::vec(written(), 1..30),
        questions in prop::collection::vec(asked(), 1..12),
        half in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let directory = tempfile::tempdir().unwrap();
            let log = log(directory.path(), options(), &all).await;
            let memory = MemoryLog::new();
            for (number, written) in all.iter().enumerate() {
                let _ = memory.append(AppendCondition::none(), vec![new_event(number as u64, written)]).await.unwrap();
            }
            let mut expected = Vec::new();
            for question in &questions {
                let query = query(question);
                let readings = shown(&by_definition(&log, &query).await);
                assert_eq!(shown(&all_pages(&log, query.clone()).await), readings, "{question:?}");
                assert_eq!(shown(&all_pages(&memory, query).await), readings, "{question:?}");
                expected.push(readings);
            }
            // Some segments are sealed and others not, or all of them are.
            if !half {
                let _ = log.rotate().await.unwrap();
            }
            let _ = log.seal_all().await.unwrap();
            for (question, expected) in questions.iter().zip(&expected) {
                assert_eq!(&shown(&all_pages(&log, query(question)).await), expected, "{question:?}");
            }
        });
    }
}

#[tokio::test]
async fn a_question_about_one_signal_reads_little_else() {
    let directory = tempfile::tempdir().unwrap();
    // Five signals in every frame, the sixth in one frame of forty.
    let frame = |number: i32| {
        let count = if number % 40 == 7 { 600 } else { 500 };
        let given = |index: i32| Given {
            signal: (index % if count == 600 { 6 } else { 5 }) as u8,
            time: number * 1_000 + index,
            sequence: None,
            value: (index * 13 % 250) as u8,
            status: 0,
        };
        Written::Frame((0..count).map(given).collect())
    };
    let all: Vec<Written> = (0..200).map(frame).collect();
    let log = log(directory.path(), options(), &all).await;
    let bytes: u64 = everything(&log).await.iter().map(|record| record.payload.len() as u64).sum();
    let rare = ReadingsQuery::all(signal(5));
    let unsealed = log.readings(rare.clone()).await.unwrap();
    assert_eq!((unsealed.readings.len(), unsealed.touched.frames), (500, 5));
    assert!(unsealed.touched.bytes < bytes / 20, "{:?} of {bytes}", unsealed.touched);
    let _ = log.rotate().await.unwrap();
    assert!(log.seal_all().await.unwrap() > 5);
    let sealed = log.readings(rare).await.unwrap();
    assert_eq!(sealed.readings, unsealed.readings);
    assert!(sealed.touched.bytes < bytes / 20, "{:?} of {bytes}", sealed.touched);
    // A short span of a signal that is everywhere.
    let times = [50_000, 52_000].map(|time| Timestamp::from_nanosecond(time * 1_000_003).unwrap());
    let span = ReadingsQuery { from: times[0], to: times[1], ..ReadingsQuery::all(signal(1)) };
    let page = log.readings(span).await.unwrap();
    assert_eq!(page.readings.len(), 200);
    assert!(page.touched.chunks <= 2 && page.touched.bytes < bytes / 20, "{:?} of {bytes}", page.touched);
    let nothing = log.readings(ReadingsQuery::all("nobody.knows")).await.unwrap();
    assert_eq!((nothing.readings.len(), nothing.touched.bytes, nothing.next), (0, 0, None));
    let given = Given { signal: 1, time: 50_001, sequence: None, value: 13, status: 0 };
    assert_eq!(page.readings[0].value, reading(&given).value);
}

#[tokio::test]
async fn dropped_payloads_leave_files_and_keep_proofs() {
    use eventlog::PayloadState;
    use eventlog::embedded::{DropReport, verify};

    use crate::support::files;

    let directory = tempfile::tempdir().unwrap();
    let secret = b"a secret that must go";
    let mut log = EmbeddedLog::open(directory.path(), options()).unwrap();
    let mut secrets = Vec::new();
    for number in 0..120_u64 {
        let mut event = new_event(number, &Written::Event(number));
        if number % 3 == 0 {
            let given = |index: i32| Given {
                signal: (number % 5) as u8,
                time: index,
                sequence: None,
                value: number as u8,
                status: 0,
            };
            event = new_event(number, &Written::Frame((0..40).map(given).collect()));
        } else if number % 10 == 4 {
            let payload = [secret.as_slice(), number.to_string().as_bytes()].concat();
            event.content_type = eventlog::ContentType::Octets;
            event.payload_digest.digest = eventlog::Digest::of(&payload);
            event.payload = payload.into();
            secrets.push(Position::new(number));
        }
        let _ = log.append(AppendCondition::none(), vec![event]).await.unwrap();
        // Some of them are in segments that were sealed before, the last ones in the segment that is written to.
        if number == 70 {
            let _ = log.seal_all().await.unwrap();
        }
    }
    let (root, before) = (log.tree().root(), everything(&log).await);
    let frame = Position::new(99);
    let mut dropped = secrets.clone();
    dropped.push(frame);
    dropped.sort();
    let ranges: Vec<_> = dropped.iter().map(|position| *position..=*position).collect();
    let whole = |bytes: &[u8]| bytes.windows(secret.len()).any(|window| window == secret);
    let holders = |directory: &std::path::Path| {
        let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| whole(&std::fs::read(path).unwrap())).count()
    };
    assert!(holders(directory.path()) > 0);
    let report = log.drop_payloads(&ranges).await.unwrap();
    assert_eq!(report.payloads, dropped.len() as u64);
    assert!(report.segments > 2);
    assert_eq!(log.drop_payloads(&ranges).await.unwrap(), DropReport::default());
    assert_eq!(log.drop_payloads(&[Position::new(500)..=Position::new(600)]).await.unwrap(), DropReport::default());
    for round in 0..2 {
        for (now, before) in everything(&log).await.iter().zip(&before) {
            assert_eq!(now.leaf(), before.leaf());
            if dropped.contains(&now.position) {
                assert_eq!((now.payload_state, now.payload.len()), (PayloadState::Dropped, 0));
            } else {
                assert_eq!(now, before);
            }
        }
        let frames = log.readings(ReadingsQuery::all(signal(4))).await.unwrap();
        assert!(frames.readings.iter().all(|reading| reading.address.position != frame));
        assert_eq!(log.tree().root(), root);
        if round == 0 {
            drop(log);
            let verified = verify(directory.path()).unwrap();
            assert_eq!((verified.root, verified.records), (root, 120));
            let known: Vec<Position> =
                verified.dropped.iter().flat_map(|(first, last)| first.get()..=last.get()).map(Position::new).collect();
            assert_eq!(known, dropped);
            log = EmbeddedLog::open(directory.path(), options()).unwrap();
        }
    }
    // Nothing that the log does later brings them back.
    let _ = log.rotate().await.unwrap();
    assert_eq!(holders(directory.path()), 0);
    assert_eq!(files(directory.path(), "unpublished").len(), 0);
}
