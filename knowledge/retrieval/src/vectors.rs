//! Finding texts by what they mean: an [`Embedder`] makes a vector of a text, a scan finds the nearest ones (of all, or above 100,000 of the
//! lists that are near), and a follower keeps the vectors up with the documents away from their writing.
//!
//! Invariants:
//! - Vectors of different models, or of the same one with other settings, are never compared: every index and every file names its model.
//! - A vector depends on the model and the text alone. An index that is built anew from the same documents has the same digest.
//! - A question at a position sees the versions that were valid there, and no others. What lists leave out is all that an answer may lack.
//! - Lists depend on the rows and their order, and on nothing random; no digest depends on them.
//! - Whoever writes documents never waits for a vector. How far vectors reach is said, not guessed ([`Vectors::reach`]).

mod best;
mod follow;
mod index;
mod lists;
mod rows;
mod scan;

#[cfg(test)]
#[path = "vectors/tests.rs"]
mod tests;

#[cfg(test)]
#[path = "vectors/lists_tests.rs"]
mod lists_tests;

pub use follow::{Batch, Change, Vectors};
pub use index::{Near, VectorIndex};
pub use rows::Rows;

use std::path::PathBuf;

/// Makes vectors of texts.
///
/// The same text MUST give the same vector, or none, bit by bit on one machine, alone or among others, and every vector has [`Embedder::dimensions`] finite numbers.
pub trait Embedder: Send + Sync {
    /// What the vectors depend on: the model's name, and a digest of its weights and settings.
    fn identity(&self) -> &str;

    /// The length of a vector.
    fn dimensions(&self) -> usize;

    /// The vector of something that is to be found; `None` where the model does not know the text's language, so that a vector would mean nothing.
    ///
    /// # Errors
    /// [`EmbedError`].
    fn document(&self, text: &str) -> Result<Option<Vec<f32>>, EmbedError>;

    /// The vector of a question; `None` as for [`document`](Self::document). Some models want questions marked as such.
    ///
    /// # Errors
    /// [`EmbedError`].
    fn question(&self, text: &str) -> Result<Option<Vec<f32>>, EmbedError>;
}

/// A text has no vector.
#[derive(Debug, thiserror::Error)]
#[error("the model {model} made no vector of a text of {bytes} bytes")]
pub struct EmbedError {
    /// The model's identity.
    pub model: String,
    /// The length of the text.
    pub bytes: usize,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Vectors cannot be kept or compared.
#[derive(Debug, thiserror::Error)]
pub enum VectorError {
    /// A vector has another length than the others.
    #[error("a vector has {given} numbers instead of {expected}")]
    Length {
        /// Its length.
        given: usize,
        /// The length of the others.
        expected: usize,
    },
    /// A vector is not one: a number is infinite or none, or all are 0.
    #[error("a vector points nowhere: a number of it is not finite, or all are 0")]
    NoDirection,
    /// There are as many vectors as can be numbered.
    #[error("there are {0} vectors, and no more can be numbered")]
    Full(usize),
    /// The file of vectors failed.
    #[error("the file of vectors {path} could not be {operation}")]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried.
        operation: &'static str,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// The model failed.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The documents could not be read.
    #[error("the documents whose vectors are missing could not be read: {0}")]
    Documents(String),
}
