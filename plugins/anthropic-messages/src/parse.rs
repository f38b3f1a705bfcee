//! What the events of a Messages stream mean, and what a whole message does.

use serde_json::Value;
use tickrate_guest::{Event, Failure, FailureKind, Framing, Outcome, OutputKind, Reply};

/// The outcome that the events add up to. What came before a failure is kept.
pub(crate) fn parse(reply: &Reply) -> Outcome {
    let mut outcome = Outcome::default();
    let mut stopped = false;
    for event in reply.events() {
        let data = event.data().trim_ascii();
        let read = serde_json::from_slice::<Value>(data);
        if event.name() == "error" {
            let said = read.ok().and_then(|value| message(value.get("error").unwrap_or(&value)));
            let said = said.unwrap_or_else(|| one_line(&String::from_utf8_lossy(data)));
            outcome.failure = Some(Failure::new(FailureKind::StreamError, said));
            return outcome;
        }
        if data.is_empty() || data == b"[DONE]" {
            continue;
        }
        let Ok(value) = read else {
            if event.may_be_cut() {
                break;
            }
            let said = format!("frame {} is not valid JSON", event.index());
            outcome.failure = Some(Failure::new(FailureKind::InvalidReply, said));
            return outcome;
        };
        match take(&mut outcome, &event, &value) {
            Ok(false) => {}
            Ok(true) => {
                stopped = true;
                break;
            }
            Err(said) => {
                outcome.failure = Some(Failure::new(FailureKind::StreamError, said));
                return outcome;
            }
        }
    }
    stopped |= outcome.finish_reason.is_some();
    if reply.complete {
        if !(stopped || reply.framing == Framing::Whole) {
            let said = "the stream ended without the event \"message_stop\"";
            outcome.failure = Some(Failure::new(FailureKind::Truncated, said));
        } else if outcome.outputs.is_empty() && outcome.usage.output_tokens.unwrap_or(0) == 0 {
            outcome.failure = Some(Failure::new(FailureKind::EmptyReply, "the reply carried no output"));
        }
    }
    outcome
}

/// Takes an event, or a whole message. Returns whether it is the last, or what an error says.
fn take(outcome: &mut Outcome, event: &Event<'_>, value: &Value) -> Result<bool, String> {
    match text(value, "type") {
        "content_block_delta" => {
            let delta = &value["delta"];
            outcome.add(event, OutputKind::Content, text(delta, "text"), None);
            outcome.add(event, OutputKind::Reasoning, text(delta, "thinking"), None);
            outcome.add(event, OutputKind::ToolCall, text(delta, "partial_json"), None);
        }
        // What this event has as output tokens is only where the count begins.
        "message_start" => input_usage(outcome, &value["message"]["usage"]),
        "content_block_start" => put_block(outcome, event, &value["content_block"], false),
        "message_delta" => {
            input_usage(outcome, &value["usage"]);
            ended(outcome, &value["usage"], &value["delta"]);
        }
        "message_stop" => return Ok(true),
        "message" => {
            input_usage(outcome, &value["usage"]);
            for block in value["content"].as_array().map_or(&[][..], Vec::as_slice) {
                put_block(outcome, event, block, true);
            }
            ended(outcome, &value["usage"], value);
        }
        kind => {
            if let Some(said) = value.get("error").and_then(message) {
                return Err(said);
            }
            if kind == "error" {
                return Err(one_line(""));
            }
        }
    }
    Ok(false)
}

/// A block of content. In a stream it is only begun: a call has its name and no arguments yet.
fn put_block(outcome: &mut Outcome, event: &Event<'_>, block: &Value, whole: bool) {
    match text(block, "type") {
        "text" => outcome.add(event, OutputKind::Content, text(block, "text"), None),
        "thinking" => outcome.add(event, OutputKind::Reasoning, text(block, "thinking"), None),
        kind if kind.ends_with("tool_use") => {
            let input = block.get("input").filter(|_| whole).map(Value::to_string).unwrap_or_default();
            let call = format!("{}{input}", text(block, "name"));
            outcome.add(event, OutputKind::ToolCall, &call, None);
        }
        _ => {}
    }
}

/// The API's `input_tokens` leave out those that came from the cache or went into it. Servers that
/// count only at the end begin with 0: the most counts.
fn input_usage(outcome: &mut Outcome, usage: &Value) {
    let count = |name: &str| usage[name].as_u64();
    let cached = count("cache_read_input_tokens");
    if let Some(uncached) = count("input_tokens") {
        let written = count("cache_creation_input_tokens").unwrap_or(0);
        let all = uncached.saturating_add(cached.unwrap_or(0)).saturating_add(written);
        outcome.usage.input_tokens = outcome.usage.input_tokens.max(Some(all));
    }
    outcome.usage.cached_tokens = cached.or(outcome.usage.cached_tokens);
}

fn ended(outcome: &mut Outcome, usage: &Value, from: &Value) {
    outcome.usage.output_tokens = usage["output_tokens"].as_u64().or(outcome.usage.output_tokens);
    let reason = text(from, "stop_reason");
    if !reason.is_empty() {
        outcome.finish_reason = Some(reason.to_owned());
    }
}

/// What an error says; `None` if it is none.
fn message(error: &Value) -> Option<String> {
    match error {
        Value::Object(members) => {
            let said = members.get("message").and_then(Value::as_str).filter(|said| !said.is_empty());
            Some(said.map_or_else(|| error.to_string(), one_line))
        }
        Value::String(said) if !said.is_empty() => Some(one_line(said)),
        _ => None,
    }
}

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.is_empty() { "no reason given".to_owned() } else { words.join(" ") }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
