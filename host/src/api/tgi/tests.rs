use super::super::testing::{USUAL, api, body, config, given, long_chat, text, turn, unsupported};
use super::super::{ApiSpec, open};
use super::*;
use crate::contract::Message;

fn shaped(parameters: &str, turn: &TurnInContext) -> String {
    body(api(NAME, parameters).shape(turn))
}

#[test]
fn a_prompt_is_an_input_and_the_rest_parameters() {
    assert_eq!(api(NAME, USUAL).shape(&text("hi")).unwrap().framing, Framing::Sse);
    assert_eq!(api(NAME, r#"{"stream":false}"#).shape(&text("hi")).unwrap().framing, Framing::Whole);
    insta::assert_snapshot!(shaped(USUAL, &text("hi")), @r#"{"inputs":"hi","parameters":{"max_new_tokens":2048,"do_sample":false,"details":true}}"#);
    let mut limited = text("hi");
    limited.turn.max_tokens = Some(7);
    insta::assert_snapshot!(shaped(r#"{"max_tokens":9,"min_tokens":1,"temperature":0.5}"#, &limited), @r#"{"inputs":"hi","parameters":{"max_new_tokens":7,"temperature":0.5,"details":true}}"#);
    let chat = vec![Message::text("system", "a"), Message::text("user", "b")];
    insta::assert_snapshot!(shaped("{}", &turn(Prompt::Chat(chat))), @r#"{"inputs":"a\nb","parameters":{"details":true}}"#);
    insta::assert_snapshot!(shaped(USUAL, &given(r#"{"inputs":"x","parameters":{"max_new_tokens":5}}"#)), @r#"{"inputs":"x","parameters":{"max_new_tokens":5,"do_sample":false,"details":true}}"#);
}

#[test]
fn what_the_api_cannot_take_is_refused() {
    unsupported(api(NAME, "{}").as_ref(), &turn(Prompt::Tokens(vec![1])), "drop --tokenize-prompt");
    unsupported(api(NAME, "{}").as_ref(), &long_chat(), "takes text only");
    let say = |options: &str| {
        let options = serde_json::from_str(options).unwrap();
        let opened = open(NAME, &RunConfig { options, ..config("{}") }, &ApiSpec::default(), None);
        opened.map(|api| body(api.shape(&text("hi")))).unwrap_or_else(|error| error.to_string())
    };
    insta::assert_snapshot!(say(r#"{"decoder_input_details":true}"#), @r#"{"inputs":"hi","parameters":{"details":true,"decoder_input_details":true}}"#);
    assert!(say(r#"{"decoder_input_details":1}"#).contains("must be true or false, but is 1"));
}
