//! As much of the NATS client protocol as it takes to publish to JetStream and to read its answers: one connection, one question at a time.

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use uuid::Uuid;

/// A connection with an inbox for answers.
pub struct Wire {
    stream: BufReader<TcpStream>,
    inbox: String,
    out: Vec<u8>,
}

impl Wire {
    /// Connects to a port of the loopback interface and subscribes to an inbox of its own.
    ///
    /// # Errors
    /// When the server does not greet.
    pub async fn connect(port: u16) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let inbox = format!("_INBOX.{}", Uuid::now_v7().simple());
        let mut wire = Self { stream: BufReader::new(stream), inbox, out: Vec::new() };
        let greeting = wire.line().await?;
        anyhow::ensure!(greeting.starts_with("INFO "), "no greeting but {greeting}");
        let options = json!({"verbose": false, "pedantic": false, "headers": true, "no_responders": true,
            "lang": "rust", "version": "0", "protocol": 1, "name": "bench"});
        let hello = format!("CONNECT {options}\r\nSUB {} 1\r\nPING\r\n", wire.inbox);
        wire.stream.write_all(hello.as_bytes()).await?;
        loop {
            match wire.line().await? {
                line if line == "PONG" => return Ok(wire),
                line if line.starts_with("-ERR") => bail!("{line}"),
                _ => {}
            }
        }
    }

    /// Puts a message into what is sent next; headers are lines without ends.
    pub fn put(&mut self, subject: &str, headers: &[String], answered: bool, payload: &[u8]) {
        let reply = if answered { format!("{} ", self.inbox) } else { String::new() };
        if headers.is_empty() {
            self.out.extend_from_slice(format!("PUB {subject} {reply}{}\r\n", payload.len()).as_bytes());
        } else {
            let head = format!("NATS/1.0\r\n{}\r\n\r\n", headers.join("\r\n"));
            let line = format!("HPUB {subject} {reply}{} {}\r\n", head.len(), head.len() + payload.len());
            self.out.extend_from_slice(line.as_bytes());
            self.out.extend_from_slice(head.as_bytes());
        }
        self.out.extend_from_slice(payload);
        self.out.extend_from_slice(b"\r\n");
    }

    /// Sends what was put, and reads the one answer to it.
    ///
    /// # Errors
    /// When the connection breaks or the answer names an error.
    pub async fn answer(&mut self) -> anyhow::Result<Value> {
        self.stream.write_all(&self.out).await?;
        self.out.clear();
        loop {
            let line = self.line().await?;
            let mut words = line.split(' ');
            let length = match words.next() {
                Some("MSG") => words.next_back().context("no length")?.parse::<usize>()?,
                Some("HMSG") => {
                    // Only errors of delivery come with headers: nobody listens to the subject.
                    let length: usize = words.next_back().context("no length")?.parse()?;
                    let body = self.body(length).await?;
                    bail!("the answer is {}", String::from_utf8_lossy(&body));
                }
                Some("PING") => {
                    self.stream.write_all(b"PONG\r\n").await?;
                    continue;
                }
                Some("-ERR") => bail!("{line}"),
                _ => continue,
            };
            let body = self.body(length).await?;
            let value: Value = serde_json::from_slice(&body)?;
            if let Some(error) = value.get("error") {
                bail!("JetStream answers {error}");
            }
            return Ok(value);
        }
    }

    async fn body(&mut self, length: usize) -> anyhow::Result<Vec<u8>> {
        let mut body = vec![0; length + 2];
        self.stream.read_exact(&mut body).await?;
        body.truncate(length);
        Ok(body)
    }

    async fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(line.trim_end().to_owned())
    }
}
