//! Programs that we did not write: started on free loopback ports, stopped by their process.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context;

use crate::process::{eventually, free_port};
use crate::skipped;

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
