//! What the tests of the APIs share: turns to shape, replies to parse, and outcomes to look at.

use std::sync::Arc;

use proptest::prelude::*;

use super::{ApiSpec, open};
use crate::contract::{
    Api, Failure, FailureKind, Framing, HttpRequest, Mark, Message, Outcome, OutputKind, PartError, Prompt,
    Reply, RunConfig, TurnInContext, framing,
};
use crate::units::Nanos;

/// A run with the model `m`; streaming is on unless the parameters say otherwise.
pub(super) fn config(parameters: &str) -> RunConfig {
    let parameters: serde_json::Map<_, _> = serde_json::from_str(parameters).unwrap();
    let stream = parameters.get("stream") != Some(&serde_json::Value::Bool(false));
    RunConfig { model: "m".into(), url: "http://h/x".into(), stream, parameters, ..RunConfig::default() }
}

/// The parameters of a run that gives no flags.
pub(super) const USUAL: &str = r#"{"max_tokens":2048,"stream":true,"temperature":0.0}"#;

pub(super) fn api(name: &str, parameters: &str) -> Arc<dyn Api> {
    open(name, &config(parameters), &ApiSpec::default(), None).unwrap()
}

pub(super) fn turn(prompt: Prompt) -> TurnInContext {
    TurnInContext {
        request_id: "r-1".into(),
        conversation_id: "c-1".into(),
        turn_index: 0,
        history: Arc::new(Vec::new()),
        turn: prompt.into(),
    }
}

pub(super) fn text(said: &str) -> TurnInContext {
    turn(Prompt::Text(said.into()))
}

pub(super) fn given(body: &str) -> TurnInContext {
    turn(Prompt::Body(body.as_bytes().to_vec()))
}

/// A chat with a system message, a picture, a call to a tool and its result, after a question and
/// its answer.
pub(super) fn long_chat() -> TurnInContext {
    let call = r#"[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]"#;
    let picture = crate::contract::Media { mime: "image/png".into(), data: b"foo".to_vec() };
    let messages = vec![
        Message { fields: vec![("tool_calls".into(), call.into())], ..Message::text("assistant", "well") },
        Message { fields: vec![("tool_call_id".into(), "\"c1\"".into())], ..Message::text("tool", "3") },
        Message {
            role: "user".into(),
            content: vec![
                crate::contract::Part::Text("look".into()),
                crate::contract::Part::Image(picture),
                crate::contract::Part::Json(
                    r#"{"type":"image_url","image_url":{"url":"http://p/q.png"}}"#.into(),
                ),
            ],
            fields: vec![],
        },
    ];
    let before = vec![Message::text("system", "be brief"), Message::text("user", "hi")];
    TurnInContext { history: Arc::new(before), ..turn(Prompt::Chat(messages)) }
}

pub(super) fn body(request: Result<HttpRequest, PartError>) -> String {
    String::from_utf8(request.unwrap().body.to_vec()).unwrap()
}

/// What the API makes of a body that came at once.
pub(super) fn parsed(name: &str, body: &[u8], framing: Framing, complete: bool) -> Outcome {
    let mark = Mark { at: Nanos(1), end: body.len() };
    let framed = framing::frames(body.to_vec(), &[mark], framing);
    let reply = Reply {
        status: 200,
        content_type: None,
        framing,
        complete,
        sent: Nanos::ZERO,
        payload: &framed.payload,
        frames: &framed.frames,
    };
    api(name, "{}").parse(&reply).unwrap()
}

pub(super) fn stream(name: &str, body: &str) -> Outcome {
    parsed(name, body.as_bytes(), Framing::Sse, true)
}

pub(super) fn whole(name: &str, body: &str) -> Outcome {
    parsed(name, body.as_bytes(), Framing::Whole, true)
}

/// The events of a stream that are named by their type, as several APIs have them.
pub(super) fn typed_events(events: &[&str]) -> String {
    let event = |data: &&str| {
        let json: serde_json::Value = serde_json::from_str(data).unwrap();
        format!("event: {}\ndata: {data}\n\n", json["type"].as_str().unwrap())
    };
    events.iter().map(event).collect()
}

/// The frame, the kind and the length of each output.
pub(super) fn outputs(outcome: &Outcome) -> Vec<(u32, OutputKind, u32)> {
    outcome.outputs.iter().map(|o| (o.frame, o.kind, o.text_bytes)).collect()
}

/// Input, output, reasoning and cached tokens.
pub(super) fn counts(outcome: &Outcome) -> [Option<u64>; 4] {
    let usage = outcome.usage;
    [usage.input_tokens, usage.output_tokens, usage.reasoning_tokens, usage.cached_tokens]
}

pub(super) fn failure(outcome: &Outcome) -> Option<(FailureKind, &str)> {
    outcome.failure.as_ref().map(|Failure { kind, message }| (*kind, message.as_str()))
}

pub(super) fn unsupported(api: &dyn Api, turn: &TurnInContext, told: &str) {
    match api.shape(turn) {
        Err(PartError::Unsupported(said)) => assert!(said.contains(told), "{said}"),
        other => panic!("{other:?}"),
    }
}

/// Bytes that an API does not expect, among some that it does.
fn anything() -> impl Strategy<Value = Vec<u8>> {
    let scraps = [
        r#"{"type":"response.output_text.delta","delta":"é"}"#,
        r#"{"type":"response.completed","response":{"output":[{"type":"message","content":7}],"usage":[]}}"#,
        r#"{"type":"response.failed","response":null}"#,
        r#"{"type":"content_block_delta","delta":{"text":"é","partial_json":"x"}}"#,
        r#"{"type":"message_start","message":{"usage":{"input_tokens":18446744073709551615,"cache_read_input_tokens":1}}}"#,
        r#"{"type":"content_block_start","content_block":{"type":"tool_use","name":1}}"#,
        r#"{"output":{"choices":[{"message":{"content":"a"}}]},"usage":{"output_tokens":18446744073709551615}}"#,
        r#"{"output":{"text":"b","choices":{}},"usage":{"output_tokens":1}}"#,
        r#"{"message":{"content":"a","tool_calls":[{"function":{"name":"f"}}]}}"#,
        r#"{"token":{"text":"a"}}"#,
        r#"{"data":[{"embedding":null},7],"usage":{"prompt_tokens":-1}}"#,
        r#"{"data":[],"results":[[]],"error":{}}"#,
        "[DONE]",
        "[1]",
        "[[[[{",
        "\"\\ud800\"",
        "null",
    ];
    prop_oneof![
        proptest::sample::select(scraps.to_vec()).prop_map(|scrap| scrap.as_bytes().to_vec()),
        proptest::collection::vec(any::<u8>(), 0..40)
    ]
}

proptest! {
    /// No bytes make any API panic, and the outputs always add up to the text.
    #[test]
    fn any_bytes_are_parsed_by_every_api(
        pieces in proptest::collection::vec((anything(), any::<bool>()), 0..8),
        complete: bool,
        framing in prop_oneof![Just(Framing::Sse), Just(Framing::Whole), Just(Framing::Ndjson)],
    ) {
        let mut body = Vec::new();
        for (piece, named) in pieces {
            body.extend_from_slice(match (framing, named) {
                (Framing::Sse, true) => b"event: error\ndata: ",
                (Framing::Sse, false) => b"data: ",
                _ => b"",
            });
            body.extend_from_slice(&piece);
            body.extend_from_slice(b"\n\n");
        }
        for name in super::names() {
            let got = parsed(name, &body, framing, complete);
            prop_assert!(got.outputs.is_sorted_by_key(|output| output.frame), "{}", name);
            let sum: usize = got.outputs.iter().map(|output| output.text_bytes as usize).sum();
            prop_assert_eq!(sum, got.text.len(), "{}", name);
            prop_assert!(got.text_of(OutputKind::Content).is_some(), "{}", name);
            if let Some(failure) = got.failure {
                prop_assert!(!failure.message.is_empty(), "{}", name);
            }
        }
    }
}
