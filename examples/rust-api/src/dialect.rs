//! What requests and replies look like. Nothing here calls tickrate, so that `cargo test` can run it.

use serde_json::{Map, Value, json};
use tickrate_guest::FailureKind;

/// A JSON object.
pub type Object = Map<String, Value>;

/// The JSON object in `data`.
pub fn object(data: &[u8]) -> Result<Object, String> {
    serde_json::from_slice(data).map_err(|error| error.to_string())
}

/// The body of a request. Messages are pairs of a role and a text.
pub fn body(
    model: &str,
    parameters: &Object,
    stream: bool,
    messages: &[(String, String)],
    max_tokens: Option<u32>,
) -> Vec<u8> {
    let mut request = parameters.clone();
    request.insert("model".into(), model.into());
    let messages = messages.iter().map(|(role, text)| json!({ "role": role, "content": text }));
    request.insert("messages".into(), messages.collect());
    request.insert("stream".into(), stream.into());
    if stream {
        request.insert("stream_options".into(), json!({ "include_usage": true }));
    }
    if let Some(limit) = max_tokens {
        request.insert("max_tokens".into(), limit.into());
    }
    Value::Object(request).to_string().into_bytes()
}

/// What a reply says.
#[derive(Debug, Default, PartialEq)]
pub struct Said {
    /// Indices of frames and the texts that they brought.
    pub outputs: Vec<(usize, String)>,
    /// Tokens of the prompt and of the output.
    pub usage: (Option<u64>, Option<u64>),
    /// Why the server stopped.
    pub finish_reason: Option<String>,
    /// What went wrong.
    pub failure: Option<(FailureKind, String)>,
}

/// What the frames of a reply say.
pub fn parse(frames: &[&[u8]], complete: bool, streamed: bool) -> Said {
    let mut said = Said::default();
    let mut done = false;
    for (index, data) in frames.iter().enumerate() {
        if *data == b"[DONE]" {
            done = true;
            continue;
        }
        let Ok(event) = object(data) else {
            // The end of a reply that broke off may be half a frame.
            if complete || index + 1 < frames.len() {
                let text = format!("frame {index} is not what the server should send");
                said.failure = Some((FailureKind::InvalidReply, text));
            }
            return said;
        };
        if let Some(error) = event.get("error").filter(|error| !error.is_null()) {
            said.failure = Some((FailureKind::StreamError, error.to_string()));
            return said;
        }
        let choice = event.get("choices").and_then(|choices| choices.get(0)).unwrap_or(&Value::Null);
        let message = choice.get("delta").or_else(|| choice.get("message")).unwrap_or(&Value::Null);
        if let Some(text) = message.get("content").and_then(Value::as_str).filter(|text| !text.is_empty()) {
            said.outputs.push((index, text.to_owned()));
        }
        if let Some(reason) = choice.get("finish_reason").and_then(Value::as_str) {
            said.finish_reason = Some(reason.to_owned());
        }
        if let Some(usage) = event.get("usage").filter(|usage| usage.is_object()) {
            let count = |name| usage.get(name).and_then(Value::as_u64);
            said.usage = (count("prompt_tokens"), count("completion_tokens"));
        }
    }
    if complete && streamed && !done && said.finish_reason.is_none() {
        let text = "the stream ended before the server had finished";
        said.failure = Some((FailureKind::Truncated, text.into()));
    } else if complete && said.outputs.is_empty() {
        said.failure = Some((FailureKind::EmptyReply, "the reply carried no output".into()));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &[u8] = br#"{"choices":[{"delta":{"content":"a"}}]}"#;

    #[test]
    fn a_stream_is_understood() {
        let end = br#"{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#;
        let said = parse(&[b"{}", A, end, b"[DONE]"], true, true);
        assert_eq!(said.outputs, [(1, "a".to_owned())]);
        assert_eq!((said.usage, said.finish_reason.as_deref()), ((Some(3), Some(2)), Some("stop")));
        assert_eq!(said.failure, None);
    }

    #[test]
    fn what_the_server_does_wrong_is_a_failure() {
        let failed = |frames: &[&[u8]]| parse(frames, true, true).failure.map(|(kind, _)| kind);
        assert_eq!(failed(&[b"{"]), Some(FailureKind::InvalidReply));
        assert_eq!(failed(&[br#"{"error":"overloaded"}"#]), Some(FailureKind::StreamError));
        assert_eq!(failed(&[A]), Some(FailureKind::Truncated));
        assert_eq!(failed(&[b"[DONE]"]), Some(FailureKind::EmptyReply));
        assert_eq!(parse(&[A, b"{\"cho"], false, true).failure, None);
    }

    #[test]
    fn a_request_has_what_was_asked_for() {
        let parameters = object(br#"{"max_tokens":9}"#).unwrap();
        let request = object(&body("m", &parameters, true, &[("user".into(), "hi".into())], Some(4))).unwrap();
        assert_eq!((request["max_tokens"].as_u64(), request["stream"].as_bool()), (Some(4), Some(true)));
    }
}
