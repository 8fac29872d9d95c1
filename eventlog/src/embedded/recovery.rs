//! Opening a directory: what is there, what may be cut off, what is damage.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use parking_lot::Mutex;
use uuid::Uuid;

use super::codec::{Stored, UNFIT, View, read_view, record_bytes};
use super::disk::{Access, DiskFile, Folder, Lock};
use super::error::OpenError;
use super::index::{Collected, Index, Indexed, MemoryIndex};
use super::index_file::FileIndex;
use super::mark::{self, Mark, MarkFile};
use super::names::Names;
use super::sealed::cache::Cache;
use super::sealed::{self, SealedFile};
use super::segment::{self, Found, HEADER_BYTES, Header};
use super::store::Segment;
use super::tier::{self, Buckets, Marker, RemoteFile};
use super::{OpenReport, Options};
use crate::transparency::{CHECKPOINT, stored_size};
use crate::tree::Tree;
use crate::{LogId, Position};

/// The most indexes that are built at once: each holds the index of a whole segment in memory.
const MAX_BUILDERS: usize = 4;

/// The most records that an index has room for from the start: how many a segment holds is its neighbour's word until it was read.
const MAX_ROOM: u64 = 1 << 20;

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
    pub(super) cache: Arc<Cache>,
    pub(super) buckets: Arc<Buckets>,
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

/// Walks over every batch of a segment from its start, as long as they validate. Whoever visits the records validates their names, and is shown the memory
/// that they are in; `used` gives back memory for the next batch.
fn walk<M: From<Vec<u8>> + AsRef<[u8]>>(
    file: &dyn DiskFile,
    header: &Header,
    used: impl Fn(M) -> Vec<u8>,
    mut visit: impl FnMut(&View<'_>, &M, u64) -> Result<(), OpenError>,
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
    let mut memory = Vec::new();
    loop {
        let found = segment::batch_at(file, file_bytes, walk.offset, header.seed(), memory).map_err(failed())?;
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
        let records = M::from(records);
        let mut rest = records.as_ref();
        for _ in 0..batch.count {
            let view = read_view(rest, header.seed()).map_err(|reason| OpenError::corrupt(walk.next, &name, reason))?;
            if view.position != walk.next || view.record_time < walk.time {
                return Err(OpenError::corrupt(
                    walk.next,
                    &name,
                    "its position or record time does not follow the one before",
                ));
            }
            visit(&view, &records, at)?;
            walk.tree.push(view.leaf);
            walk.time = view.record_time;
            walk.next = walk.next.next();
            let bytes = record_bytes(rest).unwrap_or(rest.len());
            at += bytes as u64;
            rest = rest.get(bytes..).unwrap_or_default();
        }
        if !rest.is_empty() {
            return Err(OpenError::corrupt(walk.next, &name, "a batch holds more than its records"));
        }
        walk.offset = next;
        memory = used(records);
    }
}

/// [`walk`] over whole records.
pub(super) fn walk_records(
    file: &dyn DiskFile,
    header: &Header,
    mut visit: impl FnMut(Stored, u64) -> Result<(), OpenError>,
) -> Result<Walk, OpenError> {
    let mut names = Names::keeping();
    // The payloads keep the memory.
    let used = |_: Bytes| Vec::new();
    walk(file, header, used, |view, shared, offset| {
        let stored = view.stored(&mut names, shared.slice_ref(view.payload));
        visit(stored.ok_or_else(|| OpenError::corrupt(view.position, &segment::name(header.number), UNFIT))?, offset)
    })
}

/// [`walk`] that indexes the records.
fn walk_index(file: &dyn DiskFile, header: &Header, mut push: impl FnMut(Indexed<'_>, u32)) -> Result<Walk, OpenError> {
    let mut names = Names::keeping();
    let used = |memory: Vec<u8>| memory;
    walk(file, header, used, |view, _, offset| {
        let corrupt = |reason| OpenError::corrupt(view.position, &segment::name(header.number), reason);
        let offset = u32::try_from(offset).map_err(|_| corrupt("the segment is larger than 4 GiB"))?;
        push(Indexed::of_view(view, &mut names).ok_or_else(|| corrupt(UNFIT))?, offset);
        Ok(())
    })
}

/// Opens the directory as a log, creating it when it is empty.
pub(super) fn open(folder: &Folder, options: &Options) -> Result<Recovered, OpenError> {
    folder.create().map_err(OpenError::io("creating", &folder.shown()))?;
    let lock = folder.lock(LOCK).map_err(OpenError::io("locking", LOCK))?;
    let lock = lock.ok_or_else(|| OpenError::Locked { directory: folder.shown() })?;
    segment::remove_unpublished(folder).map_err(OpenError::io("cleaning", &folder.shown()))?;
    let numbers = numbers(folder)?;
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
    let cache = Cache::new(options.sealed_cache_bytes);
    let buckets = Buckets::of(options.tiering.as_ref());
    Ok(Recovered { log, segments: vec![segment], cache, buckets, active, mark, lock, report })
}

fn reopen(folder: &Folder, options: &Options, lock: Box<dyn Lock>, numbers: &[u64]) -> Result<Recovered, OpenError> {
    let cache = Cache::new(options.sealed_cache_bytes);
    let buckets = Buckets::of(options.tiering.as_ref());
    let headers = headers(folder, numbers, &cache, &buckets)?;
    let Some((Opened { file, header, .. }, closed)) = headers.split_last() else {
        return Err(OpenError::NoLog { directory: folder.shown() });
    };
    remove_replaced(folder, closed)?;
    let log = header.log;
    let known = Known::read(folder, log)?;
    let mark = known.mark;
    let mut report = OpenReport { segments: headers.len(), ..OpenReport::default() };
    let mut segments = closed_segments(folder, &headers, &mut report)?;
    let (segment, active) = last_segment(folder, options, (file, header), &known, &mut report)?;
    segments.push(segment);
    let mark_file = MarkFile::open(folder, log).map_err(OpenError::io("opening", mark::NAME))?;
    report.records = active.next.get();
    report.closed_in_order = mark.is_some_and(|mark| mark.closed && mark.tail == active.next);
    Ok(Recovered { log, segments, cache, buckets, active, mark: mark_file, lock, report })
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
pub(super) struct Opened {
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) header: Header,
    pub(super) sealed: Option<Arc<SealedFile>>,
}

impl Opened {
    pub(super) fn name(&self) -> String {
        self.sealed.as_ref().map_or_else(|| segment::name(self.header.number), |sealed| sealed.name.clone())
    }
}

/// The numbers of all segments, sealed or not, ascending.
pub(super) fn numbers(folder: &Folder) -> Result<Vec<u64>, OpenError> {
    let mut numbers = segment::list(folder)?;
    numbers.extend(sealed::list(folder)?);
    numbers.extend(tier::list(folder)?);
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

fn unsealed(folder: &Folder, number: u64) -> Result<Opened, OpenError> {
    let (file, header) = segment::open(folder, number, Access::Read)?;
    Ok(Opened { file, header, sealed: None })
}

/// Opens a segment, the sealed form of it when there is one: that got its name only after it was compared with the other and synced.
fn open_segment(folder: &Folder, number: u64, cache: &Arc<Cache>, buckets: &Arc<Buckets>) -> Result<Opened, OpenError> {
    let sealed = |folder| {
        let sealed = sealed::open(folder, number, cache)?;
        let (file, header) = (Arc::clone(&sealed.file), sealed.header.clone());
        Ok(Opened { file, header, sealed: Some(Arc::new(sealed)) })
    };
    let elsewhere_or = |unsealed: fn(&Folder, u64) -> Result<Opened, OpenError>| {
        let Some(marker) = Marker::read(folder, number)? else { return unsealed(folder, number) };
        let file: Arc<dyn DiskFile> = Arc::new(RemoteFile::new(marker, buckets));
        let sealed = SealedFile::open(tier::name(number), Arc::clone(&file), cache)?;
        Ok(Opened { file, header: sealed.header.clone(), sealed: Some(Arc::new(sealed)) })
    };
    match sealed(folder) {
        Ok(opened) => Ok(opened),
        Err(error) if is_missing(&error) => match elsewhere_or(unsealed) {
            // Sealed in this very moment, by the process that has the log open while we only read it.
            Err(error) if is_missing(&error) => sealed(folder).map_err(|_| error),
            opened => opened,
        },
        // A sealed form that is damaged is nothing lost, as long as the other is there.
        Err(error) => unsealed(folder, number).map_err(|_| error),
    }
}

fn is_missing(error: &OpenError) -> bool {
    matches!(error, OpenError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
}

/// Removes the forms of segments that were replaced before a crash, and sealed ones that turned out to be damaged while the other is there.
fn remove_replaced(folder: &Folder, closed: &[Opened]) -> Result<(), OpenError> {
    let (unsealed, sealed) = (segment::list(folder)?, sealed::list(folder)?);
    let mut removed = false;
    for opened in closed {
        let number = opened.header.number;
        if unsealed.binary_search(&number).is_err() || sealed.binary_search(&number).is_err() {
            continue;
        }
        let old = if opened.sealed.is_some() { segment::name(number) } else { sealed::name(number) };
        tracing::warn!(file = %old, kept = %opened.name(), "one of two forms of a segment is removed");
        folder.remove(&old).map_err(OpenError::io("removing", &old))?;
        removed = true;
    }
    if removed { folder.sync().map_err(OpenError::io("syncing", &folder.shown())) } else { Ok(()) }
}

/// Removes every index: they are derived, and opening builds them anew.
pub(super) fn remove_indexes(folder: &Folder) -> Result<(), OpenError> {
    let names = folder.list().map_err(OpenError::io("listing", &folder.shown()))?;
    for name in names.iter().filter(|name| name.ends_with(".index")) {
        folder.remove(name).map_err(OpenError::io("removing", name))?;
    }
    Ok(())
}

/// Opens every segment and checks that each follows the one before.
pub(super) fn headers(
    folder: &Folder,
    numbers: &[u64],
    cache: &Arc<Cache>,
    buckets: &Arc<Buckets>,
) -> Result<Vec<Opened>, OpenError> {
    let mut headers: Vec<Opened> = Vec::with_capacity(numbers.len());
    for (index, number) in numbers.iter().enumerate() {
        let opened = open_segment(folder, *number, cache, buckets)?;
        let header = &opened.header;
        let base = headers.last().map_or(Position::START, |last| last.header.base);
        if *number != index as u64 {
            return Err(OpenError::corrupt(base, &segment::name(index as u64), "the segment is missing"));
        }
        let follows = headers.last().is_none_or(|last| last.header.log == header.log && last.header.base < header.base);
        if !follows || (index == 0 && header.base != Position::START) {
            return Err(OpenError::corrupt(
                header.base,
                &segment::name(*number),
                "it does not follow the segment before",
            ));
        }
        headers.push(opened);
    }
    match headers.last() {
        // Only segments that another one follows are sealed.
        Some(last) if last.sealed.is_some() => Err(OpenError::corrupt(
            last.header.base,
            &segment::name(last.header.number + 1),
            "the segment that was written to is missing",
        )),
        _ => Ok(headers),
    }
}

/// A closed segment with its index, where there is a file of it that fits.
fn closed_segment(folder: &Folder, opened: &Opened, next: &Header) -> Result<(u64, Option<FileIndex>), OpenError> {
    let Opened { file, header, sealed } = opened;
    let bytes = file.len().map_err(OpenError::io("reading", &opened.name()))?;
    let rows = next.base.get() - header.base.get();
    if let Some(sealed) = sealed
        && (u64::from(sealed.facts.rows) != rows || sealed.facts.last_record_time != next.last_record_time)
    {
        let reason = "the next segment names another number of records or time";
        return Err(OpenError::corrupt(header.base, &opened.name(), reason));
    }
    Ok((bytes, FileIndex::open(folder, header, bytes, rows)))
}

/// The closed segments, each with its index. Indexes that are missing or do not fit are built anew, several at once.
fn closed_segments(
    folder: &Folder,
    headers: &[Opened],
    report: &mut OpenReport,
) -> Result<Vec<Arc<Segment>>, OpenError> {
    let mut found = Vec::with_capacity(headers.len());
    for [opened, next] in headers.array_windows() {
        let (bytes, index) = closed_segment(folder, opened, &next.header)?;
        found.push((opened, &next.header, bytes, index));
    }
    report.indexes_rebuilt = found.iter().filter(|(_, _, _, index)| index.is_none()).count();
    let missing = Mutex::new(found.iter_mut().filter(|(_, _, _, index)| index.is_none()));
    // Each takes the next one that is missing, in their order.
    let build = || loop {
        let Some((opened, next, bytes, index)) = missing.lock().next() else { return Ok(()) };
        let built = built_index(folder, opened, next, *bytes);
        *index = Some(built.map_err(|error| (opened.header.number, error))?);
    };
    let builders = folder.threads().min(MAX_BUILDERS).min(report.indexes_rebuilt);
    let outcomes: Vec<Result<(), (u64, OpenError)>> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..builders).map(|_| scope.spawn(build)).collect();
        let own = build();
        let others =
            others.into_iter().map(|other| other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        std::iter::once(own).chain(others).collect()
    });
    // Everything before a segment that fails was begun before it: the first failure is the same whoever meets it.
    if let Some((_, error)) = outcomes.into_iter().filter_map(Result::err).min_by_key(|(number, _)| *number) {
        return Err(error);
    }
    let segments = found.into_iter().filter_map(|(opened, _, _, index)| {
        let index = Index::File(index?);
        Some(Arc::new(match &opened.sealed {
            Some(sealed) => Segment::sealed(Arc::clone(sealed), index),
            None => Segment::new(opened.header.clone(), Arc::clone(&opened.file), index),
        }))
    });
    Ok(segments.collect())
}

/// The index of a closed segment, from its records.
fn built_index(folder: &Folder, opened: &Opened, next: &Header, bytes: u64) -> Result<FileIndex, OpenError> {
    let (name, header) = (opened.name(), &opened.header);
    let mut index = Collected::with_room((next.base.get() - header.base.get()).min(MAX_ROOM));
    let walk = match &opened.sealed {
        Some(sealed) => sealed::walk(sealed, |stored| {
            // Records of sealed segments have no offset; the row stands in its place.
            let row = stored.record.position.get() - header.base.get();
            index.push(Indexed::of_record(&stored.record), u32::try_from(row).unwrap_or(u32::MAX));
            Ok(())
        })?,
        None => walk_index(opened.file.as_ref(), header, |record, offset| index.push(record, offset))?,
    };
    check_sealed(&walk, Some(next), &name)?;
    FileIndex::write(folder, header, bytes, index.contents()).map_err(OpenError::io("writing the index of", &name))
}

/// Walks over every record of a segment, sealed or not.
pub(super) fn walk_any(
    opened: &Opened,
    mut visit: impl FnMut(&Stored) -> Result<(), OpenError>,
) -> Result<Walk, OpenError> {
    match &opened.sealed {
        Some(sealed) => sealed::walk(sealed, visit),
        None => walk_records(opened.file.as_ref(), &opened.header, |stored, _| visit(&stored)),
    }
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
    let walk = walk_index(reader.as_ref(), header, |record, offset| index.push(record, offset))?;
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
