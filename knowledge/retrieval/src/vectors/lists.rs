//! Inverted lists: each row is in the list of the centre that is nearest to it, and a question looks at the lists whose centres are nearest to it.
//!
//! Centres are means of directions (spherical k-means), found in two steps: a few groups of a sample, then the lists of each group, the more the larger it
//! is. So neither training nor placing a row looks at every centre. Lists depend on the rows and their order alone, and on nothing random.

use std::ops::Range;

use super::best::Scored;
use super::rows::Row;
use super::scan;

/// How many rows a list has at the mean.
const ROWS_A_LIST: usize = 500;

/// How many rows are looked at to find the centre of a list.
const SAMPLED_A_LIST: usize = 64;

/// How often centres move to the mean of what is nearest to them.
const MOVES: usize = 8;

/// In how many groups the list of a row is looked for.
const NEAR_GROUPS: usize = 4;

/// Rows that are copied, or placed, at a time.
const STRETCH: usize = 2_048;

/// Directions one after the other: padded bytes, and what a step of each is worth.
#[derive(Debug)]
pub(super) struct Directions {
    width: usize,
    bytes: Vec<i8>,
    steps: Vec<f32>,
}

/// Lists of rows.
#[derive(Debug)]
pub(super) struct Lists {
    groups: Directions,
    /// By group, its lists.
    of_group: Vec<Range<usize>>,
    centres: Directions,
    rows: Vec<Vec<Row>>,
    trained_on: usize,
    placed: usize,
}

impl Directions {
    pub fn new(width: usize) -> Self {
        Self { width, bytes: Vec::new(), steps: Vec::new() }
    }

    pub fn extend(&mut self, bytes: &[i8], steps: &[f32]) {
        self.bytes.extend_from_slice(bytes);
        self.steps.extend_from_slice(steps);
    }

    fn len(&self) -> usize {
        self.steps.len()
    }

    fn get(&self, at: usize) -> Option<(&[i8], f32)> {
        Some((self.bytes.get(at * self.width..(at + 1) * self.width)?, *self.steps.get(at)?))
    }

    fn set(&mut self, at: usize, bytes: &[i8], step: f32) {
        if let Some(own) = self.bytes.get_mut(at * self.width..(at + 1) * self.width) {
            own.copy_from_slice(bytes);
        }
        if let Some(own) = self.steps.get_mut(at) {
            *own = step;
        }
    }

    fn iter(&self) -> impl Iterator<Item = (&[i8], f32)> {
        self.bytes.chunks_exact(self.width).zip(self.steps.iter().copied())
    }

    /// How near those of a stretch are to the numbers, each under its place.
    fn scored(&self, numbers: &[i16], among: Range<usize>) -> impl Iterator<Item = Scored> {
        let bytes = self.bytes.get(among.start * self.width..among.end * self.width).unwrap_or_default();
        let steps = self.steps.get(among.clone()).unwrap_or_default();
        let places = among.map_while(|place| Row::try_from(place).ok());
        let all = places.zip(bytes.chunks_exact(self.width).zip(steps));
        all.map(|(place, (bytes, step))| Scored(scan::score(numbers, bytes, *step), place))
    }

    /// The nearest one of a stretch; of equal ones the first.
    fn nearest(&self, numbers: &[i16], among: Range<usize>) -> Option<Scored> {
        self.scored(numbers, among).reduce(|best, other| if other.0 > best.0 { other } else { best })
    }
}

fn widen(bytes: &[i8], into: &mut Vec<i16>) {
    into.clear();
    into.extend(bytes.iter().map(|byte| i16::from(*byte)));
}

/// As many of the `members` as centres as are wanted, evenly spread, which then move. Gives the members of each, too.
fn centres(points: &Directions, members: &[usize], wanted: usize) -> (Directions, Vec<Vec<usize>>) {
    let wanted = wanted.clamp(1, members.len().max(1));
    let mut centres = Directions::new(points.width);
    let spread = (0..wanted).filter_map(|number| members.get(number * members.len() / wanted));
    for (bytes, step) in spread.filter_map(|member| points.get(*member)) {
        centres.extend(bytes, &[step]);
    }
    let mut parts = divided(points, members, &centres);
    for _ in 0..if centres.len() > 1 { MOVES } else { 1 } {
        for (at, part) in parts.iter().enumerate() {
            if let Some((bytes, step)) = mean(points, part) {
                centres.set(at, &bytes, step);
            }
        }
        parts = divided(points, members, &centres);
    }
    (centres, parts)
}

/// The members by which centre is nearest to them.
fn divided(points: &Directions, members: &[usize], centres: &Directions) -> Vec<Vec<usize>> {
    let mut parts = vec![Vec::new(); centres.len()];
    let mut numbers = Vec::with_capacity(points.width);
    for member in members {
        let Some((bytes, _)) = points.get(*member) else { continue };
        widen(bytes, &mut numbers);
        let nearest = centres.nearest(&numbers, 0..centres.len()).and_then(|one| usize::try_from(one.1).ok());
        if let Some(part) = nearest.and_then(|at| parts.get_mut(at)) {
            part.push(*member);
        }
    }
    parts
}

/// The mean direction; none of no members.
fn mean(points: &Directions, members: &[usize]) -> Option<(Vec<i8>, f32)> {
    let mut sums = vec![0.0_f32; points.width];
    for (bytes, step) in members.iter().filter_map(|member| points.get(*member)) {
        for (sum, byte) in sums.iter_mut().zip(bytes) {
            *sum += f32::from(*byte) * step;
        }
    }
    scan::row(&sums)
}

/// A number without a pattern for each number (SplitMix64).
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// One row of each of as many even stretches of the first `count` ones, in no pattern.
fn sampled(count: usize, wanted: usize) -> impl Iterator<Item = usize> {
    let wanted = wanted.min(count).max(1);
    (0..wanted).map(move |number| {
        let (from, end) = (number * count / wanted, (number + 1) * count / wanted);
        let spread = u64::try_from(end.saturating_sub(from).max(1)).unwrap_or(1);
        let within = u64::try_from(number).map_or(0, mixed) % spread;
        from + usize::try_from(within).unwrap_or(0)
    })
}

/// How many rows lists are trained on where there are `count`: every size is half as large again as the one before, so that lists do not depend on when
/// they were trained.
pub(super) fn trained_at(count: usize, from: usize) -> Option<usize> {
    let from = from.max(1);
    let sizes = std::iter::successors(Some(from), |size| size.checked_add((size / 2).max(1)));
    sizes.take_while(|size| *size < count).last()
}

impl Lists {
    /// Lists of the first `count` rows, which are asked for by and by; none when they are not given any more.
    pub fn train(count: usize, width: usize, copy: &dyn Fn(Range<usize>) -> Option<Directions>) -> Option<Self> {
        let wanted = count.div_ceil(ROWS_A_LIST);
        let mut sample = Directions::new(width);
        for row in sampled(count, wanted * SAMPLED_A_LIST) {
            let one = copy(row..row + 1)?;
            sample.extend(&one.bytes, &one.steps);
        }
        let everyone: Vec<usize> = (0..sample.len()).collect();
        let (groups, parts) = centres(&sample, &everyone, wanted.isqrt());
        let mut lists = Self {
            groups,
            of_group: Vec::new(),
            centres: Directions::new(width),
            rows: Vec::new(),
            trained_on: count,
            placed: 0,
        };
        for part in &parts {
            let from = lists.centres.len();
            if !part.is_empty() {
                let (own, _) = centres(&sample, part, (part.len() + SAMPLED_A_LIST / 2) / SAMPLED_A_LIST);
                lists.centres.extend(&own.bytes, &own.steps);
            }
            lists.of_group.push(from..lists.centres.len());
        }
        lists.rows.resize(lists.centres.len(), Vec::new());
        lists.catch_up(count, 0, copy)?;
        Some(lists)
    }

    /// Places the rows up to `count`, but for the last few at most `left`.
    pub fn catch_up(
        &mut self,
        count: usize,
        left: usize,
        copy: &dyn Fn(Range<usize>) -> Option<Directions>,
    ) -> Option<()> {
        while self.placed + left < count {
            let stretch = copy(self.placed..count.min(self.placed + STRETCH))?;
            for (bytes, _) in stretch.iter() {
                self.place(bytes);
            }
        }
        Some(())
    }

    /// Puts the next row into the list that is nearest to it.
    pub fn place(&mut self, bytes: &[i8]) {
        let mut numbers = Vec::with_capacity(bytes.len());
        widen(bytes, &mut numbers);
        let mut groups: Vec<Scored> = self.groups.scored(&numbers, 0..self.groups.len()).collect();
        groups.sort_unstable_by(|a, b| b.cmp(a));
        let near = groups.iter().filter_map(|group| self.of_group.get(usize::try_from(group.1).ok()?));
        let near = near.filter(|lists| !lists.is_empty()).take(NEAR_GROUPS);
        let best = near.filter_map(|lists| self.centres.nearest(&numbers, lists.clone())).max();
        let at = best.and_then(|best| usize::try_from(best.1).ok()).unwrap_or(0);
        if let (Some(list), Ok(row)) = (self.rows.get_mut(at), Row::try_from(self.placed)) {
            list.push(row);
        }
        self.placed += 1;
    }

    /// The lists, the nearest to the question first.
    pub fn nearest_first(&self, question: &[i16]) -> impl Iterator<Item = &[Row]> {
        let all = self.centres.scored(question, 0..self.centres.len());
        let mut waiting: std::collections::BinaryHeap<Scored> = all.collect();
        let order = std::iter::from_fn(move || waiting.pop());
        order.filter_map(|Scored(_, at)| self.rows.get(usize::try_from(at).ok()?)).map(Vec::as_slice)
    }

    /// How many rows the centres were found by.
    pub fn trained_on(&self) -> usize {
        self.trained_on
    }

    /// How many rows are in a list: the first ones.
    pub fn placed(&self) -> usize {
        self.placed
    }

    /// How many lists there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }
}
