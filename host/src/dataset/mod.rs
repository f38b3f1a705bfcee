//! The sources of conversations that are built in.
//!
//! Each one is a file of its own and a line in `BUILT_IN`. Those that are the lines of a file
//! share `lines`; what a text becomes — a chat, a plain prompt or token ids — is in `prompts`.

mod custom;
mod fixed;
mod line_by_line;
mod lines;
mod openqa;
mod prompts;
mod random;
mod vocabulary;

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::contract::{Dataset, PartError, RunConfig};
use crate::tokenizer::Tokenizer;

/// What the command line asks of a dataset.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DatasetSpec {
    /// `--dataset`: a name of [`names`], or a `.wasm` file, which is not opened here.
    pub name: String,
    /// `--dataset-path`: a file or a folder.
    pub path: Option<PathBuf>,
    /// `--min-prompt-length`, inclusive: tokens with a tokenizer, else characters.
    pub min_prompt_length: usize,
    /// `--max-prompt-length`, inclusive: tokens with a tokenizer, else characters.
    pub max_prompt_length: usize,
    /// `--prefix-length`: tokens that all random prompts begin with, on top of their length.
    pub prefix_length: usize,
    /// `--prompt`: the one prompt of all requests, or `@` and the file that holds it.
    pub prompt: Option<String>,
    /// Whether a text is sent as a chat of one user message rather than as a plain prompt.
    pub apply_chat_template: bool,
    /// `--tokenize-prompt`: whether token ids are sent rather than text.
    pub tokenize_prompt: bool,
    /// The seed of everything random.
    pub seed: u64,
    /// `--dataset-args`.
    pub options: serde_json::Map<String, serde_json::Value>,
}

impl Default for DatasetSpec {
    fn default() -> DatasetSpec {
        DatasetSpec {
            name: "openqa".into(),
            path: None,
            min_prompt_length: 0,
            max_prompt_length: 131_072,
            prefix_length: 0,
            prompt: None,
            apply_chat_template: false,
            tokenize_prompt: false,
            seed: 0,
            options: serde_json::Map::new(),
        }
    }
}

type Open = fn(&DatasetSpec, Option<Arc<Tokenizer>>) -> Result<Box<dyn Dataset>, PartError>;

/// Every dataset that is built in, sorted by name.
const BUILT_IN: &[(&str, Open)] = &[
    ("custom", custom::open),
    ("line_by_line", line_by_line::open),
    ("openqa", openqa::open),
    ("random", random::open),
];

/// The names of the datasets that are built in, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, _)| *name)
}

/// Opens a dataset that is built in. With `--prompt` that one prompt is the dataset, whatever its
/// name. The path and the options are those of `spec`, or where it has none those of `config`.
pub fn open(
    spec: &DatasetSpec,
    config: &RunConfig,
    tokenizer: Option<Arc<Tokenizer>>,
) -> Result<Box<dyn Dataset>, PartError> {
    let mut spec = spec.clone();
    spec.path = spec.path.or_else(|| config.dataset_path.clone());
    if spec.options.is_empty() {
        spec.options = config.options.clone();
    }
    if spec.prompt.is_some() {
        return fixed::open(&spec, tokenizer);
    }
    match BUILT_IN.iter().find(|(name, _)| *name == spec.name) {
        Some((_, open)) => open(&spec, tokenizer),
        None => Err(PartError::InvalidConfig(format!(
            "the dataset \"{}\" is not known; choose one of: {}, or a .wasm file",
            spec.name,
            names().collect::<Vec<_>>().join(", ")
        ))),
    }
}

/// Reads a dataset's own options. One that it does not have is an error, which names those it has.
fn options<T: DeserializeOwned>(spec: &DatasetSpec) -> Result<T, PartError> {
    serde_json::from_value(serde_json::Value::Object(spec.options.clone())).map_err(|error| {
        PartError::InvalidConfig(format!(
            "the dataset \"{}\" does not take these --dataset-args: {error}; correct them or leave them out",
            spec.name
        ))
    })
}

/// The options of a dataset that has none.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct NoOptions {}

#[cfg(test)]
mod tests;
