//! Which servers requests go to, and how.

use serde::Serialize;

use super::secret::{serialize_url, serialize_urls};
use super::{Header, redact_url};
use crate::http::ReadClock;

/// How to reach the server.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConnectionConfig {
    /// The endpoint, without what is secret in it.
    #[serde(serialize_with = "serialize_url")]
    pub url: String,
    /// Further endpoints that conversations go to in turn: the same path on other servers.
    #[serde(serialize_with = "serialize_urls")]
    pub more_urls: Vec<String>,
    /// Headers for every request.
    pub headers: Vec<Header>,
    /// The most time to open a connection, in seconds.
    pub connect_timeout_s: Option<f64>,
    /// The most time without anything to read, in seconds.
    pub read_timeout_s: Option<f64>,
    /// The most time for an exchange, in seconds.
    pub total_timeout_s: f64,
    /// What stamps the bytes of a reply.
    pub clock: ReadClock,
    /// Whether to try one request before the run.
    pub test_connection: bool,
}

impl ConnectionConfig {
    /// All endpoints, as they were given.
    fn urls(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.url).chain(&self.more_urls).map(String::as_str)
    }

    /// The servers that conversations go to in turn, without their paths: `http://host:port`.
    pub fn targets(&self) -> Vec<String> {
        let origin = |url| {
            let (scheme, rest) = split(url);
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            format!("{scheme}://{}", &rest[..end])
        };
        self.urls().map(origin).collect()
    }

    /// What is wrong with the endpoints.
    pub(super) fn problems(&self, wrong: &mut impl FnMut(&'static str, String)) {
        for url in self.urls() {
            if !matches!(split(url), ("http" | "https", rest) if !rest.is_empty()) {
                wrong("--url", format!("\"{}\" is not an http:// or https:// URL", redact_url(url)));
            }
        }
        // Only the first one's path is used.
        if let Some(other) = self.more_urls.iter().find(|url| path(url) != path(&self.url)) {
            let (first, other) = (redact_url(&self.url), redact_url(other));
            wrong("--url", format!("several need the same path, but got \"{first}\" and \"{other}\""));
        }
    }
}

fn split(url: &str) -> (&str, &str) {
    url.split_once("://").unwrap_or(("", url))
}

/// What follows the server in a URL.
fn path(url: &str) -> &str {
    let (_, rest) = split(url);
    rest.find(['/', '?', '#']).map_or("", |start| rest[start..].trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(urls: &[&str]) -> Vec<String> {
        let mut problems = Vec::new();
        testing(urls).problems(&mut |_, message| problems.push(message));
        problems
    }

    fn testing(urls: &[&str]) -> ConnectionConfig {
        ConnectionConfig {
            url: urls[0].to_string(),
            more_urls: urls[1..].iter().map(ToString::to_string).collect(),
            headers: Vec::new(),
            connect_timeout_s: None,
            read_timeout_s: None,
            total_timeout_s: 1.0,
            clock: ReadClock::Read,
            test_connection: true,
        }
    }

    #[test]
    fn several_servers_share_one_path() {
        assert_eq!(problems(&["http://a/v1", "https://b:8000/v1/"]), [""; 0]);
        assert_eq!(problems(&["http://a", "http://b/"]), [""; 0]);
        assert_eq!(
            problems(&["http://a/v1/chat/completions", "http://u:p@b/v1/completions"]),
            ["several need the same path, but got \"http://a/v1/chat/completions\" and \
              \"http://**********@b/v1/completions\""]
        );
        assert_eq!(problems(&["ftp://a"]), ["\"ftp://a\" is not an http:// or https:// URL"]);
        assert_eq!(testing(&["http://a:1/v1?x=/", "https://b?x"]).targets(), ["http://a:1", "https://b"]);
    }
}
