//! A reply that is kept beside its record, so that it can be parsed again: its frames with their
//! times, nothing understood.

use memchr::memmem;

use crate::contract::framing::Framed;
use crate::contract::{Failure, Framing};
use crate::units::Nanos;

/// A reply as a parser saw it, and the request that it belongs to. It holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptReply {
    /// The request.
    pub request_id: String,
    /// The attempt at it, from 1.
    pub attempt: u32,
    /// The HTTP status.
    pub status: u16,
    /// The reply's `Content-Type`.
    pub content_type: Option<String>,
    /// How it was framed.
    pub framing: Framing,
    /// When the request was sent.
    pub sent: Nanos,
    /// Why the reply was not read to its end, if it was not.
    pub broken: Option<Failure>,
    /// The labels that the dataset gave to the request.
    pub labels: Vec<(String, String)>,
    /// Its payload and frames.
    pub framed: Framed,
}

impl KeptReply {
    /// Puts stars in the place of `secrets` in the payload, also where JSON writes them with
    /// escapes. The frames stay where they are.
    pub fn hide(&mut self, secrets: &[String]) {
        for secret in secrets {
            overwrite(&mut self.framed.payload, secret.as_bytes());
            let escaped = serde_json::Value::from(secret.as_str()).to_string();
            let escaped = &escaped[1..escaped.len() - 1];
            if escaped != secret {
                overwrite(&mut self.framed.payload, escaped.as_bytes());
            }
        }
    }
}

fn overwrite(payload: &mut [u8], secret: &[u8]) {
    if secret.is_empty() {
        return;
    }
    let found: Vec<usize> = memmem::find_iter(payload, secret).collect();
    for at in found {
        payload[at..at + secret.len()].fill(b'*');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Frame;

    #[test]
    fn secrets_are_starred_and_the_frames_stay() {
        let payload = br#"{"you sent":"sk-123\"4"} sk-123"4"#.to_vec();
        let frames = vec![Frame { at: Nanos(1), event: None, range: 0..payload.len() }];
        let mut kept = KeptReply {
            request_id: "r".into(),
            attempt: 1,
            status: 200,
            content_type: None,
            framing: Framing::Whole,
            sent: Nanos::ZERO,
            broken: None,
            labels: Vec::new(),
            framed: Framed { payload, frames },
        };
        kept.hide(&["sk-123\"4".to_string(), String::new()]);
        assert_eq!(kept.framed.payload, br#"{"you sent":"*********"} ********"#);
        assert_eq!(kept.framed.frames[0].range, 0..33);
    }
}
