//! What a run asks of every request, whatever the API, and the body that it goes into.

use bytes::Bytes;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::Serialize;
use serde_json::{Map, Value};

use super::members::Members;
use crate::contract::{Framing, HttpRequest, PartError, Prompt, RunConfig, TurnInContext};

/// The bounds between which `--max-tokens MIN MAX` draws for each request, both inclusive, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MaxTokensRange {
    /// The least.
    pub min: u32,
    /// The most.
    pub max: u32,
}

/// What the command line asks of an API beyond the run's parameters.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ApiSpec {
    /// `--query-template`: a JSON object that each body starts from, or `@` and the file that holds
    /// it. Its prompt is replaced, and so is all that the command line asks for.
    pub query_template: Option<String>,
    /// `--max-tokens` with two values. A `max_tokens` among the run's parameters wins over it.
    pub max_tokens: Option<MaxTokensRange>,
    /// The names among the run's parameters that `--extra-args` gave. They are sent even where the
    /// API has no use for a sampling parameter of that name.
    pub extra_fields: Vec<String>,
}

/// The parameters that flags ask for, under their names on the wire of OpenAI's chat API. They shape
/// how a server generates, and mean nothing to one that embeds or ranks.
const SAMPLING: [&str; 13] = [
    "max_tokens",
    "min_tokens",
    "frequency_penalty",
    "repetition_penalty",
    "logprobs",
    "n",
    "seed",
    "stop",
    "stream",
    "stop_token_ids",
    "temperature",
    "top_p",
    "top_k",
];

/// What is asked of every request.
pub(super) struct Asked {
    pub(super) url: String,
    pub(super) model: String,
    pub(super) stream: bool,
    pub(super) parameters: Map<String, Value>,
    seed: u64,
    extra_fields: Vec<String>,
    max_tokens: Option<MaxTokensRange>,
    template: Map<String, Value>,
}

impl Asked {
    /// What the run asks. The URL is taken as it is; see [`super::endpoint()`].
    pub(super) fn new(config: &RunConfig, spec: &ApiSpec) -> Result<Asked, PartError> {
        if let Some(range) = spec.max_tokens.filter(|range| range.min > range.max) {
            return Err(PartError::InvalidConfig(format!(
                "--max-tokens range min must be <= max, got [{}, {}]; swap them",
                range.min, range.max
            )));
        }
        Ok(Asked {
            url: config.url.clone(),
            model: config.model.clone(),
            stream: config.stream,
            parameters: config.parameters.clone(),
            seed: config.seed,
            extra_fields: spec.extra_fields.clone(),
            max_tokens: spec.max_tokens,
            template: spec.query_template.as_deref().map(query_template).transpose()?.unwrap_or_default(),
        })
    }

    /// The most tokens that this turn asks for, where that is not the same for all: the turn's own
    /// limit, else one drawn from the range of `--max-tokens`.
    pub(super) fn limit(&self, turn: &TurnInContext) -> Option<u32> {
        let drawn = || {
            let range = self.max_tokens.filter(|_| !self.parameters.contains_key("max_tokens"))?;
            // Without the run's own name, so that another run with the seed draws the same.
            let number = turn.request_id.rsplit('-').next().unwrap_or_default();
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(self.seed ^ hash(number));
            Some(rng.random_range(range.min..=range.max))
        };
        turn.turn.max_tokens.or_else(drawn)
    }

    /// What the command line asks for, in order: the turn's own limit wins over `--max-tokens`.
    pub(super) fn parameters(&self, turn: &TurnInContext) -> impl Iterator<Item = (&str, Value)> {
        let limit = self.limit(turn).map(|limit| ("max_tokens", Value::from(limit)));
        let limited = limit.is_some();
        let stream =
            (self.stream && !self.parameters.contains_key("stream")).then_some(("stream", true.into()));
        let given = self.parameters.iter().filter(move |(name, _)| !(limited && *name == "max_tokens"));
        let given = given.map(|(name, value)| (name.as_str(), value.clone()));
        limit.into_iter().chain(given).chain(stream)
    }

    /// The parameters without those that only a server which generates knows; what `--extra-args`
    /// gives is kept whatever its name.
    pub(super) fn other_parameters(&self) -> impl Iterator<Item = (&str, Value)> {
        let given = self.parameters.iter();
        let kept = given.filter(|(name, _)| self.is_extra(name) || !SAMPLING.contains(&name.as_str()));
        kept.map(|(name, value)| (name.as_str(), value.clone()))
    }

    /// Whether `--extra-args` gave the parameter.
    pub(super) fn is_extra(&self, name: &str) -> bool {
        self.extra_fields.iter().any(|extra| extra == name)
    }
}

/// Refuses options (`--api-args`) that are not among the `known` ones of the API.
pub(super) fn check_options(api: &str, config: &RunConfig, known: &[&str]) -> Result<(), PartError> {
    let Some(name) = config.options.keys().find(|name| !known.contains(&name.as_str())) else {
        return Ok(());
    };
    let has = match known {
        [] => "no options".to_string(),
        known => format!("the options {}", known.join(", ")),
    };
    Err(PartError::InvalidConfig(format!(
        "the api \"{api}\" has {has}, and --api-args gives \"{name}\"; put fields of the body into --extra-args"
    )))
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

/// FNV-1a, which stays the same from one version to the next.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// What a body with a short prompt takes.
const BODY_BYTES: usize = 512;

/// A body in the making: the dataset's own, which what is asked for only fills, or a new one, which
/// starts from the query template and in which what is asked for wins.
pub(super) struct Body<'a> {
    pub(super) members: Members<'a>,
    /// Whether the dataset gave it.
    pub(super) given: bool,
}

impl<'a> Body<'a> {
    /// The body that a turn starts from.
    pub(super) fn of(asked: &'a Asked, turn: &TurnInContext) -> Result<Body<'a>, PartError> {
        let Prompt::Body(given) = &turn.turn.prompt else {
            // With room for what will be put into it: the parameters, the model, the prompt and the two
            // members of a stream.
            let members = Members::of(&asked.template, asked.parameters.len() + 4);
            return Ok(Body { members, given: false });
        };
        let members = serde_json::from_slice(given).map_err(|error| {
            PartError::InvalidData(format!(
                "a request body is not a JSON object ({error}); correct the dataset"
            ))
        })?;
        Ok(Body { members, given: true })
    }

    /// Asks for a member.
    pub(super) fn put(&mut self, name: &'a str, value: Value) {
        if self.given {
            self.members.get_or_put(name, || value);
        } else {
            self.members.put(name, value);
        }
    }

    /// Asks for a member of the object `object`.
    pub(super) fn put_in(&mut self, object: &'a str, name: &str, value: Value) {
        let inner = self.members.get_or_put(object, || Value::Object(Map::new()));
        match inner {
            Value::Object(inner) if self.given => {
                inner.entry(name).or_insert(value);
            }
            Value::Object(inner) => {
                inner.insert(name.into(), value);
            }
            _ => {}
        }
    }

    /// Asks for the model, if there is one to ask for.
    pub(super) fn put_model(&mut self, asked: &'a Asked) {
        if !asked.model.is_empty() {
            self.put("model", Value::String(asked.model.clone()));
        }
    }

    /// Puts what was said before in front of the dataset's own list of messages.
    pub(super) fn put_before(&mut self, list: &str, before: Vec<Value>) -> Result<(), PartError> {
        if before.is_empty() {
            return Ok(());
        }
        let Some(Value::Array(own)) = self.members.get_mut(list) else {
            return Err(PartError::Unsupported(format!(
                "a request body without a list of \"{list}\" cannot continue a conversation; make it a conversation of its own"
            )));
        };
        own.splice(0..0, before);
        Ok(())
    }

    /// Whether the body asks for a stream; `usual` is what the server takes its absence for.
    pub(super) fn streams(&self, usual: bool) -> bool {
        self.members.get("stream").and_then(Value::as_bool).unwrap_or(usual)
    }

    /// The request with this body; `streamed` is the framing of a reply that is streamed, if it is.
    pub(super) fn request(self, url: &str, streamed: Option<Framing>) -> Result<HttpRequest, PartError> {
        let mut bytes = Vec::with_capacity(BODY_BYTES);
        serde_json::to_writer(&mut bytes, &self.members)
            .map_err(|error| PartError::Internal(format!("a body could not be written as JSON: {error}")))?;
        Ok(HttpRequest {
            method: "POST".into(),
            url: url.into(),
            headers: vec![("Content-Type".into(), "application/json".into())],
            body: Bytes::from(bytes),
            framing: streamed.unwrap_or(Framing::Whole),
        })
    }
}
