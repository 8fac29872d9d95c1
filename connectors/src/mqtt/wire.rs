//! One connection to a broker, in whichever version of MQTT.
//!
//! A [`Connection`] is made for one network connection and thrown away with it. So an acknowledgement can only travel on the connection that its message came by: after a
//! reconnect the packet ids belong to other messages.

use std::time::Duration;

use bytes::Bytes;
use rumqttc::{mqttbytes, v5};

use super::config::{MAX_PACKET_BYTES, MqttConfig, Protocol};

/// How many requests may wait for the event loop. An MQTT connection has at most 65,535 messages that are not acknowledged, so that queueing an acknowledgement never has to wait:
/// the loop may itself be waiting for room that only acknowledged messages give back.
const REQUESTS: usize = 70_000;

/// Seconds until a connection attempt is given up.
const CONNECT_TIMEOUT_S: u64 = 10;

/// Sends requests into the connection.
#[derive(Clone)]
pub(super) enum Client {
    V4(rumqttc::AsyncClient),
    V5(v5::AsyncClient),
}

/// The connection itself: nothing moves unless it is polled.
pub(super) enum Connection {
    V4(Box<rumqttc::EventLoop>),
    V5(Box<v5::EventLoop>),
}

/// A message that came in.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) topic: String,
    pub(super) payload: Bytes,
    /// What its acknowledgement needs; `None` for QoS 0, which has none.
    pub(super) packet_id: Option<u16>,
}

/// What happened on the connection.
#[derive(Debug)]
pub(super) enum Happening {
    /// The broker accepted the connection.
    Connected,
    /// The broker answered the subscriptions; the filters that it refused are counted.
    Subscribed { refused: usize },
    /// A message came in.
    Delivered(Delivery),
    /// An acknowledgement was written.
    Acknowledged,
    /// The disconnect was written.
    Disconnected,
    /// The broker ends the connection, and says why.
    Closing(String),
    /// Something that needs no attention.
    Other,
}

/// Prepares a connection; it is made when it is first polled.
pub(super) fn prepare(config: &MqttConfig) -> (Client, Connection) {
    let keep_alive = Duration::from_secs(u64::from(config.keep_alive_s));
    match config.protocol {
        Protocol::V4 => {
            let mut options = rumqttc::MqttOptions::new(config.client_id(), &config.host, config.port);
            options.set_keep_alive(keep_alive);
            options.set_clean_session(config.clean_start);
            options.set_manual_acks(true);
            options.set_max_packet_size(MAX_PACKET_BYTES as usize, MAX_PACKET_BYTES as usize);
            if let Some(username) = &config.username {
                options.set_credentials(username, config.password.clone().unwrap_or_default());
            }
            let (client, mut connection) = rumqttc::AsyncClient::new(options, REQUESTS);
            connection.network_options.set_connection_timeout(CONNECT_TIMEOUT_S);
            connection.network_options.set_tcp_nodelay(true);
            (Client::V4(client), Connection::V4(Box::new(connection)))
        }
        Protocol::V5 => {
            let mut options = v5::MqttOptions::new(config.client_id(), &config.host, config.port);
            options.set_keep_alive(keep_alive);
            options.set_clean_start(config.clean_start);
            options.set_manual_acks(true);
            options.set_connection_timeout(CONNECT_TIMEOUT_S);
            options.set_session_expiry_interval(Some(config.session_expiry_s));
            options.set_receive_maximum(Some(config.max_in_flight));
            options.set_max_packet_size(Some(MAX_PACKET_BYTES));
            let mut network = rumqttc::NetworkOptions::new();
            network.set_connection_timeout(CONNECT_TIMEOUT_S);
            network.set_tcp_nodelay(true);
            options.set_network_options(network);
            if let Some(username) = &config.username {
                options.set_credentials(username, config.password.clone().unwrap_or_default());
            }
            let (client, connection) = v5::AsyncClient::new(options, REQUESTS);
            (Client::V5(client), Connection::V5(Box::new(connection)))
        }
    }
}

impl Client {
    /// Asks for the filters at QoS 1.
    pub(super) async fn subscribe(&self, filters: Vec<String>) -> Result<(), String> {
        match self {
            Self::V4(client) => {
                let filters = filters
                    .into_iter()
                    .map(|path| rumqttc::SubscribeFilter::new(path, mqttbytes::QoS::AtLeastOnce))
                    .collect::<Vec<_>>();
                client.subscribe_many(filters).await.map_err(|error| error.to_string())
            }
            Self::V5(client) => {
                let filters = filters
                    .into_iter()
                    .map(|path| v5::mqttbytes::v5::Filter::new(path, v5::mqttbytes::QoS::AtLeastOnce))
                    .collect::<Vec<_>>();
                client.subscribe_many(filters).await.map_err(|error| error.to_string())
            }
        }
    }

    /// Queues the acknowledgement. It fails only when the connection is gone, and then the broker sends the message again.
    pub(super) fn acknowledge(&self, packet_id: u16) -> bool {
        match self {
            Self::V4(client) => {
                let mut publish = rumqttc::Publish::new("", mqttbytes::QoS::AtLeastOnce, Vec::new());
                publish.pkid = packet_id;
                client.try_ack(&publish).is_ok()
            }
            Self::V5(client) => {
                let publish = v5::mqttbytes::v5::Publish {
                    qos: v5::mqttbytes::QoS::AtLeastOnce,
                    pkid: packet_id,
                    ..v5::mqttbytes::v5::Publish::default()
                };
                client.try_ack(&publish).is_ok()
            }
        }
    }

    /// Queues the end of the connection, behind the acknowledgements that are queued.
    pub(super) async fn disconnect(&self) -> bool {
        match self {
            Self::V4(client) => client.disconnect().await.is_ok(),
            Self::V5(client) => client.disconnect().await.is_ok(),
        }
    }
}

impl Connection {
    /// Waits for the next happening. An error ends the connection.
    pub(super) async fn poll(&mut self) -> Result<Happening, String> {
        match self {
            Self::V4(connection) => connection.poll().await.map(read_v4).map_err(|error| error.to_string()),
            Self::V5(connection) => connection.poll().await.map(read_v5).map_err(|error| error.to_string()),
        }
    }
}

fn read_v4(event: rumqttc::Event) -> Happening {
    use rumqttc::{Event, Outgoing, Packet, SubscribeReasonCode};
    match event {
        Event::Incoming(Packet::ConnAck(_)) => Happening::Connected,
        Event::Incoming(Packet::SubAck(answer)) => Happening::Subscribed {
            refused: answer.return_codes.iter().filter(|code| matches!(code, SubscribeReasonCode::Failure)).count(),
        },
        Event::Incoming(Packet::Publish(publish)) => Happening::Delivered(Delivery {
            topic: publish.topic,
            payload: publish.payload,
            packet_id: (publish.qos != mqttbytes::QoS::AtMostOnce).then_some(publish.pkid),
        }),
        Event::Outgoing(Outgoing::PubAck(_)) => Happening::Acknowledged,
        Event::Outgoing(Outgoing::Disconnect) => Happening::Disconnected,
        _ => Happening::Other,
    }
}

fn read_v5(event: v5::Event) -> Happening {
    use v5::mqttbytes::v5::{Packet, SubscribeReasonCode};
    match event {
        v5::Event::Incoming(Packet::ConnAck(_)) => Happening::Connected,
        v5::Event::Incoming(Packet::SubAck(answer)) => Happening::Subscribed {
            refused: answer.return_codes.iter().filter(|code| !matches!(code, SubscribeReasonCode::Success(_))).count(),
        },
        v5::Event::Incoming(Packet::Publish(publish)) => Happening::Delivered(Delivery {
            topic: String::from_utf8_lossy(&publish.topic).into_owned(),
            payload: publish.payload,
            packet_id: (publish.qos != v5::mqttbytes::QoS::AtMostOnce).then_some(publish.pkid),
        }),
        v5::Event::Incoming(Packet::Disconnect(disconnect)) => {
            Happening::Closing(format!("the broker ends the connection: {:?}", disconnect.reason_code))
        }
        v5::Event::Outgoing(rumqttc::Outgoing::PubAck(_)) => Happening::Acknowledged,
        v5::Event::Outgoing(rumqttc::Outgoing::Disconnect) => Happening::Disconnected,
        _ => Happening::Other,
    }
}
