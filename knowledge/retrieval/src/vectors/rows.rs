//! The vectors themselves, each text's once: in memory as bytes, and in a file that only grows, so that no text is embedded twice.
//!
//! The file: a header with the model, then records of one size (digest of the text, step, bytes, check sum). It is derived: a file of another model is
//! begun anew, and a tail that was torn or damaged is cut.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::VectorError;
use super::scan::{self, MOST_DIMENSIONS};

const MAGIC: &[u8; 8] = b"MWVEC\x00\x00\x01";

/// Which text a vector is of: the first half of its SHA-256.
pub(super) type TextDigest = [u8; 16];

/// The number of a row.
pub(super) type Row = u32;

/// The vectors of texts.
#[derive(Debug)]
pub struct Rows {
    dimensions: usize,
    bytes: Vec<i8>,
    steps: Vec<f32>,
    numbers: HashMap<TextDigest, Row>,
    file: Option<(PathBuf, File)>,
}

fn check_sum(bytes: &[u8]) -> [u8; 4] {
    let whole: [u8; 32] = Sha256::digest(bytes).into();
    whole.first_chunk::<4>().copied().unwrap_or_default()
}

impl Rows {
    /// No vectors, in memory.
    pub fn in_memory(dimensions: usize) -> Self {
        Self { dimensions, bytes: Vec::new(), steps: Vec::new(), numbers: HashMap::new(), file: None }
    }

    /// The vectors of the file, which is begun anew where it is of another model or is none.
    ///
    /// # Errors
    /// [`VectorError::Length`] for a model whose vectors are too long, and [`VectorError::File`].
    pub fn open(path: &Path, model: &str, dimensions: usize) -> Result<Self, VectorError> {
        if dimensions == 0 || dimensions > MOST_DIMENSIONS {
            return Err(VectorError::Length { given: dimensions, expected: MOST_DIMENSIONS });
        }
        let failed = |operation| {
            let path = path.to_path_buf();
            move |source| VectorError::File { path, operation, source }
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed("created"))?;
        }
        let mut options = File::options();
        let file = options.read(true).write(true).create(true).truncate(false).open(path).map_err(failed("opened"))?;
        let mut rows = Self::in_memory(dimensions);
        let header = header(model, dimensions);
        let kept = rows.read(&file, &header).map_err(failed("read"))?;
        let mut file = file;
        file.set_len(kept).map_err(failed("cut"))?;
        file.seek(SeekFrom::End(0)).map_err(failed("read"))?;
        if kept == 0 {
            file.write_all(&header).map_err(failed("written"))?;
        }
        rows.file = Some((path.to_path_buf(), file));
        Ok(rows)
    }

    /// Takes the records in, and says how much of the file is whole.
    fn read(&mut self, file: &File, header: &[u8]) -> std::io::Result<u64> {
        let mut input = BufReader::new(file);
        let mut found = vec![0; header.len()];
        match input.read_exact(&mut found) {
            Ok(()) if found == header => {}
            Ok(()) => return Ok(0),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(0),
            Err(error) => return Err(error),
        }
        let mut kept = header.len();
        let mut record = vec![0; 16 + 4 + scan::padded(self.dimensions) + 4];
        loop {
            match input.read_exact(&mut record) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(error),
            }
            let Some((content, sum)) = record.split_last_chunk::<4>() else { break };
            let Some((digest, rest)) = content.split_first_chunk::<16>() else { break };
            let Some((step, bytes)) = rest.split_first_chunk::<4>() else { break };
            if check_sum(content) != *sum {
                break;
            }
            let Ok(row) = Row::try_from(self.steps.len()) else { break };
            self.numbers.insert(*digest, row);
            self.steps.push(f32::from_le_bytes(*step));
            self.bytes.extend(bytes.iter().map(|byte| byte.cast_signed()));
            kept += record.len();
        }
        Ok(u64::try_from(kept).unwrap_or(u64::MAX))
    }

    /// How many vectors there are.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    pub(super) fn dimensions(&self) -> usize {
        self.dimensions
    }

    pub(super) fn known(&self, text: &TextDigest) -> Option<Row> {
        self.numbers.get(text).copied()
    }

    /// The bytes of a row, padded, and what one step of them is worth.
    pub(super) fn get(&self, row: Row) -> Option<(&[i8], f32)> {
        let (at, width) = (usize::try_from(row).ok()?, scan::padded(self.dimensions));
        Some((self.bytes.get(at * width..(at + 1) * width)?, *self.steps.get(at)?))
    }

    /// All rows one after the other, and the steps.
    pub(super) fn all(&self) -> (&[i8], &[f32]) {
        (&self.bytes, &self.steps)
    }

    /// Adds the vector of a text, also to the file.
    pub(super) fn add(&mut self, text: TextDigest, vector: &[f32]) -> Result<Row, VectorError> {
        if vector.len() != self.dimensions {
            return Err(VectorError::Length { given: vector.len(), expected: self.dimensions });
        }
        let number = Row::try_from(self.steps.len()).map_err(|_| VectorError::Full(self.steps.len()))?;
        let (bytes, step) = scan::row(vector).ok_or(VectorError::NoDirection)?;
        if let Some((path, file)) = &mut self.file {
            let mut record = Vec::with_capacity(bytes.len() + 24);
            record.extend(text);
            record.extend(step.to_le_bytes());
            record.extend(bytes.iter().map(|byte| byte.cast_unsigned()));
            let sum = check_sum(&record);
            record.extend(sum);
            let failed = |source| VectorError::File { path: path.clone(), operation: "written", source };
            file.write_all(&record).map_err(failed)?;
        }
        self.bytes.extend(bytes);
        self.steps.push(step);
        self.numbers.insert(text, number);
        Ok(number)
    }
}

fn header(model: &str, dimensions: usize) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
    header.extend(count(dimensions));
    header.extend(count(model.len()));
    header.extend(model.as_bytes());
    header
}
