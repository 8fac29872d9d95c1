//! An MQTT broker inside the process, so that the demo needs nothing installed.
//!
//! It keeps messages in memory: **its PUBACK does not mean that a message is durable.** What it held is lost when the process is killed; a mill
//! uses a broker with a disk. It listens on loopback only, and speaks MQTT 3.1.1 on one port and MQTT 5 on another.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use rumqttd::{Config, ConnectionSettings, RouterConfig, ServerSettings};

/// The most clients at a time.
const MAX_CONNECTIONS: usize = 256;
/// The greatest message, in bytes.
const MAX_PAYLOAD_BYTES: usize = 1 << 20;
/// The most messages that one client may have unacknowledged.
const MAX_INFLIGHT: usize = 1000;
/// The most packets that are handed to one client at a time.
const MAX_OUTGOING_PACKETS: u64 = 1000;
/// A topic's messages are kept in segments of this many bytes.
const SEGMENT_BYTES: usize = 10 << 20;
/// A topic keeps this many segments: older messages are gone for clients that were away for long.
const SEGMENTS: usize = 4;
/// How long a started broker may take until it answers.
const START_TIMEOUT: Duration = Duration::from_secs(5);
/// How often it is asked meanwhile.
const START_PAUSE: Duration = Duration::from_millis(5);

/// Why the broker did not start.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// No port of the loopback interface could be taken.
    #[error("the embedded MQTT broker cannot listen on {address}")]
    Listen {
        /// The address that was wanted; port 0 stands for any free one.
        address: SocketAddr,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// Its thread could not be started.
    #[error("the embedded MQTT broker cannot start its thread")]
    Thread(#[source] io::Error),
    /// It gave up.
    #[error("the embedded MQTT broker stopped: {0}")]
    Stopped(String),
    /// It did not answer in time.
    #[error("the embedded MQTT broker on {0} does not answer")]
    Silent(SocketAddr),
}

/// A running broker. It runs until the process ends: `rumqttd` has no way to stop it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broker {
    v4: SocketAddr,
    v5: SocketAddr,
}

impl Broker {
    /// Starts a broker on two free ports of the loopback interface, and waits until it answers.
    ///
    /// # Errors
    /// [`BrokerError`].
    pub fn start() -> Result<Self, BrokerError> {
        Self::start_on(0)
    }

    /// As [`Broker::start`], with MQTT 3.1.1 on `port` (0: any free one).
    ///
    /// # Errors
    /// [`BrokerError`].
    pub fn start_on(port: u16) -> Result<Self, BrokerError> {
        let (v4, v5) = free_addresses(port)?;
        let mut broker = rumqttd::Broker::new(config(v4, v5));
        let (failed, failure) = mpsc::channel();
        std::thread::Builder::new()
            .name("mqtt-broker".to_owned())
            .spawn(move || {
                let outcome = broker.start().err().map_or_else(|| "it ended".to_owned(), |error| error.to_string());
                tracing::warn!(outcome, "the embedded MQTT broker ended");
                // Nobody listens any more once the broker has answered.
                let _ = failed.send(outcome);
            })
            .map_err(BrokerError::Thread)?;
        for address in [v4, v5] {
            wait_for(address, &failure)?;
        }
        Ok(Self { v4, v5 })
    }

    /// Where it speaks MQTT 3.1.1.
    pub const fn address(&self) -> SocketAddr {
        self.v4
    }

    /// Where it speaks MQTT 5.
    pub const fn address_v5(&self) -> SocketAddr {
        self.v5
    }
}

/// Two free ports. They are let go before the broker takes them, since `rumqttd` binds by itself: somebody else could come first, and then the start fails.
fn free_addresses(port: u16) -> Result<(SocketAddr, SocketAddr), BrokerError> {
    let bind = |port| {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listen = |source| BrokerError::Listen { address, source };
        TcpListener::bind(address).and_then(|listener| Ok((listener.local_addr()?, listener))).map_err(listen)
    };
    let (v4, _kept) = bind(port)?;
    let (v5, _also_kept) = bind(0)?;
    Ok((v4, v5))
}

fn wait_for(address: SocketAddr, failure: &mpsc::Receiver<String>) -> Result<(), BrokerError> {
    let mut left = START_TIMEOUT;
    while TcpStream::connect_timeout(&address, START_TIMEOUT).is_err() {
        if let Ok(reason) = failure.try_recv() {
            return Err(BrokerError::Stopped(reason));
        }
        left = left.checked_sub(START_PAUSE).ok_or(BrokerError::Silent(address))?;
        std::thread::sleep(START_PAUSE);
    }
    Ok(())
}

fn config(v4: SocketAddr, v5: SocketAddr) -> Config {
    Config {
        router: RouterConfig {
            max_connections: MAX_CONNECTIONS,
            max_outgoing_packet_count: MAX_OUTGOING_PACKETS,
            max_segment_size: SEGMENT_BYTES,
            max_segment_count: SEGMENTS,
            ..RouterConfig::default()
        },
        v4: Some(HashMap::from([("v4".to_owned(), server("mqtt-v4", v4))])),
        v5: Some(HashMap::from([("v5".to_owned(), server("mqtt-v5", v5))])),
        ..Config::default()
    }
}

fn server(name: &str, listen: SocketAddr) -> ServerSettings {
    ServerSettings {
        name: name.to_owned(),
        listen,
        tls: None,
        next_connection_delay_ms: 1,
        connections: ConnectionSettings {
            connection_timeout_ms: 10_000,
            max_payload_size: MAX_PAYLOAD_BYTES,
            max_inflight_count: MAX_INFLIGHT,
            auth: None,
            external_auth: None,
            dynamic_filters: true,
        },
    }
}
