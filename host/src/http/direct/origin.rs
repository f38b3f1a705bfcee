//! Where requests go, and the connections that are kept to there.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;

use reqwest::Url;

use super::socket::Socket;
use crate::contract::{Failure, FailureKind};
use crate::units::Nanos;

/// How long a connection is kept for another request. Most servers keep theirs for at least as long;
/// one that did not is found out before it is used.
const KEEP: Nanos = Nanos(60_000_000_000);
/// A connection that has waited for less is taken without a look at it: to look is a call of the system.
/// Where the server has hung up in that time, the request does not get through, and goes over another.
const BRIEF: Nanos = Nanos(1_000_000);

/// A server's host, as the URL names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    Address(IpAddr),
    Name(String),
}

/// A server: scheme, host and port of a URL.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) host: Host,
    pub(super) port: u16,
    header: String,
    /// With the times since when they wait.
    idle: RefCell<Vec<(Nanos, Socket)>>,
}

impl Origin {
    /// What the `Host` header says.
    pub(super) fn header(&self) -> &str {
        &self.header
    }

    /// A connection that is open and waits for a request: the one that was used last.
    pub(super) fn take(&self, now: Nanos) -> Option<Socket> {
        let mut idle = self.idle.borrow_mut();
        while let Some((since, socket)) = idle.pop() {
            let waited = now - since;
            if waited > KEEP {
                // Those below it have waited even longer.
                idle.clear();
            } else if waited < BRIEF || !socket.is_spent() {
                return Some(socket);
            }
        }
        None
    }

    /// Keeps a connection, which is free since `now`, for the next request.
    pub(super) fn keep(&self, socket: Socket, now: Nanos) {
        self.idle.borrow_mut().push((now, socket));
    }
}

/// What a URL says: the server, and what to ask it for.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) origin: Rc<Origin>,
    pub(super) path: Rc<str>,
}

/// All servers that a worker has spoken to.
#[derive(Debug, Default)]
pub(super) struct Origins {
    origins: RefCell<HashMap<String, Rc<Origin>>>,
    /// What is known of a URL; most runs have one.
    targets: RefCell<HashMap<String, Target>>,
}

/// How many URLs are remembered.
const MOST_TARGETS: usize = 1024;

impl Origins {
    /// What `url` says.
    pub(super) fn target(&self, url: &str) -> Result<Target, Failure> {
        if let Some(target) = self.targets.borrow().get(url) {
            return Ok(target.clone());
        }
        let target = self.parse(url)?;
        let mut targets = self.targets.borrow_mut();
        if targets.len() >= MOST_TARGETS {
            targets.clear();
        }
        targets.insert(url.to_string(), target.clone());
        Ok(target)
    }

    fn parse(&self, url: &str) -> Result<Target, Failure> {
        let wrong = |what: &str| {
            Failure::new(FailureKind::Shape, format!("the URL cannot be used: {what}; correct --url"))
        };
        let url = Url::parse(url).map_err(|error| wrong(&error.to_string()))?;
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(wrong("it names no host"));
        };
        let header = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        };
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_string(),
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let mut origins = self.origins.borrow_mut();
        let origin = origins.entry(header.clone()).or_insert_with(|| {
            let host = bare.parse().map_or_else(|_| Host::Name(bare.to_string()), Host::Address);
            Rc::new(Origin { host, port, header, idle: RefCell::default() })
        });
        Ok(Target { origin: origin.clone(), path: path.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_known_by_its_server() {
        let origins = Origins::default();
        let a = origins.target("http://localhost:80/a").unwrap();
        let b = origins.target("http://localhost/b").unwrap();
        assert!(Rc::ptr_eq(&a.origin, &b.origin));
        assert_eq!((&a.origin.host, a.origin.port), (&Host::Name("localhost".into()), 80));
        let c = origins.target("http://127.0.0.1:81").unwrap();
        assert_eq!((&c.origin.host, c.origin.port), (&Host::Address([127, 0, 0, 1].into()), 81));
        assert!(origins.target("http://").unwrap_err().message.contains("the URL cannot be used"));
    }
}
