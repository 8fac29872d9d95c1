//! Knowledge packages: approved articles, procedures, rules and FMEA sheets of one plant as one file, with their files and with proofs, for another plant.
//!
//! The file is a signed note, a manifest in JSON, and the bytes of the files (docs/packages.md). The manifest holds the log's own records of each piece, each with its proof under a
//! checkpoint that the log's key has signed: who has the verifier key can check that the sender's log holds the piece, its approval and its evidence.
//!
//! *It reads no log and appends nothing.* [`Package::write`] is given what to pack, [`Package::open`] answers what a file holds once everything in it is checked, and [`Package::drafts`] says what is
//! to be logged where it is brought in.
//!
//! Invariants:
//! - A package is checked as a whole: nothing of it is used when any part is wrong.
//! - Files have no paths: they are named by their digests, and the names that people gave them hold no separators.
//! - What a package brings is a draft, written by the person who brings it in: somebody else must approve it.
//! - The same manifest and files make the same bytes.
//!
//! Where to read next: [`Manifest`] is the format, [`PackageError`] what can be wrong.

mod drafts;
mod manifest;
mod package;

#[cfg(test)]
mod tests;

pub use drafts::{DraftError, Drafts, LocalArticle};
pub use manifest::{Manifest, PackedArticle, PackedFile, PackedRecord};
pub use package::{MAX_ARTICLES, MAX_PACKAGE_BYTES, Package, PackageError, Piece};
