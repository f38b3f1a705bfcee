//! What a text becomes when it is asked, and whether its length is wanted.

use std::sync::Arc;

use super::DatasetSpec;
use crate::contract::{Message, PartError, Prompt};
use crate::tokenizer::{Tokenizer, TokenizerError};

/// Turns texts into prompts as the command line asks for it.
pub(super) struct Prompts {
    apply_chat_template: bool,
    tokenize_prompt: bool,
    min_length: usize,
    max_length: usize,
    tokenizer: Option<Arc<Tokenizer>>,
    /// What the chat template adds to a text, in tokens, at the most; only for a quick decision.
    template_length: usize,
}

impl Prompts {
    /// Checks that what is asked for can be done with what is there.
    pub(super) fn new(spec: &DatasetSpec, tokenizer: Option<Arc<Tokenizer>>) -> Result<Prompts, PartError> {
        if spec.min_prompt_length > spec.max_prompt_length {
            return Err(PartError::InvalidConfig(format!(
                "--min-prompt-length {} is more than --max-prompt-length {}; swap them",
                spec.min_prompt_length, spec.max_prompt_length
            )));
        }
        if spec.tokenize_prompt && tokenizer.is_none() {
            return Err(PartError::InvalidConfig(
                "--tokenize-prompt needs a tokenizer; pass --tokenizer-path".into(),
            ));
        }
        let mut template_length = 0;
        if let (true, Some(tokenizer)) = (spec.apply_chat_template, &tokenizer) {
            let probe = [Message::text("user", "a")];
            template_length = tokenizer.count_chat(&probe).map_err(|error| template_error(&error))?;
        }
        Ok(Prompts {
            apply_chat_template: spec.apply_chat_template,
            tokenize_prompt: spec.tokenize_prompt,
            min_length: spec.min_prompt_length,
            max_length: spec.max_prompt_length,
            tokenizer,
            template_length,
        })
    }

    /// The prompt that a text makes, whatever its length.
    pub(super) fn prompt(&self, text: String) -> Result<Prompt, TokenizerError> {
        match (&self.tokenizer, self.tokenize_prompt, self.apply_chat_template) {
            (Some(tokenizer), true, false) => Ok(Prompt::Tokens(tokenizer.encode(&text)?)),
            (Some(tokenizer), true, true) => {
                let rendered = tokenizer.render_chat(&[Message::text("user", text)], true)?;
                Ok(Prompt::Tokens(tokenizer.encode(&rendered)?))
            }
            (_, _, true) => Ok(Prompt::Chat(vec![Message::text("user", text)])),
            (_, _, false) => Ok(Prompt::Text(text)),
        }
    }

    /// The prompt that a chat makes, whatever its length.
    pub(super) fn chat(&self, messages: Vec<Message>) -> Result<Prompt, TokenizerError> {
        match (&self.tokenizer, self.tokenize_prompt) {
            (Some(tokenizer), true) => {
                Ok(Prompt::Tokens(tokenizer.encode(&tokenizer.render_chat(&messages, true)?)?))
            }
            _ => Ok(Prompt::Chat(messages)),
        }
    }

    /// The prompt that a text makes, or `None` if it is shorter or longer than what is asked for.
    pub(super) fn within_bounds(&self, text: &str) -> Result<Option<Prompt>, TokenizerError> {
        // A token is at least a byte and a character too, so that most texts need not be counted.
        let at_most = text.len().saturating_add(self.template_length);
        let wanted = (self.min_length == 0 && at_most <= self.max_length)
            || (self.min_length..=self.max_length).contains(&self.length(text)?);
        if wanted { self.prompt(text.to_string()).map(Some) } else { Ok(None) }
    }

    fn length(&self, text: &str) -> Result<usize, TokenizerError> {
        match &self.tokenizer {
            None => Ok(text.chars().count()),
            Some(tokenizer) if self.apply_chat_template => {
                tokenizer.count_chat(&[Message::text("user", text)])
            }
            Some(tokenizer) => tokenizer.count(text),
        }
    }
}

/// What is wrong with a tokenizer that was to apply its chat template.
pub(super) fn template_error(error: &TokenizerError) -> PartError {
    PartError::InvalidConfig(error.to_string())
}
