//! Programs that we did not write: started on free loopback ports, stopped by their process.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context;

use crate::process::{eventually, free_port};
use crate::{skipped, workspace};

/// A mosquitto broker.
#[derive(Debug)]
pub struct Mosquitto {
    child: Child,
    /// Where it listens.
    pub port: u16,
}

/// Whether the program is installed; says what to install where it is not.
pub fn installed(program: &str, package: &str) -> bool {
    // Finding out by starting it: `mosquitto -h` and `mosquitto_pub --help` end by themselves, whatever their status.
    let found = Command::new(program)
        .arg("--help")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    if !found {
        skipped(&format!("{program} is not installed: apt-get install {package}"));
    }
    found
}

/// A Python (3.12 or newer) that has this module; `None`, said aloud, where there is none. `MILLWRIGHT_PYTHON` names one to try first.
pub fn python_with(module: &str, package: &str) -> Option<String> {
    let named = std::env::var("MILLWRIGHT_PYTHON").ok();
    let candidates = ["python3.14", "python3.13", "python3.12", "python3"].map(str::to_owned);
    let import = format!("import sys; assert sys.version_info >= (3, 12); import {module}");
    let found = named.into_iter().chain(candidates).find(|python| {
        let tried = Command::new(python)
            .args(["-c", &import])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        tried.is_ok_and(|status| status.success())
    });
    if found.is_none() {
        skipped(&format!(
            "no Python of at least 3.12 has {module}: python3.12 -m pip install {package} (MILLWRIGHT_PYTHON names another)"
        ));
    }
    found
}

/// A Python that has MLflow's client; `None`, said aloud, where there is none. `MILLWRIGHT_MLFLOW_PYTHON` names one to try first.
pub fn mlflow_python() -> Option<String> {
    let named = std::env::var("MILLWRIGHT_MLFLOW_PYTHON").ok();
    let candidates = ["python3.13", "python3.12", "python3.11", "python3"].map(str::to_owned);
    // Importing it takes many seconds; finding it does not.
    let find =
        "import importlib.util as u, sys; sys.exit(not all(u.find_spec(m) for m in ('mlflow', 'sklearn', 'pandas')))";
    let found = named.into_iter().chain(candidates).find(|python| {
        let tried = Command::new(python)
            .args(["-c", find])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        tried.is_ok_and(|status| status.success())
    });
    if found.is_none() {
        skipped(
            "no Python has MLflow's client: python3.12 -m pip install 'mlflow>=3.10' (MILLWRIGHT_MLFLOW_PYTHON names another)",
        );
    }
    found
}

/// A program in Go that uses `golang.org/x/mod/sumdb`, built from its source in `tests/peers`; `None`, said aloud, where Go or the package is missing.
///
/// # Errors
/// When it does not build although both are there.
pub fn go_program(source: &str, dir: &Path) -> anyhow::Result<Option<PathBuf>> {
    const PACKAGES: &str = "/usr/share/gocode";
    if !installed("go", "golang-go") {
        return Ok(None);
    }
    if !Path::new(PACKAGES).join("src/golang.org/x/mod/sumdb/tlog").is_dir() {
        skipped("golang.org/x/mod is not installed: apt-get install golang-golang-x-mod-dev");
        return Ok(None);
    }
    let program = dir.join("go-program");
    let built = Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .arg(workspace().join("tests/peers").join(source))
        // Debian's packages lie in a folder, and nothing is fetched.
        .envs([("GO111MODULE", "off"), ("GOPATH", PACKAGES), ("GOFLAGS", "")])
        .env("GOCACHE", dir.join("go-cache"))
        .output()?;
    anyhow::ensure!(built.status.success(), "go build: {}", String::from_utf8_lossy(&built.stderr));
    Ok(Some(program))
}

/// A witness that others wrote (`aics-witness`).
#[derive(Debug)]
pub struct AicsWitness {
    child: Child,
    python: String,
    config: PathBuf,
    /// Its submission prefix.
    pub url: String,
    /// Its verifier key.
    pub vkey: String,
}

impl AicsWitness {
    /// Makes a witness that knows one log, and starts it; `None`, said aloud, where it is not installed.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(dir: &Path, name: &str, origin: &str, log_key: &str) -> anyhow::Result<Option<Self>> {
        let Some(python) = python_with("aics_witness", "aics-witness") else { return Ok(None) };
        let (port, config) = (free_port()?, dir.join("witness.json"));
        let listen = format!("127.0.0.1:{port}");
        let run = |arguments: &[&str]| -> anyhow::Result<String> {
            let (command, rest) = arguments.split_first().context("no command")?;
            let output = Command::new(&python)
                .args(["-m", "aics_witness", command, "--config"])
                .arg(&config)
                .args(rest)
                .output()?;
            anyhow::ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
            Ok(String::from_utf8(output.stdout)?)
        };
        let vkey = run(&["init", "--name", name, "--listen", &listen])?.trim().to_owned();
        run(&["add-log", "--origin", origin, "--vkey", log_key])?;
        let child = Self::serve(&python, &config)?;
        let witness = Self { child, python, config, url: format!("http://{listen}"), vkey };
        witness.listening().await?;
        Ok(Some(witness))
    }

    fn serve(python: &str, config: &Path) -> anyhow::Result<Child> {
        Command::new(python)
            .args(["-m", "aics_witness", "serve", "--config"])
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("starting aics-witness")
    }

    async fn listening(&self) -> anyhow::Result<()> {
        let address = self.url.trim_start_matches("http://").to_owned();
        eventually("the witness listens", async || Ok(TcpStream::connect(&address).is_ok().then_some(()))).await
    }

    /// Ends it.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again, with what it remembers.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.child = Self::serve(&self.python, &self.config)?;
        self.listening().await
    }
}

impl Drop for AicsWitness {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Mosquitto {
    /// Starts a broker that keeps sessions and every message for clients that are away; `None`, said aloud, where it is not installed.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(dir: &Path) -> anyhow::Result<Option<Self>> {
        if !installed("mosquitto", "mosquitto") || !installed("mosquitto_pub", "mosquitto-clients") {
            return Ok(None);
        }
        let port = free_port()?;
        let config = dir.join("mosquitto.conf");
        let settings = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 1000\npersistence false\n"
        );
        std::fs::write(&config, settings)?;
        let child = Command::new("mosquitto")
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("starting mosquitto")?;
        let broker = Self { child, port };
        eventually("mosquitto listens", async || Ok(TcpStream::connect(("127.0.0.1", port)).is_ok().then_some(())))
            .await?;
        Ok(Some(broker))
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
