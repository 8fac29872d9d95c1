//! Conversions between units as two numbers, worked out once and applied to each reading.

use crate::units::{NotConverted, Unit};

/// `converted = factor × value + offset`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conversion {
    factor: f64,
    offset: f64,
}

impl Conversion {
    /// Leaves values as they are.
    pub const IDENTITY: Conversion = Conversion { factor: 1.0, offset: 0.0 };

    /// From one unit to another. Every unit that signals have converts by a factor and an offset (`Cel` to `K` has both); logarithmic units do not, and are refused.
    ///
    /// # Errors
    /// [`ConversionError`] when the units are of different kinds, or one of them is logarithmic.
    pub fn between(from: &Unit, to: &Unit) -> Result<Self, ConversionError> {
        if from == to {
            return Ok(Self::IDENTITY);
        }
        let offset = from.convert(0.0, to)?;
        let factor = from.convert(1.0, to)? - offset;
        let conversion = Self { factor, offset };
        let third = from.convert(1_000.0, to)?;
        if (conversion.apply(1_000.0) - third).abs() > 1e-6 * third.abs().max(1.0) {
            return Err(ConversionError::NotLinear { from: from.clone(), to: to.clone() });
        }
        Ok(conversion)
    }

    /// The converted value.
    pub fn apply(self, value: f64) -> f64 {
        value.mul_add(self.factor, self.offset)
    }
}

/// Why there is no conversion.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ConversionError {
    /// The units are of different kinds.
    #[error(transparent)]
    Kinds(#[from] NotConverted),
    /// A factor and an offset do not say it.
    #[error("{from} does not convert to {to} by a factor and an offset")]
    NotLinear {
        /// The unit that is there.
        from: Unit,
        /// The unit that is wanted.
        to: Unit,
    },
}

#[cfg(test)]
#[path = "conversion_tests.rs"]
mod tests;
