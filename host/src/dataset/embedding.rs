//! `embedding` and `embedding_batch`: texts to be embedded, one or several for each request.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::items::{Items, unusable};
use super::prompts::Prompts;
use super::source::{Format, Record};
use super::{DatasetSpec, NoOptions, options};
use crate::contract::{Conversation, Dataset, DatasetFacts, PartError, Prompt};
use crate::tokenizer::Tokenizer;

/// The members that an object's text is looked for in.
const MEMBERS: [&str; 4] = ["text", "input", "sentence", "content"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchOptions {
    #[serde(default = "eight")]
    pub(super) batch_size: usize,
}

fn eight() -> usize {
    8
}

impl BatchOptions {
    /// The options, whose batch is of one text at least.
    pub(super) fn of(spec: &DatasetSpec) -> Result<BatchOptions, PartError> {
        let read: BatchOptions = options(spec)?;
        match read.batch_size {
            0 => Err(PartError::InvalidConfig(
                "--dataset-args: batch_size must be > 0, got 0; raise it".into(),
            )),
            _ => Ok(read),
        }
    }
}

pub(super) fn open(
    spec: &DatasetSpec,
    tokenizer: Option<Arc<Tokenizer>>,
) -> Result<Box<dyn Dataset>, PartError> {
    let NoOptions {} = options(spec)?;
    Ok(Box::new(texts(spec, tokenizer)?))
}

/// What is embedded is the text itself: no chat template, and its length is that of the text alone.
fn texts(spec: &DatasetSpec, tokenizer: Option<Arc<Tokenizer>>) -> Result<Items, PartError> {
    let plain = DatasetSpec { apply_chat_template: false, ..spec.clone() };
    let prompts = Prompts::new(&plain, tokenizer)?;
    let read = move |record: &Record| {
        let prompt = prompts.wanted(text(record)?.trim()).map_err(unusable)?;
        Ok(prompt.map(Into::into))
    };
    Items::open(spec, None, Format::Json, Box::new(read))
}

/// A line of text, a JSON string, or an object's member.
fn text(record: &Record) -> Result<String, String> {
    let wrong =
        || format!("is neither text nor an object with one of \"{}\"; correct it", MEMBERS.join("\", \""));
    match record.parse::<Value>() {
        Ok(Value::String(text)) => Ok(text),
        Ok(Value::Object(row)) => {
            MEMBERS.iter().find_map(|member| row.get(*member)?.as_str()).map(str::to_string).ok_or_else(wrong)
        }
        // A line that is no JSON, or only looks like it (a number, a word in brackets), is itself.
        _ => record.text().map(str::to_string).ok_or_else(wrong),
    }
}

pub(super) fn open_batch(
    spec: &DatasetSpec,
    tokenizer: Option<Arc<Tokenizer>>,
) -> Result<Box<dyn Dataset>, PartError> {
    let BatchOptions { batch_size } = BatchOptions::of(spec)?;
    Ok(Box::new(Batches { inner: Box::new(texts(spec, tokenizer)?), batch_size }))
}

/// Several prompts of another dataset as one request.
pub(super) struct Batches {
    pub(super) inner: Box<dyn Dataset>,
    pub(super) batch_size: usize,
}

impl Dataset for Batches {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn next(&mut self, at_most: usize) -> Result<Vec<Conversation>, PartError> {
        let mut batches = Vec::new();
        while batches.len() < at_most {
            let mut inputs = Vec::new();
            while inputs.len() < self.batch_size {
                let more = self.inner.next(self.batch_size - inputs.len())?;
                if more.is_empty() {
                    break;
                }
                let turns = more.into_iter().flat_map(|conversation| conversation.turns);
                inputs.extend(turns.filter_map(|turn| match turn.prompt {
                    Prompt::Text(text) => Some(Value::from(text)),
                    Prompt::Tokens(ids) => Some(Value::from(ids)),
                    Prompt::Chat(_) | Prompt::Body(_) => None,
                }));
            }
            if inputs.is_empty() {
                break;
            }
            batches.push(Prompt::Body(json!({ "input": inputs }).to_string().into_bytes()).into());
        }
        Ok(batches)
    }

    fn rewind(&mut self) -> Result<(), PartError> {
        self.inner.rewind()
    }

    fn facts(&self) -> DatasetFacts {
        self.inner.facts()
    }
}
