//! The binary as a process.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::client::Client;

/// How long a condition may take before the test gives up: generous, because machines are shared. Never a measurement.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Its client.
    pub client: Client,
    stderr: Arc<Mutex<String>>,
}

/// The binary that cargo built for this test run, or `MILLWRIGHT_BINARY`.
///
/// # Errors
/// When it is not there.
pub fn binary() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("MILLWRIGHT_BINARY") {
        return Ok(PathBuf::from(path));
    }
    // The test runs from target/PROFILE/deps; the binary lies one folder up. `cargo test --workspace` has built it.
    let mut path = std::env::current_exe()?;
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    path.push("millwright");
    if !path.is_file() {
        bail!("{} is not built: run `cargo test --workspace`, or `cargo build` first", path.display());
    }
    Ok(path)
}

/// A port of the loopback interface that nobody uses at this moment.
///
/// # Errors
/// When the system has none.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// A command of the binary, without configuration from this process's environment.
///
/// # Errors
/// When the binary is not there.
pub fn command(arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(binary()?);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MILLWRIGHT_")) {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    Ok(command)
}

/// Waits until `condition` answers, asking again in short steps; the steps only bound how often it is asked.
///
/// # Errors
/// When the patience runs out; `what` says for what.
pub async fn eventually<T>(
    what: &str,
    mut condition: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + PATIENCE;
    let mut step = tokio::time::interval(Duration::from_millis(50));
    let mut last = None;
    while Instant::now() < deadline {
        step.tick().await;
        match condition().await {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => last = None,
            Err(error) => last = Some(error),
        }
    }
    match last {
        Some(error) => Err(error.context(format!("waited in vain: {what}"))),
        None => bail!("waited in vain: {what}"),
    }
}

impl Server {
    /// Starts `millwright serve` on the folder, and waits until it is ready.
    ///
    /// # Errors
    /// When it ends or does not become ready.
    pub async fn start(data_dir: &Path, config: Option<&Path>) -> anyhow::Result<Self> {
        Self::start_as(&["serve"], data_dir, config).await
    }

    /// Starts a command that serves, on a free port.
    ///
    /// # Errors
    /// When it ends or does not become ready.
    pub async fn start_as(arguments: &[&str], data_dir: &Path, config: Option<&Path>) -> anyhow::Result<Self> {
        Self::start_with(arguments, data_dir, config, &[]).await
    }

    /// The same with variables in its environment.
    ///
    /// # Errors
    /// When it ends or does not become ready.
    pub async fn start_with(
        arguments: &[&str],
        data_dir: &Path,
        config: Option<&Path>,
        environment: &[(&str, OsString)],
    ) -> anyhow::Result<Self> {
        let port = free_port()?;
        let listen = format!("127.0.0.1:{port}");
        let mut command = command(arguments)?;
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        command.arg("--data-dir").arg(data_dir).args(["--listen", &listen]);
        if let Some(config) = config {
            command.arg("--config").arg(config);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("starting millwright")?;
        let stderr = Arc::new(Mutex::new(String::new()));
        if let Some(pipe) = child.stderr.take() {
            collect(pipe, Arc::clone(&stderr));
        }
        if let Some(pipe) = child.stdout.take() {
            collect(pipe, Arc::clone(&stderr));
        }
        let client = Client::new(&format!("http://{listen}"));
        let mut server = Self { child, client, stderr };
        let started = eventually("the server is ready", async || {
            if let Some(status) = server.child.try_wait()? {
                return Ok(Some(Err(status)));
            }
            Ok(server.client.is_ready().await.then_some(Ok(())))
        })
        .await;
        match started {
            Ok(Ok(())) => Ok(server),
            Ok(Err(status)) => bail!("millwright ended with {status}:\n{}", server.output()),
            Err(error) => Err(error.context(server.output())),
        }
    }

    /// The operating system's id of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has written so far.
    pub fn output(&self) -> String {
        self.stderr.lock().map(|text| text.clone()).unwrap_or_default()
    }

    /// Waits until every projection and reactor has taken in everything that is in the log, and searches find it.
    ///
    /// # Errors
    /// When the patience runs out, or one has failed.
    pub async fn settled(&self) -> anyhow::Result<()> {
        eventually("everything is taken in", async || {
            let page = self.client.get("/api/v1/projections").await?;
            let items = page.get("items").and_then(serde_json::Value::as_array).context("no items")?;
            if let Some(failed) = items.iter().find(|item| item.get("failed").is_some_and(|failed| !failed.is_null())) {
                bail!("{failed}");
            }
            if items.iter().any(|item| item.get("lag").and_then(serde_json::Value::as_u64) != Some(0)) {
                return Ok(None);
            }
            let through = items.iter().filter_map(|item| item.get("checkpoint")?.as_u64()).min().unwrap_or_default();
            if let Some(last) = through.checked_sub(1) {
                self.client.get(&format!("/api/v1/knowledge/search?limit=1&min_position={last}")).await?;
            }
            Ok(Some(()))
        })
        .await
    }

    /// Ends it at once, as a power cut would end the process (SIGKILL).
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to end (SIGTERM), and waits until it has.
    ///
    /// # Errors
    /// When it ends badly, or does not end.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        let status = eventually("the server ends", async || Ok(self.child.try_wait()?)).await?;
        if !status.success() {
            bail!("millwright ended with {status}:\n{}", self.output());
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A test that failed leaves no process behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(pipe: impl std::io::Read + Send + 'static, into: Arc<Mutex<String>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if let Ok(mut text) = into.lock() {
                text.push_str(&line);
                text.push('\n');
            }
        }
    });
}
