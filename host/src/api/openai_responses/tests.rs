use std::sync::Arc;

use super::super::testing::{USUAL, api, body, config, given, long_chat, text, turn, unsupported};
use super::super::{ApiSpec, open};
use super::*;

fn shaped(parameters: &str, turn: &TurnInContext) -> String {
    body(api("responses", parameters).shape(turn))
}

#[test]
fn a_text_is_an_input_and_the_limit_has_a_name_of_its_own() {
    let request = api("openai_responses", USUAL).shape(&text("hi")).unwrap();
    assert_eq!((request.url.as_str(), request.framing), ("http://h/x", Framing::Sse));
    insta::assert_snapshot!(shaped(USUAL, &text("hi")), @r#"{"model":"m","input":"hi","max_output_tokens":2048,"stream":true,"temperature":0.0}"#);
    let whole = r#"{"max_tokens":9,"stream":false,"top_p":0.5,"reasoning":{"effort":"low"}}"#;
    assert_eq!(api("openai_responses", whole).shape(&text("hi")).unwrap().framing, Framing::Whole);
    insta::assert_snapshot!(shaped(whole, &text("hi")), @r#"{"model":"m","input":"hi","max_output_tokens":9,"stream":false,"top_p":0.5,"reasoning":{"effort":"low"}}"#);
    let mut limited = text("hi");
    limited.turn.max_tokens = Some(7);
    insta::assert_snapshot!(shaped(r#"{"max_tokens":9}"#, &limited), @r#"{"model":"m","input":"hi","max_output_tokens":7,"stream":true}"#);
}

#[test]
fn a_chat_becomes_items() {
    insta::assert_snapshot!(shaped("{}", &long_chat()), @r#"{"model":"m","input":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"},{"role":"assistant","content":"well"},{"type":"function_call","call_id":"c1","name":"f","arguments":"{\"x\":1}"},{"type":"function_call_output","call_id":"c1","output":"3"},{"role":"user","content":[{"type":"input_text","text":"look"},{"type":"input_image","image_url":"data:image/png;base64,Zm9v","detail":"auto"},{"type":"input_image","image_url":"http://p/q.png","detail":"auto"}]}],"stream":true}"#);
    let ids = turn(Prompt::Tokens(vec![1]));
    unsupported(api("responses", "{}").as_ref(), &ids, "drop --tokenize-prompt");
}

#[test]
fn a_body_is_filled_and_one_of_the_chat_api_is_turned_into_one_of_this() {
    insta::assert_snapshot!(shaped(USUAL, &given(r#"{"input":"x","temperature":0.6,"stream":false}"#)), @r#"{"input":"x","temperature":0.6,"stream":false,"model":"m","max_output_tokens":2048}"#);
    insta::assert_snapshot!(shaped(USUAL, &given(r#"{"messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"u"}}]}],"max_tokens":5}"#)), @r#"{"input":[{"role":"user","content":[{"type":"input_text","text":"x"},{"type":"input_image","image_url":"u","detail":"auto"}]}],"max_output_tokens":5,"model":"m","stream":true,"temperature":0.0}"#);
    let mut later = given(r#"{"input":"x"}"#);
    later.history = Arc::new(vec![Message::text("user", "a")]);
    unsupported(api("responses", "{}").as_ref(), &later, "cannot continue a conversation");
    assert!(matches!(api("responses", "{}").shape(&given("[]")), Err(PartError::InvalidData(_))));
}

#[test]
fn a_seed_is_sent_only_as_an_extra_field() {
    assert!(!shaped(r#"{"seed":3}"#, &text("hi")).contains("seed"));
    let spec = ApiSpec { extra_fields: vec!["seed".into()], ..ApiSpec::default() };
    let extra = open("responses", &config(r#"{"seed":3}"#), &spec, None).unwrap();
    assert!(body(extra.shape(&text("hi"))).contains("\"seed\":3"));
}
