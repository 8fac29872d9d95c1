//! A disk that is full: a file system in memory of a megabyte, filled by somebody else.

use std::path::Path;
use std::process::Command;

use eventlog::embedded::{EmbeddedLog, Options, verify};
use eventlog::{AppendCondition, AppendError, EventLog};

use crate::support::{all, append, assert_events, event};

/// A mounted file system; dropping it takes it away.
struct Small(tempfile::TempDir);

impl Small {
    /// `None` where this process may not mount.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(folder.path()).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_refuses_and_room_heals() {
    let Some(disk) = Small::mount() else {
        println!(
            "SKIPPED: this process may not mount a file system; run the test as root to see a disk that is really full"
        );
        return;
    };
    let folder = disk.path().join("log");
    let options = Options { segment_bytes: 64 * 1024, ..Options::default() };
    let log = EmbeddedLog::open(&folder, options.clone()).unwrap();
    let _ = append(&log, 0..10).await;
    let ballast = disk.path().join("ballast");
    // Everything that is left, but for what the next segment cannot be made of.
    std::fs::write(&ballast, vec![1; 900 * 1024]).unwrap();
    let mut count = 10;
    let refused = loop {
        match log.append(AppendCondition::none(), vec![event(count)]).await {
            Ok(_) => count += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, AppendError::DiskFull(_)) && refused.retryable(), "{refused}");
    assert!(count > 20, "the segment that was there is filled first, but only {count} events were taken");
    // Reads, repetitions and conflicts are answered all the same, and nothing of the refused append is there.
    assert_events(&all(&log).await, count);
    let repeated = log.append(AppendCondition::none(), vec![event(3)]).await.unwrap();
    assert!(repeated.repeated);
    assert!(log.append(AppendCondition::none(), vec![event(count)]).await.is_err());

    std::fs::remove_file(&ballast).unwrap();
    let _ = append(&log, count..count + 300).await;
    assert_events(&all(&log).await, count + 300);
    log.close();
    assert_eq!(verify(&folder).unwrap().records, count + 300);
    let log = EmbeddedLog::open(&folder, options).unwrap();
    assert_eq!(log.report().truncated_bytes, 0);
}
