//! Anthropic's Messages API (`/v1/messages`) as a tickrate plugin: system messages beside the
//! conversation, events that bring text, thinking and calls to tools, and counts that leave the cache
//! out.

mod messages;
mod parse;

use serde_json::{Map, Value, json};
use tickrate_guest::{
    Api, Framing, HttpRequest, Outcome, PluginError, Prompt, Reply, RunConfig, TurnInContext, export_api,
};

/// The limit of a request for which nobody has set one: the API asks for it.
const MAX_TOKENS: u32 = 2048;

struct AnthropicMessages {
    url: String,
    model: String,
    version: String,
    parameters: Map<String, Value>,
}

impl Api for AnthropicMessages {
    fn options_schema() -> &'static str {
        r#"{
            "type": "object",
            "properties": {
                "version": {
                    "type": "string",
                    "description": "the version of the API that requests name",
                    "default": "2023-06-01"
                }
            },
            "additionalProperties": false
        }"#
    }

    fn open(config: RunConfig) -> Result<Self, PluginError> {
        let object = |text: &str, what: &str| {
            serde_json::from_str::<Map<String, Value>>(text).map_err(|error| {
                PluginError::InvalidConfig(format!("the {what} are no JSON object: {error}"))
            })
        };
        let options = object(&config.options, "options")?;
        let version = options.get("version").and_then(Value::as_str).unwrap_or("2023-06-01");
        let mut parameters = object(&config.parameters, "parameters")?;
        if config.stream {
            parameters.entry("stream").or_insert(true.into());
        }
        Ok(AnthropicMessages {
            url: config.url,
            model: config.model,
            version: version.to_owned(),
            parameters,
        })
    }

    fn shape(&self, turn: TurnInContext) -> Result<HttpRequest, PluginError> {
        let given = match &turn.turn.prompt {
            Prompt::Body(body) => Some(serde_json::from_slice(body).map_err(|error| {
                PluginError::InvalidData(format!(
                    "a request body is not a JSON object ({error}); correct the dataset"
                ))
            })?),
            _ => None,
        };
        let said = messages::of(&turn)?;
        let mut body = Body { fills: given.is_some(), members: given.unwrap_or_default() };
        if body.fills {
            body.put_before(said.messages)?;
            body.put("model", self.model.clone().into());
        } else {
            body.put("model", self.model.clone().into());
            body.put("messages", Value::Array(said.messages));
        }
        if !said.system.is_empty() {
            body.put("system", said.system.into());
        }
        if let Some(limit) = turn.turn.max_tokens {
            body.put("max_tokens", limit.into());
        }
        for (name, value) in &self.parameters {
            match name.as_str() {
                // The API has no seed; that of the run is for the client's choices.
                "seed" | "stream_options" => {}
                "max_tokens" if turn.turn.max_tokens.is_some() => {}
                "stop" if value.is_string() => body.put("stop_sequences", json!([value])),
                "stop" => body.put("stop_sequences", value.clone()),
                _ => body.put(name, value.clone()),
            }
        }
        body.members.entry("max_tokens").or_insert(MAX_TOKENS.into());
        let streamed = body.members.get("stream") == Some(&Value::Bool(true));
        let framing = if streamed { Framing::Sse } else { Framing::Whole };
        let mut request = HttpRequest::post_json(&self.url, Value::Object(body.members).to_string(), framing);
        request.headers.push(("anthropic-version".into(), self.version.clone()));
        Ok(request)
    }

    fn parse(&self, reply: Reply) -> Result<Outcome, PluginError> {
        Ok(parse::parse(&reply))
    }
}

/// A body in the making. The dataset's own is only filled.
struct Body {
    fills: bool,
    members: Map<String, Value>,
}

impl Body {
    fn put(&mut self, name: &str, value: Value) {
        if self.fills {
            self.members.entry(name).or_insert(value);
        } else {
            self.members.insert(name.to_owned(), value);
        }
    }

    /// Puts what was said before in front of the body's own messages.
    fn put_before(&mut self, before: Vec<Value>) -> Result<(), PluginError> {
        if before.is_empty() {
            return Ok(());
        }
        let Some(Value::Array(own)) = self.members.get_mut("messages") else {
            return Err(PluginError::Unsupported(
                "a request body without a list of \"messages\" cannot continue a conversation; make it a conversation of its own".into(),
            ));
        };
        own.splice(0..0, before);
        Ok(())
    }
}

export_api!(AnthropicMessages);
