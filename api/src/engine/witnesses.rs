//! Witnesses: each new checkpoint is shown to them, and their cosignatures are added to it. The log never waits for them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use eventlog::transparency::witness::{Answer, MAX_ANSWER_BYTES, Refused, add_checkpoint, read_answer};
use eventlog::transparency::{CosignatureKey, Notary, SignedCheckpoint};
use parking_lot::Mutex;
use reqwest::header::CONTENT_TYPE;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::config::WitnessConfig;

/// How long a witness may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The shortest time between two rounds, and the first pause after a failure.
const ROUND: Duration = Duration::from_secs(1);

/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// How a witness is doing.
#[derive(Clone, Debug, Serialize)]
pub struct WitnessState {
    /// What it is called here.
    pub name: String,
    /// The number of records in the last checkpoint that it cosigned since the start.
    pub cosigned_size: Option<u64>,
    /// Why the last attempt failed, if it did.
    pub failed: Option<String>,
}

/// The witnesses of a running engine.
#[derive(Clone, Debug, Default)]
pub struct Witnesses(Arc<Mutex<Vec<WitnessState>>>);

/// One witness, with what is remembered of it.
struct Witness {
    name: String,
    address: String,
    key: CosignatureKey,
    /// The size that it cosigned last, as far as is known: proofs begin there.
    knows: u64,
    cosigned: Option<u64>,
    pause: Duration,
    not_before: Instant,
}

/// Why a witness was asked in vain.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("it cannot be reached")]
    Send(#[from] reqwest::Error),
    #[error("its answer is larger than any answer should be")]
    Long,
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("the proof for it could not be made")]
    Proof(#[from] eventlog::transparency::TreeError),
    #[error("the proof for it is longer than any may be")]
    ProofLength,
    #[error("it names another size each time it is asked")]
    Undecided,
    #[error("the work was broken off")]
    Task(#[from] tokio::task::JoinError),
}

impl Witnesses {
    /// Starts asking, when there are witnesses.
    ///
    /// # Errors
    /// When a key or the HTTP client is not usable.
    pub fn start(configs: &[WitnessConfig], notary: &Notary, stop: &CancellationToken) -> anyhow::Result<Self> {
        let mut witnesses = Vec::new();
        for config in configs {
            witnesses.push(Witness {
                name: config.name.clone(),
                address: format!("{}/add-checkpoint", config.url.trim_end_matches('/')),
                key: CosignatureKey::parse(&config.vkey).with_context(|| format!("witness {}", config.name))?,
                knows: 0,
                cosigned: None,
                pause: ROUND,
                not_before: Instant::now(),
            });
        }
        let states = witnesses.iter().map(|witness| WitnessState {
            name: witness.name.clone(),
            cosigned_size: None,
            failed: None,
        });
        let handle = Self(Arc::new(Mutex::new(states.collect())));
        if !witnesses.is_empty() {
            // A redirect would send the checkpoint to somebody who was not configured.
            let http =
                reqwest::Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).build()?;
            let (notary, states, stop) = (notary.clone(), handle.clone(), stop.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = rounds(witnesses, &notary, &http, &states) => {}
                    () = stop.cancelled() => {}
                }
            });
        }
        Ok(handle)
    }

    /// How each is doing.
    pub fn states(&self) -> Vec<WitnessState> {
        self.0.lock().clone()
    }

    fn set(&self, name: &str, outcome: Result<u64, String>) {
        if let Some(state) = self.0.lock().iter_mut().find(|state| state.name == name) {
            match outcome {
                Ok(size) => *state = WitnessState { name: state.name.clone(), cosigned_size: Some(size), failed: None },
                Err(reason) => state.failed = Some(reason),
            }
        }
    }
}

/// Shows one checkpoint at a time to all witnesses that are due, waits for their answers, and goes on with the newest one then.
async fn rounds(mut witnesses: Vec<Witness>, notary: &Notary, http: &reqwest::Client, states: &Witnesses) {
    loop {
        let checkpoint = notary.checkpoint();
        let size = checkpoint.checkpoint().size;
        let now = Instant::now();
        let behind = |witness: &Witness| size > 0 && witness.cosigned.is_none_or(|cosigned| cosigned < size);
        let due = witnesses.iter_mut().filter(|witness| behind(witness) && witness.not_before <= now);
        let asked: Vec<_> = due.map(|witness| witness.ask_and_remember(notary, http, &checkpoint, states)).collect();
        let any = !asked.is_empty();
        let cosigned: Vec<_> = futures::future::join_all(asked).await.into_iter().flatten().collect();
        keep(notary, &checkpoint, cosigned).await;
        if any {
            tokio::time::sleep(ROUND).await;
            continue;
        }
        let next = witnesses.iter().filter(|witness| behind(witness)).map(|witness| witness.not_before).min();
        let again = async {
            match next {
                Some(next) => tokio::time::sleep_until(next.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = notary.grown_beyond(size) => {}
            () = again => {}
        }
    }
}

/// Joins the signature lines of this round, and gives them to the notary.
async fn keep(notary: &Notary, checkpoint: &SignedCheckpoint, cosigned: Vec<(CosignatureKey, SignedCheckpoint)>) {
    let joined = cosigned.into_iter().fold(None, |joined: Option<SignedCheckpoint>, (key, one)| {
        let base = joined.as_ref().unwrap_or(checkpoint);
        // The lines that this witness added stand behind the blank line of the note.
        let lines = one.note().split_once("\n\n").map_or("", |(_, lines)| lines);
        base.cosigned(lines, &key).or(joined)
    });
    let Some(joined) = joined else { return };
    let notary = notary.clone();
    match tokio::task::spawn_blocking(move || notary.cosigned(joined)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "cosignatures could not be stored"),
        Err(error) => tracing::error!(%error, "storing cosignatures was broken off"),
    }
}

impl Witness {
    async fn ask_and_remember(
        &mut self,
        notary: &Notary,
        http: &reqwest::Client,
        checkpoint: &SignedCheckpoint,
        states: &Witnesses,
    ) -> Option<(CosignatureKey, SignedCheckpoint)> {
        match self.ask(notary, http, checkpoint).await {
            Ok(cosigned) => {
                let size = checkpoint.checkpoint().size;
                (self.knows, self.cosigned, self.pause) = (size, Some(size), ROUND);
                states.set(&self.name, Ok(size));
                Some((self.key.clone(), cosigned))
            }
            Err(error) => {
                let reason = with_causes(&error);
                match &error {
                    // These say that history is not what it was: whoever reads the log must see them.
                    AskError::Refused(Refused::Ahead { .. } | Refused::Inconsistent) => {
                        tracing::error!(witness = %self.name, %reason, "a witness does not find this log consistent");
                    }
                    _ => tracing::warn!(witness = %self.name, %reason, "a witness did not cosign; it is asked again"),
                }
                states.set(&self.name, Err(reason));
                self.not_before = Instant::now() + self.pause;
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                None
            }
        }
    }

    /// Asks for a cosignature; when the witness knows another size than was thought, once more with a proof from there.
    async fn ask(
        &mut self,
        notary: &Notary,
        http: &reqwest::Client,
        checkpoint: &SignedCheckpoint,
    ) -> Result<SignedCheckpoint, AskError> {
        let size = checkpoint.checkpoint().size;
        for _ in 0..2 {
            let from = self.knows.min(size);
            let prover = notary.clone();
            let proof = tokio::task::spawn_blocking(move || prover.consistency(from, size)).await??.0;
            let body = add_checkpoint(from, &proof, checkpoint).ok_or(AskError::ProofLength)?;
            let answer =
                http.post(&self.address).header(CONTENT_TYPE, "text/plain; charset=utf-8").body(body).send().await?;
            let status = answer.status().as_u16();
            let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).map(str::to_owned);
            let body = read_bounded(answer).await?;
            match read_answer((status, kind.as_deref(), &body), checkpoint, &self.key)? {
                Answer::Cosigned(cosigned) => return Ok(cosigned),
                Answer::Knows(known) => self.knows = known,
            }
        }
        Err(AskError::Undecided)
    }
}

async fn read_bounded(mut answer: reqwest::Response) -> Result<Vec<u8>, AskError> {
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await? {
        body.extend(part);
        if body.len() > MAX_ANSWER_BYTES {
            return Err(AskError::Long);
        }
    }
    Ok(body)
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
#[path = "witnesses_tests.rs"]
mod tests;
