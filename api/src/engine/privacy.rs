//! Personal data: the layer of encryption over the log, and what the log says about erasures.

use std::sync::Arc;

use anyhow::Context;
use domain::Event;
use domain::personal::DataSubject;
use eventlog::embedded::EmbeddedLog;
use eventlog::privacy::{DataKeys, EncryptedLog, KeyError, MasterKey};
use eventlog::{Direction, EventLog, MAX_PAGE, Position};
use projections::{Entry, filters, subject_tag, subjects_policy};

use super::folder;
use crate::config::Config;

/// Opens the keys of a data folder and lays the encryption over its log. Every erasure that the log names is enforced again, so that a folder of keys from a
/// backup obeys, too.
///
/// # Errors
/// When the keys cannot be opened, or the log cannot be read.
pub async fn open(config: &Config, embedded: &Arc<EmbeddedLog>) -> anyhow::Result<Arc<EncryptedLog>> {
    let dir = config.data_dir.join(folder::KEYS).join("subjects");
    let master = config.privacy.master_key_file.as_ref().map(|path| {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("reading the master key {}", path.display()))?;
        MasterKey::parse(&text).with_context(|| path.display().to_string())
    });
    let keys = DataKeys::open(&dir, master.transpose()?)
        .with_context(|| format!("opening the data keys in {}", dir.display()))?;
    let stored = Arc::clone(embedded) as Arc<dyn EventLog>;
    let log = Arc::new(EncryptedLog::new(stored, Arc::new(keys), subjects_policy()));
    let destroyed = enforce(&log).await.context("enforcing the erasures that the log names")?;
    if destroyed > 0 {
        tracing::warn!(
            keys = destroyed,
            "keys of erased subjects were there and have been destroyed: the folder of keys came from a backup, or an erasure was cut off"
        );
    }
    Ok(log)
}

/// Destroys the key of every subject that the log says was erased; answers how many keys were there.
async fn enforce(log: &Arc<EncryptedLog>) -> anyhow::Result<usize> {
    let mut from = Position::START;
    let mut destroyed = 0;
    loop {
        let page = log.stored().read(from, Direction::Forward, filters::types(&["subject.erased"]), MAX_PAGE).await?;
        let next = page.next;
        for record in page {
            let position = record.position;
            match Entry::decode(record).event() {
                Some(Event::SubjectErased(erased)) => {
                    destroyed += usize::from(shred(log, &erased.subject).await?);
                }
                _ => anyhow::bail!("the erasure at position {position} cannot be read by this program"),
            }
        }
        match next {
            Some(next) => from = next,
            None => return Ok(destroyed),
        }
    }
}

/// Destroys the key of a subject; answers whether there was one.
///
/// # Errors
/// When a file fails; it can be tried again.
pub async fn shred(log: &Arc<EncryptedLog>, subject: &DataSubject) -> anyhow::Result<bool> {
    let (keys, tag) = (Arc::clone(log.keys()), subject_tag(subject)?);
    let destroyed = tokio::task::spawn_blocking(move || -> Result<bool, KeyError> { keys.shred(&tag) });
    Ok(destroyed.await??)
}
