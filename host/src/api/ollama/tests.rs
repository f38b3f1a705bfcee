use std::sync::Arc;

use super::super::testing::{USUAL, api, body, config, given, text, turn, unsupported};
use super::super::{ApiSpec, open};
use super::*;
use crate::contract::{Media, Prompt};

fn shaped(parameters: &str, turn: &TurnInContext) -> String {
    body(api(NAME, parameters).shape(turn))
}

fn with_options(options: &str, parameters: &str) -> Result<Arc<dyn Api>, PartError> {
    let options = serde_json::from_str(options).unwrap();
    open(NAME, &RunConfig { options, ..config(parameters) }, &ApiSpec::default(), None)
}

#[test]
fn sampling_parameters_are_options_under_their_own_names() {
    assert_eq!(api(NAME, USUAL).shape(&text("hi")).unwrap().framing, Framing::Ndjson);
    insta::assert_snapshot!(shaped(USUAL, &text("hi")), @r#"{"messages":[{"role":"user","content":"hi"}],"model":"m","stream":true,"options":{"num_predict":2048,"temperature":0.0}}"#);
    let more = r#"{"stream":false,"repetition_penalty":1.1,"options":{"num_ctx":9},"format":"json"}"#;
    assert_eq!(api(NAME, more).shape(&text("hi")).unwrap().framing, Framing::Whole);
    insta::assert_snapshot!(shaped(more, &text("hi")), @r#"{"messages":[{"role":"user","content":"hi"}],"model":"m","stream":false,"format":"json","options":{"repeat_penalty":1.1,"num_ctx":9}}"#);
    let mut limited = text("hi");
    limited.turn.max_tokens = Some(7);
    insta::assert_snapshot!(shaped(r#"{"max_tokens":9,"top_k":1}"#, &limited), @r#"{"messages":[{"role":"user","content":"hi"}],"model":"m","stream":true,"options":{"num_predict":7,"top_k":1}}"#);
}

#[test]
fn pictures_stand_beside_the_text() {
    let picture = Part::Image(Media { mime: "image/png".into(), data: b"foo".to_vec() });
    let content = vec![Part::Text("a".into()), picture, Part::Text("b".into())];
    let message = Message { content, ..Message::text("user", "") };
    let asked = TurnInContext {
        history: Arc::new(vec![Message::text("system", "s")]),
        ..turn(Prompt::Chat(vec![message]))
    };
    insta::assert_snapshot!(shaped("{}", &asked), @r#"{"messages":[{"role":"system","content":"s"},{"role":"user","content":"a\nb","images":["Zm9v"]}],"model":"m","stream":true}"#);
    let sound = Part::Audio(Media { mime: "audio/wav".into(), data: vec![] });
    let message = Message { content: vec![sound], ..Message::text("user", "") };
    unsupported(api(NAME, "{}").as_ref(), &turn(Prompt::Chat(vec![message])), "text and pictures only");
    unsupported(api(NAME, "{}").as_ref(), &turn(Prompt::Tokens(vec![1])), "drop --tokenize-prompt");
}

#[test]
fn a_body_is_filled_and_never_overwritten() {
    insta::assert_snapshot!(shaped(USUAL, &given(r#"{"messages":[],"stream":false,"options":{"temperature":1}}"#)), @r#"{"messages":[],"stream":false,"options":{"temperature":1,"num_predict":2048},"model":"m"}"#);
}

#[test]
fn its_own_options_are_checked_and_win() {
    let api = with_options(r#"{"think":false,"keep_alive":"5m"}"#, r#"{"think":true}"#).unwrap();
    insta::assert_snapshot!(body(api.shape(&text("hi"))), @r#"{"messages":[{"role":"user","content":"hi"}],"model":"m","stream":true,"think":false,"keep_alive":"5m"}"#);
    let say = |options: &str| with_options(options, "{}").map(|_| ()).unwrap_err().to_string();
    assert!(say(r#"{"think":"yes"}"#).contains("\"think\" of the api \"ollama\" must be true or false"));
    assert!(say(r#"{"x":1}"#).contains("has the options think, keep_alive, and --api-args gives \"x\""));
}
