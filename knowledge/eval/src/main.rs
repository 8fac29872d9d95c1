//! Scores search, coding, normalisation and diagnosis on public data sets and on a Chinese test set for looms, and prints the tables of
//! docs/evaluation.md.
//!
//! Every score is beside a baseline that is computed here, on the same questions, and every difference has a confidence interval over questions.
//! Questions are always later than what answers them, where the data has times.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "an evaluation that cannot read what it scores must fail, and what it prints is its result"
)]

mod baseline;
mod codes;
mod data;
mod diagnosis;
mod fmea;
mod looms;
mod meaning;
mod normal;
mod score;
mod search;
mod table;

/// A part by its name, and what scores it.
type Part = (&'static str, fn(Split));

/// The parts that can be asked for by name; all of them, when none is.
const PARTS: [Part; 7] = [
    ("search", search::run),
    ("coding", codes::run),
    ("normalisation", |_| normal::run()),
    ("diagnosis", diagnosis::run),
    ("looms", looms::run),
    ("fmea", |_| fmea::run()),
    ("vectors", meaning::run),
];

/// Which questions are asked: those that settings are chosen by, or those that are reported.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// For choosing settings.
    Dev,
    /// For the report.
    Test,
}

impl Split {
    /// History and questions of rows in the order of time: the last fifth is the report's, the fifth before it is for choosing.
    pub fn of<T>(self, rows: &[T]) -> (&[T], &[T]) {
        let (dev, test) = (rows.len() * 6 / 10, rows.len() * 8 / 10);
        match self {
            Self::Dev => (&rows[..dev], &rows[dev..test]),
            Self::Test => (&rows[..test], &rows[test..]),
        }
    }
}

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let split = if asked.iter().any(|word| word == "dev") { Split::Dev } else { Split::Test };
    let parts: Vec<&String> = asked.iter().filter(|word| *word != "dev").collect();
    for part in &parts {
        assert!(PARTS.iter().any(|(name, _)| *name == part.as_str()), "{part:?} is none of the parts");
    }
    for (name, run) in PARTS {
        if parts.is_empty() || parts.iter().any(|part| *part == name) {
            run(split);
        }
    }
}
