//! `custom_multi_turn`: each record is an array of messages in the JSON of OpenAI's chat API. The
//! messages between two of the assistant's are a turn; what the assistant says is left to the server.

use std::sync::Arc;

use serde_json::Value;

use super::items::{Items, unusable};
use super::messages::{self, message};
use super::prompts::Prompts;
use super::source::{Format, Record};
use super::{DatasetSpec, NoOptions, options, turns};
use crate::contract::{Dataset, Message, PartError};
use crate::tokenizer::Tokenizer;

pub(super) fn open(
    spec: &DatasetSpec,
    tokenizer: Option<Arc<Tokenizer>>,
) -> Result<Box<dyn Dataset>, PartError> {
    let NoOptions {} = options(spec)?;
    let most = turns::most(spec)?;
    let prompts = Prompts::new(spec, tokenizer)?;
    let read = move |record: &Record| {
        let mut turns = read_turns(record)?;
        let first = turns.iter().flatten().find(|message| message.role == "user");
        let first = first.map(messages::text).unwrap_or_default();
        if !prompts.within_bounds(&first).map_err(unusable)? {
            return Ok(None);
        }
        turns.truncate(most);
        Ok(Some(turns::conversation(turns.into_iter())))
    };
    let items = Items::open(spec, None, Format::Json, Box::new(read))?;
    Ok(Box::new(items.lenient(|record| read_turns(record).map(|_| ()))?))
}

/// The runs of messages that are not the assistant's.
fn read_turns(record: &Record) -> Result<Vec<Vec<Message>>, String> {
    const WRONG: &str = "is not a JSON array of messages with a \"role\" and a \"content\"; correct it";
    let value: Value = record.parse().map_err(|error| format!("is not JSON ({error}); correct it"))?;
    let items = match value {
        Value::Array(items) => items,
        Value::Object(mut row) => match row.shift_remove("messages") {
            Some(Value::Array(items)) => items,
            Some(Value::String(text)) => serde_json::from_str(&text).map_err(|_| WRONG)?,
            _ => return Err(WRONG.into()),
        },
        _ => return Err(WRONG.into()),
    };
    let mut turns = Vec::new();
    let mut turn = Vec::new();
    for item in items {
        let has_content = item.get("content").is_some_and(|content| !content.is_null());
        let message = message(item).ok_or(WRONG)?;
        if message.role == "assistant" {
            if !turn.is_empty() {
                turns.push(std::mem::take(&mut turn));
            }
        } else if has_content {
            turn.push(message);
        } else {
            return Err(WRONG.into());
        }
    }
    if !turn.is_empty() {
        turns.push(turn);
    }
    if turns.is_empty() { Err("has no message but the assistant's; correct it".into()) } else { Ok(turns) }
}
