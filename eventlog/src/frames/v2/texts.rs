//! Texts as the different ones in order of their first row, and which one each row has.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::bytes::{Reader, damaged, put_varint};
use super::super::{FrameError, MAX_TEXT_BYTES};
use super::words::{Method, Range, Scratch, put_words};

pub(super) fn put_texts(out: &mut Vec<u8>, texts: &[Arc<str>], words: &mut Vec<i64>) -> Method {
    let mut indexes: HashMap<&str, i64> = HashMap::new();
    let mut different: Vec<&str> = Vec::new();
    words.clear();
    for text in texts {
        let next = different.len();
        let index = *indexes.entry(text).or_insert_with(|| {
            different.push(text);
            next as i64
        });
        words.push(index);
    }
    put_varint(out, different.len() as u64);
    for text in &different {
        put_varint(out, text.len() as u64);
        out.extend_from_slice(text.as_bytes());
    }
    put_words(out, words, range(different.len()))
}

/// Appends the text of each row.
pub(super) fn read_texts(
    reader: &mut Reader<'_>,
    method: Method,
    rows: usize,
    scratch: &mut Scratch,
    texts: &mut Vec<Arc<str>>,
) -> Result<(), FrameError> {
    let count = reader.count("the number of different texts", rows)?;
    let mut different: Vec<Arc<str>> = Vec::with_capacity(count.min(reader.rest().len()));
    for _ in 0..count {
        let bytes = reader.count("the length of a text", MAX_TEXT_BYTES)?;
        let text = std::str::from_utf8(reader.take(bytes)?).map_err(|_| damaged("a text is not UTF-8"))?;
        different.push(text.into());
    }
    let words = scratch.read(reader, method, rows, range(count))?;
    for word in words {
        let text = usize::try_from(*word).ok().and_then(|index| different.get(index));
        texts.push(text.ok_or_else(|| damaged("a text is not in the dictionary"))?.clone());
    }
    Ok(())
}

fn range(count: usize) -> Range {
    Range { least: 0, span: (count as u64).saturating_sub(1) }
}
