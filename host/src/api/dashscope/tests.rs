use std::sync::Arc;

use super::super::testing::{USUAL, api, body, given, long_chat, text, turn, unsupported};
use super::*;
use crate::contract::Prompt;

fn shaped(parameters: &str, turn: &TurnInContext) -> String {
    body(api(NAME, parameters).shape(turn))
}

#[test]
fn messages_are_input_and_the_rest_parameters() {
    let request = api(NAME, USUAL).shape(&text("hi")).unwrap();
    assert_eq!(request.framing, Framing::Sse);
    assert!(request.headers.contains(&("X-DashScope-SSE".into(), "enable".into())));
    insta::assert_snapshot!(shaped(USUAL, &text("hi")), @r#"{"model":"m","input":{"messages":[{"role":"user","content":"hi"}]},"parameters":{"result_format":"message","max_tokens":2048,"temperature":0.0,"incremental_output":true}}"#);
    let request = api(NAME, r#"{"stream":false}"#).shape(&text("hi")).unwrap();
    assert_eq!((request.framing, request.headers.len()), (Framing::Whole, 1));
    insta::assert_snapshot!(shaped(r#"{"stream":false,"max_tokens":4,"enable_thinking":true}"#, &text("hi")), @r#"{"model":"m","input":{"messages":[{"role":"user","content":"hi"}]},"parameters":{"result_format":"message","max_tokens":4,"enable_thinking":true}}"#);
}

#[test]
fn parts_are_named_by_their_kind() {
    insta::assert_snapshot!(shaped(r#"{"stream":false}"#, &long_chat()), @r#"{"model":"m","input":{"messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"},{"role":"assistant","content":"well","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},{"role":"tool","content":"3","tool_call_id":"c1"},{"role":"user","content":[{"text":"look"},{"image":"data:image/png;base64,Zm9v"},{"image":"http://p/q.png"}]}]},"parameters":{"result_format":"message"}}"#);
}

#[test]
fn a_body_is_filled_and_never_overwritten() {
    insta::assert_snapshot!(shaped(USUAL, &given(r#"{"input":{"prompt":"x"},"parameters":{"max_tokens":5},"stream":false}"#)), @r#"{"input":{"prompt":"x"},"parameters":{"max_tokens":5,"result_format":"message","temperature":0.0},"model":"m"}"#);
    let mut later = given(r#"{"input":{"messages":[]}}"#);
    later.history = Arc::new(vec![Message::text("user", "a")]);
    unsupported(api(NAME, "{}").as_ref(), &later, "cannot continue a conversation");
    unsupported(api(NAME, "{}").as_ref(), &turn(Prompt::Tokens(vec![1])), "drop --tokenize-prompt");
}
