//! `line_by_line`: each line of a file is plain text, a JSON array of messages, or a JSON object
//! that is a whole request body.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::lines::Lines;
use super::prompts::Prompts;
use super::{DatasetSpec, NoOptions, options};
use crate::contract::{Dataset, Message, Part, PartError, Prompt};
use crate::tokenizer::Tokenizer;

pub(super) fn open(
    spec: &DatasetSpec,
    tokenizer: Option<Arc<Tokenizer>>,
) -> Result<Box<dyn Dataset>, PartError> {
    let NoOptions {} = options(spec)?;
    Lines::open(spec, None, tokenizer, read_line)
}

/// The length is looked at only where the line is text; what is written as JSON is meant as it is.
fn read_line(line: &str, prompts: &Prompts) -> Result<Option<Prompt>, String> {
    match line.as_bytes().first() {
        Some(b'{') if serde_json::from_str::<Map<String, Value>>(line).is_ok() => {
            return Ok(Some(Prompt::Body(line.as_bytes().to_vec())));
        }
        Some(b'[') => {
            if let Ok(items) = serde_json::from_str::<Vec<Value>>(line) {
                let messages = items.into_iter().map(message).collect::<Option<Vec<_>>>();
                let messages = messages.filter(|messages| !messages.is_empty()).ok_or(
                    "is a JSON array that holds something else than messages with a \"role\"; correct it or remove it",
                )?;
                return prompts.chat(messages).map(Some).map_err(|error| format!("cannot be used: {error}"));
            }
        }
        _ => {}
    }
    let quoted: Option<String> = serde_json::from_str(line).ok();
    prompts
        .within_bounds(quoted.as_deref().unwrap_or(line))
        .map_err(|error| format!("cannot be used: {error}"))
}

/// A message, each of its parts and further members kept as they are written.
fn message(value: Value) -> Option<Message> {
    let Value::Object(mut members) = value else { return None };
    let Value::String(role) = members.shift_remove("role")? else { return None };
    let content = match members.shift_remove("content") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(text)) => vec![Part::Text(text)],
        Some(Value::Array(parts)) => parts.iter().map(|part| Part::Json(part.to_string())).collect(),
        Some(_) => return None,
    };
    let fields = members.iter().map(|(name, value)| (name.clone(), value.to_string())).collect();
    Some(Message { role, content, fields })
}
