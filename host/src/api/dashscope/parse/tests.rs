use super::super::super::testing::{counts, failure, outputs, parsed, stream, whole};
use super::*;
use crate::contract::Framing;

const API: &str = "dashscope";

/// An event as DashScope sends it.
fn event(id: u32, message: &str, reason: &str, output_tokens: u64) -> String {
    format!(
        "id:{id}\nevent:result\n:HTTP_STATUS/200\ndata:{{\"output\":{{\"choices\":[{{\"message\":{message},\"finish_reason\":\"{reason}\"}}]}},\"usage\":{{\"total_tokens\":{},\"output_tokens\":{output_tokens},\"input_tokens\":22,\"prompt_tokens_details\":{{\"cached_tokens\":4}},\"output_tokens_details\":{{\"reasoning_tokens\":1}}}},\"request_id\":\"r\"}}\n\n",
        output_tokens + 22
    )
}

#[test]
fn a_recorded_stream() {
    let body = [
        event(1, r#"{"content":"","reasoning_content":"hm","role":"assistant"}"#, "null", 1),
        event(2, r#"{"content":"我是","reasoning_content":"","role":"assistant"}"#, "null", 3),
        event(3, r#"{"content":"!","role":"assistant"}"#, "null", 4),
        event(4, r#"{"content":"","role":"assistant"}"#, "stop", 4),
    ]
    .concat();
    let got = stream(API, &body);
    assert_eq!(
        outputs(&got),
        [(0, OutputKind::Reasoning, 2), (1, OutputKind::Content, 6), (2, OutputKind::Content, 1)]
    );
    let tokens: Vec<_> = got.outputs.iter().map(|output| output.tokens).collect();
    assert_eq!(tokens, [Some(1), Some(2), Some(1)]);
    assert_eq!(counts(&got), [Some(22), Some(4), Some(1), Some(4)]);
    assert_eq!((got.finish_reason.as_deref(), &got.failure), (Some("stop"), &None));
}

#[test]
fn errors_and_missing_ends_are_failures() {
    let good = event(1, r#"{"content":"a"}"#, "null", 1);
    let bad = "id:2\nevent:error\n:HTTP_STATUS/400\ndata:{\"code\":\"InvalidParameter\",\"message\":\"Required\\nparameter\",\"request_id\":\"r\"}\n\n";
    let got = stream(API, &format!("{good}{bad}"));
    assert_eq!(
        (failure(&got), got.text.as_str()),
        (Some((FailureKind::StreamError, "Required parameter")), "a")
    );
    let told = Some((FailureKind::StreamError, "Throttling: slow down"));
    assert_eq!(failure(&whole(API, r#"{"code":"Throttling","message":"slow down"}"#)), told);
    let told = Some((FailureKind::Truncated, "the stream ended without a finish reason"));
    assert_eq!(failure(&stream(API, &good)), told);
    assert_eq!(parsed(API, good.as_bytes(), Framing::Sse, false).failure, None);
    let told = Some((FailureKind::EmptyReply, "the reply carried no output"));
    assert_eq!(failure(&stream(API, &event(1, "{}", "stop", 0))), told);
    assert_eq!(failure(&stream(API, "data:{\n\n")).map(|it| it.0), Some(FailureKind::InvalidReply));
}

#[test]
fn whole_replies_of_either_format() {
    let got = whole(
        API,
        r#"{"output":{"text":"hi","finish_reason":"stop"},"usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5},"request_id":"r"}"#,
    );
    assert_eq!((got.text.as_str(), got.finish_reason.as_deref()), ("hi", Some("stop")));
    assert_eq!((counts(&got), got.outputs[0].tokens), ([Some(3), Some(2), None, None], Some(2)));
    let got = whole(
        API,
        r#"{"output":{"choices":[{"finish_reason":"tool_calls","message":{"role":"assistant","content":[{"text":"a"},{"text":"b"}],"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}}]},"usage":{}}"#,
    );
    assert_eq!((got.text.as_str(), got.usage.output_tokens, &got.failure), ("abf{}", None, &None));
    assert_eq!(got.outputs[0].tokens, None);
}
