//! `custom`: each line of a text file is a prompt.

use std::sync::Arc;

use super::lines::Lines;
use super::{DatasetSpec, NoOptions, options};
use crate::contract::{Dataset, PartError};
use crate::tokenizer::Tokenizer;

pub(super) fn open(
    spec: &DatasetSpec,
    tokenizer: Option<Arc<Tokenizer>>,
) -> Result<Box<dyn Dataset>, PartError> {
    let NoOptions {} = options(spec)?;
    Lines::open(spec, None, tokenizer, |line, prompts| {
        prompts.within_bounds(line).map_err(|error| format!("cannot be used: {error}"))
    })
}
