//! The head of a request: the bytes before its body. It is written for every request, so it is put
//! together without a map; what counts as a header is what it is for the library's transport.

use super::super::spec::{TransportError, header_map};
use super::origin::Target;
use crate::contract::{Failure, FailureKind, HttpRequest};

/// Headers that count before those of a request. They may be secrets and are never shown.
pub(super) struct Wins(Vec<(String, String)>);

impl Wins {
    /// Fails if one of them is no header.
    pub(super) fn new(headers: &[(String, String)]) -> Result<Wins, TransportError> {
        header_map(headers)?;
        Ok(Wins(headers.to_vec()))
    }
}

impl std::fmt::Debug for Wins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Wins").field(&self.0.len()).finish()
    }
}

/// The bytes before a request's body. Of headers with one name the last one counts, and `wins` before
/// all. The length of the body is its own.
pub(super) fn head(request: &HttpRequest, target: &Target, wins: &Wins) -> Result<Vec<u8>, Failure> {
    let shape = |text: String| Failure::new(FailureKind::Shape, text);
    let method = &request.method;
    if !is_token(method) {
        return Err(shape(format!("\"{method}\" is not an HTTP method")));
    }
    let (own, wins) = (&request.headers[..], &wins.0[..]);
    let long: usize = own.iter().chain(wins).map(|(name, value)| name.len() + value.len() + 4).sum();
    let mut head = Vec::with_capacity(256 + target.path.len() + long);
    for piece in [method, " ", &target.path, " HTTP/1.1\r\n"] {
        head.extend_from_slice(piece.as_bytes());
    }
    let mut line = |name: &str, value: &str| {
        let start = head.len();
        head.extend_from_slice(name.as_bytes());
        head[start..].make_ascii_lowercase();
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    };
    let framing = |name: &str| is(name, "content-length") || is(name, "transfer-encoding");
    for (at, (name, value)) in own.iter().enumerate() {
        if !is_token(name) || !is_value(value) {
            return Err(shape(TransportError::Header { name: name.clone() }.to_string()));
        }
        if !framing(name) && !has(&own[at + 1..], name) && !has(wins, name) {
            line(name, value);
        }
    }
    for (at, (name, value)) in wins.iter().enumerate() {
        if !framing(name) && !has(&wins[at + 1..], name) {
            line(name, value);
        }
    }
    let missing = |name: &str| !has(own, name) && !has(wins, name);
    if missing("user-agent") {
        line("user-agent", concat!("tickrate/", env!("CARGO_PKG_VERSION")));
    }
    if missing("accept") {
        line("accept", "*/*");
    }
    if missing("host") {
        line("host", target.origin.header());
    }
    if !request.body.is_empty() || ["POST", "PUT", "PATCH"].contains(&method.as_str()) {
        line("content-length", &request.body.len().to_string());
    }
    head.extend_from_slice(b"\r\n");
    Ok(head)
}

fn is(name: &str, other: &str) -> bool {
    name.eq_ignore_ascii_case(other)
}

fn has(headers: &[(String, String)], name: &str) -> bool {
    headers.iter().any(|(other, _)| is(other, name))
}

/// Which bytes a token is made of: RFC 9110, section 5.6.2.
const OF_TOKEN: [bool; 256] = {
    let (mut of_token, marks) = ([false; 256], b"!#$%&'*+-.^_`|~");
    let mut at = 0;
    while at < 256 {
        of_token[at] = (at as u8).is_ascii_alphanumeric();
        at += 1;
    }
    at = 0;
    while at < marks.len() {
        of_token[marks[at] as usize] = true;
        at += 1;
    }
    of_token
};

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| OF_TOKEN[usize::from(byte)])
}

/// Looks at all bytes without stopping at a wrong one, so that many are looked at in one step.
fn is_value(text: &str) -> bool {
    text.bytes().fold(true, |fits, byte| fits & ((byte == b'\t') | ((byte >= b' ') & (byte != 0x7f))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::origin::Origins;
    use super::*;
    use crate::contract::Framing;

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    fn request(url: &str, method: &str, headers: &[(&str, &str)]) -> HttpRequest {
        HttpRequest {
            method: method.into(),
            url: url.into(),
            headers: owned(headers),
            body: if method == "POST" { "{}".into() } else { "".into() },
            framing: Framing::Whole,
        }
    }

    fn head_of(url: &str, method: &str, headers: &[(&str, &str)], wins: &[(&str, &str)]) -> String {
        let target = Origins::default().target(url).unwrap();
        let wins = Wins::new(&owned(wins)).unwrap();
        String::from_utf8(head(&request(url, method, headers), &target, &wins).unwrap()).unwrap()
    }

    #[test]
    fn a_head_says_what_the_url_and_the_headers_say() {
        let agent = concat!("user-agent: tickrate/", env!("CARGO_PKG_VERSION"));
        let own = [("X-A", "0"), ("Content-Length", "9"), ("x-a", "1")];
        assert_eq!(
            head_of("http://[::1]:8000/v1?a=b c", "POST", &own, &[]),
            format!(
                "POST /v1?a=b%20c HTTP/1.1\r\nx-a: 1\r\n{agent}\r\naccept: */*\r\nhost: [::1]:8000\r\n\
                 content-length: 2\r\n\r\n"
            )
        );
        let own = [("Host", "other"), ("Accept", "text/plain"), ("User-Agent", "me")];
        let wins = [("accept", "a/b"), ("transfer-encoding", "chunked"), ("accept", "b/c")];
        assert_eq!(
            head_of("http://host", "GET", &own, &wins),
            "GET / HTTP/1.1\r\nhost: other\r\nuser-agent: me\r\naccept: b/c\r\n\r\n"
        );
    }

    #[test]
    fn what_is_no_header_is_refused_and_no_value_is_shown() {
        let target = Origins::default().target("http://host").unwrap();
        let none = Wins::new(&[]).unwrap();
        let refused = |method, headers: &[(&str, &str)]| {
            head(&request("http://host", method, headers), &target, &none).unwrap_err().message
        };
        assert_eq!(refused("GET IT", &[]), "\"GET IT\" is not an HTTP method");
        let told = refused("GET", &[("X-Key", "secret\r\nX-B: 1")]);
        assert!(
            told.contains("the header \"X-Key\" is not valid HTTP") && !told.contains("secret"),
            "{told}"
        );
        let wins = Wins::new(&owned(&[("authorization", "Bearer secret")])).unwrap();
        assert_eq!(format!("{wins:?}"), "Wins(1)");
        assert!(Wins::new(&owned(&[("a b", "c")])).is_err());
    }

    proptest! {
        #[test]
        fn a_header_is_one_where_it_is_one_for_the_library(name in "\\PC{0,3}|[a-zA-Z!-~]{1,4}", value in "\\PC{0,4}|[\\x00-\\x7f]{0,4}") {
            let ours = is_token(&name) && is_value(&value);
            prop_assert_eq!(ours, header_map(&[(name, value)]).is_ok());
        }
    }
}
