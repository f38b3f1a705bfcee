use super::super::super::testing::{counts, failure, outputs, parsed, whole};
use super::*;
use crate::contract::Framing;

const API: &str = "ollama";

fn lines(lines: &[&str], complete: bool) -> Outcome {
    parsed(API, lines.join("\n").as_bytes(), Framing::Ndjson, complete)
}

const A: &str = r#"{"model":"m","created_at":"2025-10-01T10:00:00.1Z","message":{"role":"assistant","content":"Hé"},"done":false}"#;
const END: &str = r#"{"model":"m","created_at":"2025-10-01T10:00:01Z","message":{"role":"assistant","content":""},"done_reason":"stop","done":true,"total_duration":4883583458,"load_duration":1334875,"prompt_eval_count":26,"prompt_eval_duration":342546000,"eval_count":3,"eval_duration":4535599000}"#;

#[test]
fn a_recorded_stream() {
    let thinking = r#"{"message":{"role":"assistant","content":"","thinking":"hm"},"done":false}"#;
    let call = r#"{"message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]},"done":false}"#;
    let got = lines(&[thinking, A, call, END], true);
    assert_eq!(
        outputs(&got),
        [(0, OutputKind::Reasoning, 2), (1, OutputKind::Content, 3), (2, OutputKind::ToolCall, 8)]
    );
    assert_eq!(got.text, "hmHéf{\"a\":1}");
    assert_eq!(counts(&got), [Some(26), Some(3), None, None]);
    assert_eq!((got.finish_reason.as_deref(), &got.failure), (Some("stop"), &None));
    let labels: Vec<(&str, &str)> = got.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(
        labels,
        [
            ("server_total_ms", "4883.583458"),
            ("server_load_ms", "1.334875"),
            ("server_prompt_ms", "342.546"),
            ("server_predicted_ms", "4535.599")
        ]
    );
}

#[test]
fn errors_and_missing_ends_are_failures() {
    let error = r#"{"error":"an error was encountered while running the model"}"#;
    let told = "an error was encountered while running the model";
    assert_eq!(failure(&lines(&[A, error], true)), Some((FailureKind::StreamError, told)));
    let told = "the stream ended without a line that says it is done";
    assert_eq!(failure(&lines(&[A], true)), Some((FailureKind::Truncated, told)));
    assert_eq!(lines(&[A, "{\"mess"], false).failure, None);
    let told = Some((FailureKind::InvalidReply, "frame 1 is not valid JSON"));
    assert_eq!(failure(&lines(&[A, "{\"mess"], true)), told);
    let empty = r#"{"message":{"content":""},"done":true}"#;
    assert_eq!(failure(&lines(&[empty], true)).map(|it| it.0), Some(FailureKind::EmptyReply));
}

#[test]
fn a_whole_reply() {
    let got = whole(
        API,
        r#"{"message":{"role":"assistant","content":"hi"},"done":true,"done_reason":"length","prompt_eval_count":2,"eval_count":1}"#,
    );
    assert_eq!((got.text.as_str(), counts(&got), got.failure), ("hi", [Some(2), Some(1), None, None], None));
}
