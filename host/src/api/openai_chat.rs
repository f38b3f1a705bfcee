//! A turn → the body of a request to a chat or completions endpoint.

use bytes::Bytes;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::{Map, Value, json};

use super::content;
use super::openai::OpenAi;
use crate::contract::{Framing, HttpRequest, Message, PartError, Prompt, TurnInContext};

/// The request for a turn.
pub(super) fn shape(api: &OpenAi, turn: &TurnInContext) -> Result<HttpRequest, PartError> {
    let mut body = match &turn.turn.prompt {
        Prompt::Body(given) => filled(api, turn, given)?,
        _ => composed(api, turn)?,
    };
    let streamed = body.get("stream") == Some(&Value::Bool(true));
    if streamed {
        body.entry("stream_options").or_insert_with(|| json!({ "include_usage": true }));
    } else {
        body.shift_remove("stream_options");
    }
    let bytes = serde_json::to_vec(&body)
        .map_err(|error| PartError::Internal(format!("a body could not be written as JSON: {error}")))?;
    Ok(HttpRequest {
        method: "POST".into(),
        url: api.url.clone(),
        headers: vec![("Content-Type".into(), "application/json".into())],
        body: Bytes::from(bytes),
        framing: if streamed { Framing::Sse } else { Framing::Whole },
    })
}

/// A new body: what the command line asks for stands above the query template.
fn composed(api: &OpenAi, turn: &TurnInContext) -> Result<Map<String, Value>, PartError> {
    let mut body = api.template.clone();
    if !api.model.is_empty() {
        body.insert("model".into(), Value::String(api.model.clone()));
    }
    let (member, other, value) = match api.completions {
        true => ("prompt", "messages", plain_prompt(api, turn)?),
        false => ("messages", "prompt", Value::Array(chat_messages(turn)?)),
    };
    body.shift_remove(other);
    body.insert(member.into(), value);
    for (name, value) in parameters(api, turn) {
        body.insert(name.into(), value);
    }
    Ok(body)
}

/// The dataset's own body: what the command line asks for only fills in what it does not say.
fn filled(api: &OpenAi, turn: &TurnInContext, given: &[u8]) -> Result<Map<String, Value>, PartError> {
    let mut body: Map<String, Value> = serde_json::from_slice(given).map_err(|error| {
        PartError::InvalidData(format!("a request body is not a JSON object ({error}); correct the dataset"))
    })?;
    if !turn.history.is_empty() {
        let Some(Value::Array(own)) = body.get_mut("messages") else {
            return Err(PartError::Unsupported(
                "a request body without a list of \"messages\" cannot continue a conversation; make it a conversation of its own"
                    .into(),
            ));
        };
        let history = turn.history.iter().map(content::message).collect::<Result<Vec<_>, _>>()?;
        own.splice(0..0, history);
    }
    if !api.model.is_empty() {
        body.entry("model").or_insert_with(|| Value::String(api.model.clone()));
    }
    // The two names of one limit must not both be there.
    let limited = body.contains_key("max_completion_tokens");
    for (name, value) in parameters(api, turn) {
        if !(limited && name == "max_tokens") {
            body.entry(name).or_insert(value);
        }
    }
    Ok(body)
}

/// What the command line asks for, in order: the turn's own limit wins over `--max-tokens`.
fn parameters<'a>(
    api: &'a OpenAi,
    turn: &'a TurnInContext,
) -> impl Iterator<Item = (&'a str, Value)> + use<'a> {
    let drawn = || {
        let range = api.max_tokens.filter(|_| !api.parameters.contains_key("max_tokens"))?;
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(api.seed ^ hash(&turn.request_id));
        Some(rng.random_range(range.min..=range.max))
    };
    let limit = turn.turn.max_tokens.or_else(drawn).map(|limit| ("max_tokens", Value::from(limit)));
    let limited = limit.is_some();
    let stream = (api.stream && !api.parameters.contains_key("stream")).then_some(("stream", true.into()));
    let given = api.parameters.iter().filter(move |(name, _)| !(limited && *name == "max_tokens"));
    let given = given.map(|(name, value)| (name.as_str(), value.clone()));
    limit.into_iter().chain(given).chain(stream)
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

/// FNV-1a, which stays the same from one version to the next.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests;
