//! The parts of a frame's JSON that matter. What is not named here is skipped over unread.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Number, Value};

/// Text that is borrowed from the frame, unless it has escapes in it. (Serde borrows a `Cow` only
/// where it is not within an `Option`.)
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

#[derive(Deserialize, Default)]
pub(super) struct Chunk<'a> {
    #[serde(borrow)]
    pub(super) choices: Option<Vec<Choice<'a>>>,
    pub(super) usage: Option<TokenUsage>,
    pub(super) error: Option<Value>,
    pub(super) timings: Option<Timings>,
}

#[derive(Deserialize)]
pub(super) struct Choice<'a> {
    #[serde(borrow)]
    pub(super) delta: Option<Delta<'a>>,
    #[serde(borrow)]
    pub(super) message: Option<Delta<'a>>,
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) finish_reason: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Delta<'a> {
    #[serde(borrow)]
    pub(super) content: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) reasoning_content: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) reasoning: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) reasoning_details: Option<Vec<Detail<'a>>>,
    #[serde(borrow)]
    pub(super) refusal: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) tool_calls: Option<Vec<ToolCall<'a>>>,
}

/// A piece of reasoning as OpenRouter has it: its text, or the summary of a text that is kept back.
#[derive(Deserialize)]
pub(super) struct Detail<'a> {
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) summary: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct ToolCall<'a> {
    #[serde(borrow)]
    pub(super) function: Option<Function<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Function<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) arguments: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct TokenUsage {
    pub(super) prompt_tokens: Option<u64>,
    pub(super) completion_tokens: Option<u64>,
    pub(super) completion_tokens_details: Option<CompletionDetails>,
    pub(super) prompt_tokens_details: Option<PromptDetails>,
}

#[derive(Deserialize)]
pub(super) struct CompletionDetails {
    pub(super) reasoning_tokens: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct PromptDetails {
    pub(super) cached_tokens: Option<u64>,
}

/// The timings that llama.cpp reports.
#[derive(Deserialize)]
pub(super) struct Timings {
    pub(super) prompt_n: Option<Number>,
    pub(super) prompt_ms: Option<Number>,
    pub(super) predicted_n: Option<Number>,
    pub(super) predicted_ms: Option<Number>,
}

impl<'a> Chunk<'a> {
    /// The chunk of a JSON value of any shape: whatever is not as it should be is left out.
    pub(super) fn from_value(value: &'a Value) -> Chunk<'a> {
        let choices = value.get("choices").and_then(Value::as_array);
        Chunk {
            choices: choices.map(|all| all.iter().map(Choice::from_value).collect()),
            usage: object(value, "usage").map(|usage| TokenUsage {
                prompt_tokens: count(usage, "prompt_tokens"),
                completion_tokens: count(usage, "completion_tokens"),
                completion_tokens_details: object(usage, "completion_tokens_details").map(|details| {
                    CompletionDetails { reasoning_tokens: count(details, "reasoning_tokens") }
                }),
                prompt_tokens_details: object(usage, "prompt_tokens_details")
                    .map(|details| PromptDetails { cached_tokens: count(details, "cached_tokens") }),
            }),
            error: value.get("error").cloned(),
            timings: object(value, "timings").map(|timings| Timings {
                prompt_n: number(timings, "prompt_n"),
                prompt_ms: number(timings, "prompt_ms"),
                predicted_n: number(timings, "predicted_n"),
                predicted_ms: number(timings, "predicted_ms"),
            }),
        }
    }
}

impl<'a> Choice<'a> {
    fn from_value(value: &'a Value) -> Choice<'a> {
        Choice {
            delta: object(value, "delta").map(Delta::from_value),
            message: object(value, "message").map(Delta::from_value),
            text: text(value, "text"),
            finish_reason: text(value, "finish_reason"),
        }
    }
}

impl<'a> Delta<'a> {
    fn from_value(value: &'a Value) -> Delta<'a> {
        let calls = value.get("tool_calls").and_then(Value::as_array);
        let call = |call: &'a Value| ToolCall {
            function: object(call, "function").map(|function| Function {
                name: text(function, "name"),
                arguments: text(function, "arguments"),
            }),
        };
        let details = value.get("reasoning_details").and_then(Value::as_array);
        let detail =
            |detail: &'a Value| Detail { text: text(detail, "text"), summary: text(detail, "summary") };
        Delta {
            content: text(value, "content"),
            reasoning_content: text(value, "reasoning_content"),
            reasoning: text(value, "reasoning"),
            reasoning_details: details.map(|details| details.iter().map(detail).collect()),
            refusal: text(value, "refusal"),
            tool_calls: calls.map(|calls| calls.iter().map(call).collect()),
        }
    }
}

fn object<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.get(name).filter(|member| member.is_object())
}

fn text<'a>(value: &'a Value, name: &str) -> Option<Text<'a>> {
    value.get(name)?.as_str().map(|text| Text(Cow::Borrowed(text)))
}

fn count(value: &Value, name: &str) -> Option<u64> {
    value.get(name)?.as_u64()
}

fn number(value: &Value, name: &str) -> Option<Number> {
    value.get(name)?.as_number().cloned()
}
