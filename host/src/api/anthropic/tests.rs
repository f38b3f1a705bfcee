use std::sync::Arc;

use super::super::testing::{USUAL, api, body, given, long_chat, text, turn, unsupported};
use super::*;
use crate::contract::{Media, Prompt};

fn shaped(parameters: &str, turn: &TurnInContext) -> String {
    body(api(NAME, parameters).shape(turn))
}

#[test]
fn a_text_is_one_message_and_the_version_is_a_header() {
    let request = api(NAME, USUAL).shape(&text("hi")).unwrap();
    assert_eq!(request.framing, Framing::Sse);
    assert!(request.headers.contains(&("anthropic-version".into(), "2023-06-01".into())));
    insta::assert_snapshot!(shaped(USUAL, &text("hi")), @r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":2048,"stream":true,"temperature":0.0}"#);
    insta::assert_snapshot!(shaped(r#"{"stop":["a"],"top_k":5,"seed":1,"stream":false}"#, &text("hi")), @r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stop_sequences":["a"],"top_k":5,"stream":false,"max_tokens":2048}"#);
}

#[test]
fn the_system_is_lifted_out_of_a_chat() {
    insta::assert_snapshot!(shaped(r#"{"max_tokens":3}"#, &long_chat()), @r#"{"model":"m","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"text","text":"well"},{"type":"tool_use","id":"c1","name":"f","input":{"x":1}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":"3"}]},{"role":"user","content":[{"type":"text","text":"look"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"Zm9v"}},{"type":"image","source":{"type":"url","url":"http://p/q.png"}}]}],"system":"be brief","max_tokens":3,"stream":true}"#);
}

#[test]
fn a_body_is_filled_and_never_overwritten() {
    insta::assert_snapshot!(shaped(USUAL, &given(r#"{"messages":[{"role":"user","content":"x"}],"max_tokens":5,"system":"s"}"#)), @r#"{"messages":[{"role":"user","content":"x"}],"max_tokens":5,"system":"s","model":"m","stream":true,"temperature":0.0}"#);
    let mut later = given(r#"{"messages":[{"role":"user","content":"x"}]}"#);
    later.history = Arc::new(vec![Message::text("system", "s"), Message::text("user", "a")]);
    insta::assert_snapshot!(shaped("{}", &later), @r#"{"messages":[{"role":"user","content":"a"},{"role":"user","content":"x"}],"model":"m","system":"s","stream":true,"max_tokens":2048}"#);
}

#[test]
fn what_the_api_cannot_take_is_refused() {
    unsupported(api(NAME, "{}").as_ref(), &turn(Prompt::Tokens(vec![1])), "drop --tokenize-prompt");
    let sound = Part::Audio(Media { mime: "audio/wav".into(), data: vec![] });
    let message = Message { role: "user".into(), content: vec![sound], fields: vec![] };
    unsupported(api(NAME, "{}").as_ref(), &turn(Prompt::Chat(vec![message])), "takes no sounds");
}
