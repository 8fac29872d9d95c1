//! Counting a file by other means than the importer: plain CSV rows.

use std::collections::BTreeMap;
use std::path::Path;

/// A CSV file as rows by column name. It knows quotes, and nothing else.
///
/// # Errors
/// When the file cannot be read.
pub fn rows(path: &Path, separator: char) -> anyhow::Result<Vec<BTreeMap<String, String>>> {
    let text = std::fs::read_to_string(path)?;
    let text = text.trim_start_matches('\u{feff}');
    let mut lines = records(text, separator).into_iter();
    let header = lines.next().unwrap_or_default();
    Ok(lines.map(|row| header.iter().cloned().zip(row).collect()).collect())
}

fn records(text: &str, separator: char) -> Vec<Vec<String>> {
    let mut records = Vec::new();
    let (mut record, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            '\r' if !quoted => {}
            '\n' if !quoted => {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            other if other == separator && !quoted => record.push(std::mem::take(&mut field)),
            other => field.push(other),
        }
    }
    if !field.is_empty() || !record.is_empty() {
        record.push(field);
        records.push(record);
    }
    records.retain(|record| record.iter().any(|field| !field.is_empty()));
    records
}
