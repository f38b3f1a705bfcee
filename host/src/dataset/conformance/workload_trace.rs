//! `test_workload_trace.py`: requests as they were recorded. What is wrong with a trace is in
//! `trace_errors`; warm-up and the number of requests are the engine's.

use serde_json::json;

use super::*;

pub(super) fn record(timestamp: impl Into<Value>) -> Value {
    json!({
        "body": { "model": "qwen-72b", "messages": [{ "role": "user", "content": "hi" }], "temperature": 0.5 },
        "timestamp": timestamp.into(),
    })
}

pub(super) fn jsonl(records: &[Value]) -> String {
    records.iter().map(|record| format!("{record}\n")).collect()
}

fn replay(records: &[Value], options: Value) -> Vec<Conversation> {
    let files = Files::new();
    all(&files.spec("workload_trace", &jsonl(records), options), None).unwrap()
}

fn body(conversation: &Conversation) -> Value {
    let Prompt::Body(body) = &conversation.turns[0].prompt else { panic!("{conversation:?}") };
    serde_json::from_slice(body).unwrap()
}

fn offsets_s(conversations: &[Conversation]) -> Vec<f64> {
    conversations.iter().map(|one| one.arrival_ms.unwrap() / 1000.0).collect()
}

#[test]
fn a_body_is_sent_as_it_was_recorded() {
    let text = r#"{"body": {"model":"qwen-72b",  "messages":[],"temperature":0.90,"max_tokens":100,"n":1e2}, "timestamp": 0}"#;
    let files = Files::new();
    let got = all(&files.spec("workload_trace", text, json!({})), None).unwrap();
    let expected = r#"{"model":"qwen-72b",  "messages":[],"temperature":0.90,"max_tokens":100,"n":1e2}"#;
    assert_eq!(got[0].turns[0].prompt, Prompt::Body(expected.as_bytes().to_vec()));
    assert!(got[0].turns[0].headers.is_empty());
}

#[test]
fn blank_lines_do_not_count_and_the_number_of_records_is_known() {
    let files = Files::new();
    let text = format!("{}\n\n   \n{}\n", record(0.0), record(1.0));
    let dataset = open(&files.spec("workload_trace", &text, json!({})), &RunConfig::default(), None).unwrap();
    let facts = dataset.facts();
    assert_eq!((facts.conversations, facts.arrivals, facts.notes), (Some(2), true, vec![]));
}

#[test]
fn models_are_mapped_overridden_or_left() {
    for (options, expected) in [
        (json!({}), "qwen-72b"),
        (json!({ "model_override": "new-model" }), "new-model"),
        (json!({ "model_mapping": { "qwen-72b": "qwen-72b-v2" } }), "qwen-72b-v2"),
        (json!({ "model_mapping": { "other": "x" }, "model_override": "fallback" }), "fallback"),
        (json!({ "model_mapping": { "other": "x" } }), "qwen-72b"),
        (json!({ "model_mapping": { "qwen-72b": "mapped" }, "model_override": "overridden" }), "mapped"),
    ] {
        let got = body(&replay(&[record(0.0)], options)[0]);
        assert_eq!((&got["model"], &got["temperature"]), (&json!(expected), &json!(0.5)));
    }
    // The command line's model does not stand above the trace's.
    let config = RunConfig { model: "cli-model".into(), ..RunConfig::default() };
    let files = Files::new();
    let spec = files.spec("workload_trace", &jsonl(&[record(0.0)]), json!({}));
    let got = open(&spec, &config, None).unwrap().next(1).unwrap();
    assert_eq!(body(&got[0])["model"], "qwen-72b");
}

#[test]
fn arrivals_keep_their_distances_or_a_share_of_them() {
    let at = |moments: &[f64], options| {
        offsets_s(&replay(&moments.iter().map(|at| record(*at)).collect::<Vec<_>>(), options))
    };
    assert_eq!(at(&[10.0, 12.0, 15.0], json!({})), [0.0, 2.0, 5.0]);
    assert_eq!(at(&[10.0, 14.0], json!({ "speed": 2.0 })), [0.0, 2.0]);
    assert_eq!(at(&[0.0, 1.0], json!({ "speed": 0.5 })), [0.0, 2.0]);
}

#[test]
fn moments_are_numbers_or_dates() {
    let at = |moments: &[Value]| {
        offsets_s(&replay(&moments.iter().map(|at| record(at.clone())).collect::<Vec<_>>(), json!({})))
    };
    assert_eq!(at(&[json!("2025-01-15T10:00:00Z"), json!("2025-01-15T10:00:05Z")]), [0.0, 5.0]);
    assert_eq!(at(&[json!("2025-01-15T18:00:00+08:00"), json!("2025-01-15T18:00:03+08:00")]), [0.0, 3.0]);
    assert_eq!(at(&[json!(1000), json!(1002)]), [0.0, 2.0]);
    assert_eq!(at(&[json!("1000.5"), json!("1002")]), [0.0, 1.5]);
    assert_eq!(at(&[json!(1000.0), json!("2025-01-15T10:00:00Z")]).len(), 2);
    // Without a zone it is UTC.
    assert_eq!(at(&[json!("2025-01-15T10:00:00"), json!("2025-01-15T10:00:01.5Z")]), [0.0, 1.5]);
}

#[test]
fn records_out_of_order_are_put_right_and_equal_moments_keep_their_order() {
    let files = Files::new();
    let mut records: Vec<Value> = [5.0, 3.0, 9.0, 3.0].into_iter().map(record).collect();
    for (number, record) in records.iter_mut().enumerate() {
        record["request_id"] = format!("r{number}").into();
    }
    let spec = files.spec("workload_trace", &jsonl(&records), json!({}));
    let mut dataset = open(&spec, &RunConfig::default(), None).unwrap();
    for _ in 0..2 {
        let got = dataset.next(10).unwrap();
        assert_eq!(offsets_s(&got), [0.0, 0.0, 2.0, 6.0]);
        let ids: Vec<&str> = got.iter().map(|one| one.labels[0].1.as_str()).collect();
        assert_eq!(ids, ["r1", "r3", "r0", "r2"]);
        dataset.rewind().unwrap();
    }
    assert!(dataset.facts().notes[0].contains("not in the order of their timestamps"));
}

#[test]
fn headers_and_request_ids_go_beside_the_body() {
    let mut one = record(0.0);
    one["headers"] = json!({ "X-Route": "canary" });
    one["request_id"] = json!("req-123");
    let got = replay(&[one], json!({}));
    let pair = |name: &str, value: &str| (name.to_string(), value.to_string());
    assert_eq!(got[0].turns[0].headers, [pair("X-Route", "canary"), pair("X-Request-ID", "req-123")]);
    assert_eq!(got[0].labels, [pair("trace_request_id", "req-123")]);
    assert_eq!(body(&got[0]).as_object().unwrap().len(), 3);
}

#[test]
fn a_body_may_be_a_text_of_json() {
    let inner = json!({ "model": "qwen", "messages": [], "temperature": 0.7 });
    let got = replay(&[json!({ "body": inner.to_string(), "timestamp": 0.0 })], json!({}));
    assert_eq!(body(&got[0]), inner);
}

fn matched(body: Value, tokens: Option<u32>, on: bool) -> Value {
    let one = json!({ "body": body, "timestamp": 0.0, "completion_tokens": tokens });
    super::workload_trace::body(&replay(&[one], json!({ "match_output_length": on }))[0])
}

#[test]
fn outputs_are_made_as_long_as_they_were() {
    let plain = json!({ "model": "m", "messages": [] });
    let got = matched(plain.clone(), Some(42), true);
    assert_eq!((&got["max_tokens"], &got["ignore_eos"]), (&json!(42), &json!(true)));
    assert_eq!(matched(plain.clone(), Some(42), false), plain);
    assert_eq!(matched(plain.clone(), None, true), plain);
    let more = json!({ "model": "m", "messages": [], "max_tokens": 999 });
    assert_eq!(matched(more, Some(50), true)["max_tokens"], 50);
}

#[test]
fn an_output_with_an_end_of_its_own_is_not_forced_on() {
    let tools = json!([{ "type": "function", "function": { "name": "get_weather" } }]);
    let named = json!({ "type": "function", "function": { "name": "get_weather" } });
    for (member, value, free) in [
        ("response_format", json!({ "type": "json_object" }), true),
        ("response_format", json!({ "type": "json_schema" }), true),
        ("response_format", json!({ "type": "text" }), false),
        ("tool_choice", json!("required"), true),
        ("tool_choice", named, true),
        ("tool_choice", json!("auto"), false),
        ("tool_choice", json!("none"), false),
        ("x", json!(0), false),
    ] {
        let mut body = json!({ "model": "m", "messages": [], "tools": tools });
        body[member] = value;
        let got = matched(body, Some(50), true);
        assert_eq!(got["max_tokens"], 50);
        assert_eq!(got.get("ignore_eos").is_none(), free, "{got}");
    }
}

#[test]
fn requests_that_are_not_forced_on_are_counted() {
    let json_mode = json!({ "model": "m", "messages": [], "response_format": { "type": "json_object" } });
    let records = [
        json!({ "body": json_mode, "timestamp": 0.0, "completion_tokens": 30 }),
        json!({ "body": { "model": "m", "messages": [] }, "timestamp": 1.0, "completion_tokens": 60 }),
    ];
    let files = Files::new();
    let spec = files.spec("workload_trace", &jsonl(&records), json!({ "match_output_length": true }));
    let dataset = open(&spec, &RunConfig::default(), None).unwrap();
    let notes = dataset.facts().notes;
    assert!(notes[0].starts_with("1 records use constrained decoding"), "{notes:?}");
}

#[test]
fn an_offset_begins_with_a_later_record_at_once() {
    let files = Files::new();
    let records: Vec<Value> = [0.0, 7.0, 9.0].into_iter().map(record).collect();
    let spec = files.spec("workload_trace", &jsonl(&records), json!({}));
    let spec = DatasetSpec { dataset_offset: 1, ..spec };
    assert_eq!(offsets_s(&all(&spec, None).unwrap()), [0.0, 2.0]);
    let told = told(&DatasetSpec { dataset_offset: 3, ..spec }, None);
    assert!(told.starts_with("--dataset-offset 3 leaves nothing of the 3 records"), "{told}");
}

#[test]
fn gzip_and_zstd_are_read_as_they_are() {
    use std::io::Write;
    let text = jsonl(&[record(10.0), record(12.0)]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    let files = Files::new();
    for (name, bytes) in [
        ("trace.jsonl.gz", gzip.finish().unwrap()),
        ("trace.jsonl.zst", zstd::encode_all(text.as_bytes(), 1).unwrap()),
    ] {
        let path = files.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let spec = DatasetSpec { path: Some(path), ..files.spec("workload_trace", "", json!({})) };
        assert_eq!(offsets_s(&all(&spec, None).unwrap()), [0.0, 2.0], "{name}");
    }
}
