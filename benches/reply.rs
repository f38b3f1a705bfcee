//! A streamed reply as servers send it, for the benches: shared by `#[path]`.

use tickrate::contract::framing::Framed;
use tickrate::contract::{Frame, Framing, Mark, Reply, RunConfig};
use tickrate::units::Nanos;

/// A reply's body and the reads that it came in.
pub struct Wire {
    /// The server-sent events.
    pub body: Vec<u8>,
    /// One read for each event.
    pub marks: Vec<Mark>,
}

/// The body of a chat completion of `tokens` tokens, one a frame, with a frame for the role before
/// them, one for the usage and the end after them, as vLLM writes it.
pub fn chat(tokens: usize) -> Wire {
    let mut wire = Wire { body: Vec::new(), marks: Vec::new() };
    let words = [" the", " quick", " brown", " fox", " isn\\u0027t", " \\\"quoted\\\"", "\\n", " 42"];
    wire.push(&chunk(r#"{"role":"assistant","content":""}"#, "null"));
    for index in 0..tokens {
        let end = if index + 1 == tokens { r#""length""# } else { "null" };
        wire.push(&chunk(&format!(r#"{{"content":"{}"}}"#, words[index % words.len()]), end));
    }
    wire.push(&format!(
        r#"{{"id":"chatcmpl-0123456789abcdef","object":"chat.completion.chunk","created":1767225600,"model":"simulated","choices":[],"usage":{{"prompt_tokens":1024,"total_tokens":{},"completion_tokens":{tokens}}}}}"#,
        1024 + tokens
    ));
    wire.push("[DONE]");
    wire
}

fn chunk(delta: &str, finish_reason: &str) -> String {
    format!(
        r#"{{"id":"chatcmpl-0123456789abcdef","object":"chat.completion.chunk","created":1767225600,"model":"simulated","choices":[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish_reason}}}]}}"#
    )
}

impl Wire {
    fn push(&mut self, data: &str) {
        self.body.extend_from_slice(b"data: ");
        self.body.extend_from_slice(data.as_bytes());
        self.body.extend_from_slice(b"\n\n");
        let at = Nanos(50_000_000 + self.marks.len() as i64 * 5_000_000);
        self.marks.push(Mark { at, end: self.body.len() });
    }
}

/// The reply as a parser is shown it.
pub fn reply(framed: &Framed) -> Reply<'_> {
    let frames: &[Frame] = &framed.frames;
    Reply {
        status: 200,
        content_type: Some("text/event-stream"),
        framing: Framing::Sse,
        complete: true,
        sent: Nanos::ZERO,
        payload: &framed.payload,
        frames,
    }
}

/// What a run that would get such replies is told.
pub fn config() -> RunConfig {
    RunConfig {
        model: "simulated".into(),
        url: "http://127.0.0.1:1/v1/chat/completions".into(),
        stream: true,
        ..RunConfig::default()
    }
}
