//! The table of the datasets that are built in: what each is, what it reads and which options it has.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::source::Place;
use super::{
    DatasetSpec, custom, custom_multi_turn, embedding, lengths_trace, line_by_line, openqa, pictures, random,
    rerank, share_gpt, speed_benchmark, swe_smith, trie, workload_trace,
};
use crate::contract::{Dataset, PartError};
use crate::tokenizer::Tokenizer;

pub(super) type Open = fn(&DatasetSpec, Option<Arc<Tokenizer>>) -> Result<Box<dyn Dataset>, PartError>;

/// One dataset.
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// What its file holds; nothing if it reads none.
    pub(super) file: &'static str,
    pub(super) place: Option<Place>,
    pub(super) multi_turn: bool,
    /// Whether it sees to `--dataset-offset` itself.
    pub(super) offsets_itself: bool,
    pub(super) options: &'static [Opt],
    pub(super) open: Open,
}

/// One option of `--dataset-args`.
pub(super) struct Opt {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    kind: Kind,
    /// The default as JSON; nothing if there is none.
    default: &'static str,
    /// Whether it may stand in `--extra-args` instead.
    pub(super) also_parameter: bool,
}

enum Kind {
    /// A whole number of at least one.
    Count,
    /// A number above zero.
    Positive,
    /// A whole number of at least one, or two of them as the ends of a range.
    CountOrRange,
    Flag,
    Text,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// An object of texts.
    Texts,
}

const fn opt(name: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Opt {
    Opt { name, about, kind, default, also_parameter: false }
}

const fn also_parameter(option: Opt) -> Opt {
    Opt { also_parameter: true, ..option }
}

const VOCABULARY: Opt = opt(
    "vocabulary",
    Kind::OneOf(&["words", "all"]),
    "\"words\"",
    "what texts are made of: words that are one token each, or the whole vocabulary",
);
const TEXT: &[Opt] = &[
    opt(
        "target_input_len",
        Kind::Count,
        "",
        "tokens that each prompt is cut or filled up to; needs a tokenizer, and the bounds on lengths do not count",
    ),
    opt(
        "input_len_mode",
        Kind::OneOf(&["cap", "drop"]),
        "\"cap\"",
        "whether prompts that are shorter than target_input_len stay or are left out",
    ),
    opt(
        "prefix_file",
        Kind::Text,
        "",
        "a text file that shorter prompts are filled up from, at their beginning",
    ),
    opt(
        "prefix_role",
        Kind::OneOf(&["system", "user"]),
        "\"system\"",
        "whether that text is a system message or begins the first message",
    ),
];
const RANDOM: &[Opt] = &[VOCABULARY];
const BATCH: &[Opt] = &[also_parameter(opt("batch_size", Kind::Count, "8", "texts in each request"))];
const RERANK: &[Opt] = &[
    also_parameter(opt("num_documents", Kind::Count, "10", "documents for each query")),
    also_parameter(opt(
        "document_length_ratio",
        Kind::Positive,
        "5.0",
        "how many times as long as its query a document is",
    )),
];
const SPEED: Opt =
    opt("speed", Kind::Positive, "1.0", "how many times as fast the requests follow one another");
const WORKLOAD: &[Opt] = &[
    SPEED,
    opt(
        "model_override",
        Kind::Text,
        "",
        "the model that all requests ask, but those that model_mapping names",
    ),
    opt("model_mapping", Kind::Texts, "{}", "recorded models and the models to ask instead"),
    opt(
        "match_output_length",
        Kind::Flag,
        "false",
        "whether each reply is made as long as the recorded one (max_tokens and ignore_eos)",
    ),
];
const MOONCAKE: &[Opt] = &[
    SPEED,
    opt("block_size", Kind::Count, "512", "tokens of a block that one of the hash_ids stands for"),
    VOCABULARY,
];
const AZURE: &[Opt] = &[SPEED, VOCABULARY];
const SWE: &[Opt] = &[
    opt(
        "first_turn_length",
        Kind::CountOrRange,
        "65000",
        "tokens of the first turn: a number, or [min, max] to draw from",
    ),
    opt("subsequent_turn_length", Kind::CountOrRange, "500", "tokens that each later turn adds, likewise"),
    opt(
        "chars_per_token",
        Kind::Positive,
        "3.0",
        "characters of a token, to tell trajectories that are too short",
    ),
];

const SHARE_GPT: &str = r#"records {"conversation": [{"human": text, "assistant": text}, …]}"#;
const TRIE: &str = "records of lengths: input_prompt_length, num_turns, assistant_response_length[], tool_call_output_length[], tool_call_latency[], final_assistant_response_length";
const EMBEDDING: &str =
    "lines of text, or records that are texts or have one as text, input, sentence or content";
const PLAIN: &str = "lines of text; rows with a text as prompt, text, question, instruction or input";

const fn entry(
    name: &'static str,
    about: &'static str,
    file: &'static str,
    options: &'static [Opt],
    open: Open,
) -> Entry {
    Entry { name, about, file, place: None, multi_turn: false, offsets_itself: false, options, open }
}

const fn from_hub(entry: Entry, place: Place) -> Entry {
    Entry { place: Some(place), ..entry }
}

const fn conversations(entry: Entry) -> Entry {
    Entry { multi_turn: true, ..entry }
}

const fn offset_inside(entry: Entry) -> Entry {
    Entry { offsets_itself: true, ..entry }
}

/// Every dataset that is built in, sorted by name.
#[rustfmt::skip]
const BUILT_IN: &[Entry] = &[
    offset_inside(entry("azure_trace", "Azure's LLM traces: random prompts of the recorded lengths at the recorded times", "CSV with the columns TIMESTAMP, ContextTokens and GeneratedTokens", AZURE, lengths_trace::open_azure)),
    entry("custom", "each line of a text file is a prompt", PLAIN, &[], custom::open),
    conversations(entry("custom_multi_turn", "conversations of your own; the server's replies take the place of the assistant's", "lines that are arrays of messages with role and content", &[], custom_multi_turn::open)),
    entry("embed", "another name of embedding", EMBEDDING, &[], embedding::open),
    entry("embedding", "texts to be embedded", EMBEDDING, &[], embedding::open),
    entry("embedding_batch", "texts to be embedded, several in each request", EMBEDDING, BATCH, embedding::open_batch),
    from_hub(entry("flickr8k", "photographs with their captions", "tar archives of a web dataset with jpg and txt, or Parquet with these columns", &[], pictures::open_flickr8k), pictures::FLICKR8K),
    from_hub(entry("kontext_bench", "pictures with instructions to edit them", "Parquet with the columns image and instruction", &[], pictures::open_kontext), pictures::KONTEXT),
    entry("line_by_line", "each line is a text, an array of messages, or a whole request body", PLAIN, TEXT, line_by_line::open),
    from_hub(entry("longalpaca", "long instructions of about ten thousand tokens", "records with an instruction", TEXT, openqa::open_longalpaca), openqa::LONG_ALPACA),
    offset_inside(entry("mooncake_trace", "Mooncake's traces: random prompts of the recorded lengths at the recorded times, with the prefixes that they shared", "lines with timestamp (ms), input_length, output_length and hash_ids", MOONCAKE, lengths_trace::open_mooncake)),
    from_hub(entry("openqa", "short questions in Chinese", "records with a question", TEXT, openqa::open), openqa::HC3),
    offset_inside(entry("random", "random prompts of exact length", "", RANDOM, random::open)),
    offset_inside(entry("random_embedding", "random texts to be embedded", "", &[], random::open_embedding)),
    offset_inside(entry("random_embedding_batch", "random texts to be embedded, several in each request", "", BATCH, random::open_embedding_batch)),
    offset_inside(conversations(entry("random_multi_turn", "conversations of random turns", "", RANDOM, random::open_multi_turn))),
    offset_inside(entry("random_rerank", "random queries with random documents", "", RERANK, random::open_rerank)),
    offset_inside(entry("random_vl", "random prompts with random pictures (see the flags --image-*)", "", RANDOM, random::open_vl)),
    entry("rerank", "queries with documents to be put in order", "records with a query and documents, passages or texts", &[], rerank::open),
    from_hub(entry("share_gpt_en", "recorded conversations in English, each as one request", SHARE_GPT, TEXT, share_gpt::open), share_gpt::EN),
    from_hub(conversations(entry("share_gpt_en_multi_turn", "the user's part of recorded conversations in English", SHARE_GPT, &[], share_gpt::open_multi_turn)), share_gpt::EN),
    from_hub(entry("share_gpt_zh", "recorded conversations in Chinese, each as one request", SHARE_GPT, TEXT, share_gpt::open), share_gpt::ZH),
    from_hub(conversations(entry("share_gpt_zh_multi_turn", "the user's part of recorded conversations in Chinese", SHARE_GPT, &[], share_gpt::open_multi_turn)), share_gpt::ZH),
    entry("speed_benchmark", "one character repeated 1, 6144, 14336 and 30720 times, each twice, as plain prompts", "", &[], speed_benchmark::open),
    entry("speed_benchmark_long", "likewise, repeated 63488 and 129024 times", "", &[], speed_benchmark::open),
    from_hub(conversations(entry("swe_smith", "coding agents' conversations with long first turns", "a JSON object with ready-made conversations, or Parquet or JSONL trajectories with messages", SWE, swe_smith::open)), swe_smith::TRAJECTORIES),
    from_hub(conversations(entry("trie_agentic_coding", "recorded lengths and tool times of coding agents", TRIE, RANDOM, trie::open)), trie::CODING),
    from_hub(conversations(entry("trie_code_qa", "recorded lengths and tool times of questions about code", TRIE, RANDOM, trie::open)), trie::CODE_QA),
    from_hub(conversations(entry("trie_office_work", "recorded lengths and tool times of office agents", TRIE, RANDOM, trie::open)), trie::OFFICE),
    offset_inside(entry("workload_trace", "recorded requests at the recorded times", "lines with timestamp (s or ISO-8601), body, and where they are known headers, request_id and completion_tokens", WORKLOAD, workload_trace::open)),
];

/// The names of the datasets that are built in, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|entry| entry.name)
}

/// Those that are of conversations.
pub(super) fn multi_turn_names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().filter(|entry| entry.multi_turn).map(|entry| entry.name)
}

pub(super) fn find(name: &str) -> Option<&'static Entry> {
    BUILT_IN.iter().find(|entry| entry.name == name)
}

/// What there is to say about a dataset.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// What it is, in a few words.
    pub about: &'static str,
    /// What its file holds; `None` if it reads none.
    pub file: Option<&'static str>,
    /// Where the file can be had; `None` if it is the user's own.
    pub place: Option<Place>,
    /// Whether it is of conversations and requires `--multi-turn`.
    pub multi_turn: bool,
    /// The JSON Schema of its `--dataset-args`.
    pub schema: Value,
}

/// What there is to say about a dataset; `None` if there is none of that name.
pub fn describe(name: &str) -> Option<Description> {
    let entry = find(name)?;
    Some(Description {
        about: entry.about,
        file: Some(entry.file).filter(|file| !file.is_empty()),
        place: entry.place,
        multi_turn: entry.multi_turn,
        schema: schema(entry),
    })
}

fn schema(entry: &Entry) -> Value {
    let properties: Map<String, Value> =
        entry.options.iter().map(|option| (option.name.to_string(), property(option))).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("--dataset-args of {}", entry.name),
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    })
}

fn property(option: &Opt) -> Value {
    let count = json!({ "type": "integer", "minimum": 1 });
    let mut out = match option.kind {
        Kind::Count => count,
        Kind::Positive => json!({ "type": "number", "exclusiveMinimum": 0 }),
        Kind::CountOrRange => json!({
            "oneOf": [count, { "type": "array", "items": count, "minItems": 2, "maxItems": 2 }]
        }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Text => json!({ "type": "string" }),
        Kind::OneOf(texts) => json!({ "enum": texts }),
        Kind::Texts => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
    };
    out["description"] = option.about.into();
    if let Ok(default) = serde_json::from_str::<Value>(option.default) {
        out["default"] = default;
    }
    out
}

#[cfg(test)]
mod tests;
