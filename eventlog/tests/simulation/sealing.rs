//! Power cuts and failing writes and syncs at every step of sealing and of dropping payloads: whatever form a segment is left in, the log is the same.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use eventlog::embedded::{EmbeddedLog, Options, verify_on};
use eventlog::frames::{self, Reading, StatusCode, Value};
use eventlog::{
    AppendCondition, ContentType, DigestAlgorithm, Direction, EventId, EventLog, EventType, Filter, NewEvent,
    PayloadDigest, PayloadState, Position, Record, StreamId,
};
use jiff::Timestamp;

use crate::disk::{Fault, SimulatedDisk};

const RECORDS: u64 = 60;
const DROPPED: u64 = 7;

fn options(disk: &SimulatedDisk) -> Options {
    Options { segment_bytes: 16 * 1024, disk: Arc::new(disk.clone()), ..Options::default() }
}

fn event(number: u64) -> NewEvent {
    let stream = StreamId::new(&format!("lot-{}", number % 3)).unwrap();
    let event_type = EventType::new("written").unwrap();
    let payload = Bytes::from(format!("{{\"number\":{number},\"text\":\"{}\"}}", "warp ".repeat(100)));
    let id = EventId::derived("sealing", &number.to_string());
    let mut event = NewEvent::json(id, stream, event_type, 1, "test", payload);
    if number.is_multiple_of(2) {
        let reading = |index: i64| Reading {
            signal: ["tension", "picks"][(index % 2) as usize].into(),
            time: Timestamp::from_millisecond(number as i64 * 1_000 + index).unwrap(),
            sequence: Some(index as u64),
            value: Value::Float((index * 17 % 23) as f64 / 4.0),
            status: StatusCode::GOOD,
        };
        let encoded = frames::encode((0..200).map(reading).collect()).unwrap();
        event.content_type = ContentType::Frame;
        event.payload_digest = PayloadDigest { algorithm: DigestAlgorithm::FrameSha256, digest: encoded.digest };
        event.payload = encoded.bytes;
    }
    event
}

async fn everything(log: &EmbeddedLog) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    while (records.len() as u64) < log.tail().get() {
        let from = Position::new(records.len() as u64);
        records.extend(log.read(from, Direction::Forward, Filter::all(), 100).await.unwrap());
    }
    records
}

/// What happened over all steps.
#[derive(Debug, Default)]
struct Happened {
    steps: u64,
    finished: u64,
    dropped: u64,
}

/// Every operation of sealing meets the fault once, from the first to the one after the last.
async fn at_every_step(fault: Fault, happened: &mut Happened) {
    let folder = Path::new("/log");
    for passed in 0.. {
        let disk = SimulatedDisk::new(passed);
        let log = EmbeddedLog::open(folder, options(&disk)).unwrap();
        for number in 0..RECORDS {
            let _ = log.append(AppendCondition::none(), vec![event(number)]).await.unwrap();
        }
        let _ = log.rotate().await.unwrap();
        let (before, root) = (everything(&log).await, log.tree().root());
        disk.plan(fault, passed);
        let dropped = Position::new(DROPPED)..=Position::new(DROPPED + 3);
        let done = match log.seal_all().await {
            Ok(_) => log.drop_payloads(std::slice::from_ref(&dropped)).await.is_ok(),
            Err(_) => false,
        };
        if fault == Fault::PowerCut {
            disk.cut_now();
        }
        drop(log);
        if fault == Fault::PowerCut {
            disk.power_on();
        } else {
            disk.process_ends();
            disk.make_room();
        }
        let log = EmbeddedLog::open(folder, options(&disk)).unwrap();
        let mut gone = 0;
        for (now, before) in everything(&log).await.iter().zip(&before) {
            assert_eq!(now.leaf(), before.leaf(), "{fault:?} after {passed}");
            if now.payload_state == PayloadState::Dropped {
                assert!(dropped.contains(&now.position), "{fault:?} after {passed}");
                gone += 1;
            } else {
                assert_eq!(now.payload, before.payload, "{fault:?} after {passed}");
            }
        }
        assert!(!done || gone == 4, "{fault:?} after {passed}: what was dropped came back");
        assert_eq!((log.tail().get(), log.tree().root()), (RECORDS, root));
        // It can be done again, to the end.
        let _ = log.seal_all().await.unwrap();
        let _ = log.drop_payloads(&[dropped]).await.unwrap();
        drop(log);
        let verified = verify_on(Arc::new(disk.clone()), folder).unwrap();
        assert_eq!((verified.records, verified.root), (RECORDS, root));
        assert_eq!(verified.dropped, [(Position::new(DROPPED), Position::new(DROPPED + 3))]);
        let names: Vec<String> = disk.files(folder).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names.iter().filter(|name| name.ends_with(".segment")).count(), 1, "{names:?}");
        happened.steps += 1;
        happened.dropped += gone;
        if done {
            happened.finished += 1;
            return;
        }
    }
}

#[test]
fn sealing_survives_a_fault_at_every_step() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut happened = Happened::default();
    for fault in [Fault::PowerCut, Fault::WriteFails, Fault::SyncFails] {
        runtime.block_on(at_every_step(fault, &mut happened));
    }
    println!("{happened:?}");
    assert!(happened.steps > 30 && happened.finished == 3 && happened.dropped > 4, "{happened:?}");
}
