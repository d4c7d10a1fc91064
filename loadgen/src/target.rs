//! Where load goes: a URL of a host, a port and perhaps a path before every path. Loopback, unless somebody says that
//! another machine is meant.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs as _};

use http::Uri;

/// Where load goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// The address that connections are made to.
    pub address: SocketAddr,
    /// Host and port, as the `host` header says them.
    pub authority: String,
    /// What comes before every path; without a `/` at its end.
    pub prefix: String,
}

/// Why a URL is no target.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TargetError {
    /// Not `http://HOST[:PORT][/PATH]`.
    Url,
    /// The host has no address.
    Unknown(String),
    /// Another machine, which was not allowed by name.
    Remote(String),
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url => f.write_str("not a URL such as http://127.0.0.1:8080"),
            Self::Unknown(why) => write!(f, "its host has no address: {why}"),
            Self::Remote(host) => write!(f, "`{host}` is another machine"),
        }
    }
}

impl std::error::Error for TargetError {}

impl Target {
    /// The target that a URL names. Hosts that are not loopback have to be in `allowed`.
    pub fn new(url: &str, allowed: &[String]) -> Result<Self, TargetError> {
        let uri: Uri = url.parse().map_err(|_| TargetError::Url)?;
        let authority = uri.authority().filter(|a| !a.as_str().contains('@')).ok_or(TargetError::Url)?;
        if uri.scheme_str() != Some("http") || uri.query().is_some() {
            return Err(TargetError::Url);
        }
        let host = authority.host();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let addresses = (bare, authority.port_u16().unwrap_or(80)).to_socket_addrs();
        let addresses: Vec<_> = addresses.map_err(|error| TargetError::Unknown(error.to_string()))?.collect();
        // All of them, or a name could lead elsewhere.
        let local = addresses.iter().all(|address| address.ip().is_loopback());
        if !local && !allowed.iter().any(|name| name == host || name == bare) {
            return Err(TargetError::Remote(bare.to_owned()));
        }
        let address = addresses.iter().find(|address| address.is_ipv4()).or(addresses.first());
        let address = *address.ok_or_else(|| TargetError::Unknown("none was found".into()))?;
        let prefix = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { address, authority: authority.to_string(), prefix })
    }

    /// The target at a socket address.
    pub fn at(address: SocketAddr) -> Self {
        Self { address, authority: address.to_string(), prefix: String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_host_a_port_and_a_prefix() {
        let target = Target::new("http://127.0.0.1:8080/shop/", &[]).unwrap();
        assert_eq!(target.address, "127.0.0.1:8080".parse().unwrap());
        assert_eq!((target.authority.as_str(), target.prefix.as_str()), ("127.0.0.1:8080", "/shop"));
        assert_eq!(Target::new("http://[::1]:81", &[]).unwrap().address, "[::1]:81".parse().unwrap());
        assert_eq!(Target::new("http://127.9.9.9", &[]).unwrap().address.port(), 80);
    }

    #[test]
    fn other_machines_have_to_be_allowed_by_name() {
        let url = "http://192.0.2.1:80";
        assert_eq!(Target::new(url, &[]), Err(TargetError::Remote("192.0.2.1".into())));
        assert_eq!(Target::new(url, &["192.0.2.2".into()]), Err(TargetError::Remote("192.0.2.1".into())));
        assert!(Target::new(url, &["192.0.2.1".into()]).is_ok());
        for wrong in ["", "127.0.0.1", "https://127.0.0.1", "http://", "http://a@127.0.0.1", "http://127.0.0.1/?q=1"] {
            assert_eq!(Target::new(wrong, &[]), Err(TargetError::Url), "{wrong}");
        }
    }
}
