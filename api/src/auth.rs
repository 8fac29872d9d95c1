//! Who is asking: bearer tokens with roles. The token's name becomes the actor of what is appended.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use eventlog::Digest;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;

/// What a person or program is here for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks at knowledge, assets and traces.
    Viewer,
    /// Works at the machines: also reports events and readings.
    Operator,
    /// Also reads the raw log, takes part in groups of consumers, and registers and deploys models.
    Engineer,
    /// Reads everything, the raw log included, and changes nothing.
    Auditor,
    /// Everything.
    Admin,
}

/// What an endpoint asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Knowledge, assets, values, traces, models.
    ReadKnowledge,
    /// The records of the log.
    ReadLog,
    /// Events, readings and commands.
    WriteEvents,
    /// Models and deployments.
    WriteModels,
    /// Groups of consumers: what they deliver, and taking part in them. Who takes part reads the raw log.
    Consume,
    /// What the log keeps of streams: retention, truncation, deletion.
    ManageLog,
    /// Erasures and legal holds.
    Erase,
}

impl Permission {
    const fn in_words(self) -> &'static str {
        match self {
            Self::ReadKnowledge => "read knowledge",
            Self::ReadLog => "read the log",
            Self::WriteEvents => "write events",
            Self::WriteModels => "change models",
            Self::Consume => "take part in groups of consumers",
            Self::ManageLog => "manage the log",
            Self::Erase => "erase personal data or to hold it",
        }
    }
}

impl Role {
    /// Whether the role has the permission.
    pub const fn may(self, permission: Permission) -> bool {
        match permission {
            Permission::ReadKnowledge => true,
            Permission::ReadLog => matches!(self, Self::Engineer | Self::Auditor | Self::Admin),
            Permission::WriteEvents => matches!(self, Self::Operator | Self::Engineer | Self::Admin),
            Permission::WriteModels | Permission::Consume => matches!(self, Self::Engineer | Self::Admin),
            Permission::ManageLog | Permission::Erase => matches!(self, Self::Admin),
        }
    }
}

/// A token of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// Who holds it: becomes the actor of what is appended with it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// SHA-256 of the token, 64 hexadecimal digits (`printf %s TOKEN | sha256sum`): the token itself is in no file.
    pub sha256: Digest,
}

/// The tokens that the server knows.
#[derive(Debug, Default)]
pub struct Tokens {
    by_digest: HashMap<Digest, Caller>,
}

/// Who is asking.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The token's name, or `local` where no token is configured.
    pub name: Arc<str>,
    /// The token's role.
    pub role: Role,
}

impl Tokens {
    /// The tokens of the configuration.
    pub fn new(configured: &[TokenConfig]) -> Self {
        let by_digest = configured
            .iter()
            .map(|token| (token.sha256, Caller { name: token.name.as_str().into(), role: token.role }))
            .collect();
        Self { by_digest }
    }

    /// Whether no token is configured: then every caller on this machine is an administrator, and the server listens on loopback only.
    pub fn is_empty(&self) -> bool {
        self.by_digest.is_empty()
    }

    fn caller(&self, authorization: Option<&str>) -> Result<Caller, Problem> {
        if self.is_empty() {
            return Ok(Caller { name: "local".into(), role: Role::Admin });
        }
        let token = authorization.and_then(token_of).ok_or_else(Problem::unauthorized)?;
        // Comparing digests tells a guesser nothing about the token.
        self.by_digest.get(&Digest::of(token.as_bytes())).cloned().ok_or_else(Problem::unauthorized)
    }
}

/// The token in the header: `Bearer TOKEN`, or `Basic` with the token as the password, whoever the user is.
fn token_of(authorization: &str) -> Option<String> {
    let (scheme, rest) = authorization.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(BASE64.decode(rest.trim()).ok()?).ok()?;
    pair.split_once(':').map(|(_, password)| password.to_owned())
}

impl Caller {
    /// Refuses a caller without the permission.
    ///
    /// # Errors
    /// A 403 problem.
    pub fn must(&self, permission: Permission) -> Result<(), Problem> {
        if self.role.may(permission) { Ok(()) } else { Err(Problem::forbidden(&self.name, permission.in_words())) }
    }
}

impl FromRequestParts<crate::server::App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &crate::server::App) -> Result<Self, Problem> {
        let authorization = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        app.tokens.caller(authorization)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_as_a_bearer_or_as_a_password() {
        let basic = |pair: &str| format!("Basic {}", BASE64.encode(pair));
        for (header, expected) in [
            ("Bearer abc".to_owned(), Some("abc")),
            ("bearer  abc ".to_owned(), Some("abc")),
            (basic("anybody:a:c"), Some("a:c")),
            (basic(":abc"), Some("abc")),
            (basic("abc"), None),
            ("Basic ???".to_owned(), None),
            ("Digest abc".to_owned(), None),
            ("abc".to_owned(), None),
        ] {
            assert_eq!(token_of(&header).as_deref(), expected, "{header}");
        }
        let configured = [TokenConfig { name: "ann".to_owned(), role: Role::Viewer, sha256: Digest::of(b"abc") }];
        let tokens = Tokens::new(&configured);
        assert_eq!(&*tokens.caller(Some(&basic("x:abc"))).unwrap().name, "ann");
        assert_eq!(tokens.caller(Some(&basic("abc:x"))).unwrap_err().status, 401);
    }
}
