//! Runs of numbers, cut into pages that are decoded one by one: an arithmetic progression as two numbers, everything else by pco.

use pco::wrapped::{ChunkDecompressor, FileCompressor, FileDecompressor};
use pco::{ChunkConfig, PagingSpec, data_types::Number};

use super::bytes::{Cursor, put_varint};

/// The level of pco: its own default. Sealing is throttled anyway, and what is written once is read often.
const LEVEL: usize = 8;

const PROGRESSION: u8 = 0;
const PACKED: u8 = 1;

/// A number that a column may hold.
pub(super) trait Whole: Number {
    fn from_bits(bits: u64) -> Self;
    fn to_bits(self) -> u64;
    /// Whether a progression of these makes sense: doubles only repeat.
    const STEPS: bool;
}

impl Whole for i64 {
    fn from_bits(bits: u64) -> Self {
        bits.cast_signed()
    }

    fn to_bits(self) -> u64 {
        self.cast_unsigned()
    }

    const STEPS: bool = true;
}

impl Whole for u64 {
    fn from_bits(bits: u64) -> Self {
        bits
    }

    fn to_bits(self) -> u64 {
        self
    }

    const STEPS: bool = true;
}

impl Whole for f64 {
    fn from_bits(bits: u64) -> Self {
        f64::from_bits(bits)
    }

    fn to_bits(self) -> u64 {
        f64::to_bits(self)
    }

    const STEPS: bool = false;
}

/// Numbers that are written: what belongs to the whole run, and each page.
pub(super) struct Packed {
    pub(super) meta: Vec<u8>,
    pub(super) pages: Vec<Vec<u8>>,
}

/// Packs numbers into pages of these lengths, which add up.
pub(super) fn pack<T: Whole>(numbers: &[T], pages: &[usize]) -> std::io::Result<Packed> {
    if let Some((start, step)) = progression(numbers) {
        let mut meta = vec![PROGRESSION];
        meta.extend(start.to_le_bytes());
        meta.extend(step.to_le_bytes());
        return Ok(Packed { meta, pages: vec![Vec::new(); pages.len()] });
    }
    let config =
        ChunkConfig::default().with_compression_level(LEVEL).with_paging_spec(PagingSpec::Exact(pages.to_vec()));
    let file = FileCompressor::default();
    let mut chunk = file.chunk_compressor(numbers, &config).map_err(other)?;
    let mut body = file.write_header(Vec::new()).map_err(other)?;
    body = chunk.write_meta(body).map_err(other)?;
    let mut meta = vec![PACKED];
    put_varint(&mut meta, body.len() as u64);
    meta.append(&mut body);
    let pages = (0..pages.len()).map(|page| chunk.write_page(page, Vec::new()).map_err(other));
    Ok(Packed { meta, pages: pages.collect::<Result<_, _>>()? })
}

fn other(error: pco::errors::PcoError) -> std::io::Error {
    std::io::Error::other(error)
}

/// The first number and the step, as bits, when every step is the same.
fn progression<T: Whole>(numbers: &[T]) -> Option<(u64, u64)> {
    let first = numbers.first()?.to_bits();
    let step = numbers.get(1).map_or(0, |second| second.to_bits().wrapping_sub(first));
    let steps = numbers.windows(2).all(|pair| match pair {
        [one, two] => two.to_bits().wrapping_sub(one.to_bits()) == step,
        _ => true,
    });
    (steps && (T::STEPS || step == 0)).then_some((first, step))
}

/// How the pages of a run of numbers are read.
#[derive(Debug)]
pub(super) enum Unpacker<T: Whole> {
    Progression { start: u64, step: u64 },
    Packed(Box<ChunkDecompressor<T>>),
}

impl<T: Whole> Unpacker<T> {
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        match cursor.u8()? {
            PROGRESSION => Some(Self::Progression { start: cursor.u64()?, step: cursor.u64()? }),
            PACKED => {
                let bytes = cursor.length()?;
                let meta = cursor.take(bytes)?;
                let (file, rest) = FileDecompressor::new(meta).ok()?;
                let (chunk, rest) = file.chunk_decompressor::<T, _>(rest).ok()?;
                rest.is_empty().then(|| Self::Packed(Box::new(chunk)))
            }
            _ => None,
        }
    }

    /// What this takes in memory, roughly: a progression nothing, otherwise the tables of a decompressor.
    pub(super) fn memory(&self) -> usize {
        if matches!(self, Self::Progression { .. }) { 0 } else { 4096 }
    }

    /// The numbers of the page that begins at `first` and whose bytes these are.
    pub(super) fn page(&self, bytes: &[u8], first: usize, count: usize) -> Option<Vec<T>> {
        match self {
            Self::Progression { start, step } => {
                let number = |index: usize| start.wrapping_add(step.wrapping_mul(index as u64));
                bytes.is_empty().then(|| (first..first + count).map(|index| T::from_bits(number(index))).collect())
            }
            Self::Packed(chunk) => {
                let mut numbers = vec![T::from_bits(0); count];
                let mut scratch = pco::DecompressorScratch::default();
                let mut page = chunk.page_decompressor_with_scratch(bytes, count, &mut scratch).ok()?;
                let progress = page.read(&mut numbers).ok()?;
                (progress.finished && progress.n_processed == count && page.into_src().is_empty()).then_some(numbers)
            }
        }
    }
}
