//! Datasets of random text: `random`, `random_multi_turn`, `random_vl`, `random_embedding`,
//! `random_embedding_batch` and `random_rerank`.
//!
//! A length is drawn from `--min-prompt-length..=--max-prompt-length`; of a chat it includes what the
//! template adds; the shared prefix of `--prefix-length` comes on top. Item number N is the same
//! however many were drawn before it.

use std::sync::Arc;

use rand::RngExt;
use serde::Deserialize;
use serde_json::Value;

use super::embedding::{BatchOptions, Batches};
use super::random_text::{RandomOptions, RandomText, Sent, Vocabulary, label_inexact, unmade};
use super::{DatasetSpec, NoOptions, options, picture, rerank, turns};
use crate::contract::{Conversation, Dataset, Message, Part, PartError, Prompt};
use crate::tokenizer::{Tokenizer, TokenizerError};

/// Item number N of a dataset.
type Make = Box<dyn Fn(u64) -> Result<Conversation, TokenizerError> + Send>;

/// A dataset without end, whose items follow from their numbers.
struct Numbered {
    name: String,
    first: u64,
    next: u64,
    make: Make,
}

impl Dataset for Numbered {
    fn name(&self) -> &str {
        &self.name
    }

    fn next(&mut self, at_most: usize) -> Result<Vec<Conversation>, PartError> {
        let mut conversations = Vec::with_capacity(at_most.min(4096));
        for _ in 0..at_most {
            conversations.push((self.make)(self.next).map_err(|error| unmade(&error))?);
            self.next += 1;
        }
        Ok(conversations)
    }

    fn rewind(&mut self) -> Result<(), PartError> {
        self.next = self.first;
        Ok(())
    }
}

fn numbered(spec: &DatasetSpec, make: Make) -> Box<dyn Dataset> {
    let first = spec.dataset_offset;
    Box::new(Numbered { name: spec.name.clone(), first, next: first, make })
}

pub(super) fn open(
    spec: &DatasetSpec,
    tokenizer: Option<Arc<Tokenizer>>,
) -> Result<Box<dyn Dataset>, PartError> {
    let RandomOptions { vocabulary } = options(spec)?;
    let text = RandomText::new(spec, tokenizer, vocabulary, Sent::of(spec))?;
    let lengths = text.bounds(spec)?;
    Ok(numbered(
        spec,
        Box::new(move |index| {
            let mut rng = text.rng(index);
            let length = rng.random_range(lengths.clone());
            text.prompt(index, length, &mut rng)
        }),
    ))
}

/// `random_multi_turn`: conversations of random turns, each with a text of its own length.
pub(super) fn open_multi_turn(
    spec: &DatasetSpec,
    tokenizer: Option<Arc<Tokenizer>>,
) -> Result<Box<dyn Dataset>, PartError> {
    let RandomOptions { vocabulary } = options(spec)?;
    let (least, most) = turns::bounds(spec)?;
    let Some(most) = most else {
        return Err(PartError::InvalidConfig(
            "random_multi_turn requires --max-turns to be set; pass --max-turns".into(),
        ));
    };
    let text = RandomText::new(spec, tokenizer, vocabulary, Sent::Text)?;
    let lengths = text.bounds(spec)?;
    Ok(numbered(
        spec,
        Box::new(move |index| {
            let mut rng = text.rng(index);
            let count = rng.random_range(least..=most);
            let first = index.wrapping_mul(u64::from(most));
            let mut off_by = 0;
            let mut texts = Vec::with_capacity(count as usize);
            for turn in 0..count {
                let length = rng.random_range(lengths.clone());
                let (text, off) = text.text(first.wrapping_add(u64::from(turn)), length, &mut rng)?;
                off_by += off;
                texts.push(vec![Message::text("user", text)]);
            }
            let mut conversation = turns::conversation(texts.into_iter());
            label_inexact(&mut conversation, off_by);
            Ok(conversation)
        }),
    ))
}

/// `random_vl`: a random text and random pictures in one message.
pub(super) fn open_vl(
    spec: &DatasetSpec,
    tokenizer: Option<Arc<Tokenizer>>,
) -> Result<Box<dyn Dataset>, PartError> {
    let RandomOptions { vocabulary } = options(spec)?;
    if spec.tokenize_prompt {
        return Err(PartError::InvalidConfig(
            "--tokenize-prompt is not supported with the random_vl dataset; leave it out".into(),
        ));
    }
    if !spec.apply_chat_template {
        return Err(PartError::InvalidConfig(
            "the dataset \"random_vl\" sends pictures, which only chats can hold; give --url a path of chat/completions or pass --apply-chat-template".into(),
        ));
    }
    let pictures = picture::Random::new(&spec.images)?;
    let text = RandomText::new(spec, tokenizer, vocabulary, Sent::Chat)?;
    let lengths = text.bounds(spec)?;
    let number = spec.images.num;
    Ok(numbered(
        spec,
        Box::new(move |index| {
            let mut rng = text.rng(index);
            let length = rng.random_range(lengths.clone());
            let mut conversation = text.prompt(index, length, &mut rng)?;
            if let Some(Prompt::Chat(messages)) = conversation.turns.first_mut().map(|turn| &mut turn.prompt)
                && let Some(message) = messages.first_mut()
            {
                message.content.extend((0..number).map(|_| Part::Image(pictures.draw(&mut rng))));
            }
            Ok(conversation)
        }),
    ))
}

/// `random_embedding`: random texts without a chat template.
pub(super) fn open_embedding(
    spec: &DatasetSpec,
    tokenizer: Option<Arc<Tokenizer>>,
) -> Result<Box<dyn Dataset>, PartError> {
    let NoOptions {} = options(spec)?;
    embedding(spec, tokenizer)
}

fn embedding(spec: &DatasetSpec, tokenizer: Option<Arc<Tokenizer>>) -> Result<Box<dyn Dataset>, PartError> {
    let plain = DatasetSpec { apply_chat_template: false, options: serde_json::Map::new(), ..spec.clone() };
    open(&plain, tokenizer)
}

/// `random_embedding_batch`: several of them for each request.
pub(super) fn open_embedding_batch(
    spec: &DatasetSpec,
    tokenizer: Option<Arc<Tokenizer>>,
) -> Result<Box<dyn Dataset>, PartError> {
    let BatchOptions { batch_size } = BatchOptions::of(spec)?;
    Ok(Box::new(Batches { inner: embedding(spec, tokenizer)?, batch_size }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RerankOptions {
    num_documents: usize,
    document_length_ratio: f64,
}

impl Default for RerankOptions {
    fn default() -> RerankOptions {
        RerankOptions { num_documents: 10, document_length_ratio: 5.0 }
    }
}

/// `random_rerank`: random queries with longer random documents.
pub(super) fn open_rerank(
    spec: &DatasetSpec,
    tokenizer: Option<Arc<Tokenizer>>,
) -> Result<Box<dyn Dataset>, PartError> {
    let RerankOptions { num_documents, document_length_ratio: ratio } = options(spec)?;
    let bad = |text: String| Err(PartError::InvalidConfig(format!("--dataset-args: {text}; correct it")));
    if !(1..=10_000).contains(&num_documents) {
        return bad(format!("num_documents must be from 1 to 10000, got {num_documents}"));
    }
    if !(ratio > 0.0 && ratio <= 1000.0) {
        return bad(format!("document_length_ratio must be more than 0 and at most 1000, got {ratio}"));
    }
    let text = RandomText::new(spec, tokenizer, Vocabulary::Words, Sent::Text)?;
    let lengths = text.bounds(spec)?;
    Ok(numbered(
        spec,
        Box::new(move |index| {
            let mut rng = text.rng(index);
            let length = rng.random_range(lengths.clone());
            let first = index.wrapping_mul(num_documents as u64 + 1);
            let (query, mut off_by) = text.text(first, length, &mut rng)?;
            let document = ((length as f64 * ratio) as usize).max(1);
            let mut documents = Vec::with_capacity(num_documents);
            for number in 1..=num_documents {
                let (text, off) = text.text(first.wrapping_add(number as u64), document, &mut rng)?;
                off_by += off;
                documents.push(Value::from(text));
            }
            let mut conversation = rerank::body(&query, &documents).into();
            label_inexact(&mut conversation, off_by);
            Ok(conversation)
        }),
    ))
}

#[cfg(test)]
mod tests;
