//! The baseline's own cases about datasets, carried over: its inputs and the values it expects. Each
//! module is named for the test file of EvalScope that the cases come from.

mod dataset_args;
mod prefix_injection;
mod target_input_len;
mod trace_errors;
mod trie_replay;
mod workload_trace;

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::*;
use crate::contract::{Conversation, Message, Part, Prompt};

/// A tokenizer of one token for each character of ASCII; `~` is a special one, which is encoded and
/// not decoded, so that texts with it come back shorter.
fn characters() -> Option<Arc<Tokenizer>> {
    let printable: Vec<char> = (' '..='}').collect();
    let vocab: Map<String, Value> =
        printable.iter().enumerate().map(|(id, one)| (one.to_string(), id.into())).collect();
    let tokenizer = serde_json::json!({
        "version": "1.0",
        "added_tokens": [{
            "id": printable.len(), "content": "~", "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true
        }],
        "decoder": { "type": "Fuse" },
        "model": { "type": "BPE", "vocab": vocab, "merges": [] }
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokenizer.json");
    std::fs::write(&file, tokenizer.to_string()).unwrap();
    Some(Arc::new(Tokenizer::open(file).unwrap()))
}

/// A folder of files that a case reads.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Files {
        Files(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A dataset over a file of that text, with `--dataset-args`.
    fn spec(&self, name: &str, text: &str, options: Value) -> DatasetSpec {
        let path = Some(self.write("dataset.jsonl", text));
        let Value::Object(options) = options else { panic!("options are an object") };
        DatasetSpec { name: name.into(), path, options, ..DatasetSpec::default() }
    }
}

fn all(spec: &DatasetSpec, tokenizer: Option<Arc<Tokenizer>>) -> Result<Vec<Conversation>, PartError> {
    open(spec, &RunConfig::default(), tokenizer)?.next(1000)
}

fn told(spec: &DatasetSpec, tokenizer: Option<Arc<Tokenizer>>) -> String {
    let told = all(spec, tokenizer).unwrap_err().to_string();
    assert!(!told.contains('\n'), "{told}");
    told
}

/// The role and the text of each message of a conversation's first turn; a plain prompt has no role.
fn said(conversation: &Conversation) -> Vec<(String, String)> {
    match &conversation.turns[0].prompt {
        Prompt::Text(text) => vec![(String::new(), text.clone())],
        Prompt::Chat(messages) => messages.iter().map(role_and_text).collect(),
        other => panic!("{other:?}"),
    }
}

fn role_and_text(message: &Message) -> (String, String) {
    match &message.content[..] {
        [Part::Text(text)] => (message.role.clone(), text.clone()),
        other => panic!("{other:?}"),
    }
}

fn roles(said: &[(String, String)]) -> Vec<&str> {
    said.iter().map(|(role, _)| role.as_str()).collect()
}

/// Characters of everything that is said, which are its tokens.
fn length(said: &[(String, String)]) -> usize {
    said.iter().map(|(_, text)| text.chars().count()).sum()
}
