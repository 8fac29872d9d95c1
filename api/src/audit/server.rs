//! The audit of a running server, over HTTP as any auditor would: nothing is believed but the verifier key.

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};
use eventlog::transparency::{SignedCheckpoint, TILE_WIDTH, TileIndex, VerifierKey, entries_of};
use eventlog::{Digest, frames};
use serde_json::Value;
use tlog_tiles::{Hash, check_record, check_tree, record_hash};

use super::tree::{AuditTree, FullTile};
use super::{Key, KeySource};

/// Records that are fetched at once.
const PAGE: u64 = 1000;

/// Payloads that are fetched when not all are wanted, spread evenly over the log.
const SAMPLED_PAYLOADS: u64 = 1000;

/// Inclusion and consistency proofs that are fetched, spread evenly over the log.
const SAMPLED_PROOFS: u64 = 16;

/// The largest answer that is read: more than the largest payload.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// What is asked of a server.
#[derive(Debug)]
pub struct Asked {
    /// The server's address.
    pub server: String,
    /// The token for it.
    pub token: Option<String>,
    /// The verifier key, when the caller has it.
    pub key: Option<Key>,
    /// An earlier checkpoint that the log must extend.
    pub since: Option<Vec<u8>>,
    /// Whether every payload is fetched, and not a sample.
    pub every_payload: bool,
}

/// What was found right.
#[derive(Debug)]
pub struct ServerReport {
    /// The checkpoint that everything was compared with.
    pub checkpoint: SignedCheckpoint,
    /// The key, and where it came from.
    pub key: Key,
    /// The earlier checkpoint that the log extends.
    pub since: Option<SignedCheckpoint>,
    /// Entry bundles that led to the root.
    pub bundles: u64,
    /// Hash tiles that were compared, partial ones too.
    pub tiles: u64,
    /// Records of the API whose header is that of the leaf.
    pub records: u64,
    /// Payloads that were fetched and have the digest of the leaf.
    pub payloads: u64,
    /// How many of the fetched payloads are encrypted: their digest is that of the stored bytes.
    pub payloads_encrypted: u64,
    /// Payloads that the server says were dropped.
    pub payloads_dropped: u64,
    /// Inclusion and consistency proofs of the API that hold.
    pub proofs: u64,
}

/// Checks a server.
///
/// # Errors
/// With the first thing that is not right, or cannot be fetched.
pub async fn check(asked: Asked) -> anyhow::Result<ServerReport> {
    let client = Client::new(&asked.server, asked.token)?;
    let key = match asked.key {
        Some(key) => key,
        None => {
            let text = client.text("/log/vkey").await?;
            Key { key: VerifierKey::parse(&text).context("the key of /log/vkey")?, source: KeySource::FoundThere }
        }
    };
    let note = client.text("/log/checkpoint").await?;
    let checkpoint = SignedCheckpoint::open(note.as_bytes(), &key.key).context("the checkpoint of /log/checkpoint")?;
    let since = asked
        .since
        .map(|note| SignedCheckpoint::open(&note, &key.key))
        .transpose()
        .context("the checkpoint of --since")?;
    let mut audit =
        Audit { client, key: &key.key, checkpoint: &checkpoint, roots: BTreeMap::new(), bundles: 0, tiles: 0 };
    let size = checkpoint.checkpoint().size;
    if let Some(since) = &since {
        ensure!(
            since.checkpoint().size <= size,
            "the checkpoint of --since is over {} records, the server's over {size}: history was lost",
            since.checkpoint().size
        );
    }
    let wanted = since.iter().map(|since| since.checkpoint().size).collect();
    let leaves = audit.leaves(wanted).await?;
    if let Some(since) = &since {
        audit.extends(since).await?;
    }
    let records = audit.records(&leaves).await?;
    let proofs = audit.proofs(&leaves).await?;
    let payloads = audit.payloads(&leaves, asked.every_payload).await?;
    let (bundles, tiles) = (audit.bundles, audit.tiles);
    Ok(ServerReport {
        key,
        since,
        bundles,
        tiles,
        records,
        payloads: payloads.right,
        payloads_encrypted: payloads.encrypted,
        payloads_dropped: payloads.dropped,
        proofs,
        checkpoint,
    })
}

/// What is kept of a leaf: the rest can be fetched again.
struct Leaf {
    hash: Hash,
    encrypted: bool,
    frame: bool,
    payload_digest: Digest,
}

#[derive(Default)]
struct Payloads {
    right: u64,
    encrypted: u64,
    dropped: u64,
}

struct Audit<'a> {
    client: Client,
    key: &'a VerifierKey,
    checkpoint: &'a SignedCheckpoint,
    roots: BTreeMap<u64, Digest>,
    bundles: u64,
    tiles: u64,
}

impl Audit<'_> {
    fn size(&self) -> u64 {
        self.checkpoint.checkpoint().size
    }

    /// Fetches every entry, and compares the tiles and the root that they make.
    async fn leaves(&mut self, wanted: Vec<u64>) -> anyhow::Result<Vec<Leaf>> {
        let size = self.size();
        let mut tree = AuditTree::default();
        let mut leaves = Vec::new();
        if wanted.contains(&0) {
            self.roots.insert(0, tree.root()?);
        }
        while tree.size() < size {
            let index = TileIndex { index: tree.size() / TILE_WIDTH, width: partial(size - tree.size()) };
            let bundle = self.client.bytes(&format!("/log/tile/entries/{index}")).await?;
            let entries = entries_of(&bundle).with_context(|| format!("bundle {index}"))?;
            let expected = index.width.map_or(TILE_WIDTH, u64::from);
            ensure!(entries.len() as u64 == expected, "bundle {index} has {} entries", entries.len());
            for entry in entries {
                leaves.push(read_leaf(entry, leaves.len() as u64)?);
                for tile in tree.push(entry) {
                    self.compare(&tile, None).await?;
                }
                if wanted.contains(&tree.size()) {
                    self.roots.insert(tree.size(), tree.root()?);
                }
            }
            self.bundles += 1;
        }
        for tile in tree.unfinished() {
            let width = partial(tile.bytes.len() as u64 / 32);
            self.compare(&tile, width).await?;
        }
        let (root, said) = (tree.root()?, self.checkpoint.checkpoint().root);
        ensure!(root == said, "the {size} entries lead to the root {root}, but the checkpoint says {said}");
        Ok(leaves)
    }

    async fn compare(&mut self, tile: &FullTile, width: Option<u8>) -> anyhow::Result<()> {
        let address = format!("/log/tile/{}/{}", tile.level, TileIndex { index: tile.index, width });
        let served = self.client.bytes(&address).await?;
        ensure!(served == tile.bytes, "{address} is not what the entries make");
        self.tiles += 1;
        Ok(())
    }

    /// The log extends the earlier checkpoint: by its entries, and by the server's own proof.
    async fn extends(&self, since: &SignedCheckpoint) -> anyhow::Result<()> {
        let (earlier, now) = (since.checkpoint(), self.checkpoint.checkpoint());
        let found = self.roots.get(&earlier.size);
        if found != Some(&earlier.root) {
            bail!(
                "the checkpoint of --since has the root {} over {} records, but the entries lead to another: history was changed",
                earlier.root,
                earlier.size
            );
        }
        if earlier.size > 0 {
            self.consistency((earlier.size, earlier.root), (now.size, now.root)).await?;
        }
        Ok(())
    }

    async fn consistency(&self, from: (u64, Digest), to: (u64, Digest)) -> anyhow::Result<()> {
        let address = format!("/api/v1/log/consistency?from={}&to={}", from.0, to.0);
        let answer = self.client.json(&address).await?;
        let path = hashes(&answer).with_context(|| address.clone())?;
        check_tree(&path, to.0, Hash(*to.1.as_bytes()), from.0, Hash(*from.1.as_bytes()))
            .map_err(|error| anyhow::anyhow!("{address}: {error}"))
    }

    /// The records of the API are those of the leaves.
    async fn records(&self, leaves: &[Leaf]) -> anyhow::Result<u64> {
        let mut checked = 0;
        while checked < self.size() {
            let limit = PAGE.min(self.size() - checked);
            let page = self.client.json(&format!("/api/v1/log?from={checked}&limit={limit}")).await?;
            let items = page.get("items").and_then(Value::as_array).context("a page without items")?;
            ensure!(
                items.len() as u64 == limit,
                "the server has {} records from {checked} on, {limit} are signed",
                items.len()
            );
            for item in items {
                let leaf = usize::try_from(checked).ok().and_then(|index| leaves.get(index)).context("no leaf")?;
                let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default();
                ensure!(
                    item.get("position").and_then(Value::as_u64) == Some(checked),
                    "record {checked} is not where it should be"
                );
                let hash = Digest::new(leaf.hash.0).to_string();
                ensure!(text("leaf_digest") == hash, "record {checked} has another header than its leaf");
                ensure!(
                    text("payload_digest") == leaf.payload_digest.to_string(),
                    "record {checked} has another payload digest than its leaf"
                );
                checked += 1;
            }
        }
        Ok(checked)
    }

    /// A sample of proofs holds.
    async fn proofs(&self, leaves: &[Leaf]) -> anyhow::Result<u64> {
        let size = self.size();
        let mut held = 0;
        for position in spread(size, SAMPLED_PROOFS) {
            let address = format!("/api/v1/log/{position}/proof");
            let answer = self.client.json(&address).await?;
            let note = answer.get("checkpoint").and_then(Value::as_str).context("a proof without a checkpoint")?;
            // The server may have signed more meanwhile: its newer checkpoint must be proven to extend the one that was checked.
            let signed = SignedCheckpoint::open(note.as_bytes(), self.key).with_context(|| address.clone())?;
            let newer = signed.checkpoint();
            let leaf = usize::try_from(position).ok().and_then(|index| leaves.get(index)).context("no leaf")?;
            let path = hashes(&answer).with_context(|| address.clone())?;
            check_record(&path, newer.size, Hash(*newer.root.as_bytes()), position, leaf.hash)
                .map_err(|error| anyhow::anyhow!("{address}: {error}"))?;
            let now = self.checkpoint.checkpoint();
            self.consistency((now.size, now.root), (newer.size, newer.root)).await?;
            held += 2;
        }
        Ok(held)
    }

    /// Payloads have the digest that their leaf names.
    async fn payloads(&self, leaves: &[Leaf], every: bool) -> anyhow::Result<Payloads> {
        let mut found = Payloads::default();
        let count = if every { self.size() } else { SAMPLED_PAYLOADS };
        for position in spread(self.size(), count) {
            let leaf = usize::try_from(position).ok().and_then(|index| leaves.get(index)).context("no leaf")?;
            // What is encrypted is digested as it is stored, and stored bytes are what the server answers.
            found.encrypted += u64::from(leaf.encrypted);
            let Some(payload) = self.client.payload(position).await? else {
                found.dropped += 1;
                continue;
            };
            let digest = if leaf.frame {
                frames::digest(&frames::decode(&payload).with_context(|| format!("the frame of record {position}"))?)
            } else {
                Digest::of(&payload)
            };
            ensure!(digest == leaf.payload_digest, "the payload of record {position} is not the one that was logged");
            found.right += 1;
        }
        Ok(found)
    }
}

/// The width of a tile that holds the last `hashes`, when it is not full.
fn partial(hashes: u64) -> Option<u8> {
    u8::try_from(hashes).ok()
}

/// Up to `count` positions below `size`, evenly spread, the first and the last among them.
fn spread(size: u64, count: u64) -> impl Iterator<Item = u64> {
    let count = count.min(size);
    let place = move |index: u64| u128::from(index) * u128::from(size - 1) / u128::from(count.saturating_sub(1).max(1));
    (0..count).map(move |index| place(index) as u64)
}

fn read_leaf(entry: &[u8], position: u64) -> anyhow::Result<Leaf> {
    let leaf: Value = serde_json::from_slice(entry).with_context(|| format!("entry {position} is not JSON"))?;
    let text = |name: &str| leaf.get(name).and_then(Value::as_str).unwrap_or_default();
    ensure!(text("position") == position.to_string(), "entry {position} says that it is {}", text("position"));
    Ok(Leaf {
        hash: record_hash(entry),
        encrypted: leaf.get("data_key_id").is_some_and(|key| !key.is_null()),
        frame: text("digest_algorithm") == "frame-sha-256",
        payload_digest: Digest::parse(text("payload_digest")).with_context(|| format!("entry {position}"))?,
    })
}

fn hashes(answer: &Value) -> anyhow::Result<Vec<Hash>> {
    let path = answer.get("path").and_then(Value::as_array).context("an answer without a path")?;
    path.iter().map(|hash| Ok(Hash(*Digest::parse(hash.as_str().unwrap_or_default())?.as_bytes()))).collect()
}

/// HTTP, with a bound on what is read.
struct Client {
    base: String,
    token: Option<String>,
    http: reqwest::Client,
}

impl Client {
    fn new(base: &str, token: Option<String>) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().build().context("making an HTTP client")?;
        Ok(Self { base: base.trim_end_matches('/').to_owned(), token, http })
    }

    async fn get(&self, path: &str) -> anyhow::Result<(u16, Vec<u8>)> {
        let mut request = self.http.get(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let mut answer = request.send().await.with_context(|| format!("GET {path}"))?;
        let status = answer.status().as_u16();
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.with_context(|| format!("GET {path}"))? {
            body.extend(part);
            ensure!(body.len() <= MAX_ANSWER_BYTES, "GET {path}: the answer is larger than any should be");
        }
        Ok((status, body))
    }

    async fn bytes(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        match self.get(path).await? {
            (200, body) => Ok(body),
            (401 | 403, _) => {
                bail!("GET {path}: the server wants a token that may read the log (role auditor): give it with --token")
            }
            (status, body) => bail!("GET {path}: {status} {}", String::from_utf8_lossy(&body)),
        }
    }

    async fn text(&self, path: &str) -> anyhow::Result<String> {
        String::from_utf8(self.bytes(path).await?).with_context(|| format!("GET {path}"))
    }

    async fn json(&self, path: &str) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.bytes(path).await?).with_context(|| format!("GET {path}"))
    }

    /// The bytes of a payload; `None` when the server says that they were dropped.
    async fn payload(&self, position: u64) -> anyhow::Result<Option<Vec<u8>>> {
        let path = format!("/api/v1/log/{position}/payload");
        match self.get(&path).await? {
            (410, _) => Ok(None),
            (200, body) => Ok(Some(body)),
            (status, body) => bail!("GET {path}: {status} {}", String::from_utf8_lossy(&body)),
        }
    }
}
