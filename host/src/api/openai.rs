//! OpenAI's API for chats and plain prompts: what it is told, and which of the two it speaks.

use std::sync::Arc;

use super::asked::{ApiSpec, Asked, check_options};
use super::endpoint::is_completions;
use super::{openai_chat, openai_parse};
use crate::contract::{Api, HttpRequest, Outcome, PartError, Reply, RunConfig, TurnInContext};
use crate::tokenizer::Tokenizer;

/// Chat completions; or completions, where the path of the URL ends with `/completions` and not
/// with `/chat/completions`.
pub struct OpenAi {
    pub(super) asked: Asked,
    pub(super) completions: bool,
    pub(super) tokenizer: Option<Arc<Tokenizer>>,
}

impl OpenAi {
    /// The API for a run. The URL is taken as it is; see [`super::endpoint()`].
    pub fn new(
        config: &RunConfig,
        spec: &ApiSpec,
        tokenizer: Option<Arc<Tokenizer>>,
    ) -> Result<OpenAi, PartError> {
        check_options("openai", config, &[])?;
        let asked = Asked::new(config, spec)?;
        Ok(OpenAi { completions: is_completions(&config.url), asked, tokenizer })
    }
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
