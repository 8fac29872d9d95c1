//! Opening a directory: what is there, what may be cut off, what is damage.

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::codec::{Stored, read_record, record_bytes};
use super::disk::{Access, DiskFile, Folder, Lock};
use super::error::OpenError;
use super::index::{Index, Indexed, MemoryIndex};
use super::index_file::FileIndex;
use super::mark::{self, Mark, MarkFile};
use super::segment::{self, Found, HEADER_BYTES, Header};
use super::store::Segment;
use super::{OpenReport, Options};
use crate::transparency::{CHECKPOINT, stored_size};
use crate::tree::Tree;
use crate::{LogId, Position, Record};

/// The file that is locked while a log is open for writing.
const LOCK: &str = "lock";

/// Where the next batch goes.
pub(super) struct Active {
    pub(super) segment: Arc<Segment>,
    /// The handle for writing.
    pub(super) file: Arc<dyn DiskFile>,
    /// Where the next batch begins.
    pub(super) offset: u64,
    /// The allocated bytes of the file.
    pub(super) file_bytes: u64,
    /// The position that is written next.
    pub(super) next: Position,
    /// The tree over every record before it.
    pub(super) tree: Tree,
    /// The time of the last record.
    pub(super) time: Timestamp,
}

/// A log that is ready to be appended to.
pub(super) struct Recovered {
    pub(super) log: LogId,
    pub(super) segments: Vec<Arc<Segment>>,
    pub(super) active: Active,
    pub(super) mark: MarkFile,
    pub(super) lock: Box<dyn Lock>,
    pub(super) report: OpenReport,
}

/// How far the batches of a segment reach.
pub(super) struct Walk {
    /// The position after the last record.
    pub(super) next: Position,
    /// The offset after the last batch.
    pub(super) offset: u64,
    /// The tree after the last record.
    pub(super) tree: Tree,
    /// The time of the last record.
    pub(super) time: Timestamp,
    /// Where the batches begin that no later batch declares durable, with their first positions.
    pub(super) undeclared: Vec<(Position, u64)>,
    /// Why the walk ended.
    pub(super) stopped: &'static str,
}

/// Walks over every batch of a segment from its start, as long as they validate.
pub(super) fn walk(
    file: &dyn DiskFile,
    header: &Header,
    mut visit: impl FnMut(&Stored, u64) -> Result<(), OpenError>,
) -> Result<Walk, OpenError> {
    let name = segment::name(header.number);
    let failed = || OpenError::io("reading", &name);
    let file_bytes = file.len().map_err(failed())?;
    let mut walk = Walk {
        next: header.base,
        offset: HEADER_BYTES,
        tree: header.tree.clone(),
        time: header.last_record_time,
        undeclared: Vec::new(),
        stopped: "",
    };
    loop {
        let found = segment::batch_at(file, file_bytes, walk.offset, header.seed()).map_err(failed())?;
        let (batch, records, mut at, next) = match found {
            Found::Nothing(reason) => return Ok(Walk { stopped: reason, ..walk }),
            Found::Batch { header, records, records_at, next } => (header, records, records_at, next),
        };
        // The checksum fits, so whatever does not fit from here on was written so: that is never a torn tail.
        if batch.first != walk.next || batch.durable_upto > walk.next {
            return Err(OpenError::corrupt(walk.next, &name, "a batch with other positions stands here"));
        }
        walk.undeclared.retain(|(first, _)| *first >= batch.durable_upto);
        walk.undeclared.push((batch.first, walk.offset));
        if !batch.known {
            return Err(OpenError::corrupt(walk.next, &name, "a batch has flags that this version does not know"));
        }
        let mut rest = records.as_slice();
        for _ in 0..batch.count {
            let stored = read_record(rest, header.seed(), None)
                .map_err(|reason| OpenError::corrupt(walk.next, &name, reason))?;
            if stored.record.position != walk.next || stored.record.record_time < walk.time {
                return Err(OpenError::corrupt(
                    walk.next,
                    &name,
                    "its position or record time does not follow the one before",
                ));
            }
            visit(&stored, at)?;
            walk.tree.push(stored.leaf);
            walk.time = stored.record.record_time;
            walk.next = walk.next.next();
            let bytes = record_bytes(rest).unwrap_or(rest.len());
            at += bytes as u64;
            rest = rest.get(bytes..).unwrap_or_default();
        }
        if !rest.is_empty() {
            return Err(OpenError::corrupt(walk.next, &name, "a batch holds more than its records"));
        }
        walk.offset = next;
    }
}

/// Adds a record to an index, when its offset fits.
fn index_record(index: &mut MemoryIndex, record: &Record, offset: u64, name: &str) -> Result<(), OpenError> {
    let offset = u32::try_from(offset)
        .map_err(|_| OpenError::corrupt(record.position, name, "the segment is larger than 4 GiB"))?;
    index.push(Indexed::of_record(record), offset);
    Ok(())
}

/// Opens the directory as a log, creating it when it is empty.
pub(super) fn open(folder: &Folder, options: &Options) -> Result<Recovered, OpenError> {
    folder.create().map_err(OpenError::io("creating", &folder.shown()))?;
    let lock = folder.lock(LOCK).map_err(OpenError::io("locking", LOCK))?;
    let lock = lock.ok_or_else(|| OpenError::Locked { directory: folder.shown() })?;
    segment::remove_unpublished(folder).map_err(OpenError::io("cleaning", &folder.shown()))?;
    let numbers = segment::list(folder)?;
    if numbers.is_empty() { create(folder, options, lock) } else { reopen(folder, options, lock, &numbers) }
}

fn create(folder: &Folder, options: &Options, lock: Box<dyn Lock>) -> Result<Recovered, OpenError> {
    let names = folder.list().map_err(OpenError::io("listing", &folder.shown()))?;
    if names.iter().any(|name| name == mark::NAME || name == CHECKPOINT) {
        return Err(OpenError::corrupt(Position::START, &segment::name(0), "the segments of this log are gone"));
    }
    let log = options.new_log_id.unwrap_or_else(|| LogId::new(Uuid::now_v7()));
    let header = Header {
        log,
        number: 0,
        base: Position::START,
        last_record_time: Timestamp::from_nanosecond(i128::from(i64::MIN)).unwrap_or(Timestamp::MIN),
        tree: Tree::new(),
    };
    let name = segment::name(0);
    let file = segment::prepare(folder, &header, options.segment_bytes).map_err(OpenError::io("creating", &name))?;
    segment::publish(folder, 0).map_err(OpenError::io("creating", &name))?;
    folder.sync_parent().map_err(OpenError::io("syncing the folder above", &folder.shown()))?;
    let mark = MarkFile::open(folder, log).map_err(OpenError::io("creating", mark::NAME))?;
    let time = header.last_record_time;
    let segment = Arc::new(Segment::new(header, Arc::clone(&file), Index::Memory(MemoryIndex::default())));
    let report = OpenReport { created: true, segments: 1, closed_in_order: true, ..OpenReport::default() };
    let active = Active {
        segment: Arc::clone(&segment),
        file,
        offset: HEADER_BYTES,
        file_bytes: options.segment_bytes,
        next: Position::START,
        tree: Tree::new(),
        time,
    };
    Ok(Recovered { log, segments: vec![segment], active, mark, lock, report })
}

fn reopen(folder: &Folder, options: &Options, lock: Box<dyn Lock>, numbers: &[u64]) -> Result<Recovered, OpenError> {
    let headers = headers(folder, numbers)?;
    let Some(((file, header), sealed)) = headers.split_last() else {
        return Err(OpenError::NoLog { directory: folder.shown() });
    };
    let log = header.log;
    let known = Known::read(folder, log)?;
    let mark = known.mark;
    let mut report = OpenReport { segments: headers.len(), ..OpenReport::default() };
    let mut segments = Vec::with_capacity(headers.len());
    for (index, (file, header)) in sealed.iter().enumerate() {
        let next = headers.get(index + 1).map(|(_, header)| header);
        segments.push(sealed_segment(folder, (file, header), next, &mut report)?);
    }
    let (segment, active) = last_segment(folder, options, (file, header), &known, &mut report)?;
    segments.push(segment);
    let mark_file = MarkFile::open(folder, log).map_err(OpenError::io("opening", mark::NAME))?;
    report.records = active.next.get();
    report.closed_in_order = mark.is_some_and(|mark| mark.closed && mark.tail == active.next);
    Ok(Recovered { log, segments, active, mark: mark_file, lock, report })
}

/// What is known outside the segments of how far the log reached.
pub(super) struct Known {
    pub(super) mark: Option<Mark>,
    /// The size that the last signed checkpoint names. Whether its signature is good is for others: a size that is too large refuses too much, never too little.
    pub(super) signed: Option<Position>,
}

impl Known {
    /// Ordering: read before the segments are listed, so that in a log that is in use it is not ahead of what is read there.
    pub(super) fn read(folder: &Folder, log: LogId) -> Result<Self, OpenError> {
        let mark = mark::read(folder, log).map_err(OpenError::io("reading", mark::NAME))?;
        let mut note = vec![0; 4096];
        let read = match folder.open(CHECKPOINT, Access::Read) {
            Ok(file) => file.read_up_to(&mut note, 0),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        };
        note.truncate(read.map_err(OpenError::io("reading", CHECKPOINT))?);
        Ok(Self { mark, signed: stored_size(&note).map(Position::new) })
    }
}

/// A segment file with what its header says.
pub(super) type Opened = (Arc<dyn DiskFile>, Header);

/// Opens every segment and checks that each follows the one before.
pub(super) fn headers(folder: &Folder, numbers: &[u64]) -> Result<Vec<Opened>, OpenError> {
    let mut headers: Vec<Opened> = Vec::with_capacity(numbers.len());
    for (index, number) in numbers.iter().enumerate() {
        let (file, header) = segment::open(folder, *number, Access::Read)?;
        let base = headers.last().map_or(Position::START, |(_, last)| last.base);
        if *number != index as u64 {
            return Err(OpenError::corrupt(base, &segment::name(index as u64), "the segment is missing"));
        }
        let follows = headers.last().is_none_or(|(_, last)| last.log == header.log && last.base < header.base);
        if !follows || (index == 0 && header.base != Position::START) {
            return Err(OpenError::corrupt(
                header.base,
                &segment::name(*number),
                "it does not follow the segment before",
            ));
        }
        headers.push((file, header));
    }
    Ok(headers)
}

fn sealed_segment(
    folder: &Folder,
    (file, header): (&Arc<dyn DiskFile>, &Header),
    next: Option<&Header>,
    report: &mut OpenReport,
) -> Result<Arc<Segment>, OpenError> {
    let name = segment::name(header.number);
    let file = Arc::clone(file);
    let bytes = file.len().map_err(OpenError::io("reading", &name))?;
    let rows = next.map_or(0, |next| next.base.get() - header.base.get());
    if let Some(index) = FileIndex::open(folder, header, bytes, rows) {
        return Ok(Arc::new(Segment::new(header.clone(), file, Index::File(index))));
    }
    let mut index = MemoryIndex::default();
    let walk = walk(file.as_ref(), header, |stored, offset| index_record(&mut index, &stored.record, offset, &name))?;
    check_sealed(&walk, next, &name)?;
    let index =
        FileIndex::write(folder, header, bytes, &index).map_err(OpenError::io("writing the index of", &name))?;
    report.indexes_rebuilt += 1;
    Ok(Arc::new(Segment::new(header.clone(), file, Index::File(index))))
}

/// A sealed segment must reach exactly to where the next one begins.
pub(super) fn check_sealed(walk: &Walk, next: Option<&Header>, name: &str) -> Result<(), OpenError> {
    let Some(next) = next else { return Ok(()) };
    if walk.next != next.base {
        let reason =
            format!("{}, but the next segment says that everything below {} was durable", walk.stopped, next.base);
        return Err(OpenError::corrupt(walk.next, name, reason));
    }
    if walk.tree != next.tree || walk.time != next.last_record_time {
        return Err(OpenError::corrupt(walk.next, name, "the next segment names another tree or time"));
    }
    Ok(())
}

/// Why what follows the last valid batch must not be cut off, when it must not.
pub(super) fn damage_at_tail(
    file: &dyn DiskFile,
    header: &Header,
    walk: &Walk,
    known: &Known,
) -> Result<(), OpenError> {
    let name = segment::name(header.number);
    let later =
        segment::later_batch(file, walk.offset, walk.next, header.seed()).map_err(OpenError::io("reading", &name))?;
    if let Some(later) = later {
        let reason = format!(
            "{}, but a later batch says that everything below {} was durable",
            walk.stopped, later.durable_upto
        );
        return Err(OpenError::corrupt(walk.next, &name, reason));
    }
    for (witness, durable) in [("the mark", known.mark.map(|mark| mark.tail)), ("a checkpoint", known.signed)] {
        if let Some(durable) = durable.filter(|durable| *durable > walk.next) {
            let reason = format!("{}, but {witness} says that everything below {durable} was durable", walk.stopped);
            return Err(OpenError::corrupt(walk.next, &name, reason));
        }
    }
    Ok(())
}

/// Writes what nobody declared durable once more, and syncs it: from here on it counts as durable.
///
/// A batch may stand in the page cache only: its writer died before the sync, or the sync failed, after which the kernel calls the pages clean and no
/// later sync carries them to the disk. Reading cannot tell, writing again can.
fn write_again(file: &dyn DiskFile, walk: &Walk, mark: Option<Mark>) -> std::io::Result<()> {
    let durable = mark.map_or(Position::START, |mark| mark.tail);
    let Some((_, start)) = walk.undeclared.iter().find(|(first, _)| *first >= durable) else { return Ok(()) };
    let mut at = *start;
    let mut buffer = vec![0; 1 << 20];
    while at < walk.offset {
        let count = usize::try_from(walk.offset - at).unwrap_or(usize::MAX).min(buffer.len());
        let part = buffer.get_mut(..count).unwrap_or_default();
        file.read_exact_at(part, at)?;
        file.write_all_at(part, at)?;
        at += count as u64;
    }
    file.sync_all()
}

fn last_segment(
    folder: &Folder,
    options: &Options,
    (reader, header): (&Arc<dyn DiskFile>, &Header),
    known: &Known,
    report: &mut OpenReport,
) -> Result<(Arc<Segment>, Active), OpenError> {
    let name = segment::name(header.number);
    let failed = |action| OpenError::io(action, &name);
    let mut index = MemoryIndex::default();
    let walk = walk(reader.as_ref(), header, |stored, offset| index_record(&mut index, &stored.record, offset, &name))?;
    damage_at_tail(reader.as_ref(), header, &walk, known)?;
    let (file, _) = segment::open(folder, header.number, Access::Write)?;
    let torn = segment::bytes_in_use(file.as_ref(), walk.offset).map_err(failed("reading"))?;
    let mut file_bytes = file.len().map_err(failed("reading"))?;
    if torn > 0 || file_bytes < walk.offset {
        // Nothing in here was acknowledged. Zeros take its place, so that it can never be read as something later.
        tracing::warn!(file = %name, position = walk.next.get(), bytes = torn, "cut off a torn tail that was never acknowledged");
        file_bytes = file_bytes.max(options.segment_bytes).max(walk.offset);
        file.set_len(walk.offset).map_err(failed("cutting"))?;
        file.allocate(file_bytes).map_err(failed("growing"))?;
        file.sync_all().map_err(failed("syncing"))?;
        report.truncated_bytes = torn;
    }
    write_again(file.as_ref(), &walk, known.mark).map_err(failed("making durable"))?;
    // The name of this segment may be as young as its contents.
    folder.sync().map_err(OpenError::io("syncing", &folder.shown()))?;
    let segment = Arc::new(Segment::new(header.clone(), Arc::clone(reader), Index::Memory(index)));
    let active = Active {
        segment: Arc::clone(&segment),
        file,
        offset: walk.offset,
        file_bytes,
        next: walk.next,
        tree: walk.tree,
        time: walk.time,
    };
    Ok((segment, active))
}
