//! Conversations: whole ones, turn by turn, in closed and in open loops.

use std::collections::BTreeMap;

use tickrate::record::{CachedSource, RequestRecord};
use tickrate::sim::SimSpec;

use crate::raw_server::{RawServer, json_reply};
use crate::running::{Run, chat, data, perf, sim, tickrate};

/// Three conversations, of two, one and three turns.
fn flags<'a>(path: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let all =
        ["--dataset", "share_gpt_en_multi_turn", "--multi-turn", "--dataset-path", path, "--number", "3"];
    let all = [&all[..], &["--max-tokens", "5", "--no-test-connection", "--seed", "1"], more];
    all.concat()
}

fn by_conversation(run: &Run) -> BTreeMap<String, Vec<RequestRecord>> {
    let mut out = BTreeMap::<_, Vec<_>>::new();
    for record in run.records() {
        assert!(record.ok(), "{}", run.printed());
        out.entry(record.key.conversation_id.clone()).or_default().push(record);
    }
    out.values_mut().for_each(|turns| turns.sort_by_key(|record| record.key.turn));
    out
}

#[test]
fn a_conversation_has_figures_of_its_own_and_a_silent_servers_cache_is_estimated() {
    let server =
        sim(SimSpec { ttft: "20".parse().unwrap(), itl: "1".parse().unwrap(), ..SimSpec::default() });
    let path = data("share_gpt.jsonl").display().to_string();
    let more = ["--parallel", "2", "--compat", "evalscope"];
    let run = perf(&chat(&server.url()), &flags(&path, &more)[..]).ended(0);
    let conversations = by_conversation(&run);
    let (mut latency_s, mut cached, mut input) = (0.0, 0, 0);
    for turns in conversations.values() {
        let length = turns.len();
        assert!(turns.iter().all(|record| record.key.conversation_turns == length as u32));
        latency_s += (turns[length - 1].completed - turns[0].sent.unwrap()).as_s();
        for (at, record) in turns.iter().enumerate() {
            let seen = at.checked_sub(1).map_or(0, |before| turns[before].tokens.context().unwrap());
            let expected = seen.min(record.tokens.input.unwrap());
            assert_eq!(record.tokens.cached, Some(expected));
            assert_eq!(record.tokens.cached_source, Some(CachedSource::Estimated));
            (cached, input) = (cached + expected, input + record.tokens.input.unwrap());
        }
    }
    let summary = run.json("parallel_2_number_3/summary.json");
    let close = |name: &str, expected: f64| {
        let value = summary[name].as_f64().unwrap_or_else(|| panic!("{name}: {summary}"));
        assert!((value - expected).abs() < 1e-9, "{name}: {value} and not {expected}");
    };
    close("Conversations", 3.0);
    close("Avg Turns per Conversation", 2.0);
    close("Conversation Latency (s)", latency_s / 3.0);
    close("KV Cache Hit Rate, estimated (%)", cached as f64 / input as f64 * 100.0);
    assert_eq!(summary.get("KV Cache Hit Rate (%)"), None, "nothing was reported");
    assert!(summary["First-turn TTFT (ms)"].as_f64() > Some(19.0), "{summary}");
    assert!(run.stdout().contains("KV Cache Hit Rate, estimated (%)"), "{}", run.stdout());

    // The baseline's own files, on request.
    let traces = run.json("parallel_2_number_3/trace_summary.json");
    assert_eq!((&traces["n_traces"], &traces["rows"][0]["metric"]), (&3.into(), &"Latency (s)".into()));
    let workload = run.json("parallel_2_number_3/workload_throughput.json");
    assert_eq!(workload["n_samples"], run.records().len());
    let prompt = workload["rows"][0]["overall"].as_f64().unwrap() * workload["wall_time_s"].as_f64().unwrap();
    let input: u64 = run.records().iter().filter_map(|record| record.tokens.input).sum();
    assert!((prompt / input as f64 - 1.0).abs() < 1e-3, "{prompt} and not {input}");
    assert!(run.stdout().contains("Workload throughput (6 samples):"), "{}", run.stdout());

    let written = summary.to_string();
    let report = tickrate(run.folder.path(), "report outputs/run").output().unwrap();
    assert_eq!(report.status.code(), Some(0));
    assert_eq!(run.json("parallel_2_number_3/summary.json").to_string(), written);
}

#[test]
fn an_open_loop_begins_whole_conversations_and_a_servers_cache_is_its_own_word() {
    let server = sim(SimSpec {
        ttft: "60".parse().unwrap(),
        itl: "0".parse().unwrap(),
        prefix_cache_blocks: Some(1000),
        ..SimSpec::default()
    });
    let path = data("share_gpt.jsonl").display().to_string();
    let more = ["--open-loop", "--rate", "50", "--arrival", "constant"];
    let run = perf(&chat(&server.url()), &flags(&path, &more)[..]).ended(0);
    let conversations = by_conversation(&run);
    assert_eq!(conversations.values().map(Vec::len).sum::<usize>(), 2 + 1 + 3);
    let mut begun: Vec<f64> = conversations.values().map(|turns| turns[0].sent.unwrap().as_ms()).collect();
    begun.sort_by(f64::total_cmp);
    let ended: Vec<f64> =
        conversations.values().map(|turns| turns.last().unwrap().completed.as_ms()).collect();
    assert!(begun[2] < ended.iter().copied().fold(f64::MAX, f64::min), "they do not wait for each other");
    for turns in conversations.values() {
        for pair in turns.windows(2) {
            assert!(pair[1].sent.unwrap() >= pair[0].completed, "a turn waits for the answer before it");
        }
        assert!(turns.iter().all(|record| record.tokens.cached_source == Some(CachedSource::Server)));
    }
    let summary = run.json("rate_50_number_3/summary.json");
    assert_eq!((&summary["Conversations"], &summary["Unfinished Conversations"]), (&3.0.into(), &().into()));
    assert!(summary["KV Cache Hit Rate (%)"].as_f64() > Some(0.0), "{summary}");
    assert_eq!(summary.get("KV Cache Hit Rate, estimated (%)"), None);
    assert!(summary["Time to Final Answer (s)"].as_f64() <= summary["Conversation Latency (s)"].as_f64());
}

#[test]
fn the_history_holds_the_answers_without_their_reasoning() {
    let server = RawServer::start(|_| {
        let message = serde_json::json!({
            "role": "assistant", "content": "the answer", "reasoning_content": "a secret thought",
        });
        json_reply(
            &serde_json::json!({
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 50, "completion_tokens": 9,
                          "completion_tokens_details": {"reasoning_tokens": 6}},
            })
            .to_string(),
        )
    });
    let path = data("share_gpt.jsonl").display().to_string();
    let run = perf(&chat(&server.url()), &flags(&path, &["--no-stream"])[..]).ended(0);
    let heard = server.heard();
    let longest = heard.iter().map(|request| request.json()["messages"].clone());
    let longest = longest.max_by_key(|messages| messages.as_array().map_or(0, Vec::len)).unwrap();
    let roles: Vec<&str> =
        longest.as_array().unwrap().iter().map(|one| one["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "assistant", "user", "assistant", "user"]);
    assert_eq!(longest[1]["content"], "the answer");
    assert!(!longest.to_string().contains("secret thought"), "{longest}");
    // 50 of the prompt and 3 of the answer; its 6 of reasoning were not sent back.
    let later = run.records().into_iter().find(|record| record.key.turn == 1).unwrap();
    assert_eq!(later.tokens.cached, Some(50), "no more than the prompt has");
    assert_eq!(later.tokens.context(), Some(53));
}

#[test]
fn a_conversation_whose_turn_fails_ends_there_and_is_told() {
    let server =
        RawServer::start(|request| match request.json()["messages"].as_array().map_or(0, Vec::len) {
            1 => json_reply(&crate::raw_server::one_token()),
            _ => b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n".to_vec(),
        });
    let path = data("share_gpt.jsonl").display().to_string();
    let run = perf(&chat(&server.url()), &flags(&path, &["--no-stream"])[..]).ended(0);
    let records = run.records();
    assert_eq!((records.len(), records.iter().filter(|record| record.ok()).count()), (5, 3));
    let summary = run.json("parallel_1_number_3/summary.json");
    assert_eq!((&summary["Conversations"], &summary["Unfinished Conversations"]), (&1.0.into(), &2.0.into()));
    let whole = records.iter().find(|record| record.key.conversation_turns == 1).unwrap();
    let latency_s = summary["Conversation Latency (s)"].as_f64().unwrap();
    assert!((latency_s * 1e3 - whole.latency_ms.unwrap()).abs() < 1e-9, "only one was finished: {summary}");
}
