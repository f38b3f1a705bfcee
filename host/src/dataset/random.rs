//! `random`: prompts of random text that have an exact number of tokens, no two of them the same.
//!
//! The length is drawn from `--min-prompt-length..=--max-prompt-length` and includes what the chat
//! template adds; the shared prefix of `--prefix-length` comes on top. Everything follows from the
//! seed and the prompt's number.

use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::Deserialize;

use super::prompts::template_error;
use super::vocabulary::{Draw, words};
use super::{DatasetSpec, options};
use crate::contract::{Conversation, Dataset, Message, PartError, Prompt};
use crate::tokenizer::{Tokenizer, TokenizerError};

/// How often a text is corrected before it is sent with the length it has.
const CORRECTIONS: usize = 16;
/// The label of a prompt that could not be made exact: its tokens − the tokens asked for.
const INEXACT: &str = "prompt_tokens_off_by";

/// What the prompts are made of.
#[derive(Deserialize, Clone, Copy, PartialEq, Default)]
#[serde(rename_all = "lowercase")]
enum Vocabulary {
    /// Words that are one token each: exact without trial and error, and very fast.
    #[default]
    Words,
    /// The whole vocabulary, corrected until the length is right.
    All,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RandomOptions {
    #[serde(default)]
    vocabulary: Vocabulary,
}

struct Random {
    tokenizer: Arc<Tokenizer>,
    seed: u64,
    /// The number of the next prompt.
    index: u64,
    /// The bounds of a prompt's own tokens, without the template and the prefix.
    min_length: usize,
    max_length: usize,
    prefix_length: usize,
    /// What the chat template adds, in tokens, where it is applied.
    template_length: Option<usize>,
    plain_ids: Vec<u32>,
    words: Vec<String>,
    draw: Draw,
    make: Make,
}

/// How prompts are made, and the prefix that they share.
enum Make {
    Tokens { prefix: Vec<u32> },
    Words { prefix: String },
    Text { prefix: String },
}

pub(super) fn open(
    spec: &DatasetSpec,
    tokenizer: Option<Arc<Tokenizer>>,
) -> Result<Box<dyn Dataset>, PartError> {
    let RandomOptions { vocabulary } = options(spec)?;
    let invalid = |text: String| Err(PartError::InvalidConfig(text));
    let Some(tokenizer) = tokenizer else {
        return invalid("the dataset \"random\" needs a tokenizer; pass --tokenizer-path".into());
    };
    let (min, max) = (spec.min_prompt_length, spec.max_prompt_length);
    if min > max {
        return invalid(format!(
            "--min-prompt-length {min} is more than --max-prompt-length {max}; swap them"
        ));
    }
    let failed = |error: TokenizerError| PartError::InvalidConfig(error.to_string());
    let plain_ids = tokenizer.plain_ids();
    if plain_ids.is_empty() {
        return invalid(format!(
            "the vocabulary of the tokenizer \"{}\" has nothing to make prompts of; try another --tokenizer-path",
            tokenizer.name()
        ));
    }
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(spec.seed);
    let words = match spec.tokenize_prompt {
        true => Vec::new(),
        false => words(&tokenizer, &plain_ids, &mut rng).map_err(failed)?.unwrap_or_default(),
    };
    let by_words = vocabulary == Vocabulary::Words && !words.is_empty();

    let mut template_length = None;
    if spec.apply_chat_template && !spec.tokenize_prompt {
        // Measured around a text, since a template may treat an empty one differently.
        let probe = words.first().map_or("a", String::as_str);
        let chat = tokenizer.count_chat(&[Message::text("user", probe)]).map_err(|e| template_error(&e))?;
        template_length = Some(chat.saturating_sub(tokenizer.count(probe).map_err(failed)?));
    }
    let taken = template_length.unwrap_or(0);
    if max <= taken {
        return invalid(format!(
            "--max-prompt-length {max} leaves no room for a text ({taken} tokens are the chat template's); raise it{}",
            if taken > 0 { " or pass --no-apply-chat-template" } else { "" }
        ));
    }
    let draw = Draw::new(if by_words { words.len() } else { plain_ids.len() }, &mut rng);
    let mut random = Random {
        tokenizer,
        seed: spec.seed,
        index: 0,
        min_length: min.saturating_sub(taken).max(1),
        max_length: max - taken,
        prefix_length: spec.prefix_length,
        template_length,
        plain_ids,
        words,
        draw,
        make: Make::Text { prefix: String::new() },
    };
    random.make = match (spec.tokenize_prompt, by_words) {
        (true, _) => Make::Tokens { prefix: random.random_ids(spec.prefix_length, &mut rng) },
        (false, true) => {
            let picked: Vec<&str> = (0..spec.prefix_length).map(|_| random.random_word(&mut rng)).collect();
            Make::Words { prefix: picked.join(" ") }
        }
        (false, false) => {
            let ids = random.random_ids(spec.prefix_length, &mut rng);
            let text = random.tokenizer.decode(&ids).map_err(failed)?;
            let measure = |text: &str| random.tokenizer.count(text);
            Make::Text {
                prefix: random.fit(0, text, spec.prefix_length, &measure, &mut rng).map_err(failed)?.0,
            }
        }
    };
    Ok(Box::new(random))
}

impl Random {
    fn conversation(&self, index: u64) -> Result<Conversation, TokenizerError> {
        let own = self.seed ^ index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(own);
        let length = rng.random_range(self.min_length..=self.max_length);
        let items = self.draw.sequence(index, length, &mut rng);
        let wanted = self.prefix_length + length;
        let (text, off_by) = match &self.make {
            Make::Tokens { prefix } => {
                let mut ids = prefix.clone();
                ids.extend(items.iter().filter_map(|&item| self.plain_ids.get(item)));
                return Ok(Prompt::Tokens(ids).into());
            }
            Make::Words { prefix } => {
                let mut text = String::with_capacity(prefix.len() + items.len() * 8);
                text.push_str(prefix);
                for word in items.iter().filter_map(|&item| self.words.get(item)) {
                    if !text.is_empty() {
                        text.push(' ');
                    }
                    text.push_str(word);
                }
                // It is exact by construction. That is not taken on trust for all of them.
                if index < 8 || index.is_multiple_of(64) {
                    self.fit(prefix.len(), text, wanted, &|text| self.measure(text), &mut rng)?
                } else {
                    (text, 0)
                }
            }
            Make::Text { prefix } => {
                let ids: Vec<u32> =
                    items.iter().filter_map(|&item| self.plain_ids.get(item).copied()).collect();
                let text = format!("{prefix}{}", self.tokenizer.decode(&ids)?);
                self.fit(prefix.len(), text, wanted, &|text| self.measure(text), &mut rng)?
            }
        };
        let prompt = match self.template_length {
            Some(_) => Prompt::Chat(vec![Message::text("user", text)]),
            None => Prompt::Text(text),
        };
        let mut conversation = Conversation::from(prompt);
        if off_by != 0 {
            conversation.labels.push((INEXACT.to_string(), format!("{off_by:+}")));
        }
        Ok(conversation)
    }

    /// The text's tokens as a server counts them, without what the template adds to any text.
    fn measure(&self, text: &str) -> Result<usize, TokenizerError> {
        match self.template_length {
            None => self.tokenizer.count(text),
            Some(taken) => {
                Ok(self.tokenizer.count_chat(&[Message::text("user", text)])?.saturating_sub(taken))
            }
        }
    }

    /// Cuts the text or adds to it until it has `wanted` tokens; its first `fixed` bytes stay. What
    /// it is off by in the end comes with it: decoded ids may be encoded to more or fewer of them.
    fn fit(
        &self,
        fixed: usize,
        mut text: String,
        wanted: usize,
        measure: &dyn Fn(&str) -> Result<usize, TokenizerError>,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Result<(String, i64), TokenizerError> {
        for correction in 0.. {
            let got = measure(&text)?;
            if got == wanted || correction == CORRECTIONS {
                return Ok((text, got as i64 - wanted as i64));
            }
            if got > wanted {
                let mut ids = self.tokenizer.encode(&text[fixed..])?;
                // Half a character may be left at the cut and count for more than it should. After a
                // few attempts a little more goes, and words take its place.
                let spare = correction / 3;
                ids.truncate(ids.len().saturating_sub(got - wanted + spare));
                text.truncate(fixed);
                text.push_str(&self.tokenizer.decode(&ids)?);
            } else if self.words.is_empty() {
                let ids = self.random_ids(wanted - got, rng);
                text.push_str(&self.tokenizer.decode(&ids)?);
            } else {
                for _ in got..wanted {
                    text.push(' ');
                    text.push_str(self.random_word(rng));
                }
            }
        }
        Ok((text, 0))
    }

    fn random_ids(&self, length: usize, rng: &mut Xoshiro256PlusPlus) -> Vec<u32> {
        (0..length).map(|_| self.plain_ids[rng.random_range(0..self.plain_ids.len())]).collect()
    }

    fn random_word(&self, rng: &mut Xoshiro256PlusPlus) -> &str {
        &self.words[rng.random_range(0..self.words.len())]
    }
}

impl Dataset for Random {
    fn name(&self) -> &str {
        "random"
    }

    fn next(&mut self, at_most: usize) -> Result<Vec<Conversation>, PartError> {
        let mut conversations = Vec::with_capacity(at_most.min(4096));
        for _ in 0..at_most {
            let conversation = self.conversation(self.index).map_err(|error| {
                PartError::InvalidData(format!("a random prompt could not be made: {error}"))
            })?;
            conversations.push(conversation);
            self.index += 1;
        }
        Ok(conversations)
    }

    fn rewind(&mut self) -> Result<(), PartError> {
        self.index = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
