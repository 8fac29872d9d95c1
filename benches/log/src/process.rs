//! Programs that this one starts, and ends again whatever happens.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};

/// How long a server may take to listen.
const START: Duration = Duration::from_secs(40);

/// How long a server may take to end when it is asked to.
const END: Duration = Duration::from_secs(15);

/// How often it is asked whether something has happened.
const STEP: Duration = Duration::from_millis(25);

/// A running program. Dropping it ends it.
pub struct Process {
    name: String,
    child: Child,
    signal: Signal,
}

impl Process {
    /// Starts a server whose output goes to a file, and waits until it listens on the port of the loopback interface.
    ///
    /// # Errors
    /// When it does not start, ends early or does not listen.
    pub async fn server(name: &str, command: &mut Command, port: u16, log: &Path) -> anyhow::Result<Self> {
        let file = File::create(log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("starting {name}"))?;
        let mut process = Self { name: name.to_owned(), child, signal: Signal::TERM };
        let deadline = Instant::now() + START;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = process.child.try_wait()? {
                bail!("{name} ended with {status}: {}", last_lines(log));
            }
            if Instant::now() > deadline {
                bail!("{name} does not listen: {}", last_lines(log));
            }
            tokio::time::sleep(STEP).await;
        }
        Ok(process)
    }

    /// Starts a program that writes to where this one writes.
    ///
    /// # Errors
    /// When it does not start.
    pub fn inheriting(name: &str, command: &mut Command) -> anyhow::Result<Self> {
        let child = command.stdin(Stdio::null()).spawn().with_context(|| format!("starting {name}"))?;
        Ok(Self { name: name.to_owned(), child, signal: Signal::TERM })
    }

    /// Ends it with this signal instead of SIGTERM.
    pub fn ended_by(mut self, signal: Signal) -> Self {
        self.signal = signal;
        self
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// When it has not after this time.
    pub async fn ended(&mut self, limit: Duration) -> anyhow::Result<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                bail!("{} has not ended after {} s", self.name, limit.as_secs());
            }
            tokio::time::sleep(STEP).await;
        }
    }

    fn end(&mut self) -> anyhow::Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        kill_process(Pid::from_child(&self.child), self.signal)?;
        let deadline = Instant::now() + END;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                self.child.kill()?;
                self.child.wait()?;
                return Ok(());
            }
            std::thread::sleep(STEP);
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("ending {}: {error:#}", self.name);
        }
    }
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().rev().take(3).rev().copied().collect::<Vec<_>>().join("; ")
}

/// A port of the loopback interface that nobody uses at this moment.
///
/// # Errors
/// When the system has none.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Where a program is: on the search path, or in one of these folders.
pub fn find(program: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let searched = std::env::split_paths(&path).chain(folders.iter().cloned());
    searched.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The first line that a command prints, or nothing when it is not there.
pub fn first_line(program: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    Some(String::from_utf8_lossy(&text).lines().next()?.trim().to_owned())
}
