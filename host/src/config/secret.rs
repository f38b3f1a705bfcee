//! Values that may be used and never shown.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// What is shown in the place of a secret.
const HIDDEN: &str = "**********";

/// A header for every request. If it holds a secret, its value is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    name: String,
    value: String,
    secret: bool,
}

impl Header {
    /// A header that holds a secret if its name says so.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Header {
        let name = name.into();
        Header { secret: names_a_secret(&name), name, value: value.into() }
    }

    /// A header that holds a secret, whatever its name is.
    pub fn secret(name: impl Into<String>, value: impl Into<String>) -> Header {
        Header { name: name.into(), value: value.into(), secret: true }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its value, for sending it.
    pub fn expose(&self) -> &str {
        &self.value
    }

    /// Its value as it may be shown: hidden if it is a secret.
    pub fn shown(&self) -> &str {
        if self.secret { HIDDEN } else { &self.value }
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

/// The shortest text that is hidden: hiding every "a" would hide the results.
const SHORTEST: usize = 4;

/// The texts among a run's headers, URL and options that must not appear in anything it writes.
/// Short ones are left out.
pub fn secret_texts(headers: &[Header], url: &str, options: &[&Map<String, Value>]) -> Vec<String> {
    let mut out: Vec<String> = options.iter().flat_map(|options| secrets_of_options(options)).collect();
    for header in headers.iter().filter(|header| header.secret) {
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

/// The value of an environment variable whose name says that it is a secret.
pub(super) fn secret_variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| names_a_secret(name) && value.len() >= SHORTEST)
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

pub(super) fn serialize_urls<S: Serializer>(urls: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(urls.iter().map(|url| redact_url(url)))
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

/// Whether a name says that its value is a secret: one of its words does. `max_tokens` is none.
fn names_a_secret(name: &str) -> bool {
    const WORDS: [&str; 13] = [
        "auth",
        "authorization",
        "apikey",
        "cookie",
        "credential",
        "credentials",
        "key",
        "password",
        "passwd",
        "secret",
        "signature",
        "sig",
        "token",
    ];
    let mut word = String::new();
    let mut after_small = false;
    for letter in name.chars().chain(['-']) {
        if !letter.is_alphanumeric() || (letter.is_uppercase() && after_small) {
            if WORDS.contains(&word.as_str()) {
                return true;
            }
            word.clear();
        }
        after_small = letter.is_lowercase();
        if letter.is_alphanumeric() {
            word.extend(letter.to_lowercase());
        }
    }
    false
}

/// The options without the values of those that are secrets.
pub(super) fn serialize_options<S: Serializer>(
    options: &Map<String, Value>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    redact_options(options).serialize(serializer)
}

/// The options without the values of those that are secrets.
pub fn redact_options(options: &Map<String, Value>) -> Value {
    let mut shown = Value::Object(options.clone());
    visit_secrets(&mut shown, &mut |secret| *secret = HIDDEN.to_string());
    shown
}

/// The texts among options that must not appear in anything a run writes.
pub fn secrets_of_options(options: &Map<String, Value>) -> Vec<String> {
    let mut out = Vec::new();
    visit_secrets(&mut Value::Object(options.clone()), &mut |secret| out.push(secret.clone()));
    out
}

fn visit_secrets(value: &mut Value, visit: &mut impl FnMut(&mut String)) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if names_a_secret(name) => visit(text),
                    other => visit_secrets(other, visit),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| visit_secrets(item, visit)),
        _ => {}
    }
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
        assert_eq!(format!("{:?}", Header::secret("x-team", "hush")), "x-team=**********");
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
    fn options_are_shown_without_their_secrets() {
        for name in ["api_key", "X-Api-Key", "accessToken", "Authorization", "secret"] {
            assert!(names_a_secret(name), "{name}");
        }
        for name in ["max_tokens", "tokenizer", "stop_token_ids_x", "monkey", "author"] {
            assert_eq!(names_a_secret(name), name == "stop_token_ids_x", "{name}");
        }
        let options = serde_json::json!({"max_tokens": 5, "nested": [{"api_key": "hush"}], "key": 7});
        let Value::Object(options) = options else { panic!("an object") };
        let shown = serialize_options(&options, serde_json::value::Serializer).unwrap();
        assert_eq!(shown.to_string(), r#"{"max_tokens":5,"nested":[{"api_key":"**********"}],"key":7}"#);
        assert_eq!(secrets_of_options(&options), ["hush"]);
    }

    #[test]
    fn the_texts_to_hide_include_the_bare_key() {
        let headers = [Header::new("Authorization", "Bearer sk-123456"), Header::new("X-Trace", "visible")];
        let texts = secret_texts(&headers, "http://u:pass@h/?token=tttt", &[]);
        assert_eq!(texts, ["Bearer sk-123456", "sk-123456", "u:pass", "tttt"]);
    }
}
