//! What a text becomes when it is asked, and whether its length is wanted.

use std::sync::Arc;

use super::DatasetSpec;
use super::fit::{Fit, Role, TextOptions};
use super::messages;
use crate::contract::{Message, Part, PartError, Prompt};
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
    fit: Option<Fit>,
}

impl Prompts {
    /// Checks that what is asked for can be done with what is there.
    pub(super) fn new(spec: &DatasetSpec, tokenizer: Option<Arc<Tokenizer>>) -> Result<Prompts, PartError> {
        Prompts::fitted(spec, &TextOptions::default(), tokenizer)
    }

    /// Likewise, with prompts made to a length.
    pub(super) fn fitted(
        spec: &DatasetSpec,
        options: &TextOptions,
        tokenizer: Option<Arc<Tokenizer>>,
    ) -> Result<Prompts, PartError> {
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
        let fit = Fit::new(options, tokenizer.as_ref())?;
        let mut template_length = 0;
        if let (true, Some(tokenizer), None) = (spec.apply_chat_template, &tokenizer, &fit) {
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
            fit,
        })
    }

    /// The length that prompts are made to have, if there is one.
    pub(super) fn fit(&self) -> Option<&Fit> {
        self.fit.as_ref()
    }

    /// The prompt that a text makes, whatever its length.
    pub(super) fn prompt(&self, text: String) -> Result<Prompt, TokenizerError> {
        match (&self.tokenizer, self.tokenize_prompt, self.apply_chat_template) {
            (Some(tokenizer), true, false) => Ok(Prompt::Tokens(tokenizer.encode(&text)?)),
            (_, _, true) => self.chat(vec![Message::text("user", text)]),
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

    /// The prompt that a text makes; `None` if its length is not what is asked for and is not to be
    /// made so.
    pub(super) fn wanted(&self, text: &str) -> Result<Option<Prompt>, TokenizerError> {
        let Some(fit) = &self.fit else {
            return if self.within_bounds(text)? {
                self.prompt(text.to_string()).map(Some)
            } else {
                Ok(None)
            };
        };
        let Some(text) = fit.cut(text)? else { return Ok(None) };
        let budget = fit.target().saturating_sub(fit.count(&text)?);
        match fit.prefix_role() {
            Some(Role::System) if budget > 0 && self.apply_chat_template => {
                let prefix = Message::text("system", fit.prefix(budget, "")?);
                self.chat(vec![prefix, Message::text("user", text)])
            }
            Some(_) if budget > 0 => self.prompt(fit.prefix(budget, &text)? + &text),
            _ => self.prompt(text),
        }
        .map(Some)
    }

    /// The prompt that a chat of several messages makes, the last of which is the user's. Without a
    /// prefix it is that message alone whose length counts, and which is cut; with one, it is all of
    /// them, and nothing is cut: a chat that is longer than the target is not wanted.
    pub(super) fn wanted_chat(&self, mut messages: Vec<Message>) -> Result<Option<Prompt>, TokenizerError> {
        let last = messages.last().map(messages::text).unwrap_or_default();
        let Some(fit) = &self.fit else {
            return if self.within_bounds(&last)? { self.chat(messages).map(Some) } else { Ok(None) };
        };
        let Some(role) = fit.prefix_role() else {
            let Some(text) = fit.cut(&last)? else { return Ok(None) };
            if let Some(message) = messages.last_mut() {
                message.content = vec![Part::Text(text)];
            }
            return self.chat(messages).map(Some);
        };
        let mut sum = 0;
        for message in &messages {
            sum += fit.count(&messages::text(message))?;
        }
        if sum > fit.target() {
            return Ok(None);
        }
        let budget = fit.target() - sum;
        if budget > 0 {
            match (role, messages.first_mut()) {
                (Role::User, Some(first)) => {
                    let text = messages::text(first);
                    first.content = vec![Part::Text(fit.prefix(budget, &text)? + &text)];
                }
                _ => messages.insert(0, Message::text("system", fit.prefix(budget, "")?)),
            }
        }
        self.chat(messages).map(Some)
    }

    /// Whether the text is neither shorter nor longer than what is asked for.
    pub(super) fn within_bounds(&self, text: &str) -> Result<bool, TokenizerError> {
        // A token is at least a byte and a character too, so that most texts need not be counted.
        let at_most = text.len().saturating_add(self.template_length);
        Ok((self.min_length == 0 && at_most <= self.max_length)
            || (self.min_length..=self.max_length).contains(&self.length(text)?))
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
