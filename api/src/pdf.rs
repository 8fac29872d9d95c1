//! The text of PDF files, for the search.
//!
//! PDF is a language that programs have been written in, and files come from anybody. So a child process reads them, which may use neither more memory nor more time than it is
//! given, and writes nothing but its standard output. Whatever becomes of it, the file itself is kept.

use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

/// The name of the command that the child runs. It is none for people.
pub const COMMAND: &str = "text-of-pdf";

/// The memory that the child may map, in bytes.
const MAX_MEMORY: u64 = 1 << 30;

/// The processor time that the child may use, in seconds.
const MAX_SECONDS: u64 = 10;

/// How long a request waits for the child.
const PATIENCE: Duration = Duration::from_secs(20);

/// The text of a PDF file, up to so many bytes; none when it has none, or cannot be read.
pub async fn text(file: &[u8], limit: usize) -> Option<String> {
    match tokio::time::timeout(PATIENCE, by_child(file, limit)).await {
        Ok(Ok(text)) => Some(text).filter(|text| !text.trim().is_empty()),
        Ok(Err(error)) => {
            tracing::info!("a PDF file gave no text: {error:#}");
            None
        }
        Err(_) => {
            tracing::info!("a PDF file gave no text within {} s", PATIENCE.as_secs());
            None
        }
    }
}

async fn by_child(file: &[u8], limit: usize) -> anyhow::Result<String> {
    let program = std::env::current_exe().context("finding this program")?;
    let mut child = Command::new(program)
        .arg(COMMAND)
        .env_clear()
        // The allocator reserves addresses in steps of this many KiB, by itself of as many as the child may map in all.
        .env("MIMALLOC_ARENA_RESERVE", "65536")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("starting the reader")?;
    let (mut into, out) = child.stdin.take().zip(child.stdout.take()).context("the reader has no pipes")?;
    let mut text = Vec::new();
    let mut out = out.take(limit as u64);
    let write = async {
        let written = into.write_all(file).await;
        drop(into);
        written
    };
    let (written, read) = tokio::join!(write, out.read_to_end(&mut text));
    read.context("reading from the reader")?;
    // A child that has written as much as is kept is not heard to its end.
    if text.len() < limit {
        written.context("writing to the reader")?;
        let status = child.wait().await.context("waiting for the reader")?;
        if !status.success() {
            return Err(anyhow!("the reader ended with {status}"));
        }
    }
    let mut text = String::from_utf8_lossy(&text).into_owned();
    // A character that the limit cut in two is left out.
    text.truncate(text.trim_end_matches(char::REPLACEMENT_CHARACTER).len());
    Ok(text)
}

/// What the child does: a PDF file from standard input, its text to standard output.
///
/// # Errors
/// When the file is none, or holds what the library does not understand.
pub fn read_standard_input() -> anyhow::Result<()> {
    let limit = |most| Rlimit { current: Some(most), maximum: Some(most) };
    setrlimit(Resource::As, limit(MAX_MEMORY)).context("limiting memory")?;
    setrlimit(Resource::Cpu, limit(MAX_SECONDS)).context("limiting time")?;
    let mut file = Vec::new();
    std::io::stdin().read_to_end(&mut file).context("reading standard input")?;
    let text = pdf_extract::extract_text_from_mem(&file).context("reading the PDF file")?;
    std::io::stdout().write_all(text.as_bytes()).context("writing standard output")
}
