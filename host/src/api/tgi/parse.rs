//! What the events of the generate API mean.

use serde::Deserialize;
use serde_json::Value;

use super::super::reply::{invalid, one_line, output};
use crate::contract::{Failure, FailureKind, Framing, Outcome, OutputKind, Reply};

/// An event of the stream, or, with nothing but the last three members, a whole reply.
#[derive(Deserialize)]
struct Event {
    token: Option<Token>,
    error: Option<String>,
    generated_text: Option<String>,
    details: Option<Details>,
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    text: String,
    #[serde(default)]
    special: bool,
}

#[derive(Deserialize)]
struct Details {
    finish_reason: Option<String>,
    generated_tokens: Option<u64>,
    input_length: Option<u64>,
    #[serde(default)]
    prefill: Vec<Value>,
}

/// The outcome that the events add up to. What came before a failure is kept.
pub(super) fn parse(reply: &Reply<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    let mut ended = false;
    for (index, frame) in reply.frames.iter().enumerate() {
        let event: Event = match serde_json::from_slice(reply.data(frame)) {
            Ok(event) => event,
            // The end of a reply that broke off may be half an event.
            Err(_) if !reply.complete && index + 1 == reply.frames.len() => break,
            Err(_) => {
                outcome.failure = Some(invalid(index));
                return outcome;
            }
        };
        if let Some(message) = event.error {
            outcome.failure = Some(Failure::new(FailureKind::StreamError, one_line(&message)));
            return outcome;
        }
        // Only the last event has the text as a whole.
        ended |= event.generated_text.is_some() || event.details.is_some();
        // A special token, the end of the text, is one that was generated and is not shown.
        let shown = event.token.as_ref().filter(|token| !token.special && !token.text.is_empty());
        if let Some(token) = shown {
            output(&mut outcome, index, OutputKind::Content, &[&token.text]);
            if let Some(output) = outcome.outputs.last_mut() {
                output.tokens = Some(1);
            }
        } else if let (None, Some(text)) = (&event.token, event.generated_text) {
            output(&mut outcome, index, OutputKind::Content, &[&text]);
        }
        if let Some(details) = event.details {
            outcome.finish_reason = details.finish_reason.or(outcome.finish_reason);
            outcome.usage.output_tokens = details.generated_tokens;
            let counted = (!details.prefill.is_empty()).then_some(details.prefill.len() as u64);
            outcome.usage.input_tokens = details.input_length.or(counted);
        }
    }
    if reply.complete {
        if !ended && reply.framing == Framing::Sse {
            let message = "the stream ended without the text as a whole";
            outcome.failure = Some(Failure::new(FailureKind::Truncated, message));
        } else if outcome.outputs.is_empty() && outcome.usage.output_tokens.unwrap_or(0) == 0 {
            outcome.failure = Some(Failure::new(FailureKind::EmptyReply, "the reply carried no output"));
        }
    }
    outcome
}

#[cfg(test)]
mod tests;
