//! Which metres of a lot a trace is about.

use domain::Interval;

/// All of a lot, or a stretch of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cover {
    Whole,
    Stretch(Interval),
}

/// Follows a joint from one lot to another: `on` is the stretch of the lot that is left, `onto` the one of the lot that is reached. `None` when
/// what is covered did not go over.
pub(super) fn carry(cover: Cover, on: Option<Interval>, onto: Option<Interval>) -> Option<Cover> {
    match (cover, on) {
        (Cover::Whole, _) | (Cover::Stretch(_), None) => Some(onto.map_or(Cover::Whole, Cover::Stretch)),
        (Cover::Stretch(stretch), Some(on)) => {
            let shared = Interval { start_m: stretch.start_m.max(on.start_m), end_m: stretch.end_m.min(on.end_m) };
            if shared.start_m >= shared.end_m {
                return None;
            }
            let Some(onto) = onto else { return Some(Cover::Whole) };
            let scale = onto.length_m() / on.length_m();
            let map = |metre: f64| onto.start_m + (metre - on.start_m) * scale;
            let mapped = Interval { start_m: map(shared.start_m), end_m: map(shared.end_m) };
            // A joint without length on the other side says nothing about metres there.
            if mapped.start_m < mapped.end_m { Some(Cover::Stretch(mapped)) } else { Some(Cover::Whole) }
        }
    }
}

/// How often a lot is visited with further stretches before all of it is taken: ends traces in cycles that shrink for ever.
const MAX_STRETCHES: usize = 64;

/// What a trace has covered of a lot.
#[derive(Clone, Debug, Default)]
pub(super) struct Covered {
    whole: bool,
    stretches: Vec<Interval>,
    visits: usize,
}

impl Covered {
    /// Takes more in; answers what is new and must be followed, or nothing when it was covered.
    pub fn add(&mut self, cover: Cover) -> Option<Cover> {
        if self.whole {
            return None;
        }
        self.visits += 1;
        match cover {
            Cover::Stretch(stretch) if self.visits <= MAX_STRETCHES => {
                if self.stretches.iter().any(|known| known.start_m <= stretch.start_m && stretch.end_m <= known.end_m) {
                    return None;
                }
                self.stretches.push(stretch);
                Some(cover)
            }
            Cover::Stretch(_) | Cover::Whole => {
                self.whole = true;
                Some(Cover::Whole)
            }
        }
    }

    /// The stretches, joined and in order; empty means all of it.
    pub fn joined(&self) -> Vec<Interval> {
        if self.whole {
            return Vec::new();
        }
        let mut sorted = self.stretches.clone();
        sorted.sort_by(|one, other| one.start_m.total_cmp(&other.start_m));
        let mut joined: Vec<Interval> = Vec::with_capacity(sorted.len());
        for stretch in sorted {
            match joined.last_mut() {
                Some(last) if stretch.start_m <= last.end_m => last.end_m = last.end_m.max(stretch.end_m),
                _ => joined.push(stretch),
            }
        }
        joined
    }

    /// Takes in what another walk covered.
    pub fn merge(&mut self, other: &Self) {
        self.whole |= other.whole;
        self.stretches.extend_from_slice(&other.stretches);
    }
}
