//! The baseline's own cases about requests and replies, carried over: its inputs and the values it
//! expects. Where we differ on purpose, ours stands beside it and a comment says why.

use serde_json::{Value, json};

use super::testing::{self, api, body, counts, given, text, turn};
use crate::contract::framing::frames;
use crate::contract::{FailureKind, Framing, Mark, Outcome, Prompt};
use crate::units::Nanos;

/// `test_openai_api_parse_responses.py`: the body, and the tokens of the prompt and the answer. It
/// counts what is missing as 0; here it is missing.
#[test]
fn usage_is_read_field_by_field() {
    for (usage, input, output) in [
        (json!({"prompt_tokens": 100, "completion_tokens": 50}), Some(100), Some(50)),
        (
            json!({"prompt_tokens": 7180, "total_tokens": 7193, "completion_tokens_details": {"reasoning_tokens": 13}}),
            Some(7180),
            None,
        ),
        (json!({"completion_tokens": 25}), None, Some(25)),
        (json!({"prompt_tokens": 42, "completion_tokens": null}), Some(42), None),
        (json!({"prompt_tokens": 0, "completion_tokens": 0}), Some(0), Some(0)),
        (json!({}), None, None),
    ] {
        let whole = json!({
            "object": "chat.completion",
            "choices": [{"message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}],
            "usage": usage,
        });
        let got = counts(&testing::whole("openai", &whole.to_string()));
        assert_eq!([got[0], got[1]], [input, output], "{usage}");
    }
}

#[test]
fn the_usage_of_a_stream_is_that_of_its_last_message() {
    let chunk = |delta: Value, more: Value| {
        let mut chunk = json!({"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta}]});
        if let (Value::Object(chunk), Value::Object(more)) = (&mut chunk, more) {
            chunk.extend(more);
        }
        format!("data: {chunk}\n\n")
    };
    let stream = [
        chunk(json!({"content": "a"}), json!({})),
        chunk(json!({"content": "b"}), json!({})),
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":2}}\n\n".to_string(),
    ];
    let got = testing::stream("openai", &stream.concat());
    assert_eq!((counts(&got)[0], counts(&got)[1], got.text.as_str()), (Some(8), Some(2), "ab"));
    // Nothing at all is (0, 0) and a success there; here it is a failure.
    let nothing = testing::stream("openai", "");
    assert_eq!(nothing.failure.map(|failure| failure.kind), Some(FailureKind::Truncated));
}

#[test]
fn a_reply_of_tool_calls_alone_has_no_text_and_is_output() {
    let call = json!([{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]);
    let whole = json!({
        "object": "chat.completion",
        "choices": [{"message": {"role": "assistant", "content": null, "tool_calls": call}, "finish_reason": "tool_calls"}],
    });
    let streamed = json!({
        "object": "chat.completion.chunk",
        "choices": [{"delta": {"content": null, "tool_calls": call}, "finish_reason": "tool_calls"}],
    });
    let outcomes: [Outcome; 2] = [
        testing::whole("openai", &whole.to_string()),
        testing::stream("openai", &format!("data: {streamed}\n\n")),
    ];
    for outcome in outcomes {
        assert_eq!(
            (outcome.failure, [outcome.usage.input_tokens, outcome.usage.output_tokens]),
            (None, [None; 2])
        );
        // It counts no tokens of a call; the model wrote them all the same.
        assert_eq!(outcome.text, "f{}");
    }
}

/// `test_perf_streaming.py`: what the reads hold, and the payloads that come of them.
#[test]
fn events_are_divided_as_they_are_there() {
    let payloads = |reads: &[&str]| {
        let mut marks = Vec::new();
        let mut body = Vec::new();
        for (at, read) in reads.iter().enumerate() {
            body.extend_from_slice(read.as_bytes());
            marks.push(Mark { at: Nanos(at as i64), end: body.len() });
        }
        let framed = frames(body, &marks, Framing::Sse);
        let text = |range: &std::ops::Range<usize>| {
            String::from_utf8_lossy(&framed.payload[range.clone()]).into_owned()
        };
        framed.frames.iter().map(|frame| text(&frame.range)).collect::<Vec<_>>()
    };
    assert_eq!(
        payloads(&["id: chunk-1\nevent: message\ndata: {\"choices\": []}\n\n"]),
        [r#"{"choices": []}"#]
    );
    assert!(payloads(&["event: ping\nid: keepalive\n\n"]).is_empty());
    let two_lines = payloads(&["event: message\ndata: {\"a\": 1,\ndata: \"b\": 2}\n\n"]);
    assert_eq!(two_lines.len(), 1);
    assert_eq!(serde_json::from_str::<Value>(&two_lines[0]).unwrap(), json!({"a": 1, "b": 2}));
    assert_eq!(payloads(&["id: chunk-1\nevent: message\ndata: {\"choices\": []}"]), [r#"{"choices": []}"#]);
    assert_eq!(payloads(&["event: done\ndata: [DONE]"]), ["[DONE]"]);
    assert_eq!(payloads(&["data: {\"choices\":", " []}\n\n"]), [r#"{"choices": []}"#]);
    // What was tried on its code besides.
    assert_eq!(payloads(&["data: 1\n\ndata: 2\n\ndata: 3\n\n"]), ["1", "2", "3"]);
    assert_eq!(payloads(&["data: 1\r", "\n\r\ndata:{\"a\":1}\r\n\r\n"]), ["1", "{\"a\":1}"]);
    assert_eq!(payloads(&[": a comment\n\ndata: x\n\n"]), ["x"]);
}

/// `test_line_by_line_body.py`: the body of a line, and what the command line adds to it.
mod line_by_line_body {
    use super::*;

    const MESSAGES: &str = r#""messages":[{"role":"user","content":"hi"}]"#;

    fn shaped(line: &str, parameters: &str) -> Value {
        serde_json::from_str(&body(api("openai", parameters).shape(&given(line)))).unwrap()
    }

    #[test]
    fn a_line_keeps_what_it_says_and_gets_what_it_does_not() {
        let own = format!(r#"{{{MESSAGES},"temperature":0.6,"max_tokens":128,"model":"own"}}"#);
        let got = shaped(&own, testing::USUAL);
        assert_eq!(
            (&got["temperature"], &got["max_tokens"], &got["model"]),
            (&json!(0.6), &json!(128), &json!("own"))
        );
        let got = shaped(&format!("{{{MESSAGES}}}"), testing::USUAL);
        assert_eq!(
            (&got["temperature"], &got["max_tokens"], &got["model"]),
            (&json!(0.0), &json!(2048), &json!("m"))
        );
    }

    #[test]
    fn the_item_itself_is_left_as_it_is() {
        let item = given(&format!("{{{MESSAGES}}}"));
        let before = item.clone();
        let _ = api("openai", testing::USUAL).shape(&item).unwrap();
        assert_eq!(item.turn, before.turn);
    }

    #[test]
    fn usage_is_asked_for_where_the_body_streams() {
        let options = |line: &str, parameters: &str| shaped(line, parameters).get("stream_options").cloned();
        let asked = Some(json!({"include_usage": true}));
        let not = r#"{"max_tokens":2048,"stream":false,"temperature":0.0}"#;
        assert_eq!(options(&format!(r#"{{{MESSAGES},"stream":false}}"#), testing::USUAL), None);
        assert_eq!(options(&format!(r#"{{{MESSAGES},"stream":true}}"#), testing::USUAL), asked);
        assert_eq!(options(&format!("{{{MESSAGES}}}"), testing::USUAL), asked);
        assert_eq!(
            options(&format!(r#"{{{MESSAGES},"stream":true}}"#), not),
            asked,
            "the body beats --no-stream"
        );
        let own = format!(r#"{{{MESSAGES},"stream":true,"stream_options":{{"include_usage":false}}}}"#);
        assert_eq!(options(&own, testing::USUAL), Some(json!({"include_usage": false})));
    }

    #[test]
    fn texts_and_messages_get_what_the_command_line_asks_for() {
        let messages = vec![crate::contract::Message::text("user", "hi")];
        for item in [text("hi"), turn(Prompt::Chat(messages))] {
            let got: Value = serde_json::from_str(&body(api("openai", testing::USUAL).shape(&item))).unwrap();
            assert_eq!((&got["temperature"], &got["max_tokens"]), (&json!(0.0), &json!(2048)));
        }
    }

    /// `test_stream_metrics.py`: only `true` is a stream, and not what looks like it.
    #[test]
    fn a_stream_is_true_and_nothing_like_it() {
        let framing = |stream: &str| {
            let line = format!(r#"{{{MESSAGES},"stream":{stream}}}"#);
            api("openai", testing::USUAL).shape(&given(&line)).unwrap().framing
        };
        assert_eq!(framing("true"), Framing::Sse);
        assert_eq!([framing("\"true\""), framing("1"), framing("false")], [Framing::Whole; 3]);
    }
}
