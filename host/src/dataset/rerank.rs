//! `rerank`: queries, each with documents to be put in order.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::items::{Items, unusable};
use super::prompts::Prompts;
use super::source::{Format, Record};
use super::{DatasetSpec, NoOptions, options};
use crate::contract::{Dataset, PartError, Prompt};
use crate::tokenizer::Tokenizer;

#[derive(Deserialize)]
struct Item {
    query: String,
    #[serde(alias = "passages", alias = "texts")]
    documents: Value,
}

pub(super) fn open(
    spec: &DatasetSpec,
    tokenizer: Option<Arc<Tokenizer>>,
) -> Result<Box<dyn Dataset>, PartError> {
    let NoOptions {} = options(spec)?;
    let plain = DatasetSpec { apply_chat_template: false, tokenize_prompt: false, ..spec.clone() };
    let prompts = Prompts::new(&plain, tokenizer)?;
    let read = move |record: &Record| {
        let (query, documents) = item(record)?;
        let wanted = prompts.within_bounds(&query).map_err(unusable)?;
        Ok(wanted.then(|| body(&query, &documents).into()))
    };
    let items = Items::open(spec, None, Format::Json, Box::new(read))?;
    Ok(Box::new(items.lenient(|record| item(record).map(|_| ()))?))
}

/// The request for one query.
pub(super) fn body(query: &str, documents: &[Value]) -> Prompt {
    Prompt::Body(json!({ "query": query, "documents": documents }).to_string().into_bytes())
}

/// The query and its documents, each a text or an object. In a row they may be JSON in a cell.
fn item(record: &Record) -> Result<(String, Vec<Value>), String> {
    let wrong = |why: &str| {
        format!(
            "is not a JSON object with a \"query\" and \"documents\", \"passages\" or \"texts\" ({why}); correct it"
        )
    };
    let Item { query, documents } = record.parse().map_err(|error| wrong(&error.to_string()))?;
    let documents = match documents {
        Value::String(text) => serde_json::from_str(&text).unwrap_or_else(|_| Value::from(vec![text])),
        other => other,
    };
    match documents {
        Value::Array(documents) if !documents.is_empty() => match query.trim() {
            "" => Err(wrong("the query is empty")),
            query => Ok((query.to_string(), documents)),
        },
        _ => Err(wrong("there is no list of documents")),
    }
}
