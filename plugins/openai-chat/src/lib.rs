//! The chat API of OpenAI, and of the many servers that follow it, as a tickrate plugin: the twin
//! of the API `openai` that tickrate has built in, for comparison and as an example to start from.

mod chunk;
mod parse;
mod shape;

use serde_json::{Map, Value};
use tickrate_guest::{Api, HttpRequest, Outcome, PluginError, Reply, RunConfig, TurnInContext, export_api};

struct OpenAiChat {
    url: String,
    model: String,
    stream: bool,
    parameters: Map<String, Value>,
}

impl Api for OpenAiChat {
    fn options_schema() -> &'static str {
        r#"{"type": "object", "additionalProperties": false}"#
    }

    fn open(config: RunConfig) -> Result<Self, PluginError> {
        let parameters = serde_json::from_str(&config.parameters).map_err(|error| {
            PluginError::InvalidConfig(format!("the parameters are no JSON object: {error}"))
        })?;
        Ok(OpenAiChat { url: config.url, model: config.model, stream: config.stream, parameters })
    }

    fn shape(&self, turn: TurnInContext) -> Result<HttpRequest, PluginError> {
        shape::shape(self, &turn)
    }

    fn parse(&self, reply: Reply) -> Result<Outcome, PluginError> {
        Ok(parse::parse(&reply))
    }
}

export_api!(OpenAiChat);
