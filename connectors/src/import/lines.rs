//! Line numbers of rejected CSV rows. The parser counts bytes; lines are counted by a second look at the file, which goes forward only and which
//! a file without rejects never pays for.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;

/// Counts the lines of a file up to ever later places.
pub(super) struct LineCounter {
    bytes: Option<std::io::Bytes<BufReader<File>>>,
    /// How many bytes have been looked at.
    at: u64,
    line: u64,
}

impl LineCounter {
    pub(super) fn open(path: impl AsRef<Path>) -> Self {
        let bytes = File::open(path).ok().map(|file| BufReader::new(file).bytes());
        Self { bytes, at: 0, line: 1 }
    }

    /// The line on which the first byte at or after `start` stands that does not end a line. Answers 0 when the file cannot be read, or when
    /// an earlier place is asked for than before.
    pub(super) fn line_from(&mut self, start: u64) -> u64 {
        let Some(bytes) = &mut self.bytes else { return 0 };
        if start < self.at {
            return 0;
        }
        loop {
            match bytes.next() {
                Some(Ok(byte)) => {
                    let found = self.at >= start && !matches!(byte, b'\r' | b'\n');
                    self.at += 1;
                    self.line += u64::from(byte == b'\n');
                    if found {
                        return self.line;
                    }
                }
                Some(Err(_)) => {
                    self.bytes = None;
                    return 0;
                }
                None => return self.line,
            }
        }
    }
}
