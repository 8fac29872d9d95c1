//! Rows from files: CSV and JSON lines, one row at a time.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;

use super::MAX_ROW_BYTES;
use super::cell::Cell;
use super::compile::{Builtin, Origin};
use super::identity;
use super::lines::LineCounter;
use super::mapping::{Format, Mapping};

/// Why an import stopped. A bad row does not stop it: see [`super::Reject`].
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// There is no file to import.
    #[error("no file was given")]
    NoFiles,
    /// A file could not be read.
    #[error("reading {file} failed")]
    Io {
        /// The file.
        file: String,
        /// The operating system's reason.
        #[source]
        source: std::io::Error,
    },
    /// A file is not of the format that the mapping says.
    #[error("{file}: {reason}")]
    Format {
        /// The file.
        file: String,
        /// What does not fit.
        reason: String,
    },
    /// A column that the mapping names is not in the header.
    #[error("{file} has no column {column:?}; it has {header}")]
    Column {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// The columns that there are.
        header: String,
    },
    /// A joined file could not be used.
    #[error("join {join}, {file}: {reason}")]
    Join {
        /// The join's name.
        join: String,
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// The files make more than one import holds.
    #[error("the files make more than {limit} events and readings; import them in parts")]
    TooLarge {
        /// The most items of one import.
        limit: usize,
    },
}

/// The file names that a row knows.
pub(super) struct FileName {
    pub(super) name: Arc<str>,
    stem: String,
    folder: String,
}

impl FileName {
    fn of(path: &Path) -> Self {
        let text =
            |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned()).unwrap_or_default();
        Self {
            name: text(path.file_name()).into(),
            stem: text(path.file_stem()),
            folder: text(path.parent().and_then(Path::file_name)),
        }
    }
}

/// What reading a row gave.
pub(super) enum RowRead {
    /// The columns are filled in.
    Row,
    /// The row cannot be understood.
    Bad(String),
    /// The file is at its end.
    End,
}

/// The rows of one file.
pub(super) struct Rows<'m> {
    mapping: &'m Mapping,
    pub(super) file: FileName,
    path: String,
    source: Source,
    /// The number of the row that was read last, from 1; a header does not count.
    pub(super) row: u64,
    line: u64,
    lines: Option<LineCounter>,
}

enum Source {
    Csv {
        reader: Box<csv::Reader<File>>,
        record: csv::ByteRecord,
        /// For each slot, the column that fills it.
        columns: Vec<(usize, Option<usize>)>,
        width: usize,
    },
    Lines {
        reader: BufReader<File>,
        line: Vec<u8>,
        columns: Vec<(usize, String)>,
        bytes: u64,
    },
}

impl<'m> Rows<'m> {
    pub(super) fn open(mapping: &'m Mapping, path: &Path) -> Result<Self, ImportError> {
        let shown = path.display().to_string();
        let failed = |source| ImportError::Io { file: shown.clone(), source };
        let file = File::open(path).map_err(failed)?;
        let wanted = mapping
            .slots
            .iter()
            .enumerate()
            .filter(|(_, (_, origin))| **origin == Origin::Column)
            .map(|(slot, (name, _))| (slot, name.clone()));
        let source = match &mapping.input.format {
            Format::JsonLines => {
                let columns = wanted.map(|(slot, name)| (slot, original(mapping, name))).collect();
                Source::Lines { reader: BufReader::new(file), line: Vec::new(), columns, bytes: 0 }
            }
            Format::Csv { separator, columns } => {
                let mut reader = csv::ReaderBuilder::new()
                    .delimiter(*separator)
                    .flexible(true)
                    .has_headers(columns.is_none())
                    .buffer_capacity(1 << 18)
                    .from_reader(file);
                let header = match columns {
                    Some(columns) => columns.clone(),
                    None => header(&mut reader, mapping, &shown)?,
                };
                let columns = wanted
                    .map(|(slot, name)| Ok((slot, column(&header, &name, mapping, &shown)?)))
                    .collect::<Result<Vec<_>, ImportError>>()?;
                let width = header.len();
                Source::Csv { reader: Box::new(reader), record: csv::ByteRecord::new(), columns, width }
            }
        };
        Ok(Self { mapping, file: FileName::of(path), path: shown, source, row: 0, line: 0, lines: None })
    }

    /// How many bytes of the file have been read.
    pub(super) fn bytes(&self) -> u64 {
        match &self.source {
            Source::Csv { reader, .. } => reader.position().byte(),
            Source::Lines { bytes, .. } => *bytes,
        }
    }

    /// Reads the next row into the slots: columns, and what every row has.
    pub(super) fn next(&mut self, values: &mut [Option<Cell>]) -> Result<RowRead, ImportError> {
        values.fill(None);
        let read = match &mut self.source {
            Source::Csv { reader, record, columns, width } => {
                match reader.read_byte_record(record) {
                    Ok(false) => return Ok(RowRead::End),
                    Ok(true) => {}
                    Err(error) => {
                        return Err(ImportError::Format { file: self.path.clone(), reason: error.to_string() });
                    }
                }
                csv_row(record, columns, *width, self.mapping, values)
            }
            Source::Lines { reader, line, columns, bytes } => {
                loop {
                    self.line += 1;
                    let count = read_line(reader, line)
                        .map_err(|source| ImportError::Io { file: self.path.clone(), source })?;
                    *bytes += count as u64;
                    match count {
                        0 => return Ok(RowRead::End),
                        _ if line.trim_ascii().is_empty() => {}
                        _ => break,
                    }
                }
                json_row(line, columns, self.mapping, values)
            }
        };
        self.row += 1;
        self.fill_builtins(values);
        Ok(read.map_or_else(RowRead::Bad, |()| RowRead::Row))
    }

    /// The digest of the row that was read last.
    pub(super) fn digest(&self) -> [u8; 16] {
        match &self.source {
            Source::Csv { record, .. } => identity::digest(record.iter()),
            Source::Lines { line, .. } => identity::digest(std::iter::once(line.trim_ascii())),
        }
    }

    /// The row that was read last, as it stands in the file.
    pub(super) fn raw(&self) -> String {
        match &self.source {
            Source::Lines { line, .. } => String::from_utf8_lossy(line).trim_end().to_owned(),
            Source::Csv { record, .. } => {
                let separator = match &self.mapping.input.format {
                    Format::Csv { separator, .. } => *separator,
                    Format::JsonLines => b',',
                };
                let mut writer = csv::WriterBuilder::new().delimiter(separator).from_writer(Vec::new());
                let written = writer.write_byte_record(record).ok().and_then(|()| writer.into_inner().ok());
                String::from_utf8_lossy(&written.unwrap_or_default()).trim_end().to_owned()
            }
        }
    }

    /// The line of the file that the row begins on, from 1; 0 when the file cannot be read for it.
    pub(super) fn line(&mut self) -> u64 {
        if let Source::Csv { record, .. } = &self.source
            && let Some(position) = record.position()
        {
            let counter = self.lines.get_or_insert_with(|| LineCounter::open(&self.path));
            return counter.line_from(position.byte());
        }
        self.line
    }

    fn fill_builtins(&self, values: &mut [Option<Cell>]) {
        let number = |number: u64| Cell::Integer(i64::try_from(number).unwrap_or(i64::MAX));
        for (value, origin) in values.iter_mut().zip(self.mapping.slots.values()) {
            let Origin::Builtin(builtin) = origin else { continue };
            *value = match builtin {
                Builtin::Row => Some(number(self.row)),
                Builtin::FileName => Some(Cell::Text(self.file.name.to_string())),
                Builtin::FileStem => Some(Cell::Text(self.file.stem.clone())),
                Builtin::FileFolder => Some(Cell::Text(self.file.folder.clone())),
                Builtin::Content | Builtin::Occurrence | Builtin::Repeated | Builtin::Each | Builtin::EachValue => None,
            };
        }
    }
}

/// The name that a column has in the file, where the mapping renames it.
fn original(mapping: &Mapping, name: String) -> String {
    let renamed = mapping.input.rename.iter().find(|(_, to)| **to == name).map(|(from, _)| from.clone());
    renamed.unwrap_or(name)
}

fn header(reader: &mut csv::Reader<File>, mapping: &Mapping, file: &str) -> Result<Vec<String>, ImportError> {
    let header = reader
        .byte_headers()
        .map_err(|error| ImportError::Format { file: file.to_owned(), reason: error.to_string() })?;
    Ok(header
        .iter()
        .map(|name| {
            let name = String::from_utf8_lossy(name);
            let name = name.trim_start_matches('\u{feff}').trim();
            mapping.input.rename.get(name).cloned().unwrap_or_else(|| name.to_owned())
        })
        .collect())
}

fn column(header: &[String], name: &str, mapping: &Mapping, file: &str) -> Result<Option<usize>, ImportError> {
    let found = header.iter().position(|column| column == name);
    if found.is_none() && !mapping.input.optional_columns.iter().any(|optional| optional == name) {
        return Err(ImportError::Column {
            file: file.to_owned(),
            column: name.to_owned(),
            header: header.iter().take(40).map(|column| format!("{column:?}")).collect::<Vec<_>>().join(", "),
        });
    }
    Ok(found)
}

fn csv_row(
    record: &csv::ByteRecord,
    columns: &[(usize, Option<usize>)],
    width: usize,
    mapping: &Mapping,
    values: &mut [Option<Cell>],
) -> Result<(), String> {
    if record.as_slice().len() > MAX_ROW_BYTES {
        return Err(format!("the row is longer than {MAX_ROW_BYTES} bytes"));
    }
    if record.len() != width {
        return Err(format!("the row has {} columns, {width} are expected", record.len()));
    }
    for (slot, column) in columns {
        let Some(bytes) = column.and_then(|column| record.get(column)) else { continue };
        let text = std::str::from_utf8(bytes).map_err(|_| "the row is not UTF-8".to_owned())?;
        if let Some(value) = values.get_mut(*slot) {
            *value = text_cell(text, mapping);
        }
    }
    Ok(())
}

fn text_cell(text: &str, mapping: &Mapping) -> Option<Cell> {
    let text = if mapping.input.trim { text.trim() } else { text };
    let missing = text.is_empty() || mapping.input.missing.iter().any(|missing| missing == text);
    (!missing).then(|| Cell::Text(text.to_owned()))
}

fn json_row(
    line: &[u8],
    columns: &[(usize, String)],
    mapping: &Mapping,
    values: &mut [Option<Cell>],
) -> Result<(), String> {
    if line.len() > MAX_ROW_BYTES {
        return Err(format!("the line is longer than {MAX_ROW_BYTES} bytes"));
    }
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let row: Json = serde_json::from_slice(line).map_err(|error| format!("the line is not JSON: {error}"))?;
    if !row.is_object() {
        return Err("the line is not a JSON object".to_owned());
    }
    for (slot, name) in columns {
        let cell = find(&row, name).cloned().and_then(Cell::from_json);
        if let Some(value) = values.get_mut(*slot) {
            *value = match cell {
                Some(Cell::Text(text)) => text_cell(&text, mapping),
                other => other,
            };
        }
    }
    Ok(())
}

/// A member by its name, or by the names on the way to it with dots between them.
fn find<'a>(value: &'a Json, name: &str) -> Option<&'a Json> {
    if let Some(found) = value.get(name) {
        return Some(found);
    }
    name.match_indices('.').find_map(|(at, _)| {
        let (head, tail) = (name.get(..at)?, name.get(at + 1..)?);
        find(value.get(head)?, tail)
    })
}

/// Reads a line. Of one that is too long only so much is kept that it is seen to be.
fn read_line(reader: &mut BufReader<File>, line: &mut Vec<u8>) -> std::io::Result<usize> {
    let limit = MAX_ROW_BYTES as u64 + 1;
    line.clear();
    let count = reader.by_ref().take(limit).read_until(b'\n', line)?;
    if count as u64 == limit { Ok(count + skip_line(reader)?) } else { Ok(count) }
}

/// Reads to the end of a line that is too long, without keeping it.
fn skip_line(reader: &mut BufReader<File>) -> std::io::Result<usize> {
    let mut skipped = 0;
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(skipped);
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let count = end.map_or(buffer.len(), |at| at + 1);
        reader.consume(count);
        skipped += count;
        if end.is_some() {
            return Ok(skipped);
        }
    }
}
