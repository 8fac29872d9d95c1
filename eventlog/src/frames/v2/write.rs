//! Writing version 2.

use super::super::bytes::put_varint;
use super::super::{Column, Sequences, StatusCode, Values, bounds};
use super::floats::Form;
use super::lists::{Known, put_axis, put_counts};
use super::shape::{Chosen, Listed, Shape};
use super::texts::put_texts;
use super::words::{Method, Range, put_words};
use crate::checksum;

/// The parts of a frame while columns are added.
#[derive(Default)]
struct Writer<'a> {
    axes: Vec<&'a [i64]>,
    known_axes: Known,
    axis_headers: Vec<u8>,
    chosen_axes: Chosen,
    counts: Vec<&'a Sequences>,
    known_counts: Known,
    counts_headers: Vec<u8>,
    chosen_counts: Chosen,
    /// The lists come before the columns in the body, axes before counts.
    axis_bodies: Vec<u8>,
    counts_bodies: Vec<u8>,
    column_headers: Vec<u8>,
    column_bodies: Vec<u8>,
    signal: &'a str,
    words: Vec<i64>,
}

/// The bytes of a frame. Its columns are in order, and so are their rows.
pub(in super::super) fn encode(columns: &[Column<'_>]) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.column_headers.reserve(columns.len() * 24);
    writer.column_bodies.reserve(columns.iter().map(|column| column.times_ns.len() * 4).sum());
    columns.iter().for_each(|column| writer.column(column));
    writer.finish(columns.len())
}

impl<'a> Writer<'a> {
    fn column(&mut self, column: &Column<'a>) {
        let rows = column.times_ns.len();
        let axis = self.axis(column.times_ns);
        let counts = (!column.sequences.is_none()).then(|| self.counts(column.sequences, rows));
        let moments = self.chosen_axes.say(axis);
        let counted = counts.map(|counts| self.chosen_counts.say(counts));
        let flagged = column.statuses.as_all() != Some(StatusCode::GOOD);
        let header = &mut self.column_headers;
        header.push(Shape { kind: column.values.kind(), moments, counts: counted, statuses: flagged }.byte());
        put_signal(header, self.signal, column.signal);
        self.signal = column.signal;
        if moments == Listed::Numbered {
            put_varint(header, axis as u64);
        }
        if counted == Some(Listed::Numbered) {
            put_varint(header, counts.unwrap_or_default() as u64);
        }
        let start = self.column_bodies.len();
        let method = self.values(column);
        if flagged {
            put_statuses(&mut self.column_bodies, column);
        }
        put_varint(&mut self.column_headers, ((self.column_bodies.len() - start) as u64) << 2 | method as u64);
    }

    /// The number of the axis with these moments.
    fn axis(&mut self, times: &'a [i64]) -> usize {
        let same = |axis: &[i64]| std::ptr::eq(axis, times) || axis == times;
        if let Some(last) = self.chosen_axes.last().filter(|last| self.axes.get(*last).is_some_and(|axis| same(axis))) {
            return last;
        }
        let next = self.axes.len();
        let at = |index: usize| times.get(index).copied().unwrap_or(0).cast_unsigned();
        let numbers = [times.len() as u64, at(0), at(times.len() / 2), at(times.len().saturating_sub(1))];
        if let Some(found) = self.known_axes.find_or_note(numbers, next)
            && self.axes.get(found).is_some_and(|axis| same(axis))
        {
            return found;
        }
        let previous = self.axes.last().and_then(|axis| axis.first()).copied().unwrap_or(0);
        put_axis(&mut self.axis_headers, &mut self.axis_bodies, times, previous, &mut self.words);
        self.axes.push(times);
        next
    }

    /// The number of the list with these counts.
    fn counts(&mut self, counts: &'a Sequences, rows: usize) -> usize {
        let same = |other: &Sequences| other.shares(counts) || other == counts;
        if let Some(last) =
            self.chosen_counts.last().filter(|last| self.counts.get(*last).is_some_and(|last| same(last)))
        {
            return last;
        }
        let next = self.counts.len();
        let at = |row: usize| counts.get(row).unwrap_or(0);
        let numbers = [rows as u64, at(0), at(rows / 2), at(rows.saturating_sub(1))];
        if let Some(found) = self.known_counts.find_or_note(numbers, next)
            && self.counts.get(found).is_some_and(|found| same(found))
        {
            return found;
        }
        put_counts(&mut self.counts_headers, &mut self.counts_bodies, counts, rows, &mut self.words);
        self.counts.push(counts);
        next
    }

    /// The range into the header, the values into the body.
    fn values(&mut self, column: &Column<'_>) -> Method {
        let (header, body, words) = (&mut self.column_headers, &mut self.column_bodies, &mut self.words);
        match column.values {
            Values::Boolean(values) => {
                words.clear();
                words.extend(values.iter().map(|value| i64::from(*value)));
                let range = Range::of(words);
                range.put(header);
                put_words(body, words, range)
            }
            Values::Integer(values) => {
                let range = Range::of(values);
                range.put(header);
                put_words(body, values, range)
            }
            Values::Float(values) => {
                let form = Form::of(values, words);
                let range = Range::of(words);
                header.push(form.number());
                form.put_range(header, range);
                if let Form::WithNan { .. } = form {
                    let bounds = bounds::of(column.values);
                    bounds.into_iter().for_each(|bound| header.extend(bound.to_le_bytes()));
                }
                put_words(body, words, range)
            }
            Values::Text(texts) => put_texts(body, texts, words),
        }
    }

    fn finish(self, columns: usize) -> Vec<u8> {
        let mut directory = Vec::new();
        for count in [columns, self.axes.len(), self.counts.len()] {
            put_varint(&mut directory, count as u64);
        }
        let headers = [&directory, &self.axis_headers, &self.counts_headers, &self.column_headers];
        let bodies = [&self.axis_bodies, &self.counts_bodies, &self.column_bodies];
        let bytes = |parts: &[&Vec<u8>]| parts.iter().map(|part| part.len()).sum::<usize>();
        let directory_bytes = bytes(&headers);
        let mut out = Vec::with_capacity(16 + directory_bytes + bytes(&bodies));
        out.extend_from_slice(b"MWF\x02");
        // A frame is far smaller than 4 GiB: it has at most 20,000 texts of 64 KiB, and what is larger than a payload is refused after this.
        out.extend_from_slice(&u32::try_from(directory_bytes).unwrap_or(u32::MAX).to_le_bytes());
        let mut checksum = checksum::crc32c(&out);
        for part in headers {
            checksum = checksum::crc32c_append(checksum, part);
        }
        out.extend_from_slice(&checksum.to_le_bytes());
        headers.into_iter().chain(bodies).for_each(|part| out.extend_from_slice(part));
        for part in bodies {
            checksum = checksum::crc32c_append(checksum, part);
        }
        out.extend_from_slice(&checksum.to_le_bytes());
        out
    }
}

/// How many bytes it shares with the signal before, and the others.
fn put_signal(out: &mut Vec<u8>, previous: &str, signal: &str) {
    let shared = previous.bytes().zip(signal.bytes()).take_while(|(one, two)| one == two).count();
    let rest = signal.as_bytes().get(shared..).unwrap_or_default();
    put_varint(out, shared as u64);
    put_varint(out, rest.len() as u64);
    out.extend_from_slice(rest);
}

fn put_statuses(out: &mut Vec<u8>, column: &Column<'_>) {
    for (rows, status) in column.statuses.runs() {
        put_varint(out, rows as u64);
        out.extend_from_slice(&status.get().to_le_bytes());
    }
}
