//! A turn → the body of a request to a chat or completions endpoint.

use serde_json::{Value, json};

use super::asked::Body;
use super::content;
use super::openai::OpenAi;
use crate::contract::{Framing, HttpRequest, Message, PartError, Prompt, TurnInContext};

/// The request for a turn.
pub(super) fn shape(api: &OpenAi, turn: &TurnInContext) -> Result<HttpRequest, PartError> {
    let asked = &api.asked;
    let mut body = Body::of(asked, turn)?;
    if body.given {
        let history = turn.history.iter().map(content::message).collect::<Result<Vec<_>, _>>()?;
        body.put_before("messages", history)?;
        body.put_model(asked);
    } else {
        body.put_model(asked);
        let (member, other, value) = match api.completions {
            true => ("prompt", "messages", plain_prompt(api, turn)?),
            false => ("messages", "prompt", Value::Array(chat_messages(turn)?)),
        };
        body.members.take(other);
        body.put(member, value);
    }
    // The two names of one limit must not both be there.
    let limited = body.given && body.members.contains("max_completion_tokens");
    for (name, value) in asked.parameters(turn) {
        if !(limited && name == "max_tokens") {
            body.put(name, value);
        }
    }
    let streamed = body.streams(false);
    if streamed {
        body.members.get_or_put("stream_options", || json!({ "include_usage": true }));
    } else {
        body.members.take("stream_options");
    }
    body.request(&asked.url, streamed.then_some(Framing::Sse))
}

fn chat_messages(turn: &TurnInContext) -> Result<Vec<Value>, PartError> {
    let mut messages = turn.history.iter().map(content::message).collect::<Result<Vec<_>, _>>()?;
    match &turn.turn.prompt {
        Prompt::Text(text) => messages.push(json!({ "role": "user", "content": text })),
        Prompt::Chat(chat) => {
            for message in chat {
                messages.push(content::message(message)?);
            }
        }
        Prompt::Tokens(_) | Prompt::Body(_) => {
            return Err(PartError::Unsupported(
                "a chat endpoint takes no token ids; give --url one that ends with /completions, or drop --tokenize-prompt"
                    .into(),
            ));
        }
    }
    Ok(messages)
}

fn plain_prompt(api: &OpenAi, turn: &TurnInContext) -> Result<Value, PartError> {
    let mut messages = turn.history.as_ref().clone();
    match &turn.turn.prompt {
        Prompt::Text(text) if messages.is_empty() => return Ok(Value::String(text.clone())),
        Prompt::Tokens(ids) if messages.is_empty() => return Ok(Value::from(ids.as_slice())),
        Prompt::Text(text) => messages.push(Message::text("user", text)),
        Prompt::Chat(chat) => messages.extend_from_slice(chat),
        Prompt::Tokens(_) | Prompt::Body(_) => {
            return Err(PartError::Unsupported(
                "token ids cannot continue a conversation; drop --tokenize-prompt".into(),
            ));
        }
    }
    match &api.tokenizer {
        Some(tokenizer) if tokenizer.has_chat_template() => tokenizer
            .render_chat(&messages, true)
            .map(Value::String)
            .map_err(|error| PartError::InvalidData(error.to_string())),
        _ => {
            let texts: Vec<String> = messages.iter().map(content::plain_text).collect();
            Ok(Value::String(texts.join("\n")))
        }
    }
}

#[cfg(test)]
mod tests;
