//! `millwright backup` and `millwright restore`.

use anyhow::{Context, bail};
use eventlog::Position;
use eventlog::backup::{self, Source, Upto};
use eventlog::bucket::Bucket;
use serde_json::json;

use crate::cli::Output;
use crate::commands::print;
use crate::config::Config;
use crate::engine;

/// Backs up the log and the artifacts of a data folder, in use or not; with `check_only` reads the backup back instead.
///
/// # Errors
/// When something cannot be read or written, or the backup is damaged; the error names the file.
pub async fn run(config: &Config, address: &str, check_only: bool, output: Output) -> anyhow::Result<()> {
    let bucket = Bucket::open(address)?;
    if check_only {
        let manifest = backup::check(&bucket).await?.manifest;
        let shown = json!({"address": bucket.address, "checked": true, "files": manifest.files.len(), "bytes": manifest.bytes(),
            "log": manifest.log, "records": manifest.tail, "root": manifest.root, "taken": manifest.taken});
        return print(output, &shown, |_| {
            format!(
                "{}: {} files, {} bytes, each as the manifest says; log {} with {} records, taken {}\nroot {}",
                bucket.address,
                manifest.files.len(),
                manifest.bytes(),
                manifest.log,
                manifest.tail,
                manifest.taken,
                manifest.root
            )
        });
    }
    let source = source(config);
    let report =
        backup::create(&source, &bucket).await.with_context(|| format!("backing up {}", config.data_dir.display()))?;
    let manifest = &report.manifest;
    let shown = json!({"address": bucket.address, "files": manifest.files.len(), "bytes": manifest.bytes(),
        "copied_files": report.copied_files, "copied_bytes": report.copied_bytes, "removed_files": report.removed_files,
        "log": manifest.log, "records": manifest.tail, "root": manifest.root});
    print(output, &shown, |_| {
        format!(
            "{}: log {} with {} records in {} files; {} files ({} bytes) were new\nroot {}\nKeys are not in it: copy {} apart.",
            bucket.address,
            manifest.log,
            manifest.tail,
            manifest.files.len(),
            report.copied_files,
            report.copied_bytes,
            manifest.root,
            engine::keys_folder(&config.data_dir).display()
        )
    })
}

/// Everything in a data folder that cannot be built again, apart from keys.
fn source(config: &Config) -> Source {
    let data = &config.data_dir;
    let log = engine::log_folder(data);
    let others = vec![
        (log.join("checkpoint"), "log/checkpoint".to_owned()),
        (data.join("log.vkey"), "log.vkey".to_owned()),
        (engine::artifacts_folder(data), "artifacts".to_owned()),
    ];
    Source { log, others }
}

/// Restores a backup into the data folder, which must hold no log.
///
/// # Errors
/// When the backup is damaged, the folder is in use, or `to` is neither a position nor a time of the log.
pub async fn restore(config: &Config, address: &str, to: Option<&str>, output: Output) -> anyhow::Result<()> {
    let upto = to.map_or(Ok(Upto::End), upto)?;
    // Opening a folder makes it; a restore must not.
    if !address.contains("://") && !std::path::Path::new(address).is_dir() {
        bail!("there is no folder {address}");
    }
    let bucket = Bucket::open(address)?;
    let report = backup::restore(&bucket, &config.data_dir, upto)
        .await
        .with_context(|| format!("restoring {} into {}", bucket.address, config.data_dir.display()))?;
    let verified = &report.verified;
    let shown = json!({"address": bucket.address, "data_dir": config.data_dir, "log": verified.log, "records": verified.records,
        "records_in_backup": report.manifest.tail, "root": verified.root});
    print(output, &shown, |_| {
        format!(
            "log {} is in {}: {} of {} records, every checksum and digest is right\nroot {}\n\
             It goes its own way from here, under a signing key of its own; what it came from is in {}.\n\
             Data keys are not part of a backup: put their copy into {} before you serve it.",
            verified.log,
            config.data_dir.display(),
            verified.records,
            report.manifest.tail,
            verified.root,
            config.data_dir.join(backup::ORIGIN_FOLDER).display(),
            engine::keys_folder(&config.data_dir).display()
        )
    })
}

fn upto(text: &str) -> anyhow::Result<Upto> {
    if let Ok(position) = text.parse() {
        return Ok(Upto::Position(Position::new(position)));
    }
    let time = text.parse().with_context(|| format!("--to {text}: neither a position nor an RFC 3339 time"))?;
    Ok(Upto::Time(time))
}
