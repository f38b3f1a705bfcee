//! The sources of conversations that are built in.
//!
//! Each one, or each family, is a file of its own and a line in `catalog`. Those that are records of
//! a file share `source` (files of any kind) and `items` (a conversation for each record); traces
//! share `replay`; what a text becomes — a chat, a plain prompt or token ids — is in `prompts`.

mod catalog;
mod custom;
mod custom_multi_turn;
mod embedding;
mod fit;
mod fixed;
mod items;
mod lengths_trace;
mod line_by_line;
mod messages;
mod offset;
mod openqa;
mod picture;
mod pictures;
mod prompts;
mod random;
mod random_text;
mod replay;
mod rerank;
mod share_gpt;
mod source;
mod speed_benchmark;
mod swe_smith;
mod trie;
mod turns;
mod vocabulary;
mod webdataset;
mod workload_trace;

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::contract::{Dataset, PartError, RunConfig};
use crate::tokenizer::Tokenizer;

pub use catalog::{Description, describe, names};
pub use picture::{ImageSpec, dimensions};
pub use source::Place;

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
    /// `--multi-turn`: whether the dataset is to be one of conversations.
    pub multi_turn: bool,
    /// `--min-turns`: the fewest turns of a conversation that is made up, at least 1.
    pub min_turns: u32,
    /// `--max-turns`: the most turns of a conversation.
    pub max_turns: Option<u32>,
    /// `--dataset-offset`: the item to begin with, from 0.
    pub dataset_offset: u64,
    /// The pictures of `random_vl`.
    pub images: ImageSpec,
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
            multi_turn: false,
            min_turns: 1,
            max_turns: None,
            dataset_offset: 0,
            images: ImageSpec::default(),
            seed: 0,
            options: serde_json::Map::new(),
        }
    }
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
    let Some(entry) = catalog::find(&spec.name) else {
        return Err(PartError::InvalidConfig(format!(
            "the dataset \"{}\" is not known; choose one of: {}, or a .wasm file",
            spec.name,
            names().collect::<Vec<_>>().join(", ")
        )));
    };
    let invalid = |text: String| Err(PartError::InvalidConfig(text));
    if entry.multi_turn && !spec.multi_turn {
        return invalid(format!(
            "the dataset \"{}\" is of conversations and requires --multi-turn; add it",
            spec.name
        ));
    }
    if spec.multi_turn && !entry.multi_turn {
        return invalid(format!(
            "--multi-turn does not go with the dataset \"{}\", which is of single requests; leave it out or choose one of: {}",
            spec.name,
            catalog::multi_turn_names().collect::<Vec<_>>().join(", ")
        ));
    }
    // The baseline takes these from --extra-args.
    for option in entry.options.iter().filter(|option| option.also_parameter) {
        if let (false, Some(value)) =
            (spec.options.contains_key(option.name), config.parameters.get(option.name))
        {
            spec.options.insert(option.name.into(), value.clone());
        }
    }
    let mut dataset = (entry.open)(&spec, tokenizer)?;
    if !entry.file.is_empty() {
        // A file that holds something else is found out now and not in the middle of the run.
        dataset.next(1)?;
        dataset.rewind()?;
    }
    Ok(if spec.dataset_offset > 0 && !entry.offsets_itself {
        Box::new(offset::Offset::new(dataset, spec.dataset_offset))
    } else {
        dataset
    })
}

/// Reads a dataset's own options. One that it does not have is an error, which names those it has.
fn options<T: DeserializeOwned>(spec: &DatasetSpec) -> Result<T, PartError> {
    let read = |options: Map<String, Value>| serde_json::from_value::<T>(Value::Object(options));
    read(spec.options.clone()).map_err(|error| {
        // Which of them it is that does not fit: the error of a value does not say whose it is.
        let alone = |name: &&String| {
            let others = spec.options.iter().filter(|(other, _)| other != name);
            read(others.map(|(name, value)| (name.clone(), value.clone())).collect()).is_ok()
        };
        let whose = spec.options.keys().find(alone).filter(|name| !error.to_string().contains(name.as_str()));
        let whose = whose.map_or_else(String::new, |name| format!("{name}: "));
        PartError::InvalidConfig(format!(
            "the dataset \"{}\" does not take these --dataset-args: {whose}{error}; correct them (tickrate datasets {} lists them)",
            spec.name, spec.name
        ))
    })
}

/// Why records are not wanted, by what makes prompts of them.
fn too_short(prompts: &prompts::Prompts) -> &'static str {
    match prompts.fit() {
        None => items::BOUNDS,
        Some(_) => "not what target_input_len asks for; change it in --dataset-args",
    }
}

/// The options of a dataset that has none.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct NoOptions {}

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod tests;
