//! Prompts of a wished length: `target_input_len` and what goes with it, for texts that a file gives.

use std::sync::Arc;

use serde::Deserialize;

use crate::contract::PartError;
use crate::tokenizer::{Tokenizer, TokenizerError};

/// The options of the datasets that are texts. All lengths are tokens of the content alone, without
/// what a chat template adds.
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct TextOptions {
    /// The length that prompts are made to have; --min- and --max-prompt-length do not count then.
    target_input_len: Option<i64>,
    /// What becomes of prompts that are shorter.
    input_len_mode: Option<Mode>,
    /// A text file that shorter prompts are filled up from, at their beginning.
    prefix_file: Option<String>,
    /// Where that text stands.
    prefix_role: Option<Role>,
}

/// What becomes of prompts that are shorter than the target. Longer ones are cut in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// They stay as they are.
    Cap,
    /// They are left out.
    Drop,
}

/// Where the prefix stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Role {
    /// In a system message of its own, where prompts are chats.
    System,
    /// At the beginning of the first message.
    User,
}

/// Makes texts as long as they are to be.
pub(super) struct Fit {
    tokenizer: Arc<Tokenizer>,
    target: usize,
    mode: Mode,
    prefix: Option<(Vec<u32>, Role)>,
}

/// How often a prefix is lengthened or shortened until its length is right.
const CORRECTIONS: usize = 10;
/// How many tokens more may go where a cut leaves half a character.
const SPARE: usize = 8;

impl Fit {
    /// What the options ask for; `None` if they ask for no length.
    pub(super) fn new(
        options: &TextOptions,
        tokenizer: Option<&Arc<Tokenizer>>,
    ) -> Result<Option<Fit>, PartError> {
        let invalid = |text: String| Err(PartError::InvalidConfig(format!("--dataset-args: {text}")));
        let Some(target) = options.target_input_len else {
            for (name, given) in [
                ("prefix_file", options.prefix_file.is_some()),
                ("prefix_role", options.prefix_role.is_some()),
                ("input_len_mode", options.input_len_mode.is_some()),
            ] {
                if given {
                    return invalid(format!("`{name}` requires `target_input_len` to be set; add it"));
                }
            }
            return Ok(None);
        };
        if target <= 0 {
            return invalid(format!("target_input_len must be > 0, got {target}; raise it"));
        }
        let Some(tokenizer) = tokenizer else {
            return invalid("`target_input_len` requires a tokenizer; please set --tokenizer-path".into());
        };
        let mode = options.input_len_mode.unwrap_or(Mode::Cap);
        let prefix = match &options.prefix_file {
            None if options.prefix_role.is_some() => {
                return invalid("`prefix_role` requires `prefix_file` to be set; add it".into());
            }
            None => None,
            Some(_) if mode == Mode::Drop => {
                return invalid(
                    "`prefix_file` does not go with input_len_mode \"drop\"; leave one of them out".into(),
                );
            }
            Some(file) => {
                let text = match std::fs::read_to_string(file) {
                    Ok(text) => text,
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                        return invalid(format!(
                            "the specified prefix_file '{file}' does not exist; correct its path"
                        ));
                    }
                    Err(error) => {
                        return invalid(format!(
                            "the prefix_file '{file}' cannot be read: {error}; check it"
                        ));
                    }
                };
                let ids = tokenizer
                    .encode(&text)
                    .map_err(|error| PartError::InvalidConfig(format!("--dataset-args: {error}")))?;
                if ids.is_empty() {
                    return invalid(format!("the prefix_file '{file}' is empty; put a text into it"));
                }
                Some((ids, options.prefix_role.unwrap_or(Role::System)))
            }
        };
        Ok(Some(Fit { tokenizer: tokenizer.clone(), target: target as usize, mode, prefix }))
    }

    /// Whether shorter prompts are left out.
    pub(super) fn drops(&self) -> bool {
        self.mode == Mode::Drop
    }

    /// The length asked for.
    pub(super) fn target(&self) -> usize {
        self.target
    }

    /// The content's length in tokens.
    pub(super) fn count(&self, text: &str) -> Result<usize, TokenizerError> {
        self.tokenizer.count(text)
    }

    /// The text cut to the target; `None` if it is shorter and such are left out.
    pub(super) fn cut(&self, text: &str) -> Result<Option<String>, TokenizerError> {
        let ids = self.tokenizer.encode(text)?;
        if ids.len() <= self.target {
            let dropped = self.drops() && ids.len() < self.target;
            return Ok((!dropped).then(|| text.to_string()));
        }
        cut(&self.tokenizer, &ids, self.target).map(Some)
    }

    /// The role of the prefix, if there is to be one.
    pub(super) fn prefix_role(&self) -> Option<Role> {
        self.prefix.as_ref().map(|(_, role)| *role)
    }

    /// A prefix of `tokens` tokens. With `before`, the text that it stands in front of without a gap,
    /// it is the two together that have that many more tokens than `before` alone.
    pub(super) fn prefix(&self, tokens: usize, before: &str) -> Result<String, TokenizerError> {
        let Some((pool, _)) = &self.prefix else { return Ok(String::new()) };
        let wanted = tokens + self.tokenizer.count(before)?;
        let mut length = tokens;
        let mut text = String::new();
        for _ in 0..=CORRECTIONS {
            let ids: Vec<u32> = pool.iter().copied().cycle().take(length).collect();
            text = self.tokenizer.decode(&ids)?;
            let got = match before {
                "" => self.tokenizer.count(&text)?,
                _ => self.tokenizer.count(&format!("{text}{before}"))?,
            };
            if got == wanted {
                break;
            }
            length = (length + wanted).saturating_sub(got);
        }
        Ok(text)
    }
}

/// The text of the first `target` of the ids, or of a few less where a character would be cut in half.
pub(super) fn cut(tokenizer: &Tokenizer, ids: &[u32], target: usize) -> Result<String, TokenizerError> {
    let mut best: Option<String> = None;
    for length in (target.saturating_sub(SPARE)..=target).rev() {
        let text = tokenizer.decode(&ids[..length.min(ids.len())])?;
        let got = tokenizer.count(&text)?;
        if got == target || (got < target && !text.ends_with('\u{fffd}')) {
            return Ok(text);
        }
        if got <= target {
            best.get_or_insert(text);
        }
    }
    match best {
        Some(text) => Ok(text),
        None => tokenizer.decode(&ids[..target.min(ids.len())]),
    }
}
