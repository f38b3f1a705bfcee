//! Anthropic's Messages API (`/v1/messages`): a turn → a request.

mod parse;

use serde_json::{Value, json};

use super::asked::{ApiSpec, Asked, Body, check_options};
use super::content::{self, Piece};
use crate::contract::{
    Api, Framing, HttpRequest, Message, Outcome, Part, PartError, Reply, RunConfig, TurnInContext,
};

const NAME: &str = "anthropic";

/// The version of the API that is spoken; it is sent with each request.
const VERSION: (&str, &str) = ("anthropic-version", "2023-06-01");

/// The limit of a request for which nobody has set one: the API asks for it.
const MAX_TOKENS: u32 = 2048;

/// Anthropic's Messages API.
pub(super) struct Anthropic {
    asked: Asked,
}

impl Anthropic {
    /// The API for a run.
    pub(super) fn new(config: &RunConfig, spec: &ApiSpec) -> Result<Anthropic, PartError> {
        check_options(NAME, config, &[])?;
        Ok(Anthropic { asked: Asked::new(config, spec)? })
    }
}

impl Api for Anthropic {
    fn name(&self) -> &str {
        NAME
    }

    fn shape(&self, turn: &TurnInContext) -> Result<HttpRequest, PartError> {
        let asked = &self.asked;
        let mut body = Body::of(asked, turn)?;
        let (system, messages) = messages(turn)?;
        if body.given {
            body.put_before("messages", messages)?;
            body.put_model(asked);
        } else {
            body.put_model(asked);
            body.put("messages", Value::Array(messages));
        }
        if !system.is_empty() {
            body.put("system", Value::String(system));
        }
        for (name, value) in asked.parameters(turn) {
            match name {
                // The API has no seed, and the flag is that of the client's choices as well.
                "seed" if !asked.is_extra(name) => {}
                "stop" => body.put(
                    "stop_sequences",
                    match value {
                        Value::String(_) => json!([value]),
                        several => several,
                    },
                ),
                "stream_options" => {}
                _ => body.put(name, value),
            }
        }
        body.members.get_or_put("max_tokens", || MAX_TOKENS.into());
        let streamed = body.streams(false);
        let mut request = body.request(&asked.url, streamed.then_some(Framing::Sse))?;
        request.headers.push((VERSION.0.into(), VERSION.1.into()));
        Ok(request)
    }

    fn parse(&self, reply: &Reply<'_>) -> Result<Outcome, PartError> {
        Ok(parse::parse(reply))
    }
}

/// What the system messages say, which the API has beside the conversation, and the others.
fn messages(turn: &TurnInContext) -> Result<(String, Vec<Value>), PartError> {
    let mut system: Vec<String> = Vec::new();
    let mut out = Vec::new();
    for message in content::conversation(NAME, turn)? {
        match message.role.as_str() {
            "system" | "developer" => system.push(content::plain_text(&message)),
            "tool" => {
                let result = json!({
                    "type": "tool_result",
                    "tool_use_id": content::tool_call_id(&message)?,
                    "content": content::plain_text(&message),
                });
                out.push(json!({ "role": "user", "content": [result] }));
            }
            _ => out.push(one_message(&message)?),
        }
    }
    Ok((system.join("\n"), out))
}

fn one_message(message: &Message) -> Result<Value, PartError> {
    let calls = content::tool_calls(message)?;
    let content = match message.content.as_slice() {
        [Part::Text(text)] if calls.is_empty() => Value::String(text.clone()),
        parts => {
            let mut blocks =
                parts.iter().map(|part| block(content::piece(part)?)).collect::<Result<Vec<_>, _>>()?;
            for call in calls {
                let input: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
                blocks.push(json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": input }));
            }
            Value::Array(blocks)
        }
    };
    Ok(json!({ "role": message.role, "content": content }))
}

fn block(piece: Piece<'_>) -> Result<Value, PartError> {
    Ok(match piece {
        Piece::Text(text) => json!({ "type": "text", "text": text }),
        Piece::Image(url) => {
            let inline = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
            let source = match inline {
                Some((mime, data)) => json!({ "type": "base64", "media_type": mime, "data": data }),
                None => json!({ "type": "url", "url": url }),
            };
            json!({ "type": "image", "source": source })
        }
        Piece::Audio(..) => {
            return Err(PartError::Unsupported(format!(
                "the api \"{NAME}\" takes no sounds; choose another dataset"
            )));
        }
        Piece::Other(part) => part,
    })
}

#[cfg(test)]
mod tests;
