//! Ollama's own chat API (`/api/chat`) as a tickrate plugin: requests in JSON, replies as one JSON
//! object a line. What Ollama measures itself becomes labels of the record.

mod parse;

use serde_json::{Map, Value, json};
use tickrate_guest::{
    Api, Framing, HttpRequest, Message, Outcome, Part, PluginError, Prompt, Reply, RunConfig, TurnInContext,
    export_api,
};

struct OllamaChat {
    url: String,
    model: String,
    stream: bool,
    think: Option<bool>,
    keep_alive: Option<String>,
    /// Members of the body itself.
    members: Map<String, Value>,
    /// Members of `options`, where Ollama has its sampling parameters.
    options: Map<String, Value>,
}

/// Parameters that Ollama knows by another name.
const RENAMED: [(&str, &str); 2] = [("max_tokens", "num_predict"), ("repetition_penalty", "repeat_penalty")];

/// Parameters that go into the body and not into `options`.
const MEMBERS: [&str; 5] = ["format", "keep_alive", "options", "think", "tools"];

impl Api for OllamaChat {
    fn options_schema() -> &'static str {
        r#"{
            "type": "object",
            "properties": {
                "think": {"type": "boolean", "description": "ask a model that can reason to do so, or not to"},
                "keep_alive": {"type": "string", "description": "how long the model stays loaded: 5m"}
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
        let own = object(&config.options, "options")?;
        let mut members = Map::new();
        let mut options = Map::new();
        for (name, value) in object(&config.parameters, "parameters")? {
            match name.as_str() {
                "stream" | "stream_options" => {}
                "options" => options.extend(value.as_object().cloned().unwrap_or_default()),
                known if MEMBERS.contains(&known) => {
                    members.insert(name, value);
                }
                known => {
                    let renamed = RENAMED.iter().find(|(from, _)| *from == known);
                    options.insert(renamed.map_or(name.clone(), |(_, to)| (*to).to_owned()), value);
                }
            }
        }
        Ok(OllamaChat {
            url: config.url,
            model: config.model,
            stream: config.stream,
            think: own.get("think").and_then(Value::as_bool),
            keep_alive: own.get("keep_alive").and_then(Value::as_str).map(str::to_owned),
            members,
            options,
        })
    }

    fn shape(&self, turn: TurnInContext) -> Result<HttpRequest, PluginError> {
        let mut body = match &turn.turn.prompt {
            Prompt::Body(given) => serde_json::from_slice(given).map_err(|error| {
                PluginError::InvalidData(format!(
                    "a request body is not a JSON object ({error}); correct the dataset"
                ))
            })?,
            prompt => Map::from_iter([("messages".to_owned(), messages(&turn.history, prompt)?)]),
        };
        let mut options = self.options.clone();
        if let Some(limit) = turn.turn.max_tokens {
            options.insert("num_predict".into(), limit.into());
        }
        let mut ask = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                body.entry(name).or_insert(value);
            }
        };
        ask("model", Some(self.model.clone().into()));
        ask("stream", Some(self.stream.into()));
        ask("think", self.think.map(Value::from));
        ask("keep_alive", self.keep_alive.clone().map(Value::from));
        for (name, value) in &self.members {
            ask(name, Some(value.clone()));
        }
        if !options.is_empty()
            && let Value::Object(own) = body.entry("options").or_insert_with(|| json!({}))
        {
            for (name, value) in options {
                own.entry(name).or_insert(value);
            }
        }
        let streamed = body.get("stream") != Some(&Value::Bool(false));
        Ok(HttpRequest {
            method: "POST".into(),
            url: self.url.clone(),
            headers: vec![("Content-Type".into(), "application/json".into())],
            body: Value::Object(body).to_string().into_bytes(),
            framing: if streamed { Framing::Ndjson } else { Framing::Whole },
        })
    }

    fn parse(&self, reply: Reply) -> Result<Outcome, PluginError> {
        Ok(parse::parse(&reply))
    }
}

fn messages(history: &[Message], prompt: &Prompt) -> Result<Value, PluginError> {
    let mut all = history.iter().map(message).collect::<Result<Vec<_>, _>>()?;
    match prompt {
        Prompt::Text(text) => all.push(json!({ "role": "user", "content": text })),
        Prompt::Chat(chat) => {
            for one in chat {
                all.push(message(one)?);
            }
        }
        Prompt::Tokens(_) | Prompt::Body(_) => {
            return Err(PluginError::Unsupported("Ollama takes no token ids; drop --tokenize-prompt".into()));
        }
    }
    Ok(Value::Array(all))
}

/// The message as Ollama has it: its texts as one, its pictures beside them.
fn message(message: &Message) -> Result<Value, PluginError> {
    let mut texts = Vec::new();
    let mut images = Vec::new();
    for part in &message.content {
        match part {
            Part::Text(text) => texts.push(text.as_str()),
            Part::Image(media) => images.push(Value::String(media.base64())),
            Part::Audio(_) | Part::Json(_) => {
                return Err(PluginError::Unsupported(
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
    for (name, json) in &message.fields {
        let value = serde_json::from_str(json).map_err(|error| {
            PluginError::InvalidData(format!(
                "the member \"{name}\" of a message is not valid JSON ({error})"
            ))
        })?;
        members.insert(name.clone(), value);
    }
    Ok(Value::Object(members))
}

export_api!(OllamaChat);
