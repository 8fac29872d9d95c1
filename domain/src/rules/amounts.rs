//! Sums of amounts in whatever units they come.

use serde::{Deserialize, Serialize};

use crate::units::Unit;
use crate::values::Quantity;

/// How many dimensions one sum can hold (mass, length, pieces, …); amounts of a further dimension are left out, and no rule speaks of them.
const MAX_DIMENSIONS: usize = 8;

/// A sum of amounts: one number for each dimension that occurred, in the unit that came first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Amounts(Vec<Quantity>);

impl Amounts {
    /// Adds an amount. What is not finite, and what would make the sum so, is left out.
    pub fn add(&mut self, amount: &Quantity) {
        if !amount.value.is_finite() {
            return;
        }
        for sum in &mut self.0 {
            if let Ok(value) = amount.unit.convert(amount.value, &sum.unit) {
                if (sum.value + value).is_finite() {
                    sum.value += value;
                }
                return;
            }
        }
        if self.0.len() < MAX_DIMENSIONS {
            self.0.push(amount.clone());
        }
    }

    /// The sum in this unit; `None` when nothing of its dimension was added.
    pub fn in_unit(&self, unit: &Unit) -> Option<f64> {
        self.0.iter().find_map(|sum| sum.unit.convert(sum.value, unit).ok())
    }
}

/// The amount in another unit; `None` when there is none, or when it is of another dimension.
pub fn in_unit(amount: Option<&Quantity>, unit: &Unit) -> Option<f64> {
    amount.and_then(|amount| amount.unit.convert(amount.value, unit).ok()).filter(|value| value.is_finite())
}
