//! As much of HTTP/1.1 as it takes to post lines over a connection that is kept.

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// The largest answer that is read.
const MAX_ANSWER: usize = 1024 * 1024;

/// A connection.
pub struct Http {
    stream: BufReader<TcpStream>,
}

/// What came back.
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Http {
    /// Connects to a port of the loopback interface.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn connect(port: u16) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Posts a body.
    ///
    /// # Errors
    /// When the connection breaks or the answer cannot be read.
    pub async fn post(&mut self, target: &str, body: &[u8]) -> anyhow::Result<Answer> {
        let head = format!("POST {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\n\r\n", body.len());
        self.stream.write_all(head.as_bytes()).await?;
        self.stream.write_all(body).await?;
        self.stream.flush().await?;
        let status_line = self.line().await?;
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok()).context("no status code")?;
        let (mut length, mut chunked) = (0, false);
        loop {
            let line = self.line().await?.to_ascii_lowercase();
            match line.split_once(':') {
                None => break,
                Some(("content-length", value)) => length = value.trim().parse()?,
                Some(("transfer-encoding", value)) => chunked = value.contains("chunked"),
                Some(_) => {}
            }
        }
        let body = if chunked { self.chunks().await? } else { self.bytes(length).await? };
        Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
    }

    async fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(line.trim_end().to_owned())
    }

    async fn bytes(&mut self, length: usize) -> anyhow::Result<Vec<u8>> {
        anyhow::ensure!(length <= MAX_ANSWER, "an answer of {length} bytes");
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).await?;
        Ok(bytes)
    }

    async fn chunks(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let length = usize::from_str_radix(self.line().await?.trim(), 16)?;
            all.extend(self.bytes(length).await?);
            let _end_of_chunk = self.line().await?;
            if length == 0 {
                return Ok(all);
            }
        }
    }
}
