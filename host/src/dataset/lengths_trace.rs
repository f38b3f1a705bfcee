//! `mooncake_trace` and `azure_trace`: traces that hold moments and lengths and no texts. The prompts
//! are random texts of these lengths.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::random_text::{RandomText, Sent, Vocabulary, label_inexact, unmade};
use super::replay::{Replay, Trace, moment};
use super::source::Record;
use super::{DatasetSpec, options};
use crate::contract::{Conversation, Dataset, PartError};
use crate::tokenizer::Tokenizer;

/// No request is longer than this many tokens.
const LONGEST: u64 = 16 << 20;
/// Keys of pieces that are one request's alone.
const OWN: u64 = 1 << 63;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MooncakeOptions {
    speed: f64,
    block_size: usize,
    vocabulary: Vocabulary,
}

impl Default for MooncakeOptions {
    fn default() -> MooncakeOptions {
        MooncakeOptions { speed: 1.0, block_size: 512, vocabulary: Vocabulary::Words }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AzureOptions {
    speed: f64,
    vocabulary: Vocabulary,
}

impl Default for AzureOptions {
    fn default() -> AzureOptions {
        AzureOptions { speed: 1.0, vocabulary: Vocabulary::Words }
    }
}

pub(super) fn open_mooncake(
    spec: &DatasetSpec,
    tokenizer: Option<Arc<Tokenizer>>,
) -> Result<Box<dyn Dataset>, PartError> {
    let MooncakeOptions { speed, block_size, vocabulary } = options(spec)?;
    if !(1..=1 << 20).contains(&block_size) {
        return Err(PartError::InvalidConfig(format!(
            "--dataset-args: block_size must be from 1 to 1048576 tokens, got {block_size}; correct it"
        )));
    }
    let random = RandomText::new(spec, tokenizer, vocabulary, Sent::of(spec))?;
    Ok(Box::new(Replay::open(spec, Lengths { random, read: mooncake, block_size }, speed)?))
}

pub(super) fn open_azure(
    spec: &DatasetSpec,
    tokenizer: Option<Arc<Tokenizer>>,
) -> Result<Box<dyn Dataset>, PartError> {
    let AzureOptions { speed, vocabulary } = options(spec)?;
    let random = RandomText::new(spec, tokenizer, vocabulary, Sent::of(spec))?;
    Ok(Box::new(Replay::open(spec, Lengths { random, read: azure, block_size: 1 }, speed)?))
}

struct Lengths {
    random: RandomText,
    read: fn(&Record) -> Result<(f64, Entry), String>,
    /// Tokens of a block that requests with the same hash share.
    block_size: usize,
}

/// One request: how long its prompt was and its output, in tokens, and what it shared with others.
#[derive(Debug, PartialEq)]
struct Entry {
    input: usize,
    output: u32,
    hashes: Vec<u64>,
}

impl Trace for Lengths {
    type Entry = Entry;

    fn read(&self, record: &Record) -> Result<(f64, Entry), String> {
        (self.read)(record)
    }

    fn make(&self, entry: Entry, number: u64) -> Result<Conversation, PartError> {
        let template = self.random.template_length();
        let length = entry.input.saturating_sub(template).max(1);
        let pieces = pieces(length, &entry.hashes, self.block_size, number);
        let mut conversation = self.random.pieces(number, &pieces).map_err(|error| unmade(&error))?;
        if let Some(turn) = conversation.turns.first_mut() {
            turn.max_tokens = Some(entry.output);
        }
        // A request shorter than the template around it cannot be as short as it was.
        label_inexact(&mut conversation, (length + template) as i64 - entry.input.max(1) as i64);
        conversation.labels.push(("trace_output_tokens".into(), entry.output.to_string()));
        Ok(conversation)
    }
}

/// What a prompt of `length` tokens is put together from: a block for each hash, and what they leave
/// over as the request's own.
fn pieces(length: usize, hashes: &[u64], block_size: usize, number: u64) -> Vec<(u64, usize)> {
    let mut rest = length;
    let mut pieces = Vec::with_capacity(hashes.len() + 1);
    for hash in hashes {
        let taken = rest.min(block_size);
        if taken == 0 {
            break;
        }
        pieces.push((hash & !OWN, taken));
        rest -= taken;
    }
    if rest > 0 {
        pieces.push((number | OWN, rest));
    }
    pieces
}

#[derive(Deserialize)]
struct Mooncake {
    timestamp: Value,
    input_length: Value,
    output_length: Value,
    #[serde(default)]
    hash_ids: Option<Vec<u64>>,
}

/// A line of Mooncake's traces, whose timestamps are milliseconds.
fn mooncake(record: &Record) -> Result<(f64, Entry), String> {
    let line: Mooncake = record.parse().map_err(|error| error.to_string())?;
    let entry = Entry {
        input: tokens("input_length", &line.input_length)? as usize,
        output: tokens("output_length", &line.output_length)? as u32,
        hashes: line.hash_ids.unwrap_or_default(),
    };
    Ok((moment(&line.timestamp)? / 1000.0, entry))
}

/// A row of Azure's traces: `TIMESTAMP,ContextTokens,GeneratedTokens`.
fn azure(record: &Record) -> Result<(f64, Entry), String> {
    let row: Map<String, Value> = record.parse().map_err(|error| error.to_string())?;
    let cell = |name: &str| {
        let found = row.iter().find(|(column, _)| column.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value).ok_or_else(|| format!("there is no column \"{name}\""))
    };
    let entry = Entry {
        input: tokens("ContextTokens", cell("ContextTokens")?)? as usize,
        output: tokens("GeneratedTokens", cell("GeneratedTokens")?)? as u32,
        hashes: Vec::new(),
    };
    Ok((moment(cell("TIMESTAMP")?)?, entry))
}

/// A count of tokens, at least one, since nothing can be asked or answered with none.
fn tokens(name: &str, value: &Value) -> Result<u64, String> {
    let count = match value {
        Value::String(text) => text.trim().parse::<f64>().ok(),
        other => other.as_f64(),
    };
    match count {
        Some(count) if count >= 0.0 && count <= LONGEST as f64 && count.fract() == 0.0 => {
            Ok((count as u64).max(1))
        }
        _ => Err(format!("{name} must be a whole number from 0 to {LONGEST}, got {value}")),
    }
}

#[cfg(test)]
mod tests;
