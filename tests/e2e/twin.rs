//! The built-in OpenAI chat API and its WASM twin: the same turns make the same requests, and the
//! same replies mean the same.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use proptest::prelude::*;
use tickrate::api::{self, ApiSpec};
use tickrate::contract::framing::{Framed, frames};
use tickrate::contract::{
    Api, Framing, Mark, Message, Outcome, PartError, Prompt, Reply, RunConfig, Turn, TurnInContext,
};
use tickrate::plugin::{LimitsSpec, Plugin, Runtime, Services};
use tickrate::sim::{FAULTS, SimSpec};
use tickrate::units::Nanos;

use crate::running::{guest, sim};

fn config(stream: bool) -> RunConfig {
    let parameters = serde_json::json!({
        "max_tokens": 12, "stream": stream, "temperature": 0.0, "top_p": 0.9, "stop": ["é", "\n"], "ignore_eos": true,
    });
    let serde_json::Value::Object(parameters) = parameters else { unreachable!() };
    RunConfig {
        model: "tiny".into(),
        url: "http://127.0.0.1:1/v1/chat/completions".into(),
        stream,
        parameters,
        ..RunConfig::default()
    }
}

/// The native API and its twin.
fn twins(stream: bool) -> (Arc<dyn Api>, Arc<dyn Api>) {
    let config = config(stream);
    let native = api::open("openai", &config, &ApiSpec::default(), None).unwrap();
    let runtime = Runtime::new(LimitsSpec::default()).unwrap();
    let plugin = Plugin::open(&runtime, &guest("openai-chat")).unwrap();
    (native, plugin.api(&config, &Services::none()).unwrap())
}

/// What both make of the same bytes.
fn parse_both(
    twins: &(Arc<dyn Api>, Arc<dyn Api>),
    framed: &Framed,
    framing: Framing,
    complete: bool,
) -> [Result<Outcome, PartError>; 2] {
    let reply = Reply {
        status: 200,
        content_type: Some("text/event-stream"),
        framing,
        complete,
        sent: Nanos(5),
        payload: &framed.payload,
        frames: &framed.frames,
    };
    let [native, twin] = [&twins.0, &twins.1].map(|api| api.parse(&reply));
    // Which frames had no output a component cannot say.
    [native.map(|outcome| Outcome { bare: Vec::new(), ..outcome }), twin]
}

fn framed(body: &[u8], framing: Framing) -> Framed {
    let marks: Vec<Mark> = (1..=body.len())
        .step_by(40)
        .chain([body.len()])
        .enumerate()
        .map(|(i, end)| Mark { at: Nanos(10 + i as i64), end })
        .collect();
    frames(body.to_vec(), &marks, framing)
}

/// The body of the simulator's reply to a request with a fault, as far as it came.
fn reply_with(url: &str, fault: &str, stream: bool) -> Vec<u8> {
    let body = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],"max_tokens":6,"stream":{stream},"stream_options":{{"include_usage":true}}{fault}}}"#
    );
    let address = url.trim_start_matches("http://");
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_millis(400))).unwrap();
    let head = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
    write!(socket, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut raw = Vec::new();
    // A reset or a silence ends the reading; what has come until then is the reply.
    let _ = socket.read_to_end(&mut raw);
    let Some(end) = raw.windows(4).position(|four| four == b"\r\n\r\n") else { return Vec::new() };
    let chunked = String::from_utf8_lossy(&raw[..end]).to_lowercase().contains("transfer-encoding: chunked");
    if chunked { unchunk(&raw[end + 4..]) } else { raw[end + 4..].to_vec() }
}

pub fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(line) = rest.windows(2).position(|two| two == b"\r\n") {
        let Ok(size) = usize::from_str_radix(&String::from_utf8_lossy(&rest[..line]), 16) else { break };
        let data = &rest[line + 2..];
        out.extend_from_slice(&data[..size.min(data.len())]);
        if size == 0 || data.len() < size + 2 {
            break;
        }
        rest = &data[size + 2..];
    }
    out
}

#[test]
fn every_reply_of_the_simulator_means_the_same_to_both() {
    let server = sim(SimSpec { reasoning_tokens: 2, ..SimSpec::default() });
    for stream in [true, false] {
        let twins = twins(stream);
        let framing = if stream { Framing::Sse } else { Framing::Whole };
        let faults = FAULTS.iter().map(|(fault, ..)| format!(r#","sim_fault":"{}""#, fault.name()));
        let mut understood = 0;
        for fault in std::iter::once(String::new()).chain(faults) {
            let body = reply_with(&server.url(), &fault, stream);
            for complete in [true, false] {
                let [native, twin] = parse_both(&twins, &framed(&body, framing), framing, complete);
                assert_eq!(native, twin, "{fault} stream {stream} complete {complete}");
                understood += usize::from(native.is_ok_and(|outcome| !outcome.outputs.is_empty()));
            }
        }
        assert!(understood > 10, "the replies carried output: {understood}");
    }
}

#[test]
fn every_turn_makes_the_same_request_with_both() {
    let prompts = [
        Prompt::Text("a \"text\"\nwith é".into()),
        Prompt::Chat(vec![Message::text("system", "be brief"), Message::text("user", "hi")]),
        Prompt::Chat(vec![Message {
            role: "assistant".into(),
            content: Vec::new(),
            fields: vec![("tool_calls".into(), "[{\"id\":1}]".into())],
        }]),
        Prompt::Body(
            br#"{"messages":[{"role":"user","content":"x"}],"temperature":0.6,"stream":false}"#.to_vec(),
        ),
        Prompt::Body(br#"{"messages":[],"stream_options":{"include_usage":false}}"#.to_vec()),
    ];
    for stream in [true, false] {
        let (native, twin) = twins(stream);
        for prompt in &prompts {
            for max_tokens in [None, Some(3)] {
                for history in
                    [vec![], vec![Message::text("user", "before"), Message::text("assistant", "yes")]]
                {
                    let turn =
                        Turn { prompt: prompt.clone(), max_tokens, think_time_ms: None, headers: Vec::new() };
                    let turn = TurnInContext {
                        request_id: "r".into(),
                        conversation_id: "c".into(),
                        turn_index: 1,
                        history: Arc::new(history),
                        turn,
                    };
                    assert_eq!(native.shape(&turn), twin.shape(&turn), "{turn:?} stream {stream}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Events put together from pieces of real ones, some of them broken.
    #[test]
    fn events_of_any_make_mean_the_same_to_both(
        events in proptest::collection::vec(event(), 0..8),
        complete: bool,
    ) {
        let twins = shared();
        let body = events.concat();
        let [native, twin] = parse_both(twins, &framed(body.as_bytes(), Framing::Sse), Framing::Sse, complete);
        prop_assert_eq!(native, twin);
    }
}

fn shared() -> &'static (Arc<dyn Api>, Arc<dyn Api>) {
    static TWINS: std::sync::OnceLock<(Arc<dyn Api>, Arc<dyn Api>)> = std::sync::OnceLock::new();
    TWINS.get_or_init(|| twins(true))
}

fn event() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        Just("null".to_string()),
        Just("\"\"".to_string()),
        Just("\"aé\\n\"".to_string()),
        Just("7".to_string()),
        Just("[1,\"x\"]".to_string()),
        Just("{\"message\":\"m\"}".to_string()),
        "[0-9]{1,3}",
        "\"[a-z ]{0,5}\"",
    ];
    let keys = [
        "content",
        "reasoning_content",
        "reasoning",
        "reasoning_details",
        "refusal",
        "role",
        "tool_calls",
        "text",
        "finish_reason",
        "delta",
        "message",
        "index",
        "usage",
        "error",
        "prompt_tokens",
        "completion_tokens",
        "choices",
        "timings",
        "completion_tokens_details",
        "prompt_tokens_details",
    ];
    let member = (proptest::sample::select(keys.to_vec()), value.clone())
        .prop_map(|(key, value)| format!("\"{key}\":{value}"));
    let object =
        proptest::collection::vec(member, 0..4).prop_map(|members| format!("{{{}}}", members.join(",")));
    let choice = (object.clone(), prop_oneof![Just(""), Just(",\"finish_reason\":\"stop\"")])
        .prop_map(|(delta, rest)| format!("{{\"choices\":[{{\"delta\":{delta}{rest}}}]}}"));
    let usage = object.clone().prop_map(|usage| format!("{{\"choices\":[],\"usage\":{usage}}}"));
    let payload = prop_oneof![
        4 => choice,
        2 => usage,
        1 => object,
        1 => value,
        1 => Just("[DONE]".to_string()),
        1 => Just("{\"choices\":[".to_string()),
    ];
    (payload, prop_oneof![4 => Just(""), 1 => Just("event: error\n"), 1 => Just("event: x\n")])
        .prop_map(|(payload, name)| format!("{name}data: {payload}\n\n"))
}
