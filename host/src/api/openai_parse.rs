//! What the frames of a chat or completions reply mean.
//!
//! A frame is read straight into borrowed structs. One that is valid JSON of another shape is read
//! a second time as a JSON value, and a member of an unexpected type counts as absent.

mod chunk;

use super::reply::{Next, each_frame, error_event, error_message, json, judge, output, shaped};
use crate::contract::{Failure, FailureKind, Outcome, OutputKind, Reply};
use chunk::{Chunk, Delta, TokenUsage};

/// The outcome that the frames add up to. What came before a failure is kept.
pub(super) fn parse(reply: &Reply<'_>) -> Outcome {
    let mut reading = Reading::default();
    reading.outcome.outputs.reserve(reply.frames.len());
    reading.outcome.failure = each_frame(reply, |index, event, data| reading.frame(index, event, data));
    reading.finish(reply)
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
    fn frame(&mut self, index: usize, event: Option<&str>, data: &str) -> Result<Next, Failure> {
        if event == Some("error") {
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
        match shaped(data) {
            Some(chunk) => self.chunk(index, chunk)?,
            None => self.chunk(index, Chunk::from_value(&json(index, data)?))?,
        }
        Ok(Next::Continue)
    }

    fn chunk(&mut self, index: usize, chunk: Chunk<'_>) -> Result<(), Failure> {
        if let Some(message) = chunk.error.as_ref().and_then(error_message) {
            self.outcome.note_bare(index, false);
            return Err(Failure::new(FailureKind::StreamError, message));
        }
        let first = self.outcome.outputs.len();
        let has_choice = chunk.choices.as_ref().is_some_and(|choices| !choices.is_empty());
        for choice in chunk.choices.into_iter().flatten() {
            if let Some(delta) = choice.delta.or(choice.message) {
                self.delta(index, &delta);
            }
            if let Some(text) = choice.text {
                output(&mut self.outcome, index, OutputKind::Content, &[&text.0]);
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
        if self.outcome.outputs.len() == first {
            self.outcome.note_bare(index, has_choice);
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

    fn delta(&mut self, frame: usize, delta: &Delta<'_>) {
        let outcome = &mut self.outcome;
        let reasoning = [&delta.reasoning_content, &delta.reasoning];
        if let Some(text) = reasoning.into_iter().flatten().find(|text| !text.0.is_empty()) {
            output(outcome, frame, OutputKind::Reasoning, &[&text.0]);
        } else if let Some(details) = &delta.reasoning_details {
            let texts: Vec<&str> = details
                .iter()
                .flat_map(|detail| [&detail.text, &detail.summary].into_iter().flatten())
                .map(|text| text.0.as_ref())
                .collect();
            output(outcome, frame, OutputKind::Reasoning, &texts);
        }
        if let Some(text) = &delta.content {
            output(outcome, frame, OutputKind::Content, &[&text.0]);
        }
        for call in delta.tool_calls.iter().flatten() {
            if let Some(function) = &call.function {
                let text =
                    [&function.name, &function.arguments].map(|text| text.as_ref().map_or("", |t| &t.0));
                output(outcome, frame, OutputKind::ToolCall, &text);
            }
        }
        if let Some(text) = &delta.refusal {
            output(outcome, frame, OutputKind::Content, &[&text.0]);
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

    fn finish(mut self, reply: &Reply<'_>) -> Outcome {
        let names = ["server_prompt_n", "server_prompt_ms", "server_predicted_n", "server_predicted_ms"];
        for (name, timing) in names.into_iter().zip(self.timings) {
            self.outcome.labels.extend(timing.map(|number| (name.to_string(), number.to_string())));
        }
        let outcome = &mut self.outcome;
        if self.uncounted {
            outcome.outputs.iter_mut().for_each(|output| output.tokens = None);
        }
        let ended = self.done || outcome.finish_reason.is_some();
        judge(outcome, reply, ended, "the stream ended without a finish reason or [DONE]");
        self.outcome
    }
}

#[cfg(test)]
mod tests;
