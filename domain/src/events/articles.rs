//! Knowledge that people wrote: articles, procedures, rules and FMEA sheets; and files that belong to any record.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::Artifact;
use crate::ids::{ArticleId, AssetClass, Code, PersonId};
use crate::values::Text;

/// What kind of writing it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArticleKind {
    /// What somebody found out.
    Article,
    /// What is to be done, step by step.
    Procedure,
    /// When this, then that.
    Rule,
    /// What can fail, how badly, how often, and whether it is noticed (IEC 60812).
    Fmea,
}

/// A file that belongs to a piece of knowledge. Its bytes lie in the artifact store by their digest.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// The file.
    pub file: Artifact,
    /// What it is (`image/jpeg`, `audio/ogg`, `application/pdf`, `text/plain`).
    pub media_type: String,
    /// What it shows.
    pub caption: Option<Text>,
    /// The text that it holds, for the search; read out of the file, or typed off.
    pub text: Option<String>,
}

/// A row of an FMEA sheet (IEC 60812). Ranks go from 1 (harmless, rare, always noticed) to 10.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FmeaRow {
    /// What can fail.
    pub item: String,
    /// What it is there for.
    pub function: Option<String>,
    /// How it fails: the code that faults are coded with, where there is one.
    pub mode: Code,
    /// How it fails, in words.
    pub mode_text: Option<Text>,
    /// What that does.
    pub effect: Option<Text>,
    /// What it comes from.
    pub cause: Option<Text>,
    /// How it is noticed or kept from happening today.
    pub controls: Option<Text>,
    /// S: how bad the effect is.
    pub severity: Rank,
    /// O: how often it happens, as the expert sees it.
    pub occurrence: Rank,
    /// D: how hard it is to notice in time, as the expert sees it.
    pub detection: Rank,
    /// What is recommended.
    pub action: Option<Text>,
}

/// A rank of an FMEA: 1 to 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Rank(u8);

impl Rank {
    /// The rank, when it is one.
    pub const fn new(rank: u8) -> Option<Self> {
        if rank >= 1 && rank <= 10 { Some(Self(rank)) } else { None }
    }

    /// As a number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Rank {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rank = u8::deserialize(deserializer)?;
        Self::new(rank).ok_or_else(|| serde::de::Error::custom(format!("{rank} is not a rank from 1 to 10")))
    }
}

impl FmeaRow {
    /// The risk priority number: S × O × D, from 1 to 1,000. It orders rows of one sheet and means nothing across sheets.
    pub fn risk_priority(&self) -> u16 {
        u16::from(self.severity.0) * u16::from(self.occurrence.0) * u16::from(self.detection.0)
    }
}

/// Somebody wrote a piece of knowledge, or a new revision of it. It counts once somebody else has approved it.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArticleDrafted {
    /// The piece.
    pub article: ArticleId,
    /// Its revision: 1, 2, 3, …
    pub revision: u32,
    /// What kind of writing.
    pub kind: ArticleKind,
    /// Its title.
    pub title: Text,
    /// What it says (Markdown).
    #[serde(default)]
    pub body: Text,
    /// The rows, when it is an FMEA sheet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<FmeaRow>,
    /// What it detects and how, when it is a rule that runs by itself.
    pub detection: Option<Box<super::Detection>>,
    /// The failure modes, defects or parameters that it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<Code>,
    /// The classes of assets that it is for; all, when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<AssetClass>,
    /// Its files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// The log positions that it rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<u64>,
    /// Who wrote it.
    pub author: PersonId,
    /// Where it came from, when it came in a package from another plant.
    pub origin: Option<ArticleOrigin>,
}

/// The plant that a piece of knowledge came from.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArticleOrigin {
    /// That plant's log, by its origin line.
    pub log: String,
    /// The piece, as it is called there.
    pub article: ArticleId,
    /// Its revision there.
    pub revision: u32,
    /// The position of that log where it was approved.
    pub position: u64,
    /// Who wrote it there: a person of that plant, whoever has the same id here.
    pub author: Option<String>,
    /// The package that brought it, by the SHA-256 of its manifest in hexadecimal digits.
    pub package: Option<String>,
}

/// A package of knowledge from another plant was checked and brought in: its pieces are drafts here, and wait for somebody to review them.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageImported {
    /// The package, by the SHA-256 of its manifest in hexadecimal digits.
    pub package: Code,
    /// That plant's log, by its origin line.
    pub log: String,
    /// The verifier key (`name+id+key`) that the package was checked with.
    pub key: String,
    /// The pieces, as they are called here.
    pub articles: Vec<ImportedArticle>,
    /// Who brought it in.
    pub person: PersonId,
}

/// A piece of knowledge that a package brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportedArticle {
    /// The piece, as it is called here.
    pub article: ArticleId,
    /// Its revision here.
    pub revision: u32,
}

/// Somebody other than its author looked at a revision.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArticleReviewed {
    /// The piece.
    pub article: ArticleId,
    /// The revision.
    pub revision: u32,
    /// Who.
    pub person: PersonId,
    /// Whether it may be used.
    pub approved: bool,
    /// What they think.
    pub note: Option<Text>,
}

/// A piece of knowledge is not to be used any more.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArticleSuperseded {
    /// The piece.
    pub article: ArticleId,
    /// The piece that takes its place.
    pub by: Option<ArticleId>,
    /// Who decided.
    pub person: PersonId,
    /// Why.
    pub reason: Option<Text>,
}

/// A file was attached to a thing that the log knows: a fault, a roll, an asset, a work order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileAttached {
    /// What kind of thing (`fault`).
    pub kind: super::SubjectKind,
    /// Its id.
    pub id: String,
    /// The file.
    pub attachment: Attachment,
    /// Who attached it.
    pub person: Option<PersonId>,
}
