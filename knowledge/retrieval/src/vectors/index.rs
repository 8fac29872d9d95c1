//! Which versions have which vector, and the nearest ones at a position.

use std::collections::HashMap;
use std::ops::Range;

use sha2::{Digest as _, Sha256};

use super::best::{Best, Scored};
use super::lists::{self, Directions, Lists};
use super::rows::{Row, Rows, TextDigest};
use super::{VectorError, scan};

/// From this many vectors on a scan uses more than one thread.
const SHARED_FROM: usize = 50_000;

/// The most threads of a scan.
const MOST_THREADS: usize = 4;

/// When a question looks at lists, and at how much of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listing {
    /// Above this many vectors a question looks at the lists that are near to it, and not at all vectors.
    pub above: usize,
    /// How many rows that are valid at its position it looks at, at least; of few rows a share of them.
    pub looked_at: usize,
}

pub(super) const LISTING: Listing = Listing { above: 100_000, looked_at: 20_000 };

/// How many valid rows a question looks at, at least, for each one that it wants.
const LOOKED_AT_FOR_EACH: usize = 50;

/// So many rows of a list are fetched together: they lie anywhere.
const FETCHED: usize = 8;

/// The bytes of a cache line.
const LINE: usize = 64;

/// Of one row in so many it is asked whether it is valid, to know how many of those looked at are.
const ASKED_OF: usize = 8;

/// The most that a question looks at where it finds enough: one in so many rows.
const LOOKED_AT_SHARE: usize = 8;

/// A question that has looked at more than one in so many rows, and has not enough, looks at all.
const MOST_SHARE: usize = 2;

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
    lists: Option<Lists>,
    listing: Listing,
}

pub(super) fn digest_of(text: &str) -> TextDigest {
    let whole: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    whole.first_chunk::<16>().copied().unwrap_or_default()
}

impl VectorIndex {
    /// No version has a vector yet; the rows may be known from before.
    pub fn new(rows: Rows) -> Self {
        Self::with_lists(rows, LISTING)
    }

    /// As [`new`](Self::new), but with lists of other sizes.
    pub(super) fn with_lists(rows: Rows, listing: Listing) -> Self {
        Self { rows, holders: Vec::new(), by_key: HashMap::new(), last: Vec::new(), lists: None, listing }
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
            let row = self.rows.add(text, vector)?;
            // Rows that were there before the lists are placed when these come.
            let placed = self.lists.as_ref().map(Lists::placed).and_then(|placed| Row::try_from(placed).ok());
            if placed == Some(row)
                && let (Some(lists), Some((bytes, _))) = (&mut self.lists, self.rows.get(row))
            {
                lists.place(bytes);
            }
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

    fn is_valid(&self, row: Row, position: u64) -> bool {
        usize::try_from(row).is_ok_and(|row| self.holders_of(row).any(|holder| holder.valid_at(position)))
    }

    /// The nearest versions that were valid at the position, the nearest first; of equal ones the later first. Up to 100,000 vectors every one is looked
    /// at; of more, those in the lists that are near to the question: few of the nearest may be missing, and what is answered is valid, and its similarity
    /// the true one.
    ///
    /// # Errors
    /// [`VectorError`] when the question is no vector of this length.
    pub fn nearest(&self, question: &[f32], position: u64, limit: usize) -> Result<Vec<Near>, VectorError> {
        let (numbers, step) = self.question(question)?;
        let listed = self.lists.as_ref().and_then(|lists| self.listed(lists, &numbers, position, limit));
        let best = listed.unwrap_or_else(|| self.all_scanned(&numbers, position, limit));
        Ok(self.versions(best, step, position, limit))
    }

    /// As [`nearest`](Self::nearest), and every vector is looked at, however many there are.
    ///
    /// # Errors
    /// As [`nearest`](Self::nearest).
    pub fn nearest_of_all(&self, question: &[f32], position: u64, limit: usize) -> Result<Vec<Near>, VectorError> {
        let (numbers, step) = self.question(question)?;
        Ok(self.versions(self.all_scanned(&numbers, position, limit), step, position, limit))
    }

    fn question(&self, question: &[f32]) -> Result<(Vec<i16>, f32), VectorError> {
        if question.len() != self.rows.dimensions() {
            return Err(VectorError::Length { given: question.len(), expected: self.rows.dimensions() });
        }
        scan::question(question).ok_or(VectorError::NoDirection)
    }

    /// The versions of the best rows, the best first.
    fn versions(&self, mut best: Vec<Scored>, step: f32, position: u64, limit: usize) -> Vec<Near> {
        best.sort_unstable_by(|a, b| b.cmp(a));
        let mut near = Vec::with_capacity(limit.min(best.len()));
        for Scored(score, row) in best {
            let Ok(row) = usize::try_from(row) else { continue };
            let valid = self.holders_of(row).filter(|holder| holder.valid_at(position));
            let similarity = score * step;
            near.extend(valid.take(limit - near.len()).map(|holder| Near { key: holder.key.clone(), similarity }));
            if near.len() >= limit {
                break;
            }
        }
        near
    }

    /// The best rows of the lists that are near to the question; `None` where they may not be enough, so that all rows are to be looked at.
    fn listed(&self, lists: &Lists, question: &[i16], position: u64, limit: usize) -> Option<Vec<Scored>> {
        let wanted = self.listing.looked_at.min(self.rows.len() / LOOKED_AT_SHARE);
        let wanted = wanted.max(limit.saturating_mul(LOOKED_AT_FOR_EACH));
        let mut best = Best::new(limit);
        let (mut seen, mut valid) = (0, 0);
        for list in lists.nearest_first(question) {
            for some in list.chunks(FETCHED) {
                self.fetch(some);
                for row in some {
                    let Some((bytes, step)) = self.rows.get(*row) else { continue };
                    if seen % ASKED_OF == 0 && self.is_valid(*row, position) {
                        valid += ASKED_OF;
                    }
                    seen += 1;
                    best.offer(Scored(scan::score(question, bytes, step), *row), || self.is_valid(*row, position));
                }
            }
            if valid >= wanted && best.is_full() {
                return Some(best.into_vec());
            }
            if seen > self.rows.len() / MOST_SHARE {
                break;
            }
        }
        None
    }

    /// Reads a byte of each cache line of the rows, so that memory brings them all at once and not one after the other.
    fn fetch(&self, rows: &[Row]) {
        let lines = rows.iter().filter_map(|row| self.rows.get(*row)).flat_map(|(bytes, _)| bytes.iter().step_by(LINE));
        std::hint::black_box(lines.fold(0, |all, byte| all ^ byte));
    }

    /// The best of all rows, in as many threads as are worth it.
    fn all_scanned(&self, numbers: &[i16], position: u64, limit: usize) -> Vec<Scored> {
        let count = self.rows.len().min(self.last.len());
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
        let threads = if count < SHARED_FROM { 1 } else { threads };
        let share = count.div_ceil(threads).max(1);
        let parts: Vec<Range<usize>> =
            (0..threads).map(|part| (part * share).min(count)..((part + 1) * share).min(count)).collect();
        if threads == 1 {
            return parts.into_iter().flat_map(|part| self.scanned(part, numbers, position, limit)).collect();
        }
        std::thread::scope(|scope| {
            let running: Vec<_> = parts
                .into_iter()
                .map(|part| scope.spawn(move || self.scanned(part, numbers, position, limit)))
                .collect();
            running
                .into_iter()
                .flat_map(|part| part.join().unwrap_or_else(|reason| std::panic::resume_unwind(reason)))
                .collect()
        })
    }

    /// The best rows of a stretch that a valid version has.
    fn scanned(&self, part: Range<usize>, question: &[i16], position: u64, limit: usize) -> Vec<Scored> {
        let (bytes, steps) = self.rows.all();
        let width = self.width();
        let bytes = bytes.get(part.start * width..part.end * width).unwrap_or_default();
        let steps = steps.get(part.clone()).unwrap_or_default();
        let mut best = Best::new(limit);
        for ((row, bytes), step) in part.zip(bytes.chunks_exact(width)).zip(steps) {
            let Ok(row) = Row::try_from(row) else { break };
            best.offer(Scored(scan::score(question, bytes, *step), row), || self.is_valid(row, position));
        }
        best.into_vec()
    }

    /// How many of the first rows are to be trained on for lists; `None` where none are needed, or the lists are as good.
    pub(super) fn due(&self) -> Option<usize> {
        let due = lists::trained_at(self.rows.len(), self.listing.above)?;
        self.lists.as_ref().is_none_or(|lists| lists.trained_on() < due).then_some(due)
    }

    /// A copy of the vectors of a stretch.
    pub(super) fn directions(&self, part: Range<usize>) -> Option<Directions> {
        let (bytes, steps) = self.rows.all();
        let width = self.width();
        let mut directions = Directions::new(width);
        directions.extend(bytes.get(part.start * width..part.end * width)?, steps.get(part)?);
        Some(directions)
    }

    /// The length of a padded row.
    pub(super) fn width(&self) -> usize {
        scan::padded(self.rows.dimensions())
    }

    /// From now on questions look at these lists; rows that came after them are placed first.
    pub(super) fn list(&mut self, mut lists: Lists) {
        if lists.catch_up(self.rows.len(), 0, &|part| self.directions(part)).is_some() {
            self.lists = Some(lists);
        }
    }

    /// Trains the lists that as many vectors want, and waits for them; whether there was anything to do.
    pub fn train(&mut self) -> bool {
        let Some(due) = self.due() else { return false };
        if let Some(lists) = Lists::train(due, self.width(), &|part| self.directions(part)) {
            self.list(lists);
        }
        true
    }

    /// How many lists there are; none where every vector is looked at.
    pub fn lists(&self) -> usize {
        self.lists.as_ref().map_or(0, Lists::len)
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
