//! `openqa` and `longalpaca`: records of which one member is the prompt.

use std::sync::Arc;

use serde::Deserialize;

use super::fit::TextOptions;
use super::items::{Items, not_an_object, unusable};
use super::prompts::Prompts;
use super::source::{Format, Place, Record};
use super::{DatasetSpec, options, too_short};
use crate::contract::{Dataset, PartError};
use crate::tokenizer::Tokenizer;

/// Where the questions of `openqa` are.
pub(super) const HC3: Place = Place {
    model_scope: "AI-ModelScope/HC3-Chinese",
    hugging_face: "Hello-SimpleAI/HC3-Chinese",
    file: "open_qa.jsonl",
};
/// Where the instructions of `longalpaca` are.
pub(super) const LONG_ALPACA: Place = Place {
    model_scope: "AI-ModelScope/LongAlpaca-12k",
    hugging_face: "Yukang/LongAlpaca-12k",
    file: "LongAlpaca-12k.json",
};

#[derive(Deserialize)]
struct Question {
    question: String,
}

#[derive(Deserialize)]
struct Instruction {
    instruction: String,
}

pub(super) fn open(
    spec: &DatasetSpec,
    tokenizer: Option<Arc<Tokenizer>>,
) -> Result<Box<dyn Dataset>, PartError> {
    over(spec, tokenizer, HC3, |record| {
        let item: Question =
            record.parse().map_err(|error| not_an_object("a \"question\" of text", &error))?;
        Ok(item.question)
    })
}

pub(super) fn open_longalpaca(
    spec: &DatasetSpec,
    tokenizer: Option<Arc<Tokenizer>>,
) -> Result<Box<dyn Dataset>, PartError> {
    over(spec, tokenizer, LONG_ALPACA, |record| {
        let item: Instruction =
            record.parse().map_err(|error| not_an_object("an \"instruction\" of text", &error))?;
        Ok(item.instruction)
    })
}

fn over(
    spec: &DatasetSpec,
    tokenizer: Option<Arc<Tokenizer>>,
    place: Place,
    text: fn(&Record) -> Result<String, String>,
) -> Result<Box<dyn Dataset>, PartError> {
    let options: TextOptions = options(spec)?;
    let prompts = Prompts::fitted(spec, &options, tokenizer)?;
    let why = too_short(&prompts);
    let read = move |record: &Record| {
        let prompt = prompts.wanted(text(record)?.trim()).map_err(unusable)?;
        Ok(prompt.map(Into::into))
    };
    Ok(Box::new(Items::open(spec, Some(place), Format::Json, Box::new(read))?.unwanted_because(why)))
}
