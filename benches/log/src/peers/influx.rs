//! InfluxDB 1.x: readings by the line protocol. Its write-ahead log is synced before it answers (`wal-fsync-delay = "0s"`, its default).

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use jiff::Timestamp;

use super::check_stored;
use super::http::Http;
use crate::machine;
use crate::measure::{Measured, Writer, measure};
use crate::process::{Process, find, free_port};
use crate::signals::{FRAME, Lines};

/// How it answers.
pub const DURABILITY: &str = "yes: WAL synced for each request";

/// The server.
pub struct Influx {
    port: u16,
    stored: u64,
    _process: Process,
}

/// Its version.
pub fn version() -> String {
    machine::version("influxd", &["version"], &[])
}

impl Influx {
    /// Starts it with its own configuration and an empty database.
    ///
    /// # Errors
    /// When it is not installed or does not start.
    pub async fn start(scratch: &Path) -> anyhow::Result<Self> {
        let program = find("influxd", &[]).context("influxd is not installed (Debian package influxdb)")?;
        let folder = scratch.join("influxdb");
        std::fs::create_dir_all(&folder)?;
        let (port, inner) = (free_port()?, free_port()?);
        let at = folder.display();
        let config = folder.join("influxdb.conf");
        let text = format!(
            "reporting-disabled = true\nbind-address = \"127.0.0.1:{inner}\"\n\
             [meta]\ndir = \"{at}/meta\"\nlogging-enabled = false\n\
             [data]\ndir = \"{at}/data\"\nwal-dir = \"{at}/wal\"\nwal-fsync-delay = \"0s\"\nquery-log-enabled = false\n\
             [monitor]\nstore-enabled = false\n\
             [http]\nbind-address = \"127.0.0.1:{port}\"\nlog-enabled = false\nmax-body-size = 0\n"
        );
        std::fs::write(&config, text)?;
        let mut command = Command::new(program);
        command.arg("-config").arg(&config).env("HOME", &folder);
        let process = Process::server("influxd", &mut command, port, &folder.join("log")).await?;
        let mut http = Http::connect(port).await?;
        let answer = http.post("/query?q=CREATE%20DATABASE%20bench", b"").await?;
        anyhow::ensure!(answer.status == 200, "creating a database: {} {}", answer.status, answer.body);
        Ok(Self { port, stored: 0, _process: process })
    }

    /// So many writers at the same time, each posting 20,000 lines a request.
    ///
    /// # Errors
    /// When a request fails.
    pub async fn run(&mut self, writers: u64, seconds: f64) -> anyhow::Result<Measured> {
        let mut all = Vec::new();
        for writer in 0..writers {
            // Each run has writers of its own, so that no line names a reading that is there already.
            let lines = Lines::new(self.stored + writer, Timestamp::now());
            all.push(Poster { http: Http::connect(self.port).await?, lines, target: "/write?db=bench" });
        }
        self.stored += writers;
        let (_, measured) = measure(all, FRAME, seconds).await?;
        Ok(measured)
    }

    /// Compares what it holds with what was acknowledged.
    ///
    /// # Errors
    /// When readings are missing.
    pub async fn check(&self, counted: u64) -> anyhow::Result<u64> {
        let mut http = Http::connect(self.port).await?;
        let answer = http.post("/query?db=bench&q=SELECT%20count(value)%20FROM%20reading", b"").await?;
        let answer: serde_json::Value = serde_json::from_str(&answer.body)?;
        let stored = answer.pointer("/results/0/series/0/values/0/1").and_then(serde_json::Value::as_u64);
        let stored = stored.with_context(|| format!("no count in {answer}"))?;
        check_stored("InfluxDB", stored, counted)?;
        Ok(stored)
    }
}

/// Posts lines; any server of the line protocol answers 204.
pub struct Poster {
    /// The connection.
    pub http: Http,
    /// The lines.
    pub lines: Lines,
    /// Where they go.
    pub target: &'static str,
}

impl Writer for Poster {
    async fn write(&mut self) -> anyhow::Result<()> {
        let answer = self.http.post(self.target, self.lines.next_frame()).await?;
        anyhow::ensure!(answer.status == 204, "writing lines: {} {}", answer.status, answer.body);
        Ok(())
    }
}
