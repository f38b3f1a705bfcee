//! What a reply means: it is parsed, its tokens are counted, and its frames get their times. The same
//! for a reply that has just come and for one that was kept.

use crate::contract::framing::Framed;
use crate::contract::{
    Api, Failure, FailureKind, Framing, Outcome, OutputKind, Reply, Timeline, TokenCounter, Usage,
};
use crate::record::{CachedSource, TokenCounts, TokenFrame, TokenSource};
use crate::units::Nanos;

/// A reply as far as it came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrived<'a> {
    /// The HTTP status, once there was one.
    pub(super) status: Option<u16>,
    /// The reply's `Content-Type`.
    pub(super) content_type: Option<&'a str>,
    /// How it was framed.
    pub(super) framing: Framing,
    /// When the request was sent.
    pub(super) sent: Nanos,
    /// Why it was not read to its end, if it was not.
    pub(super) broken: Option<&'a Failure>,
    /// Its payload and frames.
    pub(super) framed: &'a Framed,
}

impl<'a> Arrived<'a> {
    /// What the transport saw, divided into frames.
    pub(super) fn new(timeline: &'a Timeline, framed: &'a Framed) -> Arrived<'a> {
        Arrived {
            status: timeline.status,
            content_type: timeline.content_type.as_deref(),
            framing: timeline.framing,
            sent: timeline.sent.unwrap_or(Nanos::ZERO),
            broken: timeline.ending.failure(),
            framed,
        }
    }
}

/// What the reply says, and what the transport knows better: a status that is no success and a
/// broken connection are failures whatever the parser makes of the bytes.
pub(super) fn understand(api: &dyn Api, arrived: &Arrived<'_>) -> Outcome {
    let Some(status) = arrived.status else {
        return Outcome { failure: arrived.broken.cloned(), ..Outcome::default() };
    };
    if !(200..300).contains(&status) {
        let said = excerpt(&arrived.framed.payload);
        let message =
            if said.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {said}") };
        return Outcome {
            failure: Some(Failure::new(FailureKind::HttpStatus, message)),
            ..Outcome::default()
        };
    }
    let reply = Reply {
        status,
        content_type: arrived.content_type,
        framing: arrived.framing,
        complete: arrived.broken.is_none(),
        sent: arrived.sent,
        payload: &arrived.framed.payload,
        frames: &arrived.framed.frames,
    };
    let mut outcome = api.parse(&reply).unwrap_or_else(|error| {
        let failure = Failure::new(FailureKind::Plugin, error.to_string());
        Outcome { failure: Some(failure), ..Outcome::default() }
    });
    // An error that the server put into the stream explains the broken connection after it.
    let explained = outcome.failure.as_ref().is_some_and(|failure| failure.kind == FailureKind::StreamError);
    if arrived.broken.is_some() && !explained {
        outcome.failure = arrived.broken.cloned();
    }
    outcome
}

/// The best count there is of each side: the server's, else the tokenizer's, else none. `of_prompt`
/// counts the prompt with the tokenizer; `seen` is how many of its tokens the server has seen in the
/// turns before, of which its cache is taken to be where it does not report it.
pub(super) fn count_tokens(
    outcome: &Outcome,
    counter: Option<&dyn TokenCounter>,
    of_prompt: impl FnOnce() -> Option<u64>,
    seen: Option<u64>,
) -> TokenCounts {
    let Usage { input_tokens, output_tokens, reasoning_tokens, cached_tokens } = outcome.usage;
    let failed = outcome.failure.is_some();
    let output = output_tokens.or_else(|| {
        // What a failed request produced counts as well. No output is nothing to count: it may be
        // that none was asked for.
        (!outcome.text.is_empty()).then(|| counter?.count_text(&outcome.text).ok()).flatten()
    });
    let input = input_tokens.or_else(|| (!failed).then(of_prompt).flatten());
    let counted = |reported: Option<u64>, known: Option<u64>| known.is_some() && reported.is_none();
    let source = match (
        counted(input_tokens, input) || counted(output_tokens, output),
        input_tokens.is_some() || output_tokens.is_some(),
    ) {
        (false, false) => None,
        (false, true) => Some(TokenSource::Server),
        (true, false) => Some(TokenSource::Tokenizer),
        (true, true) => Some(TokenSource::Mixed),
    };
    let estimated = || Some((seen.filter(|_| !failed)?.min(input?), CachedSource::Estimated));
    let reported = cached_tokens.map(|cached| (cached, CachedSource::Server));
    let (cached, cached_source) = reported.or_else(estimated).unzip();
    TokenCounts { input, output, reasoning: reasoning_tokens, cached, cached_source, source }
}

/// The frames that carried output, with their times and their tokens; one that carried several kinds
/// of output counts once. `output` is the count of all output tokens.
pub(super) fn token_frames(
    outcome: &Outcome,
    framed: &Framed,
    output: Option<u64>,
    counter: Option<&dyn TokenCounter>,
) -> Vec<TokenFrame> {
    let mut frames = frames_with_output(outcome, framed);
    attribute_tokens(&mut frames, outcome, output, counter);
    frames
}

fn frames_with_output(outcome: &Outcome, framed: &Framed) -> Vec<TokenFrame> {
    let mut out: Vec<TokenFrame> = Vec::with_capacity(outcome.outputs.len());
    let mut last = None;
    for output in &outcome.outputs {
        let answer = output.kind == OutputKind::Content;
        match out.last_mut() {
            Some(frame) if last == Some(output.frame) => {
                frame.answer |= answer;
                frame.tokens = match (frame.tokens, output.tokens) {
                    (Some(a), Some(b)) => Some(a + b),
                    (a, b) => a.or(b),
                };
            }
            _ => {
                let Some(frame) = framed.frames.get(output.frame as usize) else { break };
                out.push(TokenFrame { at: frame.at, tokens: output.tokens, answer });
            }
        }
        last = Some(output.frame);
    }
    out
}

/// Says how many tokens each frame brought, where the server did not: one each, if there are as
/// many frames as tokens; else as the tokenizer divides the text.
fn attribute_tokens(
    frames: &mut [TokenFrame],
    outcome: &Outcome,
    output: Option<u64>,
    counter: Option<&dyn TokenCounter>,
) {
    if frames.iter().all(|frame| frame.tokens.is_some()) {
        return;
    }
    if output == Some(frames.len() as u64) {
        for frame in frames {
            frame.tokens = Some(1);
        }
        return;
    }
    let Some(counter) = counter else { return };
    let mut outputs = outcome.outputs.iter().peekable();
    let mut text = outcome.text.as_str();
    for frame in frames {
        let Some(first) = outputs.next() else { return };
        let mut bytes = first.text_bytes as usize;
        while let Some(more) = outputs.next_if(|more| more.frame == first.frame) {
            bytes += more.text_bytes as usize;
        }
        let Some((piece, rest)) = text.split_at_checked(bytes) else { return };
        text = rest;
        frame.tokens = counter.count_text(piece).ok().and_then(|tokens| u32::try_from(tokens).ok());
    }
}

/// The beginning of an error's body, on one line: the message of a JSON error, the text of a page.
fn excerpt(body: &[u8]) -> String {
    const MOST: usize = 300;
    let text = String::from_utf8_lossy(&body[..body.len().min(64 << 10)]);
    let json = serde_json::from_str::<serde_json::Value>(&text).ok();
    let message = json.as_ref().and_then(|json| {
        let error = json.get("error").unwrap_or(json);
        let named = |key: &str| error.get(key).and_then(serde_json::Value::as_str);
        error.as_str().or_else(|| named("message")).or_else(|| named("detail"))
    });
    let plain = match message {
        Some(message) => message.to_string(),
        None if text.trim_start().starts_with('<') => without_tags(&text),
        None => text.into_owned(),
    };
    let mut line = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((cut, _)) = line.char_indices().nth(MOST) {
        line.truncate(cut);
        line.push('…');
    }
    line
}

fn without_tags(page: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for letter in page.chars() {
        match letter {
            '<' => inside = true,
            '>' => {
                inside = false;
                out.push(' ');
            }
            _ if !inside => out.push(letter),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_an_error_is_found_in_json_and_in_a_page() {
        assert_eq!(excerpt(br#"{"error":{"message":"no such\nmodel","code":404}}"#), "no such model");
        assert_eq!(excerpt(br#"{"error":"overloaded"}"#), "overloaded");
        assert_eq!(excerpt(br#"{"detail":"Not Found"}"#), "Not Found");
        assert_eq!(excerpt(b"<html><body><h1>500</h1>Internal   error</body></html>"), "500 Internal error");
        assert_eq!(excerpt(b""), "");
        assert_eq!(excerpt("é".repeat(400).as_bytes()).chars().count(), 301);
    }
}
