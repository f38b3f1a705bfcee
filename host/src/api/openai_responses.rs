//! OpenAI's Responses API (`/v1/responses`): a turn → a request.

mod parse;

use serde_json::{Value, json};

use super::asked::{ApiSpec, Asked, Body, check_options};
use super::content::{self, Piece};
use super::members::Members;
use crate::contract::{
    Api, Framing, HttpRequest, Message, Outcome, PartError, Prompt, Reply, RunConfig, TurnInContext,
};

const NAME: &str = "openai_responses";

/// OpenAI's Responses API.
pub(super) struct Responses {
    asked: Asked,
}

impl Responses {
    /// The API for a run.
    pub(super) fn new(config: &RunConfig, spec: &ApiSpec) -> Result<Responses, PartError> {
        check_options(NAME, config, &[])?;
        Ok(Responses { asked: Asked::new(config, spec)? })
    }
}

impl Api for Responses {
    fn name(&self) -> &str {
        NAME
    }

    fn shape(&self, turn: &TurnInContext) -> Result<HttpRequest, PartError> {
        let asked = &self.asked;
        let mut body = Body::of(asked, turn)?;
        if body.given {
            adopt_chat(&mut body.members);
            body.put_before("input", input(turn)?)?;
            body.put_model(asked);
        } else {
            body.put_model(asked);
            body.put(
                "input",
                match &turn.turn.prompt {
                    Prompt::Text(text) if turn.history.is_empty() => Value::String(text.clone()),
                    _ => Value::Array(input(turn)?),
                },
            );
        }
        for (name, value) in asked.parameters(turn) {
            match name {
                // The API has no seed, and the flag is that of the client's choices as well.
                "seed" if !asked.is_extra(name) => {}
                "max_tokens" => body.put("max_output_tokens", value),
                "stream_options" => {}
                _ => body.put(name, value),
            }
        }
        let streamed = body.streams(false);
        body.request(&asked.url, streamed.then_some(Framing::Sse))
    }

    fn parse(&self, reply: &Reply<'_>) -> Result<Outcome, PartError> {
        Ok(parse::parse(reply))
    }
}

fn input(turn: &TurnInContext) -> Result<Vec<Value>, PartError> {
    let mut items = Vec::new();
    for message in content::conversation(NAME, turn)? {
        put_items(&mut items, &message)?;
    }
    Ok(items)
}

/// Appends the items that a message is: what it says, and each call to a tool or result of one.
fn put_items(items: &mut Vec<Value>, message: &Message) -> Result<(), PartError> {
    if message.role == "tool" {
        items.push(json!({
            "type": "function_call_output",
            "call_id": content::tool_call_id(message)?,
            "output": content::plain_text(message),
        }));
        return Ok(());
    }
    let content = match message.content.as_slice() {
        [] => None,
        [crate::contract::Part::Text(text)] => Some(Value::String(text.clone())),
        parts => {
            let parts = parts.iter().map(|part| Ok(input_part(content::piece(part)?, &message.role)));
            Some(Value::Array(parts.collect::<Result<_, PartError>>()?))
        }
    };
    if let Some(content) = content {
        items.push(json!({ "role": message.role, "content": content }));
    }
    for call in content::tool_calls(message)? {
        items.push(json!({
            "type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments,
        }));
    }
    Ok(())
}

fn input_part(piece: Piece<'_>, role: &str) -> Value {
    match piece {
        Piece::Text(text) => {
            let kind = if role == "assistant" { "output_text" } else { "input_text" };
            json!({ "type": kind, "text": text })
        }
        Piece::Image(url) => json!({ "type": "input_image", "image_url": url, "detail": "auto" }),
        Piece::Audio(data, format) => {
            json!({ "type": "input_audio", "input_audio": { "data": data, "format": format } })
        }
        Piece::Other(part) => part,
    }
}

/// Turns a body that is one of the chat API into one of this: its messages and its limit.
fn adopt_chat(body: &mut Members<'_>) {
    if body.contains("input") {
        return;
    }
    let Some(mut messages) = body.take("messages") else { return };
    for message in messages.as_array_mut().into_iter().flatten() {
        let role = message.get("role").and_then(Value::as_str).unwrap_or_default().to_string();
        for part in message.get_mut("content").and_then(Value::as_array_mut).into_iter().flatten() {
            *part = input_part(content::piece_of_json(part.take()), &role);
        }
    }
    body.put("input", messages);
    for name in ["max_tokens", "max_completion_tokens"] {
        if let Some(limit) = body.take(name) {
            body.get_or_put("max_output_tokens", || limit);
        }
    }
    body.take("stream_options");
}

#[cfg(test)]
mod tests;
