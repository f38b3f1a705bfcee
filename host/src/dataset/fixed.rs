//! `--prompt`: one prompt for all requests.

use std::sync::Arc;

use super::DatasetSpec;
use super::prompts::Prompts;
use crate::contract::{Conversation, Dataset, PartError, Prompt};
use crate::tokenizer::Tokenizer;

struct Fixed(Prompt);

/// The dataset of one prompt. Its length is the user's own choice and is not looked at.
pub(super) fn open(
    spec: &DatasetSpec,
    tokenizer: Option<Arc<Tokenizer>>,
) -> Result<Box<dyn Dataset>, PartError> {
    let given = spec.prompt.as_deref().unwrap_or_default();
    let text = match given.strip_prefix('@') {
        None => given.to_string(),
        Some(file) => std::fs::read_to_string(file).map_err(|error| {
            PartError::InvalidConfig(format!(
                "the file \"{file}\" of --prompt cannot be read: {error}; check it"
            ))
        })?,
    };
    let prompt = Prompts::new(spec, tokenizer)?
        .prompt(text)
        .map_err(|error| PartError::InvalidConfig(format!("--prompt cannot be used: {error}")))?;
    Ok(Box::new(Fixed(prompt)))
}

impl Dataset for Fixed {
    fn name(&self) -> &str {
        "prompt"
    }

    fn next(&mut self, at_most: usize) -> Result<Vec<Conversation>, PartError> {
        Ok((0..at_most).map(|_| self.0.clone().into()).collect())
    }

    fn rewind(&mut self) -> Result<(), PartError> {
        Ok(())
    }
}
