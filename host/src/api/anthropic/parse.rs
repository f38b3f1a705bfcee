//! What the events of a Messages stream mean, and what a whole message does.

use serde::Deserialize;
use serde_json::Value;

use super::super::reply::{
    self, NO_REASON, Next, Text, count_at, each_frame, error_event, error_message, json, list_at, shaped,
    text_at,
};
use crate::contract::{Failure, FailureKind, Outcome, OutputKind, Reply};

/// The outcome that the events add up to. What came before a failure is kept.
pub(super) fn parse(reply: &Reply<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.outputs.reserve(reply.frames.len());
    let mut ended = false;
    outcome.failure = each_frame(reply, |index, event, data| {
        if event == Some("error") {
            return Err(error_event(data));
        }
        if data.is_empty() || data == "[DONE]" {
            return Ok(Next::Continue);
        }
        if let Some(Event { kind: Some(kind), delta: Some(delta) }) = shaped(data)
            && kind.0 == "content_block_delta"
        {
            let texts = [
                (OutputKind::Content, delta.text),
                (OutputKind::Reasoning, delta.thinking),
                (OutputKind::ToolCall, delta.partial_json),
            ];
            for (kind, text) in texts {
                if let Some(text) = text {
                    reply::output(&mut outcome, index, kind, &[&text.0]);
                }
            }
            return Ok(Next::Continue);
        }
        let next = other_event(&mut outcome, index, &json(index, data)?)?;
        ended |= matches!(next, Next::Done);
        Ok(next)
    });
    let ended = ended || outcome.finish_reason.is_some();
    reply::judge(&mut outcome, reply, ended, "the stream ended without the event \"message_stop\"");
    outcome
}

/// An event that may bring a piece of output.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    thinking: Option<Text<'a>>,
    #[serde(borrow)]
    partial_json: Option<Text<'a>>,
}

/// An event of another kind, or a whole message.
fn other_event(outcome: &mut Outcome, index: usize, event: &Value) -> Result<Next, Failure> {
    match text_at(event, "/type") {
        "message_start" => {
            // What this event has as output tokens is only where the count begins.
            input_usage(outcome, &event["message"]["usage"]);
        }
        "content_block_start" => put_block(outcome, index, &event["content_block"], false),
        "message_delta" => {
            input_usage(outcome, &event["usage"]);
            output_usage(outcome, &event["usage"]);
            stop_reason(outcome, &event["delta"]);
        }
        "message_stop" => return Ok(Next::Done),
        "message" => {
            input_usage(outcome, &event["usage"]);
            output_usage(outcome, &event["usage"]);
            for block in list_at(event, "/content") {
                put_block(outcome, index, block, true);
            }
            stop_reason(outcome, event);
        }
        kind => {
            if let Some(message) = event.get("error").and_then(error_message) {
                return Err(Failure::new(FailureKind::StreamError, message));
            }
            if kind == "error" {
                return Err(Failure::new(FailureKind::StreamError, NO_REASON));
            }
        }
    }
    Ok(Next::Continue)
}

fn stop_reason(outcome: &mut Outcome, from: &Value) {
    let reason = text_at(from, "/stop_reason");
    if !reason.is_empty() {
        outcome.finish_reason = Some(reason.to_string());
    }
}

/// The API's `input_tokens` leave out those that came from the cache or went into it. Servers that
/// count only at the end begin with 0, and some leave the cache out at the end: the most counts.
fn input_usage(outcome: &mut Outcome, usage: &Value) {
    let cached = count_at(usage, &["/cache_read_input_tokens"]);
    if let Some(uncached) = count_at(usage, &["/input_tokens"]) {
        let written = count_at(usage, &["/cache_creation_input_tokens"]).unwrap_or(0);
        let all = uncached.saturating_add(cached.unwrap_or(0)).saturating_add(written);
        outcome.usage.input_tokens = outcome.usage.input_tokens.max(Some(all));
    }
    outcome.usage.cached_tokens = cached.or(outcome.usage.cached_tokens);
}

fn output_usage(outcome: &mut Outcome, usage: &Value) {
    outcome.usage.output_tokens = count_at(usage, &["/output_tokens"]).or(outcome.usage.output_tokens);
}

/// A block of content. In a stream it is only begun: a call has its name and no arguments yet.
fn put_block(outcome: &mut Outcome, index: usize, block: &Value, whole: bool) {
    match text_at(block, "/type") {
        "text" => reply::output(outcome, index, OutputKind::Content, &[text_at(block, "/text")]),
        "thinking" => reply::output(outcome, index, OutputKind::Reasoning, &[text_at(block, "/thinking")]),
        kind if kind.ends_with("tool_use") => {
            let input = block.get("input").filter(|_| whole).map(Value::to_string).unwrap_or_default();
            reply::output(outcome, index, OutputKind::ToolCall, &[text_at(block, "/name"), &input]);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
