//! Ollama's own chat API (`/api/chat`): requests in JSON, replies as one JSON object a line. What
//! Ollama measures itself becomes labels of the record.

mod parse;

use serde_json::{Map, Value};

use super::asked::{ApiSpec, Asked, Body, check_options};
use super::content;
use crate::contract::{
    Api, Framing, HttpRequest, Message, Outcome, Part, PartError, Reply, RunConfig, TurnInContext,
};

const NAME: &str = "ollama";

/// Parameters that Ollama knows by another name.
const RENAMED: [(&str, &str); 2] = [("max_tokens", "num_predict"), ("repetition_penalty", "repeat_penalty")];

/// Parameters that go into the body and not into `options`.
const MEMBERS: [&str; 4] = ["format", "keep_alive", "think", "tools"];

/// Ollama's own API.
pub(super) struct Ollama {
    asked: Asked,
    think: Option<Value>,
    keep_alive: Option<Value>,
    /// Members of the body itself.
    members: Map<String, Value>,
    /// Members of `options`, where Ollama has its sampling parameters.
    options: Map<String, Value>,
}

impl Ollama {
    /// The API for a run.
    pub(super) fn new(config: &RunConfig, spec: &ApiSpec) -> Result<Ollama, PartError> {
        check_options(NAME, config, &["think", "keep_alive"])?;
        let option = |name: &str, wanted: &str, fits: fn(&Value) -> bool| match config.options.get(name) {
            Some(value) if !fits(value) => Err(PartError::InvalidConfig(format!(
                "--api-args: \"{name}\" of the api \"{NAME}\" must be {wanted}, but is {value}"
            ))),
            value => Ok(value.cloned()),
        };
        let mut members = Map::new();
        let mut options = Map::new();
        for (name, value) in config.parameters.clone() {
            match name.as_str() {
                "stream" | "stream_options" => {}
                "options" => options.extend(value.as_object().cloned().unwrap_or_default()),
                known if MEMBERS.contains(&known) => {
                    members.insert(name, value);
                }
                known => {
                    let renamed = RENAMED.iter().find(|(from, _)| *from == known);
                    options.insert(renamed.map_or(name.clone(), |(_, to)| (*to).to_string()), value);
                }
            }
        }
        let think = option("think", "true or false", Value::is_boolean)?;
        let keep_alive = option("keep_alive", "a text such as \"5m\"", Value::is_string)?;
        // What the API's own options say wins.
        members.retain(|name, _| {
            !(name == "think" && think.is_some() || name == "keep_alive" && keep_alive.is_some())
        });
        Ok(Ollama { asked: Asked::new(config, spec)?, think, keep_alive, members, options })
    }
}

impl Api for Ollama {
    fn name(&self) -> &str {
        NAME
    }

    fn shape(&self, turn: &TurnInContext) -> Result<HttpRequest, PartError> {
        let mut body = Body::of(&self.asked, turn)?;
        if !body.given {
            let messages = content::conversation(NAME, turn)?;
            let messages = messages.iter().map(|it| message(it)).collect::<Result<Vec<_>, _>>()?;
            body.put("messages", Value::Array(messages));
        }
        body.put("model", Value::String(self.asked.model.clone()));
        body.put("stream", self.asked.stream.into());
        for (name, value) in [("think", &self.think), ("keep_alive", &self.keep_alive)] {
            if let Some(value) = value {
                body.put(name, value.clone());
            }
        }
        for (name, value) in &self.members {
            body.put(name, value.clone());
        }
        let mut options = self.options.clone();
        if let Some(limit) = self.asked.limit(turn) {
            options.insert("num_predict".into(), limit.into());
        }
        for (name, value) in options {
            body.put_in("options", &name, value);
        }
        let streamed = body.members.get("stream") != Some(&Value::Bool(false));
        body.request(&self.asked.url, streamed.then_some(Framing::Ndjson))
    }

    fn parse(&self, reply: &Reply<'_>) -> Result<Outcome, PartError> {
        Ok(parse::parse(reply))
    }
}

/// The message as Ollama has it: its texts as one, its pictures beside them.
fn message(message: &Message) -> Result<Value, PartError> {
    let mut texts = Vec::new();
    let mut images = Vec::new();
    for part in &message.content {
        match part {
            Part::Text(text) => texts.push(text.as_str()),
            Part::Image(media) => images.push(Value::String(content::base64(&media.data))),
            Part::Audio(_) | Part::Json(_) => {
                return Err(PartError::Unsupported(
                    "Ollama takes text and pictures only; choose another dataset".into(),
                ));
            }
        }
    }
    let mut members = Map::new();
    members.insert("role".into(), message.role.clone().into());
    members.insert("content".into(), texts.join("\n").into());
    if !images.is_empty() {
        members.insert("images".into(), Value::Array(images));
    }
    for (name, _) in &message.fields {
        if let Some(value) = content::field(message, name)? {
            members.insert(name.clone(), value);
        }
    }
    Ok(Value::Object(members))
}

#[cfg(test)]
mod tests;
