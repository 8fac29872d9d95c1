//! A bucket that speaks S3, by a server that we did not write: moto.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use eventlog::backup::{self, Source, Upto};
use eventlog::bucket::Bucket;
use eventlog::embedded::{EmbeddedLog, Options, Tiering, verify};

use crate::mixed::{log, options};
use crate::support::files;
use crate::tiering::{answers, readable};

const DIRECTORY: &str = "MILLWRIGHT_TEST_S3_DIRECTORY";

/// How long the server may take until it listens.
const PATIENCE: Duration = Duration::from_secs(120);

struct Moto {
    child: Child,
    port: u16,
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Moto {
    /// The server, listening; `None` where it is not installed.
    fn start() -> Option<Self> {
        let python = std::env::var("MILLWRIGHT_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let quiet = |command: &mut Command| {
            let _ = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        };
        let mut tried = Command::new(&python);
        quiet(tried.args(["-c", "import moto.server"]));
        if !tried.status().is_ok_and(|status| status.success()) {
            println!(
                "SKIPPED: {python} has no moto: {python} -m pip install 'moto[server]' (MILLWRIGHT_PYTHON names another)"
            );
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(&python);
        quiet(command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()]));
        let mut moto = Self { child: command.spawn().unwrap(), port };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(moto.child.try_wait().unwrap().is_none(), "moto has ended before it listened");
            assert!(start.elapsed() < PATIENCE, "moto does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(moto)
    }

    fn make_bucket(&self, name: &str) {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(connection, "PUT /{name} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

/// What S3 needs comes from the environment, so that the work is done by a process of its own.
#[test]
fn a_log_moves_into_s3_and_is_backed_up_there_and_restored() {
    let Some(moto) = Moto::start() else { return };
    moto.make_bucket("millwright");
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "s3::child_with_a_bucket", "--nocapture"])
        .env(DIRECTORY, directory.path())
        .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", moto.port))
        .envs([("AWS_ALLOW_HTTP", "true"), ("AWS_REGION", "us-east-1")])
        .envs([("AWS_ACCESS_KEY_ID", "somebody"), ("AWS_SECRET_ACCESS_KEY", "something")])
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("restored from s3 and compared"), "{said}");
}

/// Not a test by itself: the process that [`a_log_moves_into_s3_and_is_backed_up_there_and_restored`] starts.
#[tokio::test]
async fn child_with_a_bucket() {
    let Some(folder) = std::env::var_os(DIRECTORY).map(PathBuf::from) else { return };
    let (live, restored) = (folder.join("live"), folder.join("restored"));
    let tiering = || Tiering { bucket: Bucket::open("s3://millwright/plant").unwrap(), keep_local_segments: 1 };
    let log = log(&live, Options { tiering: Some(tiering()), ..options() }, &readable()).await;
    let _ = log.rotate().await.unwrap();
    let (expected, root) = (answers(&log).await, log.tree().root());
    let sealed = log.seal_all().await.unwrap();
    let _ = log.tier_all().await.unwrap();
    assert_eq!((files(&live, "remote").len(), files(&live, "sealed").len()), (sealed - 1, 1));
    assert_eq!(answers(&log).await, expected);
    drop(log);
    // Opened anew, with no word of the bucket but the markers'.
    let log = EmbeddedLog::open(&live, options()).unwrap();
    assert_eq!(answers(&log).await, expected);
    assert_eq!(verify(&live).unwrap().root, root);
    let bucket = Bucket::open("s3://millwright/backup").unwrap();
    let source = Source { log: live.clone(), others: Vec::new() };
    let first = backup::create(&source, &bucket).await.unwrap();
    assert!(first.copied_files > sealed, "{first:?}");
    let again = backup::create(&source, &bucket).await.unwrap();
    assert!(again.copied_files < 3, "{again:?}");
    let _ = backup::check(&bucket).await.unwrap();
    drop(log);
    let report = backup::restore(&bucket, &restored, Upto::End).await.unwrap();
    assert_eq!(report.manifest.root, root);
    let copy = EmbeddedLog::open(&restored.join(backup::LOG_FOLDER), options()).unwrap();
    assert_eq!((copy.tree().root(), answers(&copy).await), (root, expected));
    println!("restored from s3 and compared");
}
