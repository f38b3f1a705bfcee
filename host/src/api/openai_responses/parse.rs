//! What the events of a Responses stream mean, and what a whole response does.

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
        if let Some(Delta { kind: Some(kind), delta: Some(text) }) = shaped(data)
            && let Some(kind) = kind_of_delta(&kind.0)
        {
            reply::output(&mut outcome, index, kind, &[&text.0]);
            return Ok(Next::Continue);
        }
        let event = json(index, data)?;
        let before = outcome.outputs.len();
        let read = other_event(&mut outcome, index, &event);
        if outcome.outputs.len() == before {
            outcome.note_bare(index, false);
        }
        ended = read?;
        Ok(if ended { Next::Done } else { Next::Continue })
    });
    reply::judge(&mut outcome, reply, ended, "the stream ended without the event \"response.completed\"");
    outcome
}

/// An event that brings a piece of output.
#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    delta: Option<Text<'a>>,
}

fn kind_of_delta(event: &str) -> Option<OutputKind> {
    Some(match event {
        "response.output_text.delta" | "response.refusal.delta" => OutputKind::Content,
        "response.reasoning_text.delta" | "response.reasoning_summary_text.delta" => OutputKind::Reasoning,
        "response.function_call_arguments.delta"
        | "response.mcp_call_arguments.delta"
        | "response.custom_tool_call_input.delta" => OutputKind::ToolCall,
        _ => return None,
    })
}

/// An event of another kind, or a whole response. Returns whether it is the last.
fn other_event(outcome: &mut Outcome, index: usize, event: &Value) -> Result<bool, Failure> {
    let kind = event.get("type").and_then(Value::as_str);
    let response = event.get("response").unwrap_or(event);
    match kind {
        Some("response.output_item.added") => {
            // A call begins with its name, which the model wrote as well as the arguments.
            if text_at(event, "/item/type").ends_with("_call") {
                reply::output(outcome, index, OutputKind::ToolCall, &[text_at(event, "/item/name")]);
            }
            Ok(false)
        }
        Some("response.completed" | "response.incomplete") => {
            whole(outcome, index, response)?;
            Ok(true)
        }
        Some("response.failed" | "response.cancelled") => {
            usage(outcome, response);
            Err(failed(response))
        }
        Some("error") => Err(failed(event)),
        Some(_) => Ok(false),
        None => {
            if let Some(message) = event.get("error").and_then(error_message) {
                return Err(Failure::new(FailureKind::StreamError, message));
            }
            whole(outcome, index, event)?;
            Ok(event.get("output").is_some())
        }
    }
}

fn failed(event: &Value) -> Failure {
    let message = event.get("error").and_then(error_message).or_else(|| {
        let said = text_at(event, "/message");
        (!said.is_empty()).then(|| reply::one_line(said))
    });
    let status = text_at(event, "/status");
    let message = message.unwrap_or_else(|| match status {
        "" => NO_REASON.to_string(),
        status => format!("the response ended with the status \"{status}\""),
    });
    Failure::new(FailureKind::StreamError, message)
}

/// A response as a whole: its counts, why it ended, and its output, unless that has come in pieces.
fn whole(outcome: &mut Outcome, index: usize, response: &Value) -> Result<(), Failure> {
    usage(outcome, response);
    if outcome.outputs.is_empty() {
        list_at(response, "/output").iter().for_each(|item| put_item(outcome, index, item));
    }
    let status = text_at(response, "/status");
    if matches!(status, "failed" | "cancelled") {
        return Err(failed(response));
    }
    let reason = match text_at(response, "/incomplete_details/reason") {
        "" => status,
        reason => reason,
    };
    outcome.finish_reason = (!reason.is_empty()).then(|| reason.to_string());
    Ok(())
}

/// Each figure counts by itself.
fn usage(outcome: &mut Outcome, response: &Value) {
    let count = |pointers: &[&str]| count_at(response, pointers);
    let known = &mut outcome.usage;
    known.input_tokens = count(&["/usage/input_tokens", "/usage/prompt_tokens"]).or(known.input_tokens);
    known.output_tokens =
        count(&["/usage/output_tokens", "/usage/completion_tokens"]).or(known.output_tokens);
    known.reasoning_tokens = count(&[
        "/usage/output_tokens_details/reasoning_tokens",
        "/usage/completion_tokens_details/reasoning_tokens",
    ])
    .or(known.reasoning_tokens);
    known.cached_tokens =
        count(&["/usage/input_tokens_details/cached_tokens", "/usage/prompt_tokens_details/cached_tokens"])
            .or(known.cached_tokens);
}

fn put_item(outcome: &mut Outcome, index: usize, item: &Value) {
    match text_at(item, "/type") {
        "reasoning" => {
            for part in list_at(item, "/content").iter().chain(list_at(item, "/summary")) {
                reply::output(outcome, index, OutputKind::Reasoning, &[text_at(part, "/text")]);
            }
        }
        "message" => {
            for part in list_at(item, "/content") {
                let said = [text_at(part, "/text"), text_at(part, "/refusal")];
                reply::output(outcome, index, OutputKind::Content, &said);
            }
        }
        kind if kind.ends_with("_call") => {
            let said = [text_at(item, "/name"), text_at(item, "/arguments"), text_at(item, "/input")];
            reply::output(outcome, index, OutputKind::ToolCall, &said);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
