//! What the events of a DashScope stream mean, and what a whole reply does: both have one shape.

use serde_json::Value;

use super::super::reply::{self, Next, count_at, each_frame, error_event, json, list_at, one_line, text_at};
use crate::contract::{Failure, FailureKind, Outcome, OutputKind, Reply};

/// The outcome that the events add up to. What came before a failure is kept.
pub(super) fn parse(reply: &Reply<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.outputs.reserve(reply.frames.len());
    let mut counted = Some(0);
    outcome.failure = each_frame(reply, |index, event, data| {
        if event == Some("error") {
            return Err(error_event(data));
        }
        if !data.is_empty() {
            result(&mut outcome, &mut counted, index, &json(index, data)?)?;
        }
        Ok(Next::Continue)
    });
    if counted.is_none() {
        outcome.outputs.iter_mut().for_each(|output| output.tokens = None);
    }
    let ended = outcome.finish_reason.is_some();
    reply::judge(&mut outcome, reply, ended, "the stream ended without a finish reason");
    outcome
}

/// One result. `counted` is how many output tokens the results before it had, `None` once one with
/// output does not say.
fn result(
    outcome: &mut Outcome,
    counted: &mut Option<u64>,
    index: usize,
    result: &Value,
) -> Result<(), Failure> {
    let code = text_at(result, "/code");
    if !code.is_empty() {
        let message = one_line(&format!("{code}: {}", text_at(result, "/message")));
        return Err(Failure::new(FailureKind::StreamError, message));
    }
    let first = outcome.outputs.len();
    for choice in list_at(result, "/output/choices") {
        put_message(outcome, index, &choice["message"]);
        finish_reason(outcome, choice);
    }
    reply::output(outcome, index, OutputKind::Content, &[text_at(result, "/output/text")]);
    finish_reason(outcome, &result["output"]);

    // The counts are those of the whole reply so far, so a result brought what they grew by.
    let now = count_at(result, &["/usage/output_tokens"]);
    if outcome.outputs.len() > first {
        match (*counted, now) {
            (Some(before), Some(now)) => {
                let brought = u32::try_from(now.saturating_sub(before)).unwrap_or(u32::MAX);
                for (i, output) in outcome.outputs[first..].iter_mut().enumerate() {
                    output.tokens = Some(if i == 0 { brought } else { 0 });
                }
            }
            _ => *counted = None,
        }
    }
    *counted = counted.map(|before| now.unwrap_or(before));
    let known = &mut outcome.usage;
    known.output_tokens = now.or(known.output_tokens);
    known.input_tokens = count_at(result, &["/usage/input_tokens"]).or(known.input_tokens);
    known.reasoning_tokens =
        count_at(result, &["/usage/output_tokens_details/reasoning_tokens"]).or(known.reasoning_tokens);
    known.cached_tokens = count_at(
        result,
        &["/usage/prompt_tokens_details/cached_tokens", "/usage/input_tokens_details/cached_tokens"],
    )
    .or(known.cached_tokens);
    Ok(())
}

/// While there is more to come the reason is the text "null".
fn finish_reason(outcome: &mut Outcome, from: &Value) {
    let reason = text_at(from, "/finish_reason");
    if !matches!(reason, "" | "null") {
        outcome.finish_reason = Some(reason.to_string());
    }
}

fn put_message(outcome: &mut Outcome, index: usize, message: &Value) {
    reply::output(outcome, index, OutputKind::Reasoning, &[text_at(message, "/reasoning_content")]);
    reply::output(outcome, index, OutputKind::Content, &[text_at(message, "/content")]);
    for part in list_at(message, "/content") {
        reply::output(outcome, index, OutputKind::Content, &[text_at(part, "/text")]);
    }
    for call in list_at(message, "/tool_calls") {
        let said = [text_at(call, "/function/name"), text_at(call, "/function/arguments")];
        reply::output(outcome, index, OutputKind::ToolCall, &said);
    }
}

#[cfg(test)]
mod tests;
