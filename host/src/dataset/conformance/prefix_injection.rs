//! `test_prefix_injection.py`: prompts that are filled up from a file.

use serde_json::json;

use super::*;

const CORPUS: &str = "PREFIXTEXTLONG";
const TARGET: usize = 10;

fn options(files: &Files, corpus: &str) -> Value {
    json!({ "target_input_len": TARGET, "prefix_file": files.write("prefix.txt", corpus) })
}

fn with(mut options: Value, name: &str, value: &str) -> Value {
    options[name] = value.into();
    options
}

fn first(files: &Files, name: &str, text: &str, options: Value, chat: bool) -> Vec<(String, String)> {
    let spec = DatasetSpec { apply_chat_template: chat, ..files.spec(name, text, options) };
    said(&all(&spec, characters()).unwrap()[0])
}

#[test]
fn a_system_message_holds_the_prefix() {
    let files = Files::new();
    let got = first(&files, "line_by_line", "abc", options(&files, CORPUS), true);
    assert_eq!(roles(&got), ["system", "user"]);
    assert_eq!((got[0].1.as_str(), got[1].1.as_str()), ("PREFIXT", "abc"));
    assert_eq!(length(&got), TARGET);
}

#[test]
fn a_users_message_begins_with_the_prefix() {
    let files = Files::new();
    let options = with(options(&files, CORPUS), "prefix_role", "user");
    let got = first(&files, "line_by_line", "abc", options, true);
    assert_eq!(got, [("user".to_string(), "PREFIXTabc".to_string())]);
}

#[test]
fn a_plain_prompt_begins_with_the_prefix() {
    let files = Files::new();
    let got = first(&files, "line_by_line", "abc", options(&files, CORPUS), false);
    assert_eq!(got, [(String::new(), "PREFIXTabc".to_string())]);
}

#[test]
fn a_short_corpus_is_repeated() {
    let files = Files::new();
    let got = first(&files, "line_by_line", "abc", options(&files, "PQR"), true);
    assert_eq!(got[0].1, "PQRPQRP");
}

#[test]
fn what_decoding_loses_is_made_up_for() {
    let files = Files::new();
    let got = first(&files, "line_by_line", "abc", options(&files, "PQ~RS"), true);
    assert!(!got[0].1.contains('~'));
    assert_eq!(length(&got), TARGET);
}

#[test]
fn a_prompt_that_fills_the_target_gets_no_prefix() {
    let files = Files::new();
    let got = first(&files, "line_by_line", "abcdefghijkl", options(&files, CORPUS), true);
    assert_eq!(got, [("user".to_string(), "abcdefghij".to_string())]);
}

const CONVERSATION: &str =
    r#"{"conversation": [{"human": "hi", "assistant": "yo"}, {"human": "abc", "assistant": ""}]}"#;

#[test]
fn of_a_conversation_all_that_was_said_counts() {
    let files = Files::new();
    let got = first(&files, "share_gpt_zh", CONVERSATION, options(&files, CORPUS), true);
    assert_eq!(roles(&got), ["system", "user", "assistant", "user"]);
    assert_eq!(got[0].1, "PRE");
    assert_eq!((length(&got), got[3].1.as_str()), (TARGET, "abc"));
    let user = with(options(&files, CORPUS), "prefix_role", "user");
    let got = first(&files, "share_gpt_zh", CONVERSATION, user, true);
    assert_eq!(roles(&got), ["user", "assistant", "user"]);
    assert_eq!((got[0].1.as_str(), length(&got)), ("PREhi", TARGET));
}

#[test]
fn a_conversation_longer_than_the_target_is_left_out() {
    let files = Files::new();
    let long = r#"{"conversation": [{"human": "hi", "assistant": "yo"}, {"human": "abcdefghijkl", "assistant": ""}]}"#;
    let options = options(&files, CORPUS);
    let spec = files.spec("share_gpt_zh", &format!("{long}\n{CONVERSATION}\n"), options.clone());
    assert_eq!(all(&spec, characters()).unwrap().len(), 1);
    let told = told(&files.spec("share_gpt_zh", long, options), characters());
    assert!(told.contains("has nothing usable"), "{told}");
}

#[test]
fn conversations_cannot_be_dropped_for_their_length() {
    let files = Files::new();
    let options = json!({ "target_input_len": 10, "input_len_mode": "drop" });
    let told = told(&files.spec("share_gpt_zh", CONVERSATION, options), characters());
    assert!(told.contains("is not supported for multi-turn"), "{told}");
}

#[test]
fn lines_of_json_have_no_length_to_control() {
    let files = Files::new();
    let array = r#"[{"role": "user", "content": "abc"}]"#;
    let body = r#"{"messages": [{"role": "user", "content": "abc"}], "max_tokens": 8}"#;
    for json in [array, body] {
        let told = told(
            &files.spec("line_by_line", &format!("abc\n{json}\n"), options(&files, CORPUS)),
            characters(),
        );
        assert!(told.contains("only support plain-text lines") && told.starts_with("line 2 "), "{told}");
    }
    let only = json!({ "target_input_len": 10 });
    assert!(told(&files.spec("line_by_line", array, only), characters()).contains("plain-text lines"));
    let got = all(&files.spec("line_by_line", &format!("{array}\n{body}\n"), json!({})), None).unwrap();
    assert_eq!(said(&got[0]), [("user".to_string(), "abc".to_string())]);
    assert_eq!(got[1].turns[0].prompt, Prompt::Body(body.as_bytes().to_vec()));
}

#[test]
fn a_prefix_that_cannot_be_is_refused() {
    let files = Files::new();
    let say = |options: Value| told(&files.spec("line_by_line", "abc", options), characters());
    let missing = json!({ "target_input_len": 10, "prefix_file": "no/such.txt" });
    assert!(say(missing).contains("the specified prefix_file 'no/such.txt' does not exist"));
    assert!(say(options(&files, "")).contains("is empty"));
    let mut alone = options(&files, CORPUS);
    alone.as_object_mut().unwrap().shift_remove("target_input_len");
    assert!(say(alone).contains("`prefix_file` requires `target_input_len` to be set"));
    let drop = with(options(&files, CORPUS), "input_len_mode", "drop");
    assert!(say(drop).contains("does not go with input_len_mode"));
}
