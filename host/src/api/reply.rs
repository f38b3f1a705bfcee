//! What the parsers of all APIs do alike: going through frames, noting output, reading errors.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use crate::contract::{Failure, FailureKind, Framing, Outcome, OutputFrame, OutputKind, Reply};

/// Text that is borrowed from the frame, unless it has escapes in it. (Serde borrows a `Cow` only
/// where it is not within an `Option`.)
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// Whether there may be more in a reply.
pub(super) enum Next {
    Continue,
    Done,
}

/// Reads the frames one after another until one is the last that matters, or fails; returns that
/// failure. Each is given with its index and its SSE event name.
pub(super) fn each_frame(
    reply: &Reply<'_>,
    mut read: impl FnMut(usize, Option<&str>, &str) -> Result<Next, Failure>,
) -> Option<Failure> {
    let cut = if reply.complete { None } else { reply.frames.len().checked_sub(1) };
    for (index, frame) in reply.frames.iter().enumerate() {
        let data = std::str::from_utf8(reply.data(frame)).map_err(|_| invalid(index));
        match data.and_then(|data| read(index, frame.event.as_deref(), data.trim())) {
            Ok(Next::Continue) => {}
            Ok(Next::Done) => break,
            // A reply that broke off may end with half a frame.
            Err(failure) if failure.kind == FailureKind::InvalidReply && Some(index) == cut => break,
            Err(failure) => return Some(failure),
        }
    }
    None
}

/// The failure of a frame that cannot be read.
pub(super) fn invalid(index: usize) -> Failure {
    Failure::new(FailureKind::InvalidReply, format!("frame {index} is not valid JSON"))
}

/// The JSON of a frame.
pub(super) fn json(index: usize, data: &str) -> Result<Value, Failure> {
    serde_json::from_str(data).map_err(|_| invalid(index))
}

/// The struct that a frame is, if it is an object of that shape. (A sequence would be read into a
/// struct by position, which is never meant.)
pub(super) fn shaped<'a, T: Deserialize<'a>>(data: &'a str) -> Option<T> {
    if data.starts_with('{') { serde_json::from_str(data).ok() } else { None }
}

/// Notes the output that a frame brought, put together from `texts`, if it is any.
pub(super) fn output(outcome: &mut Outcome, frame: usize, kind: OutputKind, texts: &[&str]) {
    let before = outcome.text.len();
    for text in texts {
        outcome.text.push_str(text);
    }
    let brought = outcome.text.len() - before;
    if brought > 0 {
        let frame = u32::try_from(frame).unwrap_or(u32::MAX);
        let text_bytes = u32::try_from(brought).unwrap_or(u32::MAX);
        outcome.outputs.push(OutputFrame { frame, kind, text_bytes, tokens: None });
    }
}

/// Judges a reply that was read to its end and reported no failure: a stream must have `ended` in
/// the API's own way, else `truncated` says what it lacks, and there must have been output.
pub(super) fn judge(outcome: &mut Outcome, reply: &Reply<'_>, ended: bool, truncated: &str) {
    if outcome.failure.is_some() || !reply.complete {
        return;
    }
    if !(ended || reply.framing == Framing::Whole) {
        outcome.failure = Some(Failure::new(FailureKind::Truncated, truncated));
    } else if outcome.outputs.is_empty() && outcome.usage.output_tokens.unwrap_or(0) == 0 {
        outcome.failure = Some(Failure::new(FailureKind::EmptyReply, "the reply carried no output"));
    }
}

/// The error that an event brings which is named so, in whatever form.
pub(super) fn error_event(data: &str) -> Failure {
    let value: Option<Value> = serde_json::from_str(data).ok();
    let message = value.as_ref().and_then(|value| match value.get("error") {
        Some(error) => error_message(error),
        None => error_message(value),
    });
    Failure::new(FailureKind::StreamError, message.unwrap_or_else(|| one_line(data)))
}

/// What an error says; `None` if it is none.
pub(super) fn error_message(error: &Value) -> Option<String> {
    match error {
        Value::Object(members) => {
            let said = members.get("message").and_then(Value::as_str).filter(|said| !said.is_empty());
            Some(said.map_or_else(|| error.to_string(), one_line))
        }
        Value::String(said) if !said.is_empty() => Some(one_line(said)),
        _ => None,
    }
}

/// What stands in the place of an error's text where there is none.
pub(super) const NO_REASON: &str = "no reason given";

/// The text of an error with every run of white space made one space.
pub(super) fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.is_empty() { NO_REASON.to_string() } else { words.join(" ") }
}

/// The text at the JSON pointer; empty if there is none.
pub(super) fn text_at<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The first count that there is at the JSON pointers.
pub(super) fn count_at(value: &Value, pointers: &[&str]) -> Option<u64> {
    pointers.iter().find_map(|pointer| value.pointer(pointer)?.as_u64())
}

/// The elements of the list at the JSON pointer; none if there is no list.
pub(super) fn list_at<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
