//! Bytes of sealed segments, format version 1, as they were first written. Every later version of this program opens them.

use std::path::{Path, PathBuf};

use eventlog::embedded::{EmbeddedLog, Options, verify};
use eventlog::{Clock, EventLog, LogId, ReadingsQuery};
use jiff::Timestamp;
use uuid::Uuid;

use crate::mixed::{Written, everything, everything_written, log, options, signal};
use crate::support::{copy, files};

/// The root over the leaves of the fixture: what any RFC 6962 verifier computes.
const ROOT: &str = "dc305d14962e3aedfc17259e92f86fd2a415be92ab8007ec5c8a43d83bea98bf";

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sealed-1")
}

/// The log of the fixture, appended by this program and not sealed.
async fn appended(directory: &Path) -> EmbeddedLog {
    let clock = Clock::from_fn(|| Timestamp::from_second(1_000).unwrap());
    let new_log_id = Some(LogId::new(Uuid::from_u128(0x5ea1_ed01)));
    let all: Vec<Written> =
        everything_written().into_iter().filter(|written| !matches!(written, Written::Unlike(_))).collect();
    log(directory, Options { clock, new_log_id, ..options() }, &all).await
}

#[tokio::test]
async fn sealed_format_version_1_is_opened() {
    let scratch = tempfile::tempdir().unwrap();
    let appended = appended(scratch.path()).await;
    let expected = everything(&appended).await;
    let report = verify(&fixture()).unwrap();
    assert_eq!((report.records, report.root.to_string().as_str()), (expected.len() as u64, ROOT));
    assert!(report.readings > 4_000, "{report:?}");
    let copied = tempfile::tempdir().unwrap();
    copy(&fixture(), copied.path());
    let sealed = files(copied.path(), "sealed").len();
    assert!(sealed > 3);
    let log = EmbeddedLog::open(copied.path(), options()).unwrap();
    assert_eq!(log.report().indexes_rebuilt, sealed, "the fixture has no indexes");
    assert_eq!(everything(&log).await, expected);
    for number in 0..6 {
        let query = ReadingsQuery::all(signal(number));
        let (found, wanted) = (log.readings(query.clone()).await.unwrap(), appended.readings(query).await.unwrap());
        assert!(!found.readings.is_empty());
        assert_eq!(format!("{:?}", found.readings), format!("{:?}", wanted.readings));
    }
}
