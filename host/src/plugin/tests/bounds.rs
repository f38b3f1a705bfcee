//! What a plugin that misbehaves can and cannot do.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

use serde_json::json;

use super::*;
use crate::contract::{Conversation, Part, PartError};

/// What the misbehaving plugin's error says when it does `mode` in `at`.
fn misbehave(mode: &str, at: &str) -> PartError {
    misbehave_in(&runtime(), mode, at)
}

fn misbehave_in(runtime: &Runtime, mode: &str, at: &str) -> PartError {
    let plugin = Plugin::open(runtime, &guest("misbehave")).unwrap();
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
fn a_recursion_without_end_is_a_crash_of_one_instance() {
    for at in ["open", "shape", "parse", "next"] {
        let told =
            format!("the plugin \"misbehave\" crashed in \"{at}\": call stack exhausted; mend the plugin");
        assert_internal(misbehave("recursion", at), &told);
    }
}

#[test]
fn times_that_are_none_are_refused() {
    let told = "the plugin \"misbehave\" gave an answer in \"next\" that makes no sense: conversation 0 of the batch ";
    for (mode, what) in [
        ("nan_time", "has the think time NaN ms, which is no time; mend the plugin"),
        ("negative_time", "has the think time -1 ms, which is no time; mend the plugin"),
        ("endless_arrival", "arrives at inf ms, which is no time; mend the plugin"),
        ("negative_arrival", "arrives at -0.5 ms, which is no time; mend the plugin"),
    ] {
        assert_internal(misbehave(mode, "next"), &format!("{told}{what}"));
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
    let limits = LimitsSpec { call: Duration::from_millis(200), ..LimitsSpec::default() };
    let runtime = Runtime::new(limits).unwrap();
    for mode in ["hang", "sleep"] {
        let start = Instant::now();
        assert_internal(
            misbehave_in(&runtime, mode, "parse"),
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
