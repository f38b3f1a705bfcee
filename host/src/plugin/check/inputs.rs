//! What plugins are asked: turns and replies that are ordinary, empty, huge and malformed.

use std::sync::Arc;

use serde_json::json;

use crate::contract::{Framing, Media, Message, Part, Prompt, RunConfig, Turn, TurnInContext};
use crate::plugin::replies::Recorded;

/// A turn and what it is called in a report.
pub(super) type NamedTurn = (String, TurnInContext);

fn turn(name: &str, history: Vec<Message>, turn: impl Into<Turn>) -> NamedTurn {
    let turn = TurnInContext {
        request_id: "check-1".into(),
        conversation_id: "check".into(),
        turn_index: u32::try_from(history.len()).unwrap_or(u32::MAX),
        history: Arc::new(history),
        turn: turn.into(),
    };
    (name.to_owned(), turn)
}

fn user(content: Vec<Part>) -> Message {
    Message { role: "user".into(), content, fields: Vec::new() }
}

/// Turns as datasets give them.
pub(super) fn ordinary_turns() -> Vec<NamedTurn> {
    let media = || Media { mime: "image/png".into(), data: vec![0x89, b'P', b'N', b'G'] };
    let asked = || vec![Message::text("user", "What is 2 + 2?"), Message::text("assistant", "4")];
    let system =
        vec![Message::text("system", "Be brief."), Message::text("user", "né 🦀 \u{0} \"quoted\"\n")];
    let limited = Turn {
        prompt: Prompt::Chat(vec![Message::text("user", "Why?")]),
        max_tokens: Some(7),
        think_time_ms: Some(10.0),
        headers: vec![("X-Tenant".into(), "a".into())],
    };
    let tool =
        Message { fields: vec![("tool_call_id".into(), "\"7\"".into())], ..Message::text("tool", "4") };
    vec![
        turn("a chat", Vec::new(), Prompt::Chat(vec![Message::text("user", "What is 2 + 2?")])),
        turn("a chat with a system message", Vec::new(), Prompt::Chat(system)),
        turn("a second turn", asked(), limited),
        turn("a text", Vec::new(), Prompt::Text("Once upon a time".into())),
        turn("token ids", Vec::new(), Prompt::Tokens(vec![1, 2, 3])),
        turn("a request body", Vec::new(), Prompt::Body(br#"{"messages":[]}"#.to_vec())),
        turn(
            "a picture",
            Vec::new(),
            Prompt::Chat(vec![user(vec![Part::Text("What?".into()), Part::Image(media())])]),
        ),
        turn("a sound", Vec::new(), Prompt::Chat(vec![user(vec![Part::Audio(media())])])),
        turn("a tool's answer", asked(), Prompt::Chat(vec![tool])),
    ]
}

/// Turns in which something is missing.
pub(super) fn empty_turns() -> Vec<NamedTurn> {
    let mut nobody = turn("no ids", Vec::new(), Prompt::Text("x".into()));
    nobody.1.request_id.clear();
    nobody.1.conversation_id.clear();
    vec![
        turn("an empty text", Vec::new(), Prompt::Text(String::new())),
        turn("no token ids", Vec::new(), Prompt::Tokens(Vec::new())),
        turn("a chat of no messages", Vec::new(), Prompt::Chat(Vec::new())),
        turn("a message without content", Vec::new(), Prompt::Chat(vec![user(Vec::new())])),
        turn("a message of nobody", Vec::new(), Prompt::Chat(vec![Message::default()])),
        turn("an empty body", Vec::new(), Prompt::Body(Vec::new())),
        nobody,
    ]
}

/// Turns that are larger than a plugin's author may have thought of.
pub(super) fn huge_turns() -> Vec<NamedTurn> {
    let history =
        (0..2_000).map(|i| Message::text(["user", "assistant"][i % 2], "word ".repeat(20))).collect();
    vec![
        turn("a text of 1 MiB", Vec::new(), Prompt::Text("words é ".repeat(1 << 17))),
        turn("a chat after 2,000 messages", history, Prompt::Chat(vec![Message::text("user", "And?")])),
        turn("100,000 token ids", Vec::new(), Prompt::Tokens((0..100_000).collect())),
    ]
}

/// Turns whose texts are not what they should be.
pub(super) fn malformed_turns() -> Vec<NamedTurn> {
    let fields = vec![("tool_calls".into(), "{not JSON".into()), (String::new(), String::new())];
    vec![
        turn("a body that is no JSON", Vec::new(), Prompt::Body(b"{\"messages\":[".to_vec())),
        turn("a body that is no UTF-8", Vec::new(), Prompt::Body(vec![0xff, 0xfe, 0x00, 0x80])),
        turn("a body of another shape", Vec::new(), Prompt::Body(b"[1,2]".to_vec())),
        turn("a part that is no JSON", Vec::new(), Prompt::Chat(vec![user(vec![Part::Json("{".into())])])),
        turn(
            "fields that are no JSON",
            Vec::new(),
            Prompt::Chat(vec![Message { fields, ..user(Vec::new()) }]),
        ),
    ]
}

fn whole(name: &str, body: &[u8]) -> Recorded {
    Recorded::of_frames(name, Framing::Whole, &[body])
}

/// Replies in which something is missing.
pub(super) fn empty_replies() -> Vec<Recorded> {
    let none = |framing| Recorded::of_frames::<&str>("a reply without frames", framing, &[]);
    let cut = Recorded { complete: false, ..none(Framing::Sse) };
    vec![
        none(Framing::Sse),
        none(Framing::Ndjson),
        none(Framing::Whole),
        Recorded { name: "a reply that broke off at once".into(), ..cut },
        Recorded { content_type: None, ..whole("a reply of no type", b"{}") },
        Recorded::of_frames("empty frames", Framing::Sse, &["", "", ""]),
        whole("an empty object", b"{}"),
    ]
}

/// Replies that no server should send and that some do.
pub(super) fn malformed_replies() -> Vec<Recorded> {
    let mut random = 0x9E37_79B9_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        random.to_be_bytes()[0]
    })
    .take(4_096)
    .collect();
    let sse = |name, frames: &[&str]| Recorded::of_frames(name, Framing::Sse, frames);
    let html = whole("an HTML page", b"<html><body>502 Bad Gateway</body></html>");
    let half = sse("a frame cut in the middle", &[r#"{"choices":[{"delta":{"content":"wo"#]);
    let mut out = vec![
        whole("random bytes", &noise),
        Recorded::of_frames("random frames", Framing::Sse, &noise.chunks(100).collect::<Vec<_>>()),
        Recorded { content_type: Some("text/html".into()), ..html },
        Recorded { complete: false, ..half.clone() },
        half,
        sse("an error among the frames", &[r#"{"error":{"message":"overloaded","code":503}}"#]),
        whole("an error as a text", br#"{"error":"overloaded"}"#),
        whole("brackets, 50,000 deep", "[".repeat(50_000).as_bytes()),
        whole("a number that no machine has", br#"{"usage":{"prompt_tokens":1e999}}"#),
    ];
    let shapes = [
        "null",
        "7",
        "\"text\"",
        "[]",
        "[null]",
        r#"{"choices":7,"message":7,"token":7,"usage":7,"done":7}"#,
        r#"{"choices":[],"usage":null}"#,
        r#"{"choices":[null],"message":null,"token":null,"details":null}"#,
        r#"{"choices":[{"delta":{"content":7},"index":-1}],"message":{"content":[]},"token":{"text":{}}}"#,
        r#"{"choices":[{"delta":{"content":"\ud800"}}],"message":{"content":"\ud800"},"token":{"text":"\ud800"}}"#,
        r#"{"usage":{"prompt_tokens":-1,"completion_tokens":1.5},"eval_count":-1,"details":{"generated_tokens":-1}}"#,
    ];
    for shape in shapes {
        for framing in [Framing::Sse, Framing::Ndjson, Framing::Whole] {
            let name = format!("{shape} as {framing:?}");
            out.push(Recorded::of_frames(&name, framing, &[shape]));
        }
    }
    out
}

/// Replies that are larger than a plugin's author may have thought of.
pub(super) fn huge_replies() -> Vec<Recorded> {
    let long = format!(r#"{{"choices":[{{"delta":{{"content":"{}"}}}}]}}"#, "word ".repeat(200_000));
    let mut replies = crate::plugin::replies::known(4_096);
    for reply in &mut replies {
        reply.name = format!("4,096 frames of {}", reply.name);
    }
    replies.push(Recorded::of_frames("a frame of 1 MB", Framing::Sse, &[long]));
    replies
}

/// Runs that a plugin may be opened for and its author may not have thought of.
pub(super) fn odd_runs(run: &RunConfig) -> Vec<(String, RunConfig)> {
    let parameters = json!({ "max_tokens": "many", "temperature": null, "stop": [[]], "": {} });
    let parameters = parameters.as_object().cloned().unwrap_or_default();
    vec![
        ("no parameters".into(), RunConfig { parameters: Default::default(), ..run.clone() }),
        ("parameters of odd types".into(), RunConfig { parameters, ..run.clone() }),
        ("no streaming".into(), RunConfig { stream: false, ..run.clone() }),
        ("the largest seed".into(), RunConfig { seed: u64::MAX, expected: u64::MAX, ..run.clone() }),
        ("no model and no URL".into(), RunConfig { model: String::new(), url: String::new(), ..run.clone() }),
    ]
}
