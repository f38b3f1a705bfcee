//! `openqa`: a JSON object for each line, whose `question` is the prompt.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;

use super::lines::Lines;
use super::{DatasetSpec, NoOptions, options};
use crate::contract::{Dataset, PartError};
use crate::tokenizer::Tokenizer;

/// The file that a folder given with `--dataset-path` holds.
const FILE: &str = "open_qa.jsonl";

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    question: Cow<'a, str>,
}

pub(super) fn open(
    spec: &DatasetSpec,
    tokenizer: Option<Arc<Tokenizer>>,
) -> Result<Box<dyn Dataset>, PartError> {
    let NoOptions {} = options(spec)?;
    Lines::open(spec, Some(FILE), tokenizer, |line, prompts| {
        let item: Item<'_> = serde_json::from_str(line).map_err(|error| {
            format!(
                "is not a JSON object with a \"question\" of text ({error}); correct it or use another --dataset"
            )
        })?;
        prompts.within_bounds(item.question.trim()).map_err(|error| format!("cannot be used: {error}"))
    })
}
