//! Random texts that have an exact number of tokens, no two of them the same. Everything follows from
//! the seed and the text's number.

use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::Deserialize;

use super::DatasetSpec;
use super::prompts::template_error;
use super::vocabulary::{Draw, words};
use crate::contract::{Conversation, Message, PartError, Prompt};
use crate::tokenizer::{Tokenizer, TokenizerError};

/// How often a text is corrected before it is sent with the length it has.
const CORRECTIONS: usize = 16;
/// The longest text that is made up, in tokens: beyond any model's context, and within memory.
const LONGEST: usize = 10_000_000;
/// The label of a prompt that could not be made exact: its tokens − the tokens asked for.
const INEXACT: &str = "prompt_tokens_off_by";

/// What the texts are made of.
#[derive(Debug, Deserialize, Clone, Copy, PartialEq, Default)]
#[serde(rename_all = "lowercase")]
pub(super) enum Vocabulary {
    /// Words that are one token each: exact without trial and error, and very fast.
    #[default]
    Words,
    /// The whole vocabulary, corrected until the length is right.
    All,
}

/// The options of the datasets that are nothing but random text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RandomOptions {
    #[serde(default)]
    pub(super) vocabulary: Vocabulary,
}

/// What is sent of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// Its token ids.
    Ids,
    /// The text as a plain prompt.
    Text,
    /// The text in a user message; what the chat template adds is part of the length.
    Chat,
}

impl Sent {
    /// What the command line asks for.
    pub(super) fn of(spec: &DatasetSpec) -> Sent {
        match (spec.tokenize_prompt, spec.apply_chat_template) {
            (true, _) => Sent::Ids,
            (false, true) => Sent::Chat,
            (false, false) => Sent::Text,
        }
    }
}

/// A maker of random texts.
pub(super) struct RandomText {
    tokenizer: Arc<Tokenizer>,
    seed: u64,
    prefix_length: usize,
    sent: Sent,
    /// What the chat template adds, in tokens, where it is applied.
    template_length: usize,
    plain_ids: Vec<u32>,
    words: Vec<String>,
    draw: Draw,
    make: Make,
}

/// How texts are made, and the prefix that they share.
enum Make {
    Ids { prefix: Vec<u32> },
    Words { prefix: String },
    Text { prefix: String },
}

impl RandomText {
    /// A maker for the dataset of `spec`, which shares a prefix of `--prefix-length`.
    pub(super) fn new(
        spec: &DatasetSpec,
        tokenizer: Option<Arc<Tokenizer>>,
        vocabulary: Vocabulary,
        sent: Sent,
    ) -> Result<RandomText, PartError> {
        let invalid = |text: String| Err(PartError::InvalidConfig(text));
        let Some(tokenizer) = tokenizer else {
            return invalid(format!(
                "the dataset \"{}\" needs a tokenizer; pass --tokenizer-path",
                spec.name
            ));
        };
        for (flag, length) in
            [("--prefix-length", spec.prefix_length), ("--max-prompt-length", spec.max_prompt_length)]
        {
            if length > LONGEST {
                return invalid(format!("{flag} must be at most {LONGEST} tokens, got {length}; lower it"));
            }
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
        let words = match sent {
            Sent::Ids => Vec::new(),
            _ => words(&tokenizer, &plain_ids, &mut rng).map_err(failed)?.unwrap_or_default(),
        };
        let by_words = vocabulary == Vocabulary::Words && !words.is_empty();
        let mut template_length = 0;
        if sent == Sent::Chat {
            // Measured around a text, since a template may treat an empty one differently.
            let probe = words.first().map_or("a", String::as_str);
            let chat =
                tokenizer.count_chat(&[Message::text("user", probe)]).map_err(|e| template_error(&e))?;
            template_length = chat.saturating_sub(tokenizer.count(probe).map_err(failed)?);
        }
        let draw = Draw::new(if by_words { words.len() } else { plain_ids.len() }, &mut rng);
        let mut random = RandomText {
            tokenizer,
            seed: spec.seed,
            prefix_length: spec.prefix_length,
            sent,
            template_length,
            plain_ids,
            words,
            draw,
            make: Make::Text { prefix: String::new() },
        };
        random.make = random.with_prefix(by_words, &mut rng).map_err(failed)?;
        Ok(random)
    }

    fn with_prefix(&self, by_words: bool, rng: &mut Xoshiro256PlusPlus) -> Result<Make, TokenizerError> {
        Ok(match (self.sent, by_words) {
            (Sent::Ids, _) => Make::Ids { prefix: self.random_ids(self.prefix_length, rng) },
            (_, true) => {
                let picked: Vec<&str> = (0..self.prefix_length).map(|_| self.random_word(rng)).collect();
                Make::Words { prefix: picked.join(" ") }
            }
            (_, false) => {
                let ids = self.random_ids(self.prefix_length, rng);
                let text = self.tokenizer.decode(&ids)?;
                let measure = |text: &str| self.tokenizer.count(text);
                Make::Text { prefix: self.fit(0, text, self.prefix_length, &measure, rng)?.0 }
            }
        })
    }

    /// What the chat template adds, in tokens, where it is applied; else 0.
    pub(super) fn template_length(&self) -> usize {
        self.template_length
    }

    /// The bounds of a text's own tokens between `--min-` and `--max-prompt-length`, the template's
    /// tokens taken off.
    pub(super) fn bounds(&self, spec: &DatasetSpec) -> Result<std::ops::RangeInclusive<usize>, PartError> {
        let (min, max) = (spec.min_prompt_length, spec.max_prompt_length);
        let taken = self.template_length;
        let invalid = |text: String| Err(PartError::InvalidConfig(text));
        if min > max {
            return invalid(format!(
                "--min-prompt-length {min} is more than --max-prompt-length {max}; swap them"
            ));
        }
        if max <= taken {
            return invalid(format!(
                "--max-prompt-length {max} leaves no room for a text ({taken} tokens are the chat template's); raise it{}",
                if taken > 0 { " or pass --no-apply-chat-template" } else { "" }
            ));
        }
        Ok(min.saturating_sub(taken).max(1)..=max - taken)
    }

    /// The source of everything random about item number `index`.
    pub(super) fn rng(&self, index: u64) -> Xoshiro256PlusPlus {
        let own = self.seed ^ index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Xoshiro256PlusPlus::seed_from_u64(own)
    }

    /// The prompt number `index`: `length` tokens after the shared prefix. It is labelled if it could
    /// not be made exact.
    pub(super) fn prompt(
        &self,
        index: u64,
        length: usize,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Result<Conversation, TokenizerError> {
        let items = self.draw.sequence(index, length, rng);
        self.sent(&items, index, rng)
    }

    /// A prompt of pieces that are the same wherever they have the same key: `(key, tokens)` each.
    pub(super) fn pieces(&self, index: u64, pieces: &[(u64, usize)]) -> Result<Conversation, TokenizerError> {
        let mut items = Vec::new();
        for &(key, length) in pieces {
            let mut rng = self.rng(key ^ 0x5851_f42d_4c95_7f2d);
            items.extend(self.draw.sequence(key, length, &mut rng));
        }
        self.sent(&items, index, &mut self.rng(index))
    }

    /// The text number `index`, and how many tokens it is off by.
    pub(super) fn text(
        &self,
        index: u64,
        length: usize,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Result<(String, i64), TokenizerError> {
        let items = self.draw.sequence(index, length, rng);
        self.written(&items, index, rng)
    }

    fn sent(
        &self,
        items: &[usize],
        index: u64,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Result<Conversation, TokenizerError> {
        if let Make::Ids { prefix } = &self.make {
            let mut ids = prefix.clone();
            ids.extend(items.iter().filter_map(|&item| self.plain_ids.get(item)));
            return Ok(Prompt::Tokens(ids).into());
        }
        let (text, off_by) = self.written(items, index, rng)?;
        let prompt = match self.sent {
            Sent::Chat => Prompt::Chat(vec![Message::text("user", text)]),
            Sent::Text | Sent::Ids => Prompt::Text(text),
        };
        let mut conversation = Conversation::from(prompt);
        label_inexact(&mut conversation, off_by);
        Ok(conversation)
    }

    fn written(
        &self,
        items: &[usize],
        index: u64,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Result<(String, i64), TokenizerError> {
        let wanted = self.prefix_length + items.len();
        let measure = |text: &str| self.measure(text);
        match &self.make {
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
                    self.fit(prefix.len(), text, wanted, &measure, rng)
                } else {
                    Ok((text, 0))
                }
            }
            Make::Text { .. } | Make::Ids { .. } => {
                let prefix = if let Make::Text { prefix } = &self.make { prefix.as_str() } else { "" };
                let ids: Vec<u32> =
                    items.iter().filter_map(|&item| self.plain_ids.get(item).copied()).collect();
                let text = format!("{prefix}{}", self.tokenizer.decode(&ids)?);
                self.fit(prefix.len(), text, wanted, &measure, rng)
            }
        }
    }

    /// The text's tokens as a server counts them, without what the template adds to any text.
    fn measure(&self, text: &str) -> Result<usize, TokenizerError> {
        match self.sent {
            Sent::Chat => {
                let chat = self.tokenizer.count_chat(&[Message::text("user", text)])?;
                Ok(chat.saturating_sub(self.template_length))
            }
            Sent::Text | Sent::Ids => self.tokenizer.count(text),
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

/// Labels a conversation some text of which has more or fewer tokens than it should.
pub(super) fn label_inexact(conversation: &mut Conversation, off_by: i64) {
    if off_by != 0 {
        conversation.labels.push((INEXACT.to_string(), format!("{off_by:+}")));
    }
}

/// What is wrong with a text that could not be made.
pub(super) fn unmade(error: &TokenizerError) -> PartError {
    PartError::InvalidData(format!("a random prompt could not be made: {error}"))
}
