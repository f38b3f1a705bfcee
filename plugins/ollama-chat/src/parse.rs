//! What the lines of Ollama's reply mean. The last one, `"done": true`, has the counts.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use tickrate_guest::{Failure, FailureKind, Outcome, OutputKind, Reply};

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    message: Option<Said<'a>>,
    #[serde(default)]
    done: bool,
    done_reason: Option<String>,
    error: Option<Value>,
    prompt_eval_count: Option<u64>,
    eval_count: Option<u64>,
    total_duration: Option<u64>,
    load_duration: Option<u64>,
    prompt_eval_duration: Option<u64>,
    eval_duration: Option<u64>,
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow, default)]
    content: Cow<'a, str>,
    #[serde(borrow, default)]
    thinking: Cow<'a, str>,
    #[serde(default)]
    tool_calls: Vec<ToolCall>,
}

#[derive(Deserialize)]
struct ToolCall {
    function: Function,
}

#[derive(Deserialize)]
struct Function {
    name: String,
    #[serde(default)]
    arguments: Value,
}

/// The outcome that the lines add up to. What came before a failure is kept.
pub(crate) fn parse(reply: &Reply) -> Outcome {
    let mut outcome = Outcome::default();
    let mut done = false;
    for (index, frame) in reply.frames.iter().enumerate() {
        let line: Line<'_> = match serde_json::from_slice(reply.data(frame)) {
            Ok(line) => line,
            // The end of a reply that broke off may be half a line.
            Err(_) if !reply.complete && index + 1 == reply.frames.len() => break,
            Err(_) => {
                let message = format!("frame {index} is not valid JSON");
                outcome.failure = Some(Failure::new(FailureKind::InvalidReply, message));
                return outcome;
            }
        };
        if let Some(error) = line.error {
            let message = error.as_str().map_or_else(|| error.to_string(), one_line);
            outcome.failure = Some(Failure::new(FailureKind::StreamError, message));
            return outcome;
        }
        if let Some(said) = &line.message {
            if !said.thinking.is_empty() {
                outcome.push(index, OutputKind::Reasoning, &said.thinking);
            }
            if !said.content.is_empty() {
                outcome.push(index, OutputKind::Content, &said.content);
            }
            for call in &said.tool_calls {
                let text = format!("{}{}", call.function.name, call.function.arguments);
                outcome.push(index, OutputKind::ToolCall, &text);
            }
        }
        outcome.usage.input_tokens = line.prompt_eval_count.or(outcome.usage.input_tokens);
        outcome.usage.output_tokens = line.eval_count.or(outcome.usage.output_tokens);
        outcome.finish_reason = line.done_reason.or(outcome.finish_reason);
        done |= line.done;
        // Ollama counts in nanoseconds.
        let durations = [
            ("server_total_ms", line.total_duration),
            ("server_load_ms", line.load_duration),
            ("server_prompt_ms", line.prompt_eval_duration),
            ("server_predicted_ms", line.eval_duration),
        ];
        for (name, duration) in durations {
            outcome.labels.extend(duration.map(|ns| (name.to_owned(), format!("{}", ns as f64 / 1e6))));
        }
    }
    if reply.complete {
        if !done {
            let message = "the stream ended without a line that says it is done";
            outcome.failure = Some(Failure::new(FailureKind::Truncated, message));
        } else if outcome.outputs.is_empty() && outcome.usage.output_tokens.unwrap_or(0) == 0 {
            outcome.failure = Some(Failure::new(FailureKind::EmptyReply, "the reply carried no output"));
        }
    }
    outcome
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
