//! Every built-in API against the simulator: the real binary asks, and what it records is what the
//! simulator says it did.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use tickrate::api::{self, ApiSpec};
use tickrate::contract::framing::frames;
use tickrate::contract::{
    Api, Failure, FailureKind, Framing, Mark, Message, Outcome, OutputKind, Prompt, Reply, RunConfig,
    TurnInContext,
};
use tickrate::plugin::{LimitsSpec, Plugin, Runtime, Services};
use tickrate::sim::{FAULTS, Fault, SimSpec};
use tickrate::units::Nanos;

use crate::running::{Run, guest, perf, sim};

/// The APIs that generate.
const GENERATING: [&str; 6] = ["anthropic", "dashscope", "ollama", "openai", "openai_responses", "tgi"];

/// A run of `flags` against a new simulator, and the lines of its ground truth.
fn run(spec: SimSpec, api: &str, flags: &str) -> (Run, Vec<serde_json::Value>) {
    let truth = tempfile::NamedTempFile::new().unwrap();
    let server = sim(SimSpec { truth: Some(truth.path().to_path_buf()), ..spec });
    let run = perf(&server.url(), &format!("--api {api} --number 4 --parallel 2 --prompt time {flags}"));
    server.stop();
    let text = std::fs::read_to_string(truth.path()).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (run, lines)
}

#[test]
fn what_every_api_records_is_what_the_server_did() {
    for api in GENERATING {
        for stream in [true, false] {
            let spec = SimSpec {
                ttft: "4".parse().unwrap(),
                itl: "1".parse().unwrap(),
                reasoning_tokens: 2,
                ..SimSpec::default()
            };
            let flags = if stream { "--max-tokens 6" } else { "--max-tokens 6 --no-stream" };
            let (run, truth) = run(spec, api, flags);
            assert_eq!(run.code(), Some(0), "{api}: {}", run.printed());
            let records = run.records();
            assert_eq!(records.len(), 4, "{api}");
            let mut reasoned = false;
            for record in &records {
                let line = truth
                    .iter()
                    .find(|line| line["request_id"] == record.key.request_id.as_str())
                    .unwrap_or_else(|| panic!("{api}: the server does not know {}", record.key.request_id));
                assert!(record.ok(), "{api}: {:?}", record.failure);
                assert_eq!(&*record.key.api, api);
                assert_eq!(record.tokens.input, line["input_tokens"].as_u64(), "{api}");
                assert_eq!((record.tokens.output, record.ttft_ms.is_some()), (Some(6), stream), "{api}");
                assert!(record.latency_ms.unwrap() >= 9.0, "{api}");
                if stream {
                    assert_eq!(
                        record.token_frames.len(),
                        line["frame_ns"].as_array().unwrap().len(),
                        "{api}"
                    );
                    assert!(record.ttft_ms.unwrap() >= 4.0, "{api}");
                    let reasons = !matches!(api, "tgi");
                    // What one read brought came at one time, as far as anybody can tell.
                    assert!(reasons || record.first_answer_ms().is_none(), "{api}");
                    reasoned |= record.first_answer_ms().is_some();
                }
                if matches!(api, "dashscope" | "openai" | "openai_responses") {
                    assert_eq!(record.tokens.reasoning, Some(2), "{api}");
                }
            }
            assert_eq!(reasoned, stream && api != "tgi", "{api}");
        }
    }
}

#[test]
fn embeddings_and_ranks_have_input_and_no_output() {
    for (api, name) in [("embedding", "openai_embedding"), ("rerank", "openai_rerank")] {
        let spec = SimSpec { ttft: "3".parse().unwrap(), ..SimSpec::default() };
        let tokenizer = crate::running::data("tokenizer");
        // With a tokenizer as well: it must not count output that nobody asked for.
        let (run, truth) = run(spec, api, &format!("--tokenizer-path {}", tokenizer.display()));
        assert_eq!(run.code(), Some(0), "{api}: {}", run.printed());
        let input = truth.last().unwrap()["input_tokens"].as_u64().unwrap();
        for record in run.records() {
            assert!(record.ok(), "{api}: {:?}", record.failure);
            assert_eq!(&*record.key.api, name);
            assert_eq!((record.tokens.input, record.tokens.output), (Some(input), None), "{api}");
            assert!(record.latency_ms.unwrap() >= 3.0 && record.ttft_ms.is_none(), "{api}");
        }
        let summary = run.json("parallel_2_number_4/summary.json");
        let rate = summary["Input Throughput (tok/s)"].as_f64().unwrap();
        let duration_s = summary["Test Duration (s)"].as_f64().unwrap();
        assert!((rate - 4.0 * input as f64 / duration_s).abs() < 1e-6 * rate, "{summary}");
        assert!(summary.get("Output Throughput (tok/s)").is_none(), "{summary}");
        assert!(run.stdout().contains("Input (tok/s)"), "{}", run.printed());
    }
}

#[test]
fn a_url_of_another_api_is_corrected_and_told() {
    let server = sim(SimSpec::default());
    let url = format!("{}/v1/chat/completions", server.url());
    let run = perf(&url, "--api anthropic --number 1 --prompt hi --max-tokens 2");
    assert_eq!(run.code(), Some(0), "{}", run.printed());
    assert!(run.stdout().contains("is not of the api \"anthropic\""), "{}", run.printed());
    let run = perf(&url, "--api antropic --number 1 --prompt hi");
    assert_eq!(run.code(), Some(2), "{}", run.printed());
    assert!(run.stderr().contains("choose one of: anthropic, dashscope"), "{}", run.printed());
}

#[test]
fn a_key_may_go_into_the_header_of_anthropic() {
    let server = sim(SimSpec { api_key: Some("sk-ant-1".into()), ..SimSpec::default() });
    let flags = "--api anthropic --number 1 --prompt hi --max-tokens 2";
    let run = perf(&server.url(), &format!("{flags} --headers x-api-key=sk-ant-1"));
    assert_eq!(run.code(), Some(0), "{}", run.printed());
    assert!(!std::fs::read_to_string(run.path().join("run.json")).unwrap().contains("sk-ant-1"));
    let run = perf(&server.url(), flags);
    assert_ne!(run.code(), Some(0), "{}", run.printed());
}

/// The body of the simulator's reply to `body` as far as it came, and its status.
fn reply_to(url: &str, request: &tickrate::contract::HttpRequest, fault: Fault) -> (u16, Vec<u8>) {
    let address = url.trim_start_matches("http://");
    let path = request.url.trim_start_matches("http://").split_once('/').unwrap().1;
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_millis(300))).unwrap();
    let mut head =
        format!("POST /{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nx-sim-fault: {fault}\r\n");
    for (name, value) in &request.headers {
        head += &format!("{name}: {value}\r\n");
    }
    write!(socket, "{head}Content-Length: {}\r\n\r\n", request.body.len()).unwrap();
    socket.write_all(&request.body).unwrap();
    let mut raw = Vec::new();
    // A reset or a silence ends the reading; what has come until then is the reply.
    let _ = socket.read_to_end(&mut raw);
    let Some(end) = raw.windows(4).position(|four| four == b"\r\n\r\n") else { return (0, Vec::new()) };
    let head = String::from_utf8_lossy(&raw[..end]).to_lowercase();
    let chunked = head.contains("transfer-encoding: chunked");
    let body = if chunked { crate::twin::unchunk(&raw[end + 4..]) } else { raw[end + 4..].to_vec() };
    (head[9..12].parse().unwrap(), body)
}

/// The configuration of a run against an API of the simulator.
fn config(url: &str, name: &str, stream: bool) -> RunConfig {
    let endpoint = api::endpoint(&api::EndpointSpec { api: name, url, stream, tokenize_prompt: false });
    let serde_json::Value::Object(parameters) =
        serde_json::json!({ "max_tokens": 6, "stream": stream, "temperature": 0.0, "top_p": 0.5 })
    else {
        unreachable!()
    };
    RunConfig { model: "m".into(), url: endpoint.url, stream, parameters, ..RunConfig::default() }
}

fn native(url: &str, name: &str, stream: bool) -> Arc<dyn Api> {
    api::open(name, &config(url, name, stream), &ApiSpec::default(), None).unwrap()
}

fn turn(prompt: Prompt) -> TurnInContext {
    TurnInContext {
        request_id: "r".into(),
        conversation_id: "c".into(),
        turn_index: 0,
        history: Default::default(),
        turn: prompt.into(),
    }
}

/// What an API makes of a reply of the simulator that has a fault; `None` if it came without
/// status 200.
fn outcome(url: &str, api: &dyn Api, fault: Fault) -> Option<Outcome> {
    let request = api.shape(&turn(Prompt::Chat(vec![Message::text("user", "good time")]))).unwrap();
    let (status, body) = reply_to(url, &request, fault);
    (status == 200).then(|| parse(api, request.framing, body, fault))
}

fn parse(api: &dyn Api, framing: Framing, body: Vec<u8>, fault: Fault) -> Outcome {
    let mark = Mark { at: Nanos(1), end: body.len() };
    let framed = frames(body, &[mark], framing);
    let reply = Reply {
        status: 200,
        content_type: None,
        framing,
        complete: !matches!(fault, Fault::Cut | Fault::Stall | Fault::Hang | Fault::Reset),
        sent: Nanos(0),
        payload: &framed.payload,
        frames: &framed.frames,
    };
    api.parse(&reply).unwrap()
}

/// The built-in APIs of Anthropic, Ollama and TGI and the plugins of the same servers.
#[test]
fn built_ins_and_plugins_of_the_same_server_mean_the_same() {
    let server = sim(SimSpec { reasoning_tokens: 2, ..SimSpec::default() });
    let runtime = Runtime::new(LimitsSpec::default()).unwrap();
    let prompts = [
        Prompt::Text("a \"text\"\nwith é".into()),
        Prompt::Chat(vec![Message::text("system", "be brief"), Message::text("user", "hi")]),
        Prompt::Body(
            br#"{"messages":[],"inputs":"x","stream":false,"options":{"top_p":1},"parameters":{"top_p":1}}"#
                .to_vec(),
        ),
    ];
    for (name, file) in
        [("anthropic", "anthropic-messages"), ("ollama", "ollama-chat"), ("tgi", "tgi-generate")]
    {
        let plugin = Plugin::open(&runtime, &guest(file)).unwrap();
        for stream in [true, false] {
            let native = native(&server.url(), name, stream);
            let twin = plugin.api(&config(&server.url(), name, stream), &Services::none()).unwrap();
            for prompt in &prompts {
                for max_tokens in [None, Some(3)] {
                    let mut turn = turn(prompt.clone());
                    turn.turn.max_tokens = max_tokens;
                    turn.history =
                        Arc::new(vec![Message::text("user", "a"), Message::text("assistant", "b")]);
                    assert_eq!(native.shape(&turn), twin.shape(&turn), "{name} {turn:?}");
                }
            }
            for (fault, ..) in FAULTS {
                let request = native.shape(&turn(prompts[0].clone())).unwrap();
                let (_, body) = reply_to(&server.url(), &request, fault);
                let [one, other] =
                    [&native, &twin].map(|api| parse(api.as_ref(), request.framing, body.clone(), fault));
                assert_eq!(one, other, "{name} {fault} stream {stream}");
            }
        }
    }
}

#[test]
fn faults_mean_the_same_to_every_api() {
    let server = sim(SimSpec::default());
    let kind = |outcome: &Outcome| outcome.failure.as_ref().map(|Failure { kind, .. }| *kind);
    for name in GENERATING {
        for (fault, ..) in FAULTS {
            let Some(got) = outcome(&server.url(), native(&server.url(), name, true).as_ref(), fault) else {
                continue;
            };
            let answer = got.text_of(OutputKind::Content).unwrap();
            let words = got.text.split_whitespace().count();
            let wanted = match fault {
                Fault::ErrorEvent => Some(FailureKind::StreamError),
                Fault::InvalidJson | Fault::InvalidUtf8 => Some(FailureKind::InvalidReply),
                Fault::NoDone | Fault::Empty => Some(FailureKind::Truncated),
                _ => None,
            };
            assert_eq!(kind(&got), wanted, "{name} {fault}: {:?}", got.failure);
            match fault {
                Fault::ErrorEvent => {
                    assert_eq!(got.failure.unwrap().message, "the engine stopped working", "{name}");
                    assert_eq!(words, 3, "{name}");
                }
                Fault::Cut | Fault::Stall => assert_eq!(words, 3, "{name} {fault}"),
                Fault::ToolCalls
                | Fault::HugeFrame
                | Fault::InvalidJson
                | Fault::InvalidUtf8
                | Fault::Empty => {}
                Fault::Hang | Fault::Reset => {}
                _ => {
                    assert_eq!(answer, " time year good work life hand", "{name} {fault}");
                    assert_eq!(got.outputs.len(), 6, "{name} {fault}");
                }
            }
        }
    }
    for name in GENERATING.into_iter().chain(["openai_embedding", "openai_rerank"]) {
        for (fault, wanted) in [
            (Fault::Comments, None),
            (Fault::ErrorEvent, Some(FailureKind::StreamError)),
            (Fault::InvalidJson, Some(FailureKind::InvalidReply)),
            (Fault::Cut, None),
            (Fault::NoUsage, None),
        ] {
            let got = outcome(&server.url(), native(&server.url(), name, false).as_ref(), fault).unwrap();
            assert_eq!(kind(&got), wanted, "{name} {fault}: {:?}", got.failure);
            assert!(fault != Fault::NoUsage || got.usage == Default::default(), "{name} {:?}", got.usage);
        }
    }
    let call = ["anthropic", "openai", "openai_responses"].map(|name| {
        let got =
            outcome(&server.url(), native(&server.url(), name, true).as_ref(), Fault::ToolCalls).unwrap();
        got.text_of(OutputKind::ToolCall).unwrap()
    });
    assert_eq!(call, [r#"look_up{"query":" time year good work life hand"}"#; 3]);
}
