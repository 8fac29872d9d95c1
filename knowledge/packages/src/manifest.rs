//! The manifest of a package.

use domain::ids::ArticleId;
use serde::{Deserialize, Serialize};

/// The version of the format that is written and read.
pub(crate) const VERSION: u32 = 1;

/// What a package holds. It is written as JSON without white space, with its keys in this order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of the format: 1.
    pub version: u32,
    /// The sender's log, by its origin line.
    pub log: String,
    /// A checkpoint of that log, as a signed note; every record is proven under it.
    pub checkpoint: String,
    /// The pieces, by id.
    pub articles: Vec<PackedArticle>,
    /// Records of the log, by position: drafts and approvals with their payloads, evidence without.
    pub records: Vec<PackedRecord>,
    /// The files of the pieces, by digest; their bytes follow the manifest in this order.
    pub files: Vec<PackedFile>,
}

/// A piece: where the sender's log says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackedArticle {
    /// The piece, as the sender calls it.
    pub article: ArticleId,
    /// Its revision there.
    pub revision: u32,
    /// The position of the draft.
    pub drafted: u64,
    /// The position of the approval.
    pub reviewed: u64,
}

/// A record of the sender's log with its proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackedRecord {
    /// Its position.
    pub position: u64,
    /// Its leaf: the header with the digest of the payload.
    pub leaf: String,
    /// The audit path from the leaf's sibling to the root's child (RFC 6962), in base64.
    pub path: Vec<String>,
    /// Its payload as text, where it is packed; the SHA-256 of its bytes stands in the leaf.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackedFile {
    /// The SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// How many bytes.
    pub bytes: u64,
}
