use proptest::prelude::*;

use super::*;
use crate::contract::{Frame, Framing, Mark, Usage, framing};
use crate::units::Nanos;

fn outcome(payload: &[u8], frames: &[Frame], framing: Framing, complete: bool) -> Outcome {
    parse(&Reply { status: 200, content_type: None, framing, complete, sent: Nanos::ZERO, payload, frames })
}

/// What comes of a stream of these events; one that starts with `event:` is taken as it is.
fn stream_until(events: &[&str], complete: bool) -> Outcome {
    let mut body = Vec::new();
    for event in events {
        if !event.starts_with("event:") {
            body.extend_from_slice(b"data: ");
        }
        body.extend_from_slice(event.as_bytes());
        body.extend_from_slice(b"\n\n");
    }
    let mark = Mark { at: Nanos(1), end: body.len() };
    let framed = framing::frames(body, &[mark], Framing::Sse);
    outcome(&framed.payload, &framed.frames, Framing::Sse, complete)
}

fn stream(events: &[&str]) -> Outcome {
    stream_until(events, true)
}

fn whole(body: &str) -> Outcome {
    let frame = Frame { at: Nanos(1), event: None, range: 0..body.len() };
    outcome(body.as_bytes(), &[frame], Framing::Whole, true)
}

fn kinds(outcome: &Outcome) -> Vec<(u32, OutputKind, u32, Option<u32>)> {
    outcome.outputs.iter().map(|o| (o.frame, o.kind, o.text_bytes, o.tokens)).collect()
}

fn failure(outcome: &Outcome) -> Option<(FailureKind, &str)> {
    outcome.failure.as_ref().map(|failure| (failure.kind, failure.message.as_str()))
}

const ROLE: &str =
    r#"{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#;
const A: &str = r#"{"choices":[{"index":0,"delta":{"content":"A"},"logprobs":null,"finish_reason":null}]}"#;
const B: &str = r#"{"choices":[{"index":0,"delta":{"content":"B"}}]}"#;
const STOP: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
const USAGE: &str = r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}"#;

#[test]
fn the_worked_example() {
    let got = stream(&[ROLE, A, B, STOP, USAGE, "[DONE]"]);
    assert_eq!(kinds(&got), [(1, OutputKind::Content, 1, None), (2, OutputKind::Content, 1, None)]);
    assert_eq!((got.text.as_str(), got.finish_reason.as_deref()), ("AB", Some("stop")));
    assert_eq!(got.usage, Usage { input_tokens: Some(5), output_tokens: Some(2), ..Usage::default() });
    assert_eq!(got.failure, None);
}

#[test]
fn a_usage_in_every_frame_gives_the_tokens_of_each() {
    let counted = |text: &str, tokens: u32| {
        format!(
            r#"{{"choices":[{{"delta":{{"content":"{text}"}}}}],"usage":{{"prompt_tokens":5,"completion_tokens":{tokens}}}}}"#
        )
    };
    let got = stream(&[&counted("", 0), &counted("A", 1), &counted("BC", 4), STOP, "[DONE]"]);
    assert_eq!(kinds(&got), [(1, OutputKind::Content, 1, Some(1)), (2, OutputKind::Content, 2, Some(3))]);
    assert_eq!(got.usage.output_tokens, Some(4));
    // One at the end only says nothing of the frames before it.
    let got = stream(&[A, &counted("B", 2), "[DONE]"]);
    assert_eq!(kinds(&got), [(0, OutputKind::Content, 1, None), (1, OutputKind::Content, 1, None)]);
    assert_eq!(got.usage.output_tokens, Some(2));
    assert_eq!(whole(&counted("AB", 2)).outputs[0].tokens, Some(2));
}

#[test]
fn reasoning_tool_calls_and_refusals_are_output() {
    let got = stream(&[
        r#"{"choices":[{"delta":{"reasoning_content":"R","reasoning":"R"}}]}"#,
        r#"{"choices":[{"delta":{"reasoning_content":"","reasoning":"S","content":null}}]}"#,
        r#"{"choices":[{"delta":{"content":"\u0041\n","refusal":"no","tool_calls":null}}]}"#,
        r#"{"choices":[{"delta":{"content":null,"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":""}},{"function":{"arguments":"{\"x\":"}},{"function":null}]}}]}"#,
        STOP,
    ]);
    assert_eq!(
        kinds(&got),
        [
            (0, OutputKind::Reasoning, 1, None),
            (1, OutputKind::Reasoning, 1, None),
            (2, OutputKind::Content, 2, None),
            (2, OutputKind::Content, 2, None),
            (3, OutputKind::ToolCall, 1, None),
            (3, OutputKind::ToolCall, 5, None),
        ]
    );
    assert_eq!(got.text_of(OutputKind::ToolCall).as_deref(), Some("f{\"x\":"));
    assert_eq!(got.text_of(OutputKind::Content).as_deref(), Some("A\nno"));
    assert_eq!(got.failure, None);
}

#[test]
fn details_of_reasoning_count_where_there_is_no_text_of_it() {
    let details = r#"[{"type":"reasoning.text","text":"R","signature":null},{"type":"reasoning.summary","summary":"S"},{"type":"reasoning.encrypted","data":"x"}]"#;
    let delta = |rest: &str| {
        format!(r#"{{"choices":[{{"delta":{{"content":"","reasoning_details":{details}{rest}}}}}]}}"#)
    };
    let of = |rest: &str| stream(&[&delta(rest), STOP]).text_of(OutputKind::Reasoning);
    assert_eq!(of("").as_deref(), Some("RS"));
    assert_eq!(of(r#","reasoning":"RS""#).as_deref(), Some("RS"));
    assert_eq!(of(r#","reasoning_content":"T","reasoning":null"#).as_deref(), Some("T"));
    let odd = r#"{"choices":[{"delta":{"reasoning_details":[{"text":["x"],"summary":"S"},7]}}]}"#;
    assert_eq!(stream(&[odd, STOP]).text, "S");
}

#[test]
fn all_choices_are_read_and_the_last_finish_reason_is_kept() {
    let got = stream(&[
        r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"},{"index":1,"delta":{"content":"b"},"finish_reason":"length"}]}"#,
    ]);
    assert_eq!((got.text.as_str(), got.finish_reason.as_deref()), ("ab", Some("length")));
    assert_eq!(got.outputs.len(), 2);
}

#[test]
fn plain_completions_and_whole_replies() {
    let got = stream(&[r#"{"object":"text_completion","choices":[{"text":"x","finish_reason":"length"}]}"#]);
    assert_eq!((got.text.as_str(), got.failure.is_none()), ("x", true));
    let got = whole(
        r#"{"object":"chat.completion","choices":[{"message":{"role":"assistant","content":"hi","reasoning_content":"why"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":7,"completion_tokens_details":{"reasoning_tokens":3},"prompt_tokens_details":{"cached_tokens":4}}}"#,
    );
    assert_eq!(kinds(&got), [(0, OutputKind::Reasoning, 3, Some(7)), (0, OutputKind::Content, 2, Some(0))]);
    let usage = Usage {
        input_tokens: Some(9),
        output_tokens: Some(7),
        reasoning_tokens: Some(3),
        cached_tokens: Some(4),
    };
    assert_eq!((got.usage, got.text.as_str()), (usage, "whyhi"));
    let calls = r#"{"choices":[{"message":{"content":null,"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}}]}"#;
    assert_eq!((whole(calls).text.as_str(), whole(calls).failure), ("f{}", None));
}

#[test]
fn each_figure_of_a_usage_counts_by_itself() {
    let of = |usage: &str| {
        let got = whole(&format!(r#"{{"choices":[{{"message":{{"content":"a"}}}}],"usage":{usage}}}"#)).usage;
        (got.input_tokens, got.output_tokens, got.reasoning_tokens)
    };
    assert_eq!(of(r#"{"prompt_tokens":100,"completion_tokens":50}"#), (Some(100), Some(50), None));
    assert_eq!(
        of(
            r#"{"prompt_tokens":7180,"total_tokens":7193,"completion_tokens_details":{"reasoning_tokens":13}}"#
        ),
        (Some(7180), None, Some(13))
    );
    assert_eq!(of(r#"{"completion_tokens":25}"#), (None, Some(25), None));
    assert_eq!(of(r#"{"prompt_tokens":42,"completion_tokens":null}"#), (Some(42), None, None));
    assert_eq!(of(r#"{"prompt_tokens":0,"completion_tokens":0}"#), (Some(0), Some(0), None));
    assert_eq!(of("{}"), (None, None, None));
    assert_eq!(of("null"), (None, None, None));
    let got = stream(&[A, USAGE, r#"{"choices":[],"usage":{"prompt_tokens":6}}"#, "[DONE]"]).usage;
    assert_eq!((got.input_tokens, got.output_tokens), (Some(6), Some(2)));
}

#[test]
fn errors_within_a_stream_are_failures_and_keep_what_came() {
    let got = stream(&[A, B, r#"{"error":{"message":"out of\nmemory","code":500}}"#, A]);
    assert_eq!(failure(&got), Some((FailureKind::StreamError, "out of memory")));
    assert_eq!((got.text.as_str(), got.outputs.len()), ("AB", 2));
    for (event, told) in [
        ("event: error\ndata: {\"error\":{\"message\":\"gone\"}}", "gone"),
        ("event: error\ndata: {\"message\":\"gone\"}", "gone"),
        ("event: error\ndata: gone", "gone"),
        ("event: error\ndata:", "no reason given"),
        (r#"{"error":{"code":7}}"#, r#"{"code":7}"#),
        (r#"{"error":"gone"}"#, "gone"),
    ] {
        assert_eq!(failure(&stream(&[event])), Some((FailureKind::StreamError, told)));
    }
    assert_eq!(stream(&[r#"{"error":null,"choices":[{"delta":{"content":"A"}}]}"#, STOP]).failure, None);
    assert_eq!(failure(&whole(r#"{"error":{"message":"no"}}"#)), Some((FailureKind::StreamError, "no")));
}

#[test]
fn what_is_no_json_is_an_invalid_reply() {
    let got = stream(&[A, "{\"choices\":", B]);
    assert_eq!(failure(&got), Some((FailureKind::InvalidReply, "frame 1 is not valid JSON")));
    assert_eq!(got.text, "A");
    let frame = Frame { at: Nanos(1), event: None, range: 0..1 };
    let got = outcome(b"\xff", &[frame], Framing::Whole, true);
    assert_eq!(failure(&got), Some((FailureKind::InvalidReply, "frame 0 is not valid JSON")));
    assert!(whole("<html>").failure.is_some());
}

#[test]
fn an_end_that_is_missing_is_a_failure_only_if_the_reply_was_read_to_it() {
    let told = "the stream ended without a finish reason or [DONE]";
    assert_eq!(failure(&stream(&[A])), Some((FailureKind::Truncated, told)));
    assert_eq!(stream(&[A, STOP]).failure, None);
    assert_eq!(stream(&[A, "[DONE]"]).failure, None);
    for events in [&[A][..], &[], &[A, "{\"choi"]] {
        assert_eq!(stream_until(events, false).failure, None);
    }
    assert!(stream_until(&[A, "{\"choi", B], false).failure.is_some());
}

#[test]
fn a_reply_without_output_is_empty_unless_tokens_were_counted() {
    let told = Some((FailureKind::EmptyReply, "the reply carried no output"));
    assert_eq!(failure(&stream(&[ROLE, STOP, "[DONE]"])), told);
    assert_eq!(failure(&stream(&["[DONE]"])), told);
    assert_eq!(failure(&whole(r#"{"choices":[]}"#)), told);
    assert_eq!(failure(&outcome(b"", &[], Framing::Whole, true)), told);
    assert_eq!(stream(&[ROLE, STOP, USAGE]).failure, None);
}

#[test]
fn unexpected_shapes_count_as_absent() {
    let azure = r#"{"choices":[],"prompt_filter_results":[{"prompt_index":0}]}"#;
    let odd = r#"{"choices":[null,7,{"delta":{"content":["x"],"reasoning":"r"},"finish_reason":1}],"usage":{"prompt_tokens":-1,"completion_tokens":2.5}}"#;
    let got = stream(&[azure, "7", "[]", "null", "", odd, r#"{"choices":{}}"#, A, STOP]);
    assert_eq!((got.text.as_str(), got.usage, got.failure), ("rA", Usage::default(), None));
}

#[test]
fn timings_of_the_server_become_labels() {
    let got = stream(&[
        A,
        r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"timings":{"prompt_n":12,"prompt_ms":3.25,"predicted_n":1,"predicted_ms":null}}"#,
    ]);
    let labels: Vec<(&str, &str)> = got.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(
        labels,
        [("server_prompt_n", "12"), ("server_prompt_ms", "3.25"), ("server_predicted_n", "1")]
    );
}

#[test]
fn parsing_is_fast() {
    let frame = |i: usize| {
        format!(
            r#"{{"id":"chatcmpl-8f1c","object":"chat.completion.chunk","created":1760000000,"model":"m","choices":[{{"index":0,"delta":{{"content":" word{i}"}},"logprobs":null,"finish_reason":null}}]}}"#
        )
    };
    let mut events: Vec<String> = (0..127).map(frame).collect();
    events.push(STOP.into());
    let mut payload = Vec::new();
    let mut frames = Vec::new();
    for event in &events {
        let start = payload.len();
        payload.extend_from_slice(event.as_bytes());
        frames.push(Frame { at: Nanos(1), event: None, range: start..payload.len() });
    }
    let rounds = 2000;
    let start = std::time::Instant::now();
    for _ in 0..rounds {
        std::hint::black_box(outcome(&payload, &frames, Framing::Sse, true));
    }
    let each = start.elapsed().as_secs_f64() * 1e6 / f64::from(rounds);
    println!("a reply of 128 frames, {} bytes, is parsed in {each:.1} µs", payload.len());
}

fn anything() -> impl Strategy<Value = Vec<u8>> {
    let scraps = prop_oneof![
        Just("{\"choices\":[{\"delta\":{\"content\":\"é\"}}]}"),
        Just("[DONE]"),
        Just("{\"usage\":{\"completion_tokens\":18446744073709551615}}"),
        Just("{\"choices\":[[1]],\"error\":[]}"),
        Just("[[[[{"),
        Just("\"\\ud800\""),
    ]
    .prop_map(|scrap| scrap.as_bytes().to_vec());
    prop_oneof![scraps, proptest::collection::vec(any::<u8>(), 0..40)]
}

proptest! {
    /// No bytes make it panic, and the outputs always add up to the text.
    #[test]
    fn any_bytes_are_parsed(
        pieces in proptest::collection::vec((anything(), any::<bool>()), 0..8),
        complete in any::<bool>(),
        framing in prop_oneof![Just(Framing::Sse), Just(Framing::Whole)],
    ) {
        let mut payload = Vec::new();
        let mut frames = Vec::new();
        for (piece, named) in pieces {
            let start = payload.len();
            payload.extend_from_slice(&piece);
            frames.push(Frame {
                at: Nanos(1),
                event: named.then(|| "error".to_string()),
                range: start..payload.len(),
            });
        }
        let got = outcome(&payload, &frames, framing, complete);
        prop_assert!(got.outputs.is_sorted_by_key(|output| output.frame));
        let sum: usize = got.outputs.iter().map(|output| output.text_bytes as usize).sum();
        prop_assert_eq!(sum, got.text.len());
        prop_assert!(got.text_of(OutputKind::Content).is_some());
    }
}
