//! Which unit an expression is in, as far as it can be told.
//!
//! Formulas compute with numbers in the units that their names were declared in. A sum of two of different kinds (`bar` and `K`) is wrong for certain, and so is a sum of
//! one kind in different sizes (`bar` and `Pa`); both are refused. A number in the text may be a conversion factor, so that after multiplying by one only the kind is checked. Where a unit
//! cannot be told, nothing is checked: the check refuses no document that is right.

use std::fmt::Write as _;

use domain::units::Unit;

/// Products with more factors than this are not followed.
const MAX_FACTORS: i32 = 12;

/// What is known of an expression's unit.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Derived {
    /// A number in the text: it takes the unit of what it is added to.
    Literal,
    /// Nothing is known.
    Unknown,
    /// A product of powers of units.
    Known {
        /// Units with twice their exponents, sorted: square roots keep whole numbers.
        factors: Vec<(Unit, i32)>,
        /// Whether the size is certain too, not only the kind.
        exact: bool,
    },
}

impl Derived {
    pub(super) fn of(unit: &Unit) -> Self {
        if unit.as_str() == "1" {
            return Self::Known { factors: Vec::new(), exact: true };
        }
        Self::Known { factors: vec![(unit.clone(), 2)], exact: true }
    }

    pub(super) fn times(&self, other: &Self) -> Self {
        self.product(other, 1)
    }

    pub(super) fn over(&self, other: &Self) -> Self {
        self.product(other, -1)
    }

    fn product(&self, other: &Self, sign: i32) -> Self {
        match (self, other) {
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Literal, Self::Literal) => Self::Literal,
            (Self::Known { factors, .. }, Self::Literal) => Self::Known { factors: factors.clone(), exact: false },
            (Self::Literal, Self::Known { factors, .. }) => {
                let factors = factors.iter().map(|(unit, power)| (unit.clone(), power * sign)).collect();
                Self::Known { factors, exact: false }
            }
            (Self::Known { factors, exact }, Self::Known { factors: others, exact: also }) => {
                let mut all = factors.clone();
                for (unit, power) in others {
                    match all.iter_mut().find(|(known, _)| known == unit) {
                        Some((_, sum)) => *sum += power * sign,
                        None => all.push((unit.clone(), power * sign)),
                    }
                }
                Self::normal(all, *exact && *also)
            }
        }
    }

    fn normal(mut factors: Vec<(Unit, i32)>, exact: bool) -> Self {
        factors.retain(|(_, power)| *power != 0);
        factors.sort();
        if factors.iter().map(|(_, power)| power.abs()).sum::<i32>() > 2 * MAX_FACTORS {
            return Self::Unknown;
        }
        Self::Known { factors, exact }
    }

    /// The unit to a constant power; `None` is a power that is not constant.
    pub(super) fn to_the(&self, exponent: Option<f64>) -> Self {
        match (self, exponent) {
            (Self::Literal, _) => Self::Literal,
            (Self::Known { factors, exact }, _) if factors.is_empty() => {
                Self::Known { factors: Vec::new(), exact: *exact }
            }
            (Self::Known { factors, exact }, Some(exponent)) => {
                let power = |twice: i32| {
                    let power = f64::from(twice) * exponent;
                    // Beyond this nothing is followed, so that the cast below is of a small whole number.
                    #[expect(clippy::cast_possible_truncation, reason = "the range and wholeness were just checked")]
                    (power.fract() == 0.0 && power.abs() <= f64::from(2 * MAX_FACTORS)).then_some(power as i32)
                };
                let raised: Option<Vec<_>> =
                    factors.iter().map(|(unit, twice)| Some((unit.clone(), power(*twice)?))).collect();
                raised.map_or(Self::Unknown, |factors| Self::normal(factors, *exact))
            }
            _ => Self::Unknown,
        }
    }

    /// The common unit of two values that are added, compared or chosen between.
    pub(super) fn agree(&self, other: &Self) -> Result<Self, String> {
        match (self, other) {
            (Self::Unknown, _) | (_, Self::Unknown) => Ok(Self::Unknown),
            (Self::Literal, known) | (known, Self::Literal) => Ok(known.clone()),
            (Self::Known { factors, exact }, Self::Known { factors: others, exact: also }) => {
                let exact = *exact && *also;
                if factors == others {
                    return Ok(Self::Known { factors: factors.clone(), exact });
                }
                // Special units (`Cel`) are in no product, and a product may be too long for a code: then nothing is known.
                let (Some(this), Some(that)) = (squared(factors), squared(others)) else {
                    return Ok(Self::Unknown);
                };
                if !this.commensurable(&that) {
                    return Err(format!("{self} and {other} are of different kinds"));
                }
                let size = this.convert(1.0, &that).unwrap_or(1.0);
                if exact && (size - 1.0).abs() > 1e-9 {
                    return Err(format!("{self} and {other} are of one kind and of different sizes"));
                }
                Ok(Self::Known { factors: factors.clone(), exact })
            }
        }
    }

    /// Checks that the value is a plain number or an angle in radian.
    pub(super) fn number(&self) -> Result<Self, String> {
        let plain = Self::Known { factors: Vec::new(), exact: false };
        let Self::Known { factors, exact } = self else { return Ok(plain) };
        let one = Self::Known { factors: Vec::new(), exact: true };
        if factors.is_empty() || self.agree(&one).is_ok() {
            return Ok(plain);
        }
        let Ok(radian) = Unit::new("rad") else { return Ok(plain) };
        let radian = Self::Known { factors: vec![(radian, 2)], exact: *exact };
        match self.agree(&radian) {
            Ok(_) => Ok(plain),
            Err(_) => Err(format!("a plain number or an angle in rad is needed, and this is in {self}")),
        }
    }
}

impl std::fmt::Display for Derived {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self::Known { factors, .. } = self else { return formatter.write_str("a number") };
        if factors.is_empty() {
            return formatter.write_str("1");
        }
        for (index, (unit, twice)) in factors.iter().enumerate() {
            let dot = if index == 0 { "" } else { "." };
            match twice {
                2 => write!(formatter, "{dot}{unit}")?,
                _ => write!(formatter, "{dot}({unit})^{}", f64::from(*twice) / 2.0)?,
            }
        }
        Ok(())
    }
}

/// The square of the product as a UCUM code, whose exponents are whole.
fn squared(factors: &[(Unit, i32)]) -> Option<Unit> {
    let mut code = "1".to_owned();
    for (unit, twice) in factors {
        let sign = if *twice > 0 { '.' } else { '/' };
        for _ in 0..twice.abs() {
            write!(code, "{sign}({unit})").ok()?;
        }
    }
    Unit::new(&code).ok()
}
