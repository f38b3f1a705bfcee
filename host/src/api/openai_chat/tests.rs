use std::sync::Arc;

use super::super::{ApiSpec, MaxTokensRange, names, open};
use super::*;
use crate::contract::{Part, RunConfig, Turn};
use crate::tokenizer::Tokenizer;

const CHAT: &str = "http://h/v1/chat/completions";
const PLAIN: &str = "http://h/v1/completions";

fn config(url: &str, parameters: &str) -> RunConfig {
    RunConfig {
        model: "m".into(),
        url: url.into(),
        parameters: serde_json::from_str(parameters).unwrap(),
        ..RunConfig::default()
    }
}

fn usual(url: &str) -> RunConfig {
    config(url, r#"{"max_tokens":2048,"stream":true,"temperature":0.0,"ignore_eos":true}"#)
}

fn turn(prompt: Prompt) -> TurnInContext {
    TurnInContext {
        request_id: "r-1".into(),
        conversation_id: "c-1".into(),
        turn_index: 0,
        history: Arc::new(Vec::new()),
        turn: prompt.into(),
    }
}

fn text() -> TurnInContext {
    turn(Prompt::Text("hi".into()))
}

fn api(config: &RunConfig) -> OpenAi {
    OpenAi::new(config, &ApiSpec::default(), None).unwrap()
}

fn body_of(api: &OpenAi, turn: &TurnInContext) -> String {
    String::from_utf8(shape(api, turn).unwrap().body.to_vec()).unwrap()
}

fn body(config: &RunConfig, turn: &TurnInContext) -> String {
    body_of(&api(config), turn)
}

fn given(body: &str) -> TurnInContext {
    turn(Prompt::Body(body.as_bytes().to_vec()))
}

#[test]
fn a_text_is_one_user_message_or_a_prompt() {
    let request = shape(&api(&usual(CHAT)), &text()).unwrap();
    assert_eq!(
        (request.method.as_str(), request.url.as_str(), request.framing),
        ("POST", CHAT, Framing::Sse)
    );
    assert_eq!(request.headers, [("Content-Type".to_string(), "application/json".to_string())]);
    insta::assert_snapshot!(body(&usual(CHAT), &text()), @r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":2048,"stream":true,"temperature":0.0,"ignore_eos":true,"stream_options":{"include_usage":true}}"#);
    insta::assert_snapshot!(body(&usual(PLAIN), &text()), @r#"{"model":"m","prompt":"hi","max_tokens":2048,"stream":true,"temperature":0.0,"ignore_eos":true,"stream_options":{"include_usage":true}}"#);
}

#[test]
fn without_streaming_the_reply_is_one_frame() {
    let config = config(CHAT, r#"{"stream":false,"stream_options":{"include_usage":true}}"#);
    assert_eq!(shape(&api(&config), &text()).unwrap().framing, Framing::Whole);
    insta::assert_snapshot!(body(&config, &text()), @r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":false}"#);
    let streamed = RunConfig { stream: true, ..self::config(CHAT, "{}") };
    insta::assert_snapshot!(body(&streamed, &text()), @r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true}}"#);
}

#[test]
fn what_was_said_before_comes_before() {
    let mut turn = turn(Prompt::Chat(vec![Message::text("user", "and then?")]));
    turn.history = Arc::new(vec![Message::text("user", "a"), Message::text("assistant", "b")]);
    insta::assert_snapshot!(body(&config(CHAT, "{}"), &turn), @r#"{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"and then?"}]}"#);
    insta::assert_snapshot!(body(&config(PLAIN, "{}"), &turn), @r#"{"model":"m","prompt":"a\nb\nand then?"}"#);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/tokenizer");
    let tokenizer = Arc::new(Tokenizer::open(path).unwrap());
    let templated = OpenAi::new(&config(PLAIN, "{}"), &ApiSpec::default(), Some(tokenizer)).unwrap();
    insta::assert_snapshot!(body_of(&templated, &turn), @r#"{"model":"m","prompt":"<|im_start|>system\nAnswer briefly.<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n<|im_start|>user\nand then?<|im_end|>\n<|im_start|>assistant\n"}"#);
    turn.turn = Turn::from(Prompt::Tokens(vec![1]));
    assert!(matches!(shape(&templated, &turn), Err(PartError::Unsupported(_))));
}

#[test]
fn token_ids_go_to_a_completions_endpoint_only() {
    let ids = turn(Prompt::Tokens(vec![1, 2, 3]));
    insta::assert_snapshot!(body(&config(PLAIN, "{}"), &ids), @r#"{"model":"m","prompt":[1,2,3]}"#);
    let error = shape(&api(&config(CHAT, "{}")), &ids).unwrap_err();
    assert!(matches!(&error, PartError::Unsupported(text) if text.contains("--tokenize-prompt")), "{error}");
}

#[test]
fn a_body_is_filled_and_never_overwritten() {
    let config = usual(CHAT);
    insta::assert_snapshot!(body(&config, &given(r#"{"messages":[{"role":"user","content":"x"}],"temperature":0.6,"max_tokens":128,"model":"own"}"#)), @r#"{"messages":[{"role":"user","content":"x"}],"temperature":0.6,"max_tokens":128,"model":"own","stream":true,"ignore_eos":true,"stream_options":{"include_usage":true}}"#);
    insta::assert_snapshot!(body(&config, &given(r#"{"messages":[],"stream":false,"max_completion_tokens":5}"#)), @r#"{"messages":[],"stream":false,"max_completion_tokens":5,"model":"m","temperature":0.0,"ignore_eos":true}"#);
    insta::assert_snapshot!(body(&config, &given(r#"{"messages":[],"stream_options":{"include_usage":false}}"#)), @r#"{"messages":[],"stream_options":{"include_usage":false},"model":"m","max_tokens":2048,"stream":true,"temperature":0.0,"ignore_eos":true}"#);
    let unstreamed = self::config(CHAT, r#"{"stream":false}"#);
    assert!(body(&unstreamed, &given(r#"{"messages":[],"stream":true}"#)).contains("include_usage"));
    let mut later = given(r#"{"messages":[{"role":"user","content":"x"}]}"#);
    later.history = Arc::new(vec![Message::text("assistant", "b")]);
    insta::assert_snapshot!(body(&self::config(CHAT, "{}"), &later), @r#"{"messages":[{"role":"assistant","content":"b"},{"role":"user","content":"x"}],"model":"m"}"#);
    later.turn = Turn::from(Prompt::Body(b"{\"prompt\":\"x\"}".to_vec()));
    assert!(matches!(shape(&api(&config), &later), Err(PartError::Unsupported(_))));
    assert!(matches!(shape(&api(&config), &given("[]")), Err(PartError::InvalidData(_))));
}

#[test]
fn the_turns_own_limit_wins_over_the_command_line() {
    let mut turn = text();
    turn.turn.max_tokens = Some(7);
    insta::assert_snapshot!(body(&config(CHAT, r#"{"max_tokens":9,"n":1}"#), &turn), @r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":7,"n":1}"#);
}

#[test]
fn a_range_of_limits_is_drawn_from_for_each_request() {
    let spec = ApiSpec { max_tokens: Some(MaxTokensRange { min: 10, max: 12 }), ..ApiSpec::default() };
    let limits = |parameters: &str, seed: u64| -> Vec<u64> {
        let config = RunConfig { seed, ..config(CHAT, parameters) };
        let api = OpenAi::new(&config, &spec, None).unwrap();
        let limit = |i: usize| {
            let turn = TurnInContext { request_id: format!("r-{i}"), ..text() };
            let body: Value = serde_json::from_str(&body_of(&api, &turn)).unwrap();
            body["max_tokens"].as_u64().unwrap()
        };
        (0..50).map(limit).collect()
    };
    let drawn = limits("{}", 1);
    assert_eq!(drawn, limits("{}", 1));
    assert_ne!(drawn, limits("{}", 2));
    assert!((10..=12).all(|limit| drawn.contains(&limit)) && drawn.iter().all(|l| (10..=12).contains(l)));
    assert_eq!(limits(r#"{"max_tokens":3}"#, 1), vec![3; 50]);
    let spec = ApiSpec { max_tokens: Some(MaxTokensRange { min: 2, max: 1 }), ..ApiSpec::default() };
    let told = OpenAi::new(&usual(CHAT), &spec, None).map(|_| ()).unwrap_err().to_string();
    assert!(told.starts_with("--max-tokens range min must be <= max, got [2, 1]"), "{told}");
}

#[test]
fn a_query_template_is_the_ground_that_the_rest_stands_on() {
    let spec = |template: &str| ApiSpec { query_template: Some(template.into()), ..ApiSpec::default() };
    let template = r#"{"prompt":"%p","temperature":0.9,"model":"%m","user":"u","messages":[]}"#;
    let api = OpenAi::new(&usual(CHAT), &spec(template), None).unwrap();
    insta::assert_snapshot!(body_of(&api, &text()), @r#"{"temperature":0.0,"model":"m","user":"u","messages":[{"role":"user","content":"hi"}],"max_tokens":2048,"stream":true,"ignore_eos":true,"stream_options":{"include_usage":true}}"#);
    let say = |template: &str| {
        OpenAi::new(&usual(CHAT), &spec(template), None).map(|_| ()).unwrap_err().to_string()
    };
    assert!(say("{").starts_with("--query-template is not a JSON object ("));
    assert!(say("[]").starts_with("--query-template is not a JSON object ("));
    assert!(say("@no/such").starts_with("the file \"no/such\" of --query-template cannot be read"));
}

#[test]
fn a_part_that_cannot_be_sent_is_an_error_of_the_data() {
    let bad = Message { role: "user".into(), content: vec![Part::Json("{".into())], fields: vec![] };
    let error = shape(&api(&usual(CHAT)), &turn(Prompt::Chat(vec![bad]))).unwrap_err();
    assert!(matches!(error, PartError::InvalidData(_)));
}

#[test]
fn the_table_is_sorted_and_names_what_there_is() {
    assert!(names().is_sorted());
    let least = ["openai", "responses", "x.wasm"].map(super::super::least_tokens);
    assert_eq!(least, [1, 16, 1]);
    let say = |name: &str, config: &RunConfig| {
        open(name, config, &ApiSpec::default(), None).map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(
        say("x", &usual(CHAT)),
        "the api \"x\" is not known; choose one of: anthropic, dashscope, ollama, openai, openai_embedding, openai_rerank, openai_responses, tgi, or a .wasm file"
    );
    assert!(say("local_vllm", &usual(CHAT)).contains("tickrate starts none"));
    let options = serde_json::Map::from_iter([("a".to_string(), Value::Null)]);
    assert!(say("openai", &RunConfig { options, ..usual(CHAT) }).contains("--api-args gives \"a\""));
    assert!(open("openai", &usual(CHAT), &ApiSpec::default(), None).is_ok());
}

#[test]
fn shaping_is_fast() {
    let api = api(&usual(CHAT));
    let long = turn(Prompt::Text("word ".repeat(1024)));
    let rounds = 2000;
    let start = std::time::Instant::now();
    for _ in 0..rounds {
        std::hint::black_box(shape(&api, &long).unwrap());
    }
    println!(
        "a prompt of 5 KiB is shaped in {:.1} µs",
        start.elapsed().as_secs_f64() * 1e6 / f64::from(rounds)
    );
}
