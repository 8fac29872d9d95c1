//! The log shows that it only grew, to programs that others wrote: Go's sumdb, aics-tlog, aics-witness; and `millwright verify` finds what was changed.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "JSON and files that are not as expected must fail the test, also in its helpers"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tests::client::Client;
use tests::peers::{AicsWitness, go_program, python_with};
use tests::process::{Server, command, eventually};

const SMALL: &str = "[log]\nsegment_mib = 1\n";

/// A server with this many lots in its log, all of them under a checkpoint.
struct Setting {
    dir: tempfile::TempDir,
    server: Server,
}

fn lot(number: u64) -> Value {
    json!({"type": "lot.created", "data": {"lot": format!("R-{number}"), "material": "STYLE-1", "kind": "roll", "quantity": {"value": 1.5, "unit": "m"}}})
}

async fn append(client: &Client, numbers: std::ops::Range<u64>) -> anyhow::Result<()> {
    let events: Vec<Value> = numbers.map(lot).collect();
    client.must_post("/api/v1/events", &Value::Array(events)).await?;
    Ok(())
}

/// The checkpoint, once it is over this many records.
async fn checkpoint_over(client: &Client, size: u64) -> anyhow::Result<String> {
    eventually("the checkpoint is over everything", async || {
        let (_, note) = client.text("/log/checkpoint").await?;
        Ok((note.lines().nth(1) == Some(size.to_string().as_str())).then_some(note))
    })
    .await
}

impl Setting {
    async fn new(count: u64) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        // Small segments: the tests copy and reread them.
        let config = dir.path().join("small.toml");
        std::fs::write(&config, SMALL)?;
        let server = Server::start(&dir.path().join("data"), Some(&config)).await?;
        let setting = Self { dir, server };
        setting.grow(0, count).await?;
        Ok(setting)
    }

    async fn grow(&self, from: u64, to: u64) -> anyhow::Result<String> {
        append(&self.server.client, from..to).await?;
        let tail = self.server.client.get("/readyz").await?["tail"].as_u64().context("no tail")?;
        checkpoint_over(&self.server.client, tail).await
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> anyhow::Result<String> {
        let path = self.dir.path().join(name);
        std::fs::write(&path, content)?;
        Ok(path.to_str().context("a path that is not Unicode")?.to_owned())
    }

    async fn vkey(&self) -> anyhow::Result<String> {
        let (_, text) = self.server.client.text("/log/vkey").await?;
        assert_eq!(text, std::fs::read_to_string(self.data().join("log.vkey"))?);
        Ok(text.trim().to_owned())
    }
}

fn run(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> anyhow::Result<Output> {
    Command::new(program.as_ref()).args(arguments).output().with_context(|| format!("{:?}", program.as_ref()))
}

fn accepted(output: &Output) -> anyhow::Result<String> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{}: {text}{}", output.status, String::from_utf8_lossy(&output.stderr));
    Ok(text)
}

fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The note over another size: the signature is that of the true one.
fn tampered(note: &str) -> String {
    let size: u64 = note.lines().nth(1).unwrap().parse().unwrap();
    note.replacen(&format!("\n{size}\n"), &format!("\n{}\n", size - 1), 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_original_implementation_of_go_finds_the_log_right_and_a_forged_one_wrong() -> anyhow::Result<()> {
    let setting = Setting::new(300).await?;
    let Some(program) = go_program("tlog_verify.go", setting.dir.path())? else { return Ok(()) };
    let (base, vkey) = (setting.server.client.base().to_owned(), setting.vkey().await?);
    let old_note = setting.server.client.text("/log/checkpoint").await?.1;
    let old_size: u64 = old_note.lines().nth(1).unwrap().parse()?;
    let old = setting.file("old", &old_note)?;
    setting.grow(300, 900).await?;

    let checked: Value = serde_json::from_str(&accepted(&run(&program, &["log", &base, &vkey, &old])?)?)?;
    assert!(checked["size"].as_u64() >= Some(900) && checked["entries"] == checked["size"], "{checked}");
    assert!(checked["served_proofs"].as_u64() > Some(20), "{checked}");
    assert_eq!(checked["extends"], old_size);

    let proof = setting.server.client.text("/api/v1/log/299/proof?format=tlog-proof").await?.1;
    let leaf = setting.server.client.get("/api/v1/log/299/proof").await?["leaf"].as_str().unwrap().to_owned();
    let (proof_file, leaf_file) = (setting.file("299.tlog-proof", &proof)?, setting.file("leaf", &leaf)?);
    let checked: Value = serde_json::from_str(&accepted(&run(&program, &["proof", &vkey, &proof_file, &leaf_file])?)?)?;
    assert_eq!(checked["index"], 299);

    // Everything that is changed is refused: the old checkpoint, the proof's checkpoint, its path, its leaf, and the key.
    let forged = setting.file("forged", tampered(&old_note))?;
    refused(&run(&program, &["log", &base, &vkey, &forged])?);
    let (head, note) = proof.split_once("\n\n").context("a proof without a checkpoint")?;
    let forged = setting.file("forged", format!("{head}\n\n{}", tampered(note)))?;
    refused(&run(&program, &["proof", &vkey, &forged, &leaf_file])?);
    let first_hash = proof.lines().nth(2).unwrap();
    let forged = setting.file("forged", proof.replace(first_hash, proof.lines().nth(3).unwrap()))?;
    refused(&run(&program, &["proof", &vkey, &forged, &leaf_file])?);
    let forged = setting.file("forged", leaf.replace("lot-R-", "lot-Q-"))?;
    assert_ne!(std::fs::read_to_string(&forged)?, leaf);
    refused(&run(&program, &["proof", &vkey, &proof_file, &forged])?);
    let other = Setting::new(1).await?;
    refused(&run(&program, &["log", &base, &other.vkey().await?])?);
    other.server.stop().await?;
    setting.server.stop().await
}

/// Copies what a static server of the log would serve.
async fn mirror(client: &Client, note: &str, folder: &Path) -> anyhow::Result<()> {
    let size: u64 = note.lines().nth(1).unwrap().parse()?;
    let mut paths = Vec::new();
    for level in ["0", "1", "entries"] {
        let hashes = if level == "1" { size / 256 } else { size };
        for index in 0..hashes.div_ceil(256) {
            let width = (hashes - index * 256).min(256);
            let partial = if width < 256 { format!(".p/{width}") } else { String::new() };
            paths.push(format!("tile/{level}/{index:03}{partial}"));
        }
    }
    for path in paths {
        let bytes = client.bytes(&format!("/log/{path}")).await?;
        let file = folder.join(&path);
        std::fs::create_dir_all(file.parent().unwrap())?;
        std::fs::write(file, bytes)?;
    }
    std::fs::write(folder.join("checkpoint"), note)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn aics_tlog_finds_the_log_right_and_a_forged_one_wrong() -> anyhow::Result<()> {
    let Some(python) = python_with("aics_tlog", "aics-tlog") else { return Ok(()) };
    let setting = Setting::new(300).await?;
    let tiles = format!("{}/log", setting.server.client.base());
    let vkey = setting.file("vkey", setting.vkey().await?)?;
    let old = setting.dir.path().join("old").to_str().unwrap().to_owned();
    let aics = |arguments: &[&str]| {
        let all: Vec<&str> =
            ["-m", "aics_tlog"].iter().chain(arguments).copied().chain(["--vkey-file", &vkey]).collect();
        run(&python, &all)
    };
    accepted(&aics(&["verify-checkpoint", "--tiles", &tiles, "--save-checkpoint", &old])?)?;
    let note = setting.grow(300, 700).await?;
    accepted(&aics(&["verify-consistency", "--old-checkpoint", &old, "--tiles", &tiles])?)?;
    for index in [0, 255, 256, 699] {
        let leaf = setting.server.client.get(&format!("/api/v1/log/{index}/proof")).await?["leaf"]
            .as_str()
            .unwrap()
            .to_owned();
        let leaf = setting.file("leaf", leaf)?;
        let index = index.to_string();
        accepted(&aics(&["verify-inclusion", "--index", &index, "--leaf", &leaf, "--tiles", &tiles])?)?;
    }
    let wrong = setting.file("leaf", "{}")?;
    refused(&aics(&["verify-inclusion", "--index", "5", "--leaf", &wrong, "--tiles", &tiles])?);

    // A copy on another server is as good, until a byte of it is changed.
    let copy = setting.dir.path().join("mirror");
    mirror(&setting.server.client, &note, &copy).await?;
    let folder = copy.to_str().unwrap().to_owned();
    accepted(&aics(&["verify-consistency", "--old-checkpoint", &old, "--tiles", &folder])?)?;
    let leaf = setting.server.client.get("/api/v1/log/5/proof").await?["leaf"].as_str().unwrap().to_owned();
    let leaf = setting.file("leaf", leaf)?;
    let inclusion = vec!["verify-inclusion", "--index", "5", "--leaf", &leaf, "--tiles", &folder];
    accepted(&aics(&inclusion)?)?;
    for (file, at, arguments) in [
        ("checkpoint", 30, vec!["verify-checkpoint", "--tiles", &folder]),
        ("tile/0/000", 32 * 7, inclusion.clone()),
        ("tile/1/000.p/2", 3, inclusion.clone()),
    ] {
        let good = std::fs::read(copy.join(file))?;
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(copy.join(file), bad)?;
        let output = aics(&arguments)?;
        assert!(!output.status.success(), "{file}: {}", String::from_utf8_lossy(&output.stdout));
        std::fs::write(copy.join(file), good)?;
        accepted(&aics(&arguments)?)?;
    }
    setting.server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_others_wrote_cosigns_and_is_never_waited_for() -> anyhow::Result<()> {
    let Some(python) = python_with("aics_tlog", "aics-tlog") else { return Ok(()) };
    let setting = Setting::new(10).await?;
    let (vkey, data) = (setting.vkey().await?, setting.data());
    let origin = vkey.split('+').next().unwrap().to_owned();
    let Some(mut witness) = AicsWitness::start(setting.dir.path(), "witness.example/w1", &origin, &vkey).await? else {
        return Ok(());
    };
    let config =
        format!("{SMALL}[[witnesses]]\nname = \"w1\"\nurl = \"{}\"\nvkey = \"{}\"\n", witness.url, witness.vkey);
    let config = PathBuf::from(setting.file("millwright.toml", config)?);
    let vkey_file = setting.file("vkey", &vkey)?;
    let witness_key = witness.vkey.clone();
    let Setting { dir, server } = setting;
    server.stop().await?;

    let server = Server::start(&data, Some(&config)).await?;
    let client = &server.client;
    let cosigned = async |size: u64| {
        eventually("the witness has cosigned", async || {
            let (status, note) = client.text("/log/checkpoint/witnessed").await?;
            Ok((status == 200 && note.lines().nth(1) == Some(&size.to_string())).then_some(note))
        })
        .await
    };
    let tail = async || client.get("/readyz").await?["tail"].as_u64().context("no tail");
    let note = cosigned(tail().await?).await?;
    assert_eq!(note.lines().filter(|line| line.starts_with('—')).count(), 2, "{note}");
    append(client, 10..400).await?;
    let note = cosigned(tail().await?).await?;
    // A verifier that wants one witness is content with this checkpoint, and with the proof that rests on it, and not with one without.
    let file = dir.path().join("note");
    let quorum = |note: &str| -> anyhow::Result<Output> {
        std::fs::write(&file, note)?;
        let file = file.to_str().unwrap();
        run(
            &python,
            &[
                "-m",
                "aics_tlog",
                "verify-checkpoint",
                "--note",
                file,
                "--vkey-file",
                &vkey_file,
                "--witness-key",
                &witness_key,
                "--quorum",
                "1",
            ],
        )
    };
    accepted(&quorum(&note)?)?;
    let proof = client.text("/api/v1/log/5/proof?witnessed=true&format=tlog-proof").await?.1;
    accepted(&quorum(proof.split_once("\n\n").unwrap().1)?)?;

    // While it is away the log goes on, and says who is missing.
    witness.stop()?;
    append(client, 400..500).await?;
    let alone = checkpoint_over(client, tail().await?).await?;
    assert!(!quorum(&alone)?.status.success());
    let missed = eventually("the failure is shown", async || {
        let status = client.get("/api/v1/log/transparency").await?;
        Ok(status["witnesses"][0]["failed"].as_str().map(str::to_owned))
    })
    .await?;
    assert!(missed.contains("cannot be reached"), "{missed}");
    witness.restart().await?;
    accepted(&quorum(&cosigned(tail().await?).await?)?)?;
    let metrics = client.text("/metrics").await?.1;
    assert!(metrics.contains("millwright_witness_cosigned_records{name=\"w1\"}"), "{metrics}");
    server.stop().await
}

/// What somebody does to a file.
type Change = fn(&mut Vec<u8>);

fn verify(arguments: &[&str]) -> anyhow::Result<Output> {
    Ok(command(&["verify"])?.args(arguments).output()?)
}

fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let path = entry?.path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target)?;
        } else {
            std::fs::copy(&path, target)?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_checks_folder_backup_and_server_and_finds_what_was_changed() -> anyhow::Result<()> {
    let setting = Setting::new(300).await?;
    let (base, vkey) = (setting.server.client.base().to_owned(), setting.vkey().await?);
    let saved = setting.dir.path().join("saved").to_str().unwrap().to_owned();
    let text = accepted(&verify(&["--server", &base, "--save", &saved])?)?;
    assert!(text.contains("was found beside the log"), "{text}");
    setting.grow(300, 700).await?;
    let readings: Vec<Value> = (0..500)
        .map(|second| json!({"signal": "LOOM-01.warp_tension", "time": format!("2026-03-01T08:{:02}:{:02}Z", second / 60, second % 60), "value": 30.5 + f64::from(second)}))
        .collect();
    setting.server.client.must_post("/api/v1/readings", &Value::Array(readings)).await?;
    setting.grow(700, 710).await?;

    let report: Value = serde_json::from_str(&accepted(&verify(&[
        "--json",
        "--server",
        &base,
        "--vkey",
        &vkey,
        "--since",
        &saved,
        "--every-payload",
    ])?)?)?;
    let size = report["checkpoint"]["size"].as_u64().context("no size")?;
    assert!(size > 710 && report["records"] == size && report["payloads"] == size, "{report}");
    assert_eq!(report["checkpoint"]["key"], "given");
    assert!(
        report["bundles"] == 3 && report["tiles"].as_u64() == Some(4) && report["proofs"].as_u64() == Some(32),
        "{report}"
    );

    // The folder of a running server, with the same outcome.
    let data = setting.data();
    let folder = data.to_str().unwrap().to_owned();
    let in_folder = ["--data-dir", &folder, "--vkey", &vkey, "--since", &saved];
    let report: Value = serde_json::from_str(&accepted(&verify(&[&["--json"], &in_folder[..]].concat())?)?)?;
    assert!(report["records"] == size && report["checkpoint"]["size"] == size && report["readings"] == 500, "{report}");
    assert_eq!((report["tiles"].as_u64(), report["tiles_absent"].as_u64()), (Some(2), Some(0)));

    // Another's key, and a checkpoint of another log.
    let other = Setting::new(3).await?;
    let (other_base, other_key) = (other.server.client.base().to_owned(), other.vkey().await?);
    let other_saved = other.dir.path().join("saved").to_str().unwrap().to_owned();
    accepted(&verify(&["--server", &other_base, "--save", &other_saved])?)?;
    for arguments in [
        vec!["--server", &base, "--vkey", &other_key],
        vec!["--server", &base, "--vkey", &vkey, "--since", &other_saved],
        vec!["--data-dir", &folder, "--vkey", &other_key],
        vec!["--data-dir", &folder, "--since", &other_saved],
    ] {
        assert!(refused(&verify(&arguments)?).contains("signature"), "{arguments:?}");
    }
    other.server.stop().await?;
    setting.server.stop().await?;

    // What somebody changes in a copy is found, and the copy itself is good.
    let backup = data.with_file_name("backup");
    let backed = backup.to_str().unwrap().to_owned();
    let cases: [(&str, &str, Change); 5] = [
        ("log/checkpoint", "signature", |note| *note = tampered(&String::from_utf8_lossy(note)).into_bytes()),
        ("log/tiles/0/001", "tiles are derived", |tile| tile[77] ^= 1),
        ("log/0000000000.segment", "is damaged", |segment| segment[5000] ^= 1),
        ("log.vkey", "key", |key| key[3] ^= 1),
        ("log/0000000000.segment", "a checkpoint says that everything below", |segment| {
            let last = segment.windows(4).rposition(|window| window == b"MWB1").unwrap();
            segment[last..].fill(0);
        }),
    ];
    for (file, named, change) in cases {
        let _ = std::fs::remove_dir_all(&backup);
        copy_folder(&data.join("log"), &backup.join("log"))?;
        std::fs::copy(data.join("log.vkey"), backup.join("log.vkey"))?;
        accepted(&verify(&["--data-dir", &backed])?)?;
        if named.contains("checkpoint says") {
            std::fs::remove_file(backup.join("log/durable.mark"))?;
        }
        let mut bytes = std::fs::read(backup.join(file))?;
        change(&mut bytes);
        std::fs::write(backup.join(file), bytes)?;
        let error = refused(&verify(&["--data-dir", &backed])?);
        assert!(error.contains(named), "{file}: {error} does not name {named}");
    }
    // A checkpoint that is gone while the key shows that there was one.
    std::fs::remove_file(backup.join("log/checkpoint"))?;
    refused(&verify(&["--data-dir", &backed])?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_does_not_start_on_a_log_that_has_lost_or_changed_history() -> anyhow::Result<()> {
    let setting = Setting::new(20).await?;
    let (dir, data) = (setting.dir.path().to_owned(), setting.data());
    let old = setting.server.client.text("/log/checkpoint").await?.1;
    setting.server.client.text("/readyz").await?;
    let earlier = dir.join("earlier");
    copy_folder(&data.join("log"), &earlier)?;
    setting.grow(20, 40).await?;
    let Setting { dir: _held, server } = setting;
    server.kill()?;

    // Killed: the next server goes on from the checkpoint.
    let server = Server::start(&data, None).await?;
    let note = server.client.text("/log/checkpoint").await?.1;
    let saved = dir.join("old");
    std::fs::write(&saved, &old)?;
    accepted(&verify(&["--server", server.client.base(), "--since", saved.to_str().unwrap()])?)?;
    append(&server.client, 40..60).await?;
    server.stop().await?;
    let last = std::fs::read_to_string(data.join("log/checkpoint"))?;
    assert!(
        last.lines().nth(1).unwrap().parse::<u64>()? > note.lines().nth(1).unwrap().parse::<u64>()?,
        "what came last is signed at the end"
    );

    // An older copy of the log, under the newer checkpoint.
    let kept = dir.join("kept");
    std::fs::rename(data.join("log"), &kept)?;
    copy_folder(&earlier, &data.join("log"))?;
    std::fs::copy(kept.join("checkpoint"), data.join("log/checkpoint"))?;
    let error = Server::start(&data, None).await.err().context("it started")?.to_string();
    assert!(error.contains("a checkpoint says that everything below"), "{error}");

    // Another log altogether, under the key and the checkpoint of this one.
    let other = Setting::new(100).await?;
    let other_data = other.data();
    let Setting { dir: _other, server } = other;
    server.stop().await?;
    std::fs::remove_dir_all(data.join("log"))?;
    copy_folder(&other_data.join("log"), &data.join("log"))?;
    std::fs::copy(kept.join("checkpoint"), data.join("log/checkpoint"))?;
    let error = Server::start(&data, None).await.err().context("it started")?.to_string();
    assert!(error.contains("history was changed"), "{error}");

    // The true log again, without its key.
    std::fs::remove_dir_all(data.join("log"))?;
    std::fs::rename(&kept, data.join("log"))?;
    std::fs::rename(data.join("keys"), dir.join("keys"))?;
    let error = Server::start(&data, None).await.err().context("it started")?.to_string();
    assert!(error.contains("restore the key from its backup"), "{error}");
    // The server made a folder for keys of data subjects before it met the missing key.
    std::fs::remove_dir_all(data.join("keys"))?;
    std::fs::rename(dir.join("keys"), data.join("keys"))?;
    let server = Server::start(&data, None).await?;
    assert_eq!(server.client.text("/log/checkpoint").await?.1.lines().nth(1), last.lines().nth(1));
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_public_is_public_and_what_is_immutable_says_so() -> anyhow::Result<()> {
    let setting = Setting::new(260).await?;
    let data = setting.data();
    let Setting { dir, server } = setting;
    server.stop().await?;
    let config = dir.path().join("millwright.toml");
    // SHA-256 of "see" and "audit".
    let tokens = [("viewer", "see"), ("auditor", "audit")].map(|(role, token)| {
        format!(
            "[[tokens]]\nname = \"{role}\"\nrole = \"{role}\"\nsha256 = \"{}\"\n",
            eventlog::Digest::of(token.as_bytes())
        )
    });
    std::fs::write(&config, tokens.concat())?;
    let server = Server::start(&data, Some(&config)).await?;
    let (anybody, viewer, auditor) =
        (&server.client, server.client.with_token("see"), server.client.with_token("audit"));
    let cases = [
        (anybody, "/log/checkpoint", 200, "text/plain; charset=utf-8", "no-cache"),
        (anybody, "/log/vkey", 200, "text/plain; charset=utf-8", "no-cache"),
        (anybody, "/log/tile/0/000", 200, "application/octet-stream", "public, max-age=31536000, immutable"),
        (anybody, "/log/tile/0/000.p/7", 200, "application/octet-stream", "public, max-age=60"),
        (anybody, "/log/tile/0/001.p/4", 200, "application/octet-stream", "public, max-age=60"),
        (anybody, "/log/tile/1/000.p/1", 200, "application/octet-stream", "public, max-age=60"),
        (anybody, "/log/tile/0/001", 404, "application/problem+json", "no-store"),
        (anybody, "/log/tile/1/000", 404, "application/problem+json", "no-store"),
        (anybody, "/log/tile/7/000", 404, "application/problem+json", "no-store"),
        (anybody, "/log/tile/64/000", 400, "application/problem+json", "no-store"),
        (anybody, "/log/tile/00/000", 400, "application/problem+json", "no-store"),
        (anybody, "/log/tile/0/0", 400, "application/problem+json", "no-store"),
        (anybody, "/log/tile/0/000.p/256", 400, "application/problem+json", "no-store"),
        (anybody, "/log/tile/0/x999/x999/x999/x999/x999/x999/x999/999", 400, "application/problem+json", "no-store"),
        (anybody, "/log/checkpoint/witnessed", 404, "application/problem+json", "no-store"),
        (anybody, "/log/tile/entries/000", 401, "application/problem+json", "no-store"),
        (anybody, "/api/v1/log/0/proof", 401, "application/problem+json", "no-store"),
        (&viewer, "/log/tile/entries/000", 403, "application/problem+json", "no-store"),
        (&viewer, "/api/v1/log/0/proof", 403, "application/problem+json", "no-store"),
        (&viewer, "/api/v1/log/0/payload", 403, "application/problem+json", "no-store"),
        (&viewer, "/api/v1/log/consistency?from=1", 200, "application/json", "no-store"),
        (&auditor, "/log/tile/entries/000", 200, "application/octet-stream", "private, max-age=31536000, immutable"),
        (&auditor, "/log/tile/entries/001.p/4", 200, "application/octet-stream", "private, max-age=60"),
        (&auditor, "/log/tile/entries/001", 404, "application/problem+json", "no-store"),
        (&auditor, "/api/v1/log/259/proof", 200, "application/json", "no-store"),
        (&auditor, "/api/v1/log/259/proof?format=tlog-proof", 200, "text/plain; charset=utf-8", "no-cache"),
        (&auditor, "/api/v1/log/259/proof?format=pdf", 400, "application/problem+json", "no-store"),
        (&auditor, "/api/v1/log/260/proof", 404, "application/problem+json", "no-store"),
        (&auditor, "/api/v1/log/x/proof", 400, "application/problem+json", "no-store"),
        (&auditor, "/api/v1/log/0/payload", 200, "application/json", "no-store"),
        (&auditor, "/api/v1/log/260/payload", 404, "application/problem+json", "no-store"),
        (&auditor, "/api/v1/log/consistency?from=3&to=261", 400, "application/problem+json", "no-store"),
        (&auditor, "/api/v1/log/consistency?from=9&to=3", 400, "application/problem+json", "no-store"),
    ];
    let asked = cases.len();
    for (client, path, status, kind, cache) in cases {
        let found = client.head_of(path).await?;
        assert_eq!(found, (status, kind.to_owned(), cache.to_owned()), "{path}");
    }
    assert_eq!(asked, 33);
    assert_eq!(auditor.bytes("/log/tile/0/000").await?.len(), 8192);
    // A payload has the digest that the leaf names.
    let leaf: Value = serde_json::from_str(auditor.get("/api/v1/log/7/proof").await?["leaf"].as_str().unwrap())?;
    let payload = auditor.bytes("/api/v1/log/7/payload").await?;
    assert_eq!(leaf["payload_digest"], eventlog::Digest::of(&payload).to_string());
    let text = verify(&["--server", anybody.base()])?;
    assert!(refused(&text).contains("--token"));
    accepted(&verify(&["--server", anybody.base(), "--token", "audit"])?)?;
    server.stop().await
}
