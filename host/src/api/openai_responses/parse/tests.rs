use super::super::super::testing::{
    counts, failure, outputs, parsed, stream, typed_events, whole as whole_reply,
};
use super::*;
use crate::contract::Framing;

const API: &str = "openai_responses";

/// The beginning of a stream as OpenAI sends it.
const BEGIN: [&str; 2] = [
    r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","created_at":1760000000,"status":"in_progress","error":null,"incomplete_details":null,"output":[],"usage":null}}"#,
    r#"{"type":"response.in_progress","sequence_number":1,"response":{"id":"resp_1","object":"response","status":"in_progress","output":[],"usage":null}}"#,
];
const ITEM: &str = r#"{"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"id":"msg_1","type":"message","status":"in_progress","content":[],"role":"assistant"}}"#;
const PART: &str = r#"{"type":"response.content_part.added","sequence_number":3,"item_id":"msg_1","output_index":0,"content_index":0,"part":{"type":"output_text","annotations":[],"logprobs":[],"text":""}}"#;
const A: &str = r#"{"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"Hé","logprobs":[],"obfuscation":"x8"}"#;
const B: &str = r#"{"type":"response.output_text.delta","sequence_number":5,"item_id":"msg_1","output_index":0,"content_index":0,"delta":" \"you\"","logprobs":[]}"#;
const TEXT_DONE: &str = r#"{"type":"response.output_text.done","sequence_number":6,"item_id":"msg_1","output_index":0,"content_index":0,"text":"Hé \"you\"","logprobs":[]}"#;
const ITEM_DONE: &str = r#"{"type":"response.output_item.done","sequence_number":7,"output_index":0,"item":{"id":"msg_1","type":"message","status":"completed","content":[{"type":"output_text","annotations":[],"text":"Hé \"you\""}],"role":"assistant"}}"#;
const COMPLETED: &str = r#"{"type":"response.completed","sequence_number":8,"response":{"id":"resp_1","object":"response","status":"completed","error":null,"incomplete_details":null,"output":[{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","annotations":[],"text":"Hé \"you\""}]}],"usage":{"input_tokens":36,"input_tokens_details":{"cached_tokens":16},"output_tokens":87,"output_tokens_details":{"reasoning_tokens":64},"total_tokens":123}}}"#;

fn after(begin: &[&str], rest: &[&str]) -> Outcome {
    stream(API, &typed_events(&[begin, rest].concat()))
}

#[test]
fn a_recorded_stream() {
    let got = after(&BEGIN, &[ITEM, PART, A, B, TEXT_DONE, ITEM_DONE, COMPLETED]);
    assert_eq!(outputs(&got), [(4, OutputKind::Content, 3), (5, OutputKind::Content, 6)]);
    assert_eq!((got.text.as_str(), got.finish_reason.as_deref()), ("Hé \"you\"", Some("completed")));
    assert_eq!(counts(&got), [Some(36), Some(87), Some(64), Some(16)]);
    assert_eq!(got.failure, None);
}

#[test]
fn reasoning_refusals_and_calls_are_output() {
    let got = after(
        &BEGIN,
        &[
            r#"{"type":"response.output_item.added","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[]}}"#,
            r#"{"type":"response.reasoning_summary_text.delta","item_id":"rs_1","output_index":0,"summary_index":0,"delta":"S"}"#,
            r#"{"type":"response.reasoning_text.delta","item_id":"rs_1","output_index":0,"content_index":0,"delta":"RR"}"#,
            r#"{"type":"response.output_item.added","output_index":1,"item":{"id":"fc_1","type":"function_call","status":"in_progress","arguments":"","call_id":"call_1","name":"look_up"}}"#,
            r#"{"type":"response.function_call_arguments.delta","item_id":"fc_1","output_index":1,"delta":"{\"q\":"}"#,
            r#"{"type":"response.function_call_arguments.delta","item_id":"fc_1","output_index":1,"delta":"1}"}"#,
            r#"{"type":"response.function_call_arguments.done","item_id":"fc_1","output_index":1,"arguments":"{\"q\":1}"}"#,
            r#"{"type":"response.refusal.delta","item_id":"msg_1","output_index":2,"content_index":0,"delta":"no"}"#,
            r#"{"type":"response.output_text.delta","delta":""}"#,
            COMPLETED,
        ],
    );
    assert_eq!(
        outputs(&got),
        [
            (3, OutputKind::Reasoning, 1),
            (4, OutputKind::Reasoning, 2),
            (5, OutputKind::ToolCall, 7),
            (6, OutputKind::ToolCall, 5),
            (7, OutputKind::ToolCall, 2),
            (9, OutputKind::Content, 2),
        ]
    );
    assert_eq!(got.text_of(OutputKind::ToolCall).as_deref(), Some("look_up{\"q\":1}"));
}

#[test]
fn an_incomplete_response_succeeds_and_says_why_it_stopped() {
    let event = r#"{"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[],"usage":{"input_tokens":3,"output_tokens":16}}}"#;
    let got = after(&BEGIN, &[A, event]);
    assert_eq!((got.finish_reason.as_deref(), &got.failure), (Some("max_output_tokens"), &None));
    assert_eq!(counts(&got), [Some(3), Some(16), None, None]);
    assert_eq!(after(&BEGIN, &[event]).failure, None, "all of it may have been reasoning that is not shown");
}

#[test]
fn failures_are_told_and_keep_what_came() {
    for (event, told) in [
        (
            r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"The model failed\nto generate a response."},"usage":{"input_tokens":3}}}"#,
            "The model failed to generate a response.",
        ),
        (
            r#"{"type":"response.failed","response":{"status":"failed","error":null}}"#,
            "the response ended with the status \"failed\"",
        ),
        (
            r#"{"type":"error","code":"ERR","message":"Something went wrong","param":null,"sequence_number":1}"#,
            "Something went wrong",
        ),
        (r#"{"type":"error","error":{"message":"overloaded"}}"#, "overloaded"),
    ] {
        let got = after(&BEGIN, &[A, event, B, COMPLETED]);
        assert_eq!(failure(&got), Some((FailureKind::StreamError, told)));
        assert_eq!(got.text, "Hé");
    }
    let unnamed = format!("data: {A}\n\ndata: {{\"error\":{{\"message\":\"gone\"}}}}\n\n");
    assert_eq!(failure(&stream(API, &unnamed)), Some((FailureKind::StreamError, "gone")));
    let body = r#"{"object":"response","status":"failed","error":{"code":"x","message":"no"},"output":[]}"#;
    assert_eq!(failure(&whole_reply(API, body)), Some((FailureKind::StreamError, "no")));
}

#[test]
fn a_stream_has_to_end_with_its_last_event() {
    let told = "the stream ended without the event \"response.completed\"";
    let cut = typed_events(&[A, B]);
    assert_eq!(failure(&stream(API, &cut)), Some((FailureKind::Truncated, told)));
    assert_eq!(
        failure(&stream(API, &(cut.clone() + "data: [DONE]\n\n"))),
        Some((FailureKind::Truncated, told))
    );
    assert_eq!(parsed(API, (cut.clone() + "data: {\"ty").as_bytes(), Framing::Sse, false).failure, None);
    assert_eq!(stream(API, &(typed_events(&[A, COMPLETED]) + "data: [DONE]\n\n")).failure, None);
    let broken = cut + "data: {\"ty\n\ndata: {}\n\n";
    assert_eq!(
        failure(&stream(API, &broken)),
        Some((FailureKind::InvalidReply, "frame 2 is not valid JSON"))
    );
}

#[test]
fn a_whole_response_and_one_that_comes_only_at_the_end() {
    let body = r#"{"id":"resp_1","object":"response","status":"completed","error":null,"incomplete_details":null,"model":"m","output":[{"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"why"}]},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"hi","annotations":[]},{"type":"refusal","refusal":"no"}]},{"type":"function_call","name":"f","arguments":"{}"}],"usage":{"prompt_tokens":9,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":3}}}"#;
    let got = whole_reply(API, body);
    assert_eq!((got.text.as_str(), got.finish_reason.as_deref()), ("whyhinof{}", Some("completed")));
    assert_eq!(
        outputs(&got).iter().map(|it| it.1).collect::<Vec<_>>(),
        [OutputKind::Reasoning, OutputKind::Content, OutputKind::Content, OutputKind::ToolCall]
    );
    assert_eq!(counts(&got), [Some(9), Some(7), Some(3), Some(4)]);
    let late = after(&BEGIN, &[COMPLETED]);
    assert_eq!(outputs(&late), [(2, OutputKind::Content, 9)]);
    let told = Some((FailureKind::EmptyReply, "the reply carried no output"));
    assert_eq!(failure(&whole_reply(API, r#"{"object":"response","status":"completed","output":[]}"#)), told);
    assert_eq!(failure(&whole_reply(API, "")), told);
    assert!(whole_reply(API, "<html>").failure.is_some());
}
