//! A server's dialect as a tickrate plugin: a turn becomes a request, a reply becomes an outcome.

mod dialect;

use dialect::Object;
use tickrate_guest::{
    Api, Failure, Framing, HttpRequest, Message, Outcome, OutputKind, Part, PluginError, Prompt, Reply,
    RunConfig, TurnInContext, Usage, export_api,
};

struct Plugin {
    model: String,
    url: String,
    stream: bool,
    parameters: Object,
    system: Option<String>,
}

impl Api for Plugin {
    /// What `--api-args` may hold. tickrate checks the options before it calls `open`.
    fn options_schema() -> &'static str {
        r#"{
            "type": "object",
            "properties": {"system": {"type": "string", "description": "a system message before every chat"}},
            "additionalProperties": false
        }"#
    }

    /// Called once for each instance, before anything else.
    fn open(config: RunConfig) -> Result<Self, PluginError> {
        let object = |text: &str| dialect::object(text.as_bytes()).map_err(PluginError::InvalidConfig);
        let system = object(&config.options)?.get("system").and_then(|text| text.as_str()).map(str::to_owned);
        Ok(Plugin {
            parameters: object(&config.parameters)?,
            model: config.model,
            url: config.url,
            stream: config.stream,
            system,
        })
    }

    /// The request for one turn. Nothing may be kept from one call to the next.
    fn shape(&self, turn: TurnInContext) -> Result<HttpRequest, PluginError> {
        let mut messages = turn.history.iter().map(plain).collect::<Result<Vec<_>, _>>()?;
        match turn.turn.prompt {
            Prompt::Text(text) => messages.push(("user".into(), text)),
            Prompt::Chat(chat) => {
                for message in &chat {
                    messages.push(plain(message)?);
                }
            }
            Prompt::Tokens(_) | Prompt::Body(_) => {
                let text = "this API takes texts and chats; choose another dataset";
                return Err(PluginError::Unsupported(text.into()));
            }
        }
        if let Some(system) = &self.system {
            messages.insert(0, ("system".into(), system.clone()));
        }
        let limit = turn.turn.max_tokens;
        Ok(HttpRequest {
            method: "POST".into(),
            url: self.url.clone(),
            headers: vec![("Content-Type".into(), "application/json".into())],
            body: dialect::body(&self.model, &self.parameters, self.stream, &messages, limit),
            framing: if self.stream { Framing::Sse } else { Framing::Whole },
        })
    }

    /// What a whole reply says. What the server did wrong is a failure in the outcome.
    fn parse(&self, reply: Reply) -> Result<Outcome, PluginError> {
        let frames: Vec<&[u8]> = reply.frames.iter().map(|frame| reply.data(frame)).collect();
        let said = dialect::parse(&frames, reply.complete, reply.framing == Framing::Sse);
        let mut outcome = Outcome {
            usage: Usage { input_tokens: said.usage.0, output_tokens: said.usage.1, ..Usage::default() },
            finish_reason: said.finish_reason,
            failure: said.failure.map(|(kind, text)| Failure::new(kind, text)),
            ..Outcome::default()
        };
        for (frame, text) in &said.outputs {
            outcome.push(*frame, OutputKind::Content, text);
        }
        Ok(outcome)
    }
}

/// The role and the text of a message.
fn plain(message: &Message) -> Result<(String, String), PluginError> {
    let mut text = String::new();
    for part in &message.content {
        match part {
            Part::Text(piece) => text.push_str(piece),
            _ => {
                let text = "this API takes text only; choose another dataset";
                return Err(PluginError::Unsupported(text.into()));
            }
        }
    }
    Ok((message.role.clone(), text))
}

export_api!(Plugin);
