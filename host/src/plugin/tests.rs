//! Tests with real components. They need the guests of `plugins/` and `tests/guests/`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use super::*;
use crate::contract::{
    Conversation, FailureKind, Frame, Framing, Message, OutputKind, Part, PartError, Prompt, Reply,
    TurnInContext,
};
use crate::units::Nanos;

/// A component from the folder that `tickrate plugin build plugins` fills.
fn guest(name: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let path = target.join("guests").join(format!("{name}.wasm"));
    assert!(path.exists(), "build the guests first: tickrate plugin build plugins (no {})", path.display());
    path
}

fn runtime() -> Runtime {
    Runtime::new(LimitsSpec { call: Duration::from_millis(200), ..LimitsSpec::default() }).unwrap()
}

fn open(name: &str) -> Plugin {
    Plugin::open(&runtime(), &guest(name)).unwrap()
}

fn config(options: serde_json::Value) -> RunConfig {
    RunConfig {
        model: "m".into(),
        url: "http://h/v1/chat/completions".into(),
        stream: true,
        seed: 7,
        options: options.as_object().cloned().unwrap_or_default(),
        ..RunConfig::default()
    }
}

/// A reply of these frames, one every 10 ms.
fn with_reply<R>(frames: &[&str], call: impl FnOnce(&Reply<'_>) -> R) -> R {
    let mut payload = String::new();
    let mut marks = Vec::new();
    for (i, data) in frames.iter().enumerate() {
        let start = payload.len();
        payload.push_str(data);
        marks.push(Frame { at: Nanos(10_000_000 * i as i64), event: None, range: start..payload.len() });
    }
    call(&Reply {
        status: 200,
        content_type: Some("text/event-stream"),
        framing: Framing::Sse,
        complete: true,
        sent: Nanos::ZERO,
        payload: payload.as_bytes(),
        frames: &marks,
    })
}

fn turn(text: &str) -> TurnInContext {
    TurnInContext {
        request_id: "r-1".into(),
        conversation_id: "c-1".into(),
        turn_index: 0,
        history: Arc::new(vec![Message::text("assistant", "before")]),
        turn: Prompt::Text(text.into()).into(),
    }
}

/// What the misbehaving plugin's error says when it does `mode` in `at`.
fn misbehave(mode: &str, at: &str) -> PartError {
    let plugin = open("misbehave");
    let config = config(json!({ "mode": mode, "at": at }));
    if at == "next" {
        match plugin.dataset(&config, &Services::none()) {
            Ok(mut dataset) => dataset.next(3).unwrap_err(),
            Err(error) => error.into(),
        }
    } else {
        match plugin.api(&config, &Services::none()) {
            Ok(api) if at == "parse" => with_reply(&["x", "y"], |reply| api.parse(reply)).unwrap_err(),
            Ok(api) => api.shape(&turn("hi")).unwrap_err(),
            Err(error) => error.into(),
        }
    }
}

#[track_caller]
fn assert_internal(error: PartError, start: &str) {
    let PartError::Internal(text) = &error else { panic!("not an internal error: {error:?}") };
    assert!(text.starts_with(start), "{text}");
    assert!(!text.contains('\n') && text.len() < 700, "{text}");
}

#[test]
fn files_that_are_no_plugins_are_refused_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let told = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let text = Plugin::open(&runtime(), &path).unwrap_err().to_string();
        assert!(!text.contains('\n'), "{text}");
        text.replace(&*dir.path().to_string_lossy(), "DIR")
    };
    assert_eq!(
        told("a.wasm", b"hello"),
        "\"DIR/a.wasm\" is not a WebAssembly component but a text file; make one with \"tickrate plugin build\""
    );
    assert!(told("b.wasm", b"\0asm\x01\0\0\0").contains("but a core module"));
    assert!(told("c.wasm", b"\0asm\x0d\0\x01\0").starts_with("\"DIR/c.wasm\" exports nothing, and a plugin"));
    assert!(told("d.wasm", b"\0asm\x0d\0\x01\0\xff\xff").contains("cannot be compiled"));
    let text = Plugin::open(&runtime(), &dir.path().join("no.wasm")).unwrap_err().to_string();
    assert!(text.starts_with("cannot read the plugin"), "{text}");
}

#[test]
fn a_plugin_says_who_it_is_and_what_it_can_be() {
    let plugin = open("misbehave");
    assert_eq!((plugin.name(), plugin.version(), plugin.contract()), ("misbehave", "0.1.0", "0.1.0"));
    assert_eq!(plugin.roles(), [Role::Dataset, Role::Api]);
    assert_eq!(plugin.sha256().len(), 64);
    assert_eq!(plugin.identity(Role::Api).role, "api");
    assert_eq!(open("openai-chat").roles(), [Role::Api]);
    assert_eq!(open("synthetic-chat").roles(), [Role::Dataset]);
    assert_eq!(
        open("openai-chat").dataset(&config(json!({})), &Services::none()).err().map(|e| e.to_string()),
        Some("the plugin \"openai-chat\" is no dataset, only api; use it with --api".into())
    );
}

#[test]
fn whatever_a_plugin_does_wrong_is_an_error_of_one_line() {
    for at in ["open", "shape", "parse", "next"] {
        assert_internal(misbehave("trap", at), &format!("the plugin \"misbehave\" crashed in \"{at}\": "));
        assert_internal(
            misbehave("bomb", at),
            &format!("the plugin \"misbehave\" asked for more than 256 MiB of memory in \"{at}\"; raise"),
        );
    }
    let told = "the plugin \"misbehave\" gave an answer in \"parse\" that makes no sense: ";
    let frames = format!("{told}it names frame 2 of a reply that has 2; mend the plugin");
    assert_internal(misbehave("bad_frames", "parse"), &frames);
    assert_internal(misbehave("bad_text", "parse"), &format!("{told}its frames up to 0 bring 5 bytes"));
    let told = "the plugin \"misbehave\" gave an answer in \"shape\" that makes no sense: ";
    assert_internal(misbehave("bad_header", "shape"), &format!("{told}\"not a header\" cannot be the name"));
    let told = "the plugin \"misbehave\" gave an answer in \"next\" that makes no sense: ";
    assert_internal(misbehave("empty", "next"), &format!("{told}conversation 0 of the batch has no turns"));
    assert_internal(misbehave("flood", "next"), &format!("{told}it gave 4 conversations when asked"));
    for at in ["shape", "parse", "next"] {
        let told = format!("the plugin \"misbehave\" answered with more than 64 MiB in \"{at}\"");
        assert_internal(misbehave("huge_output", at), &told);
    }
}

#[test]
fn a_crash_comes_with_the_plugins_last_words() {
    let text = misbehave("trap", "parse").to_string();
    assert!(text.contains("(it said: panicked at ") && text.ends_with("; mend the plugin"), "{text}");
}

#[test]
fn an_error_of_the_plugin_keeps_its_kind() {
    let told = "the plugin \"misbehave\" failed in \"parse\": told to";
    assert_eq!(misbehave("error", "parse"), PartError::InvalidData(told.into()));
    let config = config(json!({ "mode": "error", "at": "open" }));
    let refused = open("misbehave").api(&config, &Services::none()).err().unwrap();
    assert_eq!(refused.to_string(), "the plugin \"misbehave\" could not be opened: told to");
}

#[test]
fn an_endless_loop_and_an_endless_sleep_end_within_their_time() {
    for mode in ["hang", "sleep"] {
        let start = Instant::now();
        assert_internal(
            misbehave(mode, "parse"),
            "the plugin \"misbehave\" ran longer than 0.2 s in \"parse\"; raise --plugin-timeout or fix the loop",
        );
        assert!(start.elapsed() < Duration::from_secs(8));
    }
}

#[test]
fn other_calls_go_on_after_a_crash_and_a_leak_costs_instances_only() {
    let plugin = open("misbehave");
    let crashing = plugin.api(&config(json!({ "mode": "trap", "at": "parse" })), &Services::none()).unwrap();
    for _ in 0..50 {
        with_reply(&["x"], |reply| crashing.parse(reply)).unwrap_err();
        crashing.shape(&turn("hi")).unwrap();
    }
    let leaking = plugin.api(&config(json!({ "mode": "leak", "at": "parse" })), &Services::none()).unwrap();
    for _ in 0..600 {
        with_reply(&["x"], |reply| leaking.parse(reply)).unwrap();
    }
}

#[test]
fn the_log_is_passed_on_and_bounded() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&lines);
    let services = Services {
        log: Arc::new(move |level, text| sink.lock().unwrap().push(format!("{level} {text}"))),
        ..Services::none()
    };
    let api = open("misbehave").api(&config(json!({ "mode": "chatter", "at": "parse" })), &services).unwrap();
    with_reply(&["x"], |reply| api.parse(reply)).unwrap();
    let lines = lines.lock().unwrap();
    assert_eq!(lines.len(), 1_000);
    assert_eq!(lines[0], "info plugin \"misbehave\": line 0");
    assert!(lines[999].ends_with("the rest of them is dropped"));
}

#[test]
fn a_dataset_is_the_same_for_the_same_seed_and_begins_again() {
    let plugin = open("synthetic-chat");
    let made = |seed: u64| {
        let config = RunConfig { seed, ..config(json!({ "turns": 2, "min_words": 3, "max_words": 5 })) };
        plugin.dataset(&config, &Services::none()).unwrap()
    };
    let mut one = made(1);
    let first = one.next(4).unwrap();
    assert_eq!((first.len(), first[0].turns.len(), first[0].id.as_deref()), (4, 2, Some("synthetic-0")));
    assert_eq!(made(1).next(4).unwrap(), first);
    assert_ne!(made(2).next(4).unwrap(), first);
    assert_ne!(one.next(4).unwrap(), first);
    one.rewind().unwrap();
    assert_eq!(one.next(4).unwrap(), first);
}

/// A tokenizer of words.
struct Words;

impl HostTokenizer for Words {
    fn count(&self, text: &str) -> Result<usize, String> {
        Ok(text.split(' ').count())
    }

    fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        Ok(text.split(' ').map(|word| word.len() as u32).collect())
    }

    fn decode(&self, tokens: &[u32]) -> Result<String, String> {
        Err(format!("no token {}", tokens[0]))
    }
}

/// What the dataset `reach` could reach, by what it tried.
fn reached(path: Option<PathBuf>, services: &Services) -> HashMap<String, String> {
    let config = RunConfig { dataset_path: path, ..config(json!({})) };
    let mut dataset = open("reach").dataset(&config, services).unwrap();
    let answer = |conversation: Conversation| {
        let Prompt::Chat(messages) = &conversation.turns[0].prompt else { panic!("no chat") };
        let [Part::Text(text)] = &messages[0].content[..] else { panic!("no text") };
        (conversation.labels[0].1.clone(), text.clone())
    };
    dataset.next(100).unwrap().into_iter().map(answer).collect()
}

#[test]
fn a_dataset_reaches_its_own_file_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mine.txt");
    std::fs::write(&file, "hello").unwrap();
    std::fs::write(dir.path().join("neighbour.txt"), "secret").unwrap();
    let services = Services { tokenizer: Some(Arc::new(Words)), ..Services::none() };
    let got = reached(Some(file.clone()), &services);
    let denied =
        ["std write", "std create", "std remove", "std neighbour", "std outside", "network", "listen"];
    for what in denied {
        assert_eq!(got[what], "denied", "{what}");
    }
    assert_eq!((got["arguments"].as_str(), got["environment"].as_str()), ("0", "0"));
    assert_eq!(got["path"], "/data/mine.txt");
    assert_eq!(got["files"], "\"mine.txt 5\"");
    assert_eq!(got["read"], "\"ell\"");
    assert_eq!(got["read outside"], "error \"the dataset has no file \\\"../neighbour.txt\\\"\"");
    if got["wasi"] == "true" {
        assert_eq!(got["std read"], "\"hello\"");
    }
    assert_eq!((got["count"].as_str(), got["encode"].as_str()), ("3", "[3, 3]"));
    assert_eq!(got["decode"], "error \"no token 1\"");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "hello");
    let mut left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["mine.txt", "neighbour.txt"]);
}

#[test]
fn without_a_path_or_a_tokenizer_a_plugin_is_told_so() {
    let got = reached(None, &Services::none());
    assert_eq!((got["path"].as_str(), got["files"].as_str()), ("", "\"\""));
    assert_eq!(got["count"], "error \"the run has no tokenizer; give --tokenizer-path\"");
    assert_eq!((got["std read"].starts_with("error"), got["std root"].as_str()), (true, "denied"));
    assert_eq!(got["random"], reached(None, &Services::none())["random"]);
}

#[test]
fn options_are_checked_before_anything_runs() {
    let told = |options| {
        open("synthetic-chat").dataset(&config(options), &Services::none()).err().map(|e| e.to_string())
    };
    assert_eq!(told(json!({ "turns": 1 })), None);
    assert_eq!(
        told(json!({ "turns": 0 })).as_deref(),
        Some(
            "the plugin \"synthetic-chat\" does not accept --dataset-args: at \"/turns\": 0 is less than the \
             minimum of 1; correct the options"
        )
    );
    assert_eq!(
        told(json!({ "min_words": 9, "max_words": 2 })).as_deref(),
        Some("the plugin \"synthetic-chat\" could not be opened: min_words is 9 and max_words 2; swap them")
    );
}

#[test]
fn a_reply_of_openai_is_understood() {
    let api = open("openai-chat").api(&config(json!({})), &Services::none()).unwrap();
    let frames = [
        r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#,
        r#"{"choices":[{"delta":{"reasoning_content":"hm"}}]}"#,
        r#"{"choices":[{"delta":{"content":"né"}}]}"#,
        r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2}}"#,
        "[DONE]",
    ];
    let outcome = with_reply(&frames, |reply| api.parse(reply)).unwrap();
    assert_eq!(outcome.text, "hmné");
    let kinds: Vec<_> = outcome.outputs.iter().map(|o| (o.frame, o.kind, o.text_bytes)).collect();
    assert_eq!(kinds, [(1, OutputKind::Reasoning, 2), (2, OutputKind::Content, 3)]);
    assert_eq!((outcome.usage.input_tokens, outcome.usage.output_tokens), (Some(5), Some(2)));
    assert_eq!((outcome.finish_reason.as_deref(), outcome.failure), (Some("stop"), None));
    let cut = with_reply(&frames[..2], |reply| api.parse(reply)).unwrap();
    assert_eq!(cut.failure.map(|f| f.kind), Some(FailureKind::Truncated));

    let request = api.shape(&turn("hi")).unwrap();
    assert_eq!(
        std::str::from_utf8(&request.body).unwrap(),
        r#"{"model":"m","messages":[{"role":"assistant","content":"before"},{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true}}"#
    );
    assert_eq!(request.framing, Framing::Sse);
}

#[test]
fn replies_of_ollama_and_tgi_are_understood() {
    let ollama = open("ollama-chat").api(&config(json!({ "think": true })), &Services::none()).unwrap();
    let lines = [
        r#"{"message":{"role":"assistant","content":"","thinking":"hm"},"done":false}"#,
        r#"{"message":{"role":"assistant","content":"A"},"done":false}"#,
        r#"{"message":{"content":""},"done":true,"done_reason":"stop","prompt_eval_count":9,"eval_count":2,"total_duration":1500000}"#,
    ];
    let got = with_reply(&lines, |reply| ollama.parse(reply)).unwrap();
    assert_eq!(
        (got.text.as_str(), got.usage.input_tokens, got.usage.output_tokens),
        ("hmA", Some(9), Some(2))
    );
    assert_eq!(got.labels, [("server_total_ms".to_owned(), "1.5".to_owned())]);
    assert_eq!(got.failure, None);
    let request = ollama.shape(&turn("hi")).unwrap();
    assert!(std::str::from_utf8(&request.body).unwrap().contains(r#""think":true"#));
    assert_eq!(request.framing, Framing::Ndjson);

    let mut asked = config(json!({}));
    asked.parameters.insert("max_tokens".into(), 8.into());
    let tgi = open("tgi-generate").api(&asked, &Services::none()).unwrap();
    let events = [
        r#"{"index":1,"token":{"id":1,"text":" A","logprob":-1.0,"special":false},"generated_text":null,"details":null}"#,
        r#"{"index":2,"token":{"id":2,"text":"</s>","special":true},"generated_text":" A","details":{"finish_reason":"eos_token","generated_tokens":2,"seed":null,"input_length":5}}"#,
    ];
    let got = with_reply(&events, |reply| tgi.parse(reply)).unwrap();
    assert_eq!((got.text.as_str(), got.outputs[0].tokens, got.usage.output_tokens), (" A", Some(1), Some(2)));
    assert_eq!((got.finish_reason.as_deref(), got.usage.input_tokens), (Some("eos_token"), Some(5)));
    let body = tgi.shape(&turn("hi")).unwrap().body;
    assert_eq!(
        std::str::from_utf8(&body).unwrap(),
        r#"{"inputs":"before\nhi","parameters":{"max_new_tokens":8,"details":true}}"#
    );
}

#[test]
fn calls_from_many_threads_share_few_instances() {
    let api = open("openai-chat").api(&config(json!({})), &Services::none()).unwrap();
    let frame = r#"{"choices":[{"delta":{"content":"A"},"finish_reason":"stop"}]}"#;
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..100 {
                    let got = with_reply(&[frame], |reply| api.parse(reply)).unwrap();
                    assert_eq!(got.text, "A");
                }
            });
        }
    });
}

/// Prints what calls cost; it asserts nothing about them.
#[test]
fn calls_are_fast() {
    let api = open("openai-chat").api(&config(json!({})), &Services::none()).unwrap();
    let frame = |i: usize| {
        format!(
            r#"{{"id":"chatcmpl-8f1c","object":"chat.completion.chunk","created":1760000000,"model":"m","choices":[{{"index":0,"delta":{{"content":" word{i}"}},"logprobs":null,"finish_reason":null}}]}}"#
        )
    };
    let mut frames: Vec<String> = (0..127).map(frame).collect();
    frames.push(r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#.into());
    let frames: Vec<&str> = frames.iter().map(String::as_str).collect();
    with_reply(&frames, |reply| {
        let rounds = 2000;
        let start = Instant::now();
        for _ in 0..rounds {
            std::hint::black_box(api.parse(reply).unwrap());
        }
        let each = start.elapsed().as_secs_f64() * 1e6 / f64::from(rounds);
        println!("a reply of 128 frames, {} bytes, is parsed in {each:.1} µs", reply.payload.len());
    });
    let question = turn(&"word ".repeat(1000));
    let start = Instant::now();
    for _ in 0..2000 {
        std::hint::black_box(api.shape(&question).unwrap());
    }
    println!("a prompt of 5000 bytes is shaped in {:.1} µs", start.elapsed().as_secs_f64() * 1e6 / 2000.0);
    let plugin = open("openai-chat");
    let start = Instant::now();
    for _ in 0..200 {
        std::hint::black_box(plugin.api(&config(json!({})), &Services::none()).unwrap());
    }
    println!("an instance is made and opened in {:.1} µs", start.elapsed().as_secs_f64() * 1e6 / 200.0);
}
