//! Latest values of one metric for all runs, in the order of the runs: what makes a search over a million runs a scan of two arrays.
//!
//! A column is made when a search over many runs first asks for its metric, kept up to date by the fold, and given up when others are needed more.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::rows::{RunRow, Slot};
use super::{pairs, texts::TextId};

/// The most bytes that columns take together.
const MAX_BYTES: usize = 128 * 1024 * 1024;

/// Stands for "this run has no such metric": a NaN that no arithmetic makes. Metrics that are NaN are kept as the usual one.
const ABSENT: u64 = 0x7ff8_dead_beef_0000;

/// The values of one metric.
#[derive(Debug, Default)]
pub(crate) struct Column(Vec<f64>);

impl Column {
    fn of(runs: &[RunRow], key: TextId) -> Self {
        let absent = f64::from_bits(ABSENT);
        Self(
            runs.iter()
                .map(|row| pairs::find(&row.metrics, key).map_or(absent, |latest| usual(latest.value)))
                .collect(),
        )
    }

    /// The value of the run at this place.
    pub(crate) fn get(&self, slot: Slot) -> Option<f64> {
        self.0.get(slot as usize).copied().filter(|value| value.to_bits() != ABSENT)
    }

    fn set(&mut self, slot: Slot, value: f64) {
        let place = slot as usize;
        if self.0.len() <= place {
            self.0.resize(place + 1, f64::from_bits(ABSENT));
        }
        if let Some(present) = self.0.get_mut(place) {
            *present = usual(value);
        }
    }
}

fn usual(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value }
}

#[derive(Debug, Default)]
struct Kept {
    columns: HashMap<TextId, (u64, Arc<Column>)>,
    clock: u64,
}

/// The columns that are kept at present.
#[derive(Debug, Default)]
pub(crate) struct Columns(Mutex<Kept>);

impl Columns {
    /// The column of a metric, made now when it is not kept. Whoever asks holds the state, so that no run changes meanwhile.
    pub(crate) fn get(&self, runs: &[RunRow], key: TextId) -> Arc<Column> {
        let mut kept = self.0.lock();
        kept.clock += 1;
        let now = kept.clock;
        if let Some((used, column)) = kept.columns.get_mut(&key) {
            *used = now;
            return Arc::clone(column);
        }
        let room = (MAX_BYTES / (runs.len().max(1) * size_of::<f64>())).max(2);
        while kept.columns.len() >= room {
            let Some(oldest) = kept.columns.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| *key) else {
                break;
            };
            kept.columns.remove(&oldest);
        }
        let column = Arc::new(Column::of(runs, key));
        kept.columns.insert(key, (now, Arc::clone(&column)));
        column
    }

    /// A metric of a run has a new latest value.
    pub(crate) fn update(&mut self, key: TextId, slot: Slot, value: f64) {
        let columns = &mut self.0.get_mut().columns;
        if columns.is_empty() {
            return;
        }
        if let Some((_, column)) = columns.get_mut(&key) {
            match Arc::get_mut(column) {
                Some(column) => column.set(slot, value),
                // Somebody still holds it, so that it cannot be changed: it is made anew when it is asked for.
                None => drop(columns.remove(&key)),
            }
        }
    }
}
