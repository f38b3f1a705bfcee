use super::*;

fn names(answer: &Answer) -> Vec<String> {
    let text = answer.text();
    text.lines().filter_map(|line| line.strip_prefix("event: ")).map(str::to_string).collect()
}

const RESPONSES: &str = "/v1/responses";
const MESSAGES: &str = "/v1/messages";
const DASHSCOPE: &str = "/api/v1/services/aigc/text-generation/generation";

#[test]
fn a_response_is_a_stream_of_typed_events() {
    let sim = start(SimSpec { reasoning_tokens: 1, role_frame: RoleFrame::Off, ..SimSpec::default() });
    let body = r#"{"model":"m","input":"good time","stream":true,"max_output_tokens":3}"#;
    let answer = post(&sim, RESPONSES, body);
    assert!(answer.complete && !answer.text().contains("[DONE]"));
    assert_eq!(
        names(&answer),
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.reasoning_text.delta",
            "response.output_item.done",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_item.done",
            "response.incomplete",
        ]
    );
    let frames = answer.frames();
    for (i, (frame, name)) in frames.iter().zip(names(&answer)).enumerate() {
        assert_eq!((&frame["type"], &frame["sequence_number"]), (&name.into(), &i.into()));
    }
    assert_eq!((&frames[3]["delta"], &frames[7]["delta"]), (&" time".into(), &" year".into()));
    let response = &frames[10]["response"];
    assert_eq!(response["incomplete_details"]["reason"], "max_output_tokens");
    assert_eq!(response["output"][1]["content"][0]["text"], " year good");
    assert_eq!(
        (&response["usage"]["input_tokens"], &response["usage"]["output_tokens"]),
        (&2.into(), &3.into())
    );
    assert_eq!(response["usage"]["output_tokens_details"]["reasoning_tokens"], 1);
    let whole = post(&sim, RESPONSES, r#"{"input":"time"}"#).json();
    assert_eq!((&whole["object"], &whole["status"]), (&"response".into(), &"completed".into()));
    assert_eq!(whole["usage"]["output_tokens"], 128);
}

#[test]
fn a_message_is_a_stream_of_blocks() {
    let spec = SimSpec { reasoning_tokens: 1, prefix_cache_blocks: Some(8), ..SimSpec::default() };
    let sim = start(SimSpec { api_key: Some("k".into()), ..spec });
    let long = " good".repeat(20);
    let body = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"{long}"}}],"stream":true,"max_tokens":2}}"#
    );
    let answers = [0, 1].map(|_| ask(&sim, "POST", MESSAGES, "x-api-key: k\r\n", &body));
    assert_eq!(
        names(&answers[1]),
        [
            "message_start",
            "ping",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ]
    );
    let frames = answers[1].frames();
    let usage = &frames[0]["message"]["usage"];
    assert_eq!((&usage["input_tokens"], &usage["cache_read_input_tokens"]), (&8.into(), &16.into()));
    assert_eq!(frames[3]["delta"]["thinking"], " time");
    assert_eq!((&frames[6]["index"], &frames[6]["delta"]["text"]), (&1.into(), &" year".into()));
    assert_eq!(
        (&frames[8]["delta"]["stop_reason"], &frames[8]["usage"]["output_tokens"]),
        (&"max_tokens".into(), &2.into())
    );
    let refused = ask(&sim, "POST", MESSAGES, "x-api-key: other\r\n", &body);
    assert_eq!((refused.status(), &refused.json()["type"]), (401, &"error".into()));
}

#[test]
fn a_header_asks_dashscope_for_a_stream() {
    let sim = start(SimSpec::default());
    let body = r#"{"input":{"messages":[{"role":"user","content":"time"}]},"parameters":{"max_tokens":2}}"#;
    let frames = ask(&sim, "POST", DASHSCOPE, "X-DashScope-SSE: enable\r\n", body).frames();
    let counts: Vec<_> = frames.iter().map(|it| it["usage"]["output_tokens"].as_u64()).collect();
    assert_eq!(counts, [Some(1), Some(2), Some(2)]);
    let reason = |i: usize| frames[i]["output"]["choices"][0]["finish_reason"].as_str();
    assert_eq!((reason(1), reason(2)), (Some("null"), Some("length")));
    let whole = post(&sim, DASHSCOPE, body).json();
    assert_eq!(whole["output"]["choices"][0]["message"]["content"], " time year");
    assert_eq!(post(&sim, DASHSCOPE, "{}").json()["code"], "invalid_request_error");
}

#[test]
fn what_is_not_generated_comes_at_once_and_counts_no_output() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("truth.jsonl");
    let ttft = Distribution::Constant(5.0);
    let sim = start(SimSpec { ttft, truth: Some(path.clone()), ..SimSpec::default() });
    let asked = std::time::Instant::now();
    let answer = post(&sim, "/v1/embeddings", r#"{"input":["good","time"],"dimensions":3,"stream":true}"#);
    assert!(asked.elapsed() >= std::time::Duration::from_millis(5));
    let json = answer.json();
    assert_eq!(json["data"][1]["embedding"].as_array().unwrap().len(), 3);
    assert_eq!(json["usage"], serde_json::json!({"prompt_tokens": 2, "total_tokens": 2}));
    let json = post(&sim, "/v1/reranks", r#"{"query":"good","documents":["a","b","c"]}"#).json();
    assert_eq!(json["results"].as_array().unwrap().len(), 3);
    assert_eq!(json["results"][0]["relevance_score"], 1.0);
    sim.stop();
    for line in truth(&path) {
        assert_eq!((&line["output_tokens"], &line["frame_ns"]), (&0.into(), &serde_json::json!([])));
    }
}

#[test]
fn calls_to_tools_are_made_in_the_way_of_each() {
    let sim = start(SimSpec::default());
    let input = r#""stream":true,"sim_fault":"tool_calls""#;
    let frames =
        post(&sim, RESPONSES, &format!(r#"{{"input":"time","max_output_tokens":2,{input}}}"#)).frames();
    let arguments: String = frames
        .iter()
        .filter(|frame| frame["type"] == "response.function_call_arguments.delta")
        .filter_map(|frame| frame["delta"].as_str())
        .collect();
    assert_eq!(arguments, r#"{"query":" time year"}"#);
    assert_eq!(frames.last().unwrap()["response"]["output"][0]["arguments"], r#"{"query":" time year"}"#);
    let messages = r#""messages":[{"role":"user","content":"time"}],"max_tokens":2"#;
    let frames = post(&sim, MESSAGES, &format!("{{{messages},{input}}}")).frames();
    let arguments: String =
        frames.iter().filter_map(|frame| frame["delta"]["partial_json"].as_str()).collect();
    assert_eq!(arguments, r#"{"query":" time year"}"#);
    let whole = post(&sim, MESSAGES, &format!(r#"{{{messages},"sim_fault":"tool_calls"}}"#)).json();
    assert_eq!(whole["content"][0]["input"]["query"], " time year");
    assert_eq!(whole["stop_reason"], "tool_use");
}

#[test]
fn the_protocol_of_the_example_plugins_is_served() {
    let sim = start(SimSpec { reasoning_tokens: 1, ..SimSpec::default() });
    let talk = r#""talk":[{"who":"user","says":"good time"}],"settings":{"max_tokens":9},"limit":3"#;
    let answer = post(&sim, "/pebble/talk", &format!(r#"{{"model":"m","stream":true,{talk}}}"#));
    assert_eq!(names(&answer), ["open", "thought", "piece", "piece", "close"]);
    let frames = answer.frames();
    assert_eq!(frames[0], serde_json::json!({"model": "m"}));
    assert_eq!(frames[1], serde_json::json!({"text": " time", "tokens": 1}));
    let counts =
        serde_json::json!({"reason": "length", "prompt_tokens": 2, "output_tokens": 3, "thought_tokens": 1});
    assert_eq!(frames[4], counts);
    let whole = post(&sim, "/pebble/talk", &format!("{{{talk}}}")).json();
    assert_eq!((&whole["thought"], &whole["text"]), (&" time".into(), &" year good".into()));
    assert_eq!(whole["prompt_tokens"], 2);
    let fault = post(&sim, "/pebble/talk", &format!(r#"{{"stream":true,"sim_fault":"error_event",{talk}}}"#));
    assert_eq!(names(&fault).last().map(String::as_str), Some("fault"));
    assert!(post(&sim, "/pebble/talk", "{}").json()["fault"].as_str().unwrap().contains("\"talk\""));
}
