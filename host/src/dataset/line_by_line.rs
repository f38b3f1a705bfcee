//! `line_by_line`: each line of a file is plain text, a JSON array of messages, or a JSON object
//! that is a whole request body.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::custom::line;
use super::fit::TextOptions;
use super::items::{Items, unusable};
use super::messages::message;
use super::prompts::Prompts;
use super::source::{Format, Record};
use super::{DatasetSpec, options, too_short};
use crate::contract::{Dataset, PartError, Prompt};
use crate::tokenizer::Tokenizer;

pub(super) fn open(
    spec: &DatasetSpec,
    tokenizer: Option<Arc<Tokenizer>>,
) -> Result<Box<dyn Dataset>, PartError> {
    let options: TextOptions = options(spec)?;
    let prompts = Prompts::fitted(spec, &options, tokenizer)?;
    let why = too_short(&prompts);
    let read = move |record: &Record| Ok(read_line(&line(record)?, &prompts)?.map(Into::into));
    Ok(Box::new(Items::open(spec, None, Format::Lines, Box::new(read))?.unwanted_because(why)))
}

/// The length is looked at only where the line is text; what is written as JSON is meant as it is.
fn read_line(line: &str, prompts: &Prompts) -> Result<Option<Prompt>, String> {
    const PLAIN: &str =
        "is JSON, and `target_input_len` and `prefix_file` only support plain-text lines; leave them out";
    match line.as_bytes().first() {
        Some(b'{') if serde_json::from_str::<Map<String, Value>>(line).is_ok() => {
            return match prompts.fit() {
                None => Ok(Some(Prompt::Body(line.as_bytes().to_vec()))),
                Some(_) => Err(PLAIN.into()),
            };
        }
        Some(b'[') => {
            if let Ok(items) = serde_json::from_str::<Vec<Value>>(line) {
                if prompts.fit().is_some() {
                    return Err(PLAIN.into());
                }
                let messages = items.into_iter().map(message).collect::<Option<Vec<_>>>();
                let messages = messages.filter(|messages| !messages.is_empty()).ok_or(
                    "is a JSON array that holds something else than messages with a \"role\"; correct it or remove it",
                )?;
                return prompts.chat(messages).map(Some).map_err(unusable);
            }
        }
        _ => {}
    }
    let quoted: Option<String> = serde_json::from_str(line).ok();
    prompts.wanted(quoted.as_deref().unwrap_or(line)).map_err(unusable)
}
