//! What comes out of a plugin: checked, and turned into the contract's records. The text of an
//! error says what does not make sense; the caller says in which plugin and function.

use crate::contract::{
    Conversation, Failure, FailureKind, Framing, HttpRequest, Media, Message, Outcome, OutputFrame,
    OutputKind, Part, PartError, Prompt, Turn, Usage,
};
use crate::plugin::error::one_line;

use super::bindings::tickrate::plugin::types as wit;

/// What a plugin said that it cannot do.
pub(super) fn error(error: wit::PluginError) -> PartError {
    match error {
        wit::PluginError::InvalidConfig(text) => PartError::InvalidConfig(one_line(&text)),
        wit::PluginError::InvalidData(text) => PartError::InvalidData(one_line(&text)),
        wit::PluginError::Unsupported(text) => PartError::Unsupported(one_line(&text)),
        wit::PluginError::Internal(text) => PartError::Internal(one_line(&text)),
    }
}

/// A name or version that a plugin gives itself, which goes into tables and file names.
pub(super) fn label(what: &str, text: String) -> Result<String, String> {
    match text.chars().count() {
        0 => Err(format!("its {what} is empty")),
        65.. => Err(format!("its {what} is longer than 64 characters")),
        _ if text.chars().any(|c| c.is_control() || c == '/' || c == '"') => {
            Err(format!("its {what} {text:?} has a character that a name cannot have"))
        }
        _ => Ok(text),
    }
}

/// A request, if it can be sent.
pub(super) fn request(request: wit::HttpRequest) -> Result<HttpRequest, String> {
    if request.method.is_empty() || !request.method.bytes().all(is_token) {
        return Err(format!("the method {:?} is not one of HTTP", request.method));
    }
    if request.url.is_empty() {
        return Err("the URL is empty".into());
    }
    let scheme = request.url.starts_with("http://") || request.url.starts_with("https://");
    if !scheme || request.url.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return Err(format!("the URL {:?} is not one of http or https", one_line(&request.url)));
    }
    headers(&request.headers)?;
    Ok(HttpRequest {
        method: request.method,
        url: request.url,
        headers: request.headers,
        body: request.body.into(),
        framing: framing(request.framing),
    })
}

/// Whether `byte` may be in a method or a header's name (RFC 9110, 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn headers(headers: &[(String, String)]) -> Result<(), String> {
    for (name, value) in headers {
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(format!("{:?} cannot be the name of a header", one_line(name)));
        }
        if value.bytes().any(|byte| (byte < b' ' && byte != b'\t') || byte == 0x7f) {
            return Err(format!("the value of the header {name:?} has a control character"));
        }
    }
    Ok(())
}

fn framing(framing: wit::Framing) -> Framing {
    match framing {
        wit::Framing::Sse => Framing::Sse,
        wit::Framing::Ndjson => Framing::Ndjson,
        wit::Framing::Raw => Framing::Raw,
        wit::Framing::Whole => Framing::Whole,
    }
}

/// An outcome of a reply of `frames` frames, if it agrees with itself and with the reply.
pub(super) fn outcome(outcome: wit::Outcome, frames: usize) -> Result<Outcome, String> {
    let mut outputs = Vec::with_capacity(outcome.outputs.len());
    let mut last = 0;
    let mut end = 0_usize;
    for output in outcome.outputs {
        if output.frame as usize >= frames {
            return Err(format!("it names frame {} of a reply that has {frames}", output.frame));
        }
        if output.frame < last {
            return Err(format!("it names frame {} after frame {last}", output.frame));
        }
        last = output.frame;
        end += output.text_bytes as usize;
        if end > outcome.text.len() {
            return Err(format!(
                "its frames up to {last} bring {end} bytes of text, and the text has {}",
                outcome.text.len()
            ));
        }
        if !outcome.text.is_char_boundary(end) {
            return Err(format!("the text of frame {last} ends within a character"));
        }
        let kind = match output.kind {
            wit::OutputKind::Content => OutputKind::Content,
            wit::OutputKind::Reasoning => OutputKind::Reasoning,
            wit::OutputKind::ToolCall => OutputKind::ToolCall,
        };
        outputs.push(OutputFrame {
            frame: output.frame,
            kind,
            text_bytes: output.text_bytes,
            tokens: output.tokens,
        });
    }
    if end != outcome.text.len() {
        return Err(format!("its frames bring {end} bytes of text, and the text has {}", outcome.text.len()));
    }
    Ok(Outcome {
        outputs,
        bare: Vec::new(),
        text: outcome.text,
        usage: Usage {
            input_tokens: outcome.usage.input_tokens,
            output_tokens: outcome.usage.output_tokens,
            reasoning_tokens: outcome.usage.reasoning_tokens,
            cached_tokens: outcome.usage.cached_tokens,
        },
        finish_reason: outcome.finish_reason,
        failure: outcome.failure.map(failure),
        labels: outcome.labels,
    })
}

fn failure(failure: wit::Failure) -> Failure {
    let kind = match failure.kind {
        wit::FailureKind::StreamError => FailureKind::StreamError,
        wit::FailureKind::InvalidReply => FailureKind::InvalidReply,
        wit::FailureKind::EmptyReply => FailureKind::EmptyReply,
        wit::FailureKind::Truncated => FailureKind::Truncated,
    };
    Failure::new(kind, one_line(&failure.message))
}

/// A batch of conversations, if it is not larger than asked for and each can be held.
pub(super) fn conversations(
    batch: Vec<wit::Conversation>,
    at_most: usize,
) -> Result<Vec<Conversation>, String> {
    if batch.len() > at_most {
        return Err(format!("it gave {} conversations when asked for at most {at_most}", batch.len()));
    }
    batch.into_iter().enumerate().map(|(i, one)| conversation(one, i)).collect()
}

fn conversation(conversation: wit::Conversation, index: usize) -> Result<Conversation, String> {
    let place = |what: &str| match &conversation.id {
        Some(id) => format!("conversation {:?} {what}", one_line(id)),
        None => format!("conversation {index} of the batch {what}"),
    };
    if conversation.turns.is_empty() {
        return Err(place("has no turns"));
    }
    let no_time = |ms: &f64| !ms.is_finite() || *ms < 0.0;
    if let Some(ms) = conversation.arrival_ms.filter(no_time) {
        return Err(place(&format!("arrives at {ms} ms, which is no time")));
    }
    for turn in &conversation.turns {
        if let Some(ms) = turn.think_time_ms.filter(no_time) {
            return Err(place(&format!("has the think time {ms} ms, which is no time")));
        }
        headers(&turn.headers).map_err(|reason| place(&format!("cannot be sent: {reason}")))?;
    }
    Ok(Conversation {
        turns: conversation.turns.into_iter().map(turn).collect(),
        id: conversation.id,
        arrival_ms: conversation.arrival_ms,
        labels: conversation.labels,
    })
}

fn turn(turn: wit::TurnResult) -> Turn {
    let prompt = match turn.prompt {
        wit::PromptResult::Text(text) => Prompt::Text(text),
        wit::PromptResult::Tokens(tokens) => Prompt::Tokens(tokens),
        wit::PromptResult::Chat(messages) => Prompt::Chat(messages.into_iter().map(message).collect()),
        wit::PromptResult::Body(body) => Prompt::Body(body),
    };
    Turn { prompt, max_tokens: turn.max_tokens, think_time_ms: turn.think_time_ms, headers: turn.headers }
}

fn message(message: wit::MessageResult) -> Message {
    let part = |part| match part {
        wit::PartResult::Text(text) => Part::Text(text),
        wit::PartResult::Image(wit::MediaResult { mime, data }) => Part::Image(Media { mime, data }),
        wit::PartResult::Audio(wit::MediaResult { mime, data }) => Part::Audio(Media { mime, data }),
        wit::PartResult::Json(json) => Part::Json(json),
    };
    Message {
        role: message.role,
        content: message.content.into_iter().map(part).collect(),
        fields: message.fields,
    }
}

#[cfg(test)]
mod tests;
