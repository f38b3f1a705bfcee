use super::*;

#[test]
fn a_chat_stream_has_a_role_content_a_finish_a_usage_and_an_end() {
    let sim = start(SimSpec::default());
    let answer = chat(&sim, 3, r#","model":"a \"b\"","ignore_eos":true"#);
    assert_eq!(answer.status(), 200);
    assert!(answer.head.contains("content-type: text/event-stream"));
    assert!(answer.complete);
    assert_eq!(answer.events().last().unwrap(), "[DONE]");
    let frames = answer.frames();
    assert_eq!(frames.len(), 6);
    assert!(
        frames.iter().all(|frame| frame["model"] == "a \"b\"" && frame["object"] == "chat.completion.chunk")
    );
    assert_eq!(frames[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(content(&frames, "content"), " time year good");
    assert_eq!(frames[4]["choices"][0]["finish_reason"], "length");
    assert_eq!(frames[4]["choices"][0]["delta"], serde_json::json!({}));
    assert_eq!(frames[5]["choices"], serde_json::json!([]));
    let usage = serde_json::json!({"prompt_tokens": 6, "completion_tokens": 3, "total_tokens": 9});
    assert_eq!(frames[5]["usage"], usage);
}

#[test]
fn a_usage_is_sent_only_if_it_is_asked_for() {
    let sim = start(SimSpec::default());
    let answer = post(&sim, "/v1/completions", r#"{"prompt":"time","stream":true,"max_tokens":2}"#);
    assert!(!answer.text().contains("usage"));
    let frames = answer.frames();
    assert_eq!(frames.len(), 3);
    assert_eq!(frames[0]["choices"][0]["text"], " time");
    assert_eq!(frames[2]["choices"][0]["finish_reason"], "length");
    let silent = start(SimSpec { usage: false, ..SimSpec::default() });
    assert!(!chat(&silent, 2, "").text().contains("usage"));
}

#[test]
fn replies_that_are_not_streamed_are_one_json() {
    let sim = start(SimSpec { output_tokens: Distribution::Constant(2.0), ..SimSpec::default() });
    let whole = |path: &str, body: &str| post(&sim, path, body).json();
    let chat =
        whole("/v1/chat/completions", r#"{"messages":[{"role":"user","content":"time"}],"max_tokens":2}"#);
    assert_eq!(chat["object"], "chat.completion");
    assert_eq!(chat["choices"][0]["message"]["content"], " time year");
    assert_eq!(chat["usage"]["total_tokens"], 7);
    let completion = whole("/v1/completions", r#"{"prompt":[1,2,3]}"#);
    assert_eq!(completion["choices"][0]["text"], " time year");
    assert_eq!(completion["choices"][0]["finish_reason"], "stop");
    assert_eq!(completion["usage"]["prompt_tokens"], 3);
    let ollama = whole("/api/chat", r#"{"messages":[{"role":"user","content":"time"}],"stream":false}"#);
    assert_eq!((&ollama["done"], &ollama["eval_count"]), (&true.into(), &2.into()));
    assert_eq!(ollama["message"]["content"], " time year");
    let tgi = whole("/generate", r#"{"inputs":"time"}"#);
    assert_eq!(tgi["generated_text"], " time year");
    assert_eq!(tgi["details"]["generated_tokens"], 2);
}

#[test]
fn ollama_streams_lines_and_the_last_one_has_the_counts() {
    let sim = start(SimSpec::default());
    let body = r#"{"messages":[{"role":"user","content":"time"}],"options":{"num_predict":2}}"#;
    let answer = post(&sim, "/api/chat", body);
    assert!(answer.head.contains("application/x-ndjson"));
    let lines = answer.lines();
    assert_eq!(lines.len(), 3);
    assert_eq!((&lines[0]["done"], &lines[0]["message"]["content"]), (&false.into(), &" time".into()));
    let last = &lines[2];
    assert_eq!((&last["done"], &last["done_reason"]), (&true.into(), &"length".into()));
    assert_eq!((&last["prompt_eval_count"], &last["eval_count"]), (&5.into(), &2.into()));
    assert!(last["total_duration"].is_i64() && last["eval_duration"].is_i64());
}

#[test]
fn tgi_puts_the_whole_text_into_its_last_event() {
    let sim = start(SimSpec::default());
    let answer = post(&sim, "/generate_stream", r#"{"inputs":"time","parameters":{"max_new_tokens":2}}"#);
    let frames = answer.frames();
    assert_eq!(frames.len(), 2);
    assert_eq!((&frames[0]["index"], &frames[0]["token"]["text"]), (&1.into(), &" time".into()));
    assert!(frames[0]["generated_text"].is_null() && frames[0]["details"].is_null());
    assert_eq!(frames[1]["generated_text"], " time year");
    assert_eq!(frames[1]["details"]["finish_reason"], "length");
    assert_eq!(frames[1]["details"]["input_length"], 1);
}

#[test]
fn models_and_health_answer_and_everything_else_is_an_error() {
    let sim = start(SimSpec { api_key: Some("k1".to_string()), ..SimSpec::default() });
    assert_eq!(ask(&sim, "GET", "/health", "", "").json()["status"], "ok");
    let key = "authorization: Bearer k1\r\n";
    let models = ask(&sim, "GET", "/v1/models?x=1", key, "").json();
    assert_eq!(models["data"][0]["id"], "tickrate-sim");
    let status = |method: &str, path: &str, headers: &str, body: &str| {
        let answer = ask(&sim, method, path, headers, body);
        assert!(!answer.json()["error"].is_null());
        answer.status()
    };
    assert_eq!(status("GET", "/v1/models", "", ""), 401);
    assert_eq!(status("POST", "/v1/completions", "authorization: Bearer k2\r\n", "{}"), 401);
    assert_eq!(status("POST", "/v1/nothing", key, "{}"), 404);
    assert_eq!(status("GET", "/v1/completions", key, ""), 405);
    assert_eq!(status("POST", "/v1/completions", key, "{"), 400);
    assert_eq!(status("POST", "/v1/completions", key, r#"{"prompt":""}"#), 400);
    assert_eq!(status("POST", "/v1/chat/completions", key, r#"{"prompt":"time"}"#), 400);
    assert_eq!(status("POST", "/api/chat", key, "{}"), 400);
}

#[test]
fn a_connection_is_used_again_and_requests_may_be_pipelined() {
    let sim = start(SimSpec { threads: 2, ..SimSpec::default() });
    for _ in 0..4 {
        let mut stream = TcpStream::connect(sim.address()).unwrap();
        let body = r#"{"prompt":"time","max_tokens":1}"#;
        let first = request("POST", "/v1/completions", "", body);
        let last = request("GET", "/health", "connection: close\r\n", "");
        stream.write_all(format!("{first}{first}{last}").as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 3);
        assert!(text.ends_with(r#"{"status":"ok"}"#));
    }
}

#[test]
fn reasoning_comes_first_in_frames_of_its_own() {
    let sim = start(SimSpec { reasoning_tokens: 3, tokens_per_frame: 2, ..SimSpec::default() });
    let frames = chat(&sim, 5, "").frames();
    assert_eq!(content(&frames, "reasoning_content"), " time year good");
    assert_eq!(content(&frames, "content"), " work life");
    // Role, two frames of reasoning, one of content, finish, usage.
    assert_eq!(frames.len(), 6);
    assert_eq!(frames[5]["usage"]["completion_tokens_details"]["reasoning_tokens"], 3);
    assert_eq!(frames[5]["usage"]["completion_tokens"], 5);
}

#[test]
fn an_answer_is_as_long_as_was_drawn_and_never_longer_than_asked_for() {
    let lengths = Distribution::Uniform { low: 2.0, high: 9.0 };
    let sim = start(SimSpec { output_tokens: lengths, ..SimSpec::default() });
    let mut stopped = 0;
    for _ in 0..20 {
        let frames = chat(&sim, 6, "").frames();
        let (finish, usage) = (&frames[frames.len() - 2], &frames[frames.len() - 1]);
        let tokens = usage["usage"]["completion_tokens"].as_u64().unwrap();
        let reason = finish["choices"][0]["finish_reason"].as_str().unwrap();
        assert!(tokens < 6 && reason == "stop" || tokens == 6 && reason == "length");
        stopped += u32::from(reason == "stop");
        let exact = chat(&sim, 6, r#","min_tokens":6"#).frames();
        assert_eq!(exact.last().unwrap()["usage"]["completion_tokens"], 6);
    }
    assert!((1..20).contains(&stopped));
}

#[test]
fn cached_tokens_are_reported_and_the_last_token_is_never_cached() {
    let sim = start(SimSpec { prefix_cache_blocks: Some(64), ..SimSpec::default() });
    let cached = |words: usize| {
        let prompt = " good".repeat(words);
        let body = format!(r#"{{"prompt":"{prompt}","max_tokens":1}}"#);
        post(&sim, "/v1/completions", &body).json()["usage"]["prompt_tokens_details"]["cached_tokens"].clone()
    };
    assert_eq!(cached(32), 0);
    assert_eq!(cached(32), 16);
    assert_eq!(cached(100), 32);
    assert_eq!(cached(100), 96);
    assert_eq!(cached(5), 0);
}
