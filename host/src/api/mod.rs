//! The server dialects that are built in. Each one is an entry of `BUILT_IN`, and
//! `docs/apis.md` describes them to users.

mod anthropic;
mod asked;
#[cfg(test)]
mod conformance;
mod content;
mod dashscope;
mod endpoint;
mod members;
mod ollama;
mod openai;
mod openai_chat;
mod openai_embedding;
mod openai_parse;
mod openai_rerank;
mod openai_responses;
mod reply;
#[cfg(test)]
mod testing;
mod tgi;

use std::sync::Arc;

pub use asked::{ApiSpec, MaxTokensRange};
pub use endpoint::{Endpoint, EndpointSpec, endpoint, takes_chats};
pub use openai::OpenAi;

use crate::contract::{Api, PartError, RunConfig};
use crate::tokenizer::Tokenizer;
use endpoint::{Chats, Rule};

type Open = fn(&RunConfig, &ApiSpec, Option<Arc<Tokenizer>>) -> Result<Arc<dyn Api>, PartError>;

/// An API that is built in.
struct BuiltIn {
    name: &'static str,
    /// Other names that `--api` takes for it.
    aliases: &'static [&'static str],
    endpoint: Rule,
    chats: Chats,
    /// The least that the API lets a request ask for as its most tokens.
    least_tokens: u32,
    open: Open,
}

/// Every API that is built in, sorted by name.
const BUILT_IN: &[BuiltIn] = &[
    BuiltIn {
        name: "anthropic",
        aliases: &[],
        endpoint: endpoint::ANTHROPIC,
        chats: Chats::Always,
        least_tokens: 1,
        open: |config, spec, _| Ok(Arc::new(anthropic::Anthropic::new(config, spec)?)),
    },
    BuiltIn {
        name: "dashscope",
        aliases: &[],
        endpoint: endpoint::DASHSCOPE,
        chats: Chats::Always,
        least_tokens: 1,
        open: |config, spec, _| Ok(Arc::new(dashscope::DashScope::new(config, spec)?)),
    },
    BuiltIn {
        name: "ollama",
        aliases: &[],
        endpoint: endpoint::OLLAMA,
        chats: Chats::Always,
        least_tokens: 1,
        open: |config, spec, _| Ok(Arc::new(ollama::Ollama::new(config, spec)?)),
    },
    BuiltIn {
        name: "openai",
        aliases: &[],
        endpoint: endpoint::OPENAI,
        chats: Chats::ByUrl,
        least_tokens: 1,
        open: |config, spec, tokenizer| Ok(Arc::new(OpenAi::new(config, spec, tokenizer)?)),
    },
    BuiltIn {
        name: "openai_embedding",
        aliases: &["embedding"],
        endpoint: endpoint::EMBEDDING,
        chats: Chats::Never,
        least_tokens: 1,
        open: |config, spec, _| Ok(Arc::new(openai_embedding::Embedding::new(config, spec)?)),
    },
    BuiltIn {
        name: "openai_rerank",
        aliases: &["rerank"],
        endpoint: endpoint::RERANK,
        chats: Chats::Never,
        least_tokens: 1,
        open: |config, spec, _| Ok(Arc::new(openai_rerank::Rerank::new(config, spec)?)),
    },
    BuiltIn {
        name: "openai_responses",
        aliases: &["openai_response", "responses"],
        endpoint: endpoint::RESPONSES,
        chats: Chats::Always,
        // What OpenAI itself answers to less is an error.
        least_tokens: 16,
        open: |config, spec, _| Ok(Arc::new(openai_responses::Responses::new(config, spec)?)),
    },
    BuiltIn {
        name: "tgi",
        aliases: &[],
        endpoint: endpoint::TGI,
        chats: Chats::Never,
        least_tokens: 1,
        open: |config, spec, _| Ok(Arc::new(tgi::Tgi::new(config, spec)?)),
    },
];

/// Whether requests of an API may hold token ids in the place of text; of a component that is only
/// known once it is asked.
pub fn takes_token_ids(name: &str) -> bool {
    find(name).is_none_or(|api| matches!(api.name, "openai" | "openai_embedding"))
}

/// The names of the APIs that are built in, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|api| api.name)
}

fn find(name: &str) -> Option<&'static BuiltIn> {
    BUILT_IN.iter().find(|api| api.name == name || api.aliases.contains(&name))
}

/// The smallest limit of output tokens that a request of the API may set: that of a request which
/// should be cheap to answer. 1 for an API that is not built in.
pub fn least_tokens(name: &str) -> u32 {
    find(name).map_or(1, |api| api.least_tokens)
}

/// Opens an API that is built in, by its name or an alias. The tokenizer is needed only to turn
/// chats into plain prompts by its chat template, for an endpoint that takes no chats.
///
/// # Errors
/// A name that no API has, options that the API has not, a template that cannot be read.
pub fn open(
    name: &str,
    config: &RunConfig,
    spec: &ApiSpec,
    tokenizer: Option<Arc<Tokenizer>>,
) -> Result<Arc<dyn Api>, PartError> {
    match find(name) {
        Some(api) => (api.open)(config, spec, tokenizer),
        None if matches!(name, "local" | "local_vllm") => Err(PartError::InvalidConfig(format!(
            "the api \"{name}\" is a server of evalscope's, and tickrate starts none; start one, give its \
             address as --url, and leave --api out"
        ))),
        None => Err(PartError::InvalidConfig(format!(
            "the api \"{name}\" is not known; choose one of: {}, or a .wasm file",
            names().collect::<Vec<_>>().join(", ")
        ))),
    }
}
