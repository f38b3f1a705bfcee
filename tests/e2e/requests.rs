//! What is sent and when: bodies, headers, endpoints, datasets and pacing.

use serde_json::{Value, json};
use tickrate::record::RequestRecord;
use tickrate::sim::SimSpec;
use tickrate::tokenizer::Tokenizer;

use crate::raw_server::{Heard, RawServer, json_reply, one_token};
use crate::running::{Run, chat, data, perf, perf_on};

/// A run of three requests against a server that keeps what it hears.
fn heard(path: &str, flags: &str) -> (Run, Vec<Heard>) {
    let server = RawServer::kind();
    let run = perf(&format!("{}{path}", server.url()), &format!("--no-test-connection {flags}")).ended(0);
    (run, server.heard())
}

fn bodies(heard: &[Heard]) -> Vec<Value> {
    heard.iter().map(Heard::json).collect()
}

fn user(text: &str) -> Value {
    json!([{"role": "user", "content": text}])
}

#[test]
fn a_request_has_the_model_the_prompt_and_the_flags_and_nothing_else() {
    let flags = "--number 1 --prompt hello --max-tokens 7 --min-tokens 3 --temperature 0.5 --top-p 0.9 --top-k 5 \
                 --seed 11 --stop END --stop-token-ids 2 3 --n-choices 2 --frequency-penalty 0.1 \
                 --repetition-penalty 1.1 --logprobs --extra-args {\"ignore_eos\":true}";
    let (run, heard) = heard("/v1/chat/completions", flags);
    assert_eq!(
        heard[0].json(),
        json!({
            "model": "tiny", "messages": user("hello"), "max_tokens": 7, "min_tokens": 3, "temperature": 0.5,
            "top_p": 0.9, "top_k": 5, "seed": 11, "stop": ["END"], "stop_token_ids": [2, 3], "n": 2,
            "frequency_penalty": 0.1, "repetition_penalty": 1.1, "logprobs": true, "ignore_eos": true,
            "stream": true, "stream_options": {"include_usage": true},
        })
    );
    assert_eq!(heard[0].target(), "POST /v1/chat/completions");
    assert_eq!(heard[0].header("content-type"), Some("application/json"));
    let record = run.only_record();
    assert_eq!(heard[0].header("x-request-id"), Some(record.key.request_id.as_str()));
    assert_eq!(record.bytes_out, heard[0].body.len() as u64);
}

#[test]
fn headers_arrive_and_a_key_becomes_a_bearer() {
    let flags = "--number 2 --prompt hello --headers X-Team=blue X-Path=a=b --api-key sk-1";
    let (_, heard) = heard("/v1/chat/completions", flags);
    assert_eq!(heard.len(), 2);
    for request in &heard {
        assert_eq!(request.header("x-team"), Some("blue"));
        assert_eq!(request.header("x-path"), Some("a=b"));
        assert_eq!(request.header("authorization"), Some("Bearer sk-1"));
        assert_eq!(request.header("user-agent"), Some(concat!("tickrate/", env!("CARGO_PKG_VERSION"))));
    }
}

#[test]
fn the_connection_test_asks_for_one_token_and_counts_nowhere() {
    let server = RawServer::kind();
    let run =
        perf(&chat(&server.url()), "--number 2 --prompt hello --max-tokens 50 --min-tokens 50").ended(0);
    let bodies = bodies(&server.heard());
    assert_eq!(bodies.len(), 3);
    assert_eq!((&bodies[0]["max_tokens"], bodies[0].get("min_tokens")), (&json!(1), None));
    assert_eq!((&bodies[1]["max_tokens"], &bodies[1]["min_tokens"]), (&json!(50), &json!(50)));
    assert_eq!(run.records().len(), 2);
}

#[test]
fn without_streaming_there_is_no_ttft() {
    let spec = SimSpec { ttft: "30".parse().unwrap(), ..SimSpec::default() };
    let run = perf_on(spec, "--no-stream --number 2 --prompt hello --max-tokens 6").ended(0);
    for record in run.records() {
        assert_eq!((record.ttft_ms, record.tpot_ms, record.token_frames.len()), (None, None, 0));
        assert_eq!((record.tokens.output, record.finish_reason.as_deref()), (Some(6), Some("length")));
        assert!(record.latency_ms.unwrap() >= 30.0);
    }
    assert!(run.json("parallel_1_number_2/summary.json").get("TTFT (ms)").is_none());
    let (_, heard) = heard("/v1/chat/completions", "--no-stream --number 1 --prompt hello");
    assert_eq!((&heard[0].json()["stream"], heard[0].json().get("stream_options")), (&json!(false), None));
}

#[test]
fn a_server_that_does_not_stream_although_it_was_asked_to_is_understood() {
    let (run, heard) = heard("/v1/chat/completions", "--number 1 --prompt hello");
    assert_eq!(heard[0].json()["stream"], json!(true));
    let record = run.only_record();
    assert_eq!((record.tokens.output, record.ttft_ms), (Some(1), None));
}

#[test]
fn the_completions_endpoint_gets_a_plain_prompt() {
    let (_, heard) = heard("/v1/completions", "--number 1 --prompt hello");
    assert_eq!(heard[0].target(), "POST /v1/completions");
    assert_eq!((&heard[0].json()["prompt"], heard[0].json().get("messages")), (&json!("hello"), None));
    let server = crate::running::sim(SimSpec::default());
    let url = format!("{}/v1/completions", server.url());
    let record = perf(&url, "--number 1 --prompt hello --max-tokens 5").ended(0).only_record();
    assert_eq!((record.tokens.output, record.token_frames.len()), (Some(5), 5));
}

#[test]
fn a_url_without_a_path_gets_the_chat_endpoint_and_says_so() {
    let (run, heard) = heard("", "--number 1 --prompt hello");
    assert_eq!(heard[0].target(), "POST /v1/chat/completions");
    assert!(heard[0].json().get("messages").is_some(), "{}", heard[0].json());
    assert!(run.stdout().starts_with("note: URL \"http://"), "{}", run.stdout());
}

#[test]
fn a_prompt_and_a_body_come_from_files() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("prompt.txt"), "Say hello, twice.").unwrap();
    let template = json!({"max_tokens": 99, "user": "me", "messages": user("not this")});
    std::fs::write(folder.path().join("body.json"), template.to_string()).unwrap();
    let at = folder.path().display();
    let flags =
        format!("--number 1 --prompt @{at}/prompt.txt --query-template @{at}/body.json --max-tokens 5");
    let (_, heard) = heard("/v1/chat/completions", &flags);
    let body = heard[0].json();
    assert_eq!(body["messages"], user("Say hello, twice."));
    assert_eq!((&body["user"], &body["max_tokens"]), (&json!("me"), &json!(5)));
}

#[test]
fn token_ids_are_sent_to_the_completions_endpoint() {
    let tokenizer = data("tokenizer");
    let flags =
        format!("--number 1 --prompt hello --tokenize-prompt --tokenizer-path {}", tokenizer.display());
    let counter = Tokenizer::open(&tokenizer).unwrap();
    let (_, plain) = heard("/v1/completions", &flags);
    assert_eq!(plain[0].json()["prompt"], json!(counter.encode("hello").unwrap()));
    let (run, chat) = heard("/v1/chat/completions", &flags);
    assert_eq!(chat[0].target(), "POST /v1/completions");
    let ids: Vec<u32> = serde_json::from_value(chat[0].json()["prompt"].clone()).unwrap();
    let text = counter.decode(&ids).unwrap();
    assert!(text.contains("hello") && text.len() > "hello".len(), "the chat template is in it: {text}");
    assert!(run.stdout().contains("--tokenize-prompt sends token ids"), "{}", run.stdout());
}

#[test]
fn datasets_of_lines_are_sent_in_order_and_begin_anew() {
    let prompts = |dataset: &str, file: &str, number: usize| {
        let flags = format!("--number {number} --dataset {dataset} --dataset-path {}", data(file).display());
        bodies(&heard("/v1/chat/completions", &flags).1)
            .iter()
            .map(|body| body["messages"].clone())
            .collect::<Vec<_>>()
    };
    let all = prompts("custom", "custom.txt", 5);
    assert_eq!(&all[..2], &["Name three rivers.", "Say hello."].map(user));
    assert!(all[2][0]["content"].as_str().unwrap().starts_with("Explain, in no more than"));
    assert_eq!(all[3], all[0], "after the last line comes the first");
    let questions =
        ["Why does the tide come in twice a day?", "How is bread kept from going stale?", "什么是队列？"];
    assert_eq!(prompts("openqa", "openqa.jsonl", 3), questions.map(user));
    let lines = prompts("line_by_line", "lines.txt", 6);
    assert_eq!(lines[0], user("What is a queue good for?"));
    assert_eq!(lines[1][0], json!({"role": "system", "content": "Answer in one word."}));
    assert_eq!(lines[1][1], json!({"role": "user", "content": "Is water wet?", "name": "ada"}));
    assert_eq!(lines[2], user("Count to three."));
    assert_eq!(lines[3], user("[not JSON, just a line in brackets]"));
    assert_eq!((&lines[4], &lines[5]), (&user("quoted text is text"), &user("42")));
}

#[test]
fn a_range_of_max_tokens_is_drawn_from_within_its_ends() {
    let (_, heard) = heard("/v1/chat/completions", "--number 40 --prompt hello --max-tokens 5 9 --seed 2");
    let drawn: Vec<u64> = bodies(&heard).iter().map(|body| body["max_tokens"].as_u64().unwrap()).collect();
    assert!(drawn.iter().all(|n| (5..=9).contains(n)), "{drawn:?}");
    assert!(drawn.contains(&5) && drawn.contains(&9), "{drawn:?}");
}

#[test]
fn random_prompts_have_the_length_that_was_asked_for_and_differ() {
    let tokenizer = data("tokenizer");
    let flags = format!(
        "--number 4 --dataset random --min-prompt-length 30 --max-prompt-length 30 --prefix-length 10 \
         --seed 4 --tokenizer-path {} --no-apply-chat-template",
        tokenizer.display()
    );
    let (_, heard) = heard("/v1/completions", &flags);
    let counter = Tokenizer::open(&tokenizer).unwrap();
    let texts: Vec<String> =
        bodies(&heard).iter().map(|body| body["prompt"].as_str().unwrap().to_string()).collect();
    for text in &texts {
        assert_eq!(counter.count(text).unwrap(), 40, "{text:?}");
    }
    assert_ne!(texts[0], texts[1]);
    let shared = texts[0].bytes().zip(texts[1].bytes()).take_while(|(a, b)| a == b).count();
    assert!(shared >= 10, "all begin with the same prefix");
}

fn due_offsets(run: &Run) -> Vec<i64> {
    let mut due: Vec<i64> = run.records().iter().map(|record| record.due.0).collect();
    due.sort_unstable();
    due.iter().map(|at| at - due[0]).collect()
}

#[test]
fn paced_requests_are_due_when_the_seed_says_and_never_sent_before() {
    let flags = |seed: u32| {
        format!(
            "--no-test-connection --prompt hello --max-tokens 1 --parallel 8 --number 30 --rate 60 --seed {seed}"
        )
    };
    let runs = [7, 7, 8].map(|seed| perf_on(SimSpec::default(), &flags(seed)).ended(0));
    let [first, second, third] = [0, 1, 2].map(|index: usize| due_offsets(&runs[index]));
    assert_eq!(first, second, "the same seed");
    assert_ne!(first, third, "another seed");
    assert!(first.windows(2).all(|pair| pair[0] < pair[1]) && first[29] > 100_000_000, "{first:?}");
    for record in runs.iter().flat_map(Run::records) {
        assert!(record.sent.unwrap() >= record.due, "sent before it was due");
    }
}

#[test]
fn a_duration_stops_new_requests_and_is_a_success() {
    let spec = SimSpec { ttft: "20".parse().unwrap(), ..SimSpec::default() };
    let flags =
        "--no-test-connection --prompt hello --max-tokens 2 --parallel 2 --number 100000 --duration 0.7";
    let run = perf_on(spec, flags).ended(0);
    let records = run.records();
    assert!(records.len() > 2 && records.len() < 100_000);
    assert!(records.iter().all(RequestRecord::ok), "those in flight are finished");
    let end = &run.json("run.json")["stages"][0]["end"];
    assert_eq!(end["reason"], "duration");
    let started = end["started_ns"].as_i64().unwrap();
    assert!(records.iter().all(|record| record.due.0 < started + 700_000_000), "none is begun after it");
    assert!(end["finished_ns"].as_i64().unwrap() >= started + 700_000_000 - 30_000_000);
}

#[test]
fn no_more_requests_are_in_flight_than_slots() {
    let spec = SimSpec { ttft: "30".parse().unwrap(), ..SimSpec::default() };
    let flags = "--no-test-connection --prompt hello --max-tokens 2 --parallel 3 --number 24 --workers 2";
    let records = perf_on(spec, flags).ended(0).records();
    let in_flight_at = |at| records.iter().filter(|r| r.sent.unwrap() <= at && r.closed > at).count();
    let most = records.iter().map(|record| in_flight_at(record.sent.unwrap())).max().unwrap();
    assert_eq!(most, 3);
    let workers: std::collections::BTreeSet<u32> = records.iter().map(|record| record.worker).collect();
    assert_eq!(workers.into_iter().collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn connections_are_kept_and_the_records_say_so() {
    let records =
        perf_on(SimSpec::default(), "--no-test-connection --prompt hello --max-tokens 2 --number 5")
            .ended(0)
            .records();
    let reused: Vec<_> = records.iter().map(|record| record.connection_reused).collect();
    assert_eq!(reused, [Some(false), Some(true), Some(true), Some(true), Some(true)]);
}

#[test]
fn a_reply_of_another_kind_is_a_failure_with_its_record() {
    let server = RawServer::start(|_| json_reply("{\"object\":\"list\"}"));
    let run = perf(&chat(&server.url()), "--no-test-connection --number 1 --prompt hello").ended(4);
    let record = run.only_record();
    assert_eq!(crate::running::failure(&record), ("empty_reply", "the reply carried no output"));
    assert_eq!(record.status, Some(200));
}

/// A server may close a connection after any reply without a word, as llama.cpp's does after each
/// stream. A request that finds its connection closed goes over another one.
#[test]
fn a_connection_that_was_closed_between_requests_fails_none() {
    let server = RawServer::closing_after(1, |_| json_reply(&one_token()));
    let flags = "--no-test-connection --number 60 --parallel 3 --prompt hello --no-stream";
    let records = perf(&chat(&server.url()), flags).ended(0).records();
    let failed: Vec<_> = records.iter().filter_map(|record| record.failure.clone()).collect();
    assert_eq!((failed, records.len()), (Vec::new(), 60));
    assert_eq!(server.heard().len(), 60, "each is heard once");
    assert!(records.iter().all(|record| record.connection_reused == Some(false)));
}
