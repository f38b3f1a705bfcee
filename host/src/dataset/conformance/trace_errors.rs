//! The part of `test_workload_trace.py` about what is wrong with a trace.

use serde_json::json;

use super::workload_trace::{jsonl, record};
use super::*;

fn say(text: &str) -> String {
    told(&Files::new().spec("workload_trace", text, json!({})), None)
}

#[test]
fn every_wrong_line_is_told_with_its_number() {
    let body = json!({ "model": "m", "messages": [] });
    let one = |record: Value| say(&format!("{record}\n"));
    for (text, expected) in [
        ("not json\n".to_string(), "line 1: invalid JSON"),
        (json!({ "timestamp": 0.0 }).to_string(), "line 1: missing field `body`"),
        (json!({ "body": body }).to_string(), "line 1: missing field `timestamp`"),
        (format!("{}\nbad line\n", record(0.0)), "line 2: invalid JSON"),
    ] {
        let got = say(&text);
        assert!(got.contains(expected), "{got}");
        assert!(got.starts_with("workload_trace validation failed (1 error(s))"), "{got}");
    }
    for (record, expected) in [
        (json!({ "body": body, "timestamp": "not-a-date" }), "cannot parse timestamp \"not-a-date\""),
        (json!({ "body": body, "timestamp": true }), "cannot parse timestamp true"),
        (json!({ "body": body, "timestamp": "inf" }), "cannot parse timestamp"),
        (json!({ "body": "not valid json", "timestamp": 0 }), "not valid JSON"),
        (json!({ "body": "[1, 2, 3]", "timestamp": 0 }), "must be a JSON object (a dict)"),
        (json!({ "body": [1], "timestamp": 0 }), "must be a JSON object (a dict)"),
        (json!({ "body": { "__evalscope_headers": {} }, "timestamp": 0 }), "reserved"),
        (json!({ "body": body, "timestamp": 0, "bogus": 1 }), "unknown field `bogus`"),
        (json!({ "body": body, "timestamp": 0, "headers": { "a": 1 } }), "header \"a\""),
        (json!({ "body": body, "timestamp": 0, "request_id": 7 }), "request_id is not a text"),
        (json!({ "body": body, "timestamp": 0, "completion_tokens": 0 }), "completion_tokens must be > 0"),
        (json!({ "body": body, "timestamp": 0, "completion_tokens": -1 }), "completion_tokens must be > 0"),
        (json!({ "body": body, "timestamp": 0, "completion_tokens": -100 }), "completion_tokens must be > 0"),
    ] {
        let got = one(record);
        assert!(got.contains(expected), "{got}");
    }
}

#[test]
fn all_errors_are_collected_and_many_are_counted() {
    let got = say(&format!("bad\n{}\n\n{{}}\n", record(0.0)));
    assert!(got.contains("(2 error(s))") && got.contains("line 1: ") && got.contains("; line 4: "), "{got}");
    let got = say(&"bad\n".repeat(50));
    assert!(got.contains("(50 error(s))") && got.contains("and 30 more"), "{got}");
}

#[test]
fn a_trace_needs_a_file_with_something_in_it() {
    assert!(say("").contains("is empty"));
    assert!(say("\n  \n").contains("is empty"));
    let none = DatasetSpec { name: "workload_trace".into(), ..DatasetSpec::default() };
    assert_eq!(told(&none, None), "workload_trace requires --dataset-path pointing to a trace file; pass it");
}

#[test]
fn options_are_checked() {
    let files = Files::new();
    let say = |options: Value| told(&files.spec("workload_trace", &jsonl(&[record(0.0)]), options), None);
    assert!(say(json!({ "speed": -1.0 })).contains("speed must be > 0, got -1"));
    assert!(say(json!({ "speed": 0 })).contains("speed must be > 0"));
    assert!(say(json!({ "bogus": true })).contains("unknown field `bogus`"));
    assert!(say(json!({ "model_mapping": { "a": 1 } })).contains("model_mapping"));
}
