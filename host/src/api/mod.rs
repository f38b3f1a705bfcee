//! The server dialects that are built in. Each one is a line in `BUILT_IN`.

mod content;
mod endpoint;
mod openai;
mod openai_chat;
mod openai_parse;

use std::sync::Arc;

pub use endpoint::{Endpoint, endpoint, is_chat};
pub use openai::{MaxTokensRange, OpenAi, OpenAiSpec};

use crate::contract::{Api, PartError, RunConfig};
use crate::tokenizer::Tokenizer;

type Open = fn(&RunConfig, &OpenAiSpec, Option<Arc<Tokenizer>>) -> Result<Arc<dyn Api>, PartError>;

/// Every API that is built in, sorted by name.
const BUILT_IN: &[(&str, Open)] =
    &[("openai", |config, spec, tokenizer| Ok(Arc::new(OpenAi::new(config, spec, tokenizer)?)))];

/// The names of the APIs that are built in, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, _)| *name)
}

/// Opens an API that is built in. The tokenizer is needed only to turn chats into plain prompts by
/// its chat template, for an endpoint that takes no chats.
pub fn open(
    name: &str,
    config: &RunConfig,
    spec: &OpenAiSpec,
    tokenizer: Option<Arc<Tokenizer>>,
) -> Result<Arc<dyn Api>, PartError> {
    match BUILT_IN.iter().find(|(known, _)| *known == name) {
        Some((_, open)) => open(config, spec, tokenizer),
        None => Err(PartError::InvalidConfig(format!(
            "the api \"{name}\" is not known; choose one of: {}, or a .wasm file",
            names().collect::<Vec<_>>().join(", ")
        ))),
    }
}
