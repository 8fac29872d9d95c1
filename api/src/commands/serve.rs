//! `millwright serve`.

use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::engine::{Engine, retention};
use crate::server::{self, App};

/// Runs the server until it is asked to end.
///
/// # Errors
/// When something cannot be opened, or the socket fails.
pub async fn run(config: Config) -> anyhow::Result<()> {
    config.check_exposure()?;
    let listener = listen(&config).await?;
    let stopping = CancellationToken::new();
    let engine = Arc::new(Engine::open(&config).await?);
    engine.start_reactors()?;
    engine.start_notices(&config)?;
    engine.start_sources(&config)?;
    if config.tokens.is_empty() {
        tracing::warn!("no token is configured: everybody on this machine may do everything");
    }
    tracing::info!("listening on http://{}", listener.local_addr()?);
    tokio::spawn(stop_on_signal(stopping.clone()));
    let retention = tokio::spawn(retention::run_daily(Arc::clone(&engine), stopping.clone()));
    let served = server::serve(listener, App::new(Arc::clone(&engine), &config, stopping)).await;
    // A run that goes on is broken off where it is: what it logged is carried out at the next start.
    retention.abort();
    engine.close().await;
    served.context("serving")
}

/// Takes the configured address.
///
/// # Errors
/// When somebody else has it.
pub async fn listen(config: &Config) -> anyhow::Result<TcpListener> {
    TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("listening on {}; choose another address with --listen", config.listen))
}

/// Cancels the token when the process is asked to end.
pub async fn stop_on_signal(stopping: CancellationToken) {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            tracing::error!(%error, "signals cannot be received; only a kill ends this process");
            return;
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => if let Err(error) = interrupted {
            tracing::error!(%error, "Ctrl-C cannot be received");
        }
    }
    tracing::info!("stopping");
    stopping.cancel();
}
