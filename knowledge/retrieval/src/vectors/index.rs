//! Which versions have which vector, and the nearest ones at a position.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};

use sha2::{Digest as _, Sha256};

use super::rows::{Row, Rows, TextDigest};
use super::{VectorError, scan};

/// From this many vectors on a scan uses more than one thread.
const SHARED_FROM: usize = 50_000;

/// The most threads of a scan.
const MOST_THREADS: usize = 4;

/// A version that has a vector.
#[derive(Clone, Debug)]
struct Holder {
    key: String,
    row: Row,
    valid_from: u64,
    valid_to: Option<u64>,
    /// The next version with the same text.
    next: Option<u32>,
}

/// A version that is near.
#[derive(Clone, Debug, PartialEq)]
pub struct Near {
    /// The key of the version.
    pub key: String,
    /// The cosine of the angle between both vectors, from -1 to 1, within a hundredth.
    pub similarity: f32,
}

/// The vectors of versions.
#[derive(Debug)]
pub struct VectorIndex {
    rows: Rows,
    holders: Vec<Holder>,
    by_key: HashMap<String, u32>,
    /// By row, the version that got it last.
    last: Vec<Option<u32>>,
}

/// A row with how near it is; the greater is the better one, of equal ones the later.
#[derive(PartialEq)]
struct Scored(f32, u32);

impl Eq for Scored {}

impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scored {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0).then(self.1.cmp(&other.1))
    }
}

pub(super) fn digest_of(text: &str) -> TextDigest {
    let whole: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    whole.first_chunk::<16>().copied().unwrap_or_default()
}

impl VectorIndex {
    /// No version has a vector yet; the rows may be known from before.
    pub fn new(rows: Rows) -> Self {
        Self { rows, holders: Vec::new(), by_key: HashMap::new(), last: Vec::new() }
    }

    /// How many versions have a vector.
    pub fn len(&self) -> usize {
        self.holders.len()
    }

    /// Whether none has.
    pub fn is_empty(&self) -> bool {
        self.holders.is_empty()
    }

    /// How many different texts have a vector.
    pub fn texts(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn knows(&self, text: &TextDigest) -> bool {
        self.rows.known(text).is_some()
    }

    pub(super) fn learn(&mut self, text: TextDigest, vector: &[f32]) -> Result<(), VectorError> {
        if !self.knows(&text) {
            self.rows.add(text, vector)?;
        }
        Ok(())
    }

    /// A version, with the vector of its text.
    ///
    /// # Errors
    /// [`VectorError`].
    pub fn add(&mut self, key: &str, text: &str, valid: (u64, Option<u64>), vector: &[f32]) -> Result<(), VectorError> {
        let digest = digest_of(text);
        self.learn(digest, vector)?;
        self.hold(key, &digest, valid)
    }

    /// A version whose text has a vector; one that is known gets its end. Without a vector nothing is held.
    pub(super) fn hold(
        &mut self,
        key: &str,
        text: &TextDigest,
        (valid_from, valid_to): (u64, Option<u64>),
    ) -> Result<(), VectorError> {
        let known = self.by_key.get(key).and_then(|at| usize::try_from(*at).ok());
        if let Some(holder) = known.and_then(|at| self.holders.get_mut(at)) {
            holder.valid_to = valid_to;
            return Ok(());
        }
        let Some(row) = self.rows.known(text) else { return Ok(()) };
        let number = u32::try_from(self.holders.len()).map_err(|_| VectorError::Full(self.holders.len()))?;
        self.last.resize(self.rows.len(), None);
        let last = usize::try_from(row).ok().and_then(|at| self.last.get_mut(at));
        let next = last.and_then(|last| last.replace(number));
        self.holders.push(Holder { key: key.to_owned(), row, valid_from, valid_to, next });
        self.by_key.insert(key.to_owned(), number);
        Ok(())
    }

    fn holders_of(&self, row: usize) -> impl Iterator<Item = &Holder> {
        let get = |number: Option<u32>| self.holders.get(usize::try_from(number?).ok()?);
        std::iter::successors(get(self.last.get(row).copied().flatten()), move |holder| get(holder.next))
    }

    /// The nearest versions that were valid at the position, the nearest first; of equal ones the later first. Every vector is looked at.
    ///
    /// # Errors
    /// [`VectorError`] when the question is no vector of this length.
    pub fn nearest(&self, question: &[f32], position: u64, limit: usize) -> Result<Vec<Near>, VectorError> {
        if question.len() != self.rows.dimensions() {
            return Err(VectorError::Length { given: question.len(), expected: self.rows.dimensions() });
        }
        let (numbers, step) = scan::question(question).ok_or(VectorError::NoDirection)?;
        let count = self.rows.len().min(self.last.len());
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
        let threads = if count < SHARED_FROM { 1 } else { threads };
        let share = count.div_ceil(threads).max(1);
        let parts: Vec<std::ops::Range<usize>> =
            (0..threads).map(|part| (part * share).min(count)..((part + 1) * share).min(count)).collect();
        let mut best: Vec<Scored> = if threads == 1 {
            parts.into_iter().flat_map(|part| self.scanned(part, &numbers, position, limit)).collect()
        } else {
            std::thread::scope(|scope| {
                let numbers = &numbers;
                let running: Vec<_> = parts
                    .into_iter()
                    .map(|part| scope.spawn(move || self.scanned(part, numbers, position, limit)))
                    .collect();
                running
                    .into_iter()
                    .flat_map(|part| part.join().unwrap_or_else(|reason| std::panic::resume_unwind(reason)))
                    .collect()
            })
        };
        best.sort_unstable_by(|a, b| b.cmp(a));
        let mut near = Vec::with_capacity(limit);
        for Scored(score, row) in best {
            let Ok(row) = usize::try_from(row) else { continue };
            let valid = self.holders_of(row).filter(|holder| holder.valid_at(position));
            let similarity = score * step;
            near.extend(valid.take(limit - near.len()).map(|holder| Near { key: holder.key.clone(), similarity }));
            if near.len() >= limit {
                break;
            }
        }
        Ok(near)
    }

    /// The best rows of a stretch that a valid version has.
    fn scanned(&self, part: std::ops::Range<usize>, question: &[i16], position: u64, limit: usize) -> Vec<Scored> {
        let (bytes, steps) = self.rows.all();
        let width = scan::padded(self.rows.dimensions());
        let bytes = bytes.get(part.start * width..part.end * width).unwrap_or_default();
        let steps = steps.get(part.clone()).unwrap_or_default();
        let mut best: BinaryHeap<Reverse<Scored>> = BinaryHeap::with_capacity(limit + 1);
        for ((row, bytes), step) in part.zip(bytes.chunks_exact(width)).zip(steps) {
            #[expect(clippy::cast_precision_loss, reason = "seven digits of a similarity are enough")]
            let score = scan::dot(question, bytes) as f32 * step;
            let Ok(number) = u32::try_from(row) else { break };
            let scored = Scored(score, number);
            let full = best.len() >= limit;
            if full && best.peek().is_none_or(|Reverse(least)| scored < *least) {
                continue;
            }
            if self.holders_of(row).any(|holder| holder.valid_at(position)) {
                best.push(Reverse(scored));
                if full {
                    best.pop();
                }
            }
        }
        best.into_iter().map(|Reverse(scored)| scored).collect()
    }

    /// A digest of every version with its vector, whatever order they came in.
    pub fn digest(&self) -> [u8; 32] {
        let mut holders: Vec<&Holder> = self.holders.iter().collect();
        holders.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        let mut digest = Sha256::new();
        for holder in holders {
            digest.update(u64::try_from(holder.key.len()).unwrap_or(u64::MAX).to_le_bytes());
            digest.update(holder.key.as_bytes());
            digest.update(holder.valid_from.to_le_bytes());
            digest.update(holder.valid_to.unwrap_or(u64::MAX).to_le_bytes());
            if let Some((bytes, step)) = self.rows.get(holder.row) {
                digest.update(step.to_le_bytes());
                digest.update(bytes.iter().map(|byte| byte.cast_unsigned()).collect::<Vec<u8>>());
            }
        }
        digest.finalize().into()
    }
}

impl Holder {
    fn valid_at(&self, position: u64) -> bool {
        self.valid_from <= position && self.valid_to.is_none_or(|end| position < end)
    }
}
