//! OpenAI's API for chats and plain prompts: what it is told, and which of the two it speaks.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use super::endpoint::is_completions;
use super::{openai_chat, openai_parse};
use crate::contract::{Api, HttpRequest, Outcome, PartError, Reply, RunConfig, TurnInContext};
use crate::tokenizer::Tokenizer;

/// The bounds between which `--max-tokens MIN MAX` draws for each request, both inclusive, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MaxTokensRange {
    /// The least.
    pub min: u32,
    /// The most.
    pub max: u32,
}

/// What the command line asks of the API beyond the run's parameters.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct OpenAiSpec {
    /// `--query-template`: a JSON object that each body starts from, or `@` and the file that holds
    /// it. Its `messages` and `prompt` are replaced, and so is all that the command line asks for.
    pub query_template: Option<String>,
    /// `--max-tokens` with two values. A `max_tokens` among the run's parameters wins over it.
    pub max_tokens: Option<MaxTokensRange>,
}

/// Chat completions; or completions, where the path of the URL ends with `/completions` and not
/// with `/chat/completions`.
pub struct OpenAi {
    pub(super) url: String,
    pub(super) completions: bool,
    pub(super) model: String,
    pub(super) stream: bool,
    pub(super) seed: u64,
    pub(super) parameters: Map<String, Value>,
    pub(super) max_tokens: Option<MaxTokensRange>,
    pub(super) template: Map<String, Value>,
    pub(super) tokenizer: Option<Arc<Tokenizer>>,
}

impl OpenAi {
    /// The API for a run. The URL is taken as it is; see [`super::endpoint()`].
    pub fn new(
        config: &RunConfig,
        spec: &OpenAiSpec,
        tokenizer: Option<Arc<Tokenizer>>,
    ) -> Result<OpenAi, PartError> {
        if let Some(name) = config.options.keys().next() {
            return Err(PartError::InvalidConfig(format!(
                "the api \"openai\" has no options, and --api-args gives \"{name}\"; put fields of the body into --extra-args"
            )));
        }
        if let Some(range) = spec.max_tokens.filter(|range| range.min > range.max) {
            return Err(PartError::InvalidConfig(format!(
                "--max-tokens range min must be <= max, got [{}, {}]; swap them",
                range.min, range.max
            )));
        }
        Ok(OpenAi {
            url: config.url.clone(),
            completions: is_completions(&config.url),
            model: config.model.clone(),
            stream: config.stream,
            seed: config.seed,
            parameters: config.parameters.clone(),
            max_tokens: spec.max_tokens,
            template: spec.query_template.as_deref().map(query_template).transpose()?.unwrap_or_default(),
            tokenizer,
        })
    }
}

fn query_template(given: &str) -> Result<Map<String, Value>, PartError> {
    let (text, from) = match given.strip_prefix('@') {
        None => (given.to_string(), String::new()),
        Some(file) => match std::fs::read_to_string(file) {
            Ok(text) => (text, format!(" in \"{file}\"")),
            Err(error) => {
                return Err(PartError::InvalidConfig(format!(
                    "the file \"{file}\" of --query-template cannot be read: {error}; check it"
                )));
            }
        },
    };
    serde_json::from_str(&text).map_err(|error| {
        PartError::InvalidConfig(format!("--query-template{from} is not a JSON object ({error}); correct it"))
    })
}

impl Api for OpenAi {
    fn name(&self) -> &str {
        "openai"
    }

    fn shape(&self, turn: &TurnInContext) -> Result<HttpRequest, PartError> {
        openai_chat::shape(self, turn)
    }

    fn parse(&self, reply: &Reply<'_>) -> Result<Outcome, PartError> {
        Ok(openai_parse::parse(reply))
    }
}
