use super::*;

/// A streamed chat of eight tokens with the fault.
fn faulty(sim: &RunningSim, fault: &str) -> Answer {
    chat(sim, 8, &format!(r#","sim_fault":"{fault}""#))
}

fn tokens(answer: &Answer) -> usize {
    content(&answer.frames(), "content").split_whitespace().count()
}

#[test]
fn errors_instead_of_an_answer() {
    let sim = start(SimSpec::default());
    for (fault, status) in [("http_401", 401), ("http_404", 404), ("http_429", 429), ("http_503", 503)] {
        let answer = faulty(&sim, fault);
        assert_eq!(answer.status(), status);
        assert!(answer.json()["error"]["message"].is_string());
        assert_eq!(answer.head.contains("retry-after: 1"), status == 429);
    }
    let answer = faulty(&sim, "http_500_html");
    assert_eq!(answer.status(), 500);
    assert!(answer.text().starts_with("<html>") && answer.head.contains("text/html"));
    let headers = "authorization: Bearer s3cret\r\nx-sim-fault: echo_auth\r\n";
    let answer = ask(&sim, "POST", "/v1/chat/completions", headers, &chat_body(1, ""));
    assert_eq!(answer.status(), 401);
    assert!(answer.text().contains("Bearer s3cret"));
    let answer = faulty(&sim, "empty");
    assert_eq!((answer.status(), answer.text()), (200, ""));
    let answer = faulty(&sim, "teapot");
    assert_eq!(answer.status(), 400);
    assert!(answer.text().contains("teapot"));
}

#[test]
fn a_header_asks_for_a_fault_and_outweighs_the_body() {
    let sim = start(SimSpec::default());
    let body = chat_body(1, r#","sim_fault":"http_404""#);
    let answer = ask(&sim, "POST", "/v1/chat/completions", "X-Sim-Fault: http_503\r\n", &body);
    assert_eq!(answer.status(), 503);
}

#[test]
fn a_share_of_all_requests_can_be_faulty() {
    let faults = vec!["http_503:0.5".parse().unwrap()];
    let sim = start(SimSpec { faults, ..SimSpec::default() });
    let failed = (0..40).filter(|_| chat(&sim, 1, "").status() == 503).count();
    assert!((5..36).contains(&failed), "{failed} of 40");
}

#[test]
fn streams_that_end_too_soon() {
    let sim = start(SimSpec::default());
    let answer = faulty(&sim, "no_done");
    assert!(answer.complete && !answer.text().contains("[DONE]"));
    assert!(answer.frames().iter().all(|frame| frame["choices"][0]["finish_reason"].is_null()));
    assert_eq!(tokens(&answer), 8);

    let answer = faulty(&sim, "no_done_finished");
    assert!(answer.complete && !answer.text().contains("[DONE]"));
    assert!(answer.text().contains("\"finish_reason\":\"length\""));

    let answer = faulty(&sim, "cut");
    assert!(!answer.complete && !answer.text().ends_with("\n\n"));
    assert_eq!(answer.text().matches("data: {").count(), 5, "a role, three frames and a part of one");

    let answer = faulty(&sim, "error_event");
    assert!(answer.complete);
    let frames = answer.frames();
    assert!(frames.last().unwrap()["error"]["message"].is_string());
    assert_eq!(tokens(&answer), 3);

    let answer = post(&sim, "/v1/completions", r#"{"prompt":"time","max_tokens":4,"sim_fault":"cut"}"#);
    assert!(!answer.complete);
}

#[test]
fn replies_that_hang_end_when_the_client_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("truth.jsonl");
    let sim = start(SimSpec { truth: Some(path.clone()), ..SimSpec::default() });
    for (fault, answered) in [("hang", false), ("stall", true)] {
        let mut stream = TcpStream::connect(sim.address()).unwrap();
        let body = chat_body(8, &format!(r#","sim_fault":"{fault}""#));
        stream.write_all(request("POST", "/v1/chat/completions", "", &body).as_bytes()).unwrap();
        if answered {
            stream.read_exact(&mut [0; 12]).unwrap();
        }
        stream.set_read_timeout(Some(std::time::Duration::from_millis(50))).unwrap();
        let error = stream.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "{fault}");
        drop(stream);
        wait_for_lines(&path, 1 + usize::from(answered));
    }
    let lines = truth(&path);
    assert!(lines.iter().all(|line| line["client_closed"] == true));
    assert_eq!((&lines[0]["status"], &lines[1]["output_tokens"]), (&Value::Null, &3.into()));
}

#[test]
fn a_reset_is_no_clean_end() {
    let sim = start(SimSpec::default());
    let mut stream = TcpStream::connect(sim.address()).unwrap();
    let body = chat_body(1, r#","sim_fault":"reset""#);
    stream.write_all(request("POST", "/v1/chat/completions", "", &body).as_bytes()).unwrap();
    let error = stream.read(&mut [0; 16]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn frames_that_cannot_be_read() {
    let sim = start(SimSpec::default());
    let answer = faulty(&sim, "invalid_json");
    let broken = answer.events().iter().filter(|data| serde_json::from_str::<Value>(data).is_err()).count();
    assert_eq!(broken, 2, "the broken one and the end marker");
    assert!(answer.complete);
    let answer = faulty(&sim, "invalid_utf8");
    assert!(std::str::from_utf8(&answer.body).is_err() && answer.complete);
    assert_eq!(answer.body.windows(2).filter(|pair| pair == b"\xff\xfe").count(), 1);
    let answer = faulty(&sim, "huge_frame");
    let longest = answer.events().iter().map(String::len).max().unwrap();
    assert!(longest > 4 << 20 && answer.complete);
}

#[test]
fn odd_framing_that_is_still_correct() {
    let sim = start(SimSpec::default());
    let plain = content(&chat(&sim, 8, "").frames(), "content");
    for fault in ["comments", "crlf", "multiline_data", "byte_by_byte"] {
        let answer = faulty(&sim, fault);
        assert_eq!(content(&answer.frames(), "content"), plain, "{fault}");
        assert!(answer.complete && answer.text().trim_end().ends_with("[DONE]"), "{fault}");
        let bytes = answer.text();
        match fault {
            "comments" => assert!(bytes.contains(": keep-alive\n\n: a comment within the event\ndata: {")),
            "crlf" => assert_eq!(bytes.matches('\n').count(), bytes.matches("\r\n").count()),
            "multiline_data" => assert!(bytes.contains("data: {\ndata: \"id\"")),
            _ => {}
        }
    }
    let body = r#"{"messages":[{"role":"user","content":"time"}],"sim_fault":"crlf"}"#;
    assert!(post(&sim, "/api/chat", body).text().ends_with("}\r\n"));
}

#[test]
fn usage_in_odd_places() {
    let sim = start(SimSpec::default());
    assert!(!faulty(&sim, "no_usage").text().contains("usage"));
    let frames = faulty(&sim, "partial_usage").frames();
    assert_eq!(frames.last().unwrap()["usage"], serde_json::json!({"prompt_tokens": 6}));
    let frames = faulty(&sim, "continuous_usage").frames();
    let counts: Vec<_> = frames.iter().map(|frame| frame["usage"]["completion_tokens"].as_u64()).collect();
    assert_eq!(counts, [0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 8].map(Some));
    let frames = faulty(&sim, "usage_on_finish").frames();
    let last = frames.last().unwrap();
    assert_eq!(
        (&last["usage"]["completion_tokens"], &last["choices"][0]["finish_reason"]),
        (&8.into(), &"length".into())
    );
    assert_eq!(frames.iter().filter(|frame| !frame["usage"].is_null()).count(), 1);
}

#[test]
fn a_call_to_a_tool_is_streamed_in_pieces() {
    let sim = start(SimSpec::default());
    let frames = faulty(&sim, "tool_calls").frames();
    let calls = frames.iter().map(|frame| &frame["choices"][0]["delta"]["tool_calls"][0]["function"]);
    let arguments: String = calls.clone().filter_map(|call| call["arguments"].as_str()).collect();
    let arguments: Value = serde_json::from_str(&arguments).unwrap();
    assert_eq!(arguments["query"].as_str().unwrap().split_whitespace().count(), 8);
    assert_eq!(calls.filter(|call| call["name"] == "look_up").count(), 1);
    assert!(frames.iter().any(|frame| frame["choices"][0]["finish_reason"] == "tool_calls"));
    let whole = post(
        &sim,
        "/v1/chat/completions",
        r#"{"messages":[{"role":"user","content":"time"}],"max_tokens":2,"sim_fault":"tool_calls"}"#,
    );
    let call = &whole.json()["choices"][0]["message"]["tool_calls"][0]["function"];
    assert_eq!(call["arguments"], r#"{"query":" time year"}"#);
}
