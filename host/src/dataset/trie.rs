//! `trie_agentic_coding`, `trie_code_qa` and `trie_office_work`: recorded agents' conversations, as
//! lengths and the times that their tools took. The texts are random.

use std::sync::Arc;

use serde::Deserialize;

use super::items::{Items, unusable};
use super::random_text::{RandomOptions, RandomText, Sent, label_inexact};
use super::source::{Format, Place, Record};
use super::{DatasetSpec, options, turns};
use crate::contract::{Dataset, Message, PartError};
use crate::tokenizer::Tokenizer;

const REPOSITORY: &str = "evalscope/trie-workloads";
/// Where the traces of the three datasets are.
pub(super) const CODING: Place =
    Place { model_scope: REPOSITORY, hugging_face: REPOSITORY, file: "agentic_coding_8k.jsonl" };
pub(super) const CODE_QA: Place = Place { file: "code_qa_8k.jsonl", ..CODING };
pub(super) const OFFICE: Place = Place { file: "office_work_8k.jsonl", ..CODING };

/// No text is longer than this many tokens, and no trace has more turns.
const LONGEST: u32 = 16 << 20;

#[derive(Deserialize)]
struct Trace {
    input_prompt_length: u32,
    num_turns: u32,
    assistant_response_length: Vec<u32>,
    tool_call_output_length: Vec<u32>,
    tool_call_latency: Vec<f64>,
    final_assistant_response_length: u32,
}

/// One turn: the tokens of its text, the most of its reply, and the wait before it in milliseconds.
#[derive(Debug, Clone, PartialEq)]
struct Step {
    tokens: u32,
    max_tokens: u32,
    wait_ms: Option<f64>,
}

pub(super) fn open(
    spec: &DatasetSpec,
    tokenizer: Option<Arc<Tokenizer>>,
) -> Result<Box<dyn Dataset>, PartError> {
    let RandomOptions { vocabulary } = options(spec)?;
    let most = turns::most(spec)?;
    let place = match spec.name.as_str() {
        "trie_code_qa" => CODE_QA,
        "trie_office_work" => OFFICE,
        _ => CODING,
    };
    // What a prefix would add is not in the trace.
    let spec = DatasetSpec { prefix_length: 0, ..spec.clone() };
    let random = RandomText::new(&spec, tokenizer, vocabulary, Sent::Text)?;
    let read = move |record: &Record| {
        let mut steps = steps(record)?;
        steps.truncate(most);
        let mut rng = random.rng(record.at);
        let mut texts = Vec::with_capacity(steps.len());
        let mut off_by = 0;
        for (turn, step) in steps.iter().enumerate() {
            let number = record.at.wrapping_shl(24).wrapping_add(turn as u64);
            let (text, off) = random.text(number, step.tokens as usize, &mut rng).map_err(unusable)?;
            off_by += off;
            texts.push(vec![Message::text("user", text)]);
        }
        let mut conversation = turns::conversation(texts.into_iter());
        for (turn, step) in conversation.turns.iter_mut().zip(steps) {
            turn.max_tokens = Some(step.max_tokens);
            turn.think_time_ms = step.wait_ms;
        }
        label_inexact(&mut conversation, off_by);
        Ok(Some(conversation))
    };
    let items = Items::open(&spec, Some(place), Format::Json, Box::new(read))?;
    Ok(Box::new(items.lenient(|record| steps(record).map(|_| ()))?))
}

/// The turns of a trace: one more than it has calls of tools.
fn steps(record: &Record) -> Result<Vec<Step>, String> {
    let trace: Trace = record.parse().map_err(|error| format!("is not a trace ({error}); correct it"))?;
    let count = trace.num_turns as usize;
    let given = [
        ("assistant_response_length", trace.assistant_response_length.len()),
        ("tool_call_output_length", trace.tool_call_output_length.len()),
        ("tool_call_latency", trace.tool_call_latency.len()),
    ];
    if let Some((name, length)) = given.iter().find(|(_, length)| *length != count) {
        return Err(format!(
            "has a trace length mismatch: num_turns is {count} and {name} has {length} items; correct it"
        ));
    }
    if let Some(latency) = trace.tool_call_latency.iter().find(|latency| !(0.0..=1e9).contains(*latency)) {
        return Err(format!("has a tool_call_latency of {latency} seconds; correct it"));
    }
    let mut replies = trace.assistant_response_length.iter().copied();
    let mut next_reply = || replies.next().unwrap_or(trace.final_assistant_response_length).max(1);
    let mut steps =
        vec![Step { tokens: trace.input_prompt_length.max(1), max_tokens: next_reply(), wait_ms: None }];
    for (tokens, latency) in trace.tool_call_output_length.iter().zip(&trace.tool_call_latency) {
        steps.push(Step {
            tokens: (*tokens).max(1),
            max_tokens: next_reply(),
            wait_ms: Some(latency * 1000.0),
        });
    }
    match steps.iter().find(|step| step.tokens > LONGEST) {
        Some(step) => Err(format!("has a text of {} tokens, which is too long; correct it", step.tokens)),
        None => Ok(steps),
    }
}
