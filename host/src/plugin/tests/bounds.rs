//! What a plugin that misbehaves can and cannot do. The exact error of each misdeed is in `tests/e2e/hostile`.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

use serde_json::json;

use super::*;
use crate::contract::{Conversation, Part, PartError};

/// The misbehaving plugin's error when it does the misdeed in `at`.
fn misbehave(misdeed: &str, at: &str) -> PartError {
    misbehave_in(&runtime(), misdeed, "", at)
}

fn misbehave_in(runtime: &Runtime, misdeed: &str, how: &str, at: &str) -> PartError {
    let plugin = Plugin::open(runtime, &guest("misbehave")).unwrap();
    let config = config(json!({ "do": misdeed, "how": how, "at": at }));
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
fn a_crash_comes_with_the_plugins_last_words() {
    let text = misbehave("trap_at_nth_call", "parse").to_string();
    assert!(text.contains("(it said: panicked at ") && text.ends_with("; mend the plugin"), "{text}");
}

#[test]
fn an_error_of_the_plugin_keeps_its_kind() {
    let told = "the plugin \"misbehave\" failed in \"parse\": told to[31m";
    assert_eq!(misbehave("error_of_many_lines", "parse"), PartError::InvalidData(told.into()));
    let config = config(json!({ "do": "error_of_many_lines", "at": "open" }));
    let refused = open("misbehave").api(&config, &Services::none()).err().unwrap();
    assert_eq!(refused.to_string(), "the plugin \"misbehave\" could not be opened: told to[31m");
}

#[test]
fn an_endless_loop_and_an_endless_sleep_end_within_their_time() {
    let limits = LimitsSpec { call: Duration::from_millis(200), ..LimitsSpec::default() };
    let runtime = Runtime::new(limits).unwrap();
    for how in ["", "asleep"] {
        let start = Instant::now();
        assert_internal(
            misbehave_in(&runtime, "never_returns", how, "parse"),
            "the plugin \"misbehave\" ran longer than 0.2 s in \"parse\"; raise --plugin-timeout or fix the loop",
        );
        assert!(start.elapsed() < Duration::from_secs(8));
    }
}

#[test]
fn other_calls_go_on_after_a_crash_and_a_leak_costs_instances_only() {
    let plugin = open("misbehave");
    let crashing =
        plugin.api(&config(json!({ "do": "trap_at_nth_call", "at": "parse" })), &Services::none()).unwrap();
    for _ in 0..50 {
        with_reply(&["x"], |reply| crashing.parse(reply)).unwrap_err();
        crashing.shape(&turn("hi")).unwrap();
    }
    let leaking =
        plugin.api(&config(json!({ "do": "slow_leak", "at": "parse" })), &Services::none()).unwrap();
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
    let api = open("misbehave").api(&config(json!({ "do": "log_flood", "at": "parse" })), &services).unwrap();
    with_reply(&["x"], |reply| api.parse(reply)).unwrap();
    let lines = lines.lock().unwrap();
    assert_eq!(lines[..2], ["info plugin \"misbehave\": line 0", "info plugin \"misbehave\": line 1"]);
    assert_eq!(lines[999], "info plugin \"misbehave\": line 999");
    let told = "warn plugin \"misbehave\" writes too much: what exceeds 1000 lines at once and 10 a second is dropped";
    assert_eq!(lines[1_000], told);
    assert!(lines.len() < 1_200, "{} lines", lines.len());
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
