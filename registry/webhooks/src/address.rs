//! Where messages may go.
//!
//! A factory's receivers are in private networks, so private addresses are allowed. What is never a receiver is refused: link-local addresses, where clouds keep the credentials of the
//! machine; the metadata services of clouds that live elsewhere; addresses that name no machine. The check is made on what a name resolves to, at each connection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;

/// The longest address of a webhook, in bytes.
pub const MAX_URL_BYTES: usize = 2_048;

/// Metadata services of clouds outside of the link-local range.
const METADATA_V4: [Ipv4Addr; 2] = [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192)];
const METADATA_V6: [Ipv6Addr; 1] = [Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)];

/// Why an address is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AddressError {
    /// It is no URL.
    #[error("Invalid webhook URL '{url}': {reason}")]
    Invalid {
        /// The text, cut short.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// It is not of HTTP.
    #[error("Invalid webhook URL scheme: '{0}'. Allowed schemes are: http, https.")]
    Scheme(String),
    /// It holds a name or password, which would be in the log for ever.
    #[error(
        "Webhook URL must not hold a user name or password: it is kept in a log that forgets nothing. Use the secret, which signs each message."
    )]
    Credentials,
    /// It leads to where no receiver is.
    #[error(
        "Webhook URL must not resolve to a link-local, metadata, multicast or unspecified address: {0}. A server allows it with `allow_link_local` in [webhooks]."
    )]
    Forbidden(IpAddr),
}

/// What is allowed beyond the rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Whether link-local and metadata addresses are allowed after all.
    pub allow_link_local: bool,
}

impl Policy {
    /// Reads the address of a webhook.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn check(self, text: &str) -> Result<Url, AddressError> {
        let invalid = |reason: String| AddressError::Invalid { url: text.chars().take(200).collect(), reason };
        if text.trim().is_empty() {
            return Err(invalid("it is empty".to_owned()));
        }
        if text.len() > MAX_URL_BYTES {
            return Err(invalid(format!("it is longer than {MAX_URL_BYTES} bytes")));
        }
        let url = Url::parse(text).map_err(|error| invalid(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(AddressError::Scheme(url.scheme().chars().take(40).collect()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(AddressError::Credentials);
        }
        let host = url.host_str().ok_or_else(|| invalid("it must include a hostname".to_owned()))?;
        // A literal address is never resolved, so that it is checked here.
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        match literal {
            Ok(address) if !self.allows(address) => Err(AddressError::Forbidden(address)),
            _ => Ok(url),
        }
    }

    /// Whether messages may go there.
    pub fn allows(self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.allows_v4(address),
            IpAddr::V6(address) => match embedded(address) {
                Some(inner) => self.allows_v4(inner),
                None => self.allows_v6(address),
            },
        }
    }

    fn allows_v4(self, address: Ipv4Addr) -> bool {
        let [first, ..] = address.octets();
        let nobody = first == 0 || address.is_multicast() || address.is_broadcast();
        let machine = address.is_link_local() || METADATA_V4.contains(&address);
        !nobody && (self.allow_link_local || !machine)
    }

    fn allows_v6(self, address: Ipv6Addr) -> bool {
        let nobody = address.is_unspecified() || address.is_multicast();
        let machine = address.is_unicast_link_local() || METADATA_V6.contains(&address);
        !nobody && (self.allow_link_local || !machine)
    }
}

/// The IPv4 address within an IPv6 one that leads to it: mapped (`::ffff:0:0/96`), compatible (`::/96`) or translated (`64:ff9b::/96`).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let translated = matches!(address.segments(), [0x64, 0xff9b, 0, 0, 0, 0, _, _]);
    let compatible = matches!(address.segments(), [0, 0, 0, 0, 0, 0, high, _] if high != 0);
    if translated || compatible {
        let bits = u32::try_from(address.to_bits() & u128::from(u32::MAX)).ok()?;
        return Some(Ipv4Addr::from_bits(bits));
    }
    address.to_ipv4_mapped()
}

/// Resolves names as the machine does, and leaves out what is not allowed: a name that was harmless yesterday is looked at again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckedResolver(pub Policy);

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let (allowed, refused): (Vec<_>, Vec<_>) = found.partition(|address| policy.allows(address.ip()));
            match (allowed.is_empty(), refused.first()) {
                (true, Some(address)) => Err(AddressError::Forbidden(address.ip()).into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
