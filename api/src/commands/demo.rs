//! `millwright demo`: a server with a simulated weaving mill connected over real MQTT and OPC UA.

mod models;
mod origin;
mod summary;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use connectors::mqtt::{MqttConfig, Publisher, PublisherConfig};
use connectors::opcua::{OpcUaConfig, TagServer, TagServerConfig};
use simulator::live::{LiveStatistics, SystemClock, Wires};
use simulator::{History, Live};
use tokio_util::sync::CancellationToken;

use crate::cli::{DemoArguments, Output};
use crate::config::Config;
use crate::engine::Engine;
use crate::server::{self, App};
use origin::Origin;

/// How long the sources may take to connect.
const CONNECT_PATIENCE: Duration = Duration::from_secs(30);

/// The most events that go into the log at once.
const EVENTS_AT_ONCE: usize = 1000;

/// Runs the demo until Ctrl-C, or for the asked time, and then prints a summary.
///
/// # Errors
/// When a part does not start.
pub async fn run(mut config: Config, arguments: DemoArguments, output: Output) -> anyhow::Result<()> {
    config.listen = arguments.listen.unwrap_or(config.listen);
    config.check_exposure()?;
    let started = Instant::now();
    let listener = super::serve::listen(&config).await?;
    let address = listener.local_addr()?;
    let stopping = CancellationToken::new();
    let engine = Arc::new(Engine::open(&config).await?);
    engine.start_reactors()?;
    engine.start_notices(&config)?;
    let origin = Origin::of(&config, &engine, arguments.seed, arguments.days)?;
    say(&format!("Millwright is at http://{address} (API reference: http://{address}/docs)"));
    let serving = tokio::spawn(server::serve(listener, App::new(Arc::clone(&engine), &config, stopping.clone())));
    tokio::spawn(super::serve::stop_on_signal(stopping.clone()));
    let lived = live(&mut config, &engine, &origin, &arguments, &stopping).await;
    if lived.is_err() {
        stopping.cancel();
    }
    // Whoever pressed Ctrl-C wants it to end, not to replay the log.
    let summary = match &lived {
        Ok(_) if arguments.run_for.is_some() => Some(summary::gather(&engine, started.elapsed()).await),
        _ => None,
    };
    serving.await.context("the server's task")?.context("serving")?;
    engine.close().await;
    let mill = lived?;
    if arguments.truth {
        summary::print_truth(mill.truth())?;
    }
    match summary {
        Some(summary) => summary::print(summary?, output),
        None => Ok(()),
    }
}

/// Writes the history, connects the mill, trains and deploys the models, and lets the mill run until the token is cancelled.
async fn live(
    config: &mut Config,
    engine: &Arc<Engine>,
    origin: &Origin,
    arguments: &DemoArguments,
    stopping: &CancellationToken,
) -> anyhow::Result<Live> {
    let mill = past(engine, origin).await?;
    let wires = connect(config, engine, &mill, arguments.broker.as_deref()).await?;
    let statistics = Arc::new(LiveStatistics::default());
    let running = {
        let (statistics, stopping) = (Arc::clone(&statistics), stopping.clone());
        tokio::spawn(async move { simulator::live::run(mill, &wires, &SystemClock, &statistics, stopping).await })
    };
    // The mill runs while its models are trained.
    let modelled = models::train_and_deploy(engine, origin.end).await;
    match modelled {
        Ok(lines) => lines.iter().for_each(|line| say(line)),
        Err(error) => {
            stopping.cancel();
            running.await.context("the mill's task")??;
            return Err(error);
        }
    }
    say("The mill runs at the speed of the clock. Ctrl-C ends it.");
    if let Some(time) = arguments.run_for {
        tokio::select! {
            () = tokio::time::sleep(time) => stopping.cancel(),
            () = stopping.cancelled() => {}
        }
    }
    Ok(running.await.context("the mill's task")??)
}

/// Writes days of events and two hours of readings, with their past event times, and goes on to the present. What the log knows already is left out.
async fn past(engine: &Engine, origin: &Origin) -> anyhow::Result<Live> {
    let Origin { seed, end, days } = *origin;
    let started = Instant::now();
    let history: History = tokio::task::spawn_blocking(move || simulator::history(seed, end, days)).await??;
    let (events, readings) = (history.events.len(), history.readings().len());
    let source = history.source.clone();
    let (events_list, readings_list, mut mill) = history.into_parts();
    write_events(engine, &source, &events_list).await?;
    for part in readings_list.chunks(connectors::ingest::MAX_BATCH_READINGS) {
        engine.ingest.readings(&source, part.to_vec()).await?;
    }
    say(&format!(
        "{days} days of a mill with 24 looms: {events} events and {readings} readings in the log after {:.1} s",
        started.elapsed().as_secs_f64()
    ));
    // A demo that is started again makes up for the time between.
    let now = jiff::Timestamp::now();
    loop {
        let before = mill.now();
        let outputs = mill.advance(now);
        if outputs.is_empty() && mill.now() == before {
            return Ok(mill);
        }
        let mut events = Vec::new();
        for output in outputs {
            match output {
                simulator::Output::Event(event) => events.push(*event),
                simulator::Output::Readings { readings, .. } => {
                    engine.ingest.readings(&source, readings).await?;
                }
            }
        }
        write_events(engine, &source, &events).await?;
    }
}

async fn write_events(engine: &Engine, source: &str, events: &[simulator::SimEvent]) -> anyhow::Result<()> {
    for part in events.chunks(EVENTS_AT_ONCE) {
        let sealed = part
            .iter()
            .map(|event| projections::seal(&event.event, event.meta(source)))
            .collect::<Result<Vec<_>, _>>()?;
        engine.ingest.events(sealed).await?;
    }
    Ok(())
}

/// Starts the broker and the OPC UA server of the mill, and connects Millwright to both.
async fn connect(config: &mut Config, engine: &Engine, mill: &Live, broker: Option<&str>) -> anyhow::Result<Wires> {
    let (host, port) = match broker {
        Some(address) => {
            let (host, port) =
                address.rsplit_once(':').with_context(|| format!("--broker {address}: write HOST:PORT"))?;
            (host.to_owned(), port.parse().with_context(|| format!("--broker {address}: the port is not a number"))?)
        }
        None => {
            let address = tokio::task::spawn_blocking(simulator::broker::Broker::start).await??.address();
            (address.ip().to_string(), address.port())
        }
    };
    let tag_server = TagServerConfig {
        host: "127.0.0.1".to_owned(),
        port: 0,
        data_dir: config.data_dir.join("demo-opcua-server"),
        name: "Simulated mill".to_owned(),
    };
    let tags = TagServer::start(tag_server, simulator::live::opc_ua_tags(mill)).await?;
    config.mqtt.push(MqttConfig::new("mill", &host, port));
    config.opcua.push(OpcUaConfig::new("mill-opcua", &tags.endpoint_url(), simulator::live::opc_ua_nodes()));
    engine.start_sources(config)?;
    let connected = async {
        let mut look = tokio::time::interval(Duration::from_millis(50));
        while engine.source_states().iter().any(|source| !source.connected) {
            look.tick().await;
        }
    };
    if tokio::time::timeout(CONNECT_PATIENCE, connected).await.is_err() {
        let waiting: Vec<_> = engine.source_states().into_iter().filter(|source| !source.connected).collect();
        bail!("not connected after {} s: {waiting:?}", CONNECT_PATIENCE.as_secs());
    }
    say(&format!("20 looms speak MQTT at {host}:{port}, 4 looms speak OPC UA at {}", tags.endpoint_url()));
    let publisher = Publisher::start(PublisherConfig::new(&host, port, "simulated-mill"))?;
    Ok(Wires { publisher, tags: Some(tags) })
}

#[expect(clippy::print_stdout, reason = "what the person at the terminal is to see")]
fn say(text: &str) {
    println!("{text}");
}
