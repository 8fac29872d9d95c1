//! Writing a sealed segment: a plan from one pass over the source, then chunks in as many passes as memory asks for, then blocks, directory, trailer.

use std::collections::HashMap;
use std::sync::Arc;

use super::SealError;
use super::block::{Body, Builder};
use super::chunk;
use super::columns::{Gathered, Lists};
use super::layout::{BlockPlace, ChunkPlace, Directory, Facts, TRAILER_BYTES, Trailer, header_bytes};
use super::source::{Pace, Source};
use crate::checksum;
use crate::embedded::codec::{Stored, header_bytes as record_header};
use crate::embedded::disk::{Access, DiskFile, Folder};
use crate::embedded::segment::Header;
use crate::frames::{self, ColumnSummary, Value};
use crate::{ContentType, DigestAlgorithm, PayloadState};

/// The most readings of a chunk, before the part of the frame that takes it there.
const CHUNK_ROWS: usize = 65_536;

/// The same for texts, which may be long.
const TEXT_CHUNK_ROWS: usize = 8_192;

/// The readings that are gathered in memory at once.
const PASS_READINGS: usize = 2 * 1024 * 1024;

/// What a reader that goes through all signals at once holds in memory: pages are smaller when there are more signals.
const OPEN_PAGES_READINGS: usize = 2 * 1024 * 1024;

/// The readings of a page.
const PAGE_ROWS: std::ops::RangeInclusive<usize> = 128..=4096;

/// The bytes that are written before they are synced, so that no append waits for a long sync of ours.
const SYNC_BYTES: u64 = 4 * 1024 * 1024;

/// One signal with one kind of values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Series {
    signal: Arc<str>,
    kind: u8,
}

/// Where the readings of a series go.
struct Planned {
    series: Series,
    /// The first chunk in the directory, and the row of the first frame of each chunk.
    first_chunk: u32,
    chunks: Vec<u32>,
    readings: usize,
}

/// What one pass over the source tells.
struct Plan {
    planned: Vec<Planned>,
    by_series: HashMap<Series, usize>,
    /// Whether the payload of each row is regrouped.
    regrouped: Vec<bool>,
    facts: Facts,
    page_rows: u32,
}

fn kind_of(summary: &ColumnSummary) -> u8 {
    match summary.bounds {
        Some((Value::Boolean(_), _)) => 0,
        Some((Value::Integer(_), _)) => 1,
        Some((Value::Float(_), _)) => 2,
        _ => 3,
    }
}

/// Whether a payload can be put together again from its columns: a frame that comes back byte by byte, or at least is what its digest says.
fn is_regrouped(stored: &Stored) -> Option<Vec<ColumnSummary>> {
    let record = &stored.record;
    let frame = record.content_type == ContentType::Frame
        && record.payload_digest.algorithm == DigestAlgorithm::FrameSha256
        && record.payload_state == PayloadState::Present;
    if !frame {
        return None;
    }
    let decoded = frames::decode(&record.payload).ok()?;
    let comes_back = frames::digest(&decoded) == record.payload_digest.digest
        || frames::payload(&decoded).is_ok_and(|payload| payload == record.payload);
    comes_back.then(|| frames::summaries(&record.payload).ok())?
}

impl Plan {
    fn of(source: &Source<'_>, pace: Pace<'_>) -> Result<Self, SealError> {
        let mut counts: HashMap<Series, Vec<(u32, u32)>> = HashMap::new();
        let mut regrouped = Vec::new();
        let mut last_record_time = source.header.last_record_time;
        let mut readings = 0_u64;
        source.each(pace, |row, stored| {
            last_record_time = stored.record.record_time;
            let columns = is_regrouped(&stored);
            regrouped.push(columns.is_some());
            for column in columns.into_iter().flatten() {
                readings += column.rows as u64;
                let series = Series { kind: kind_of(&column), signal: column.signal };
                counts.entry(series).or_default().push((row, column.rows as u32));
            }
            Ok(())
        })?;
        let facts = Facts { rows: regrouped.len() as u32, last_record_time, readings };
        let page_rows = (OPEN_PAGES_READINGS / counts.len().max(1)).clamp(*PAGE_ROWS.start(), *PAGE_ROWS.end()) as u32;
        let mut all: Vec<(Series, Vec<(u32, u32)>)> = counts.into_iter().collect();
        all.sort_unstable_by(|(one, _), (two, _)| one.cmp(two));
        let mut first_chunk = 0_u32;
        let mut planned = Vec::with_capacity(all.len());
        for (series, counts) in all {
            let (chunks, readings) = cut(&series, &counts);
            let after = first_chunk + chunks.len() as u32;
            planned.push(Planned { series, first_chunk, chunks, readings });
            first_chunk = after;
        }
        let by_series = planned.iter().enumerate().map(|(index, planned)| (planned.series.clone(), index)).collect();
        Ok(Self { planned, by_series, regrouped, facts, page_rows })
    }

    /// The chunk that the readings of this series in this frame are in.
    fn chunk(&self, series: &Series, row: u32) -> Option<u32> {
        let planned = self.planned.get(*self.by_series.get(series)?)?;
        let after = planned.chunks.partition_point(|first| *first <= row);
        Some(planned.first_chunk + u32::try_from(after.checked_sub(1)?).ok()?)
    }

    /// Runs of series that are gathered in one pass: as many as fit, or a single one.
    fn passes(&self) -> Vec<std::ops::Range<usize>> {
        let mut passes: Vec<std::ops::Range<usize>> = Vec::new();
        let mut readings = 0;
        for (index, planned) in self.planned.iter().enumerate() {
            match passes.last_mut().filter(|_| readings + planned.readings <= PASS_READINGS) {
                Some(pass) => pass.end = index + 1,
                None => {
                    passes.push(index..index + 1);
                    readings = 0;
                }
            }
            readings += planned.readings;
        }
        passes
    }
}

/// The first frame of each chunk: as few chunks as allowed, of about the same size.
fn cut(series: &Series, counts: &[(u32, u32)]) -> (Vec<u32>, usize) {
    let readings: usize = counts.iter().map(|(_, count)| *count as usize).sum();
    let most = if series.kind == 3 { TEXT_CHUNK_ROWS } else { CHUNK_ROWS };
    let target = readings.div_ceil(readings.div_ceil(most).max(1));
    let mut chunks = Vec::new();
    let mut in_chunk = usize::MAX;
    for (row, count) in counts {
        if in_chunk >= target {
            chunks.push(*row);
            in_chunk = 0;
        }
        in_chunk += *count as usize;
    }
    (chunks, readings)
}

/// A file that grows, in bounded pieces.
struct Growing<'a> {
    file: Arc<dyn DiskFile>,
    name: &'a str,
    offset: u64,
    synced: u64,
}

impl Growing<'_> {
    fn append(&mut self, bytes: &[u8], pace: Pace<'_>) -> Result<(), SealError> {
        self.file.write_all_at(bytes, self.offset).map_err(SealError::io("writing", self.name))?;
        self.offset += bytes.len() as u64;
        if self.offset - self.synced >= SYNC_BYTES {
            self.file.sync_data().map_err(SealError::io("syncing", self.name))?;
            self.synced = self.offset;
        }
        pace(bytes.len() as u64)
    }
}

/// Writes the sealed form of a segment into a file that has no lasting name yet, and syncs it.
pub(super) fn write(
    folder: &Folder,
    name: &str,
    source: &Source<'_>,
    pace: Pace<'_>,
) -> Result<Arc<dyn DiskFile>, SealError> {
    let header = source.header;
    let plan = Plan::of(source, pace)?;
    let file = folder.open(name, Access::Empty).map_err(SealError::io("creating", name))?;
    let mut growing = Growing { file: Arc::clone(&file), name, offset: 0, synced: 0 };
    growing.append(&header_bytes(header, &plan.facts), pace)?;
    let mut directory = Directory::default();
    for pass in plan.passes() {
        write_chunks(source, &plan, pass, (&mut growing, &mut directory), pace)?;
    }
    let blocks_at = growing.offset;
    write_blocks(source, &plan, (&mut growing, &mut directory), pace)?;
    let failed = || SealError::io("writing", name);
    let directory_at = growing.offset;
    let (stored, directory_raw_bytes) = directory.to_bytes().map_err(failed())?;
    growing.append(&stored, pace)?;
    let trailer = Trailer {
        directory_at,
        directory_raw_bytes,
        directory_checksum: checksum::crc32c_append(header.seed(), &stored),
        blocks_at,
        file_bytes: growing.offset + TRAILER_BYTES as u64,
    };
    growing.append(&trailer.to_bytes(header.seed()), pace)?;
    file.sync_all().map_err(SealError::io("syncing", name))?;
    Ok(file)
}

type Output<'a, 'b> = (&'a mut Growing<'b>, &'a mut Directory);

fn write_chunks(
    source: &Source<'_>,
    plan: &Plan,
    pass: std::ops::Range<usize>,
    (growing, directory): Output<'_, '_>,
    pace: Pace<'_>,
) -> Result<(), SealError> {
    let planned = plan.planned.get(pass.clone()).unwrap_or_default();
    let chunks: usize = planned.iter().map(|planned| planned.chunks.len()).sum();
    let first_chunk = planned.first().map_or(0, |planned| planned.first_chunk);
    let mut open: Vec<Option<Gathered>> = std::iter::repeat_with(|| None).take(chunks).collect();
    // A series that alone is too large for memory is written chunk by chunk while the source is read.
    let alone = planned.len() == 1;
    let mut written = 0;
    let mut writing = |gathered: &Gathered, index: usize, pace: Pace<'_>| {
        let number = first_chunk + index as u32;
        let owner = planned.partition_point(|planned| planned.first_chunk <= number).saturating_sub(1);
        match planned.get(owner) {
            Some(owner) => put_chunk(&owner.series, gathered, (source.header, plan), (growing, directory), pace),
            None => Ok(()),
        }
    };
    // The pace is asked by the source and by what is written while it is read.
    let pace = std::cell::RefCell::new(pace);
    let mut asked = |bytes: u64| (pace.borrow_mut())(bytes);
    source.each(&mut asked, |row, stored| {
        if plan.regrouped.get(row as usize) != Some(&true) {
            return Ok(());
        }
        let columns = frames::decode_columns(&stored.record.payload, |summary| {
            let series = Series { kind: kind_of(summary), signal: Arc::clone(&summary.signal) };
            plan.by_series.get(&series).is_some_and(|index| pass.contains(index))
        });
        // It was decoded when the plan was made.
        for column in columns.unwrap_or_default().columns() {
            let series = Series { kind: column.values.kind(), signal: Arc::clone(column.signal) };
            let Some(index) = plan.chunk(&series, row).map(|chunk| (chunk - first_chunk) as usize) else { continue };
            if alone && index > written {
                if let Some(gathered) = open.get_mut(written).and_then(Option::take) {
                    writing(&gathered, written, &mut |bytes| (pace.borrow_mut())(bytes))?;
                }
                written = index;
            }
            let Some(place) = open.get_mut(index) else { continue };
            if place.is_none() {
                *place = Gathered::new(series.kind);
            }
            if let Some(gathered) = place {
                gathered.push(row, column);
            }
        }
        Ok(())
    })?;
    for (index, gathered) in open.iter_mut().enumerate() {
        if let Some(gathered) = gathered.take() {
            writing(&gathered, index, &mut |bytes| (pace.borrow_mut())(bytes))?;
        }
    }
    Ok(())
}

fn put_chunk(
    series: &Series,
    gathered: &Gathered,
    (header, plan): (&Header, &Plan),
    (growing, directory): (&mut Growing<'_>, &mut Directory),
    pace: Pace<'_>,
) -> Result<(), SealError> {
    let failed = || SealError::io("writing", growing.name);
    let written = chunk::write(gathered, plan.page_rows, header.seed()).map_err(failed())?;
    if directory.signals.last() != Some(&series.signal) {
        directory.signals.push(Arc::clone(&series.signal));
    }
    let frames = [gathered.parts.first(), gathered.parts.last()].map(|part| part.map_or(0, |part| part.row));
    let too_long = |_| std::io::Error::other("a chunk has more than 4 GiB");
    directory.chunks.push(ChunkPlace {
        signal: directory.signals.len().saturating_sub(1) as u32,
        kind: series.kind,
        frames: (frames[0], frames[1]),
        rows: gathered.len() as u32,
        min_time_ns: gathered.times_ns.iter().copied().min().unwrap_or(0),
        max_time_ns: gathered.times_ns.iter().copied().max().unwrap_or(0),
        bounds: bounds(&gathered.values),
        offset: growing.offset,
        bytes: u32::try_from(written.bytes.len()).map_err(too_long).map_err(failed())?,
        meta_bytes: written.meta_bytes,
        meta_raw_bytes: written.meta_raw_bytes,
        meta_checksum: written.meta_checksum,
    });
    growing.append(&written.bytes, pace)
}

/// As in the columns of frames: NaN left out, zeros for texts.
fn bounds(values: &Lists) -> [u64; 2] {
    match values {
        Lists::Boolean(values) => [values.iter().all(|value| *value), values.contains(&true)].map(u64::from),
        Lists::Integer(values) => {
            [values.iter().min(), values.iter().max()].map(|value| value.copied().unwrap_or(0).cast_unsigned())
        }
        Lists::Float(values) => {
            let numbers = || values.iter().copied().filter(|value| !value.is_nan());
            [numbers().min_by(f64::total_cmp), numbers().max_by(f64::total_cmp)]
                .map(|value| value.unwrap_or(f64::NAN).to_bits())
        }
        Lists::Text(_) => [0, 0],
    }
}

fn write_blocks(
    source: &Source<'_>,
    plan: &Plan,
    (growing, directory): Output<'_, '_>,
    pace: Pace<'_>,
) -> Result<(), SealError> {
    let mut builder = Builder::default();
    let mut first_row = 0;
    let mut put = |builder: &mut Builder, pace: Pace<'_>| {
        let rows = builder.rows() as u32;
        let (stored, raw_bytes) = builder.finish().map_err(SealError::io("writing", growing.name))?;
        let checksum = checksum::crc32c_append(source.header.seed(), &stored);
        let bytes = stored.len() as u32;
        directory.blocks.push(BlockPlace { first_row, rows, offset: growing.offset, bytes, raw_bytes, checksum });
        first_row += rows;
        growing.append(&stored, pace)
    };
    let pace = std::cell::RefCell::new(pace);
    source.each(&mut |bytes| (pace.borrow_mut())(bytes), |row, stored| {
        let body = if stored.record.payload_state == PayloadState::Dropped {
            Body::Dropped
        } else if plan.regrouped.get(row as usize) == Some(&true) {
            // The summaries were read when the plan was made.
            let columns = frames::summaries(&stored.record.payload).unwrap_or_default();
            let chunk =
                |column: ColumnSummary| plan.chunk(&Series { kind: kind_of(&column), signal: column.signal }, row);
            Body::Regrouped(columns.into_iter().filter_map(chunk).collect())
        } else {
            Body::Inline(stored.record.payload.clone())
        };
        builder.push(&record_header(&stored), &body);
        if builder.is_full() { put(&mut builder, &mut |bytes| (pace.borrow_mut())(bytes)) } else { Ok(()) }
    })?;
    if builder.rows() > 0 {
        put(&mut builder, &mut |bytes| (pace.borrow_mut())(bytes))?;
    }
    Ok(())
}
