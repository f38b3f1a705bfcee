//! What the frames of a chat or completions reply mean. This is the twin of the native
//! `host/src/api/openai_parse.rs`, and a test holds the two equal.
//!
//! A frame is read straight into borrowed structs. One that is valid JSON of another shape is read
//! a second time as a JSON value, and a member of an unexpected type counts as absent.

use serde_json::Value;

use tickrate_guest::{Failure, FailureKind, Framing, Outcome, OutputFrame, OutputKind, Reply};

use crate::chunk::{Chunk, Delta, TokenUsage};

/// The outcome that the frames add up to. What came before a failure is kept.
pub(super) fn parse(reply: &Reply) -> Outcome {
    let mut reading = Reading::default();
    reading.outcome.outputs.reserve(reply.frames.len());
    let cut = if reply.complete { None } else { reply.frames.len().checked_sub(1) };
    for (index, frame) in reply.frames.iter().enumerate() {
        let named_error = frame.event.as_deref() == Some("error");
        match reading.frame(index, reply.data(frame), named_error) {
            Ok(Next::Continue) => {}
            Ok(Next::Done) => break,
            // A reply that broke off may end with half a frame.
            Err(failure) if failure.kind == FailureKind::InvalidReply && Some(index) == cut => break,
            Err(failure) => {
                reading.outcome.failure = Some(failure);
                break;
            }
        }
    }
    reading.finish(reply)
}

enum Next {
    Continue,
    Done,
}

/// The state of reading a reply.
#[derive(Default)]
struct Reading {
    outcome: Outcome,
    done: bool,
    /// Output tokens as the last usage had them: with a usage in every frame, the increments are
    /// the tokens of the frames.
    counted: u64,
    /// Whether a frame with output had no such usage.
    uncounted: bool,
    timings: [Option<serde_json::Number>; 4],
}

impl Reading {
    fn frame(&mut self, index: usize, data: &[u8], named_error: bool) -> Result<Next, Failure> {
        let invalid = || Failure::new(FailureKind::InvalidReply, format!("frame {index} is not valid JSON"));
        let data = std::str::from_utf8(data).map_err(|_| invalid())?.trim();
        if named_error {
            return Err(error_event(data));
        }
        match data {
            "" => return Ok(Next::Continue),
            "[DONE]" => {
                self.done = true;
                return Ok(Next::Done);
            }
            _ => {}
        }
        // A sequence would be read into a struct by position, which is never meant.
        let read = if data.starts_with('{') { serde_json::from_str(data).ok() } else { None };
        match read {
            Some(chunk) => self.chunk(index, chunk)?,
            None => {
                let value: Value = serde_json::from_str(data).map_err(|_| invalid())?;
                self.chunk(index, Chunk::from_value(&value))?;
            }
        }
        Ok(Next::Continue)
    }

    fn chunk(&mut self, index: usize, chunk: Chunk<'_>) -> Result<(), Failure> {
        if let Some(message) = chunk.error.as_ref().and_then(error_message) {
            return Err(Failure::new(FailureKind::StreamError, message));
        }
        let first = self.outcome.outputs.len();
        let frame = u32::try_from(index).unwrap_or(u32::MAX);
        for choice in chunk.choices.into_iter().flatten() {
            if let Some(delta) = choice.delta.or(choice.message) {
                self.delta(frame, &delta);
            }
            if let Some(text) = choice.text {
                self.output(frame, OutputKind::Content, &[&text.0]);
            }
            if let Some(reason) = choice.finish_reason {
                self.outcome.finish_reason = Some(reason.0.into_owned());
            }
        }
        let counted = chunk.usage.as_ref().and_then(|usage| usage.completion_tokens);
        if self.outcome.outputs.len() > first {
            match counted {
                None => self.uncounted = true,
                Some(counted) => {
                    let brought = counted.saturating_sub(self.counted);
                    for (i, output) in self.outcome.outputs[first..].iter_mut().enumerate() {
                        output.tokens =
                            Some(if i == 0 { u32::try_from(brought).unwrap_or(u32::MAX) } else { 0 });
                    }
                }
            }
        }
        self.counted = counted.unwrap_or(self.counted);
        if let Some(usage) = chunk.usage {
            self.usage(&usage);
        }
        if let Some(timings) = chunk.timings {
            let now = [timings.prompt_n, timings.prompt_ms, timings.predicted_n, timings.predicted_ms];
            for (known, now) in self.timings.iter_mut().zip(now) {
                *known = now.or(known.take());
            }
        }
        Ok(())
    }

    fn delta(&mut self, frame: u32, delta: &Delta<'_>) {
        let reasoning = [&delta.reasoning_content, &delta.reasoning];
        if let Some(text) = reasoning.into_iter().flatten().find(|text| !text.0.is_empty()) {
            self.output(frame, OutputKind::Reasoning, &[&text.0]);
        } else if let Some(details) = &delta.reasoning_details {
            let texts: Vec<&str> = details
                .iter()
                .flat_map(|detail| [&detail.text, &detail.summary].into_iter().flatten())
                .map(|text| text.0.as_ref())
                .collect();
            self.output(frame, OutputKind::Reasoning, &texts);
        }
        if let Some(text) = &delta.content {
            self.output(frame, OutputKind::Content, &[&text.0]);
        }
        for call in delta.tool_calls.iter().flatten() {
            if let Some(function) = &call.function {
                let text =
                    [&function.name, &function.arguments].map(|text| text.as_ref().map_or("", |t| &t.0));
                self.output(frame, OutputKind::ToolCall, &text);
            }
        }
        if let Some(text) = &delta.refusal {
            self.output(frame, OutputKind::Content, &[&text.0]);
        }
    }

    /// Adds output, if it is any.
    fn output(&mut self, frame: u32, kind: OutputKind, texts: &[&str]) {
        let before = self.outcome.text.len();
        for text in texts {
            self.outcome.text.push_str(text);
        }
        let brought = self.outcome.text.len() - before;
        if brought > 0 {
            let text_bytes = u32::try_from(brought).unwrap_or(u32::MAX);
            self.outcome.outputs.push(OutputFrame { frame, kind, text_bytes, tokens: None });
        }
    }

    /// Each figure counts by itself: a later usage that lacks one does not take it back.
    fn usage(&mut self, now: &TokenUsage) {
        let known = &mut self.outcome.usage;
        known.input_tokens = now.prompt_tokens.or(known.input_tokens);
        known.output_tokens = now.completion_tokens.or(known.output_tokens);
        let reasoning = now.completion_tokens_details.as_ref().and_then(|details| details.reasoning_tokens);
        known.reasoning_tokens = reasoning.or(known.reasoning_tokens);
        let cached = now.prompt_tokens_details.as_ref().and_then(|details| details.cached_tokens);
        known.cached_tokens = cached.or(known.cached_tokens);
    }

    fn finish(mut self, reply: &Reply) -> Outcome {
        let names = ["server_prompt_n", "server_prompt_ms", "server_predicted_n", "server_predicted_ms"];
        for (name, timing) in names.into_iter().zip(self.timings) {
            self.outcome.labels.extend(timing.map(|number| (name.to_string(), number.to_string())));
        }
        let outcome = &mut self.outcome;
        if self.uncounted {
            outcome.outputs.iter_mut().for_each(|output| output.tokens = None);
        }
        if outcome.failure.is_none() && reply.complete {
            let ended = self.done || outcome.finish_reason.is_some() || reply.framing == Framing::Whole;
            if !ended {
                outcome.failure = Some(Failure::new(
                    FailureKind::Truncated,
                    "the stream ended without a finish reason or [DONE]",
                ));
            } else if outcome.outputs.is_empty() && outcome.usage.output_tokens.unwrap_or(0) == 0 {
                outcome.failure = Some(Failure::new(FailureKind::EmptyReply, "the reply carried no output"));
            }
        }
        self.outcome
    }
}

/// The error that an event named `error` brings, in whatever form.
fn error_event(data: &str) -> Failure {
    let value: Option<Value> = serde_json::from_str(data).ok();
    let message = value.as_ref().and_then(|value| match value.get("error") {
        Some(error) => error_message(error),
        None => error_message(value),
    });
    Failure::new(FailureKind::StreamError, message.unwrap_or_else(|| one_line(data)))
}

/// What an error says; `None` if it is none.
fn error_message(error: &Value) -> Option<String> {
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
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
