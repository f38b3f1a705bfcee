use crate::contract::RunConfig;

use super::*;
use crate::plugin::tests::{guest, runtime};

fn report(name: &str, options: Value) -> Report {
    let plugin = Plugin::open(&runtime(), &guest(name)).unwrap();
    let mut options = options.as_object().cloned().unwrap_or_default();
    options.retain(|_, value| *value != json!(""));
    let spec = CheckSpec {
        run: RunConfig {
            model: "m".into(),
            url: "http://h/v1".into(),
            stream: true,
            seed: 7,
            ..RunConfig::default()
        },
        api_options: options.clone(),
        dataset_options: options,
        replies: Vec::new(),
    };
    check(&plugin, &spec, &Services::none())
}

#[test]
fn the_shipped_plugins_pass() {
    for name in
        ["openai-chat", "anthropic-messages", "ollama-chat", "tgi-generate", "synthetic-chat", "arithmetic"]
    {
        let report = report(name, json!({}));
        assert!(report.passed(), "{report}");
        assert!(report.checks.len() >= 11 && report.to_json()["passed"] == json!(true));
    }
}

/// What the report says of the checks that were not passed.
fn failed(misdeed: &str, at: &str) -> Vec<(Role, &'static str, String)> {
    let report = report("misbehave", json!({ "do": misdeed, "at": at }));
    let failed = report.checks.into_iter();
    failed.filter_map(|check| Some((check.role, check.name, check.result.err()?))).collect()
}

#[test]
fn each_misdeed_fails_the_check_that_looks_for_it() {
    for (misdeed, at, role, name, told) in [
        (
            "trap_at_nth_call",
            "shape",
            Role::Api,
            "shape of ordinary turns",
            "a chat: the plugin \"misbehave\" crashed",
        ),
        (
            "header_that_is_none",
            "shape",
            Role::Api,
            "shape of ordinary turns",
            "cannot be the name of a header",
        ),
        (
            "error_of_many_lines",
            "parse",
            Role::Api,
            "parse of malformed replies",
            "is a failure in its outcome",
        ),
        ("deep_recursion", "parse", Role::Api, "parse of empty replies", "call stack exhausted"),
        ("changing_answers", "shape", Role::Api, "shape keeps nothing", "keep nothing between calls"),
        ("changing_answers", "parse", Role::Api, "parse keeps nothing", "keep nothing between calls"),
        ("slow_leak", "parse", Role::Api, "memory over many calls", "filled half of its memory"),
        ("endless_conversations", "next", Role::Dataset, "ordinary batches", "when asked for at most"),
        ("conversations_without_turns", "next", Role::Dataset, "ordinary batches", "has no turns"),
        ("times_that_are_none", "next", Role::Dataset, "ordinary batches", "which is no time"),
        ("changing_answers", "next", Role::Dataset, "the same for any batches", "follow from the seed"),
        ("trap_at_nth_call", "open", Role::Dataset, "open", "crashed in \"open\""),
    ] {
        let failed = failed(misdeed, at);
        let found = failed.iter().find(|(one, check, _)| (*one, *check) == (role, name));
        assert!(found.is_some_and(|(.., text)| text.contains(told)), "{misdeed} at {at}: {failed:?}");
    }
}

#[test]
fn recorded_replies_come_with_what_was_answered() {
    let plugin = Plugin::open(&runtime(), &guest("rust-api")).unwrap();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/rust-api/replies.jsonl");
    let replies = crate::plugin::replies::read(&path, crate::contract::Framing::Sse).unwrap();
    let run = RunConfig { url: "http://h/v1".into(), stream: true, ..RunConfig::default() };
    let report = check(&plugin, &CheckSpec { run, replies, ..CheckSpec::default() }, &Services::none());
    assert!(report.passed(), "{report}");
    let outcomes = report.to_json()["replies"].clone();
    assert_eq!(outcomes[0]["outcome"]["text"], "hmHéllo");
    assert_eq!(outcomes[0]["outcome"]["usage"]["output_tokens"], 4);
    assert_eq!(outcomes[1]["outcome"]["finish_reason"], "length");
    assert_eq!(outcomes[2]["outcome"]["failure"]["kind"], "stream_error");
    assert_eq!(outcomes[3]["outcome"]["failure"], Value::Null);
    assert_eq!(outcomes[4]["outcome"]["failure"]["kind"], "invalid_reply");
    assert_eq!(outcomes[5]["outcome"]["failure"]["kind"], "truncated");
    assert!(report.verdict().ends_with("all passed"));
}
