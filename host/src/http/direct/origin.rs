//! Where requests go, the connections that are kept to there, and the head of a request.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, TRANSFER_ENCODING, USER_AGENT};
use reqwest::{Method, Url};

use super::socket::Socket;
use crate::contract::{Failure, FailureKind, HttpRequest};

/// How long a connection is kept for another request. Most servers keep theirs for at least as long;
/// one that did not is found out before it is used.
const KEEP: Duration = Duration::from_secs(60);

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
    /// What the `Host` header says.
    header: String,
    idle: RefCell<Vec<(Instant, Socket)>>,
}

impl Origin {
    /// A connection that is open and waits for a request: the one that was used last.
    pub(super) fn take(&self) -> Option<Socket> {
        let mut idle = self.idle.borrow_mut();
        while let Some((since, socket)) = idle.pop() {
            if since.elapsed() > KEEP {
                // Those below it have waited even longer.
                idle.clear();
            } else if !socket.is_spent() {
                return Some(socket);
            }
        }
        None
    }

    /// Keeps a connection for the next request.
    pub(super) fn keep(&self, socket: Socket) {
        self.idle.borrow_mut().push((Instant::now(), socket));
    }
}

/// What a URL says: the server, and what to ask it for.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) origin: Rc<Origin>,
    path: Rc<str>,
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

/// The bytes before a request's body. Of two headers with one name, those in `wins` count.
pub(super) fn head(
    request: &HttpRequest,
    target: &Target,
    mut headers: HeaderMap,
    wins: &HeaderMap,
) -> Result<Vec<u8>, Failure> {
    let method = Method::from_bytes(request.method.as_bytes()).map_err(|_| {
        Failure::new(FailureKind::Shape, format!("\"{}\" is not an HTTP method", request.method))
    })?;
    for (name, value) in wins {
        headers.insert(name.clone(), value.clone());
    }
    headers.remove(CONTENT_LENGTH);
    headers.remove(TRANSFER_ENCODING);
    let mut head = Vec::with_capacity(256 + target.path.len() + 64 * headers.len());
    for piece in [method.as_str(), " ", &target.path, " HTTP/1.1\r\n"] {
        head.extend_from_slice(piece.as_bytes());
    }
    let mut line = |name: &HeaderName, value: &[u8]| {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value);
        head.extend_from_slice(b"\r\n");
    };
    for (name, value) in &headers {
        line(name, value.as_bytes());
    }
    if !headers.contains_key(USER_AGENT) {
        line(&USER_AGENT, concat!("tickrate/", env!("CARGO_PKG_VERSION")).as_bytes());
    }
    if !headers.contains_key(ACCEPT) {
        line(&ACCEPT, b"*/*");
    }
    if !headers.contains_key(HOST) {
        line(&HOST, target.origin.header.as_bytes());
    }
    if !request.body.is_empty() || [Method::POST, Method::PUT, Method::PATCH].contains(&method) {
        line(&CONTENT_LENGTH, request.body.len().to_string().as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::super::super::spec::header_map;
    use super::*;
    use crate::contract::Framing;

    fn head_of(url: &str, method: &str, headers: &[(&str, &str)], wins: &[(&str, &str)]) -> String {
        let owned = |pairs: &[(&str, &str)]| {
            header_map(&pairs.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect::<Vec<_>>())
                .unwrap()
        };
        let request = HttpRequest {
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            body: if method == "POST" { "{}".into() } else { "".into() },
            framing: Framing::Whole,
        };
        let target = Origins::default().target(url).unwrap();
        String::from_utf8(head(&request, &target, owned(headers), &owned(wins)).unwrap()).unwrap()
    }

    #[test]
    fn a_head_says_what_the_url_and_the_headers_say() {
        let agent = concat!("user-agent: tickrate/", env!("CARGO_PKG_VERSION"));
        assert_eq!(
            head_of("http://[::1]:8000/v1?a=b c", "POST", &[("X-A", "1"), ("Content-Length", "9")], &[]),
            format!(
                "POST /v1?a=b%20c HTTP/1.1\r\nx-a: 1\r\n{agent}\r\naccept: */*\r\nhost: [::1]:8000\r\n\
                 content-length: 2\r\n\r\n"
            )
        );
        let own = [("Host", "other"), ("Accept", "text/plain"), ("User-Agent", "me")];
        assert_eq!(
            head_of("http://host", "GET", &own, &[("accept", "b/c")]),
            "GET / HTTP/1.1\r\nhost: other\r\naccept: b/c\r\nuser-agent: me\r\n\r\n"
        );
    }

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
