//! Replies of every shape, well-formed and broken, one at a time.

use tickrate::record::{RequestRecord, TokenSource};
use tickrate::sim::SimSpec;
use tickrate::tokenizer::Tokenizer;

use crate::running::{data, failure, perf_on};

const ONE: &str = "--no-test-connection --prompt hello --number 1 --max-tokens 8";

/// The record of the one request that a simulator with this fault answers.
fn with(fault: &str, code: i32, flags: &str) -> RequestRecord {
    with_spec(SimSpec::default(), fault, code, flags)
}

fn with_spec(spec: SimSpec, fault: &str, code: i32, flags: &str) -> RequestRecord {
    let flags = format!("{ONE} --extra-args {{\"sim_fault\":\"{fault}\"}} {flags}");
    perf_on(spec, &flags).ended(code).only_record()
}

fn tokens_of_frames(record: &RequestRecord) -> Vec<Option<u32>> {
    record.token_frames.iter().map(|frame| frame.tokens).collect()
}

#[track_caller]
fn assert_whole(record: &RequestRecord) {
    assert!(record.ok(), "{:?}", record.failure);
    assert_eq!(record.tokens.output, Some(8));
    assert_eq!(record.tokens.source, Some(TokenSource::Server));
    assert_eq!(tokens_of_frames(record), [Some(1); 8]);
    assert_eq!(record.finish_reason.as_deref(), Some("length"));
}

#[test]
fn legal_oddities_of_a_stream_change_nothing() {
    for fault in [
        "comments",
        "crlf",
        "multiline_data",
        "byte_by_byte",
        "no_done_finished",
        "usage_on_finish",
        "continuous_usage",
    ] {
        let record = with(fault, 0, "");
        assert_whole(&record);
        assert!(record.frames >= 10, "{fault}: a role, eight tokens and a finish reason at least");
    }
}

#[test]
fn a_frame_of_4_mib_is_read_whole() {
    let record = with("huge_frame", 0, "");
    assert_whole(&record);
    assert!(record.bytes_in > 4 << 20);
}

#[test]
fn a_stream_without_an_end_is_truncated() {
    let record = with("no_done", 4, "");
    assert_eq!(failure(&record), ("truncated", "the stream ended without a finish reason or [DONE]"));
    assert_eq!(record.token_frames.len(), 8, "what came is kept");
    assert!(record.ttft_ms.is_some());
}

#[test]
fn a_connection_closed_in_a_frame_is_truncated() {
    let record = with("cut", 4, "");
    assert_eq!(failure(&record).0, "truncated");
    assert!(failure(&record).1.starts_with("the server closed the connection in the middle of the reply"));
    assert_eq!((record.token_frames.len(), record.status), (3, Some(200)));
}

#[test]
fn an_error_inside_a_stream_is_a_failure_with_the_servers_words() {
    let record = with("error_event", 4, "");
    assert_eq!(failure(&record), ("stream_error", "the engine stopped working"));
    assert_eq!((record.token_frames.len(), record.status), (3, Some(200)));
}

#[test]
fn frames_that_cannot_be_read_are_an_invalid_reply() {
    for fault in ["invalid_json", "invalid_utf8"] {
        let record = with(fault, 4, "");
        assert_eq!(failure(&record), ("invalid_reply", "frame 4 is not valid JSON"), "{fault}");
        assert_eq!(record.token_frames.len(), 3, "a role frame and three tokens come before it");
    }
}

#[test]
fn a_stream_without_anything_is_truncated() {
    let record = with("empty", 4, "");
    assert_eq!((failure(&record).0, record.bytes_in), ("truncated", 0));
}

#[test]
fn without_usage_and_tokenizer_tokens_are_absent_and_the_table_says_so() {
    let flags = format!("{ONE} --extra-args {{\"sim_fault\":\"no_usage\"}}");
    let run = perf_on(SimSpec::default(), &flags).ended(0);
    let record = run.only_record();
    assert!(record.ok());
    assert_eq!((record.tokens.input, record.tokens.output, record.tokens.source), (None, None, None));
    assert_eq!(record.token_frames.len(), 8);
    assert!(record.ttft_ms.is_some() && record.tpot_ms.is_none());
    let line =
        "tokens of 1 requests were counted: 1 by nobody: the server reports no usage, give --tokenizer-path";
    assert!(run.stdout().contains(line), "{}", run.stdout());
    let summary = run.json("parallel_1_number_1/summary.json");
    assert!(summary.get("Avg Output Tokens").is_none(), "not measured is not 0: {summary}");
    assert_eq!(run.json("parallel_1_number_1/percentiles.json")[0]["Output tokens"], serde_json::Value::Null);
}

#[test]
fn without_usage_the_tokenizer_counts_both_sides() {
    let tokenizer = Tokenizer::open(data("tokenizer")).unwrap();
    let flags = format!("--save-text --tokenizer-path {}", data("tokenizer").display());
    let record = with("no_usage", 0, &flags);
    let text = record.output.clone().expect("--save-text keeps it");
    assert!(text.starts_with(" time year good"), "{text}");
    assert_eq!(record.tokens.output, Some(tokenizer.count(&text).unwrap() as u64));
    assert_eq!(record.tokens.source, Some(TokenSource::Tokenizer));
    assert!(record.tokens.input.is_some_and(|tokens| tokens > 0));
    let by_frame: Vec<_> = text.split_inclusive(' ').collect();
    assert_eq!(by_frame.len(), 9, "eight words, each with a space before it");
    let first = tokenizer.count(" time").unwrap() as u32;
    assert_eq!(record.token_frames[0].tokens, Some(first));
}

#[test]
fn a_partial_usage_keeps_the_part_that_was_there() {
    let record = with("partial_usage", 0, "");
    assert!(record.tokens.input.is_some_and(|tokens| tokens > 0));
    assert_eq!((record.tokens.output, record.tokens.source), (None, Some(TokenSource::Server)));
    let with_usage = perf_on(SimSpec::default(), ONE).ended(0).only_record();
    assert_eq!(record.tokens.input, with_usage.tokens.input);

    let flags = format!("--save-text --tokenizer-path {}", data("tokenizer").display());
    let mixed = with("partial_usage", 0, &flags);
    let tokenizer = Tokenizer::open(data("tokenizer")).unwrap();
    let counted = tokenizer.count(mixed.output.as_deref().unwrap()).unwrap() as u64;
    assert_eq!((mixed.tokens.input, mixed.tokens.output), (record.tokens.input, Some(counted)));
    assert_eq!(mixed.tokens.source, Some(TokenSource::Mixed));
}

#[test]
fn continuous_usage_says_how_many_tokens_each_frame_brought() {
    let spec = SimSpec { tokens_per_frame: 3, ..SimSpec::default() };
    let record = with_spec(spec.clone(), "continuous_usage", 0, "");
    assert_eq!(tokens_of_frames(&record), [Some(3), Some(3), Some(2)]);
    assert_eq!(record.tokens.output, Some(8));
    assert_eq!(record.itl_ms.len(), 2);
    let record = with_spec(spec, "crlf", 0, "");
    assert_eq!(tokens_of_frames(&record), [None; 3], "a total alone does not tell");
    assert_eq!(record.tokens.output, Some(8));
}

#[test]
fn tool_calls_count_as_output() {
    let record = with("tool_calls", 0, "--save-text");
    assert_eq!(record.finish_reason.as_deref(), Some("tool_calls"));
    assert_eq!((record.tokens.output, record.token_frames.len()), (Some(8), 8));
    assert!(record.ttft_ms.is_some());
    assert_eq!(record.first_answer, None, "a call is no answer");
    assert!(record.output.unwrap().starts_with("look_up{\"query\":\" time"));
}

#[test]
fn reasoning_counts_for_ttft_and_is_part_of_the_output() {
    let spec = SimSpec {
        reasoning_tokens: 3,
        itl: "20".parse().unwrap(),
        ttft: "20".parse().unwrap(),
        ..SimSpec::default()
    };
    let record = with_spec(spec, "comments", 0, "");
    assert_eq!((record.tokens.output, record.tokens.reasoning), (Some(8), Some(3)));
    assert_eq!(record.token_frames.len(), 8);
    let answers: Vec<bool> = record.token_frames.iter().map(|frame| frame.answer).collect();
    assert_eq!(answers, [false, false, false, true, true, true, true, true]);
    let (first, answer) = (record.first_token.unwrap(), record.first_answer.unwrap());
    assert!((answer - first).as_ms() > 0.0 && record.first_answer_ms() > record.ttft_ms);
    assert!(record.first_answer_ms().unwrap() >= 20.0 + 3.0 * 20.0, "three steps after the first token");
}

#[test]
fn a_role_frame_is_no_first_token() {
    let spec = SimSpec {
        ttft: "300".parse().unwrap(),
        role_frame: tickrate::sim::RoleFrame::Early,
        ..SimSpec::default()
    };
    let record = perf_on(spec, ONE).ended(0).only_record();
    assert!(record.ttft_ms.unwrap() >= 299.0, "{:?}", record.ttft_ms);
    let first_byte = (record.first_byte.unwrap() - record.sent.unwrap()).as_ms();
    assert!(first_byte < record.ttft_ms.unwrap());
}

#[test]
fn a_server_without_usage_by_configuration_counts_as_one_without() {
    let spec = SimSpec { usage: false, ..SimSpec::default() };
    let record = perf_on(spec, ONE).ended(0).only_record();
    assert_eq!((record.tokens.output, record.tokens.source), (None, None));
}

#[test]
fn a_prefix_cache_is_reported_from_the_second_request_on() {
    let spec = SimSpec { prefix_cache_blocks: Some(1000), ..SimSpec::default() };
    let prompt = format!("--prompt {}", "word,".repeat(200));
    let run = perf_on(spec, &format!("--no-test-connection --number 3 --max-tokens 4 {prompt}")).ended(0);
    let mut records = run.records();
    records.sort_by_key(|record| record.sent);
    let cached: Vec<u64> = records.iter().map(|record| record.tokens.cached.unwrap()).collect();
    assert_eq!(cached[0], 0);
    assert!(cached[1] > 100 && cached[1] == cached[2] && cached[1] <= records[1].tokens.input.unwrap());
    let inputs: u64 = records.iter().map(|record| record.tokens.input.unwrap()).sum();
    let rate = cached.iter().sum::<u64>() as f64 / inputs as f64 * 100.0;
    let shown = run.json("parallel_1_number_3/summary.json")["KV Cache Hit Rate (%)"].as_f64().unwrap();
    assert!((shown - rate).abs() < 1e-9, "{shown} {rate}");
}
