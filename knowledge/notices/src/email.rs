//! E-mail: one message to one person, over SMTP.

use std::sync::Arc;
use std::time::Duration;

use domain::events::NoticeTarget;
use domain::ids::PersonId;
use eventlog::BoxFuture;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls as SmtpTls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use serde::Deserialize;

use crate::{Channel, Message, SendError};

/// How long one command of SMTP may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// How the connection is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// It begins plainly and must be encrypted before anything is said (STARTTLS, usually port 587).
    #[default]
    Starttls,
    /// It is encrypted from the beginning (usually port 465).
    Tls,
    /// It is not: for a relay on this machine or in the plant's own network.
    None,
}

/// The server that e-mail leaves by.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailConfig {
    /// The server's host name or address.
    pub host: String,
    /// The server's port.
    #[serde(default = "default_port")]
    pub port: u16,
    /// How the connection is protected.
    #[serde(default)]
    pub tls: Tls,
    /// Whom it comes from (`Millwright <millwright@mill.example>`).
    pub from: String,
    /// The user, where the server wants one.
    #[serde(default)]
    pub username: Option<String>,
    /// The password, where the server wants one.
    #[serde(default)]
    pub password: Option<String>,
}

const fn default_port() -> u16 {
    587
}

/// Why a configuration cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct InvalidEmailConfig {
    /// The key.
    pub field: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

fn wrong(field: &'static str, reason: impl Into<String>) -> InvalidEmailConfig {
    InvalidEmailConfig { field, reason: reason.into() }
}

impl EmailConfig {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// [`InvalidEmailConfig`] names the key.
    pub fn check(&self) -> Result<(), InvalidEmailConfig> {
        if self.host.trim().is_empty() {
            return Err(wrong("host", "it is empty"));
        }
        if self.port == 0 {
            return Err(wrong("port", "0 is not a port"));
        }
        if self.username.is_some() != self.password.is_some() {
            let missing = if self.username.is_some() { "password" } else { "username" };
            return Err(wrong(missing, "user and password go together"));
        }
        if self.username.is_some() && self.tls == Tls::None && !is_this_machine(&self.host) {
            return Err(wrong("tls", "a password is not sent to another machine without encryption"));
        }
        self.mailbox().map(|_| ())
    }

    fn mailbox(&self) -> Result<Mailbox, InvalidEmailConfig> {
        self.from.parse().map_err(|error| wrong("from", format!("{:?} is no address: {error}", self.from)))
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Where people are reached: what their contact says now; `None` where nobody of this id is known, or was erased.
pub type Contacts = Arc<dyn Fn(&PersonId) -> Option<String> + Send + Sync>;

/// The first e-mail address in a contact, which may name a telephone number beside it.
pub fn address_in(contact: &str) -> Option<String> {
    let words = contact.split(|character: char| character.is_whitespace() || ",;，；、<>()（）".contains(character));
    let mut addresses = words.map(|word| word.trim_start_matches("mailto:")).filter(|word| word.contains('@'));
    addresses.find(|word| word.parse::<Address>().is_ok()).map(str::to_owned)
}

/// The channel.
pub struct Email {
    leads_to: String,
    from: Mailbox,
    transport: AsyncSmtpTransport<Tokio1Executor>,
    contacts: Contacts,
}

impl Email {
    /// The channel over a server. It connects for each message, and not before.
    ///
    /// # Errors
    /// [`InvalidEmailConfig`] names the key.
    pub fn new(config: &EmailConfig, contacts: Contacts) -> Result<Self, InvalidEmailConfig> {
        config.check()?;
        let parameters = || {
            TlsParameters::new(config.host.clone())
                .map_err(|error| wrong("tls", format!("it cannot be set up: {error}")))
        };
        let tls = match config.tls {
            Tls::Starttls => SmtpTls::Required(parameters()?),
            Tls::Tls => SmtpTls::Wrapper(parameters()?),
            Tls::None => SmtpTls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host)
            .port(config.port)
            .tls(tls)
            .timeout(Some(PATIENCE));
        if let (Some(username), Some(password)) = (&config.username, &config.password) {
            builder = builder.credentials(Credentials::new(username.clone(), password.clone()));
        }
        let leads_to = format!("smtp://{}:{}", config.host, config.port);
        Ok(Self { leads_to, from: config.mailbox()?, transport: builder.build(), contacts })
    }

    fn letter(&self, message: &Message, address: &str) -> Result<lettre::Message, SendError> {
        let to: Address = address.parse().map_err(|_| SendError::for_good("the contact holds no e-mail address"))?;
        // The id of the letter is that of the notice: a server or reader that gets it again can tell.
        let id = format!("<{}@{}>", message.id, self.from.email.domain());
        MessageBuilder::new()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .message_id(Some(id))
            .subject(message.subject.clone())
            .header(ContentType::TEXT_PLAIN)
            .body(message.body())
            .map_err(|error| SendError::for_good(format!("the message cannot be written: {error}")))
    }
}

impl Channel for Email {
    fn name(&self) -> &'static str {
        "email"
    }

    fn leads_to(&self) -> String {
        self.leads_to.clone()
    }

    fn send(&self, message: Arc<Message>) -> BoxFuture<'static, Result<(), SendError>> {
        let NoticeTarget::Email { person } = &message.to else {
            return Box::pin(async { Err(SendError::for_good("this is no message to a person")) });
        };
        let Some(contact) = (self.contacts)(person) else {
            let reason = format!("no contact of {person} is known");
            return Box::pin(async { Err(SendError::for_good(reason)) });
        };
        let Some(address) = address_in(&contact) else {
            let reason = format!("the contact of {person} holds no e-mail address");
            return Box::pin(async { Err(SendError::for_good(reason)) });
        };
        let (letter, transport, person) = (self.letter(&message, &address), self.transport.clone(), person.clone());
        Box::pin(async move {
            match transport.send(letter?).await {
                Ok(_) => Ok(()),
                Err(error) => Err(refused(&error, &address, &person)),
            }
        })
    }
}

/// What a failure means. Only an answer that is about the mailbox is final: a wrong password or a full disk is mended by somebody.
fn refused(error: &lettre::transport::smtp::Error, address: &str, person: &PersonId) -> SendError {
    let mut reason = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        reason.push_str(": ");
        reason.push_str(&error.to_string());
        cause = error.source();
    }
    // Servers repeat the address, which is personal and must not come into the log.
    let reason = reason.replace(address, person.as_str());
    let code = error.status().map(|code| code.to_string());
    SendError { reason, is_final: code.is_some_and(|code| ["550", "551", "553"].contains(&code.as_str())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> EmailConfig {
        EmailConfig {
            host: "127.0.0.1".to_owned(),
            port: 25,
            tls: Tls::None,
            from: "Millwright <millwright@mill.example>".to_owned(),
            username: None,
            password: None,
        }
    }

    #[test]
    fn an_address_is_found_beside_a_telephone_number() {
        let check =
            |contact: &str, expected: Option<&str>| assert_eq!(address_in(contact).as_deref(), expected, "{contact}");
        check("zhang@mill.example", Some("zhang@mill.example"));
        check("+86 137 0000 0000, zhang@mill.example; ext. 12", Some("zhang@mill.example"));
        check("张伟 <zhang@mill.example>", Some("zhang@mill.example"));
        check("mailto:zhang@mill.example", Some("zhang@mill.example"));
        check("ext. 12", None);
        check("@ @@ a@", None);
        check("", None);
    }

    #[test]
    fn a_configuration_that_cannot_work_names_the_key() {
        let check = |change: &dyn Fn(&mut EmailConfig), field: &str| {
            let mut config = config();
            change(&mut config);
            assert_eq!(config.check().unwrap_err().field, field);
        };
        config().check().unwrap();
        check(&|config| config.host = " ".to_owned(), "host");
        check(&|config| config.port = 0, "port");
        check(&|config| config.from = "nobody".to_owned(), "from");
        check(&|config| config.username = Some("u".to_owned()), "password");
        check(&|config| config.password = Some("p".to_owned()), "username");
        let far = |config: &mut EmailConfig| {
            (config.host, config.username, config.password) =
                ("relay.mill.example".to_owned(), Some("u".to_owned()), Some("p".to_owned()));
        };
        check(&far, "tls");
    }

    #[test]
    fn a_transport_with_tls_can_be_made() {
        let contacts: Contacts = Arc::new(|_| None);
        for tls in [Tls::Starttls, Tls::Tls, Tls::None] {
            assert!(Email::new(&EmailConfig { tls, ..config() }, Arc::clone(&contacts)).is_ok());
        }
    }
}
