//! The index of a sealed segment as a sorted file, read by binary search: see docs/log-format.md. It may be deleted at any time.
//!
//! What is read is checked, block by block: a flipped bit in the table of ids would otherwise make a known event unknown, and a repetition a second event.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;
use uuid::Uuid;

use super::disk::{Access, DiskFile, Folder};
use super::error::read_io;
use super::fields::Fields;
use super::happened::Happened;
use super::index::{Contents, Key, Posting};
use super::segment::Header;
use crate::checksum;
use crate::{EventId, LogId, ReadError};

const MAGIC: [u8; 8] = *b"MWINDEX2";
const HEADER_BYTES: usize = 96;
const ID_BYTES: u64 = 20;
const ENTRY_PREFIX: usize = 14;
/// The bytes that one checksum covers.
const BLOCK_BYTES: usize = 4096;
/// The longest posting that is read as a whole.
const WHOLE_BYTES: usize = 16 * BLOCK_BYTES;
/// The most places that are remembered.
const KNOWN_PLACES: usize = 512;
const BLOOM_BITS_PER_KEY: usize = 10;
const BLOOM_HASHES: u64 = 7;

/// A sorted index file with its Bloom filter and the checksums of its blocks in memory.
#[derive(Debug)]
pub(super) struct FileIndex {
    name: String,
    file: Arc<dyn DiskFile>,
    bloom: Vec<u8>,
    /// The checksum of each block of what follows the Bloom filter.
    blocks: Vec<u32>,
    body_bytes: u64,
    rows: u32,
    ids: u32,
    keys: u32,
    happened: Option<Happened>,
    /// Places that were asked for, or that there is none: a filtered read asks for the same ones with every page.
    places: Mutex<HashMap<Key, Option<Place>>>,
}

fn name(number: u64) -> String {
    format!("{number:010}.index")
}

impl FileIndex {
    /// Writes the index of a segment that will not change any more, and opens it.
    pub(super) fn write(
        folder: &Folder,
        header: &Header,
        segment_bytes: u64,
        contents: Contents<'_>,
    ) -> std::io::Result<Self> {
        let name = name(header.number);
        let unfinished = format!("{name}.unfinished");
        let rows = contents.offsets.len() as u64;
        let file = folder.open(&unfinished, Access::Empty)?;
        file.write_all_at(&to_bytes(header, segment_bytes, contents), 0)?;
        file.sync_all()?;
        folder.rename(&unfinished, &name)?;
        folder.sync()?;
        Self::open(folder, header, segment_bytes, rows)
            .ok_or_else(|| std::io::Error::other(format!("{name} cannot be read back")))
    }

    /// Opens the index of a segment, when there is one that belongs to these very bytes and rows.
    pub(super) fn open(folder: &Folder, header: &Header, segment_bytes: u64, rows: u64) -> Option<Self> {
        let name = name(header.number);
        let file = folder.open(&name, Access::Read).ok()?;
        let mut bytes = [0; HEADER_BYTES];
        if file.read_up_to(&mut bytes, 0).ok()? < HEADER_BYTES {
            return None;
        }
        let mut fields = Fields::new(&bytes);
        let magic = fields.array::<8>()?;
        let log = LogId::new(Uuid::from_bytes(fields.array()?));
        let (number, base, of_bytes, file_bytes) = (fields.u64()?, fields.u64()?, fields.u64()?, fields.u64()?);
        let (of_rows, ids, keys, bloom_bytes) = (fields.u32()?, fields.u32()?, fields.u32()?, fields.u32()?);
        let checksum = fields.u32()?;
        let fits = magic == MAGIC
            && (log, number, base) == (header.log, header.number, header.base.get())
            && (of_bytes, u64::from(of_rows)) == (segment_bytes, rows)
            && file.len().ok()? == file_bytes
            && HEADER_BYTES as u64 + u64::from(bloom_bytes) < file_bytes;
        if !fits {
            return None;
        }
        let mut bloom = vec![0; bloom_bytes as usize];
        if file.read_up_to(&mut bloom, HEADER_BYTES as u64).ok()? < bloom.len() {
            return None;
        }
        let body_and_table = file_bytes - HEADER_BYTES as u64 - u64::from(bloom_bytes);
        // Each block of the body adds its own bytes and a checksum of four.
        let count = body_and_table.div_ceil(BLOCK_BYTES as u64 + 4);
        let body_bytes = body_and_table.checked_sub(count * 4)?;
        let mut table = vec![0; usize::try_from(count).ok()? * 4];
        file.read_exact_at(&mut table, file_bytes - count * 4).ok()?;
        let found = checksum::crc32c_append(checksum::crc32c(bytes.get(..72)?), &bloom);
        let found = checksum::crc32c_append(found, &table);
        let blocks = numbers(&table);
        let happened = bytes.get(76..).and_then(Happened::from_bytes);
        let rows = of_rows;
        let places = Mutex::default();
        (found == checksum).then_some(Self { name, file, bloom, blocks, body_bytes, rows, ids, keys, happened, places })
    }

    /// The range of event times, when the file has one.
    pub(super) fn happened(&self) -> Option<Happened> {
        self.happened
    }

    pub(super) fn rows(&self) -> u32 {
        self.rows
    }

    pub(super) fn id(&self, id: EventId) -> Result<Option<u32>, ReadError> {
        let wanted = id.as_uuid().as_bytes();
        if !bloom_holds(&self.bloom, wanted) {
            return Ok(None);
        }
        let (mut low, mut high) = (0, u64::from(self.ids));
        while low < high {
            let middle = low.midpoint(high);
            let entry: [u8; ID_BYTES as usize] = self.read(self.ids_at() + middle * ID_BYTES)?;
            let (found, row) = entry.split_at(16);
            match found.cmp(wanted) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Ok(Fields::new(row).u32()),
            }
        }
        Ok(None)
    }

    pub(super) fn posting(&self, key: &Key) -> Result<Option<Posting>, ReadError> {
        let Some(place) = self.place(key)? else { return Ok(None) };
        Ok(Some(Posting { base: place.base, rows: self.numbers(place.rows_at, place.count)? }))
    }

    /// The rows of a posting among these. Of a long one only the stretch is read that they lie in.
    pub(super) fn rows_among(&self, key: &Key, among: &Range<u32>) -> Result<Vec<u32>, ReadError> {
        let Some(place) = self.place(key)? else { return Ok(Vec::new()) };
        let (from, to) = if place.count as usize * 4 <= WHOLE_BYTES {
            (0, place.count)
        } else {
            (self.rows_before(&place, among.start)?, self.rows_before(&place, among.end)?)
        };
        let mut rows = self.numbers(place.rows_at + u64::from(from) * 4, to.saturating_sub(from))?;
        rows.retain(|row| among.contains(row));
        Ok(rows)
    }

    /// How many rows of a posting lie before one.
    fn rows_before(&self, place: &Place, row: u32) -> Result<u32, ReadError> {
        let (mut low, mut high) = (0, place.count);
        while low < high {
            let middle = low.midpoint(high);
            let found = u32::from_le_bytes(self.read(place.rows_at + u64::from(middle) * 4)?);
            if found < row { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }

    /// Where the posting of a key is.
    fn place(&self, key: &Key) -> Result<Option<Place>, ReadError> {
        if !bloom_holds(&self.bloom, key.as_bytes()) {
            return Ok(None);
        }
        if let Some(known) = self.places.lock().get(key) {
            return Ok(*known);
        }
        let found = self.find(key)?;
        let mut places = self.places.lock();
        if places.len() >= KNOWN_PLACES {
            places.clear();
        }
        places.insert(key.clone(), found);
        Ok(found)
    }

    fn find(&self, key: &Key) -> Result<Option<Place>, ReadError> {
        let (mut low, mut high) = (0, u64::from(self.keys));
        while low < high {
            let middle = low.midpoint(high);
            let at = u64::from_le_bytes(self.read(self.directory_at() + middle * 8)?);
            let (found, place) = self.entry(at)?;
            match found.as_slice().cmp(key.as_bytes()) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Ok(Some(place)),
            }
        }
        Ok(None)
    }

    pub(super) fn offsets(&self, row: u32, count: u32) -> Result<Vec<u32>, ReadError> {
        let count = count.min(self.rows.saturating_sub(row));
        let offsets = self.numbers(self.offsets_at() + u64::from(row) * 4, count)?;
        // Whoever wrote an index that is wrong wrote its checksums too: what does not ascend is not read at all.
        if !offsets.is_sorted_by(|one, next| one < next) {
            return Err(self.damaged());
        }
        Ok(offsets)
    }

    /// The key of an entry, and where its posting is.
    fn entry(&self, at: u64) -> Result<(Vec<u8>, Place), ReadError> {
        let prefix: [u8; ENTRY_PREFIX] = self.read(at)?;
        let mut fields = Fields::new(&prefix);
        let mut read = || Some((fields.u16()?, fields.u64()?, fields.u32()?));
        let (length, base, count) = read().ok_or_else(|| self.damaged())?;
        if count > self.rows {
            return Err(self.damaged());
        }
        let mut key = vec![0; usize::from(length)];
        self.fill(&mut key, at + ENTRY_PREFIX as u64)?;
        let rows_at = at + (ENTRY_PREFIX + key.len()) as u64;
        Ok((key, Place { base, rows_at, count }))
    }

    fn numbers(&self, at: u64, count: u32) -> Result<Vec<u32>, ReadError> {
        let mut bytes = vec![0; count as usize * 4];
        self.fill(&mut bytes, at)?;
        Ok(numbers(&bytes))
    }

    fn offsets_at(&self) -> u64 {
        (HEADER_BYTES + self.bloom.len()) as u64
    }

    fn ids_at(&self) -> u64 {
        self.offsets_at() + u64::from(self.rows) * 4
    }

    fn directory_at(&self) -> u64 {
        self.ids_at() + u64::from(self.ids) * ID_BYTES
    }

    fn read<const N: usize>(&self, at: u64) -> Result<[u8; N], ReadError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes, at)?;
        Ok(bytes)
    }

    /// Reads the blocks that these bytes lie in, and checks them.
    fn fill(&self, bytes: &mut [u8], at: u64) -> Result<(), ReadError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let body_at = self.offsets_at();
        let start =
            usize::try_from(at.checked_sub(body_at).ok_or_else(|| self.damaged())?).map_err(|_| self.damaged())?;
        let (first, last) = (start / BLOCK_BYTES, (start + bytes.len() - 1) / BLOCK_BYTES);
        let checksums = self.blocks.get(first..=last).ok_or_else(|| self.damaged())?;
        let mut blocks = vec![0; checksums.len() * BLOCK_BYTES];
        let read =
            self.file.read_up_to(&mut blocks, body_at + (first * BLOCK_BYTES) as u64).map_err(read_io(&self.name))?;
        // The last block of the body is shorter, and the table follows it.
        let body_ends = usize::try_from(self.body_bytes).unwrap_or(usize::MAX).saturating_sub(first * BLOCK_BYTES);
        let blocks = blocks.get(..read.min(body_ends)).unwrap_or_default();
        let fits =
            blocks.chunks(BLOCK_BYTES).zip(checksums).all(|(block, checksum)| checksum::crc32c(block) == *checksum);
        let from = start - first * BLOCK_BYTES;
        match blocks.get(from..from + bytes.len()).filter(|_| fits) {
            Some(found) => bytes.copy_from_slice(found),
            None => return Err(self.damaged()),
        }
        Ok(())
    }

    fn damaged(&self) -> ReadError {
        ReadError::Index(format!("{} is damaged; delete it, and it is built anew", self.name))
    }
}

/// Where a posting is in the file.
#[derive(Clone, Copy, Debug)]
struct Place {
    base: u64,
    rows_at: u64,
    count: u32,
}

fn numbers(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect()
}

fn to_bytes(header: &Header, segment_bytes: u64, contents: Contents<'_>) -> Vec<u8> {
    let Contents { offsets, mut ids, postings, happened } = contents;
    // Ids are made in the order of time for the most part, and so are lists of them: a sort that finds the runs has little to do.
    ids.sort_by_key(|(id, _)| u128::from_be_bytes(*id));
    let keys = postings.sorted();
    let mut bloom = vec![0; ((ids.len() + keys.len()) * BLOOM_BITS_PER_KEY).div_ceil(8).max(8)];
    let bits = Bits::of(bloom.len());
    ids.iter().for_each(|(id, _)| bloom_add(&mut bloom, &bits, id));
    keys.iter().for_each(|(key, _)| bloom_add(&mut bloom, &bits, key.as_bytes()));

    let mut body = Vec::with_capacity(offsets.len() * 4 + ids.len() * ID_BYTES as usize + keys.len() * 8);
    offsets.iter().for_each(|offset| body.extend_from_slice(&offset.to_le_bytes()));
    for (id, row) in &ids {
        body.extend_from_slice(id);
        body.extend_from_slice(&row.to_le_bytes());
    }
    let entries_at = (HEADER_BYTES + bloom.len() + body.len() + keys.len() * 8) as u64;
    let mut entries = Vec::new();
    for (key, posting) in &keys {
        body.extend_from_slice(&(entries_at + entries.len() as u64).to_le_bytes());
        put_entry(&mut entries, key, posting);
    }
    body.append(&mut entries);
    let table: Vec<u8> = body.chunks(BLOCK_BYTES).flat_map(|block| checksum::crc32c(block).to_le_bytes()).collect();
    let file_bytes = HEADER_BYTES + bloom.len() + body.len() + table.len();
    let mut bytes = Vec::with_capacity(file_bytes);
    bytes.extend(MAGIC);
    bytes.extend(header.log.as_uuid().as_bytes());
    for number in [header.number, header.base.get(), segment_bytes, file_bytes as u64] {
        bytes.extend(number.to_le_bytes());
    }
    for count in [offsets.len(), ids.len(), keys.len(), bloom.len()] {
        bytes.extend(u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
    }
    let checksum = checksum::crc32c_append(checksum::crc32c_append(checksum::crc32c(&bytes), &bloom), &table);
    bytes.extend(checksum.to_le_bytes());
    bytes.extend(happened.to_bytes());
    bytes.append(&mut bloom);
    bytes.append(&mut body);
    bytes.extend(table);
    bytes
}

fn put_entry(out: &mut Vec<u8>, key: &Key, posting: &Posting) {
    out.extend(u16::try_from(key.as_bytes().len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend(posting.base.to_le_bytes());
    out.extend(u32::try_from(posting.rows.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend(key.as_bytes());
    posting.rows.iter().for_each(|row| out.extend(row.to_le_bytes()));
}

/// FNV-1a of 64 bits: fixed for ever, since it is stored.
fn hash(key: &[u8]) -> u64 {
    key.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// The bits of a Bloom filter. A remainder by their number is taken seven times for each key, without a division.
struct Bits {
    count: u64,
    /// 2⁶⁴ / `count`, at most one too small.
    inverse: u64,
}

impl Bits {
    fn of(bytes: usize) -> Self {
        let count = (bytes as u64 * 8).max(1);
        Self { count, inverse: u64::MAX / count }
    }

    fn remainder(&self, number: u64) -> u64 {
        let quotient = ((u128::from(number) * u128::from(self.inverse)) >> 64) as u64;
        // The quotient is right or one too small.
        let rest = number - quotient * self.count;
        if rest < self.count { rest } else { rest - self.count }
    }

    fn of_key(&self, key: &[u8]) -> impl Iterator<Item = u64> {
        let hash = hash(key);
        let step = (hash >> 33) | 1;
        (0..BLOOM_HASHES).map(move |index| self.remainder(hash.wrapping_add(step.wrapping_mul(index))))
    }
}

fn bloom_add(bloom: &mut [u8], bits: &Bits, key: &[u8]) {
    for bit in bits.of_key(key) {
        if let Some(byte) = bloom.get_mut((bit / 8) as usize) {
            *byte |= 1 << (bit % 8);
        }
    }
}

fn bloom_holds(bloom: &[u8], key: &[u8]) -> bool {
    Bits::of(bloom.len())
        .of_key(key)
        .all(|bit| bloom.get((bit / 8) as usize).is_some_and(|byte| byte >> (bit % 8) & 1 == 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Bits;

    proptest! {
        #[test]
        fn a_remainder_is_that_of_a_division(bytes in prop_oneof![0..100_usize, 0..1_usize << 32], number in any::<u64>()) {
            let bits = Bits::of(bytes);
            for number in [number, number % (bits.count * 3), u64::MAX - number % 3, bits.count - 1, bits.count] {
                prop_assert_eq!(bits.remainder(number), number % bits.count);
            }
        }
    }
}
