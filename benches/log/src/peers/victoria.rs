//! VictoriaMetrics: readings by the line protocol. It has no write-ahead log: what it has answered lies in memory for some seconds.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use jiff::Timestamp;

use super::http::Http;
use super::influx::Poster;
use crate::machine;
use crate::measure::{Measured, measure};
use crate::process::{Process, find, free_port};
use crate::signals::{FRAME, Lines};

/// How it answers.
pub const DURABILITY: &str = "**no**: in memory, flushed every few seconds";

const FOLDERS: [&str; 1] = ["/usr/bin"];

/// The server.
pub struct Victoria {
    port: u16,
    writers: u64,
    _process: Process,
}

fn program() -> Option<std::path::PathBuf> {
    ["victoria-metrics", "victoria-metrics-prod"].iter().find_map(|name| find(name, &FOLDERS.map(Into::into)))
}

/// Its version, where the package system knows it: Debian's build does not say it itself.
pub fn version() -> String {
    if program().is_none() {
        return "victoria-metrics not found".to_owned();
    }
    let version = machine::version("dpkg-query", &["-W", "-f", "${Version}", "victoria-metrics"], &[]);
    format!("victoria-metrics {version}")
}

impl Victoria {
    /// Starts it.
    ///
    /// # Errors
    /// When it is not installed or does not start.
    pub async fn start(scratch: &Path) -> anyhow::Result<Self> {
        let program = program().context("victoria-metrics is not installed (Debian package victoria-metrics)")?;
        let folder = scratch.join("victoria");
        std::fs::create_dir_all(&folder)?;
        let port = free_port()?;
        let mut command = Command::new(program);
        command
            .arg(format!("-storageDataPath={}", folder.join("data").display()))
            .arg(format!("-httpListenAddr=127.0.0.1:{port}"));
        let process = Process::server("victoria-metrics", &mut command, port, &folder.join("log")).await?;
        Ok(Self { port, writers: 0, _process: process })
    }

    /// So many writers at the same time, each posting 20,000 lines a request.
    ///
    /// # Errors
    /// When a request fails.
    pub async fn run(&mut self, writers: u64, seconds: f64) -> anyhow::Result<Measured> {
        let mut all = Vec::new();
        for writer in 0..writers {
            let lines = Lines::new(self.writers + writer, Timestamp::now());
            all.push(Poster { http: Http::connect(self.port).await?, lines, target: "/write" });
        }
        self.writers += writers;
        let (_, measured) = measure(all, FRAME, seconds).await?;
        Ok(measured)
    }
}
