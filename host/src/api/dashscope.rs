//! DashScope's own API for generation: a turn → a request.

mod parse;

use serde_json::{Value, json};

use super::asked::{ApiSpec, Asked, Body, check_options};
use super::content::{self, Piece};
use crate::contract::{
    Api, Framing, HttpRequest, Message, Outcome, Part, PartError, Reply, RunConfig, TurnInContext,
};

const NAME: &str = "dashscope";

/// The header that asks for a stream.
const STREAM: (&str, &str) = ("X-DashScope-SSE", "enable");

/// DashScope's own API.
pub(super) struct DashScope {
    asked: Asked,
}

impl DashScope {
    /// The API for a run.
    pub(super) fn new(config: &RunConfig, spec: &ApiSpec) -> Result<DashScope, PartError> {
        check_options(NAME, config, &[])?;
        Ok(DashScope { asked: Asked::new(config, spec)? })
    }
}

impl Api for DashScope {
    fn name(&self) -> &str {
        NAME
    }

    fn shape(&self, turn: &TurnInContext) -> Result<HttpRequest, PartError> {
        let asked = &self.asked;
        let mut body = Body::of(asked, turn)?;
        let messages = content::conversation(NAME, turn)?;
        let messages = messages.iter().map(|it| message(it)).collect::<Result<Vec<_>, _>>()?;
        body.put_model(asked);
        if !body.given {
            body.put_in("input", "messages", Value::Array(messages));
        } else if !messages.is_empty() {
            return Err(PartError::Unsupported(format!(
                "a request body of the api \"{NAME}\" cannot continue a conversation; make it a conversation of its own"
            )));
        }
        let mut stream = asked.stream;
        body.put_in("parameters", "result_format", "message".into());
        for (name, value) in asked.parameters(turn) {
            match name {
                "stream" => stream = value != Value::Bool(false),
                "stream_options" => {}
                _ => body.put_in("parameters", name, value),
            }
        }
        // Streaming is asked for by a header; a body of the chat API may still say what it wants.
        if let Some(own) = body.members.take("stream") {
            stream = own != Value::Bool(false);
        }
        if stream {
            body.put_in("parameters", "incremental_output", true.into());
        }
        let mut request = body.request(&asked.url, stream.then_some(Framing::Sse))?;
        if stream {
            request.headers.push((STREAM.0.into(), STREAM.1.into()));
        }
        Ok(request)
    }

    fn parse(&self, reply: &Reply<'_>) -> Result<Outcome, PartError> {
        Ok(parse::parse(reply))
    }
}

/// The message as the API has it: the parts of one with media are named by their kinds.
fn message(message: &Message) -> Result<Value, PartError> {
    let mut out = content::message(&Message { content: Vec::new(), ..message.clone() })?;
    out["content"] = match message.content.as_slice() {
        [] => Value::String(String::new()),
        [Part::Text(text)] => Value::String(text.clone()),
        parts => {
            let parts = parts.iter().map(|part| {
                Ok(match content::piece(part)? {
                    Piece::Text(text) => json!({ "text": text }),
                    Piece::Image(url) => json!({ "image": url }),
                    Piece::Audio(data, format) => {
                        json!({ "audio": format!("data:audio/{format};base64,{data}") })
                    }
                    Piece::Other(part) => part,
                })
            });
            Value::Array(parts.collect::<Result<_, PartError>>()?)
        }
    };
    Ok(out)
}

#[cfg(test)]
mod tests;
