//! Values that may be used and never shown.

use std::fmt;

use serde::{Serialize, Serializer};

/// What is shown in the place of a secret.
const HIDDEN: &str = "**********";

/// A header for every request. If its name says that it holds a secret, its value is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    name: String,
    value: String,
}

impl Header {
    /// A header.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Header {
        Header { name: name.into(), value: value.into() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its value, for sending it.
    pub fn expose(&self) -> &str {
        &self.value
    }

    fn is_secret(&self) -> bool {
        names_a_secret(&self.name)
    }

    fn shown(&self) -> &str {
        if self.is_secret() { HIDDEN } else { &self.value }
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.shown())
    }
}

impl Serialize for Header {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{}={}", self.name, self.shown()))
    }
}

/// The texts among a run's headers and URL that must not appear in anything it writes. Short ones
/// are left out: hiding every "a" would hide the results.
pub fn secret_texts(headers: &[Header], url: &str) -> Vec<String> {
    const SHORTEST: usize = 4;
    let mut out = Vec::new();
    for header in headers.iter().filter(|header| header.is_secret()) {
        out.push(header.value.clone());
        // "Bearer KEY": a server may repeat the key alone.
        out.extend(header.value.split_once(' ').map(|(_, key)| key.to_string()));
    }
    out.extend(secrets_of_url(url).into_iter().map(str::to_string));
    out.retain(|secret| secret.len() >= SHORTEST);
    // The longer ones first, or a part would be hidden and the rest would stay.
    out.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    out.dedup();
    out
}

/// The URL without user, password and keys.
pub fn redact_url(url: &str) -> String {
    let mut out = url.to_string();
    for secret in secrets_of_url(url) {
        out = out.replacen(secret, HIDDEN, 1);
    }
    out
}

pub(super) fn serialize_url<S: Serializer>(url: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&redact_url(url))
}

fn secrets_of_url(url: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if let Some((user, _)) = authority.rsplit_once('@').filter(|(user, _)| !user.is_empty()) {
        out.push(user);
    }
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    for pair in query.split(['&', '#']) {
        if let Some((name, value)) = pair.split_once('=')
            && names_a_secret(name)
            && !value.is_empty()
        {
            out.push(value);
        }
    }
    out
}

fn names_a_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["auth", "key", "token", "secret", "cookie", "password", "credential", "signature"]
        .iter()
        .any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_wherever_a_header_is_shown() {
        let key = Header::new("Authorization", "Bearer sk-123456");
        assert_eq!(format!("{key:?}"), "Authorization=**********");
        assert_eq!(serde_json::to_string(&key).unwrap(), "\"Authorization=**********\"");
        assert_eq!(format!("{:?}", Header::new("X-Trace", "on")), "X-Trace=on");
        assert_eq!(key.expose(), "Bearer sk-123456");
    }

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        let url = "https://me:pw@host:1/v1?api_key=abc&x=1";
        assert_eq!(
            redact_url(url),
            "https://**********@host:1/v1?**********".replace("?", "?api_key=") + "&x=1"
        );
        assert_eq!(redact_url("http://127.0.0.1:8801/v1"), "http://127.0.0.1:8801/v1");
    }

    #[test]
    fn the_texts_to_hide_include_the_bare_key() {
        let headers = [Header::new("Authorization", "Bearer sk-123456"), Header::new("X-Trace", "visible")];
        let texts = secret_texts(&headers, "http://u:pass@h/?token=tttt");
        assert_eq!(texts, ["Bearer sk-123456", "sk-123456", "u:pass", "tttt"]);
    }
}
