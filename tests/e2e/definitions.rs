//! Replies at known moments, by both definitions: ours, and with `--compat evalscope` the baseline's. Its
//! worked example and the variants of it, for the built-in API and for a component that says nothing of
//! messages without output.

use tickrate::api::{self, ApiSpec};
use tickrate::contract::framing::frames;
use tickrate::contract::{
    Api, FailureKind, Framing, Mark, PartError, RunConfig, TokenCounter, TurnInContext,
};
use tickrate::engine::reread;
use tickrate::plugin::{LimitsSpec, Plugin, Runtime, Services};
use tickrate::record::{EvalscopeFigures, KeptReply, Meaning, RequestKey, RequestRecord, Wire};
use tickrate::units::Nanos;

use crate::running::guest;

const ROLE: &str = r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#;
const A: &str = r#"{"choices":[{"index":0,"delta":{"content":"A"}}]}"#;
const B: &str = r#"{"choices":[{"index":0,"delta":{"content":"B"}}]}"#;
const STOP: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
const USAGE: &str = r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}"#;

/// A token for each letter.
struct Letters;

impl TokenCounter for Letters {
    fn count_text(&self, text: &str) -> Result<u64, PartError> {
        Ok(text.chars().count() as u64)
    }

    fn count_prompt(&self, _: &TurnInContext) -> Result<Option<u64>, PartError> {
        Ok(None)
    }
}

/// The record of a request that was sent at 0 and answered with these events, each at its moment in
/// milliseconds.
fn record(api: &dyn Api, events: &[(f64, &str)], counter: Option<&dyn TokenCounter>) -> RequestRecord {
    let (mut body, mut marks) = (Vec::new(), Vec::new());
    for (at, event) in events {
        body.extend_from_slice(format!("data: {event}\n\n").as_bytes());
        marks.push(Mark { at: Nanos::from_ms(*at), end: body.len() });
    }
    let closed = events.last().map_or(Nanos::from_ms(1.0), |(at, _)| Nanos::from_ms(*at));
    let key = RequestKey {
        run_id: "r".into(),
        stage: "s".into(),
        request_id: "r-0".into(),
        attempt: 1,
        conversation_id: "c".into(),
        turn: 0,
        conversation_turns: 1,
        input_turns: 1,
        api: "openai".into(),
        dataset: "d".into(),
        model: "m".into(),
        warmup: false,
    };
    let wire = Wire {
        due: Nanos::ZERO,
        sent: Some(Nanos::ZERO),
        first_byte: None,
        closed,
        framing: Framing::Sse,
        frames: events.len() as u32,
        bytes_in: body.len() as u64,
        bytes_out: 0,
        connection_reused: None,
        stale_connections: 0,
        status: Some(200),
    };
    let kept = KeptReply {
        request_id: "r-0".into(),
        attempt: 1,
        status: 200,
        content_type: Some("text/event-stream".into()),
        framing: Framing::Sse,
        sent: Nanos::ZERO,
        broken: None,
        labels: Vec::new(),
        framed: frames(body, &marks, Framing::Sse),
    };
    reread(api, counter, &[], RequestRecord::new(key, 0, wire, Meaning::default()), &kept)
}

/// TTFT, intervals, latency, and TPOT where there is one, in milliseconds.
type Ours = (f64, &'static [f64], f64, Option<f64>);
/// What it is, and the events with their moments in milliseconds.
type Case<'a> = (&'a str, Vec<(f64, &'a str)>, Expected);

/// What is expected, in milliseconds: TTFT, intervals, latency, and TPOT.
struct Expected {
    theirs: (f64, &'static [f64], f64, f64),
    ours: Result<Ours, FailureKind>,
}

fn check(what: &str, record: &RequestRecord, expected: &Expected) {
    let near = |got: f64, wanted: f64| (got - wanted).abs() < 1e-6;
    let all = |got: &[f64], wanted: &[f64]| {
        got.len() == wanted.len() && got.iter().zip(wanted).all(|(&got, &wanted)| near(got, wanted))
    };
    let (ttft, itl, latency, tpot) = expected.theirs;
    let theirs = EvalscopeFigures::of(record).unwrap_or_else(|| panic!("{what}: {:?}", record.failure));
    let gaps: Vec<f64> = theirs.itl_s.iter().map(|gap| gap * 1e3).collect();
    let same = near(theirs.ttft_s * 1e3, ttft)
        && near(theirs.latency_s * 1e3, latency)
        && near(theirs.tpot_s * 1e3, tpot)
        && all(&gaps, itl);
    assert!(same && theirs.streamed, "{what}: {theirs:?}");
    match &expected.ours {
        Err(kind) => assert_eq!(record.failure.as_ref().map(|failure| failure.kind), Some(*kind), "{what}"),
        Ok((ttft, itl, latency, tpot)) => {
            assert!(record.ok(), "{what}: {:?}", record.failure);
            let same = near(record.ttft_ms.unwrap(), *ttft)
                && near(record.latency_ms.unwrap(), *latency)
                && all(&record.itl_ms, itl)
                && record.tpot_ms.is_some() == tpot.is_some()
                && tpot.is_none_or(|tpot| near(record.tpot_ms.unwrap(), tpot));
            assert!(same, "{what}: {record:?}");
        }
    }
}

#[test]
fn the_worked_example_and_its_variants_have_both_tools_values() {
    let runtime = Runtime::new(LimitsSpec::default()).unwrap();
    let config = RunConfig {
        model: "m".into(),
        url: "http://h/v1/chat/completions".into(),
        stream: true,
        ..RunConfig::default()
    };
    let native = api::open("openai", &config, &ApiSpec::default(), None).unwrap();
    let component =
        Plugin::open(&runtime, &guest("openai-chat")).unwrap().api(&config, &Services::none()).unwrap();
    let counted = |text: &str, tokens: u32| {
        format!(
            r#"{{"choices":[{{"delta":{{"content":"{text}"}}}}],"usage":{{"prompt_tokens":5,"completion_tokens":{tokens}}}}}"#
        )
    };
    let (one, two) = (counted("A", 1), counted("B", 2));
    let stop_and_usage = r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2}}"#;
    let reasoning = r#"{"choices":[{"delta":{"reasoning_content":"R"}}]}"#;
    let call = |part: &str| {
        format!(
            r#"{{"choices":[{{"delta":{{"tool_calls":[{{"index":0,"function":{{"name":"{part}","arguments":""}}}}]}}}}]}}"#
        )
    };
    let (f, g) = (call("f"), call("g"));
    let filtered = r#"{"choices":[],"prompt_filter_results":[{"prompt_index":0}]}"#;
    let error = r#"{"error":{"message":"the engine stopped"}}"#;
    let done = (211.0, "[DONE]");
    // Their time for a token is from the role to the usage, or to the finish reason.
    let usual = Expected {
        theirs: (100.0, &[50.0, 50.0, 0.0], 210.0, 110.0),
        ours: Ok((150.0, &[50.0], 200.0, Some(50.0))),
    };
    let to_stop = || Expected {
        theirs: (100.0, &[50.0, 50.0, 0.0], 200.0, 100.0),
        ours: Ok((150.0, &[50.0], 200.0, Some(50.0))),
    };
    let cases: Vec<Case<'_>> = vec![
        (
            "worked example",
            vec![(100.0, ROLE), (150.0, A), (200.0, B), (200.0, STOP), (210.0, USAGE), done],
            usual,
        ),
        (
            "usage in every chunk",
            vec![(100.0, ROLE), (150.0, &one), (200.0, &two), (200.0, STOP), done],
            to_stop(),
        ),
        (
            "usage with the last choice",
            vec![(100.0, ROLE), (150.0, A), (200.0, B), (200.0, stop_and_usage), done],
            to_stop(),
        ),
        ("no usage", vec![(100.0, ROLE), (150.0, A), (200.0, B), (200.0, STOP), done], to_stop()),
        (
            "reasoning",
            vec![(100.0, ROLE), (150.0, reasoning), (200.0, A), (200.0, STOP), (210.0, USAGE), done],
            Expected {
                theirs: (100.0, &[50.0, 50.0, 0.0], 210.0, 110.0),
                ours: Ok((150.0, &[50.0], 200.0, Some(50.0))),
            },
        ),
        (
            "calls to tools",
            vec![(100.0, ROLE), (150.0, &f), (200.0, &g), (200.0, STOP), (210.0, USAGE), done],
            Expected {
                theirs: (100.0, &[50.0, 50.0, 0.0], 210.0, 110.0),
                ours: Ok((150.0, &[50.0], 200.0, Some(50.0))),
            },
        ),
        (
            "a filter's results first",
            vec![
                (50.0, filtered),
                (100.0, ROLE),
                (150.0, A),
                (200.0, B),
                (200.0, STOP),
                (210.0, USAGE),
                done,
            ],
            Expected {
                theirs: (100.0, &[50.0, 50.0, 0.0], 210.0, 110.0),
                ours: Ok((150.0, &[50.0], 200.0, Some(50.0))),
            },
        ),
        (
            "closed without [DONE]",
            vec![(100.0, ROLE), (150.0, A), (200.0, B), (200.0, STOP), (210.0, USAGE)],
            Expected {
                theirs: (100.0, &[50.0, 50.0, 0.0], 210.0, 110.0),
                ours: Ok((150.0, &[50.0], 200.0, Some(50.0))),
            },
        ),
        // What it takes for successes, and we do not.
        (
            "an error after two",
            vec![(100.0, ROLE), (150.0, A), (200.0, B), (210.0, error)],
            Expected { theirs: (100.0, &[50.0, 50.0], 210.0, 110.0), ours: Err(FailureKind::StreamError) },
        ),
        (
            "closed in the middle",
            vec![(100.0, ROLE), (150.0, A), (200.0, B)],
            Expected { theirs: (100.0, &[50.0, 50.0], 200.0, 100.0), ours: Err(FailureKind::Truncated) },
        ),
        (
            "nothing at all",
            vec![],
            Expected { theirs: (0.0, &[], 0.0, 0.0), ours: Err(FailureKind::Truncated) },
        ),
    ];
    for (what, events, expected) in &cases {
        for api in [&native, &component] {
            check(what, &record(api.as_ref(), events, Some(&Letters)), expected);
        }
    }
}

/// Of the Responses API there, an interval begins with whatever event came before.
#[test]
fn a_responses_stream_has_both_tools_values() {
    let config = RunConfig {
        model: "m".into(),
        url: "http://h/v1/responses".into(),
        stream: true,
        ..RunConfig::default()
    };
    let api = api::open("openai_responses", &config, &ApiSpec::default(), None).unwrap();
    let events = [
        (50.0, r#"{"type":"response.created","response":{"id":"r"}}"#),
        (100.0, r#"{"type":"response.output_text.delta","delta":"A"}"#),
        (140.0, r#"{"type":"response.output_item.added","item":{"type":"message"}}"#),
        (150.0, r#"{"type":"response.output_text.delta","delta":"B"}"#),
        (
            160.0,
            r#"{"type":"response.completed","response":{"status":"completed","usage":{"input_tokens":5,"output_tokens":2}}}"#,
        ),
    ];
    let expected =
        Expected { theirs: (100.0, &[10.0], 160.0, 60.0), ours: Ok((100.0, &[50.0], 150.0, Some(50.0))) };
    check("responses", &record(api.as_ref(), &events, None), &expected);
}
