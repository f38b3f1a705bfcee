use super::super::super::testing::{counts, failure, outputs, parsed, stream, whole};
use super::*;

const API: &str = "tgi";

const A: &str = r#"data:{"index":1,"token":{"id":4013,"text":"Hé","logprob":-0.1,"special":false},"generated_text":null,"details":null}"#;
const END: &str = r#"data:{"index":2,"token":{"id":2,"text":"</s>","logprob":-0.1,"special":true},"generated_text":"Hé","details":{"finish_reason":"eos_token","generated_tokens":2,"seed":null,"input_length":6}}"#;

fn events(events: &[&str]) -> String {
    events.iter().map(|event| format!("{event}\n\n")).collect()
}

#[test]
fn a_recorded_stream() {
    let got = stream(API, &events(&[A, END]));
    assert_eq!(outputs(&got), [(0, OutputKind::Content, 3)]);
    assert_eq!((got.text.as_str(), got.outputs[0].tokens), ("Hé", Some(1)));
    assert_eq!(counts(&got), [Some(6), Some(2), None, None]);
    assert_eq!((got.finish_reason.as_deref(), &got.failure), (Some("eos_token"), &None));
}

#[test]
fn errors_and_missing_ends_are_failures() {
    let error = r#"data:{"error":"Request failed during generation","error_type":"generation"}"#;
    let told = Some((FailureKind::StreamError, "Request failed during generation"));
    assert_eq!(failure(&stream(API, &events(&[A, error]))), told);
    let told = "the stream ended without the text as a whole";
    assert_eq!(failure(&stream(API, &events(&[A]))), Some((FailureKind::Truncated, told)));
    assert_eq!(parsed(API, (events(&[A]) + "data:{").as_bytes(), Framing::Sse, false).failure, None);
    let told = Some((FailureKind::InvalidReply, "frame 1 is not valid JSON"));
    assert_eq!(failure(&stream(API, &events(&[A, "data:{"]))), told);
}

#[test]
fn a_whole_reply_and_a_prompt_that_is_counted() {
    let got = whole(
        API,
        r#"{"generated_text":"hi","details":{"finish_reason":"length","generated_tokens":1,"prefill":[{"id":1,"text":"a"},{"id":2,"text":"b"}],"tokens":[]}}"#,
    );
    assert_eq!((got.text.as_str(), counts(&got), got.failure), ("hi", [Some(2), Some(1), None, None], None));
    assert_eq!(failure(&whole(API, "{}")).map(|it| it.0), Some(FailureKind::EmptyReply));
}
