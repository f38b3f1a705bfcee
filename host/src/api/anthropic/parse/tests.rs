use super::super::super::testing::{counts, failure, outputs, parsed, stream, typed_events, whole};
use super::*;
use crate::contract::Framing;

const API: &str = "anthropic";

const START: &str = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"cache_creation_input_tokens":10,"cache_read_input_tokens":100,"output_tokens":1}}}"#;
const BLOCK: &str = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
const PING: &str = r#"{"type":"ping"}"#;
const A: &str = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hé"}}"#;
const B: &str = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"!\n"}}"#;
const BLOCK_STOP: &str = r#"{"type":"content_block_stop","index":0}"#;
const DELTA: &str = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":15}}"#;
const STOP: &str = r#"{"type":"message_stop"}"#;

#[test]
fn a_recorded_stream() {
    let got = stream(API, &typed_events(&[START, BLOCK, PING, A, B, BLOCK_STOP, DELTA, STOP]));
    assert_eq!(outputs(&got), [(3, OutputKind::Content, 3), (4, OutputKind::Content, 2)]);
    assert_eq!((got.text.as_str(), got.finish_reason.as_deref()), ("Hé!\n", Some("end_turn")));
    assert_eq!(counts(&got), [Some(135), Some(15), None, Some(100)], "cached tokens are input tokens");
    assert_eq!(got.failure, None);
}

#[test]
fn thinking_and_calls_are_output() {
    let got = stream(
        API,
        &typed_events(&[
            START,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQB"}}"#,
            BLOCK_STOP,
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"get","input":{}}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":""}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":89}}"#,
            STOP,
        ]),
    );
    assert_eq!(
        outputs(&got),
        [(2, OutputKind::Reasoning, 2), (5, OutputKind::ToolCall, 3), (7, OutputKind::ToolCall, 7)]
    );
    assert_eq!(got.text_of(OutputKind::ToolCall).as_deref(), Some("get{\"a\":1}"));
    assert_eq!(got.finish_reason.as_deref(), Some("tool_use"));
}

#[test]
fn counts_may_come_at_the_end() {
    let start = r#"{"type":"message_start","message":{"usage":{"input_tokens":0,"output_tokens":0}}}"#;
    let delta = r#"{"type":"message_delta","delta":{"stop_reason":"max_tokens"},"usage":{"input_tokens":7,"output_tokens":2}}"#;
    let got = stream(API, &typed_events(&[start, A, delta]));
    assert_eq!(counts(&got), [Some(7), Some(2), None, None]);
    assert_eq!(got.failure, None, "a stop reason is an end");
    let got = stream(API, &typed_events(&[START, A]));
    assert_eq!(counts(&got)[1], None, "the first event knows no output tokens");
}

#[test]
fn errors_and_missing_ends_are_failures() {
    let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let got = stream(API, &typed_events(&[START, BLOCK, A, error]));
    assert_eq!((failure(&got), got.text.as_str()), (Some((FailureKind::StreamError, "Overloaded")), "Hé"));
    let unnamed = format!("data: {error}\n\n");
    assert_eq!(failure(&stream(API, &unnamed)), Some((FailureKind::StreamError, "Overloaded")));
    assert_eq!(failure(&whole(API, error)), Some((FailureKind::StreamError, "Overloaded")));
    let cut = typed_events(&[START, BLOCK, A]);
    let told = "the stream ended without the event \"message_stop\"";
    assert_eq!(failure(&stream(API, &cut)), Some((FailureKind::Truncated, told)));
    assert_eq!(parsed(API, (cut + "event: con").as_bytes(), Framing::Sse, false).failure, None);
    let empty = typed_events(&[START, STOP]);
    assert_eq!(failure(&stream(API, &empty)).map(|it| it.0), Some(FailureKind::EmptyReply));
    assert_eq!(failure(&stream(API, "data: {\n\n")).map(|it| it.0), Some(FailureKind::InvalidReply));
}

#[test]
fn a_whole_message() {
    let got = whole(
        API,
        r#"{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"thinking","thinking":"hm","signature":"x"},{"type":"text","text":"hi"},{"type":"tool_use","id":"t","name":"f","input":{"a":1}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":5,"cache_read_input_tokens":null,"output_tokens":7}}"#,
    );
    assert_eq!((got.text.as_str(), got.finish_reason.as_deref()), ("hmhif{\"a\":1}", Some("end_turn")));
    assert_eq!(counts(&got), [Some(5), Some(7), None, None]);
    assert_eq!(got.failure, None);
}
