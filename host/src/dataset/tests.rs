mod generated;
mod readers;

use std::path::Path;

use super::*;
use crate::contract::{Conversation, Message, Part, Prompt};

fn data(file: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data")).join(file)
}

fn tokenizer() -> Option<Arc<Tokenizer>> {
    Some(Arc::new(Tokenizer::open(data("tokenizer")).unwrap()))
}

fn spec(name: &str, file: &str) -> DatasetSpec {
    DatasetSpec { name: name.into(), path: Some(data(file)), ..DatasetSpec::default() }
}

fn prompts(spec: &DatasetSpec, tokenizer: Option<Arc<Tokenizer>>) -> Result<Vec<Prompt>, PartError> {
    let conversations = open(spec, &RunConfig::default(), tokenizer)?.next(100)?;
    Ok(conversations.into_iter().map(prompt_of).collect())
}

fn prompt_of(mut conversation: Conversation) -> Prompt {
    conversation.turns.remove(0).prompt
}

fn text(text: &str) -> Prompt {
    Prompt::Text(text.into())
}

fn error(spec: &DatasetSpec) -> String {
    prompts(spec, None).unwrap_err().to_string()
}

/// A dataset over a file of the given bytes.
fn over(name: &str, bytes: &[u8]) -> (tempfile::TempDir, DatasetSpec) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, bytes).unwrap();
    (folder, DatasetSpec { name: name.into(), path: Some(path), ..DatasetSpec::default() })
}

#[test]
fn an_unknown_name_lists_those_that_are_known() {
    let told = error(&spec("x", "custom.txt"));
    let start = "the dataset \"x\" is not known; choose one of: azure_trace, custom, ";
    assert!(told.starts_with(start) && told.ends_with(", workload_trace, or a .wasm file"), "{told}");
}

#[test]
fn custom_strips_lines_and_filters_them_by_length() {
    let mut spec = spec("custom", "custom.txt");
    assert_eq!(prompts(&spec, None).unwrap().len(), 3);
    spec.max_prompt_length = 18;
    assert_eq!(prompts(&spec, None).unwrap(), [text("Name three rivers."), text("Say hello.")]);
    spec.min_prompt_length = 11;
    assert_eq!(prompts(&spec, None).unwrap(), [text("Name three rivers.")]);
    spec.apply_chat_template = true;
    let chat = Prompt::Chat(vec![Message::text("user", "Name three rivers.")]);
    assert_eq!(prompts(&spec, None).unwrap(), [chat]);
}

#[test]
fn with_a_tokenizer_lengths_are_tokens_and_the_template_counts() {
    let tokenizer = tokenizer();
    let counter = tokenizer.clone().unwrap();
    let mut spec = spec("custom", "custom.txt");
    let lines = ["Name three rivers.", "Say hello."];
    for longest in lines.map(|line| counter.count(line).unwrap()) {
        spec.max_prompt_length = longest;
        let kept = lines.iter().filter(|line| counter.count(line).unwrap() <= longest).map(|line| text(line));
        assert_eq!(prompts(&spec, tokenizer.clone()).unwrap(), kept.collect::<Vec<_>>());
    }
    spec.apply_chat_template = true;
    let chats = lines.map(|line| counter.count_chat(&[Message::text("user", line)]).unwrap());
    spec.max_prompt_length = chats[0].max(chats[1]);
    assert_eq!(prompts(&spec, tokenizer.clone()).unwrap().len(), 2);
    spec.max_prompt_length = chats[0].min(chats[1]) - 1;
    let told = prompts(&spec, tokenizer).unwrap_err().to_string();
    assert!(
        told.contains("the lengths of all 3 records that it has are outside --min-prompt-length"),
        "{told}"
    );
}

#[test]
fn line_by_line_takes_text_messages_and_bodies() {
    let got = prompts(&spec("line_by_line", "lines.txt"), None).unwrap();
    let named = Message {
        role: "user".into(),
        content: vec![Part::Text("Is water wet?".into())],
        fields: vec![("name".into(), "\"ada\"".into())],
    };
    assert_eq!(got[0], text("What is a queue good for?"));
    assert_eq!(got[1], Prompt::Chat(vec![Message::text("system", "Answer in one word."), named]));
    assert!(matches!(&got[2], Prompt::Body(body) if body.starts_with(b"{\"messages\"")));
    assert_eq!(
        got[3..],
        [text("[not JSON, just a line in brackets]"), text("quoted text is text"), text("42")]
    );
}

#[test]
fn openqa_reads_questions_from_a_file_or_a_folder() {
    let got = prompts(&spec("openqa", "openqa.jsonl"), None).unwrap();
    assert_eq!(
        got,
        [
            text("Why does the tide come in twice a day?"),
            text("How is bread kept from going stale?"),
            text("什么是队列？")
        ]
    );
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(data("openqa.jsonl"), folder.path().join("open_qa.jsonl")).unwrap();
    let spec = DatasetSpec { path: Some(folder.path().into()), ..DatasetSpec::default() };
    assert_eq!(prompts(&spec, None).unwrap(), got);
}

#[test]
fn a_file_ends_and_can_be_read_again() {
    let mut dataset = open(&spec("custom", "custom.txt"), &RunConfig::default(), None).unwrap();
    let first = dataset.next(2).unwrap();
    assert_eq!((first.len(), dataset.next(2).unwrap().len(), dataset.next(2).unwrap().len()), (2, 1, 0));
    dataset.rewind().unwrap();
    assert_eq!(dataset.next(2).unwrap(), first);
}

#[test]
fn the_prompt_flag_wins_over_the_dataset_and_never_ends() {
    let mut spec =
        DatasetSpec { prompt: Some("hi".into()), name: "whatever".into(), ..DatasetSpec::default() };
    assert_eq!(prompts(&spec, None).unwrap(), vec![text("hi"); 100]);
    spec.prompt = Some(format!("@{}", data("custom.txt").display()));
    assert!(
        matches!(&prompts(&spec, None).unwrap()[0], Prompt::Text(text) if text.ends_with("wrong time.\n"))
    );
    spec.prompt = Some("@no/such".into());
    assert!(error(&spec).starts_with("the file \"no/such\" of --prompt cannot be read"));
    spec.prompt = Some("hi".into());
    spec.tokenize_prompt = true;
    assert_eq!(error(&spec), "--tokenize-prompt needs a tokenizer; pass --tokenizer-path");
    let ids = tokenizer().unwrap().encode("hi").unwrap();
    assert_eq!(prompts(&spec, tokenizer()).unwrap()[0], Prompt::Tokens(ids));
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_line() {
    assert!(error(&spec("custom", "no.such")).ends_with("no.such\" does not exist; check --dataset-path"));
    assert!(error(&spec("custom", "")).contains("is a folder; give --dataset-path a file"));
    let none = DatasetSpec::default();
    assert_eq!(
        error(&none),
        "the dataset \"openqa\" reads a file and none is given; fetch \"open_qa.jsonl\" from \
         AI-ModelScope/HC3-Chinese on modelscope.cn or Hello-SimpleAI/HC3-Chinese on huggingface.co and \
         pass it with --dataset-path"
    );
    let none = DatasetSpec { name: "custom".into(), ..DatasetSpec::default() };
    assert_eq!(error(&none), "the dataset \"custom\" reads a file and none is given; pass --dataset-path");
    for (name, bytes, told) in [
        ("custom", &b"\n  \n"[..], "has nothing usable: it is empty"),
        ("custom", b"a\n\xff\xfe\n", "line 2 of the dataset file"),
        ("custom", b"\xff", "is not valid UTF-8; convert the file to UTF-8"),
        ("openqa", b"{\"question\": 7}", "is not a JSON object with a \"question\" of text"),
        ("openqa", b"{\"answer\": \"a\"}", "line 1 of the dataset file"),
        ("openqa", b"[]", "is not a JSON object"),
        ("line_by_line", b"[1, 2]", "messages with a \"role\""),
        ("line_by_line", b"[]", "messages with a \"role\""),
    ] {
        let (_folder, spec) = over(name, bytes);
        let got = error(&spec);
        assert!(got.contains(told) && !got.contains('\n'), "{got}");
    }
}

#[test]
fn options_that_a_dataset_does_not_have_are_refused() {
    for name in names() {
        let multi_turn = describe(name).unwrap().multi_turn;
        let mut spec = DatasetSpec { multi_turn, ..spec(name, "custom.txt") };
        spec.options.insert("colour".into(), "red".into());
        let told = error(&spec);
        assert!(told.contains("unknown field `colour`") && told.contains("--dataset-args"), "{told}");
    }
    let config = RunConfig { options: spec_options(), ..RunConfig::default() };
    assert!(open(&spec("custom", "custom.txt"), &config, None).is_err());
}

fn spec_options() -> serde_json::Map<String, serde_json::Value> {
    serde_json::Map::from_iter([("colour".to_string(), "red".into())])
}

#[test]
fn a_byte_order_mark_is_not_text() {
    let (_folder, spec) = over("custom", b"\xef\xbb\xbfa\r\nb");
    assert_eq!(prompts(&spec, None).unwrap(), [text("a"), text("b")]);
}
