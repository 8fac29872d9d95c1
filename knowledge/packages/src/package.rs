//! Writing a package, and reading one: everything is checked before anything is answered.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::Event;
use domain::events::{ArticleDrafted, ArticleReviewed};
use eventlog::Digest;
use eventlog::transparency::{
    CheckpointError, ProofError, SignedCheckpoint, StatementError, VerifierKey, check_inclusion, open_statement,
};
use serde::Deserialize;

use crate::manifest::{Manifest, PackedFile, PackedRecord, VERSION};

/// The largest package, in bytes.
pub const MAX_PACKAGE_BYTES: usize = 256 * 1024 * 1024;
/// The largest manifest, in bytes.
const MAX_MANIFEST_BYTES: usize = 64 * 1024 * 1024;
/// The largest note, in bytes.
const MAX_NOTE_BYTES: usize = 64 * 1024;
/// The most pieces.
pub const MAX_ARTICLES: usize = 1000;
/// The most records.
const MAX_RECORDS: usize = 100_000;
/// The longest name of a file, in bytes.
const MAX_NAME_BYTES: usize = 255;
/// The first line of what is signed.
const FIRST_LINE: &str = "millwright package v1";

/// What is wrong with a package. Nothing of it is used.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// It is too large.
    #[error("{what} has {found}, and {most} is the most")]
    TooLarge {
        /// What.
        what: &'static str,
        /// How much it has.
        found: usize,
        /// How much it may have.
        most: usize,
    },
    /// It does not begin with a note.
    #[error("it does not begin with a signed note")]
    NoNote,
    /// The signature is missing or wrong.
    #[error("the signature: {0}")]
    Signature(#[from] StatementError),
    /// The signed text is that of no package.
    #[error("the signed text is not that of a package: {0}")]
    Head(&'static str),
    /// It is of another log than the key.
    #[error("it is of {found}, and the key is that of {expected}")]
    OtherLog {
        /// The log that it names.
        found: String,
        /// The name of the key.
        expected: String,
    },
    /// It ends too early or goes on too long.
    #[error("{what}: {found} bytes where {expected} are expected")]
    Length {
        /// Which part.
        what: String,
        /// How many there are.
        found: usize,
        /// How many there must be.
        expected: u64,
    },
    /// Bytes are not those that were signed.
    #[error("{what} has not the digest {expected}")]
    Digest {
        /// Which part.
        what: String,
        /// The digest that it must have.
        expected: String,
    },
    /// The manifest cannot be read.
    #[error("the manifest: {0}")]
    Manifest(String),
    /// The format is of another version.
    #[error("its format has version {0}, and version {VERSION} is read")]
    Version(u32),
    /// The checkpoint is not to be trusted.
    #[error("the checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// A record is not proven.
    #[error("the record at position {position}: {reason}")]
    Proof {
        /// Where it stands in the sender's log.
        position: u64,
        /// What is wrong.
        reason: ProofError,
    },
    /// A record is not what it must be.
    #[error("the record at position {position}: {reason}")]
    Record {
        /// Where it stands in the sender's log.
        position: u64,
        /// What is wrong.
        reason: String,
    },
    /// A piece is not what it must be.
    #[error("article {article}: {reason}")]
    Article {
        /// The piece.
        article: String,
        /// What is wrong.
        reason: String,
    },
    /// A file is not what it must be.
    #[error("the file {file}: {reason}")]
    File {
        /// Its digest or its name.
        file: String,
        /// What is wrong.
        reason: &'static str,
    },
}

/// A piece of a package that was checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// What was written.
    pub drafted: ArticleDrafted,
    /// Who approved it there.
    pub reviewed: ArticleReviewed,
    /// The position of the approval.
    pub position: u64,
}

/// A package that was checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Package {
    digest: Digest,
    manifest: Manifest,
    key: String,
    pieces: Vec<Piece>,
    files: Vec<(PackedFile, Bytes)>,
}

/// What of a leaf a package needs.
#[derive(Deserialize)]
struct Leaf {
    position: String,
    #[serde(rename = "type")]
    event_type: String,
    schema_version: u16,
    content_type: String,
    digest_algorithm: String,
    payload_digest: String,
}

impl Package {
    /// The bytes of a package. `files` are the contents of the manifest's files, in its order; `sign` makes a signed note of a text. What is written can be read: it is opened again with the key
    /// before it is answered.
    ///
    /// # Errors
    /// [`PackageError`], when the manifest or the files are not what a reader takes.
    pub fn write(
        manifest: &Manifest,
        files: &[Bytes],
        key: &VerifierKey,
        sign: &dyn Fn(&str) -> Result<String, StatementError>,
    ) -> Result<Bytes, PackageError> {
        let written = serde_json::to_vec(manifest).map_err(|error| PackageError::Manifest(error.to_string()))?;
        let digest = STANDARD.encode(Digest::of(&written).as_bytes());
        let note = sign(&format!("{FIRST_LINE}\n{}\n{}\n{digest}\n", manifest.log, written.len()))?;
        let mut bytes = note.into_bytes();
        bytes.push(b'\n');
        bytes.extend(written);
        files.iter().for_each(|file| bytes.extend_from_slice(file));
        let bytes = Bytes::from(bytes);
        Self::open(&bytes, key)?;
        Ok(bytes)
    }

    /// Reads a package, and checks all of it: the signature, the digests, the proof of each record under the checkpoint, each piece with its approval, and each file.
    ///
    /// # Errors
    /// [`PackageError`] says what is wrong.
    pub fn open(bytes: &Bytes, key: &VerifierKey) -> Result<Self, PackageError> {
        most("the package", bytes.len(), MAX_PACKAGE_BYTES)?;
        let (text, rest) = note(bytes, key)?;
        let (length, digest) = head(&text, key)?;
        let Some(written) = rest.get(..length) else {
            return Err(PackageError::Length {
                what: "the manifest".to_owned(),
                found: rest.len(),
                expected: length as u64,
            });
        };
        if Digest::of(written) != digest {
            return Err(PackageError::Digest { what: "the manifest".to_owned(), expected: digest.to_string() });
        }
        let manifest = read(written, key)?;
        let files = files(&manifest, &bytes.slice(bytes.len() - rest.len() + length..))?;
        let records = records(&manifest, key)?;
        let pieces = pieces(&manifest, &records)?;
        Ok(Self { digest, manifest, key: key.as_str().to_owned(), pieces, files })
    }

    /// The SHA-256 of the manifest: what the package is called.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The sender's log, by its origin line.
    pub fn log(&self) -> &str {
        &self.manifest.log
    }

    /// The key that it was checked with.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The pieces, by id.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The files with their bytes, by digest.
    pub fn files(&self) -> impl Iterator<Item = (&PackedFile, &Bytes)> {
        self.files.iter().map(|(file, bytes)| (file, bytes))
    }

    /// What it holds.
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}

fn most(what: &'static str, found: usize, most: usize) -> Result<(), PackageError> {
    if found > most { Err(PackageError::TooLarge { what, found, most }) } else { Ok(()) }
}

/// The signed text, and what follows the note.
fn note<'a>(bytes: &'a [u8], key: &VerifierKey) -> Result<(String, &'a [u8]), PackageError> {
    let empty_line = |from: usize| {
        let rest = bytes.get(from..MAX_NOTE_BYTES.min(bytes.len()))?;
        Some(from + rest.windows(2).position(|pair| pair == b"\n\n")?)
    };
    // The text ends with an empty line, and so do the signatures.
    let text_end = empty_line(0).ok_or(PackageError::NoNote)?;
    let end = empty_line(text_end + 2).ok_or(PackageError::NoNote)?;
    let note = bytes.get(..=end).ok_or(PackageError::NoNote)?;
    let rest = bytes.get(end + 2..).ok_or(PackageError::NoNote)?;
    Ok((open_statement(note, key)?, rest))
}

/// What the signed text says of the manifest: its length and its digest.
fn head(text: &str, key: &VerifierKey) -> Result<(usize, Digest), PackageError> {
    let lines: Vec<&str> = text.strip_suffix('\n').unwrap_or(text).split('\n').collect();
    let [first, log, length, digest] = lines.as_slice() else {
        return Err(PackageError::Head("it has not four lines"));
    };
    if *first != FIRST_LINE {
        return Err(PackageError::Head("its first line is another"));
    }
    if *log != key.name() {
        return Err(PackageError::OtherLog { found: (*log).to_owned(), expected: key.name().to_owned() });
    }
    let bytes: usize = length.parse().map_err(|_| PackageError::Head("the manifest's length is not a number"))?;
    if bytes.to_string() != *length {
        return Err(PackageError::Head("the manifest's length is not written as a decimal number"));
    }
    most("the manifest", bytes, MAX_MANIFEST_BYTES)?;
    Ok((bytes, decoded(digest).ok_or(PackageError::Head("the manifest's digest is not a hash in base64"))?))
}

fn decoded(text: &str) -> Option<Digest> {
    STANDARD.decode(text).ok()?.try_into().ok().map(Digest::new)
}

fn read(written: &[u8], key: &VerifierKey) -> Result<Manifest, PackageError> {
    /// The version is read first: another one may have other fields.
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let wrong = |error: serde_json::Error| PackageError::Manifest(error.to_string());
    let Version { version } = serde_json::from_slice(written).map_err(wrong)?;
    if version != VERSION {
        return Err(PackageError::Version(version));
    }
    let manifest: Manifest = serde_json::from_slice(written).map_err(wrong)?;
    if manifest.log != key.name() {
        return Err(PackageError::OtherLog { found: manifest.log, expected: key.name().to_owned() });
    }
    most("the list of articles", manifest.articles.len(), MAX_ARTICLES)?;
    most("the list of records", manifest.records.len(), MAX_RECORDS)?;
    let sorted = manifest.articles.is_sorted_by(|a, b| a.article < b.article)
        && manifest.records.is_sorted_by(|a, b| a.position < b.position)
        && manifest.files.is_sorted_by(|a, b| a.sha256 < b.sha256);
    if !sorted {
        return Err(PackageError::Manifest("a list of it is not in order, or names something twice".to_owned()));
    }
    if manifest.articles.is_empty() {
        return Err(PackageError::Manifest("it holds no article".to_owned()));
    }
    Ok(manifest)
}

fn files(manifest: &Manifest, bytes: &Bytes) -> Result<Vec<(PackedFile, Bytes)>, PackageError> {
    let mut rest = bytes.clone();
    let mut files = Vec::new();
    for file in &manifest.files {
        let length = usize::try_from(file.bytes).ok().filter(|length| *length <= rest.len());
        let Some(length) = length else {
            return Err(PackageError::Length {
                what: format!("the file {}", file.sha256),
                found: rest.len(),
                expected: file.bytes,
            });
        };
        let content = rest.split_to(length);
        if Digest::of(&content).to_string() != file.sha256 {
            return Err(PackageError::Digest { what: "a file".to_owned(), expected: file.sha256.clone() });
        }
        files.push((file.clone(), content));
    }
    if !rest.is_empty() {
        return Err(PackageError::Length { what: "after the last file".to_owned(), found: rest.len(), expected: 0 });
    }
    Ok(files)
}

/// The records, each proven, by position.
fn records<'a>(
    manifest: &'a Manifest,
    key: &VerifierKey,
) -> Result<BTreeMap<u64, (Leaf, &'a PackedRecord)>, PackageError> {
    let signed = SignedCheckpoint::open(manifest.checkpoint.as_bytes(), key)?;
    let checkpoint = signed.checkpoint();
    let mut records = BTreeMap::new();
    for record in &manifest.records {
        let position = record.position;
        let wrong = |reason: &str| PackageError::Record { position, reason: reason.to_owned() };
        let path: Option<Vec<Digest>> = record.path.iter().map(|hash| decoded(hash)).collect();
        let path = path.ok_or_else(|| wrong("a line of its path is not a hash in base64"))?;
        let hash = Digest::of(&[&[0_u8], record.leaf.as_bytes()].concat());
        check_inclusion(&path, (position, hash), (checkpoint.size, checkpoint.root))
            .map_err(|reason| PackageError::Proof { position, reason })?;
        let leaf: Leaf = serde_json::from_str(&record.leaf).map_err(|_| wrong("its leaf is not one"))?;
        if leaf.position != position.to_string() {
            return Err(wrong("its leaf names another position"));
        }
        if let Some(payload) = &record.payload {
            let is_json = leaf.content_type == "application/json" && leaf.digest_algorithm == "sha-256";
            if !is_json || Digest::of(payload.as_bytes()).to_string() != leaf.payload_digest {
                return Err(wrong("its payload is not the one that its leaf names"));
            }
        }
        records.insert(position, (leaf, record));
    }
    Ok(records)
}

fn pieces(manifest: &Manifest, records: &BTreeMap<u64, (Leaf, &PackedRecord)>) -> Result<Vec<Piece>, PackageError> {
    let mut named: BTreeSet<u64> = BTreeSet::new();
    let mut used: BTreeSet<&str> = BTreeSet::new();
    let mut pieces = Vec::new();
    for packed in &manifest.articles {
        let wrong = |reason: String| PackageError::Article { article: packed.article.to_string(), reason };
        let Event::ArticleDrafted(drafted) = event(records, packed.drafted)? else {
            return Err(wrong(format!("the record at position {} is no draft", packed.drafted)));
        };
        let Event::ArticleReviewed(reviewed) = event(records, packed.reviewed)? else {
            return Err(wrong(format!("the record at position {} is no review", packed.reviewed)));
        };
        let same = (&drafted.article, drafted.revision) == (&packed.article, packed.revision)
            && (&reviewed.article, reviewed.revision) == (&packed.article, packed.revision);
        if !same {
            return Err(wrong("its draft and its review are not those of the revision that is named".to_owned()));
        }
        if !reviewed.approved || reviewed.person == drafted.author || packed.reviewed <= packed.drafted {
            return Err(wrong("nobody other than its author has approved it".to_owned()));
        }
        named.extend([packed.drafted, packed.reviewed]);
        for position in &drafted.evidence {
            if !records.contains_key(position) {
                return Err(wrong(format!("its evidence at position {position} is not in the package")));
            }
            named.insert(*position);
        }
        for attachment in &drafted.attachments {
            let named = &attachment.file;
            let is_it = |file: &&PackedFile| file.sha256 == named.sha256 && file.bytes == named.bytes;
            let file = manifest.files.iter().find(is_it);
            let file = file.ok_or_else(|| wrong(format!("its file {} is not in the package", named.sha256)))?;
            check_name(&named.name)?;
            used.insert(&file.sha256);
        }
        pieces.push(Piece { drafted, reviewed, position: packed.reviewed });
    }
    if let Some(position) = records.keys().find(|position| !named.contains(position)) {
        return Err(PackageError::Record { position: *position, reason: "no article names it".to_owned() });
    }
    if let Some(file) = manifest.files.iter().find(|file| !used.contains(file.sha256.as_str())) {
        return Err(PackageError::File { file: file.sha256.clone(), reason: "no article names it" });
    }
    Ok(pieces)
}

/// The event that a packed record carries.
fn event(records: &BTreeMap<u64, (Leaf, &PackedRecord)>, position: u64) -> Result<Event, PackageError> {
    let wrong = |reason: String| PackageError::Record { position, reason };
    let (leaf, record) = records.get(&position).ok_or_else(|| wrong("it is not in the package".to_owned()))?;
    let payload = record.payload.as_ref().ok_or_else(|| wrong("its payload is not in the package".to_owned()))?;
    let payload = serde_json::from_str(payload).map_err(|error| wrong(error.to_string()))?;
    Event::from_value(&leaf.event_type, leaf.schema_version, payload).map_err(|error| wrong(error.to_string()))
}

/// A file's name is a name and no path: where it is unpacked, it stays in its folder.
fn check_name(name: &str) -> Result<(), PackageError> {
    let wrong = |reason| Err(PackageError::File { file: name.chars().take(80).collect(), reason });
    if name.is_empty() || name.len() > MAX_NAME_BYTES {
        return wrong("its name has not 1 to 255 bytes");
    }
    if name == "." || name == ".." || name.contains(['/', '\\', ':']) || name.chars().any(char::is_control) {
        return wrong("its name is a path, or holds a control character");
    }
    Ok(())
}
