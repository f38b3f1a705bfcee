//! `custom`: each line of a text file is a prompt.

use std::sync::Arc;

use super::items::{Items, unusable};
use super::prompts::Prompts;
use super::source::{Format, Record};
use super::{DatasetSpec, NoOptions, options};
use crate::contract::{Dataset, PartError};
use crate::tokenizer::Tokenizer;

/// The columns that a row's text is looked for in, where the file is one of rows.
const COLUMNS: [&str; 5] = ["prompt", "text", "question", "instruction", "input"];

pub(super) fn open(
    spec: &DatasetSpec,
    tokenizer: Option<Arc<Tokenizer>>,
) -> Result<Box<dyn Dataset>, PartError> {
    let NoOptions {} = options(spec)?;
    let prompts = Prompts::new(spec, tokenizer)?;
    let read = move |record: &Record| {
        let prompt = prompts.wanted(&line(record)?).map_err(unusable)?;
        Ok(prompt.map(Into::into))
    };
    Ok(Box::new(Items::open(spec, None, Format::Lines, Box::new(read))?))
}

/// The line; of a row, the cell that holds a text.
pub(super) fn line(record: &Record) -> Result<String, String> {
    if let Some(text) = record.text() {
        return Ok(text.to_string());
    }
    let row: serde_json::Map<String, serde_json::Value> =
        record.parse().map_err(|error| format!("cannot be read ({error}); correct it"))?;
    let text = COLUMNS.iter().find_map(|column| row.get(*column)?.as_str());
    text.map(|text| text.trim().to_string()).ok_or_else(|| {
        format!("has no text in a column \"{}\"; name one of its columns so", COLUMNS.join("\", \""))
    })
}
