//! kill -9 of a real process that appends: what it acknowledged is there.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use eventlog::embedded::{EmbeddedLog, Options, verify};
use eventlog::{AppendCondition, Direction, EventId, EventLog, EventType, Filter, NewEvent, Position, StreamId};

const DIRECTORY: &str = "MILLWRIGHT_TEST_CHILD_DIRECTORY";
const ROUND: &str = "MILLWRIGHT_TEST_CHILD_ROUND";
const WRITERS: u64 = 16;

fn options() -> Options {
    Options { segment_bytes: 128 * 1024, ..Options::default() }
}

fn call(round: u64, writer: u64, number: u64) -> Vec<NewEvent> {
    let stream = StreamId::new(&format!("writer-{round}.{writer}")).unwrap();
    let event = |part: u64| {
        let id = EventId::derived("kill", &format!("{round} {writer} {number} {part}"));
        let payload = Bytes::from(vec![b'x'; 50 + (number % 400) as usize]);
        let event_type = EventType::new("written").unwrap();
        let mut event = NewEvent::json(id, stream.clone(), event_type, 1, "child", payload);
        event.content_type = eventlog::ContentType::Octets;
        event
    };
    (0..1 + number % 3).map(event).collect()
}

/// Not a test by itself: the process that [`acknowledged_appends_survive_kill_9`] starts and kills.
#[test]
fn child_that_appends_until_it_is_killed() {
    let (Some(directory), Ok(round)) = (std::env::var_os(DIRECTORY), std::env::var(ROUND)) else { return };
    let round: u64 = round.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(async {
        let log = Arc::new(EmbeddedLog::open(directory.as_ref(), options()).unwrap());
        let mut writers = Vec::new();
        for writer in 0..WRITERS {
            let log = Arc::clone(&log);
            writers.push(tokio::spawn(async move {
                for number in 0_u64.. {
                    let answer = log.append(AppendCondition::none(), call(round, writer, number)).await.unwrap();
                    // One write for a line: a killed process leaves no half of one.
                    let line = format!("acknowledged {writer} {number} {} {}\n", answer.first, answer.last);
                    std::io::stdout().write_all(line.as_bytes()).unwrap();
                    std::io::stdout().flush().unwrap();
                }
            }));
        }
        for writer in writers {
            writer.await.unwrap();
        }
    });
}

#[tokio::test]
async fn acknowledged_appends_survive_kill_9() {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged: BTreeMap<EventId, u64> = BTreeMap::new();
    for round in 0..4_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::child_that_appends_until_it_is_killed", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .env(ROUND, round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        let wanted = 150 + round * 97;
        while let Some(Ok(line)) = lines.next() {
            // The test harness of the child writes into the same stream.
            let Some(at) = line.find("acknowledged ") else { continue };
            let numbers: Vec<u64> = line[at..].split(' ').skip(1).map(|number| number.parse().unwrap()).collect();
            let [writer, number, first, last] = numbers[..] else { panic!("{line}") };
            let events = call(round, writer, number);
            assert_eq!(last - first + 1, events.len() as u64);
            for (offset, event) in events.iter().enumerate() {
                acknowledged.insert(event.id, first + offset as u64);
            }
            seen += 1;
            if seen == wanted {
                // SIGKILL; what is still in the pipe counts as well.
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(seen >= wanted);

        let report = verify(directory.path()).unwrap();
        let log = EmbeddedLog::open(directory.path(), options()).unwrap();
        assert!(!log.report().closed_in_order);
        assert_eq!(log.report().records, report.records);
        for (id, position) in &acknowledged {
            assert_eq!(log.position_of(*id).await.unwrap(), Some(Position::new(*position)));
        }
        // Calls are there entirely or not at all: per writer the records are whole calls in order.
        let mut from = Position::START;
        let mut counts: BTreeMap<String, Vec<EventId>> = BTreeMap::new();
        while from < log.tail() {
            let page = log.read(from, Direction::Forward, Filter::all(), 1_000).await.unwrap();
            from = page.last().unwrap().position.next();
            for record in page {
                counts.entry(record.stream.key().to_owned()).or_default().push(record.id);
            }
        }
        for (writer, ids) in counts {
            let (of_round, writer) = writer.split_once('.').unwrap();
            let (of_round, writer) = (of_round.parse().unwrap(), writer.parse().unwrap());
            let mut expected = Vec::new();
            for number in 0_u64.. {
                if expected.len() >= ids.len() {
                    break;
                }
                expected.extend(call(of_round, writer, number).into_iter().map(|event| event.id));
            }
            assert_eq!(ids, expected);
        }
    }
    assert!(acknowledged.len() > 1_000, "{} records were acknowledged", acknowledged.len());
}
