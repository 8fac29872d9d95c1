//! PostgreSQL with a table of events, as many applications have one: a global position, streams with unique revisions, the payload as `jsonb`.
//!
//! All its settings are its defaults; `fsync` and `synchronous_commit` are on. A position from a sequence is neither gapless nor in the order of commits,
//! which ours is: the peer does less.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Statement};

use super::check_stored;
use crate::events::{Events, TYPE};
use crate::machine;
use crate::measure::{Measured, Writer, measure};
use crate::process::{Process, find, free_port};

/// How it answers.
pub const DURABILITY: &str = "yes: WAL synced at each commit (shared by commits that meet)";

const TABLE: &str = "CREATE TABLE events (
    position bigserial PRIMARY KEY, stream text NOT NULL, revision bigint NOT NULL, type text NOT NULL,
    payload jsonb NOT NULL, UNIQUE (stream, revision))";

const INSERT: &str = "INSERT INTO events (stream, revision, type, payload)
    SELECT stream, revision, type, payload::jsonb FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[])
    AS given (stream, revision, type, payload)";

/// The server.
pub struct Postgres {
    port: u16,
    _process: Process,
}

/// Where distributions put the server's programs: the newest first.
fn folders() -> Vec<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    folders
}

/// Its version.
pub fn version() -> String {
    machine::version("postgres", &["--version"], &folders())
}

/// Makes the command run as the user `postgres` when this process is root's, which the server refuses to run as.
fn as_its_user(command: &mut Command, folder: &Path) -> anyhow::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let users = std::fs::read_to_string("/etc/passwd")?;
    let line = users.lines().find(|line| line.starts_with("postgres:")).context("there is no user postgres")?;
    let mut ids = line.split(':').skip(2).map(str::parse::<u32>);
    let (user, group) = (ids.next().context("no user id")??, ids.next().context("no group id")??);
    std::os::unix::fs::chown(folder, Some(user), Some(group))?;
    command.uid(user).gid(group);
    Ok(())
}

impl Postgres {
    /// Makes a cluster and starts it.
    ///
    /// # Errors
    /// When it is not installed or does not start.
    pub async fn start(scratch: &Path) -> anyhow::Result<Self> {
        let missing = "postgres is not installed (Debian package postgresql)";
        let server = find("postgres", &folders()).context(missing)?;
        let initdb = find("initdb", &folders()).context(missing)?;
        let folder = scratch.join("postgres");
        std::fs::create_dir_all(&folder)?;
        let data = folder.join("data");
        let mut make = Command::new(initdb);
        make.arg("-D").arg(&data).args(["-U", "bench", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
        as_its_user(&mut make, &folder)?;
        let made = make.stdin(Stdio::null()).current_dir("/").output().context("starting initdb")?;
        anyhow::ensure!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr).trim());

        let port = free_port()?;
        let mut command = Command::new(server);
        command.arg("-D").arg(&data).args(["-p", &port.to_string(), "-h", "127.0.0.1", "-k", ""]).current_dir("/");
        as_its_user(&mut command, &folder)?;
        let process = Process::server("postgres", &mut command, port, &scratch.join("postgres.log")).await?;
        // SIGINT ends it at once and in order; SIGTERM would wait for every client.
        let postgres = Self { port, _process: process.ended_by(rustix::process::Signal::INT) };
        let client = postgres.connect_when_ready().await?;
        for setting in ["fsync", "synchronous_commit"] {
            let value: String = client.query_one(&format!("SHOW {setting}"), &[]).await?.get(0);
            anyhow::ensure!(value == "on", "{setting} is {value}");
        }
        client.batch_execute(TABLE).await?;
        Ok(postgres)
    }

    async fn connect(&self) -> anyhow::Result<Client> {
        let config = format!("host=127.0.0.1 port={} user=bench dbname=postgres", self.port);
        let (client, connection) = tokio_postgres::connect(&config, NoTls).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("a connection to PostgreSQL: {error}");
            }
        });
        Ok(client)
    }

    /// It listens a little before it lets anybody in.
    async fn connect_when_ready(&self) -> anyhow::Result<Client> {
        let mut last = None;
        for _ in 0..200 {
            match self.connect().await {
                Ok(client) => return Ok(client),
                Err(error) => last = Some(error),
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        Err(last.unwrap_or_else(|| anyhow::anyhow!("never tried")).context("PostgreSQL lets nobody in"))
    }

    /// So many connections at the same time with so many events a transaction (one `INSERT`).
    ///
    /// # Errors
    /// When a transaction fails.
    pub async fn run(&self, writers: u64, per_call: u64, seconds: f64) -> anyhow::Result<Measured> {
        let mut all = Vec::new();
        for _ in 0..writers {
            let client = self.connect().await?;
            let insert = client.prepare(INSERT).await?;
            all.push(Connection { client, insert, events: Events::new(), per_call });
        }
        let (_, measured) = measure(all, per_call, seconds).await?;
        Ok(measured)
    }

    /// Compares what it holds with what was acknowledged.
    ///
    /// # Errors
    /// When events are missing.
    pub async fn check(&self, counted: u64) -> anyhow::Result<()> {
        let stored: i64 = self.connect().await?.query_one("SELECT count(*) FROM events", &[]).await?.get(0);
        check_stored("PostgreSQL", u64::try_from(stored)?, counted)
    }
}

struct Connection {
    client: Client,
    insert: Statement,
    events: Events,
    per_call: u64,
}

impl Writer for Connection {
    async fn write(&mut self) -> anyhow::Result<()> {
        let (mut streams, mut revisions, mut types, mut payloads) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for event in self.events.take(self.per_call) {
            streams.push(format!("workorder-{}", event.key));
            revisions.push(i64::try_from(event.revision)?);
            types.push(TYPE);
            payloads.push(String::from_utf8(event.payload.to_vec())?);
        }
        let values: [&(dyn ToSql + Sync); 4] = [&streams, &revisions, &types, &payloads];
        let inserted = self.client.execute(&self.insert, &values).await?;
        anyhow::ensure!(inserted == self.per_call, "inserted {inserted} of {}", self.per_call);
        Ok(())
    }
}
