//! `share_gpt_zh` and `share_gpt_en`: recorded conversations. Singly, the whole of one is a request's
//! messages; as `_multi_turn`, the user's texts are its turns and the server's replies the rest.

use std::sync::Arc;

use serde::Deserialize;

use super::fit::TextOptions;
use super::items::{Items, not_an_object, unusable};
use super::prompts::Prompts;
use super::source::{Format, Place, Record};
use super::{DatasetSpec, NoOptions, options, too_short, turns};
use crate::contract::{Dataset, Message, PartError};
use crate::tokenizer::Tokenizer;

/// Where the Chinese conversations are.
pub(super) const ZH: Place = Place { file: "common_zh_70k.jsonl", ..EN };
/// Where the English conversations are.
pub(super) const EN: Place = Place {
    model_scope: "swift/sharegpt",
    hugging_face: "shareAI/ShareGPT-Chinese-English-90k",
    file: "common_en_70k.jsonl",
};

#[derive(Deserialize)]
struct Item {
    conversation: Vec<Exchange>,
}

#[derive(Deserialize)]
struct Exchange {
    #[serde(default)]
    human: Option<String>,
    #[serde(default)]
    assistant: Option<String>,
}

pub(super) fn open(
    spec: &DatasetSpec,
    tokenizer: Option<Arc<Tokenizer>>,
) -> Result<Box<dyn Dataset>, PartError> {
    let options: TextOptions = options(spec)?;
    let prompts = Prompts::fitted(spec, &options, tokenizer)?;
    if prompts.fit().is_some_and(|fit| fit.drops()) {
        return Err(PartError::InvalidConfig(format!(
            "--dataset-args: input_len_mode \"drop\" is not supported for multi-turn records such as those of \"{}\"; use \"cap\"",
            spec.name
        )));
    }
    let why = too_short(&prompts);
    let read = move |record: &Record| {
        let messages = messages(record)?;
        if messages.is_empty() {
            return Ok(None);
        }
        Ok(prompts.wanted_chat(messages).map_err(unusable)?.map(Into::into))
    };
    let items = Items::open(spec, Some(place(spec)), Format::Json, Box::new(read))?;
    Ok(Box::new(items.unwanted_because(why)))
}

pub(super) fn open_multi_turn(
    spec: &DatasetSpec,
    tokenizer: Option<Arc<Tokenizer>>,
) -> Result<Box<dyn Dataset>, PartError> {
    let NoOptions {} = options(spec)?;
    let most = turns::most(spec)?;
    let prompts = Prompts::new(spec, tokenizer)?;
    let read = move |record: &Record| {
        let texts = exchanges(record)?.into_iter().filter_map(|exchange| text(exchange.human));
        let texts: Vec<String> = texts.take(most).collect();
        match texts.first() {
            Some(first) if prompts.within_bounds(first).map_err(unusable)? => {
                let turns = texts.into_iter().map(|text| vec![Message::text("user", text)]);
                Ok(Some(turns::conversation(turns)))
            }
            _ => Ok(None),
        }
    };
    Ok(Box::new(Items::open(spec, Some(place(spec)), Format::Json, Box::new(read))?))
}

fn place(spec: &DatasetSpec) -> Place {
    if spec.name.starts_with("share_gpt_zh") { ZH } else { EN }
}

fn exchanges(record: &Record) -> Result<Vec<Exchange>, String> {
    let item: Item = record
        .parse()
        .map_err(|error| not_an_object("a \"conversation\" of \"human\" and \"assistant\" texts", &error))?;
    Ok(item.conversation)
}

/// All that was said, up to what the user said last.
fn messages(record: &Record) -> Result<Vec<Message>, String> {
    let mut messages = Vec::new();
    for exchange in exchanges(record)? {
        messages.extend(text(exchange.human).map(|text| Message::text("user", text)));
        messages.extend(text(exchange.assistant).map(|text| Message::text("assistant", text)));
    }
    while messages.last().is_some_and(|message| message.role == "assistant") {
        messages.pop();
    }
    Ok(messages)
}

fn text(given: Option<String>) -> Option<String> {
    given.map(|text| text.trim().to_string()).filter(|text| !text.is_empty())
}
